# SPDX-License-Identifier: MIT
"""What programs do with the interface of a tunnel under memtun wrap, for test_wrap_shared.sh.

    hold ADDRESS...         open a TUN and a TAP, give each an address, print their names, and then,
                            for each line on standard input, the names that they have now
    late                    open the device, print a line, wait for one, and print TUNSETIFF's errno
    keep NAME               attach a TUN, print a line, ask for its name until there is a line on
                            standard input, and print the name
    look                    print the tunnels' interfaces in SIOCGIFCONF's list, with their flags
    rename NAME NEW         SIOCSIFNAME
    set NAME ADDRESS        SIOCSIFADDR
    mac NAME                print the MAC address of SIOCGIFHWADDR
    arp FD ADDRESS          ask on the TAP for the address, and print the MAC address that answers
"""
import array
import errno
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, TUNGETIFF = 0x400454CA, 0x800454D2
SIOCGIFCONF, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFADDR = 0x8912, 0x8913, 0x8914, 0x8915
SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFNAME, SIOCGIFHWADDR = 0x8916, 0x891C, 0x8923, 0x8927
SIOCGIFINDEX = 0x8933
IFREQ_SIZE = struct.calcsize("16sPPP") if struct.calcsize("P") == 8 else 32
SECONDS = 20  # for what takes much less


def text(raw):
    """Return the string that ends with the first NUL."""
    return raw.split(b"\0")[0].decode()


def ask(control, request, name, value=b""):
    """Make the request about the interface, and return the union of struct ifreq."""
    raw = struct.pack("16s", name.encode()) + value
    return fcntl.ioctl(control, request, raw.ljust(IFREQ_SIZE, b"\0"))[16:]


def ipv4(address):
    """Return a struct sockaddr_in."""
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def hold(control, addresses):
    """Open a tunnel for each address: a TUN, then a TAP."""
    devices = []
    for number, address in enumerate(addresses):
        fd = os.open("/dev/net/tun", os.O_RDWR)
        raw = struct.pack("16sH", b"shared%d" % number, 0x1001 + number).ljust(IFREQ_SIZE, b"\0")
        name = text(fcntl.ioctl(fd, TUNSETIFF, raw)[:16])
        ask(control, SIOCSIFADDR, name, ipv4(address))
        ask(control, SIOCSIFNETMASK, name, ipv4("255.255.255.0"))
        flags = struct.unpack_from("H", ask(control, SIOCGIFFLAGS, name))[0]
        ask(control, SIOCSIFFLAGS, name, struct.pack("H", flags | 1))
        devices.append(fd)
    while True:
        names = [text(fcntl.ioctl(fd, TUNGETIFF, bytes(IFREQ_SIZE))[:16]) for fd in devices]
        shown = [socket.inet_ntoa(ask(control, SIOCGIFADDR, name)[4:8]) for name in names]
        print(*names, *shown, flush=True)
        if not sys.stdin.readline():
            return


def late():
    """Attach a device that was open before."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    print("open", flush=True)
    sys.stdin.readline()
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"late0", 0x1001).ljust(IFREQ_SIZE, b"\0"))
        print("attached", flush=True)
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)


def keep(name):
    """Ask for the name of a device again and again."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), 0x1001).ljust(IFREQ_SIZE, b"\0"))
    print("attached", flush=True)
    while not select.select([0], [], [], 0)[0]:
        name = text(fcntl.ioctl(fd, TUNGETIFF, bytes(IFREQ_SIZE))[:16])
    print(name, flush=True)


def look(control):
    """List the interfaces with an address that are no interfaces of the kernel."""
    room = array.array("B", bytes(200 * IFREQ_SIZE))
    raw = struct.pack("iP", len(room), room.buffer_info()[0])
    length = struct.unpack_from("i", fcntl.ioctl(control, SIOCGIFCONF, raw))[0]
    entries = room.tobytes()
    for at in range(0, length, IFREQ_SIZE):
        name = text(entries[at : at + 16])
        if struct.unpack_from("i", ask(control, SIOCGIFINDEX, name))[0] < 1 << 20:
            continue
        address = socket.inet_ntoa(entries[at + 20 : at + 24])
        flags = struct.unpack_from("H", ask(control, SIOCGIFFLAGS, name))[0]
        again = socket.inet_ntoa(ask(control, SIOCGIFADDR, name)[4:8])
        print(name, address, again, "up" if flags & 1 else "down", "running" if flags & 0x40 else "")


def rename(control, name, new):
    """Rename the interface, or print the error's name."""
    try:
        ask(control, SIOCSIFNAME, name, struct.pack("16s", new.encode()))
    except OSError as error:
        print(errno.errorcode[error.errno])


def arp(fd, address):
    """Ask who has the address, and print the MAC address of the answer."""
    mac = bytes.fromhex("020000000099")
    frame = b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1)
    frame += mac + socket.inet_aton("10.0.0.99") + bytes(6) + socket.inet_aton(address)
    os.write(fd, frame)
    while select.select([fd], [], [], SECONDS)[0]:
        answer = os.read(fd, 2048)
        if answer[:6] == mac and answer[12:14] == b"\x08\x06" and answer[20:22] == b"\x00\x02":
            print(socket.inet_ntoa(answer[28:32]), answer[22:28].hex(":"))
            return
    print("no answer")


def main():
    """Carry out the command line."""
    what, arguments = sys.argv[1], sys.argv[2:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        if what == "hold":
            hold(control, arguments)
        elif what == "late":
            late()
        elif what == "keep":
            keep(*arguments)
        elif what == "look":
            look(control)
        elif what == "rename":
            rename(control, *arguments)
        elif what == "set":
            ask(control, SIOCSIFADDR, arguments[0], ipv4(arguments[1]))
        elif what == "mac":
            print(ask(control, SIOCGIFHWADDR, arguments[0])[2:8].hex(":"))
        elif what == "arp":
            arp(int(arguments[0]), arguments[1])


main()
