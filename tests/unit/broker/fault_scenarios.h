/* SPDX-License-Identifier: MIT */
/* The scenarios of test_faults: what clients do while each call fails once. */
#ifndef MEMTUN_TESTS_FAULT_SCENARIOS_H
#define MEMTUN_TESTS_FAULT_SCENARIOS_H

#include "tests/unit/broker/fault_world.h"

/* fault_requests.c */
scenario_function tunnels, bridges, opens, batch, attach, events, plain_handoff, interfaces;

/* fault_frames.c */
scenario_function frames_seqpacket, frames_dgram, frames_stream, frames_blocked,
	frames_blocked_stream, multi_queue, tun_among_taps_seqpacket, tun_among_taps_stream,
	tuns_before_taps, captured_and_injected, peers, peers_dgram, peers_by_opening;

/* fault_rules.c */
scenario_function rules;

/* fault_uplinks.c */
scenario_function uplinks, uplink_with_a_file, listening_uplinks, listening_switch,
	handed_in_with_a_life, frames_uplink;

#endif
