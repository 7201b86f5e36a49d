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
# The kernel on trial: a copy, as the next one is built meanwhile
trial=$cache/build/trial
# The modules of vhost, in the order in which they need each other
vhost_ko=(drivers/vhost/vhost{_iotlb,_ringmap,,_net,_vsock,_scsi,_test}.ko)

scripts/compose.sh > /dev/null
rm -f "$logs"/mutant-*
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

# build NAME [FILE]: the kernel of variant $on, as the tree is, or what depends on FILE alone
on=modular configured=
build() {
	local what=(bzImage modules)
	case ${2:-} in drivers/vhost/*) what=("${vhost_ko[@]}") ;; esac
	if [ "$on" = modular ] && [ -n "$configured" ]; then
		logged mutant kmake "$tree" "$modular" "${what[@]}"
	else
		VARIANT=$on scripts/build.sh > /dev/null && { [ "$on" != modular ] || configured=yes; }
	fi || die "$1 does not build"
}

# put_on_trial: what was built can be overwritten now
put_on_trial() {
	local m
	mkdir -p "$trial"
	cp "$(image "$on")" "$trial/bzImage"
	load_vhost=()
	[ "$on" = modular ] || return 0
	for m in "${vhost_ko[@]}"; do
		cp "$modular/$m" "$trial/"
		load_vhost+=("--module=$trial/${m##*/}")
	done
}

# run LOG SUITE SECONDS [KERNEL-OPTIONS ENVIRONMENT] -- TEST...: do they pass on trial?
run() {
	local log=$logs/mutant-$1 suite=$2 timeout=$3 options='' environment=''
	shift 3
	if [ "$1" != -- ]; then
		options=$1 environment=$2
		shift 2
	fi
	shift
	ringvm --kernel "$trial/bzImage" "${load_vhost[@]}" --timeout "$timeout" --tap 1 --memory 4G --quiet \
		--append "$(suite_options "$suite") $options" --log "$log.console" -- \
		"STATIC_KEY_ON=1 $environment sh $here/vm/in-vm.sh $selftests $selftests/$(suite_program "$suite") \
		$(printf -- '-r %s ' "$@")" > "$log.tap" 2>> "$log.tap"
}

# watch LOG TRAFFIC: which rules of order and locks does traffic break?
watch() {
	local log=$logs/mutant-$1
	ringvm --kernel "$trial/bzImage" "${load_vhost[@]}" --accel single --timeout 60 --memory 2G --quiet \
		--log "$log-trace.console" --out "$log.trace" -- \
		"$vhostctl/vhostctl check --live --buffer 1024 -- $selftests/ringmap_load --seconds 6 $2 2>&1" \
		2>> "$log.tap" || true
	awk '$NF == "broken" { print $1 }' "$log.trace"
}

# dead RC LOG: how a run failed, or nothing if it did not because of the test
dead() {
	case $1 in
	121 | 122 | 124) echo 'the kernel splats, dies or hangs' ;;
	0) ;;
	*) ! grep -qE '^not ok|Test Assertion Failure' "$logs/mutant-$2.tap" || echo 'the test fails' ;;
	esac
}

# spread COMMAND...: in the background, as many at a time as there are processors
spread() {
	[ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
	"$@" &
}

# judge NAME TEST RULE TRAFFIC: is what is on trial found out? Says so in a file.
judge() {
	local rc=0 how=
	{
		if [ -n "$2" ]; then
			run "$1" "$(suite_of "$2")" "$patience" -- "$2" || rc=$?
			echo "$2|$(dead "$rc" "$1")"
		fi
		if [ -n "$3" ]; then
			! watch "$1" "$4" | grep -qx "$3" || how='the trace shows it'
			echo "$3|$how"
		fi
	} > "$logs/mutant-$1.judging"
	mv "$logs/mutant-$1".{judging,how}
}

# judge_lie NAME CAUSE BITS TEST: what is false is shown by what user space sees, or else by the
# table in the test
judge_lie() {
	local rc=0 how suite lie
	suite=$(suite_of "$4") lie="mmu_lie=$(number "$2"),$3"
	run "$1" "$suite" "$patience" "$lie" MMU_CAUSES_TRUTH_ONLY=1 -- "$4" || rc=$?
	how=$(dead "$rc" "$1")
	if [ -z "$how" ] && [ "$rc" = 0 ]; then
		run "$1" "$suite" "$patience" "$lie" '' -- "$4" || rc=$?
		how=$(dead "$rc" "$1")
		how=${how:+its table says otherwise}
	fi
	echo "$4|$how" > "$logs/mutant-$1.how"
}

# judge_kvm NAME MODE MUTANT: does a guest find it out?
judge_kvm() {
	local rc=0
	kvm_boot "$2" --append "kvm_mutant=$3" --kernel "$(image kvm)" --timeout 1800 \
		--log "$logs/mutant-$1.console" -- "$(keeps "$2" -k -m 16 -s 2)" \
		> "$logs/mutant-$1.tap" 2>> "$logs/mutant-$1.tap" || rc=$?
	echo "kvm-check, $2|$(dead "$rc" "$1")|$rc" > "$logs/mutant-$1.how"
}

# number CAUSE: of the enumeration
number() {
	awk -v want="MMU_CAUSE_${1^^}" '/^enum mmu_notifier_cause/ { n = -1; on = 1 }
		on && /^\tMMU_CAUSE/ { n++; if ($1 == want ",") print n }' \
		include/linux/mmu_notifier_cause.h
}

killed=0 total=0 patience=150 pending=
declare -A tests=() # by variant and name
declare -A built=()
# verdict NAME: what the file says
verdict() {
	local test how
	while IFS='|' read -r test how _; do
		total=$((total + 1))
		if [ -n "$how" ]; then
			killed=$((killed + 1))
			printf 'killed   %-24s by %s: %s\n' "$1" "$test" "$how"
		else
			say "SURVIVED $1: $test; see $logs/mutant-$1.tap"
		fi
	done < "$logs/mutant-$1.how"
}

# settle: wait for what is on trial
settle() {
	wait
	[ -z "$pending" ] || verdict "$pending"
	pending=
}

kvm=tests/mutants/kvm
case ${T:-} in
kvm*)
	git -C "$tree" apply "$here/$kvm.patch" || die "$kvm.patch does not apply; rebase it"
	on=kvm build "$kvm.patch"
	names=()
	while read -r name mode; do
		case $T in kvm | *" $name") ;; *) continue ;; esac
		names+=("$name")
		spread judge_kvm "$name" "$mode" "$name"
	done < <(grep -v '^#' $kvm)
	for mode in npt shadow nested; do
		spread judge_kvm "none-$mode" "$mode" none
	done
	wait
	for name in "${names[@]}"; do
		verdict "$name"
	done
	for mode in npt shadow nested; do
		grep -q '|0$' "$logs/mutant-none-$mode.how" || die "mmu_keeps_test fails with no mutant ($mode)"
	done
	git -C "$tree" checkout -q .
	[ "$killed" = "$total" ] || die "$((total - killed)) of $total survived"
	say "$killed of $total killed; the test passes without them"
	exit
	;;
esac

# Those of vhost first: of a kernel that stays, they build the modules.
mapfile -t scripts < <(grep -l '^# File: drivers/vhost/' tests/mutants/*.sed
	grep -L '^# File: drivers/vhost/' tests/mutants/*.sed)
for m in "${scripts[@]}"; do
	name=$(basename "$m" .sed)
	grep -q "^# Series: $kernel_series$" "$m" || ! grep -q '^# Series: ' "$m" || continue
	test=$(sed -n 's/^# Test: //p' "$m")
	on=$(sed -n 's/^# Variant: //p' "$m")
	on=${on:-modular} set=guards
	[ "$on" = modular ] || set=$on
	case " ${T:-guards} " in *" $set "* | *" $name "*) ;; *) continue ;; esac
	[ "$on" = modular ] && patience=150 || patience=300
	built[$on]=1
	file=$(sed -n 's/^# File: //p' "$m")
	sed -i -f "$m" "$tree/$file"
	! git -C "$tree" diff --quiet || die "$m changes nothing; what it removes is elsewhere now"
	check=$(sed -n 's/^# Check: //p' "$m")
	if [ -n "$check" ]; then
		how=$("tests/$check" 2> "$logs/mutant-$name.tap" |
			awk -F: '/^WRONG/ && !n++ { print $1 ":" $2 }' || true)
		echo "$check|$how" > "$logs/mutant-$name.how"
		verdict "$name"
	else
		[ -z "$test" ] || tests["$on $test"]=1
		build "$name" "$file"
		settle
		put_on_trial
		pending=$name
		judge "$name" "$test" "$(sed -n 's/^# Trace: //p' "$m")" "$(sed -n 's/^# Traffic: //p' "$m")" &
	fi
	git -C "$tree" checkout -q .
done
settle
on=modular

lies=tests/mutants/lies names=()
case ${T:-} in
'' | lies)
	git -C "$tree" apply "$here/$lies.patch" || die "$lies.patch does not apply; rebase it"
	build lies
	put_on_trial
	git -C "$tree" checkout -q .
	;;
*) lies=/dev/null ;;
esac
while read -r cause bits test; do
	name=lie-$cause-$bits-${test#*.}
	names+=("$name")
	spread judge_lie "$name" "$cause" "$bits" "$test"
done < <(grep -v '^#' $lies)
settle
for name in "${names[@]}"; do
	verdict "$name"
done

for on in "${!built[@]}"; do
	build "the $on kernel"
	put_on_trial
	for suite in "${suites[@]}"; do
		these=()
		for test in "${!tests[@]}"; do
			[ "${test% *}" != "$on" ] || [ "$(suite_of "${test#* }")" != "$suite" ] ||
				these+=("${test#* }")
		done
		[ ${#these[@]} -gt 0 ] || continue
		run "none-$suite" "$suite" $((patience * ${#these[@]})) -- "${these[@]}" ||
			die "with every guard in place, the $on kernel fails: see $logs/mutant-none-$suite.tap"
	done
done
tests/barriers.sh > /dev/null || die "barriers.sh fails with every guard in place"
[ "$killed" = "$total" ] || die "$((total - killed)) of $total survived"
say "$killed of $total killed; the tests pass with the guards in place"
