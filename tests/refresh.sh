#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck disable=SC2016 # awk and sed expand
#
# Tests of the way between the plain source, the kernel tree and the patches
# (scripts/tree.sh, scripts/refresh.sh), in a small repository on a small tree.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

# A repository of two patches: one changes mm/old.c, one adds kernel/new.c.
new_repository()
{
	rm -rf "$work/repo" "$work/linux"
	mkdir -p "$work/linux/mm" "$work/repo/patches/6.1"
	printf 'VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 7\nmrproper:\n' \
		>"$work/linux/Makefile"
	seq 100 >"$work/linux/mm/old.c"
	seq 100 >"$work/linux/mm/older.c"
	cp -r scripts "$work/repo"
	cd "$work/repo"
	git init -q -b main .
	printf '/build/\n' >.gitignore
	: >patches/6.1/series
	echo 6.1.7 >patches/6.1/base
	export LINUX="$work/linux"
	scripts/tree.sh
	sed -i 's/^50$/fifty/' build/linux/mm/old.c
	commit "mm: Spell fifty"
	mkdir build/linux/kernel
	echo "one" >build/linux/kernel/new.c
	commit "kernel: Add new"
	scripts/refresh.sh
	[ -e kernel/new.c ]
	cp -r patches "$work/kept"
}

commit()
{
	git -C build/linux add -A
	git -C build/linux -c user.name="A U Thor" -c user.email=a@example.org \
		commit -q -m "$1" -m "Because."
}

patches_are_as_before()
{
	diff -r "$1" patches/6.1
}

refresh_changes_nothing_twice()
{
	new_repository
	cp -r patches/6.1 "$work/before1"
	scripts/refresh.sh
	patches_are_as_before "$work/before1"
	# What is applied from scratch exports to the same bytes, too.
	rm -rf build
	scripts/tree.sh
	scripts/refresh.sh
	patches_are_as_before "$work/before1"
	[ -z "$(git -C build/linux status --porcelain)" ]
}

settings_do_not_matter()
{
	new_repository
	cp -r patches/6.1 "$work/before2"
	cat >"$work/gitconfig" <<-'EOF'
		[user]
			name = Someone Else
			email = else@example.org
		[format]
			signOff = true
			numbered = true
			attach = true
			subjectPrefix = PATCH v9
			from = true
			signature = bye
		[diff]
			noprefix = true
			context = 9
			algorithm = patience
			renames = copies
		[core]
			abbrev = 40
		[commit]
			gpgSign = true
		[am]
			threeWay = true
	EOF
	export GIT_CONFIG_GLOBAL="$work/gitconfig"
	rm -rf build
	scripts/tree.sh
	echo "two" >>kernel/new.c
	scripts/refresh.sh
	sed -i '$d' kernel/new.c
	scripts/refresh.sh
	patches_are_as_before "$work/before2"
}

edited_file_is_folded()
{
	new_repository
	echo "two" >>kernel/new.c
	scripts/tree.sh
	grep -q two build/linux/kernel/new.c
	expect 0 scripts/refresh.sh
	says "kernel/new.c goes to: kernel: Add new"
	[ "$(wc -l <patches/6.1/series)" -eq 2 ]
	grep -q '^+two' patches/6.1/0002-*.patch
	grep -q '^From: A U Thor' patches/6.1/0002-*.patch
	[ -z "$(git -C build/linux status --porcelain)" ]
}

objects_stay_valid()
{
	new_repository
	find build/linux -name .git -prune -o -type f -exec touch -d '1 hour ago' {} +
	touch "$work/now"
	echo "two" >>kernel/new.c
	scripts/tree.sh
	scripts/refresh.sh
	[ "$(find build/linux -name .git -prune -o -type f -newer "$work/now" -print)" = \
		build/linux/kernel/new.c ]
}

unchanged_sources_stay_untouched()
{
	new_repository
	touch "$work/now"
	sleep 0.1
	scripts/tree.sh
	[ -z "$(find build/linux -name .git -prune -o -type f -newer "$work/now" -print)" ]
}

file_without_patch_is_named()
{
	new_repository
	echo "lost" >kernel/lost.c
	expect 1 scripts/refresh.sh
	says "no patch adds kernel/lost.c"
	says "git commit"
}

committed_file_is_copied_out()
{
	new_repository
	mkdir -p build/linux/tools/testing/selftests/bpf
	echo "test" >build/linux/tools/testing/selftests/bpf/test.c
	commit "selftests: Add a test"
	expect 0 scripts/refresh.sh
	says "3 patches"
	[ "$(cat selftests/bpf/test.c)" = test ]
}

fixup_is_squashed()
{
	new_repository
	sed -i 's/^51$/fifty-one/' build/linux/mm/old.c
	git -C build/linux -c user.name=X -c user.email=x@example.org \
		commit -q -a --fixup=HEAD~1
	expect 0 scripts/refresh.sh
	[ "$(wc -l <patches/6.1/series)" -eq 2 ]
	grep -q '^+fifty-one' patches/6.1/0001-*.patch
}

loose_change_is_refused()
{
	new_repository
	echo "loose" >>build/linux/mm/older.c
	expect 1 scripts/refresh.sh
	says mm/older.c
	says "Commit it there"
}

edit_in_the_tree_is_not_lost()
{
	new_repository
	sleep 0.1
	echo "in the wrong place" >>build/linux/kernel/new.c
	expect 1 scripts/tree.sh
	says "build/linux/kernel/new.c is newer"
	grep -q "wrong place" build/linux/kernel/new.c
}

changed_patch_is_applied()
{
	new_repository
	sed -i 's/^+fifty$/+5O/' patches/6.1/0001-*.patch
	scripts/tree.sh
	grep -q '^5O$' build/linux/mm/old.c
	[ "$(git -C build/linux symbolic-ref --short HEAD)" = arena ]
}

commits_are_not_lost()
{
	new_repository
	sed -i 's/^60$/sixty/' build/linux/mm/old.c
	commit "mm: Spell sixty"
	scripts/tree.sh # the patches did not change: nothing to do
	sed -i 's/^+fifty$/+5O/' patches/6.1/0001-*.patch
	expect 1 scripts/tree.sh
	says "has commits of its own"
	grep -q '^sixty$' build/linux/mm/old.c
}

patch_that_does_not_apply_is_named()
{
	new_repository
	rm -rf build
	sed -i 's/^50$/half a hundred/' "$LINUX/mm/old.c"
	sed -i 's/^SUBLEVEL = 7/SUBLEVEL = 8/' "$LINUX/Makefile"
	expect 1 scripts/tree.sh
	says "patches/6.1/0001-mm-Spell-fifty.patch does not apply: mm/old.c"
	says "The base is 6.1.8; the series was last tested on 6.1.7."
	says "To rebase:"
	# And the way it says leads out.
	git -C build/linux checkout -q -f -B arena base
	export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
	refuses git -C build/linux am -q --reject "$PWD"/patches/6.1/*.patch
	sed -i 's/^half a hundred$/fifty/' build/linux/mm/old.c
	find build/linux -name '*.rej' -delete
	(cd build/linux && git add -A && git am -q --continue)
	scripts/refresh.sh
	scripts/tree.sh
	[ "$(cat patches/6.1/base)" = 6.1.8 ]
	[ "$(wc -l <patches/6.1/series)" -eq 2 ]
}

other_base_is_refused()
{
	new_repository
	mkdir "$work/other"
	cp -r "$work/linux/." "$work/other"
	LINUX="$work/other" expect 1 scripts/tree.sh
	says "make distclean"
	LINUX="$work/nothing" expect 1 scripts/tree.sh
}

check "refresh changes nothing twice" refresh_changes_nothing_twice
check "nobody's git settings matter" settings_do_not_matter
check "an edited file is folded into its patch" edited_file_is_folded
check "refresh leaves objects valid" objects_stay_valid
check "unchanged sources stay untouched" unchanged_sources_stay_untouched
check "a file without a patch is named" file_without_patch_is_named
check "a committed file is copied out" committed_file_is_copied_out
check "a fixup is squashed" fixup_is_squashed
check "a change in no commit is refused" loose_change_is_refused
check "an edit in the tree is not lost" edit_in_the_tree_is_not_lost
check "a changed patch is applied" changed_patch_is_applied
check "commits are not lost" commits_are_not_lost
check "a patch that does not apply is named" patch_that_does_not_apply_is_named
check "another base is refused" other_base_is_refused
finish
