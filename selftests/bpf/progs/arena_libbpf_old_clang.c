// SPDX-License-Identifier: GPL-2.0
/* Built by a compiler that knows no address spaces, where there is one. */
#define BPF_ARENA_FORCE_ASM
#include "arena_libbpf.c"
