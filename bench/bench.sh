#!/usr/bin/env bash
# bench.sh: what packets cost by each accessor, on the base, and by the bound: raw pointers
# to the rings. Counts of instructions on vhost's worker, then rates, then what mapped rings
# cost memory management; a report with plots in out/bench/. QUICK=1 is a subset that has
# all goals of counts.
# bench.sh budget: counts of a few workloads against bench/budget.json.
# bench.sh set-budget: prints what to put there now, with the base's.
. bench/count.sh

out=$here/out/bench vars=${QUICK:+BENCH_QUICK=1} set=''
case ${1:-} in
'' | budget) ;;
set-budget) set=1 ;;
*) die "bench.sh: '$1' is not budget or set-budget" ;;
esac
VARIANT=vm prepare

# boot HOW NAME BUILD MODE...: what ringmap_bench_tool measures of each MODE
boot() {
	local how=$1 file=$out/$1-$2 build=$3 tool=$selftests/ringmap_bench_tool
	shift 3
	case $how in
	count) count "$file" "$build" ",worker=$file.worker" --append noreplace-smp -- "$vars $tool count $*" ;;
	time) measure "$file" "$build" -- "$vars $tool time $*" ;;
	time-testpmd) measure "$file" "$build" -- "sh $here/vm/in-vm-testpmd.sh $tool $*" ;;
	esac
}

if [ -n "${1:-}" ]; then
	out=$logs/bench-budget
	vars="BENCH_ONLY='ring,window=1 ring,window=64 tx,window=1 tx,window=16 tx,window=64"
	vars+=" tx,chain=19 tx,size=1024 rx,window=64'"
	mkdir -p "$out"
	runs=("$out"/count-ours{,.worker})
	if [ -n "$set" ]; then
		build_base
		boot count base cost base
		runs+=("$out"/count-base{,.worker})
	fi
	boot count ours vm uaccess checked ringmap
	awk -v set="$set" -f bench/lib.awk -f bench/budget.awk "${runs[@]}" bench/budget.json
	exit
fi

mkdir -p "$out" || die "cannot create $out"
build_base
# The same with raw pointers
build_patched bound

rm -f "$out"/{count,time,holds}*
how=(count time)
if [ -z "${QUICK:-}" ]; then
	if command -v dpdk-testpmd > /dev/null; then
		how+=(time-testpmd)
	else
		say "testpmd is left out: install dpdk-dev"
	fi
fi
for h in "${how[@]}"; do
	boot "$h" base cost base
	boot "$h" bound bound bound
	boot "$h" ours vm uaccess checked ringmap
done
lockers > "$out/holds.lockers"
count "$out/holds" vm ",lockers=$out/holds.lockers,holds=$out/holds.longest" --append noreplace-smp -- \
	"sh $here/vm/in-vm.sh $selftests ./ringmap_cost_tool ringmap bad"

step "the report"
metadata > "$out/metadata"
awk -v out="$out" -v results="$out/bench.tsv" -f bench/lib.awk -f bench/results.awk "$out/metadata" \
	"$out"/count-{base,bound,ours}{,.count,.worker} "$out"/time-*
awk -F '\t' -v out="$out" -v series="$kernel_series" -f bench/lib.awk -f bench/goals.awk \
	"$out"/{counts,messages}.tsv "$out/holds.longest" > "$out/goals"
grep -q kvm "$shared/accel" && accel=kvm || accel=tcg
awk -v out="$out" -v accel="$accel" -f bench/lib.awk -f bench/report.awk \
	"$out"/{goals,counts,messages,rates}.tsv > "$out/report.md"
# What the model makes of packets sent, the base first
awk -F '\t' '$1 == "tx,window=64" { print $2 "\t" $3 "\t" $4 "\t" $5 "\t" $6 }' "$out/counts.tsv" > "$out/model.counts"
bench/model.sh "$out/model.counts" > "$out/model.txt"
{
	printf '## Model\n\nWhat counts times costs predict, by bench/model.md; printed by make bench-model.\n\n'
	sed 's/^/    /' "$out/model.txt"
} >> "$out/report.md"
{
	printf 'machine rates\taccel=%s\n' "$accel"
	awk '$4 > most { most = $4 } END { print "hold longest\tinstructions=" most }' "$out/holds.longest"
	sed 's/\t/  /g; s/^/model\t/' "$out/model.txt"
} >> "$out/bench.tsv"
scripts/results.sh keep bench "$out/bench.tsv"
logged bench-plot gnuplot -e "out='$out'" bench/plots.gp || exit 1
rc=0
if [ -z "${QUICK:-}" ]; then
	step "memory management"
	{
		printf '\n## Memory management\n\nPrinted by make mm-queues.\n\n'
		bench/mm-queues.sh | sed 's/^/    /' || rc=1
	} >> "$out/report.md"
fi
cat "$out/goals"
step "done; the report, beside results.json:"
echo "$out/report.md"
exit "$rc"
