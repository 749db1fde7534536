/* SPDX-License-Identifier: MIT */
#include "broker/impair/bpf.h"

#include <endian.h>
#include <string.h>

/* --- the check --- */

/* Return whether the code is one of the instructions that bpf_run() has, apart from ALU and JMP. */
static bool code_is_known(uint16_t code)
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
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	default:
		return false;
	}
}

static bool alu_is_safe(const struct sock_filter *instruction)
{
	switch (instruction->code & ~BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
		return true;
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD:
		return instruction->code & BPF_X || instruction->k != 0;
	default:
		return instruction->code == (BPF_ALU | BPF_NEG);
	}
}

/* Check a jump that `behind` instructions follow. */
static bool jump_is_safe(const struct sock_filter *instruction, unsigned int behind)
{
	if (instruction->code == (BPF_JMP | BPF_JA))
		return instruction->k < behind;
	switch (instruction->code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET:
		return instruction->jt < behind && instruction->jf < behind;
	default:
		return false;
	}
}

static bool instruction_is_safe(const struct sock_filter *instruction, unsigned int behind)
{
	switch (BPF_CLASS(instruction->code)) {
	case BPF_ALU:
		return alu_is_safe(instruction);
	case BPF_JMP:
		return jump_is_safe(instruction, behind);
	default:
		break;
	}
	switch (instruction->code) {
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return instruction->k < BPF_MEMWORDS;
	default:
		return code_is_known(instruction->code);
	}
}

bool bpf_is_safe(const struct sock_filter *program, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!instruction_is_safe(&program[i], count - i - 1))
			return false;
	}
	return count > 0 && BPF_CLASS(program[count - 1].code) == BPF_RET;
}

/* --- the machine --- */

struct machine {
	const unsigned char *data;
	uint32_t length;
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
};

/* Load the word, half-word or byte at an offset into A. Return false if it is not in the frame. */
static bool machine_load(struct machine *machine, uint16_t size, uint64_t offset)
{
	uint64_t bytes = size == BPF_W ? 4 : size == BPF_H ? 2 : 1;
	uint32_t word;
	uint16_t half;

	if (offset + bytes > machine->length)
		return false;
	if (size == BPF_W) {
		memcpy(&word, machine->data + offset, sizeof(word));
		machine->a = be32toh(word);
	} else if (size == BPF_H) {
		memcpy(&half, machine->data + offset, sizeof(half));
		machine->a = be16toh(half);
	} else {
		machine->a = machine->data[offset];
	}
	return true;
}

/* Carry out one of the loads into A. */
static bool machine_ld(struct machine *machine, const struct sock_filter *instruction)
{
	switch (BPF_MODE(instruction->code)) {
	case BPF_ABS:
		return machine_load(machine, BPF_SIZE(instruction->code), instruction->k);
	case BPF_IND:
		return machine_load(machine, BPF_SIZE(instruction->code),
				    (uint64_t)machine->x + instruction->k);
	case BPF_LEN:
		machine->a = machine->length;
		return true;
	case BPF_MEM:
		machine->a = machine->memory[instruction->k];
		return true;
	default:
		machine->a = instruction->k;
		return true;
	}
}

/* Carry out one of the loads into X. MSH loads the length of the IPv4 header at that offset. */
static bool machine_ldx(struct machine *machine, const struct sock_filter *instruction)
{
	switch (BPF_MODE(instruction->code)) {
	case BPF_MSH:
		if (instruction->k >= machine->length)
			return false;
		machine->x = (machine->data[instruction->k] & 0xfU) << 2;
		return true;
	case BPF_LEN:
		machine->x = machine->length;
		return true;
	case BPF_MEM:
		machine->x = machine->memory[instruction->k];
		return true;
	default:
		machine->x = instruction->k;
		return true;
	}
}

/* Compute A of A and the operand. Return false for a division by 0. */
static bool machine_alu(struct machine *machine, uint16_t code, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		machine->a += operand;
		return true;
	case BPF_SUB:
		machine->a -= operand;
		return true;
	case BPF_MUL:
		machine->a *= operand;
		return true;
	case BPF_DIV:
	case BPF_MOD:
		if (operand == 0)
			return false;
		machine->a = BPF_OP(code) == BPF_DIV ? machine->a / operand : machine->a % operand;
		return true;
	case BPF_AND:
		machine->a &= operand;
		return true;
	case BPF_OR:
		machine->a |= operand;
		return true;
	case BPF_XOR:
		machine->a ^= operand;
		return true;
	case BPF_LSH:
		machine->a = operand < 32 ? machine->a << operand : 0;
		return true;
	case BPF_RSH:
		machine->a = operand < 32 ? machine->a >> operand : 0;
		return true;
	default: /* BPF_NEG */
		machine->a = -machine->a;
		return true;
	}
}

/* Return how many instructions a jump leaves out. */
static uint32_t machine_jump(const struct machine *machine, const struct sock_filter *instruction,
			     uint32_t operand)
{
	bool is_true;

	switch (BPF_OP(instruction->code)) {
	case BPF_JA:
		return instruction->k;
	case BPF_JEQ:
		is_true = machine->a == operand;
		break;
	case BPF_JGT:
		is_true = machine->a > operand;
		break;
	case BPF_JGE:
		is_true = machine->a >= operand;
		break;
	default: /* BPF_JSET */
		is_true = machine->a & operand;
		break;
	}
	return is_true ? instruction->jt : instruction->jf;
}

uint32_t bpf_run(const struct sock_filter *program, const unsigned char *data, uint32_t length)
{
	struct machine machine = {.data = data, .length = length};

	for (const struct sock_filter *at = program;; at++) {
		uint32_t operand = at->code & BPF_X ? machine.x : at->k;
		bool goes_on = true;

		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			goes_on = machine_ld(&machine, at);
			break;
		case BPF_LDX:
			goes_on = machine_ldx(&machine, at);
			break;
		case BPF_ST:
			machine.memory[at->k] = machine.a;
			break;
		case BPF_STX:
			machine.memory[at->k] = machine.x;
			break;
		case BPF_ALU:
			goes_on = machine_alu(&machine, at->code, operand);
			break;
		case BPF_JMP:
			at += machine_jump(&machine, at, operand);
			break;
		case BPF_RET:
			return BPF_RVAL(at->code) == BPF_A ? machine.a : at->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(at->code) == BPF_TAX)
				machine.x = machine.a;
			else
				machine.a = machine.x;
			break;
		}
		if (!goes_on)
			return 0;
	}
}
