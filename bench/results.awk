# What the boots of bench.sh measured, as tables with tabs: counts.tsv, of a packet on
# vhost's worker, and rates.tsv, packets per second of each round.
#	awk -v out=DIR -f results.awk METADATA count-... time-...
# METADATA names the functions that access virtqueue metadata: those of vhost.c and
# ringmap.c, and user access to scalars. A file's name says what is in it: count-KERNEL,
# count-KERNEL.worker, count-KERNEL.functions, time-KERNEL.
function of(file, suffix) { return substr(file, 1, length(file) - length(suffix)) }
FILENAME ~ /metadata$/ { metadata[$1]; next }
FILENAME ~ /\.worker$/ {
	k = key[of(FILENAME, ".worker"), $1]
	insns[k] = $2; stac[k] = $3; lfence[k] = $4; locked[k] = $5
	next
}
FILENAME ~ /\.functions$/ {
	k = key[of(FILENAME, ".functions"), $1]
	if ($2 in metadata) { minsns[k] += $3; mstac[k] += $4; mlfence[k] += $5 }
	next
}
FILENAME ~ /time-[a-z-]*$/ {
	printf "%s\t%s\t%d\t%.1f\n", $2, $3, $1, $4 / $5 > (out "/rates.tsv")
	next
}
{
	k = $2 "\t" $3; key[FILENAME, $1] = k; order[++n] = k
	# There and back is two packets for vhost.
	packets[k] = $4 * ($2 ~ /^both/ ? 2 : 1); sections[k] = $5
}
END {
	for (i = 1; i <= n; i++) {
		k = order[i]; p = packets[k]
		printf "%s\t%.2f\t%.3f\t%.3f\t%.3f\t%.4f\t%.4f\t%.4f\t%.2f\n", k, insns[k] / p, stac[k] / p,
			lfence[k] / p, locked[k] / p, sections[k] / p, mstac[k] / p,
			mlfence[k] / p, minsns[k] / p > (out "/counts.tsv")
	}
}
