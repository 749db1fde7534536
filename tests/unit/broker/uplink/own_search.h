/* SPDX-License-Identifier: MIT */
/*
 * The broker refuses descriptors that it has itself, and in a test it is in the same process as its
 * client. A test that links with --wrap=own_descriptors_search, and uses one of these, decides what
 * the broker's search finds.
 */
#ifndef MEMTUN_TESTS_OWN_SEARCH_H
#define MEMTUN_TESTS_OWN_SEARCH_H

/* The search passes over descriptors from here on; below the 256 that some tests have as their
 * limit. */
extern const int foreign_first;

/* Make the search fail with that errno; 0: make it work again. */
void search_fails(int error);

/* Make the search pass over these, too, for a test that cannot move them. */
void search_passes_over(int one, int two, int three, int four);

#endif
