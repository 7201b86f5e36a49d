#!/usr/bin/env bash
# ring-cost.sh: what the kernel executes for a packet through vhost-net, counted by a
# QEMU plugin: by each accessor on our kernel, and on one with our options off (in
# machine code the base; see off-proof.sh). One processor, its locks kept. And how many
# instructions the map lock is held for at most, in that traffic and where it is worst.
. scripts/common.sh

VARIANT=vm prepare
build_base
reserved=0x40000000

# count NAME IMAGE BUILD PLUGIN-ARGS MODE...
count() {
	local name=$1 image=$2 build=$3 args=$4
	shift 4
	say "counting on $name"
	ringvm --kernel "$image" --accel icount --cpus 1 --memory 2G --timeout 600 --quiet \
		--append "noreplace-smp memmap=16M\$$reserved" \
		--plugin "$bin/ringcount.so,map=$build/System.map,out=$logs/ring-cost-$name.count$args" \
		--log "$logs/ring-cost-$name.console" --out "$logs/ring-cost-$name" -- \
		"RINGMAP_RESERVED=$reserved sh $here/vm/in-vm.sh $selftests ./ringmap_cost_tool $*" ||
		die "counting on $name failed"
}
functions() { nm "$cache/build/vm/drivers/vhost/$1.o" | awk 'tolower($2) == "t" { print $3 }'; }

lockers=$logs/ring-cost.lockers holds=$logs/ring-cost.holds
functions ringmap > "$lockers"
count off "$(image cost)" "$cache/build/cost" '' base
count ours "$kernel" "$cache/build/vm" ",lockers=$lockers,holds=$holds" \
	uaccess checked ringmap unmappable bad

# The functions through which vhost reads and writes virtqueue metadata.
metadata=$logs/ring-cost.metadata
{ functions vhost; functions ringmap; } > "$metadata"
grep -oE '__[gp][eu]t_user_[a-z0-9_]+$' "$cache/build/vm/System.map" | sort -u >> "$metadata"

awk -f bench/lib.awk -f bench/ring-cost.awk "$metadata" "$logs"/ring-cost-{off,ours}{,.count} "$holds"
