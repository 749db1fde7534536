#!/bin/sh
# SPDX-License-Identifier: MIT
# The recipes in examples/ci, with an archive of the built programs in the place of a release's. Each
# step of the GitHub action is executed in order, as are the lines of each GitLab job. The commands of
# the jobs then run in a container with Docker's default seccomp profile and without capabilities, as
# uid 0 and as an ordinary user.
: "${top_srcdir:=.}"
TEST_SECONDS=180
. "$top_srcdir/tests/system/check.sh"
. "$top_srcdir/tests/system/wrap.sh"

! grep -q __asan_init "$scratch/bin/memtund" || skip "a build without sanitizers runs these tests"
word_size_or_skip
recipes=$top_srcdir/examples/ci
for program in bash curl xz make; do
	command -v $program >/dev/null || skip "no $program here"
done
have_python || skip "no Python here"
mkdir "$scratch/steps"
run "${PYTHON:-python3}" "$top_srcdir/tests/system/ci_recipes.py" "$recipes" "$scratch/steps"
[ "$status" != 77 ] || skip "$output"
is "$status" 0 "the status of ci_recipes.py: $errors"
ok "the recipes have the structure that GitHub, GitLab and podman ask for"

if command -v shellcheck >/dev/null; then
	for step in "$scratch"/steps/*.sh; do
		dialect="bash"
		case $step in
		*/containerfile-* | */entrypoint.sh) dialect=sh ;;
		esac
		# The runner sets variables and ends at the first error.
		run shellcheck -s $dialect -e SC2154,SC2164 "$step"
		is "$status" 0 "the status of shellcheck: $output"
	done
	ok "shellcheck has nothing to say against their commands"
else
	echo "skipped a part: no shellcheck here"
fi

# An archive as of a release, and the only programs of memtun in the steps' PATH.
name=memtun-0-linux-any
mkdir "$scratch/$name"
cp "$scratch/bin/memtund" "$scratch/bin/memtun" "$scratch/$name"
mkdir "$scratch/$name/a-completion"
echo '# a file of the same name' >"$scratch/$name/a-completion/memtund"
tar -C "$scratch" -c $name | xz -0 >"$scratch/$name.tar.xz"
checksum=$(sha256sum "$scratch/$name.tar.xz" | cut -d ' ' -f 1)
system_path=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin

# action_runs ARCHIVE CHECKSUM: runs the steps of the action as GitHub's runner does, which executes
# `bash --noprofile --norc -eo pipefail`, and takes the additions to PATH from a file. Sets $runner to
# the directory of the runner, $output, $errors, and $status to that of the last step.
action_runs() {
	runner=$(mktemp -d "$scratch/runner XXXXXX")
	chmod 755 "$runner"
	: >"$runner/path"
	: >"$runner/output"
	for step in "$scratch"/steps/action-*.sh; do
		# GitHub puts each line in front of PATH.
		added=$(tac "$runner/path" | tr '\n' :)
		run env -i PATH="$added$system_path" RUNNER_TEMP="$runner" GITHUB_PATH="$runner/path" \
			GITHUB_OUTPUT="$runner/output" INPUT_ARCHIVE="$1" INPUT_SHA256="$2" \
			bash --noprofile --norc -eo pipefail "$step"
		[ "$status" = 0 ] || return 0
	done
}

action_runs "$scratch/$name.tar.xz" "$checksum"
is "$status" 0 "the status of the action: $errors"
has "$output" '"name": "a"'
is "$(cat "$runner/output")" "version=$(memtund --version)" "the output of the action"
installed=$(cat "$runner/path")
[ -x "$installed/memtun" ] || fail "no memtun in $installed"
ok "the action installs the programs of an archive, and tells their version"
action_runs "file://$scratch/$name.tar.xz" ""
is "$status" 0 "the status of the action with a URL: $errors"
ok "the archive may be a URL"
action_runs "$scratch/$name.tar.xz" "$(echo | sha256sum | cut -d ' ' -f 1)"
[ "$status" != 0 ] || fail "a wrong checksum is accepted"
is "$(cat "$runner/path")" "" "PATH after a wrong checksum"
ok "an archive with another checksum is refused"
action_runs "file://$scratch/absent.tar.xz" ""
[ "$status" != 0 ] || fail "an archive that is not there is accepted"
ok "an archive that cannot be fetched ends the job"

# Two projects: the tests of one expect a broker, those of the other open /dev/net/tun.
mkdir "$scratch/broker" "$scratch/device"
printf 'check:\n\tmemtun exec -t a:bridge=lab -- memtun -j show a\n' >"$scratch/broker/Makefile"
printf 'check:\n\t%s open.py\n' "${PYTHON:-python3}" >"$scratch/device/Makefile"
cat >"$scratch/device/open.py" <<'END'
import fcntl, os, struct
fd = os.open("/dev/net/tun", os.O_RDWR)
name = fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"a", 0x1001))[:16]
print(name.rstrip(b"\0").decode(), "is a TUN")
END

# job_runs STEP PATH: runs the commands of a job in the project that they are for.
job_runs() {
	case $(cat "$1") in
	*"memtun wrap -- "*) project=device answer="a is a TUN" ;;
	*) project=broker answer='"name": "a",*"state": "open"' ;;
	esac
	directory=$(mktemp -d "$scratch/job XXXXXX")
	cp "$scratch/$project"/* "$directory"
	chmod -R a+rwX "$directory"
	cat >"$directory/job" <<-END
		cd "$directory" && exec env -i PATH="$2" MEMTUN_ARCHIVE="$scratch/$name.tar.xz" \\
			TMPDIR=/tmp bash -eo pipefail "$1"
	END
	chmod 644 "$scratch/steps"/* "$directory/job"
	run $as_user $container sh "$directory/job"
	is "$status" 0 "the status of ${1##*/}: $errors"
	has "$output" "$answer"
}

chmod 755 "$scratch/steps" "$scratch/$name" "$runner"
jobs_run() {
	for step in "$scratch"/steps/workflow-*.sh; do
		job_runs "$step" "$installed:$system_path"
	done
	for step in "$scratch"/steps/gitlab-*.sh; do
		grep -q '^apt-get install' "$step" || job_runs "$step" "$system_path"
	done
	printf 'set -- make check\n. "%s"\n' "$scratch/steps/entrypoint.sh" >"$scratch/steps/command"
	job_runs "$scratch/steps/command" "$installed:$system_path"
	ok "the jobs of the workflow, of GitLab and of the image pass $1"
}

(
	run $as_user memtun wrap --notify --explain
	[ "$status" = 0 ] || skip "no seccomp notifications here: $(tail -n 1 "$scratch/errors")"
	jobs_run "as they are"
) || exit
(
	container_enter
	jobs_run "in a container, as an ordinary user"
) || [ $? = 77 ] || exit 1
if [ "$(id -u)" = 0 ]; then
	(
		as_user=
		container_enter
		jobs_run "in a container, as uid 0 without capabilities"
	) || [ $? = 77 ] || exit 1
fi
