#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: guards.sh [GUARD]...
#
# Takes a guard out of the kernel, builds and boots it, and sees that the test
# that is there for it fails; one after the other, or only the GUARDs: files of
# tests/guards without their suffix. Each of these is a patch, after two lines:
# "Trap: what is guarded against" and "Test: what must fail", as test_progs -t
# takes it.

set -u
. scripts/lib.sh

each=build/guards
objects=build/kernel-guards
image=$objects/arch/x86/boot/bzImage

[ $# -gt 0 ] || set -- tests/guards/*.patch
head=$(git -C $tree rev-parse arena) || die "no kernel tree yet: run make first"
[ -e $each ] || git -C $tree worktree add -q -f --detach "$PWD/$each" "$head"

build()
{
	scripts/config.sh $each $objects configs/arena.config configs/vm.config &&
	scripts/progress.sh guards "$([ -e $objects/vmlinux ] && echo 0 || echo 1850)" \
		make -C $each O="$PWD/$objects" CC="$(command -v ccache) gcc" \
		-j"${JOBS:-$(nproc)}" bzImage
}

# The command's own failure, not that of the machine, unless the kernel reports
# what has happened.
failed()
{
	[ "$1" -ne 0 ] && [ "$1" -lt 123 ] || [ "$1" -eq 123 ]
}

missed=0
for guard; do
	guard=tests/guards/$(basename "$guard" .patch).patch
	[ -e "$guard" ] || die "there is no $guard"
	name=$(basename "$guard" .patch)
	tests=$(sed -n 's/^Test: //p' "$guard")
	git -C $each checkout -q -f --detach "$head" || exit 1
	git -C $each apply "$PWD/$guard" || die "$guard does not apply"
	build || die "the kernel without $name does not build"
	VM_TIMEOUT=${VM_TIMEOUT:-600} scripts/boot.sh $image test_progs -t "$tests" \
		>build/log/guards-"$name".log 2>&1 </dev/null
	status=$?
	if failed $status; then
		echo "$name: $tests fails without it, as it should"
	else
		echo "$name: $tests does not fail without it (status $status):" \
			"build/log/guards-$name.log"
		missed=$((missed + 1))
	fi
done
git -C $each checkout -q -f --detach "$head"
[ $missed -eq 0 ]
