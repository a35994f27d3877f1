#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: accel.sh IMAGE
#
# Prints the accelerator to boot with: kvm if it works, else tcg. A /dev/kvm
# that can be opened proves nothing, as some sandboxes have one on which kernels
# hang: only a kernel that boots does.

set -u

# Without a root file system the kernel gets as far as its panic. A broken KVM
# makes QEMU abort, which the subshell keeps from being mentioned.
boots_with_kvm()
(
	timeout --foreground -k 1 10 qemu-system-x86_64 \
		-accel kvm -cpu host -m 512M \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$1" -append "console=ttyS0 panic=-1" -serial stdio \
		</dev/null | grep -q "Kernel panic"
) 2>/dev/null

if [ -r /dev/kvm ] && [ -w /dev/kvm ] && boots_with_kvm "$1"; then
	echo kvm
else
	echo tcg
fi
