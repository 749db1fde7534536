#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2086,SC2154 # check.sh uses and sets variables; words
# The Go module in go/memtun: gofmt, go vet, and its tests, which run against the built memtund, with
# the race detector where there is one.
TEST_SECONDS=600
# shellcheck source=check.sh
. "${top_srcdir:-.}/tests/system/check.sh"

# The module has no C. What it tests of memtund is the same however memtund was compiled.
! grep -q __asan_init "$scratch/bin/memtund" || skip "a build without sanitizers runs these tests"
case $CC in *-m32*) skip "a build for this machine runs these tests" ;; esac
command -v go >/dev/null || skip "no go here (Debian: golang-go)"

# The cache stays in the build directory, so that later runs compile only what has changed.
cache=$top_builddir/tests/go-cache
mkdir -p "$cache" || fail "no directory $cache"
unset GOPATH GOROOT GOWORK GOEXPERIMENT GOOS GOARCH CC CXX CFLAGS CGO_CFLAGS CGO_LDFLAGS
export GOCACHE="$cache" GOPATH="$scratch/gopath" GOENV=off GO111MODULE=on GOWORK=off GOPROXY=off \
	GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=0

version=$(go env GOVERSION)
case $version in
go1.[0-9] | go1.[0-9].* | go1.1[0-8] | go1.1[0-8].*) skip "the module needs Go 1.19, this is $version" ;;
esac

cd "$top_srcdir/go/memtun" || fail "no module"
unformatted=$(gofmt -l .)
is "$unformatted" "" "what gofmt would change"
ends_with 0 go vet ./...
ok "gofmt and go vet find nothing"

# The race detector needs cgo, and is not there for each architecture.
printf 'package main\n\nfunc main() {}\n' >"$scratch/nothing.go"
race=-race
cgo=1
if ! command -v gcc >/dev/null; then
	echo "skipped the race detector, which needs gcc"
	race=''
	cgo=0
elif ! CGO_ENABLED=1 go build -race -o /dev/null "$scratch/nothing.go" 2>"$scratch/errors"; then
	echo "skipped the race detector: $(head -n 1 "$scratch/errors")"
	race=''
	cgo=0
fi
run env CGO_ENABLED=$cgo go test $race -count=1 -timeout 300s ./...
cat "$scratch/output"
[ "$status" = 0 ] || fail "go test $race"
ok "the tests pass${race:+, and the race detector finds nothing}"

# A module of a user, as README.md of the module says.
mkdir "$scratch/user"
cd "$scratch/user" || fail "no directory"
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"

	"memtun"
)

func main() {
	tunnel, err := memtun.Open(context.Background(), "tap%d", memtun.WithBridge("lab"))
	if err != nil {
		panic(err)
	}
	fmt.Println(tunnel.Name())
}
END
ends_with 0 go mod init user
ends_with 0 go mod edit -require=memtun@v0.1.0 -replace=memtun="$top_srcdir/go/memtun"
ends_with 0 go build -o user .
ends_with 0 memtund -- ./user
is "$output" tap0 "the tunnel"
ok "a program of another module opens a tunnel of the broker that runs"
