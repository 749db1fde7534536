/* SPDX-License-Identifier: MIT */
/*
 * An interface's addresses, routes and neighbours as text: a list each, with '+' between the
 * entries, or "none". The routes that addresses bring are not in the text; reading the addresses
 * brings them again.
 */
#ifndef MEMTUN_STATE_TEXT_H
#define MEMTUN_STATE_TEXT_H

#include <stddef.h>

struct interface_state;

/*
 * An entry has the words of ip(8), and a word that has its default is left out:
 *
 *	10.0.0.1/24 broadcast 10.0.0.255+10.8.0.1 peer 10.8.0.2/32+fd00::1/64
 *	10.9.0.0/16 via 10.0.0.2 metric 100+fd01::/48 via fd00::2
 *	10.0.0.2 lladdr 02:00:00:00:00:01 nud permanent
 */

/* Write a list. -ENOBUFS: it does not fit into `size` bytes with its NUL. */
int state_text_addresses(const struct interface_state *state, char *text, size_t size);
int state_text_routes(const struct interface_state *state, char *text, size_t size);
int state_text_neighbours(const struct interface_state *state, char *text, size_t size);

/*
 * Add what the list has to the state. Read the addresses before the routes. -EINVAL: it is no such
 * list. -ENOBUFS, -ENOMEM. What was read before the error remains. An entry that exists already is
 * passed over.
 */
int state_text_read_addresses(struct interface_state *state, const char *text);
int state_text_read_routes(struct interface_state *state, const char *text);
int state_text_read_neighbours(struct interface_state *state, const char *text);

#endif
