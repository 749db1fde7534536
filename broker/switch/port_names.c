/* SPDX-License-Identifier: MIT */
#include "broker/switch/port_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/switch/port.h"
#include "common/failed.h"
#include "common/tunnel_name.h"

static int port_compare_name(struct port *one, struct port *other)
{
	return strcmp(one->name, other->name);
}

static int port_compare_id(struct port *one, struct port *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE_INTERNAL(port_name_tree, port, by_name, port_compare_name,
		     __attribute__((unused)) static)
RB_GENERATE_INTERNAL(port_id_tree, port, by_id, port_compare_id, __attribute__((unused)) static)

/* The tree macros take no const tree, but looking up changes nothing. */
#define TREE(tree) ((void *)(uintptr_t)(tree))

/* ------------------------------------------------------------------------------ numbers */

/* The digits of the highest number that a template is expanded with, which fits 32 bits. */
#define NUMBER_DIGITS_MAX 9

/*
 * The maximum of digits if a digit follows the %d: the number is then a part of a run of digits.
 * The search tries each number of such a template, so there are only 100.
 */
#define PART_DIGITS_MAX 2

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static const char *number_suffix(const struct name_number *number)
{
	return number->name + number->before + number->digits;
}

/* Compare the texts around the numbers, and how many digits they have. */
static int number_compare_group(const struct name_number *one, const struct name_number *other)
{
	int difference;

	if (one->before != other->before)
		return one->before < other->before ? -1 : 1;
	if (one->digits != other->digits)
		return one->digits < other->digits ? -1 : 1;
	difference = memcmp(one->name, other->name, one->before);
	return difference ? difference : strcmp(number_suffix(one), number_suffix(other));
}

static int number_compare(struct name_number *one, struct name_number *other)
{
	int difference = number_compare_group(one, other);

	if (difference)
		return difference;
	return one->value < other->value ? -1 : one->value > other->value;
}

RB_GENERATE_INTERNAL(name_number_tree, name_number, by_number, number_compare,
		     __attribute__((unused)) static)

/* Make it the run of digits in the name that begins after `before` bytes. */
static void number_init(struct name_number *number, const char *name, size_t before)
{
	size_t at = before;

	*number = (struct name_number){.name = name, .before = (uint8_t)before};
	for (; is_digit(name[at]); at++)
		number->value = number->value * 10 + (uint64_t)(name[at] - '0');
	number->digits = (uint8_t)(at - before);
	number->end = number->value;
}

/* Return the interval with the highest numbers that begins at or below this one, or NULL. */
static struct name_number *interval_find(const struct port_names *names, struct name_number *key)
{
	struct name_number_tree *tree = TREE(&names->numbers);
	struct name_number *found = RB_NFIND(name_number_tree, tree, key);

	if (found && number_compare(found, key) == 0)
		return found;
	found = found ? RB_PREV(name_number_tree, tree, found) : RB_MAX(name_number_tree, tree);
	return found && number_compare_group(found, key) == 0 ? found : NULL;
}

/* Return the first number of an interval that follows this number directly, or NULL. */
static struct name_number *interval_after(const struct port_names *names,
					  const struct name_number *number)
{
	struct name_number key = *number;

	key.value++;
	return RB_FIND(name_number_tree, TREE(&names->numbers), &key);
}

/* Add a number, which joins the intervals before and behind it. */
static void number_add(struct port_names *names, struct name_number *number)
{
	struct name_number *before = interval_find(names, number);
	struct name_number *after = interval_after(names, number);

	if (after) {
		number->end = after->end;
		RB_REMOVE(name_number_tree, &names->numbers, after);
	}
	if (before && before->end + 1 == number->value)
		before->end = number->end;
	else
		RB_INSERT(name_number_tree, &names->numbers, number);
}

/* Return the number that follows this one and is taken by a port. */
static struct name_number *number_after(const struct port_names *names,
					const struct name_number *number)
{
	char name[MEMTUN_NAME_SIZE];
	struct port *port;
	unsigned int number_at;
	size_t at = (size_t)number->before + number->digits;

	strlcpy(name, number->name, sizeof(name));
	while (name[--at] == '9')
		name[at] = '0';
	name[at]++;
	port = port_names_find(names, name);
	for (number_at = 0; port->numbers.runs[number_at].before != number->before; number_at++)
		;
	return &port->numbers.runs[number_at];
}

/* Remove a number. What is behind it in its interval becomes an interval of its own. */
static void number_remove(struct port_names *names, struct name_number *number)
{
	struct name_number *interval = interval_find(names, number);
	uint64_t end = interval->end;
	struct name_number *next;

	if (interval == number)
		RB_REMOVE(name_number_tree, &names->numbers, number);
	else
		interval->end = number->value - 1;
	if (number->value == end)
		return;
	next = number_after(names, number);
	next->end = end;
	RB_INSERT(name_number_tree, &names->numbers, next);
}

int name_numbers_init(struct name_numbers *numbers, const char *name)
{
	size_t at = 0;

	*numbers = (struct name_numbers){0};
	for (size_t i = 0; name[i]; i++)
		numbers->count += is_digit(name[i]) && !is_digit(name[i + 1]);
	if (!numbers->count)
		return 0;
	numbers->runs = calloc(numbers->count, sizeof(*numbers->runs));
	if (!numbers->runs)
		return -1;
	for (unsigned int i = 0; i < numbers->count; i++) {
		at += strcspn(name + at, "0123456789");
		number_init(&numbers->runs[i], name, at);
		at += numbers->runs[i].digits;
	}
	return 0;
}

void name_numbers_free(struct name_numbers *numbers)
{
	free(numbers->runs);
}

/*
 * Return the lowest free number from `low` up, or a number with more digits than `low` if none with
 * as many is free. The name has `low` after that many bytes.
 */
static uint64_t number_find_free(const struct port_names *names, const char *name, size_t before,
				 unsigned int low)
{
	struct name_number *interval;
	struct name_number key;
	uint64_t begin;

	/* A digit of the template before the number belongs to the run. */
	while (before > 0 && is_digit(name[before - 1]))
		before--;
	number_init(&key, name, before);
	begin = key.value - low;
	interval = interval_find(names, &key);
	return interval && interval->end >= key.value ? interval->end + 1 - begin : low;
}

/* ------------------------------------------------------------------------------ names */

void port_names_add(struct port_names *names, struct port *port)
{
	RB_INSERT(port_name_tree, &names->tree, port);
	for (unsigned int i = 0; i < port->numbers.count; i++)
		number_add(names, &port->numbers.runs[i]);
}

void port_names_remove(struct port_names *names, struct port *port)
{
	for (unsigned int i = 0; i < port->numbers.count; i++)
		number_remove(names, &port->numbers.runs[i]);
	RB_REMOVE(port_name_tree, &names->tree, port);
}

int port_names_rename(struct port_names *names, struct port *port, const char *name)
{
	struct name_numbers numbers;

	if (name_numbers_init(&numbers, name) < 0)
		return -1;
	port_names_remove(names, port);
	name_numbers_free(&port->numbers);
	strlcpy(port->name, name, sizeof(port->name));
	port->numbers = numbers;
	for (unsigned int i = 0; i < numbers.count; i++)
		numbers.runs[i].name = port->name;
	port_names_add(names, port);
	return 0;
}

struct port *port_names_find(const struct port_names *names, const char *name)
{
	struct port key;

	strlcpy(key.name, name, sizeof(key.name));
	return RB_FIND(port_name_tree, TREE(&names->tree), &key);
}

int port_names_check(struct port_names *names, const char *name, uid_t uid, struct fault *fault)
{
	struct port *port = port_names_find(names, name);

	if (!port || (port->operations->delete_if_dead && port->operations->delete_if_dead(port)))
		return 0;
	if (port_admit(port, uid, fault) < 0)
		return -1;
	return fault_set(fault, EBUSY, "'%s' exists: it is %s", name, port->operations->kind);
}

/* ------------------------------------------------------------------------------ templates */

/* Return the lowest free number from `low` to `high`, or a number above `high` if none is free.
 * Both have the same number of digits. */
static uint64_t number_find(const struct port_names *names, const char *template, unsigned int low,
			    unsigned int high, char name[MEMTUN_NAME_SIZE])
{
	size_t percent = strcspn(template, "%");

	if (!is_digit(template[percent + strlen("%d")]))
		return number_find_free(names, name, percent, low);
	while (low <= high && tunnel_name_expand(name, MEMTUN_NAME_SIZE, template, low) &&
	       port_names_find(names, name))
		low++;
	return low;
}

int port_names_expand(const struct port_names *names, const char *template, unsigned int from,
		      unsigned int *number, char name[MEMTUN_NAME_SIZE])
{
	bool is_part = is_digit(template[strcspn(template, "%") + strlen("%d")]);
	unsigned int digits_max = is_part ? PART_DIGITS_MAX : NUMBER_DIGITS_MAX;
	unsigned int high = 9;

	/* The numbers with one digit, then those with two, and so on. */
	for (unsigned int digits = 1; digits <= digits_max; digits++, high = high * 10 + 9) {
		uint64_t found;

		if (from > high)
			continue;
		if (!tunnel_name_expand(name, MEMTUN_NAME_SIZE, template, from))
			break;
		found = number_find(names, template, from, high, name);
		if (found <= high) {
			*number = (unsigned int)found;
			tunnel_name_expand(name, MEMTUN_NAME_SIZE, template, *number);
			return 0;
		}
		from = high + 1;
	}
	return failed(ENFILE);
}

/* ------------------------------------------------------------------------------ ids */

void port_ids_add(struct port_id_tree *ids, struct port *port)
{
	RB_INSERT(port_id_tree, ids, port);
}

void port_ids_remove(struct port_id_tree *ids, struct port *port)
{
	RB_REMOVE(port_id_tree, ids, port);
}

struct port *port_ids_next(const struct port_id_tree *ids, uint32_t id)
{
	struct port key = {.id = id + 1};

	return RB_NFIND(port_id_tree, TREE(ids), &key);
}
