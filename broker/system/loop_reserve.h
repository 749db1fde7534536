/* SPDX-License-Identifier: MIT */
/*
 * Memory that libev can still have when there is no other: it aborts where it can't make one of its
 * tables larger. The reserve is address space that nothing has touched, and is made anew when there
 * is memory again.
 */
#ifndef MEMTUN_LOOP_RESERVE_H
#define MEMTUN_LOOP_RESERVE_H

/* To be called before the first loop is made. */
void loop_reserve_prepare(void);

#endif
