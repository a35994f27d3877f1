#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: guest.sh [normal|debug|kcsan [OPTION]...]
#
# The arena selftests, in the virtual machine with this kernel (normal). Another
# kernel than the normal one is built first. The options are test_progs's.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

config=${1:-normal}
case $config in
normal)
	kernel=build/kernel
	limit=2400
	# One random program in thousands has 16,000 states of the verifier at a time, of
	# several KiB each.
	memory=4G
	;;
debug | kcsan)
	kernel=build/kernel-$config
	limit=5400
	memory=2G
	;;
*)
	echo "guest.sh: $config: must be normal, debug or kcsan" >&2
	exit 1
	;;
esac
suite=guest-$config
[ $# -eq 0 ] || shift

# A subtest counts as one, and so does a test without any.
count_selftests()
{
	awk '
	/^#[0-9]+(\/[0-9]+)? +.*:(OK|SKIP|FAIL)/ {
		test = substr($1, 2)
		result[test] = $0
		if (sub("/.*", "", test))
			parent[test] = 1
	}
	END {
		for (test in result) {
			if (test in parent)
				continue
			if (result[test] ~ /:OK/) passed++
			else if (result[test] ~ /:SKIP/) skipped++
			else failed++
		}
		print passed + 0, failed + 0, skipped + 0
	}' "$1"
}

# selftests [OPTION]...
selftests()
{
	log=$logs/$suite.log
	begin=$(date +%s)
	VM_MEMORY=${VM_MEMORY:-$memory} VM_TIMEOUT=${VM_TIMEOUT:-$limit} \
		VM_LOG=build/log/console-$config.log \
		scripts/boot.sh $kernel/arch/x86/boot/bzImage test_progs -t arena \
		"$@" >"$log" 2>&1
	result=$?
	# shellcheck disable=SC2046 # three numbers
	set -- $(count_selftests "$log")
	add "$@"
	# What the runner or the kernel found wrong is a failure, too, even when
	# each test passed.
	if [ $result -ne 0 ] && [ "$2" -eq 0 ]; then
		failed=$((failed + 1))
	fi
	if [ $result -eq 0 ]; then
		echo "ok    $suite: $1 subtests, no report in the log" \
			"($(($(date +%s) - begin)) s)"
	else
		echo "FAIL  $suite: status $result; the end of $log:"
		tail -n 60 "$log" | sed 's/^/      /'
	fi
	# What they did: failures injected, operations of the stress.
	grep -E '^arena_[a-z_]*: |:SKIP' "$log" | sed 's/^/      /'
	if [ $result -ne 0 ]; then
		echo "FAIL  $suite: what failed in it:"
		# The last ones are those of a hang, by log-hang.sh.
		grep -E '^#.*:FAIL|:FAIL:|^vm: F| (WARNING|BUG): |^CPU [0-9]+: |^[^ ]+ \([0-9]+, [A-Z]\): ' \
			"$log" | sort -u | tail -n 60 | sed 's/^/      /'
	fi
}

[ "$config" = normal ] ||
	check "the kernel is built" make --no-print-directory "kernel-$config"
selftests "$@"
finish
