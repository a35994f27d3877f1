#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Static tests of the kernel code: sparse and the compilers' W=1 say nothing of
# the series that they do not say of the base, and kernels that cannot have
# arenas still build.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
. scripts/lib.sh

jobs=$(nproc)

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
# says, less the line numbers. They are compiled anew each time.
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
		sed -E "s,^($source|(\.\./)+[^/]*)/,,; s/:[0-9]+(:[0-9]+)?:/:/" | sort
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

# builds NAME FRAGMENT MAKE-ARGUMENT...: links a whole kernel.
builds()
{
	name=$1
	fragment=$2
	shift 2
	env "$@" scripts/config.sh $tree "build/$name" "$fragment"
	expect 0 make -s -C $tree O="$PWD/build/$name" -j"$jobs" "$@" vmlinux
	refuses grep 'undefined symbol' "$out"
}

# At this kernel's addresses a weak symbol that nobody defines (BTF's) is out of
# reach: the linker must go on, and only what it lacks counts.
no_mmu_builds()
{
	builds no-mmu configs/no-mmu.config ARCH=riscv LLVM="${clang#clang}" \
		LDFLAGS_vmlinux=--noinhibit-exec
}

clang=${CLANG:-clang-19}
cc=gcc
! command -v ccache >/dev/null || cc="ccache gcc"

check "sparse has nothing new to say" \
	nothing_new sparse C=2 CF=-D__CHECK_ENDIAN__ CC="$cc"
check "gcc W=1 has nothing new to say" nothing_new gcc W=1 CC="$cc"
check "clang W=1 has nothing new to say" nothing_new clang W=1 LLVM="${clang#clang}"
check "a kernel without MMU builds" no_mmu_builds
check "a kernel of 32 bits builds" \
	builds 32bit configs/32bit.config ARCH=i386 CC="$cc"
finish
