# SPDX-License-Identifier: GPL-2.0
#
# Makes the table of bench.sh from bench.limits and the results: files KERNEL.RUN
# of lines "name<TAB>value" and "# heading". Writes the same to the files csv and
# svg. Fails as bench.sh does.

BEGIN {
	FS = "\t"
	tolerance = 0.001
}

FILENAME ~ /limits$/ {
	if (!/^#/)
		limit[$1] = $2
	if (!/^#/ && NF > 2)
		known[$1] = $3
	next
}

FNR == 1 {
	n = split(FILENAME, part, /[\/.]/)
	kernel = part[n - 1]
	run = part[n]
}

/^# / {
	heading = substr($0, 3)
	next
}

{
	value[kernel, run, $1] = $2
	if (!($1 in heading_of)) {
		heading_of[$1] = heading
		name[++names] = $1
	}
	if (run == 2)
		compare_runs(kernel, $1)
}

function abs(x)
{
	return x < 0 ? -x : x
}

# How much two runs differ. Memory comes in pages, of which an arena has a part;
# an interrupt may have another cause.
function compare_runs(kernel, what,	a, b, more, deviation)
{
	if (!((kernel, 1, what) in value)) {
		differ[++differing] = kernel ": " what ": not in the first run"
		return
	}
	a = value[kernel, 1, what]
	b = value[kernel, 2, what]
	if (abs(a - b) <= (what ~ /^KiB/ ? 0.1 : what ~ /^interrupts/ ? 0.01 : 0))
		return
	more = abs(a) > abs(b) ? abs(a) : abs(b)
	deviation = more ? abs(a - b) / more : 0
	if (deviation > tolerance)
		differ[++differing] = kernel ": " what ": " a ", " b
	if (deviation > worst) {
		worst = deviation
		worst_what = " (" kernel ": " what ")"
	}
}

function number(kernel, what,	v)
{
	if (!((kernel, 1, what) in value))
		return "n/a"
	v = value[kernel, 1, what]
	return v == int(v) ? sprintf("%d", v) : sprintf("%.2f", v)
}

function limit_of(what)
{
	if (!(what in limit))
		return ""
	if (limit[what] ~ /^[a-z]+$/)
		return number(limit[what], what)
	return limit[what]
}

# Nothing has been measured: no limit has been kept.
function missed(what, most, ours)
{
	if (most == "" || most == "n/a")
		return 0
	if (limit[what] == "stock")
		most *= 1.01
	return ours == "n/a" || ours + 0 > most + 0
}

function ratio(ours, mainline)
{
	if (ours == "n/a" || mainline == "n/a" || mainline + 0 == 0)
		return ""
	return sprintf("%.2f", ours / mainline)
}

function print_row(what,	ours, mainline, stock, most, times, mark)
{
	ours = number("ours", what)
	mainline = number("mainline", what)
	stock = number("stock", what)
	most = limit_of(what)
	times = ratio(ours, mainline)
	mark = ""
	if (missed(what, most, ours)) {
		mark = " MISSED"
		if (what in known && ours + 0 <= known[what] + 0) {
			mark = " above, for a reason"
			explained++
		} else {
			misses++
		}
	}
	if (heading_of[what] != heading) {
		heading = heading_of[what]
		printf "\n%s\n", heading
	}
	printf "  %-58s %10s %10s %6s %10s %10s%s\n", what, mainline, ours,
		times, stock, most, mark
	printf "\"%s\",\"%s\",%s,%s,%s,%s,%s\n", heading, what, mainline, ours,
		times, stock, most >csv
	if (times != "" && heading !~ /^(Size|Beside)/)
		bar[++bars] = what "\t" times
}

function log10(x)
{
	return log(x) / log(10)
}

# Where a ratio is, in the plot: 1/100 to 1000
function x_of(times)
{
	if (times < 0.01)
		times = 0.01
	if (times > 1000)
		times = 1000
	return sprintf("%.1f", 400 + (log10(times) + 2) * 100)
}

function plot_axis(height,	i, times)
{
	for (i = -2; i <= 3; i++) {
		times = 10 ^ i
		printf "<line x1=\"%s\" y1=\"40\" x2=\"%s\" y2=\"%d\" stroke=\"%s\"/>\n",
			x_of(times), x_of(times), height - 10,
			i ? "#ddd" : "#000" >svg
		printf "<text x=\"%s\" y=\"34\" text-anchor=\"middle\">%s</text>\n",
			x_of(times), times >svg
	}
}

function plot_bar(i,	part, x, one, left, colour)
{
	split(bar[i], part, FS)
	one = x_of(1) + 0
	x = x_of(part[2]) + 0
	left = x < one ? x : one
	colour = x < one ? "#2a7" : "#c50"
	printf "<text x=\"392\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
		39 + i * 16, part[1] >svg
	printf "<rect x=\"%s\" y=\"%d\" width=\"%.1f\" height=\"11\" fill=\"%s\"/>\n",
		left, 30 + i * 16, abs(x - one), colour >svg
	printf "<text x=\"%s\" y=\"%d\">%s</text>\n", left + abs(x - one) + 4,
		39 + i * 16, part[2] >svg
}

function plot(	height, i)
{
	height = 60 + bars * 16
	print "<!-- SPDX-License-Identifier: GPL-2.0 -->" >svg
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"%d\"", height >svg
	printf " font-family=\"sans-serif\" font-size=\"11\">\n" >svg
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>" >svg
	print "<text x=\"8\" y=\"16\" font-size=\"13\">Cost of an operation," \
		" relative to Linux 6.12 (less is better)</text>" >svg
	plot_axis(height)
	for (i = 1; i <= bars; i++)
		plot_bar(i)
	print "</svg>" >svg
}

END {
	print "Guest instructions an operation takes, or what the row says."
	printf "\n  %-58s %10s %10s %6s %10s %10s\n", "", "6.12", "ours", "ratio",
		"stock 6.1", "at most"
	print "# SPDX-License-Identifier: GPL-2.0" >csv
	print "group,name,6.12,ours,ratio,stock 6.1,at most" >csv
	heading = ""
	for (i = 1; i <= names; i++)
		print_row(name[i])
	plot()
	printf "\nLargest difference of two runs: %.3f %%%s\n", worst * 100, worst_what
	for (i = 1; i <= differing; i++)
		print "  " differ[i]
	if (explained)
		printf "%d above the limit, for a reason that is in scripts/bench.limits\n", explained
	printf "%d limits missed\n", misses
	exit misses || differing
}
