#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Brings patches/6.1 and the plain source together: folds what was edited into
# the patch that adds it, writes the commits of build/linux to patches/6.1, and
# files that a new commit adds to kernel/, tools/, selftests/, Documentation/.

set -eu
. scripts/lib.sh

mkdir -p $patches build/log
head=$(git -C $tree rev-parse HEAD) || die "no kernel tree yet: run make first"
[ "$(git -C $tree symbolic-ref -q --short HEAD)" = arena ] ||
	die "$tree is not on its branch arena (a rebase or git am to finish there?)"

# The plain source is the truth.
plain_files | while read -r file; do
	to=$tree/$(in_tree "$file")
	if ! cmp -s "$file" "$to"; then
		mkdir -p "$(dirname "$to")"
		cp "$file" "$to"
	fi
	git -C $tree cat-file -e "HEAD:$(in_tree "$file")" 2>/dev/null ||
		die "no patch adds $file. Make it one, in its place in the series:
	cd $tree && git add -f $(in_tree "$file") && git commit
	(git rebase -i base moves the commit), then make refresh again"
done

loose=$(git -C $tree diff --name-only HEAD)
for file in $loose; do
	plain=$(from_tree "$file")
	[ -e "${plain:-none}" ] ||
		die "$tree/$file is edited, in no commit and not kept as plain source." \
			"Commit it there; to amend a patch: git commit --fixup=PATCH"
done

# Fold each file into the last commit that touches it: then nothing conflicts.
for file in $loose; do
	commit=$(git -C $tree log -1 --format=%H base..HEAD -- "$file")
	echo "refresh: $file goes to: $(git -C $tree log -1 --format=%s "$commit")"
	plain_git -C $tree commit -q --fixup="$commit" -- "$file"
done
if git -C $tree log --format=%s base..HEAD | grep -q '^\(fixup\|squash\|amend\)! '; then
	open_scratch HEAD
	plain_git -C $scratch rebase -q -i --autosquash \
		--committer-date-is-author-date base >build/log/rebase.log 2>&1 </dev/null || {
		cat build/log/rebase.log >&2
		die "the fixups do not apply where they belong; squash them by hand:" \
			"cd $tree && git rebase -i --autosquash base"
	}
	new=$(git -C $scratch rev-parse HEAD)
	close_scratch
	git -C $tree diff --quiet HEAD "$new" ||
		die "squashing the fixups changed the tree: squash them by hand"
	git -C $tree update-ref -m "refresh" refs/heads/arena "$new"
	head=$new
fi

added_files "$head" | while read -r file; do
	plain=$(from_tree "$file")
	if [ ! -e "$plain" ]; then
		echo "refresh: new: $plain"
		mkdir -p "$(dirname "$plain")"
		cp "$tree/$file" "$plain"
	fi
done

# Only what changed is written: a patch that stays keeps its time stamp, too.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
export_series "$head" "$new"
kernel_version base >"$new/base"
echo >>"$new/base"
for file in "$patches"/*.patch; do
	[ -e "$new/${file##*/}" ] || rm -f "$file"
done
for file in "$new"/*; do
	cmp -s "$file" "$patches/${file##*/}" || cp "$file" $patches/
done
echo "$(series_hash) $head" >build/applied
echo "refresh: $(grep -c . $patches/series) patches in $patches"
