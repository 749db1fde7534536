/* SPDX-License-Identifier: MIT */
#include "broker/impair/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include <pcap/bpf.h>

/* The kernel's BPF_MAXINSNS. */
#define INSTRUCTIONS_MAX 4096

struct filter {
	unsigned int count;
	struct bpf_insn instructions[];
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

static bool instruction_take(const char **at, bool is_last, struct bpf_insn *instruction)
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
	instruction->k = (bpf_u_int32)k;
	return true;
}

/* Return whether bpf_filter(3) knows the code. It calls abort(3) for others, of which bpf_validate(3)
 * lets some pass. */
static bool code_is_known(unsigned short code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_ALU | BPF_NEG:
	case BPF_JMP | BPF_JA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	default:
		break;
	}
	/* These have a constant or X as their operand. */
	switch (code & ~BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET:
		return true;
	default:
		return false;
	}
}

/* Return whether each instruction is known, and each jump goes forward: bpf_validate(3) lets a program
 * jump back by an overflow, so that it might not end. */
static bool filter_is_safe(const struct filter *filter)
{
	for (unsigned int i = 0; i < filter->count; i++) {
		const struct bpf_insn *instruction = &filter->instructions[i];

		if (!code_is_known(instruction->code))
			return false;
		if (instruction->code == (BPF_JMP | BPF_JA) &&
		    instruction->k >= filter->count - i - 1)
			return false;
	}
	return true;
}

struct filter *filter_new(const char *code, struct fault *fault)
{
	struct filter *filter = NULL;
	const char *at = code;
	unsigned long count;
	bool good;

	good = number_take(&at, '+', INSTRUCTIONS_MAX, &count) && count > 0;
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
	if (good && bpf_validate(filter->instructions, (int)count) && filter_is_safe(filter))
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
	return bpf_filter(filter->instructions, data, length, length) != 0;
}
