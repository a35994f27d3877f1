#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The page offset allocator, with its model, under libFuzzer for half a minute; make
# fuzz does it for as long as one likes. Random programs are a selftest, arena_fuzz.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

libfuzzer()
{
	make --no-print-directory fuzz-space FUZZ_SECONDS=30
}

check "the page offset allocator, by libFuzzer" libfuzzer
finish
