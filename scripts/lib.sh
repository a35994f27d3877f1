# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the scripts that deal with the series share. They run at the top of the
# repository. The kernel tree is build/linux: tag base, branch arena.

# shellcheck disable=SC2034 # used by those who read this file
tree=build/linux
patches=patches/6.1
scratch=build/scratch
base=build/base

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# git as everyone has it: nobody's settings change a commit or a patch.
plain_git()
{
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
	GIT_COMMITTER_NAME=arena GIT_COMMITTER_EMAIL=arena@localhost \
	GIT_AUTHOR_NAME=arena GIT_AUTHOR_EMAIL=arena@localhost \
	GIT_EDITOR=: GIT_SEQUENCE_EDITOR=: git -c gc.auto=0 "$@"
}

# kernel_version COMMIT: such as 6.1.192
kernel_version()
{
	git -C $tree show "$1:Makefile" | awk '
		/^(VERSION|PATCHLEVEL|SUBLEVEL) = / {
			printf "%s%s", dot, $3
			dot = "."
		}'
}

# The files that the series adds and that are kept as plain source.
plain_files()
{
	git ls-files -co --exclude-standard -- kernel tools selftests Documentation |
	while read -r file; do
		[ ! -f "$file" ] || echo "$file"
	done
}

# Where a plain file is in the kernel tree.
in_tree()
{
	case $1 in
	selftests/*)	echo "tools/testing/$1" ;;
	*)		echo "$1" ;;
	esac
}

# Where a file of the kernel tree is as plain source; nothing if it never is.
from_tree()
{
	case $1 in
	tools/testing/selftests/*)		echo "${1#tools/testing/}" ;;
	kernel/* | tools/* | Documentation/*)	echo "$1" ;;
	esac
}

# The files that the series adds in COMMIT and that are kept as plain source.
added_files()
{
	git -C $tree diff --diff-filter=A --no-renames --name-only base "$1" |
	while read -r file; do
		[ -z "$(from_tree "$file")" ] || echo "$file"
	done
}

# Tells one state of the patches from another.
series_hash()
{
	cat $patches/series $patches/*.patch 2>/dev/null | sha256sum | cut -d' ' -f1
}

# A worktree at COMMIT with only the files that the series touches: to apply or
# to rebase without a touch to build/linux, whose objects stay valid.
open_scratch()
{
	close_scratch
	git -C $tree worktree add -q -f --no-checkout --detach "$PWD/$scratch" "$1"
	{
		cat $patches/*.patch 2>/dev/null |
			sed -n 's,^+++ b/,/,p; s,^--- a/,/,p'
		git -C $tree diff --no-renames --name-only base "$1" | sed 's,^,/,'
	} | sort -u | plain_git -C $scratch sparse-checkout set --no-cone --stdin
	plain_git -C $scratch checkout -q
}

close_scratch()
{
	[ ! -e $scratch ] || git -C $tree worktree remove -f "$PWD/$scratch"
}

# The whole tree without the series, in $base.
open_base()
{
	[ -e $base ] ||
		git -C $tree worktree add -q -f --detach "$PWD/$base" base
	git -C $base checkout -q --detach base
}

# apply_series DIRECTORY: the patches on top of what is checked out there.
apply_series()
{
	grep -v '^#' $patches/series | while read -r patch; do
		plain_git -C "$1" am -q --committer-date-is-author-date \
			"$PWD/$patches/$patch" >build/log/am.log 2>&1 </dev/null ||
			apply_failed "$patch"
	done
}

apply_failed()
{
	files=$(sed -n 's/^error: patch failed: \(.*\):[0-9]*$/\1/p
		s/^error: \(.*\): does not .*/\1/p
		s/^error: \(.*\): already exists in .*/\1/p' build/log/am.log |
		sort -u | tr '\n' ' ')
	cat build/log/am.log >&2
	cat >&2 <<EOF
${0##*/}: $patches/$1 does not apply: ${files:-see above}
The base is $(kernel_version base); the series was last tested on $(cat $patches/base).
To rebase:
	cd $tree && git checkout -f -B arena base
	git am --reject ../../$patches/*.patch
	(when it stops: edit as the .rej files say, git add, git am --continue)
	cd ../.. && make refresh
EOF
	exit 1
}

# export_series COMMIT DIRECTORY
export_series()
{
	plain_git -C $tree format-patch -q --zero-commit --no-signature \
		--full-index --no-numbered --stat=72 --no-base --no-thread \
		--no-attach --no-cover-letter --subject-prefix=PATCH \
		--no-encode-email-headers --diff-algorithm=myers -U3 \
		-o "$(realpath "$2")" "base..$1"
	(cd "$2" && ls -- *.patch >series)
}
