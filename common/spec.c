/* SPDX-License-Identifier: MIT */
#include "common/spec.h"

#include <errno.h>
#include <string.h>

/* Find the key among the options, and set its value. */
static int spec_set(struct attribute_set *set, const char *key, const char *value,
		    unsigned int options, struct fault *fault)
{
	enum memtun_attribute which = attribute_find(key);

	if (strcmp(key, "nobridge") == 0 && !value &&
	    attribute_is_option(MEMTUN_A_BRIDGE, options)) {
		which = MEMTUN_A_BRIDGE;
		value = "";
	}
	/* Accept `name` for `device`: an uplink is named before its options, so it means no more. */
	if (which == MEMTUN_A_NAME && !attribute_is_option(MEMTUN_A_NAME, options))
		which = MEMTUN_A_DEVICE;
	/* One key has two kinds of values: a number of frames, or a time with its unit. */
	if (which == MEMTUN_A_UNTIL && value && strpbrk(value, "nsumh"))
		which = MEMTUN_A_UNTIL_TIME;
	if (!attribute_is_option(which, options))
		return fault_set(fault, EINVAL, "there is no option '%.40s' here%s", key,
				 strchr(key, '=') ? ": on the command line it is KEY VALUE" : "");
	if (attribute_set_has(set, which))
		return fault_set(fault, EINVAL, "%s is given twice", attributes[which].word);
	return attribute_set_parse(set, which, value, fault);
}

/* Return whether the key of an option follows a colon in the text, which may be NULL. */
static bool spec_has_option(const char *text, unsigned int options)
{
	while (text && (text = strchr(text, ':'))) {
		char key[32];
		size_t length = strcspn(++text, ":=");

		strlcpy(key, text, length < sizeof(key) ? length + 1 : sizeof(key));
		if (attribute_is_option(attribute_find(key), options))
			return true;
	}
	return false;
}

int spec_parse_options(char *text, unsigned int options, struct attribute_set *set,
		       struct fault *fault)
{
	char *part;

	while ((part = strsep(&text, ","))) {
		char *value = strchr(part, '=');

		if (value)
			*value++ = '\0';
		if (part[0] == '\0')
			return fault_set(fault, EINVAL, "an option is empty");
		if (spec_set(set, part, value, options, fault) == 0)
			continue;
		if (spec_has_option(part, options) || spec_has_option(value, options))
			strlcat(fault->text, ": options have commas between them",
				sizeof(fault->text));
		return -1;
	}
	return 0;
}

int spec_parse(char *text, unsigned int options, struct attribute_set *set, struct fault *fault)
{
	char *colon = strchr(text, ':');

	if (colon)
		*colon = '\0';
	/* Valid in a name, but more likely options without a colon before them. */
	if (strpbrk(text, ",="))
		return fault_set(fault, EINVAL,
				 "options follow a colon: NAME:KEY=VALUE,... not '%.60s'", text);
	if (attribute_set_parse(set, MEMTUN_A_NAME, text, fault) < 0)
		return -1;
	return colon ? spec_parse_options(colon + 1, options, set, fault) : 0;
}

int spec_take(const char *const words[], int count, unsigned int options, struct attribute_set *set,
	      struct fault *fault)
{
	const char *key = words[0], *value = NULL;
	enum memtun_attribute which = attribute_find(key);
	bool is_flag = strcmp(key, "nobridge") == 0 ||
		       (which != MEMTUN_A_UNSPEC && attributes[which].type == ATTRIBUTE_FLAG);

	if (count > 1 && (!is_flag || strcmp(words[1], "on") == 0 || strcmp(words[1], "off") == 0))
		value = words[1];
	if (spec_set(set, key, value, options, fault) < 0)
		return -1;
	return value ? 2 : 1;
}
