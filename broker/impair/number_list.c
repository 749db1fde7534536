/* SPDX-License-Identifier: MIT */
#include "broker/impair/number_list.h"

#include <errno.h>
#include <stdlib.h>

/* Read one number from 1 up, and move *at behind it. Return false if there is none. */
static bool number_parse(const char **at, uint64_t *number)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*number = strtoull(*at, &end, 10);
	*at = end;
	return errno == 0 && *number > 0;
}

int number_list_parse(struct number_list *list, const char *text, struct fault *fault)
{
	const char *at = text;

	list->count = 0;
	while (at) {
		uint64_t first, last;
		bool good = list->count < NUMBER_LIST_MAX && number_parse(&at, &first);

		last = good ? first : 0;
		if (good && *at == '-') {
			at++;
			good = number_parse(&at, &last) && last >= first;
		}
		if (!good || (*at != '+' && *at != '\0'))
			return fault_set(fault, EINVAL,
					 "drop takes frame numbers from 1 and ranges joined with "
					 "+, such as 1+3+8-10, not '%.40s'",
					 text);
		list->ranges[list->count].first = first;
		list->ranges[list->count].last = last;
		list->count++;
		at = *at == '+' ? at + 1 : NULL;
	}
	return 0;
}

bool number_list_has(const struct number_list *list, uint64_t number)
{
	for (unsigned int i = 0; i < list->count; i++) {
		if (number >= list->ranges[i].first && number <= list->ranges[i].last)
			return true;
	}
	return false;
}
