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

awk -f bench/lib.awk -f bench/mm-cost.awk "$logs"/mm-cost-{off,ours}
