#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: backports.sh DIRECTORY RELEASE
#
# Makes an apt of its own in DIRECTORY, which knows Debian's backports for RELEASE and
# nothing else: "apt-get -c DIRECTORY/apt.conf" is how to use it. They need not be among
# the machine's sources: the system's apt and its lists stay as they are. The address is
# that of the archive where the distribution itself comes from.

set -eu

mkdir -p "$1/lists/partial" "$1/archives/partial"
directory=$(realpath "$1")
suite=$2-backports
keys=/usr/share/keyrings/debian-archive-keyring.gpg

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016 # apt expands it
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
	'Origin: Debian' 'Component: main' "Codename: $codename" | head -n 1)
if [ -z "$archive" ]; then
	echo "apt has no list of Debian's packages; as root: apt-get update" >&2
	exit 1
fi
echo "deb [signed-by=$keys] $archive $suite main" >"$directory/sources.list"
cat >"$directory/apt.conf" <<EOT
Dir::Etc::SourceList "$directory/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$directory";
Dir::State::Status "/dev/null";
Dir::Cache "$directory";
APT::Update::Error-Mode "any";
EOT
apt-get -c "$directory/apt.conf" update -q || {
	echo "cannot fetch the list of $suite: is there a network?" >&2
	exit 1
}
