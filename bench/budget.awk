# Counts of a packet against those of budget.json, which has a line for each workload and
# accessor; with set=1, what to put there. Fails where one is more than 3 % above.
#	awk -v set= -f budget.awk COUNT COUNT.worker budget.json
FILENAME ~ /json$/ {
	if (match($0, /"[^"]*": \{/)) {
		# "workload accessor": { "instructions": N, "stac": N, "lfence": N, "locked": N }
		name = substr($0, index($0, "\"") + 1); sub(/".*/, "", name)
		rest = $0; sub(/^[^{]*\{/, "", rest); gsub(/[" }]/, "", rest); sub(/,$/, "", rest)
		m = split(rest, pair, ",")
		for (i = 1; i <= m; i++) { split(pair[i], kv, ":"); budget[name, kv[1]] = kv[2] }
		budgets[name]
	}
	next
}
FILENAME ~ /worker$/ {
	k = key[$1]; p = packets[$1]
	is[k, "instructions"] = $2 / p; is[k, "stac"] = $3 / p
	is[k, "lfence"] = $4 / p; is[k, "locked"] = $5 / p
	next
}
{ key[$1] = $2 " " $3; packets[$1] = $4; order[++count] = $2 " " $3 }
END {
	split("instructions stac lfence locked", what)
	if (set) {
		print "{"
		for (i = 1; i <= count; i++) {
			printf "  \"%s\": {", order[i]
			for (w = 1; w <= 4; w++)
				printf " \"%s\": %.3f%s", what[w], is[order[i], what[w]], w < 4 ? "," : ""
			print " }" (i < count ? "," : "")
		}
		print "}"
		exit
	}
	printf "%-26s %-14s %10s %10s\n", "workload, accessor", "of a packet", "budget", "now"
	for (i = 1; i <= count; i++) {
		k = order[i]
		if (!(k in budgets)) { print k " is not in the budget"; bad++; continue }
		delete budgets[k]
		for (w = 1; w <= 4; w++) {
			b = budget[k, what[w]]; v = is[k, what[w]]
			# What hardly ever happens may happen once more.
			more = v > b * 1.03 + 0.01
			bad += more
			if (w == 1 || more)
				printf "%-26s %-14s %10.3f %10.3f%s\n", k, what[w], b, v, more ? "  MORE" : ""
		}
	}
	for (k in budgets) { print k " is in the budget and was not counted"; bad++ }
	if (!count) { print "nothing was counted"; bad++ }
	exit bad > 0
}
