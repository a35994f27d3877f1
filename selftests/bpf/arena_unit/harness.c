// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "harness.h"

#define TEST_SECONDS 120

static u64 the_seed;

void check_failed(const char *file, int line, const char *what)
{
	char msg[512];
	int len;

	len = snprintf(msg, sizeof(msg), "# %s:%d: not true: %s\n", file, line, what);
	if (write(STDOUT_FILENO, msg, len) != len)
		_exit(2);
#ifdef LIBFUZZER
	/* libFuzzer keeps the input of what crashes, not of what exits. */
	abort();
#endif
	_exit(1);
}

void check_eq_failed(const char *file, int line, const char *what, long value, long want)
{
	char msg[512];

	snprintf(msg, sizeof(msg), "%s is %ld, expected %ld", what, value, want);
	check_failed(file, line, msg);
}

static int run_test(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(TEST_SECONDS);
		test->run();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("FAIL %s: can't run it\n", test->name);
		return 1;
	}
	if (!status) {
		printf("ok %s\n", test->name);
		return 0;
	}
	if (WIFSIGNALED(status))
		printf("# killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	printf("FAIL %s\n", test->name);
	return 1;
}

int run_tests(const struct test *tests, int nr)
{
	int i, failed = 0;

	printf("# SEED=%llu\n", seed());
	for (i = 0; i < nr; i++)
		failed += run_test(&tests[i]);
	return failed != 0;
}

u64 seed(void)
{
	const char *env = getenv("SEED");

	if (!the_seed && env)
		the_seed = strtoull(env, NULL, 0);
	if (!the_seed)
		the_seed = (u64)time(NULL) * 1000 + getpid() % 1000;
	return the_seed;
}

void rng_init(struct rng *rng, u64 stream)
{
	rng->state = (seed() + stream * 0x9e3779b97f4a7c15ULL) | 1;
}

/* xorshift64* */
u32 rng_below(struct rng *rng, u32 limit)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return (rng->state * 0x2545f4914f6cdd1dULL >> 32) % limit;
}
