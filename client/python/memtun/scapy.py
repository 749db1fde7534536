# SPDX-License-Identifier: MIT
"""A tunnel as a socket of Scapy, which sniff() and other functions take as ``opened_socket``.

>>> from scapy.all import ARP, Ether, sniff
>>> with broker() as b, b.open("a", bridge="lab") as a, b.open("b", bridge="lab") as other:
...     left, right = TunnelSocket(a), TunnelSocket(other)
...     size = left.send(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.1"))
...     sniff(opened_socket=right, count=1, timeout=5)[0][ARP].pdst
'10.0.0.1'
"""
import time
from typing import Any, Optional, Tuple, Type

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.supersocket import SuperSocket

from ._tunnel import Tunnel


class TunnelSocket(SuperSocket):  # type: ignore[misc] # Scapy has no types everywhere
    """Sends and receives packets on a tunnel. Closing it closes the tunnel."""

    desc = "read and write packets on a tunnel of memtun"
    nonblocking_socket = True

    def __init__(self, tunnel: Tunnel) -> None:
        if tunnel.record.mode is None:
            self.closed = True  # the tunnel stays the caller's
            raise ValueError(f"the mode of {tunnel!r} is not known; "
                             "memtun.inherited(memtun.connect()) asks the broker")
        if tunnel.record.pi or tunnel.record.vnet_hdr:
            self.closed = True  # the tunnel stays the caller's
            raise ValueError(f"{tunnel!r} has headers before its frames (pi, vnet_hdr)")
        self.tunnel = tunnel
        self.ins = self.outs = tunnel

    def fileno(self) -> int:
        """Return the tunnel's descriptor."""
        return self.tunnel.fileno()

    def send(self, x: Any) -> int:
        """Send a packet, and return its length."""
        frame = bytes(x)
        if isinstance(x, Packet):
            x.sent_time = time.time()
        self.tunnel.send(frame)
        return len(frame)

    def recv_raw(self, x: int = 0) -> Tuple[Optional[Type[Packet]], Optional[bytes],
                                            Optional[float]]:
        """Return the class of the next frame, the frame, and the time; None at the end."""
        frame = self.tunnel.recv()
        if not frame:
            raise EOFError
        if self.tunnel.record.mode == "tap":
            layer = Ether
        else:
            layer = {4: IP, 6: IPv6}.get(frame[0] >> 4, Raw)
        return layer, frame, time.time()

    def close(self) -> None:
        """Close the tunnel."""
        if not self.closed:
            self.closed = True
            self.tunnel.close()
