#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# 6.1's own test of the verifier gives on the kernel with the series what it gives
# on stock 6.1 (scripts/compare-stock.sh). Make compare does that with test_progs,
# too, which takes longer than all other tests.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

check "6.1's test_verifier gives the same results" \
	scripts/compare-stock.sh test_verifier
finish
