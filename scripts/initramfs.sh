#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: initramfs.sh OUTPUT [FILE]...
#
# Makes the guest's root file system: busybox, strace, and in /bpf the FILEs, the
# scripts of scripts/guest, memcached and libmemcached's clients, with the shared
# libraries they need.

set -eu

output=$1
shift

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

cd "$root"
mkdir -p bin bpf dev proc sys tmp run etc mnt
ln -s bin sbin
mkdir -p usr
ln -s ../bin usr/bin
ln -s ../bin usr/sbin
cat >etc/passwd <<EOT
root:x:0:0:root:/bpf:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
EOT
cat >etc/group <<EOT
root:x:0:
nogroup:x:65534:
EOT
echo "127.0.0.1 localhost" >etc/hosts
cd - >/dev/null

cp scripts/guest/* "$root/bpf/"
mv "$root/bpf/init" "$root/init"
# For names in UTF-8
mkdir -p "$root/usr/lib/locale/C.utf8"
cp /usr/lib/locale/C.utf8/LC_CTYPE "$root/usr/lib/locale/C.utf8/"
cp "$(command -v busybox)" "$root/bin/busybox"
busybox --list | grep -vx busybox | while read -r applet; do
	ln -s busybox "$root/bin/$applet"
done
cp "$(command -v strace)" "$root/bin/"
# Debian calls memcapable memccapable; the one here calls that.
for program in memccapable memccat memccp memcstat memcslap memcached; do
	if file=$(command -v $program); then
		cp "$file" "$root/bpf/"
	else
		echo "initramfs.sh: no $program: needs libmemcached-tools, memcached" >&2
	fi
done
[ $# -eq 0 ] || cp "$@" "$root/bpf/"

# ldd says "not a dynamic executable" of BPF objects and scripts. It cannot know
# of the library that pthread_exit() loads.
{
	for program in "$root"/bin/strace "$root"/bpf/*; do
		ldd "$program" 2>/dev/null || :
	done
	realpath "$(gcc -print-file-name=libgcc_s.so.1)"
} | grep -o '/[^ ]*' | sort -u | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done

mkdir -p "$(dirname "$output")"
(cd "$root" && find . | sort | cpio -o -H newc -R 0:0 2>/dev/null) >"$output.new"
mv "$output.new" "$output"
