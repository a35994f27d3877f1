#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the series as mails: it applies, both ways to the same tree, is in
# step with the plain source, and checkpatch has nothing to say.

cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
. scripts/lib.sh

# The tree after git am, as files, and the list of what the series touches.
am_tree=$work/am
touched=$work/touched

applies_by_git_am()
{
	open_scratch base
	# A clone of a fresh tree, the patches straight from the repository.
	plain_git -C $scratch am -q --committer-date-is-author-date \
		"$PWD"/$patches/*.patch
	git -C $scratch diff --no-renames --name-only base HEAD >"$touched"
	mkdir "$am_tree"
	git -C $scratch archive HEAD -- | tar -x -C "$am_tree" -T "$touched"
	git -C $scratch rev-parse HEAD >"$work/head"
	# The series lists the patches, all and in the order of their names.
	(cd $patches && ls -- *.patch) | diff - $patches/series
}

applies_by_quilt()
{
	[ -s "$touched" ]
	mkdir "$work/quilt"
	git -C $tree ls-tree -r --name-only base | sort >"$work/files"
	sort "$touched" | comm -12 - "$work/files" >"$work/existing"
	git -C $tree archive base | tar -x -C "$work/quilt" -T "$work/existing"
	(cd "$work/quilt" &&
	 QUILT_PATCHES=$OLDPWD/$patches quilt --quiltrc=- push -a --fuzz=0)
	rm -rf "$work/quilt/.pc"
	diff -r "$am_tree" "$work/quilt"
}

# Equal but for what moves with the base, if that is another one.
same_patch()
{
	if [ "$(kernel_version base)" = "$(cat $patches/base)" ]; then
		cmp "$1" "$2"
	else
		for patch in "$1" "$2"; do
			sed '/^index /d; s/^@@ -[0-9,]* +[0-9,]* @@/@@/' "$patch" \
				>"$work/$(basename "$(dirname "$patch")").plain"
		done
		cmp "$work/$(basename "$(dirname "$1")").plain" \
			"$work/$(basename "$(dirname "$2")").plain"
	fi
}

patches_are_as_exported()
{
	mkdir "$work/exported"
	export_series "$(cat "$work/head")" "$work/exported"
	cmp "$work/exported/series" $patches/series
	while read -r patch; do
		same_patch $patches/"$patch" "$work/exported/$patch"
	done <$patches/series
}

plain_source_is_in_step()
{
	head=$(cat "$work/head")
	added_files "$head" >"$work/added"
	plain_files | while read -r file; do
		in_tree "$file"
	done | sort >"$work/plain"
	# What is only in one of them: make refresh.
	sort "$work/added" | diff "$work/plain" -
	while read -r file; do
		cmp "$am_tree/$file" "$(from_tree "$file")"
	done <"$work/added"
}

tree_has_no_other_commits()
{
	git -C $tree diff --stat --exit-code "$(cat "$work/head")" HEAD
}

patches_name_no_one_else()
{
	[ -s $patches/series ]
	[ -s $patches/cover-letter ]
	refuses grep -inE '^(signed-off-by|reviewed-by|acked-by|tested-by|cc):' \
		$patches/*.patch $patches/cover-letter
}

# scripts/checkpatch.ignore: what is not held against us, and why. A file that is
# in git would be taken for source and not for a patch.
checkpatch_is_content()
{
	[ -s $patches/series ]
	ignore=$(sed 's/#.*//' scripts/checkpatch.ignore | tr -s ' \n' ',,')
	bad=
	# The distribution's python3 has the modules that spdxcheck.py needs.
	while read -r patch; do
		cp $patches/"$patch" "$work/$patch"
		PATH=/usr/bin:$PATH perl $tree/scripts/checkpatch.pl --root=$tree \
			--strict --no-signoff --terse --show-types --no-summary \
			--typedefsfile=scripts/checkpatch.types \
			--ignore "$ignore" "$work/$patch" || bad=y
	done <$patches/series
	[ -z "$bad" ]
}

# Each pattern finds a file, and each added file is found.
maintainers_find_the_files()
{
	sed -n 's/^F:	//p' MAINTAINERS.fragment >"$work/patterns"
	: >"$work/used"
	while read -r file; do
		found=
		while read -r pattern; do
			# shellcheck disable=SC2254 # it is a pattern
			case $file in
			$pattern | ${pattern%/}/*)
				found=y
				echo "$pattern" >>"$work/used"
				;;
			esac
		done <"$work/patterns"
		[ -n "$found" ] || echo "$file: no one maintains it"
	done <"$work/added" >"$work/complaints"
	sort -u "$work/used" >"$work/used.sorted"
	sort "$work/patterns" | comm -23 - "$work/used.sorted" |
		sed 's/$/: no such file/' >>"$work/complaints"
	cat "$work/complaints"
	[ ! -s "$work/complaints" ]
}

spdx_line_everywhere()
{
	git ls-files -co --exclude-standard | while read -r file; do
		case $file in
		patches/* | LICENSES/* | COPYING | *.md | MAINTAINERS.fragment) continue ;;
		esac
		[ ! -f "$file" ] || head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' ||
			echo "$file"
	done >"$work/no-spdx"
	cat "$work/no-spdx"
	[ ! -s "$work/no-spdx" ]
}

# make guards takes long: what would end it early can be seen here.
guards_fit()
{
	for guard in tests/guards/*.patch; do
		echo "$guard"
		git -C $tree apply --check "$PWD/$guard"
		[ "$(sed -n '2,4s/: ..*//p' "$guard" | tr '\n' ' ')" = "Trap Test Says " ]
		for test in $(sed -n 's/^Test: //p' "$guard"); do
			# shellcheck disable=SC2046 # one file
			grep -q "\"${test#*/}\"" $(grep -l "test_${test%/*}(void)" \
				selftests/bpf/prog_tests/*.c)
		done
	done
}

check "applies by git am" applies_by_git_am
check "applies by quilt, without fuzz, to the same tree" applies_by_quilt
check "the patches are as make refresh writes them" patches_are_as_exported
check "the plain source is in step with the patches" plain_source_is_in_step
check "build/linux has no other commits" tree_has_no_other_commits
check "the patches carry no sign-off" patches_name_no_one_else
check "checkpatch --strict is content" checkpatch_is_content
check "MAINTAINERS.fragment finds the files" maintainers_find_the_files
check "every file has its SPDX line" spdx_line_everywhere
check "each guard can be taken out, and has its test" guards_fit
close_scratch
finish
