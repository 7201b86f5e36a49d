#!/usr/bin/env bash
# bench.sh: what packets cost by each accessor, on the base, and by the bound: raw pointers
# to the rings. Counts of instructions on vhost's worker, then rates, then what mapped rings
# cost memory management; a report with plots in out/bench/. QUICK=1 is a subset.
# bench.sh budget: counts of a few workloads against bench/budget.json.
# bench.sh set-budget: and write what they are now there.
. scripts/common.sh

out=$here/out/bench
budgeted='ring,window=64 tx,window=1 tx,window=64 tx,size=1024 rx,window=64'
only='' set=''
case ${1:-} in
'') ;;
budget) only=$budgeted ;;
set-budget) only=$budgeted set=1 ;;
*) die "bench.sh: '$1' is not budget or set-budget" ;;
esac
[ -z "$only" ] || out=$logs/bench-budget
step() { say "[$SECONDS s] $*"; }

# boot NAME IMAGE HOW ARGS...: one boot; HOW is count or time
boot() {
	local name=$1 image=$2 how=$3 vm=() vars=${QUICK:+BENCH_QUICK=1}
	shift 3
	[ -z "$only" ] || vars="BENCH_ONLY='$only'"
	step "$how: $name"
	if [ "$how" = count ]; then
		vm=(--accel icount --cpus 1 --append noreplace-smp --plugin
			"$bin/ringcount.so,map=${image%/arch/*}/System.map,out=$out/count-$name.functions,worker=$out/count-$name.worker")
	fi
	ringvm --kernel "$image" --memory 2G --timeout 1800 --quiet "${vm[@]}" \
		--log "$logs/bench-$how-$name.console" --out "$out/$how-$name" -- \
		"$vars $selftests/ringmap_bench_tool $how $*" ||
		die "$how on $name failed"
}

mkdir -p "$out" || die "cannot create $out"
VARIANT=vm prepare
if [ -n "$only" ]; then
	boot ours "$kernel" count uaccess checked ringmap
	awk -v set="$set" -f bench/lib.awk -f bench/budget.awk "$out/count-ours" "$out/count-ours.worker" bench/budget.json
	exit
fi

build_base
# The same with raw pointers, and nothing but vhost to build.
bound=$cache/build/bound
[ -d "$bound" ] || cp -a "$cache/build/cost" "$bound"
trap 'git -C "$tree" checkout -q .' EXIT
git -C "$tree" apply "$here/bench/bound.patch" || die "bench/bound.patch does not apply; rebase it"
scripts/build.sh config "$tree" "$bound" configs/vm.config configs/cost.config
step "building the bound"
logged kernel-bound kmake "$tree" "$bound" bzImage || exit 1
git -C "$tree" checkout -q .

# testpmd NAME IMAGE MODE...: what DPDK sends
testpmd() {
	local name=$1 image=$2
	shift 2
	step "time: testpmd on $name"
	ringvm --kernel "$image" --memory 2G --timeout 600 --quiet \
		--log "$logs/bench-testpmd-$name.console" --out "$out/time-testpmd-$name" -- \
		"sh $here/vm/in-vm-testpmd.sh $selftests/ringmap_bench_tool $*" ||
		die "testpmd on $name failed"
}

rm -f "$out"/{count,time}-*
for how in count time; do
	boot base "$(image cost)" "$how" base
	boot bound "$(image bound)" "$how" bound
	boot ours "$kernel" "$how" uaccess checked ringmap
done
if [ -n "${QUICK:-}" ]; then
	:
elif command -v dpdk-testpmd > /dev/null; then
	testpmd base "$(image cost)" base
	testpmd bound "$(image bound)" bound
	testpmd ours "$kernel" uaccess checked ringmap
else
	say "testpmd is left out: install dpdk-dev"
fi
step "the report"
{
	nm "$cache"/build/vm/drivers/vhost/{vhost,ringmap}.o "$cache/build/cost/drivers/vhost/vhost.o" |
		awk 'tolower($2) == "t" { print $3 }'
	grep -ohE '__[gp][eu]t_user_[a-z0-9_]+$' "$cache/build/vm/System.map"
} | sort -u > "$out/metadata"
awk -v out="$out" -f bench/lib.awk -f bench/results.awk "$out"/metadata "$out"/count-{base,bound,ours}{,.functions,.worker} "$out"/time-*
note='On TCG, where STAC, CLAC and LFENCE cost what any instruction does: they say that packets flow.'
! grep -q kvm "$cache/accel" || note='On KVM: these are the real ones.'
awk -v out="$out" -v note="$note" -f bench/lib.awk -f bench/report.awk "$out"/{counts,rates}.tsv > "$out/report.md"
# What the model makes of packets sent, the base first
awk -F '\t' '$1 == "tx,window=64" { print $2 "\t" $3 "\t" $4 "\t" $5 "\t" $6 }' "$out/counts.tsv" > "$out/model.counts"
{
	printf '## Model\n\nWhat counts times costs predict, by bench/model.md; printed by make bench-model.\n\n'
	bench/model.sh "$out/model.counts" | sed 's/^/    /'
} >> "$out/report.md"
logged bench-plot gnuplot -e "out='$out'" bench/plots.gp || exit 1
rc=0
if [ -z "${QUICK:-}" ]; then
	step "memory management"
	{
		printf '\n## Memory management\n\nPrinted by make mm-queues.\n\n'
		bench/mm-queues.sh | sed 's/^/    /' || rc=1
	} >> "$out/report.md"
fi
step "done; the report, beside results.json:"
echo "$out/report.md"
exit "$rc"
