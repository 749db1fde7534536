/* SPDX-License-Identifier: MIT */
/*
 * The screen of memtun top, with ncurses: a title, the headings, as many ports as fit, and a line
 * of the keys. It owns the scroll position; the figures are the caller's.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "client/command/text_width.h"
#include "client/command/top.h"
#include "common/clock.h"

/* Lines above and below the ports. */
#define HEAD_LINES 2
#define FOOT_LINES 1

static SCREEN *terminal;
static size_t first_row; /* the first row on the screen */

int top_screen_open(const char **why)
{
	bool can_move;
	int found;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		*why = "top needs a terminal";
		return -1;
	}
	/* Check the type first, because newterm() leaks memory when it fails. */
	if (setupterm(NULL, STDOUT_FILENO, &found) == ERR) {
		*why = "the terminal's type, $TERM, is not known";
		return -1;
	}
	can_move = cursor_address != NULL;
	del_curterm(cur_term);
	if (!can_move) {
		*why = "the terminal's type, $TERM, cannot move the cursor";
		return -1;
	}
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		*why = "the terminal can't be used";
		return -1;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	/* This may fail: some terminals can't hide the cursor. */
	curs_set(0);
	return 0;
}

void top_screen_close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

/* ------------------------------------------------------------------------------ drawing */

static size_t page_size(void)
{
	return LINES > HEAD_LINES + FOOT_LINES ? (size_t)(LINES - HEAD_LINES - FOOT_LINES) : 1;
}

static void scroll_bound(const struct rates *rates)
{
	size_t page = page_size();
	size_t last = rates->row_count > page ? rates->row_count - page : 0;

	if (first_row > last)
		first_row = last;
}

/* Hide the columns of faults while rules do nothing. */
static void columns_hide(const struct rates *rates, int widths[TOP_COLUMNS])
{
	for (size_t i = 0; i < rates->row_count; i++) {
		if (rates->rows[i].from.faults > 0 || rates->rows[i].to.faults > 0)
			return;
	}
	widths[TOP_FAULTS_FROM] = 0;
	widths[TOP_FAULTS_TO] = 0;
}

/* Compute the widths from all rows, so that they don't change while scrolling. */
static void columns_measure(const struct rates *rates, int widths[TOP_COLUMNS])
{
	char cells[TOP_COLUMNS][TOP_CELL_SIZE];

	for (int column = 0; column < TOP_COLUMNS; column++)
		widths[column] = (int)strlen(top_columns[column].heading);
	for (size_t i = 0; i < rates->row_count; i++) {
		top_format(&rates->rows[i], cells);
		for (int column = 0; column < TOP_COLUMNS; column++) {
			int width = text_width(cells[column]);

			if (width > widths[column])
				widths[column] = width;
		}
	}
}

/* Remove columns until the rest fits the screen: their width becomes 0. Names and drops stay. */
static void columns_fit(int widths[TOP_COLUMNS])
{
	static const int removed[] = {3, 5, 6, 1, 2, 4, TOP_FAULTS_FROM, TOP_FAULTS_TO};
	int sum = -1;

	for (int column = 0; column < TOP_COLUMNS; column++)
		sum += widths[column] ? widths[column] + 1 : 0;
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]) && sum > COLS; i++) {
		sum -= widths[removed[i]] + 1;
		widths[removed[i]] = 0;
	}
}

/* Draw a text at the left or the right of the columns. The edge of the screen truncates it. */
static void cell_draw(int y, int x, int width, bool at_left, const char *text)
{
	wchar_t wide[TEXT_WIDTH_MAX];
	size_t count = text_widen(text, wide);
	int indent = at_left ? 0 : width - wide_width(wide, count);

	while (count && x + indent + wide_width(wide, count) > COLS)
		count--;
	if (count)
		mvaddnwstr(y, x + indent, wide, (int)count);
}

static void line_draw(int y, const int widths[TOP_COLUMNS], const char *const cells[TOP_COLUMNS])
{
	int x = 0;

	for (int column = 0; column < TOP_COLUMNS; column++) {
		if (!widths[column])
			continue;
		cell_draw(y, x, widths[column], top_columns[column].is_text, cells[column]);
		x += widths[column] + 1;
	}
}

static void head_draw(const struct rates *rates, enum rates_order order, int64_t interval,
		      const int widths[TOP_COLUMNS])
{
	static const char *const orders[] = {
		[RATES_BY_NAME] = "name",
		[RATES_BY_RATE] = "rate",
		[RATES_BY_DROPS] = "drops",
	};
	const char *headings[TOP_COLUMNS];
	char text[128];

	if (rates->samples < 2)
		snprintf(text, sizeof(text), "memtun top: the first rates come in %g s",
			 (double)interval / (double)CLOCK_SECOND);
	else
		snprintf(text, sizeof(text), "memtun top: %zu port%s by %s, each %g s",
			 rates->row_count, rates->row_count == 1 ? "" : "s", orders[order],
			 (double)interval / (double)CLOCK_SECOND);
	mvaddnstr(0, 0, text, COLS);
	for (int column = 0; column < TOP_COLUMNS; column++)
		headings[column] = top_columns[column].heading;
	attron(A_REVERSE);
	mvhline(1, 0, ' ', COLS);
	line_draw(1, widths, headings);
	attroff(A_REVERSE);
}

/*
 * Follow the terminal's size. ncurses does so only after SIGWINCH, which only a controlling terminal
 * sends, and for which ncurses has no handler if memtun was started with the signal ignored. Unlike
 * resize_term(), resizeterm() has the whole screen drawn anew, as terminals move lines when resized.
 */
static void size_follow(void)
{
	struct winsize size;

	/* The environment overrides the terminal, as in ncurses. */
	if (getenv("LINES") || getenv("COLUMNS"))
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col &&
	    is_term_resized(size.ws_row, size.ws_col))
		resizeterm(size.ws_row, size.ws_col);
}

void top_screen_draw(const struct rates *rates, enum rates_order order, int64_t interval)
{
	int widths[TOP_COLUMNS];
	size_t page;

	size_follow();
	page = page_size();
	scroll_bound(rates);
	columns_measure(rates, widths);
	columns_hide(rates, widths);
	columns_fit(widths);
	erase();
	head_draw(rates, order, interval, widths);
	for (size_t i = 0; i < page && first_row + i < rates->row_count; i++) {
		char cells[TOP_COLUMNS][TOP_CELL_SIZE];
		const char *texts[TOP_COLUMNS];

		top_format(&rates->rows[first_row + i], cells);
		for (int column = 0; column < TOP_COLUMNS; column++)
			texts[column] = cells[column];
		line_draw((int)i + HEAD_LINES, widths, texts);
	}
	mvaddnstr(LINES - 1, 0, "n name  r rate  d drops  arrows, pages, home, end  q quit", COLS);
	refresh();
}

/* ------------------------------------------------------------------------------ keys */

/* Scroll, if the key is one that scrolls. */
static void scroll_by_key(const struct rates *rates, int key)
{
	size_t page = page_size();
	size_t step = key == KEY_PPAGE || key == KEY_NPAGE ? page : 1;

	if (key == KEY_UP || key == KEY_PPAGE)
		first_row -= first_row < step ? first_row : step;
	else if (key == KEY_DOWN || key == KEY_NPAGE)
		first_row += step;
	else if (key == KEY_HOME)
		first_row = 0;
	else if (key == KEY_END)
		first_row = rates->row_count;
	scroll_bound(rates);
}

enum top_key top_screen_read(const struct rates *rates, enum rates_order *order, int64_t interval)
{
	enum rates_order before = *order;
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		any = true;
		if (key == 'q' || key == 'Q')
			return TOP_QUIT;
		if (key == 'n')
			*order = RATES_BY_NAME;
		else if (key == 'r')
			*order = RATES_BY_RATE;
		else if (key == 'd')
			*order = RATES_BY_DROPS;
		else
			scroll_by_key(rates, key);
	}
	if (*order != before)
		return TOP_SORT;
	if (any)
		top_screen_draw(rates, *order, interval);
	return TOP_GO_ON;
}
