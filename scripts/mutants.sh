#!/usr/bin/env bash
# mutants.sh: for each patch in tests/mutants, which removes one guard, build the
# kernel and show that the test it names fails.
. scripts/common.sh

[ "$variant" = vm ] || die "mutants run on VARIANT=vm"
kernel=$(scripts/build.sh | tail -1)
build_tools
build_selftests
trap 'git -C "$tree" checkout -q .' EXIT

# run TEST: does it pass?
run() {
	ringvm --kernel "$kernel" --timeout 60 --tap 1 --memory 4G --quiet \
		--log "$logs/mutant.console" -- \
		"sh $here/scripts/in-vm.sh $selftests $selftests/ringmap_test -r $1" \
		> "$logs/mutant.tap" 2>> "$logs/mutant.tap"
}

killed=0 total=0
for m in tests/mutants/*.patch; do
	name=$(basename "$m" .patch)
	test=$(sed -n 's/^Test: //p' "$m")
	[ -n "$test" ] || die "$m has no 'Test:' line"
	git -C "$tree" apply "$here/$m" || die "$m does not apply; rebase it"
	total=$((total + 1))
	logged mutant kmake "$tree" "$cache/build/vm" bzImage || die "$name does not build"
	rc=0
	run "$test" || rc=$?
	how=
	case $rc in
	0) say "SURVIVED $name: $test passes without its guard" ;;
	121 | 122 | 124) how=' (the kernel splats, dies or hangs)' ;;
	*) ! grep -q '^not ok' "$logs/mutant.tap" || how=' ' ;;
	esac
	if [ -n "$how" ]; then
		killed=$((killed + 1))
		printf 'killed   %-20s by %s%s\n' "$name" "$test" "$how"
	elif [ "$rc" != 0 ]; then
		say "SURVIVED $name: $test did not fail, the run did; see $logs/mutant.tap"
	fi
	git -C "$tree" checkout -q .
done
logged mutant kmake "$tree" "$cache/build/vm" bzImage || die "the kernel does not build"
mapfile -t tests < <(sed -n 's/^Test: //p' tests/mutants/*.patch | sort -u)
for test in "${tests[@]}"; do
	run "$test" || die "$test fails with every guard in place"
done
[ "$killed" = "$total" ] || die "$((total - killed)) of $total survived"
say "$killed of $total killed; their tests pass with the guards in place"
