#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What takes hours: each part can be had by itself, see make help.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

make="make --no-print-directory"

# shellcheck disable=SC2086 # two words
{
check "6.1's own selftests give what they give on stock 6.1" $make compare
check "each guard is needed" $make guards
check "ten minutes of stress, on the debug kernel" $make stress CONFIG=debug
check "100,000 random programs" $make fuzz
check "ten minutes of the page offset allocator in libFuzzer" $make fuzz-space
check "the header libraries and tools on mainline's kernels" scripts/portable.sh
check "each single patch builds and boots" $make test-each
}
finish
