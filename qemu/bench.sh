#!/usr/bin/env bash
# bench.sh [demo]: pages per second of a migration by each policy of compression, over
# bandwidth limits, speeds of the link, threads and ratios, against the ideal; and by multifd.
# All runs are in out/qemu-bench/runs.jsonl. QUICK=1 is a subset, demo one without multifd.
# This is of QEMU 7.2; pairs.sh is of the others.
. scripts/common.sh
. qemu/common.sh

# What follows compares the policies of compress, which newer ones do not have.
[ "$version" = 7.2 ] || exec qemu/pairs.sh "$@"
step() { say "[$SECONDS s] $*"; }
live=yes
what=(--limits '10,25,50,100,200,400,even' --links '25,100,even' --threads '1,2'
	--ratios '0.1,0.25,0.5,0.9' --changes)
multifd=(--multifd 'zlib,zstd' --threads '1,2,4' --ratios '0.25,0.5')
fast=(--limits even --links even --window 1.2)
slow=(--links 50 --window 3)	# it takes long to fill the queues
out=out/qemu-bench
if [ "${1:-}" = demo ]; then
	what=(--limits '10,25,50,100,200' --window 1)
	out=out/qemu-demo live='' multifd=()
elif [ -n "${QUICK:-}" ]; then
	what=(--limits '25,even,200' --links even --threads '1,2' --ratios '0.25,0.9' --changes)
	multifd=(--multifd 'zlib,zstd' --threads 2 --turns 2)
	fast=(--links even --window 1)
	live=
fi
free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
[ "$free" -ge 2048 ] || die "the bench needs 2 GiB of memory, and $free MiB are free"
mkdir -p "$out" || die "cannot create $here/$out"

step "the source of QEMU"
qemu/source.sh > /dev/null
step "building it (about 3 minutes the first time, on 2 processors)"
qemu=$(qemu/build.sh | tail -1)
logged migbench-build make -B -C qemu/bench OUTPUT="$cache/build/migbench" || exit 1
migbench=$cache/build/migbench/migbench
if [ -n "$live" ]; then
	step "building the kernel of the guest that runs"
	scripts/compose.sh > /dev/null
	kernel=$(VARIANT=vm scripts/build.sh | tail -1)
	what+=(--live '25,100' --dirty '5,20' --kernel "$kernel" --init "${migbench%/*}/workload")
fi
step "migrating"
# Without this shell, it would go on for long.
migrate() { setpriv --pdeathsig TERM "$migbench" --qemu "$qemu" "$@"; }
migrate "${what[@]}" > "$out/runs.jsonl" || exit 1
if [ ${#multifd[@]} -gt 0 ]; then
	# A packet is longer than a Unix socket's queue. Here it is as long as TCP's grows to.
	queue=/proc/sys/net/core/wmem_default
	before=$(< "$queue")
	if [ -w "$queue" ]; then
		trap 'echo "$before" > "$queue"' EXIT
		awk '{ print $3 }' /proc/sys/net/ipv4/tcp_wmem > "$queue"
	else
		say "only root can make a socket's queue as long as TCP's: links stay half idle"
	fi
	migrate "${multifd[@]}" "${fast[@]}" >> "$out/runs.jsonl" || exit 1
	migrate "${multifd[@]}" "${slow[@]}" >> "$out/runs.jsonl" || exit 1
fi
rc=0
# The demo shows; the bench judges.
"$migbench" --report "$out/runs.jsonl" --cells "$out/cells" | tee "$out/table" || [ "${1:-}" = demo ] || rc=1
logged qemu-plot gnuplot -e "cells='$out/cells'; out='$out/rates'" qemu/bench/plot.gp || exit 1
[ ! -s "$out/cells-multifd" ] || logged qemu-plot-multifd \
	gnuplot -e "cells='$out/cells-multifd'; out='$out/multifd'" qemu/bench/multifd.gp || exit 1
[ "${1:-}" = demo ] || keep
step "done: $out/runs.jsonl, table, rates.svg${multifd[0]:+, multifd.svg}; as a picture:"
echo "$here/$out/rates.png"
exit "$rc"
