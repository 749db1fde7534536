/* SPDX-License-Identifier: MIT */
#include "broker/impair/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include "broker/impair/bpf.h"

struct filter {
	unsigned int count;
	struct sock_filter instructions[];
};

/* Read one number that `end` follows, and move *at behind both. */
static bool number_take(const char **at, char end, unsigned long max, unsigned long *number)
{
	char *behind;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*number = strtoul(*at, &behind, 10);
	if (errno || *number > max || *behind != end)
		return false;
	*at = behind + (end != '\0');
	return true;
}

static bool instruction_take(const char **at, bool is_last, struct sock_filter *instruction)
{
	unsigned long code, jump_true, jump_false, k;

	if (!number_take(at, ' ', UINT16_MAX, &code) ||
	    !number_take(at, ' ', UINT8_MAX, &jump_true) ||
	    !number_take(at, ' ', UINT8_MAX, &jump_false) ||
	    !number_take(at, is_last ? '\0' : '+', UINT32_MAX, &k))
		return false;
	instruction->code = (unsigned short)code;
	instruction->jt = (unsigned char)jump_true;
	instruction->jf = (unsigned char)jump_false;
	instruction->k = (uint32_t)k;
	return true;
}

struct filter *filter_new(const char *code, struct fault *fault)
{
	struct filter *filter = NULL;
	const char *at = code;
	unsigned long count;
	bool good;

	good = number_take(&at, '+', BPF_MAXINSNS, &count) && count > 0;
	if (good) {
		filter = calloc(1, sizeof(*filter) + count * sizeof(filter->instructions[0]));
		if (!filter) {
			fault_set(fault, ENOMEM, "out of memory");
			return NULL;
		}
		filter->count = (unsigned int)count;
	}
	for (unsigned int i = 0; good && i < count; i++)
		good = instruction_take(&at, i + 1 == count, &filter->instructions[i]);
	if (good && bpf_is_safe(filter->instructions, filter->count))
		return filter;
	free(filter);
	fault_set(fault, EINVAL,
		  "match-code is not a BPF program with only forward jumps, as tcpdump -ddd prints "
		  "it, with + for newlines");
	return NULL;
}

void filter_free(struct filter *filter)
{
	free(filter);
}

bool filter_matches(const struct filter *filter, const unsigned char *data, uint32_t length)
{
	return bpf_run(filter->instructions, data, length) != 0;
}
