#!/usr/bin/env bash
# selftests.sh [SUITE...]: build the kernel and the selftests, run them in the VM. The
# suites are mm, vhost (vhost-net), faults (the same, odd cases), owner (the same, odd
# processes), base (the same, faults that the base has), debugfs, null (the test device),
# vsock, scsi and zcopy (vhost-net that does not copy); T=name runs one test, and
# T='fixture.*' those of a fixture.
# WORKERS=kthread: vhost's workers are threads of the kernel's, not of the owner's. Suites
# run beside each other, JOBS at a time; what a suite says is printed when it ends.
. scripts/common.sh
. tests/suites.sh

# "checked" is user access with one more look at each address. The kernels that look for
# mistakes are slow, and leave it out.
leave_out=''
case $variant in
vm) timeout=840 ;;
debug | kcsan | rt) timeout=3000 leave_out='-V checked ' ;;
*) die "VARIANT=$variant: selftests run on vm, debug, kcsan or rt" ;;
esac
timeout=${TIMEOUT:-$timeout}
[ "$variant" != rt ] || leave_out+=$(without_huge)
choose_workers "$variant"
prepare

# The devices' suites run under vhostctl check, which fails if a rule of order or locks
# is broken; not where the kernel is too slow for that. A kernel that turns events on
# patches its own code, for which TCG wants one thread.
check='' accel=auto
if [ "$variant" = vm ]; then
	build_vhostctl
	check="$vhostctl/vhostctl check --live --buffer 256 --"
	accel=single
fi

# run_suite NAME
run_suite() {
	local name=$1 under=$check on=$accel key='' test=$leave_out
	case ${T:-} in
	'') ;;
	*'.*') test="-f ${T%.*}" ;;
	*) test="-r $T" ;;
	esac
	case $name in
	mm) under='' on=auto ;;
	debugfs) on=single ;;
	esac
	test="$(not_yet "$name")$test"
	[ "$name" != faults ] || key="RINGMAP_RESERVED=$reserved"
	[ "$on" = single ] || key+=" STATIC_KEY_ON=1"
	say "$name: running in the VM ($kind)"
	ringvm --kernel "$kernel" --accel "$on" --timeout "$timeout" --tap 1 \
		--skips configs/skips --memory 4G \
		--log "$logs/selftests-$name-$kind.console" "${workers[@]}" \
		--append "$(suite_options "$name")" -- \
		"$key sh $here/vm/in-vm.sh $selftests $under $selftests/$(suite_program "$name") $test"
}

# in_turn NAME: a suite, whose words come together
in_turn() {
	local rc=0 said=$logs/selftests-$1-$kind.log
	run_suite "$1" > "$said" 2>&1 || rc=$?
	flock "$logs" cat "$said"
	return "$rc"
}

want=$*
[ -z "${T:-}" ] || want=$(suite_of "$T")
rc=0 pids=()
for name in "${suites[@]}"; do
	case " ${want:-$name} " in *" $name "*) ;; *) continue ;; esac
	# mm has nothing of vhost, and no worker.
	case $name,${WORKERS:-} in mm,kthread) continue ;; esac
	if [ "$want" = "$name" ]; then
		run_suite "$name" || rc=$?
		continue
	fi
	in_turn "$name" &
	pids+=($!)
	[ "$(jobs -rp | wc -l)" -lt "$jobs" ] || wait -n || true
done
for pid in "${pids[@]}"; do
	wait "$pid" || rc=$?
done
exit "$rc"
