// SPDX-License-Identifier: GPL-2.0
/*
 * A cache of the paths that were opened last, and how often, kept by BPF programs in
 * an arena that is nobody's but theirs. None of them may sleep.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The allocator allocates from it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_NO_USER_CONV);
	__uint(max_entries, 4096);	/* set before the load, as is map_extra */
} arena SEC(".maps");

#include "arena_heap.h"

#define ENOENT		2
#define LOCK_TRIES	200
#define MAX_EVICT	64
#define FREE_PAGES	8	/* to be there before the lock is taken */

struct path {
	void *mnt;
} __attribute__((preserve_access_index));

struct file {
	struct path f_path;
} __attribute__((preserve_access_index));

struct cache __arena_global cache;

/*
 * Too large for the stack. A program at a function is not entered again on its CPU
 * before it has ended, not even for another task.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, __u64[PATH_WORDS]);
} path SEC(".maps");

static void drop(void)
{
	__sync_fetch_and_add(&cache.dropped, 1);
}

static int lock(void)
{
	int i;

	bpf_for(i, 0, LOCK_TRIES) {
		if (!arena_spin_lock(&cache.lock))
			return 0;
	}
	return -ETIMEDOUT;
}

/* --- with the lock */

static __u32 words(__u32 len)
{
	return (len + 7) / 8;
}

/*
 * Of cache.path. In the arena, and counted by can_loop, the verifier need not follow
 * these loops from word to word.
 */
static __u64 hash(void)
{
	__u64 hash = cache.len;
	__u32 i;

	for (i = 0; i < words(cache.len) && can_loop; i++)
		hash = (hash ^ cache.path[i]) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static bool same(const struct entry __arena *entry)
{
	__u32 i = 0;

	if (entry->len != cache.len)
		return false;
	while (i < words(cache.len) && entry->path[i] == cache.path[i] && can_loop)
		i++;
	return i >= words(cache.len);
}

static struct entry __arena *find(void)
{
	struct entry __arena *entry;

	arena_htab_for_each_possible(&cache.index, entry, hash(), node) {
		if (same(entry))
			return entry;
	}
	return NULL;
}

/*
 * Takes out what was opened longest ago.
 * This and the next two are global functions, so that the verifier looks at them once.
 */
int evict(void)
{
	struct entry __arena *entry;

	arena_list_for_each_entry_reverse(entry, &cache.lru, lru) {
		if (!entry->held)
			break;
	}
	if (!entry)
		return -ENOENT;
	arena_list_del(&entry->lru);
	arena_htab_del(&cache.index, &entry->node);
	if (arena_free(&cache.heap, entry))
		drop();
	cache.entries--;
	cache.evicted++;
	return 0;
}

__u64 alloc(__u32 size)
{
	return (__u64)arena_malloc(&cache.heap, size);
}

int index_add(__u64 addr, __u64 hash)
{
	struct entry __arena *entry = (struct entry __arena *)addr;

	return arena_htab_add(&cache.index, &entry->node, hash);
}

static struct entry __arena *add(void)
{
	struct entry __arena *entry = NULL;
	__u32 i, size = sizeof(*entry) + words(cache.len) * 8;
	int tries;

	bpf_for(tries, 0, MAX_EVICT) {
		entry = (struct entry __arena *)alloc(size);
		if (entry || evict())
			break;
	}
	if (!entry)
		return NULL;

	for (i = 0; i < words(cache.len) && can_loop; i++)
		entry->path[i] = cache.path[i];
	entry->len = cache.len;
	entry->held = 0;
	entry->count = 0;
	/* Too many paths have that hash: no doubt somebody has made them so. */
	if (index_add((__u64)entry, hash())) {
		if (arena_free(&cache.heap, entry))
			drop();
		return NULL;
	}
	arena_list_add(&entry->lru, &cache.lru);
	cache.entries++;
	return entry;
}

static void count(void)
{
	struct entry __arena *entry = find();
	__u64 comm[2] = {};

	if (entry) {
		arena_list_move(&entry->lru, &cache.lru);
		cache.found++;
	} else {
		entry = add();
		if (!entry) {
			drop();
			return;
		}
		cache.added++;
	}
	bpf_get_current_comm(comm, sizeof(comm));
	entry->comm[0] = comm[0];
	entry->comm[1] = comm[1];
	entry->last = bpf_ktime_get_boot_ns();
	entry->count++;
}

/* --- events */

SEC("fexit/security_file_open")
int BPF_PROG(opened, struct file *file, int ret)
{
	__u64 *text;
	int zero = 0;
	__u32 i;
	long len;

	text = bpf_map_lookup_elem(&path, &zero);
	if (ret || !text)
		return 0;
	len = bpf_d_path(&file->f_path, (char *)text, PATH_WORDS * 8);
	if (len <= 0) {
		drop();
		return 0;
	}
	if (arena_pages_nosleep())
		arena_heap_fill(&cache.heap, FREE_PAGES);
	if (lock()) {
		drop();
		return 0;
	}
	for (i = 0; i < PATH_WORDS && i < words(len) && can_loop; i++)
		cache.path[i] = text[i];
	cache.len = len;
	/* What follows the path in its last word is left of bpf_d_path()'s work. */
	if (len % 8)
		cache.path[words(len) - 1] &= (1ULL << len % 8 * 8) - 1;
	count();
	arena_spin_unlock(&cache.lock);
	return 0;
}

/* --- for user space */

/*
 * Mainline before 7.0 gives pages to programs that may sleep only: there all that the
 * heap is allowed to have comes first. Returns whether that is so.
 */
SEC("syscall")
int provide(void *ctx)
{
	if (arena_pages_nosleep())
		return 0;
	arena_heap_fill(&cache.heap, ARENA_WINDOW_PAGES);
	return 1;
}

/* Finds the paths that were opened last, and sees that they stay. */
SEC("syscall")
int hold(struct hold_args *args)
{
	struct entry __arena *entry;
	__u32 i = 0;

	if (lock())
		return -ETIMEDOUT;
	arena_list_for_each_entry(entry, &cache.lru, lru) {
		if (i >= args->rows || i >= MAX_ROWS)
			break;
		entry->held = 1;
		cache.row[i++] = entry;
	}
	cache.nr_rows = i;
	arena_spin_unlock(&cache.lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
