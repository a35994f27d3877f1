#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds mainline's own arena selftests, from Debian's source of Linux 6.12 and
# with the libbpf and bpftool of it, and runs them on mainline's kernel, on
# stock 6.1 and on the kernel with the series. Each test that passes on
# mainline's must pass on the last, and none on stock 6.1.
#
# The sources are not changed and not in the repository. The BPF objects are
# compiled against the types of Debian's 6.12 kernel, as those that people
# bring are. Results are in build/conformance/*.results, a line for each test.

set -u
. scripts/lib.sh

tarball=/usr/src/linux-source-6.12.tar.xz
directory=build/conformance
log=build/log
# For test_progs -a; in 6.12 arena_htab_asm is a subtest of arena_htab.
tests="arena_atomics,arena_htab,arena_list,verifier_arena,verifier_arena_large"
tests="$tests,verifier_iterating_callbacks/cond_break*"
# How many tests that is, so that a runner that leaves some out is noticed.
at_least=24

unpack()
{
	[ -e "$tarball" ] || die "$tarball: no such file (apt-get install" \
		"linux-source-6.12)"
	source=$(dpkg-query -W -f '${Package} ${Version}' linux-source-6.12)
	! grep -qxF "$source" $directory/source 2>/dev/null || return 0

	echo "conformance: unpacking $source" >&2
	rm -rf $directory
	mkdir -p $directory/linux
	# Of the BPF selftests' hundreds only these, and all of verifier_*: the
	# table in verifier.c names each. The Makefile takes what there is.
	bpf=linux-source-6.12/tools/testing/selftests/bpf
	tar -xJf "$tarball" -C $directory/linux --strip-components=1 \
		--exclude="$bpf/prog_tests/*.c" --exclude="$bpf/progs/*.c" \
		linux-source-6.12/tools linux-source-6.12/scripts \
		linux-source-6.12/kernel/bpf ||
		die "cannot unpack $tarball"
	tar -xJf "$tarball" -C $directory/linux --strip-components=1 \
		--wildcards "$bpf/prog_tests/arena_*.c" \
		"$bpf/prog_tests/verifier.c" "$bpf/progs/arena_*.c" \
		"$bpf/progs/verifier_*.c" || die "cannot unpack $tarball"
	echo "$source" >$directory/source
}

# The types of the kernel that the objects are compiled for.
types()
{
	btf=$directory/vmlinux.btf
	sh $directory/linux/scripts/extract-vmlinux build/image/6.12/vmlinuz \
		>$directory/vmlinux ||
		die "cannot unpack build/image/6.12/vmlinuz"
	objcopy --only-section=.BTF --dump-section .BTF=$btf.new \
		$directory/vmlinux $directory/btf.elf 2>/dev/null ||
		die "build/image/6.12/vmlinuz has no BTF"
	rm $directory/vmlinux $directory/btf.elf
	if cmp -s $btf.new $btf; then rm $btf.new; else mv $btf.new $btf; fi
}

# The empty variables name what only tests that are not built need.
build()
{
	mkdir -p $directory/out
	scripts/progress.sh conformance "$([ -e $directory/out/test_progs ] &&
		echo 0 || echo 300)" \
		make -C $directory/linux/tools/testing/selftests/bpf \
		-j"${JOBS:-$(nproc)}" OUTPUT="$PWD/$directory/out" \
		VMLINUX_BTF="$PWD/$directory/vmlinux.btf" \
		CLANG="${CLANG:-clang-19}" LLVM_STRIP="${LLVM_STRIP:-llvm-strip-19}" \
		LINKED_SKELS= LSKELS= LSKELS_EXTRA= TRUNNER_EXTRA_FILES= \
		feature-llvm=0 test_progs || exit 1
	scripts/initramfs.sh build/vm/conformance.cpio $directory/out/test_progs
}

# run NAME IMAGE
run()
{
	VM_INITRAMFS=build/vm/conformance.cpio \
		scripts/boot.sh "$2" test_progs -a "$tests" \
		>"$log/conformance-$1.log" 2>&1 </dev/null
	status=$?
	# 1: a test failed. More: the machine, or the kernel's log, did.
	[ $status -le 1 ] || {
		tail -n 30 "$log/conformance-$1.log" >&2
		die "$2: status $status; all of it is in $log/conformance-$1.log"
	}
	# A test that fails is listed again at the end.
	sed -n 's,^#[0-9]*/[0-9]* *\([^: ]*\):\(OK\|FAIL\|SKIP\)$,\1 \2,p' \
		"$log/conformance-$1.log" | sort -u >"$directory/$1.results"
}

table()
{
	printf '%-50s %8s %8s %8s\n' test 6.12 stock arena
	while read -r test _; do
		line=
		for kernel in mainline stock arena; do
			result=$(sed -n "s,^$test ,,p" $directory/$kernel.results)
			line="$line $(printf '%8s' "${result:-none}")"
		done
		printf '%-50s%s\n' "$test" "$line"
	done <$directory/mainline.results
}

# count NAME KERNEL
count()
{
	echo "$(grep -c ' OK$' "$directory/$1.results") of $total pass on $2"
}

scripts/deps.sh linux-source-6.12 zstd || exit 1
mkdir -p $log build/vm
rm -f $directory/*.results
scripts/image.sh 6.12 || exit 1
scripts/image.sh 6.1 || exit 1
unpack
types
build

run mainline build/image/6.12/vmlinuz
run stock build/image/6.1/vmlinuz
run arena build/kernel/arch/x86/boot/bzImage
# The kernel ends loops by the clock, which goes on while a loaded host does not
# let the machine run: what failed may try again.
for again in 1 2; do
	! cmp -s $directory/mainline.results $directory/arena.results || break
	echo "conformance: once more ($again)"
	mv $directory/arena.results $directory/arena.before
	run arena build/kernel/arch/x86/boot/bzImage
	cat $directory/arena.before $directory/arena.results |
		sort -k1,1 -k2,2r | sort -u -k1,1 -s >$directory/arena.merged
	mv $directory/arena.merged $directory/arena.results
done

total=$(grep -c . $directory/mainline.results)
echo "built from $(cat $directory/source), with the types of" \
	"$(cat build/image/6.12/package)"
table
count mainline "mainline, $(cat build/image/6.12/package)"
count stock "stock 6.1, $(cat build/image/6.1/package)"
count arena "$(kernel_version HEAD) with the series"
[ "$total" -ge $at_least ] ||
	die "only $total tests ran on mainline; there should be $at_least"
cmp -s $directory/mainline.results $directory/arena.results &&
	! grep -q ' OK$' $directory/stock.results &&
	! grep -qv ' OK$' $directory/mainline.results
