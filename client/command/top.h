/* SPDX-License-Identifier: MIT */
/*
 * What memtun top shows of each port, on the screen and in tables alike.
 */
#ifndef MEMTUN_TOP_H
#define MEMTUN_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "client/command/rates.h"

#define TOP_COLUMNS 9
#define TOP_CELL_SIZE 40

struct top_column {
	const char *key;
	const char *heading;
	bool is_text;
};

extern const struct top_column top_columns[TOP_COLUMNS];

/* A row's cells, for people. */
void top_format(const struct rates_row *row, char cells[TOP_COLUMNS][TOP_CELL_SIZE]);

/* The screen: there is one. */
enum top_key {
	TOP_GO_ON,
	TOP_SORT, /* the order has changed */
	TOP_QUIT,
};

/* Takes the terminal over. -1 with *why. */
int top_screen_open(const char **why);

/* Gives it back as it was. */
void top_screen_close(void);

/* Draws what there is, sorted as it is. */
void top_screen_draw(const struct rates *rates, enum rates_order order, int64_t interval);

/* Takes the keys that were pressed, and a new size; draws again where that changes the picture. */
enum top_key top_screen_read(const struct rates *rates, enum rates_order *order, int64_t interval);

#endif
