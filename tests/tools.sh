#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck disable=SC2016 # the guest expands
#
# Tests of the tools in tools/bpf/arena, in the virtual machine: what they count, what
# memory they take, how they end, and what they say where they cannot work.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

image=build/kernel/arch/x86/boot/bzImage

# guest SCRIPT: what it prints is in $out.
guest()
{
	expect 0 scripts/boot.sh "${IMAGE:-$image}" sh -ec "$1"
}

# The lines of JSON that the guest printed, as "N.path value"; see json.awk.
json()
{
	grep '^{' "$out" >"$work/lines"
	awk -f tests/json.awk "$work/lines" >"$work/values"
}

# field NAME: its value in the last line.
field()
{
	awk -v name="$1" '{ sub("^[0-9]*", "", $1) }
		$1 == "." name { found = $2 }
		END { print found; exit found == "" }' "$work/values"
}

# sum PATTERN: the sum of the values whose path matches.
sum()
{
	awk -v pattern="$1" '$1 ~ pattern { sum += $2 } END { print sum + 0 }' "$work/values"
}

the_scene_works()
{
	guest scene
	says "agrees with strace -c"
	says "/etc/passwd"
	[ "$(grep -c '^hello arena' "$out")" -eq 2 ]
	says "2 gets answered by XDP, 0 by the server"
	refuses grep -F "No such file" "$out"
}

# --- arena-top

top_agrees_with_strace()
{
	guest 'arena-top --check -n 5; arena-top --check --limit 20 -n 100 -s calls'
	[ "$(grep -c 'agrees with strace -c' "$out")" -eq 2 ]
	# All rows but those of the table are in this line.
	says "... and "
}

# dd reads and writes a byte 1000 times, and nothing is written besides.
top_counts_a_known_workload()
{
	guest 'arena-top -j -H -s calls -n 2 -- sh -c \
		"exec dd if=/dev/zero of=/dev/null bs=1 count=1000 2>&-"'
	json
	[ "$(field sort)" = '"calls"' ]
	[ "$(field 'rows[0].comm')" = '"dd"' ]
	grep -E '^1.rows.[01]..syscall "write"' "$work/values"
	[ "$(sum '^1.rows.[0-9].*calls$')" -ge 4000 ]
	for row in 0 1; do
		calls=$(field "rows[$row].calls")
		[ "$calls" -ge 1000 ]
		[ "$calls" -lt 1020 ]
		[ "$(sum "^1.rows.$row..histogram.*calls")" -eq "$calls" ]
		[ "$(field "rows[$row].total_ns")" -ge "$(field "rows[$row].max_ns")" ]
	done
}

# Rows that have to go are folded into others, and no call is lost.
top_has_a_limit()
{
	guest 'arena-top -j -l 10 -- sh -c "
		for i in 1 2 3 4 5 6 7 8 9 10; do cat /etc/passwd >/dev/null; done"'
	json
	[ "$(field nr_rows)" -eq 10 ]
	[ "$(field dropped)" -eq 0 ]
	[ "$(sum '^1.others.*calls$')" -gt 0 ]
	[ "$(sum '^1.(rows|others)..*calls$')" -eq "$(field calls)" ]
}

# The whole system, and each table anew: a process that has ended is in none but one.
top_shows_intervals()
{
	guest 'arena-top -j -i 1 -c 3 >/tmp/tables &
		until [ -s /tmp/tables ]; do sleep 0.1; done
		cat /etc/passwd >/dev/null; wait
		cat /tmp/tables; arena-top -i 0.2 -c 2 -n 3'
	json
	[ "$(wc -l <"$work/lines")" -eq 3 ]
	[ "$(grep -c '"comm":"cat"' "$work/lines")" -eq 1 ]
	[ "$(field dropped)" -eq 0 ]
	[ "$(grep -c '^PROCESS' "$out")" -eq 2 ]
}

top_watches_a_process()
{
	guest 'sh -c "while sleep 0.2; do cat /etc/passwd; done" >/dev/null & pid=$!
		arena-top -j -p $pid -i 3 -c 1; kill $pid'
	json
	says '"comm":"cat"'
	refuses grep -q '"comm":"arena-top"' "$out"
}

# In a PID namespace processes have other numbers, and those outside have none.
top_follows_its_namespace()
{
	guest 'sh -c "while :; do cat /etc/passwd; done" >/dev/null & outside=$!
		unshare -p -f --mount-proc sh -ec "
			arena-top -j -s calls -- dd if=/dev/zero of=/dev/null bs=1 count=1000 2>&-
			sh -c \"while sleep 0.2; do wc /etc/passwd; done\" >/dev/null & pid=\$!
			arena-top -j -p \$pid -i 3 -c 1
			arena-top -j -i 2 -c 1
			unshare -p -f sleep 1000 &
			until pidof sleep | grep \" \"; do sleep 0.1; done
			for pid in \$(pidof sleep); do
				arena-top -p \$pid -i 0.1 -c 1 || echo status=\$?
			done"
		kill $outside'
	json
	[ "$(wc -l <"$work/lines")" -eq 3 ]
	# The command, 2 or 3 in there, the process and what it starts, and all of them
	awk '$1 ~ /^1.rows.*[.]pid$/ && $2 > 9 { exit 1 }' "$work/values"
	grep -q '^1.rows.0..comm "dd"' "$work/values"
	[ "$(awk '$1 == "1.rows[0].calls" { print $2 }' "$work/values")" -ge 1000 ]
	grep -q '^2.rows.*comm "wc"' "$work/values"
	grep -q '^3.rows.*comm "wc"' "$work/values"
	refuses grep -q '"cat"' "$work/values"
	says "is in a PID namespace below this one"
	says "status=1"
}

# On a terminal: keys sort, show histograms, and end it.
top_obeys_keys()
{
	cat >"$work/typist" <<-'TYPED'
		wait_for()
		{
			i=0
			until grep -q "$1" "$out" || [ $i -ge 60 ]; do
				i=$((i + 1))
				sleep 1
			done
		}
		out=$1
		wait_for 'Enter .help'
		printf 'arena-top -i 0.5; echo status=$? >/dev/ttyS1; stty -a\r'
		wait_for 'by time'
		printf c
		wait_for 'by calls'
		printf h
		wait_for '[*]|'
		printf q
		wait_for 'status=0'
		sleep 1
		printf 'exit 0\r'
		sleep 3
	TYPED
	: >"$out"
	got=0
	sh "$work/typist" "$out" 2>/dev/null | timeout 200 script -qec \
		"stty rows 25 cols 100
		 VM_SHELL=y scripts/boot.sh $image sh -l" \
		/dev/null >"$out" || got=$?
	tail -c 4000 "$out"
	[ $got -eq 0 ]
	says "by calls"
	says "*|"
	says "status=0"
	# The terminal is as it was.
	grep -q ' icanon' "$out"
	grep -q ' echo ' "$out"
}

# --- arena-heap

heap_counts_a_known_workload()
{
	guest 'cd /tmp; arena-heap -j -- sh -c "
		for i in 1 2 3; do
			for file in a b c; do echo >>\$file; done
		done
		cat a b >/dev/null
		echo >\"\$(printf \"quo\\\"te\\\\\\\\ \\n\\377\\303\\244\")\"
		cat no-such-file 2>/dev/null; true"'
	json
	awk -v last= '
		$1 ~ /[.]path$/ { last = $2 " " $3 }
		$1 ~ /[.]opened$/ { print last, $2 }' "$work/values" >"$work/opened"
	cat "$work/opened"
	grep -qx '"/tmp/a"  4' "$work/opened"
	grep -qx '"/tmp/b"  4' "$work/opened"
	grep -qx '"/tmp/c"  3' "$work/opened"
	grep -qF '"/tmp/quo\u0022te\u005c \u000a\ufffd' "$work/opened"
	refuses grep -q no-such-file "$work/opened"
	[ "$(field missed)" -eq 0 ]
	[ "$(field evicted)" -eq 0 ]
	[ "$(field entries)" -eq "$(field added)" ]
	[ "$(sum opened)" -eq $(($(field found) + $(field added))) ]
}

# In 256 KiB there is no room for 20,000 paths: those that were opened last are there.
heap_has_a_limit()
{
	guest 'cd /tmp; arena-heap -j -i 0.5 -l 256 -n 3 -- sh -c "
		i=0; while [ \$i -lt 20000 ]; do echo >f\$i; i=\$((i + 1)); done"'
	json
	[ "$(wc -l <"$work/lines")" -ge 3 ]
	awk '$1 ~ /^[0-9]*[.]kib$/ && ($2 <= 0 || $2 > 256) { print; bad = 1 }
		END { exit bad }' "$work/values"
	[ $(($(field added) + $(field missed))) -ge 20000 ]
	[ "$(field missed)" -lt 200 ]
	[ "$(field evicted)" -ge 15000 ]
	[ "$(field entries)" -eq $(($(field added) - $(field evicted))) ]
	[ "$(field 'paths[0].path')" = '"/tmp/f19999"' ]
	[ "$(field 'paths[1].path')" = '"/tmp/f19998"' ]
}

# A name cannot steer a terminal: not by C1 (CSI is U+009B), nor by turning the text
# round, nor by bytes that are no UTF-8. JSON says what it was.
heap_prints_no_control_characters()
{
	guest 'cd /tmp; name=$(printf "a\303\244b\302\233c\342\200\256d\377e\033f")
		for lc in C C.UTF-8; do
			LC_ALL=$lc arena-heap -- sh -c "echo >\"$name\""
		done
		arena-heap -j -- sh -c "echo >\"$name\""'
	[ "$(grep -c '/tmp/a?b?c?d?e?f$' "$out")" -eq 1 ]
	[ "$(grep -c '/tmp/aäb?c?d?e?f$' "$out")" -eq 1 ]
	says '/tmp/aäb\u009bc\u202ed\ufffde\u001bf"'
}

# --- all of them

# Nothing of them is left: no program, no map.
interrupts_end_them()
{
	guest 'for tool in arena-top arena-heap; do
		for signal in INT TERM; do
			$tool -i 0.5 >/tmp/$tool & pid=$!
			until [ -s /tmp/$tool ]; do sleep 0.1; done
			kill -$signal $pid
			wait $pid
			rm /tmp/$tool
		done
		$tool -- sleep 1000 >/dev/null & pid=$!
		until pidof sleep; do usleep 100000; done
		kill -INT $pid
		wait $pid
		[ -z "$(pidof sleep)" ]
	done
	sleep 1
	[ -z "$(bpftool prog show; bpftool map show | grep -E "arena|task_storage")" ]'
}

status_is_the_commands()
{
	guest 'for tool in arena-top arena-heap; do
		$tool -- sh -c "exit 7" && exit 1 || [ $? -eq 7 ]
		$tool -- sh -c "kill -KILL \$\$" && exit 1 || [ $? -eq 137 ]
		$tool -- no-such-command && exit 1 || [ $? -eq 127 ]
	done'
}

wrong_options_are_told()
{
	guest 'for tool in arena-top arena-heap; do
		$tool --help | grep -q "^Usage: $tool"
		for option in -x "-i 0" "-i x" "-c 0" "-n -1" "-l 0"; do
			$tool $option 2>/tmp/said && exit 1 || [ $? -eq 2 ]
			[ -s /tmp/said ]
		done
	done
	arena-top -p 1 -- true && exit 1 || [ $? -eq 2 ]
	arena-top -s size && exit 1 || [ $? -eq 2 ]
	arena-top -p 4000000 && exit 1 || [ $? -eq 1 ]'
	says "is none of time, calls, max"
	says "process 4000000: No such process"
}

failed_writes_are_told()
{
	guest 'for tool in arena-top arena-heap; do
		$tool -i 0.2 -c 1 >/dev/full && exit 1 || [ $? -eq 1 ]
		$tool -j -- true >/dev/full && exit 1 || [ $? -eq 1 ]
		$tool --help >/dev/full && exit 1 || [ $? -eq 1 ]
	done'
	[ "$(grep -c 'cannot write to standard output' "$out")" -eq 6 ]
}

missing_rights_are_told()
{
	guest 'for tool in arena-top arena-heap; do
		su nobody -c "/bpf/$tool" && exit 1 || [ $? -eq 4 ]
	done'
	[ "$(grep -c 'missing rights: CAP_BPF CAP_PERFMON; run it as root' "$out")" -eq 2 ]
}

missing_jit_is_told()
{
	guest 'sysctl -w net.core.bpf_jit_enable=0
	for tool in arena-top arena-heap; do
		$tool && exit 1 || [ $? -eq 3 ]
	done'
	[ "$(grep -c 'arenas need the BPF JIT' "$out")" -eq 2 ]
}

# On Debian's own 6.1.
missing_arena_is_told()
{
	scripts/image.sh 6.1
	IMAGE=build/image/6.1/vmlinuz
	guest 'for tool in arena-top arena-heap; do
		$tool && exit 1 || [ $? -eq 3 ]
	done'
	[ "$(grep -c 'this kernel has no BPF arena' "$out")" -eq 2 ]
}

check "the scene works" the_scene_works
check "arena-top agrees with strace" top_agrees_with_strace
check "arena-top counts a known workload" top_counts_a_known_workload
check "arena-top has a limit" top_has_a_limit
check "arena-top shows intervals" top_shows_intervals
check "arena-top watches a process" top_watches_a_process
check "arena-top follows its namespace" top_follows_its_namespace
check "arena-top obeys keys" top_obeys_keys
check "arena-heap counts a known workload" heap_counts_a_known_workload
check "arena-heap has a limit" heap_has_a_limit
check "arena-heap prints no control characters" heap_prints_no_control_characters
check "interrupts end them" interrupts_end_them
check "the status is the command's" status_is_the_commands
check "wrong options are told" wrong_options_are_told
check "failed writes are told" failed_writes_are_told
check "missing rights are told" missing_rights_are_told
check "a missing JIT is told" missing_jit_is_told
check "a missing arena is told" missing_arena_is_told
finish
