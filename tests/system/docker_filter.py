#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print the seccomp filter of Docker's default profile as BPF, which bwrap --seccomp takes.

usage: docker_filter.py PROFILE.json [CAPABILITY...] >FILTER

The filter is that of a container with these capabilities on a kernel of today. libseccomp makes it,
as in Docker. Exit status 77: there is no libseccomp here.
"""

import ctypes
import errno
import json
import platform
import sys

ACTIONS = {"SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_ERRNO": 0x00050000}
OPERATORS = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4,
             "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6, "SCMP_CMP_MASKED_EQ": 7}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
SUB_ARCHITECTURES = {"x86_64": [0x40000003], "aarch64": [0x40000028]}  # x86, arm


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def action_of(rule, key="action"):
    action = ACTIONS[rule[key]]
    return action | rule.get("errnoRet", errno.EPERM) if rule[key] == "SCMP_ACT_ERRNO" else action


def applies(rule):
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    machine = MACHINES[platform.machine()]
    capabilities = set(sys.argv[2:])
    return (capabilities.issuperset(includes.get("caps") or []) and
            not capabilities.intersection(excludes.get("caps") or []) and
            (not includes.get("arches") or machine in includes["arches"]) and
            machine not in excludes.get("arches", []))


def conditions(rule):
    """Return the lists of comparisons, of which one must be true. Those of one argument are apart."""
    comparisons = [Comparison(arg["index"], OPERATORS[arg["op"]], arg["value"],
                              arg.get("valueTwo", 0)) for arg in rule.get("args") or []]
    if len({one.argument for one in comparisons}) < len(comparisons):
        return [[one] for one in comparisons]
    return [comparisons]


def main():
    try:
        seccomp = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        print(error, file=sys.stderr)
        return 77
    with open(sys.argv[1], encoding="utf-8") as file:
        profile = json.load(file)
    default = action_of(profile, "defaultAction")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(default)))
    for architecture in SUB_ARCHITECTURES[platform.machine()]:
        seccomp.seccomp_arch_add(context, ctypes.c_uint32(architecture))
    rules = profile["syscalls"]
    for rule in rules:
        if not applies(rule) or action_of(rule) == default:
            continue
        for name in rule.get("names") or [rule["name"]]:
            number = seccomp.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                continue
            for comparisons in conditions(rule):
                array = (Comparison * max(1, len(comparisons)))(*comparisons)
                result = seccomp.seccomp_rule_add_array(
                    context, ctypes.c_uint32(action_of(rule)), number, len(comparisons), array)
                if result < 0:
                    sys.exit(f"{name}: {errno.errorcode.get(-result, result)}")
    return 1 if seccomp.seccomp_export_bpf(context, sys.stdout.fileno()) < 0 else 0


if __name__ == "__main__":
    sys.exit(main())
