#!/usr/bin/env bash
# model.sh [COUNTS]: what operations cost on this machine; the model of a packet's cost
# against what others published; and what ringmap gains by it, all as tables with tabs. COUNTS
# has "accessor insns stac lfence locked" of a packet, the base first; without it, those of
# packets sent with 64 under way in performance.rst.
. scripts/common.sh

page=Documentation/admin-guide/vhost-ringmap/performance.rst
counts=${1:-$logs/bench-model.counts}
[ $# != 0 ] || awk '
	$1 == "64" || $1 == "16" { way = $1; $1 = "\\" }
	way == 64 && $1 == "\\" && NF == 9 {
		print $2 "\t" $3 "\t" $4 "\t" $5 "\t" $6 }' "$page" > "$counts"
[ -s "$counts" ] || die "no counts in $counts; give a file: accessor insns stac lfence locked"

logged bench-build make -B -C bench OUTPUT="$cache/build/bench" || exit 1
machine=("$logs/opcost.tsv")
if "$cache/build/bench/opcost" > "${machine[0]}"; then
	"$cache/build/bench/bpfcost" >> "${machine[0]}" || say "the cost of a user read is left out"
	grep -qw smap /proc/cpuinfo && smap=on || smap=off
	printf '# SMAP %s\n' "$smap" >> "${machine[0]}"
	cat "${machine[@]}"
	echo
else
	say "this machine is left out"
	machine=()
fi
awk -f bench/lib.awk -f bench/model.awk bench/costs.tsv bench/published.tsv "${machine[@]}" "$counts"
