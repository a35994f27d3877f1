// SPDX-License-Identifier: GPL-2.0
/* What BPF_MAP_CREATE and the other map commands accept and refuse. */
#include <test_progs.h>
#include "arena_test.h"
#include "cap_helpers.h"

#define MMAPABLE	BPF_F_MMAPABLE
#define LEGAL_FLAGS	(BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV)
#define BASE		0x100000000000ULL
#define PIN_PATH	"/sys/fs/bpf/arena_create"
#define JIT_SYSCTL	"/proc/sys/net/core/bpf_jit_enable"
#define UNPRIV_SYSCTL	"/proc/sys/kernel/unprivileged_bpf_disabled"

/* Creates, checks the errno (0: must succeed), leaves nothing behind. */
static void expect(__u32 flags, __u32 pages, __u64 map_extra, int expected, const char *name)
{
	int fd = arena_create_raw(flags, pages, map_extra);

	ASSERT_EQ(fd < 0 ? errno : 0, expected, name);
	if (fd >= 0)
		close(fd);
}

static void single_flags(void)
{
	char name[32];
	int bit;

	for (bit = 0; bit < 32; bit++) {
		__u32 flag = 1U << bit;

		snprintf(name, sizeof(name), "flag %d alone", bit);
		expect(flag, 1, 0, flag == MMAPABLE ? 0 : EINVAL, name);
		snprintf(name, sizeof(name), "flag %d, mmapable", bit);
		expect(MMAPABLE | flag, 1, 0, flag & LEGAL_FLAGS ? 0 : EINVAL, name);
	}
	expect(0, 1, 0, EINVAL, "no flag");
}

static void flag_pairs(void)
{
	static const __u32 legal[] = {
		BPF_F_MMAPABLE, BPF_F_SEGV_ON_FAULT, BPF_F_NO_USER_CONV,
	};
	int set, i, bit;

	for (set = 0; set < 1 << ARRAY_SIZE(legal); set++) {
		char name[32];
		__u32 flags = 0;

		for (i = 0; i < ARRAY_SIZE(legal); i++)
			if (set & 1 << i)
				flags |= legal[i];
		snprintf(name, sizeof(name), "flags 0x%x", flags);
		expect(flags, 1, 0, flags & MMAPABLE ? 0 : EINVAL, name);
	}
	for (bit = 0; bit < 32; bit++)
		if (!(LEGAL_FLAGS & 1U << bit))
			expect(LEGAL_FLAGS | 1U << bit, 1, 0, EINVAL, "all legal and one more");
}

static void key_value_size(void)
{
	static const __u32 sizes[][2] = {
		{ 4, 0 }, { 0, 4 }, { 4, 8 }, { 1, 1 }, { ~0U, 0 }, { 0, ~0U },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		union bpf_attr attr = {
			.map_type = BPF_MAP_TYPE_ARENA,
			.map_flags = MMAPABLE,
			.max_entries = 1,
			.key_size = sizes[i][0],
			.value_size = sizes[i][1],
		};

		ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_CREATE, &attr), EINVAL, "key and value size");
	}
}

static void max_entries(void)
{
	/* Sizes are in pages: 4 GiB worth of them is the limit. */
	__u64 limit = ARENA_SZ_4G / arena_page_size();

	expect(MMAPABLE, 0, 0, EINVAL, "no page");
	expect(MMAPABLE, 1, 0, 0, "one page");
	expect(MMAPABLE, limit - 1, 0, 0, "4 GiB less a page");
	expect(MMAPABLE, limit, 0, 0, "4 GiB");
	expect(MMAPABLE, limit + 1, 0, E2BIG, "4 GiB and a page");
	expect(MMAPABLE, ~0U, 0, E2BIG, "2^32 - 1 pages");
	expect(MMAPABLE, 1U << 31, 0, E2BIG, "2^31 pages");
}

static void map_extra(void)
{
	size_t page = arena_page_size();

	expect(MMAPABLE, 1, BASE, 0, "page aligned");
	expect(MMAPABLE, 1, BASE + 1, EINVAL, "one byte off");
	expect(MMAPABLE, 1, BASE + page / 2, EINVAL, "half a page off");
	expect(MMAPABLE, 1, BASE + page - 1, EINVAL, "last byte of a page");
	expect(MMAPABLE, 1, 1, EINVAL, "address 1");
}

static void map_extra_crosses_4g(void)
{
	size_t page = arena_page_size();
	__u64 limit = ARENA_SZ_4G / page;

	/* Trap: range crosses 4 GiB */
	expect(MMAPABLE, 1, BASE - page, 0, "last page below the boundary");
	expect(MMAPABLE, 2, BASE - page, ERANGE, "one page to each side");
	expect(MMAPABLE, 2, BASE - 2 * page, 0, "ends at the boundary");
	expect(MMAPABLE, limit, BASE, 0, "4 GiB at a boundary");
	expect(MMAPABLE, limit, BASE + page, ERANGE, "4 GiB a page above a boundary");
	expect(MMAPABLE, limit, BASE - page, ERANGE, "4 GiB a page below a boundary");
}

static void map_extra_wraps(void)
{
	size_t page = arena_page_size();

	/* Trap: end of range wraps to 0 */
	expect(MMAPABLE, 1, 0 - (__u64)page, ERANGE, "last page of the address space");
	expect(MMAPABLE, 2, 0 - (__u64)page, ERANGE, "a page beyond it");
	expect(MMAPABLE, 2, 0 - 2 * (__u64)page, ERANGE, "last two pages");
}

static void map_extra_in_kernel(void)
{
	expect(MMAPABLE, 1, 0xffff888000000000ULL, EINVAL, "direct map");
	expect(MMAPABLE, 1, 0xffffffff81000000ULL, EINVAL, "kernel text");
	expect(MMAPABLE, 1, 1ULL << 63, EINVAL, "not canonical");
	expect(MMAPABLE, 1, 1ULL << 56, EINVAL, "above user space");
}

static void other_types(void)
{
	union bpf_attr attr = {};

	/* 32 belongs to a map type that this kernel knows by name only. */
	attr.map_type = BPF_MAP_TYPE_CGRP_STORAGE;
	attr.key_size = sizeof(int);
	attr.value_size = sizeof(int);
	attr.map_flags = BPF_F_NO_PREALLOC;
	ASSERT_EQ(attr.map_type, 32, "number of cgrp_storage");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_CREATE, &attr), EINVAL, "cgrp_storage");

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARENA + 1;
	attr.max_entries = 1;
	attr.map_flags = MMAPABLE;
	ASSERT_EQ(BPF_MAP_TYPE_ARENA, 33, "number of arena");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_CREATE, &attr), EINVAL, "type after the arena");

	/* map_extra is not everybody's. */
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(int);
	attr.value_size = sizeof(int);
	attr.max_entries = 1;
	attr.map_extra = BASE;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_CREATE, &attr), EINVAL, "map_extra of an array");
}

static void needs_cap_bpf(void)
{
	__u64 caps = 1ULL << CAP_BPF | 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_PERFMON, old;
	union bpf_attr array = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(int),
		.value_size = sizeof(int),
		.max_entries = 1,
	};
	char was[8] = {};
	int fd;

	fd = open(UNPRIV_SYSCTL, O_RDONLY);
	if (!ASSERT_GE(fd, 0, "open sysctl") ||
	    !ASSERT_GT(read(fd, was, sizeof(was) - 1), 0, "read sysctl"))
		return;
	close(fd);
	if (!ASSERT_OK(write_sysctl(UNPRIV_SYSCTL, "0"), "let everybody use bpf(2)"))
		return;

	if (!ASSERT_OK(cap_disable_effective(caps, &old), "drop capabilities"))
		goto restore;
	/* That an array is there for all shows that it is the arena that refuses. */
	fd = arena_sys_bpf(BPF_MAP_CREATE, &array);
	ASSERT_GE(fd, 0, "array without a capability");
	close(fd);
	expect(MMAPABLE, 1, 0, EPERM, "no capability");

	ASSERT_OK(cap_enable_effective(1ULL << CAP_PERFMON, NULL), "CAP_PERFMON");
	expect(MMAPABLE, 1, 0, EPERM, "CAP_PERFMON only");
	ASSERT_OK(cap_enable_effective(1ULL << CAP_BPF, NULL), "CAP_BPF");
	expect(MMAPABLE, 1, 0, 0, "CAP_BPF");
	ASSERT_OK(cap_enable_effective(old, NULL), "restore capabilities");
restore:
	write_sysctl(UNPRIV_SYSCTL, was);
}

static void needs_jit(void)
{
	char was[8] = {};
	int fd;

	fd = open(JIT_SYSCTL, O_RDONLY);
	if (!ASSERT_GE(fd, 0, "open sysctl") ||
	    !ASSERT_GT(read(fd, was, sizeof(was) - 1), 0, "read sysctl"))
		return;
	close(fd);
	if (!ASSERT_OK(write_sysctl(JIT_SYSCTL, "0"), "switch the JIT off"))
		return;
	expect(MMAPABLE, 1, 0, EOPNOTSUPP, "JIT off");
	write_sysctl(JIT_SYSCTL, was);
	expect(MMAPABLE, 1, 0, 0, "JIT on");
}

static void element_operations(void)
{
	__u64 key = 0, value = 0, *mem;
	union bpf_attr attr = {};
	int fd;

	fd = arena_create_raw(MMAPABLE, 4, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, NULL, 4 * arena_page_size(), PROT_READ | PROT_WRITE, 0);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	*mem = 0x1234;

	attr.map_fd = fd;
	attr.value = (__u64)&value;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr), EINVAL, "lookup");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_UPDATE_ELEM, &attr), EOPNOTSUPP, "update");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr), EOPNOTSUPP, "next key");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr), ENOTSUPP,
		     "lookup and delete");
	attr.value = 0;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_DELETE_ELEM, &attr), EOPNOTSUPP, "delete");

	/* Keys of no size: one that is given all the same is a mistake. */
	attr.key = (__u64)&key;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr), EINVAL, "lookup of a key");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_UPDATE_ELEM, &attr), EINVAL, "update of a key");

	ASSERT_EQ(*mem, 0x1234, "content");
	munmap(mem, 4 * arena_page_size());
out:
	close(fd);
}

static void batch_operations(void)
{
	__u64 keys[2] = {}, values[2] = {}, token = 0;
	union bpf_attr attr = {};
	int fd;

	fd = arena_create_raw(MMAPABLE, 1, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	attr.batch.map_fd = fd;
	attr.batch.keys = (__u64)keys;
	attr.batch.values = (__u64)values;
	attr.batch.out_batch = (__u64)&token;
	attr.batch.count = 1;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_LOOKUP_BATCH, &attr), ENOTSUPP, "lookup batch");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &attr), ENOTSUPP,
		     "lookup and delete batch");
	attr.batch.out_batch = 0;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_UPDATE_BATCH, &attr), ENOTSUPP, "update batch");
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_DELETE_BATCH, &attr), ENOTSUPP, "delete batch");
	close(fd);
}

static void inner_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
		.key_size = sizeof(int),
		.value_size = sizeof(int),
		.max_entries = 1,
	};
	int arena, array, outer, key = 0;

	arena = arena_create_raw(MMAPABLE, 1, 0);
	array = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, sizeof(int), sizeof(int), 1, NULL);
	if (!ASSERT_GE(arena, 0, "arena") || !ASSERT_GE(array, 0, "array"))
		goto out;
	attr.inner_map_fd = arena;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_CREATE, &attr), ENOTSUPP, "array of arenas");
	attr.map_type = BPF_MAP_TYPE_HASH_OF_MAPS;
	ASSERT_ERRNO(arena_sys_bpf(BPF_MAP_CREATE, &attr), ENOTSUPP, "hash of arenas");

	attr.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS;
	attr.inner_map_fd = array;
	outer = arena_sys_bpf(BPF_MAP_CREATE, &attr);
	if (ASSERT_GE(outer, 0, "array of arrays")) {
		ASSERT_EQ(bpf_map_update_elem(outer, &key, &arena, 0), -EINVAL,
			  "an arena among arrays");
		close(outer);
	}
out:
	close(array);
	close(arena);
}

static void freeze_once(void)
{
	int fd = arena_create_raw(MMAPABLE, 1, 0);

	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_OK(arena_freeze(fd), "freeze");
	ASSERT_ERRNO(arena_freeze(fd), EBUSY, "freeze twice");
	close(fd);
}

static void info(void)
{
	__u32 flags = MMAPABLE | BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV;
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd;

	fd = arena_create_raw(flags, 77, BASE + arena_page_size());
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	if (ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "info")) {
		ASSERT_EQ(info.type, BPF_MAP_TYPE_ARENA, "type");
		ASSERT_EQ(info.key_size, 0, "key_size");
		ASSERT_EQ(info.value_size, 0, "value_size");
		ASSERT_EQ(info.max_entries, 77, "max_entries");
		ASSERT_EQ(info.map_flags, flags, "map_flags");
		ASSERT_EQ(info.map_extra, BASE + arena_page_size(), "map_extra");
		ASSERT_STREQ(info.name, "arena_raw", "name");
		ASSERT_NEQ(info.id, 0, "id");
	}
	close(fd);
}

static void open_by_id(void)
{
	size_t page = arena_page_size();
	__u64 *mem, *again;
	int fd, by_id;

	fd = arena_create_raw(MMAPABLE, 1, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	by_id = arena_fd_by_id(arena_map_id(fd), 0);
	if (!ASSERT_GE(by_id, 0, "fd by id"))
		goto out;
	mem = arena_mmap(fd, BASE, page, PROT_READ | PROT_WRITE, MAP_FIXED);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	*mem = 0x5678;
	munmap(mem, page);
	close(fd);
	fd = -1;
	again = arena_mmap(by_id, BASE, page, PROT_READ | PROT_WRITE, MAP_FIXED);
	if (ASSERT_NEQ(again, MAP_FAILED, "mmap by id")) {
		ASSERT_EQ(*again, 0x5678, "content");
		munmap(again, page);
	}
out:
	close(by_id);
	close(fd);
}

static void pin(void)
{
	size_t page = arena_page_size();
	__u64 *mem;
	int fd;

	unlink(PIN_PATH);
	fd = arena_create_raw(MMAPABLE, 1, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, BASE, page, PROT_READ | PROT_WRITE, MAP_FIXED);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap") ||
	    !ASSERT_OK(bpf_obj_pin(fd, PIN_PATH), "pin")) {
		close(fd);
		return;
	}
	*mem = 0x9abc;
	munmap(mem, page);
	close(fd);

	/* Only the pin holds it now. */
	fd = bpf_obj_get(PIN_PATH);
	if (ASSERT_GE(fd, 0, "get")) {
		mem = arena_mmap(fd, BASE, page, PROT_READ | PROT_WRITE, MAP_FIXED);
		if (ASSERT_NEQ(mem, MAP_FAILED, "mmap of the pinned")) {
			ASSERT_EQ(*mem, 0x9abc, "content");
			munmap(mem, page);
		}
		close(fd);
	}
	unlink(PIN_PATH);
}

/* The sysctls are the whole machine's: not beside other tests. */
void serial_test_arena_create(void)
{
	if (test__start_subtest("single_flags"))
		single_flags();
	if (test__start_subtest("flag_pairs"))
		flag_pairs();
	if (test__start_subtest("key_value_size"))
		key_value_size();
	if (test__start_subtest("max_entries"))
		max_entries();
	if (test__start_subtest("map_extra"))
		map_extra();
	if (test__start_subtest("map_extra_crosses_4g"))
		map_extra_crosses_4g();
	if (test__start_subtest("map_extra_wraps"))
		map_extra_wraps();
	if (test__start_subtest("map_extra_in_kernel"))
		map_extra_in_kernel();
	if (test__start_subtest("other_types"))
		other_types();
	if (test__start_subtest("needs_cap_bpf"))
		needs_cap_bpf();
	if (test__start_subtest("needs_jit"))
		needs_jit();
	if (test__start_subtest("element_operations"))
		element_operations();
	if (test__start_subtest("batch_operations"))
		batch_operations();
	if (test__start_subtest("inner_map"))
		inner_map();
	if (test__start_subtest("freeze"))
		freeze_once();
	if (test__start_subtest("info"))
		info();
	if (test__start_subtest("open_by_id"))
		open_by_id();
	if (test__start_subtest("pin"))
		pin();
}
