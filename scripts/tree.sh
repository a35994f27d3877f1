#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Brings build/linux up to date: unpacks the base if there is none, applies the
# series if it changed, copies the plain source of the added files over it.

set -eu
. scripts/lib.sh

tarball=/usr/src/linux-source-6.1.tar.xz
origin=${LINUX:+$(realpath "$LINUX")}
origin=${origin:-$tarball}
stamp=build/applied

unpack()
{
	[ -e "$origin" ] || die "$origin: no such file or directory" \
		"(apt-get install linux-source-6.1, or LINUX=DIRECTORY)"
	echo "linux: unpacking $origin" >&2
	rm -rf $tree.new
	mkdir -p $tree.new
	if [ -z "${LINUX:-}" ]; then
		tar -xJf "$origin" -C $tree.new --strip-components=1
	elif [ -e "$origin/.git" ]; then
		git -C "$origin" archive HEAD | tar -x -C $tree.new
	else
		cp -R "$origin/." $tree.new
		make -s -C $tree.new mrproper
	fi
	echo "linux: making a git repository of it" >&2
	plain_git -C $tree.new init -q -b arena
	plain_git -C $tree.new add -A -f .
	GIT_AUTHOR_DATE='@0 +0000' GIT_COMMITTER_DATE='@0 +0000' \
		plain_git -C $tree.new commit -q -m "Linux, as found"
	plain_git -C $tree.new tag base
	echo "$origin" >$tree.new/.git/origin
	mv $tree.new $tree
}

# What is in no commit, but for the plain source that was copied.
loose_changes()
{
	git -C $tree status --porcelain --untracked-files=no | cut -c4- |
	while read -r file; do
		plain=$(from_tree "$file")
		[ -e "${plain:-none}" ] || echo "$file"
	done
}

apply()
{
	hash=$(series_hash)
	read -r applied head 2>/dev/null <$stamp || applied=
	[ "$hash" != "$applied" ] || return 0

	echo "linux: applying $(grep -c . $patches/series) patches" >&2
	open_scratch base
	apply_series $scratch
	new=$(git -C $scratch rev-parse HEAD)
	close_scratch

	old=$(git -C $tree rev-parse HEAD)
	if ! git -C $tree diff --quiet "$old" "$new"; then
		case $old in
		"${head:-}" | "$(git -C $tree rev-parse base)")	;;
		*)	die "$patches changed, and $tree has commits of its own. Either
	make refresh	(writes the commits of $tree to $patches: what changed there is lost)
	git -C $tree reset --hard $new && make	(the commits of $tree are lost)" ;;
		esac
		[ -z "$(loose_changes)" ] || die "$patches changed, and $tree has" \
			"changes that are in no commit; commit or drop them first:" \
			"$(loose_changes)"
		git -C $tree reset -q --hard "$new"
		git -C $tree symbolic-ref -q HEAD >/dev/null ||
			git -C $tree checkout -q -B arena
		fresh=y
	fi
	echo "$hash $(git -C $tree rev-parse HEAD)" >$stamp
}

copy()
{
	plain_files | while read -r file; do
		to=$tree/$(in_tree "$file")
		! cmp -s "$file" "$to" || continue
		# Git may have written it just now: then it is no one's edit.
		if [ -z "$fresh" ] && [ -n "$(find "$to" -newer "$file" 2>/dev/null)" ]; then
			die "$to is newer than $file and differs; edit only the latter" \
				"(keep the former: cp $to $file; drop it: touch $file)"
		fi
		mkdir -p "$(dirname "$to")"
		cp "$file" "$to"
	done
}

mkdir -p build/log
if [ ! -e $tree ]; then
	unpack
elif [ -n "${LINUX:-}" ] &&
     [ "$(cat $tree/.git/origin 2>/dev/null || echo $tarball)" != "$origin" ]; then
	die "$tree was not made of $LINUX; to change over: make distclean"
fi

fresh=
apply
copy
