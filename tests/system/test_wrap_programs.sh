#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# Real programs under memtun wrap, run by an ordinary user without capabilities: each carries packets
# from end to end. What is not installed is skipped with a message.
#
# test_wrap_container.sh and test_wrap_container_root.sh run the same in a container.
TEST_SECONDS=150
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"
container_variant
notify_or_skip
word_size_or_skip
have_python || skip "no Python here to talk to a host with"
[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
python=${PYTHON:-python3}
user_broker_start
hosts="address 10.0.0.1/24 gateway 10.0.0.3 address fd00::1/64 gateway fd00::3"

# wrapped_start WORD...: starts memtun wrap WORD... as $program.
wrapped_start() {
	(cd "$scratch/home" && exec $as_user $container memtun wrap "$@") </dev/null \
		>"$scratch/program-output" 2>&1 &
	program=$!
	started="$started $program"
}
is_open() {
	run $as_user memtun wait "$1" open --timeout 20
	[ "$status" = 0 ] || fail "$1 was not opened: $(cat "$scratch/program-output")"
}
part_skipped() {
	echo "skipped a part: $*"
}

# --- Python: os.open and fcntl.ioctl, an ARP request and its reply ---

cat >"$scratch/arp.py" <<'END'
import fcntl, os, struct
fd = os.open("/dev/net/tun", os.O_RDWR)
name = fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"py%d", 0x1002))[:16].rstrip(b"\0")
mac = b"\2\0\0\0\0\7"
os.write(fd, b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac +
         bytes([10, 0, 0, 9]) + b"\0" * 6 + bytes([10, 0, 0, 1]) + b"\0" * 18)
while True:
    frame = os.read(fd, 2048)
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2":
        break
print(name.decode(), "has heard from", ".".join(str(byte) for byte in frame[28:32]))
END
host_start vm bridge py $hosts
ends_with 0 wrapped --bridge py -- "$python" "$scratch/arp.py"
is "$output" "py0 has heard from 10.0.0.1" "what the Python program says"
ok "Python with os and fcntl"

# --- the calls of the comparison with the kernel ---

ends_with 0 wrapped -- wrap-calls </dev/null
is "$(grep -c '^tap: ' "$scratch/output")" 64 "the calls on a TAP"
has "$output" "open: relative to the working directory: 0"
has "$output" "interface wtap: SIOCGIFADDR 2 0.0.0.0: 0 2 10.1.2.3"
ok "all calls that test_wrap_kernel.sh compares"

# --- a Go program ---

if command -v go >/dev/null; then
	cat >"$scratch/arp.go" <<'END'
package main

import ("fmt"; "os"; "syscall"; "unsafe")

func main() {
	device, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil { fmt.Println(err); os.Exit(1) }
	var request [40]byte
	copy(request[:], "go%d")
	request[16], request[17] = 0x02, 0x10
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), 0x400454ca,
		uintptr(unsafe.Pointer(&request[0]))); e != 0 { fmt.Println(e); os.Exit(1) }
	frame := []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x08\x08\x06\x00\x01\x08\x00\x06\x04" +
		"\x00\x01\x02\x00\x00\x00\x00\x08\x0a\x00\x00\x08\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x01")
	device.Write(append(frame, make([]byte, 18)...))
	buffer := make([]byte, 2048)
	for {
		length, err := device.Read(buffer)
		if err != nil { fmt.Println(err); os.Exit(1) }
		if length >= 42 && buffer[12] == 8 && buffer[13] == 6 && buffer[21] == 2 { break }
	}
	fmt.Println(string(request[:3]), "has heard from", buffer[28:32])
}
END
	(cd "$scratch" && HOME=$scratch GOCACHE=$scratch/go-cache GO111MODULE=off CGO_ENABLED=0 \
		go build -o bin/go-arp arp.go) >"$scratch/go-output" 2>&1 ||
		fail "go: $(cat "$scratch/go-output")"
	ends_with 0 wrapped --bridge py -- go-arp
	is "$output" "go0 has heard from [10 0 0 1]" "what the Go program says"
	ok "a Go program, which has no C library"
else
	part_skipped "no Go compiler here (Debian: golang-go)"
fi

# --- Twisted ---

if "$python" -c 'import twisted.pair.test.test_tuntap' 2>/dev/null; then
	run wrapped -- "$python" -m twisted.trial twisted.pair.test.test_tuntap
	# Four need the kernel's UDP on the tunnel, and two an ioctl that no tun device has. Without
	# wrap, an ordinary user's 16 tests of the real device are skipped.
	has "$output" "Ran 118 tests"
	has "$output" "(failures=2, errors=4, successes=112)"
	ok "Twisted's tests of TuntapPort: 112 of 118 pass, 4 need the kernel's TCP/IP"
else
	part_skipped "no Twisted here (Debian: python3-twisted)"
fi

# --- socat: it makes, configures and reads a TUN ---

if command -v socat >/dev/null; then
	wrapped_start --bridge socat -- socat \
		TUN:10.0.0.7/24,tun-name=socat0,tun-type=tap,iff-no-pi,iff-up EXEC:cat
	is_open socat0
	mac=02:00:00:00:00:05
	if part_needs filters; then
		watches "$scratch/expected" $as_user memtun expect socat0 --timeout 20 "ether src $mac"
		expecting=$!
		ends_with 0 $as_user memtun inject socat0 --hex \
			ffffffffffff020000000005080600000000000000000000000000000000
		wait $expecting || fail "socat has not sent the frame back: $(cat "$scratch/program-output")"
	fi
	kill "$program"
	wait "$program"
	ok "socat TUN: sets its address and flags, and carries frames"
else
	part_skipped "no socat here (Debian: socat)"
fi

# --- OpenVPN: two, with a static key, as daemons ---

# vpn_start NAME TYPE HERE THERE
vpn_start() {
	ends_with 0 wrapped --bridge "$1" -- openvpn --daemon --writepid "$scratch/home/$1.pid" \
		--log "$scratch/home/$1.log" --dev "$1" --dev-type "$2" --secret key \
		--cipher AES-256-CBC --ifconfig-noexec --route-noexec --local "$3" --remote "$4" \
		--port 11940
	is_open "$1"
}
vpn_end() {
	kill "$(cat "$scratch/home/$1.pid")"
	ends_with 0 $as_user memtun wait "$1" closed --timeout 20
}
if command -v openvpn >/dev/null; then
	openvpn --genkey secret "$scratch/home/key" >/dev/null 2>&1 || fail "openvpn made no key"
	chmod 644 "$scratch/home/key"
	# An address of the loopback that hardly another program has.
	net=127.$(($$ / 65536 % 200 + 20)).$(($$ / 256 % 256))
	for type in tap tun; do
		vpn_start left$type $type $net.1 $net.2
		vpn_start right$type $type $net.2 $net.1
		host_start far$type mode $type bridge right$type $hosts
		answers pc$type:mode=$type,bridge=left$type $type
		vpn_end left$type
		vpn_end right$type
	done
	ok "two OpenVPN daemons carry ping, UDP and TCP, with tun and tap"
else
	part_skipped "no OpenVPN here (Debian: openvpn)"
fi

# --- QEMU: a PC with -netdev tap gets its address by DHCP ---

qemu=qemu-system-x86_64
rom=
if command -v $qemu >/dev/null; then
	for directory in $($qemu -L help); do
		[ ! -e "$directory/efi-e1000.rom" ] || rom=yes
	done
fi
if [ -n "$rom" ] && $qemu -netdev help 2>/dev/null | grep -qx dgram; then
	mkdir "$scratch/tftp"
	printf '#!ipxe\necho booted-through-wrap\n' >"$scratch/tftp/boot.ipxe"
	chmod 755 "$scratch/tftp"
	chmod 644 "$scratch/tftp/boot.ipxe"
	mkfifo "$scratch/serial"
	$as_user memtun exec -t srv:bridge=lab -- $qemu -M none -display none -nodefaults \
		-monitor none -netdev "user,id=u,tftp=$scratch/tftp,bootfile=boot.ipxe" \
		-netdev 'dgram,id=m,local.type=fd,local.str={srv}' \
		-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m \
		</dev/null >"$scratch/server-output" 2>&1 &
	started="$started $!"
	is_open srv
	(cd "$scratch/home" && exec $as_user $container memtun wrap --bridge lab -- $qemu -M pc -m 64 \
		-display none -nodefaults -nographic -serial stdio -monitor none -boot n -no-reboot \
		-netdev tap,id=m,ifname=vmtap,script=no,downscript=no -device e1000,netdev=m) \
		</dev/null >"$scratch/serial" 2>"$scratch/errors" &
	started="$started $!"
	console_until booted-through-wrap <"$scratch/serial"
	ok "a PC of QEMU with -netdev tap,ifname= gets its address and its script"
else
	part_skipped "no QEMU 7.2 with a network boot ROM here (Debian: qemu-system-x86, ipxe-qemu)"
fi
