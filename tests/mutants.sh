#!/usr/bin/env bash
# mutants.sh: for each script in tests/mutants, which removes one guard, build a kernel
# whose vhost is modules, and show that the test it names fails, or that the rule it names
# is broken in a trace of traffic; and for each row of tests/mutants/lies. T=name does only
# that one (and T='name name' two), T=guards the scripts, T=lies the rows. Some guards are
# missed only by a kernel that looks for mistakes: their scripts name its variant, and
# T=debug does them. Others are of one kernel series, which their scripts name. T=kvm does the
# rows of tests/mutants/kvm, by kvm-check's kernel and guest; T='kvm name' does one.
. scripts/common.sh
. tests/suites.sh
. tests/kvm-guests.sh

[ "$variant" = vm ] || die "mutants run on VARIANT=vm"

modular=$cache/build/modular
# ringvm's arguments that load vhost, in the order in which modules need each other
load_vhost=()
for m in iotlb ringmap '' net vsock scsi test; do
	load_vhost+=("--module=$modular/drivers/vhost/vhost${m:+_$m}.ko")
done

scripts/compose.sh > /dev/null
build_tools
case ${T:-} in
kvm*)
	VARIANT=kvm scripts/build.sh > /dev/null
	build_kvm_tests x86_64/mmu_keeps_test
	;;
*)
	build_selftests
	build_vhostctl
	;;
esac
trap 'git -C "$tree" checkout -q .' EXIT

# build NAME: the kernel of variant $on, as the tree is
on=modular configured=
build() {
	if [ "$on" = modular ] && [ -n "$configured" ]; then
		logged mutant kmake "$tree" "$modular" bzImage modules
	else
		VARIANT=$on scripts/build.sh > /dev/null && { [ "$on" != modular ] || configured=yes; }
	fi || die "$1 does not build"
}

# run TEST [KERNEL OPTIONS [ENVIRONMENT]]: does it pass on the kernel of variant $on?
run() {
	local suite program timeout=300 load=()
	suite=$(suite_of "$1")
	program=$(suite_program "$suite")
	[ "$on" != modular ] || timeout=60 load=("${load_vhost[@]}")
	ringvm --kernel "$(image "$on")" "${load[@]}" --timeout $timeout --tap 1 --memory 4G --quiet \
		--append "$(suite_options "$suite") ${2:-}" --log "$logs/mutant.console" -- \
		"STATIC_KEY_ON=1 ${3:-} sh $here/vm/in-vm.sh $selftests $selftests/$program -r $1" \
		> "$logs/mutant.tap" 2>> "$logs/mutant.tap"
}

# watch TRAFFIC: which rules of order and locks does traffic break?
watch() {
	ringvm --kernel "$(image modular)" "${load_vhost[@]}" --accel single --timeout 60 --memory 2G --quiet \
		--log "$logs/mutant-trace.console" --out "$logs/mutant.trace" -- \
		"$vhostctl/vhostctl check --live --buffer 1024 -- $selftests/ringmap_load --seconds 6 $1 2>&1" \
		2>> "$logs/mutant.tap" || true
	awk '$NF == "broken" { print $1 }' "$logs/mutant.trace"
}

# dead RC: how the last run failed, or nothing if it did not because of the test
dead() {
	case $1 in
	121 | 122 | 124) echo 'the kernel splats, dies or hangs' ;;
	0) ;;
	*) ! grep -qE '^not ok|Test Assertion Failure' "$logs/mutant.tap" || echo 'the test fails' ;;
	esac
}

killed=0 total=0
declare -A tests=() # by variant and name
declare -A built=()
verdict() {
	local name=$1 test=$2 how=$3
	total=$((total + 1))
	if [ -n "$how" ]; then
		killed=$((killed + 1))
		printf 'killed   %-24s by %s: %s\n' "$name" "$test" "$how"
	else
		say "SURVIVED $name: $test; see $logs/mutant.tap"
	fi
}

# run_keeps MODE MUTANT: does the guest find nothing?
run_keeps() {
	kvm_boot "$1" --append "kvm_mutant=$2" --kernel "$(image kvm)" --timeout 900 \
		--log "$logs/mutant.console" -- "$(keeps "$1" -k -m 16 -s 2)" \
		> "$logs/mutant.tap" 2>> "$logs/mutant.tap"
}

kvm=tests/mutants/kvm
case ${T:-} in
kvm*)
	git -C "$tree" apply "$here/$kvm.patch" || die "$kvm.patch does not apply; rebase it"
	on=kvm build "$kvm.patch"
	while read -r name mode; do
		case $T in kvm | *" $name") ;; *) continue ;; esac
		rc=0
		run_keeps "$mode" "$name" || rc=$?
		verdict "$name" "kvm-check, $mode" "$(dead "$rc")"
	done < <(grep -v '^#' $kvm)
	for mode in npt shadow nested; do
		run_keeps "$mode" none || die "mmu_keeps_test fails with no mutant ($mode)"
	done
	git -C "$tree" checkout -q .
	[ "$killed" = "$total" ] || die "$((total - killed)) of $total survived"
	say "$killed of $total killed; the test passes without them"
	exit
	;;
esac

for m in tests/mutants/*.sed; do
	name=$(basename "$m" .sed)
	grep -q "^# Series: $kernel_series$" "$m" || ! grep -q '^# Series: ' "$m" || continue
	test=$(sed -n 's/^# Test: //p' "$m")
	on=$(sed -n 's/^# Variant: //p' "$m")
	on=${on:-modular} set=guards
	[ "$on" = modular ] || set=$on
	case " ${T:-guards} " in *" $set "* | *" $name "*) ;; *) continue ;; esac
	built[$on]=1
	sed -i -f "$m" "$tree/$(sed -n 's/^# File: //p' "$m")"
	! git -C "$tree" diff --quiet || die "$m changes nothing; what it removes is elsewhere now"
	check=$(sed -n 's/^# Check: //p' "$m")
	if [ -n "$check" ]; then
		how=$("tests/$check" 2>> "$logs/mutant.tap" |
			awk -F: '/^WRONG/ && !n++ { print $1 ":" $2 }' || true)
		verdict "$name" "$check" "$how"
	else
		[ -z "$test" ] || tests["$on $test"]=1
		build "$name"
	fi
	if [ -n "$test" ]; then
		rc=0
		run "$test" || rc=$?
		verdict "$name" "$test" "$(dead "$rc")"
	fi
	rule=$(sed -n 's/^# Trace: //p' "$m")
	if [ -n "$rule" ]; then
		rules=$(watch "$(sed -n 's/^# Traffic: //p' "$m")")
		how=''
		! grep -qx "$rule" <<< "$rules" || how='the trace shows it'
		verdict "$name" "$rule" "$how"
	fi
	git -C "$tree" checkout -q .
done
on=modular

# What is false is shown by what user space sees, or else by the table in the test.
number() {
	awk -v want="MMU_CAUSE_${1^^}" '/^enum mmu_notifier_cause/ { n = -1; on = 1 }
		on && /^\tMMU_CAUSE/ { n++; if ($1 == want ",") print n }' \
		include/linux/mmu_notifier_cause.h
}
lies=tests/mutants/lies
case ${T:-} in
'' | lies)
	git -C "$tree" apply "$here/$lies.patch" || die "$lies.patch does not apply; rebase it"
	build lies
	;;
*) lies=/dev/null ;;
esac
while read -r cause bits test; do
	rc=0 lie="mmu_lie=$(number "$cause"),$bits"
	run "$test" "$lie" MMU_CAUSES_TRUTH_ONLY=1 || rc=$?
	how=$(dead "$rc")
	if [ -z "$how" ] && [ "$rc" = 0 ]; then
		run "$test" "$lie" || rc=$?
		how=$(dead "$rc")
		how=${how:+its table says otherwise}
	fi
	verdict "lie-$cause-$bits" "$test" "$how"
done < <(grep -v '^#' $lies)
git -C "$tree" checkout -q .

for on in "${!built[@]}"; do
	build "the $on kernel"
	for test in "${!tests[@]}"; do
		[ "${test% *}" = "$on" ] || continue
		run "${test#* }" || die "${test#* } fails with every guard in place ($on kernel)"
	done
done
tests/barriers.sh > /dev/null || die "barriers.sh fails with every guard in place"
[ "$killed" = "$total" ] || die "$((total - killed)) of $total survived"
say "$killed of $total killed; the tests pass with the guards in place"
