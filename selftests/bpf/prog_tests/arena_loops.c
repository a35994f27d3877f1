// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that the verifier need not follow to their ends: which are refused, and that
 * those which are not end, in time, having done what they should.
 */
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/syscall.h>
#include "arena_insn.h"
#include "arena_test.h"
#include "progs/arena_loops.h"
#include "arena_loops.skel.h"
#include "arena_loops_ext.skel.h"

#define MAY_GOTO(OFF)	BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, OFF, 0)
#define GOTO(OFF)	BPF_JMP_A(OFF)
#define RANDOM		BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32)

/* R9 points to these bytes in programs whose macro says so. */
#define VALUE_SIZE	64
static int value_fd = -1;
static int ringbuf_fd = -1;

/* R1 = R9[REG] */
#define AT_R9		BPF_MOV64_REG(BPF_REG_1, BPF_REG_9)
#define INDEX(REG)	BPF_ALU64_REG(BPF_ADD, BPF_REG_1, REG)
#define LOAD		BPF_LDX_MEM(BPF_B, BPF_REG_1, BPF_REG_1, 0)

static void refused(int line, const struct bpf_insn *insn, __u32 cnt, int err,
		    const char *msg)
{
	int fd = arena_load_log(BPF_PROG_TYPE_SYSCALL, insn, cnt);

	if (!ASSERT_EQ(fd, err, "refused") || !ASSERT_HAS_SUBSTR(arena_log, msg, "log"))
		printf("of line %d\n", line);
	if (fd >= 0)
		close(fd);
}

/* Whatever a 32-bit definition that nothing reads as 64 bits leaves in the upper half */
static void returns(int line, const struct bpf_insn *insn, __u32 cnt, __u32 expected)
{
	static const __u32 flags[] = { 0, BPF_F_TEST_RND_HI32 };
	__u32 ret, saved = arena_prog_flags;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		arena_prog_flags = saved | flags[i];
		ret = -1;
		fd = arena_load(BPF_PROG_TYPE_SYSCALL, insn, cnt);
		if (fd < 0 || !arena_run(fd, NULL, 0, &ret) ||
		    !ASSERT_EQ(ret, expected, "returns"))
			printf("of line %d, flags %x\n", line, arena_prog_flags);
		if (fd >= 0)
			close(fd);
	}
	arena_prog_flags = saved;
}

/* All of these programs end by themselves, those refused with R0 = 0. */
#define REFUSED(ERR, MSG, ...)							\
	refused(__LINE__,							\
		INSNS(__VA_ARGS__, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()), \
		INSNS_CNT(__VA_ARGS__) + 2, ERR, MSG)
#define REFUSED_AS_IS(ERR, MSG, ...)						\
	refused(__LINE__, INSNS(__VA_ARGS__), INSNS_CNT(__VA_ARGS__), ERR, MSG)
#define REFUSED_R9(ERR, MSG, ...)						\
	REFUSED(ERR, MSG, BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0), __VA_ARGS__)
#define RETURNS(VAL, ...)							\
	returns(__LINE__, INSNS(__VA_ARGS__, BPF_EXIT_INSN()),			\
		INSNS_CNT(__VA_ARGS__) + 1, VAL)
#define RETURNS_R9(VAL, ...)							\
	RETURNS(VAL, BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0), __VA_ARGS__)

#define OUTSIDE		"invalid access to map value, value_size=64"
#define UNBOUNDED	"unbounded min value"
#define NO_POINTER	"invalid mem access 'scalar'"
#define ENDLESS		"infinite loop detected"

static void encoding(void)
{
	const char *msg = "invalid may_goto";

	REFUSED(-EINVAL, msg, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 1, 0, 0, 0));
	REFUSED(-EINVAL, msg, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 1, 0, 0));
	REFUSED(-EINVAL, msg, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 0, 1));
	REFUSED(-EINVAL, msg, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 10, 0, 1, -1), RANDOM);
	REFUSED(-EINVAL, "unknown opcode ed",
		BPF_RAW_INSN(BPF_JMP | BPF_JCOND | BPF_X, 0, 0, 0, 0));
	REFUSED(-EINVAL, "unknown opcode e6",
		BPF_RAW_INSN(BPF_JMP32 | BPF_JCOND, 0, 0, 0, 0));
	REFUSED(-EINVAL, "jump out of range from insn 0 to 4", MAY_GOTO(3), RANDOM);
	REFUSED(-EINVAL, "jump out of range from insn 1 to -1", RANDOM, MAY_GOTO(-3));
}

/* One that goes nowhere, and one that leaves no loop */
static void no_loop(void)
{
	RETURNS(7, BPF_MOV64_IMM(BPF_REG_0, 7), MAY_GOTO(0));
	RETURNS(1, BPF_MOV64_IMM(BPF_REG_0, 7), MAY_GOTO(1), BPF_MOV64_IMM(BPF_REG_0, 1));
}

/* The verifier says that a loop is endless where only a may_goto that jumps goes on. */
static void endless(void)
{
	/* to itself */
	REFUSED(-EINVAL, ENDLESS, MAY_GOTO(-1));
	/* to the loop it should leave */
	REFUSED(-EINVAL, ENDLESS, BPF_MOV64_IMM(BPF_REG_0, 0), MAY_GOTO(-2));
	/* around the loop's own way back */
	REFUSED(-EINVAL, ENDLESS, MAY_GOTO(3), RANDOM,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2), GOTO(-4), GOTO(-5));
	/* by way of another may_goto */
	REFUSED(-EINVAL, ENDLESS, MAY_GOTO(3), RANDOM,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 4), GOTO(-4),
		MAY_GOTO(1), GOTO(-6), GOTO(-7));
	/* none on one of two ways */
	REFUSED(-EINVAL, ENDLESS, RANDOM, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, -2),
		MAY_GOTO(1), GOTO(-4));
}

/*
 * The same, where the way that has no may_goto meets the other one, which was seen to
 * be in a loop that ends.
 */
static void endless_joined(void)
{
	REFUSED(-EINVAL, ENDLESS,
		MAY_GOTO(0),
		RANDOM,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		MAY_GOTO(4),		/* to the end */
		/* both ways meet */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		GOTO(0),
		GOTO(-8));
	/* in every other turn only, so that the second may_goto closes no loop */
	REFUSED_R9(-EINVAL, ENDLESS,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   RANDOM,
		   MAY_GOTO(0),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   MAY_GOTO(3),		/* to the end */
		   BPF_ALU64_IMM(BPF_XOR, BPF_REG_6, 1),
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   GOTO(-10));
}

/* A value that differs after the loop */
static void after_loop(void)
{
	/* in a register */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   MAY_GOTO(2),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 8),
		   GOTO(-3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* in a slot of the stack */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_6, -8),
		   MAY_GOTO(4),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, -8),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, 8),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8),
		   GOTO(-5),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_10, -8),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* in a part of a slot */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_6, -8),
		   MAY_GOTO(3),
		   RANDOM,
		   BPF_STX_MEM(BPF_B, BPF_REG_10, BPF_REG_0, -3),
		   GOTO(-4),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_10, -8),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* on one of two ways only */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   MAY_GOTO(4),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, -3),
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   GOTO(-5),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* a pointer no more */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   MAY_GOTO(3),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   GOTO(-4),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0));
	/* in a slot of the stack */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_9, -16),
		   MAY_GOTO(3),
		   RANDOM,
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -16),
		   GOTO(-4),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -16),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0));
	/* known in the loop alone */
	REFUSED(-EACCES, "R7 !read_ok",
		MAY_GOTO(2),
		BPF_MOV64_IMM(BPF_REG_7, 1),
		GOTO(-3),
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_7));
	/* not equal any more: what is known of R6 isn't known of R7 */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   MAY_GOTO(3),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   GOTO(-4),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_6, VALUE_SIZE, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
}

/* A value that differs in one of the next turns */
static void next_turn(void)
{
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   MAY_GOTO(5),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   GOTO(-6));
	/* a few turns later */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   BPF_MOV64_IMM(BPF_REG_8, 0),
		   MAY_GOTO(7),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_7),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_8),
		   BPF_MOV64_IMM(BPF_REG_8, 1000),
		   GOTO(-8));
	/* a pointer that moves on */
	REFUSED_R9(-EACCES, OUTSIDE,
		   MAY_GOTO(3),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_9, 0),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_9, 8),
		   GOTO(-4));
	/* a reference that nobody gives back */
	REFUSED(-EINVAL, "Unreleased reference",
		MAY_GOTO(8),
		BPF_LD_MAP_FD(BPF_REG_1, ringbuf_fd),
		BPF_MOV64_IMM(BPF_REG_2, 8),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_EMIT_CALL(BPF_FUNC_ringbuf_reserve),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, -7),
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		GOTO(-9));
}

/*
 * A value that differs on one of two ways back, and is used on the other: the state
 * that the loop came from has no mark of it when the first way comes back.
 */
static void other_way(void)
{
	/* a pointer */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   MAY_GOTO(6),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(-5),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   GOTO(-7));
	/* a scalar */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   MAY_GOTO(8),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_MOV64_IMM(BPF_REG_7, 1000),
		   GOTO(-5),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   GOTO(-9));
	/* a pointer and a scalar on the stack */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_9, -8),
		   MAY_GOTO(7),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		   GOTO(-5),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   GOTO(-8));
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_1, 0),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8),
		   MAY_GOTO(10),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		   BPF_MOV64_IMM(BPF_REG_1, 1000),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -8),
		   GOTO(-6),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   GOTO(-11));
	/* in the outer one of two loops, changed by the inner one */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   MAY_GOTO(8),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   MAY_GOTO(-5),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, -3),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(-5));
}

/*
 * Two ways to the same place in the loop's body. What is read from there on is read
 * in the next turn, which isn't followed where the loop closes.
 */
static void same_place(void)
{
	/* a pointer */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   MAY_GOTO(7),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   GOTO(1),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   /* here */
		   GOTO(-8));
	/* a scalar */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   MAY_GOTO(9),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   RANDOM,
		   BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(1),
		   BPF_MOV64_IMM(BPF_REG_7, VALUE_SIZE),
		   /* here */
		   GOTO(-10));
	/* a slot of the stack */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_9, -8),
		   MAY_GOTO(8),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 2),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_9, -8),
		   GOTO(1),
		   BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		   /* here */
		   GOTO(-9));
	/* from outside, when the loop is done with */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 6),
		   MAY_GOTO(7),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   RANDOM,
		   /* here */
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   GOTO(0),
		   GOTO(-6),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(-5));
}

/*
 * Two ways to a place before the loop. The value goes from there to where it matters
 * by way of a turn that isn't followed, as it has the value that is there already.
 */
static void before_loop(void)
{
	/* in a register */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 8),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   GOTO(1),
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   /* here */
		   BPF_MOV64_IMM(BPF_REG_7, 8),
		   GOTO(0),
		   MAY_GOTO(7),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   GOTO(-8));
	/* in a slot of the stack */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 8),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_6, -8),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   GOTO(2),
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_6, -8),
		   /* here */
		   BPF_MOV64_IMM(BPF_REG_7, 8),
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   GOTO(0),
		   MAY_GOTO(7),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8),
		   GOTO(-8));
	/* at the loop's entry */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_7, 8),
		   BPF_MOV64_IMM(BPF_REG_6, 8),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 8),
		   /* here */
		   MAY_GOTO(9),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   GOTO(-8),
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   GOTO(-10));
}

/* Loops in functions, that change what their caller has */
static void functions(void)
{
	/* the caller's stack */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_6, -8),
		   BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
		   BPF_CALL_REL(6),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_10, -8),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   BPF_EXIT_INSN(),
		   MAY_GOTO(3),
		   BPF_MOV64_IMM(BPF_REG_2, VALUE_SIZE),
		   BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_2, 0),
		   GOTO(-4));
	/* what they return */
	REFUSED_AS_IS(-EINVAL, UNBOUNDED,
		      BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0),
		      BPF_CALL_REL(5),
		      AT_R9, INDEX(BPF_REG_0), LOAD,
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      BPF_EXIT_INSN(),
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      MAY_GOTO(2),
		      BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 16),
		      GOTO(-3),
		      BPF_EXIT_INSN());
	/* called from a loop, in the caller's next turn */
	REFUSED_AS_IS(-EACCES, OUTSIDE,
		      BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0),
		      BPF_MOV64_IMM(BPF_REG_6, 0),
		      MAY_GOTO(6),
		      AT_R9, INDEX(BPF_REG_6), LOAD,
		      BPF_CALL_REL(4),
		      BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		      GOTO(-7),
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      BPF_EXIT_INSN(),
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      MAY_GOTO(2),
		      BPF_MOV64_IMM(BPF_REG_0, VALUE_SIZE),
		      GOTO(-3),
		      BPF_EXIT_INSN());
}

/* R7 is anything, R6 = R7 + N */
#define R6_PLUS(N)								\
	MAY_GOTO(0), RANDOM,							\
	BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),					\
	BPF_MOV64_REG(BPF_REG_6, BPF_REG_7),					\
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, N)

/* What is found out about a scalar is known of one that is a constant more. */
static void plus(void)
{
	RETURNS_R9(0,
		   R6_PLUS(1),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_7, VALUE_SIZE - 1, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	REFUSED_R9(-EACCES, OUTSIDE,
		   R6_PLUS(1),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_7, VALUE_SIZE, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	REFUSED_R9(-EACCES, OUTSIDE,
		   R6_PLUS(2),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_7, VALUE_SIZE - 1, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* the other way round, where one less than 0 is not small */
	RETURNS_R9(0,
		   R6_PLUS(1),
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_6, VALUE_SIZE, 4),
		   BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 1, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	REFUSED_R9(-EACCES, "min value is negative",
		   R6_PLUS(1),
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_6, VALUE_SIZE, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
	/* less, by an addition or a subtraction */
	RETURNS_R9(0,
		   R6_PLUS(-1),
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_7, VALUE_SIZE, 4),
		   BPF_JMP_IMM(BPF_JLT, BPF_REG_7, 1, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	REFUSED_R9(-EACCES, OUTSIDE,
		   R6_PLUS(-1),
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_7, VALUE_SIZE + 1, 4),
		   BPF_JMP_IMM(BPF_JLT, BPF_REG_7, 1, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	REFUSED_R9(-EACCES, "min value is negative",
		   R6_PLUS(-1),
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_7, VALUE_SIZE, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* no more after another operation */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   R6_PLUS(1),
		   BPF_ALU64_IMM(BPF_MUL, BPF_REG_6, 3),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_7, 1, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* not as much on each way */
	REFUSED_R9(-EACCES, OUTSIDE,
		   R6_PLUS(1),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_7),
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		   GOTO(1),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 2),
		   /* here */
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_7, VALUE_SIZE - 1, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
}

/* A CPU's number is an index, as long as there are no more elements than CPUs. */
static void cpu_number(void)
{
	RETURNS_R9(0,
		   BPF_EMIT_CALL(BPF_FUNC_get_smp_processor_id),
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_EMIT_CALL(BPF_FUNC_get_smp_processor_id),
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_LSH, BPF_REG_6, 6),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
}

/* Entered in its middle, closed by an edge that is no jump */
static void middle(void)
{
	RETURNS(4,
		BPF_MOV64_IMM(BPF_REG_0, 0),
		GOTO(1),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_0, 4, -2));
	REFUSED(-EINVAL, ENDLESS,
		BPF_MOV64_IMM(BPF_REG_0, 0),
		GOTO(1),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_0, 4, -2));
}

/* The function that each turn calls comes to a branch with the same registers. */
#define CALLING_LOOP(STEP)							\
	RANDOM,									\
	BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),					\
	BPF_ALU64_IMM(BPF_AND, BPF_REG_7, 15),					\
	BPF_MOV64_IMM(BPF_REG_6, 0),						\
	BPF_CALL_REL(4),							\
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, STEP),				\
	BPF_JMP_REG(BPF_JLT, BPF_REG_6, BPF_REG_7, -3),				\
	BPF_MOV64_IMM(BPF_REG_0, 3),						\
	BPF_EXIT_INSN(),							\
	RANDOM,									\
	BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0)

static void counted_by_caller(void)
{
	RETURNS(3, CALLING_LOOP(1));
	REFUSED(-EINVAL, ENDLESS, CALLING_LOOP(0));
}

static int new_id, next_id, destroy_id;

/* R1 = the stack at this offset */
#define FP		BPF_MOV64_REG(BPF_REG_1, BPF_REG_10)
#define SLOT(OFF)	BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, OFF)
/* From 0 to 9 */
#define FROM		BPF_MOV64_IMM(BPF_REG_2, 0)
#define TO		BPF_MOV64_IMM(BPF_REG_3, 10)
#define NEW		CALL_KFUNC(new_id)
#define NEXT		CALL_KFUNC(next_id)
#define DESTROY		CALL_KFUNC(destroy_id)

#define NO_ITER		"expected an initialized iter_num as arg #0"
#define SOME_ITER	"expected uninitialized iter_num as arg #0"

static void iter_life(void)
{
	REFUSED(-EINVAL, "Unreleased reference id=1", FP, SLOT(-8), FROM, TO, NEW);
	REFUSED(-EINVAL, "=iter_num(ref_id=1,state=active,depth=0)", FP, SLOT(-8), FROM, TO, NEW);
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), NEXT);
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), DESTROY);
	REFUSED(-EINVAL, NO_ITER, BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), FP, SLOT(-8), NEXT);
	REFUSED(-EINVAL, SOME_ITER, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8), FROM, TO, NEW);
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8), DESTROY, FP,
		SLOT(-8), DESTROY);
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8), DESTROY, FP,
		SLOT(-8), NEXT);
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-16), NEXT);
	REFUSED(-EINVAL, SOME_ITER, FP, SLOT(-12), FROM, TO, NEW);
	REFUSED(-EINVAL, SOME_ITER, FP, SLOT(0), FROM, TO, NEW);
	REFUSED(-EACCES, "invalid write to stack", FP, SLOT(-520), FROM, TO, NEW);
	/* not on the stack */
	REFUSED_R9(-EINVAL, SOME_ITER, AT_R9, FROM, TO, NEW);
	REFUSED_R9(-EINVAL, NO_ITER, AT_R9, NEXT);
	/* its life is over, but the slot's is not */
	RETURNS(5, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8), DESTROY, FP, SLOT(-8), FROM, TO,
		NEW, FP, SLOT(-8), DESTROY,
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 5),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8));
}

static void iter_slot(void)
{
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), FROM, TO, NEW,
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		FP, SLOT(-8), DESTROY);
	REFUSED(-EINVAL, NO_ITER, FP, SLOT(-8), FROM, TO, NEW,
		BPF_ST_MEM(BPF_B, BPF_REG_10, -5, 0),
		FP, SLOT(-8), NEXT);
	REFUSED(-EINVAL, "Unreleased reference", FP, SLOT(-8), FROM, TO, NEW,
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0));
	REFUSED(-EINVAL, "Unreleased reference", FP, SLOT(-8), FROM, TO, NEW,
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8),
		DESTROY);
	REFUSED(-EACCES, "invalid read from stack", FP, SLOT(-8), FROM, TO, NEW,
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_10, -4));
	REFUSED(-EACCES, "cannot write into rdonly_mem", FP, SLOT(-8), FROM, TO, NEW, FP,
		SLOT(-8), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		BPF_ST_MEM(BPF_W, BPF_REG_0, 0, 0),
		FP, SLOT(-8), DESTROY);
	REFUSED(-EACCES, "invalid access to memory", FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8),
		NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_0, 4),
		FP, SLOT(-8), DESTROY);
	/* an element that may be missing, and one of what is gone */
	REFUSED(-EACCES, NO_POINTER, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8), NEXT,
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_0, 0),
		FP, SLOT(-8), DESTROY);
	REFUSED(-EACCES, NO_POINTER, FP, SLOT(-8), FROM, TO, NEW, FP, SLOT(-8), NEXT,
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		FP, SLOT(-8), DESTROY,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 0, 1),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_6, 0));
}

/* The same traps as above, where an iterator's next element is got. */
static void iter_states(void)
{
	/* the next turn */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   FP, SLOT(-8), FROM, TO, NEW,
		   FP, SLOT(-8), NEXT,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 5),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   GOTO(-9),
		   FP, SLOT(-8), DESTROY);
	/* after the loop */
	REFUSED_R9(-EACCES, OUTSIDE,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   FP, SLOT(-8), FROM, TO, NEW,
		   FP, SLOT(-8), NEXT,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_MOV64_IMM(BPF_REG_6, VALUE_SIZE),
		   GOTO(-6),
		   FP, SLOT(-8), DESTROY,
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	/* the other way */
	REFUSED_R9(-EACCES, NO_POINTER,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_9),
		   FP, SLOT(-8), FROM, TO, NEW,
		   FP, SLOT(-8), NEXT,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 6),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(-8),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_7, 0),
		   GOTO(-10),
		   FP, SLOT(-8), DESTROY);
	/* the iterator itself: gone on one of two ways */
	REFUSED(-EINVAL, NO_ITER,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 6),
		RANDOM,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, -6),
		FP, SLOT(-8), DESTROY,
		GOTO(-10),
		FP, SLOT(-8), DESTROY);
	/* one of two: the inner one is made in each turn and never destroyed */
	REFUSED(-EINVAL, "Unreleased reference",
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 6),
		FP, SLOT(-16), FROM, TO, NEW,
		GOTO(-10),
		FP, SLOT(-8), DESTROY);
	/* a new one for each turn: this doesn't end */
	REFUSED(-EINVAL, ENDLESS,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		FP, SLOT(-8), DESTROY,
		BPF_MOV64_IMM(BPF_REG_0, 0),
		RANDOM,
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -14));
	/* one that gives elements in a loop that has no end */
	REFUSED(-EINVAL, ENDLESS,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		RANDOM,
		BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, -5),
		FP, SLOT(-8), DESTROY);
}

/*
 * In programs without loops, too: what a comparison tells of one scalar, it tells of one
 * that is equal. A state in which they are doesn't stand for one in which they are not.
 */
static void equal_scalars(void)
{
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   /* here */
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_6, VALUE_SIZE, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
	/* all three */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_8, BPF_REG_0),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   /* here */
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_6, VALUE_SIZE, 6),
		   AT_R9, INDEX(BPF_REG_8), LOAD,
		   AT_R9, INDEX(BPF_REG_7), LOAD);
	/* in slots of the stack */
	REFUSED_R9(-EACCES, "unbounded memory access",
		   RANDOM,
		   BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 1),
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_7, -8),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   GOTO(3),
		   RANDOM,
		   BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 1),
		   BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -8),
		   /* here */
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_6, VALUE_SIZE, 4),
		   BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_10, -8),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
	/* in a function, one of them its caller's */
	REFUSED_AS_IS(-EINVAL, UNBOUNDED,
		      BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0),
		      RANDOM,
		      BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		      BPF_MOV64_REG(BPF_REG_8, BPF_REG_0),
		      RANDOM,
		      BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		      RANDOM,
		      BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		      BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		      BPF_MOV64_REG(BPF_REG_1, BPF_REG_7),
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      BPF_CALL_REL(6),
		      BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		      AT_R9, INDEX(BPF_REG_6), LOAD,
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      BPF_EXIT_INSN(),
		      /* is it small? */
		      BPF_MOV64_IMM(BPF_REG_0, 0),
		      BPF_JMP_IMM(BPF_JGE, BPF_REG_1, VALUE_SIZE, 1),
		      BPF_MOV64_IMM(BPF_REG_0, 1),
		      BPF_EXIT_INSN());
	/* equal on both ways */
	RETURNS_R9(0,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_7),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_6, VALUE_SIZE, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0));
}

/*
 * The bound that one of two equal scalars is known to have by comparing the other one to
 * a third: this one has to be precise, then.
 */
static void equal_precise(void)
{
	REFUSED_R9(-EACCES, OUTSIDE,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   BPF_MOV64_IMM(BPF_REG_8, 1000),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   BPF_MOV64_IMM(BPF_REG_8, VALUE_SIZE),
		   /* here */
		   BPF_JMP_REG(BPF_JGE, BPF_REG_6, BPF_REG_8, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
	/* the other way round */
	REFUSED_R9(-EACCES, OUTSIDE,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   BPF_MOV64_IMM(BPF_REG_8, 1000),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   BPF_MOV64_IMM(BPF_REG_8, VALUE_SIZE),
		   /* here */
		   BPF_JMP_REG(BPF_JLE, BPF_REG_8, BPF_REG_6, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
	/* by being equal to one that is not a constant */
	REFUSED_R9(-EACCES, OUTSIDE,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_6),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_8, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_8, 1023),
		   RANDOM,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_8, VALUE_SIZE - 1),
		   /* here */
		   BPF_JMP_REG(BPF_JNE, BPF_REG_6, BPF_REG_8, 3),
		   AT_R9, INDEX(BPF_REG_7), LOAD);
}

/* Both have a bound by the other one's, if they are compared. */
static void bounds_of_both(void)
{
	static const struct {
		__u8 op;
		bool in_branch;	/* where R6 is less than R7, or where it goes on */
		bool or_equal;
		bool swapped;	/* R7 is compared with R6 */
	} ways[] = {
		{ BPF_JGE, false, false, false }, { BPF_JGT, false, true, false },
		{ BPF_JLE, false, false, true }, { BPF_JLT, false, true, true },
		{ BPF_JLT, true, false, false }, { BPF_JLE, true, true, false },
		{ BPF_JGT, true, false, true }, { BPF_JGE, true, true, true },
		{ BPF_JSGE, false, false, false }, { BPF_JSGT, false, true, false },
		{ BPF_JSLE, false, false, true }, { BPF_JSLT, false, true, true },
		{ BPF_JSLT, true, false, false }, { BPF_JSLE, true, true, false },
		{ BPF_JSGT, true, false, true }, { BPF_JSGE, true, true, true },
	};
	size_t i;
	int more;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		__u8 dst = ways[i].swapped ? BPF_REG_7 : BPF_REG_6;
		__u8 src = ways[i].swapped ? BPF_REG_6 : BPF_REG_7;
		struct bpf_insn cmp[] = {
			BPF_JMP_REG(ways[i].op, dst, src, ways[i].in_branch ? 1 : 3),
			ways[i].in_branch ? GOTO(3) : GOTO(0),
		};
		/* R6 is up to 255, R7 up to what makes it just fit or one more */
		for (more = 0; more < 2; more++) {
			struct insns p = {};

			EMIT(&p, BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0), RANDOM,
			     BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
			     BPF_ALU64_IMM(BPF_AND, BPF_REG_6, 0xff), RANDOM,
			     BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
			     BPF_ALU64_IMM(BPF_AND, BPF_REG_7, VALUE_SIZE - 1),
			     BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, !ways[i].or_equal + more));
			insns_add(&p, cmp, ways[i].in_branch ? 2 : 1);
			EMIT(&p, AT_R9, INDEX(BPF_REG_6), LOAD,
			     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
			if (more)
				refused(__LINE__, p.insn, p.cnt, -EACCES, OUTSIDE);
			else
				returns(__LINE__, p.insn, p.cnt, 0);
			insns_free(&p);
		}
	}
	/* the minimum of what is more */
	RETURNS_R9(0,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_6, 7),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 8),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_7, VALUE_SIZE - 1),
		   BPF_JMP_REG(BPF_JGE, BPF_REG_6, BPF_REG_7, 4),
		   AT_R9, INDEX(BPF_REG_7),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, -9),
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	REFUSED_R9(-EACCES, OUTSIDE,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_6, 7),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 8),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_7, VALUE_SIZE - 1),
		   BPF_JMP_REG(BPF_JGE, BPF_REG_6, BPF_REG_7, 3),
		   AT_R9, INDEX(BPF_REG_7),
		   BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_1, -10));
	/* 32 bits say nothing of the upper half */
	REFUSED_R9(-EINVAL, UNBOUNDED,
		   BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_9, 0),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_7, VALUE_SIZE - 1),
		   BPF_JMP32_REG(BPF_JGE, BPF_REG_6, BPF_REG_7, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD);
	RETURNS_R9(0,
		   RANDOM,
		   BPF_MOV32_REG(BPF_REG_6, BPF_REG_0),
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_7, BPF_REG_0),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_7, VALUE_SIZE - 1),
		   BPF_JMP32_REG(BPF_JGE, BPF_REG_6, BPF_REG_7, 3),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_MOV64_IMM(BPF_REG_0, 0));
}

/* What a known scalar is more than another one is not in what the log shows. */
static void plus_log(void)
{
	REFUSED(-EACCES, "R1_w=8 R8=8",
		MAY_GOTO(0),
		RANDOM,
		BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		BPF_MOV64_REG(BPF_REG_8, BPF_REG_6),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_8, 5),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 3, 2),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_8),
		BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_8, 0));
}

/*
 * A loop that narrows a scalar comes to an end, though each state contains the next. The
 * scalar is on the stack, as registers of other states are not taken for the same.
 */
static void narrows(void)
{
	RETURNS(0,
		RANDOM,
		BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 7),
		BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		/* here, with 0 to 7, 0 to 3, 0 to 1 and 0 */
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -8),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		GOTO(-6));
}

/* The number after @what in the last line of what was loaded last */
static int said(const char *what)
{
	const char *at = strstr(arena_log, "processed ");

	at = at ? strstr(at, what) : NULL;
	return ASSERT_OK_PTR(at, what) ? atoi(at + strlen(what)) : INT_MAX;
}

/* How many insns the verifier followed in it */
static int nr_processed(void)
{
	return said("processed ");
}

/* Loops over iterators, one in the other, and what the innermost one does in a turn */
static void add_nest(struct insns *p, int depth, const struct bpf_insn *turn, __u32 cnt)
{
	__u32 top, leave;
	int off;

	if (!depth) {
		insns_add(p, turn, cnt);
		return;
	}
	off = -8 * depth;
	EMIT(p, FP, SLOT(off), BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_3, 3), NEW);
	top = p->cnt;
	EMIT(p, FP, SLOT(off), NEXT);
	leave = p->cnt;
	EMIT(p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));
	add_nest(p, depth - 1, turn, cnt);
	EMIT(p, GOTO(-(int)(p->cnt + 1 - top)));
	p->insn[leave].off = p->cnt - leave - 1;
	EMIT(p, FP, SLOT(off), DESTROY);
}

/* What is verified of an inner loop is good for all turns of those around it. */
static void iter_nest(void)
{
	static const struct bpf_insn count = BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1);
	static const struct {
		int depth, turns, limit;
	} nests[] = { { 2, 9, 300 }, { 3, 27, 500 }, { 4, 81, 700 }, { 5, 243, 900 } };
	__u32 ret, saved = arena_prog_flags;
	struct insns p = {};
	size_t i;
	int fd;

	arena_prog_flags = 0;
	arena_log_level = 4;
	for (i = 0; i < ARRAY_SIZE(nests); i++) {
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_6, 0));
		add_nest(&p, nests[i].depth, &count, 1);
		EMIT(&p, BPF_MOV64_REG(BPF_REG_0, BPF_REG_6), BPF_EXIT_INSN());
		fd = arena_load_log(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
		insns_free(&p);
		if (!ASSERT_GE(fd, 0, "load"))
			continue;
		printf("%d deep: %d insns\n", nests[i].depth, nr_processed());
		ASSERT_LE(nr_processed(), nests[i].limit, "insns");
		if (arena_run(fd, NULL, 0, &ret))
			ASSERT_EQ(ret, nests[i].turns, "turns");
		close(fd);
	}
	arena_prog_flags = saved;
	arena_log_level = 1;
}

/*
 * States of a loop that are finished and prune nothing don't stay in memory, 2 KiB each and
 * more. No path through a turn is like another: each has bits of its own in an index.
 */
static void states_freed(void)
{
	struct insns turn = {}, p = {};
	int fd, i;

	EMIT(&turn, BPF_MOV64_IMM(BPF_REG_6, 0));
	for (i = 0; i < 10; i++)
		EMIT(&turn, RANDOM, BPF_JMP_IMM(BPF_JSET, BPF_REG_0, 1, 1),
		     BPF_ALU64_IMM(BPF_OR, BPF_REG_6, 1 << i));
	EMIT(&turn, BPF_ALU64_IMM(BPF_AND, BPF_REG_6, VALUE_SIZE - 1), AT_R9,
	     INDEX(BPF_REG_6), LOAD, BPF_MOV64_IMM(BPF_REG_6, 0));

	arena_log_level = 4;
	EMIT(&p, BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0), BPF_MOV64_IMM(BPF_REG_6, 0));
	add_nest(&p, 1, turn.insn, turn.cnt);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	fd = arena_load_log(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	insns_free(&turn);
	insns_free(&p);
	if (ASSERT_GE(fd, 0, "load"))
		close(fd);
	printf("%d states, %d at a time\n", said("total_states "), said("peak_states "));
	ASSERT_GT(said("total_states "), 2000, "states");
	ASSERT_LT(said("peak_states "), 500, "states at a time");
	arena_log_level = 1;
}

/*
 * A jump into a loop that is verified is safe, but not what reads more after the loop than
 * its turns do: the way before the jump has to know that R7 is an index.
 */
static void into_loop(void)
{
	REFUSED_R9(-EACCES, OUTSIDE,
		   FP, SLOT(-8), FROM, TO, NEW,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_8, BPF_REG_0),
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   BPF_JMP_IMM(BPF_JSET, BPF_REG_8, 1, 3),
		   BPF_MOV64_IMM(BPF_REG_8, 0),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(7),
		   BPF_JMP_IMM(BPF_JSET, BPF_REG_8, 2, 2),
		   BPF_MOV64_IMM(BPF_REG_7, 0),
		   GOTO(1),
		   BPF_MOV64_IMM(BPF_REG_7, 1000),
		   /* with 0, what is said of the jump's target is true; not with 1000 */
		   BPF_MOV64_IMM(BPF_REG_8, 0),
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   GOTO(5),
		   FP, SLOT(-8), NEXT,
		   BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 2),
		   BPF_MOV64_IMM(BPF_REG_0, 0),
		   GOTO(-6),
		   FP, SLOT(-8), DESTROY,
		   AT_R9, INDEX(BPF_REG_7), LOAD);
}

/* What an inner loop does with each value of an index isn't followed for each turn. */
static void iter_index(void)
{
	static const struct bpf_insn turn[] = {
		RANDOM,
		BPF_JMP_IMM(BPF_JSET, BPF_REG_0, 1, 1),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_6, 7),
		AT_R9, INDEX(BPF_REG_6), LOAD,
	};
	struct insns p = {};
	int fd;

	arena_log_level = 4;
	EMIT(&p, BPF_LD_MAP_VALUE(BPF_REG_9, value_fd, 0), BPF_MOV64_IMM(BPF_REG_6, 0));
	add_nest(&p, 2, turn, ARRAY_SIZE(turn));
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	fd = arena_load_log(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	insns_free(&p);
	if (ASSERT_GE(fd, 0, "load"))
		close(fd);
	printf("%d insns\n", nr_processed());
	ASSERT_LE(nr_processed(), 5000, "insns");
	arena_log_level = 1;
}

#define NR_ITERS	3

/*
 * A way through a loop: iterator @next has to give an element, and those of @anew (from 1
 * on) are made anew, in this order, or what way @rest_of makes anew.
 */
struct iter_way {
	int next;
	int anew[NR_ITERS];
	int rest_of;
};

/* All are made by the same insn, that of a function: so one can be taken for another. */
static void add_iter(struct insns *p, int iter)
{
	EMIT(p, FP, SLOT(-8 * iter), BPF_CALL_REL(0));
}

/* The ways that chance takes, in each turn one of them; the first is verified first. */
static void add_ways(struct insns *p, const struct iter_way *ways, int cnt)
{
	__u32 meet, jumps, ended[8], rest[8], func, i;
	const int *iter;
	int way;

	for (i = 1; i <= NR_ITERS; i++)
		add_iter(p, i);
	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0));
	meet = p->cnt;
	EMIT(p, GOTO(0), MAY_GOTO(0), RANDOM);
	/* many branches, so that a loop with no end soon has too many of them */
	for (i = 0; i < 64; i++)
		EMIT(p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 1000 + i, 0));
	EMIT(p, BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 3));
	jumps = p->cnt;
	for (way = 1; way < cnt; way++)
		EMIT(p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, cnt - way, 0));
	for (way = 0; way < cnt; way++) {
		if (way)
			p->insn[jumps + cnt - way - 1].off = p->cnt - (jumps + cnt - way);
		EMIT(p, FP, SLOT(-8 * ways[way].next), NEXT);
		ended[way] = p->cnt;
		EMIT(p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0), BPF_MOV64_IMM(BPF_REG_0, 0));
		rest[way] = p->cnt;
		if (ways[way].rest_of) {
			EMIT(p, GOTO((int)rest[ways[way].rest_of] - (int)p->cnt - 1));
			continue;
		}
		for (iter = ways[way].anew; iter < ways[way].anew + NR_ITERS && *iter; iter++) {
			EMIT(p, FP, SLOT(-8 * *iter), DESTROY);
			add_iter(p, *iter);
		}
		EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), GOTO((int)meet - (int)p->cnt - 2));
	}
	for (way = 0; way < cnt; way++)
		p->insn[ended[way]].off = p->cnt - ended[way] - 1;
	for (i = 1; i <= NR_ITERS; i++)
		EMIT(p, FP, SLOT(-8 * (int)i), DESTROY);
	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	func = p->cnt;
	for (i = 0; i < func; i++)
		if (p->insn[i].src_reg == BPF_PSEUDO_CALL)
			p->insn[i].imm = func - i - 1;
	EMIT(p, FROM, TO, NEW, BPF_EXIT_INSN());
}

static void ways_end(int line, const struct iter_way *ways, int cnt, bool end)
{
	struct insns p = {};

	add_ways(&p, ways, cnt);
	if (end)
		returns(line, p.insn, p.cnt, 0);
	else
		refused(line, p.insn, p.cnt, -EFAULT, "jumps is too complex");
	insns_free(&p);
}

#define WAYS_END(END, ...)							\
	ways_end(__LINE__, (struct iter_way[]){ __VA_ARGS__ },			\
		 sizeof((struct iter_way[]){ __VA_ARGS__ }) / sizeof(struct iter_way), END)

/*
 * Loops with an iterator in each turn. The third one is made anew last, so that the others
 * keep their places in the list of references.
 */
static void iter_endless(void)
{
	arena_log_level = 4;
	WAYS_END(true, { 2 }, { 1 });
	WAYS_END(true, { 2 }, { 1, { 2, 3 } });
	/* each one gets on where the other one is made anew, by turns */
	WAYS_END(false, { 2 }, { 2, { 1, 3 } }, { 1, { 2, 3 } });
	WAYS_END(false, { 2 }, { 1, { 2, 3 } }, { 2, { 1, 3 } });
	WAYS_END(false, { 2, { 1, 3 } }, { 1, { 2, 3 } });
	/* the second one gets on and comes to a state in which the first one did */
	WAYS_END(true, { 1 }, { 1, { 2, 3 } }, { 1, .rest_of = 1 });
	WAYS_END(false, { 1 }, { 1, { 2, 3 } }, { 2, .rest_of = 1 });
	arena_log_level = 1;
}

/* R6 is below 1 << 32 as a 32-bit insn defines it: here is the half above. */
#define DEF32		RANDOM, BPF_MOV32_REG(BPF_REG_6, BPF_REG_0)
#define UPPER		BPF_MOV64_REG(BPF_REG_0, BPF_REG_6),			\
			BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 32)

/* The verifier doesn't know how often the loop was here: it leaves in the fourth turn. */
#define COUNT_FROM_0	BPF_ST_MEM(BPF_DW, BPF_REG_9, 0, 0)
#define COUNT		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_9, 0)
#define FOURTH(OFF)	COUNT, BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),		\
			BPF_STX_MEM(BPF_DW, BPF_REG_9, BPF_REG_0, 0),		\
			BPF_JMP_IMM(BPF_JGT, BPF_REG_0, 3, OFF)

/*
 * The loop defines R6 by a 32-bit insn, and what comes after it reads all of it: the
 * insn has to extend it, although the verifier doesn't follow it to where it is read.
 */
static void zero_extension(void)
{
	RETURNS_R9(0,
		   COUNT_FROM_0, DEF32,
		   MAY_GOTO(7),
		   FOURTH(3), DEF32,
		   GOTO(-8),
		   UPPER);
	/* at the end of a way that is explored when the loop was closed */
	RETURNS_R9(0,
		   COUNT_FROM_0, DEF32,
		   MAY_GOTO(10),
		   FOURTH(3), DEF32,
		   GOTO(-8),
		   UPPER,
		   BPF_EXIT_INSN(),
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	/* where the loop comes to its entry by no jump */
	RETURNS_R9(0,
		   COUNT_FROM_0, DEF32,
		   GOTO(6),
		   FOURTH(4), DEF32,
		   MAY_GOTO(1),
		   GOTO(-8),
		   UPPER);
	/* by one of two ways that meet, and the one that is explored last */
	RETURNS_R9(0,
		   COUNT_FROM_0, DEF32,
		   MAY_GOTO(12),
		   FOURTH(8),
		   COUNT,
		   BPF_JMP_IMM(BPF_JGT, BPF_REG_0, 2, 3),
		   DEF32,
		   GOTO(2),
		   DEF32,
		   /* here */
		   GOTO(-13),
		   UPPER);
	/* in a slot of the stack, whose upper half is another one's */
	RETURNS_R9(0,
		   COUNT_FROM_0, DEF32,
		   BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, -1),
		   BPF_STX_MEM(BPF_W, BPF_REG_10, BPF_REG_6, -8),
		   MAY_GOTO(8),
		   FOURTH(4), DEF32,
		   BPF_STX_MEM(BPF_W, BPF_REG_10, BPF_REG_6, -8),
		   GOTO(-9),
		   BPF_LDX_MEM(BPF_W, BPF_REG_6, BPF_REG_10, -8),
		   UPPER);
}

/* The same where iterators give the turns */
static void iter_zero_extension(void)
{
	RETURNS(0,
		DEF32,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		DEF32,
		GOTO(-7),
		FP, SLOT(-8), DESTROY,
		UPPER);
	/* at the end of a way that is explored when the loop was closed */
	RETURNS(0,
		DEF32,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 11),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_0, 0),
		BPF_JMP_IMM(BPF_JGT, BPF_REG_0, 5, 3),
		DEF32,
		GOTO(-9),
		FP, SLOT(-8), DESTROY,
		UPPER,
		BPF_EXIT_INSN(),
		FP, SLOT(-8), DESTROY,
		BPF_MOV64_IMM(BPF_REG_0, 0));
	/* in a function; R6 is its caller's */
	RETURNS(0,
		DEF32,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8),
		BPF_CALL_REL(10),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		DEF32,
		GOTO(-7),
		FP, SLOT(-8), DESTROY,
		UPPER,
		BPF_EXIT_INSN(),
		NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
		BPF_MOV64_IMM(BPF_REG_0, 1));
	/* in an inner loop, and after the outer one */
	RETURNS(0,
		DEF32,
		FP, SLOT(-8), FROM, TO, NEW,
		FP, SLOT(-8), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 16),
		FP, SLOT(-16), FROM, TO, NEW,
		FP, SLOT(-16), NEXT,
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3),
		DEF32,
		GOTO(-7),
		FP, SLOT(-16), DESTROY,
		GOTO(-20),
		FP, SLOT(-8), DESTROY,
		UPPER);
}

/* What must be accepted for all that, and does what it says */
static void sound(void)
{
	/* the index is known again in each turn */
	RETURNS_R9(0,
		   RANDOM,
		   BPF_MOV64_REG(BPF_REG_6, BPF_REG_0),
		   MAY_GOTO(6),
		   BPF_JMP_IMM(BPF_JGE, BPF_REG_6, VALUE_SIZE, 5),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		   GOTO(-7),
		   BPF_MOV64_IMM(BPF_REG_0, 0));
	/* a register, and a slot, that the loop doesn't touch */
	RETURNS_R9(55,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   BPF_MOV64_IMM(BPF_REG_7, 5),
		   BPF_ST_MEM(BPF_DW, BPF_REG_10, -512, 50),
		   MAY_GOTO(3),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 3),
		   BPF_ALU64_IMM(BPF_XOR, BPF_REG_6, 1),
		   GOTO(-4),
		   AT_R9, INDEX(BPF_REG_7), LOAD,
		   BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -512),
		   BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_7));
	/* an index that two bits limit, whatever the turn */
	RETURNS_R9(0,
		   BPF_MOV64_IMM(BPF_REG_6, 0),
		   MAY_GOTO(6),
		   BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		   BPF_ALU64_IMM(BPF_AND, BPF_REG_6, VALUE_SIZE - 1),
		   AT_R9, INDEX(BPF_REG_6), LOAD,
		   GOTO(-7),
		   BPF_MOV64_IMM(BPF_REG_0, 0));
}

/* What is dumped is what was loaded. */
static void dump(void)
{
	struct bpf_insn insn[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0), MAY_GOTO(2), BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_JMP_A(-3), BPF_EXIT_INSN(),
	};
	int fd = arena_load(BPF_PROG_TYPE_SYSCALL, insn, ARRAY_SIZE(insn));
	struct bpf_insn dumped[ARRAY_SIZE(insn)] = {};
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0)
		return;
	info.xlated_prog_insns = ptr_to_u64(dumped);
	info.xlated_prog_len = sizeof(dumped);
	ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info");
	ASSERT_EQ(info.xlated_prog_len, sizeof(insn), "length");
	ASSERT_OK(memcmp(dumped, insn, sizeof(insn)), "insns");
	close(fd);
}

static const struct arena_subtest verifier_tests[] = {
	{ "encoding", encoding },
	{ "no_loop", no_loop },
	{ "endless", endless },
	{ "endless_joined", endless_joined },
	{ "after_loop", after_loop },
	{ "next_turn", next_turn },
	{ "other_way", other_way },
	{ "same_place", same_place },
	{ "before_loop", before_loop },
	{ "functions", functions },
	{ "plus", plus },
	{ "cpu_number", cpu_number },
	{ "middle", middle },
	{ "counted_by_caller", counted_by_caller },
	{ "iter_life", iter_life },
	{ "iter_slot", iter_slot },
	{ "iter_states", iter_states },
	{ "bounds_of_both", bounds_of_both },
	{ "plus_log", plus_log },
	{ "narrows", narrows },
	{ "iter_nest", iter_nest },
	{ "states_freed", states_freed },
	{ "into_loop", into_loop },
	{ "iter_index", iter_index },
	{ "iter_endless", iter_endless },
	{ "equal_scalars", equal_scalars },
	{ "equal_precise", equal_precise },
	{ "zero_extension", zero_extension },
	{ "iter_zero_extension", iter_zero_extension },
	{ "sound", sound },
	{ "dump", dump },
};

void test_arena_loops_verifier(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	value_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "value", 4, VALUE_SIZE, 1, &opts);
	ringbuf_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ringbuf", 0, 0, getpagesize(), &opts);
	if (!ASSERT_GE(value_fd, 0, "map_create") || !ASSERT_GE(ringbuf_fd, 0, "ringbuf"))
		goto out;
	new_id = arena_kfunc("bpf_iter_num_new");
	next_id = arena_kfunc("bpf_iter_num_next");
	destroy_id = arena_kfunc("bpf_iter_num_destroy");
	/* A state for each insn, so that all have what to be compared with */
	arena_prog_flags = BPF_F_TEST_STATE_FREQ;
	arena_subtests(verifier_tests, ARRAY_SIZE(verifier_tests));
	arena_prog_flags = 0;
out:
	close(ringbuf_fd);
	close(value_fd);
}

static struct arena_loops *skel;

/* More than the limit, as ticks are not that close and emulated CPUs not that fast */
#define MAX_NS	(400 * 1000000ULL)

static bool run(const struct bpf_program *prog, struct loops *l)
{
	__u32 ret = -1;

	return arena_run(bpf_program__fd(prog), l, sizeof(*l), &ret) &&
	       ASSERT_EQ(ret, 0, bpf_program__name(prog));
}

/*
 * Runs a program that ends because its time or its turns are over. An emulated CPU can
 * stand still for a while: one of a few runs must have met the limit.
 */
static bool run_in_time(const struct bpf_program *prog, struct loops *l)
{
	struct loops in = *l;
	int tries;

	for (tries = 0; tries < 10; tries++) {
		*l = in;
		if (!run(prog, l))
			return false;
		if (l->ns < MAX_NS)
			return true;
	}
	ASSERT_LT(l->ns, MAX_NS, "ns");
	return false;
}

static void many_turns(void)
{
	const struct bpf_program *progs[] = { skel->progs.in_main, skel->progs.in_global };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(progs); i++) {
		struct loops l = { .want = 10000000 };

		/* as many as there are, but not for ever */
		if (!run_in_time(progs[i], &l))
			continue;
		ASSERT_GT(l.turns, 10000, "turns");
		ASSERT_LE(l.turns, MAX_TURNS, "turns");
		/* and again */
		l.want = 10000;
		if (run_in_time(progs[i], &l))
			ASSERT_EQ(l.turns, 10000, "turns of next run");
		l.want = -1;
		if (run_in_time(progs[i], &l)) {
			ASSERT_GT(l.turns, 10000, "turns without end");
			ASSERT_LE(l.turns, MAX_TURNS, "turns without end");
		}
	}
}

static void reserve(void)
{
	struct loops l = { .want = -1 };

	if (!run_in_time(skel->progs.in_main_then_function, &l))
		return;
	ASSERT_GT(l.turns, 10000, "turns of main");
	ASSERT_GT(l.more, 100, "turns of function");
	ASSERT_EQ(l.sum, 0, "turns of next function");
	ASSERT_LE(l.turns + l.more, MAX_TURNS, "turns");
}

static void nested(void)
{
	struct loops l = { .want = 20 };

	if (run(skel->progs.nested, &l)) {
		ASSERT_EQ(l.turns, 20 * 21, "turns of main");
		ASSERT_EQ(l.sum, 20 * 20 * 2 * 20, "turns of functions");
	}
	l.want = 1000;
	if (run_in_time(skel->progs.nested, &l)) {
		ASSERT_GT(l.turns + l.sum, 10000, "turns");
		ASSERT_LE(l.turns + l.sum, MAX_TURNS, "turns");
	}
}

static void callbacks(void)
{
	struct loops l = { .want = 10 };

	if (run(skel->progs.in_callback, &l)) {
		ASSERT_EQ(skel->bss->callback_calls, 100 + 10 * 2, "calls");
		ASSERT_EQ(l.turns, 10 + 2 * 10 * (100 + 10 * 2), "turns");
	}
	if (run(skel->progs.in_each_elem, &l))
		ASSERT_EQ(l.turns, 10 * 2 * 10, "turns for each element");

	l.want = -1;
	if (run_in_time(skel->progs.in_callback, &l)) {
		ASSERT_EQ(skel->bss->callback_calls, 100, "calls");
		ASSERT_GT(l.turns, 10000, "turns without end");
		ASSERT_LE(l.turns, MAX_TURNS, "turns without end");
	}
}

static void slow(void)
{
	struct loops l = {};

	if (run_in_time(skel->progs.slow, &l))
		ASSERT_GT(l.turns, 1, "turns");
}

/* Loops need no room on the stack: all 512 bytes are the program's, in the function, too. */
static void add_whole_stack(struct insns *p)
{
	int off;

	for (off = -512; off < 0; off += 8)
		EMIT(p, BPF_ST_MEM(BPF_DW, BPF_REG_10, off, off));
	EMIT(p,
	     BPF_MOV64_IMM(BPF_REG_6, 0),
	     MAY_GOTO(3),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
	     BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 1000, 1),
	     GOTO(-4));
	for (off = -512; off < 0; off += 8)
		EMIT(p, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, off),
		     BPF_ALU64_IMM(BPF_SUB, BPF_REG_1, off),
		     BPF_ALU64_REG(BPF_ADD, BPF_REG_6, BPF_REG_1));
}

static void whole_stack(void)
{
	struct insns p = {};
	__u32 ret = -1;

	add_whole_stack(&p);
	EMIT(&p, BPF_MOV64_REG(BPF_REG_0, BPF_REG_6), BPF_EXIT_INSN());
	if (insns_run(&p, NULL, 0, &ret))
		ASSERT_EQ(ret, 1000, "returns");
}

static void structures(void)
{
	struct loops l = { .want = 1000 };

	if (run(skel->progs.list, &l)) {
		ASSERT_EQ(l.sum, 999 * 1000 / 2, "sum of list");
		ASSERT_EQ(l.turns, 1000, "length of list");
	}
	if (run(skel->progs.tree, &l))
		ASSERT_EQ(l.sum, 1000, "found in tree");
	l.want = 100;
	if (run(skel->progs.ring, &l)) {
		ASSERT_GT(l.turns, 10000, "turns of ring");
		ASSERT_LE(l.turns, MAX_TURNS, "turns of ring");
	}
}

static __u64 expected_numbers(int want, __u64 *turns)
{
	__u64 sum = 0;
	int i, j;

	*turns = 0;
	for (i = 0; i < want; i++) {
		++*turns;
		for (j = i; j < want; j++) {
			if (j == 90)
				continue;
			sum += i * j;
			if (j == 95)
				break;
		}
		if (i == 50)
			break;
	}
	return sum;
}

static void numbers(void)
{
	static const int wants[] = { 0, 1, 10, 100, 1000 };
	struct loops l = {};
	__u64 sum, turns;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		l.want = wants[i];
		sum = expected_numbers(wants[i], &turns);
		if (!run(skel->progs.numbers, &l))
			continue;
		ASSERT_EQ(l.sum, sum, "sum");
		ASSERT_EQ(l.turns, turns, "turns");
	}
	l.want = 7;
	if (run(skel->progs.numbers_everywhere, &l)) {
		ASSERT_EQ(l.sum, 7 * 120, "sum");
		ASSERT_EQ(l.more, 120, "sum in callbacks");
	}
	l.turns = 0;
	if (run(skel->progs.no_numbers, &l))
		ASSERT_EQ(l.turns, 0, "turns");
	if (run(skel->progs.number_as_index, &l))
		ASSERT_EQ(l.sum, 99 * 100 / 2, "sum by index");
}

/* Loads and attaches the extension of this name only. */
static struct bpf_link *extend(struct arena_loops_ext *ext, struct bpf_program *prog,
			       const struct bpf_program *target)
{
	const char *func = bpf_program__section_name(prog) + strlen("freplace/");
	int fd = bpf_program__fd(target);
	struct bpf_program *p;

	bpf_object__for_each_program(p, ext->obj)
		bpf_program__set_autoload(p, p == prog);
	arena_set_test_flags(ext->obj);
	if (!ASSERT_OK(bpf_program__set_attach_target(prog, fd, func), "target") ||
	    !ASSERT_OK(arena_loops_ext__load(ext), "load"))
		return NULL;
	return bpf_program__attach_freplace(prog, 0, NULL);
}

/* Of a function that is called twice, in a program that had no loops. */
static void extensions(void)
{
	struct arena_loops_ext *ext = arena_loops_ext__open();
	struct loops l = { .want = 1000 };
	struct bpf_link *link;

	if (!ASSERT_OK_PTR(ext, "open"))
		return;
	link = extend(ext, ext->progs.extension, skel->progs.extended);
	if (ASSERT_OK_PTR(link, "attach")) {
		if (run_in_time(skel->progs.extended, &l))
			ASSERT_EQ(l.turns, 2000, "turns");
		/* two calls get no more than one */
		l.want = -1;
		if (run_in_time(skel->progs.extended, &l)) {
			ASSERT_GT(l.turns, 10000, "turns without end");
			ASSERT_LE(l.turns, MAX_TURNS, "turns without end");
		}
	}
	bpf_link__destroy(link);
	arena_loops_ext__destroy(ext);
}

static void main_extension(void)
{
	struct arena_loops_ext *ext = arena_loops_ext__open();
	struct bpf_link *link;
	__u32 ret = -1;

	if (!ASSERT_OK_PTR(ext, "open"))
		return;
	link = extend(ext, ext->progs.main_extension, skel->progs.extended_main);
	if (ASSERT_OK_PTR(link, "attach") &&
	    arena_run_skb(bpf_program__fd(skel->progs.extended_main), &ret)) {
		ASSERT_EQ(ret, XDP_DROP, "returns");
		ASSERT_EQ(ext->bss->main_turns, 1000, "turns");
	}
	bpf_link__destroy(link);
	arena_loops_ext__destroy(ext);
}

static void timer(void)
{
	struct loops l = {};

	if (run(skel->progs.in_timer, &l))
		ASSERT_TRUE(ARENA_EVENTUALLY(READ_ONCE(skel->bss->timer_turns) == 2000), "turns");
}

static bool stop;

static void *loop_without_end(void *arg)
{
	struct loops l = { .want = -1 };

	while (!READ_ONCE(stop))
		arena_run(bpf_program__fd(skel->progs.in_main), &l, sizeof(l), NULL);
	return NULL;
}

/* One uses up its budget again and again, the other one never gets close to it. */
static void two_cpus(void)
{
	struct loops l = { .want = 2000 };
	pthread_t thread;
	int i, cut = 0;

	WRITE_ONCE(stop, false);
	if (!ASSERT_OK(pthread_create(&thread, NULL, loop_without_end, NULL), "thread"))
		return;
	for (i = 0; i < 200; i++)
		cut += !run(skel->progs.in_main, &l) || l.turns != l.want;
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
	/* only by an emulated CPU that stood still */
	ASSERT_LT(cut, 10, "runs cut short");
}

static void interrupts(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = 1000,
	};
	struct bpf_link *link;
	struct loops l = {};
	int fd;

	fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, 0);
	if (!ASSERT_GE(fd, 0, "perf_event_open"))
		return;
	link = bpf_program__attach_perf_event(skel->progs.in_interrupt, fd);
	if (!ASSERT_OK_PTR(link, "attach")) {
		close(fd);
		return;
	}
	skel->bss->irq_runs = 0;
	skel->bss->irq_short_runs = 0;
	if (run(skel->progs.interrupted, &l)) {
		ASSERT_GT(skel->bss->irq_runs, 2, "runs in interrupt");
		ASSERT_EQ(skel->bss->irq_short_runs, 0, "short runs in interrupt");
		ASSERT_GT(l.turns, 1000, "turns");
		ASSERT_LE(l.turns, MAX_TURNS, "turns");
		ASSERT_EQ(l.more, 0, "turns after the last");
	}
	bpf_link__destroy(link);
}

static const struct arena_subtest run_tests[] = {
	{ "many_turns", many_turns },
	{ "reserve", reserve },
	{ "nested", nested },
	{ "callbacks", callbacks },
	{ "slow", slow },
	{ "whole_stack", whole_stack },
	{ "structures", structures },
	{ "numbers", numbers },
	{ "extensions", extensions },
	{ "main_extension", main_extension },
	{ "timer", timer },
	{ "two_cpus", two_cpus },
	{ "interrupts", interrupts },
};

static void run_all(void)
{
	skel = arena_loops__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	arena_set_test_flags(skel->obj);
	if (ASSERT_OK(arena_loops__load(skel), "load"))
		arena_subtests(run_tests, ARRAY_SIZE(run_tests));
	arena_loops__destroy(skel);
}

void test_arena_loops_run(void)
{
	run_all();
}

/* What no insn reads of a register is random: nothing must depend on it. */
void test_arena_loops_run_rnd_hi32(void)
{
	arena_test_flags = BPF_F_TEST_RND_HI32;
	run_all();
	arena_test_flags = 0;
}
