#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: guards.sh [GUARD]...
#
# Takes a guard out of the kernel, builds and boots it, and sees that the test
# that is there for it fails, and how; one after the other, or only the GUARDs:
# files of tests/guards without their suffix. Each of these is a patch, after
# three lines: "Trap: what is guarded against", "Test: TEST/SUBTEST...", of which
# each must fail, and "Says: what must be read then", from the test or the kernel.

set -u
. scripts/lib.sh

# Called so, ccache has the objects of build/kernel for them.
each=build/guards/linux
objects=build/guards/kernel
image=$objects/arch/x86/boot/bzImage

[ $# -gt 0 ] || set -- tests/guards/*.patch
head=$(git -C $tree rev-parse arena) || die "no kernel tree yet: run make first"
mkdir -p build/guards
[ -e $each ] || git -C $tree worktree add -q -f --detach "$PWD/$each" "$head"

build()
{
	scripts/config.sh $each $objects configs/arena.config configs/vm.config &&
	scripts/progress.sh guards "$([ -e $objects/vmlinux ] && echo 0 || echo 1850)" \
		make -C $each O="$PWD/$objects" CC="$(command -v ccache) gcc" \
		-j"${JOBS:-$(nproc)}" bzImage
}

# header KEY GUARD: what the guard's line KEY says
header()
{
	sed -n "/^$/q; s/^$1: //p" "$2"
}

# A VMA that was freed reads as poison, so that its use is seen without KASAN,
# too, and the machine ends at the first report.
boot()
{
	VM_TIMEOUT=${VM_TIMEOUT:-600} \
	VM_APPEND="slub_debug=FP,vm_area_struct oops=panic ${VM_APPEND:-}" \
		scripts/boot.sh $image test_progs -t "$1" >"$2" 2>&1 </dev/null
}

# fails TEST: by its own failure or a report of the kernel, not that of the machine
fails()
{
	log=build/log/guards-$name-${1#*/}.log
	boot "$1" "$log"
	status=$?
	if [ $status -eq 0 ] || [ $status -gt 123 ] || ! grep -qF -e "$says" "$log"; then
		echo "FAIL  $name: $1 does not say \"$says\" (status $status): $log"
		return 1
	fi
}

guards=0
missed=0
for guard; do
	name=$(basename "$guard" .patch)
	guard=tests/guards/$name.patch
	[ -e "$guard" ] || die "there is no $guard"
	tests=$(header Test "$guard")
	says=$(header Says "$guard")
	git -C $each checkout -q -f --detach "$head" || exit 1
	git -C $each apply "$PWD/$guard" || die "$guard does not apply"
	build || die "the kernel without $name does not build"
	passed=
	for test in $tests; do
		fails "$test" || passed=y
	done
	guards=$((guards + 1))
	if [ -n "$passed" ]; then
		missed=$((missed + 1))
	else
		echo "ok    $name: $tests: $says"
	fi
done
git -C $each checkout -q -f --detach "$head"
echo "$guards guards, $missed missed"
[ $missed -eq 0 ]
