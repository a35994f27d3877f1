#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every test, from nothing. All of them run, whatever fails; the last line
# counts.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

# suite COMMAND [ARG]...: a program whose last line is such as
# "3 passed, 1 failed" or "3 passed, 1 failed, 0 skipped".
suite()
{
	echo "--- $*"
	said=$(mktemp -p "$work")
	"$@" >"$said" 2>&1 </dev/null &
	pid=$!
	tail -f -n +1 --pid=$pid "$said"
	wait $pid
	result=$?
	# shellcheck disable=SC2046 # three numbers
	set -- $(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\) skipped\)\{0,1\}$/\1 \2 \4/p' \
		"$said")
	if [ $# -lt 2 ] || { [ $result -ne 0 ] && [ "$2" -eq 0 ]; }; then
		echo "FAIL  ended early, with status $result"
		set -- "${1:-0}" $((${2:-0} + 1)) "${3:-0}"
	fi
	add "$1" "$2" "${3:-0}"
}

scripts/deps.sh || exit 1
# Its progress is to be seen.
mkdir -p build
if flock build/lock make --no-print-directory; then
	echo "ok    the build"
	add 1 0 0
else
	echo "FAIL  the build"
	add 0 1 0
fi
suite make --no-print-directory -C selftests/bpf/arena_unit check
suite tests/fuzz.sh
suite tests/guest.sh
suite tests/docs.sh
suite tests/tools.sh
suite tests/cache.sh
suite tests/conformance.sh
suite tests/stock.sh
suite tests/series.sh
suite tests/refresh.sh
suite tests/harness.sh
suite tests/static.sh
echo
finish
