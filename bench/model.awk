# model.awk: what a packet costs, as rest + counts x costs, held against what others published;
# and what ringmap gains by it. awk -f model.awk costs.tsv published.tsv [opcost.tsv] COUNTS
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
# What operations cost beside the rest, in ns
function ops(n_pair, n_fence, n_lock, smap, ghz, full) {
	return n_pair * pair * (smap == "on") + n_lock * cycles["locked"] / ghz + \
		n_fence * cycles["lfence"] / ghz * (smap != "on" || full)
}
function err(predicted, is) { return 100 * (predicted / is - 1) }
function seen(e, i) { e = e < 0 ? -e : e; sum[i] += e; if (e > worst[i]) worst[i] = e }

END {
	if (failed)
		exit 1
	if (!("base" in copied) || !("one_copy" in copied) || !("lfence" in cycles) || \
	    !("locked" in cycles))
		die("costs.tsv or published.tsv is not complete")
	if (!accs)
		die("no counts")
	pair = copied["base"] - copied["one_copy"]

	print "# costs"
	print "operation", "cost", "unit", "from"
	printf "pair\t%.1f\tns\tset copy of published.tsv\n", pair
	for (o in cycles)
		printf "%s\t%.1f\tcycles\t%s\n", o, cycles[o], from[o]

	print "\n# published rows, and what the model says"
	print "set", "cpu", "ghz", "smap", "accessor", "published", "predicted", "error %", \
		"error %, LFENCE in full"
	for (i = 1; i <= rows; i++) {
		split(row[i], r, FS)
		if (r[6] == "same") {
			# Two LFENCE less and the locked operations more; nothing else is known of it.
			printf "%s\t%s\t%s\t%s\t%s\tno difference\t%+.0f cycles\t\t\n", r[1], r[2], \
				r[3], r[4], r[5], r[10] * cycles["locked"] - 2 * cycles["lfence"]
			continue
		}
		if (r[7] != "Mpps") {
			print r[1], r[2], r[3], r[4], r[5], r[6] " " r[7], \
				"not predicted: size of packets not stated", "", ""
			continue
		}
		ghz = clock(r[3]); t = 1000 / r[6]; by = "predicted"
		if (!(r[1] in rest)) {
			for (full = 0; full < 2; full++)
				left[r[1], full] = t - ops(r[8], r[9], r[10], r[4], ghz, full)
			rest[r[1]] = left[r[1], 0]; cpu[r[1]] = r[2]; nominal[r[1]] = r[3]
			set[++sets] = r[1]
			by = "calibrated"
		} else if (r[1] == "copy") {
			by = "calibrated"
		}
		if (r[4] == "on")
			on[r[1], r[5]] = t
		else {
			k = r[1] SUBSEP r[5]
			got = (on[k] - t + r[9] * cycles["lfence"] / ghz) / r[8]
			implied[++implieds] = sprintf("%s\t%s\t%s\t%.1f", r[1], r[2], r[5], got)
		}
		if (by == "calibrated") {
			printf "%s\t%s\t%s\t%s\t%s\t%.2f\tcalibrated\t\t\n", r[1], r[2], r[3], \
				r[4], r[5], r[6]
			continue
		}
		for (full = 0; full < 2; full++) {
			says[full] = 1000 / (left[r[1], full] + ops(r[8], r[9], r[10], r[4], ghz, full))
			seen(err(says[full], r[6]), full)
		}
		predictions++
		printf "%s\t%s\t%s\t%s\t%s\t%.2f\t%.2f\t%+.1f\t%+.1f\n", r[1], r[2], r[3], r[4], \
			r[5], r[6], says[0], err(says[0], r[6]), err(says[1], r[6])
	}
	print "\n# how well it holds"
	print "rows predicted", "worst error %", "mean error %", "worst, LFENCE in full", "mean, LFENCE in full"
	printf "%d\t%.1f\t%.1f\t%.1f\t%.1f\n", predictions, worst[0], sum[0] / predictions, worst[1], \
		sum[1] / predictions

	print "\n# a pair of STAC and CLAC, in ns, as each set implies it by SMAP on and off"
	print "set", "cpu", "accessor", "ns"
	for (i = 1; i <= implieds; i++)
		print implied[i]

	print "\n# counts of a packet now, and what the model makes of them"
	print "# rest as in the set; it grows with the instructions, and has the base's locked operations"
	print "# a processor where STAC and CLAC cost nothing (Zen 5 made them cheaper) is as with SMAP off"
	print "set", "cpu", "ghz", "smap", "accessor", "ns", "Mpps", "gain %"
	for (s = 1; s <= sets; s++) {
		if ((cpu[set[s]], nominal[set[s]]) in told)
			continue
		told[cpu[set[s]], nominal[set[s]]]
		for (smap = 1; smap >= 0; smap--)
			for (a = 1; a <= accs; a++) {
				ns = rest[set[s]] * insns[a] / insns[1] + \
					ops(stac[a], fence[a], lock[a] - lock[1], smap ? "on" : "off", \
					    clock(nominal[set[s]]), 0)
				if (a == 1)
					base = ns
				printf "%s\t%s\t%s\t%s\t%s\t%.1f\t%.2f\t%+.1f\n", set[s], cpu[set[s]], \
					nominal[set[s]], smap ? "on" : "off", acc[a], ns, 1000 / ns, err(base, ns)
			}
	}

	if (measured) {
		print "\n# this machine: ns less for a packet than " acc[1]
		print "# " machine
		listed = 0
		for (s = 1; s <= sets; s++)
			if (cpu[set[s]] != "not stated" && index(machine, cpu[set[s]]))
				listed = 1
		print listed ? "# its kind is in the published list" : "# not in the published list"
		print "# pair: least two LFENCE, as where it waits for all before it; most as published"
		print "smap", "accessor", "pair least", "pair as published"
		for (smap = 1; smap >= 0; smap--)
			for (a = 2; a <= accs; a++) {
				d = (insns[1] - insns[a]) * here["instruction_in_work"] + \
					(lock[1] - lock[a]) * here["locked"]
				if (smap) {
					n = stac[1] - stac[a]
					printf "on\t%s\t%+.1f\t%+.1f\n", acc[a], d + n * here["lfence_pair"], d + n * pair
				} else {
					d += (fence[1] - fence[a]) * here["lfence"]
					printf "off\t%s\t%+.1f\t%+.1f\n", acc[a], d, d
				}
			}
	}
	if (worst[0] > 15) {
		print "model.awk: a published row is off by more than 15 %" > "/dev/stderr"
		exit 1
	}
}
