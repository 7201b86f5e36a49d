#!/usr/bin/env bash
# mm-queues.sh: what mapped rings cost memory management elsewhere in the process, with
# more and more queues, against a kernel with our options off (in machine code the base;
# see off-proof.sh); what a queue costs in memory; and what changes of memory cost the
# rings: until all is mapped again, and under a flood of invalidations.
. scripts/common.sh

VARIANT=vm prepare
build_base
out=$logs/mm-queues

# run NAME IMAGE RINGVM-ARGS... -- COMMAND
run() {
	local name=$1 image=$2
	shift 2
	say "running $name"
	ringvm --kernel "$image" --memory 2G --timeout 900 --quiet \
		--log "$out-$name.console" --out "$out-$name" "$@" || die "$name failed"
}

# queues NAME IMAGE BUILD MODE: in both at the same addresses
queues() {
	run "$1" "$2" --accel icount --cpus 1 \
		--plugin "$bin/ringcount.so,map=$3/System.map,out=$out-$1.count" -- \
		"echo 0 > /proc/sys/kernel/randomize_va_space
		exec $selftests/ringmap_mmcost_tool queues $4"
}
queues off "$(image cost)" "$cache/build/cost" base
queues ours "$kernel" "$cache/build/vm" ringmap
run counted "$kernel" --accel icount --cpus 1 -- \
	"$selftests/ringmap_mmcost_tool fill && $selftests/ringmap_mmcost_tool flood 3 100"
run parallel "$kernel" --cpus 2 -- "$selftests/ringmap_mmcost_tool flood 15 100"

awk -f bench/lib.awk -f bench/mm-queues.awk "$out"-{off,ours}{,.count} "$out"-{counted,parallel}
