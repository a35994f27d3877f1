// SPDX-License-Identifier: GPL-2.0
/*
 * Sections of programs, of RCU, without preemption and without interrupts: what
 * the verifier demands of them, that they hold off what they should, and which
 * kfuncs programs of which type can call.
 */
#define _GNU_SOURCE
#include "arena_insn.h"
#include <pthread.h>
#include <sched.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include "arena_test.h"
#include "arena_sections.h"
#include "arena_sections.skel.h"

static struct arena a;

struct section {
	const char *enter_name;	/* as in the verifier's messages */
	const char *region;
	const char *unmatched;
	int enter;
	int leave;
	bool has_flags;
};

static struct section sections[] = {
	[SECTION_RCU] = { "bpf_rcu_read_lock", "rcu_read_lock", "unmatched rcu read unlock" },
	[SECTION_PREEMPT] = { "bpf_preempt_disable", "non-preemptible",
			      "unmatched attempt to enable preemption" },
	[SECTION_IRQ] = { "bpf_local_irq_save", "IRQ-disabled",
			  "expected an initialized irq flag as arg#0", .has_flags = true },
};

static bool find_kfuncs(void)
{
	static const char * const leave[] = {
		[SECTION_RCU] = "bpf_rcu_read_unlock",
		[SECTION_PREEMPT] = "bpf_preempt_enable",
		[SECTION_IRQ] = "bpf_local_irq_restore",
	};
	int i;

	for (i = 0; i < NR_SECTIONS; i++) {
		sections[i].enter = arena_kfunc(sections[i].enter_name);
		sections[i].leave = arena_kfunc(leave[i]);
		if (sections[i].enter <= 0 || sections[i].leave <= 0)
			return false;
	}
	return true;
}

/* The flags of an IRQ section are at fp + @off. */
static void emit_call(struct insns *p, const struct section *s, int kfunc, int off)
{
	if (s->has_flags)
		EMIT(p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, off));
	EMIT(p, CALL_KFUNC(kfunc));
}

static void enter_at(struct insns *p, const struct section *s, int off)
{
	emit_call(p, s, s->enter, off);
}

static void leave_at(struct insns *p, const struct section *s, int off)
{
	emit_call(p, s, s->leave, off);
}

static void enter(struct insns *p, const struct section *s)
{
	enter_at(p, s, -8);
}

static void leave(struct insns *p, const struct section *s)
{
	leave_at(p, s, -8);
}

static void end(struct insns *p)
{
	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
}

/* R0 becomes a number that the verifier does not know. */
static void unknown(struct insns *p)
{
	EMIT(p, BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32));
}

static void refused(int line, struct insns *p, enum bpf_prog_type type, int err,
		    const char *fmt, const char *arg)
{
	char msg[128];
	int fd;

	snprintf(msg, sizeof(msg), fmt, arg);
	fd = arena_load_log(type, p->insn, p->cnt);
	if (!ASSERT_EQ(fd, err, "refused") || !ASSERT_HAS_SUBSTR(arena_log, msg, "log"))
		printf("of line %d\n", line);
	if (fd >= 0)
		close(fd);
	insns_free(p);
}

#define REFUSED_TYPE(P, TYPE, ERR, FMT, ARG)					\
	refused(__LINE__, P, TYPE, ERR, FMT, ARG)
#define REFUSED(P, ERR, FMT, ARG)						\
	REFUSED_TYPE(P, BPF_PROG_TYPE_SYSCALL, ERR, FMT, ARG)

static void runs(int line, struct insns *p)
{
	__u32 ret = -1;

	if (!insns_run(p, NULL, 0, &ret) || !ASSERT_EQ(ret, 0, "ret"))
		printf("of line %d\n", line);
}

#define RUNS(P)		runs(__LINE__, P)

static void balanced(void)
{
	const struct section *s, *t;
	struct insns p = {};

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		enter(&p, s);
		leave(&p, s);
		enter(&p, s);
		leave(&p, s);
		end(&p);
		RUNS(&p);
	}
	/* Different ones need not nest properly. */
	for (s = sections; s < sections + NR_SECTIONS; s++) {
		for (t = sections; t < sections + NR_SECTIONS; t++) {
			if (s == t)
				continue;
			enter(&p, s);
			enter(&p, t);
			leave(&p, s);
			leave(&p, t);
			end(&p);
			RUNS(&p);
		}
	}
}

/* On either side of a branch, in a loop */
static void branches(void)
{
	const struct section *s;
	struct insns p = {};
	__u32 turn, exit;

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		unknown(&p);
		EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_0));
		enter(&p, s);
		EMIT(&p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 0, s->has_flags ? 5 : 3));
		leave(&p, s);
		end(&p);
		leave(&p, s);
		end(&p);
		RUNS(&p);

		EMIT(&p, BPF_MOV64_IMM(BPF_REG_6, 0));
		turn = p.cnt;
		enter(&p, s);
		unknown(&p);
		leave(&p, s);
		EMIT(&p, BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1));
		exit = p.cnt;
		EMIT(&p, BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 10, turn - exit - 1));
		end(&p);
		RUNS(&p);
	}
}

static void not_left(void)
{
	const char *msg = "BPF_EXIT instruction in main prog cannot be used inside %s-ed region";
	const struct section *s;
	struct insns p = {};

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		enter(&p, s);
		end(&p);
		REFUSED(&p, -EINVAL, msg, s->enter_name);

		/* on one path of two */
		unknown(&p);
		EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_0));
		enter(&p, s);
		EMIT(&p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 0, s->has_flags ? 3 : 1));
		leave(&p, s);
		end(&p);
		REFUSED(&p, -EINVAL, msg, s->enter_name);
	}
}

static void not_entered(void)
{
	const struct section *s;
	struct insns p = {};

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		leave(&p, s);
		end(&p);
		REFUSED(&p, -EINVAL, "%s", s->unmatched);

		enter(&p, s);
		leave(&p, s);
		leave(&p, s);
		end(&p);
		REFUSED(&p, -EINVAL, "%s", s->unmatched);

		/* on one path of two */
		unknown(&p);
		EMIT(&p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, s->has_flags ? 3 : 1));
		enter(&p, s);
		leave(&p, s);
		end(&p);
		REFUSED(&p, -EINVAL, "%s", s->unmatched);
	}
}

/*
 * Both ways to the end look alike but for the section, and the one without it is
 * verified first. The flag makes the verifier keep every state that it can.
 */
static void pruned(void)
{
	const struct section *s;
	struct insns p = {};
	__u32 join, other;

	arena_prog_flags = BPF_F_TEST_STATE_FREQ;
	for (s = sections; s < sections + NR_SECTIONS; s++) {
		unknown(&p);
		other = p.cnt;
		EMIT(&p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 3));
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_1, 0));
		join = p.cnt;
		end(&p);
		ASSERT_EQ(p.cnt, other + 4, "jump");
		enter(&p, s);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_1, 0), BPF_JMP_A(-(int)(p.cnt + 2 - join)));
		REFUSED(&p, -EINVAL,
			"BPF_EXIT instruction in main prog cannot be used inside %s-ed region",
			s->enter_name);
	}
	arena_prog_flags = 0;
}

static void leaves_program(void)
{
	const struct section *s;
	struct insns p = {};
	int tails;

	tails = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "tails", 4, 4, 1, NULL);
	if (!ASSERT_GE(tails, 0, "prog_array"))
		return;
	for (s = sections; s < sections + NR_SECTIONS; s++) {
		EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
		enter(&p, s);
		EMIT(&p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6), BPF_LD_MAP_FD(BPF_REG_2, tails),
		     BPF_MOV64_IMM(BPF_REG_3, 0), BPF_EMIT_CALL(BPF_FUNC_tail_call));
		leave(&p, s);
		end(&p);
		REFUSED_TYPE(&p, BPF_PROG_TYPE_XDP, -EINVAL,
			     "tail_call cannot be used inside %s-ed region", s->enter_name);

		EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
		enter(&p, s);
		EMIT(&p, BPF_LD_ABS(BPF_B, 0));
		leave(&p, s);
		end(&p);
		REFUSED_TYPE(&p, BPF_PROG_TYPE_SOCKET_FILTER, -EINVAL,
			     "BPF_LD_[ABS|IND] cannot be used inside %s-ed region",
			     s->enter_name);
	}
	close(tails);
}

static void sleepable_helper(void)
{
	const struct section *s;
	struct insns p = {};

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		enter(&p, s);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_1, 12345), BPF_EMIT_CALL(BPF_FUNC_sys_close));
		leave(&p, s);
		end(&p);
		REFUSED(&p, -EINVAL, "sleepable helper bpf_sys_close#168 in %s region", s->region);

		enter(&p, s);
		leave(&p, s);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_1, 12345), BPF_EMIT_CALL(BPF_FUNC_sys_close));
		end(&p);
		RUNS(&p);
	}
}

/* A section begun by one function and ended by another one */
static void functions(void)
{
	const struct section *s;
	struct insns p = {};

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		EMIT(&p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8), BPF_CALL_REL(5),
		     BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8), BPF_CALL_REL(5),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
		     CALL_KFUNC(s->enter), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
		     CALL_KFUNC(s->leave), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		RUNS(&p);

		EMIT(&p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8), BPF_CALL_REL(2),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
		     CALL_KFUNC(s->enter), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		REFUSED(&p, -EINVAL,
			"BPF_EXIT instruction in main prog cannot be used inside %s-ed region",
			s->enter_name);
	}
}

static void rcu_nests(void)
{
	const struct section *s = &sections[SECTION_RCU];
	struct insns p = {};

	enter(&p, s);
	enter(&p, s);
	leave(&p, s);
	leave(&p, s);
	end(&p);
	REFUSED(&p, -EINVAL, "nested rcu read lock (kernel function %s)", s->enter_name);
}

#define PREEMPT_DEPTH	16

static void preempt_nests(void)
{
	const struct section *s = &sections[SECTION_PREEMPT];
	struct insns p = {};
	int i;

	for (i = 0; i < PREEMPT_DEPTH; i++)
		enter(&p, s);
	for (i = 0; i < PREEMPT_DEPTH; i++)
		leave(&p, s);
	end(&p);
	RUNS(&p);

	for (i = 0; i < PREEMPT_DEPTH; i++)
		enter(&p, s);
	for (i = 0; i < PREEMPT_DEPTH - 1; i++)
		leave(&p, s);
	end(&p);
	REFUSED(&p, -EINVAL, "cannot be used inside %s-ed region", s->enter_name);

	for (i = 0; i <= PREEMPT_DEPTH; i++)
		enter(&p, s);
	for (i = 0; i <= PREEMPT_DEPTH; i++)
		leave(&p, s);
	end(&p);
	REFUSED(&p, -E2BIG, "preemption is disabled %s times", "16");
}

static void irq_nests(void)
{
	const struct section *s = &sections[SECTION_IRQ];
	struct insns p = {};

	enter_at(&p, s, -8);
	enter_at(&p, s, -16);
	enter_at(&p, s, -512);
	leave_at(&p, s, -512);
	leave_at(&p, s, -16);
	enter_at(&p, s, -24);
	leave_at(&p, s, -24);
	leave_at(&p, s, -8);
	end(&p);
	RUNS(&p);

	enter_at(&p, s, -8);
	enter_at(&p, s, -16);
	leave_at(&p, s, -8);
	leave_at(&p, s, -16);
	end(&p);
	REFUSED(&p, -EACCES, "cannot restore irq state out of order, expected id=%s", "");

	/* the inner one only */
	enter_at(&p, s, -8);
	enter_at(&p, s, -16);
	leave_at(&p, s, -16);
	end(&p);
	REFUSED(&p, -EINVAL, "cannot be used inside %s-ed region", s->enter_name);

	/* the same flags again */
	enter_at(&p, s, -8);
	enter_at(&p, s, -8);
	leave_at(&p, s, -8);
	end(&p);
	REFUSED(&p, -EINVAL, "expected uninitialized irq flag as arg#%s", "0");
}

/* What bpf_local_irq_save() and restore() take for flags */
static void irq_flags_args(void)
{
	const struct section *s = &sections[SECTION_IRQ];
	static const int off[] = { 0, 8, -1, -4, -12, -516, -520 };
	struct insns p = {};
	size_t i, kfunc;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		enter_at(&p, s, off[i]);
		end(&p);
		REFUSED(&p, -EINVAL, "cannot pass in irq_flag at an offset=%s", "");
		enter(&p, s);
		leave_at(&p, s, off[i]);
		end(&p);
		REFUSED(&p, -EINVAL, "cannot pass in irq_flag at an offset=%s", "");
	}

	for (i = 0; i < 2; i++) {
		kfunc = i ? s->leave : s->enter;
		EMIT(&p, CALL_KFUNC(kfunc)); /* of the context */
		end(&p);
		REFUSED(&p, -EINVAL, "arg#%s doesn't point to an irq flag on stack", "0");

		EMIT(&p, BPF_MOV64_IMM(BPF_REG_1, 0), CALL_KFUNC(kfunc));
		end(&p);
		REFUSED(&p, -EINVAL, "arg#%s doesn't point to an irq flag on stack", "0");

		unknown(&p);
		EMIT(&p, BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 8),
		     BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
		     BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_0), CALL_KFUNC(kfunc));
		end(&p);
		REFUSED(&p, -EINVAL, "irq_flag has to be at a constant %s", "offset");

		EMIT(&p, BPF_LD_MAP_FD(BPF_REG_9, a.fd), BPF_LD_IMM64(BPF_REG_1, a.user),
		     CAST_KERN(BPF_REG_1, BPF_REG_1), CALL_KFUNC(kfunc));
		end(&p);
		REFUSED(&p, -EINVAL, "arg#%s doesn't point to an irq flag on stack", "0");
	}

	/* data is not flags */
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0x202));
	leave(&p, s);
	end(&p);
	REFUSED(&p, -EINVAL, "expected an initialized irq flag as arg#%s", "0");
}

/* In a section: what happens to the flags, by @insn */
static void flags_after(int line, const struct bpf_insn *insn, __u32 cnt, int err,
			const char *msg)
{
	const struct section *s = &sections[SECTION_IRQ];
	struct insns p = {};

	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 0), BPF_ST_MEM(BPF_DW, BPF_REG_10, -24, 0),
	     BPF_MOV64_REG(BPF_REG_6, BPF_REG_10), BPF_MOV64_REG(BPF_REG_7, BPF_REG_1));
	enter_at(&p, s, -16);
	insns_add(&p, insn, cnt);
	leave_at(&p, s, -16);
	end(&p);
	refused(line, &p, BPF_PROG_TYPE_SYSCALL, err, msg, "");
}

#define FLAGS_AFTER(ERR, MSG, ...)						\
	flags_after(__LINE__, INSNS(__VA_ARGS__), INSNS_CNT(__VA_ARGS__), ERR, MSG)

static void irq_flags_read(void)
{
	int i;

	FLAGS_AFTER(-EACCES, "invalid read from stack off -16+0 size 8",
		    BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -16));
	for (i = 0; i < 8; i++)
		FLAGS_AFTER(-EACCES, "invalid read from stack off -",
			    BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_10, -16 + i));
	/* at an offset that is not known */
	FLAGS_AFTER(-EACCES, "invalid read from stack R1 var_off",
		    BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32),
		    BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 8),
		    BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		    BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		    BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_0),
		    BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0));
	/* by a helper */
	FLAGS_AFTER(-EACCES, "invalid indirect read from stack R1 off -24+8 size 16",
		    BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		    BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24), BPF_MOV64_IMM(BPF_REG_2, 16),
		    BPF_EMIT_CALL(BPF_FUNC_trace_printk));
	/* by an atomic */
	FLAGS_AFTER(-EACCES, "invalid read from stack off -16+0 size 8",
		    BPF_MOV64_IMM(BPF_REG_0, 1),
		    BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_10, BPF_REG_0, -16));
}

static void irq_flags_written(void)
{
	const char *msg = "expected an initialized irq flag as arg#0";
	const struct section *s = &sections[SECTION_IRQ];
	struct insns p = {};
	int i;

	FLAGS_AFTER(-EINVAL, msg, BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 0));
	FLAGS_AFTER(-EINVAL, msg, BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 0x202));
	for (i = 0; i < 8; i++)
		FLAGS_AFTER(-EINVAL, msg, BPF_ST_MEM(BPF_B, BPF_REG_10, -16 + i, 0));
	/* by a number, by a pointer */
	FLAGS_AFTER(-EINVAL, msg, BPF_MOV64_IMM(BPF_REG_0, 1),
		    BPF_STX_MEM(BPF_W, BPF_REG_10, BPF_REG_0, -16));
	FLAGS_AFTER(-EINVAL, msg, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_7, -16));
	/* at an offset that is not known */
	FLAGS_AFTER(-EINVAL, msg, BPF_EMIT_CALL(BPF_FUNC_get_prandom_u32),
		    BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 8),
		    BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		    BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -24),
		    BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_0),
		    BPF_ST_MEM(BPF_DW, BPF_REG_1, 0, 0));
	/* by a helper that only writes */
	FLAGS_AFTER(-EINVAL, msg, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		    BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -12), BPF_MOV64_IMM(BPF_REG_2, 4),
		    BPF_MOV64_IMM(BPF_REG_3, 0), BPF_EMIT_CALL(BPF_FUNC_probe_read_kernel));

	/* by a function that has their address */
	enter(&p, s);
	EMIT(&p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10), BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8),
	     BPF_CALL_REL(5));
	leave(&p, s);
	end(&p);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_1, 0, 0));
	end(&p);
	REFUSED(&p, -EINVAL, "%s", msg);
}

/* The flags are in the stack of a function that has returned. */
static void irq_flags_gone(void)
{
	const struct section *s = &sections[SECTION_IRQ];
	struct insns p = {};

	EMIT(&p, BPF_CALL_REL(5));
	leave(&p, s);
	end(&p);
	enter(&p, s);
	end(&p);
	REFUSED(&p, -EINVAL, "expected an initialized irq flag as arg#%s", "0");
}

/* Both ways to the end look alike but for the flags, and are verified as above. */
static void irq_flags_pruned(void)
{
	const struct section *s = &sections[SECTION_IRQ];
	struct insns p = {};
	__u32 join;

	arena_prog_flags = BPF_F_TEST_STATE_FREQ;
	enter(&p, s);
	unknown(&p);
	EMIT(&p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 6), BPF_MOV64_IMM(BPF_REG_0, 0));
	join = p.cnt;
	leave(&p, s);
	end(&p);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0), BPF_MOV64_IMM(BPF_REG_0, 0));
	EMIT(&p, BPF_JMP_A(-(int)(p.cnt + 1 - join)));
	REFUSED(&p, -EINVAL, "expected an initialized irq flag as arg#%s", "0");
	arena_prog_flags = 0;
}

/* What the section leaves behind is as good as uninitialized stack. */
static void irq_flags_reused(void)
{
	const struct section *s = &sections[SECTION_IRQ];
	struct insns p = {};

	enter(&p, s);
	leave(&p, s);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_10, -8));
	enter(&p, s);
	leave(&p, s);
	EMIT(&p, BPF_MOV64_REG(BPF_REG_0, BPF_REG_6), BPF_EXIT_INSN());
	RUNS(&p);
}

/* What was loaded, as the kernel rewrote it */
static __u32 rewritten(int fd, struct bpf_insn *insn, __u32 room)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	info.xlated_prog_insns = ptr_to_u64(insn);
	info.xlated_prog_len = room * sizeof(*insn);
	if (!ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info") ||
	    !ASSERT_LE(info.xlated_prog_len, room * sizeof(*insn), "program's size"))
		return 0;
	return info.xlated_prog_len / sizeof(*insn);
}

static long symbol(const char *name)
{
	unsigned long long addr = 0;

	ASSERT_OK(kallsyms_find(name, &addr), name);
	return addr;
}

static void emit_alloc(struct insns *p)
{
	EMIT(p, BPF_LD_MAP_FD(BPF_REG_1, a.fd), BPF_MOV64_IMM(BPF_REG_2, 0),
	     BPF_MOV64_IMM(BPF_REG_3, 1), BPF_MOV64_IMM(BPF_REG_4, -1),
	     BPF_MOV64_IMM(BPF_REG_5, 0), CALL_KFUNC(arena_kfunc("bpf_arena_alloc_pages")));
}

/*
 * Trap: sleepable flavour of a kfunc picked where sleeping is not allowed. The
 * first call is outside, the second one inside, the third one both.
 */
static void alloc_flavours(void)
{
	long base = symbol("__bpf_call_base");
	long may_sleep = symbol("bpf_arena_alloc_pages") - base;
	long atomic = symbol("bpf_arena_alloc_pages_atomic") - base;
	const long expected[] = { may_sleep, atomic, atomic };
	struct bpf_insn insn[128];
	const struct section *s;
	struct insns p = {};
	__u32 i, cnt, both;
	size_t calls;
	int fd;

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		emit_alloc(&p);
		enter(&p, s);
		emit_alloc(&p);
		leave(&p, s);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_6, 0));
		both = p.cnt;
		emit_alloc(&p);
		EMIT(&p, BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 0, s->has_flags ? 5 : 3),
		     BPF_MOV64_IMM(BPF_REG_6, 1));
		enter(&p, s);
		EMIT(&p, BPF_JMP_A(-(int)(p.cnt + 1 - both)));
		leave(&p, s);
		end(&p);

		fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
		insns_free(&p);
		if (fd < 0)
			continue;
		cnt = rewritten(fd, insn, ARRAY_SIZE(insn));
		for (i = calls = 0; i < cnt; i++) {
			if (insn[i].code != (BPF_JMP | BPF_CALL) ||
			    (insn[i].imm != (int)may_sleep && insn[i].imm != (int)atomic))
				continue;
			if (ASSERT_LT(calls, ARRAY_SIZE(expected), "calls"))
				ASSERT_EQ(insn[i].imm, (int)expected[calls], s->enter_name);
			calls++;
		}
		ASSERT_EQ(calls, ARRAY_SIZE(expected), "calls");
		close(fd);
	}
}

/* From include/linux/gfp_types.h */
#define GFP_DIRECT_RECLAIM	0x400

/* The helper gets in R5 how it may allocate: the last bit tells of each call. */
static void expect_storage_calls(int fd, unsigned int may_sleep, unsigned int calls)
{
	long call = symbol("bpf_task_storage_get") - symbol("__bpf_call_base");
	struct bpf_insn insn[128];
	unsigned int n = 0, found = 0;
	__u32 i, cnt;

	cnt = rewritten(fd, insn, ARRAY_SIZE(insn));
	for (i = 1; i < cnt; i++) {
		if (insn[i].code != (BPF_JMP | BPF_CALL) || insn[i].imm != (int)call)
			continue;
		ASSERT_EQ(insn[i - 1].code, BPF_ALU64 | BPF_MOV | BPF_K, "R5 is set");
		ASSERT_TRUE(insn[i - 1].dst_reg == BPF_REG_5, "R5 is set");
		found |= !!(insn[i - 1].imm & GFP_DIRECT_RECLAIM) << n++;
	}
	ASSERT_EQ(n, calls, "calls");
	ASSERT_EQ(found, may_sleep, "those that may sleep");
}

static struct arena_sections *skel;

static void emit_storage(struct insns *p)
{
	EMIT(p, BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf),
	     BPF_LD_MAP_FD(BPF_REG_1, bpf_map__fd(skel->maps.storage)),
	     BPF_MOV64_REG(BPF_REG_2, BPF_REG_0), BPF_MOV64_IMM(BPF_REG_3, 0),
	     BPF_MOV64_IMM(BPF_REG_4, BPF_LOCAL_STORAGE_GET_F_CREATE),
	     BPF_EMIT_CALL(BPF_FUNC_task_storage_get));
}

static void storage_flavours(void)
{
	const struct section *s;
	struct insns p = {};
	int fd;

	for (s = sections; s < sections + NR_SECTIONS; s++) {
		emit_storage(&p);
		enter(&p, s);
		emit_storage(&p);
		leave(&p, s);
		emit_storage(&p);
		end(&p);
		fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
		insns_free(&p);
		if (fd < 0)
			continue;
		expect_storage_calls(fd, 0x5, 3);
		ASSERT_OK(bpf_prog_test_run_opts(fd, NULL), "run");
		close(fd);
	}
}

/* Loads one of those that are not loaded by themselves: the object, or NULL */
static struct arena_sections *load_one(const char *name, struct bpf_program **prog, int err,
				       const char *msg)
{
	struct arena_sections *one = arena_sections__open();
	struct bpf_program *other;
	int ret;

	if (!ASSERT_OK_PTR(one, "open"))
		return NULL;
	bpf_object__for_each_program(other, one->obj)
		bpf_program__set_autoload(other, false);
	*prog = bpf_object__find_program_by_name(one->obj, name);
	if (!ASSERT_OK_PTR(*prog, name))
		goto out;
	bpf_program__set_autoload(*prog, true);
	arena_log[0] = 0;
	bpf_program__set_log_buf(*prog, arena_log, sizeof(arena_log));
	bpf_program__set_log_level(*prog, err ? 1 : 0);
	/* all the states that could hide what is wrong */
	bpf_program__set_flags(*prog, err ? BPF_F_TEST_STATE_FREQ : 0);
	arena_set_test_flags(one->obj);
	ret = arena_sections__load(one);
	if (!ASSERT_EQ(ret, err, name))
		printf("%s\n", arena_log);
	if (!ret)
		return one;
	if (err)
		ASSERT_HAS_SUBSTR(arena_log, msg, name);
out:
	arena_sections__destroy(one);
	return NULL;
}

static void c_refused(const char *name, const char *msg, int err)
{
	struct bpf_program *prog;

	arena_sections__destroy(load_one(name, &prog, err, msg));
}

static void c_runs(const char *name)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct arena_sections *one;
	struct bpf_program *prog;
	char packet[64] = {};

	one = load_one(name, &prog, 0, NULL);
	if (!one)
		return;
	if (bpf_program__type(prog) == BPF_PROG_TYPE_SCHED_CLS) {
		opts.data_in = packet;
		opts.data_size_in = sizeof(packet);
	}
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), name);
	ASSERT_EQ(opts.retval, 0, name);
	arena_sections__destroy(one);
}

static void storage_callback(void)
{
	struct arena_sections *one;
	struct bpf_program *prog;

	one = load_one("storage_callback", &prog, 0, NULL);
	if (!one)
		return;
	expect_storage_calls(bpf_program__fd(prog), 0x1, 2);
	arena_sections__destroy(one);
}

static void global_funcs(void)
{
	const char *msg =
		"global functions that may sleep are not allowed in non-sleepable context";

	c_runs("global_tc");
	c_runs("global_sections_tc");
	c_runs("global_outside");
	c_refused("global_rcu", msg, -EINVAL);
	c_refused("global_preempt", msg, -EINVAL);
	c_refused("global_irq", msg, -EINVAL);
	c_refused("global_leaks",
		  "BPF_EXIT instruction in main prog cannot be used inside bpf_rcu_read_lock-ed",
		  -EINVAL);
}

static void callbacks(void)
{
	static const char * const unequal[] = {
		"callback_enters", "callback_leaves", "callback_deeper",
		"callback_shallower", "callback_saves", "callback_restores",
		"callback_saves_anew", "callback_pruned",
	};
	size_t i;

	c_runs("callback_inside");
	c_runs("callback_balanced");
	for (i = 0; i < ARRAY_SIZE(unequal); i++)
		c_refused(unequal[i], "callback must end in the RCU/IRQ/preempt-disabled sections",
			  -EINVAL);
}

static void sleepable_kfunc(void)
{
	struct bpf_program *prog;

	arena_sections__destroy(load_one("kfunc_outside", &prog, 0, NULL));
	c_refused("kfunc_rcu",
		  "kernel func cgroup_rstat_flush is sleepable within rcu_read_lock region",
		  -EACCES);
	c_refused("kfunc_preempt",
		  "kernel func cgroup_rstat_flush is sleepable within non-preemptible region",
		  -EACCES);
	c_refused("kfunc_irq",
		  "kernel func cgroup_rstat_flush is sleepable within IRQ-disabled region",
		  -EACCES);
}

/*
 * At run time. Each test first sees that what it waits for happens outside of a
 * section, and soon.
 */
#define LONG_NS		(10ULL * 1000 * 1000 * 1000)
#define SECTION_NS	(300ULL * 1000 * 1000)

static bool stop;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_OK(sched_setaffinity(0, sizeof(set), &set), "pin");
}

/* What happened until the section's end */
static __u32 spin(enum arena_section section)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	skel->bss->section = section;
	skel->bss->spin_ns = section == SECTION_NONE ? LONG_NS : SECTION_NS;
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.spin_in_section), &opts),
		  "run");
	return opts.retval;
}

static void *wait_for_readers(void *arg)
{
	int run;

	pin(1);
	while (!READ_ONCE(stop)) {
		if (!READ_ONCE(skel->bss->inside)) {
			usleep(100);
			continue;
		}
		run = READ_ONCE(skel->bss->run);
		/* synchronize_rcu() */
		if (!ASSERT_OK(syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0),
			       "membarrier"))
			break;
		WRITE_ONCE(skel->bss->synchronized, run);
		usleep(100);
	}
	return NULL;
}

static void *hog(void *arg)
{
	pin(0);
	while (!READ_ONCE(stop))
		;
	return NULL;
}

/* On CPU 0, with a thread beside it: does the section keep from happening what does
 * happen without one?
 */
static void holds_off(enum arena_section section, void *(*other)(void *))
{
	pthread_t thread;
	cpu_set_t was;
	int i;

	sched_getaffinity(0, sizeof(was), &was);
	pin(0);
	stop = false;
	if (!ASSERT_OK(pthread_create(&thread, NULL, other, NULL), "thread"))
		goto out;
	for (i = 0; i < 3; i++) {
		ASSERT_GT(spin(SECTION_NONE), 0, "without a section");
		ASSERT_EQ(spin(section), 0, "in a section");
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
out:
	sched_setaffinity(0, sizeof(was), &was);
}

static void rcu_holds_off_writers(void)
{
	holds_off(SECTION_RCU, wait_for_readers);
}

static void preempt_holds_off_tasks(void)
{
	skel->links.on_switch = bpf_program__attach(skel->progs.on_switch);
	if (ASSERT_OK_PTR(skel->links.on_switch, "attach"))
		holds_off(SECTION_PREEMPT, hog);
	bpf_link__destroy(skel->links.on_switch);
	skel->links.on_switch = NULL;
}

static void irq_holds_off_interrupts(void)
{
	skel->links.on_timer_interrupt = bpf_program__attach(skel->progs.on_timer_interrupt);
	if (ASSERT_OK_PTR(skel->links.on_timer_interrupt, "attach"))
		holds_off(SECTION_IRQ, hog);
	bpf_link__destroy(skel->links.on_timer_interrupt);
	skel->links.on_timer_interrupt = NULL;
}

#define LOAD_MS		3000

static void *run_load(void *arg)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = bpf_program__fd(skel->progs.load);
	__u64 runs = 0, until = arena_now_ms() + LOAD_MS;

	while (arena_now_ms() < until && !bpf_prog_test_run_opts(fd, &opts))
		runs++;
	return (void *)runs;
}

/* Four threads on two CPUs, interrupted by programs that do the same */
static void under_load(void)
{
	pthread_t threads[4];
	struct bpf_link *link;
	void *runs;
	size_t i;

	link = bpf_program__attach(skel->progs.load_interrupt);
	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		if (!ASSERT_OK(pthread_create(&threads[i], NULL, run_load, NULL), "thread"))
			break;
	while (i--) {
		pthread_join(threads[i], &runs);
		ASSERT_GT((__u64)runs, 100, "runs");
	}
	bpf_link__destroy(link);
	ASSERT_GT(skel->bss->pages_got, 1000, "pages");
	ASSERT_EQ(skel->bss->pages_bad, 0, "dirty or shared pages");
}

/*
 * Kfuncs by type of program: those for all of them, and some that are registered
 * for the hook of the type.
 */
static const struct prog_type {
	const char *name;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	bool has_hook;
} prog_types[] = {
	{ "socket_filter", BPF_PROG_TYPE_SOCKET_FILTER, 0, true },
	{ "sched_cls", BPF_PROG_TYPE_SCHED_CLS, 0, true },
	{ "sched_act", BPF_PROG_TYPE_SCHED_ACT, 0, true },
	{ "xdp", BPF_PROG_TYPE_XDP, 0, false },
	{ "cgroup_skb", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, true },
	{ "cgroup_sock", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, true },
	{ "cgroup_device", BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, true },
	{ "cgroup_sock_addr", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, true },
	{ "cgroup_sockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, true },
	{ "cgroup_sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, true },
	{ "sock_ops", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, false },
	{ "sk_skb", BPF_PROG_TYPE_SK_SKB, 0, true },
	{ "sk_msg", BPF_PROG_TYPE_SK_MSG, 0, false },
	{ "sk_lookup", BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, false },
	{ "sk_reuseport", BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, false },
	{ "flow_dissector", BPF_PROG_TYPE_FLOW_DISSECTOR, 0, false },
	{ "lwt_in", BPF_PROG_TYPE_LWT_IN, 0, true },
	{ "lwt_out", BPF_PROG_TYPE_LWT_OUT, 0, true },
	{ "lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, 0, true },
	{ "lwt_seg6local", BPF_PROG_TYPE_LWT_SEG6LOCAL, 0, true },
	{ "kprobe", BPF_PROG_TYPE_KPROBE, 0, true },
	{ "tracepoint", BPF_PROG_TYPE_TRACEPOINT, 0, false },
	{ "raw_tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, false },
	{ "perf_event", BPF_PROG_TYPE_PERF_EVENT, 0, false },
	{ "syscall", BPF_PROG_TYPE_SYSCALL, 0, true },
};

static int load_type(const struct prog_type *t, struct insns *p)
{
	__u32 sleepable = t->type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0;
	int fd;

	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = t->attach,
		    .prog_flags = sleepable | arena_test_flags,
		    .log_buf = arena_log,
		    .log_size = sizeof(arena_log),
		    .log_level = 1);

	arena_log[0] = 0;
	fd = bpf_prog_load(t->type, "arena", "GPL", p->insn, p->cnt, &opts);
	insns_free(p);
	return fd;
}

static void types_have_common_kfuncs(void)
{
	const struct prog_type *t;
	const struct section *s;
	struct insns p = {};
	int fd;

	for (t = prog_types; t < prog_types + ARRAY_SIZE(prog_types); t++) {
		for (s = sections; s < sections + NR_SECTIONS; s++) {
			enter(&p, s);
			emit_alloc(&p);
			EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd),
			     BPF_MOV64_REG(BPF_REG_2, BPF_REG_0), BPF_MOV64_IMM(BPF_REG_3, 1),
			     CALL_KFUNC(arena_kfunc("bpf_arena_free_pages")));
			EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd),
			     BPF_LD_IMM64(BPF_REG_2, a.user), BPF_MOV64_IMM(BPF_REG_3, 1),
			     CALL_KFUNC(arena_kfunc("bpf_arena_reserve_pages")));
			leave(&p, s);
			end(&p);
			fd = load_type(t, &p);
			if (ASSERT_GE(fd, 0, t->name))
				close(fd);
			else
				printf("%s\n", arena_log);
		}
	}
}

static void types_have_hooks(void)
{
	int kfunc = arena_kfunc("bpf_kfunc_call_test_mem_len_pass1");
	const struct prog_type *t;
	struct insns p = {};
	int fd;

	for (t = prog_types; t < prog_types + ARRAY_SIZE(prog_types); t++) {
		EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		     BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -8), BPF_MOV64_IMM(BPF_REG_2, 8),
		     CALL_KFUNC(kfunc));
		end(&p);
		fd = load_type(t, &p);
		if (t->has_hook) {
			if (!ASSERT_GE(fd, 0, t->name))
				printf("%s\n", arena_log);
		} else {
			ASSERT_EQ(fd, -EACCES, t->name);
			ASSERT_HAS_SUBSTR(arena_log, "calling kernel function", t->name);
		}
		if (fd >= 0)
			close(fd);
	}
}

/* A socket filter and a cgroup program call both kinds for each packet. */
static void hooks_work(void)
{
	int kfunc = arena_kfunc("bpf_kfunc_call_test_mem_len_pass1");
	static const enum bpf_prog_type types[] = {
		BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_CGROUP_SKB,
	};
	const struct section *s;
	struct insns p = {};
	__u32 ret;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (s = sections; s < sections + NR_SECTIONS; s++) {
			EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 0));
			enter(&p, s);
			EMIT(&p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
			     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, -16),
			     BPF_MOV64_IMM(BPF_REG_2, 8), CALL_KFUNC(kfunc));
			leave(&p, s);
			EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 1), BPF_EXIT_INSN());
			fd = arena_load(types[i], p.insn, p.cnt);
			insns_free(&p);
			if (fd < 0)
				continue;
			if (arena_run_skb(fd, &ret))
				ASSERT_EQ(ret, 1, "retval");
			close(fd);
		}
	}
}

static const struct arena_subtest subtests[] = {
	{ "balanced", balanced },
	{ "branches", branches },
	{ "not_left", not_left },
	{ "not_entered", not_entered },
	{ "pruned", pruned },
	{ "leaves_program", leaves_program },
	{ "sleepable_helper", sleepable_helper },
	{ "sleepable_kfunc", sleepable_kfunc },
	{ "functions", functions },
	{ "global_funcs", global_funcs },
	{ "callbacks", callbacks },
	{ "rcu_nests", rcu_nests },
	{ "preempt_nests", preempt_nests },
	{ "irq_nests", irq_nests },
	{ "irq_flags_args", irq_flags_args },
	{ "irq_flags_read", irq_flags_read },
	{ "irq_flags_written", irq_flags_written },
	{ "irq_flags_gone", irq_flags_gone },
	{ "irq_flags_pruned", irq_flags_pruned },
	{ "irq_flags_reused", irq_flags_reused },
	{ "alloc_flavours", alloc_flavours },
	{ "storage_flavours", storage_flavours },
	{ "storage_callback", storage_callback },
	{ "rcu_holds_off_writers", rcu_holds_off_writers },
	{ "preempt_holds_off_tasks", preempt_holds_off_tasks },
	{ "irq_holds_off_interrupts", irq_holds_off_interrupts },
	{ "under_load", under_load },
	{ "types_have_common_kfuncs", types_have_common_kfuncs },
	{ "types_have_hooks", types_have_hooks },
	{ "hooks_work", hooks_work },
};

static void run_subtests(void)
{
	if (!find_kfuncs())
		return;
	skel = arena_sections__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	arena_set_test_flags(skel->obj);
	if (!ASSERT_OK(arena_sections__load(skel), "load"))
		goto out;
	if (arena_open(&a, 16, 0, ARENA_ADDR))
		arena_subtests(subtests, ARRAY_SIZE(subtests));
	arena_close(&a);
out:
	arena_sections__destroy(skel);
}

/* Serial: other tests would not get far beside what is held off. */
void serial_test_arena_sections(void)
{
	run_subtests();
}

/* What no insn reads of a register is random: nothing must depend on it. */
void serial_test_arena_sections_rnd_hi32(void)
{
	arena_test_flags = BPF_F_TEST_RND_HI32;
	run_subtests();
	arena_test_flags = 0;
}
