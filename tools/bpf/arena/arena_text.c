// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <stdio.h>
#include <string.h>
#include "arena_text.h"

char *text_printable(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return text;
}

json_writer_t *json_begin(void)
{
	json_writer_t *json = jsonw_new(stdout);

	if (!json)
		errx(TOOL_FAILED, "out of memory");
	jsonw_start_object(json);
	return json;
}

void json_end(json_writer_t *json)
{
	jsonw_end_object(json);
	jsonw_destroy(&json);
}

/* Returns the length of the UTF-8 character at @text, or 0 if there is none. */
static int utf8_length(const unsigned char *text)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int code;
	int length;

	if (*text < 0x80)
		return 1;
	length = (*text & 0xe0) == 0xc0 ? 2 : (*text & 0xf0) == 0xe0 ? 3 :
		 (*text & 0xf8) == 0xf0 ? 4 : 0;
	code = *text & (0xff >> (length + 1));
	for (int i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	/* No longer form than needed, no surrogate, nothing past the end. */
	if (!length || code < least[length] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

/*
 * The writer's own strings leave control characters as they are, and make a line
 * feed of a backslash.
 */
void json_text_field(json_writer_t *json, const char *name, const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char quoted[6 * strlen(text) + 1];
	char *to = quoted;

	while (*from) {
		int length = utf8_length(from);

		if (!length)
			to = stpcpy(to, "\\ufffd");
		else if (*from == '"' || *from == '\\' || *from < ' ' || *from == 0x7f)
			to += sprintf(to, "\\u%04x", *from);
		else
			to = (char *)memcpy(to, from, length) + length;
		from += length ?: 1;
	}
	*to = '\0';
	jsonw_name(json, name);
	jsonw_printf(json, "\"%s\"", quoted);
}
