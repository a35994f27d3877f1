// SPDX-License-Identifier: GPL-2.0
/* A module with a kfunc that takes an arena and a pointer into it. */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/uaccess.h>

/* What of struct bpf_arena is fixed, as programs read it, too. */
struct arena_head {
	struct bpf_map map;
	u64 user_vm_start;
};

/*
 * Where the process has @words words at @ptr mapped: 0 if they are not all in the arena.
 * The pointer can be one of user space or a program's own, after a cast. They have the
 * lower half in common.
 */
static u64 user_address(const struct bpf_map *map, const void *ptr, u32 words)
{
	u64 base = container_of(map, struct arena_head, map)->user_vm_start;
	u64 size = (u64)map->max_entries << PAGE_SHIFT;
	u32 offset = (u32)(unsigned long)ptr - (u32)base;

	if (offset + (u64)words * sizeof(u64) > size)
		return 0;
	return base + offset;
}

__diag_push();
__diag_ignore_all("-Wmissing-prototypes", "kfuncs are called by BPF programs");

/**
 * arena_testmod_sum() - Add up words that the calling process has in its arena
 * @map__map: the arena, or whatever map the program passed
 * @ptr__ign: whatever the program passed
 * @words: number of words
 * @sum: their sum
 *
 * Return: 0, -EINVAL for another map, -ERANGE for words that are not in the arena,
 * -EFAULT for those that cannot be read.
 */
noinline int arena_testmod_sum(void *map__map, void *ptr__ign, u32 words, u64 *sum)
{
	const struct bpf_map *map = map__map;
	const u64 __user *from;
	u64 word;
	u32 i;

	*sum = 0;
	if (map->map_type != BPF_MAP_TYPE_ARENA)
		return -EINVAL;
	from = u64_to_user_ptr(user_address(map, ptr__ign, words));
	if (!from)
		return -ERANGE;
	for (i = 0; i < words; i++) {
		if (get_user(word, from + i))
			return -EFAULT;
		*sum += word;
	}
	return 0;
}

__diag_pop();

BTF_SET8_START(arena_testmod_kfuncs)
BTF_ID_FLAGS(func, arena_testmod_sum, KF_SLEEPABLE)
BTF_SET8_END(arena_testmod_kfuncs)

static const struct btf_kfunc_id_set arena_testmod_set = {
	.owner = THIS_MODULE,
	.set = &arena_testmod_kfuncs,
};

static int __init arena_testmod_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &arena_testmod_set);
}

static void __exit arena_testmod_exit(void)
{
}

module_init(arena_testmod_init);
module_exit(arena_testmod_exit);

MODULE_DESCRIPTION("A kfunc with arena arguments, for selftests");
MODULE_LICENSE("GPL");
