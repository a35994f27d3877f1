#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kernel after each single patch and boots it: any of them may be
# where a bisection stops.

set -eu
. scripts/lib.sh

each=build/each
objects=build/each-objects
cc=gcc
! command -v ccache >/dev/null || cc="ccache gcc"

[ -e $each ] || git -C $tree worktree add -q -f --detach "$PWD/$each" base
git -C $tree rev-list --reverse base..arena >build/each-commits
total=$(grep -c . build/each-commits) || die "$tree has no patches"

number=0
while read -r commit; do
	number=$((number + 1))
	git -C $each checkout -q --detach "$commit"
	echo "each: $number of $total: $(git -C $each log -1 --format=%s)"
	scripts/config.sh $each $objects configs/arena.config configs/vm.config
	scripts/progress.sh each 0 make -C $each O="$PWD/$objects" CC="$cc" \
		-j"$(nproc)" bzImage
	! grep -E 'warning:' build/log/each.log || die "the compiler warns"
	scripts/boot.sh $objects/arch/x86/boot/bzImage true </dev/null
done <build/each-commits
echo "each: all $total build and boot"
