# ring-cost.awk: instructions of a packet by accessor, and how long the map lock is held.
#	awk -f bench/lib.awk -f bench/ring-cost.awk ring-cost.metadata \
#		ring-cost-{off,ours}{,.count} ring-cost.holds
# "metadata" names the functions that access virtqueue metadata. The others are as
# ringmap_cost_tool prints them, and as ringcount.so does.
# What must be seen to hold the map lock, or there is something that was not counted
BEGIN {
	split("__vhost_ringmap_publish publish_some put_mapped vhost_ringmap_reset ringmap_invalidate", must)
}
FNR == 1 { run = run_of(FILENAME) }
FILENAME ~ /\.metadata$/ { metadata[$1]; next }
FILENAME ~ /\.holds$/ {
	sub(/\..*/, "", $2)
	add(lockers, $2)
	times[$2] += $3
	if ($1 in worst_case)
		worst[$2] = max(worst[$2], $4)
	else
		steady[$2] = max(steady[$2], $4)
	next
}
FILENAME ~ /\.count$/ {
	if (!((run, $1) in key))
		next
	k = key[run, $1]
	insns[k] += $3 / packets[k]; stac[k] += $4 / packets[k]
	lfence[k] += $5 / packets[k]; locked[k] += $6 / packets[k]
	if ($2 in metadata) { mstac[k] += $4 / packets[k]; mlfence[k] += $5 / packets[k] }
	next
}
$2 == "bad" { worst_case[$1]; next }
{
	k = key[run, $1] = $2 " " $4 " " $3
	packets[k] = packets_of($5, $2)
	sections[k] = $6 / packets[k]
	add(workloads, $2 " " $4)
}

function print_packets(  i, m, f, k, modes) {
	split("base uaccess checked ringmap unmappable", modes)
	printf "%-5s %4s  %-10s %12s %7s %7s %7s %8s  %s\n", "queue", "way", "accessor",
		"instructions", "STAC", "LFENCE", "locked", "sections", "metadata: STAC LFENCE"
	for (i = 1; i <= workloads[0]; i++) {
		split(workloads[i], f)
		for (m = 1; m <= 5; m++) {
			k = workloads[i] " " modes[m]
			printf "%-5s %4d  %-10s %12.1f %7.2f %7.2f %7.2f %8.3f  %12.2f %6.2f\n", f[1], f[2],
				modes[m], insns[k], stac[k], lfence[k], locked[k], sections[k], mstac[k], mlfence[k]
			keep("packet " k, sprintf("instructions=%.2f\tstac=%.3f\tlfence=%.3f\tlocked=%.3f\t" \
				"sections=%.4f\tmetadata_stac=%.3f\tmetadata_lfence=%.3f", insns[k], stac[k],
				lfence[k], locked[k], sections[k], mstac[k], mlfence[k]))
		}
	}
	print ""
}

# Here the driver's system calls count, too. What is to be saved is of the worker's part, whose
# ratio make bench compares with the goal, so that the whole's may be a little more.
function print_tx_limits(what, w, way) {
	limit(what "sections under the map lock", sections[w "ringmap"], sections_goal(way))
	limit(what "instructions, uaccess against base", insns[w "uaccess"] / insns[w "base"], 1.01)
	limit(what "instructions, ringmap against base", insns[w "ringmap"] / insns[w "base"],
		way == 1 ? 1 : 0.975, way == 1 ? 1 : 0.985)
}

function print_packet_limits(  i, f, w, what) {
	for (i = 1; i <= workloads[0]; i++) {
		w = workloads[i] " "
		split(w, f)
		what = (f[1] == "chain" ? "chains of 255" : f[1]) ", " f[2] " under way: "
		limit(what "STAC and LFENCE of metadata, ringmap", mstac[w "ringmap"] + mlfence[w "ringmap"], 0)
		if (f[1] == "tx" && f[2] <= 64)
			print_tx_limits(what, w, f[2])
		if (f[1] == "chain") {
			limit(what "sections under the map lock", sections[w "ringmap"], sections_goal(f[2]))
			limit(what "instructions, ringmap against base", insns[w "ringmap"] / insns[w "base"], 1)
		}
		if (f[2] == 64) {
			limit(what "instructions, ringmap against uaccess", insns[w "ringmap"] / insns[w "uaccess"], 1)
			if (f[1] == "tx")
				limit(what "instructions, unmappable against base", insns[w "unmappable"] / insns[w "base"], 1.02, 1.032)
		}
		# There and back, how often the two tasks wake each other differs.
		if (f[1] == "both" && f[2] == 64)
			limit(what "sections under the map lock", sections[w "ringmap"], 0.1)
		if (f[1] == "both" && f[2] == 1)
			limit(what "sections under the map lock", sections[w "ringmap"], 3)
	}
	print ""
}

function print_holds(  i, f) {
	printf "%-28s %10s %15s %15s\n", "map lock held, instructions", "times", "longest, steady", "longest, worst"
	fflush()
	for (i = 1; i <= lockers[0]; i++) {
		f = lockers[i]
		printf "%-28s %10d %15d %15d\n", f, times[f], steady[f], worst[f] | "sort"
		keep("hold " f, sprintf("times=%d\tsteady=%d\tworst=%d", times[f], steady[f], worst[f]))
	}
	close("sort")
	print ""
}

function print_hold_limits(  i) {
	for (i in must)
		if (!(must[i] in times)) {
			print must[i] " was never seen to hold the map lock: NOT COUNTED"
			bad++
		}
	for (i = 1; i <= lockers[0]; i++)
		limit("longest hold of the map lock, " lockers[i], max(steady[lockers[i]], worst[lockers[i]]), hold_goal())
}

END {
	print_packets()
	print_packet_limits()
	print_holds()
	print_hold_limits()
	finish()
}
