#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: config.sh SOURCE OBJECTS FRAGMENT...
#
# Configures SOURCE for a build in OBJECTS: allnoconfig plus the FRAGMENTs.
# A symbol of a fragment that the result does not have is an error.

set -eu

source=$1
objects=$2
shift 2

if [ -e "$objects/.config" ] &&
   [ -z "$(find "$@" "$0" -newer "$objects/.config")" ] &&
   [ -z "$(find "$source" -name 'Kconfig*' -newer "$objects/.config" -print -quit)" ]; then
	exit 0
fi

mkdir -p "$objects" build/log
fragments=
for fragment; do
	fragments="$fragments $(realpath "$fragment")"
done
log=$(realpath build/log)/config.log
objects=$(realpath "$objects")

# shellcheck disable=SC2086 # a list of words
if ! (cd "$source" && scripts/kconfig/merge_config.sh -n -O "$objects" \
	$fragments) >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	echo "config.sh: no configuration; all of it is in $log" >&2
	exit 1
fi

lost=$(cat "$@" | grep -E '^CONFIG_|^# CONFIG_.* is not set' |
	while read -r line; do
		case $line in
		CONFIG_*)
			grep -qxF "$line" "$objects/.config" || echo "$line"
			;;
		*)
			symbol=${line#\# }
			! grep -q "^${symbol%% *}=" "$objects/.config" || echo "$line"
			;;
		esac
	done)
if [ -n "$lost" ]; then
	rm "$objects/.config"
	echo "config.sh: the kernel's configuration does not keep these lines" \
		"of $* (a dependency is missing?):" >&2
	echo "$lost" >&2
	exit 1
fi
# merge_config.sh leaves a file alone that would not change.
touch "$objects/.config"
