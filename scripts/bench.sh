#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: bench.sh OURS STOCK
#
# Measures arenas on the kernel image OURS, and on mainline's 6.12 as Debian
# builds it, twice each, in guest instructions; what has nothing to do with
# arenas also on the image STOCK. Prints the table and leaves
# table.txt, table.csv and plot.svg in build/bench. Fails if a limit of
# bench.limits is not kept, or the two runs differ by more than 0.1 %.

set -u

ours=$1
stock=$2
bench=build/bench

# What is there beside arenas is out of the way as far as all kernels can: what is
# the default of one only, and what differs from boot to boot.
parameters='mitigations=off init_on_alloc=0 randomize_kstack_offset=off'
parameters="$parameters nokaslr norandmaps tsc=reliable maxcpus=1"

# count NAME IMAGE: with one CPU, and what needs them with two; the driver starts
# the second.
count()
{
	for cpus in 1 2; do
		VM_ACCEL=icount VM_CPUS=$cpus VM_SHELL='' VM_MEMORY=2G VM_CPU='' \
		VM_TIMEOUT=${VM_TIMEOUT:-900} \
		VM_APPEND=$parameters \
			scripts/boot.sh "$2" arena_bench || {
			echo "bench.sh: no result for $1" >&2
			return 1
		}
	done >"$bench/$1"
}

mkdir -p "$bench"
scripts/image.sh 6.12 || exit 125
mainline=build/image/6.12/vmlinuz
for run in 1 2; do
	count ours.$run "$ours" || exit 125
	count mainline.$run "$mainline" || exit 125
	count stock.$run "$stock" || exit 125
done

{
	echo "# SPDX-License-Identifier: GPL-2.0"
	echo "6.12 is $(cat build/image/6.12/package)"
	awk -f scripts/bench.awk -v csv="$bench/table.csv" -v svg="$bench/plot.svg" \
		scripts/bench.limits "$bench"/ours.[12] "$bench"/mainline.[12] \
		"$bench"/stock.[12]
} >"$bench/table.txt"
status=$?
cat "$bench/table.txt"
exit $status
