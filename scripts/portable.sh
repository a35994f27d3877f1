#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests of the header libraries, and the tools, on Debian's kernels 6.12 and 7.x:
# the same objects as on the kernel with the series. Prints a table of what works where.
# Results are in build/portable/*.results, a line for each test; of a kernel that cannot
# be had there is one called "reason". The machine must have been built (make initramfs).

set -u
. scripts/lib.sh

directory=build/portable
log=build/log
# How many there are at least, so that a runner that leaves some out is noticed.
at_least=30

# run SERIES: status 1 if something failed, 0 too if the kernel cannot be had
run()
{
	results=$directory/$1.results
	if ! scripts/image.sh "$1" 2>"$directory/$1.said"; then
		echo "reason $(tail -n 1 "$directory/$1.said")" >"$results"
		return 0
	fi
	VM_TIMEOUT=${VM_TIMEOUT:-900} VM_LOG=$log/console-portable-$1.log \
		scripts/boot.sh "build/image/$1/vmlinuz" portable \
		>"$log/portable-$1.log" 2>&1 </dev/null
	status=$?
	# Of a test that has subtests only these count.
	sed -n 's,^#[0-9/]* *\([^: ]*\):\(OK\|FAIL\|SKIP\)$,\1 \2,p' "$log/portable-$1.log" |
		sort -u | awk '
		{ result[$1] = $2 }
		END {
			for (name in result) {
				test = name
				if (sub("/.*", "", test))
					delete result[test]
			}
			for (name in result)
				print name, result[name]
		}' | sort >"$results"
	if [ $status -ne 0 ] || [ "$(grep -c . "$results")" -lt $at_least ]; then
		tail -n 30 "$log/portable-$1.log" >&2
		echo "portable.sh: $1: status $status; all of it is in" \
			"$log/portable-$1.log" >&2
		return 1
	fi
}

# name SERIES: such as 7.3.4, or the series if there is none
name()
{
	sed 's/^linux-[a-z]*-\([0-9.]*\).*/\1/' "build/image/$1/package" 2>/dev/null ||
		echo "$1"
}

table()
{
	printf '%-40s %8s %8s\n' test "$(name 6.12)" "$(name 7)"
	cat $directory/*.results | grep -v '^reason ' | cut -d' ' -f1 | sort -u |
	while read -r test; do
		line=
		for series in 6.12 7; do
			result=$(sed -n "s,^$test ,,p" $directory/$series.results)
			line="$line $(printf '%8s' "${result:-none}")"
		done
		printf '%-40s%s\n' "$test" "$line"
	done
	for series in 6.12 7; do
		sed -n "s/^reason /not run on $series: /p" $directory/$series.results
		[ ! -e $log/portable-$series.log ] ||
			sed -n "s/^arena-[a-z]*: no memory/$(name $series): &/p" \
				$log/portable-$series.log
	done
}

mkdir -p $directory $log
rm -f $directory/*.results $log/portable-*.log
failed=0
for series in 6.12 7; do
	run $series || failed=1
done
echo "the header libraries and the tools, the same objects on each kernel:"
table
exit $failed
