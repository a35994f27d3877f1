#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: static.sh [all]
#
# What can be told of the kernel code without the arena selftests: sparse and the
# compilers' W=1 say nothing of the series that they do not say of the base, and
# kernels that have no arenas still build and boot. With "all", there is no warning
# with other configurations and machines either, and kernels that cannot boot here
# build.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
. scripts/lib.sh

jobs=$(nproc)
clang=${CLANG:-clang-19}
cc=gcc
! command -v ccache >/dev/null || cc="ccache gcc"

# The objects of what the series touches, of those that SOURCE has.
touched_objects()
{
	git -C $tree diff --no-renames --name-only --diff-filter=d base HEAD -- \
		kernel mm net lib fs security arch/x86 |
	sed -n 's/\.c$/.o/p' |
	while read -r object; do
		[ ! -e "$1/${object%.o}.c" ] || echo "$object"
	done
}

# messages SOURCE OBJECTS MAKE-ARGUMENT...: what compiling the touched files
# says, less the line numbers and the path to SOURCE, which is another clone's in what
# ccache has from there. They are compiled anew each time.
messages()
{
	source=$(realpath "$1")
	objects=build/$2
	shift 2
	env "$@" scripts/config.sh "$source" "$objects" configs/arena.config \
		configs/vm.config >&2
	list=$(touched_objects "$source")
	for object in $list; do
		rm -f "$objects/$object"
	done
	# shellcheck disable=SC2086 # a list of words
	make -s -C "$source" O="$PWD/$objects" -j"$jobs" "$@" $list >"$out" 2>&1 || {
		cat "$out" >&2
		return 1
	}
	grep -E 'warning:|error:' "$out" |
		sed -E 's,^[^ :]*(/build|\.\.)/[^/]*/,,; s/:[0-9]+(:[0-9]+)?:/:/' | sort
}

# nothing_new NAME MAKE-ARGUMENT...
nothing_new()
{
	name=$1
	shift
	open_base
	messages $base "check-base-$name" "$@" >"$work/old"
	messages $tree "check-$name" "$@" >"$work/new"
	echo "base: $(wc -l <"$work/old") messages; new ones of the series:"
	comm -13 "$work/old" "$work/new" >"$work/more"
	cat "$work/more"
	[ ! -s "$work/more" ]
}

# compiles NAME GOALS MAKE-ARGUMENT...: in build/NAME, whose configuration makes an
# error of each warning of the compiler.
compiles()
{
	name=$1
	goals=$2
	shift 2
	grep -x CONFIG_WERROR=y "build/$name/.config"
	# shellcheck disable=SC2086 # a list of words
	expect 0 make -s -C $tree O="$PWD/build/$name" -j"$jobs" "$@" $goals
	refuses grep -E 'undefined symbol|warning: objtool' "$out" || {
		rm -r "build/$name" # another make would not say it again
		return 1
	}
}

# builds NAME GOALS FRAGMENTS MAKE-ARGUMENT...
builds()
{
	name=$1
	goals=$2
	fragments=$3
	shift 3
	# shellcheck disable=SC2086 # a list of words
	env "$@" scripts/config.sh $tree "build/$name" $fragments
	compiles "$name" "$goals" "$@"
}

# allmodconfig_compiles GOALS: with everything on that can be.
allmodconfig_compiles()
{
	make -s -C $tree O="$PWD/build/allmodconfig" CC="$cc" allmodconfig
	compiles allmodconfig "$1" CC="$cc"
}

arm64_builds()
{
	builds arm64 "$1" configs/arm64.config ARCH=arm64 LLVM="${clang#clang}"
}

# At this kernel's addresses a weak symbol that nobody defines (BTF's) is out of
# reach: the linker must go on, and only what it lacks counts.
no_mmu_builds()
{
	builds no-mmu vmlinux configs/no-mmu.config ARCH=riscv LLVM="${clang#clang}" \
		LDFLAGS_vmlinux=--noinhibit-exec
}

# A small kernel to boot, on top of configs/tiny.config.
tiny_builds()
{
	builds "$1" bzImage "configs/tiny.config configs/$1.config" CC="$cc"
}

# guest NAME COMMAND [ARG]...
guest()
{
	image=build/$1/arch/x86/boot/bzImage
	shift
	scripts/boot.sh "$image" "$@"
}

# An array can be had, an arena cannot.
no_jit_refuses_arenas()
{
	tiny_builds no-jit
	expect 255 guest no-jit sh -c '
		grep -m 1 " arena_" /proc/kallsyms || exit 1
		bpftool map create /sys/fs/bpf/array name a type array \
			key 4 value 4 entries 1 || exit 1
		bpftool map create /sys/fs/bpf/arena name a type arena flags 0x400 \
			key 0 value 0 entries 1'
	says "map create failed: Operation not supported"
}

# Classic BPF (of the seccomp filter that strace sets up) is compiled as ever.
no_bpf_has_no_arenas()
{
	tiny_builds no-bpf
	expect 255 guest no-bpf sh -c '
		strace -f --seccomp-bpf -e trace=uname uname || exit 1
		! grep " arena_" /proc/kallsyms || exit 1
		bpftool map list'
	says 'uname({sysname="Linux"'
	says "Function not implemented"
}

touched=$(touched_objects $tree)

check "sparse and gcc W=1 have nothing new to say" \
	nothing_new sparse C=2 CF=-D__CHECK_ENDIAN__ W=1 CC="$cc"
check "clang W=1 has nothing new to say" nothing_new clang W=1 LLVM="${clang#clang}"
if [ "${1:-}" = all ]; then
	check "allmodconfig has nothing to say" allmodconfig_compiles "$touched"
	check "arm64 has nothing to say" \
		arm64_builds "$(echo "$touched" | grep -v '^arch/')"
	check "allmodconfig has nothing to say of what is around" \
		allmodconfig_compiles "kernel/bpf/ arch/x86/net/ mm/ net/core/"
	check "a kernel for arm64 builds" arm64_builds vmlinux
	check "a kernel without MMU builds" no_mmu_builds
	check "a kernel of 32 bits builds" \
		builds 32bit vmlinux configs/32bit.config ARCH=i386 CC="$cc"
fi
check "a kernel without JIT refuses arenas" no_jit_refuses_arenas
check "a kernel without bpf(2) has no arenas" no_bpf_has_no_arenas
finish
