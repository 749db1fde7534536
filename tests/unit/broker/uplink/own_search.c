/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/uplink/own_search.h"

#include <stdbool.h>

#include "broker/system/own_descriptors.h"
#include "common/failed.h"

int __real_own_descriptors_search(own_descriptor_match *match, const void *context);
int __wrap_own_descriptors_search(own_descriptor_match *match, const void *context);

const int foreign_first = 128;

static int search_error;
static int passed_over[4] = {-1, -1, -1, -1};

struct search {
	own_descriptor_match *match;
	const void *context;
};

static bool search_matches(int fd, const void *context)
{
	const struct search *search = context;

	for (int i = 0; i < 4; i++) {
		if (fd == passed_over[i])
			return false;
	}
	return fd < foreign_first && search->match(fd, search->context);
}

int __wrap_own_descriptors_search(own_descriptor_match *match, const void *context)
{
	struct search search = {match, context};

	if (search_error)
		return failed(search_error);
	return __real_own_descriptors_search(search_matches, &search);
}

void search_fails(int error)
{
	search_error = error;
}

void search_passes_over(int one, int two, int three, int four)
{
	passed_over[0] = one;
	passed_over[1] = two;
	passed_over[2] = three;
	passed_over[3] = four;
}
