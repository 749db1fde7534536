/* SPDX-License-Identifier: MIT */
#include "client/command/suggestion.h"

#include <stdio.h>
#include <string.h>

/* Bytes. Longer words are never near, because no known word has more than 13. */
#define WORD_MAX 24

static size_t min(size_t one, size_t other)
{
	return one < other ? one : other;
}

/*
 * Return how many bytes have to be inserted, deleted, replaced or swapped with their neighbour to
 * make one word of the other (the optimal string alignment distance).
 */
static size_t edit_distance(const char *one, size_t one_length, const char *other,
			    size_t other_length)
{
	size_t cost[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= one_length; i++)
		cost[i][0] = i;
	for (size_t k = 0; k <= other_length; k++)
		cost[0][k] = k;
	for (size_t i = 1; i <= one_length; i++) {
		for (size_t k = 1; k <= other_length; k++) {
			bool is_same = one[i - 1] == other[k - 1];

			cost[i][k] = min(cost[i - 1][k] + 1, cost[i][k - 1] + 1);
			cost[i][k] = min(cost[i][k], cost[i - 1][k - 1] + !is_same);
			if (i > 1 && k > 1 && one[i - 1] == other[k - 2] &&
			    one[i - 2] == other[k - 1])
				cost[i][k] = min(cost[i][k], cost[i - 2][k - 2] + 1);
		}
	}
	return cost[one_length][other_length];
}

bool suggestion_consider(struct suggestion *suggestion, const char *word)
{
	size_t length = strlen(suggestion->given), word_length = strlen(word);
	/* One mistake in a word of 2 to 4 bytes, two in a longer one. */
	size_t max = min((length + 1) / 3, 2);
	size_t distance;

	if (length > WORD_MAX || word_length > WORD_MAX)
		return false;
	distance = edit_distance(suggestion->given, length, word, word_length);
	if (distance <= max && (!suggestion->nearest || distance < suggestion->distance)) {
		suggestion->nearest = word;
		suggestion->distance = distance;
	}
	return distance == 0;
}

const char *suggestion_hint(const struct suggestion *suggestion, const char *command,
			    char hint[SUGGESTION_SIZE])
{
	if (suggestion->nearest)
		snprintf(hint, SUGGESTION_SIZE, "; did you mean '%s'?", suggestion->nearest);
	else
		snprintf(hint, SUGGESTION_SIZE, "; see memtun help%s%s", command ? " " : "",
			 command ? command : "");
	return hint;
}
