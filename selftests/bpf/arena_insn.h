/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arena programs made of single instructions: what a compiler would not emit,
 * in every combination of registers, offsets and sizes.
 */
#ifndef __ARENA_INSN_H
#define __ARENA_INSN_H

#include <sys/mman.h>
#include <bpf/btf.h>
#include <test_progs.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define ARENA_PAGE		4096UL
#define ARENA_4G		(ARENA_PAGE << 20)
/* Far from what mmap() chooses; the upper half is what a cast must restore. */
#define ARENA_ADDR	(0x1234ULL << 32 | 0x50000000)

#define CAST(DST, SRC, OFF, IMM)					\
	BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, DST, SRC, OFF, IMM)
#define CAST_KERN(DST, SRC)	CAST(DST, SRC, 1, 1)
#define CAST_USER(DST, SRC)	CAST(DST, SRC, 1, 1 << 16)
#define CALL_KFUNC(ID)							\
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, ID)
/* BPF_LD_MAP_VALUE() takes the low 31 bits of the offset only */
#define LD_ARENA_VALUE(DST, FD, OFF)					\
	BPF_LD_IMM64_RAW_FULL(DST, BPF_PSEUDO_MAP_VALUE, 0, 0, FD, (int)(OFF))

struct arena {
	int fd;
	__u64 user;
	size_t size;
	char *mem;
};

/* An arena that is mapped at @addr, or anywhere when that is 0. */
static inline bool arena_open(struct arena *a, __u32 pages, __u32 flags, __u64 addr)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = BPF_F_MMAPABLE | flags,
		    .map_extra = addr);
	int fixed = addr ? MAP_FIXED_NOREPLACE : 0;

	a->mem = MAP_FAILED;
	a->size = pages * ARENA_PAGE;
	a->fd = bpf_map_create(BPF_MAP_TYPE_ARENA, "arena", 0, 0, pages, &opts);
	if (!ASSERT_GE(a->fd, 0, "arena_create"))
		return false;
	a->mem = mmap(u64_to_ptr(addr), a->size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | fixed, a->fd, 0);
	if (!ASSERT_NEQ(a->mem, MAP_FAILED, "arena_mmap")) {
		close(a->fd);
		a->fd = -1;
		return false;
	}
	a->user = ptr_to_u64(a->mem);
	return true;
}

static inline void arena_close(struct arena *a)
{
	if (a->mem != MAP_FAILED)
		munmap(a->mem, a->size);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->mem = MAP_FAILED;
}

/* A program that grows as it is written. */
struct insns {
	struct bpf_insn *insn;
	__u32 cnt;
	__u32 room;
};

static inline void insns_add(struct insns *p, const struct bpf_insn *insn, __u32 cnt)
{
	if (p->cnt + cnt > p->room) {
		p->room = 2 * p->room + cnt;
		p->insn = realloc(p->insn, p->room * sizeof(*insn));
		assert(p->insn);
	}
	memcpy(p->insn + p->cnt, insn, cnt * sizeof(*insn));
	p->cnt += cnt;
}

static inline void insns_free(struct insns *p)
{
	free(p->insn);
	memset(p, 0, sizeof(*p));
}

#define INSNS(...)		((struct bpf_insn[]){ __VA_ARGS__ })
#define INSNS_CNT(...)		(sizeof(INSNS(__VA_ARGS__)) / sizeof(struct bpf_insn))
#define EMIT(P, ...)		insns_add(P, INSNS(__VA_ARGS__), INSNS_CNT(__VA_ARGS__))

static char arena_log[1 << 20];
/* 1: all insns that are followed, 4: what is wrong and how many they were */
static __u32 arena_log_level = 1;
/* Flags for the programs to come, above what their type needs. */
static __u32 arena_prog_flags;
/* The same for all of a test, with what it loads from objects */
static __u32 arena_test_flags;

static inline void arena_set_test_flags(const struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj)
		bpf_program__set_flags(prog, bpf_program__flags(prog) | arena_test_flags);
}

static inline int arena_load_log(enum bpf_prog_type type, const struct bpf_insn *insn,
				 __u32 cnt)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .log_buf = arena_log,
		    .log_size = sizeof(arena_log),
		    .log_level = arena_log_level,
		    .prog_flags = arena_prog_flags | arena_test_flags);

	if (type == BPF_PROG_TYPE_SYSCALL)
		opts.prog_flags |= BPF_F_SLEEPABLE;
	arena_log[0] = 0;
	return bpf_prog_load(type, "arena", "GPL", insn, cnt, &opts);
}

/* The log of a long program would not fit: have it only of one that fails. */
static inline int arena_load(enum bpf_prog_type type, const struct bpf_insn *insn, __u32 cnt)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .prog_flags = arena_prog_flags | arena_test_flags);
	int fd;

	if (type == BPF_PROG_TYPE_SYSCALL)
		opts.prog_flags |= BPF_F_SLEEPABLE;
	fd = bpf_prog_load(type, "arena", "GPL", insn, cnt, &opts);
	if (!ASSERT_GE(fd, 0, "prog_load")) {
		size_t len;

		fd = arena_load_log(type, insn, cnt);
		len = strlen(arena_log);
		printf("%s\n", arena_log + (len > 2000 ? len - 2000 : 0));
	}
	return fd;
}

/* Runs a syscall program; it reads and writes @ctx. */
static inline bool arena_run(int fd, void *ctx, size_t size, __u32 *retval)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .ctx_in = ctx,
		    .ctx_size_in = size);

	if (!ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "test_run"))
		return false;
	if (retval)
		*retval = opts.retval;
	return true;
}

/* Loads @p, runs it once and forgets it. */
static inline bool insns_run(struct insns *p, void *ctx, size_t size, __u32 *retval)
{
	int fd = arena_load(BPF_PROG_TYPE_SYSCALL, p->insn, p->cnt);
	bool ok = fd >= 0 && arena_run(fd, ctx, size, retval);

	if (fd >= 0)
		close(fd);
	insns_free(p);
	return ok;
}

/* Runs a program of the network on a small packet. */
static inline bool arena_run_skb(int fd, __u32 *retval)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);
	char packet[64] = {};

	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	if (!ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "test_run"))
		return false;
	if (retval)
		*retval = opts.retval;
	return true;
}

static inline struct btf *arena_vmlinux_btf(void)
{
	static struct btf *btf;

	if (!btf)
		btf = btf__load_vmlinux_btf();
	return btf;
}

static inline int arena_kfunc(const char *name)
{
	int id = btf__find_by_name_kind(arena_vmlinux_btf(), name, BTF_KIND_FUNC);

	ASSERT_GT(id, 0, name);
	return id;
}

/* Sets a sysctl and keeps its old value, to be given back the same way. */
static inline bool arena_sysctl(const char *path, const char *val, char *old, size_t size)
{
	ssize_t len = -1;
	int fd;

	if (old) {
		fd = open(path, O_RDONLY);
		len = fd < 0 ? -1 : read(fd, old, size - 1);
		if (!ASSERT_GT(len, 0, path))
			return false;
		old[len] = 0;
		close(fd);
	}
	return ASSERT_OK(write_sysctl(path, val), path);
}

#define JIT_ENABLE	"/proc/sys/net/core/bpf_jit_enable"
#define JIT_HARDEN	"/proc/sys/net/core/bpf_jit_harden"

struct arena_subtest {
	const char *name;
	void (*run)(void);
};

static inline void arena_subtests(const struct arena_subtest *test, size_t cnt)
{
	for (; cnt--; test++)
		if (test__start_subtest(test->name))
			test->run();
}

#endif /* __ARENA_INSN_H */
