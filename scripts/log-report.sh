#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: log-report.sh LOG
#
# Prints the reports of bugs that a kernel's log holds; status 1 if there are
# none. Any report fails a run, whatever the command in the guest said.

awk '
# A report ends with its trace or, lacking one, after some lines.
/^(\[ *[0-9.]+\](\[ *[TC][0-9]+\])? )?(WARNING:|BUG:|INFO: possible|INFO: task .* blocked for|INFO: rcu.* stall|INFO: trying to register|ODEBUG:)/ ||
/Oops: |general protection fault|kernel BUG at|Kernel panic - not syncing|KASAN: |UBSAN: |KFENCE: / ||
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
	exit !found
}' "$1"
