#!/usr/bin/env bash
# kernel.sh SERIES: the branch on another kernel series than the first: it composes exactly,
# says why of each invalidation, what it touches compiles, its code is clean; and a VM with it
# sends packets by every accessor.
export KERNEL=$1
export BASE=${RINGMAP_CACHE:?run this through make}/$1/linux-source-$1.tar.xz
. scripts/common.sh

scripts/deps.sh check build vm tools
scripts/compose.sh > /dev/null
[ ! -s "$logs/inexact" ] || die "hunks were placed with less context"
tests/emitters.sh > /dev/null
scripts/build.sh touched
scripts/lint.sh
for t in 'in_order.*' 'in_order_log.*' 'traffic.*' 'null.*' 'base.*'; do
	T=$t tests/selftests.sh
done
