/* SPDX-License-Identifier: MIT */
/*
 * The columns of memtun top, which its screen and its tables share, and the screen.
 */
#ifndef MEMTUN_TOP_H
#define MEMTUN_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "client/command/rates.h"

#define TOP_COLUMNS 11
#define TOP_FAULTS_FROM 9
#define TOP_FAULTS_TO 10
#define TOP_CELL_SIZE 40

struct top_column {
	const char *key;
	const char *heading;
	bool is_text;
};

extern const struct top_column top_columns[TOP_COLUMNS];

/* Write the cells of a row as text. */
void top_format(const struct rates_row *row, char cells[TOP_COLUMNS][TOP_CELL_SIZE]);

/* What a key on the screen asks for. */
enum top_key {
	TOP_GO_ON,
	TOP_SORT, /* the order has changed */
	TOP_QUIT,
};

/* Take over the terminal for the one screen. -1 with *why. */
int top_screen_open(const char **why);

/* Restore the terminal. */
void top_screen_close(void);

/* Draw the rows in their order; `order` and `interval` are for the heading. */
void top_screen_draw(const struct rates *rates, enum rates_order order, int64_t interval);

/* Handle the keys that were pressed and a new size, and draw again if the view changed. */
enum top_key top_screen_read(const struct rates *rates, enum rates_order *order, int64_t interval);

#endif
