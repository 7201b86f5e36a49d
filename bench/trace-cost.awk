# trace-cost.awk: instructions of a packet without tracepoints, and with those off and on.
#	awk -f bench/lib.awk -f bench/trace-cost.awk trace-cost-{untraced,off,on}{,.count}
# The files are as ringmap_cost_tool prints them, and as ringcount.so does.
FNR == 1 { run = run_of(FILENAME) }
FILENAME ~ /\.count$/ {
	insns[workload[run, $1], run] += $3 / packets[run, $1]
	next
}
{
	workload[run, $1] = $2 " " $4 " " $3
	packets[run, $1] = packets_of($5, $2)
	add(workloads, $2 " " $4 " " $3)
}

# to_none(W, RUN): instructions of workload W, against those without tracepoints
function to_none(w, run) { return insns[w, run] / insns[w, "untraced"] }

function print_costs(  i, w, f) {
	print "instructions of a packet, with the tracepoints of vhost"
	printf "%-5s %4s  %-10s %10s %10s %10s %9s %9s\n", "queue", "way", "accessor",
		"not there", "off", "on", "off/none", "on/none"
	for (i = 1; i <= workloads[0]; i++) {
		w = workloads[i]
		split(w, f)
		printf "%-5s %4d  %-10s %10.1f %10.1f %10.1f %9.4f %9.2f\n", f[1], f[2], f[3],
			insns[w, "untraced"], insns[w, "off"], insns[w, "on"], to_none(w, "off"), to_none(w, "on")
		keep("packet " w, sprintf("none=%.2f\toff=%.2f\ton=%.2f", insns[w, "untraced"],
			insns[w, "off"], insns[w, "on"]))
	}
	print ""
}

# There and back, how often the two tasks wake each other differs more.
function print_limits(  i, f) {
	for (i = 1; i <= workloads[0]; i++) {
		split(workloads[i], f)
		if (f[1] == "tx" && f[2] == 64)
			limit("tx, 64 under way, " f[3] ": instructions, off against not there",
				to_none(workloads[i], "off"), 1.01)
	}
}

END {
	print_costs()
	print_limits()
	finish()
}
