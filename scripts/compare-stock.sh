#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: compare-stock.sh [-r | SUITE...]
#
# The SUITEs are test_verifier and test_progs; without one, both.
#
# Builds 6.1's own BPF selftests from the base, without the series, runs
# them on the kernel with it, and compares with what stock 6.1 gave:
# tests/stock-results. test_verifier must give the same results; what else
# passes on stock 6.1 must pass. With -r, runs them on stock 6.1 (make
# kernel-stock) and writes tests/stock-results.

set -u
. scripts/lib.sh
export LC_ALL=C # one order for sort and comm

directory=build/compare
selftests=$directory/linux/tools/testing/selftests/bpf
log=build/log
recorded=tests/stock-results

# These need connection tracking, which configs/vm.config does not have.
without="progs/test_bpf_nf.c progs/test_bpf_nf_fail.c progs/xdp_synproxy_kern.c
	prog_tests/bpf_nf.c prog_tests/xdp_synproxy.c"

# What fails by intention. The first go through the names that the kernel knows and
# expect the libbpf that they were built with to know them, too; the series has its
# own. The next two use an instruction that was none before: a byte swap. The last
# one has a loop that is entered in its middle, which was refused.
intended()
{
	cat <<'EOF'
libbpf_probe_map_types FAIL
libbpf_probe_map_types/BPF_MAP_TYPE_ARENA FAIL
libbpf_probe_map_types/BPF_MAP_TYPE_CGRP_STORAGE FAIL
libbpf_str FAIL
libbpf_str/bpf_map_type_str FAIL
119/p invalid 64-bit BPF_END FAIL
119/u invalid 64-bit BPF_END FAIL
807/p bounded loop, start in the middle FAIL
EOF
}

# What test_progs wants to find beside it
programs="$selftests/urandom_read $selftests/liburandom_read.so $selftests/*.bpf.o
	$selftests/progs/btf_dump_test_case_*.c"

unpack()
{
	source=$(git -C $tree rev-parse base)
	! grep -qxF "$source" $directory/source 2>/dev/null || return 0

	rm -rf $directory
	mkdir -p $directory/linux
	git -C $tree archive base tools scripts kernel/bpf Makefile |
		tar -x -C $directory/linux || die "cannot unpack the base"
	for file in $without; do
		rm $selftests/"$file" || exit 1
	done
	echo "$source" >$directory/source
}

# In the source tree, as 6.1 cannot build urandom_read elsewhere.
build()
{
	steps=0
	more=
	for suite in $suites; do
		[ -e "$selftests/$suite" ] || steps=$((steps + 60))
		case $suite in
		test_progs)	steps=$((steps ? 1850 : 0)) more=$programs ;;
		esac
	done
	set -- "CC=$(command -v ccache) gcc" CLANG="${CLANG:-clang-19}" \
		LLVM_STRIP="${LLVM_STRIP:-llvm-strip-19}" \
		VMLINUX_BTF="$PWD/build/vmlinux.btf" TRUNNER_EXTRA_FILES=
	# In a make that another make runs, 6.1's selftests do not say where to build.
	# shellcheck disable=SC2086 # suites and more are lists of words
	scripts/progress.sh compare $steps env -u MAKELEVEL make -C $selftests "$@" \
		-j"${JOBS:-$(nproc)}" $suites ${more:+"$PWD/$selftests/urandom_read"} ||
		exit 1
	set --
	for suite in $suites; do
		set -- "$@" "$selftests/$suite"
	done
	# shellcheck disable=SC2086 # as above, and the patterns are to be expanded
	[ -z "$more" ] || set -- "$@" $more "$(command -v ip)" "$(command -v tc)"
	scripts/initramfs.sh build/vm/compare.cpio "$@" || exit 1
}

# results SUITE LOG: "NAME RESULT" of each test, in order. A test of test_progs
# that fails is printed twice.
results()
{
	case $1 in
	test_verifier)
		sed -nE 's,^#([0-9]+/[up] .*) (OK|FAIL|SKIP).*$,\1 \2,p' "$2"
		;;
	test_progs)
		sed -nE 's,^#[0-9]+(/[0-9]+)? +([^: ]+):(OK|FAIL|SKIP).*$,\2 \3,p' "$2"
		;;
	esac | sort -u
}

# run SUITE IMAGE [ARG]...: what each test gave, in $directory/SUITE.results
run()
{
	suite=$1
	image=$2
	shift 2
	said=$log/compare-$suite.log
	VM_INITRAMFS=build/vm/compare.cpio VM_MEMORY="${VM_MEMORY:-4G}" \
		VM_TIMEOUT="${VM_TIMEOUT:-3600}" \
		scripts/boot.sh "$image" "$suite" "$@" >"$said" 2>&1 </dev/null
	status=$?
	# 1: a test failed. More: the machine, or the kernel's log, did.
	[ $status -le 1 ] || {
		tail -n 30 "$said" >&2
		die "$suite: status $status; all of it is in $said"
	}
	results "$suite" "$said" >"$directory/$suite.results"
	echo "$suite: $(grep -c . "$directory/$suite.results") tests," \
		"$(grep -c ' OK$' "$directory/$suite.results") OK," \
		"$(grep -c ' SKIP$' "$directory/$suite.results") skipped"
}

# failing SUITE: what did not pass and should have
failing()
{
	intended >"$directory/intended"
	grep -v " OK$" "$directory/$1.results" |
		grep -vxF -f "$directory/intended" | sort
}

record()
{
	{
		echo "# SPDX-License-Identifier: GPL-2.0"
		echo "# What does not pass on stock $(kernel_version base);" \
			"made by: make kernel-stock && scripts/compare-stock.sh -r"
		for suite in $suites; do
			run "$suite" build/kernel-stock/arch/x86/boot/bzImage >&2
			echo "$suite: $(grep -c . "$directory/$suite.results") tests"
			failing "$suite" | sed "s/^/$suite /"
		done
	} >$recorded.new || exit 1
	mv $recorded.new $recorded
}

# compare SUITE: prints the differences.
compare()
{
	suite=$1
	run "$suite" build/kernel/arch/x86/boot/bzImage
	count=$(grep -c . "$directory/$suite.results")
	expected=$(sed -n "s/^$suite: \([0-9]*\) tests$/\1/p" $recorded)
	sed -n "s/^$suite //p" $recorded | sort >"$directory/stock"
	failing "$suite" >"$directory/arena"
	comm -13 "$directory/stock" "$directory/arena" >"$directory/worse"
	comm -23 "$directory/stock" "$directory/arena" >"$directory/better"

	# A loaded host makes tests fail that look at a clock.
	if [ "$suite" = test_progs ] && [ -s "$directory/worse" ]; then
		again=$(sed 's,[/ ].*,,' "$directory/worse" | sort -u | paste -s -d ,)
		echo "$suite: once more: $again"
		cp "$directory/worse" "$directory/once"
		run "$suite" build/kernel/arch/x86/boot/bzImage -a "$again"
		failing "$suite" | comm -12 - "$directory/once" >"$directory/worse"
	fi

	sed "s/^/stock 6.1 only: $suite /" "$directory/better"
	sed "s/^/with the series only: $suite /" "$directory/worse"
	if [ "$count" -lt "$expected" ]; then
		echo "$suite: only $count of $expected tests ran"
		return 1
	fi
	case $suite in
	test_verifier)	[ ! -s "$directory/better" ] && [ ! -s "$directory/worse" ] ;;
	*)		[ ! -s "$directory/worse" ] ;;
	esac
}

# Not test_maps: its thousands of tasks are too much for an emulated machine.
suites="test_verifier test_progs"
record=
case ${1:-} in
'')	;;
-r)	record=y ;;
*)	suites=$* ;;
esac
scripts/deps.sh iproute2 || exit 1
mkdir -p $log build/vm
unpack
build
if [ -n "$record" ]; then
	record
	exit
fi
worse=
for suite in $suites; do
	compare "$suite" || worse=y
done
[ -z "$worse" ] && echo "as on stock $(kernel_version base)"
