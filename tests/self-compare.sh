#!/usr/bin/env bash
# self-compare.sh: 20 comparisons of an accessor with itself, on traffic in the VM. An interval
# that covers the truth in 95 of 100 cases finds a difference in one; 4 are the most that is
# still chance (more happen in 3 of 1000 runs).
. scripts/common.sh

VARIANT=vm prepare
build_vhostctl
say "20 comparisons"
ringvm --kernel "$kernel" --accel single --memory 2G --timeout 900 --quiet \
	--log "$logs/self-compare.console" --out "$logs/self-compare" -- \
	"$selftests/ringmap_load --seconds 800 --mode plain &
	until $vhostctl/vhostctl list | grep -q ringmap_load; do sleep 0.2; done
	for i in \$(seq 20); do
		$vhostctl/vhostctl compare --accessors ringmap,ringmap --time 8 || exit
	done" || die "a comparison failed; what was said is in $logs/self-compare"
awk '
	/^ringmap: / {
		n++
		cpu += / to [0-9.]+ % (less|more) CPU time/
		rate += / to [0-9.]+ % (fewer|more) buffers/
		unknown += /cannot tell/
	}
	END {
		printf "%d comparisons: a difference of CPU time in %d, of buffers a second in %d; %d could not tell\n",
			n, cpu, rate, unknown
		exit !(n == 20 && cpu <= 4 && rate <= 4 && unknown < 10)
	}' "$logs/self-compare" || die "that is too many; see $logs/self-compare"
