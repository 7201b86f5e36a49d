#!/usr/bin/env bash
# ring-cost.sh: what the kernel executes for a packet through vhost-net, counted by a
# QEMU plugin: by each accessor on our kernel, and on one with our options off (in
# machine code the base; see off-proof.sh). One processor, its locks kept. "chain" is TX with
# 255 descriptors a packet. And how many instructions the map lock is held for at most, in
# that traffic and where it is worst.
. bench/count.sh

out=$logs/ring-cost
VARIANT=vm prepare
build_base
reserved=0x40000000
vm=(--append "noreplace-smp memmap=16M\$$reserved" --)
tool="RINGMAP_RESERVED=$reserved sh $here/vm/in-vm.sh $selftests ./ringmap_cost_tool"
lockers > "$out.lockers"
metadata > "$out.metadata"
count "$out-off" cost '' "${vm[@]}" "$tool base"
count "$out-ours" vm ",lockers=$out.lockers,holds=$out.holds" "${vm[@]}" \
	"$tool uaccess checked ringmap unmappable bad"
print_and_keep ring-cost "$out.metadata" "$out"-{off,ours}{,.count} "$out.holds"
