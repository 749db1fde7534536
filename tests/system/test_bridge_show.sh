#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC1003,SC2016,SC2119,SC2317 # scripts in quotes are meant; turns_until calls what it is given
# memtun bridge show: the tree, JSON and the graph, also of thousands of ports and addresses.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here to read JSON with"

broker_start

# --- one of each ---

# Below the ephemeral ports of the system, which begin at 32768.
port=$((10000 + $$ % 20000))
if part_needs tables; then
	ends_with 0 memtun bridge show
	is "$output" "" "the tree of no bridges"
fi
ends_with 0 memtun add web bridge lab
ends_with 0 memtun add alone
ends_with 0 memtun add vpn mode tun bridge lab
ends_with 0 memtun uplink add lan bridge lab type mcast group 230.0.0.1 port $port
ends_with 0 memtun bridge add all hub
ends_with 0 memtun add first bridge all
# One frame is from 02:..:01 without a VLAN, the other from 02:..:02 on VLAN 5.
ends_with 0 memtun inject web --as-client \
	--hex ffffffffffff02000000000188b500000000000000000000
ends_with 0 memtun inject web --as-client \
	--hex ffffffffffff0200000000028100000588b5000000000000
# The bridge has learned both addresses when it counts two.
learned() {
	[ "$(memtun -j bridge show lab | "${PYTHON:-python3}" -c 'import json, sys
print(json.load(sys.stdin)[0]["addresses"])')" = 2 ]
}
turns_until learned
if part_needs tables; then
	ends_with 0 memtun bridge show
	"${PYTHON:-python3}" - "$scratch/output" "$port" <<'END' || fail "the tree: $output"
import re, sys
lines = [line.rstrip() for line in open(sys.argv[1])]
assert lines[0].split() == ["NAME", "TYPE", "MODE", "STATE", "VLAN", "AGE", "JOINED-TO"], lines[0]
depth = lambda line: len(re.match(r"[│├└─ ]*", line)[0]) // 2
found = [(depth(line), *re.sub(r"^[│├└─ ]*", "", line).split()) for line in lines[1:]]
addresses = sorted(f for f in found if f[2] == "address")
assert addresses == [(2, "02:00:00:00:00:01", "address", "0", "s"),
                     (2, "02:00:00:00:00:02", "address", "5", "0", "s")] \
    or [a[:2] for a in addresses] == [(2, "02:00:00:00:00:01"), (2, "02:00:00:00:00:02")], addresses
at = [found.index(a) for a in addresses]
rest = [f for f in found if f not in addresses]
assert rest == [
    (0, "all", "hub", "tap"),
    (1, "first", "tunnel", "tap", "closed"),
    (0, "lab", "bridge", "tap"),
    (1, "web", "tunnel", "tap", "closed"),
    (1, "vpn", "tunnel", "tun", "closed"),
    (1, "lan", "mcast", "tap", "up", "230.0.0.1", "port", sys.argv[2]),
], rest
# The addresses are below their port.
web = found.index(rest[3])
assert sorted(at) == [web + 1, web + 2], found
END
	ends_with 0 memtun bridge show lab
	is "$(grep -c alone "$scratch/output")$(grep -c first "$scratch/output")" 00 "what isn't on lab"
	ends_with 0 memtun exec -t opened:bridge=lab -- sh -c 'echo $$ && memtun bridge show lab'
	has "$(sed -n 's/ *$//; /opened/p' "$scratch/output")" " pid $(sed -n 1p "$scratch/output") sh"
	ok "bridges are a tree of their ports and of the addresses behind them"

	ends_with 0 memtun -s bridge show lab
	has "$output" "FROM-CLIENT-FRAMES"
	"${PYTHON:-python3}" - "$scratch/output" <<'END' || fail "the counters: $output"
import sys
lines = [line.split() for line in open(sys.argv[1])]
web, = [line for line in lines if "web" in line[0]]
assert web[-5:] == ["2", "48", "0", "0", "0"], web
END
	has "$output" "vpn: to-client-dropped-not-ip 2"
fi
ends_with 0 memtun -j bridge show
is "$(json '[(r["object"], r["name"], r["bridge"]) for r in d if r["object"] != "address"]')" \
	"[('bridge', 'all', None), ('tunnel', 'first', 'all'), ('bridge', 'lab', None), \
('tunnel', 'web', 'lab'), ('tunnel', 'vpn', 'lab'), ('uplink', 'lan', 'lab')]" "the rows in JSON"
is "$(json 'sorted((r["address"], r["name"], r["bridge"], r["vlan"], r["age"] < 60e9)
	for r in d if r["object"] == "address")')" \
	"[('02:00:00:00:00:01', 'web', 'lab', 0, True), ('02:00:00:00:00:02', 'web', 'lab', 5, True)]" \
	"the addresses in JSON"
is "$(json '[(r["name"], r["ports"], r["hub"], r["addresses"]) for r in d if r["object"] == "bridge"]')" \
	"[('all', 1, True, 0), ('lab', 3, False, 2)]" "the bridges in JSON"
is "$(json '{r["pi"] for r in d if r["object"] == "bridge"}, [k for k, v in d[0].items()
	if isinstance(v, (dict, list)) or "-client-" in k]')" "{None} []" "what doesn't apply"
ends_with 0 memtun -j -s bridge show lab
is "$(json '[r["to-client-frames"] for r in d if r["object"] == "uplink"]')" "[2]" \
	"an uplink's counters in JSON"
ok "the same as a flat array of JSON, and with counters"

# --- a graph ---

ends_with 1 memtun -j bridge show none
says "there is no bridge 'none'"
ends_with 2 memtun -j bridge show --dot
ends_with 2 memtun bridge add x --dot
ends_with 2 memtun show --dot
says "show has no option '--dot'"
# Characters that are special in the graph, but allowed in a name and in a path.
name='a"b\N&gt;\'
path=$scratch/'s "q\G} -- x
'
path=${path%?}
ends_with 0 memtun add "$name" bridge lab
run memtun uplink add odd bridge lab type bess path "$path"
odd=$status
ends_with 0 memtun bridge show --dot
"${PYTHON:-python3}" - "$scratch/output" "$name" "$path" "$odd" <<'END' || fail "the graph: $output"
import re, sys
text, name, path, odd = open(sys.argv[1]).read(), *sys.argv[2:]
# The tokens of Graphviz's language: quoted strings, identifiers and punctuation.
tokens = re.findall(r'"(?:\\.|[^"\\])*"|[A-Za-z0-9_.]+|--|[][{};,=]|\S', text, re.S)
assert "".join(tokens) == re.sub(r'("(?:\\.|[^"\\])*")|\s+', lambda m: m[1] or "", text)
assert tokens[:3] == ["graph", "memtun", "{"] and tokens[-1] == "}", tokens
inner, nodes, edges = tokens[3:-1], {}, []
while inner:
    end = inner.index(";")
    statement, inner = inner[:end], inner[end + 1:]
    if statement[1] == "=":
        continue
    attributes = {}
    if statement[-1] == "]":
        begin = statement.index("[")
        pairs, statement = statement[begin + 1:-1], statement[:begin]
        while pairs:
            assert pairs[1] == "=" and (len(pairs) == 3 or pairs[3] == ","), pairs
            attributes[pairs[0]], pairs = pairs[2], pairs[4:]
    if len(statement) == 1:
        label = re.sub(r'\\(.)', lambda m: "\n" if m[1] == "n" else m[1], attributes["label"][1:-1])
        # Other escapes have a meaning.
        assert not re.search(r'(?<!\\)(?:\\\\)*\\[^n"\\]', attributes["label"]), attributes
        # The only entity is that of the & itself.
        assert not re.search(r'&(?!amp;)', label), label
        nodes[statement[0]] = label.replace("&amp;", "&")
    else:
        assert statement[1] == "--" and len(statement) == 3, statement
        edges.append((statement[0], statement[2], attributes["style"]))
labels = sorted(nodes.values())
expected = ["all\ntap hub", "first\ntap closed", "lab\ntap bridge", "web\ntap closed",
            "vpn\ntun closed", "lan\nmcast up", name + "\ntap closed"]
assert all(label in labels for label in expected), labels
if odd == "0":
    assert path in labels and "odd\nbess down" in labels, labels
named = [(nodes[a], nodes[b], style) for a, b, style in edges]
assert ("lab\ntap bridge", "lan\nmcast up", "solid") in named, named
assert ("lab\ntap bridge", "vpn\ntun closed", "dashed") in named, named
assert ("all\ntap hub", "first\ntap closed", "dashed") in named, named
outside = [b for a, b, _ in named if a == "lan\nmcast up"]
assert len(outside) == 1 and outside[0].startswith("230.0.0.1 port "), named
END
if command -v dot >/dev/null; then
	ends_with 0 dot -Tsvg -o "$scratch/graph.svg" "$scratch/output"
	is "$errors" "" "what dot says of the graph"
fi
ok "bridges are a graph, whatever their names and paths have in them"

# --- a loop ---

ends_with 2 memtun bridge add y hub loop-gard
ends_with 1 memtun bridge add y hub loop-guard
says "a hub has no loop-guard"
ends_with 0 memtun bridge add one loop-guard
ends_with 0 memtun add host bridge one
for link in 1 2; do
	ends_with 0 memtun uplink add "one$link" bridge one type udp \
		local 127.0.0.1:$((port + link)) remote 127.0.0.1:$((port + 2 + link))
	ends_with 0 memtun uplink add "two$link" bridge two type udp \
		local 127.0.0.1:$((port + 2 + link)) remote 127.0.0.1:$((port + link))
done
ends_with 0 memtun inject host --as-client \
	--hex ffffffffffff02000000000188b500000000000000000000
shut() {
	memtun -j bridge show one | grep -q '"loop-shut": *true'
}
turns_until shut
ends_with 0 memtun -j bridge show one
is "$(json '[(r["loop-guard"], r["address-moves"] > 10) for r in d if r["object"] == "bridge"],
	[r["loop-shut"] for r in d if r["object"] == "uplink" and r["loop-shut"]]')" \
	"[(True, True)] [True]" "the loop in JSON"
if part_needs tables; then
	ends_with 0 memtun bridge show one
	has "$output" loop-shut
	ends_with 0 memtun -s bridge show one
	has "$output" "one: address-moves "
fi
has "$(cat "$scratch/broker-log")" "as in a loop"
ok "a loop is shown, and the guard ends it"

# --- many ---

kill "$broker"
wait "$broker"
broker_start
for bridge in 1 2 3; do
	ends_with 0 memtun add "p$bridge-%d" count 1000 bridge "b$bridge"
done
for bridge in 10 11 12 13 14 15 16 17 18 19; do
	ends_with 0 memtun bridge add "b$bridge"
done
part_needs filters || exit 0
# A pcap file of frames from 3000 senders.
"${PYTHON:-python3}" - "$scratch/many.pcap" <<'END'
import struct, sys
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i in range(3000):
        frame = b"\xff" * 6 + b"\x02\0\0" + i.to_bytes(3, "big") + b"\x88\xb5" + bytes(10)
        file.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
END
ends_with 0 memtun inject p2-500 --as-client --pcap "$scratch/many.pcap"
learned() {
	[ "$(memtun -j bridge show b2 | grep -c '"object": "address"')" = 3000 ]
}
turns_until learned
ends_with 0 memtun -j bridge show
is "$(json 'len(d), len({r["name"] for r in d if r["object"] == "tunnel"}),
	len({r["address"] for r in d if r["object"] == "address" and r["name"] == "p2-500"}),
	[r["name"] for r in d if r["object"] == "bridge"]')" "6013 3000 3000 ['b1', 'b10', 'b11', \
'b12', 'b13', 'b14', 'b15', 'b16', 'b17', 'b18', 'b19', 'b2', 'b3']" "many of everything in JSON"
if part_needs tables; then
	ends_with 0 memtun bridge show
	is "$(wc -l <"$scratch/output")" 6014 "the lines of the tree"
fi
ends_with 0 memtun bridge show --dot
is "$(grep -c 'shape=' "$scratch/output") $(grep -c -- '--' "$scratch/output")" "3013 3000" \
	"the nodes and edges of the graph"
ok "thousands of ports and addresses are shown"
