/* SPDX-License-Identifier: MIT */
/*
 * What tunnels and bridges may be called: what the kernel lets a network interface be called
 * (dev_valid_name), and for tunnels a template with one %d that stands for the lowest free number.
 */
#ifndef MEMTUN_TUNNEL_NAME_H
#define MEMTUN_TUNNEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* NULL if the name will do, else what is wrong with it, to follow "name 'x' ". */
const char *tunnel_name_fault(const char *name, bool template_allowed);

/* Has the (valid) name a %d? */
bool tunnel_name_is_template(const char *name);

/* Writes the template's name with that number; false if it would be too long. */
bool tunnel_name_expand(char name[], size_t size, const char *template, unsigned int number);

/* Is `name` what the template gives for some number? If so, *number is that. */
bool tunnel_name_matches(const char *name, const char *template, unsigned int *number);

#endif
