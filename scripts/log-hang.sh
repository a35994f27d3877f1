#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: log-hang.sh LOG
#
# LOG is of a guest that was ended by an NMI, whereupon its kernel printed the stack
# of each CPU and task. Prints a line for each CPU, each process, and each thread of
# the kernel that does not merely wait for work: its innermost functions.

awk '
function end()
{
	if (what != "")
		print what ":" (functions == "" ? " user space" : functions)
	what = ""
}
{
	sub(/\r$/, "")
}
/NMI backtrace for cpu [0-9]+/ {
	end()
	what = "CPU " $NF
}
/task:.* pid:.* ppid:/ {
	end()
	match($0, /task:[^ ]*/)
	name = substr($0, RSTART + 5, RLENGTH - 5)
	match($0, /state:[A-Z]/)
	state = substr($0, RSTART + 6, 1)
	match($0, / pid:[0-9]+/)
	pid = substr($0, RSTART + 5, RLENGTH - 5)
	idle = pid == 2 || (/ ppid:2 / && state ~ /[SI]/)
	what = idle ? "" : name " (" pid ", " state ")"
	functions = ""
	depth = 0
}
# The stack of a CPU begins with the way that the NMI took.
/RIP: 0010:/ && what ~ /^CPU/ {
	match($0, /0010:[^+]*/)
	functions = " " substr($0, RSTART + 5, RLENGTH - 5)
	depth = 1
}
/\] +[a-zA-Z0-9_.]+\+0x[0-9a-f]+\/0x/ && !/ (__)?schedule\+/ {
	if (depth++ < 6) {
		sub(/\+0x.*/, "", $NF)
		functions = functions " " $NF
	}
}
END {
	end()
}' "$1"
