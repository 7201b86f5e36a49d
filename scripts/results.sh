#!/usr/bin/env bash
# results.sh keep NAME FILE: what bench NAME measured, in FILE, is kept in out/results until
# 'make figures' takes it over.
# results.sh content NAME...: a line for each: NAME, and a hash of what its counts depend on.
set -euo pipefail
. scripts/parts.sh

# depends NAME: sets paths
depends() {
	paths=(bench/count.sh)
	case $1 in
	bench) paths+=("${vhost[@]}" "$t"/vhost/ringmap_{bench,cost}_tool.c bench/{bench.sh,bound.patch}) ;;
	ring-cost | trace-cost) paths+=("${vhost[@]}" "$t"/vhost/ringmap_cost_tool.c "bench/$1.sh") ;;
	mm-queues) paths+=("${vhost[@]}" "$t"/vhost/ringmap_mmcost_tool.c bench/{mm-queues.sh,floor.patch}) ;;
	mm-cost) paths+=("${vm[@]}" "$t"/mmu_notifier "bench/$1.sh") ;;
	kvm-check) paths+=("${vm[@]}" "$t"/kvm tests/kvm-{check,guests}.sh) ;;
	qemu-7.2) paths=(qemu/7.2 qemu/{bench,build,common,source}.sh qemu/bench/*.[chS]) ;;
	qemu-10.0) paths=(qemu/10.0 qemu/{pairs,build,common,source}.sh qemu/bench/*.[chS] qemu/predict) ;;
	*) echo "$0: error: nothing is kept of '$1'" >&2; exit 1 ;;
	esac
}

what=$1
shift
case $what in
content)
	for name in "$@"; do
		depends "$name"
		echo "$name $(content "${paths[@]}")"
	done
	;;
keep)
	depends "$1"
	mkdir -p out/results
	{
		printf 'run\tcommit=%s\tcontent=%s\tdate=%s\n' "$(git describe --always --dirty)" \
			"$(content "${paths[@]}")" "$(date +%F)"
		cat "$2"
	} >> "out/results/$1.tsv"
	;;
esac
