/* SPDX-License-Identifier: MIT */
/*
 * Names of tunnels, uplinks and bridges. They follow the kernel's rules for network interfaces
 * (dev_valid_name). A tunnel's name may be a template with one %d for the lowest free number.
 */
#ifndef MEMTUN_TUNNEL_NAME_H
#define MEMTUN_TUNNEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Return NULL for a valid name, else what is wrong with it, to follow "name 'x' ". */
const char *tunnel_name_fault(const char *name, bool template_allowed);

/* Return whether the name, which is valid, is a template. */
bool tunnel_name_is_template(const char *name);

/* Write the template's name with that number. False: it would be too long. */
bool tunnel_name_expand(char name[], size_t size, const char *template, unsigned int number);

#endif
