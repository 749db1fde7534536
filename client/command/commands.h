/* SPDX-License-Identifier: MIT */
/*
 * The commands, each in the file of its name; add, set, del and show are in command_tunnel.c.
 */
#ifndef MEMTUN_COMMANDS_H
#define MEMTUN_COMMANDS_H

#include "client/command/command.h"

extern const struct command command_add, command_bridge, command_capture, command_clock,
	command_delete, command_exec, command_expect, command_extcap, command_help, command_host,
	command_impair, command_impair_show, command_inject, command_monitor, command_netns,
	command_ping, command_session, command_set, command_show, command_top, command_uplink,
	command_wait, command_wrap;

#endif
