# budget.awk: counts of a packet against those of budget.json, which has a line for each
# workload and accessor; with set=1, what to put there. Fails where one is more than 3 % above.
#	awk -v set= -f bench/lib.awk -f bench/budget.awk count-RUN count-RUN.worker... budget.json
# Those of the base are only set: what is counted is shown against them.
BEGIN {
	split("instructions stac lfence locked", what)
	split("base uaccess checked ringmap", modes)
}
FNR == 1 { run = run_of(FILENAME) }
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
		is[key[run, $1], what[w]] = $(w + 1) / packets[run, $1]
	next
}
{
	key[run, $1] = $2 " " $3; packets[run, $1] = packets_of($4, $2)
	add(workloads, $2); add(counted, $2 " " $3)
}

# Of a workload, one mode after the other
function sort_keys(  i, m) {
	for (i = 1; i <= workloads[0]; i++)
		for (m = 1; m in modes; m++)
			if (listed(counted, workloads[i] " " modes[m]))
				add(keys, workloads[i] " " modes[m])
}

# against_base(K): how many of the base's instructions those of K are
function against_base(k,  w) {
	w = k
	sub(/ .*/, " base", w)
	return listed(budgets, w) ? sprintf("%10.3f", is[k, what[1]] / budget[w, what[1]]) : sprintf("%10s", "")
}

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
	printf "%-26s %-14s %10s %10s %10s\n", "workload, accessor", "of a packet", "budget", "now", "/ base"
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
				printf "%-26s %-14s %10.3f %10.3f %s%s\n", k, what[w], b, v,
					w == 1 ? against_base(k) : "", more ? "  MORE THAN " most : ""
			bad += more
		}
	}
}

function print_missing(  i) {
	for (i = 1; i <= budgets[0]; i++)
		if (budgets[i] !~ / base$/ && !listed(keys, budgets[i])) {
			print budgets[i] " is in the budget and was not counted"
			bad++
		}
	if (!keys[0]) {
		print "nothing was counted"
		bad++
	}
}

END {
	sort_keys()
	if (set) {
		print_budget()
		exit
	}
	print_counts()
	print_missing()
	exit bad > 0
}
