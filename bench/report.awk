# The report page of bench.sh, in Markdown, from its tables; and results.json.
#	awk -v out=DIR -f report.awk counts.tsv rates.tsv
BEGIN { FS = "\t"; split("base uaccess checked ringmap bound", modes, " ") }
!($1 in seen) { seen[$1]; workloads[++n] = $1 }
FILENAME ~ /counts.tsv$/ {
	counted[$1, $2]
	insns[$1, $2] = $3; stac[$1, $2] = $4; lfence[$1, $2] = $5; locked[$1, $2] = $6
	sections[$1, $2] = $7; mstac[$1, $2] = $8; mlfence[$1, $2] = $9; minsns[$1, $2] = $10
	next
}
{ rate[$1, $2, $3] = $4; if ($3 > rounds[$1, $2]) rounds[$1, $2] = $3 }
function sort(a, m,   i, j, t) {
	for (i = 2; i <= m; i++)
		for (j = i; j > 1 && a[j - 1] > a[j]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
}
# Least, median and most of a list, into q
function quantiles(a, m) { sort(a, m); q[1] = a[1]; q[2] = a[int((m + 1) / 2)]; q[3] = a[m] }
# Ratios of the rounds of two modes, into q; whether there are any
function ratios(w, one, two,   i, a, m) {
	for (i = 1; ((w, one, i) in rate) && ((w, two, i) in rate); i++)
		a[++m] = rate[w, one, i] / rate[w, two, i]
	if (!m)
		return 0
	quantiles(a, m)
	return 1
}
function ratio(a, b) { return b ? sprintf("%.3f", a / b) : "" }
function has(w, m) { return (w, m) in counted }
# A goal: the worst value over the workloads that match, and where
function goal(text, bound, most, value, where) {
	goals++
	if (value == "") { printf "| %s | %s | not measured | |\n", text, bound > page; return }
	ok = most ? value <= bound : value >= bound
	printf "| %s | %s %g | %.3f (%s) | %s |\n", text, most ? "<=" : ">=", bound, value, where,
		ok ? "reached" : "**missed**" > page
	missed += !ok
	json_goals = json_goals sprintf("%s\n    { \"goal\": \"%s\", \"bound\": %g, \"value\": %.4f, \"where\": \"%s\", \"reached\": %s }",
		json_goals ? "," : "", text, bound, value, where, ok ? "true" : "false")
}
# The largest of what f says over the workloads; "f" is one of the cases below
function worst(f, pattern, sign,   i, w, v, best) {
	best = ""; place = ""
	for (i = 1; i <= n; i++) {
		w = workloads[i]
		if (w !~ pattern || !(has(w, "ringmap") || rounds[w, "ringmap"]))
			continue
		v = ""
		if (f == "metadata") v = mstac[w, "ringmap"] + mlfence[w, "ringmap"]
		else if (f == "locked") v = has(w, "base") ? locked[w, "ringmap"] - locked[w, "base"] : ""
		else if (f == "bound") v = has(w, "bound") ? insns[w, "ringmap"] / insns[w, "bound"] : ""
		else if (f == "uaccess") v = insns[w, "ringmap"] / insns[w, "uaccess"]
		else if (f == "checked") v = insns[w, "ringmap"] / insns[w, "checked"]
		else if (f == "rate") v = ratios(w, "ringmap", "uaccess") ? q[2] : ""
		else if (f == "base") v = ratios(w, "ringmap", "base") ? q[2] : ""
		if (v != "" && (best == "" || sign * v > sign * best)) { best = v; place = w }
	}
	return best
}
END {
	page = out "/report.md"; json = out "/results.json"
	print "# What a packet costs\n" > page
	print "Printed by `make bench`. One boot for each kernel: *base*, which is ours with our options" > page
	print "off, the same machine code (`make off-proof`); ours, with each accessor in turns; and the" > page
	print "*bound*, raw pointers to the rings that nothing keeps right (bench/bound.patch).\n" > page
	print "## Goals\n" > page
	print "| | goal | worst | |\n|---|---|---|---|" > page
	steady = "^(tx|rx|both),(window|frame|size|memory|iotlb|log)"
	v = worst("metadata", steady, 1); goal("STAC, CLAC and LFENCE for metadata, of a packet", 0, 1, v, place)
	v = worst("locked", "^(tx|rx|both),window=(16|64)$", 1); goal("locked instructions above base, batches of 16 or more", 0.1, 1, v, place)
	v = worst("bound", "^tx,window=64$", 1); goal("instructions, ringmap / bound, TX", 1.10, 1, v, place)
	v = worst("uaccess", "^tx,window=64$", 1); goal("instructions, ringmap / uaccess, TX", 0.95, 1, v, place)
	v = worst("uaccess", "^rx,window=64$", 1); goal("instructions, ringmap / uaccess, RX", 0.95, 1, v, place)
	v = worst("uaccess", "^ring,window=64$", 1); goal("instructions, ringmap / uaccess, ring only", 0.95, 1, v, place)
	v = worst("checked", "^(tx|rx|ring),window=64$", 1); goal("instructions, ringmap / checked", 1, 1, v, place)
	v = worst("rate", "^ring,window=64$", -1); goal("rate, ringmap / uaccess, ring only", 1.25, 0, v, place)
	v = worst("base", ".", -1); goal("rate, ringmap / base, any workload", 0.98, 0, v, place)
	v = worst("rate", "invalidations=10000", -1); goal("rate, ringmap / uaccess, 10 000 invalidations/s", 0.95, 0, v, place)
	print "\n## Counts\n" > page
	print "Of a packet, on the task that runs vhost's work, with one processor: instructions, those" > page
	print "against *uaccess*, STAC (each with its CLAC) and LFENCE, and of both those for metadata," > page
	print "locked instructions, sections under the map lock. From run to run they differ a little," > page
	print "with several pairs more, as an interrupt or another task finds its way in. A batch takes" > page
	print "three sections, each a locked instruction: one finds it, one publishes it, and one is the" > page
	print "last look at the ring; so it is 3/16 of a packet with 16 under way. Rings of more than a" > page
	print "page, whose pages do not follow each other, cost more: see *tx,size*.\n" > page
	print "| workload | accessor | instructions | / uaccess | / bound | STAC | LFENCE | metadata STAC | metadata LFENCE | locked | sections |" > page
	print "|---|---|---|---|---|---|---|---|---|---|---|" > page
	for (i = 1; i <= n; i++)
		for (m = 1; m <= 5; m++) {
			w = workloads[i]
			if (!has(w, modes[m]))
				continue
			printf "| %s | %s | %.1f | %s | %s | %.2f | %.2f | %.2f | %.2f | %.3f | %.3f |\n",
				w, modes[m], insns[w, modes[m]], ratio(insns[w, modes[m]], insns[w, "uaccess"]),
				ratio(insns[w, modes[m]], insns[w, "bound"]), stac[w, modes[m]],
				lfence[w, modes[m]], mstac[w, modes[m]], mlfence[w, modes[m]],
				locked[w, modes[m]], sections[w, modes[m]] > page
		}
	print "\n## Profile\n" > page
	print "Where a packet's instructions are spent: in what accesses virtqueue metadata, which is" > page
	print "vhost.c, ringmap.c and user access to scalars, and in all else: the packet's own work" > page
	print "and, with *uaccess*, the copy of descriptors. The bound is what is left where access" > page
	print "costs nothing but loads and stores. The last column is the metadata of *uaccess* of all.\n" > page
	print "| workload | metadata: uaccess | ringmap | bound | all else: uaccess | ringmap | bound | metadata of all |" > page
	print "|---|---|---|---|---|---|---|---|" > page
	for (i = 1; i <= n; i++) {
		w = workloads[i]
		if (!has(w, "uaccess") || !has(w, "bound"))
			continue
		printf "| %s |", w > page
		for (m = 2; m <= 5; m++)
			if (m != 3)
				printf " %.0f |", minsns[w, modes[m]] > page
		for (m = 2; m <= 5; m++)
			if (m != 3)
				printf " %.0f |", insns[w, modes[m]] - minsns[w, modes[m]] > page
		printf " %.3f |\n", minsns[w, "uaccess"] / insns[w, "uaccess"] > page
	}
	print "\n![instructions](instructions.svg)\n\n![STAC and LFENCE](barriers.svg)\n" > page
	print "## Rates\n" > page
	print "Packets per second of the rounds of one boot (*base* and *bound*: of theirs), and ratios of" > page
	print "neighbouring rounds, least, median, most. " note > page
	print "Boots differ, too: *uaccess* executes nearly the same as *base*. Buffers of *ring*" > page
	print "are used one by one, and how often the worker and the driver wait for each other makes" > page
	print "the rate: see the *bound*, which executes least.\n" > page
	print "| workload | base | uaccess | checked | ringmap | bound | ringmap / uaccess | ringmap / base |" > page
	print "|---|---|---|---|---|---|---|---|" > page
	for (i = 1; i <= n; i++) {
		w = workloads[i]; line = ""
		for (m = 1; m <= 5; m++) {
			split("", a); c = 0
			for (r = 1; r <= rounds[w, modes[m]]; r++)
				a[++c] = rate[w, modes[m], r]
			if (c) quantiles(a, c)
			line = line (c ? sprintf(" %.0f |", q[2]) : " |")
		}
		line = line (ratios(w, "ringmap", "uaccess") ? sprintf(" %.3f %.3f %.3f |", q[1], q[2], q[3]) : " |")
		line = line (ratios(w, "ringmap", "base") ? sprintf(" %.3f %.3f %.3f |", q[1], q[2], q[3]) : " |")
		print "| " w " |" line > page
	}
	print "\n![rates](rates.svg)\n" > page
	print "{\n  \"goals\": [" json_goals "\n  ],\n  \"workloads\": {" > json
	for (i = 1; i <= n; i++) {
		w = workloads[i]; line = ""
		for (m = 1; m <= 5; m++) {
			if (!has(w, modes[m]))
				continue
			line = line sprintf("%s\n      \"%s\": { \"instructions\": %s, \"stac\": %s, \"lfence\": %s, \"metadata_stac\": %s, \"metadata_lfence\": %s, \"metadata_instructions\": %s, \"locked\": %s, \"sections\": %s, \"rates\": [",
				line ? "," : "", modes[m], insns[w, modes[m]], stac[w, modes[m]], lfence[w, modes[m]],
				mstac[w, modes[m]], mlfence[w, modes[m]], minsns[w, modes[m]], locked[w, modes[m]], sections[w, modes[m]])
			for (r = 1; r <= rounds[w, modes[m]]; r++)
				line = line (r > 1 ? ", " : "") rate[w, modes[m], r]
			line = line "] }"
		}
		print "    \"" w "\": {" line "\n    }" (i < n ? "," : "") > json
	}
	print "  }\n}" > json
	# For the plots: against uaccess
	for (i = 1; i <= n; i++) {
		w = workloads[i]
		printf "%s", w > (out "/plot.tsv")
		for (m = 1; m <= 5; m++)
			printf "\t%s", has(w, modes[m]) ? insns[w, modes[m]] / insns[w, "uaccess"] : "?" > (out "/plot.tsv")
		for (m = 1; m <= 5; m++)
			printf "\t%s", has(w, modes[m]) ? mstac[w, modes[m]] + mlfence[w, modes[m]] : "?" > (out "/plot.tsv")
		if (ratios(w, "ringmap", "uaccess"))
			printf "\t%s\t%s\t%s\n", q[1], q[2], q[3] > (out "/plot.tsv")
		else
			printf "\t?\t?\t?\n" > (out "/plot.tsv")
	}
	printf "%d of %d goals missed\n", missed, goals
}
