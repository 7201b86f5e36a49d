# report.awk: the report page of bench.sh, in Markdown; and in DIR results.json, and plot.tsv
# for plots.gp.
#	awk -v out=DIR -v accel=tcg|kvm -f bench/lib.awk -f bench/report.awk \
#		goals.tsv counts.tsv messages.tsv rates.tsv
# The files are as goals.awk and results.awk write them; "accel" is what the rates are of.
BEGIN { FS = "\t"; split("base uaccess checked ringmap bound", modes, " ") }
FILENAME ~ /goals.tsv$/ { goal_lines[++counted_goals] = $0; next }
FILENAME ~ /messages.tsv$/ {
	add(messages, $1)
	message[$1, $2] = $3
	next
}
{ add(workloads, $1) }
FILENAME ~ /counts.tsv$/ {
	counted[$1, $2]
	insns[$1, $2] = $3; stac[$1, $2] = $4; lfence[$1, $2] = $5; locked[$1, $2] = $6
	sections[$1, $2] = $7; mstac[$1, $2] = $8; mlfence[$1, $2] = $9; minsns[$1, $2] = $10
	next
}
{ rate[$1, $2, $3] = $4; rounds[$1, $2] = max(rounds[$1, $2], $3) }

function has(w, mode) { return (w, mode) in counted }

# quotient(A, B): with three digits, or "" if there is no B
function quotient(a, b) { return b ? sprintf("%.3f", a / b) : "" }

# rate_ratios(W, MODE): sets ratio[W, MODE, i], ringmap to MODE of each round; returns how many
function rate_ratios(w, mode) {
	return ratios(ratio, w SUBSEP mode, rate, w SUBSEP "ringmap", w SUBSEP mode)
}

# spread(W, MODE, FORMAT, NONE): least, median and most of these, by FORMAT; NONE if there
# are none
function spread(w, mode, format, none,  k, n) {
	k = w SUBSEP mode
	n = rate_ratios(w, mode)
	return n ? sprintf(format, least_of(ratio, k, n), median(ratio, k, n), most_of(ratio, k, n)) : none
}

# measured(WHAT, W): what workload W has for a goal, or "". WHAT is "locked", "insns/MODE" or
# "rate/MODE", ringmap against MODE.
function measured(what, w,  f, n) {
	split(what, f, "/")
	if (f[1] == "rate") {
		n = rate_ratios(w, f[2])
		return n ? median(ratio, w SUBSEP f[2], n) : ""
	}
	if (!has(w, "ringmap"))
		return ""
	if (what == "locked")
		return has(w, "base") ? locked[w, "ringmap"] - locked[w, "base"] : ""
	return has(w, f[2]) ? insns[w, "ringmap"] / insns[w, f[2]] : ""
}

function json_goal(text, bound, value, where, reached) {
	json_goals = json_goals (json_goals ? "," : "") sprintf("\n    { \"goal\": \"%s\", " \
		"\"bound\": %g, \"value\": %s, \"where\": \"%s\", \"reached\": %s }",
		text, bound, value == "" ? "null" : value, where, reached ? "true" : "false")
}

# print_goal(TEXT, WHAT, PATTERN, RELATION, BOUND): whether what is measured is <= or >= BOUND
# for each workload that matches PATTERN, and where it is the worst
function print_goal(text, what, pattern, relation, bound,  i, v, worst, where, sign, reached) {
	sign = relation == "<=" ? 1 : -1
	worst = ""
	for (i = 1; i <= workloads[0]; i++) {
		v = workloads[i] ~ pattern ? measured(what, workloads[i]) : ""
		if (v != "" && (worst == "" || sign * v > sign * worst)) {
			worst = v
			where = workloads[i]
		}
	}
	goals++
	if (worst == "") {
		printf "| %s | %s | not measured | |\n", text, bound
		return
	}
	reached = sign * worst <= sign * bound
	missed += !reached
	printf "| %s | %s %g | %.3f (%s) | %s |\n", text, relation, bound, worst, where,
		reached ? "reached" : "**missed**"
	json_goal(text, bound, sprintf("%.4f", worst), where, reached)
}

# What goals.awk made of the counts
function print_counted_goals(  i, f) {
	print "| | goal | against | ours | measured | |\n|---|---|---|---|---|---|"
	for (i = 1; i <= counted_goals; i++) {
		split(goal_lines[i], f, "\t")
		printf "| %s | <= %s | %s | %s | %s | %s |\n", f[1], f[2], f[3], f[4], f[5],
			f[6] == "missed" ? "**missed**" : f[6]
		json_goal(f[1], f[2], f[5], "", f[6] == "reached")
		goals++
		missed += f[6] == "missed"
	}
}

function print_goals() {
	print "# What a packet costs\n"
	print "Printed by `make bench`. One boot for each kernel: *base*, which is ours with our options"
	print "off, the same machine code (`make off-proof`); ours, with each accessor in turns; and the"
	print "*bound*, raw pointers to the rings that nothing keeps right (bench/bound.patch).\n"
	print "## Goals\n"
	print "Instructions of a packet, as below, are compared with the base's or the bound's: *against*"
	print "those, *ours*. In *uaccess / base*, nobody has used another accessor since the boot.\n"
	print_counted_goals()
	print "\n| | goal | worst | |\n|---|---|---|---|"
	print_goal("locked instructions above base, batches of 16 or more", "locked",
		"^(tx|rx|both),window=(16|64)$", "<=", 0.1)
	print_goal("instructions, ringmap / checked", "insns/checked", "^(tx|rx|ring),window=64$", "<=", 1)
	print_goal("rate, ringmap / uaccess, ring only", "rate/uaccess", "^ring,window=64$", ">=", 1.25)
	print_goal("rate, ringmap / base, any workload", "rate/base", ".", ">=", 0.98)
	print_goal("rate, ringmap / uaccess, 10 000 invalidations/s", "rate/uaccess", "invalidations=10000", ">=", 0.95)
}

function print_counts(  i, m, w, k) {
	print "\n## Counts\n"
	print "Of a packet, on the task that runs vhost's work, with one processor: instructions, those"
	print "against *base*, *uaccess* and the *bound*, STAC (each with its CLAC) and LFENCE, and of"
	print "both those for metadata, locked instructions, sections under the map lock. From run to run"
	print "they differ a little, with several pairs more, as an interrupt or another task finds its"
	print "way in. One section, with a locked instruction, publishes a batch: that is 1/16 of a"
	print "packet with 16 under way. Reads take no lock. Rings of more than a page, whose pages do not"
	print "follow each other, cost more: see *tx,size*.\n"
	print "| workload | accessor | instructions | / base | / uaccess | / bound | STAC | LFENCE | metadata STAC | metadata LFENCE | locked | sections |"
	print "|---|---|---|---|---|---|---|---|---|---|---|---|"
	for (i = 1; i <= workloads[0]; i++)
		for (m = 1; m <= 5; m++) {
			w = workloads[i]
			k = w SUBSEP modes[m]
			if (has(w, modes[m]))
				printf "| %s | %s | %.1f | %s | %s | %s | %.2f | %.2f | %.2f | %.2f | %.3f | %.3f |\n",
					w, modes[m], insns[k], quotient(insns[k], insns[w, "base"]),
					quotient(insns[k], insns[w, "uaccess"]),
					quotient(insns[k], insns[w, "bound"]), stac[k], lfence[k],
					mstac[k], mlfence[k], locked[k], sections[k]
		}
}

# above(W, OTHER): of a message, what ringmap executes more than OTHER
function above(w, other) {
	if (!((w, "ringmap") in message) || !((w, other) in message))
		return ""
	return sprintf("%.0f", message[w, "ringmap"] - message[w, other])
}

function print_messages(  i, m, w) {
	print "\n## Device IOTLB messages\n"
	print "What the whole kernel executes for a message to a vhost-net with two queues, and because"
	print "of it: each is sent while the rings are mapped and followed by two packets there and back,"
	print "after which they are mapped again. The same packets without messages are subtracted. Of"
	print "*other*, a page of a buffer is mapped and unmapped by turns; of *rings*, the memory of the"
	print "rings is unmapped, then mapped where it was: half of both messages.\n"
	print "| | base | uaccess | checked | ringmap | ringmap - base | ringmap - uaccess |"
	print "|---|---|---|---|---|---|---|"
	for (i = 1; i <= messages[0]; i++) {
		w = messages[i]
		printf "| %s |", w
		for (m = 1; m <= 4; m++)
			printf "%s |", (w, modes[m]) in message ? sprintf(" %.0f", message[w, modes[m]]) : ""
		printf " %s | %s |\n", above(w, "base"), above(w, "uaccess")
	}
}

function print_profile(  i, w) {
	print "\n## Profile\n"
	print "Where a packet's instructions are spent: in what accesses virtqueue metadata, which is"
	print "vhost.c, ringmap.c and user access to scalars, and in all else: the packet's own work"
	print "and, with *uaccess*, the copy of descriptors. The bound is what is left where access"
	print "costs nothing but loads and stores. The last column is the metadata of *uaccess* of all.\n"
	print "| workload | metadata: uaccess | ringmap | bound | all else: uaccess | ringmap | bound | metadata of all |"
	print "|---|---|---|---|---|---|---|---|"
	for (i = 1; i <= workloads[0]; i++) {
		w = workloads[i]
		if (has(w, "uaccess") && has(w, "bound"))
			printf "| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.3f |\n", w,
				minsns[w, "uaccess"], minsns[w, "ringmap"], minsns[w, "bound"],
				insns[w, "uaccess"] - minsns[w, "uaccess"],
				insns[w, "ringmap"] - minsns[w, "ringmap"],
				insns[w, "bound"] - minsns[w, "bound"], minsns[w, "uaccess"] / insns[w, "uaccess"]
	}
	print "\n![instructions](instructions.svg)\n\n![STAC and LFENCE](barriers.svg)\n"
}

function print_rates(  i, m, w, n, note) {
	note = "On TCG, where STAC, CLAC and LFENCE cost what any instruction does: they say that packets flow."
	if (accel == "kvm")
		note = "On KVM: these are the real ones."
	print "## Rates\n"
	print "Packets per second of the rounds of one boot (*base* and *bound*: of theirs), and ratios of"
	print "neighbouring rounds, least, median, most. " note
	print "Boots differ, too: *uaccess* executes nearly the same as *base*. Buffers of *ring*"
	print "are used one by one, and how often the worker and the driver wait for each other makes"
	print "the rate: see the *bound*, which executes least.\n"
	print "| workload | base | uaccess | checked | ringmap | bound | ringmap / uaccess | ringmap / base |"
	print "|---|---|---|---|---|---|---|---|"
	for (i = 1; i <= workloads[0]; i++) {
		w = workloads[i]
		printf "| %s |", w
		for (m = 1; m <= 5; m++) {
			n = rounds[w, modes[m]]
			printf "%s |", n ? sprintf(" %.0f", median(rate, w SUBSEP modes[m], n)) : ""
		}
		print spread(w, "uaccess", " %.3f %.3f %.3f |", " |") spread(w, "base", " %.3f %.3f %.3f |", " |")
	}
	print "\n![rates](rates.svg)\n"
}

# json_of(W, MODE): what was measured, as an object
function json_of(w, mode,  k, r, rates) {
	k = w SUBSEP mode
	for (r = 1; r <= rounds[k]; r++)
		rates = rates (r > 1 ? ", " : "") rate[k, r]
	return sprintf("{ \"instructions\": %s, \"stac\": %s, \"lfence\": %s, \"metadata_stac\": %s, " \
		"\"metadata_lfence\": %s, \"metadata_instructions\": %s, \"locked\": %s, " \
		"\"sections\": %s, \"rates\": [%s] }", insns[k], stac[k], lfence[k], mstac[k],
		mlfence[k], minsns[k], locked[k], sections[k], rates)
}

function write_json(file,  i, m, w, line) {
	print "{\n  \"goals\": [" json_goals "\n  ],\n  \"workloads\": {" > file
	for (i = 1; i <= workloads[0]; i++) {
		w = workloads[i]
		line = ""
		for (m = 1; m <= 5; m++)
			if (has(w, modes[m]))
				line = line (line ? "," : "") "\n      \"" modes[m] "\": " json_of(w, modes[m])
		print "    \"" w "\": {" line "\n    }" (i < workloads[0] ? "," : "") > file
	}
	print "  }\n}" > file
}

# label(W): what a plot calls workload W; the number is of packets in flight
function label(w) {
	sub(/^ring/, "ring only", w)
	sub(/^tx/, "TX", w)
	sub(/^rx/, "RX", w)
	sub(/^both/, "both ways", w)
	sub(/,window=/, " ", w)
	sub(/,chain=/, " 64, chains of ", w)
	sub(/,invalidations=10000/, " 64, invalidated", w)
	return w
}

# A line for each workload, of 12 at most: instructions of each mode, against uaccess; STAC and
# LFENCE for metadata of each; the spread of rates
function write_plot(file,  i, m, w, k, instructions, barriers, lines) {
	for (i = 1; i <= workloads[0] && lines < 12; i++) {
		w = workloads[i]
		if (w !~ /^(ring|tx|rx|both),(window=|chain=19$|invalidations=10000$)/)
			continue
		lines++
		instructions = barriers = ""
		for (m = 1; m <= 5; m++) {
			k = w SUBSEP modes[m]
			instructions = instructions "\t" (has(w, modes[m]) ? insns[k] / insns[w, "uaccess"] : "?")
			barriers = barriers "\t" (has(w, modes[m]) ? mstac[k] + mlfence[k] : "?")
		}
		print label(w) instructions barriers spread(w, "uaccess", "\t%s\t%s\t%s", "\t?\t?\t?") > file
	}
}

END {
	print_goals()
	print_counts()
	print_messages()
	print_profile()
	print_rates()
	write_json(out "/results.json")
	write_plot(out "/plot.tsv")
	printf "%d of %d goals missed\n", missed, goals > "/dev/stderr"
}
