#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [all]
#
# Every test, from nothing, and with "all" those that take hours, too. All of them
# run, whatever fails; the last line counts.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

# begin COMMAND [ARG]...: starts a program whose last line is such as
# "3 passed, 1 failed" or "3 passed, 1 failed, 0 skipped".
begin()
{
	said=$(mktemp -p "$work" said.XXXXXX)
	echo "--- $*" >"$said"
	"$@" >>"$said" 2>&1 </dev/null &
	pid=$!
}

# end: shows what the program that was begun says, waits for it, and counts.
end()
{
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

suite()
{
	begin "$@"
	end
}

case ${1:-} in
'' | all) ;;
*)
	echo "run.sh: $1: must be all, or nothing" >&2
	exit 1
	;;
esac

# What runs in the background ignores an interrupt, so that it has to be ended.
trap 'trap "" TERM; kill 0; exit 130' INT

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

# An emulated CPU often waits for the other one: two machines at a time. On the debug
# kernel, half of the time goes into what is BPF's own code or user space's for the most
# part, which KASAN and lockdep don't look into, and into random programs.
if [ "${1:-}" = all ]; then
	begin tests/guest.sh debug
else
	begin tests/guest.sh debug -b arena_lib,arena_bpftool,arena_insns,arena_fuzz
fi
debug_pid=$pid
debug_said=$said

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
suite tests/split-lock.sh
suite tests/harness.sh
# shellcheck disable=SC2086 # a word, or none
suite tests/static.sh ${1:-}

pid=$debug_pid
said=$debug_said
end

if [ "${1:-}" = all ]; then
	suite tests/guest.sh kcsan
	suite tests/long.sh
fi
echo
if [ "$failed" -gt 0 ]; then
	# Once more, where who reads only the end sees it: each with its last lines
	awk '
	function end()
	{
		for (line = lines > 12 ? lines - 12 : 0; line < lines; line++)
			print said[line]
		lines = 0
	}
	/^FAIL/ {
		end()
		print
		inside = 1
		next
	}
	!/^ / { inside = 0 }
	inside { said[lines++] = $0 }
	END { end() }' "$work"/said.*
fi
finish
