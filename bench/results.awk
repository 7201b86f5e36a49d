# results.awk: what the boots of bench.sh measured, as tables with tabs: counts.tsv, of a
# packet on vhost's worker; rates.tsv, packets per second of each round; and messages.tsv,
# what the whole kernel executes for one device IOTLB message and because of it.
# The same is kept for make figures.
#	awk -v out=DIR [-v results=FILE] -f bench/lib.awk -f bench/results.awk metadata count-... time-...
# "metadata" names the functions that access virtqueue metadata. A file's name says what is
# in it: count-RUN and time-RUN are as ringmap_bench_tool prints them, count-RUN.count and
# count-RUN.worker as ringcount.so does.
# Messages of a packet, and what there is without any
BEGIN { messages["message,other"] = 1; messages["message,rings"] = 2; none = "message,none" }
FNR == 1 { run = run_of(FILENAME) }
FILENAME ~ /metadata$/ { metadata[$1]; next }
FILENAME ~ /\.worker$/ {
	k = key[run, $1]
	insns[k] = $2; stac[k] = $3; lfence[k] = $4; locked[k] = $5
	next
}
FILENAME ~ /\.count$/ {
	k = key[run, $1]; all[k] += $3
	if ($2 in metadata) { minsns[k] += $3; mstac[k] += $4; mlfence[k] += $5 }
	next
}
FILENAME ~ /time-[a-z-]*$/ {
	printf "%s\t%s\t%d\t%.1f\n", $2, $3, $1, $4 / $5 > (out "/rates.tsv")
	k = $2 " " $3; add(rated, k)
	rounds[k] = rounds[k] (rounds[k] != "" ? " " : "") sprintf("%.1f", $4 / $5)
	next
}
{
	k = $2 "\t" $3; key[run, $1] = k; add(keys, k)
	packets[k] = packets_of($4, $2); sections[k] = $5
}
# kernel_insns(K): of a packet, of all that the kernel executes
function kernel_insns(k) { return all[k] / packets[k] }
function print_message(k,  f, more) {
	split(k, f, "\t")
	if (!(f[1] in messages))
		return
	more = sprintf("%.1f", (kernel_insns(k) - kernel_insns(none "\t" f[2])) / messages[f[1]])
	print k "\t" more > (out "/messages.tsv")
	keep("message " f[1] " " f[2], "instructions=" more)
}
END {
	for (i = 1; i <= keys[0]; i++) {
		k = keys[i]; p = packets[k]
		if (k ~ /^message/) {
			print_message(k)
			continue
		}
		printf "%s\t%.2f\t%.3f\t%.3f\t%.3f\t%.4f\t%.4f\t%.4f\t%.2f\n", k, insns[k] / p, stac[k] / p,
			lfence[k] / p, locked[k] / p, sections[k] / p, mstac[k] / p,
			mlfence[k] / p, minsns[k] / p > (out "/counts.tsv")
		split(k, f, "\t")
		keep("count " f[1] " " f[2], sprintf("instructions=%.2f\tstac=%.3f\tlfence=%.3f\t" \
			"locked=%.3f\tsections=%.4f\tmetadata_stac=%.4f\tmetadata_lfence=%.4f\t" \
			"metadata_instructions=%.2f", insns[k] / p, stac[k] / p, lfence[k] / p,
			locked[k] / p, sections[k] / p, mstac[k] / p, mlfence[k] / p, minsns[k] / p))
	}
	for (i = 1; i <= rated[0]; i++)
		keep("rate " rated[i], "rounds=" rounds[rated[i]])
}
