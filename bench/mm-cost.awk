# mm-cost.awk: page-table changes with and without subscribers, our kernel against one with
# our options off.
#	awk -f bench/lib.awk -f bench/mm-cost.awk mm-cost-off mm-cost-ours
# The files are as mmu_cost_tool prints them.
{
	cost[run_of(FILENAME), $1, $2] = $3
	add(ops, $1)
	add(whos, $2)
}

# ours_to_off(OP, WHO): what WHO subscribing makes of OP on our kernel, against off
function ours_to_off(op, who) { return cost["ours", op, who] / cost["off", op, who] }

function print_costs(  i, j) {
	printf "%-16s %-10s %10s %10s  %s\n", "operation", "subscribers", "off", "ours", "ours/off"
	for (i = 1; i <= ops[0]; i++)
		for (j = 1; j <= whos[0]; j++) {
			printf "%-16s %-10s %10d %10d  %.4f\n", ops[i], whos[j],
				cost["off", ops[i], whos[j]], cost["ours", ops[i], whos[j]],
				ours_to_off(ops[i], whos[j])
			keep("op " ops[i] " " whos[j], sprintf("off=%d\tours=%d",
				cost["off", ops[i], whos[j]], cost["ours", ops[i], whos[j]]))
		}
	print ""
}

function print_limits() {
	limit("dropped cause, 64 subscribers: ours against off", ours_to_off("emit_dropped", "64-all"), 1.02)
	limit("MADV_DONTNEED, 64 subscribers: ours against off", ours_to_off("dontneed", "64-all"), 1.02)
	limit("soft-dirty clear, 64 that read: ours against off", ours_to_off("soft_dirty", "64-read"), 1)
	limit("munmap elsewhere, 64 subscribers: ours against off", ours_to_off("munmap", "64-all"), 1.02)
	limit("mprotect elsewhere, 64 subscribers: ours against off", ours_to_off("mprotect", "64-all"), 1.02)
	limit("fork elsewhere, 64 subscribers: ours against off", ours_to_off("fork", "64-all"), 1.02)
	limit("TLB flush, 64 interval subscribers: ours against none ever",
		cost["ours", "flush", "64-all"] / cost["ours", "flush", "never"], 1.02)
	limit("soft-dirty clear, one that reads: against none",
		cost["ours", "soft_dirty", "1-read"] / cost["ours", "soft_dirty", "none"], 1.02)
	printf "%-74s %9d\n", "instructions to find and skip one of 64 whose needs are kept",
		(cost["ours", "emit_kept", "64-read"] - cost["ours", "emit_kept", "none"]) / 64
}

END {
	print_costs()
	print_limits()
	finish()
}
