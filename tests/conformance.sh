#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Mainline's own arena selftests (scripts/conformance.sh), one by one: what
# passes on mainline's kernel passes here, and not on stock 6.1. And the other way
# round: the header libraries and the tools of the series on kernels of mainline's
# (scripts/portable.sh).

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

results=build/conformance

all_pass_on_mainline()
{
	[ "$(grep -c ' OK$' $results/mainline.results)" -ge 24 ]
	refuses grep -v ' OK$' $results/mainline.results
}

none_passes_on_stock()
{
	[ -e $results/stock.results ]
	refuses grep ' OK$' $results/stock.results
}

passes()
{
	echo "its log is in build/log/conformance-arena.log"
	expect 0 grep "^$1 " $results/arena.results
	says "$1 OK"
}

portable=build/portable

# ran SERIES KIND: the results of one kind, of which there are some
ran()
{
	expect 0 grep "$2" $portable/"$1".results
}

libraries_work_on()
{
	echo "its log is in build/log/portable-$1.log"
	ran "$1" '^arena_lib'
	[ "$(grep -c ' OK$' "$out")" -ge 25 ]
	refuses grep -v ' OK$\| SKIP$' "$out"
	# What mainline lacks before 7.0, and nothing else: programs that must not
	# sleep have no pages.
	case $1 in
	6.*)	refuses grep -v ' OK$\|/atomic_.* SKIP$\|/on_the_way SKIP$' "$out" ;;
	*)	refuses grep ' SKIP$' "$out" ;;
	esac
}

tools_work_on()
{
	echo "its log is in build/log/portable-$1.log"
	ran "$1" '^arena-'
	[ "$(grep -c ' OK$' "$out")" -eq 3 ]
}

scripts/conformance.sh 2>&1 | tee "$logs/conformance.log"
check "all pass on mainline's kernel" all_pass_on_mainline
check "none passes on stock 6.1" none_passes_on_stock
while read -r test _; do
	check "$test" passes "$test"
done <$results/mainline.results

scripts/portable.sh 2>&1 | tee "$logs/portable.log"
for series in 6.12 7; do
	if reason=$(grep '^reason ' $portable/$series.results); then
		echo "skip  $suite: libraries and tools on $series: ${reason#reason }"
		add 0 0 2
		continue
	fi
	check "the header libraries on $series" libraries_work_on $series
	check "the tools on $series" tools_work_on $series
done
finish
