// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What there is to see of an arena: memory that has a user address, and no
 * elements. To look must change nothing: bpftool does not map the arena, which
 * could give it an address, and whose pages come into being when they are
 * touched. The fd of the map is a file with holes, which is read.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

#define LINE_BYTES	16

static const struct {
	__u32 flag;
	const char *name;
} flag_names[] = {
	{ BPF_F_MMAPABLE,	"mmapable" },
	{ BPF_F_SEGV_ON_FAULT,	"segv_on_fault" },
	{ BPF_F_NO_USER_CONV,	"no_user_conv" },
};

/* What fdinfo says of an arena, in the order in which it is shown */
static const char * const numbers[] = {
	"user_vm_start", "nr_pages", "allocated_pages", "reserved_pages",
};

/* Returns false if the kernel does not tell, as mainline's does not. */
static bool get_number(int fd, const char *key, __u64 *number)
{
	char *value = get_fdinfo(fd, key);

	if (!value)
		return false;
	*number = strtoull(value, NULL, 0);
	free(value);

	return true;
}

void show_arena_json(int fd, const struct bpf_map_info *info)
{
	unsigned int i;
	__u64 number;

	jsonw_name(json_wtr, "flag_names");
	jsonw_start_array(json_wtr);
	for (i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (info->map_flags & flag_names[i].flag)
			jsonw_string(json_wtr, flag_names[i].name);
	jsonw_end_array(json_wtr);

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (get_number(fd, numbers[i], &number))
			jsonw_uint_field(json_wtr, numbers[i], number);
}

void show_arena_plain(int fd, const struct bpf_map_info *info)
{
	unsigned int i;
	__u64 number;

	printf("\n\t");
	for (i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (info->map_flags & flag_names[i].flag)
			printf("%s%s", i ? "  " : "", flag_names[i].name);

	if (!get_number(fd, numbers[0], &number))
		return;
	if (!number) {
		printf("\n\tno user address yet");
		return;
	}
	printf("\n\t%s 0x%llx", numbers[0], number);
	for (i = 1; i < ARRAY_SIZE(numbers); i++)
		if (get_number(fd, numbers[i], &number))
			printf("  %s %llu", numbers[i], number);
}

/* Parse the two arguments behind "range". */
int parse_arena_range(char **argv, struct arena_range *range)
{
	char *end;

	range->start = strtoull(argv[0], &end, 0);
	if (*end) {
		p_err("can't parse %s as address", argv[0]);
		return -1;
	}
	range->size = strtoull(argv[1], &end, 0);
	if (*end || !range->size) {
		p_err("can't parse %s as number of bytes", argv[1]);
		return -1;
	}

	return 0;
}

/* An arena in the state in which the dump finds it */
struct arena {
	int fd;
	__u64 start;		/* user address, 0 if there is none yet */
	off_t size;
	long page_size;
	json_writer_t *wtr;	/* NULL: plain text */
};

/*
 * The next part from @pos on that has pages. Returns 1, 0 if there is none, or -1.
 */
static int next_part(const struct arena *arena, off_t pos, off_t *start, off_t *end)
{
	*start = lseek(arena->fd, pos, SEEK_DATA);
	if (*start < 0) {
		if (errno == ENXIO)
			return 0;
		goto err;
	}
	*end = lseek(arena->fd, *start, SEEK_HOLE);
	if (*end < 0)
		goto err;

	return 1;
err:
	p_err("can't look for the pages of the arena: %s", strerror(errno));
	return -1;
}

/* Freed between the two looks: go on behind it, or this would never end. */
static off_t behind_part(const struct arena *arena, off_t start, off_t end)
{
	return end > start ? end : start + arena->page_size;
}

static void print_part(const struct arena *arena, off_t start, off_t end)
{
	unsigned long pages = (end - start) / arena->page_size;

	if (arena->wtr) {
		jsonw_start_object(arena->wtr);
		jsonw_uint_field(arena->wtr, "start", arena->start + start);
		jsonw_uint_field(arena->wtr, "end", arena->start + end);
		jsonw_uint_field(arena->wtr, "pages", pages);
		jsonw_end_object(arena->wtr);
	} else {
		printf("0x%llx-0x%llx  %lu page%s\n", arena->start + start,
		       arena->start + end, pages, pages != 1 ? "s" : "");
	}
}

static int dump_parts(const struct arena *arena)
{
	unsigned long parts = 0, pages = 0;
	off_t start, end, pos = 0;
	int ret = 0;

	while (pos < arena->size && (ret = next_part(arena, pos, &start, &end)) > 0) {
		pos = behind_part(arena, start, end);
		if (start == end)
			continue;
		print_part(arena, start, end);
		parts++;
		pages += (end - start) / arena->page_size;
	}
	if (!arena->wtr && !ret)
		printf("Found %lu range%s, %lu page%s\n", parts,
		       parts != 1 ? "s" : "", pages, pages != 1 ? "s" : "");

	return ret;
}

static void print_line(__u64 addr, unsigned char *bytes, unsigned int n)
{
	/* two digits and a blank each, and one blank more in the middle */
	int width = 3 * n - 1 + (n > LINE_BYTES / 2);
	unsigned int i;

	printf("0x%llx: ", addr);
	fprint_hex(stdout, bytes, n, " ");
	printf("%*s|", 3 * LINE_BYTES - width + 2, "");
	for (i = 0; i < n; i++)
		putchar(isprint(bytes[i]) ? bytes[i] : '.');
	printf("|\n");
}

/* Bytes of one page. Lines like the one before are one asterisk together. */
static void print_bytes(const struct arena *arena, off_t pos, unsigned char *bytes,
			unsigned int n)
{
	bool same, was_same = false;
	unsigned int i;

	if (arena->wtr) {
		jsonw_start_object(arena->wtr);
		jsonw_uint_field(arena->wtr, "start", arena->start + pos);
		jsonw_name(arena->wtr, "bytes");
		print_hex_data_json(bytes, n);
		jsonw_end_object(arena->wtr);
		return;
	}
	for (i = 0; i < n; i += LINE_BYTES) {
		same = i && i + LINE_BYTES <= n &&
		       !memcmp(bytes + i, bytes + i - LINE_BYTES, LINE_BYTES);
		if (!same)
			print_line(arena->start + pos + i, bytes + i,
				   min((unsigned int)LINE_BYTES, n - i));
		else if (!was_same)
			printf("*\n");
		was_same = same;
	}
}

static int dump_part(const struct arena *arena, off_t start, off_t end)
{
	unsigned char bytes[arena->page_size];
	off_t pos, next;
	ssize_t n;

	for (pos = start; pos < end; pos = next) {
		next = min(end, pos - pos % arena->page_size + arena->page_size);
		n = pread(arena->fd, bytes, next - pos, pos);
		if (n != next - pos) {
			p_err("can't read the arena at 0x%llx: %s", arena->start + pos,
			      n < 0 ? strerror(errno) : "it ends there");
			return -1;
		}
		print_bytes(arena, pos, bytes, n);
	}

	return 0;
}

static void print_hole(const struct arena *arena, off_t start, off_t end)
{
	if (!arena->wtr && start < end)
		printf("0x%llx-0x%llx  no pages\n", arena->start + start,
		       arena->start + end);
}

static int dump_range(const struct arena *arena, const struct arena_range *range)
{
	off_t pos, start, end, hole, last;
	int ret = 0;

	if (range->start < arena->start ||
	    range->start - arena->start >= (__u64)arena->size ||
	    range->size > arena->size - (range->start - arena->start)) {
		if (arena->start)
			p_err("the range is not in the arena, which is 0x%llx-0x%llx",
			      arena->start, arena->start + arena->size);
		else
			p_err("the arena has no user address yet");
		return -1;
	}

	hole = range->start - arena->start;
	last = hole + range->size;
	for (pos = hole; pos < last; pos = behind_part(arena, start, end)) {
		ret = next_part(arena, pos, &start, &end);
		if (ret <= 0 || start >= last)
			break;
		end = min(end, last);
		if (start == end)
			continue;
		print_hole(arena, hole, start);
		ret = dump_part(arena, start, end);
		if (ret)
			break;
		hole = end;
	}
	if (ret >= 0)
		print_hole(arena, hole, last);

	return ret < 0 ? -1 : 0;
}

static int open_arena(struct arena *arena, int fd, json_writer_t *wtr)
{
	arena->fd = fd;
	arena->wtr = wtr;
	arena->page_size = sysconf(_SC_PAGESIZE);
	if (!get_number(fd, numbers[0], &arena->start))
		goto err;
	/* The first mmap() sets both: a size without an address is too late */
	arena->size = arena->start ? lseek(fd, 0, SEEK_END) : 0;
	if (arena->size < 0)
		goto err;

	return 0;
err:
	p_err("this kernel doesn't tell which pages an arena has");
	return -1;
}

/*
 * Print which parts of an arena have pages; of a @range, what they hold, too.
 * @wtr: NULL for plain text
 */
int dump_arena(int fd, const struct arena_range *range, json_writer_t *wtr)
{
	struct arena arena;
	int err;

	if (open_arena(&arena, fd, wtr))
		return -1;

	if (wtr)
		jsonw_start_array(wtr);
	err = range ? dump_range(&arena, range) : dump_parts(&arena);
	if (wtr)
		jsonw_end_array(wtr);

	return err;
}
