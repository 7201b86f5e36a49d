# results.awk: what the boots of bench.sh measured, as tables with tabs: counts.tsv, of a
# packet on vhost's worker, and rates.tsv, packets per second of each round.
#	awk -v out=DIR -f bench/lib.awk -f bench/results.awk metadata count-... time-...
# "metadata" names the functions that access virtqueue metadata. A file's name says what is
# in it: count-RUN and time-RUN are as ringmap_bench_tool prints them, count-RUN.count and
# count-RUN.worker as ringcount.so does.
FNR == 1 { run = run_of(FILENAME) }
FILENAME ~ /metadata$/ { metadata[$1]; next }
FILENAME ~ /\.worker$/ {
	k = key[run, $1]
	insns[k] = $2; stac[k] = $3; lfence[k] = $4; locked[k] = $5
	next
}
FILENAME ~ /\.count$/ {
	k = key[run, $1]
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
END {
	for (i = 1; i <= keys[0]; i++) {
		k = keys[i]; p = packets[k]
		printf "%s\t%.2f\t%.3f\t%.3f\t%.3f\t%.4f\t%.4f\t%.4f\t%.2f\n", k, insns[k] / p, stac[k] / p,
			lfence[k] / p, locked[k] / p, sections[k] / p, mstac[k] / p,
			mlfence[k] / p, minsns[k] / p > (out "/counts.tsv")
	}
}
