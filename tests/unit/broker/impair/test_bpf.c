/* SPDX-License-Identifier: MIT */
/*
 * Programs of classic BPF: libpcap's bpf_filter(3) has the same results for random programs and
 * frames, and libpcap's check accepts what the broker runs.
 */
#include "tests/unit/runner.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "broker/impair/bpf.h"

#define PROGRAMS 20000
#define INSTRUCTIONS 48
#define FRAME 96

/* SplitMix64 from a fixed seed, so that a failure repeats. */
static uint64_t random_next(void)
{
	static uint64_t state = 15;
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t random_below(uint32_t bound)
{
	return (uint32_t)(random_next() % bound);
}

/* Return a constant that is often near what matters: small, or near the ends of 32 bits. */
static uint32_t random_constant(void)
{
	switch (random_below(4)) {
	case 0:
		return random_below(FRAME + 8);
	case 1:
		return UINT32_MAX - random_below(8);
	case 2:
		return random_below(16);
	default:
		return (uint32_t)random_next();
	}
}

static const uint16_t codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LDX | BPF_B | BPF_MSH,
	BPF_LDX | BPF_IMM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_MOD | BPF_K,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_MOD | BPF_X,
	BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_X,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_RET | BPF_A,
	BPF_RET | BPF_K,
};

/* Make an instruction that `behind` others follow. */
static struct sock_filter random_instruction(uint32_t behind)
{
	struct sock_filter made = {
		.code = codes[random_below(sizeof(codes) / sizeof(codes[0]))],
		.k = random_constant(),
	};

	switch (BPF_CLASS(made.code)) {
	case BPF_ST:
	case BPF_STX:
		made.k %= BPF_MEMWORDS;
		break;
	case BPF_LD:
	case BPF_LDX:
		if (BPF_MODE(made.code) == BPF_MEM)
			made.k %= BPF_MEMWORDS;
		break;
	case BPF_JMP:
		made.jt = (uint8_t)random_below(behind < 4 ? behind : 4);
		made.jf = (uint8_t)random_below(behind < 4 ? behind : 4);
		if (made.code == (BPF_JMP | BPF_JA))
			made.k = made.jt;
		break;
	case BPF_ALU:
		/* libpcap leaves a shift by a constant of 32 and more to the compiler. */
		if (made.code == (BPF_ALU | BPF_LSH) || made.code == (BPF_ALU | BPF_RSH))
			made.k %= 32;
		else if (made.code == (BPF_ALU | BPF_DIV) || made.code == (BPF_ALU | BPF_MOD))
			made.k += !made.k;
		break;
	default:
		break;
	}
	return made;
}

/* Make a program that sets all of the memory, which libpcap does not, and ends with A as its result. */
static void random_program(struct sock_filter *program)
{
	uint32_t i;

	for (i = 0; i < BPF_MEMWORDS; i++)
		program[i] = (struct sock_filter){.code = BPF_ST, .k = i};
	for (; i < INSTRUCTIONS - 1; i++)
		program[i] = random_instruction(INSTRUCTIONS - 1 - i);
	program[i] = (struct sock_filter){.code = BPF_RET | BPF_A};
}

static void random_frame(unsigned char *frame)
{
	for (size_t i = 0; i < FRAME; i++)
		frame[i] = (unsigned char)random_next();
}

static void results_are_those_of_libpcap(void **state)
{
	struct sock_filter program[INSTRUCTIONS];
	unsigned char frame[FRAME];
	unsigned int nonzero = 0;

	(void)state;
	for (int i = 0; i < PROGRAMS; i++) {
		const struct bpf_insn *theirs = (const struct bpf_insn *)program;
		uint32_t length = random_below(FRAME + 1);
		uint32_t result;

		random_program(program);
		random_frame(frame);
		assert_true(bpf_is_safe(program, INSTRUCTIONS));
		assert_true(bpf_validate(theirs, INSTRUCTIONS));
		result = bpf_run(program, frame, length);
		assert_int_equal(result, bpf_filter(theirs, frame, length, length));
		nonzero += result != 0;
	}
	/* Programs that all fail would show nothing. */
	assert_true(nonzero > PROGRAMS / 10);
}

static void libpcap_accepts_what_the_broker_accepts(void **state)
{
	unsigned int safe = 0;

	(void)state;
	for (int i = 0; i < 20 * PROGRAMS; i++) {
		struct sock_filter program[2] = {random_instruction(1), {.code = BPF_RET | BPF_K}};

		/* One of its parts is anything. */
		switch (random_below(4)) {
		case 0:
			program[0].code = (uint16_t)random_below(256);
			break;
		case 1:
			program[0].k = random_constant();
			break;
		case 2:
			program[0].jt = (uint8_t)random_below(3);
			break;
		default:
			program[1].code = (uint16_t)random_below(256);
			break;
		}
		if (!bpf_is_safe(program, 2))
			continue;
		safe++;
		assert_true(bpf_validate((const struct bpf_insn *)program, 2));
	}
	assert_true(safe > PROGRAMS);
}

static void shifts_by_32_and_more_give_0(void **state)
{
	const struct sock_filter program[] = {
		{.code = BPF_LD | BPF_IMM, .k = UINT32_MAX},
		{.code = BPF_ALU | BPF_LSH | BPF_K, .k = 32},
		{.code = BPF_RET | BPF_A},
	};

	(void)state;
	assert_true(bpf_is_safe(program, 3));
	assert_int_equal(bpf_run(program, (const unsigned char *)"", 0), 0);
}

static void memory_is_0_at_the_start(void **state)
{
	const struct sock_filter program[] = {
		{.code = BPF_LD | BPF_MEM, .k = BPF_MEMWORDS - 1},
		{.code = BPF_RET | BPF_A},
	};

	(void)state;
	assert_true(bpf_is_safe(program, 2));
	assert_int_equal(bpf_run(program, (const unsigned char *)"", 0), 0);
}

/* bpf_validate(3) lets a program jump back by an overflow, so that it might not end. */
static void jumps_go_forward(void **state)
{
	const struct sock_filter back[] = {
		{.code = BPF_JMP | BPF_JA, .k = UINT32_MAX},
		{.code = BPF_RET | BPF_K},
	};
	const struct sock_filter behind[] = {
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 1},
		{.code = BPF_RET | BPF_K},
	};

	(void)state;
	assert_false(bpf_is_safe(back, 2));
	assert_false(bpf_is_safe(behind, 2));
	assert_false(bpf_is_safe(back, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_those_of_libpcap),
		cmocka_unit_test(libpcap_accepts_what_the_broker_accepts),
		cmocka_unit_test(shifts_by_32_and_more_give_0),
		cmocka_unit_test(memory_is_0_at_the_start),
		cmocka_unit_test(jumps_go_forward),
	};

	return RUN_TESTS(tests);
}
