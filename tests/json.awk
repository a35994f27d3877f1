# SPDX-License-Identifier: GPL-2.0
#
# Reads JSON, a document on each line, and prints a line for each value in it:
# document number, path and value, as in
#
#	1.rows[0].comm "sh"
#
# Ends with status 1 where a line is no JSON (RFC 8259).

function fail(what) {
	printf "line %d, column %d: %s: %s\n", NR, at, what, substr(text, at, 40)
	failed = 1
	exit 1
}

# Past the blanks; returns the character there.
function look() {
	while (substr(text, at, 1) ~ /^[ \t]$/)
		at++
	return substr(text, at, 1)
}

function take(pattern, what) {
	if (!match(substr(text, at), "^(" pattern ")"))
		fail(what)
	taken = substr(text, at, RLENGTH)
	at += RLENGTH
	return taken
}

function string(c, begin) {
	begin = at
	take("\"", "no string")
	while ((c = substr(text, at, 1)) != "\"") {
		if (c == "" || c < " ")
			fail("a control character in a string, or no end")
		if (c == "\\")
			take("\\\\([\"\\\\/bfnrt]|u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])", \
			     "no such escape")
		else
			at++
	}
	at++
	return substr(text, begin, at - begin)
}

function members(path, name) {
	at++
	if (look() == "}")
		return at++
	do {
		look()
		name = string()
		look()
		take(":", "no colon")
		value(path "." substr(name, 2, length(name) - 2))
	} while (look() == "," && at++)
	take("}", "no end of the object")
}

function elements(path, n) {
	at++
	if (look() == "]")
		return at++
	do
		value(path "[" n++ + 0 "]")
	while (look() == "," && at++)
	take("]", "no end of the array")
}

function value(path, c) {
	c = look()
	if (c == "{")
		members(path)
	else if (c == "[")
		elements(path)
	else if (c == "\"")
		print path, string()
	else
		print path, take("-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?|true|false|null", \
				 "no value")
}

{
	text = $0
	at = 1
	value(NR)
	look()
	if (at <= length(text))
		fail("more after the end")
}

END {
	exit failed || !NR
}
