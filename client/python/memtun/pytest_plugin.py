# SPDX-License-Identifier: MIT
"""Fixtures for pytest: a broker, a bridge and tunnels for each test.

pytest loads this plugin when the package is installed. It starts and imports nothing before a test
uses a fixture::

    def test_a_frame_passes(memtun_tunnel):
        a, b = memtun_tunnel("a"), memtun_tunnel("b")
        a.send(b"\\xff" * 6 + b"\\x02\\0\\0\\0\\0\\1" + b"\\x88\\xb5")
        assert len(b.recv()) == 14

The report of a test that fails tells the file with all frames of its bridge, for Wireshark and
tcpdump, and the seed. ``pytest --memtun-seed=SEED`` runs the test with the same seed again.
"""
from typing import TYPE_CHECKING, Any, Callable, Dict, Generator, Iterator, List, Optional

import pytest

if TYPE_CHECKING:
    from ._broker import Broker
    from ._record import Record
    from ._recorder import Recorder
    from ._tunnel import Tunnel

#: What the tests that use a fixture have for their report.
_RECORDERS: "pytest.StashKey[List[Recorder]]" = pytest.StashKey()
_SEED: "pytest.StashKey[int]" = pytest.StashKey()
_FAILED: "pytest.StashKey[bool]" = pytest.StashKey()

#: How long recv() waits in a test, in seconds: a failing test ends.
_TIMEOUT = 10.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("memtun")
    group.addoption("--memtund", metavar="PROGRAM", default="memtund",
                    help="the broker that the memtun fixtures start (default: memtund)")
    group.addoption("--memtun-seed", metavar="SEED", type=int, default=None,
                    help="the seed of memtun_seed; default: another one for each test")


@pytest.fixture
def memtun_seed(request: pytest.FixtureRequest) -> int:
    """A number for what the test does at random. The report of a failing test tells it."""
    seed: Optional[int] = request.config.getoption("--memtun-seed")
    if seed is None:
        import secrets
        seed = secrets.randbits(32)
    request.node.stash[_SEED] = seed
    return seed


@pytest.fixture
def memtun_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
                  memtun_seed: int) -> "Iterator[Broker]":
    """A private broker of this test. Programs that the test starts find it by MEMTUN_SOCKET.

    They find the seed in MEMTUN_SEED. It is also the default seed of the broker's rules.
    """
    from ._broker import broker
    monkeypatch.setenv("MEMTUN_SEED", str(memtun_seed))
    with broker(program=request.config.getoption("--memtund")) as started:
        monkeypatch.setenv("MEMTUN_SOCKET", started.address)
        yield started


class Bridge:
    """The bridge of a test."""

    def __init__(self, broker: "Broker", name: str) -> None:
        self.broker = broker
        self.name = name

    def __str__(self) -> str:
        return self.name

    def open(self, name: str = "tap%d", **options: Any) -> "Tunnel":
        """Open a tunnel on this bridge, with the options of Broker.open()."""
        return self.broker.open(name, bridge=self.name, **options)

    def show(self) -> "Record":
        """Return the bridge's record."""
        return self.broker.bridges.show(self.name)


@pytest.fixture
def memtun_bridge(request: pytest.FixtureRequest, tmp_path: Any,
                  memtun_broker: "Broker") -> Iterator[Bridge]:
    """A bridge of this test, whose frames are captured in case that the test fails."""
    from ._recorder import Recorder
    memtun_broker.bridges.add("bridge")
    recorder = Recorder(memtun_broker, "bridge", tmp_path / "bridge.pcapng")
    request.node.stash.setdefault(_RECORDERS, []).append(recorder)
    try:
        yield Bridge(memtun_broker, "bridge")
    finally:
        recorder.stop()


@pytest.fixture
def memtun_tunnel(memtun_bridge: Bridge) -> "Iterator[Callable[..., Tunnel]]":
    """A function that opens a tunnel on the test's bridge, as Bridge.open() does.

    recv() and send() of the tunnel wait at most 10 seconds, unless the test calls settimeout(). The
    tunnels are closed after the test.
    """
    opened: "List[Tunnel]" = []

    def open_tunnel(name: str = "tap%d", **options: Any) -> "Tunnel":
        tunnel = memtun_bridge.open(name, **options)
        tunnel.settimeout(_TIMEOUT)
        opened.append(tunnel)
        return tunnel

    try:
        yield open_tunnel
    finally:
        for tunnel in opened:
            tunnel.close()


# --- the report ---

def _sections(item: pytest.Item) -> Dict[str, str]:
    """Return the lines that the report of a failing test has, by their subject."""
    lines: Dict[str, str] = {}
    for recorder in item.stash.get(_RECORDERS, []):
        recorder.stop()
        missed = f"; {recorder.missed} more were missed" if recorder.missed else ""
        lines["capture"] = f"{recorder.path} ({recorder.frames} frames{missed})"
    seed = item.stash.get(_SEED, None)
    if seed is not None:
        lines["seed"] = f"{seed} (run it again: pytest --memtun-seed={seed})"
    return lines


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the capture and the seed to the report of a test that fails."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and not item.stash.get(_FAILED, False):
        item.stash[_FAILED] = True
        lines = _sections(item)
        if lines:
            report.sections.append(("memtun", "\n".join(
                f"{subject}: {text}" for subject, text in lines.items())))
    if report.when == "teardown":
        # A plugin may run the same item again.
        if not item.stash.get(_FAILED, False):
            for recorder in item.stash.get(_RECORDERS, []):
                recorder.remove()
        item.stash[_FAILED] = False
        item.stash.get(_RECORDERS, []).clear()
