#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: libbpf.sh
#
# Fetches a libbpf that knows arenas, 1.4 or later, as Debian builds it, into
# build/libbpf: include and lib are what programs are built with, package says
# which it is. It comes from the distribution if that has one, else from its
# backports, which need not be among the machine's sources: the system's apt and
# its lists stay as they are. What is there already is taken.

set -eu

directory=build/libbpf
[ ! -e $directory/package ] || exit 0

log=$PWD/build/log/libbpf.log
mkdir -p build/log
: >"$log"
new=$PWD/$directory.new
rm -rf "$new"
mkdir -p "$new"

die()
{
	tail -n 5 "$log" >&2
	echo "libbpf.sh: $*" >&2
	exit 1
}

# The version that apt, with these options, would install; nothing if none will do.
candidate()
{
	version=$(apt-cache "$@" show --no-all-versions libbpf-dev 2>>"$log" |
		sed -n 's/^Version: //p' | head -n 1)
	! dpkg --compare-versions "$version" ge '1:1.4~' || echo "$version"
}

download()
{
	version=$(candidate "$@")
	[ -n "$version" ] || die "apt knows no libbpf-dev from 1.4 on"
	echo "libbpf.sh: fetching libbpf-dev $version" >&2
	(cd "$new" && apt-get "$@" download -q \
		"libbpf-dev=$version" "libbpf1=$version") >>"$log" 2>&1 ||
		die "cannot fetch libbpf-dev $version: is there a network?"
}

command -v apt-get >/dev/null || die "not a Debian: put the header files and" \
	"the library of libbpf 1.4 or later into $directory/include and" \
	"$directory/lib, and its version into $directory/package"
if [ -n "$(candidate)" ]; then
	download
else
	release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	scripts/backports.sh "$new/apt" "$release" >>"$log" 2>&1 ||
		die "this distribution has no libbpf-dev from 1.4 on"
	download -c "$new/apt/apt.conf"
fi

for package in "$new"/*.deb; do
	dpkg-deb -x "$package" "$new/root"
done
mv "$new/root/usr/include" "$new/include"
mv "$(dirname "$(find "$new/root" -name libbpf.so.1)")" "$new/lib"
rm -rf "$new/root" "$new/apt" "$new"/*.deb
echo "libbpf-dev $version" >"$new/package"
rm -rf "$directory"
mv "$new" "$directory"
