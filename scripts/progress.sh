#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: progress.sh NAME STEPS COMMAND [ARG]...
#
# Runs COMMAND with its output in build/log/NAME.log and says every few seconds
# how many lines of it make has printed, of about STEPS (0: not known). When
# COMMAND fails, shows the end of the log.

set -u

name=$1
steps=$2
shift 2

log=build/log/$name.log
mkdir -p build/log

"$@" >"$log" 2>&1 </dev/null &
pid=$!
trap 'kill $pid; exit 130' INT TERM

of=
[ "$steps" -eq 0 ] || of=" of about $steps"
begin=$(date +%s)
next=5
while kill -0 $pid 2>/dev/null; do
	elapsed=$(($(date +%s) - begin))
	if [ $elapsed -ge $next ]; then
		echo "$name: $(grep -c '^  [A-Z]' "$log")$of steps, $elapsed s" >&2
		next=$((elapsed + 10))
	fi
	sleep 0.2
done
wait $pid
status=$?

elapsed=$(($(date +%s) - begin))
if [ $status -ne 0 ]; then
	echo "----- the end of $log" >&2
	tail -n 30 "$log" >&2
	echo "----- $name failed after $elapsed s; all of it is in $log" >&2
elif [ $elapsed -ge 5 ]; then
	echo "$name: done in $elapsed s" >&2
fi
exit $status
