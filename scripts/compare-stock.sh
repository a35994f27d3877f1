#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: compare-stock.sh [-r] [SUITE...]
#
# The SUITEs are test_verifier, test_maps, test_progs, and those of lib/test_bpf.ko:
# test_bpf-0 and test_bpf-2, by the value of bpf_jit_harden, and test_bpf-magnitudes.
# Without one, all. test_maps-short is test_maps with fewer tasks.
#
# Builds 6.1's own BPF tests from the base, without the series, runs them on the
# kernel with it, and compares with what stock 6.1 gave: tests/stock-results.
# test_verifier and test_bpf must give the same results; what else passes on stock
# 6.1 must pass. With -r, runs them on stock 6.1 (make kernel-stock) and writes
# tests/stock-results.

set -u
. scripts/lib.sh
export LC_ALL=C # one order for sort and comm

directory=build/compare
selftests=$directory/linux/tools/testing/selftests/bpf
log=build/log
recorded=tests/stock-results
kernel=build/kernel

all="test_verifier test_bpf-0 test_bpf-2 test_bpf-magnitudes test_maps test_progs"

# These need connection tracking, which configs/vm.config does not have.
without="progs/test_bpf_nf.c progs/test_bpf_nf_fail.c progs/xdp_synproxy_kern.c
	prog_tests/bpf_nf.c prog_tests/xdp_synproxy.c"

# What fails by intention. The first go through the names that the kernel knows and
# expect the libbpf that they were built with to know them, too; the series has its
# own. The next two use an instruction that was none before: a byte swap. The next one
# has a loop that is entered in its middle, which was refused. The last four name an
# offset in a map value that is refused in other words.
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
518/p direct map access, write test 7 FAIL
518/u direct map access, write test 7 FAIL
523/p direct map access, write test 12 FAIL
523/u direct map access, write test 12 FAIL
EOF
}

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

# compile STEPS TARGET [ARG]...: in the source tree, as 6.1 cannot build urandom_read
# elsewhere.
compile()
{
	steps=$1
	shift
	[ ! -e "$selftests/$1" ] || steps=0
	# In a make that another make runs, 6.1's selftests do not say where to build.
	scripts/progress.sh compare "$steps" env -u MAKELEVEL make -C $selftests \
		CC="$(command -v ccache) gcc" CLANG="${CLANG:-clang-19}" \
		LLVM_STRIP="${LLVM_STRIP:-llvm-strip-19}" \
		VMLINUX_BTF="$PWD/build/vmlinux.btf" TRUNNER_EXTRA_FILES= \
		-j"${JOBS:-$(nproc)}" "$@" || exit 1
}

# The programs that test_maps loads
map_programs="sockmap_parse_prog sockmap_verdict_prog sockmap_tcp_msg_prog
	test_map_in_map test_map_in_map_invalid"

# map_tasks SUITE: how many tasks test_maps lets walk a map at a time. With its 100 it
# takes an emulated machine four minutes if the host is idle.
map_tasks()
{
	[ "$1" = test_maps ] || set -- "$1" '
		s/run_parallel(100,/run_parallel(10,/
		s/^#define TASKS 100$/#define TASKS 10/'
	git -C $tree show base:tools/testing/selftests/bpf/test_maps.c |
		sed "${2:-}" >$selftests/test_maps.c
}

# build SUITE: the suite, and what it wants to find in the guest
build()
{
	case $1 in
	test_verifier)
		compile 60 test_verifier
		set -- $selftests/test_verifier
		;;
	test_bpf-*)
		set -- "$kernel/lib/test_bpf.ko"
		[ -e "$1" ] || die "no $1; it comes with: make ${kernel#build/}"
		;;
	test_maps*)
		map_tasks "$1"
		# Without all the programs that are test_progs'.
		compile 130 test_maps LINKED_SKELS= LSKELS= LSKELS_EXTRA= \
			TRUNNER_BPF_SRCS="$(printf '%s.c ' $map_programs \
				read_bpf_task_storage_busy)"
		set -- $selftests/test_maps
		for program in $map_programs; do
			set -- "$@" "$selftests/$program.bpf.o"
		done
		;;
	test_progs)
		compile 1850 test_progs "$PWD/$selftests/urandom_read"
		set -- $selftests/test_progs $selftests/urandom_read \
			$selftests/liburandom_read.so $selftests/*.bpf.o \
			$selftests/progs/btf_dump_test_case_*.c \
			"$(command -v ip)" "$(command -v tc)"
		;;
	*)
		die "$1: there are the suites $all"
		;;
	esac
	scripts/initramfs.sh build/vm/compare.cpio "$@" || exit 1
}

# bpf_parts SUITE: the parameters to load test_bpf.ko with, one after another, as it ends
# with a part that fails. The programs that try all magnitudes of operands have 10,000 and
# more constants: for each that is blinded the rest of the program is moved, which takes
# minutes for a program. The numbers are those of the tests.
bpf_parts()
{
	case $1 in
	test_bpf-magnitudes)
		echo test_range=828,864 test_range=889,952
		;;
	*)
		echo test_range=0,827 test_range=865,888 test_range=953,1025 \
			test_suite=test_tail_calls test_suite=test_skb_segment
		;;
	esac
}

# in_guest SUITE [ARG]...: runs it there
in_guest()
{
	case $1 in
	test_bpf-*)
		harden=${1#*-}
		[ "$harden" != magnitudes ] || harden=0
		set -- sh -c "echo $harden >/proc/sys/net/core/bpf_jit_harden || exit
			for part in $(bpf_parts "$1"); do
				dmesg -c >/dev/null
				insmod test_bpf.ko \$part && rmmod test_bpf
				echo part \$part
				dmesg
			done"
		;;
	test_maps*)
		set -- test_maps
		;;
	esac
	VM_INITRAMFS=build/vm/compare.cpio VM_MEMORY="${VM_MEMORY:-4G}" \
		VM_TIMEOUT="${VM_TIMEOUT:-3600}" \
		scripts/boot.sh "$kernel/arch/x86/boot/bzImage" "$@" </dev/null
}

# What the log says of test_bpf.ko. Another message can come between the name of a
# test and its result. What passes but in the interpreter is not OK.
bpf_results()
{
	awk '
	function result() {
		if (name == "")
			return
		if (said ~ /FAIL|UNEXPECTED/ || said !~ /PASS/)
			print name, "FAIL"
		else if (said ~ /jited:0/)
			print name, "INTERPRETED"
		else
			print name, "OK"
		name = ""
	}
	/^part / {
		result()
		part = $2 ~ /^test_suite=/ ? substr($2, 12) : "test_bpf"
	}
	{
		sub(/^\[ *[0-9.]+\] /, "")
	}
	sub(/^test_bpf: #/, "") {
		result()
		said = name = $0
		sub(/ *((jited:|PASS|FAIL|UNEXPECTED_).*)?$/, "", name)
		name = part " " name
		said = substr(said, length(name) - length(part))
		next
	}
	/^test_bpf: / {
		result()
	}
	/jited:|PASS|FAIL/ {
		said = said " " $0
	}
	END {
		result()
	}' "$1"
}

# What test_maps says before it lets tasks do a thing, and after one that it does itself.
# It ends at the first failure, without its last line.
map_results()
{
	awk '
	/^Fork [0-9]+ tasks/ {
		print ++count, $NF, "OK"
	}
	/^test_[^ ]*:PASS/ {
		sub(/:.*/, "")
		print ++count, $1, "OK"
	}
	/ SKIP / {
		print ++count, $1, "SKIP"
	}
	/^test_maps: OK/ {
		ended = 1
	}
	END {
		print "all", ended ? "OK" : "FAIL"
	}' "$1"
}

# results SUITE LOG: "NAME RESULT" of each test. A test of test_progs that fails is
# printed twice.
results()
{
	case $1 in
	test_verifier)
		sed -nE 's,^#([0-9]+/[up] .*) (OK|FAIL|SKIP).*$,\1 \2,p' "$2"
		;;
	test_bpf-*)
		bpf_results "$2"
		;;
	test_maps*)
		map_results "$2"
		;;
	test_progs)
		sed -nE 's,^#[0-9]+(/[0-9]+)? +([^: ]+):(OK|FAIL|SKIP).*$,\2 \3,p' "$2"
		;;
	esac | sort -u
}

# run SUITE [ARG]...: what each test gave, in $directory/SUITE.results
run()
{
	suite=$1
	said=$log/compare-$suite.log
	in_guest "$@" >"$said" 2>&1
	status=$?
	# 1: a test failed. More: the machine, or the kernel's log, did, or an assertion.
	[ $status -le 1 ] || {
		tail -n 30 "$said"
		echo "$(title "$suite"): status $status; all of it is in $said" |
			tee -a $directory/summary
		return 1
	}
	results "$suite" "$said" >"$directory/$suite.results"
	echo "$suite: $(lines "$suite.results") tests," \
		"$(grep -c ' OK$' "$directory/$suite.results") OK," \
		"$(grep -c ' SKIP$' "$directory/$suite.results") skipped"
}

# lines FILE
lines()
{
	grep -c . "$directory/$1"
}

# failing SUITE: what did not pass
failing()
{
	grep -v " OK$" "$directory/$1.results" | sort
}

# record SUITE
record()
{
	run "$1" || return
	mkdir -p $recorded
	{
		echo "# SPDX-License-Identifier: GPL-2.0"
		echo "# What does not pass on stock $(kernel_version base);" \
			"made by: make kernel-stock && scripts/compare-stock.sh -r $1"
		echo "$(lines "$1.results") tests"
		failing "$1"
	} >$recorded/"$1"
}

# differences SUITE: in the files worse, intended and better
differences()
{
	sed '1,3d' "$recorded/${1%-short}" >"$directory/stock"
	failing "$1" >"$directory/arena"
	intended | sort >"$directory/list"
	comm -23 "$directory/stock" "$directory/arena" >"$directory/better"
	comm -13 "$directory/stock" "$directory/arena" |
		comm -23 - "$directory/list" >"$directory/worse"
	comm -13 "$directory/stock" "$directory/arena" |
		comm -12 - "$directory/list" >"$directory/intended"
}

# compare SUITE: prints the differences, and how many there are in the last line.
compare()
{
	suite=$1
	run "$suite" || return
	count=$(lines "$suite.results")
	expected=$(sed -n '3s/ tests$//p' "$recorded/${suite%-short}")
	differences "$suite"

	# A loaded host makes tests fail that look at a clock.
	if [ "$suite" = test_progs ] && [ -s "$directory/worse" ]; then
		again=$(sed 's,[/ ].*,,' "$directory/worse" | sort -u | paste -s -d ,)
		echo "$suite: once more: $again"
		cp "$directory/worse" "$directory/once"
		run "$suite" -a "$again" || return
		failing "$suite" | comm -12 - "$directory/once" >"$directory/worse"
	fi

	sed "s/^/by intention: $suite /" "$directory/intended"
	sed "s/^/stock 6.1 only: $suite /" "$directory/better"
	sed "s/^/with the series only: $suite /" "$directory/worse"
	set -- "$directory/worse"
	case $suite in
	test_verifier | test_bpf-*) set -- "$@" "$directory/better" ;;
	esac
	worse=$(sed 's/ [A-Z]*$//' "$@" | sort -u | grep -c .)
	if [ "$count" -lt "$expected" ]; then
		echo "$suite: only $count of $expected tests ran; see $log/compare-$suite.log"
		worse=$((worse + expected - count))
	fi
	echo "$(title "$suite"): $count tests, $worse regressions" >>$directory/summary
	[ "$worse" -eq 0 ]
}

title()
{
	case $1 in
	test_bpf-[02])	echo "test_bpf, bpf_jit_harden=${1#*-}" ;;
	test_maps-short) echo "test_maps, 10 tasks at a time" ;;
	*)		echo "$1" ;;
	esac
}

do_suite=compare
if [ "${1:-}" = -r ]; then
	do_suite=record
	kernel=build/kernel-stock
	shift
fi
# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $all
scripts/deps.sh iproute2 || exit 1
mkdir -p $log build/vm
unpack
: >$directory/summary
failed=
for suite; do
	build "$suite"
	$do_suite "$suite" || failed=y
done
cat $directory/summary
[ -z "$failed" ]
