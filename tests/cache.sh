#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# arena-cache, in the virtual machine, with libmemcached's clients, with one that
# sends what those never would, and next to Debian's memcached.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

image=build/kernel/arch/x86/boot/bzImage

# in_guest COMMAND...: what it says is for the reader, too.
in_guest()
{
	scripts/boot.sh $image "$@" >"$out" 2>&1 || {
		cat "$out"
		return 1
	}
	cat "$out"
	cp "$out" "$work/said"
}

# show PATTERN: lines of the last check that worked.
show()
{
	grep -E "$1" "$work/said" | sed 's/^/      /'
	rm -f "$work/said"
}

protocol()
{
	in_guest memcapable
	says "All tests passed"
	pass=$(grep -c '\[pass\]' "$out")
	echo "memccapable: $pass of 27"
	[ "$pass" -eq 27 ]
	echo "memccapable: $pass of 27" >>"$work/said"
	says "server stopped: 2000 of 2000"
}

# With the interpreters and modules that they need.
sessions()
{
	scripts/clients.sh build/vm/clients.cpio
	VM_INITRAMFS=build/vm/clients.cpio in_guest cache-sessions
	rm build/vm/clients.cpio
}

# Time is the number of instructions there: a busy host does not make it longer.
evictions()
{
	VM_ACCEL=icount VM_CPUS=1 in_guest cache-evict 10000 64
}

bad_options()
{
	in_guest sh -c '
		for option in "-p 70000" "-m 1" "-m x" "-i nodev" "-l nowhere" "-c 0" \
			      "-p 0 -U 0" "-U 0 -i lo" "-z" "more"; do
			if arena-cache $option; then
				echo "accepted: $option"
				exit 1
			fi
		done
		arena-cache --help >/dev/null
		arena-cache --help >/dev/full && exit 1
		arena-cache >/tmp/first &
		while ! grep -q ^listening /tmp/first; do
			sleep 0.1
		done
		if arena-cache; then
			exit 1
		fi'
	says "is not a number from 2 to 4095"
	says "interface nodev"
	says "cannot write to standard output"
	says "cannot listen on 127.0.0.1"
}

check "memcapable" protocol
show '^memccapable|^server stopped|^gets:'
check "files by memccp and memccat" in_guest cache-clients
show '^files came back'
check "the same answers as memcached's" in_guest cache-compare
show '^compared|^difference|^echo'
check "clients of three libraries" sessions
show '^session'
check "limits of memory, descriptors and patience" in_guest cache-limits
show '^no room|^mixed|^answer|^unread|^beside|^connections|^without|^echo'
check "large items in a full cache" evictions
show '^set of|^memcached,|^flush_all'
check "packets of all sorts" in_guest cache-packets
show '^packets:'
check "values that change while they are read" in_guest cache-load torn 20
show '^torn:'
check "60 s of mixed load" in_guest cache-load load 60
show '^load|^requests|^data|^memory'
check "options that are wrong" bad_options
finish
