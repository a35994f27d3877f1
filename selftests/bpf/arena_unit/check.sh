#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the test programs that are named as arguments and add up their results.
# A program that dies without naming a failed test counts as one.

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

passed=0
failed=0
for program; do
	"./$program" > "$out" 2>&1
	status=$?
	sed "s/^ok /ok $program: /; s/^FAIL /FAIL $program: /" "$out"
	passed=$((passed + $(grep -c '^ok ' "$out")))
	lost=$(grep -c '^FAIL ' "$out")
	if [ "$status" -ne 0 ] && [ "$lost" -eq 0 ]; then
		echo "FAIL $program: exit status $status"
		lost=1
	fi
	failed=$((failed + lost))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
