#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python package in client/python with a real memtund, and with one that the test plays."""
import needs
from python_case import PACKAGE, SECONDS, TOP, Case

import asyncio
import contextlib
import doctest
import errno
import fcntl
import importlib
import io
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

import memtun
from memtun import _protocol, _users, process
from memtun._impair import _words
from memtun._tunnel import Tunnel

#: Ethernet broadcasts of an EtherType for experiments, RFC 5342.
HEADER = bytes.fromhex("ffffffffffff 020000000001 88b5")


def frame(number):
    return HEADER + struct.pack("!I", number)


class Examples(Case):
    def test_each_example_of_the_documentation_runs(self):
        names = ["memtun"] + [f"memtun.{name[:-3]}" for name in
                              sorted(os.listdir(os.path.join(PACKAGE, "memtun")))
                              if name.endswith(".py") and name not in
                              ("__init__.py", "scapy.py", "pytest_plugin.py")]
        if not needs.part("filters", "examples of memtun._expect"):
            names.remove("memtun._expect")
        attempted = 0
        for name in names:
            module = importlib.import_module(name)
            given = dict(vars(module), asyncio=asyncio, broker=memtun.broker, errno=errno, io=io,
                         memtun=memtun, process=process, subprocess=subprocess, sys=sys)
            result = doctest.testmod(module, globs=given, optionflags=doctest.ELLIPSIS)
            self.assertEqual(result.failed, 0, name)
            attempted += result.attempted
        self.assertGreater(attempted, 20)

    @needs.filters
    def test_each_example_of_the_readme_runs(self):
        result = doctest.testfile(os.path.join(PACKAGE, "README.md"), module_relative=False,
                                  encoding="utf-8")
        self.assertEqual(result.failed, 0)
        self.assertGreater(result.attempted, 5)

    def test_importing_the_package_loads_only_what_is_used(self):
        done = subprocess.run(
            [sys.executable, "-c", "import sys, memtun; print([m for m in sys.modules if "
             "m.startswith('memtun') or m in ('socket', 'subprocess', 'asyncio')])"],
            stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stdout, "['memtun']\n")

    def test_each_public_name_exists(self):
        self.assertEqual(set(memtun.__all__), set(memtun._HOMES))
        for name in memtun.__all__:
            self.assertEqual(getattr(memtun, name).__name__, name)
        with self.assertRaises(AttributeError):
            memtun.nothing


class Numbers(Case):
    """The broker may know more than the package, but nothing else."""

    def setUp(self):
        super().setUp()
        with open(os.path.join(TOP, "include/memtun/protocol.h"), encoding="utf-8") as file:
            text = file.read()
        self.header = {name: int(value, 0) for name, value in
                       re.findall(r"\bMEMTUN_(\w+) = (\w+)", text)}
        with open(os.path.join(TOP, "common/attribute_table.c"), encoding="utf-8") as file:
            self.table = file.read()

    def test_the_commands_are_those_of_the_header(self):
        for command in _protocol.Command:
            self.assertEqual(self.header[f"CMD_{command.name}"], command.value)

    def test_the_attributes_are_those_of_the_table(self):
        types = {"U32": "u32", "U64": "u64", "FLAG": "flag", "TEXT": "text", "NAME": "text",
                 "WORD": "word", "LIST": "text", "BITS": "bits", "U64_OPTION": "u64",
                 "TIME": "time", "PERCENT": "percent", "THOUSANDTHS": "thousandths", "RATE": "rate"}
        entry = r'\[MEMTUN_A_(\w+)\] =\s*(?:(\w+)\(|\{(?:\.word =)?)\s*"([^"]+)"' \
                r'(?:,\s*(?:\.type = )?ATTRIBUTE_(\w+))?'
        found = {word: (self.header[f"A_{name}"], types.get(written or kind))
                 for name, kind, word, written in re.findall(entry, self.table)}
        for word, attribute in _protocol.ATTRIBUTES.items():
            self.assertEqual((word, (attribute.number, attribute.type)), (word, found[word]))

    def test_the_words_of_values_are_those_of_the_table(self):
        lists = {name: re.findall(r'"([^"]+)"', words) for name, words in
                 re.findall(r"(\w+)_words\[\] = \{([^}]*)\}", self.table)}
        for word, attribute in _protocol.ATTRIBUTES.items():
            if attribute.words and word != "event":
                name = {"interface-flags": "interface_flag"}.get(word, word)
                self.assertEqual(list(attribute.words), lists[name][:len(attribute.words)])

    def test_the_events_are_those_of_the_header(self):
        for number, word in enumerate(_protocol.ATTRIBUTES["event"].words, 1):
            if word:
                self.assertEqual(self.header["EVENT_" + word.upper().replace("-", "_")], number)


class PrivateBroker(Case):
    def ends(self, pidfd):
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(SECONDS * 1000))

    def program(self, text):
        """Start Python with a broker and this text; return the process and the broker's pidfd."""
        started = self.use(subprocess.Popen(
            [sys.executable, "-c", "import memtun, os, sys, time\nb = memtun.broker()\n"
             f"a = b.open('a', bridge='lab')\nprint(b.pid, b.address, flush=True)\n"
             f"sys.stdin.readline()\n{text}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        pid, address = started.stdout.readline().split()
        pidfd = os.pidfd_open(int(pid))
        self.stack.callback(os.close, pidfd)
        started.stdin.write("\n")
        started.stdin.flush()
        return started, pidfd, address

    def test_it_ends_when_the_interpreter_is_killed(self):
        started, pidfd, address = self.program("sys.stdin.read()")
        started.kill()
        self.assertTrue(self.ends(pidfd))
        self.assertFalse(os.path.exists(address))

    def test_it_ends_although_a_fork_of_the_killed_interpreter_lives(self):
        started, pidfd, _ = self.program("if os.fork(): sys.stdin.read()\n"
                                         "print('forked', flush=True)\nsys.stdin.read()")
        self.assertEqual(started.stdout.readline(), "forked\n")
        started.kill()
        self.assertTrue(self.ends(pidfd))

    def test_it_ends_with_an_interpreter_that_does_not_close_it(self):
        started, pidfd, _ = self.program("")
        self.assertEqual(started.wait(SECONDS), 0)
        self.assertTrue(self.ends(pidfd))

    def test_a_fork_that_closes_it_leaves_it_running(self):
        started, pidfd, _ = self.program(
            "child = os.fork()\nif not child:\n    b.close()\n    sys.exit()\n"
            "os.waitpid(child, 0)\nprint(b.show('a').state)\nb.close()")
        self.assertEqual(started.stdout.readline(), "open\n")
        self.assertTrue(self.ends(pidfd))

    def test_nothing_of_it_is_left(self):
        with memtun.broker() as b:
            address, pid = b.address, b.pid
            self.assertNotEqual(os.getsid(pid), os.getsid(0))
        self.assertFalse(os.path.exists(os.path.dirname(address)))
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)
        b.close()

    def test_a_program_that_is_no_broker_is_an_error(self):
        with self.assertRaises(memtun.NotFoundError) as caught:
            memtun.broker(program="/nowhere/memtund")
        self.assertIn("cannot start /nowhere/memtund", str(caught.exception))
        with self.assertRaises(memtun.Error) as caught:
            memtun.broker(program="false")
        self.assertIn("false ended with status 1", str(caught.exception))

    def test_it_takes_the_options_of_memtund(self):
        path = os.path.join(self.directory(), "plain")
        b = self.use(memtun.broker(log_level="error", handoff=[f"{path}=p:mode=tun"]))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.settimeout(SECONDS)
            plain.connect(path)
            data, fds, _, _ = socket.recv_fds(plain, 1, 1)
        try:
            self.assertEqual((data, len(fds), b.show("p").mode), (b"\0", 1, "tun"))
        finally:
            os.close(fds[0])


class Connecting(Case):
    def test_it_looks_where_a_client_is_to_look(self):
        runtime = self.directory()
        os.makedirs(os.path.join(runtime, "memtun"), mode=0o700)
        for address, environment in (
                (os.path.join(runtime, "memtun/control"), {"XDG_RUNTIME_DIR": runtime}),
                (f"@memtun-test-{os.getpid()}", {"MEMTUN_SOCKET": f"@memtun-test-{os.getpid()}"})):
            done = subprocess.run(
                ["memtund", "--socket", address, "--", "env", "-u", "MEMTUN_SOCKET",
                 *(f"{name}={value}" for name, value in environment.items()), sys.executable, "-c",
                 "import memtun\nwith memtun.connect() as b: print(b.address)"],
                stdout=subprocess.PIPE, text=True, check=True)
            self.assertEqual(done.stdout, f"{address}\n")

    def test_no_broker_is_an_error(self):
        absent = os.path.join(self.directory(), "absent")
        with self.assertRaises(memtun.NoBrokerError) as caught:
            memtun.connect(absent)
        self.assertEqual((caught.exception.errno, caught.exception.strerror),
                         (errno.ENOENT, f"no broker is running at {absent}"))

    def test_the_broker_of_another_user_is_refused(self):
        class Control:
            def getsockopt(self, *_):
                return struct.pack("3I", 1, os.geteuid() + 12345, 0)
        with self.assertRaises(memtun.NotPermittedError):
            _users.check_peer(Control(), "here", named=False)

    def play(self, *answers):
        """Listen at an address, and send these records to the first client, one per request."""
        path = os.path.join(self.directory(), "control")
        listener = self.use(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listener.bind(path)
        listener.listen(1)

        def run():
            client, _ = listener.accept()
            with client:
                for answer in answers:
                    request = client.recv(32768)
                    for record in [answer] if isinstance(answer, bytes) else answer(request):
                        try:
                            client.send(record)
                        except (BrokenPipeError, ConnectionResetError):
                            return
                client.recv(32768)
                client.recv(32768)

        thread = threading.Thread(target=run)
        thread.start()
        self.stack.callback(thread.join)
        return path

    @staticmethod
    def hello(request):
        return [_protocol.build(0x10, 0, _protocol.HEADER.unpack(request[:16])[3], b"")]

    @staticmethod
    def event_and_acknowledgement(request):
        sequence = _protocol.HEADER.unpack(request[:16])[3]
        return [_protocol.build(0x1c, 0, 0, _protocol.encode({"event": "added", "name": "early"})),
                _protocol.build(2, 0, sequence, struct.pack("=i", 0) + request[:16])]

    def test_an_event_may_come_before_an_answer(self):
        path = self.play(self.hello, self.event_and_acknowledgement)
        with memtun.Watch(path, SECONDS) as events:
            self.assertEqual(events.next().name, "early")

    def test_an_answer_to_another_request_is_an_error(self):
        with self.assertRaises(memtun.Error) as caught:
            memtun.connect(self.play(_protocol.build(0x10, 0, 77, b"")), reply_timeout=SECONDS)
        self.assertEqual(caught.exception.errno, errno.EBADMSG)

    def test_a_broker_that_does_not_answer_is_a_timeout(self):
        b = self.use(memtun.connect(self.play(self.hello), reply_timeout=0.05))
        with self.assertRaises(memtun.ReplyTimeoutError) as caught:
            b.list()
        self.assertEqual(caught.exception.errno, errno.ETIMEDOUT)
        with self.assertRaisesRegex(memtun.Error, "closed before: .* not answered within 0.05"):
            b.list()

    def test_records_without_an_end_do_not_keep_a_request_past_its_limit(self):
        event = _protocol.build(0x1c, 0, 0, _protocol.encode({"event": "added", "name": "early"}))
        part = _protocol.build(0x14, _protocol.MULTI, 2, b"")
        for endless in (event, part):
            def answer(request):
                # The end is for a client that does not keep its limit.
                last = time.monotonic() + SECONDS / 4
                while time.monotonic() < last:
                    yield endless
                yield _protocol.build(_protocol.DONE, _protocol.MULTI, 2, b"")
            b = self.use(memtun.connect(self.play(self.hello, answer), reply_timeout=0.05))
            with self.assertRaises(memtun.ReplyTimeoutError):
                b.list()

    def test_a_malformed_answer_is_an_error(self):
        for answer in (b"short", struct.pack("=IHHII", 17, 0x10, 0, 1, 0),
                       struct.pack("=IHHIIHH", 20, 0x10, 0, 1, 0, 3, 3),
                       struct.pack("=IHHIIH", 18, 0x10, 0, 1, 0, 3),
                       struct.pack("=IHHII", 16, 2, 0, 1, 0)):
            with self.assertRaises(memtun.Error) as caught:
                memtun.connect(self.play(answer), reply_timeout=SECONDS)
            self.assertEqual(caught.exception.errno, errno.EBADMSG, answer)

    @staticmethod
    def acknowledgement(request):
        sequence = _protocol.HEADER.unpack(request[:16])[3]
        return [_protocol.build(2, 0, sequence, struct.pack("=i", 0) + request[:16])]

    def test_an_answer_without_its_record_or_descriptor_is_an_error(self):
        def record(request):
            return [_protocol.build(0x15, 0, _protocol.HEADER.unpack(request[:16])[3], b"")]
        for call, answer in ((lambda b: b.show("a"), self.acknowledgement),
                             (lambda b: b.open("a"), self.acknowledgement),
                             (lambda b: b.open("a"), record), (lambda b: b.inject("a"), record)):
            b = self.use(memtun.connect(self.play(self.hello, answer), reply_timeout=SECONDS))
            with self.assertRaises(memtun.Error) as caught:
                call(b)
            self.assertEqual(caught.exception.errno, errno.EBADMSG)

    def test_a_descriptor_of_an_answer_that_has_none_is_closed(self):
        reader, writer = os.pipe()
        self.stack.callback(os.close, reader)
        path = os.path.join(self.directory(), "control")
        listener = self.use(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listener.bind(path)
        listener.listen(1)

        def run():
            client, _ = listener.accept()
            with client:
                for kind in (0x10, 0x14):
                    sequence = _protocol.HEADER.unpack(client.recv(32768)[:16])[3]
                    record = _protocol.build(kind, 0, sequence, b"")
                    socket.send_fds(client, [record], [writer] if kind == 0x14 else [])
                os.close(writer)

        thread = threading.Thread(target=run)
        thread.start()
        b = self.use(memtun.connect(path, reply_timeout=SECONDS))
        self.assertEqual(len(b.list()), 1)
        thread.join()
        self.assertTrue(select.select([reader], [], [], SECONDS)[0], "a descriptor is open")

    def serve(self, *answers):
        """Listen, and send after each request of the first client these records with copies of a
        descriptor each. Return the address, and the reading end of its pipe."""
        reader, writer = os.pipe()
        self.stack.callback(os.close, reader)
        path = os.path.join(self.directory(), "control")
        listener = self.use(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listener.bind(path)
        listener.listen(1)

        def run():
            client, _ = listener.accept()
            with client:
                for answer in [[("=", 0)], *answers]:
                    request = client.recv(32768)
                    kind, _, sequence = _protocol.HEADER.unpack(request[:16])[1:4]
                    for what, count in answer:
                        number, flags = (0 if what == "event" else sequence,
                                         _protocol.MULTI if what == "part" else 0)
                        record = _protocol.build(_protocol.DONE if what == "done" else kind, flags,
                                                 number, b"")
                        socket.send_fds(client, [record], [writer] * count)
                os.close(writer)
                client.recv(32768)

        thread = threading.Thread(target=run)
        thread.start()
        self.stack.callback(thread.join)
        return path, reader

    def test_too_many_descriptors_are_closed(self):
        path, reader = self.serve([("event", 3), ("=", 3)], [("part", 2), ("part", 1), ("done", 1)])
        b = self.use(memtun.connect(path, reply_timeout=SECONDS))
        b.open("a").close()
        self.assertEqual(len(b.list()), 2)
        self.assertTrue(select.select([reader], [], [], SECONDS)[0], "a descriptor is open")

    def test_a_list_needs_no_descriptors_although_its_records_have_some(self):
        path, reader = self.serve([*[("part", 1)] * 10, ("done", 0)])
        b = self.use(memtun.connect(path, reply_timeout=SECONDS))
        with self.descriptors_left(4):
            self.assertEqual(len(b.list()), 10)
        self.assertTrue(select.select([reader], [], [], SECONDS)[0], "a descriptor is open")

    def test_a_lost_descriptor_is_an_error_after_the_whole_answer(self):
        path, _ = self.serve([("event", 1), ("part", 1), ("part", 0), ("done", 0)], [("=", 1)])
        b = self.use(memtun.connect(path, reply_timeout=SECONDS))
        with self.descriptors_left(0):
            with self.assertRaises(memtun.Error) as caught:
                b.list()
        self.assertEqual(caught.exception.errno, errno.EMFILE)
        b.open("a").close()

    @contextlib.contextmanager
    def descriptors_left(self, count):
        """Leave so many free descriptors to this process."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest, files = max(map(int, os.listdir("/proc/self/fd"))), []
        while not files or files[-1] < highest:
            files.append(os.open("/dev/null", os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (files[-1] + 1 + count, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for file in files:
                os.close(file)

    def test_a_malformed_record_of_a_capture_is_an_error(self):
        whole = _protocol.CAPTURE_HEADER.pack(1, 0, 1, 1, 2)
        details = _protocol.CAPTURE_DETAILS.pack(1, 0, 0, 0, 0, 80, 0, *[0] * 8)
        wrong = _protocol.CAPTURE_DETAILS.pack(1, 0, 0, 0, 0, 200, 0, *[0] * 8)
        small = _protocol.CAPTURE_DETAILS.pack(1, 0, 0, 0, 0, 7, 0, *[0] * 8)
        for faults, record in (
                (False, whole[:-1]), (False, b"\0"), (True, whole), (True, whole + details[:-1]),
                (True, whole + wrong), (True, whole + small),
                (False, _protocol.CAPTURE_HEADER.pack(1, 0, 1, 3, 2)),
                (False, _protocol.CAPTURE_HEADER.pack(1, 0, 1, 0, 2)),
                (False, _protocol.CAPTURE_HEADER.pack(1, 0, 1, 1, 0))):
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with far, memtun.Capture(near.detach(), "a", faults) as capture:
                far.send(record)
                with self.assertRaises(memtun.Error) as caught:
                    capture.recv()
                self.assertEqual(caught.exception.errno, errno.EBADMSG, record)
                far.send(whole + details + b"frame")
                self.assertTrue(capture.recv().frame.endswith(b"frame"))

    def test_a_broker_that_goes_away_is_an_error(self):
        b = self.use(memtun.broker())
        os.kill(b.pid, signal.SIGKILL)
        with self.assertRaises(memtun.Error) as caught:
            b.list()
        self.assertIn(caught.exception.errno, (errno.EPIPE, errno.ECONNRESET))


class Requests(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())

    def fails(self, number, text, call, *arguments, **options):
        with self.assertRaises(memtun.Error) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.errno, number)
        self.assertIn(text, caught.exception.strerror)
        return caught.exception

    def test_errors_have_the_errno_and_the_text_of_the_broker(self):
        b = self.broker
        b.add("a", bridge="lab")
        error = self.fails(errno.EBUSY, "'a'", b.add, "a")
        self.assertIsInstance(error, memtun.BusyError)
        self.fails(errno.EINVAL, "name 'x/y' has a '/'", b.open, "x/y")
        self.fails(errno.EINVAL, "mtu", b.open, "b", mtu=1)
        self.assertIsInstance(self.fails(errno.ENOENT, "'b'", b.delete, "b"), FileNotFoundError)

    def test_a_wrong_option_is_refused_without_the_broker(self):
        b = self.broker
        for wrong, options in ((ValueError, {"mode": "bridge"}), (TypeError, {"mtu": "1500"}),
                               (TypeError, {"mtu": True}), (TypeError, {"pi": 1}),
                               (ValueError, {"mtu": -1}), (ValueError, {"bridge": "a\0b"}),
                               (TypeError, {"mtuu": 1500})):
            with self.assertRaises(wrong, msg=options):
                b.open("a", **options)
        for call, wrong, nearest in ((b.open, "brige", "'bridge'"), (b.add, "dealy", "'delay'"),
                                     (b.uplinks.add, "pth", "'path'")):
            with self.assertRaisesRegex(TypeError, f"'{wrong}' here; did you mean {nearest}"):
                call("a", **{"bridge": "lab", "type": "user"} if call == b.uplinks.add else {},
                     **{wrong: "x"})
        with self.assertRaisesRegex(TypeError, "'brige' here$"):  # a rule has no bridge
            b.impair.set("a", 1, brige="lab")
        with self.assertRaises(TypeError):
            b.set("a", bridge="lab", nobridge=True)
        self.assertEqual(b.list(), [])

    def test_the_option_offload_is_a_number_or_words(self):
        for given, number in ((7, 7), ("csum+tso4+tso6", 7), (["csum", "uso4", "uso6"], 97),
                              ("none", 0)):
            with self.broker.open("a", vnet_hdr=True, offload=given):
                self.assertEqual(self.broker.show("a").offload, number)
                self.broker.set("a", offload="csum+tso6")
                self.assertEqual(self.broker.show("a").offload, 5)
            self.broker.wait("a", "closed", timeout=SECONDS)
        with self.assertRaisesRegex(ValueError, "no 'tso', only csum, tso4"):
            self.broker.open("a", vnet_hdr=True, offload="tso")

    def test_a_long_list_comes_whole(self):
        self.assertEqual(self.broker.add("t%d", count=2000).name, "t1999")
        self.assertEqual([record.name for record in self.broker.list()],
                         [f"t{number}" for number in range(2000)])

    def test_records_have_the_keys_and_values_of_the_json(self):
        b = self.broker
        b.add("a", bridge="lab", mode="tun", address=["10.0.0.1/24", "fd00::1"], queue=7, vlan=9)
        b.add("peer-a", peer="peer-b")
        output = subprocess.run(["memtun", "-js", "show", "a"], env=b.environment, check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        import json
        shown = {key: value for key, value in json.loads(output)[0].items() if value is not None}
        self.assertEqual(dict(b.show("a", statistics=True)), shown)
        self.assertEqual(b.show("peer-a").peer, "peer-b")

    def test_a_tunnel_in_use_is_changed(self):
        b = self.broker
        with b.open("a", bridge="lab", persistent=True):
            b.set("a", mtu=9000, bridge="other")
            self.assertEqual((b.show("a").mtu, b.show("a").bridge), (9000, "other"))
            b.set("a", nobridge=True, persistent=False)
            self.assertIsNone(b.show("a").bridge)
        b.wait("a", "closed", timeout=SECONDS)
        self.assertEqual(b.list(), [])

    def test_bridges_are_made_shown_and_deleted(self):
        bridges = self.broker.bridges
        bridges.add("lab", loop_guard=True)
        self.fails(errno.EBUSY, "lab", bridges.add, "lab")
        self.broker.add("b", bridge="lab")
        with self.broker.open("a", bridge="lab") as a, self.broker.capture("lab") as seen:
            a.send(HEADER)
            seen.recv()
            learned = bridges.addresses("lab")
        self.assertEqual([(one.address, one.name) for one in learned],
                         [("02:00:00:00:00:01", "a")])
        self.assertEqual([(one.name, one.loop_guard, one.hub) for one in bridges.list()],
                         [("lab", True, False)])
        bridges.delete("lab")
        self.assertEqual(bridges.list(), [])

    def test_uplinks_are_made_changed_shown_and_deleted(self):
        uplinks = self.broker.uplinks
        path = os.path.join(os.getcwd(), "absent")
        self.assertEqual(uplinks.add("abstract", bridge="lab", type="stream", path="@no").path,
                         "@no")
        uplinks.delete("abstract")
        made = uplinks.add("out", bridge="lab", type="stream", path="absent")
        self.assertEqual((made.state, made.path, bool(made.reason)), ("down", path, True))
        uplinks.set("out", mtu=1400, nobridge=True)
        shown = uplinks.show("out", statistics=True)
        self.assertEqual((shown.mtu, shown.bridge, shown.to_client_offered), (1400, None, 0))
        self.broker.wait("out", "down", timeout=SECONDS)
        uplinks.delete("out")
        self.assertEqual(uplinks.list(), [])

    def test_an_uplink_listens(self):
        b, path = self.broker, os.path.join(self.directory(), "socket")
        b.uplinks.add("door", bridge="lab", type="stream", listen=path, max=1, allow="any",
                      socket_mode=0o600, socket_group=os.getegid())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertRegex(b.uplinks.add("tcp", bridge="lab", type="stream",
                                       listen="127.0.0.1:0").listen, r"^127\.0\.0\.1:\d+$")
        with socket.socket(socket.AF_UNIX) as peer, b.open("a", bridge="lab") as a:
            peer.connect(path)
            a.settimeout(SECONDS)
            peer.send(struct.pack("!I", len(HEADER)) + HEADER)
            self.assertEqual(a.recv(), HEADER)
            port, = [one for one in b.uplinks.list() if one.listener == "door"]
            self.assertEqual((port.uid, b.uplinks.show("door").connected), (os.geteuid(), 1))

    def test_an_uplink_of_type_user_takes_its_keys(self):
        try:
            made = self.broker.uplinks.add(
                "out", bridge="lab", type="user", net="10.9.0.0/24", restrict=True,
                tftp=self.directory(), bootfile="boot")
        except memtun.Error as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            self.skipTest("memtund was built without libslirp (Debian: libslirp-dev)")
        self.assertEqual((made.net, made.restrict, made.bootfile), ("10.9.0.0/24", True, "boot"))

    def test_a_descriptor_becomes_an_uplink_until_its_life_ends(self):
        b = self.broker
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reading, writing = os.pipe()
        with here, there, b.open("a", bridge="lab") as a, open(writing, "wb"):
            record = b.uplinks.add("given", bridge="lab", type="fd", fd=there, until=writing)
            self.assertEqual(record.life, "pipe")
            here.send(HEADER)
            a.settimeout(SECONDS)
            self.assertEqual(a.recv(), HEADER)
            os.close(reading)
            b.wait("given", "down", timeout=SECONDS)
        self.fails(errno.ENOENT, "given", b.uplinks.show, "given")

    def test_a_process_is_the_life_of_an_uplink(self):
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with here, there, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as cat:
            record = self.broker.uplinks.add("given", bridge="lab", type="fd", fd=there,
                                             pid=cat.pid)
            self.assertEqual((record.life, record.pid), ("process", cat.pid))
            cat.stdin.close()
        self.broker.wait("given", "down", timeout=SECONDS)
        with self.assertRaises(TypeError):
            self.broker.uplinks.add("given", bridge="lab", type="fd", pid=1)

    def test_an_interface_of_the_own_namespace_becomes_an_uplink(self):
        unshare = ["unshare", "-Urn"] if os.geteuid() else ["unshare", "-n"]
        if subprocess.run([*unshare, "test", "-w", "/dev/net/tun"], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no network namespaces here (unshare), or no /dev/net/tun")
        done = subprocess.run(
            [*unshare, "memtund", "--", sys.executable, "-c", "import memtun, os, socket\n"
             "with memtun.connect() as b:\n"
             "    before = os.listdir('/proc/self/fd')\n"
             "    for name, device, mode in ('u', 'tap7', None), ('tun8', None, 'tun'):\n"
             "        made = b.uplinks.add(name, bridge='lab', type='device', device=device,\n"
             "                             mode=mode)\n"
             "        print(made.device, made.mode, made.state)\n"
             "    print(sorted(name for _, name in socket.if_nameindex() if name != 'lo'))\n"
             "    try:\n"
             "        b.uplinks.add('tun9', bridge='lab', type='device', device='lo')\n"
             "    except memtun.Error as error:\n"
             "        print(error.strerror)\n"
             "    assert os.listdir('/proc/self/fd') == before\n"],
            stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stdout, "tap7 tap up\ntun8 tun up\n['tap7', 'tun8']\n"
                         "cannot open the tap interface 'lo': Invalid argument\n")

    def test_sessions_are_shown_and_ended(self):
        with memtun.connect(self.broker.address) as other:
            ids = {record.id for record in self.broker.sessions.list()
                   if record.pid == os.getpid()}
            self.assertEqual(len(ids), 2)
            own = min(ids)
            self.broker.sessions.delete(max(ids))
            with self.assertRaises(memtun.Error):
                other.list()
            self.fails(errno.EINVAL, "", self.broker.sessions.delete, own)

    def test_a_lost_descriptor_is_an_error_and_the_connection_goes_on(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            self.fails(errno.EMFILE, "no free descriptor", self.broker.open, "a")
            self.assertEqual(self.broker.bridges.list(), [])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def test_threads_share_a_broker(self):
        failures = []

        def work(number):
            try:
                for _ in range(20):
                    with self.broker.open(f"t{number}") as tunnel:
                        assert tunnel.name == f"t{number}"
                    self.broker.wait(f"t{number}", "closed", timeout=SECONDS)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Tunnels(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())

    def open(self, name, **options):
        tunnel = self.use(self.broker.open(name, **options))
        tunnel.settimeout(SECONDS)
        return tunnel

    def pair(self, kind=socket.SOCK_SEQPACKET, word="seqpacket"):
        """Return a tunnel whose other end is a socket of the test."""
        near, far = socket.socketpair(socket.AF_UNIX, kind)
        self.use(far)
        tunnel = self.use(Tunnel(near.detach(), memtun.Record({"name": "a", "socket": word}), ""))
        tunnel.settimeout(SECONDS)
        return tunnel, far

    def test_each_type_of_socket_carries_frames(self):
        for kind in ("seqpacket", "dgram", "stream"):
            a = self.open(f"{kind}-a", bridge=kind, socket=kind, mtu=65535)
            b = self.open(f"{kind}-b", bridge=kind, socket=kind, mtu=65535)
            frames = [HEADER + bytes(number) for number in (0, 1, 1486, 65535, 3)]
            for one in frames:
                a.send(one)
            self.assertEqual([b.recv() for _ in frames], frames)

    def test_a_time_limit_is_kept(self):
        a = self.open("a")
        for seconds in (0, 0.01):
            a.settimeout(seconds)
            self.assertEqual(a.gettimeout(), seconds)
            with self.assertRaises(TimeoutError):
                a.recv()
        with self.assertRaises(ValueError):
            a.settimeout(-1)

    def test_a_deleted_tunnel_ends(self):
        a, b = self.open("a", bridge="lab"), self.open("b", bridge="lab")
        for number in range(3):
            a.send(frame(number))
        self.assertEqual(b.recv(), frame(0))
        self.broker.delete("b")
        self.assertLessEqual(len(list(b)), 2)
        self.assertEqual(b.recv(), b"")
        with self.assertRaises(OSError) as caught:
            for _ in range(10000):
                b.send(HEADER)
        self.assertIn(caught.exception.errno, (errno.EPIPE, errno.ECONNRESET))

    def test_frames_come_before_the_end_although_frames_were_not_read(self):
        tunnel, far = self.pair()
        tunnel.send(frame(1))
        far.send(frame(2))
        far.close()
        self.assertEqual(list(tunnel), [frame(2)])

    def test_an_empty_frame_is_no_end(self):
        tunnel, far = self.pair()
        far.send(b"")
        far.send(frame(1))
        self.assertEqual(tunnel.recv(), frame(1))
        far.close()
        self.assertEqual(tunnel.recv(), b"")

    def test_an_empty_frame_of_a_stream_is_no_end(self):
        tunnel, far = self.pair(socket.SOCK_STREAM, "stream")
        far.send(bytes(8) + struct.pack("!I", 18) + frame(1) + bytes(4))
        far.close()
        self.assertEqual(list(tunnel), [frame(1)])

    def test_an_empty_frame_is_dropped_and_counted(self):
        for kind in ("seqpacket", "dgram", "stream"):
            a = self.open(kind, socket=kind)
            a.send(b"")
            a.send(HEADER)
            self.broker.wait_quiet(kind, timeout=SECONDS)
            record = self.broker.show(kind, statistics=True)
            self.assertEqual(record["from-client-dropped-empty"], 1, kind)
            self.assertEqual((record["from-client-frames"], record.state), (1, "open"), kind)

    def test_a_frame_that_would_end_a_stream_is_refused_and_the_tunnel_goes_on(self):
        for options, most in (({}, 69632), ({"pi": True}, 69636), ({"vnet_hdr": True}, 69642),
                              ({"pi": True, "vnet_hdr": True, "vnet_hdr_size": 20}, 69656)):
            with self.broker.open("a", socket="stream", **options) as a:
                a.settimeout(SECONDS)
                for send in (a.send, lambda one: asyncio.run(a.asend(one))):
                    with self.assertRaises(memtun.Error) as caught:
                        send(bytes(most + 1))
                    self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
                    self.assertIn(f"at most {most} bytes", str(caught.exception))
                a.send(bytes(most))
                self.broker.wait_quiet("a", timeout=SECONDS)
                record = self.broker.show("a", statistics=True)
                self.assertEqual(record["from-client-dropped-oversize"], 0)
                self.assertEqual((record["from-client-frames"], record.state), (1, "open"))
            self.broker.wait("a", "closed", timeout=SECONDS)

    def test_a_frame_that_a_record_cannot_have_is_refused_by_the_kernel(self):
        for kind in ("seqpacket", "dgram"):
            a = self.open(kind, socket=kind)
            with self.assertRaises(OSError) as caught:
                a.send(bytes(1 << 20))
            self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
            a.send(bytes(69633))
            self.broker.wait_quiet(kind, timeout=SECONDS)
            record = self.broker.show(kind, statistics=True)
            self.assertEqual(record["from-client-dropped-oversize"], 1)
            self.assertEqual(record.state, "open")

    def test_a_frame_of_a_stream_comes_in_pieces(self):
        tunnel, far = self.pair(socket.SOCK_STREAM, "stream")
        data = b"".join(struct.pack("!I", 18) + frame(number) for number in range(2))
        tunnel.settimeout(0)
        for place in range(len(data)):
            far.send(data[place:place + 1])
            if (place + 1) % 22:
                with self.assertRaises(TimeoutError):
                    tunnel.recv()
            else:
                self.assertEqual(tunnel.recv(), frame(place // 22))
        far.send(data[:7])
        far.close()
        self.assertEqual(tunnel.recv(), b"")

    def test_a_length_on_a_stream_that_no_frame_has_is_an_error(self):
        tunnel, far = self.pair(socket.SOCK_STREAM, "stream")
        tunnel.settimeout(0)
        far.send(b"\xff" * 8)
        with self.assertRaises(memtun.Error) as caught:
            tunnel.recv()
        self.assertEqual(caught.exception.errno, errno.EBADMSG)

    def test_a_stream_stays_whole_when_a_time_limit_ends_a_send(self):
        tunnel, far = self.pair(socket.SOCK_STREAM, "stream")
        big, sent = HEADER + bytes(60000), 0
        tunnel.settimeout(0)
        with self.assertRaises(TimeoutError):
            while True:
                tunnel.send(big)
                sent += 1
        received = threading.Thread(target=self.read_all, args=(far,))
        received.start()
        tunnel.settimeout(SECONDS)
        tunnel.send(frame(1))
        tunnel.close()
        received.join()
        self.assertEqual(self.frames[-1], frame(1))
        self.assertEqual(set(self.frames[:-1]), {big})
        self.assertIn(len(self.frames) - 1, (sent, sent + 1))

    def test_send_returns_when_a_stream_has_taken_the_whole_frame(self):
        for is_coroutine in (False, True):
            tunnel, far = self.pair(socket.SOCK_STREAM, "stream")
            # Less than a frame, so that each is sent in parts.
            tunnel._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            received = threading.Thread(target=self.read_all, args=(far,))
            received.start()
            frames = [HEADER + bytes(60000 + number) for number in range(30)]

            async def send_all():
                for one in frames:
                    await tunnel.asend(one)

            if is_coroutine:
                asyncio.run(send_all())
            else:
                for one in frames:
                    tunnel.send(one)
            tunnel.close()
            received.join()
            self.assertEqual(self.frames, frames)

    def read_all(self, far):
        data, self.frames = b"", []
        while chunk := far.recv(1 << 20):
            data += chunk
        while data:
            length, = struct.unpack_from("!I", data)
            self.frames.append(data[4:4 + length])
            data = data[4 + length:]

    def test_send_waits_for_room_at_most_for_the_limit(self):
        for kind, word in ((socket.SOCK_SEQPACKET, "seqpacket"), (socket.SOCK_DGRAM, "dgram")):
            tunnel, far = self.pair(kind, word)
            tunnel.settimeout(0.01)
            sent = 0
            with self.assertRaises(TimeoutError):
                while True:
                    tunnel.send(frame(sent))
                    sent += 1
            self.assertEqual([far.recv(100) for _ in range(sent)],
                             [frame(number) for number in range(sent)])

    def test_a_closed_tunnel_refuses_calls(self):
        a = self.open("a")
        a.close()
        a.close()
        self.assertEqual((a.fileno(), a.closed), (-1, True))
        for call in (a.recv, lambda: a.send(HEADER)):
            with self.assertRaises(ValueError):
                call()

    def test_a_tunnel_that_is_not_closed_is_reported(self):
        with self.assertWarns(ResourceWarning):
            self.broker.open("a")
        self.broker.wait("a", "closed", timeout=SECONDS)

    def test_detach_gives_the_descriptor_away(self):
        number = self.broker.open("a").detach()
        self.assertEqual(self.broker.show("a").state, "open")
        os.close(number)

    def test_descriptors_stay_blocking_and_close_on_exec(self):
        a = self.open("a")
        with self.assertRaises(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(a.arecv(), 0.01))
        self.assertTrue(os.get_blocking(a.fileno()))
        self.assertFalse(os.get_inheritable(a.fileno()))
        old = socket.getdefaulttimeout()
        socket.setdefaulttimeout(5)
        try:
            self.assertTrue(os.get_blocking(self.open("b").fileno()))
        finally:
            socket.setdefaulttimeout(old)

    def test_coroutines_exchange_frames(self):
        for kind in ("seqpacket", "stream"):
            a = self.open(f"{kind}-a", bridge=kind, socket=kind, overflow="block")
            b = self.open(f"{kind}-b", bridge=kind, socket=kind, overflow="block")

            async def send_all():
                for number in range(1000):
                    await a.asend(frame(number))

            async def receive_all():
                got = []
                async for one in b:
                    got.append(one)
                    if len(got) == 1000:
                        return got

            async def both():
                return await asyncio.wait_for(asyncio.gather(receive_all(), send_all()), SECONDS)

            self.assertEqual(asyncio.run(both())[0], [frame(number) for number in range(1000)])

    def test_a_cancelled_coroutine_leaves_the_tunnel_usable(self):
        a, b = self.open("a", bridge="lab"), self.open("b", bridge="lab")

        async def run():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(b.arecv(), 0.01)
            self.assertFalse(asyncio.get_running_loop().remove_reader(b.fileno()))
            await a.asend(frame(1))
            return await asyncio.wait_for(b.arecv(), SECONDS)

        self.assertEqual(asyncio.run(run()), frame(1))

    def test_iteration_in_a_coroutine_ends_with_the_tunnel(self):
        tunnel, far = self.pair()
        far.send(frame(1))
        far.close()

        async def run():
            return [one async for one in tunnel]

        self.assertEqual(asyncio.run(run()), [frame(1)])


class Frames(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())
        self.a = self.use(self.broker.open("a", bridge="lab"))
        self.a.settimeout(SECONDS)

    def test_a_capture_of_a_bridge_sees_each_port(self):
        with self.broker.open("b", bridge="lab"), self.broker.capture("lab") as seen:
            seen.settimeout(SECONDS)
            self.a.send(HEADER)
            two = [seen.recv(), seen.recv()]
        self.assertEqual([(one.direction, one.mode, one.frame) for one in two],
                         [("from-client", "tap", HEADER), ("to-client", "tap", HEADER)])
        self.assertNotEqual(two[0].port, two[1].port)

    def test_a_capture_of_a_direction_sees_only_that(self):
        with self.broker.capture("a", direction="to-client") as seen:
            self.a.send(frame(1))
            self.broker.inject("a", frame(2))
            self.assertEqual([one.frame for one in seen.pending()], [frame(2)])

    def test_a_capture_with_faults_tells_what_was_dropped_and_why(self):
        path = os.path.join(self.directory(), "file")
        self.broker.add("closed", bridge="lab")
        with self.broker.capture("lab", faults=True) as seen, open(path, "wb") as file:
            seen.settimeout(SECONDS)
            self.a.send(HEADER)
            records = [seen.recv() for _ in range(3)]
            self.assertEqual([(one.direction, one.reasons) for one in records], [
                ("from-client", ()), ("to-client", ()),
                ("to-client", ("to-client-dropped-no-client",))])
            self.assertEqual(len({(one.id, one.frame) for one in records}), 1)
            self.assertEqual((records[2].rule, records[2].clock), (0, None))
            writer = memtun.PcapngWriter(file)
            for one in records:
                writer.write(one)
        with open(path, "rb") as file:
            data = file.read()
        self.assertEqual(data.count(struct.pack("=HHQ", 5, 8, records[0].id)), 3)
        self.assertEqual(data.count(struct.pack("=HH", 1, 18) + b"dropped: no-client\0\0"), 1)

    def test_a_comment_names_the_rule_and_the_clock(self):
        one = memtun.Captured(b"", 0, 0, 1, "to-client", "tap", 5, (
            "from-client-delayed", "reason 900"), 1, 7, 3, 2_000_000_005)
        self.assertEqual(one.comment, "delayed, reason 900; rule 1, seed 7, frame 3; "
                         "clock 2.000000005")

    def test_a_capture_ends_with_its_port(self):
        with self.broker.capture("a") as seen, self.broker.capture("a") as other:
            seen.settimeout(SECONDS)
            self.a.send(frame(1))
            self.assertEqual(seen.recv().frame, frame(1))
            self.broker.delete("a")
            self.assertEqual(list(seen), [])
            self.assertEqual(seen.pending(), [])

            async def run():
                return [one async for one in other]

            self.assertLessEqual(len(asyncio.run(run())), 1)

    def test_injected_frames_reach_the_program_or_the_bridge(self):
        with self.broker.open("b", bridge="lab") as b:
            b.settimeout(SECONDS)
            result = self.broker.inject("a", (frame(number) for number in range(3)), frame(3))
            self.assertEqual((result.frames, result.offered, result.drops), (4, 4, {}))
            self.assertEqual([self.a.recv() for _ in range(4)], [frame(n) for n in range(4)])
            self.broker.inject("a", frame(4), as_client=True)
            self.assertEqual(b.recv(), frame(4))

    def test_a_dropped_frame_is_an_error_unless_it_is_allowed(self):
        self.broker.add("closed")
        with self.assertRaises(memtun.DroppedError) as caught:
            self.broker.inject("closed", HEADER, HEADER)
        self.assertEqual((caught.exception.errno, caught.exception.result.drops),
                         (errno.ENOTCONN, {"no-client": 2}))
        self.assertEqual(self.broker.inject("closed", HEADER, allow_drop=True).drops,
                         {"no-client": 1})
        with self.assertRaises(memtun.DroppedError) as caught:
            self.broker.inject("a", HEADER + bytes(3000))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)

    def test_an_injector_ends_with_its_tunnel(self):
        with self.broker.injector("a") as injector:
            self.broker.delete("a")
            with self.assertRaises(OSError):
                while True:
                    injector.send(HEADER)

    def test_expect_waits_for_the_frame_that_a_function_takes(self):
        with self.broker.expect("a", lambda one: one == frame(2)) as expected:
            for number in range(4):
                self.a.send(frame(number))
            self.assertEqual(expected.wait(SECONDS), frame(2))
            with self.assertRaisesRegex(TimeoutError, "'a' matched within 0.01 s.* 4 frames"):
                expected.wait(0.01)
        with self.broker.expect("lab", lambda one: False, limit=2) as expected:
            self.a.send(frame(1))
            self.a.send(frame(2))
            with self.assertRaises(LookupError):
                expected.wait(SECONDS)
        with self.broker.expect("a", lambda one: False) as expected:
            self.broker.delete("a")
            with self.assertRaisesRegex(LookupError, "ended"):
                expected.wait(SECONDS)

    @needs.filters
    def test_expect_waits_for_the_frame_that_a_filter_takes(self):
        big = HEADER + bytes(range(256)) * 5
        with self.broker.expect("a", "ether proto 0x88b5 and greater 1000") as expected:
            self.a.send(frame(1))
            self.a.send(big)
            self.a.send(big)
            self.assertEqual(expected.wait(SECONDS), big)
        with self.broker.expect("a", "arp"):
            pass
        with self.broker.expect("a", "arp", limit=1) as expected:
            with self.assertRaises(TimeoutError):
                expected.wait(0.01)
            self.a.send(frame(1))
            with self.assertRaises(LookupError):
                expected.wait(SECONDS)

    def test_a_wrong_filter_or_name_is_an_error(self):
        with self.assertRaisesRegex(memtun.NotFoundError, "there is no .*'nothing'"):
            self.broker.expect("nothing", "udp")
        with self.assertRaisesRegex(memtun.NotFoundError, "'nothing'"):
            self.broker.expect("nothing", lambda one: True)
        with self.broker.expect("a", "udp porty 3") as expected:
            with self.assertRaisesRegex(memtun.Error, "filter 'udp porty 3'"):
                expected.wait(SECONDS)
        with self.assertRaises(ValueError):
            self.broker.expect("a", "udp", direction="up")
        with self.assertRaises(ValueError):
            self.broker.expect("a", lambda one: True, direction="up")

    def test_a_written_capture_is_a_pcapng_file(self):
        path = os.path.join(self.directory(), "a file")
        with self.broker.capture("a") as seen, open(path, "wb") as file:
            self.a.send(frame(1))
            self.a.send(HEADER + b"odd")
            seen.settimeout(SECONDS)
            writer = memtun.PcapngWriter(file)
            for _ in range(2):
                writer.write(seen.recv())
        if needs.part("filters", "memtun inject reads the file"):
            subprocess.run(["memtun", "inject", "a", "--pcap", path], check=True,
                           env=self.broker.environment, stdout=subprocess.DEVNULL)
            self.assertEqual([self.a.recv(), self.a.recv()], [frame(1), HEADER + b"odd"])


class Changes(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())

    def test_events_come_in_order(self):
        with self.broker.watch() as events:
            events.settimeout(SECONDS)
            self.broker.open("a", mode="tun").close()
            got = [(event.event, event.name, event.mode) for event in
                   (events.next() for _ in range(4))]
            self.assertEqual(got, [(kind, "a", "tun") for kind in
                                   ("added", "opened", "closed", "deleted")])
            events.settimeout(0.01)
            with self.assertRaises(TimeoutError):
                events.next()

            async def one():
                async for event in events:
                    return event.event

            self.broker.bridges.add("lab")
            self.assertEqual(asyncio.run(one()), "bridge-added")

    def test_lost_events_are_reported(self):
        with self.broker.watch() as events:
            events.settimeout(SECONDS)
            self.broker.add("t%d", count=5000)
            for event in events:
                if event.event == "lost":
                    break

    def test_wait_returns_when_the_state_is_reached(self):
        wait = self.broker.wait
        for state in ("closed", "down"):
            wait("absent", state, timeout=SECONDS)
        opened = []
        thread = threading.Thread(target=lambda: opened.append(self.broker.open("a")))
        thread.start()
        wait("a", "open", timeout=SECONDS)
        thread.join()
        with opened[0] as a:
            self.broker.inject("a", HEADER)
            for state in ("closed", "drained"):
                with self.assertRaises(TimeoutError):
                    wait("a", state, timeout=0.02)
            a.recv()
            wait("a", "drained", timeout=SECONDS)
        wait("a", "closed", timeout=SECONDS)

    def test_the_event_of_a_deletion_is_an_end(self):
        class Events:
            def __init__(self, kind):
                self.kind = kind

            def fileno(self):
                return zero.fileno()

            def next(self):
                return memtun.Record({"event": self.kind, "name": "a", "state": "open"})

        with open("/dev/zero", "rb") as zero:
            for kind, state, reached in (("deleted", "closed", True), ("deleted", "open", False),
                                         ("opened", "open", True), ("opened", "closed", False),
                                         ("uplink-deleted", "down", True)):
                self.assertEqual(self.broker._wait_event(Events(kind), "a", state, None), reached)

    def test_a_state_that_the_object_cannot_have_is_an_error(self):
        self.broker.add("a")
        for name, state, wrong in (("a", "up", ValueError), ("a", "quick", ValueError),
                                   ("absent", "drained", memtun.NotFoundError)):
            with self.assertRaises(wrong):
                self.broker.wait(name, state, timeout=SECONDS)


class Time(Case):
    def test_a_manual_clock_moves_by_calls(self):
        b = self.use(memtun.broker(clock="manual"))
        self.assertEqual((b.clock.show().clock, b.clock.show().clock_time), ("manual", 0))
        with self.assertRaises(memtun.Error) as caught:
            b.clock.next(timeout=SECONDS)
        self.assertEqual(caught.exception.errno, errno.ENODATA)
        for move, shown in ((1.5, 1_500_000_000), ("20ms", 1_520_000_000)):
            self.assertEqual(b.clock.advance(move).clock_time, shown)
        # The adapter of a TUN on an Ethernet bridge announces its address again and again.
        b.add("tap", bridge="lab")
        with b.open("tun", mode="tun", bridge="lab", address="10.0.0.1/24"):
            before = b.clock.show()
            self.assertGreater(before.due, 0)
            after = b.clock.next(timeout=SECONDS)
            self.assertEqual(after.clock_time, before.clock_time + after.move)

    def test_a_real_clock_does_not_move_by_calls(self):
        b = self.use(memtun.broker())
        self.assertEqual(b.clock.show().clock, "real")
        with self.assertRaises(memtun.Error) as caught:
            b.clock.advance(1)
        self.assertEqual(caught.exception.errno, errno.EINVAL)

    def test_a_wrong_time_is_refused(self):
        b = self.use(memtun.broker(clock="manual"))
        for wrong in ("20", "ms", "-1s", -1, "1 s"):
            with self.assertRaises(ValueError, msg=wrong):
                b.clock.advance(wrong)

    def test_ports_are_quiet_when_all_frames_are_read(self):
        b = self.use(memtun.broker())
        with b.open("a", bridge="lab") as a, b.open("b", bridge="lab") as other:
            a.send(HEADER)
            for wait in (lambda: b.wait_quiet("lab", timeout=0.02),
                         lambda: b.wait_quiet(timeout=0.02), lambda: b.wait("b", "quiet", 0.02)):
                with self.assertRaisesRegex(TimeoutError, "b"):
                    wait()
            other.recv()
            self.assertEqual(b.wait_quiet("lab", "a", idle="1ms", timeout=SECONDS), [])
            with self.assertRaises(TimeoutError):
                b.wait_quiet("lab", idle=3600, timeout=0.02)
            b.wait_quiet()
            with self.assertRaises(memtun.NotFoundError):
                b.wait_quiet("absent", timeout=SECONDS)
            with self.assertRaises(ValueError):
                b.wait_quiet("a,b")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            b.uplinks.add("far", bridge="lab", type="udp", local=f"127.0.0.1:{port}",
                          remote=f"127.0.0.2:{port}")
            self.assertEqual(b.wait_quiet("lab", timeout=SECONDS), ["far"])


class Impairment(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())
        self.a = self.use(self.broker.open("a", bridge="lab"))
        self.b = self.use(self.broker.open("b", bridge="lab"))
        self.b.settimeout(SECONDS)

    def passed(self, seed):
        """Return the frames of 50 that a rule with this seed lets pass."""
        self.broker.impair.delete("a")
        self.broker.impair.add("a", direction="from-client", loss=50, seed=seed)
        for number in range(50):
            self.a.send(frame(number))
        passed = []
        self.b.settimeout(0)
        while True:
            try:
                passed.append(self.b.recv())
                continue
            except TimeoutError:
                pass
            try:
                self.broker.wait_quiet("lab", timeout=0.05)
                return passed
            except TimeoutError:
                pass  # a frame has come meanwhile

    def test_a_rule_has_the_values_that_the_json_has(self):
        import json
        rule = self.broker.impair.add(
            "a", direction="to-client", loss="2.5%", loss_burst=2.5, delay=0.02, jitter="1.5ms",
            distribution="pareto", rate=10_000_000, drop=[1, "3-5"], until=100, limit=50)
        self.broker.impair.add("a", hold=True, until="5s", seed=2**64 - 1)
        filtered = needs.part("filters", "the match of a rule")
        self.broker.impair.add("b", hold=True, until="1.5s",
                               **(dict(match="arp", icmp=False) if filtered else {}))
        output = subprocess.run(["memtun", "-j", "impair", "show"], env=self.broker.environment,
                                check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual([dict(one) for one in self.broker.impair.list()], [
            {key: value for key, value in one.items() if value is not None}
            for one in json.loads(output)])
        self.assertEqual(len(self.broker.impair.list()), 3)
        self.assertEqual(self.broker.impair.list("b")[0].until_time, "1500ms")
        self.assertEqual((rule.rule, rule.delay, rule.loss, rule.rate, rule.drop),
                         (1, "20ms", "2.5%", "10mbit", "1+3-5"))

    def test_a_seed_repeats_what_happens(self):
        first = self.passed(7)
        self.assertTrue(5 < len(first) < 45)
        self.assertEqual(self.passed(7), first)
        self.assertNotEqual(self.passed(8), first)

    def test_a_rule_is_changed_and_deleted(self):
        impair = self.broker.impair
        impair.add("a", carrier=False)
        self.a.send(frame(1))
        self.broker.wait_quiet("lab", timeout=SECONDS)
        impair.set("a", 1, carrier=True)
        self.assertEqual([one.carrier for one in impair.list("a")], [True])
        self.a.send(frame(2))
        self.assertEqual(self.b.recv(), frame(2))
        impair.delete("a", 1)
        self.assertEqual(impair.list("a"), [])
        with self.assertRaises(memtun.NotFoundError):
            impair.delete("a", 1)

    def test_frames_that_are_held_are_released_or_dropped(self):
        impair = self.broker.impair
        impair.add("a", direction="from-client", hold=True)
        with self.broker.capture("a", faults=True) as seen:
            seen.settimeout(SECONDS)
            for number in range(5):
                self.a.send(frame(number))
                self.assertEqual(seen.recv().reasons, ("from-client-held",))
        self.assertEqual(impair.list("a")[0].holding, "1+2+3+4+5")
        impair.release("a", frame=3)
        impair.release("a", drop=True)
        impair.release("a", direction="from-client", frame="all")
        self.assertEqual([self.b.recv() for _ in range(4)],
                         [frame(number) for number in (2, 1, 3, 4)])

    @needs.filters
    def test_a_filter_chooses_the_frames_of_a_rule(self):
        rule = self.broker.impair.add(
            "a", direction="from-client", match="ether[17] = 1", drop=[1, 2], until=9, seed=5,
            icmp=None, delay="1ms")
        self.assertEqual((rule.match, rule.drop, rule.until, rule.seed, rule.delay),
                         ("ether[17] = 1", "1+2", 9, 5, "1ms"))
        self.broker.impair.add("a", match="arp", loss=100)
        for number in (0, 1, 2):
            self.a.send(frame(number))
        self.assertEqual([self.b.recv(), self.b.recv()], [frame(0), frame(2)])
        self.assertEqual(_words({"carrier": False, "hold": True, "icmp": False, "seed": None}),
                         ["carrier", "off", "hold"])
        with self.assertRaisesRegex(memtun.Error, "porty"):
            self.broker.impair.add("a", match="udp porty 3", loss=5)

    def test_a_tunnel_is_made_with_a_rule(self):
        with self.broker.open("c", loss="5%", seed=3):
            self.assertEqual([(one.loss, one.seed) for one in self.broker.impair.list("c")],
                             [("5%", 3)])
        self.broker.add("d", delay="1ms")
        self.assertEqual(self.broker.show("d").rules, 1)
        self.broker.uplinks.add("up", bridge="lab", type="stream", path="/absent", delay="2ms")
        self.assertEqual([one.delay for one in self.broker.impair.list("up")], ["2ms"])
        for keys in ({"match": "arp"}, {"owner": 5}, {"losss": 3}):
            with self.assertRaises(TypeError):
                self.broker.open("e", **keys)

    def test_a_quantity_that_is_none_is_refused(self):
        for keys in ({"loss": -1}, {"delay": "5"}, {"rate": "5mb"},
                     {"loss": 0.00000001}, {"delay": "1.2.3s"}, {"loss": "five"}):
            with self.assertRaises(ValueError, msg=keys):
                self.broker.impair.add("a", **keys)


class Programs(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())

    def test_a_program_inherits_its_tunnels_and_no_others(self):
        a, b = self.use(self.broker.open("a-1", bridge="lab")), self.use(
            self.broker.open("b", bridge="lab"))
        a.settimeout(SECONDS)
        text = ("import os, memtun\n"
                "os.write(int(os.environ['MEMTUN_FD_b']), bytes.fromhex('%s'))\n"
                "print([name for name in os.environ if name.startswith(('MEMTUN_FD', 'LISTEN'))],\n"
                "      memtun.connect().show('b').state)" % HEADER.hex())
        done = process.run([sys.executable, "-W", "ignore", "-c", text], tunnels=[b],
                           env=dict(os.environ, MEMTUN_FD_old="3", LISTEN_FDS="1"),
                           stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual((done.stdout, a.recv()), ("['MEMTUN_FD_b'] open\n", HEADER))
        with process.popen(["sh", "-c", "echo {a-1} $MEMTUN_FD_a_1 {b} {c}"], tunnels=[a, b],
                           stdout=subprocess.PIPE, text=True) as started:
            self.assertEqual(started.stdout.read(),
                             f"{a.fileno()} {a.fileno()} {b.fileno()} {{c}}\n")

    def test_tunnels_that_cannot_be_passed_are_refused(self):
        a, b = self.use(self.broker.open("a-1")), self.use(self.broker.open("a_1"))
        with self.assertRaisesRegex(ValueError, "MEMTUN_FD_a_1"):
            process.run(["true"], tunnels=[a, b])
        a.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            process.run(["true"], tunnels=[a])
        with self.assertRaises(TypeError):
            process.run("true", tunnels=[b])


class Queues(Case):
    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())

    def test_a_tunnel_in_use_gets_another_name(self):
        b = self.broker
        a, other = self.use(b.open("a", bridge="lab")), self.use(b.open("b", bridge="lab"))
        with b.watch() as events:
            renamed = b.rename("a", "vm%d")
            event = events.next()
        self.assertEqual((renamed.name, renamed.id), ("vm0", a.record.id))
        self.assertEqual((event.event, event.name, event.former_name), ("changed", "vm0", "a"))
        other.settimeout(SECONDS)
        a.send(HEADER)
        self.assertEqual(other.recv(), HEADER)
        with self.assertRaises(memtun.BusyError):
            b.rename("vm0", "b")
        with self.assertRaises(memtun.NotFoundError):
            b.rename("a", "c")

    def test_a_queue_is_attached_to_one_tunnel_after_the_other(self):
        b = self.broker
        other = self.use(b.open("b", bridge="lab"))
        other.settimeout(SECONDS)
        for kind in ("seqpacket", "stream"):
            queue = self.use(b.open_queue(socket=kind))
            self.assertEqual(queue.name, "")
            for name in ("first", "second"):
                b.attach_queue(queue, name, bridge="lab")
                self.assertEqual((queue.name, queue.record.bridge, b.show(name).state),
                                 (name, "lab", "open"))
                queue.send(HEADER + name.encode())
                self.assertEqual(other.recv(), HEADER + name.encode())
                with self.assertRaises(memtun.Error) as caught:
                    b.attach_queue(queue, "third")
                self.assertEqual(caught.exception.errno, errno.EEXIST)
                b.detach_queue(queue)
                self.assertEqual(queue.name, "")
            with self.assertRaises(memtun.Error) as caught:
                b.detach_queue(queue)
            self.assertEqual(caught.exception.errno, errno.EINVAL)
            queue.close()
            b.wait("second", "closed", timeout=SECONDS)

    def test_an_interface_is_shown_and_set(self):
        b = self.broker
        self.use(b.open("a"))
        self.assertIsNone(b.show("a").interface_flags)
        b.set_interface("a", neighbour=["10.0.0.2 lladdr 02:00:00:00:00:01"])
        self.assertEqual(b.show("a").interface_neighbour, "10.0.0.2 lladdr 02:00:00:00:00:01")
        b.set_interface("a", flags=("up", "multicast"), mac="02:00:00:00:00:07", txqlen=7,
                        address=["10.0.0.1/24 broadcast 10.0.0.255", "10.0.1.1/24"],
                        route="default via 10.0.0.2", neighbour=[], carrier=False)
        shown = b.show("a")
        self.assertLessEqual({"up", "multicast"}, set(shown.interface_flags.split("+")))
        self.assertEqual(
            (shown.interface_mac, shown.interface_txqlen, shown.interface_address,
             shown.interface_route, shown.interface_neighbour, shown.interface_carrier),
            ("02:00:00:00:00:07", 7, "10.0.0.1/24 broadcast 10.0.0.255+10.0.1.1/24",
             "default via 10.0.0.2", None, False))
        again = b.set_interface("a", flags="none", revision=shown.interface_revision)
        self.assertNotIn("up", again.interface_flags.split("+"))
        with self.assertRaises(memtun.Error) as caught:
            b.set_interface("a", flags="up", revision=shown.interface_revision)
        self.assertEqual(caught.exception.errno, errno.ESTALE)
        with self.assertRaisesRegex(ValueError, "no 'upp'"):
            b.set_interface("a", flags=["upp"])


class Inherited(Case):
    """What memtun.inherited() finds in a program that is started in each way."""

    TEXT = ("import memtun, os, sys\n"
            "found = memtun.inherited()\n"
            "print([(name, one.fileno(), one.record.socket, os.get_inheritable(one.fileno()))\n"
            "       for name, one in found.items()])\n"
            "print([name for name in os.environ if name.startswith(('LISTEN', 'MEMTUN_FD'))],\n"
            "      memtun.inherited())\n"
            "for one in found.values(): one.close()\n")

    def setUp(self):
        super().setUp()
        self.broker = self.use(memtun.broker())

    def program(self, *command, text=TEXT, **options):
        done = subprocess.run([*command, sys.executable, "-W", "error", "-c", text],
                              env=self.broker.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **options)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_memtun_exec_passes_tunnels_with_their_names(self):
        command = ("memtun", "exec", "-t", "vm-0", "-t", "vm.1:socket=stream", "--")
        expected = ("[('vm-0', 3, 'seqpacket', False), ('vm.1', 4, 'stream', False)]\n[] {}\n")
        self.assertEqual(self.program(*command), expected)
        # LISTEN_PID is the shell's.
        self.assertEqual(self.program(*command, "sh", "-c", '"$@"; :', "sh"), expected)
        self.assertEqual(self.program(*command, "env", "-u", "MEMTUN_FD_vm_0"), expected)
        self.assertEqual(self.program(*command, "env", "-u", "LISTEN_FDS"),
                         expected.replace("vm-0", "vm_0").replace("vm.1", "vm_1"))

    def test_process_passes_tunnels_whose_names_and_records_the_broker_tells(self):
        tunnel = self.use(self.broker.open("vm-0", mode="tun", bridge="lab"))
        text = ("import memtun\n"
                "with memtun.connect() as b:\n"
                "    (name, one), = memtun.inherited(b).items()\n"
                "with one: print(name, one.record.mode, one.record.bridge, one.address)\n")
        done = process.run([sys.executable, "-W", "error", "-c", text], tunnels=[tunnel],
                           env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "other"},
                           stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stdout, f"vm-0 tun lab {self.broker.address}\n")

    def test_a_listening_socket_is_no_tunnel(self):
        end, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener = self.use(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind("")
        listener.listen()
        with end, other:
            def move():
                numbers = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (listener, end)]
                os.dup2(numbers[0], 3)
                os.dup2(numbers[1], 4)
            text = ("import os\nos.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', "
                    f"LISTEN_FDNAMES='control')\n{self.TEXT}")
            self.assertEqual(self.program(text=text, preexec_fn=move, close_fds=False),
                             "[('fd4', 4, 'dgram', False)]\n[] {}\n")

    def test_each_queue_of_a_tunnel_is_taken_over(self):
        queues = [self.use(self.broker.open("m", multi_queue=True)) for _ in range(2)]

        def move():
            numbers = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in queues]
            os.dup2(numbers[0], 3)
            os.dup2(numbers[1], 4)
        text = ("import os\nos.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', "
                f"LISTEN_FDNAMES='m:m', LISTEN_PIDFDID='1')\n{self.TEXT}")
        self.assertEqual(self.program(text=text, preexec_fn=move, close_fds=False),
                         "[('m', 3, 'seqpacket', False), ('fd4', 4, 'seqpacket', False)]\n[] {}\n")

    def test_a_descriptor_of_listen_fds_that_is_not_open_is_an_error(self):
        text = ("import memtun, os\nos.environ.update(LISTEN_PID=str(os.getpid()), "
                "LISTEN_FDS='1')\n"
                "try: memtun.inherited()\nexcept memtun.Error as error: print(error.strerror)")
        self.assertEqual(self.program(text=text), "LISTEN_FDS has 3, which is not open\n")

    def test_a_variable_without_a_descriptor_is_an_error(self):
        for value, number in (("77", errno.EBADF), ("x", errno.EINVAL), ("-1", errno.EINVAL),
                              (str(2**70), errno.EBADF)):
            os.environ["MEMTUN_FD_a"] = value
            self.stack.callback(os.environ.pop, "MEMTUN_FD_a", None)
            with self.assertRaisesRegex(memtun.Error, "MEMTUN_FD_a") as caught:
                memtun.inherited()
            self.assertEqual(caught.exception.errno, number)
            self.assertEqual(os.environ["MEMTUN_FD_a"], value)

    def test_a_large_number_of_another_process_costs_nothing(self):
        with unittest.mock.patch.dict(os.environ, {"LISTEN_PID": "1"}):
            for count in ("999999999", "9" * 5000):
                os.environ["LISTEN_FDS"] = count
                self.assertEqual(memtun.inherited(), {})


if __name__ == "__main__":
    unittest.main()
