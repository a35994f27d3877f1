#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Checks the base out into build/base: the kernel tree without the series.

set -eu
. scripts/lib.sh

open_base
