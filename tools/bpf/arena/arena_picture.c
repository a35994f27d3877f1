// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* SEEK_DATA */
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "arena_picture.h"

#define COLUMNS	64
#define CELLS	(4 * COLUMNS)

/* A range of pages that are there. */
struct range {
	long begin, end;
};

/*
 * Pages may come and go meanwhile: each range was there at its time.
 * Returns how many ranges, or -1.
 */
static int find_ranges(int map_fd, struct range **ranges)
{
	long page = sysconf(_SC_PAGESIZE);
	struct range *more;
	off_t at = 0;
	int count = 0;

	*ranges = NULL;
	for (;;) {
		at = lseek(map_fd, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? count : -1;
		more = realloc(*ranges, (count + 1) * sizeof(*more));
		if (!more)
			return -1;
		*ranges = more;
		more[count].begin = at / page;
		at = lseek(map_fd, at, SEEK_HOLE);
		if (at < 0)
			return -1;
		more[count++].end = at / page;
	}
}

/* How many pages of the @cell-th @pages are there. */
static long pages_in(const struct range *ranges, int count, long cell, long pages)
{
	long begin = cell * pages, end = begin + pages, sum = 0;

	for (int i = 0; i < count; i++) {
		long from = ranges[i].begin > begin ? ranges[i].begin : begin;
		long to = ranges[i].end < end ? ranges[i].end : end;

		sum += to > from ? to - from : 0;
	}
	return sum;
}

void picture_print(int map_fd)
{
	struct range *ranges;
	int count = find_ranges(map_fd, &ranges);
	long pages, cells;

	if (count > 0) {
		pages = (ranges[count - 1].end + CELLS - 1) / CELLS;
		cells = (ranges[count - 1].end + pages - 1) / pages;
		printf("used pages, %ld to a character (#: all, +: some, .: none)", pages);
		for (long cell = 0; cell < cells; cell++) {
			long used = pages_in(ranges, count, cell, pages);

			if (cell % COLUMNS == 0)
				printf("\n    ");
			putchar(!used ? '.' : used < pages ? '+' : '#');
		}
		putchar('\n');
	}
	free(ranges);
}

long picture_pages(int map_fd)
{
	struct range *ranges;
	int count = find_ranges(map_fd, &ranges);
	long pages = 0;

	for (int i = 0; i < count; i++)
		pages += ranges[i].end - ranges[i].begin;
	free(ranges);
	return count < 0 ? -1 : pages;
}
