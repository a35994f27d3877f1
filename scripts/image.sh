#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: image.sh SERIES
#
# Fetches Debian's newest cloud kernel of SERIES, such as 6.1 or 6.12, into
# build/image/SERIES: vmlinuz is the kernel, package says which it is. Without
# a network the one that is there stays.

set -eu

series=$1
directory=build/image/$series

newest()
{
	apt-cache search --names-only \
		"^linux-image-$(echo "$series" | sed 's/\./\\./')\.[0-9].*-cloud-amd64\$" |
		cut -d' ' -f1 | sort -V | tail -n 1
}

package=$(newest)
if [ -z "$package" ]; then
	[ ! -e "$directory/package" ] || exit 0
	echo "image.sh: apt knows no cloud kernel $series; as root: apt-get update" >&2
	exit 1
fi
version=$(apt-cache show --no-all-versions "$package" |
	sed -n 's/^Version: //p')
wanted="$package $version"
if [ "$(cat "$directory/package" 2>/dev/null)" = "$wanted" ]; then
	exit 0
fi

new=$directory.new
rm -rf "$new"
mkdir -p "$new"
log=$PWD/build/log/image.log
mkdir -p build/log
echo "image.sh: fetching $wanted" >&2
if ! (cd "$new" && apt-get download -q "$package=$version") >"$log" 2>&1; then
	[ ! -e "$directory/package" ] || exit 0
	tail -n 5 "$log" >&2
	echo "image.sh: no $wanted; if it is out of date, as root: apt-get update" >&2
	exit 1
fi
dpkg-deb --fsys-tarfile "$new"/*.deb |
	tar -xO --wildcards './boot/vmlinuz-*' >"$new/vmlinuz"
rm "$new"/*.deb
echo "$wanted" >"$new/package"
rm -rf "$directory"
mv "$new" "$directory"
