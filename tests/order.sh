#!/usr/bin/env bash
# order.sh: the rules of order and locks, checked over SECONDS of traffic (600) of every
# kind, by every accessor, while memory changes. Each rule must have been judged.
. scripts/common.sh

seconds=${SECONDS_OF_TRAFFIC:-600}
case $seconds in '' | *[!0-9]*) die "SECONDS_OF_TRAFFIC=$seconds is not a number of seconds" ;; esac
VARIANT=vm prepare
build_vhostctl
say "$seconds s of traffic under vhostctl check"
ringvm --kernel "$kernel" --accel single --memory 2G --timeout $((seconds + 120)) --quiet \
	--log "$logs/order.console" -- \
	"mount -t tracefs tracefs /sys/kernel/tracing
	exec $vhostctl/vhostctl check --live --buffer 1024 -- $selftests/ringmap_load \\
		--seconds $seconds --accessor cycle --change-memory" 2> "$logs/order" ||
	{ cat "$logs/order"; die "a rule is broken, or a packet is lost"; }
cat "$logs/order"
[ "$(grep -c ' kept$' "$logs/order")" = 6 ] || die "not every rule was judged"
