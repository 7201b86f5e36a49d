#!/usr/bin/env bash
# trace-cost.sh: what the tracepoints of vhost cost a packet, in instructions: turned off,
# against a kernel without them; and turned on, all of them.
. bench/count.sh

out=$logs/trace-cost
VARIANT=vm prepare
untraced=$cache/build/untraced
sed 's/^CONFIG_VHOST_TRACE=y/CONFIG_VHOST_TRACE=n/' configs/ringmap.config > "$untraced.fragment"
scripts/build.sh config "$tree" "$untraced" configs/vm.config "$untraced.fragment"
say "building the kernel without tracepoints"
logged kernel-untraced kmake "$tree" "$untraced" bzImage || exit 1

vm=(--append noreplace-smp --)
tool="exec $selftests/ringmap_cost_tool uaccess ringmap"
events="mount -t tracefs tracefs /sys/kernel/tracing && echo 1 > /sys/kernel/tracing/events/vhost/enable"
count "$out-untraced" untraced '' "${vm[@]}" "$tool"
count "$out-off" vm '' "${vm[@]}" "$tool"
count "$out-on" vm '' "${vm[@]}" "$events && $tool"
print_and_keep trace-cost "$out"-{untraced,off,on}{,.count}
