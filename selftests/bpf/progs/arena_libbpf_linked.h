/* SPDX-License-Identifier: GPL-2.0 */
/* What the first of two linked objects uses of the second. */
extern int __arena_global in_second;

int add_in_second(int value);
