#!/usr/bin/env bash
# selftests.sh [SUITE]: build the kernel and the selftests, run them in the VM. The
# suites are mm, vhost (vhost-net), faults (the same, odd cases), owner (the same, odd
# processes), base (the same, faults that the base has), debugfs, null (the test device),
# vsock, scsi and zcopy (vhost-net that does not copy); T=name runs one test. With
# VARIANT=modular, vhost is modules.
# WORKERS=kthread: vhost's workers are threads of the kernel's, not of the owner's.
. scripts/common.sh
. tests/suites.sh
. tests/modular.sh

load=()
case $variant in
vm) timeout=420 ;;
modular) timeout=420 load=("${load_vhost[@]}") ;;
debug | kcsan | rt) timeout=2400 ;;
*) die "VARIANT=$variant: selftests run on vm, modular, debug, kcsan or rt" ;;
esac
choose_workers "$variant"
prepare

# The devices' suites run under vhostctl check, which fails if a rule of order or locks
# is broken; not where the kernel is too slow for that. A kernel that turns events on
# patches its own code, for which TCG wants one thread.
check='' accel=auto
case $variant in
vm | modular)
	build_vhostctl
	check="$vhostctl/vhostctl check --live --buffer 256 --"
	accel=single
	;;
esac

# run_suite NAME
run_suite() {
	local name=$1 under=$check on=$accel key='' test=${T:+-r $T}
	case $name in
	mm) under='' on=auto ;;
	debugfs) on=single ;;
	esac
	[ "$variant" != rt ] || test="$(without_huge) $test"
	[ "$name" != faults ] || key="RINGMAP_RESERVED=$reserved"
	[ "$on" = single ] || key+=" STATIC_KEY_ON=1"
	say "$name: running in the VM ($kind)"
	ringvm --kernel "$kernel" "${load[@]}" --accel "$on" --timeout "$timeout" --tap 1 \
		--skips configs/skips --memory 4G \
		--log "$logs/selftests-$name-$kind.console" "${workers[@]}" \
		--append "$(suite_options "$name")" -- \
		"$key sh $here/vm/in-vm.sh $selftests $under $selftests/$(suite_program "$name") $test"
}

want=${1:-}
[ -z "${T:-}" ] || want=$(suite_of "$T")
rc=0
for name in "${suites[@]}"; do
	case ${want:-$name} in "$name") ;; *) continue ;; esac
	# mm has nothing of vhost, and no worker.
	case $name,$variant,${WORKERS:-} in mm,modular,* | mm,*,kthread) continue ;; esac
	run_suite "$name" || rc=$?
done
exit "$rc"
