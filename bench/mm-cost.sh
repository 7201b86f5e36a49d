#!/usr/bin/env bash
# mm-cost.sh: instructions that page-table changes take with and without subscribers,
# on our kernel and on one with our options off (in machine code the base; see
# off-proof.sh), both counted by QEMU in one boot each.
. scripts/common.sh

VARIANT=vm prepare
build_base

count() {
	say "counting on $1"
	# What fork() copies depends on where everything lies.
	ringvm --kernel "$2" --accel icount --cpus 1 --memory 2G --timeout 600 --quiet \
		--append norandmaps \
		--log "$logs/mm-cost-$1.console" --out "$logs/mm-cost-$1" -- \
		"$selftests/mmu_cost_tool" || die "counting on $1 failed"
}
count off "$(image cost)"
count ours "$kernel"

awk '
	FNR == NR { off[$1, $2] = $3; next }
	{ ours[$1, $2] = $3; if (!($1 in ops)) { ops[$1]; name[++n] = $1 }
	  if (!($2 in whos)) { whos[$2]; who[++w] = $2 } }
	function limit(what, a, b, most,  r) {
		r = a / b
		printf "%-64s %8d %8d  %.4f  %s\n", what, a, b, r, r <= most ? "ok" : "MORE THAN " most
		bad += r > most
	}
	END {
		printf "%-16s %-10s %10s %10s  %s\n", "operation", "subscribers", "off", "ours", "ours/off"
		for (i = 1; i <= n; i++)
			for (j = 1; j <= w; j++)
				printf "%-16s %-10s %10d %10d  %.4f\n", name[i], who[j],
					off[name[i], who[j]], ours[name[i], who[j]],
					ours[name[i], who[j]] / off[name[i], who[j]]
		print ""
		limit("dropped cause, 64 subscribers: ours against off",
		      ours["emit_dropped", "64-all"], off["emit_dropped", "64-all"], 1.02)
		limit("MADV_DONTNEED, 64 subscribers: ours against off",
		      ours["dontneed", "64-all"], off["dontneed", "64-all"], 1.02)
		limit("soft-dirty clear, 64 that read: ours against off",
		      ours["soft_dirty", "64-read"], off["soft_dirty", "64-read"], 1)
		split("munmap mprotect fork", op)
		for (i = 1; i <= 3; i++)
			limit(op[i] " elsewhere, 64 subscribers: ours against off",
			      ours[op[i], "64-all"], off[op[i], "64-all"], 1.02)
		limit("TLB flush, 64 interval subscribers: ours against none ever",
		      ours["flush", "64-all"], ours["flush", "never"], 1.02)
		limit("soft-dirty clear, one that reads: against none",
		      ours["soft_dirty", "1-read"], ours["soft_dirty", "none"], 1.02)
		printf "%-64s %8d\n", "instructions to find and skip one of 64 whose needs are kept",
			(ours["emit_kept", "64-read"] - ours["emit_kept", "none"]) / 64
		exit bad > 0
	}' "$logs/mm-cost-off" "$logs/mm-cost-ours"
