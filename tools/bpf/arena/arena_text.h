/* SPDX-License-Identifier: GPL-2.0 */
/* Texts of any bytes, for a terminal and in JSON: names of processes and paths. */
#ifndef __ARENA_TEXT_H
#define __ARENA_TEXT_H

#include "arena_tool.h"

/**
 * text_printable() - what can do no harm to a terminal
 * @text: the text, of any bytes. What is not UTF-8 in it, and what a terminal obeys
 *        or reads in another order, becomes a question mark; without a locale of
 *        UTF-8 (setlocale()) all that is not ASCII.
 *
 * Return: @text
 */
char *text_printable(char *text);

/**
 * json_begin() - begin an object on standard output
 *
 * Return: the writer, for json_end()
 */
json_writer_t *json_begin(void);

/**
 * json_end() - end the object and its line
 * @json: the writer
 */
void json_end(json_writer_t *json);

/**
 * json_text_field() - a text that may hold any bytes but 0
 * @json: the writer
 * @name: the field's
 * @text: the text; what is not UTF-8 in it becomes U+FFFD, byte by byte, and what
 *        could do harm to a terminal is escaped
 */
void json_text_field(json_writer_t *json, const char *name, const char *text);

#endif /* __ARENA_TEXT_H */
