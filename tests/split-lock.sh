#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the kernel does with a split lock of its own (#AC in kernel mode), which no
# emulator raises: QEMU's debugger makes alignment checks of page faults, at the first
# instruction of the handler. Both exceptions push the same frame. Those of BPF programs
# must go as a page fault does; one of the kernel's own must be reported, though its
# instruction has an entry in the exception table.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

objects=${OBJECTS:-build/kernel}
console=build/log/split-lock.log
# Where modules and BPF programs are, without KASLR
modules=0xffffffffa0000000

address()
{
	sed -n "s/^\([0-9a-f]*\) T $1$/0x\1/p" "$objects/System.map"
}

# debugger CONDITION: on the address of the instruction, in $ip
debugger()
{
	cat >"$work/gdb" <<EOF
set architecture i386:x86-64
set pagination off
target remote $work/socket
break *$(address asm_exc_page_fault)
commands
silent
set \$ip = *(unsigned long *)(\$rsp + 8)
if (*(unsigned long *)(\$rsp + 16) & 3) == 0 && \$ip $1
  printf "alignment check\\n"
  set \$rip = $(address asm_exc_alignment_check)
end
continue
end
continue
EOF
	until grep -q '^ready' "$work/said"; do
		kill -0 "$vm" 2>/dev/null || return
		sleep 0.2
	done
	gdb -nx -batch -x "$work/gdb" 2>&1
}

# guest STATUS CONDITION COMMAND: how often there was an alignment check is in $checks
guest()
{
	: >"$work/said"
	VM_CPUS=1 VM_GDB=$work/socket VM_LOG=$console scripts/boot.sh \
		"$objects/arch/x86/boot/bzImage" sh -c "echo ready; sleep 3; $3" \
		>"$work/said" 2>&1 &
	vm=$!
	debugger "$2" >"$work/debugger" || :
	status=0
	wait $vm || status=$?
	cat "$work/said"
	checks=$(grep -c '^alignment check' "$work/debugger") || tail "$work/debugger"
	echo "status $status, $checks alignment checks"
	[ "$status" -eq "$1" ]
}

programs_go_on()
{
	guest 0 "> $modules" "test_progs -t arena_faults/forms"
	[ "$checks" -gt 0 ]
}

the_kernel_reports_its_own()
{
	guest 123 "< $modules" "dd if=/dev/zero of=/dev/null bs=64k count=1"
	grep -F "Split lock detected" $console
	[ "$checks" -gt 0 ]
}

scripts/deps.sh gdb || exit 1
check "a split lock of a BPF program is a fault in its arena" programs_go_on
check "a split lock of a user access is reported" the_kernel_reports_its_own
finish
