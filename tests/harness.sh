#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck disable=SC2016,SC2094 # the guest expands; the typist watches
#
# Tests of the harness itself: the virtual machine, its verdicts, and the way
# between the plain source, the kernel tree and the patches.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

# --- shell

scripts_are_posix()
{
	for script in vmtest.sh scripts/*.sh scripts/guest/* tests/*.sh .ci/run; do
		dash -n "$script"
		shellcheck -x -S warning -s sh "$script"
	done
}

# --- the virtual machine

guest()
{
	scripts/boot.sh "${IMAGE:-build/kernel/arch/x86/boot/bzImage}" "$@"
}

status_is_the_commands()
{
	expect 0 guest true
	expect 7 guest sh -c 'exit 7'
	expect 127 guest no-such-command
}

words_arrive_as_they_are()
{
	expect 0 guest printf '<%s>\n' "it's" "two  words" '$HOME' '' 'a\b' "*"
	says "<it's>"
	says "<two  words>"
	says '<$HOME>'
	says '<>'
	says '<a\b>'
	says '<*>'
}

output_arrives_byte_for_byte()
{
	guest sh -c 'i=0; while [ $i -lt 256 ]; do
			printf "\\$(printf %o $i)"; i=$((i + 1))
		done; seq 50000; seq 10 >&2' >"$work/bytes"
	{
		i=0
		while [ $i -lt 256 ]; do
			# shellcheck disable=SC2059 # the format is the byte
			printf "\\$(printf %o $i)"
			i=$((i + 1))
		done
		seq 50000
		seq 10
	} | cmp - "$work/bytes"
}

guest_has_what_tests_need()
{
	expect 0 guest sh -ec '
		for fs in proc sysfs devtmpfs tracefs debugfs cgroup2 bpf tmpfs securityfs; do
			grep -q " $fs " /proc/mounts || { echo "no $fs"; exit 1; }
		done
		ip addr show lo | grep -q UP
		command -v test_progs bpftool strace arena-top arena-heap scene
		ls arena*.bpf.o
		[ "$(nproc)" -eq 2 ]
		bpftool version
		strace -V'
}

boots_in_ten_seconds()
{
	begin=$(date +%s)
	expect 0 guest true
	[ $(($(date +%s) - begin)) -lt 10 ]
}

# LKDTM makes the kernel do real damage.
damage()
{
	expect 123 guest sh -c "echo $1 >/sys/kernel/debug/provoke-crash/DIRECT; exit 0"
	says "$2"
	says "the kernel reported a problem"
}

warning_fails()
{
	damage WARNING 'WARNING: CPU:'
	says 'lkdtm_WARNING'
}

bug_fails()
{
	damage BUG 'kernel BUG at'
}

oops_fails()
{
	damage EXCEPTION 'BUG: kernel NULL pointer dereference'
}

panic_fails()
{
	damage PANIC 'Kernel panic - not syncing: dumptest'
}

innocent_messages_pass()
{
	expect 0 guest sh -c 'echo "<3>no WARNING: or BUG: at the start" >/dev/kmsg'
}

# A hung guest ends at the limit, with what its log held last.
hang_fails()
{
	begin=$(date +%s)
	VM_TIMEOUT=30 expect 124 guest sh -c \
		'echo "<3>the last that was heard" >/dev/kmsg; sleep 1000'
	[ $(($(date +%s) - begin)) -lt 60 ]
	says "the last that was heard"
	grep '^sleep ([0-9]*, S): .*hrtimer_nanosleep' "$out"
	says "did not end within 30 s"
	# Nothing runs any more, and no interrupt is taken.
	VM_TIMEOUT=15 VM_CPUS=1 expect 124 guest sh -c \
		'echo HARDLOCKUP >/sys/kernel/debug/provoke-crash/DIRECT'
	grep '^CPU 0: .*lkdtm_HARDLOCKUP' "$out"
}

# Of a tracepoint that both CPUs pass all the time: see CONFIG_JUMP_LABEL in vm.config.
code_can_be_changed()
{
	VM_TIMEOUT=300 expect 0 guest sh -ec '
		cd /sys/kernel/tracing/events/raw_syscalls/sys_enter
		for busy in 1 2 3; do
			while :; do read -r _ </proc/uptime; done &
		done
		i=0
		while [ $i -lt 100 ]; do
			echo 1 >enable
			echo 0 >enable
			i=$((i + 1))
		done'
}

early_end_fails()
{
	expect 125 guest reboot -f
	says "the machine ended before the command did"
	says "reboot: Restarting system"
}

# A shell on a terminal: what is typed arrives, and its status comes back.
shell_works()
{
	cat >"$work/typist" <<-'EOF'
		i=0
		until grep -q 'Enter .help' "$1" || [ $i -ge 60 ]; do
			i=$((i + 1))
			sleep 1
		done
		printf 'tty; echo $((6 * 7))\r'
		sleep 2
		printf 'exit 5\r'
		sleep 5
	EOF
	: >"$out"
	got=0
	sh "$work/typist" "$out" 2>/dev/null | timeout 120 script -qec \
		"stty rows 25 cols 80
		 VM_SHELL=y scripts/boot.sh build/kernel/arch/x86/boot/bzImage sh -l" \
		/dev/null >"$out" || got=$?
	cat "$out"
	[ $got -eq 5 ]
	says /dev/ttyS1
	says 42
}

bad_usage_is_refused()
{
	expect 125 ./vmtest.sh -c fast
	says "normal, debug and kcsan"
	expect 125 ./vmtest.sh -k "$work/nothing"
	says "cannot read this file"
	expect 125 ./vmtest.sh -s
	says "needs a terminal"
	LINUX=$work/nothing expect 125 ./vmtest.sh true
	says "no such directory"
	expect 125 ./vmtest.sh -x
	says usage:
	expect 0 ./vmtest.sh -h
	VM_ACCEL=fast expect 125 guest true
	says "must be kvm, tcg or icount"
}

# The first lines of reports as kernels print them; each must be seen.
reports_are_recognised()
{
	while read -r line; do
		printf '[    0.1] calm\n%s\n' "$line" >"$work/log"
		expect 0 scripts/log-report.sh "$work/log"
		says "$line"
		refuses grep -q calm "$out"
	done <<-'EOF'
		[    7.654321] WARNING: CPU: 1 PID: 82 at mm/vmalloc.c:479 vmap_range+0x1/0x2
		[    7.654321][   T82] WARNING: CPU: 1 PID: 82 at mm/vmalloc.c:479 vmap_range+0x1/0x2
		[   12.345678] WARNING: possible circular locking dependency detected
		[   12.345678] WARNING: possible recursive locking detected
		[   12.345678] WARNING: inconsistent lock state
		[   12.345678] WARNING: suspicious RCU usage
		[    7.654321] BUG: KASAN: use-after-free in arena_free+0x12/0x34
		[    7.654321] BUG: sleeping function called from invalid context at mm/util.c:1
		[    7.654321] BUG: scheduling while atomic: test_progs/82/0x00000002
		[    7.654321] BUG: Bad page state in process test_progs  pfn:12345
		[    7.654321] BUG: Bad rss-counter state mm:000000001234abcd type:MM_FILEPAGES val:1
		[    7.654321] BUG: non-zero pgtables_bytes on freeing mm: 4096
		[    7.654321] BUG: unable to handle page fault for address: ffffc90000000000
		[    7.654321] UBSAN: shift-out-of-bounds in kernel/bpf/arena.c:1:2
		[    7.654321] Oops: 0000 [#1] PREEMPT SMP
		[    7.654321] divide error: 0000 [#1] PREEMPT SMP
		[    7.654321] : 0001 [#1] PREEMPT SMP NOPTI
		[    7.654321] general protection fault, probably for non-canonical address
		[    7.654321] kernel BUG at kernel/bpf/arena.c:12!
		[    7.654321] INFO: task test_progs:82 blocked for more than 120 seconds.
		[    7.654321] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
		[    7.654321] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [test_progs:82]
		[    7.654321] Kernel panic - not syncing: Fatal exception
	EOF
}

# kcsan_says A B FRAME...: what KCSAN says of a race between A, which the FRAMEs
# called, and B.
kcsan_says()
{
	a=$1
	b=$2
	shift 2
	at="[    7.654321][   T82]"
	echo "$at BUG: KCSAN: data-race in $a / $b"
	echo "$at "
	echo "$at write to 0xffff8880012345c0 of 4 bytes by task 82 on cpu 1:"
	for function in "$a" "$@"; do
		echo "$at  $function+0x12/0x34"
	done
	echo "$at "
	echo "$at read to 0xffff8880012345c0 of 4 bytes by interrupt on cpu 0:"
	echo "$at  $b+0x12/0x34"
	echo "$at  __irq_work_run_list+0x12/0x34"
	echo "$at "
	echo "$at Reported by Kernel Concurrency Sanitizer on:"
	echo "$at CPU: 0 PID: 0 Comm: swapper/0"
}

race_log()
{
	kcsan_says "$@" | sed "s/$/$(printf "\\r")/" # as a serial console ends lines
}

# A data race fails a run if the series is in it. Others do not, and hide nothing.
races_are_told_apart()
{
	race_log copy_creds arena_kmap_trim do_exit >"$work/log"
	expect 0 scripts/log-report.sh "$work/log"
	says "data-race in copy_creds / arena_kmap_trim"
	race_log map_pages tick_sched_do_timer map_range fault_once arena_vm_fault >"$work/log"
	expect 0 scripts/log-report.sh "$work/log"
	race_log set_none_entry tick_sched_do_timer sparse_vm_area_add_table |
		head -n 5 >"$work/log" # it ends with the machine
	expect 0 scripts/log-report.sh "$work/log"

	race_log vm_insert_pages tick_sched_do_timer map_pages map_range fault_once \
		arena_vm_fault >"$work/log"
	race_log copy_creds do_exit bpf_prog_6deef7357e7b4530_arena_x >>"$work/log"
	expect 1 scripts/log-report.sh "$work/log"
	says "other code: 2"
	echo "[    7.654321] WARNING: CPU: 1 PID: 82 at mm/vmalloc.c:1" >>"$work/log"
	expect 0 scripts/log-report.sh "$work/log"
	says "WARNING: CPU"
	refuses grep KCSAN "$out"
}

# --- configuration

lost_symbol_is_named()
{
	printf 'CONFIG_NO_SUCH_SYMBOL=y\nCONFIG_BPF_LSM=y\n' >"$work/lost.config"
	expect 1 scripts/config.sh build/linux "$work/objects" "$work/lost.config"
	says CONFIG_NO_SUCH_SYMBOL=y
	says CONFIG_BPF_LSM=y
	[ ! -e "$work/objects/.config" ]
}


# --- packages

missing_packages_are_listed()
{
	mkdir -p "$work/no-packages"
	cp scripts/deps.sh "$work"
	chmod -R a+rX "$work"
	set -- "$work/deps.sh"
	[ "$(id -u)" -ne 0 ] || set -- setpriv --reuid=65534 --clear-groups "$@"
	DPKG_ADMINDIR=$work/no-packages expect 1 "$@"
	says "apt-get install -y bc "
	says clang-19
}

failure_shows_the_log()
{
	expect 3 scripts/progress.sh harness-test 0 sh -c 'echo the reason; exit 3'
	says "the reason"
	says build/log/harness-test.log
}

long_steps_say_how_far_they_are()
{
	expect 0 scripts/progress.sh harness-test 40 sh -c \
		'echo "  CC      a.o"; echo "note"; echo "  CC      b.o"; sleep 6'
	says "harness-test: 2 of about 40 steps, "
	says "harness-test: done in "
	# make -s would keep the steps from being printed.
	refuses grep -nE 'make.* -s ' vmtest.sh Makefile tests/run.sh .ci/run
}

check "scripts are POSIX sh" scripts_are_posix
check "bad usage is refused" bad_usage_is_refused
check "missing packages are listed" missing_packages_are_listed
check "a failure shows its log" failure_shows_the_log
check "long steps say how far they are" long_steps_say_how_far_they_are
check "a symbol that is lost is named" lost_symbol_is_named
check "reports are recognised" reports_are_recognised
check "data races are told apart" races_are_told_apart
check "the guest boots in 10 s" boots_in_ten_seconds
check "the guest has what tests need" guest_has_what_tests_need
check "the status is the command's" status_is_the_commands
check "words arrive as they are" words_arrive_as_they_are
check "output arrives byte for byte" output_arrives_byte_for_byte
check "a shell works" shell_works
check "a WARNING fails" warning_fails
check "a BUG fails" bug_fails
check "an Oops fails" oops_fails
check "a panic fails" panic_fails
check "innocent messages pass" innocent_messages_pass
check "a hang fails" hang_fails
check "an early end fails" early_end_fails
check "code can be changed while it runs" code_can_be_changed
finish
