#!/usr/bin/env bash
# kernel.sh SERIES [COMMAND...]: a command about another kernel series than the first; or what
# is looked at each time: it composes exactly, says why of each invalidation, what it touches
# compiles, its code is clean, and a VM with it sends packets by every accessor, in order, too.
series=$1
shift
export KERNEL=$series
export BASE=${RINGMAP_CACHE:?run this through make}/$series/linux-source-$series.tar.xz
. scripts/common.sh

scripts/deps.sh check build vm tools
scripts/compose.sh > /dev/null
[ ! -s "$logs/inexact" ] || die "hunks were placed with less context"
if [ $# -gt 0 ]; then
	exec "$@"
fi
tests/emitters.sh > /dev/null
VARIANT=kvm scripts/build.sh touched
scripts/build.sh > /dev/null
scripts/lint.sh kernel
rc=0
tests/selftests.sh null in_order || rc=$?
T='traffic.*' tests/selftests.sh || rc=$?
exit "$rc"
