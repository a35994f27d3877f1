#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Mainline's own arena selftests (scripts/conformance.sh), one by one: what
# passes on mainline's kernel passes here, and not on stock 6.1.

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

scripts/conformance.sh 2>&1 | tee "$logs/conformance.log"
check "all pass on mainline's kernel" all_pass_on_mainline
check "none passes on stock 6.1" none_passes_on_stock
while read -r test _; do
	check "$test" passes "$test"
done <$results/mainline.results
finish
