#!/usr/bin/env bash
# mm-cost.sh: instructions that page-table changes take with and without subscribers,
# on our kernel and on one with our options off (in machine code the base; see
# off-proof.sh), both counted by QEMU in one boot each.
. bench/count.sh

out=$logs/mm-cost
VARIANT=vm prepare
build_base
# What fork() copies depends on where everything lies.
vm=("${icount[@]}" --append norandmaps -- "$selftests/mmu_cost_tool")
measure "$out-off" cost "${vm[@]}"
measure "$out-ours" vm "${vm[@]}"
print_and_keep mm-cost "$out-off" "$out-ours"
