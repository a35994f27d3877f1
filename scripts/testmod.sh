#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: testmod.sh SOURCE OBJECTS
#
# Builds the test module of SOURCE for the kernel that was built in OBJECTS, in
# OBJECTS/arena_testmod; scripts/boot.sh puts it into the guest with that kernel. Its
# BTF refers to the kernel's, so that it is built anew when the kernel is.

set -eu

source=$1/tools/testing/selftests/bpf/arena_testmod
objects=$(realpath "$2")
module=$objects/arena_testmod

[ -e "$source" ] || exit 0
if [ -e "$module/arena_testmod.ko" ] &&
   [ -z "$(find "$source" "$objects/vmlinux" "$0" -newer "$module/arena_testmod.ko")" ]; then
	exit 0
fi

rm -rf "$module"
cp -R "$source" "$module"
exec make -C "$1" O="$objects" M="$module" CC="$(command -v ccache) gcc" modules
