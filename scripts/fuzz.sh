#!/usr/bin/env bash
# fuzz.sh: the accessors compared call by call on random calls and rings, CALLS of them
# from SEED; or REPLAY=FILE. A case that differs is left, made small, in a file.
. scripts/common.sh

case $variant in
vm | debug | kcsan) ;;
*) die "VARIANT=$variant: the fuzzer runs on vm, debug or kcsan" ;;
esac
if [ -n "${REPLAY:-}" ]; then
	[ -r "$REPLAY" ] || die "cannot read REPLAY=$REPLAY"
	args="--replay $(realpath "$REPLAY")"
else
	args="--seed ${SEED:-1} --calls ${CALLS:-20000}"
fi
prepare
out=$logs/fuzz-$variant
rc=0
ringvm --kernel "$kernel" --timeout "${TIMEOUT:-3000}" --memory 2G \
	--log "$out.console" --out "$out.out" -- \
	"sh $here/scripts/in-vm.sh $selftests $selftests/ringmap_fuzz $args --out /tmp/replay ||
	 { sed 's/^/replay /' /tmp/replay; exit 1; }" || rc=$?
sed -n 's/^replay //p' "$out.out" > "$out.replay"
grep -v '^replay ' "$out.out" || true
[ ! -s "$out.replay" ] || say "make fuzz REPLAY=$out.replay makes these calls again"
exit "$rc"
