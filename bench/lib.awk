# lib.awk: what the programs here share.
#	awk [-v results=FILE] -f bench/lib.awk -f bench/PROGRAM.awk FILE...
# Verdicts count in the globals verdicts and bad; a program ends with finish().

# Goals of more than one program: for how many instructions the map lock is held at most, and
# how many sections under it a packet sent takes with so many under way: one for each batch
function hold_goal() { return 1500 }
function sections_goal(under_way) { return 1.1 / under_way }

# run_of(FILE): the run that a file is of: X of DIR/NAME-X and of DIR/NAME-X.SUFFIX
function run_of(file) {
	sub(/.*-/, "", file)
	sub(/\..*/, "", file)
	return file
}

# packets_of(N, DIRECTION): how many packets N are for vhost: there and back is two
function packets_of(n, direction) { return direction ~ /^both/ ? 2 * n : n }

# add(LIST, X): appends X to LIST[1], LIST[2] and so on, unless it is there. LIST[0] says
# how many there are, listed(LIST, X) whether X is one of them.
function add(list, x) {
	if (!listed(list, x)) {
		list["has", x]
		list[++list[0]] = x
	}
}
function listed(list, x) { return ("has", x) in list }

# keep(WHAT, VALUES): writes a row to the file of results, if there is one: WHAT was measured,
# and values of it, each NAME=VALUE, with tabs between them
function keep(what, values) {
	if (results != "")
		print what "\t" values > results
}

# max(A, B): as numbers; one that was never set is 0
function max(a, b) { return a + 0 > b + 0 ? a + 0 : b + 0 }

# least_of(LIST, K, N), median(LIST, K, N), most_of(LIST, K, N): of the numbers in
# LIST[K, 1] to LIST[K, N]; of the two in the middle, the median is the lower
function least_of(list, k, n,  i, least) {
	for (i = 1; i <= n; i++)
		if (i == 1 || list[k, i] < least)
			least = list[k, i]
	return least
}
function median(list, k, n,  i, j, sorted) {
	for (i = 1; i <= n; i++) {
		for (j = i; j > 1 && sorted[j - 1] > list[k, i]; j--)
			sorted[j] = sorted[j - 1]
		sorted[j] = list[k, i]
	}
	return sorted[int((n + 1) / 2)]
}
function most_of(list, k, n,  i, most) {
	for (i = 1; i <= n; i++)
		if (i == 1 || list[k, i] > most)
			most = list[k, i]
	return most
}

# ratios(RATIO, K, LIST, A, B): sets RATIO[K, i] to LIST[A, i] / LIST[B, i], for i from 1
# on while there are both; returns how many
function ratios(ratio, k, list, a, b,  i) {
	for (i = 1; ((a, i) in list) && ((b, i) in list); i++)
		ratio[k, i] = list[a, i] / list[b, i]
	return i - 1
}

# limit(WHAT, VALUE, GOAL, MOST): a line that says whether VALUE is GOAL or less. Only more
# than MOST is bad; without MOST, more than GOAL.
function limit(what, value, goal, most) {
	if (most == "")
		most = goal
	keep("limit " what, sprintf("value=%.4f\tgoal=%s\tmost=%s", value, goal, most))
	verdict(what, value, value <= goal, value <= most, goal, "MORE THAN " most)
}
# at_least(WHAT, VALUE, GOAL, LEAST): the same for GOAL or more, and less than LEAST
function at_least(what, value, goal, least) {
	if (least == "")
		least = goal
	keep("limit " what, sprintf("value=%.4f\tgoal=%s\tleast=%s", value, goal, least))
	verdict(what, value, value >= goal, value >= least, goal, "LESS THAN " least)
}
# A goal that is not reached is shown. What fails is a change for the worse, and what was not
# measured: 0 / 0 is any number's equal to mawk.
function verdict(what, value, reached, kept, goal, wrong) {
	if ((value "") ~ /nan/) {
		reached = kept = 0
		wrong = "NOT MEASURED"
	}
	printf "%-74s %9.4f  %s\n", what, value,
		reached ? "ok" : kept ? "GOAL " goal " NOT REACHED" : wrong
	verdicts++
	bad += !kept
}

# finish(): exits, with 1 if a verdict is bad or there is none
function finish() {
	if (!verdicts)
		print "NOTHING WAS MEASURED"
	exit bad > 0 || !verdicts
}
