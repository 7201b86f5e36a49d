# budget.awk: counts of a packet against those of budget.json, which has a line for each
# workload and accessor; with set=1, what to put there. Fails where one is more than 3 % above.
#	awk -v set= -f bench/lib.awk -f bench/budget.awk count-ours count-ours.worker budget.json
BEGIN { split("instructions stac lfence locked", what) }
# "workload accessor": { "instructions": N, "stac": N, "lfence": N, "locked": N }
FILENAME ~ /json$/ {
	if (split($0, part, "\"") < 3)
		next
	add(budgets, part[2])
	for (i = 4; i in part; i += 2) {
		gsub(/[^0-9.]/, "", part[i + 1])
		budget[part[2], part[i]] = part[i + 1]
	}
	next
}
FILENAME ~ /worker$/ {
	for (w = 1; w <= 4; w++)
		is[key[$1], what[w]] = $(w + 1) / packets[$1]
	next
}
{ key[$1] = $2 " " $3; packets[$1] = packets_of($4, $2); add(keys, key[$1]) }

function print_budget(  i, w, k) {
	print "{"
	for (i = 1; i <= keys[0]; i++) {
		k = keys[i]
		printf "  \"%s\": {", k
		for (w = 1; w <= 4; w++)
			printf " \"%s\": %.3f%s", what[w], is[k, what[w]], w < 4 ? "," : ""
		print " }" (i < keys[0] ? "," : "")
	}
	print "}"
}

function print_counts(  i, w, k, b, v, most, more) {
	printf "%-26s %-14s %10s %10s\n", "workload, accessor", "of a packet", "budget", "now"
	for (i = 1; i <= keys[0]; i++) {
		k = keys[i]
		if (!listed(budgets, k)) {
			print k " is not in the budget"
			bad++
			continue
		}
		for (w = 1; w <= 4; w++) {
			b = budget[k, what[w]]; v = is[k, what[w]]
			# What hardly ever happens may happen once more.
			most = b * 1.03 + 0.01
			more = v > most
			if (w == 1 || more)
				printf "%-26s %-14s %10.3f %10.3f%s\n", k, what[w], b, v,
					more ? "  MORE THAN " most : ""
			bad += more
		}
	}
}

function print_missing(  i) {
	for (i = 1; i <= budgets[0]; i++)
		if (!listed(keys, budgets[i])) {
			print budgets[i] " is in the budget and was not counted"
			bad++
		}
	if (!keys[0]) {
		print "nothing was counted"
		bad++
	}
}

END {
	if (set) {
		print_budget()
		exit
	}
	print_counts()
	print_missing()
	exit bad > 0
}
