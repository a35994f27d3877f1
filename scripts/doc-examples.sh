#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: doc-examples.sh DOCUMENT OUTPUT
#
# Takes the examples out of a document in reStructuredText, into the directory
# OUTPUT. What a block is, the paragraph before it says, as it does to a reader:
#
#   ... ``guard.c``:          and code: the whole file of this name, the last one
#                             that the paragraph names
#   From ``guard.c``:         and code: a part of that file, word for word, or of
#                             a header in selftests/bpf
#   To build it::             and shell commands: build.sh gets them, in turn
#   ...::                     and text that starts with "# ": what is typed and
#                             what is printed: NAME.session gets it, if ./NAME is
#                             the first that is called, or NAME.c or NAME.bpf.c
#                             the last file before it
#
# Anything else is an error, so that no block is without a test. The last line
# that is printed counts them.

set -eu

document=$1
output=$2

die()
{
	echo "doc-examples.sh: $document: $*" >&2
	exit 1
}

# Each block into a file of its own: N.text; N.kind is code or plain, N.intro the
# paragraph before it, in one line.
split()
{
	awk -v out="$1" '
	function end_block() {
		if (!number)
			return
		close(file)
		number = 0
	}
	function end_paragraph() {
		if (paragraph == "")
			return
		if (paragraph ~ /^\.\. (code|code-block|sourcecode)::/)
			begin_block("code", intro)
		else if (paragraph ~ /::$/ && paragraph !~ /^\.\. /)
			begin_block("plain", paragraph)
		intro = paragraph
		paragraph = ""
	}
	function begin_block(kind, words) {
		number = ++blocks
		print kind >(out "/" number ".kind")
		print words >(out "/" number ".intro")
		file = out "/" number ".text"
		printf "" >file
		margin = -1
		empty = 0
	}
	/^[ \t]*$/ {
		end_paragraph()
		empty++
		next
	}
	number && /^ / {
		match($0, /^ */)
		if (margin < 0)
			margin = RLENGTH
		else for (; empty; empty--)
			print "" >file
		empty = 0
		print substr($0, margin + 1) >file
		next
	}
	{
		end_block()
		paragraph = paragraph (paragraph == "" ? "" : " ") $0
	}
	END {
		end_paragraph()
		print blocks + 0
	}' "$document"
}

# One line, in which neither indentation nor line ends count.
flat()
{
	printf '%s ' "$(tr -s ' \t\n' '   ' <"$1" | sed 's/^ //; s/ $//')"
}

# The last file that a paragraph names.
named()
{
	# shellcheck disable=SC2016 # they are quotes
	sed -n 's/.*``\([A-Za-z0-9_.]*\.[ch]\)``[^`]*:$/\1/p' "$1"
}

example=
take_file()
{
	[ ! -e "$output/$1" ] || die "$1 is there twice"
	cp "$2" "$output/$1"
	files=$((files + 1))
	case $1 in
	*.c)	example=${1%.c}; example=${example%.bpf} ;;
	esac
}

check_part()
{
	of=$output/$1
	[ -e "$of" ] || of=selftests/bpf/$1
	[ -e "$of" ] || die "no such file: $1"
	case $(flat "$of") in
	*"$(flat "$2")"*)	;;
	*)	die "this is not in $1:
$(cat "$2")" ;;
	esac
	parts=$((parts + 1))
}

take_code()
{
	name=$(named "$1.intro")
	[ -n "$name" ] || die "no file's name before this code:
$(cat "$1.text")"
	case $(cat "$1.intro") in
	*"From \`\`$name\`\`:")	check_part "$name" "$1.text" ;;
	*)			take_file "$name" "$1.text" ;;
	esac
}

# take_session TEXT
take_session()
{
	called=$(sed -n 's,^# \./\([a-z]*\).*,\1,p' "$1" | head -n 1)
	called=${called:-$example}
	[ -e "$output/$called.c" ] || [ -e "$output/$called.bpf.c" ] ||
		die "no example before this session:
$(cat "$1")"
	cat "$1" >>"$output/$called.session"
	sessions=$((sessions + 1))
}

take_text()
{
	if grep -q '^To build' "$1.intro"; then
		cat "$1.text" >>"$output/build.sh"
		builds=$((builds + 1))
	elif head -n 1 "$1.text" | grep -q '^# '; then
		take_session "$1.text"
	else
		die "neither how to build it nor a session:
$(cat "$1.text")"
	fi
}

rm -rf "$output"
mkdir -p "$output"
blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT
files=0
parts=0
builds=0
sessions=0

count=$(split "$blocks")
number=1
while [ $number -le "$count" ]; do
	case $(cat "$blocks/$number.kind") in
	code)	take_code "$blocks/$number" ;;
	plain)	take_text "$blocks/$number" ;;
	esac
	number=$((number + 1))
done
echo "$count blocks: $files files, $parts parts of them, $builds builds, $sessions sessions"
