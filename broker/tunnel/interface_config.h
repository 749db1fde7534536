/* SPDX-License-Identifier: MIT */
/*
 * The configuration of an adapter that comes from an interface's lists of addresses and routes. A
 * list is a text: elements with '+' between them. An address begins with ADDRESS[/PREFIX], a default
 * route with "default via ADDRESS"; 0.0.0.0/0 and ::/0 are default, too. All else is ignored.
 */
#ifndef MEMTUN_INTERFACE_CONFIG_H
#define MEMTUN_INTERFACE_CONFIG_H

struct adapter_config;
struct fault;

/* Check that each element of a list of addresses begins with one. -1 with the fault filled: EINVAL. */
int interface_config_check(const char *addresses, struct fault *fault);

/*
 * Make the configuration of what the user has configured and, for what that lacks, of the lists. Each
 * of the three may be NULL. *config is the caller's; NULL: the lists have nothing to add. -1 with
 * the fault filled: ENOMEM; then *config is NULL.
 */
int interface_config_make(const char *addresses, const char *routes,
			  const struct adapter_config *configured, struct adapter_config **config,
			  struct fault *fault);

#endif
