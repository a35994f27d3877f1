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

until grep -q "$(printf ':%04X 00000000:0000 0A' $port)" /proc/net/tcp; do
	kill -0 $memcached
	sleep 0.1
done

mkdir -p "$work/root/bpf"
for client in tests/clients/*; do
	strace -f -o "$work/trace" -e trace=execve,openat,newfstatat "$client" $port \
		>"$work/said" 2>&1 || {
		cat "$work/said"
		exit 1
	}
	cp "$client" "$work/root/bpf/"
	sed -n '1s/^#!//p' "$client" >>"$work/files"
	sed -n '/ = -1 /d; s/^[^"]*"\(\/[^"]*\)".*/\1/p' "$work/trace" >>"$work/files"
done
grep -E '^/(usr|lib|lib64)/' "$work/files" | sort -u | while read -r file; do
	[ ! -f "$file" ] || cp --parents -L "$file" "$work/root/"
done
# The root has /usr/bin as a link: what is there goes where that leads.
mv "$work/root/usr/bin" "$work/root/bin"

cp build/vm/initramfs.cpio "$output.new"
(cd "$work/root" && find . | sort | cpio -o -H newc -R 0:0 2>/dev/null) >>"$output.new"
mv "$output.new" "$output"
