#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What memtund, memtun and memtun-host make of the descriptors, signals and limits of their start."""
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import needs

TOP = os.environ.get("top_builddir", ".")
MEMTUN = os.path.join(TOP, "memtun")
MEMTUND = os.path.join(TOP, "memtund")
SECONDS = 10  # for what takes much less
FRAME = "ffffffffffff02000000000188b500000000000000000000"


class Case(unittest.TestCase):
    def setUp(self):
        # A shell starts what it runs in the background with SIGINT and SIGQUIT ignored, and programs
        # inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        self.directory = tempfile.mkdtemp(prefix="memtun-test-")
        self.address = os.path.join(self.directory, "control")
        self.environment = {"PATH": os.environ["PATH"], "MEMTUN_SOCKET": self.address}
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, *words, **how):
        """Start a program, which is killed at the test's end unless it has ended."""
        how.setdefault("env", self.environment)
        process = subprocess.Popen(words, **how)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()

    def start_ready(self, *words, **how):
        """Start a program with --ready-fd, and return it once it is ready."""
        read, write = os.pipe()
        process = self.start(*words, "--ready-fd", str(write), pass_fds=[write], **how)
        os.close(write)
        self.assertTrue(select.select([read], [], [], SECONDS)[0], "it does not get ready")
        self.assertEqual(os.read(read, 1), b"\n")
        os.close(read)
        return process

    def broker(self, *options, **how):
        return self.start_ready(MEMTUND, "--socket", self.address, *options, **how)

    def run_memtun(self, *words, **how):
        how.setdefault("env", self.environment)
        return subprocess.run([MEMTUN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=SECONDS, check=False, **how)

    def succeed(self, *words, **how):
        done = self.run_memtun(*words, **how)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout


class Log(Case):
    def test_a_full_pipe_as_standard_error_does_not_stop_the_broker(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(write, True)
        broker = self.broker("--log-level", "debug", stderr=write)
        for _ in range(20):
            self.assertEqual(self.run_memtun("show", "none").returncode, 1)
        broker.terminate()
        self.assertEqual(broker.wait(SECONDS), 0)
        os.close(read)
        os.close(write)

    def test_the_rate_limit_is_the_broker_s_not_the_connection_s(self):
        handoff = os.path.join(self.directory, "handoff")
        with open(os.path.join(self.directory, "log"), "w+b") as log:
            broker = self.broker("--handoff", handoff + "=taken", stderr=log)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(handoff)
                _, taken, _, _ = socket.recv_fds(first, 1, 1)
                for _ in range(200):  # each is warned of: the tunnel is taken
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(handoff)
                        self.assertEqual(client.recv(1), b"")
                os.close(taken[0])
            broker.terminate()
            self.assertEqual(broker.wait(SECONDS), 0)
            log.seek(0)
            lines = log.read().decode().splitlines()
        self.assertGreaterEqual(len(lines), 10)
        self.assertLess(len(lines), 150)
        self.assertRegex(lines[-1], r"^memtund: warning: \d+ lines of this level were suppressed$")


def closing(*descriptors):
    """Return a function for preexec_fn that closes the standard descriptors."""
    return lambda: [os.close(descriptor) for descriptor in descriptors]


class Descriptors(Case):
    def test_output_does_not_go_into_a_socket_that_is_descriptor_1(self):
        self.broker()
        self.succeed("add", "port")
        capture = self.start_ready(MEMTUN, "capture", "port", "-c", "1", stderr=subprocess.PIPE,
                                   preexec_fn=closing(1))
        self.succeed("inject", "--allow-drop", "port", "--hex", FRAME)
        self.assertIn(b"cannot write standard output", capture.communicate(timeout=SECONDS)[1])
        self.assertEqual(capture.returncode, 1)
        for options in ([], ["-j"]):
            monitor = self.start_ready(MEMTUN, "monitor", *options, stderr=subprocess.PIPE,
                                       preexec_fn=closing(1))
            self.succeed("set", "port", "mtu", "1400")
            self.assertNotIn(b"answered", monitor.communicate(timeout=SECONDS)[1])
            self.assertEqual(monitor.returncode, 1)

    @needs.filters
    def test_input_is_not_read_from_a_socket_that_is_descriptor_0(self):
        self.broker()
        self.succeed("add", "port")
        done = self.run_memtun("inject", "port", "--pcap", "-", preexec_fn=closing(0))
        self.assertEqual(done.returncode, 1)
        self.assertIn("Bad file descriptor", done.stderr)

    def test_no_socket_is_a_standard_descriptor(self):
        broker = self.broker(preexec_fn=closing(0, 1, 2))
        programs = [broker]
        self.succeed("add", "port")
        if os.path.exists(os.path.join(TOP, "memtun-host")):
            programs.append(self.start_ready(MEMTUN, "host", "other", "address", "10.0.0.1/24",
                                             preexec_fn=closing(0, 1, 2)))
        monitor = self.start_ready(MEMTUN, "monitor", preexec_fn=closing(0, 1, 2))
        capture = self.start_ready(MEMTUN, "capture", "port", preexec_fn=closing(0, 1, 2))
        programs += [monitor, capture]
        for process in programs:
            for number in range(3):
                link = f"/proc/{process.pid}/fd/{number}"
                self.assertEqual(os.readlink(link), "/dev/null", process.args)

    def test_a_command_s_standard_descriptors_that_were_closed_stay_closed(self):
        self.broker()
        for words in ((MEMTUN, "exec", "-t", "tap0"), (MEMTUND,)):
            how = {"env": {"PATH": os.environ["PATH"]}} if words == (MEMTUND,) else {}
            command = ["/bin/sh", "-c", "[ -e /proc/$$/fd/0 ] || [ -e /proc/$$/fd/1 ]"]
            process = self.start(*words, "--", *command, preexec_fn=closing(0, 1), **how)
            self.assertEqual(process.wait(SECONDS), 1)

    def test_memtund_closes_what_only_its_command_needs(self):
        read, write = os.pipe()
        other_read, other_write = os.pipe()
        process = self.start(MEMTUND, "--", "/bin/sh", "-c",
                             f"exec 1>&- {other_write}>&-; read -r line", stdin=subprocess.PIPE,
                             stdout=write, pass_fds=[other_write])
        os.close(write)
        os.close(other_write)
        for end in (read, other_read):
            self.assertTrue(select.select([end], [], [], SECONDS)[0], "the pipe stays open")
            self.assertEqual(os.read(end, 1), b"")
            os.close(end)
        self.assertIsNone(process.poll())
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(SECONDS), 1)


def blocking(*numbers):
    return lambda: signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def ignoring(*numbers):
    return lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers]


# Prints "ready", and then the number of each signal that it receives until one ends it.
RECEIVE = """import os, signal, sys
for name in ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2"):
    signal.signal(getattr(signal, "SIG" + name), lambda number, frame, name=name:
                  os.write(1, (name + "\\n").encode()))
print("ready", flush=True)
sys.stdin.read()
sys.exit(7)
"""


class Signals(Case):
    def test_memtund_sees_its_command_end_though_sigchld_was_blocked(self):
        process = self.start(MEMTUND, "--", "/bin/sh", "-c", "exit 9",
                             preexec_fn=blocking(signal.SIGCHLD))
        self.assertEqual(process.wait(SECONDS), 9)

    def test_memtund_ends_by_a_signal_that_was_blocked(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            broker = self.broker(preexec_fn=blocking(number))
            broker.send_signal(number)
            self.assertEqual(broker.wait(SECONDS), 0)

    def test_commands_end_by_a_signal_that_was_blocked(self):
        self.broker()
        self.succeed("add", "port")
        commands = [("monitor",), ("capture", "port")]
        if os.path.exists(os.path.join(TOP, "memtun-host")):
            commands.append(("host", "other", "address", "10.0.0.1/24"))
        for words in commands:
            for number in (signal.SIGTERM, signal.SIGINT):
                process = self.start_ready(MEMTUN, *words, preexec_fn=blocking(number))
                process.send_signal(number)
                self.assertIn(process.wait(SECONDS), (0, -number), words)

    def test_a_command_has_the_signals_that_memtund_and_exec_were_started_with(self):
        numbers = (signal.SIGTERM, signal.SIGPIPE, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP)
        look = ["/bin/sed", "-n", "/^Sig\\(Blk\\|Ign\\)/p", "/proc/self/status"]
        for prepare in (lambda: None, blocking(*numbers), ignoring(*numbers)):
            # Python itself ignores SIGPIPE, so the shell is asked what it has.
            expected = subprocess.run(look, stdout=subprocess.PIPE, preexec_fn=prepare, check=True)
            for words in ((MEMTUND,), (MEMTUN, "exec")):
                found = subprocess.run([*words, "--", *look], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, preexec_fn=prepare,
                                       env={"PATH": os.environ["PATH"]}, check=True,
                                       timeout=SECONDS)
                self.assertEqual(found.stdout, expected.stdout, words)

    def command(self, **how):
        """Start memtund with a command that prints the signals that it receives."""
        how.setdefault("env", {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.directory})
        process = self.start(MEMTUND, "--", sys.executable, "-c", RECEIVE, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, **how)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def finish(self, process):
        """Let the command end, and return what it still printed."""
        rest = process.communicate(timeout=SECONDS)[0]
        self.assertEqual(process.returncode, 7)
        self.assertEqual(os.listdir(self.directory), [])
        return rest

    def test_term_hup_usr1_and_usr2_are_relayed_to_the_command(self):
        process = self.command()
        for name in ("TERM", "HUP", "USR1", "USR2"):
            process.send_signal(getattr(signal, "SIG" + name))
            self.assertEqual(process.stdout.readline(), name + "\n")
        self.assertEqual(self.finish(process), "")

    def test_quit_and_int_do_not_end_memtund_and_are_not_relayed(self):
        process = self.command()
        process.send_signal(signal.SIGQUIT)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), "USR1\n")
        self.assertEqual(self.finish(process), "")


class Exec(Case):
    def test_many_tunnels_need_few_descriptors(self):
        self.broker()
        for count, limit in ((100, 110), (20, 30)):
            tunnels = [word for i in range(count) for word in ("-t", f"n{i}")]
            done = self.succeed("exec", *tunnels, "--", "/bin/sh", "-c",
                                "echo $LISTEN_FDS; ls /proc/$$/fd | sort -n | tail -n +4",
                                preexec_fn=lambda limit=limit: resource.setrlimit(
                                    resource.RLIMIT_NOFILE, (limit, limit)))
            lines = [int(line) for line in done.split()]
            self.assertEqual(lines[:count + 1], [count, *range(3, 3 + count)])

    def test_each_descriptor_is_its_tunnel_s_whatever_was_inherited(self):
        self.broker()
        tunnels = ["a", "b", "c"]
        for inherited in ([], [3], [4], [3, 4, 5], [5, 7]):
            null = os.open("/dev/null", os.O_RDWR)
            high = os.dup2(null, 40)

            def prepare(numbers=inherited):
                for number in range(3, 40):
                    if number in numbers:
                        os.dup2(40, number)
                    else:
                        try:
                            os.close(number)
                        except OSError:
                            pass

            send = "import os, struct\n" \
                   "for i, name in enumerate('abc'):\n" \
                   "    for _ in range(i + 1):\n" \
                   "        os.write(3 + i, bytes(12) + b'\\x88\\xb5' + bytes(46))\n"
            self.succeed("exec", *[w for t in tunnels for w in ("-t", t + ":persistent")], "--",
                         sys.executable, "-c", send, preexec_fn=prepare, close_fds=False)
            for i, name in enumerate(tunnels):
                shown, = json.loads(self.succeed("show", "-s", "-j", name))
                self.assertEqual(shown["from-client-frames"], i + 1)
                self.succeed("del", name)
            os.close(null)
            os.close(high)

    def test_variables_of_an_outer_exec_that_are_no_longer_true_are_gone(self):
        self.broker()
        inner = [MEMTUN, "exec", "-t", "b", "--", "/bin/sh", "-c", "env | grep -E '_FD|LISTEN_PID'"]
        done = self.succeed("exec", "-t", "a", "-t", "c", "--", *inner,
                            env={**self.environment, "LISTEN_PIDFDID": "7", "MEMTUN_FD_old": "99"})
        lines = sorted(line for line in done.split() if not line.startswith("LISTEN_PID="))
        self.assertEqual(lines, ["LISTEN_FDNAMES=b", "LISTEN_FDS=1", "MEMTUN_FD_b=3",
                                 "MEMTUN_FD_c=4"])


class Output(Case):
    def test_help_and_version_to_a_full_device_fail(self):
        for program in (MEMTUN, MEMTUND):
            for option in ("--help", "--version"):
                with open("/dev/full", "w", encoding="utf-8") as full:
                    done = subprocess.run([program, option], stdout=full, stderr=subprocess.PIPE,
                                          text=True, timeout=SECONDS, check=False)
                self.assertEqual((done.returncode, done.stderr), (
                    1, f"{os.path.basename(program)}: cannot write standard output: "
                       "No space left on device\n"))


if __name__ == "__main__":
    # However it goes wrong, it ends.
    signal.alarm(12 * SECONDS)
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
