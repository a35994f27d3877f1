// SPDX-License-Identifier: GPL-2.0
/* The same program, compiled by a clang that does not know the cast. */
#include "arena_struct.c"
