#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: deps.sh [PACKAGE]...
#
# Installs the packages that building, booting and testing need, and the
# PACKAGEs, or prints the line that does.

set -eu

packages="
	bc binutils-dev bison busybox-static ccache cpio dwarves flex gcc git
	kmod libc6-dev libcache-memcached-perl libcap-dev libelf-dev libmemcached-tools libssl-dev
	make memcached perl python3-git python3-minimal python3-ply python3-pylibmc
	python3-pymemcache qemu-system-x86 quilt rsync shellcheck sparse strace
	util-linux xz-utils zlib1g-dev $*"
[ -n "${CLANG:-}" ] || packages="$packages clang-19 lld-19 llvm-19"
[ -n "${CLANG_OLD:-}" ] || packages="$packages clang-14 libclang-rt-14-dev"
[ -n "${LINUX:-}" ] || [ -e build/linux/.git ] ||
	packages="$packages linux-source-6.1"

if ! command -v dpkg-query >/dev/null; then
	# shellcheck disable=SC2086 # a list of words
	echo "deps.sh: not a Debian: make sure to have what these packages hold:" \
		$packages >&2
	exit 0
fi

missing=
for package in $packages; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
	installed*)	;;
	*)		missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
	sudo=sudo
else
	echo "deps.sh: packages are missing; install them as root with" >&2
	echo "apt-get update && apt-get install -y$missing" >&2
	exit 1
fi

echo "deps.sh: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q >&2
unknown=
for package in $missing; do
	apt-cache policy "$package" | grep -q 'Candidate: [^(]' ||
		unknown="$unknown $package"
done
if [ -n "$unknown" ]; then
	cat >&2 <<EOF
deps.sh: this distribution has no package$unknown
  clang-19, lld-19, llvm-19   install newer ones by other means, say CLANG=clang-N
  clang-14, libclang-rt-14-dev  any clang below 19 does, say CLANG_OLD=clang-N
  linux-source-6.1            unpack a 6.1 kernel yourself, say LINUX=DIRECTORY
EOF
	exit 1
fi
# shellcheck disable=SC2086 # a list of words
$sudo apt-get install -y -q --no-install-recommends $missing </dev/null >&2
