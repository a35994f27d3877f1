// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include "arena_text.h"

/* Returns the length of the UTF-8 character at @text, or 0 if there is none. */
static int utf8_decode(const unsigned char *text, unsigned int *code)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int length;

	*code = *text;
	if (*text < 0x80)
		return 1;
	length = (*text & 0xe0) == 0xc0 ? 2 : (*text & 0xf0) == 0xe0 ? 3 :
		 (*text & 0xf8) == 0xf0 ? 4 : 0;
	*code &= 0xff >> (length + 1);
	for (int i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	/* No longer form than needed, no surrogate, nothing past the end. */
	if (!length || *code < least[length] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

/*
 * What a terminal obeys, or what makes a text look like another one: control
 * characters, and the format characters of Unicode 15, among them those that turn
 * the direction of writing.
 */
static bool is_harmful(unsigned int code)
{
	static const struct range {
		unsigned int first, last;
	} ranges[] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x600, 0x605 },
		{ 0x61c, 0x61c }, { 0x6dd, 0x6dd }, { 0x70f, 0x70f }, { 0x890, 0x891 },
		{ 0x8e2, 0x8e2 }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd },
		{ 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe007f }, {}
	};

	for (const struct range *range = ranges; range->last; range++)
		if (code >= range->first && code <= range->last)
			return true;
	return false;
}

char *text_printable(char *text)
{
	/* Another terminal may take bytes of UTF-8 for its control characters. */
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	char *from = text, *to = text;

	while (*from) {
		unsigned int code;
		int length = utf8_decode((unsigned char *)from, &code);

		if (!length || is_harmful(code) || (code > 0x7f && !utf8))
			*to++ = '?';
		else
			to = (char *)memmove(to, from, length) + length;
		from += length ?: 1;
	}
	*to = '\0';
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

/* As JSON spells any character in ASCII: of UTF-16. */
static char *json_escape(char *to, unsigned int code)
{
	if (code < 0x10000)
		return to + sprintf(to, "\\u%04x", code);
	code -= 0x10000;
	return to + sprintf(to, "\\u%04x\\u%04x", 0xd800 | code >> 10,
			    0xdc00 | (code & 0x3ff));
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
		unsigned int code;
		int length = utf8_decode(from, &code);

		if (!length)
			to = stpcpy(to, "\\ufffd");
		else if (code == '"' || code == '\\' || is_harmful(code))
			to = json_escape(to, code);
		else
			to = (char *)memcpy(to, from, length) + length;
		from += length ?: 1;
	}
	*to = '\0';
	jsonw_name(json, name);
	jsonw_printf(json, "\"%s\"", quoted);
}
