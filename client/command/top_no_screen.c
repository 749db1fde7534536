/* SPDX-License-Identifier: MIT */
/*
 * Replaces top_screen.c in a memtun that is built without ncurses: memtun top has no screen.
 */
#include "client/command/top.h"

int top_screen_open(const char **why)
{
	*why = "this memtun was built without ncurses";
	return -1;
}

void top_screen_close(void)
{
}

void top_screen_draw(const struct rates *rates, enum rates_order order, int64_t interval)
{
	(void)rates;
	(void)order;
	(void)interval;
}

enum top_key top_screen_read(const struct rates *rates, enum rates_order *order, int64_t interval)
{
	(void)rates;
	(void)order;
	(void)interval;
	return TOP_QUIT;
}
