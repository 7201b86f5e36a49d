# results.awk: what the boots of bench.sh measured, as tables with tabs: counts.tsv, of a
# packet on vhost's worker; rates.tsv, packets per second of each round; and messages.tsv,
# what the whole kernel executes for one device IOTLB message and because of it.
#	awk -v out=DIR -f bench/lib.awk -f bench/results.awk metadata count-... time-...
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
	next
}
{
	k = $2 "\t" $3; key[run, $1] = k; add(keys, k)
	packets[k] = packets_of($4, $2); sections[k] = $5
}
# kernel_insns(K): of a packet, of all that the kernel executes
function kernel_insns(k) { return all[k] / packets[k] }
function print_message(k,  f) {
	split(k, f, "\t")
	if (f[1] in messages)
		printf "%s\t%.1f\n", k, (kernel_insns(k) - \
			kernel_insns(none "\t" f[2])) / messages[f[1]] > (out "/messages.tsv")
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
	}
}
