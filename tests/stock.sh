#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# 6.1's own BPF selftests give on the kernel with the series what they give on
# stock 6.1 (scripts/compare-stock.sh).

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

check "6.1's own selftests give the same results" scripts/compare-stock.sh
finish
