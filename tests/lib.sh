# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Counts checks. A test script reads this file, calls check for each of its
# checks and ends with finish.

passed=0
failed=0
skipped=0
suite=$(basename "$0" .sh)
logs=$PWD/build/log/tests
mkdir -p "$logs"

# check NAME FUNCTION [ARG]...: the function fails at its first command that
# fails; what it says is shown then.
check()
{
	name=$1
	shift
	log=$logs/$suite-$(echo "$name" | tr -c 'A-Za-z0-9\n' '-').log
	begin=$(date +%s)
	(set -e; "$@") >"$log" 2>&1 </dev/null
	result=$? # an "if" around it would switch off the set -e
	if [ $result -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok    $suite: $name ($(($(date +%s) - begin)) s)"
	else
		failed=$((failed + 1))
		echo "FAIL  $suite: $name; the end of $log:"
		tail -n 40 "$log" | sed 's/^/      /'
	fi
}

# add PASSED FAILED SKIPPED: what another test program counted.
add()
{
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

finish()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

# expect STATUS COMMAND...: COMMAND must end with this status; its output is
# in $out, too.
expect()
{
	wanted=$1
	shift
	got=0
	"$@" >"$out" 2>&1 || got=$?
	cat "$out"
	if [ $got -ne "$wanted" ]; then
		echo "expected status $wanted, got $got: $*"
		return 1
	fi
}

# says TEXT: the last expect's command said so.
says()
{
	grep -qF -e "$1" "$out" || {
		echo "expected to read: $1"
		return 1
	}
}

# refuses COMMAND...: COMMAND must fail ("! COMMAND" would not end a function).
refuses()
{
	if "$@"; then
		echo "expected to fail: $*"
		return 1
	fi
}

out=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$out" "$work"' EXIT
