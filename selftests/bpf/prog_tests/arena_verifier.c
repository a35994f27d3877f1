// SPDX-License-Identifier: GPL-2.0
/* What the verifier accepts and refuses of a program that uses an arena. */
#include "arena_insn.h"
#include "cap_helpers.h"
#include "arena_verifier_calls.skel.h"

#define CAP_BIT(CAP)	(1ULL << (CAP))

/* The arena that all subtests may name; its first page is zero again and again. */
static struct arena a;

#define LD_ARENA(REG)		BPF_LD_MAP_FD(REG, a.fd)
#define LD_ADDR(REG, OFF)	BPF_LD_IMM64(REG, a.user + (OFF))
static void refused(int line, enum bpf_prog_type type, const struct bpf_insn *insn,
		    __u32 cnt, int err, const char *msg)
{
	int fd = arena_load_log(type, insn, cnt);

	if (!ASSERT_EQ(fd, err, "refused") || !ASSERT_HAS_SUBSTR(arena_log, msg, "log"))
		printf("of line %d\n", line);
	if (fd >= 0)
		close(fd);
}

/*
 * Programs below end by themselves, the refused ones with R0 = 0. In those whose
 * macro says R9 that register is a pointer to the arena's start.
 */
#define REFUSED_TYPE(TYPE, ERR, MSG, ...)					\
	refused(__LINE__, TYPE,							\
		INSNS(__VA_ARGS__, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()), \
		INSNS_CNT(__VA_ARGS__) + 2, ERR, MSG)
#define REFUSED(ERR, MSG, ...)							\
	REFUSED_TYPE(BPF_PROG_TYPE_SYSCALL, ERR, MSG, __VA_ARGS__)
#define REFUSED_TYPE_R9(TYPE, ERR, MSG, ...)					\
	REFUSED_TYPE(TYPE, ERR, MSG, LD_ARENA(BPF_REG_9), LD_ADDR(BPF_REG_9, 0), \
		     CAST_KERN(BPF_REG_9, BPF_REG_9), __VA_ARGS__)
#define REFUSED_R9(ERR, MSG, ...)						\
	REFUSED_TYPE_R9(BPF_PROG_TYPE_SYSCALL, ERR, MSG, __VA_ARGS__)

static void returns(int line, const struct bpf_insn *insn, __u32 cnt, __u32 expected)
{
	int fd = arena_load(BPF_PROG_TYPE_SYSCALL, insn, cnt);
	__u32 ret = -1;

	if (fd < 0 || !arena_run(fd, NULL, 0, &ret) || !ASSERT_EQ(ret, expected, "returns"))
		printf("of line %d\n", line);
	if (fd >= 0)
		close(fd);
}

#define RETURNS(VAL, ...)							\
	returns(__LINE__, INSNS(__VA_ARGS__, BPF_EXIT_INSN()),			\
		INSNS_CNT(__VA_ARGS__) + 1, VAL)
#define RETURNS_R9(VAL, ...)							\
	RETURNS(VAL, LD_ARENA(BPF_REG_9), LD_ADDR(BPF_REG_9, 0),		\
		CAST_KERN(BPF_REG_9, BPF_REG_9), __VA_ARGS__)

static void cast_no_arena(void)
{
	const char *msg = "can only be used in a program that has an associated arena";

	REFUSED(-EINVAL, msg, BPF_MOV64_IMM(BPF_REG_1, 0), CAST_KERN(BPF_REG_1, BPF_REG_1));
	REFUSED(-EINVAL, msg, BPF_MOV64_IMM(BPF_REG_1, 0), CAST_USER(BPF_REG_1, BPF_REG_1));
}

static void cast_spaces(void)
{
	static const int imm[] = {
		0, 2, 3, -1, 1 << 17, 1 << 16 | 1, 1 << 16 | 2, 2 << 16 | 1, 1 << 31,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(imm); i++)
		REFUSED_R9(-EINVAL,
			   "addr_space_cast insn can only convert between address space 1 and 0",
			   CAST(BPF_REG_1, BPF_REG_9, 1, imm[i]));
}

static void cast_class(void)
{
	const char *msg = "BPF_MOV uses reserved fields";

	REFUSED_R9(-EINVAL, msg,
		   BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_9, 1, 1));
	REFUSED_R9(-EINVAL, msg,
		   BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_9, 1, 1 << 16));
	REFUSED_R9(-EINVAL, msg, BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 1, 1));
}

static void cast_off(void)
{
	static const int off[] = { 0, 2, 3, -1, 256, 32767 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		REFUSED_R9(-EINVAL, "BPF_MOV uses reserved fields",
			   CAST(BPF_REG_1, BPF_REG_9, off[i], 1));
		REFUSED_R9(-EINVAL, "BPF_MOV uses reserved fields",
			   CAST(BPF_REG_1, BPF_REG_9, off[i], 1 << 16));
	}
}

static void cast_regs(void)
{
	REFUSED_R9(-EACCES, "R3 !read_ok", CAST_KERN(BPF_REG_1, BPF_REG_3));
	REFUSED_R9(-EACCES, "R3 !read_ok", CAST_USER(BPF_REG_1, BPF_REG_3));
	REFUSED_R9(-EACCES, "frame pointer is read only", CAST_KERN(BPF_REG_10, BPF_REG_9));
	REFUSED_R9(-EINVAL, "R11 is invalid", CAST_KERN(11, BPF_REG_9));
}

/* Only what is cast to kernel can be dereferenced. */
static void deref_uncast(void)
{
	REFUSED(-EACCES, "R1 invalid mem access 'scalar'", LD_ARENA(BPF_REG_2),
		LD_ADDR(BPF_REG_1, 0), BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 0));
	REFUSED_R9(-EACCES, "R1 invalid mem access 'scalar'", CAST_USER(BPF_REG_1, BPF_REG_9),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 0));
	REFUSED(-EACCES, "R1 invalid mem access 'scalar'", LD_ARENA_VALUE(BPF_REG_1, a.fd, 0),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 0));
}

static void two_arenas(void)
{
	struct arena b;

	if (!arena_open(&b, 1, 0, 0))
		return;
	REFUSED(-EBUSY, "Only one arena per program", LD_ARENA(BPF_REG_1),
		BPF_LD_MAP_FD(BPF_REG_2, b.fd));
	REFUSED(-EBUSY, "Only one arena per program", LD_ARENA(BPF_REG_1),
		LD_ARENA_VALUE(BPF_REG_2, b.fd, 0));
	/* one in each of two subprograms */
	REFUSED(-EBUSY, "Only one arena per program", BPF_CALL_REL(2), BPF_CALL_REL(5),
		BPF_EXIT_INSN(), LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(), BPF_LD_MAP_FD(BPF_REG_1, b.fd));
	/* in code that never runs */
	REFUSED(-EBUSY, "Only one arena per program", LD_ARENA(BPF_REG_1), BPF_JMP_A(2),
		BPF_LD_MAP_FD(BPF_REG_2, b.fd));
	RETURNS(7, LD_ARENA(BPF_REG_1), LD_ARENA(BPF_REG_2), LD_ARENA_VALUE(BPF_REG_3, a.fd, 8),
		BPF_MOV64_IMM(BPF_REG_0, 7));
	arena_close(&b);
}

/* The arena is the program's, whichever subprogram names it. */
static void named_in_subprog(void)
{
	*(__u32 *)a.mem = 41;
	RETURNS(42, BPF_CALL_REL(6), LD_ADDR(BPF_REG_6, 0), CAST_KERN(BPF_REG_6, BPF_REG_6),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_6, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1), BPF_EXIT_INSN(), LD_ARENA(BPF_REG_1),
		BPF_MOV64_IMM(BPF_REG_0, 0));
	/* and used in another than the one that names it, or the main one */
	RETURNS(41, BPF_CALL_REL(2), BPF_CALL_REL(5), BPF_EXIT_INSN(), LD_ARENA(BPF_REG_1),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(), LD_ADDR(BPF_REG_6, 0),
		CAST_KERN(BPF_REG_6, BPF_REG_6), BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_6, 0));
	*(__u32 *)a.mem = 0;
}

static void without_caps(__u64 caps)
{
	__u64 old;

	if (!ASSERT_OK(cap_disable_effective(caps | CAP_BIT(CAP_SYS_ADMIN), &old), "drop"))
		return;
	REFUSED_TYPE(BPF_PROG_TYPE_SOCKET_FILTER, -EPERM,
		     "CAP_BPF and CAP_PERFMON are required to use arena", LD_ARENA(BPF_REG_1));
	cap_enable_effective(old, NULL);
}

static void caps(void)
{
	const char *sysctl = "/proc/sys/kernel/unprivileged_bpf_disabled";
	char old[16];

	without_caps(CAP_BIT(CAP_PERFMON));
	/* Without CAP_BPF this is as far as the verifier only where anyone may load. */
	if (!arena_sysctl(sysctl, "0", old, sizeof(old)))
		return;
	without_caps(CAP_BIT(CAP_BPF));
	without_caps(CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON));
	arena_sysctl(sysctl, old, NULL, 0);
}

static void unprivileged(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		struct bpf_insn insn[] = {
			LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
		};
		int fd = -1;

		if (!setregid(65534, 65534) && !setreuid(65534, 65534))
			fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "arena", "GPL",
					   insn, ARRAY_SIZE(insn), NULL);
		_exit(-fd & 0x7f);
	}
	if (!ASSERT_GT(pid, 0, "fork") || !ASSERT_EQ(waitpid(pid, &status, 0), pid, "wait"))
		return;
	ASSERT_EQ(status, EPERM << 8, "status");
}

static void jit_off(void)
{
	char old[16];

	if (!arena_sysctl(JIT_ENABLE, "0", old, sizeof(old)))
		return;
	REFUSED(-EOPNOTSUPP, "JIT is required to use arena", LD_ARENA(BPF_REG_1));
	arena_sysctl(JIT_ENABLE, old, NULL, 0);
	RETURNS(0, LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_0, 0));
}

static void no_address(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARENA, "arena", 0, 0, 1, &opts);
	void *mem;

	if (!ASSERT_GE(fd, 0, "arena_create"))
		return;
	REFUSED(-EINVAL, "arena's user address must be set via map_extra or mmap()",
		BPF_LD_MAP_FD(BPF_REG_1, fd));
	mem = mmap(NULL, ARENA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ASSERT_NEQ(mem, MAP_FAILED, "mmap")) {
		/* it stays known when nobody has it mapped any more */
		munmap(mem, ARENA_PAGE);
		RETURNS(0, BPF_LD_MAP_FD(BPF_REG_1, fd), BPF_MOV64_IMM(BPF_REG_0, 0));
	}
	close(fd);
}

/* The modes that the verifier uses inside are not for programs. */
static void internal_modes(void)
{
	static const int size[] = { BPF_B, BPF_H, BPF_W, BPF_DW };
	static const int class[] = { BPF_LDX, BPF_ST, BPF_STX };
	static const int mode[] = { 0xa0, 0xe0 };
	size_t m, c, s;

	for (m = 0; m < ARRAY_SIZE(mode); m++)
		for (c = 0; c < ARRAY_SIZE(class); c++)
			for (s = 0; s < ARRAY_SIZE(size); s++) {
				int code = class[c] | mode[m] | size[s];
				int dst = class[c] == BPF_LDX ? BPF_REG_0 : BPF_REG_9;
				int src = class[c] == BPF_LDX ? BPF_REG_9 : BPF_REG_0;

				if (class[c] == BPF_ST)
					src = 0;
				REFUSED_R9(-EINVAL, "", BPF_MOV64_IMM(BPF_REG_0, 0),
					   BPF_RAW_INSN(code, dst, src, 0, 0));
				REFUSED(-EINVAL, "", BPF_MOV64_IMM(BPF_REG_0, 0),
					BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -8),
					BPF_MOV64_REG(BPF_REG_9, BPF_REG_10),
					BPF_RAW_INSN(code, dst, src, -8, 0));
			}
}

static void helper_args(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", 4, 8, 1, &opts);

	if (!ASSERT_GE(fd, 0, "array"))
		return;
	REFUSED_R9(-EACCES, "R2 type=arena", BPF_LD_MAP_FD(BPF_REG_1, fd),
		   BPF_MOV64_REG(BPF_REG_2, BPF_REG_9), BPF_EMIT_CALL(BPF_FUNC_map_lookup_elem));
	REFUSED_R9(-EACCES, "R3 type=arena", BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		   BPF_LD_MAP_FD(BPF_REG_1, fd), BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4), BPF_MOV64_REG(BPF_REG_3, BPF_REG_9),
		   BPF_MOV64_IMM(BPF_REG_4, 0), BPF_EMIT_CALL(BPF_FUNC_map_update_elem));
	REFUSED_R9(-EACCES, "R1 type=arena", BPF_MOV64_REG(BPF_REG_1, BPF_REG_9),
		   BPF_MOV64_IMM(BPF_REG_2, 8), BPF_MOV64_IMM(BPF_REG_3, 0),
		   BPF_EMIT_CALL(BPF_FUNC_probe_read_kernel));
	/* instead of a map */
	REFUSED_R9(-EACCES, "R1 type=arena", BPF_ST_MEM(BPF_W, BPF_REG_10, -4, 0),
		   BPF_MOV64_REG(BPF_REG_1, BPF_REG_9), BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -4),
		   BPF_EMIT_CALL(BPF_FUNC_map_lookup_elem));
	/* instead of the context */
	REFUSED_TYPE_R9(BPF_PROG_TYPE_SOCKET_FILTER, -EACCES, "R1 type=arena",
			BPF_MOV64_REG(BPF_REG_1, BPF_REG_9),
			BPF_EMIT_CALL(BPF_FUNC_get_socket_cookie));
	/* as a size it is an unbounded number at best */
	REFUSED_R9(-EACCES, "R2 type=arena expected=scalar",
		   BPF_MOV64_REG(BPF_REG_1, BPF_REG_10), BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		   BPF_MOV64_REG(BPF_REG_2, BPF_REG_9), BPF_MOV64_IMM(BPF_REG_3, 0),
		   BPF_EMIT_CALL(BPF_FUNC_probe_read_kernel));
	close(fd);
}

/* Those who may use an arena may store pointers: another map gets the low half. */
static void stored_in_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", 4, 8, 1, &opts);
	__u64 val = 0;
	int key = 0;

	if (!ASSERT_GE(fd, 0, "array"))
		return;
	RETURNS_R9(0, BPF_ALU64_IMM(BPF_ADD, BPF_REG_9, 24), BPF_LD_MAP_VALUE(BPF_REG_1, fd, 0),
		   BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_9, 0), BPF_MOV64_IMM(BPF_REG_0, 0));
	ASSERT_OK(bpf_map_lookup_elem(fd, &key, &val), "lookup");
	ASSERT_EQ(val, (__u32)a.user + 24, "value");
	close(fd);
}

static void returned(void)
{
	const struct bpf_insn insn[] = {
		LD_ARENA(BPF_REG_1), LD_ADDR(BPF_REG_0, 0), CAST_KERN(BPF_REG_0, BPF_REG_0),
		BPF_EXIT_INSN(),
	};

	/* where the return value is checked it is no number */
	refused(__LINE__, BPF_PROG_TYPE_CGROUP_SKB, insn, ARRAY_SIZE(insn), -EINVAL,
		"At program exit the register R0 is not a known value (arena)");
	/* elsewhere it is one, of 32 bits */
	returns(__LINE__, insn, ARRAY_SIZE(insn), a.user);
	/* a static subprogram may return one */
	*(__u32 *)a.mem = 99;
	RETURNS(99, BPF_CALL_REL(2), BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_0, 0),
		BPF_EXIT_INSN(), LD_ARENA(BPF_REG_1), LD_ADDR(BPF_REG_0, 0),
		CAST_KERN(BPF_REG_0, BPF_REG_0));
	*(__u32 *)a.mem = 0;
}

/*
 * Nothing is assumed of an arena pointer: it can be NULL, or any number. Each way
 * has code of its own, so that one which is thought impossible shows.
 */
static void compared(void)
{
	RETURNS(1, LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 0),
		CAST_KERN(BPF_REG_2, BPF_REG_2), BPF_MOV64_IMM(BPF_REG_0, 2),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_2, 0, 1), BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 1));
	RETURNS(2, LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 8),
		CAST_KERN(BPF_REG_2, BPF_REG_2), BPF_MOV64_IMM(BPF_REG_0, 2),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_2, 0, 1), BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 1));
	RETURNS(2, LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 0),
		CAST_KERN(BPF_REG_2, BPF_REG_2), BPF_MOV64_IMM(BPF_REG_0, 2),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_2, 0, 1), BPF_EXIT_INSN(),
		BPF_MOV64_IMM(BPF_REG_0, 1));
	/* with a scalar */
	RETURNS(1, LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 8),
		CAST_KERN(BPF_REG_2, BPF_REG_2), BPF_MOV64_IMM(BPF_REG_0, 2),
		BPF_MOV64_IMM(BPF_REG_3, 9), BPF_JMP_REG(BPF_JLT, BPF_REG_2, BPF_REG_3, 1),
		BPF_EXIT_INSN(), BPF_MOV64_IMM(BPF_REG_0, 1));
	RETURNS(1, LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 8),
		CAST_KERN(BPF_REG_2, BPF_REG_2), BPF_MOV64_IMM(BPF_REG_0, 2),
		BPF_MOV64_IMM(BPF_REG_3, 9), BPF_JMP32_REG(BPF_JGT, BPF_REG_3, BPF_REG_2, 1),
		BPF_EXIT_INSN(), BPF_MOV64_IMM(BPF_REG_0, 1));
	/* with another arena pointer */
	RETURNS_R9(1, BPF_MOV64_REG(BPF_REG_8, BPF_REG_9), BPF_ALU64_IMM(BPF_ADD, BPF_REG_8, 16),
		   BPF_MOV64_IMM(BPF_REG_0, 2), BPF_JMP_REG(BPF_JNE, BPF_REG_9, BPF_REG_8, 1),
		   BPF_EXIT_INSN(), BPF_MOV64_IMM(BPF_REG_0, 1));
	RETURNS_R9(1, BPF_MOV64_REG(BPF_REG_8, BPF_REG_9), BPF_ALU64_IMM(BPF_ADD, BPF_REG_8, 16),
		   BPF_ALU64_IMM(BPF_SUB, BPF_REG_8, 16), BPF_MOV64_IMM(BPF_REG_0, 2),
		   BPF_JMP_REG(BPF_JEQ, BPF_REG_9, BPF_REG_8, 1), BPF_EXIT_INSN(),
		   BPF_MOV64_IMM(BPF_REG_0, 1));
}

/* An equal scalar learns nothing from the comparison that makes it a pointer. */
static void compared_scalar(void)
{
	REFUSED_R9(-EACCES, "R8 invalid mem access 'scalar'", LD_ADDR(BPF_REG_8, 0),
		   BPF_JMP_REG(BPF_JNE, BPF_REG_8, BPF_REG_9, 1),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_8, 0));
}

#define LD_PACKET(REG)								\
	BPF_LDX_MEM(BPF_W, REG, BPF_REG_1, offsetof(struct __sk_buff, data))

static void pointer_mixes(void)
{
	static const int op[] = { BPF_ADD, BPF_AND, BPF_OR, BPF_XOR, BPF_MUL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(op); i++) {
		REFUSED_R9(-EACCES, "prohibited", BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			   BPF_ALU64_REG(op[i], BPF_REG_1, BPF_REG_9));
		REFUSED_R9(-EACCES, "prohibited", BPF_ALU64_REG(op[i], BPF_REG_9, BPF_REG_10));
		REFUSED_TYPE_R9(BPF_PROG_TYPE_SCHED_CLS, -EACCES, "prohibited",
				LD_PACKET(BPF_REG_2),
				BPF_ALU64_REG(op[i], BPF_REG_2, BPF_REG_9));
		REFUSED_TYPE_R9(BPF_PROG_TYPE_SCHED_CLS, -EACCES, "prohibited",
				LD_PACKET(BPF_REG_2),
				BPF_ALU64_REG(op[i], BPF_REG_9, BPF_REG_2));
		REFUSED_R9(-EACCES, "prohibited", LD_ARENA(BPF_REG_1),
			   BPF_ALU64_REG(op[i], BPF_REG_9, BPF_REG_1));
	}
	/* the difference of two pointers is a number for those who may see it */
	REFUSED_R9(-EACCES, "R1 invalid mem access 'scalar'",
		   BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		   BPF_ALU64_REG(BPF_SUB, BPF_REG_1, BPF_REG_9),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, 0));
	REFUSED_R9(-EACCES, "R9 invalid mem access 'scalar'",
		   BPF_ALU64_REG(BPF_SUB, BPF_REG_9, BPF_REG_10),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_9, 0));
}

/* Trap: scalar += arena pointer */
static void scalar_plus_arena(void)
{
	*(__u32 *)(a.mem + 64) = 1234;
	RETURNS_R9(1234, BPF_MOV64_IMM(BPF_REG_1, 60),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_9),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 4));
	/* an unknown scalar, too */
	*(__u64 *)a.mem = 60;
	RETURNS_R9(1234, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_9, 0),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_9),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 4));
	/* whatever the scalar's upper half */
	RETURNS_R9(1234, BPF_LD_IMM64(BPF_REG_1, 0xdeadbeef0000003cULL),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_9),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 4));
	*(__u64 *)a.mem = 0;
	*(__u32 *)(a.mem + 64) = 0;
}

/*
 * The arena pointer in R9 and another value in R8 merge in R7: which one it is
 * cannot be known when the program is loaded. @arena_first: which path the
 * verifier looks at first. It is R8 that the program gets when it runs.
 */
static void merge_r7(struct insns *p, bool arena_first)
{
	EMIT(p, BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_9, 0));
	if (arena_first)
		EMIT(p, BPF_MOV64_REG(BPF_REG_7, BPF_REG_8),
		     BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 0, 1),
		     BPF_MOV64_REG(BPF_REG_7, BPF_REG_9));
	else
		EMIT(p, BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		     BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 0, 1),
		     BPF_MOV64_REG(BPF_REG_7, BPF_REG_8));
}

static void scalar_or_arena(struct insns *p, bool arena_first)
{
	EMIT(p, LD_ARENA(BPF_REG_9), LD_ADDR(BPF_REG_9, 0), CAST_KERN(BPF_REG_9, BPF_REG_9),
	     BPF_LD_IMM64(BPF_REG_8, 0xff0000000fULL));
	merge_r7(p, arena_first);
	EMIT(p, BPF_MOV64_IMM(BPF_REG_8, 8));
}

static void stack_or_arena(struct insns *p, bool arena_first)
{
	EMIT(p, LD_ARENA(BPF_REG_9), LD_ADDR(BPF_REG_9, 0), CAST_KERN(BPF_REG_9, BPF_REG_9),
	     BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
	     BPF_MOV64_REG(BPF_REG_8, BPF_REG_10), BPF_ALU64_IMM(BPF_ADD, BPF_REG_8, -8));
	merge_r7(p, arena_first);
}

/* @insn, where what @merge brings together is used, is refused in both orders. */
static void refused_merged(int line, void (*merge)(struct insns *p, bool arena_first),
			   struct bpf_insn insn, int err, const char *msg)
{
	int first;

	for (first = 0; first < 2; first++) {
		struct insns p = {};

		merge(&p, first);
		EMIT(&p, insn, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		refused(line, BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt, err, msg);
		insns_free(&p);
	}
}

/*
 * Trap: one ALU64 instruction reached with an arena and with a plain register:
 * two branches that merge on one add: the rewrite to 32 bits truncates the scalar
 */
static void merged_alu(void)
{
	const char *msg = "same insn cannot be used with and without arena pointer";
	const struct bpf_insn insns[] = {
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_7, BPF_REG_8),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_8, BPF_REG_7),
		BPF_ALU64_REG(BPF_SUB, BPF_REG_7, BPF_REG_8),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 1),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_7, -8),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(insns); i++)
		refused_merged(__LINE__, scalar_or_arena, insns[i], -EINVAL, msg);
	/* nor with another pointer, which it would truncate just so */
	refused_merged(__LINE__, stack_or_arena, insns[0], -EINVAL, msg);
}

/* An operation of 32 bits is the same for both; so is a move. */
static void merged_alu32(void)
{
	int first;

	for (first = 0; first < 2; first++) {
		struct insns p = {};
		__u64 ctx = 0;
		__u32 ret = 0;

		/* R1, the context, is not touched by what comes before */
		scalar_or_arena(&p, first);
		EMIT(&p, BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_7, 0),
		     BPF_ALU32_IMM(BPF_ADD, BPF_REG_7, 1),
		     BPF_MOV64_REG(BPF_REG_0, BPF_REG_7), BPF_EXIT_INSN());
		if (insns_run(&p, &ctx, sizeof(ctx), &ret)) {
			ASSERT_EQ(ctx, 0xff0000000fULL, "moved");
			ASSERT_EQ(ret, 16, "added");
		}
	}
}

/*
 * Trap: one load, store or atomic reached with an arena and with another
 * pointer: two branches that merge on it: must be refused
 */
static void merged_access(void)
{
	const char *msg = "same insn cannot be used with different pointers";
	const struct bpf_insn insns[] = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_7, 0),
		BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_0, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_7, 0, 5),
		BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_7, BPF_REG_0, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_AND, BPF_REG_7, BPF_REG_0, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_OR, BPF_REG_7, BPF_REG_0, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_XOR, BPF_REG_7, BPF_REG_0, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_7, BPF_REG_0, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, BPF_REG_7, BPF_REG_0, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, BPF_REG_7, BPF_REG_0, 0),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(insns); i++)
		refused_merged(__LINE__, stack_or_arena, insns[i], -EINVAL, msg);
	/* and a scalar is no pointer just because the arena's was one */
	refused_merged(__LINE__, scalar_or_arena, insns[0], -EACCES,
		       "R7 invalid mem access 'scalar'");
}

static void spill_fill(void)
{
	*(__u32 *)(a.mem + 8) = 77;
	RETURNS_R9(77, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_9, -8),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -8),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 8));
	/* half of it is a number, not a pointer */
	REFUSED_R9(-EACCES, "invalid size of register fill",
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_9, -8),
		   BPF_LDX_MEM(BPF_W, BPF_REG_1, BPF_REG_10, -8));
	/* the arena itself keeps numbers only */
	REFUSED_R9(-EACCES, "R1 invalid mem access 'scalar'",
		   BPF_STX_MEM(BPF_DW, BPF_REG_9, BPF_REG_9, 0),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_9, 0),
		   BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 8));
	*(__u32 *)(a.mem + 8) = 0;
}

/* An access is of no consequence to what is known of other registers. */
static void any_offset(void)
{
	RETURNS_R9(0, BPF_ALU64_IMM(BPF_ADD, BPF_REG_9, 0x7fffffff),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_9, 32767),
		   BPF_LDX_MEM(BPF_H, BPF_REG_1, BPF_REG_9, -32768),
		   BPF_ALU64_IMM(BPF_MUL, BPF_REG_9, 12345), BPF_ST_MEM(BPF_W, BPF_REG_9, 3, 1));
}

static void loads_are_unknown(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", 4, 64, 1, &opts);

	if (!ASSERT_GE(fd, 0, "array"))
		return;
	/* even right after a known number was stored */
	REFUSED_R9(-EACCES, "invalid access to map value", BPF_ST_MEM(BPF_DW, BPF_REG_9, 0, 5),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_9, 0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_2, 0xff), BPF_LD_MAP_VALUE(BPF_REG_1, fd, 0),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_2),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, 0));
	REFUSED_R9(-EACCES, "invalid access to map value",
		   BPF_LDX_MEM(BPF_B, BPF_REG_2, BPF_REG_9, 0),
		   BPF_LD_MAP_VALUE(BPF_REG_1, fd, 0),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_2),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, 0));
	RETURNS_R9(0, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_9, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_2, 63, 4), BPF_LD_MAP_VALUE(BPF_REG_1, fd, 0),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_2),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, 0));
	/* a narrow load is known to be narrow */
	RETURNS_R9(0, BPF_LDX_MEM(BPF_B, BPF_REG_2, BPF_REG_9, 0),
		   BPF_ALU64_IMM(BPF_RSH, BPF_REG_2, 2), BPF_LD_MAP_VALUE(BPF_REG_1, fd, 0),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_2),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, 0));
	close(fd);
}

static void value_at(const struct arena *b, __u32 off, bool valid)
{
	__u64 ctx = 0;
	struct insns p = {};
	int fd;

	EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1), LD_ARENA_VALUE(BPF_REG_1, b->fd, off),
	     BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_1, 0),
	     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	fd = arena_load_log(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	if (valid) {
		if (ASSERT_GE(fd, 0, "value_offset") && arena_run(fd, &ctx, sizeof(ctx), NULL))
			ASSERT_EQ(ctx, b->user + off, "value");
		else
			printf("offset %u\n%s\n", off, arena_log);
	} else {
		ASSERT_LT(fd, 0, "value_offset");
		ASSERT_HAS_SUBSTR(arena_log, "invalid access to map value pointer", "log");
	}
	if (fd >= 0)
		close(fd);
	insns_free(&p);
}

/* Trap: off by one in direct value addresses: LDIMM64 of map value with off == size */
static void value_offset(void)
{
	value_at(&a, 0, true);
	value_at(&a, 1, true);
	value_at(&a, a.size - 1, true);
	value_at(&a, a.size, false);
	value_at(&a, a.size + 1, false);
	value_at(&a, -1, false);
}

/* Trap: an offset of 512 MiB or more into an arena in LDIMM64: a big `__arena` array */
static void value_offset_big(void)
{
	struct arena b;

	if (!arena_open(&b, (1U << 30) / ARENA_PAGE, 0, 0))
		return;
	value_at(&b, (512U << 20) - 1, true);
	value_at(&b, 512U << 20, true);
	value_at(&b, (1U << 30) - 1, true);
	value_at(&b, 1U << 30, false);
	value_at(&b, 1U << 31, false);
	arena_close(&b);
	if (!arena_open(&b, ARENA_4G / ARENA_PAGE, 0, 0))
		return;
	value_at(&b, 1U << 31, true);
	value_at(&b, -1, true);
	arena_close(&b);
}

/*
 * Bug: libbpf from 1.7 on places __arena globals at the end of the arena if the kernel
 * refuses this program, on a map of another type, because the offset is outside of the
 * value, and at its start if it is refused for being large.
 */
static void value_offset_probe(void)
{
	static const __u32 off[] = { 1U << 29, 1U << 30, 1U << 31, -1 };
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "arr", 4, 4, 1, NULL);
	size_t i;

	if (!ASSERT_GE(map, 0, "map_create"))
		return;
	for (i = 0; i < ARRAY_SIZE(off); i++) {
		struct bpf_insn insn[] = {
			LD_ARENA_VALUE(BPF_REG_1, map, off[i]),
			BPF_EXIT_INSN(),
		};
		char msg[80];

		snprintf(msg, sizeof(msg),
			 "invalid access to map value pointer, value_size=4 off=%u", off[i]);
		refused(__LINE__, BPF_PROG_TYPE_SOCKET_FILTER, insn, ARRAY_SIZE(insn), -EINVAL,
			msg);
		ASSERT_NULL(strstr(arena_log, "direct value offset"), "too large");
	}
	close(map);
}

/* An array may be as large: what is there can be accessed, and not a byte more. */
static void value_offset_array(void)
{
	const __u32 far = 1U << 29;
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "arr", 4, far + 16, 1, NULL);

	if (!ASSERT_GE(map, 0, "map_create"))
		return;
	RETURNS(42, LD_ARENA_VALUE(BPF_REG_1, map, far),
		LD_ARENA_VALUE(BPF_REG_2, map, far + 8),
		BPF_ST_MEM(BPF_DW, BPF_REG_1, 8, 42),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 0));
	REFUSED(-EACCES, "invalid access to map value, value_size=536870928 off=536870921 size=8",
		LD_ARENA_VALUE(BPF_REG_1, map, far), BPF_ST_MEM(BPF_DW, BPF_REG_1, 9, 0));
	REFUSED(-EACCES, "invalid access to map value, value_size=536870928 off=536870928 size=1",
		LD_ARENA_VALUE(BPF_REG_1, map, far + 15), BPF_ST_MEM(BPF_B, BPF_REG_1, 1, 0));
	REFUSED(-EINVAL, "map_value pointer offset 536870912 is not allowed",
		LD_ARENA_VALUE(BPF_REG_1, map, far), BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, 1));
	REFUSED(-EINVAL, "map_value pointer offset 536870912 is not allowed",
		LD_ARENA_VALUE(BPF_REG_1, map, far), LD_ARENA_VALUE(BPF_REG_2, map, 0),
		BPF_LDX_MEM(BPF_B, BPF_REG_2, BPF_REG_2, 0),
		BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_2));
	REFUSED(-EINVAL, "invalid access to map value pointer, value_size=536870928 off=536870928",
		LD_ARENA_VALUE(BPF_REG_1, map, far + 16));
	close(map);
}

/* A variable in the last page, as libbpf from 1.7 on places them */
static void value_in_last_page(void)
{
	static const __u64 size[] = {
		(1ULL << 29) + 2 * ARENA_PAGE, (1ULL << 30) + 2 * ARENA_PAGE, ARENA_4G,
	};
	struct arena b;
	__u64 *var;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		__u64 off = size[i] - ARENA_PAGE + 16;
		struct insns p = {};
		__u64 ctx = 0;

		if (!arena_open(&b, size[i] / ARENA_PAGE, 0, 0))
			return;
		var = (__u64 *)(b.mem + off);
		*var = 7;
		EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1), LD_ARENA_VALUE(BPF_REG_1, b.fd, off),
		     CAST_KERN(BPF_REG_2, BPF_REG_1),
		     BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0),
		     BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_3, 0),
		     BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		if (insns_run(&p, &ctx, sizeof(ctx), NULL)) {
			ASSERT_EQ(ctx, 7, "load");
			ASSERT_EQ(*var, ptr_to_u64(var), "store");
		}
		arena_close(&b);
	}
}

/* A map can also be named by its place in an array of descriptors. */
static void map_by_index(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	struct bpf_insn insn[] = {
		BPF_LD_IMM64_RAW_FULL(BPF_REG_2, BPF_PSEUDO_MAP_IDX, 0, 0, 1, 0),
		BPF_LD_IMM64_RAW_FULL(BPF_REG_3, BPF_PSEUDO_MAP_IDX_VALUE, 0, 0, 1, 24),
		BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_3, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	int fds[] = { -1, a.fd }, fd;
	__u64 ctx = 0;

	opts.fd_array = fds;
	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "arena", "GPL", insn, ARRAY_SIZE(insn), &opts);
	if (ASSERT_GE(fd, 0, "prog_load")) {
		if (arena_run(fd, &ctx, sizeof(ctx), NULL))
			ASSERT_EQ(ctx, a.user + 24, "value");
		close(fd);
	}
	insn[3].imm = a.size;
	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "arena", "GPL", insn, ARRAY_SIZE(insn), &opts);
	if (!ASSERT_LT(fd, 0, "beyond the end"))
		close(fd);
}

/* struct bpf_arena is for programs to read through the map pointer. */
static void map_fields(void)
{
	struct btf *btf = arena_vmlinux_btf();
	const struct btf_member *m;
	const struct btf_type *t;
	int id, off = -1;
	__u64 ctx = 0;
	struct insns p = {};

	id = btf__find_by_name_kind(btf, "bpf_arena", BTF_KIND_STRUCT);
	if (!ASSERT_GT(id, 0, "struct bpf_arena"))
		return;
	t = btf__type_by_id(btf, id);
	for (m = btf_members(t); m < btf_members(t) + btf_vlen(t); m++)
		if (!strcmp(btf__name_by_offset(btf, m->name_off), "user_vm_start"))
			off = m->offset / 8;
	m = btf_members(t);
	ASSERT_STREQ(btf__name_by_offset(btf, m->name_off), "map", "first member");
	if (!ASSERT_GT(off, 0, "user_vm_start"))
		return;

	EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1), LD_ARENA(BPF_REG_2),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, off),
	     BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_3, 0),
	     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	if (insns_run(&p, &ctx, sizeof(ctx), NULL))
		ASSERT_EQ(ctx, a.user, "user_vm_start");

	REFUSED(-EACCES, "only read from bpf_arena is supported", LD_ARENA(BPF_REG_2),
		BPF_MOV64_IMM(BPF_REG_3, 0), BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, off));
	REFUSED(-EACCES, "only read from bpf_arena is supported", LD_ARENA(BPF_REG_2),
		BPF_ST_MEM(BPF_DW, BPF_REG_2, off, 0));
	REFUSED(-EACCES, "", LD_ARENA(BPF_REG_2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, t->size));
	REFUSED(-EACCES, "", LD_ARENA(BPF_REG_2), BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, -8));
}

/* R1 must be a map, and known to be one. */
static void kfunc_map_arg(void)
{
	const char *msg = "arg#0 must be a map pointer";
	const char *const kfuncs[] = {
		"bpf_arena_alloc_pages", "bpf_arena_free_pages", "bpf_arena_reserve_pages",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kfuncs); i++) {
		int id = arena_kfunc(kfuncs[i]);

		REFUSED_R9(-EINVAL, msg, BPF_MOV64_IMM(BPF_REG_1, 0),
			   BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_3, 1),
			   BPF_MOV64_IMM(BPF_REG_4, -1), BPF_MOV64_IMM(BPF_REG_5, 0),
			   CALL_KFUNC(id));
		REFUSED_R9(-EINVAL, msg, LD_ADDR(BPF_REG_1, 0), BPF_MOV64_IMM(BPF_REG_2, 0),
			   BPF_MOV64_IMM(BPF_REG_3, 1), BPF_MOV64_IMM(BPF_REG_4, -1),
			   BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(id));
		REFUSED_R9(-EINVAL, msg, BPF_MOV64_REG(BPF_REG_1, BPF_REG_9),
			   BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_3, 1),
			   BPF_MOV64_IMM(BPF_REG_4, -1), BPF_MOV64_IMM(BPF_REG_5, 0),
			   CALL_KFUNC(id));
		REFUSED_R9(-EINVAL, msg, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			   BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_3, 1),
			   BPF_MOV64_IMM(BPF_REG_4, -1), BPF_MOV64_IMM(BPF_REG_5, 0),
			   CALL_KFUNC(id));
	}
}

static void kfunc_args(void)
{
	int alloc = arena_kfunc("bpf_arena_alloc_pages");
	int release = arena_kfunc("bpf_arena_free_pages");

	/* numbers must be numbers */
	REFUSED(-EINVAL, "R3 is not a scalar", LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_REG(BPF_REG_3, BPF_REG_10), BPF_MOV64_IMM(BPF_REG_4, -1),
		BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(alloc));
	/* and an address something, if not a valid one */
	REFUSED(-EACCES, "R2 !read_ok", LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_MOV64_IMM(BPF_REG_4, -1), BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(alloc));
	/* what comes back is a number until it is cast */
	REFUSED(-EACCES, "R0 invalid mem access 'scalar'", LD_ARENA(BPF_REG_1),
		BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_MOV64_IMM(BPF_REG_4, -1), BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(alloc),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_0, 0));
	/* an address may be a number or an arena pointer */
	RETURNS_R9(0, LD_ARENA(BPF_REG_1), BPF_MOV64_REG(BPF_REG_2, BPF_REG_9),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, 3 * ARENA_PAGE),
		   BPF_MOV64_IMM(BPF_REG_3, 1), CALL_KFUNC(release),
		   BPF_MOV64_IMM(BPF_REG_0, 0));
}

/* A map that is no arena: known when the program runs. */
static void kfunc_other_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", 4, 4096, 1, &opts);
	int alloc = arena_kfunc("bpf_arena_alloc_pages");
	int release = arena_kfunc("bpf_arena_free_pages");
	int reserve = arena_kfunc("bpf_arena_reserve_pages");

	if (!ASSERT_GE(fd, 0, "array"))
		return;
	RETURNS(0, BPF_LD_MAP_FD(BPF_REG_1, fd), BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 1), BPF_MOV64_IMM(BPF_REG_4, -1),
		BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(alloc));
	RETURNS(0, BPF_LD_MAP_FD(BPF_REG_1, fd), BPF_MOV64_IMM(BPF_REG_2, 4096),
		BPF_MOV64_IMM(BPF_REG_3, 1), CALL_KFUNC(release), BPF_MOV64_IMM(BPF_REG_0, 0));
	RETURNS(-EINVAL, BPF_LD_MAP_FD(BPF_REG_1, fd), BPF_MOV64_IMM(BPF_REG_2, 4096),
		BPF_MOV64_IMM(BPF_REG_3, 1), CALL_KFUNC(reserve));
	close(fd);
}

/* An arena has no elements. */
static void map_helpers(void)
{
	static const int func[] = {
		BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem, BPF_FUNC_map_delete_elem,
		BPF_FUNC_map_push_elem, BPF_FUNC_map_pop_elem, BPF_FUNC_map_peek_elem,
		BPF_FUNC_map_lookup_percpu_elem, BPF_FUNC_redirect_map,
		BPF_FUNC_perf_event_output, BPF_FUNC_tail_call,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(func); i++) {
		struct insns p = {};
		int fd;

		if (func[i] == BPF_FUNC_perf_event_output || func[i] == BPF_FUNC_tail_call)
			EMIT(&p, LD_ARENA(BPF_REG_2));
		else
			EMIT(&p, LD_ARENA(BPF_REG_1), BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
			     BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8));
		if (func[i] == BPF_FUNC_redirect_map)
			EMIT(&p, BPF_MOV64_IMM(BPF_REG_2, 0));
		EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0));
		if (func[i] == BPF_FUNC_map_lookup_percpu_elem ||
		    func[i] == BPF_FUNC_redirect_map || func[i] == BPF_FUNC_tail_call ||
		    func[i] == BPF_FUNC_perf_event_output)
			EMIT(&p, BPF_MOV64_IMM(BPF_REG_3, 0));
		else
			EMIT(&p, BPF_MOV64_REG(BPF_REG_3, BPF_REG_10),
			     BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, -8));
		EMIT(&p, BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, -8),
		     BPF_MOV64_IMM(BPF_REG_5, 8));
		if (func[i] == BPF_FUNC_map_update_elem)
			EMIT(&p, BPF_MOV64_IMM(BPF_REG_4, 0));
		EMIT(&p, BPF_EMIT_CALL(func[i]), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		fd = arena_load_log(BPF_PROG_TYPE_XDP, p.insn, p.cnt);
		if (!ASSERT_LT(fd, 0, "map helper"))
			printf("function %d\n", func[i]);
		if (fd >= 0)
			close(fd);
		insns_free(&p);
	}
}

static void map_in_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = a.fd);
	int fd;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, 1, &opts);
	ASSERT_LT(fd, 0, "array_of_maps");
	if (fd >= 0)
		close(fd);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH_OF_MAPS, "outer", 4, 4, 1, &opts);
	ASSERT_LT(fd, 0, "hash_of_maps");
	if (fd >= 0)
		close(fd);
}

/* The arena and its functions are there for every program type of this kernel. */
static void prog_types(void)
{
	static const struct {
		enum bpf_prog_type type;
		enum bpf_attach_type attach;
		int ret;
	} tests[] = {
		{ BPF_PROG_TYPE_SOCKET_FILTER },
		{ BPF_PROG_TYPE_KPROBE },
		{ BPF_PROG_TYPE_SCHED_CLS },
		{ BPF_PROG_TYPE_SCHED_ACT },
		{ BPF_PROG_TYPE_TRACEPOINT },
		{ BPF_PROG_TYPE_XDP },
		{ BPF_PROG_TYPE_PERF_EVENT },
		{ BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS },
		{ BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE },
		{ BPF_PROG_TYPE_LWT_IN },
		{ BPF_PROG_TYPE_LWT_OUT },
		{ BPF_PROG_TYPE_LWT_XMIT },
		{ BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS },
		{ BPF_PROG_TYPE_SK_SKB },
		{ BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE },
		{ BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT },
		{ BPF_PROG_TYPE_RAW_TRACEPOINT },
		{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT },
		{ BPF_PROG_TYPE_LWT_SEG6LOCAL },
		{ BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT },
		{ BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR },
		{ BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL },
		{ BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE },
		{ BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT },
		{ BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP },
		{ BPF_PROG_TYPE_SYSCALL },
	};
	int alloc = arena_kfunc("bpf_arena_alloc_pages");
	int release = arena_kfunc("bpf_arena_free_pages");
	int reserve = arena_kfunc("bpf_arena_reserve_pages");
	const struct bpf_insn trivial[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };
	const struct bpf_insn insn[] = {
		LD_ARENA(BPF_REG_1), BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_MOV64_IMM(BPF_REG_4, -1), BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(alloc),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		CAST_KERN(BPF_REG_7, BPF_REG_0), BPF_ST_MEM(BPF_DW, BPF_REG_7, 0, 1),
		LD_ARENA(BPF_REG_1), BPF_MOV64_REG(BPF_REG_2, BPF_REG_6),
		BPF_MOV64_IMM(BPF_REG_3, 1), CALL_KFUNC(release),
		LD_ARENA(BPF_REG_1), BPF_MOV64_REG(BPF_REG_2, BPF_REG_6),
		BPF_MOV64_IMM(BPF_REG_3, 1), CALL_KFUNC(reserve),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	size_t i, types = 0;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = tests[i].attach);
		int fd;

		if (tests[i].type == BPF_PROG_TYPE_SYSCALL)
			opts.prog_flags = BPF_F_SLEEPABLE;
		fd = bpf_prog_load(tests[i].type, "trivial", "GPL", trivial,
				   ARRAY_SIZE(trivial), &opts);
		if (fd < 0)
			continue;	/* not in this kernel's configuration */
		close(fd);
		types++;
		fd = bpf_prog_load(tests[i].type, "arena", "GPL", insn, ARRAY_SIZE(insn), &opts);
		if (!ASSERT_GE(fd, 0, "prog_load"))
			printf("program type %d\n", tests[i].type);
		else
			close(fd);
	}
	ASSERT_GE(types, 15, "program types");
}

/* The loads that only socket filters have do not mind the arena, nor it them. */
static void ld_abs_ind(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);
	const struct bpf_insn insn[] = {
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
		LD_ARENA(BPF_REG_9), LD_ADDR(BPF_REG_9, 0), CAST_KERN(BPF_REG_9, BPF_REG_9),
		BPF_LD_ABS(BPF_B, 3),
		BPF_STX_MEM(BPF_B, BPF_REG_9, BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_7, 2),
		BPF_LD_IND(BPF_B, BPF_REG_7, 5),
		BPF_STX_MEM(BPF_B, BPF_REG_9, BPF_REG_0, 1),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	__u8 packet[64];
	size_t i;
	int fd;

	for (i = 0; i < sizeof(packet); i++)
		packet[i] = 100 + i;
	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	fd = arena_load(BPF_PROG_TYPE_SCHED_CLS, insn, ARRAY_SIZE(insn));
	if (fd < 0)
		return;
	ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "test_run");
	ASSERT_EQ(a.mem[0], 103, "ld_abs");
	ASSERT_EQ(a.mem[1], 107, "ld_ind");
	*(__u64 *)a.mem = 0;
	close(fd);
	REFUSED_TYPE_R9(BPF_PROG_TYPE_SCHED_CLS, -EINVAL, "",
			BPF_MOV64_REG(BPF_REG_6, BPF_REG_9), BPF_LD_ABS(BPF_B, 3));
}

/* What needs BTF and is written in C. */
static void calls(const char *prog_name, int err, const char *msg)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct arena_verifier_calls *skel;
	struct bpf_program *prog;
	int ret;

	skel = arena_verifier_calls__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	prog = bpf_object__find_program_by_name(skel->obj, prog_name);
	if (!ASSERT_OK_PTR(prog, prog_name))
		goto out;
	bpf_program__set_autoload(prog, true);
	arena_log[0] = 0;
	bpf_program__set_log_buf(prog, arena_log, sizeof(arena_log));
	bpf_program__set_log_level(prog, err ? 1 : 0);
	ret = arena_verifier_calls__load(skel);
	if (err) {
		ASSERT_EQ(ret, err, "refused");
		ASSERT_HAS_SUBSTR(arena_log, msg, "log");
	} else if (ASSERT_OK(ret, "load")) {
		ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
		ASSERT_EQ(opts.retval, 0, "retval");
	}
out:
	arena_verifier_calls__destroy(skel);
}

static void global_func(void) { calls("global_tagged", 0, NULL); }
static void global_func_type_tag(void) { calls("global_type_tagged", 0, NULL); }
static void global_func_untagged(void) { calls("global_untagged", 0, NULL); }
static void static_func(void) { calls("static_passed", 0, NULL); }
static void callback(void) { calls("callback_passed", 0, NULL); }

static void global_func_stack(void)
{
	calls("global_stack", -EINVAL, "is not a pointer to arena or scalar");
}

/* Trap: sleepable flavour of a kfunc picked where sleeping is not allowed */
static void spin_lock_alloc(void)
{
	calls("alloc_locked", -EINVAL, "function calls are not allowed while holding a lock");
}

static const struct arena_subtest subtests[] = {
	{ "cast_no_arena", cast_no_arena },
	{ "cast_spaces", cast_spaces },
	{ "cast_class", cast_class },
	{ "cast_off", cast_off },
	{ "cast_regs", cast_regs },
	{ "deref_uncast", deref_uncast },
	{ "two_arenas", two_arenas },
	{ "named_in_subprog", named_in_subprog },
	{ "caps", caps },
	{ "unprivileged", unprivileged },
	{ "jit_off", jit_off },
	{ "no_address", no_address },
	{ "internal_modes", internal_modes },
	{ "helper_args", helper_args },
	{ "stored_in_map", stored_in_map },
	{ "returned", returned },
	{ "compared", compared },
	{ "compared_scalar", compared_scalar },
	{ "pointer_mixes", pointer_mixes },
	{ "scalar_plus_arena", scalar_plus_arena },
	{ "merged_alu", merged_alu },
	{ "merged_alu32", merged_alu32 },
	{ "merged_access", merged_access },
	{ "spill_fill", spill_fill },
	{ "any_offset", any_offset },
	{ "loads_are_unknown", loads_are_unknown },
	{ "value_offset", value_offset },
	{ "value_offset_big", value_offset_big },
	{ "value_offset_probe", value_offset_probe },
	{ "value_offset_array", value_offset_array },
	{ "value_in_last_page", value_in_last_page },
	{ "map_by_index", map_by_index },
	{ "map_fields", map_fields },
	{ "kfunc_map_arg", kfunc_map_arg },
	{ "kfunc_args", kfunc_args },
	{ "kfunc_other_map", kfunc_other_map },
	{ "map_helpers", map_helpers },
	{ "map_in_map", map_in_map },
	{ "prog_types", prog_types },
	{ "ld_abs_ind", ld_abs_ind },
	{ "static_func", static_func },
	{ "global_func", global_func },
	{ "global_func_type_tag", global_func_type_tag },
	{ "global_func_untagged", global_func_untagged },
	{ "global_func_stack", global_func_stack },
	{ "callback", callback },
	{ "spin_lock_alloc", spin_lock_alloc },
};

/* Serial: it changes the JIT's sysctls. */
void serial_test_arena_verifier(void)
{
	if (!arena_open(&a, 16, 0, ARENA_ADDR))
		return;
	arena_subtests(subtests, ARRAY_SIZE(subtests));
	arena_close(&a);
}
