/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of arena_faults and their test share. */
#ifndef __ARENA_FAULTS_H
#define __ARENA_FAULTS_H

#define FAULT_EVENTS	128
#define LISTENERS	4
/* How often the callback of a loop strays */
#define CALLBACKS	3

/* One of the tracepoint bpf_arena_fault */
struct fault_event {
	__u64 addr;
	__u32 prog_id;
	__u32 insn;
	__u32 access;
};

/*
 * Each program has a word of its own that it accesses, so that the offset in the
 * instruction tells which one it is.
 */
enum stray_word {
	WORD_MAIN = 1,
	WORD_SUBPROG,
	WORD_CALLBACK,
	WORD_XDP,
	WORD_NMI,
	WORD_STORM,
	WORD_LISTENER,
	WORDS,
};

struct strays {
	__u64 word[WORDS];
};

#endif /* __ARENA_FAULTS_H */
