# model.awk: what a packet costs, as rest + counts x costs, held against what others published;
# and what ringmap gains by it.
#	awk -f bench/lib.awk -f bench/model.awk costs.tsv published.tsv [opcost.tsv] COUNTS
# COUNTS: "accessor insns stac lfence locked" for a packet; its first accessor is the base.
#
# A pair of STAC and CLAC has one cost in ns, whatever the processor, as the clocks of the
# published rows are nominal; it is the difference that one pair made in the set "copy", which
# predicts no other row. For each other set one number is calibrated: rest, by its first row.
#
# An LFENCE right behind a STAC costs nothing, as nothing is left to wait for; where SMAP is
# off, or the STAC not there, it costs in full. This is the model's one assumption about how
# operations combine, and the last column of the table shows each row without it.
#
# No row is off by 15 %. The worst are those of 2019 that guard each access by locked operations,
# SMAP off: one costs there as if locked operations followed each other, while a processor does
# some of the work around them meanwhile.

BEGIN { FS = OFS = "\t" }
function die(what) { print "model.awk: " what > "/dev/stderr"; failed = 1; exit 1 }
FNR == 1 { file = FILENAME; sub(/.*\//, "", file) }
/^#/ {
	if (file == "opcost.tsv")
		machine = machine (machine ? "; " : "") substr($0, 3)
	if (/^# SMAP on/)
		smap_here = 1
	next
}
/^(set|operation|accessor)[ \t]/ { next }
file == "costs.tsv" { if (!($1 in cycles)) { cycles[$1] = $2; from[$1] = $3 " " $4 }; next }
file == "published.tsv" {
	row[++rows] = $0
	if ($1 == "copy") copied[$5] = 1000 / $6
	next
}
file == "opcost.tsv" { if ($5 == "ns") { here[$1] = $3; measured = 1 }; next }
{
	if (NF < 5) split($0, c, /[ \t]+/); else split($0, c, FS)
	if (c[5] == "" || c[2] + 0 <= 0)
		die(FILENAME ": \"" $0 "\" is not accessor insns stac lfence locked")
	acc[++accs] = c[1]; insns[accs] = c[2]; stac[accs] = c[3]; fence[accs] = c[4]; lock[accs] = c[5]
}

function clock(s) { sub(/~/, "", s); return s + 0 }
# ops(PAIRS, FENCES, LOCKS, SMAP, GHZ, FULL): what operations cost beside the rest, in ns; with
# FULL each LFENCE costs in full
function ops(pairs, fences, locks, smap, ghz, full) {
	return pairs * pair * (smap == "on") + locks * cycles["locked"] / ghz + \
		fences * cycles["lfence"] / ghz * (smap != "on" || full)
}
# err(PREDICTED, IS): in %
function err(predicted, is) { return 100 * (predicted / is - 1) }

function check_input() {
	if (!("base" in copied) || !("one_copy" in copied) || !("lfence" in cycles) || \
	    !("locked" in cycles))
		die("costs.tsv or published.tsv is not complete")
	if (!accs)
		die("no counts")
}

function print_costs(  o) {
	print "# costs"
	print "operation", "cost", "unit", "from"
	printf "pair\t%.1f\tns\tset copy of published.tsv\n", pair
	for (o in cycles)
		printf "%s\t%.1f\tcycles\t%s\n", o, cycles[o], from[o]
}

# calibrate(R, GHZ, T): the rest of a packet, by the first row of a set, which took T ns
function calibrate(r, ghz, t,  full) {
	for (full = 0; full < 2; full++)
		rest[r[1], full] = t - ops(r[8], r[9], r[10], r[4], ghz, full)
	add(sets, r[1])
	cpu[r[1]] = r[2]
	nominal[r[1]] = r[3]
}

# predict(R, GHZ): Mpps of a row, into says[0], and with LFENCE in full into says[1]
function predict(r, ghz,  full, e) {
	for (full = 0; full < 2; full++) {
		says[full] = 1000 / (rest[r[1], full] + ops(r[8], r[9], r[10], r[4], ghz, full))
		e = err(says[full], r[6])
		e = e < 0 ? -e : e
		sum[full] += e
		worst[full] = max(worst[full], e)
	}
	predictions++
}

# note_pair(R, GHZ, T): what a row of T ns says of a pair, where SMAP is off and it was on before
function note_pair(r, ghz, t,  got) {
	if (r[4] == "on") {
		on[r[1], r[5]] = t
		return
	}
	got = (on[r[1], r[5]] - t + r[9] * cycles["lfence"] / ghz) / r[8]
	implied[++implieds] = sprintf("%s\t%s\t%s\t%.1f", r[1], r[2], r[5], got)
}

function print_row(r,  ghz, t, calibrated) {
	if (r[6] == "same") {
		# Two LFENCE less and the locked operations more; nothing else is known of it.
		printf "no difference\t%+.0f cycles\t\t\n", r[10] * cycles["locked"] - 2 * cycles["lfence"]
		return
	}
	if (r[7] != "Mpps") {
		print r[6] " " r[7], "not predicted: size of packets not stated", "", ""
		return
	}
	ghz = clock(r[3]); t = 1000 / r[6]
	calibrated = !listed(sets, r[1])
	if (calibrated)
		calibrate(r, ghz, t)
	note_pair(r, ghz, t)
	if (calibrated || r[1] == "copy") {
		printf "%.2f\tcalibrated\t\t\n", r[6]
		return
	}
	predict(r, ghz)
	printf "%.2f\t%.2f\t%+.1f\t%+.1f\n", r[6], says[0], err(says[0], r[6]), err(says[1], r[6])
}

function print_published(  i, r) {
	print "\n# published rows, and what the model says"
	print "set", "cpu", "ghz", "smap", "accessor", "published", "predicted", "error %", \
		"error %, LFENCE in full"
	for (i = 1; i <= rows; i++) {
		split(row[i], r, FS)
		printf "%s\t%s\t%s\t%s\t%s\t", r[1], r[2], r[3], r[4], r[5]
		print_row(r)
	}
}

function print_fit(  i) {
	print "\n# how well it holds"
	print "rows predicted", "worst error %", "mean error %", "worst, LFENCE in full", "mean, LFENCE in full"
	printf "%d\t%.1f\t%.1f\t%.1f\t%.1f\n", predictions, worst[0], sum[0] / predictions, worst[1], \
		sum[1] / predictions
	print "\n# a pair of STAC and CLAC, in ns, as each set implies it by SMAP on and off"
	print "set", "cpu", "accessor", "ns"
	for (i = 1; i <= implieds; i++)
		print implied[i]
}

function print_gains(  s, a, set, smap, told, ns, base) {
	print "\n# counts of a packet now, and what the model makes of them"
	print "# rest as in the set; it grows with the instructions, and has the base's locked operations"
	print "# a processor where STAC and CLAC cost nothing (Zen 5 made them cheaper) is as with SMAP off"
	print "set", "cpu", "ghz", "smap", "accessor", "ns", "Mpps", "gain %"
	for (s = 1; s <= sets[0]; s++) {
		set = sets[s]
		if ((cpu[set], nominal[set]) in told)
			continue
		told[cpu[set], nominal[set]]
		for (smap = 1; smap >= 0; smap--)
			for (a = 1; a <= accs; a++) {
				ns = rest[set, 0] * insns[a] / insns[1] + ops(stac[a], fence[a], lock[a] - lock[1], \
					smap ? "on" : "off", clock(nominal[set]), 0)
				if (a == 1)
					base = ns
				printf "%s\t%s\t%s\t%s\t%s\t%.1f\t%.2f\t%+.1f\n", set, cpu[set], \
					nominal[set], smap ? "on" : "off", acc[a], ns, 1000 / ns, err(base, ns)
			}
	}
}

function print_machine(  s, a, d, pairs, known) {
	print "\n# this machine: ns less for a packet than " acc[1]
	print "# " machine
	for (s = 1; s <= sets[0]; s++)
		if (cpu[sets[s]] != "not stated" && index(machine, cpu[sets[s]]))
			known = 1
	print known ? "# its kind is in the published list" : "# not in the published list"
	print "# pair: least two LFENCE, as where it waits for all before it; most as published"
	print "smap", "accessor", "pair least", "pair as published"
	for (a = 2; a <= accs; a++) {
		pairs = stac[1] - stac[a]
		d = saved(a)
		printf "on\t%s\t%+.1f\t%+.1f\n", acc[a], d + pairs * here["lfence_pair"], d + pairs * pair
	}
	for (a = 2; a <= accs; a++) {
		d = saved(a) + (fence[1] - fence[a]) * here["lfence"]
		printf "off\t%s\t%+.1f\t%+.1f\n", acc[a], d, d
	}
}

# What the kernel here pays for a user read, measured by BPF's helpers. Their user read also
# checks the address, looks whether this is an NMI, and turns page faults off and on.
function print_reads(  a, d) {
	if (!("user_read" in here))
		return
	d = here["user_read"] - here["kernel_read"]
	printf "\n# a user read of 16 bytes takes %.1f ns more than a kernel read here, SMAP %s\n", d, \
		smap_here ? "on" : "off: neither STAC nor CLAC is in it"
	print "# beside them: a check of the address and of the context, page faults off and on"
	if (!smap_here)
		return
	print "accessor", "ns less for a packet, by this pair"
	for (a = 2; a <= accs; a++)
		printf "%s\t%+.1f\n", acc[a], saved(a) + (stac[1] - stac[a]) * d
}

# saved(A): ns that accessor A saves here by instructions and locked ones
function saved(a) {
	return (insns[1] - insns[a]) * here["instruction_in_work"] + (lock[1] - lock[a]) * here["locked"]
}

END {
	if (failed)
		exit 1
	check_input()
	pair = copied["base"] - copied["one_copy"]
	print_costs()
	print_published()
	print_fit()
	print_gains()
	if (measured)
		print_machine()
	print_reads()
	if (worst[0] > 15) {
		print "model.awk: a published row is off by more than 15 %" > "/dev/stderr"
		exit 1
	}
}
