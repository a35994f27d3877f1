/* SPDX-License-Identifier: GPL-2.0 */
/* A text map of an arena's pages. */
#ifndef __ARENA_PICTURE_H
#define __ARENA_PICTURE_H

/**
 * picture_print() - print which pages of an arena are there
 * @map_fd: the arena
 *
 * It asks the kernel (lseek() on the map's fd, SEEK_DATA), touches no page, and prints
 * nothing if the kernel does not say. The picture ends with the last page that is there.
 */
void picture_print(int map_fd);

/**
 * picture_pages() - count the pages of an arena that are there
 * @map_fd: the arena
 *
 * Return: how many, or -1 if the kernel does not say
 */
long picture_pages(int map_fd);

#endif /* __ARENA_PICTURE_H */
