#!/usr/bin/env bash
# fuzz.sh: the accessors compared call by call on random calls and rings, CALLS of them
# from SEED, in VMS virtual machines with seeds of their own; or REPLAY=FILE. A case that
# differs is left, made small, in a file. On one processor less depends on time, and the
# calls, which wait for each other, are made faster.
. scripts/common.sh

case $variant in
vm | debug | kcsan) ;;
*) die "VARIANT=$variant: the fuzzer runs on vm, debug or kcsan" ;;
esac
seed=${SEED:-1} calls=${CALLS:-20000} vms=${VMS:-1}
[[ $vms =~ ^[1-9]$ ]] || die "VMS=$vms is not a number from 1 to 9"
[[ $seed =~ ^[0-9]+$ && $calls =~ ^[0-9]+$ ]] || die "SEED=$seed or CALLS=$calls is not a number"
if [ -n "${REPLAY:-}" ]; then
	[ -r "$REPLAY" ] || die "cannot read REPLAY=$REPLAY"
	vms=1
fi
prepare
out=$logs/fuzz-$variant

# fuzz N ARGS...: the N-th machine; its output is in $out-N
fuzz() {
	local o=$out-$1 rc=0
	shift
	ringvm --kernel "$kernel" --timeout "${TIMEOUT:-3000}" --memory 2G \
		--cpus 1 --log "$o.console" --out "$o.out" -- \
		"sh $here/vm/in-vm.sh $selftests $selftests/ringmap_fuzz_test $* --out /tmp/replay ||
		 { sed 's/^/replay /' /tmp/replay; exit 1; }" || rc=$?
	sed -n 's/^replay //p' "$o.out" > "$o.replay"
	return "$rc"
}

pids=() outs=() bad=0
for ((i = 0; i < vms; i++)); do
	if [ -n "${REPLAY:-}" ]; then
		fuzz "$i" --replay "$(realpath "$REPLAY")" &
	else
		fuzz "$i" --seed $((seed + i)) --calls $(((calls + vms - 1) / vms)) &
	fi
	pids+=($!) outs+=("$out-$i.out")
done
for ((i = 0; i < vms; i++)); do
	wait "${pids[i]}" || bad=$((bad + 1))
	grep -v '^replay ' "${outs[i]}" || true
	[ ! -s "$out-$i.replay" ] || say "make fuzz REPLAY=$out-$i.replay makes these calls again"
done
[ "$vms" = 1 ] || awk -v bad="$bad" '
	/^seed / { seeds = seeds " " $2 }
	/ unsteady, / { calls += $1; cases += $4; unsteady += $9 }
	END {
		printf "seeds%s: %d calls in %d cases, %d unsteady, %d machines failed\n",
			seeds, calls, cases, unsteady, bad
	}' "${outs[@]}"
[ "$bad" = 0 ]
