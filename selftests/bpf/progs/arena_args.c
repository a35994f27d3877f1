// SPDX-License-Identifier: GPL-2.0
/* Arena pointers as arguments of global functions, in any place and number. */
#include <vmlinux.h>
#include <errno.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_args.h"

/* NULL is no address of this arena: its low half is outside. */
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ARGS_PAGES);
	__ulong(map_extra, ARGS_ADDR);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} array SEC(".maps");

#define tag_arena __attribute__((btf_type_tag("arena")))

struct args_fields fields;

/* Five numbers, each on a page of its own. */
long __arena_global numbers[5][PAGE_SIZE / sizeof(long)];

static __always_inline long read_or(long __arena *p, long none)
{
	if (!p)
		return none;
	cast_kern(p);
	return *p;
}

static __always_inline void write_numbers(void)
{
	long __arena *p = &numbers[0][0];

	cast_kern(p);
	for (int i = 0; i < 5; i++)
		p[i * (PAGE_SIZE / sizeof(long))] = i + 1;
}

/* Each argument has a digit of its own: a mix-up shows. */
static __always_inline long digits(long __arena *p, long a, long b, long c, long d)
{
	return read_or(p, 5) * 10000 + a * 1000 + b * 100 + c * 10 + d;
}

/* One arena pointer among four scalars, in each place and with each tag. */
__noinline long decl1(long __arena *p __arg_arena, int a, __u8 b, __u64 c, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long decl2(int a, long __arena *p __arg_arena, __u8 b, __u64 c, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long decl3(int a, __u8 b, long __arena *p __arg_arena, __u64 c, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long decl4(int a, __u8 b, __u64 c, long __arena *p __arg_arena, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long decl5(int a, __u8 b, __u64 c, long d, long __arena *p __arg_arena)
{
	return digits(p, a, b, c, d);
}

__noinline long type1(long __arena tag_arena *p, int a, __u8 b, __u64 c, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long type2(int a, long __arena tag_arena *p, __u8 b, __u64 c, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long type3(int a, __u8 b, long __arena tag_arena *p, __u64 c, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long type4(int a, __u8 b, __u64 c, long __arena tag_arena *p, long d)
{
	return digits(p, a, b, c, d);
}

__noinline long type5(int a, __u8 b, __u64 c, long d, long __arena tag_arena *p)
{
	return digits(p, a, b, c, d);
}

static __always_inline long in_place(int place, long __arena *p)
{
	switch (place) {
	case 1:
		return decl1(p, 6, 7, 8, 9);
	case 2:
		return decl2(6, p, 7, 8, 9);
	case 3:
		return decl3(6, 7, p, 8, 9);
	case 4:
		return decl4(6, 7, 8, p, 9);
	case 5:
		return decl5(6, 7, 8, 9, p);
	case -1:
		return type1(p, 6, 7, 8, 9);
	case -2:
		return type2(6, p, 7, 8, 9);
	case -3:
		return type3(6, 7, p, 8, 9);
	case -4:
		return type4(6, 7, 8, p, 9);
	default:
		return type5(6, 7, 8, 9, p);
	}
}

/* Known to the verifier, so that it looks at one call only. */
const int place = 0;

SEC("?syscall")
int good_in_place(void *ctx)
{
	write_numbers();
	return in_place(READ_ONCE(place), numbers[2]) != 36789 ||
	       in_place(READ_ONCE(place), NULL) != 56789;
}

SEC("?syscall")
int wrong_in_place(void *ctx)
{
	write_numbers();
	return in_place(READ_ONCE(place), (long __arena *)(__u64)ctx);
}

__noinline long five(long __arena *a __arg_arena, long __arena tag_arena *b,
		     long __arena *c __arg_arena, long __arena tag_arena *d,
		     long __arena *e __arg_arena)
{
	return read_or(a, 9) * 10000 + read_or(b, 9) * 1000 + read_or(c, 9) * 100 +
	       read_or(d, 9) * 10 + read_or(e, 9);
}

SEC("?syscall")
int all_five(void *ctx)
{
	write_numbers();
	if (five(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]) != 12345)
		return 1;
	if (five(numbers[4], numbers[3], numbers[2], numbers[1], numbers[0]) != 54321)
		return 2;
	return five(NULL, numbers[1], NULL, numbers[3], NULL) != 92949;
}

/* An argument handed on, to other places. */
__noinline long outer(long __arena *p __arg_arena, long __arena tag_arena *q)
{
	return decl3(6, 7, q, 8, 9) * 100000 + type5(6, 7, 8, 9, p);
}

SEC("?syscall")
int handed_on(void *ctx)
{
	write_numbers();
	return outer(numbers[0], numbers[1]) != 26789 * 100000L + 16789;
}

/* What is already cast to kernel is an arena pointer, too. */
SEC("?syscall")
int cast_before(void *ctx)
{
	__u64 p = (__u64)&numbers[2][0];

	write_numbers();
	bpf_addr_space_cast(p, 0, 1);
	return decl2(6, (long __arena *)p, 7, 8, 9) != 36789 ||
	       type4(6, 7, 8, (long __arena *)p, 9) != 36789;
}

/* Any number will do: it stays within the arena's window. */
SEC("?syscall")
int any_number(void *ctx)
{
	long __arena *p = (long __arena *)bpf_ktime_get_ns();

	write_numbers();
	return decl1((long __arena *)~7ULL, 0, 0, 0, 0) + decl1(p, 0, 0, 0, 0) < 0;
}

/* A tag says nothing about the argument next to it. */
__noinline long beside(long *m, long __arena *p __arg_arena)
{
	return (m ? *m : 0) + read_or(p, 0);
}

SEC("?syscall")
int beside_memory(void *ctx)
{
	long m;

	write_numbers();
	WRITE_ONCE(m, 40);
	return beside(&m, numbers[1]) != 42;
}

SEC("?syscall")
int beside_wrong(void *ctx)
{
	write_numbers();
	return beside((long *)(__u64)&numbers[0][0], numbers[1]);
}

/*
 * Refused: other pointers. All by way of a number, so that the compiler does
 * not cast them.
 */
SEC("?syscall")
int pass_stack(void *ctx)
{
	long number;

	write_numbers();
	WRITE_ONCE(number, 1);
	return decl2(6, (long __arena *)(__u64)&number, 7, 8, 9);
}

SEC("?syscall")
int pass_map(void *ctx)
{
	write_numbers();
	return decl3(6, 7, (long __arena *)(__u64)&arena, 8, 9);
}

SEC("?syscall")
int pass_map_value(void *ctx)
{
	int key = 0;
	long *val = bpf_map_lookup_elem(&array, &key);

	write_numbers();
	return val ? type4(6, 7, 8, (long __arena *)(__u64)val, 9) : 0;
}

SEC("?syscall")
int pass_maybe_null(void *ctx)
{
	int key = 0;

	write_numbers();
	return type4(6, 7, 8, (long __arena *)(__u64)bpf_map_lookup_elem(&array, &key), 9);
}

SEC("?syscall")
int pass_task(void *ctx)
{
	write_numbers();
	return decl5(6, 7, 8, 9, (long __arena *)(__u64)bpf_get_current_task_btf());
}

/* Refused: arena pointers where a function wants something else. */
__noinline long scalar_only(__u64 n)
{
	return n + 1;
}

__noinline long memory_only(long *p)
{
	return p ? *p : 0;
}

__noinline long context_only(struct bpf_sysctl *ctx)
{
	return !ctx;
}

SEC("?syscall")
int for_scalar(void *ctx)
{
	__u64 p = (__u64)&numbers[0][0];

	bpf_addr_space_cast(p, 0, 1);
	return scalar_only(p);
}

SEC("?syscall")
int for_memory(void *ctx)
{
	__u64 p = (__u64)&numbers[0][0];

	bpf_addr_space_cast(p, 0, 1);
	return memory_only((long *)p);
}

SEC("?syscall")
int for_memory_uncast(void *ctx)
{
	return memory_only((long *)(__u64)&numbers[0][0]);
}

SEC("?cgroup/sysctl")
int for_context(struct bpf_sysctl *ctx)
{
	__u64 p = (__u64)&numbers[0][0];

	bpf_addr_space_cast(p, 0, 1);
	return context_only((struct bpf_sysctl *)p);
}

/* Refused: a global function can only return a number. */
__noinline long __arena *pointer_result(long __arena *p __arg_arena)
{
	return p + 1;
}

SEC("?syscall")
int returned_global(void *ctx)
{
	return pointer_result(numbers[0]) == &numbers[0][1];
}

/* The kfuncs' own pointers, from and to global functions. */
__noinline __u64 new_pages(void __arena *at __arg_arena, __u32 cnt)
{
	return (__u64)bpf_arena_alloc_pages(&arena, at, cnt, NUMA_NO_NODE, 0);
}

__noinline int drop_pages(__u32 cnt, void __arena tag_arena *p)
{
	bpf_arena_free_pages(&arena, p, cnt);
	return 0;
}

__noinline int keep_pages(void __arena *p __arg_arena, __u32 cnt)
{
	return bpf_arena_reserve_pages(&arena, p, cnt);
}

SEC("?syscall")
int kfuncs_global(void *ctx)
{
	long __arena *p = (long __arena *)new_pages(NULL, 2), *q = p;

	if (!p)
		return 1;
	cast_kern(q);
	*q = 42;
	if (read_or(p, 0) != 42 || decl1(p, 0, 0, 0, 0) != 420000)
		return 2;
	if (new_pages(p, 1))	/* taken */
		return 3;
	drop_pages(2, p);
	if (read_or(p, 1) != 0)
		return 4;
	if (keep_pages(p, 1) || keep_pages(p, 1) != -EBUSY || new_pages(p, 1))
		return 5;
	return new_pages((void __arena *)p + PAGE_SIZE, 1) == (__u64)p + PAGE_SIZE ? 0 : 6;
}

/* And from and to static ones, which may return them. */
static __noinline long __arena *static_new(__u32 cnt, void __arena *at)
{
	return bpf_arena_alloc_pages(&arena, at, cnt, NUMA_NO_NODE, 0);
}

static __noinline long __arena *static_second(long __arena *p)
{
	return p + PAGE_SIZE / sizeof(*p);
}

static __noinline void static_drop(long __arena *p)
{
	bpf_arena_free_pages(&arena, p, 1);
}

SEC("?syscall")
int kfuncs_static(void *ctx)
{
	long __arena *p = static_new(2, NULL), *q;

	if (!p)
		return 1;
	q = static_second(p);
	cast_kern(p);
	cast_kern(q);
	*p = 1;
	*q = 2;
	cast_user(p);
	static_drop(p);
	cast_kern(p);
	return *p != 0 || *q != 2 ? 2 : 0;
}

/* What programs read of an arena through the pointer to its map. */
SEC("?syscall")
int map_fields(void *ctx)
{
	struct bpf_arena *ar = (struct bpf_arena *)&arena;

	fields.user_vm_start = ar->user_vm_start;
	fields.map_extra = ar->map.map_extra;
	fields.map_type = ar->map.map_type;
	fields.key_size = ar->map.key_size;
	fields.value_size = ar->map.value_size;
	fields.max_entries = ar->map.max_entries;
	fields.map_flags = ar->map.map_flags;
	fields.id = ar->map.id;
	return 0;
}

/* Through it a kfunc gets the map, too: all the pages that the globals leave. */
SEC("?syscall")
int map_member(void *ctx)
{
	struct bpf_arena *ar = (struct bpf_arena *)&arena;
	__u32 cnt = ar->map.max_entries - sizeof(numbers) / PAGE_SIZE;
	__u64 p;

	if (bpf_arena_alloc_pages(&ar->map, NULL, cnt + 1, NUMA_NO_NODE, 0))
		return 1;
	p = (__u64)bpf_arena_alloc_pages(&ar->map, NULL, cnt, NUMA_NO_NODE, 0);
	return p ? 0 : 2;
}

/* What a call of a global function takes is read there, and nowhere else. */
__u64 kept_number;

__noinline __u64 keep_number(__u64 n)
{
	kept_number = n;
	return n;
}

__noinline long keep_memory(long *p)
{
	return p ? *p : 0;
}

/* The upper half of R1 may be anything before it is extended. */
SEC("?syscall")
__attribute__((naked)) int half_number(void)
{
	asm ("call 7;"	/* bpf_get_prandom_u32() */
	"r6 = r0;"
	"w1 = w6;"
	"call keep_number;"
	"r0 >>= 32;"
	"exit;"
	);
}

/* On the way that comes second, R1 is not what the function takes. */
SEC("?syscall")
__attribute__((naked)) int number_or_pointer(void)
{
	asm ("call 7;"	/* bpf_get_prandom_u32() */
	"r6 = r0;"
	"if r6 != 0x1234567 goto 1f;"
	"r1 = 7;"
	"goto 2f;"
	"1: r1 = r10;"
	"2: r0 = 0;"
	"call keep_number;"
	"r0 = 0;"
	"exit;"
	);
}

SEC("?syscall")
__attribute__((naked)) int pointer_or_number(void)
{
	asm ("r1 = 0;"
	"*(u64 *)(r10 - 8) = r1;"
	"call 7;"	/* bpf_get_prandom_u32() */
	"r6 = r0;"
	"if r6 != 0x1234567 goto 1f;"
	"r1 = r10;"
	"r1 += -8;"
	"goto 2f;"
	"1: r1 = 0x41414141;"
	"2: r0 = 0;"
	"call keep_memory;"
	"r0 = 0;"
	"exit;"
	);
}

char _license[] SEC("license") = "GPL";
