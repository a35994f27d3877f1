/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an arena's BPF program and its user space share: one source, with
 * pointers marked __arena, compiles for both sides.
 *
 * A BPF program includes <vmlinux.h> or <linux/bpf.h> first, for the types.
 */
#ifndef __BPF_ARENA_COMMON_H
#define __BPF_ARENA_COMMON_H

#ifdef __BPF__
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#else
#include <stddef.h>
#include <linux/types.h>
#include <sys/cdefs.h>
#endif

#ifndef NUMA_NO_NODE
#define NUMA_NO_NODE	(-1)
#endif

#ifndef READ_ONCE
#define READ_ONCE(x)		(*(__volatile__ typeof(x) *)&(x))
#endif
#ifndef WRITE_ONCE
#define WRITE_ONCE(x, val)	(*(__volatile__ typeof(x) *)&(x) = (val))
#endif

/* x86-64 is the one architecture whose JIT runs arenas here. */
#ifndef PAGE_SIZE
#define PAGE_SIZE	4096
#endif

/*
 * For static functions with several ways through them, of what runs on both sides. The
 * verifier follows a function that is called by itself; of one that is inlined in a loop,
 * each way leaves something else in the registers, and all of them are states to follow.
 */
#ifdef __BPF__
#define arena_noinline		__noinline __attribute__((__unused__))
#else
#define arena_noinline		inline
#endif

/*
 * Make the verifier forget what it knows of @number, by means of @any other one that it
 * knows nothing of: what comes next is then verified once, and not once for each way that
 * led there. The number does not change.
 */
#ifdef __BPF__
#define arena_forget(number, any)					\
	asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(number) : "r"(any))
#else
#define arena_forget(number, any)	((void)(any))
#endif

#ifdef __BPF__

/*
 * The cast instruction, for compilers that cannot emit it. dst and src are the
 * register that holds @var; as its name is only known as text, pick the byte
 * whose number makes the same name (GCC may prefix it with a percent sign).
 */
#ifndef bpf_addr_space_cast
#define bpf_addr_space_cast(var, dst_as, src_as)			\
	({								\
	asm volatile(".byte 0xbf\n"					\
		     ".irp nr, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n"		\
		     ".ifc %[reg], r\\nr\n"				\
		     ".byte 0x\\nr\\nr\n"				\
		     ".endif\n"						\
		     ".ifc %[reg], %%r\\nr\n"				\
		     ".byte 0x\\nr\\nr\n"				\
		     ".endif\n"						\
		     ".endr\n"						\
		     ".short 1\n"	/* BPF_ADDR_SPACE_CAST */	\
		     ".long %[as]\n"					\
		     : [reg] "+r"(var)					\
		     : [as] "i"((dst_as) << 16 | (src_as)));		\
	})
#endif

#if defined(__BPF_FEATURE_ADDR_SPACE_CAST) && !defined(BPF_ARENA_FORCE_ASM)
/* The compiler casts where a pointer is dereferenced or stored. */
#define __arena			__attribute__((address_space(1)))
#define __arena_global		__attribute__((address_space(1)))
#define cast_kern(ptr)
#define cast_user(ptr)
#else
/* The program casts: to kernel before a dereference, to user before a store. */
#define __arena
#define __arena_global		SEC(".addr_space.1")
#define cast_kern(ptr)		bpf_addr_space_cast(ptr, 0, 1)
#define cast_user(ptr)		bpf_addr_space_cast(ptr, 1, 0)
#endif

/*
 * Loops that the verifier need not follow to their ends: the kernel ends them when
 * the program has looped for long enough. can_loop is a condition that is false
 * then; cond_break is a statement, and leaves the loop it is in.
 *
 * Without the compiler's help the jump is written down in bytes. A distance in insns
 * can only be had as a long: it fills half of the immediate, too.
 */
#ifdef __BPF_FEATURE_MAY_GOTO
#define __may_goto(nr)							\
	({ asm volatile goto("may_goto %l[__stop_" #nr "]" :::: __stop_##nr); })
#else
#define __may_goto(nr)							\
	({ asm volatile goto("1: .byte 0xe5, 0\n"			\
			     ".long ((%l[__stop_" #nr "] - 1b - 8) / 8) & 0xffff\n" \
			     ".short 0\n"				\
			     :::: __stop_##nr); })
#endif

#ifndef can_loop
#define can_loop							\
	({								\
	__label__ __stop_1;						\
	int __more = 0;							\
									\
	__may_goto(1);							\
	__more = 1; __stop_1:;						\
	__more;								\
	})
#endif

#define __cond_break(nr)						\
	({								\
	__label__ __stop_##nr, __go_on;					\
									\
	__may_goto(nr);							\
	goto __go_on; __stop_##nr: break; __go_on:;			\
	})

#ifndef cond_break
#define cond_break	__cond_break(1)
#endif

int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym __weak;
int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym __weak;
void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym __weak;

/*
 * bpf_for(i, start, end): for (i = start; i < end; i++), in as many turns as there are,
 * up to 8 million. The iterator counts, and the verifier knows that it ends; what the
 * number may be it learns from the comparison. The iterator is destroyed wherever the
 * loop is left from.
 */
#ifndef bpf_for
static __always_inline int __num_within(int num, int start, int end)
{
	return num >= start && num < end;
}

#define bpf_for(i, range...)						\
	for (struct bpf_iter_num					\
	     __it __attribute__((cleanup(bpf_iter_num_destroy))),	\
	     *__begun = (bpf_iter_num_new(&__it, range), &__it);	\
	     ({								\
		int *__num = bpf_iter_num_next(__begun);		\
									\
		__num && __num_within((i) = *__num, range);		\
	     });)
#endif

void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 page_cnt,
				    int node_id, __u64 flags) __ksym __weak;
void bpf_arena_free_pages(void *map, void __arena *ptr, __u32 page_cnt) __ksym __weak;
int bpf_arena_reserve_pages(void *map, void __arena *addr, __u32 page_cnt) __ksym __weak;

/*
 * What a kernel can do, of what mainline's have learned since 6.12. Each is a constant when
 * a program is loaded: what is not reached for it is not verified. Names of types say it:
 * the first one is of arenas of 6.1, the second one of those of mainline from 7.0 on.
 */
struct arena_stock___known {};
struct arena_free_span___known {};
struct bpf_subprog_info___known {
	char might_sleep;
} __attribute__((preserve_access_index));

#define __arena_kernel_has(name)	bpf_core_type_exists(struct name##___known)

/*
 * Do programs that must not sleep allocate and free pages? From 7.0 on. (A global function
 * that could, if it did not ask this, is one that may sleep for mainline's 6.15 to 6.19.)
 */
#define arena_pages_nosleep()						\
	(__arena_kernel_has(arena_stock) || __arena_kernel_has(arena_free_span))

/*
 * Can the place of a page that was freed be allocated again while other CPUs still know the
 * page, so that what they write there is lost? From 7.0 on, and as far as 7.3.
 */
#define arena_reuse_loses_writes()	__arena_kernel_has(arena_free_span)

/* Can global functions be called with preemption disabled? From 6.15 on. */
#define arena_calls_in_sections()					\
	(__arena_kernel_has(arena_stock) ||				\
	 bpf_core_field_exists(struct bpf_subprog_info___known, might_sleep))

/* The part of the kernel's struct bpf_arena that programs may rely on. */
struct bpf_arena___base {
	__u64 user_vm_start;
} __attribute__((preserve_access_index));

#define arena_base(map)							\
	((void __arena *)((struct bpf_arena___base *)(map))->user_vm_start)

#else /* user space */

/* Both sides see the same addresses: there is nothing to cast. */
#define __arena
#define __arena_global
#define __arg_arena
#define cast_kern(ptr)
#define cast_user(ptr)

/*
 * User space allocates a page by touching it; shared code that asks for one
 * sees a full arena. The arguments are not evaluated, so that no map is needed.
 */
#define bpf_arena_alloc_pages(map, addr, page_cnt, node_id, flags)	((void *)0)
#define bpf_arena_free_pages(map, ptr, page_cnt)			((void)0)

/* Nobody ends a loop of user space. */
#define can_loop		1
#define bpf_for(i, start, end)	for ((i) = (start); (i) < (end); (i)++)

#endif /* __BPF__ */

/*
 * How many entries a walk looks at. Who can write to the arena can make a ring of a list, or
 * forge what a structure says of its size: no walk goes on for ever, nor, in a program, until
 * its budget of turns is used up. ARENA_WALK_MAX is for walks over all of a structure, and no
 * word of the arena lifts it. In a program it is what can be done in a softirq, whose round
 * may take 2 ms: each entry in a page of its own, and none in a cache, they are 16384 misses
 * of up to 100 ns. A program that walks more, where it may take longer, defines another one
 * before it includes the headers. In user space it is more than an arena has room for.
 */
#ifndef ARENA_WALK_MAX
#ifdef __BPF__
#define ARENA_WALK_MAX		16384
#else
#define ARENA_WALK_MAX		0x40000000
#endif
#endif

struct arena_walk {
	__u64 left;
#ifndef __BPF__
	__u64 turn;
	const void *mark;
#endif
};

/* Of a structure that has @entries, or says so; to the verifier @any is any number. */
static __always_inline struct arena_walk arena_walk_begin(__u64 entries, __u64 any)
{
	struct arena_walk walk = {
		.left = entries < ARENA_WALK_MAX ? entries : ARENA_WALK_MAX,
	};

	arena_forget(walk.left, any);
	return walk;
}

/*
 * Is there another turn, in which @at is looked at? User space, where ARENA_WALK_MAX would be
 * long, also sees that it comes back to where it was: it remembers what it looked at in turn
 * 1, 2, 4, 8 and so on, and a ring of n entries ends before turn 3n. @at is NULL where the
 * memory of an entry may be another entry's in the same walk.
 */
static __always_inline int arena_walk_on(struct arena_walk *walk, const void __arena *at)
{
	if (!walk->left)
		return 0;
	walk->left--;
#ifdef __BPF__
	(void)at;
#else
	if (at && at == walk->mark)
		return 0;
	walk->turn++;
	if (!(walk->turn & (walk->turn - 1)))
		walk->mark = at;
#endif
	return 1;
}

#ifndef arena_container_of
#define arena_container_of(ptr, type, member)				\
	((type *)((void __arena *)(ptr) - offsetof(type, member)))
#endif

#endif /* __BPF_ARENA_COMMON_H */
