#!/usr/bin/env bash
# mm-queues.sh: what mapped rings cost memory management elsewhere in the process, with
# more and more queues, against a kernel with our options off (in machine code the base;
# see off-proof.sh); what a queue costs in memory; and what changes of memory cost the
# rings: until all is mapped again, and under a flood of invalidations. What subscribers
# cost that do nothing is beside it: the floor is the base with such ones.
. bench/count.sh

out=$logs/mm-queues
VARIANT=vm prepare
build_base
build_patched floor
tool=$selftests/ringmap_mmcost_tool
# In both at the same addresses
queues="echo 0 > /proc/sys/kernel/randomize_va_space; exec $tool queues"
count "$out-off" cost '' -- "$queues base"
count "$out-floor" floor '' -- "$queues base"
count "$out-ours" vm '' -- "$queues ringmap"
measure "$out-counted" vm "${icount[@]}" -- "$tool fill && $tool flood 3 100"
measure "$out-parallel" vm --cpus 2 -- "$tool flood 15 100"
print_and_keep mm-queues "$out"-{off,floor,ours}{,.count} "$out"-{counted,parallel}
