#!/usr/bin/env bash
# trace-cost.sh: what the tracepoints of vhost cost a packet, in instructions: turned off,
# against a kernel without them; and turned on, all of them.
. scripts/common.sh

VARIANT=vm prepare
untraced=$cache/build/untraced
sed 's/^CONFIG_VHOST_TRACE=y/CONFIG_VHOST_TRACE=n/' configs/ringmap.config > "$untraced.fragment"
scripts/build.sh config "$tree" "$untraced" configs/vm.config "$untraced.fragment"
say "building the kernel without tracepoints"
logged kernel-untraced kmake "$tree" "$untraced" bzImage || exit 1

# count NAME IMAGE BUILD EVENTS
count() {
	say "counting: $1"
	ringvm --kernel "$2" --accel icount --cpus 1 --memory 2G --timeout 600 --quiet \
		--append noreplace-smp --log "$logs/trace-cost.console" \
		--plugin "$bin/ringcount.so,map=$3/System.map,out=$logs/trace-cost-$1.count" \
		--out "$logs/trace-cost-$1" -- \
		"mount -t tracefs tracefs /sys/kernel/tracing
		$4
		exec $selftests/ringmap_cost_tool uaccess ringmap" || die "counting: $1 failed"
}
count untraced "$(image untraced)" "$untraced" ''
count off "$kernel" "$cache/build/vm" ''
count on "$kernel" "$cache/build/vm" 'echo 1 > /sys/kernel/tracing/events/vhost/enable'

awk -f bench/lib.awk -f bench/trace-cost.awk "$logs"/trace-cost-{untraced,off,on}{,.count}
