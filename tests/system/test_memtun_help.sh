#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2116,SC2119,SC2317 # scripts in quotes and words are meant; turns_until calls what it is given
# The command line of memtun: the help and the example of each command, options before and behind the
# NAME, aliases of commands, and suggestions. test_options_parse and test_suggestion have the rules.
TEST_SECONDS=60
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here to read JSON with"

# --- help ---

ends_with 0 memtun --help
cp "$scratch/output" "$scratch/list"
has "$output" "Usage: memtun"
# A build that lacks a library has some lines more.
[ "$(sed '/^Left out of this build:/,/^$/d' "$scratch/list" | wc -l)" -le 40 ] ||
	fail "memtun --help has more than 40 lines"
ends_with 0 memtun help
is "$output" "$(cat "$scratch/list")" "what memtun help prints"
ends_with 2 memtun
is "$output" "" "what memtun without a command prints to standard output"
is "$errors" "$(cat "$scratch/list")" "what memtun without a command prints"
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p' "$scratch/list")
is "$(echo $commands)" "add set del show bridge uplink session clock impair exec wrap netns monitor inject expect wait capture extcap top host ping help" \
	"the list of commands"

narrow() {
	is "$(awk 'length > 80' "$scratch/output")" "" "what is too wide in the help of $1"
}
narrow memtun
for command in $commands "bridge add" "bridge show" "bridge del" "uplink add" "uplink show" \
	"uplink del" "session show" "session del"; do
	ends_with 0 memtun help $command
	narrow "$command"
	has "$output" "Usage: memtun $command"
	has "$output" "Options:"
	has "$output" "Example"
	text=$output
	ends_with 0 memtun $command --help
	is "$output" "$text" "what memtun $command --help prints"
	ends_with 0 memtun -h $command
	is "$output" "$text" "what memtun -h $command prints"
done
ends_with 0 memtun inject a --udp 1.2.3.4:5 x -h
has "$output" "Usage: memtun inject"
ends_with 0 memtun exec -t a --help
has "$output" "Usage: memtun exec"
for command in "--version" "-V show" "show -V"; do
	ends_with 0 memtun $command
	is "${output%% *}" memtun "the first word of memtun $command"
done
ends_with 0 memtun session --help
has "$output" " memtun session show"
has "$output" " memtun session del"
for command in bridge uplink; do
	ends_with 0 memtun $command --help
	for word in add del show; do
		has "$output" " memtun $command $word"
	done
done
ends_with 2 memtun help bridge add lab
says "help takes no 'lab'"
ends_with 2 memtun help shwo
says "there is no command 'shwo'; did you mean 'show'?"
ok "memtun and each command have their help, in 80 columns"

# --- suggestions ---

while IFS='|' read -r words message; do
	ends_with 2 memtun $words
	says "memtun: $message"
	is "$output" "" "what memtun $words prints"
done <<'END'
shwo|there is no command 'shwo'; did you mean 'show'?
uplnik show|there is no command 'uplnik'; did you mean 'uplink'?
delte a|there is no command 'delte'; did you mean 'delete'?
ad a|there is no command 'ad'; did you mean 'add'?
bridge shwo|there is no command 'bridge shwo'; did you mean 'show'?
uplink ad lan|there is no command 'uplink ad'; did you mean 'add'?
frobnicate|there is no command 'frobnicate'; see memtun help
x|there is no command 'x'; see memtun help
bridge grow|there is no command 'bridge grow'; see memtun help bridge
add vm brigde lab|there is no option 'brigde' here; did you mean 'bridge'?
add vm bridge lab nobridge|bridge is given twice
set vm mut 1400|there is no option 'mut' here; did you mean 'mtu'?
set vm colour green|there is no option 'colour' here
uplink add lan bridge lab type udp lokal 1|there is no option 'lokal' here; did you mean 'local'?
bridge add lab hud|there is no option 'hud' here; did you mean 'hub'?
host h address 10.0.0.1/24 gw 10.0.0.2|there is no option 'gw' here; did you mean 'gateway'?
add vm master lab|there is no option 'master' here; did you mean 'bridge'?
set vm via 10.0.0.1|there is no option 'via' here; did you mean 'gateway'?
bridge add lab gw 10.0.0.1|there is no option 'gw' here
add vm offload csum+tso5|offload takes a number, none, or words of csum+tso4+tso6+tso-ecn+ufo+uso4+uso6, not 'csum+tso5'
ping lab 10.0.0.1 -6|-6: '10.0.0.1' is an IPv4 address
ping lab fd00::1 -n -4|-4: 'fd00::1' is an IPv6 address
ping lab 10.0.0.1 -I eth0|--from eth0: it takes an IPv4 or IPv6 address and its prefix, like 10.0.0.1/24
ping lab 10.0.0.1 -t 5|ping has no option '-t'; see memtun help ping
host h adress 10.0.0.1/24|there is no option 'adress' here; did you mean 'address'?
show --statistic-s|show has no option '--statistic-s'; did you mean '--statistics'?
--jsno show|memtun has no option '--jsno'; did you mean '--json'?
expect vm --timout 5 udp|expect has no option '--timout'; did you mean '--timeout'?
bridge --dto|bridge has no option '--dto'; did you mean '--dot'?
capture vm --loud|capture has no option '--loud'; see memtun help capture
-x|memtun has no option '-x'; see memtun help
show --json=yes|--json takes no value
capture vm -c|-c needs a value: FRAMES
wait|wait needs a NAME and open, closed, drained, up, down or quiet; see memtun help wait
wait vm|wait needs a state after 'vm', such as open, up or quiet; see memtun help wait
wait vm now|a tunnel is open, closed, drained or quiet, an uplink up, down or quiet, and a bridge quiet, not 'now'
wait open|wait needs a NAME before open
wait vm lan open|wait takes one NAME before open; see memtun help wait
wait vm open --idle 20ms|--idle goes with quiet
wait vm quiet --idle 20x|--idle takes seconds, or a time with its unit (ns, us, ms, s, min, h), not '20x'
ping lab 10.0.0.1 -i 500us|-i takes at least 0.001 seconds
ping lab 10.0.0.1 -W x|-W takes seconds, or a time with its unit (ns, us, ms, s, min, h), not 'x'
top -b -d 1000001|-d takes at most 1000000 seconds, in whole nanoseconds, not '1000001'
wait vm,ip quiet|wait takes no name with a comma: 'vm,ip'
wait 123456789012345 223456789012345 323456789012345 423456789012345 523456789012345 623456789012345 723456789012345 quiet|the names are longer than 107 bytes together: name their bridge
clock advance|clock advance needs a TIME; see memtun help clock advance
clock advance 5|clock advance takes a time with its unit (ns, us, ms, s, min, h), such as 20ms, not '5'
clock advance -1s|clock advance takes a time with its unit (ns, us, ms, s, min, h), such as 20ms, not '-1s'
clock advance 0.0000000001s|clock advance takes a time with its unit (ns, us, ms, s, min, h), such as 20ms, not '0.0000000001s': it has too many digits
bridge del|bridge del needs the name of a bridge; see memtun help bridge del
monitor now|monitor takes no 'now'; see memtun help monitor
END
ends_with 2 memtun set vm colour green
is "$errors" "memtun: there is no option 'colour' here" "what is said of a word that none is near"
ok "a misspelled word gets the nearest one as a suggestion, if there is one"

# --- options, wherever they are ---

# has_ended PID: the process is a zombie or doesn't exist.
has_ended() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

broker_start
ends_with 0 memtun add vm bridge lab
unset MEMTUN_SOCKET
# With this, getopt(3) stops at the first word unless it is told otherwise.
POSIXLY_CORRECT=1
export POSIXLY_CORRECT
at="--socket $scratch/control"
# What prints tables prints JSON in a build without them.
json_alone=
part_needs tables || json_alone=-j
for words in "$at show" "show $at" "show $at vm" "show vm $at" "show --socket=$scratch/control vm" \
	"bridge $at show lab" "bridge show lab $at" "bridge show $at lab" "bridge $at" "ls vm $at" \
	"capture vm -c 1 $at udp" "capture $at vm udp -c 1" "wait vm $at closed" "help show $at" \
	"top -n 1 $at -b -d 0.1" "top -n 1 $at -b -d 100ms" "wait vm $at quiet --idle 0.01 --timeout 10s" "exec $at -t vm true" "exec -t vm $at true" "exec -t vm $at -- true" \
	"uplink show $at"; do
	case $words in
	# A capture waits for a frame.
	capture*)
		part_needs filters || continue
		memtun $words >"$scratch/captured" 2>"$scratch/errors" &
		capture=$!
		started="$started $capture"
		ended() {
			ends_with 0 memtun $at inject vm --allow-drop --udp 10.0.0.1:7 x
			has_ended "$capture"
		}
		turns_until ended
		wait $capture
		is $? 0 "the status of memtun $words"
		;;
	exec* | help* | wait*) ends_with 0 memtun $words ;;
	*) ends_with 0 memtun $json_alone $words ;;
	esac
done
MEMTUN_SOCKET=$scratch/control
export MEMTUN_SOCKET
for words in "-js show vm" "show -js vm" "show vm -j -s" "-j show vm --statistics" "-s show vm --json"; do
	ends_with 0 memtun $words
	is "$(json 'd[0]["name"], d[0]["from-client-frames"]')" "vm 0" "what memtun $words prints"
done
ends_with 0 memtun bridge --dot
has "$output" "graph memtun"
ends_with 0 memtun inject vm --allow-drop --udp 10.0.0.1:7 -- --text
ends_with 0 memtun inject --udp 10.0.0.1:7 vm text --as-client
ok "options are found before and behind the words"

# --- words that look like options ---

ends_with 2 memtun wait vm up -j
says "wait takes no -j; see memtun help wait"
ends_with 2 memtun bridge add --dot lab
says "bridge add takes no --dot"
ends_with 1 memtun $json_alone show -- -j
says "there is no tunnel '-j'"

# --- exec ---

# Programs that memtun must not run.
mkdir "$scratch/traps"
for trap in -j --socket --json -s; do
	printf '#!/bin/sh\necho trapped\n' >"$scratch/traps/$trap"
	chmod 755 "$scratch/traps/$trap"
done
PATH=$PATH:$scratch/traps
while IFS='|' read -r words message; do
	ends_with 125 memtun exec $words
	says "memtun: $message"
	is "$output" "" "what memtun exec $words runs"
done <<'END'
-t a -j ls|exec takes no -j
-j|exec takes no -j
-t a -s ls|exec takes no -s
-t a --json|exec takes no -j
-t a --socket|--socket needs a value: ADDRESS
-t a --socket ls|exec needs a PROGRAM to run
-t a -z ls|exec has no option '-z'; a program's name that begins with '-' goes behind --
-t a --sokcet x ls|exec has no option '--sokcet'; did you mean '--socket'?
-t|-t needs a value: SPEC
-t a:brigde=lab true|-t a:brigde=lab: there is no option 'brigde' here; did you mean 'bridge'?
-t a:gw=10.0.0.1 true|-t a:gw=10.0.0.1: there is no option 'gw' here; did you mean 'gateway'?
-t a:pi,mut=9 true|-t a:pi,mut=9: there is no option 'mut' here; did you mean 'mtu'?
END
for words in "-t a:bridge=lab printf" "-t a:bridge=lab -- printf" "-ta:bridge=lab printf"; do
	ends_with 0 memtun exec $words '%s ' -j '{a}' --socket x -t --help -- -s
	is "$output" "-j 3 --socket x -t --help -- -s " "the program's words behind exec $words"
done
ends_with 0 memtun exec -- -j
is "$output" trapped "what -- makes of a program called -j"
ok "exec needs no --, and runs no option of memtun as a program"
unset POSIXLY_CORRECT

# --- other names ---

while IFS='|' read -r alias words; do
	options=
	[ "$words" != "uplink show" ] || options=$json_alone
	ends_with 0 memtun $options $words
	wanted=$output
	ends_with 0 memtun $options $alias
	is "$output" "$wanted" "what memtun $alias prints"
done <<'END'
-j list|-j show
ls -j vm|show -j vm
bridge list -j|bridge show -j
bridge ls --dot|bridge show --dot
-j uplink list|-j uplink show
uplink ls|uplink show
help session ls|help session show
list --help|show --help
help bridge delete|help bridge del
END
ends_with 0 memtun bridge add gone
ends_with 0 memtun bridge delete gone
ends_with 0 memtun delete vm
ends_with 0 memtun -j ls
is "$output" "[]" "what is left"
ok "list and ls are show, and delete is del"

# --- examples ---

cd "$scratch" || exit 1
examples() {
	ends_with 0 memtun help $1
	sed '1,/^Example/d; s/^  //' "$scratch/output"
}
# example COMMAND: runs the example of the command, which ends with status 0.
example() {
	line=$(examples "$1")
	ends_with 0 sh -c "$line"
}
# frames_until_done COMMAND INJECT-ARGUMENT...: injects until the example of the command ends.
frames_until_done() {
	line=$(examples "$1")
	shift
	sh -c "exec $line" >"$scratch/seen" 2>&1 &
	watcher=$!
	started="$started $watcher"
	ended() {
		ends_with 0 memtun inject --allow-drop "$@"
		has_ended "$watcher"
	}
	turns_until ended "$@"
	wait $watcher
	is $? 0 "the status of '$line'"
}
for command in add set show "bridge add" "bridge show" "uplink add" "uplink show" \
	"session show" exec inject wait top help; do
	case $command in
	# Until here the bridge exists because the example of add put vm0 on it.
	"bridge add") ends_with 0 memtun set vm0 nobridge ;;
	"bridge show") ends_with 0 memtun set vm0 bridge lab ;;
	inject)
		memtun exec -t vm0 -- sleep 60 &
		client=$!
		started="$started $client"
		ends_with 0 memtun wait vm0 open --timeout 20
		;;
	wait) kill "$client" ;;
	esac
	case $command in
	show | *" show" | top) part_needs tables || continue ;;
	esac
	example "$command"
done
if part_needs filters; then
	frames_until_done expect vm0 --as-client --udp 10.0.0.1:67 x
	frames_until_done capture vm0 --as-client --udp 10.0.0.1:67 x
	[ -s "$scratch/lab.pcapng" ] || fail "capture's example made no file"
fi
# runs_on COMMAND: starts the example of the command, which doesn't end, and waits until it is ready.
runs_on() {
	watches "$scratch/seen" sh -c "exec $(examples "$1") \"\$@\"" sh
}
if [ -x "$scratch/bin/memtun-host" ]; then
	runs_on host
	kill $!
	wait $!
	is $? 0 "the status of host's example"
fi
runs_on monitor
monitor=$!
saw_event() {
	ends_with 0 memtun set vm0 mtu 1400
	ends_with 0 memtun set vm0 mtu 1500
	grep -q '"changed"' "$scratch/seen"
}
turns_until saw_event
kill $monitor
for command in "uplink del" "bridge del" del; do
	example "$command"
done
ok "the example of each command works"
