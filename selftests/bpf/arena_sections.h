/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_SECTIONS_H
#define __ARENA_SECTIONS_H

/* Which section a program of progs/arena_sections.c spins in */
enum arena_section {
	SECTION_RCU,
	SECTION_PREEMPT,
	SECTION_IRQ,
	NR_SECTIONS,
	SECTION_NONE = NR_SECTIONS,
};

#endif /* __ARENA_SECTIONS_H */
