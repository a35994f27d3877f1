#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kernel with BPF arenas, boots it in QEMU and runs a command in it.

set -u

usage()
{
	cat <<'EOF'
usage: ./vmtest.sh [-c normal|debug|kcsan] [-k IMAGE] [-s | -- COMMAND [ARG]...]

Installs what is missing (Debian 12 or newer), fetches the base, applies the
series, builds, boots the kernel in QEMU and runs COMMAND in it; without one,
a short scene of what arenas are for. The exit status is COMMAND's.

  -c debug    the debug kernel: KASAN, lockdep and the like (slower)
  -c kcsan    the kernel with KCSAN, which looks for data races (slower still)
  -k IMAGE    boot another kernel (a bzImage) with the same user space
  -s          a shell; "exit" ends the machine
  -h          this help

COMMAND finds arena-top, arena-heap, test_progs, bpftool, strace and busybox in
its PATH; standard input is /dev/null. For a pipeline: -- sh -c 'A | B'.

Other exit statuses:
  123   the kernel reported a WARNING, BUG, Oops, lockdep, KASAN, UBSAN or
        KCSAN finding; the report is shown, whatever COMMAND said
  124   the time limit was reached; the end of the kernel's log is shown, and
        where each CPU and process was
  125   the machine could not be built or booted, or ended without COMMAND

Environment:
  VM_TIMEOUT  time limit for the machine, in seconds (600; -s has none)
  VM_CPUS     number of CPUs (2)
  VM_MEMORY   memory, as QEMU's -m (2G)
  VM_ACCEL    kvm or tcg (default: kvm if a kernel boots with it, else tcg), or
              icount: time is the number of instructions, the same each time
  VM_CPU      CPU model, as QEMU's -cpu
  VM_APPEND   further kernel parameters
  VM_GDB      a socket, to be made, at which QEMU waits for gdb
  VM_INITRAMFS  another root file system (build/vm/initramfs.cpio)
  LINUX       kernel source to use in place of Debian's (see README.md)

The kernel's log is kept in build/vm/console.log.
EOF
}

die()
{
	echo "vmtest.sh: $*" >&2
	exit 125
}

config=normal
image=
shell=
while getopts c:k:sh opt; do
	case $opt in
	c)	config=$OPTARG ;;
	k)	image=$OPTARG ;;
	s)	shell=y ;;
	h)	usage; exit 0 ;;
	*)	usage >&2; exit 125 ;;
	esac
done
shift $((OPTIND - 1))

case $config in
normal | debug | kcsan) ;;
*)	die "-c $config: there are the configurations normal, debug and kcsan" ;;
esac
if [ -n "$image" ]; then
	[ -r "$image" ] || die "-k $image: cannot read this file"
	image=$(realpath "$image")
fi
if [ -n "$shell" ]; then
	[ $# -eq 0 ] || die "-s takes no command"
	[ -t 0 ] || die "-s needs a terminal; for a script: -- sh -c 'SCRIPT'"
	set -- sh -l
elif [ $# -eq 0 ]; then
	set -- scene
fi

if [ -n "${LINUX:-}" ]; then
	[ -d "$LINUX" ] || die "LINUX=$LINUX: no such directory"
	LINUX=$(realpath "$LINUX")
	export LINUX
fi

cd "$(dirname "$0")" || exit 125

scripts/deps.sh || exit 125

# One build at a time: other terminals may run this, too.
mkdir -p build
flock build/lock make --no-print-directory CONFIG="$config" || exit 125
if [ -z "$image" ]; then
	case $config in
	normal)	image=build/kernel ;;
	*)	image=build/kernel-$config ;;
	esac
	image=$image/arch/x86/boot/bzImage
fi

VM_SHELL=$shell exec scripts/boot.sh "$image" "$@"
