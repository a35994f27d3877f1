#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The examples of Documentation/bpf/map_arena.rst: each is taken out of the
# document, built as the document says and run in the virtual machine, where it
# must print what the document shows. Once with the libbpf of the tree, and once
# with one of Debian's that is newer.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

document=Documentation/bpf/map_arena.rst
image=build/kernel/arch/x86/boot/bzImage
docs=$PWD/build/docs
bpftool=$PWD/build/selftests/tools/sbin/bpftool

# --- taking out

# refused TEXT COMPLAINT: a document with this text is.
refused()
{
	printf '%s\n' "$1" >"$work/document"
	expect 1 scripts/doc-examples.sh "$work/document" "$work/examples"
	says "$2"
}

blocks_are_accounted_for()
{
	refused 'Code:

.. code-block:: c

    int x;' "no file's name before this code"
	refused 'The file ``a.c``:

.. code-block:: c

    int x;
    int y;

From ``a.c``:

.. code-block:: c

    int z;' 'this is not in a.c'
	refused 'Something::

    int x;' 'neither how to build it nor a session'
	refused 'It prints::

    # true' 'no example before this session'
}

# The directives that the document has, counted in another way.
taken_out()
{
	expect 0 scripts/doc-examples.sh $document "$docs/examples"
	says "$(grep -c -e '^\.\. [a-z-]*code[a-z-]*::' -e '^[^.].*::$' -e '^::$' $document) blocks:"
	[ "$(find "$docs/examples" -name '*.session' | wc -l)" -ge 5 ]
}

# What the document recommends is there.
headers_exist()
{
	grep -o 'bpf_arena_[a-z_]*\.h' $document | sort -u >"$work/headers"
	[ -s "$work/headers" ]
	while read -r header; do
		ls "selftests/bpf/$header"
	done <"$work/headers"
}

# --- building

# The header files of the kernel, and the libbpf of the tree, installed as
# anybody would.
install_tree()
{
	mkdir -p "$docs/libbpf" "$docs/bin"
	make -s -C build/kernel headers_install INSTALL_HDR_PATH="$docs/kernel"
	make -s -C build/linux/tools/lib/bpf OUTPUT="$docs/libbpf/" \
		prefix="$docs/installed" libdir="$docs/installed/lib" install
	# What the document calls by these names.
	ln -sf "$(command -v "${CLANG:-clang-19}")" "$docs/bin/clang-19"
	ln -sf "$(command -v "${CLANG_OLD:-clang-14}")" "$docs/bin/clang-14"
	ln -sf "$bpftool" "$docs/bin/bpftool"
}

# built_with NAME PREFIX: without a warning
built_with()
{
	rm -rf "${docs:?}/$1"
	cp -R "$docs/examples" "$docs/$1"
	(
		cd "$docs/$1"
		PATH=$docs/bin:$PATH \
		CPATH=$2/include:$docs/kernel/include:$docs/../../selftests/bpf \
		LIBRARY_PATH=$2/lib sh -e build.sh
	) >"$out" 2>&1 || {
		cat "$out"
		return 1
	}
	refuses grep . "$out"
	for session in "$docs/$1"/*.session; do
		program=${session%.session}
		[ ! -x "$program" ] ||
			LD_LIBRARY_PATH=$2/lib ldd "$program" | grep -F "$2/lib/libbpf.so"
	done
}

# --- running

# What is typed in each session, and what it prints.
sessions='for session in *.session; do
	echo "==== ${session%.session}"
	while read -r line; do
		case $line in
		"# "*)
			echo "$line"
			eval "${line#??}" </dev/null 2>&1
			;;
		esac
	done <$session
done'

# run NAME PREFIX
run()
{
	head -c 64 /dev/zero >"$docs/$1/packet"
	scripts/initramfs.sh build/vm/docs.cpio "$bpftool" "$2/lib/libbpf.so.1" \
		"$docs/$1"/*
	VM_INITRAMFS=build/vm/docs.cpio scripts/boot.sh $image \
		env LD_LIBRARY_PATH=/bpf sh -c "$sessions"
}

# Leaves out what differs from one run to the next, or with where libbpf places globals.
same_each_time()
{
	sed 's/0x[0-9a-f]\{1,\}/ADDRESS/g
		s/tag [0-9a-f]\{16\}/tag TAG/g
		s/\<\(pid\|id\|insn\|prog\|prog_id\)\([ =]\)[0-9]\{1,\}/\1\2NUMBER/g
		s/^ *[0-9]\{1,\}:/NUMBER:/
		s/[0-9]\{1,\} pages\{0,1\}$/NUMBER pages/
		s/^\[ *[0-9]*\.[0-9]*\]/[TIME]/
		s/[ 	]\{1,\}/ /g
		s/^ //
		s/ $//' "$1"
}

# printed NAME SESSION: each line of the session, one after the other; three dots
# stand for any lines, or for the rest of a line.
printed()
{
	awk '/^==== / { now = $2; next } now == "'"$2"'"' "$docs/$1.output" >"$work/got"
	cat "$work/got"
	same_each_time "$work/got" >"$work/lines"
	same_each_time "$docs/$1/$2.session" | awk '
	FILENAME != "-" {
		got[++last] = $0
		next
	}
	$0 == "..." {
		skip = 1
		next
	}
	{
		rest = sub(/ *\.\.\.$/, "")
		do {
			at++
			found = rest ? index(got[at], $0) == 1 : got[at] == $0
		} while (skip && !found && at < last)
		if (!found) {
			print "the document says: " $0
			print "it prints:         " got[at]
			exit 1
		}
		skip = 0
	}' "$work/lines" -
}

# with NAME PREFIX WORDS
with()
{
	check "they build with $3" built_with "$1" "$2"
	check "they run with $3" run "$1" "$2"
	cp "$log" "$docs/$1.output"
	for session in "$docs/examples"/*.session; do
		example=$(basename "$session" .session)
		check "$example prints what the document says, with $3" \
			printed "$1" "$example"
	done
}

mkdir -p "$docs"
check "a block of which nobody knows what it is is refused" blocks_are_accounted_for
check "the examples are taken out of the document" taken_out
check "the header libraries that it names exist" headers_exist
check "the tree's header files and libbpf" install_tree
check "Debian's libbpf" scripts/libbpf.sh
with tree "$docs/installed" "the libbpf of the tree"
with debian "$PWD/build/libbpf" "$(cut -d' ' -f1,2 build/libbpf/package)"
finish
