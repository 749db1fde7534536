# SPDX-License-Identifier: MIT
# The manual says it all: each page is clean, and each option, key, function and number that the
# programs and headers have is on the page where a reader looks for it. What is on the page is taken
# from its text as mandoc shows it; what should be there from --help, headers and tables.
: "${top_srcdir:=.}"
. "$top_srcdir/tests/system/check.sh"

command -v mandoc >/dev/null || skip "no mandoc"

pages="memtun.1 memtun-wrap.1 memtund.1 memtun.3 memtun_connector.3 memtun_io.3 memtun_testing.3 memtun_transport.3 memtun-impair.7 memtun-languages.7 memtun-protocol.7 memtun-tunnels.7"
protocol=$top_srcdir/include/memtun/protocol.h
transport=$top_srcdir/include/memtun/transport.h
table=$top_srcdir/common/attribute_table.c
tab=$(printf '\t')
backspace=$(printf '\b')

# In long lines, the longest that mandoc makes; bold and underlined are overstruck.
for page in $pages; do
	mandoc -Tascii -O width=1000 "$top_srcdir/man/$page" >"$scratch/page" 2>"$scratch/errors" &&
		[ -s "$scratch/page" ] || fail "mandoc cannot show $page"
	sed "s/.$backspace//g" "$scratch/page" >"$scratch/$page.text"
	sed '1,/^DESCRIPTION/d' "$scratch/$page.text" >"$scratch/$page-described.text"
done

# on PAGE WHAT: as a whole word.
on() {
	awk -v what="$2" '
		{ text = text " " $0 " " }
		END {
			while ((at = index(text, what))) {
				if (substr(text, at - 1, 1) !~ /[A-Za-z0-9_-]/ &&
				    substr(text, at + length(what), 1) !~ /[A-Za-z0-9_-]/)
					exit 0
				text = substr(text, at + 1)
			}
			exit 1
		}' "$scratch/$1.text" || fail "'$2' is not on $1"
}

# some LIST WHAT: a pattern that finds nothing any more would check nothing.
some() {
	[ -n "$1" ] || fail "found no $2"
}

for page in "$top_srcdir"/man/*.[0-9]; do
	messages=$(mandoc -Tlint -W warning "$page") || fail "mandoc does not like it: $messages"
	is "$(head -n 1 "$page")" '.\" SPDX-License-Identifier: MIT' "the first line of $page"
	has " $pages " " ${page##*/} "
	grep -q "man/${page##*/}" "$top_srcdir/man/Makefile.inc" || fail "$page is not installed"
done
ok "mandoc has nothing to say against the pages, and all are installed"

run memtund --help
is "$status" 0 "the status of memtund --help"
options=$(sed -nE 's/^ +((-[A-Za-z], )?--[a-z-]+).*/\1/p' "$scratch/output" | tr -d ,)
some "$options" "options of memtund"
for option in $options; do
	grep -qE "^ +(-[A-Za-z], )?$option([ ,]|\$)" "$scratch/memtund.1.text" ||
		fail "memtund.1 does not explain $option"
done
ok "each option of memtund is on its page"

# What the helps of memtun's commands have, as lines of COMMAND:WORD: options by both their names, and
# keys. The subcommands of a group have helps of their own.
run memtun --help
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p' "$scratch/output")
for command in $commands; do
	run memtun help "$command"
	members=$(sed -nE "s/^(Usage:|  +) memtun $command (add|set|show|del|advance|next|release) .*/${command}_\2/p" \
		"$scratch/output")
	names="$names ${members:-$command}"
done
some "$names" "commands"
: >"$scratch/help-options"
: >"$scratch/help-keys"
for name in $names; do
	# shellcheck disable=SC2046 # a group and its subcommand are two words
	run memtun help $(echo "$name" | tr _ ' ')
	is "$status" 0 "the status of memtun help $name"
	sed -n '/^Options:/,/^$/p' "$scratch/output" | grep -oE '^ +(-[A-Za-z], )?--?[A-Za-z0-9-]+' |
		tr -s ', ' '\n' | grep . | sed "s/^/$name:/" >>"$scratch/help-options"
	sed -n '/^Keys/,/^$/s/^  \([a-z0-9_-]*\) .*/\1/p' "$scratch/output" |
		sed "s/^/$name:/" >>"$scratch/help-keys"
done

# The same from memtun(1)'s source. synopsis: options with their command, and -js as two. items:
# what is explained under a command, and in the lists of other sections.
awk '
	/^\.Sh / { section = $2; subsection = ""; depth = 0; name = ""; next }
	/^\.Ss / { subsection = $2; next }
	section == "SYNOPSIS" && /^\.Nm/ { name = "" }
	section == "SYNOPSIS" && /^\.Cm [a-z]/ && name == "" {
		name = $2
		if ($3 ~ /^(add|set|show|del|advance|next|release)$/)
			name = name "_" $3
	}
	section == "SYNOPSIS" {
		for (i = 1; i < NF; i++) {
			if ($i !~ /^\.?Fl$/)
				continue
			option = "-" $(i + 1)
			if (option == "-js")
				print "synopsis " name ":-j\nsynopsis " name ":-s"
			else
				print "synopsis " name ":" option
		}
	}
	/^\.Bl / { depth++; is_columns = /-column/ }
	/^\.El/ { depth--; is_columns = 0 }
	section == "COMMANDS" && depth == 1 && (/^\.It Cm / || (/^\.Cm / && is_heading)) {
		first = /^\.It/ ? 3 : 2
		name = $first
		if ($(first + 1) ~ /^(add|set|show|del|advance|next|release)$/)
			name = name "_" $(first + 1)
		print "command " name
	}
	{ is_heading = /^\.It Xo/ }
	/^\.It (Cm|Fl) / && !is_columns {
		where = section
		if (section == "COMMANDS" && depth == 2)
			where = name
		else if (section == "COMMANDS")
			next
		if (subsection != "")
			where = subsection
		for (i = 3; i <= NF; i++) {
			if ($i ~ /^(Ar|Cm|Oo|Op)$/)
				break
			if ($i != "Fl" && $i != ",")
				print ($2 == "Fl" ? "option " : "key ") where ":" ($2 == "Fl" ? "-" : "") $i
		}
	}' "$top_srcdir/man/memtun.1" >"$scratch/page-words"
page() {
	sed -n "s/^$1 //p" "$scratch/page-words"
}
# same WHAT FILE OTHER-FILE: line by line, in any order.
same() {
	sort -u "$2" >"$scratch/one"
	sort -u "$3" >"$scratch/other"
	[ -s "$scratch/one" ] || fail "found no $1"
	differences=$(diff "$scratch/one" "$scratch/other" | sed -n 's/^[<>]/&/p')
	is "$differences" "" "the difference between the helps (<) and memtun(1) (>) in the $1"
}

echo "$names" | tr ' ' '\n' | grep . >"$scratch/help-names"
page command >"$scratch/page-names"
same "commands" "$scratch/help-names" "$scratch/page-names"
common='(-h|--help|-V|--version|--socket|--reply-timeout|-j|--json|-s|--statistics)$'
grep -vE ':(-h|--help|-V|--version|--socket|--reply-timeout|--json|--statistics)$' "$scratch/help-options" \
	>"$scratch/help-synopsis"
page synopsis >"$scratch/page-synopsis"
same "options of the synopsis" "$scratch/help-synopsis" "$scratch/page-synopsis"
# The -s of ping is not --statistics.
grep -x ping:-s "$scratch/help-options" >"$scratch/help-explained"
grep -vE ":$common" "$scratch/help-options" >>"$scratch/help-explained"
page option | grep -v '^DESCRIPTION:' >"$scratch/page-explained"
same "options that are explained" "$scratch/help-explained" "$scratch/page-explained"
grep -E ":$common" "$scratch/help-options" | sed 's/.*://' >"$scratch/help-common"
page option | sed -n 's/^DESCRIPTION://p' >"$scratch/page-common"
same "options that several commands take" "$scratch/help-common" "$scratch/page-common"
ok "each command and option is on memtun(1), and has its help"

tunnel_keys='^(add|set|exec|wrap|host):'
# The key socks is explained with memtun host, which alone takes it.
grep -E "$tunnel_keys" "$scratch/help-keys" | sed 's/.*://' | grep -vx socks >"$scratch/help-tunnel"
page key | sed -n 's/^KEYS://p' >"$scratch/page-tunnel"
same "keys of tunnels" "$scratch/help-tunnel" "$scratch/page-tunnel"
sed -nE 's/^uplink_(add|set)://p' "$scratch/help-keys" | sort -u >"$scratch/help-uplink"
page key | sed -n 's/^Uplinks://p' >"$scratch/page-uplink"
same "keys of uplinks" "$scratch/help-uplink" "$scratch/page-uplink"
grep -vE "$tunnel_keys|^uplink_(add|set):|^impair_" "$scratch/help-keys" >"$scratch/help-others"
page key | grep -E '^(bridge_[a-z]+|netns):' >"$scratch/page-others"
same "keys of other commands" "$scratch/help-others" "$scratch/page-others"
# The keys of rules have a page of their own.
awk '/^\.Sh / { section = $2 } section == "KEYS" && /^\.It Cm / { print $3 }' \
	"$top_srcdir/man/memtun-impair.7" >"$scratch/page-impair"
sed -n 's/^impair_[a-z]*://p' "$scratch/help-keys" >"$scratch/help-impair"
same "keys of rules" "$scratch/help-impair" "$scratch/page-impair"
# What a command explains as a word of its own, as wait its states, its help has too.
some "$(page key | grep '^[a-z]')" "words of commands"
for word in $(page key | grep '^[a-z]'); do
	# shellcheck disable=SC2046
	run memtun help $(echo "${word%%:*}" | tr _ ' ')
	grep -qwE "${word#*:}" "$scratch/output" || fail "the help of ${word%%:*} has no ${word#*:}"
done
ok "each key is on memtun(1), and in the help of a command"

bounds=$(sed -nE 's/.*U32\("[a-z]+", ([0-9]+), ([0-9]+),.*/\1_to_\2/p' "$table")
counters=$(sed -nE 's/.*"((from|to)-client-[a-z-]+)".*/\1/p' "$table")
some "$bounds" "bounds"
some "$counters" "counters"
for word in $bounds $counters; do
	on memtun.1 "$(echo "$word" | sed 's/_to_/ to /')"
done
ok "the bounds of numbers and each counter are on memtun(1)"

functions=$(sed -nE "s/^$tab(memtun_[a-z_]+);\$/\1/p" "$top_srcdir/client/lib/memtun.map" |
	grep -v '^memtun_io_')
some "$functions" "functions"
for function in $functions; do
	on memtun.3 "$function"
	on memtun.3-described "$function"
done
functions=$(sed -nE 's/.*(memtun_transport_[a-z_]+)\(.*/\1/p' "$transport" | sort -u)
constants=$(sed -nE 's/.*(MEMTUN_TRANSPORT_[A-Z_]+)( =|,| [0-9]).*/\1/p' "$transport" | sort -u)
handlers=$(sed -nE 's/.*\(\*([a-z_]+)\).*/\1/p' "$transport")
some "$functions" "functions of the transport"
some "$constants" "constants of the transport"
some "$handlers" "handlers of the transport"
for word in $functions $constants $handlers; do
	on memtun_transport.3-described "$word"
done
# Functions, patterns and the members of a packet.
connector=$(sed -nE -e 's/.*(memtun_connector_[a-z_]+)\(.*/\1/p' \
	-e 's/^#define (MEMTUN_(FILTER|CALLBACK|EOF|TIMEOUT|LIMIT)).*/\1/p' \
	-e 's/.*(MEMTUN_CONNECTOR_[A-Z_]+) =.*/\1/p' \
	-e '/^struct memtun_packet/,/^}/s/.*[ *]([a-z0-9_]+);.*/\1/p' \
	"$top_srcdir/include/memtun/connector.h" | sort -u)
some "$connector" "words of connectors"
for word in $connector; do
	on memtun_connector.3-described "$word"
done
io=$(sed -nE -e 's/.*(memtun_io_[a-z_]+)(\(|;).*/\1/p' -e 's/.*(MEMTUN_IO_[A-Z]+).*/\1/p' \
	"$top_srcdir/include/memtun/io.h" | grep -v _H | sort -u)
some "$io" "words of I/O systems"
for word in $io; do
	on memtun_io.3-described "$word"
done
testing=$(sed -nE "s/^$tab(memtun_testing_[a-z_]+);\$/\1/p" "$top_srcdir/client/io/memtun-io.map")
asserts=$(sed -nE 's/^#define (assert_[a-z_]+)\(.*/\1/p' "$top_srcdir/include/memtun/cmocka.h")
some "$testing" "words of testing"
some "$asserts" "assertions"
for word in $testing $asserts; do
	on memtun_testing.3-described "$word"
done
ok "each function is in the synopsis, and each function and constant in the text"

# man(1) finds a function by its name, on the page that explains it.
mkdir -p "$scratch/man/man3"
cp "$top_srcdir"/man/*.3 "$scratch/man/man3"
"$top_srcdir/man/links.sh" add "$scratch/man/man3" "$top_srcdir"/man/*.3
functions=$(sed -nE "s/^$tab(memtun_[a-z_0-9]+);\$/\1/p" "$top_srcdir/client/lib/memtun.map" \
	"$top_srcdir"/client/*/memtun-*.map | grep -vE '^memtun_io_(interface_init|new_tun|loopback)$')
functions="$functions $(sed -nE 's/.*(memtun_(transport|connector)_[a-z_]+)\(.*/\1/p' \
	"$transport" "$top_srcdir/include/memtun/connector.h" | sort -u)"
for function in $functions; do
	(cd "$scratch/man" && mandoc -Tascii "man3/$function.3") 2>/dev/null |
		grep -q 'SYNOPSIS\|S.*Y.*N.*O.*P.*S.*I.*S' || fail "man $function shows no page"
done
"$top_srcdir/man/links.sh" remove "$scratch/man/man3" "$top_srcdir"/man/*.3
is "$(ls "$scratch/man/man3" | tr '\n' ' ')" \
	"memtun.3 memtun_connector.3 memtun_io.3 memtun_testing.3 memtun_transport.3 " \
	"the pages after the links are removed"
grep -q 'links.sh add' "$top_srcdir/man/Makefile.inc" || fail "the links are not installed"
ok "each function has a page of its name"

# NAME = NUMBER, as both have it.
numbers=$(sed -nE "s/^$tab(MEMTUN_[A-Z_]+ = (0x)?[0-9a-f]+),.*/\1/p" "$protocol" |
	grep -v '_UNSPEC' | tr ' ' '~')
some "$numbers" "numbers of the protocol"
for number in $numbers; do
	on memtun-protocol.7 "$(echo "$number" | tr '~' ' ')"
done
names=$(grep -oE 'MEMTUN_(A|CMD|EVENT)_[A-Z_]+' "$scratch/memtun-protocol.7.text" | sort -u)
some "$names" "names on memtun-protocol(7)"
for name in $names; do
	grep -q "^$tab$name = " "$protocol" || fail "memtun-protocol(7) has $name, which is not there"
done
ok "the numbers of commands, attributes and values are on memtun-protocol(7)"

# NAME TYPE of the table, where a counter's type is said for all of them at once.
types=$(sed -nE \
	-e 's/.*\[(MEMTUN_A_[A-Z_]+)\] = (FLAG)\(.*/\1=flag/p' \
	-e 's/.*\[(MEMTUN_A_[A-Z_]+)\] = (U32|WORD)\(.*/\1=u32/p' \
	-e 's/.*\[(MEMTUN_A_[A-Z_]+)\] = U64\(.*/\1=u64/p' \
	-e 's/.*\[(MEMTUN_A_[A-Z_]+)\] = .*ATTRIBUTE_NAME.*/\1=string/p' "$table" | grep -v _CLIENT_)
some "$types" "types"
for type in $types; do
	grep -qE "${type%=*} = [0-9]+, ${type#*=}\$" "$scratch/memtun-protocol.7.text" ||
		fail "memtun-protocol(7) does not say that ${type%=*} is a ${type#*=}"
done
ok "the types of attributes are on memtun-protocol(7)"

compiler=${CC:-cc}
if ! command -v "${compiler%% *}" >/dev/null; then
	ok "no compiler: the example programs were not compiled"
	exit 0
fi
programs=0
for page in memtun.3 memtun_transport.3; do
	# Literal blocks that begin with an #include are whole programs.
	awk -v into="$scratch/${page%.3}" '
		/^\.Bd -literal/ { first = 1; next }
		/^\.Ed/ { file = ""; first = 0 }
		first { first = 0; if (/^#include/) file = into "-" ++count ".c" }
		file { gsub(/\\e/, "\\"); print >file }' "$top_srcdir/man/$page"
	for program in "$scratch/${page%.3}"-*.c; do
		# shellcheck disable=SC2086 # a compiler may have options with it
		$compiler -fsyntax-only -Wall -Wextra -Werror -I"$top_srcdir/include" \
			"$program" 2>"$scratch/errors" ||
			fail "a program on $page does not compile"
		programs=$((programs + 1))
	done
done
is "$programs" 3 "the number of programs in the manual"
ok "the manual's programs compile"
