#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: image.sh SERIES
#
# Fetches Debian's newest cloud kernel of SERIES, such as 6.1, 6.12 or 7, into
# build/image/SERIES: vmlinuz is the kernel, package says which it is. It comes from
# the distribution if that has one, else from the backports for Debian 13. Without a
# network the one that is there stays.

set -eu

series=$1
directory=build/image/$series
new=$directory.new
log=$PWD/build/log/image.log
mkdir -p build/log
: >"$log"
rm -rf "$new"
mkdir -p "$new"

# Without it, what was fetched before has to do.
give_up()
{
	rm -rf "$new"
	[ ! -e "$directory/package" ] || exit 0
	tail -n 5 "$log" >&2
	echo "image.sh: $*" >&2
	exit 1
}

# The package that apt, with these options, has; nothing if none.
newest()
{
	apt-cache "$@" search --names-only \
		"^linux-image-$(echo "$series" | sed 's/\./\\./')\.[0-9].*-cloud-amd64\$" |
		cut -d' ' -f1 | sort -V | tail -n 1
}

image=$(newest)
if [ -z "$image" ]; then
	scripts/backports.sh "$new/apt" trixie >>"$log" 2>&1 ||
		give_up "apt knows no cloud kernel $series, and the backports are out of reach"
	set -- -c "$PWD/$new/apt/apt.conf"
	image=$(newest "$@")
	[ -n "$image" ] || give_up "apt knows no cloud kernel $series; as root: apt-get update"
else
	set --
fi
# Newer ones only depend on the package that has the kernel.
package=linux-binary-${image#linux-image-}
version=$(apt-cache "$@" show --no-all-versions "$package" 2>/dev/null |
	sed -n 's/^Version: //p')
if [ -z "$version" ]; then
	package=$image
	version=$(apt-cache "$@" show --no-all-versions "$package" |
		sed -n 's/^Version: //p')
fi
wanted="$package $version"
if [ "$(cat "$directory/package" 2>/dev/null)" = "$wanted" ]; then
	rm -rf "$new"
	exit 0
fi

echo "image.sh: fetching $wanted" >&2
(cd "$new" && apt-get "$@" download -q "$package=$version") >>"$log" 2>&1 ||
	give_up "no $wanted; if it is out of date, as root: apt-get update"
dpkg-deb --fsys-tarfile "$new"/*.deb |
	tar -xO --wildcards '*/vmlinuz*' >"$new/vmlinuz"
rm -r "$new"/*.deb "$new/apt" 2>/dev/null || :
echo "$wanted" >"$new/package"
rm -rf "$directory"
mv "$new" "$directory"
