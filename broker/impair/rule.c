/* SPDX-License-Identifier: MIT */
#include "broker/impair/rule.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/engine/frame.h"
#include "broker/impair/filter.h"

/* ------------------------------------------------------------------------------ checking */

/* Keys that need another key. */
static const struct {
	enum memtun_attribute key, needs;
} needs[] = {
	{MEMTUN_A_JITTER, MEMTUN_A_DELAY},     {MEMTUN_A_DISTRIBUTION, MEMTUN_A_JITTER},
	{MEMTUN_A_ORDERED, MEMTUN_A_JITTER},   {MEMTUN_A_LOSS_BURST, MEMTUN_A_LOSS},
	{MEMTUN_A_REORDER, MEMTUN_A_DELAY},    {MEMTUN_A_GAP, MEMTUN_A_DELAY},
	{MEMTUN_A_ICMP, MEMTUN_A_PMTU},        {MEMTUN_A_MATCH, MEMTUN_A_MATCH_CODE},
	{MEMTUN_A_MATCH_CODE, MEMTUN_A_MATCH},
};

/* Keys that impair. A rule has at least one of them. */
static const enum memtun_attribute impairing[] = {
	MEMTUN_A_DELAY, MEMTUN_A_LOSS, MEMTUN_A_DUPLICATE, MEMTUN_A_CORRUPT, MEMTUN_A_TRUNCATE,
	MEMTUN_A_RATE,  MEMTUN_A_DROP, MEMTUN_A_PMTU,      MEMTUN_A_HOLD,    MEMTUN_A_CARRIER,
};

/* Keys that would decide when a held frame goes on. */
static const enum memtun_attribute timing[] = {MEMTUN_A_DELAY, MEMTUN_A_RATE, MEMTUN_A_UNSPEC};

static int keys_refuse(const char *key, const char *other, const char *why, struct fault *fault)
{
	return fault_set(fault, EINVAL, "%s and %s contradict each other: %s", key, other, why);
}

/* With carrier off no frame passes, so that other keys have nothing to do. */
static int carrier_check(const struct attribute_set *set, struct fault *fault)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	while ((which = attribute_set_next(set, which)) != MEMTUN_A_END) {
		if (which == MEMTUN_A_DIRECTION || which == MEMTUN_A_MATCH)
			return keys_refuse("carrier", attributes[which].word,
					   "a link is down in both directions and for all frames",
					   fault);
		if (which != MEMTUN_A_CARRIER && which != MEMTUN_A_SEED &&
		    which != MEMTUN_A_UNTIL_TIME && attribute_is_option(which, OPTION_IMPAIR_SET))
			return keys_refuse("carrier", attributes[which].word,
					   "no frame passes a link that is down", fault);
	}
	return 0;
}

static int keys_check(const struct attribute_set *set, struct fault *fault)
{
	bool impairs = false;

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (attribute_set_has(set, needs[i].key) && !attribute_set_has(set, needs[i].needs))
			return fault_set(fault, EINVAL, "%s needs %s",
					 attributes[needs[i].key].word,
					 attributes[needs[i].needs].word);
	}
	for (size_t i = 0; i < sizeof(impairing) / sizeof(impairing[0]); i++)
		impairs |= attribute_set_has(set, impairing[i]);
	if (!impairs)
		return fault_set(fault, EINVAL, "a rule needs a key that impairs, such as loss");
	if (attribute_set_has(set, MEMTUN_A_UNTIL) && attribute_set_has(set, MEMTUN_A_UNTIL_TIME))
		return keys_refuse("a frame", "a time", "until takes one of them", fault);
	for (const enum memtun_attribute *key = timing; *key != MEMTUN_A_UNSPEC; key++) {
		if (attribute_set_number(set, MEMTUN_A_HOLD) && attribute_set_has(set, *key))
			return keys_refuse("hold", attributes[*key].word,
					   "held frames wait until they are released", fault);
	}
	if (attribute_set_has(set, MEMTUN_A_CARRIER))
		return carrier_check(set, fault);
	return 0;
}

/* ------------------------------------------------------------------------------ compiling */

static uint32_t key_u32(const struct attribute_set *set, enum memtun_attribute which)
{
	return (uint32_t)attribute_set_number(set, which);
}

static int values_read(struct fate_values *values, const struct attribute_set *set,
		       struct fault *fault)
{
	*values = (struct fate_values){
		.delay = attribute_set_number(set, MEMTUN_A_DELAY),
		.jitter = attribute_set_number(set, MEMTUN_A_JITTER),
		.distribution = MEMTUN_UNIFORM,
		.loss = key_u32(set, MEMTUN_A_LOSS),
		.duplicate = key_u32(set, MEMTUN_A_DUPLICATE),
		.corrupt = key_u32(set, MEMTUN_A_CORRUPT),
		.truncate = key_u32(set, MEMTUN_A_TRUNCATE),
		.reorder = key_u32(set, MEMTUN_A_REORDER),
		.gap = key_u32(set, MEMTUN_A_GAP),
		.pmtu = key_u32(set, MEMTUN_A_PMTU),
		.hold = attribute_set_number(set, MEMTUN_A_HOLD),
	};
	if (attribute_set_has(set, MEMTUN_A_DISTRIBUTION))
		values->distribution =
			(enum memtun_distribution)attribute_set_number(set, MEMTUN_A_DISTRIBUTION);
	/* As tc-netem(8): a gap alone reorders each frame that it may. */
	if (values->gap && !attribute_set_has(set, MEMTUN_A_REORDER))
		values->reorder = DRAW_BILLION;
	if (attribute_set_has(set, MEMTUN_A_LOSS_BURST) &&
	    !fate_set_burst(values, attribute_set_number(set, MEMTUN_A_LOSS_BURST)))
		return fault_set(fault, EINVAL,
				 "loss and loss-burst contradict each other: bursts of that mean "
				 "length, with one frame between two, lose fewer frames");
	return number_list_parse(&values->drop, attribute_set_string(set, MEMTUN_A_DROP), fault);
}

/* Use the keys of `given`, taking ownership. -1 with the fault filled: then the rule is unchanged, and
 * the caller still owns `given`. */
static int rule_take(struct rule *rule, const struct attribute_set *given, struct fault *fault)
{
	struct fate_values values;

	if (keys_check(given, fault) < 0 || values_read(&values, given, fault) < 0)
		return -1;
	rule->given = *given;
	rule->values = values;
	rule->ordered = attribute_set_number(given, MEMTUN_A_ORDERED);
	rule->icmp = attribute_set_number(given, MEMTUN_A_ICMP);
	rule->carrier_off = attribute_set_has(given, MEMTUN_A_CARRIER) &&
			    !attribute_set_number(given, MEMTUN_A_CARRIER);
	rule->rate = attribute_set_number(given, MEMTUN_A_RATE);
	rule->until = attribute_set_number(given, MEMTUN_A_UNTIL);
	rule->until_time = attribute_set_number(given, MEMTUN_A_UNTIL_TIME);
	rule->limit = key_u32(given, MEMTUN_A_LIMIT);
	return 0;
}

static void sides_init(struct rule *rule, const char *port)
{
	for (int direction = MEMTUN_FROM_CLIENT; direction <= MEMTUN_TO_CLIENT; direction++)
		fate_side_init(&rule->sides[direction - 1].fate, rule->seed, port,
			       (enum memtun_direction)direction, rule->number);
}

/* Copy the options that belong to a rule, over those of `former`, which may be NULL. -1 with ENOMEM,
 * the fault filled. */
static int keys_copy(struct attribute_set *copy, const struct attribute_set *former,
		     const struct attribute_set *options, struct fault *fault)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	struct attribute_set merged = {0};

	if (former)
		merged = *former;
	while ((which = attribute_set_next(options, which)) != MEMTUN_A_END) {
		if (which != MEMTUN_A_DIRECTION && !attribute_is_option(which, OPTION_IMPAIR))
			continue;
		if (attribute_is_string(which))
			attribute_set_put_string(&merged, which,
						 attribute_set_string(options, which));
		else
			attribute_set_put_number(&merged, which,
						 attribute_set_number(options, which));
	}
	/* `until` is a frame or a time: a new value of one kind replaces the other kind. */
	if (attribute_set_has(options, MEMTUN_A_UNTIL) && former)
		attribute_set_remove(&merged, MEMTUN_A_UNTIL_TIME);
	if (attribute_set_has(options, MEMTUN_A_UNTIL_TIME) && former)
		attribute_set_remove(&merged, MEMTUN_A_UNTIL);
	if (attribute_set_copy(copy, &merged) == 0)
		return 0;
	attribute_set_free(copy);
	return fault_set(fault, ENOMEM, "out of memory");
}

/* Refuse a new rule with carrier on: a link without a rule is up. rule_set() takes it, so that a link
 * that a rule has taken down comes up again. */
static int carrier_check_new(const struct attribute_set *set, struct fault *fault)
{
	if (!attribute_set_number(set, MEMTUN_A_CARRIER))
		return 0;
	return fault_set(fault, EINVAL,
			 "a new rule with carrier on impairs nothing, because the link is up "
			 "without a rule: add carrier off, and set carrier on later");
}

struct rule *rule_new(const char *port, uint32_t number, uint64_t seed,
		      const struct attribute_set *options, struct fault *fault)
{
	const char *code = attribute_set_string(options, MEMTUN_A_MATCH_CODE);
	struct rule *rule = calloc(1, sizeof(*rule));
	struct attribute_set given;

	if (!rule) {
		fault_set(fault, ENOMEM, "out of memory");
		return NULL;
	}
	rule->number = number;
	rule->seed = attribute_set_has(options, MEMTUN_A_SEED)
			     ? attribute_set_number(options, MEMTUN_A_SEED)
			     : seed;
	if (code)
		rule->filter = filter_new(code, fault);
	if ((code && !rule->filter) || keys_copy(&given, NULL, options, fault) < 0) {
		rule_free(rule);
		return NULL;
	}
	if (carrier_check_new(&given, fault) < 0 || rule_take(rule, &given, fault) < 0) {
		attribute_set_free(&given);
		rule_free(rule);
		return NULL;
	}
	sides_init(rule, port);
	return rule;
}

void rule_free(struct rule *rule)
{
	attribute_set_free(&rule->given);
	filter_free(rule->filter);
	free(rule);
}

int rule_set(struct rule *rule, const char *port, const struct attribute_set *options,
	     struct fault *fault)
{
	struct attribute_set former = rule->given, given;

	if (keys_copy(&given, &former, options, fault) < 0)
		return -1;
	if (rule_take(rule, &given, fault) < 0) {
		attribute_set_free(&given);
		return -1;
	}
	attribute_set_free(&former);
	if (attribute_set_has(options, MEMTUN_A_SEED)) {
		rule->seed = attribute_set_number(options, MEMTUN_A_SEED);
		sides_init(rule, port);
	}
	return 0;
}

/* ------------------------------------------------------------------------------ using */

/* Return whether the rule is for that direction at all. */
static bool rule_has(const struct rule *rule, enum memtun_direction direction)
{
	uint64_t only = attribute_set_number(&rule->given, MEMTUN_A_DIRECTION);

	return !only || only == direction;
}

bool rule_matches(const struct rule *rule, enum memtun_direction direction,
		  const struct frame *frame)
{
	if (!rule_has(rule, direction) ||
	    (rule->until && rule->sides[direction - 1].fate.number >= rule->until))
		return false;
	return !rule->filter || filter_matches(rule->filter, frame->data, frame->length);
}

bool rule_is_over(const struct rule *rule)
{
	if (!rule->until)
		return false;
	for (int direction = MEMTUN_FROM_CLIENT; direction <= MEMTUN_TO_CLIENT; direction++) {
		if (rule_has(rule, (enum memtun_direction)direction) &&
		    rule->sides[direction - 1].fate.number < rule->until)
			return false;
	}
	return true;
}

void rule_describe(const struct rule *rule, struct attribute_set *set)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	while ((which = attribute_set_next(&rule->given, which)) != MEMTUN_A_END) {
		if (attribute_is_string(which))
			attribute_set_put_string(set, which, rule->given.values[which].string);
		else
			attribute_set_put_number(set, which, rule->given.values[which].number);
	}
	attribute_set_remove(set, MEMTUN_A_MATCH_CODE);
	attribute_set_put_number(set, MEMTUN_A_RULE, rule->number);
	attribute_set_put_number(set, MEMTUN_A_SEED, rule->seed);
	if (rule_has(rule, MEMTUN_FROM_CLIENT))
		attribute_set_put_number(set, MEMTUN_A_FROM_CLIENT_SEEN,
					 rule->sides[MEMTUN_FROM_CLIENT - 1].fate.number);
	if (rule_has(rule, MEMTUN_TO_CLIENT))
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_SEEN,
					 rule->sides[MEMTUN_TO_CLIENT - 1].fate.number);
}
