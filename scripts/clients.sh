#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: clients.sh OUTPUT
#
# The guest's root file system once more, with what tests/clients need: interpreters and
# modules of Debian's. Which files these are is seen when the clients run here, with a
# memcached.

set -eu

output=$1
port=$((20000 + $$ % 20000))
work=$(mktemp -d)
memcached -u root -l 127.0.0.1 -p $port -U 0 &
memcached=$!
trap 'kill $memcached; rm -rf "$work"' EXIT

mkdir -p "$work/root/bpf"
for client in tests/clients/*; do
	name=${client##*/}
	# It may take a moment until it listens.
	for _ in $(seq 50); do
		! strace -f -o "$work/trace" -e trace=execve,openat,newfstatat \
			"$client" $port >"$work/$name" 2>&1 || break
		sleep 0.1
	done
	[ -s "$work/$name" ] || exit 1
	cp "$client" "$work/root/bpf/"
	sed -n '1s/^#!//p' "$client"
	sed -n '/ = -1 /d; s/^[^"]*"\(\/[^"]*\)".*/\1/p' "$work/trace"
done | grep -E '^/(usr|lib|lib64)/' | sort -u | while read -r file; do
	[ ! -f "$file" ] || cp --parents -L "$file" "$work/root/"
done
# The root has /usr/bin as a link: what is there goes where that leads.
mv "$work/root/usr/bin" "$work/root/bin"

cp build/vm/initramfs.cpio "$output.new"
(cd "$work/root" && find . | sort | cpio -o -H newc -R 0:0 2>/dev/null) >>"$output.new"
mv "$output.new" "$output"
