/* SPDX-License-Identifier: MIT */
/*
 * Instead of memtun top's screen where it was built without ncurses: there is none.
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
