#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the commands of a tutorial page as its reader does, and compare what they print with the page.

    tests/system/tutorial.py doc/tutorial/PAGE.md

The commands are the lines of the page's blocks ```console that begin with "$ ". They are typed one after
another into one shell on a terminal, as an ordinary user, in a directory that is empty at first. The lines
below a command are what it prints. These differences are allowed:

- A line "..." stands for any lines, or for none; " ..." at the end of a line stands for its rest.
- Another time or another pid: see VARYING. The width of blanks may differ too, as in a table with pids.
- "cat FILE" of a file that does not exist: the reader writes this file first, and so does this program.

A block ```yaml quotes the file that the page links to before it.

At the end of the page no process may be left. Where a program is missing that the page names as
"`PROGRAM` (Debian package `PACKAGE`)", the page is skipped."""
import contextlib
import difflib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

import needs

SOURCE = os.path.abspath(os.environ.get("top_srcdir", "."))
BUILD = os.path.abspath(os.environ.get("top_builddir", "build"))
SECONDS = 60  # the limit of one command; QEMU without KVM takes a few seconds to boot
PROMPT = "\x02prompt\x03"
USER = 1000  # of an ordinary user where root runs this; it needs no entry in passwd(5)
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all",
           "--bounding-set=-all"]

# What may differ from the page, and what it becomes before the comparison.
VARYING = (
    (r"\b\d\d:\d\d:\d\d\.\d+", "TIME"),  # of a captured frame
    (r"(?<![\d.])\d+\.\d+(?![\d.])", "NUMBER"),  # with one decimal point, such as seconds
    (r"\b\d+( ?m?s)\b", r"NUMBER\1"),
    (r"\bpid +\d+", "pid NUMBER"),
    (r"\bof user [\w-]+", "of user NAME"),
    (r", pipe \d+$", ""),  # of a ping that took longer than the interval
    (r"[ \t]+", " "),
)

# Programs of the build that the words of a command need, and the Debian package without which configure
# leaves the program out.
BUILT = {
    "memtun host": ("memtun-host", "liblwip-dev"),
    "memtun ping": ("memtun-host", "liblwip-dev"),
    "type user": ("memtun-user", "libslirp-dev"),
    "lwip-http-server": ("examples/lwip-http-server", "liblwip-dev"),
    "lwip-http-client": ("examples/lwip-http-client", "liblwip-dev"),
    "privsep": ("examples/privsep", "libseccomp-dev"),
}
# What is copied for the reader, who may have no access to the build directory. A program that is linked to
# a library of the build is in .libs; examples/privsep itself is then a script of libtool.
COPIED = ("memtund", "memtun", "memtun-host", "memtun-user", ".libs/libmemtun-preload.so",
          ".libs/libmemtun.so.0", "examples/lwip-http-server", "examples/lwip-http-client",
          "examples/.libs/privsep")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def fail(why):
    print(f"FAILED: {why}")
    sys.exit(1)


# --- the page ---

def compare_quotations(path, text):
    """Compare each block ```yaml with the file that the page links to before it."""
    for block in re.finditer(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        links = re.findall(r"\]\(([^)]+)\)", text[:block.start()])
        if not links:
            fail("there is no link to a file before a quotation")
        with open(os.path.join(os.path.dirname(path), links[-1]), encoding="utf-8") as file:
            if block[1] not in file.read():
                fail(f"{links[-1]} does not have these lines:\n{block[1]}")


def page_commands(text):
    """Return the commands of the page, each with the lines that it prints."""
    commands = []
    kind = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            kind = line[3:] if kind is None else None
        elif kind is None:
            continue
        elif kind != "console":
            if line.startswith("$ "):
                fail(f"line {number}: a command is in a block that is not ```console")
        elif line.startswith("$ "):
            commands.append((line[2:], []))
        elif not commands:
            fail(f"line {number}: there is no command before this output")
        elif commands[-1][0].endswith("\\"):
            commands[-1] = (commands[-1][0] + "\n" + line, [])
        else:
            commands[-1][1].append(line)
    return commands


def line_plain(line):
    """Return the line without what may vary."""
    for pattern, name in VARYING:
        line = re.sub(pattern, name, line)
    return line.strip()


def lines_match(expected, printed):
    """Return whether the printed lines are the expected ones, where "..." stands for any lines."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(lines_match(expected[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and line_matches(expected[0], printed[0]) and \
        lines_match(expected[1:], printed[1:])


def line_matches(expected, printed):
    if expected.endswith(" ..."):
        return printed.startswith(expected[:-4])
    return printed == expected


# --- the reader ---

class Reader:
    """A user at a terminal, with a shell in a directory of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="memtun-", dir="/tmp")
        self.home = os.path.join(self.directory, "home")
        self.programs = os.path.join(self.directory, "bin")
        self.as_user = []
        self.shell = None
        self.terminal = -1
        # Each run has loopback addresses of its own, as several may run at the same time.
        number = os.getpid()
        self.loopback = f"127.{128 + (number >> 8) % 100}.{number % 256}."
        self.make_directory()
        self.environment = {
            "PATH": self.programs + os.pathsep + os.environ.get("PATH", os.defpath),
            "LD_LIBRARY_PATH": self.programs, "HOME": self.home, "LC_ALL": "C.UTF-8",
            "TERM": "dumb", "ENV": os.path.join(self.directory, "profile"),
        }

    def make_directory(self):
        os.chmod(self.directory, 0o755)
        os.mkdir(self.home)
        os.mkdir(self.programs)
        for program in COPIED:
            path = os.path.join(BUILD, program)
            if os.path.exists(path):
                copy = os.path.join(self.programs, os.path.basename(path))
                shutil.copy(path, copy)
                os.chmod(copy, 0o755)
        # No editing of lines, and a prompt that no program prints.
        with open(os.path.join(self.directory, "profile"), "w", encoding="utf-8") as profile:
            profile.write(f"set +o emacs; PS1='{PROMPT}'; PS2=\n")
        os.chmod(profile.name, 0o644)
        if os.getuid() == 0 and subprocess.run(AS_USER + ["true"], check=False).returncode == 0:
            os.chown(self.home, USER, USER)
            self.as_user = AS_USER

    def succeeds(self, *command):
        """Return whether the reader can run the command, and the last line that it printed."""
        done = subprocess.run([*self.as_user, *command], cwd=self.home, env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        return done.returncode == 0, (done.stdout.decode().splitlines() or [""])[-1]

    def start(self):
        self.terminal, theirs = pty.openpty()
        modes = termios.tcgetattr(theirs)
        modes[1] &= ~termios.OPOST  # a line ends in \n alone
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.shell = subprocess.Popen(["setsid", "--ctty", *self.as_user, "sh"], cwd=self.home,
                                      env=self.environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.read_output()

    def read_output(self):
        """Return what the terminal shows until the next prompt, or raise an EOFError with it."""
        shown = b""
        limit = time.monotonic() + SECONDS
        while not shown.endswith(PROMPT.encode()):
            if not select.select([self.terminal], [], [], max(0, limit - time.monotonic()))[0]:
                raise EOFError(f"no prompt after {SECONDS} seconds", shown)
            try:
                read = os.read(self.terminal, 65536)
            except OSError:
                read = b""
            if not read:
                raise EOFError("the shell has ended", shown)
            shown += read
        return shown.decode(errors="replace")[:-len(PROMPT)]

    def type(self, command):
        """Type a command and return what it prints, without the shell's messages about jobs."""
        os.write(self.terminal, command.replace("127.0.0.", self.loopback).encode() + b"\n")
        shown = self.read_output().replace(self.loopback, "127.0.0.").replace(self.home, "/home/me")
        if command == "exit":
            shown = re.sub(r"^exit\n", "", shown)  # bash says so
        return re.sub(r"^\[\d+\][ +-].*\n", "", shown, flags=re.MULTILINE)

    def processes(self):
        """Return the processes that are the reader's: of the session of the shell, or a copied program."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                    name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
                state, _, _, session = rest.split()[:4]
                program = os.readlink(f"/proc/{pid}/exe")
            except PermissionError:
                program = ""
            except OSError:  # it has ended
                continue
            if state not in "ZX" and (int(session) == self.shell.pid or
                                      program.startswith(self.directory + "/")):
                found[int(pid)] = name
        return found

    def end(self):
        """End the shell, and return the names of the processes that outlive it."""
        left = {}
        if self.shell:
            with contextlib.suppress(OSError):  # it has ended already
                os.write(self.terminal, b"exit\n")
            limit = time.monotonic() + 5
            while self.processes() and time.monotonic() < limit:
                select.select([self.terminal], [], [], 0.02)
                self.shell.poll()
            left = self.processes()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.close(self.terminal)
            self.shell.wait()
        shutil.rmtree(self.directory)
        return sorted(left.values())


# --- the test ---

def skip_what_is_missing(text, commands, reader):
    """Skip the page where a program that it needs is not there, or does not work."""
    used = "\n".join("\n".join((command, *lines)) for command, lines in commands)
    if has_sanitizer(os.path.join(reader.programs, "memtun")):
        skip("pages are run without sanitizers, which would print reports among the page's output")
    for what in ("tables", "filters"):
        if not needs.built_with(what):
            skip(needs.why_not(what))
    for program, package in re.findall(r"`([\w-]+)`\s+\(Debian\s+package\s+`([\w-]+)`\)", text):
        if not shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin"):
            skip(f"no {program} here (Debian: {package})")
    for words, (program, package) in BUILT.items():
        if words in used and not os.path.exists(os.path.join(BUILD, program)):
            skip(f"{program} is not built (Debian: {package})")
    if "memtun netns" in used:
        works, said = reader.succeeds("memtun", "netns", "-t", "try:bridge=try", "--", "true")
        if not works:
            skip(f"no namespaces for an ordinary user here: {said}")
    if "qemu-system" in used:
        skip_without_network_boot()
    if "memtun wrap" in used:
        works, said = reader.succeeds("memtun", "wrap", "--notify", "--explain")
        if not works:
            skip(f"no seccomp notifications here: {said}")
        if elf_class(os.path.join(reader.programs, "memtun")) != elf_class("/bin/sh"):
            skip("memtun is built for another word size than /bin/sh")


def skip_without_network_boot():
    def qemu(*words):
        return subprocess.run(["qemu-system-x86_64", *words], stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.DEVNULL, timeout=SECONDS).stdout.decode().split()
    if "dgram" not in qemu("-netdev", "help"):
        skip("this qemu-system-x86_64 has no -netdev dgram (7.2 has)")
    if not any(os.path.exists(os.path.join(folder, "efi-e1000.rom")) for folder in qemu("-L", "help")):
        skip("no network boot ROM here (Debian: ipxe-qemu)")


def elf_class(path):
    """Return byte 4 of an ELF file, its class: 32 or 64 bits."""
    with open(path, "rb") as file:
        return file.read(5)[4]


def has_sanitizer(path):
    with open(path, "rb") as file:
        return b"__asan_init" in file.read()


def command_check(reader, command, expected):
    """Type one command and compare what it prints."""
    file = re.fullmatch(r"cat ([\w.-]+)", command)
    if file and not os.path.exists(os.path.join(reader.home, file[1])):
        path = os.path.join(reader.home, file[1])
        with open(path, "w", encoding="utf-8") as written:
            written.writelines(line + "\n" for line in expected)
        os.chmod(path, 0o644)
    start = time.monotonic()
    printed = reader.type(command).splitlines()
    print(f"$ {command}", *printed, sep="\n")
    print(f"[{time.monotonic() - start:.1f} s]", flush=True)
    plain = [line_plain(line) for line in expected], [line_plain(line) for line in printed]
    if lines_match(*plain):
        return
    print(*difflib.unified_diff(*plain, "the page", "the program", lineterm=""), sep="\n")
    fail(f"another output than on the page: {command}")


def main(path):
    with open(path, encoding="utf-8") as page:
        text = page.read()
    commands = page_commands(text)
    compare_quotations(path, text)
    if not commands:
        fail("the page has no command")
    os.umask(0o022)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    reader = Reader()
    left = []
    try:
        skip_what_is_missing(text, commands, reader)
        reader.start()
        for command, expected in commands:
            command_check(reader, command, expected)
    except EOFError as error:
        print(error.args[1].decode(errors="replace"))
        fail(error.args[0])
    finally:
        left = reader.end()
        print(*(f"left: {name}" for name in left), sep="\n", end="\n" if left else "")
    if left:
        fail("processes outlive the page: " + ", ".join(left))
    print(f"ok: {len(commands)} commands print what the page has")


main(sys.argv[1])
