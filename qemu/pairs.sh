#!/usr/bin/env bash
# pairs.sh [demo|smoke]: migrations from one QEMU to another, over a link of a rate and a delay:
# without compression, with a method, and with multifd-adaptive; stopped guests and some that
# run, slow destinations, long links. All runs are in out/qemu-bench/runs.jsonl. QUICK=1 is a
# subset; smoke is one which judges nothing that is a matter of speed.
. scripts/common.sh
. qemu/common.sh

step() { say "[$SECONDS s] $*"; }
out=out/qemu-${1:-bench}
free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
[ "$free" -ge 3072 ] || die "the bench needs 3 GiB of memory, and $free MiB are free"
[ -c /dev/net/tun ] || die "the bench needs /dev/net/tun"
mkdir -p "$out" || die "cannot create $here/$out"

step "the source of QEMU $version"
qemu/source.sh > /dev/null
step "building it (about 6 minutes the first time, on 2 processors)"
qemu=$(qemu/build.sh | tail -1)
logged pairbench-build make -B -C qemu/bench OUTPUT="$cache/build/migbench" || exit 1
logged predict-build make -B -C qemu/predict OUTPUT="$cache/build/migbench" || exit 1
bin=$cache/build/migbench

# A network of its own, in which the link is; root may make one, others as root of their own.
own=(unshare --net)
[ "$(id -u)" = 0 ] || own+=(--map-root-user)
"${own[@]}" true || die "cannot make a network namespace; run this as root"
# Without this shell, it would go on for long.
pairs() {
	step "$1: ${*:2}"
	setpriv --pdeathsig TERM "${own[@]}" "$bin/pairbench" --qemu "$qemu" "$@" >> "$out/runs.jsonl"
}
slow=(--slow "$bin/slow.so" --slow-ns 200000 --settle 7 --window 4)
long=(--links 50 --settle 3.5 --window 4)
runs=(--size 256 --firmware "$bin/dirty.rom")
useless=(--ratios 0.99 --links 200)

: > "$out/runs.jsonl"
if [ "${1:-}" = demo ]; then
	pairs link --links 25,50,100,200 --methods zlib --rounds 3
elif [ "${1:-}" = smoke ]; then
	pairs file --rounds 1 --size 64
	pairs live --links 50 --rtts 0,50 --rounds 1 "${runs[@]}"
	pairs predict --links 50 --methods zstd --rounds 1 "${runs[@]}" --predict "$bin/predict"
elif [ -n "${QUICK:-}" ]; then
	pairs file --rounds 1 --size 64
	pairs link --links even --methods zlib --rounds 2
	pairs limit --limits 50 --methods zstd --rounds 2
	pairs destination --links 117 --channels 1 --methods zlib --rounds 1 "${slow[@]}"
	pairs rtt --rtts 100 --methods zlib --rounds 1 "${long[@]}"
	pairs useless --methods zstd --rounds 2 "${useless[@]}"
	pairs live --links 50 --methods zlib --rounds 1 "${runs[@]}"
	pairs predict --links 50 --methods zlib --rounds 1 "${runs[@]}" --predict "$bin/predict"
else
	pairs file --rounds 1 --size 64
	pairs link --links 25,100,even --channels 1,2 --ratios 0.25,0.5
	pairs limit --limits 25,100
	pairs destination --links 117 --channels 1,2 "${slow[@]}"
	pairs rtt --rtts 50,100,200 "${long[@]}"
	pairs rtt --rtts 50,100,200 --channels 1 --methods zlib "${long[@]}"
	pairs useless "${useless[@]}"
	pairs live --links 25,100 --dirty 5,20 "${runs[@]}"
	pairs predict --links 25,100 --dirty 5,20 --rounds 3 "${runs[@]}" --predict "$bin/predict"
fi
if [ "${1:-}" = smoke ]; then
	exec "$bin/pairbench" --report "$out/runs.jsonl" --functional
fi
rc=0
# The demo shows; the bench judges.
"$bin/pairbench" --report "$out/runs.jsonl" --cells "$out/cells" | tee "$out/table" ||
	[ "${1:-}" = demo ] || rc=1
logged qemu-plot gnuplot -e "cells='$out/cells'; out='$out/rates'" qemu/bench/pairs.gp || exit 1
[ "${1:-}" = demo ] || keep
step "done: $out/runs.jsonl, table, rates.svg; as a picture:"
echo "$here/$out/rates.png"
exit "$rc"
