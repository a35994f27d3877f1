#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: log-report.sh LOG
#
# Prints the reports of bugs that a kernel's log holds; status 1 if there are
# none. Any report fails a run, whatever the command in the guest said.
#
# But 6.1 has data races of its own, which KCSAN reports as well. A race is the
# series' if one of the first four functions of either stack has a name that the
# series gave: none of its functions is further away from a caller with such a
# name, and what is, is code that it calls. How many races are of others is said
# on standard error.

awk '
function end_of_race() {
	if (racing && ours) {
		printf "%s", race
		found = 1
	} else if (racing) {
		others++
	}
	racing = 0
}
/BUG: KCSAN: / {
	racing = 1
	ours = 0
	race = ""
	depth = 4
}
racing {
	race = race $0 "\n"
	if (/ by .* on cpu [0-9]+:/)
		depth = 0
	else if (depth++ < 4 && /(arena|sparse_vm_area|loop_budget)[^ ]*\+0x/ && !/ bpf_prog_/)
		ours = 1
}
/Reported by Kernel Concurrency Sanitizer/ {
	end_of_race()
}
/BUG: KCSAN: / {
	next
}
# A report ends with its trace or, lacking one, after some lines.
/^(\[ *[0-9.]+\](\[ *[TC][0-9]+\])? )?(WARNING:|BUG:|INFO: possible|INFO: task .* blocked for|INFO: rcu.* stall|INFO: trying to register|ODEBUG:)/ ||
/ [0-9a-f]+ \[#[0-9]+\]|Oops: |general protection fault|kernel BUG at|Kernel panic - not syncing|KASAN: |UBSAN: |KFENCE: / ||
/possible recursive locking|possible circular locking|inconsistent lock state/ ||
/suspicious RCU usage|sleeping function called|scheduling while atomic/ ||
/rcu: INFO: .*stall|soft lockup|hard LOCKUP|Bad page state|Bad rss-counter state/ ||
/non-zero pgtables_bytes|nonzero [a-z_ ]*on freeing|refcount_t: |list_(add|del) corruption/ ||
/Trying to vfree|double fault|stack guard page|corrupted stack end/ {
	found = 1
	left = 60
}
left > 0 {
	print
	left--
}
/---\[ end trace|---\[ end Kernel panic/ {
	left = 0
}
END {
	end_of_race()
	if (others)
		print "vm: data races in other code: " others >"/dev/stderr"
	exit !found
}' "$1"
