#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# 6.1's own tests of BPF give on the kernel with the series what they give on stock 6.1
# (scripts/compare-stock.sh). Make compare does that with test_progs and the longer parts
# of the others, too.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

for test in test_verifier test_bpf-0 test_bpf-2 test_maps-short; do
	check "6.1's $test gives the same results" scripts/compare-stock.sh $test
	grep -E '^by intention: | regressions$' "$log" | sed 's/^/      /'
done
finish
