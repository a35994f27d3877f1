// SPDX-License-Identifier: GPL-2.0
/*
 * What the verifier makes of the instructions of cpu v4: what it refuses, and what it
 * knows of the numbers that they yield.
 */
#include "arena_insn.h"
#include "cap_helpers.h"

#define CAP_BIT(CAP)	(1ULL << (CAP))
/* The numbers below are about a map whose value has so many bytes. */
#define VALUE_SIZE	16

static struct arena a;
static int map_fd, rdonly_fd;

static bool log_has_any(const char *msgs)
{
	char buf[256], *msg, *save = NULL;

	snprintf(buf, sizeof(buf), "%s", msgs);
	for (msg = strtok_r(buf, "|", &save); msg; msg = strtok_r(NULL, "|", &save))
		if (strstr(arena_log, msg))
			return true;
	return false;
}

/* The log has to have one of the messages, which bars separate; err 1 is any. */
static void refused(int line, enum bpf_prog_type type, const struct bpf_insn *insn,
		    __u32 cnt, int err, const char *msgs)
{
	int fd = arena_load_log(type, insn, cnt);

	if (err == 1 && fd < 0)
		fd = err;
	if (!ASSERT_EQ(fd, err, "refused") || !ASSERT_TRUE(log_has_any(msgs), msgs))
		printf("of line %d: %s\n", line, arena_log);
	if (fd >= 0 && fd != err)
		close(fd);
}

/* Programs below end by themselves, the refused ones with R0 = 0. */
#define REFUSED_TYPE(TYPE, ERR, MSG, ...)					\
	refused(__LINE__, TYPE,							\
		INSNS(__VA_ARGS__, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()), \
		INSNS_CNT(__VA_ARGS__) + 2, ERR, MSG)
#define REFUSED(ERR, MSG, ...)							\
	REFUSED_TYPE(BPF_PROG_TYPE_SYSCALL, ERR, MSG, __VA_ARGS__)

#define MOVSX(CLASS, OFF, IMM)							\
	BPF_RAW_INSN((CLASS) | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_1, OFF, IMM)

static void movsx_fields(void)
{
	static const int offs[] = { 2, 7, 9, 24, 31, 33, 64, -8, 256, 32767 };
	const char *msg = "BPF_MOV uses reserved fields";
	int i;

	for (i = 0; i < ARRAY_SIZE(offs); i++) {
		REFUSED(-EINVAL, msg, MOVSX(BPF_ALU64, offs[i], 0));
		REFUSED(-EINVAL, msg, MOVSX(BPF_ALU, offs[i], 0));
	}
	REFUSED(-EINVAL, msg, MOVSX(BPF_ALU, 32, 0));
	REFUSED(-EINVAL, msg, MOVSX(BPF_ALU, 1, 0));
	REFUSED(-EINVAL, msg, MOVSX(BPF_ALU64, 8, 1));
	REFUSED(-EINVAL, msg, BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 8, 1));
	REFUSED(-EACCES, "R3 !read_ok", BPF_MOVSX64_REG(BPF_REG_2, BPF_REG_3, 8));
	REFUSED(-EACCES, "frame pointer is read only",
		BPF_MOVSX64_REG(BPF_REG_10, BPF_REG_1, 8));
	REFUSED(-EINVAL, "R11 is invalid", BPF_MOVSX64_REG(11, BPF_REG_1, 8));
}

static bool drop_perfmon(__u64 *old)
{
	return ASSERT_OK(cap_disable_effective(CAP_BIT(CAP_PERFMON) | CAP_BIT(CAP_SYS_ADMIN),
					       old), "drop");
}

/* Of a pointer nothing is extended, or known. */
static void movsx_pointer(void)
{
	__u64 caps;
	int off;

	for (off = 8; off <= 32; off *= 2) {
		REFUSED(-EACCES, "R2 invalid mem access 'scalar'",
			BPF_MOVSX64_REG(BPF_REG_2, BPF_REG_10, off),
			BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_2, -1));
		REFUSED(-EACCES, "R6 invalid mem access 'scalar'", BPF_LD_MAP_FD(BPF_REG_1, a.fd),
			BPF_LD_IMM64(BPF_REG_6, a.user), CAST_KERN(BPF_REG_6, BPF_REG_6),
			BPF_MOVSX64_REG(BPF_REG_6, BPF_REG_6, off),
			BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_6, 0));
		if (!drop_perfmon(&caps))
			return;
		REFUSED_TYPE(BPF_PROG_TYPE_SOCKET_FILTER, -EACCES,
			     "R10 sign-extension part of pointer",
			     BPF_MOVSX64_REG(BPF_REG_2, BPF_REG_10, off));
		cap_enable_effective(caps, NULL);
	}
}

static void ldsx_fields(void)
{
	REFUSED(-EINVAL, "unknown opcode 99", BPF_LDX_MEMSX(BPF_DW, BPF_REG_2, BPF_REG_10, -8));
	REFUSED(-EINVAL, "BPF_LDX uses reserved fields",
		BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | BPF_W, BPF_REG_2, BPF_REG_10, -8, 1));
	/* the modes that the kernel keeps for itself */
	REFUSED(-EINVAL, "BPF_LDX uses reserved fields",
		BPF_RAW_INSN(BPF_LDX | 0x40 | BPF_W, BPF_REG_2, BPF_REG_10, -8, 0));
	REFUSED(-EINVAL, "BPF_LDX uses reserved fields",
		BPF_RAW_INSN(BPF_LDX | 0xc0 | BPF_W, BPF_REG_2, BPF_REG_10, -8, 0));
	/* there is no such store */
	REFUSED(-EINVAL, "unknown opcode",
		BPF_RAW_INSN(BPF_STX | BPF_MEMSX | BPF_W, BPF_REG_10, BPF_REG_1, -8, 0));
	REFUSED(-EINVAL, "unknown opcode",
		BPF_RAW_INSN(BPF_ST | BPF_MEMSX | BPF_W, BPF_REG_10, 0, -8, 0));
}

static void ldsx_memory(void)
{
	static const int ptrs[] = {
		offsetof(struct __sk_buff, data), offsetof(struct __sk_buff, data_end),
		offsetof(struct __sk_buff, data_meta),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(ptrs); i++)
		REFUSED_TYPE(BPF_PROG_TYPE_SCHED_CLS, -EACCES, "invalid bpf_context access",
			     BPF_LDX_MEMSX(BPF_W, BPF_REG_2, BPF_REG_1, ptrs[i]));
	REFUSED(-EACCES, "invalid size of register fill",
		BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_10, -8),
		BPF_LDX_MEMSX(BPF_W, BPF_REG_2, BPF_REG_10, -8));
	REFUSED(-EACCES, "R2 invalid mem access 'scalar'", BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_LDX_MEMSX(BPF_W, BPF_REG_2, BPF_REG_2, 0));
	REFUSED(-EACCES, "invalid access to map value", BPF_LD_MAP_VALUE(BPF_REG_2, map_fd, 0),
		BPF_LDX_MEMSX(BPF_W, BPF_REG_2, BPF_REG_2, VALUE_SIZE - 2));
	REFUSED(-EACCES, "misaligned stack access", BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_LDX_MEMSX(BPF_W, BPF_REG_2, BPF_REG_10, -7));
}

/* R6 is an arena pointer on one path and one to the stack on the other. */
#define TWO_POINTERS								\
	BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_1, 0), BPF_LD_MAP_FD(BPF_REG_2, a.fd), \
	BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), BPF_MOV64_REG(BPF_REG_6, BPF_REG_10), \
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, -8), BPF_JMP_IMM(BPF_JEQ, BPF_REG_7, 0, 3), \
	BPF_LD_IMM64(BPF_REG_6, a.user), CAST_KERN(BPF_REG_6, BPF_REG_6)

static void merged_access(void)
{
	const char *msg = "same insn cannot be used with different pointers";

	REFUSED(-EINVAL, msg, TWO_POINTERS, BPF_LDX_MEMSX(BPF_W, BPF_REG_0, BPF_REG_6, 0));
	REFUSED(-EINVAL, msg, TWO_POINTERS,
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_6, 0));
	REFUSED(-EINVAL, msg, TWO_POINTERS,
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_6, BPF_REG_6, 0));
	REFUSED(-EINVAL, msg, TWO_POINTERS,
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_6, BPF_REG_7, 0));
	REFUSED(-EINVAL, msg, TWO_POINTERS,
		BPF_ATOMIC_OP(BPF_W, BPF_ADD, BPF_REG_6, BPF_REG_7, 0));
}

static void atomic_fields(void)
{
	static const int ops[] = {
		BPF_ADD, BPF_ADD | BPF_FETCH, BPF_AND, BPF_OR, BPF_XOR, BPF_XCHG, BPF_CMPXCHG,
	};
	static const int invalid[] = { 0x101, 0x111, 0x120, 0x102, 0x200, 0x1f0 };
	int i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++)
		REFUSED(-EINVAL, "BPF_ATOMIC uses invalid atomic opcode",
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), BPF_MOV64_IMM(BPF_REG_1, 0),
			BPF_ATOMIC_OP(BPF_DW, invalid[i], BPF_REG_10, BPF_REG_1, -8));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		REFUSED(-EINVAL, "invalid atomic operand size",
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_ATOMIC_OP(BPF_B, ops[i], BPF_REG_10, BPF_REG_0, -8));
		REFUSED(-EINVAL, "invalid atomic operand size",
			BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_ATOMIC_OP(BPF_H, ops[i], BPF_REG_10, BPF_REG_0, -8));
	}
	REFUSED(-EACCES, "R3 !read_ok",
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_3, 0));
	REFUSED(-EACCES, "R3 !read_ok",
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_10, BPF_REG_3, -8));
	REFUSED(-EACCES, "R3 !read_ok",
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_3, BPF_REG_1, 0));
	REFUSED(-EACCES, "frame pointer is read only", BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_10, BPF_REG_10, -8));
	REFUSED(-EINVAL, "R11 is invalid", BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, 11, BPF_REG_10, -8));
	REFUSED(-EINVAL, "R12 is invalid", BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_1, 12, 0));
	REFUSED(-EINVAL, "R13 is invalid", BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, 13, BPF_REG_1, 0));
	REFUSED(-EINVAL, "R14 is invalid", BPF_ATOMIC_OP(BPF_W, BPF_ADD, 14, BPF_REG_1, 0));
}

static void atomic_memory(void)
{
	REFUSED(-EACCES, "BPF_ATOMIC loads from R1 ctx is not allowed",
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_1, 0));
	/* what it was before it was loaded */
	REFUSED(-EACCES, "BPF_ATOMIC loads from R1 ctx is not allowed",
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_1, BPF_REG_1, 0));
	REFUSED(-EACCES, "BPF_ATOMIC stores into R1 ctx is not allowed",
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_1, BPF_REG_2, 0));
	REFUSED_TYPE(BPF_PROG_TYPE_SCHED_CLS, -EACCES,
		     "BPF_ATOMIC loads from R2 pkt is not allowed",
		     BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, data)),
		     BPF_ATOMIC_OP(BPF_B, BPF_LOAD_ACQ, BPF_REG_2, BPF_REG_2, 0));
	REFUSED_TYPE(BPF_PROG_TYPE_SCHED_CLS, -EACCES,
		     "BPF_ATOMIC stores into R2 pkt is not allowed",
		     BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, data)),
		     BPF_MOV64_IMM(BPF_REG_3, 0),
		     BPF_ATOMIC_OP(BPF_B, BPF_STORE_REL, BPF_REG_2, BPF_REG_3, 0));
	REFUSED_TYPE(BPF_PROG_TYPE_SCHED_CLS, -EACCES,
		     "BPF_ATOMIC loads from R2 sock_common is not allowed",
		     BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, sk)),
		     BPF_JMP_IMM(BPF_JEQ, BPF_REG_2, 0, 1),
		     BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_2, 0));
	REFUSED_TYPE(BPF_PROG_TYPE_RAW_TRACEPOINT, -EACCES,
		     "BPF_ATOMIC loads from R0 ptr_ is not allowed",
		     BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf),
		     BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_0, 16));
	REFUSED_TYPE(BPF_PROG_TYPE_RAW_TRACEPOINT, -EACCES, "only read is supported",
		     BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf), BPF_MOV64_IMM(BPF_REG_1, 0),
		     BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_0, BPF_REG_1, 16));
	REFUSED(-EACCES, "R2 invalid mem access 'scalar'", BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_2, 0));
	REFUSED(-EACCES, "R2 invalid mem access 'scalar'", BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_2, BPF_REG_2, 0));
	REFUSED(-EACCES, "invalid access to map value", BPF_LD_MAP_VALUE(BPF_REG_2, map_fd, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_2, VALUE_SIZE));
	REFUSED(-EACCES, "invalid access to map value", BPF_LD_MAP_VALUE(BPF_REG_2, map_fd, 0),
		BPF_ATOMIC_OP(BPF_H, BPF_STORE_REL, BPF_REG_2, BPF_REG_1, -2));
	REFUSED(-EACCES, "write into map forbidden", BPF_LD_MAP_VALUE(BPF_REG_2, rdonly_fd, 0),
		BPF_MOV64_IMM(BPF_REG_1, 0),
		BPF_ATOMIC_OP(BPF_H, BPF_STORE_REL, BPF_REG_2, BPF_REG_1, 0));
	REFUSED(-EACCES, "misaligned value access", BPF_LD_MAP_VALUE(BPF_REG_2, map_fd, 0),
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_2, 2));
	REFUSED(-EACCES, "misaligned value access", BPF_LD_MAP_VALUE(BPF_REG_2, map_fd, 0),
		BPF_MOV64_IMM(BPF_REG_1, 0),
		BPF_ATOMIC_OP(BPF_DW, BPF_STORE_REL, BPF_REG_2, BPF_REG_1, 4));
	REFUSED(-EACCES, "invalid size of register spill",
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_10, BPF_REG_1, -8));
	REFUSED(-EACCES, "invalid size of register fill",
		BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_10, -8),
		BPF_ATOMIC_OP(BPF_W, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_10, -8));
}

/* To who may not know pointers none are given away. */
static void atomic_leaks(void)
{
	__u64 caps;

	if (!drop_perfmon(&caps))
		return;
	REFUSED_TYPE(BPF_PROG_TYPE_SOCKET_FILTER, -EACCES, "R10 leaks addr into map",
		     BPF_LD_MAP_VALUE(BPF_REG_2, map_fd, 0),
		     BPF_ATOMIC_OP(BPF_DW, BPF_STORE_REL, BPF_REG_2, BPF_REG_10, 0));
	REFUSED_TYPE(BPF_PROG_TYPE_SOCKET_FILTER, -EACCES,
		     "attempt to corrupt spilled pointer on stack",
		     BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_10, -8),
		     BPF_MOV64_IMM(BPF_REG_1, 0),
		     BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_10, BPF_REG_1, -8));
	/* R0 is what exits */
	refused(__LINE__, BPF_PROG_TYPE_SOCKET_FILTER,
		INSNS(BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_10, -8),
		      BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_0, BPF_REG_10, -8),
		      BPF_EXIT_INSN()), 3, -EACCES, "R0 leaks addr as return value");
	cap_enable_effective(caps, NULL);
}

/* The barrier behind a store that may spill: who may not mistrust the CPU gets it. */
static int count_nospec(void)
{
	static const struct bpf_insn prog[] = {
		BPF_ATOMIC_OP(BPF_DW, BPF_STORE_REL, BPF_REG_10, BPF_REG_1, -8),
		BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_2, BPF_REG_10, -8),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_2, 0),
		BPF_EXIT_INSN(),
	};
	struct bpf_prog_info info = {};
	struct bpf_insn insn[16] = {};
	__u32 len = sizeof(info);
	int i, fd, cnt = 0;
	__u64 caps;

	if (!drop_perfmon(&caps))
		return -1;
	fd = arena_load(BPF_PROG_TYPE_SOCKET_FILTER, prog, ARRAY_SIZE(prog));
	cap_enable_effective(caps, NULL);
	if (fd < 0)
		return -1;
	info.xlated_prog_insns = ptr_to_u64(insn);
	info.xlated_prog_len = sizeof(insn);
	if (ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info"))
		for (i = 0; i < ARRAY_SIZE(insn); i++)
			cnt += insn[i].code == (BPF_ST | 0xc0) &&
			       insn[i - 1].code == (BPF_STX | BPF_ATOMIC | BPF_DW) &&
			       insn[i - 1].imm == BPF_STORE_REL;
	close(fd);
	return cnt;
}

static void spectre_v4(void)
{
	ASSERT_EQ(count_nospec(), 1, "barriers");
}

static void div_fields(void)
{
	static const int offs[] = { 2, -1, 8, 32 };
	const char *msg = "BPF_ALU uses reserved fields";
	int i;

	for (i = 0; i < ARRAY_SIZE(offs); i++) {
		REFUSED(-EINVAL, msg, BPF_ALU64_REG_OFF(BPF_DIV, BPF_REG_1, BPF_REG_1, offs[i]));
		REFUSED(-EINVAL, msg, BPF_ALU32_REG_OFF(BPF_MOD, BPF_REG_1, BPF_REG_1, offs[i]));
		REFUSED(-EINVAL, msg,
			BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_K, BPF_REG_1, 0, offs[i], 3));
	}
	REFUSED(-EINVAL, msg, BPF_ALU64_REG_OFF(BPF_ADD, BPF_REG_1, BPF_REG_1, 1));
	REFUSED(-EINVAL, msg, BPF_ALU64_REG_OFF(BPF_MUL, BPF_REG_1, BPF_REG_1, 1));
	REFUSED(-EINVAL, msg, BPF_RAW_INSN(BPF_ALU | BPF_SUB | BPF_K, BPF_REG_1, 0, 1, 3));
	REFUSED(-EINVAL, "div by zero",
		BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_K, BPF_REG_1, 0, 1, 0));
	REFUSED(-EINVAL, "div by zero",
		BPF_RAW_INSN(BPF_ALU | BPF_MOD | BPF_K, BPF_REG_1, 0, 1, 0));
}

static void bswap_fields(void)
{
	static const int imms[] = { 0, 8, 15, 128, -16 };
	const char *msg = "BPF_END uses reserved fields";
	int i;

	for (i = 0; i < ARRAY_SIZE(imms); i++)
		REFUSED(-EINVAL, msg, BPF_BSWAP(BPF_REG_1, imms[i]));
	REFUSED(-EINVAL, msg,
		BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_LE, BPF_REG_1, 0, 1, 16));
	REFUSED(-EINVAL, msg,
		BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_LE, BPF_REG_1, 1, 0, 16));
	REFUSED(-EINVAL, "unknown opcode df",
		BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_BE, BPF_REG_1, 0, 0, 16));
	REFUSED(-EACCES, "R1 invalid mem access 'scalar'", BPF_BSWAP(BPF_REG_1, 64),
		BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, 0));
}

static void gotol_fields(void)
{
	REFUSED(-EINVAL, "BPF_JA uses reserved fields",
		BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 0, 0, 1, 0));
	REFUSED(-EINVAL, "BPF_JA uses reserved fields",
		BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 1, 0, 0, 0));
	REFUSED(-EINVAL, "jump out of range from insn 0", BPF_JMP32_A(70000));
	REFUSED(-EINVAL, "jump out of range from insn 0", BPF_JMP32_A(-2));
}

/*
 * Bounds. R6 is a number that user space chooses; what a program makes of it, in R7, is
 * an index into the map's value. Of an accepted program each index it uses, over many
 * inputs, is checked.
 */
#define INPUT		BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_1, 0)
#define USE_INDEX								\
	BPF_LD_MAP_VALUE(BPF_REG_9, map_fd, 0),					\
	BPF_ALU64_REG(BPF_ADD, BPF_REG_9, BPF_REG_7),				\
	BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_9, 0)
#define NOT_WITHIN								\
	"min value is negative|invalid access to map value|unbounded m|value is outside|" \
	"makes map_value pointer be out of bounds|unbounded min value"
/* Leave the program where the register, as a signed number, is less, or more. */
#define AT_LEAST(REG, MIN)							\
	BPF_JMP_IMM(BPF_JSGE, REG, MIN, 2), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()
#define AT_MOST(REG, MAX)							\
	BPF_JMP_IMM(BPF_JSLE, REG, MAX, 2), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()

#define OUTSIDE(...)	REFUSED(1, NOT_WITHIN, INPUT, __VA_ARGS__, USE_INDEX)

static void within(int line, const struct bpf_insn *insn, __u32 cnt)
{
	int fd = arena_load(BPF_PROG_TYPE_SYSCALL, insn, cnt), reached = 0;
	__u64 in;
	int i;

	if (fd < 0) {
		printf("of line %d\n", line);
		return;
	}
	for (i = -600; i < 600; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts,
			    .ctx_in = &in,
			    .ctx_size_in = sizeof(in));

		/* small numbers of both signs, and those around a change of sign */
		in = i % 2 ? i : (__s64)i * 0x8040201;
		if (bpf_prog_test_run_opts(fd, &opts)) {
			PRINT_FAIL("line %d does not run\n", line);
			break;
		}
		if (!(opts.retval & 1 << 31))
			continue;
		reached++;
		if ((opts.retval & ~(1U << 31)) >= VALUE_SIZE) {
			PRINT_FAIL("line %d, input %#llx: index %#x\n", line, in,
				   opts.retval);
			break;
		}
	}
	ASSERT_GT(reached, 0, "index used");
	close(fd);
}

/* Returns the index, with the highest bit set to tell it from an early end. */
#define WITHIN(...)								\
	within(__LINE__,							\
	       INSNS(INPUT, __VA_ARGS__, USE_INDEX, BPF_MOV64_REG(BPF_REG_0, BPF_REG_7), \
		     BPF_ALU32_IMM(BPF_OR, BPF_REG_0, 1 << 31), BPF_EXIT_INSN()), \
	       INSNS_CNT(INPUT, __VA_ARGS__, USE_INDEX) + 3)

static void range_movsx(void)
{
	/* the sign of a byte that is not known */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8),
		BPF_JMP_IMM(BPF_JSLE, BPF_REG_7, 15, 2), BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN());
	WITHIN(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 8), AT_LEAST(BPF_REG_7, 0),
	       AT_MOST(BPF_REG_7, 15));
	/* ends of what 8, 16 and 32 bits hold */
	WITHIN(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128),
	       BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	OUTSIDE(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 127),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	OUTSIDE(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 129),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	WITHIN(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 16),
	       BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1 << 15), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 12));
	OUTSIDE(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 16),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, (1 << 15) + 1),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 12));
	WITHIN(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 32),
	       BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, INT_MAX),
	       BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 28));
	OUTSIDE(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 32),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, INT_MAX),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 28));
}

/* Ranges that keep their order, and such that wrap */
static void range_wraps(void)
{
	/* [128, 143] becomes [-128, -113] */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 128),
	       AT_MOST(BPF_REG_7, 143),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 128),
		AT_MOST(BPF_REG_7, 144),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128));
	/* [127, 128] becomes -128 and 127 */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 127),
		AT_MOST(BPF_REG_7, 128),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128));
	/* [0x1f8, 0x207] is of as many numbers, and becomes [-8, 7] */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 0x1f8),
	       AT_MOST(BPF_REG_7, 0x207),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 8));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 0x1f7),
		AT_MOST(BPF_REG_7, 0x207),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 8));
	/* 257 numbers: both ends are the same, what is between is anything */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 0),
		AT_MOST(BPF_REG_7, 256),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8));
	/* ends 0 and 15, 65536 numbers and more between them */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 0),
		AT_MOST(BPF_REG_7, 0x1000f),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 16));
	/* negative ones that become positive: [-0xff, -0xf0] is [1, 0x10] */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, -0xff),
	       AT_MOST(BPF_REG_7, -0xf0),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_SUB, BPF_REG_7, 1));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, -0xff),
		AT_MOST(BPF_REG_7, -0xef),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_SUB, BPF_REG_7, 1));
}

/* Only the lower half is known to be in a range. */
static void range_subreg(void)
{
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_JMP32_IMM(BPF_JLT, BPF_REG_7, 16, 2),
	       BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 32));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_JMP32_IMM(BPF_JLE, BPF_REG_7, 16, 2),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 32));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_JMP32_IMM(BPF_JSLT, BPF_REG_7, 16, 2),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 32));
	/* a 32-bit result is zero extended: [-128, 127] is not what it is in 64 bits */
	OUTSIDE(BPF_MOVSX32_REG(BPF_REG_7, BPF_REG_6, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	WITHIN(BPF_MOVSX32_REG(BPF_REG_7, BPF_REG_6, 8), BPF_ALU32_IMM(BPF_ADD, BPF_REG_7, 128),
	       BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	OUTSIDE(BPF_MOVSX32_REG(BPF_REG_7, BPF_REG_6, 16),
		BPF_JMP_IMM(BPF_JSLE, BPF_REG_7, 15, 2), BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(), BPF_ALU64_IMM(BPF_SUB, BPF_REG_7, 1));
	/* upper half zero */
	WITHIN(BPF_MOVSX32_REG(BPF_REG_7, BPF_REG_6, 16), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 32));
	OUTSIDE(BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_6, 16), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 32));
}

/* Single bits that are known, and those that the sign is copied to */
static void range_bits(void)
{
	/* the upper bits are all the same, not all the sign's */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0x80),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 60));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0x80),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 59));
	/* sign known to be clear */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff0f),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff1f),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8));
	/* known to be set: [-16, -1] */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_OR, BPF_REG_7, 0xf0),
	       BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 16));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_OR, BPF_REG_7, 0xf0),
		BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 17));
	/* constants, of either sign */
	WITHIN(BPF_MOV64_IMM(BPF_REG_7, 0x10f), BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8));
	OUTSIDE(BPF_MOV64_IMM(BPF_REG_7, 0xff), BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8));
	WITHIN(BPF_MOV64_IMM(BPF_REG_7, 0xff), BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8),
	       BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1));
}

/* What is learnt of the extended number says nothing of the one that it was. */
static void range_copies(void)
{
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_MOVSX64_REG(BPF_REG_8, BPF_REG_7, 8),
		AT_LEAST(BPF_REG_8, 0), AT_MOST(BPF_REG_8, 15));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_MOVSX64_REG(BPF_REG_8, BPF_REG_7, 32),
		AT_LEAST(BPF_REG_8, 0), AT_MOST(BPF_REG_8, 15));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_MOVSX32_REG(BPF_REG_8, BPF_REG_7, 16),
		AT_LEAST(BPF_REG_8, 0), AT_MOST(BPF_REG_8, 15));
	/* [0, 0xff]: -16 is 0xf0 */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff),
		BPF_MOVSX64_REG(BPF_REG_8, BPF_REG_7, 8), AT_LEAST(BPF_REG_8, -16),
		AT_MOST(BPF_REG_8, -1),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 16));
	/* [0, 0x80]: one number too many */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), AT_LEAST(BPF_REG_7, 0),
		AT_MOST(BPF_REG_7, 0x80),
		BPF_MOVSX64_REG(BPF_REG_8, BPF_REG_7, 8), AT_LEAST(BPF_REG_8, -128),
		AT_MOST(BPF_REG_8, -128),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128));
	/* [0, 0x7f] is as it was */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0x7f),
	       BPF_MOVSX64_REG(BPF_REG_8, BPF_REG_7, 8), AT_LEAST(BPF_REG_8, 0),
	       AT_MOST(BPF_REG_8, 15));
}

#define SPILL(SIZE, REG)	BPF_STX_MEM(SIZE, BPF_REG_10, REG, -8)
#define FILL_SX(SIZE, REG)	BPF_LDX_MEMSX(SIZE, REG, BPF_REG_10, -8)

static void range_ldsx(void)
{
	/* of memory whose contents nobody knows */
	WITHIN(BPF_LD_MAP_VALUE(BPF_REG_7, map_fd, 0),
	       BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0),
	       BPF_LDX_MEMSX(BPF_B, BPF_REG_7, BPF_REG_7, 0),
	       BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	OUTSIDE(BPF_LD_MAP_VALUE(BPF_REG_7, map_fd, 0),
		BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0),
		BPF_LDX_MEMSX(BPF_H, BPF_REG_7, BPF_REG_7, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	OUTSIDE(BPF_LD_MAP_VALUE(BPF_REG_7, map_fd, 0),
		BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0),
		BPF_LDX_MEMSX(BPF_B, BPF_REG_7, BPF_REG_7, 0),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	/* of a map that does not change: 0x80 and 15 */
	OUTSIDE(BPF_LD_MAP_VALUE(BPF_REG_7, rdonly_fd, 0),
		BPF_LDX_MEMSX(BPF_B, BPF_REG_7, BPF_REG_7, 0));
	WITHIN(BPF_LD_MAP_VALUE(BPF_REG_7, rdonly_fd, 0),
	       BPF_LDX_MEMSX(BPF_B, BPF_REG_7, BPF_REG_7, 0),
	       BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 128));
	WITHIN(BPF_LD_MAP_VALUE(BPF_REG_7, rdonly_fd, 0),
	       BPF_LDX_MEMSX(BPF_B, BPF_REG_7, BPF_REG_7, 1));
	/* of a number that was spilled: in [0, 15], and in [0xf0, 0xff] */
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 15),
	       SPILL(BPF_B, BPF_REG_7), FILL_SX(BPF_B, BPF_REG_7));
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_OR, BPF_REG_7, 0xf0),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff), SPILL(BPF_B, BPF_REG_7),
		FILL_SX(BPF_B, BPF_REG_7), BPF_ALU64_IMM(BPF_SUB, BPF_REG_7, 0xf0));
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_OR, BPF_REG_7, 0xf0),
	       BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff), SPILL(BPF_B, BPF_REG_7),
	       FILL_SX(BPF_B, BPF_REG_7), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 16));
	/* zeroed slots are zero whatever their sign */
	WITHIN(BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), FILL_SX(BPF_W, BPF_REG_7));
	/* a copy of what was spilled, but for the sign */
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 0xff),
		BPF_MOV64_REG(BPF_REG_8, BPF_REG_7), SPILL(BPF_B, BPF_REG_7),
		FILL_SX(BPF_B, BPF_REG_8), AT_LEAST(BPF_REG_8, -16), AT_MOST(BPF_REG_8, -1),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 16));
	OUTSIDE(BPF_MOV32_REG(BPF_REG_7, BPF_REG_6), BPF_MOV64_REG(BPF_REG_8, BPF_REG_7),
		SPILL(BPF_W, BPF_REG_7), FILL_SX(BPF_W, BPF_REG_8), AT_LEAST(BPF_REG_8, -16),
		AT_MOST(BPF_REG_8, -1),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 16));
	/* nothing is known of what an arena holds */
	OUTSIDE(BPF_LD_MAP_FD(BPF_REG_1, a.fd), BPF_MOV32_IMM(BPF_REG_7, 0),
		CAST_KERN(BPF_REG_7, BPF_REG_7), BPF_LDX_MEMSX(BPF_B, BPF_REG_7, BPF_REG_7, 0));
}

#define RELEASE(SIZE, REG)	BPF_ATOMIC_OP(SIZE, BPF_STORE_REL, BPF_REG_10, REG, -8)
#define ACQUIRE(SIZE, REG)	BPF_ATOMIC_OP(SIZE, BPF_LOAD_ACQ, REG, BPF_REG_10, -8)
#define ACQUIRE_MAP(SIZE)							\
	BPF_LD_MAP_VALUE(BPF_REG_7, map_fd, 0), BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0), \
	BPF_ATOMIC_OP(SIZE, BPF_LOAD_ACQ, BPF_REG_7, BPF_REG_7, 0)

static void range_acquire(void)
{
	/* no more than its size can hold, zero extended */
	WITHIN(ACQUIRE_MAP(BPF_B), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 4));
	OUTSIDE(ACQUIRE_MAP(BPF_B), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 3));
	WITHIN(ACQUIRE_MAP(BPF_H), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 12));
	OUTSIDE(ACQUIRE_MAP(BPF_H), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 11));
	WITHIN(ACQUIRE_MAP(BPF_W), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 28));
	OUTSIDE(ACQUIRE_MAP(BPF_W), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 27));
	WITHIN(ACQUIRE_MAP(BPF_DW), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 60));
	OUTSIDE(ACQUIRE_MAP(BPF_DW), BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 59));
	OUTSIDE(BPF_LD_MAP_FD(BPF_REG_1, a.fd), BPF_MOV32_IMM(BPF_REG_7, 0),
		CAST_KERN(BPF_REG_7, BPF_REG_7),
		BPF_ATOMIC_OP(BPF_B, BPF_LOAD_ACQ, BPF_REG_7, BPF_REG_7, 0));
}

static void range_release(void)
{
	/* what was in the slot is there no more, or in part */
	WITHIN(BPF_MOV64_IMM(BPF_REG_7, 15), RELEASE(BPF_DW, BPF_REG_7),
	       ACQUIRE(BPF_DW, BPF_REG_7));
	OUTSIDE(BPF_MOV64_IMM(BPF_REG_7, 16), RELEASE(BPF_DW, BPF_REG_7),
		ACQUIRE(BPF_DW, BPF_REG_7));
	OUTSIDE(BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 3), RELEASE(BPF_DW, BPF_REG_6),
		BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8));
	OUTSIDE(BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), RELEASE(BPF_B, BPF_REG_6),
		BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8));
	OUTSIDE(BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 3),
		BPF_ATOMIC_OP(BPF_B, BPF_STORE_REL, BPF_REG_10, BPF_REG_6, -4),
		ACQUIRE(BPF_DW, BPF_REG_7));
	/* nor is a pointer, of which a byte was overwritten */
	REFUSED(-EACCES, "R7 invalid mem access 'scalar'", SPILL(BPF_DW, BPF_REG_10),
		BPF_MOV64_IMM(BPF_REG_6, 0), RELEASE(BPF_B, BPF_REG_6), ACQUIRE(BPF_DW, BPF_REG_7),
		BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, -8));
}

/*
 * The first path to the end is fine and the second, which differs in a number that
 * went through memory, is not: it may not be taken for the same.
 */
#define TWO_NUMBERS								\
	BPF_MOV64_IMM(BPF_REG_7, 16), BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 0, 1),	\
	BPF_MOV64_IMM(BPF_REG_7, 1)
/* Where paths meet */
#define JOIN	BPF_JMP_IMM(BPF_JSGT, BPF_REG_6, 9, 0)

static void precision(void)
{
	OUTSIDE(TWO_NUMBERS, RELEASE(BPF_DW, BPF_REG_7), BPF_MOV64_IMM(BPF_REG_7, 0), JOIN,
		ACQUIRE(BPF_DW, BPF_REG_7));
	OUTSIDE(TWO_NUMBERS, SPILL(BPF_DW, BPF_REG_7), BPF_MOV64_IMM(BPF_REG_7, 0), JOIN,
		ACQUIRE(BPF_DW, BPF_REG_8), BPF_MOV64_REG(BPF_REG_7, BPF_REG_8));
	OUTSIDE(TWO_NUMBERS, BPF_MOV64_IMM(BPF_REG_8, 0), JOIN, RELEASE(BPF_DW, BPF_REG_7),
		BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8));
	OUTSIDE(TWO_NUMBERS, SPILL(BPF_W, BPF_REG_7), BPF_MOV64_IMM(BPF_REG_7, 0), JOIN,
		FILL_SX(BPF_W, BPF_REG_7));
	OUTSIDE(TWO_NUMBERS, JOIN, BPF_MOVSX64_REG(BPF_REG_7, BPF_REG_7, 8));
	OUTSIDE(TWO_NUMBERS, JOIN, BPF_MOVSX32_REG(BPF_REG_8, BPF_REG_7, 16),
		BPF_MOV64_REG(BPF_REG_7, BPF_REG_8));
}

/* Quotients are anything, whatever was divided. */
static void range_div(void)
{
	OUTSIDE(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6), BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 15),
		BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_K, BPF_REG_7, 0, 1, -1));
	OUTSIDE(BPF_MOV64_IMM(BPF_REG_7, 15),
		BPF_RAW_INSN(BPF_ALU64 | BPF_MOD | BPF_K, BPF_REG_7, 0, 1, 16));
	OUTSIDE(BPF_MOV64_IMM(BPF_REG_7, 15), BPF_BSWAP(BPF_REG_7, 16));
	WITHIN(BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
	       BPF_RAW_INSN(BPF_ALU | BPF_MOD | BPF_K, BPF_REG_7, 0, 1, 16),
	       BPF_ALU64_IMM(BPF_RSH, BPF_REG_7, 28));
}

static const struct arena_subtest subtests[] = {
	{ "movsx_fields", movsx_fields },
	{ "movsx_pointer", movsx_pointer },
	{ "ldsx_fields", ldsx_fields },
	{ "ldsx_memory", ldsx_memory },
	{ "merged_access", merged_access },
	{ "atomic_fields", atomic_fields },
	{ "atomic_memory", atomic_memory },
	{ "atomic_leaks", atomic_leaks },
	{ "spectre_v4", spectre_v4 },
	{ "div_fields", div_fields },
	{ "bswap_fields", bswap_fields },
	{ "gotol_fields", gotol_fields },
	{ "range_movsx", range_movsx },
	{ "range_wraps", range_wraps },
	{ "range_subreg", range_subreg },
	{ "range_bits", range_bits },
	{ "range_copies", range_copies },
	{ "range_ldsx", range_ldsx },
	{ "range_acquire", range_acquire },
	{ "range_release", range_release },
	{ "range_div", range_div },
	{ "precision", precision },
};

static bool open_maps(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	unsigned char value[VALUE_SIZE] = { 0x80, 15 };
	__u32 key = 0;

	map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "insns", 4, VALUE_SIZE, 1, NULL);
	rdonly_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "insns_ro", 4, VALUE_SIZE, 1, &opts);
	return ASSERT_GE(map_fd, 0, "map") && ASSERT_GE(rdonly_fd, 0, "rdonly map") &&
	       ASSERT_OK(bpf_map_update_elem(rdonly_fd, &key, value, 0), "update") &&
	       ASSERT_OK(bpf_map_freeze(rdonly_fd), "freeze");
}

/* Serial: it changes its own capabilities. */
void serial_test_arena_insns_verifier(void)
{
	if (open_maps() && arena_open(&a, 16, 0, ARENA_ADDR)) {
		arena_subtests(subtests, ARRAY_SIZE(subtests));
		arena_close(&a);
	}
	close(rdonly_fd);
	close(map_fd);
}
