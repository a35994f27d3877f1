// SPDX-License-Identifier: GPL-2.0
/*
 * Random programs with an arena are loaded, and those that the verifier accepts are
 * run. What they leave behind in registers, stack and arena, and how often they were
 * where there is no page, must be what a model of them says.
 *
 *	ARENA_FUZZ_SEED=n	the seed of the first program, in place of two runs,
 *				one of the same programs each time and one of new ones
 *	ARENA_FUZZ_COUNT=n	how many programs
 *
 * A failure prints the program and its seed; with this one and a count of 1 it is
 * repeated. With -v, programs that are refused are printed, too.
 */
#include <ctype.h>
#include "arena_fuzz.h"
#include "arena_fuzz_gen.h"
#include "arena_fuzz_model.h"
#include "arena_test.h"
#include "trace_helpers.h"

#define SAME_COUNT	4000
#define NEW_COUNT	2000
#define MAX_FAILURES	3
/* Now and then, what costs more is looked at: a power of two. */
#define NOW_AND_THEN	256

#define MAX_REASONS	64

static struct {
	__u64 programs, insns, noisy;
	__u64 accepted, noisy_accepted;
	__u64 iterate, iterate_accepted;	/* without noise */
	__u64 verified, verified_max;		/* insns that the verifier followed */
	__u64 runs, attached, unknown, strays;
	__u64 reloads, reloads_refused;
	__u64 failures;
	struct {
		char text[64];
		__u64 cnt;
	} reason[MAX_REASONS];
} stats;

/* The other map, its value, and the ids of both maps. */
static int result_fd;
static __u64 *result;
static __u32 result_id;
static __u32 kfunc_id[FUZZ_NR_KFUNCS];

/* A program that does nothing, in whose test runs others run */
static int trigger_fd;

/* Arenas that nobody writes to, before and behind those of the cases. */
static struct arena canary[2];

#define CANARY_PAGES	16

static const char * const kfunc_name[] = {
	[FUZZ_ALLOC] = "bpf_arena_alloc_pages",
	[FUZZ_FREE] = "bpf_arena_free_pages",
	[FUZZ_RESERVE] = "bpf_arena_reserve_pages",
	[FUZZ_ITER_NEW] = "bpf_iter_num_new",
	[FUZZ_ITER_NEXT] = "bpf_iter_num_next",
	[FUZZ_ITER_DESTROY] = "bpf_iter_num_destroy",
};

static const char *type_name(enum bpf_prog_type type)
{
	const char *name = libbpf_bpf_prog_type_str(type);

	return name ?: "?";
}

static void print_program(const struct fuzz_case *c, const struct bpf_insn *insn, __u32 cnt)
{
	__u32 i;

	printf("type %s flags %#x map flags %#x harden %d arena at %#llx, pages",
	       type_name(c->type), c->prog_flags, c->map_flags, c->harden, c->user);
	for (i = 0; i < FUZZ_PAGES; i++)
		printf("%c", c->state.page[i] == FUZZ_PRESENT ? '1' : '0');
	printf("\n");
	for (i = 0; i < cnt; i++)
		printf("%4u: code %#04x dst %u src %u off %d imm %#x\n", i, insn[i].code,
		       insn[i].dst_reg, insn[i].src_reg, insn[i].off, insn[i].imm);
}

static void failed(const struct fuzz_case *c, const char *what)
{
	stats.failures++;
	printf("%s; repeat it with ARENA_FUZZ_SEED=%llu ARENA_FUZZ_COUNT=1\n", what, c->seed);
}

/* Counts refusals by what the verifier says, whatever the numbers in it. */
static void count_reason(const char *log, int err)
{
	char text[sizeof(stats.reason[0].text)];
	size_t len = 0, i;
	char *opcode;

	for (; *log && *log != '\n' && len < sizeof(text) - 1; log++)
		if (!isdigit(*log))
			text[len++] = *log;
		else if (!len || text[len - 1] != '#')
			text[len++] = '#';
	text[len] = 0;
	/* which one is a number with letters in it */
	opcode = strstr(text, "opcode ");
	if (opcode)
		opcode[strlen("opcode")] = 0;
	if (!len || !strncmp(text, "processed", 9) || !strncmp(text, "verification", 12))
		snprintf(text, sizeof(text), "errno %d", -err);
	for (i = 0; i < MAX_REASONS - 1 && stats.reason[i].cnt; i++)
		if (!strcmp(stats.reason[i].text, text))
			break;
	if (!stats.reason[i].cnt)
		strcpy(stats.reason[i].text, i == MAX_REASONS - 1 ? "others" : text);
	stats.reason[i].cnt++;
}

/* What it cost to verify the program */
static void count_verified(const char *log)
{
	static const char before[] = "processed ";
	const char *at = strstr(log, before);
	__u64 insns = at ? atoi(at + sizeof(before) - 1) : 0;

	stats.verified += insns;
	if (stats.verified_max < insns)
		stats.verified_max = insns;
}

/* Replaces what stands for maps and kfuncs in @insn. */
static void resolve(struct bpf_insn *insn, __u32 cnt, int arena_fd)
{
	for (; cnt--; insn++) {
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && cnt) {
			if (insn->src_reg == BPF_PSEUDO_MAP_FD ||
			    insn->src_reg == BPF_PSEUDO_MAP_VALUE)
				insn->imm = insn->imm == FUZZ_ARENA ? arena_fd :
					    insn->imm == FUZZ_RESULT ? result_fd : -1;
			insn++, cnt--;
		} else if (insn->code == (BPF_JMP | BPF_CALL) &&
			   insn->src_reg == BPF_PSEUDO_KFUNC_CALL &&
			   (__u32)insn->imm < FUZZ_NR_KFUNCS) {
			insn->imm = kfunc_id[insn->imm];
		}
	}
}

/* The log has nothing but the reason of a refusal (4), or all insns (1). */
static int load_log(const struct fuzz_case *c, const struct bpf_insn *insn, __u32 cnt,
		    __u32 log_level)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .log_buf = arena_log,
		    .log_size = sizeof(arena_log),
		    .log_level = log_level,
		    .prog_flags = c->prog_flags);

	if (c->type == BPF_PROG_TYPE_SYSCALL)
		opts.prog_flags |= BPF_F_SLEEPABLE;
	arena_log[0] = 0;
	return bpf_prog_load(c->type, "fuzz", "GPL", insn, cnt, &opts);
}

static int load(const struct fuzz_case *c, const struct bpf_insn *insn, __u32 cnt)
{
	return load_log(c, insn, cnt, 4);
}

/* The program as the verifier prints it, way by way, as far as there is room. */
static void print_log(const struct fuzz_case *c, const struct bpf_insn *insn)
{
	int fd = load_log(c, insn, c->prog.cnt, 1);

	printf("%.*s\n", 20000, arena_log);
	if (fd >= 0)
		close(fd);
}

static void set_harden(const char *val)
{
	static const char *now = "";

	if (strcmp(now, val))
		arena_sysctl(JIT_HARDEN, val, NULL, 0);
	now = val;
}

/* What is in order is not told of here and below: there would be megabytes of it. */
static bool in_order(bool ok, const char *what)
{
	if (!ok)
		printf("%s: %s\n", what, strerror(errno));
	return ok;
}

static bool begin_case(const struct fuzz_case *c, struct arena *a)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = BPF_F_MMAPABLE | c->map_flags,
		    .map_extra = c->user);
	int i;

	a->user = c->user;
	a->size = FUZZ_BYTES;
	a->fd = bpf_map_create(BPF_MAP_TYPE_ARENA, "fuzz", 0, 0, FUZZ_PAGES, &opts);
	if (!in_order(a->fd >= 0, "create"))
		return false;
	a->mem = mmap(u64_to_ptr(a->user), a->size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED_NOREPLACE, a->fd, 0);
	if (!in_order(a->mem != MAP_FAILED, "mmap")) {
		close(a->fd);
		return false;
	}
	for (i = 0; i < FUZZ_PAGES; i++)
		if (c->state.page[i] == FUZZ_PRESENT)
			memcpy(a->mem + i * ARENA_PAGE, c->state.mem + i * ARENA_PAGE,
			       ARENA_PAGE);
	memcpy(result, c->state.words, sizeof(c->state.words));
	return true;
}

static void unmap(struct arena *a)
{
	munmap(a->mem, a->size);
	a->mem = MAP_FAILED;
}

static bool is_zero(const void *page)
{
	static const char zero[ARENA_PAGE];

	return !memcmp(page, zero, ARENA_PAGE);
}

/* Does the arena hold what the model says? Reads what is not there, too. */
static bool compare_arena(const struct model *m, struct arena *a)
{
	bool same = true;
	int i;

	/* what a program freed that must not sleep may be mapped for a while */
	if (!in_order(!madvise(a->mem, a->size, MADV_DONTNEED), "madvise"))
		return false;
	for (i = 0; i < FUZZ_PAGES; i++) {
		const char *page = a->mem + i * ARENA_PAGE;

		if (m->s.page[i] == FUZZ_RESERVED)
			continue;
		if (m->s.page[i] == FUZZ_PRESENT ?
		    !memcmp(page, m->s.mem + i * ARENA_PAGE, ARENA_PAGE) : is_zero(page))
			continue;
		printf("page %d is wrong\n", i);
		same = false;
	}
	return same;
}

static bool compare_words(const struct model *m)
{
	bool same = true;
	int i;

	for (i = 0; i < FUZZ_WORDS; i++) {
		if (result[i] == m->s.words[i])
			continue;
		printf("word %d is %#llx, should be %#llx\n", i, result[i], m->s.words[i]);
		same = false;
	}
	return same;
}

static bool prog_info(int fd, struct bpf_prog_info *info)
{
	__u32 len = sizeof(*info);

	return in_order(!bpf_obj_get_info_by_fd(fd, info, &len), "info");
}

/* Runs what is attached to the tracepoint by a test run of something else. */
static int run_attached(int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);
	int link = bpf_raw_tracepoint_open("bpf_test_finish", fd);
	char packet[64] = {};
	int err;

	if (link < 0)
		return link;
	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	err = bpf_prog_test_run_opts(trigger_fd, &opts);
	close(link);
	return err;
}

static int run(const struct fuzz_case *c, int fd, __u32 *retval)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char packet[64] = {};
	int err;

	if (c->type != BPF_PROG_TYPE_SYSCALL && c->type != BPF_PROG_TYPE_RAW_TRACEPOINT) {
		opts.data_in = packet;
		opts.data_size_in = sizeof(packet);
		opts.repeat = 1;
	}
	stats.runs++;
	if (c->attach) {
		stats.attached++;
		return run_attached(fd);
	}
	err = bpf_prog_test_run_opts(fd, &opts);
	*retval = opts.retval;
	return err;
}

/* Runs the program and compares. @m: what it should do, or NULL if nobody knows */
static bool run_and_compare(const struct fuzz_case *c, int fd, struct arena *a,
			    const struct model *m)
{
	struct bpf_prog_info info = {};
	__u32 retval = 0;
	bool same;

	if (!in_order(!run(c, fd, &retval), "test_run") || !prog_info(fd, &info))
		return false;
	stats.strays += info.arena_faults;
	if (!m)
		return true;
	same = compare_words(m);
	same &= compare_arena(m, a);
	if (!c->attach && retval != (__u32)m->reg[0].val) {
		printf("it returned %#x, not %#x\n", retval, (__u32)m->reg[0].val);
		same = false;
	}
	if (info.arena_faults != m->faults) {
		printf("it strayed %u times, not %llu\n", info.arena_faults, m->faults);
		same = false;
	}
	return same;
}

/* A helper or kfunc, from the address that a dump has. */
static int call_by_address(struct bpf_insn *insn)
{
	long addr = ksym_get_addr("__bpf_call_base") + insn->imm;
	const char *name = ksym_search(addr)->name;
	size_t i;

	if (insn->src_reg != BPF_PSEUDO_KFUNC_CALL) {
		insn->imm = BPF_FUNC_ktime_get_ns;
		return strcmp(name, "bpf_ktime_get_ns");
	}
	for (i = 0; i < FUZZ_NR_KFUNCS; i++) {
		/* the name, or with _atomic behind it */
		if (strncmp(name, kfunc_name[i], strlen(kfunc_name[i])))
			continue;
		insn->imm = kfunc_id[i];
		return 0;
	}
	return -1;
}

static bool is_imm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/* Of @map, by what stands for it in @insn */
static bool is_address(const struct bpf_insn *insn, __u32 map)
{
	return is_imm64(insn) && insn->src_reg == BPF_PSEUDO_MAP_VALUE &&
	       (__u32)insn->imm == map;
}

/*
 * A dump shows a number that lies in the arena as an address of it. The verifier knows
 * numbers, and not addresses: it could refuse the dump. Is it one in the program?
 */
static bool is_number(const struct fuzz_case *c, __u64 val)
{
	bool found = false;
	__u32 i;

	for (i = 0; i + 1 < c->prog.cnt; i++) {
		const struct bpf_insn *insn = c->prog.insn + i;

		if (!is_imm64(insn))
			continue;
		if (!insn->src_reg)
			found |= val == ((__u64)insn[1].imm << 32 | (__u32)insn->imm);
		else if (is_address(insn, FUZZ_ARENA) && c->user + (__u32)insn[1].imm == val)
			return false;
	}
	return found;
}

static void undump_number(const struct fuzz_case *c, struct bpf_insn *insn)
{
	__u64 val = c->user + (__u32)insn[1].imm;

	if (!is_number(c, val))
		return;
	insn->src_reg = 0;
	insn[0].imm = val;
	insn[1].imm = val >> 32;
}

/* Makes an insn of a dump what bpf(2) takes. Returns 0, or -1 if it can't be. */
static int undump(const struct fuzz_case *c, struct bpf_insn *insn, __u32 arena_id,
		  int arena_fd)
{
	if (is_address(insn, arena_id))
		undump_number(c, insn);
	if (is_imm64(insn) && insn->src_reg) {
		if ((__u32)insn->imm != arena_id && (__u32)insn->imm != result_id)
			return -1;
		insn->imm = (__u32)insn->imm == arena_id ? arena_fd : result_fd;
	} else if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) {
		insn->imm = insn->off;
		insn->off = 0;
	} else if (insn->code == (BPF_JMP | BPF_CALL)) {
		return call_by_address(insn);
	} else if (insn->code == (BPF_ALU | BPF_MOV | BPF_X) && insn->imm == 1) {
		/* a zero extension of the verifier's */
		insn->imm = 0;
	}
	return 0;
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

static struct bpf_insn *dump(int fd, __u32 *cnt)
{
	struct bpf_prog_info info = {};
	struct bpf_insn *insn;

	if (!prog_info(fd, &info))
		return NULL;
	*cnt = info.xlated_prog_len / sizeof(*insn);
	insn = calloc(*cnt, sizeof(*insn));
	memset(&info, 0, sizeof(info));
	info.xlated_prog_len = *cnt * sizeof(*insn);
	info.xlated_prog_insns = ptr_to_u64(insn);
	if (prog_info(fd, &info))
		return insn;
	free(insn);
	return NULL;
}

/*
 * What the kernel shows of a program is a program that does the same. One in ten thousand
 * is refused: 6.1's verifier follows branches that no run takes as well, and what it knows
 * there may contradict itself. A dump lacks conditions that always hold, so that another
 * such branch is followed.
 */
static bool reload(const struct fuzz_case *c, struct bpf_insn *insn, __u32 cnt,
		   __u32 arena_id, const struct model *m)
{
	struct arena a;
	bool ok = true;
	__u32 i;
	int fd;

	if (!begin_case(c, &a))
		return false;
	for (i = 0; i < cnt; i++)
		if (undump(c, insn + i, arena_id, a.fd))
			printf("the dump's insn %u is unknown\n", i);
	fd = load(c, insn, cnt);
	if (fd < 0) {
		stats.reloads_refused++;
		printf("seed %llu: the dump is refused: %s\n", c->seed, arena_log);
		print_program(c, insn, cnt);
	} else {
		ok = run_and_compare(c, fd, &a, m);
		close(fd);
	}
	arena_close(&a);
	stats.reloads++;
	return ok;
}

static bool dump_and_reload(const struct fuzz_case *c, int fd, __u32 arena_id,
			    const struct model *m)
{
	struct bpf_insn *insn;
	__u32 cnt;
	bool ok;

	insn = dump(fd, &cnt);
	if (!insn)
		return false;
	ok = reload(c, insn, cnt, arena_id, m);
	free(insn);
	return ok;
}

/* Without the JIT nothing that has an arena is loaded, let alone interpreted. */
static void refused_without_jit(const struct fuzz_case *c, const struct bpf_insn *insn)
{
	int fd;

	if (!arena_sysctl(JIT_ENABLE, "0", NULL, 0))
		return;
	fd = load(c, insn, c->prog.cnt);
	arena_sysctl(JIT_ENABLE, "1", NULL, 0);
	if (fd < 0)
		return;
	failed(c, "loaded without the JIT");
	close(fd);
}

static bool test_loaded(const struct fuzz_case *c, int fd, struct arena *a)
{
	struct bpf_prog_info info = {};
	__u32 arena_id = map_id(a->fd);
	struct model *m = malloc(sizeof(*m));
	bool known = fuzz_model(m, c), ok;

	if (!known) {
		stats.unknown++;
		if (!c->noise)
			printf("the model is lost at insn %u\n", m->pc - 1);
	}
	ok = prog_info(fd, &info) && in_order(info.jited_prog_len, "not jited") &&
	     run_and_compare(c, fd, a, known ? m : NULL) && (known || c->noise);
	/* it must leave its address to the next one */
	unmap(a);
	if (ok && c->reload)
		ok = dump_and_reload(c, fd, arena_id, m);
	free(m);
	return ok;
}

/* Loads the case's program, and if that can be, tests it. */
static bool try_case(const struct fuzz_case *c, struct arena *a, struct bpf_insn *insn)
{
	bool ok = true;
	int fd;

	memcpy(insn, c->prog.insn, c->prog.cnt * sizeof(*insn));
	resolve(insn, c->prog.cnt, a->fd);
	if (c->seed % NOW_AND_THEN == 0 && !c->noise)
		refused_without_jit(c, insn);
	fd = load(c, insn, c->prog.cnt);
	count_verified(arena_log);
	if (fd >= 0) {
		stats.accepted++;
		stats.noisy_accepted += c->noise;
		stats.iterate_accepted += c->iterates && !c->noise;
		ok = test_loaded(c, fd, a);
		close(fd);
		return ok;
	}
	unmap(a);
	/* not the verifier's no, but that of the JIT, or of who checks them both */
	if (!c->noise && (fd == -ENOTSUPP || fd == -EFAULT) &&
	    !strstr(arena_log, "too complex")) {
		printf("accepted, and then refused: %s (%d)\n", arena_log, fd);
		return false;
	}
	count_reason(arena_log, fd);
	if (env.verbosity > VERBOSE_NONE && !c->noise) {
		printf("seed %llu is refused: %s", c->seed, arena_log);
		print_program(c, c->prog.insn, c->prog.cnt);
	}
	return true;
}

static void test_case(__u64 seed)
{
	struct fuzz_case *c = calloc(1, sizeof(*c));
	struct bpf_insn *insn;
	struct arena a;
	int tries;
	bool ok;

	c->seed = seed;
	fuzz_generate(c);
	stats.programs++;
	stats.insns += c->prog.cnt;
	stats.noisy += c->noise;
	stats.iterate += c->iterates && !c->noise;
	insn = malloc(c->prog.cnt * sizeof(*insn));
	set_harden(c->harden ? "2" : "0");
	/* bad luck does not strike thrice */
	for (ok = false, tries = c->varies ? 3 : 1; tries && !ok; tries--) {
		if (!begin_case(c, &a))
			break;
		/*
		 * While a worker takes a freed page from user space, it looks as if it were
		 * pinned, and an allocation passes it by: from now on nothing is mapped.
		 */
		if (c->varies && tries < 3)
			madvise(a.mem, a.size, MADV_DONTNEED);
		ok = try_case(c, &a, insn);
		if (!ok && tries == 1) {
			print_program(c, c->prog.insn, c->prog.cnt);
			print_log(c, insn);
		}
		close(a.fd);
	}
	if (!ok)
		failed(c, "the program did not what it should");
	free(insn);
	insns_free(&c->prog);
	free(c);
}

static bool open_canary(struct arena *a, __u64 addr)
{
	char *edge[2];
	int i, j;

	if (!arena_open(a, ARENA_4G / ARENA_PAGE, 0, addr))
		return false;
	edge[0] = a->mem;
	edge[1] = a->mem + a->size - CANARY_PAGES * ARENA_PAGE;
	for (i = 0; i < 2; i++)
		for (j = 0; j < CANARY_PAGES * ARENA_PAGE / 8; j++)
			((__u64 *)edge[i])[j] = FUZZ_WORD(j);
	return true;
}

static bool compare_canary(const struct arena *a)
{
	const __u64 *edge[2] = {
		(void *)a->mem, (void *)(a->mem + a->size - CANARY_PAGES * ARENA_PAGE),
	};
	int i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < CANARY_PAGES * ARENA_PAGE / 8; j++)
			if (edge[i][j] != FUZZ_WORD(j))
				return false;
	return true;
}

static bool open_trigger(void)
{
	const struct bpf_insn insn[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };

	trigger_fd = arena_load(BPF_PROG_TYPE_SOCKET_FILTER, insn, ARRAY_SIZE(insn));
	return trigger_fd >= 0;
}

static bool open_result(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	size_t i;

	for (i = 0; i < FUZZ_NR_KFUNCS; i++)
		kfunc_id[i] = arena_kfunc(kfunc_name[i]);
	result_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "result", 4, FUZZ_WORDS * 8, 1, &opts);
	if (!ASSERT_GE(result_fd, 0, "result_map"))
		return false;
	result_id = map_id(result_fd);
	result = mmap(NULL, ARENA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, result_fd, 0);
	return ASSERT_NEQ((void *)result, MAP_FAILED, "mmap");
}

static void print_stats(__u64 seed)
{
	FILE *out = env.stdout;
	int i;

	fprintf(out, "arena_fuzz: seed %llu: %llu programs of %llu insns (%llu with noise)\n",
		seed, stats.programs, stats.insns, stats.noisy);
	fprintf(out, "  accepted %llu (%llu with noise), runs %llu (%llu attached), ",
		stats.accepted, stats.noisy_accepted, stats.runs, stats.attached);
	fprintf(out, "stray accesses %llu\n", stats.strays);
	fprintf(out, "  with iterators, and without noise, %llu (accepted %llu)\n",
		stats.iterate, stats.iterate_accepted);
	fprintf(out, "  verified %llu insns, of one program up to %llu\n", stats.verified,
		stats.verified_max);
	fprintf(out, "  dumped and loaded again %llu (refused %llu), beyond the model %llu, ",
		stats.reloads, stats.reloads_refused, stats.unknown);
	fprintf(out, "failures %llu\n", stats.failures);
	for (i = 0; i < MAX_REASONS && stats.reason[i].cnt; i++)
		fprintf(out, "  refused %5llu: %s\n", stats.reason[i].cnt,
			stats.reason[i].text);
	fflush(out);
}

static void test_cases(__u64 seed, __u64 cnt)
{
	struct arena first;
	__u64 i;

	memset(&stats, 0, sizeof(stats));
	/* the cases' arenas take the place of the one between the canaries */
	if (!open_canary(&canary[0], 1ULL << 44) ||
	    !arena_open(&first, FUZZ_PAGES, 0, ARENA_ADDR) ||
	    !open_canary(&canary[1], 2ULL << 44))
		return;
	arena_close(&first);
	for (i = 0; i < cnt && stats.failures < MAX_FAILURES; i++) {
		test_case(seed + i);
		if (i % NOW_AND_THEN && i != cnt - 1)
			continue;
		if (!ASSERT_TRUE(compare_canary(&canary[0]) && compare_canary(&canary[1]),
				 "canaries")) {
			printf("of seeds %llu to %llu\n", seed, seed + i);
			break;
		}
	}
	arena_close(&canary[0]);
	arena_close(&canary[1]);
	print_stats(seed);
	ASSERT_EQ(stats.failures, 0, "failures");
	ASSERT_LE(stats.reloads_refused, 2 + stats.programs / 10000, "refused dumps");
	/* of few programs, chance decides */
	if (cnt < 100)
		return;
	ASSERT_GT(stats.accepted * 10, stats.programs * 3, "accepted");
	ASSERT_GT(stats.iterate_accepted * 2, stats.iterate, "accepted with iterators");
}

void serial_test_arena_fuzz(void)
{
	__u64 seed = arena_env("ARENA_FUZZ_SEED", 0), cnt = arena_env("ARENA_FUZZ_COUNT", 0);
	char harden[16];

	if (!ASSERT_OK(load_kallsyms(), "kallsyms") || !open_result() ||
	    !open_trigger() || !arena_sysctl(JIT_HARDEN, "0", harden, sizeof(harden)))
		return;
	if (seed) {
		if (test__start_subtest("seed"))
			test_cases(seed, cnt ?: 1);
	} else {
		if (test__start_subtest("same"))
			test_cases(1, cnt ?: arena_times(SAME_COUNT));
		if (test__start_subtest("new"))
			test_cases(time(NULL) * 1000000ULL, cnt ?: arena_times(NEW_COUNT));
	}
	arena_sysctl(JIT_HARDEN, harden, NULL, 0);
	munmap(result, ARENA_PAGE);
	close(result_fd);
	close(trigger_fd);
}
