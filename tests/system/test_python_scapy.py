#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real Scapy on tunnels of the Python package."""
from python_case import BUILD, PACKAGE, SECONDS, Case, skip

import os
import re
import socket
import subprocess
import unittest
from unittest import mock

# Scapy keeps its settings and a cache in the home directory, which a test does not touch.
os.environ["HOME"] = os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_CACHE_HOME"] = "/nonexistent"
try:
    from scapy.config import conf
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import ARP, Ether
    from scapy.packet import Raw
    from scapy.sendrecv import AsyncSniffer, sniff
except ImportError:
    skip("no Scapy here (Debian: python3-scapy)")

import doctest

import memtun
import memtun.scapy
from memtun.scapy import TunnelSocket


class Scapy(Case):
    def setUp(self):
        super().setUp()
        conf.verb = 0
        self.broker = self.use(memtun.broker())

    def socket(self, name, **options):
        made = TunnelSocket(self.broker.open(name, bridge="lab", **options))
        self.stack.callback(made.close)
        return made

    def test_the_example_runs(self):
        result = doctest.testmod(memtun.scapy, extraglobs={"broker": memtun.broker})
        self.assertEqual((result.failed, result.attempted), (0, 2))

    def test_the_example_of_the_readme_runs(self):
        with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
            example, = re.findall(r"```python\n(from memtun\.scapy .*?)```", file.read(), re.S)
        if not os.path.exists(os.path.join(BUILD, "memtun-host")):
            self.skipTest("memtun-host is not built (Debian: liblwip-dev)")
        host = self.use(subprocess.Popen(
            ["memtun", "host", "server", "bridge", "lab", "address", "10.0.0.1/24"],
            env=self.broker.environment))
        self.stack.callback(host.terminate)
        self.broker.wait("server", "open", timeout=SECONDS)
        names = {"tunnel": self.use(self.broker.open("tunnel", bridge="lab"))}
        exec(example, names)
        self.assertEqual(names["answer"][ARP].psrc, "10.0.0.1")

    def test_a_tunnel_without_a_known_mode_is_refused(self):
        end, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other, mock.patch.dict(os.environ, {"MEMTUN_FD_a": str(end.detach())}):
            with memtun.inherited()["a"] as a:
                with self.assertRaisesRegex(ValueError, "the mode of .* is not known"):
                    TunnelSocket(a)
                self.assertFalse(a.closed)

    def test_a_request_gets_its_answer(self):
        client, server = self.socket("client"), self.socket("server")

        def answer(request):
            if ARP in request:
                server.send(Ether(src="02:00:00:00:00:02", dst=request.src) / ARP(
                    op="is-at", hwsrc="02:00:00:00:00:02", psrc=request[ARP].pdst,
                    hwdst=request.src, pdst=request[ARP].psrc))

        sniffer = AsyncSniffer(opened_socket=server, prn=answer, count=1, timeout=SECONDS)
        sniffer.start()
        got = client.sr1(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") /
                         ARP(hwsrc="02:00:00:00:00:01", psrc="10.0.0.1", pdst="10.0.0.2"),
                         timeout=SECONDS)
        sniffer.join()
        self.assertEqual((got[ARP].psrc, got[ARP].hwsrc), ("10.0.0.2", "02:00:00:00:00:02"))
        self.assertGreater(got.time, 0)

    def test_packets_of_a_tun_are_ip(self):
        left, right = self.socket("left", mode="tun"), self.socket("right", mode="tun")
        sent = [IP(src="10.0.0.1", dst="10.0.0.2") / UDP(dport=7) / b"four",
                IPv6(src="fd00::1", dst="fd00::2") / UDP(dport=7) / b"six"]
        for packet in sent:
            self.assertEqual(left.send(packet), len(bytes(packet)))
        got = sniff(opened_socket=right, count=2, timeout=SECONDS)
        self.assertEqual([(type(packet), packet[Raw].load) for packet in got],
                         [(IP, b"four"), (IPv6, b"six")])

    def test_a_deleted_tunnel_ends_a_sniffer(self):
        made = self.socket("a")
        self.broker.delete("a")
        self.assertEqual(len(sniff(opened_socket=made, timeout=SECONDS)), 0)

    def test_a_tunnel_with_headers_is_refused(self):
        with self.broker.open("a", mode="tun", pi=True) as a:
            with mock.patch("sys.unraisablehook") as hook, self.assertRaises(ValueError):
                TunnelSocket(a)
            hook.assert_not_called()
            self.assertFalse(a.closed)


if __name__ == "__main__":
    unittest.main()
