#!/usr/bin/env bash
# hmm.sh: upstream's tests of a whole-mm interval subscriber, on our kernel and on
# one with our options off. The results must be the same.
. scripts/common.sh

scripts/compose.sh >/dev/null
kernel=$(VARIANT=vm scripts/build.sh | tail -1)
scripts/build.sh config "$tree" "$cache/build/cost" configs/vm.config configs/cost.config
logged kernel-cost kmake "$tree" "$cache/build/cost" bzImage || exit 1
build_tools
mkdir -p "$selftests"
mm=$tree/tools/testing/selftests/mm
gcc -O2 -D_GNU_SOURCE -I"$tree" -I"$tree/tools/include/uapi" -I"$tree/tools/testing/selftests" \
	-o "$selftests/hmm-tests" "$mm/hmm-tests.c" "$mm/vm_util.c" -lpthread \
	2> "$logs/hmm-tests-build.log" ||
	die "hmm-tests does not build; see $logs/hmm-tests-build.log"

results() {
	say "running on $1"
	ringvm --kernel "$2" --memory 4G --timeout 600 --quiet \
		--log "$logs/hmm-tests-$1.console" --out "$logs/hmm-tests-$1.tap" -- \
		"echo 64 > /proc/sys/vm/nr_hugepages; $selftests/hmm-tests || true" ||
		die "running hmm-tests on $1 failed"
	grep -E '^(not )?ok ' "$logs/hmm-tests-$1.tap" > "$logs/hmm-tests-$1"
}
results off "$(image cost)"
results ours "$kernel"
diff "$logs/hmm-tests-off" "$logs/hmm-tests-ours" || die "hmm-tests differ"
n=$(grep -c '^ok' "$logs/hmm-tests-ours") || true
[ "$n" -ge 20 ] || die "only $n tests passed, on both kernels; see $logs/hmm-tests-ours.tap"
say "the same on both: $n ok, $(grep -c '^not ok' "$logs/hmm-tests-ours" || true) not ok," \
	"$(grep -c '# SKIP' "$logs/hmm-tests-ours" || true) of the ok skipped"
