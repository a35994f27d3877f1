#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: boot.sh IMAGE COMMAND [ARG]...
#
# Boots IMAGE in QEMU with build/vm/initramfs.cpio and runs COMMAND in it. For
# the exit status and the VM_* variables see vmtest.sh -h. The guest's serial
# ports are its console, the command's input and output, and its exit status
# (scripts/guest/init is the other end). Machines that run at the same time each
# have a VM_LOG of their own.

set -u

image=$1
shift

vm=build/vm
log=${VM_LOG:-$vm/console.log}
run=$vm/run.$$
trap 'rm -rf "$run"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$run/overlay/run" || exit 125

# The command, quoted so that it arrives word by word.
for word; do
	printf "'%s' " "$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g")"
done >"$run/overlay/run/command"

# The test module that was built with this kernel (scripts/testmod.sh)
testmod=${image%/arch/*}/arena_testmod/arena_testmod.ko
if [ -e "$testmod" ]; then
	mkdir "$run/overlay/bpf" &&
	strip --strip-debug -o "$run/overlay/bpf/${testmod##*/}" "$testmod" || exit 125
fi

limit=${VM_TIMEOUT:-600}
input=/dev/null
if [ -n "${VM_SHELL:-}" ]; then
	limit=${VM_TIMEOUT:-0}
	input=/dev/stdin
	size=$(stty size)
	echo "rows ${size% *} columns ${size#* }" >"$run/overlay/run/window"
fi

# The kernel unpacks archives that follow one another into one root. This one
# must be the same each time: the time that the kernel takes for it goes into its
# random numbers, and these decide on the order in slabs and on hash values.
cp "${VM_INITRAMFS:-$vm/initramfs.cpio}" "$run/initrd" &&
(cd "$run/overlay" && find . -exec touch -d @0 {} + && find . | sort |
	cpio -o -H newc -R 0:0 --reproducible 2>/dev/null) \
	>>"$run/initrd" || exit 125

# Who reads only the end of what is said must see where it hung (log-hang.sh): an NMI
# makes the guest's kernel print all stacks, and end the machine.
end_at_limit()
{
	timeout "$limit" tail -f --pid=$$ /dev/null
	[ $? -eq 124 ] || return
	: >"$run/late"
	timeout 60 cat "$run/monitor.out" >"$run/registers" &
	printf 'info registers -a\nnmi\n' >"$run/monitor.in"
	wait
}
mkfifo "$run/monitor.in" "$run/monitor.out" || exit 125
[ "$limit" -eq 0 ] || end_at_limit >/dev/null 2>&1 &

# QEMU 7.2 clobbers the flags in cmpxchg16b, and the slab allocator of kernels up to
# 6.17 uses it. Later ones do not show that, and have no arenas without it. The version
# is where Documentation/arch/x86/boot.rst says.
at=$(od -An -tu2 -j 526 -N 2 "$image" 2>/dev/null)
version=$(tail -c +$((${at:-0} + 513)) "$image" 2>/dev/null | head -c 40 | sed -n '1s/[^0-9.].*//p')
cx16=,-cx16
[ "$(printf '%s\n' 6.18 "$version" | sort -V | head -n 1)" != 6.18 ] || cx16=

icount=
append=
accel=${VM_ACCEL:-$(scripts/accel.sh "$image")} || exit 125
case $accel in
kvm)
	cpu=host
	;;
tcg)
	accel=tcg,thread=multi
	# Debian's kernels have jump labels, which configs/vm.config says the danger of.
	case $image in
	build/image/*)
		accel=tcg,thread=single
		;;
	esac
	cpu=max$cx16
	# On a loaded host the timer's interrupt can be late: that is no broken one.
	append="no_timer_check unknown_nmi_panic panic_print=0x41"
	;;
icount)
	# Virtual time is the number of instructions, 1 ns each, and idle time passes
	# at once. rep stos and movs count as often as they repeat: by the word. The
	# clock and the random numbers are the same each time.
	accel=tcg,thread=single
	cpu=max$cx16,-erms,-fsrm
	icount="-icount shift=0,sleep=off -seed 1 -rtc base=2026-01-01,clock=vm"
	;;
*)
	echo "boot.sh: VM_ACCEL=$accel: must be kvm, tcg or icount" >&2
	exit 125
	;;
esac
echo "vm: ${image##*/} with ${accel%%,*}, log in $log" >&2

# shellcheck disable=SC2086 # icount is a list of words
# QEMU makes its standard output non-blocking: a pipe keeps that to itself.
{
	timeout --foreground -k 5 $((limit ? limit + 60 : 0)) qemu-system-x86_64 \
		$icount -accel "$accel" -cpu "${VM_CPU:-$cpu}" \
		-smp "${VM_CPUS:-2}" -m "${VM_MEMORY:-2G}" \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$image" -initrd "$run/initrd" \
		-append "console=ttyS0 panic=-1 $append ${VM_APPEND:-}" \
		-chardev "pipe,id=monitor,path=$run/monitor" -mon monitor \
		-serial "file:$run/console.log" \
		-chardev stdio,id=command,signal=off -serial chardev:command \
		-serial "file:$run/status" \
		${VM_GDB:+-gdb "unix:$VM_GDB,server=on,wait=off"} <"$input"
} | cat

# Keep the last log where it can be found.
mv "$run/console.log" "$log" || exit 125

status=
[ ! -e "$run/status" ] || read -r status <"$run/status"

if [ -e "$run/late" ] && [ -z "$status" ]; then
	# What it said before the NMI
	sed '/NMI received for unknown reason/,$d' "$log" | tail -n 20 >&2
	echo "----- where it hung ($log has it all)" >&2
	scripts/log-hang.sh "$log" | grep . >&2 ||
		grep -E 'CPU#|RIP=' "$run/registers" >&2
	echo "-----" >&2
	echo "vm: FAILED: the command did not end within $limit s" \
		"(VM_TIMEOUT sets the limit)" >&2
	exit 124
fi

if scripts/log-report.sh "$log" >"$run/report"; then
	echo "----- the kernel reported ($log has it all)" >&2
	cat "$run/report" >&2
	echo "-----" >&2
	echo "vm: FAILED: the kernel reported a problem" >&2
	exit 123
fi
[ -z "$status" ] || exit "$status"

echo "----- the end of $log" >&2
tail -n 40 "$log" >&2
echo "-----" >&2
echo "vm: FAILED: the machine ended before the command did" >&2
exit 125
