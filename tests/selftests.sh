#!/usr/bin/env bash
# selftests.sh [SUITE]: build the kernel and the selftests, run them in the VM. The
# suites are mm, vhost (vhost-net), faults (the same, odd cases), debugfs, null (the test
# device), vsock and scsi; T=name runs one test.
. scripts/common.sh

case $variant in
vm) timeout=420 ;;
debug | kcsan) timeout=2400 ;;
*) die "VARIANT=$variant: selftests run on vm, debug or kcsan" ;;
esac
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

# NAME PROGRAM [QEMU AND KERNEL OPTIONS...]
suite() {
	local name=$1 program=$2 under=$check on=$accel
	shift 2
	case $name in
	mm) under='' on=auto ;;
	debugfs) on=single ;;
	esac
	say "$name: running in the VM ($variant kernel)"
	ringvm --kernel "$kernel" --accel "$on" --timeout "$timeout" --tap 1 \
		--skips configs/skips --memory 4G \
		--log "$logs/selftests-$name-$variant.console" "$@" -- \
		"sh $here/vm/in-vm.sh $selftests $under $selftests/$program ${T:+-r $T}"
}

want=${1:-}
case ${T:-} in
'') ;;
cause.* | keep.* | global.*) want=mm ;;
faults.* | odd.* | reverted_2019.*) want=faults ;;
debugfs.* | null.* | vsock.* | scsi.*) want=${T%%.*} ;;
*) want=vhost ;;
esac
rc=0
case ${want:-mm} in mm) suite mm mmu_causes_test --append numa=fake=2 || rc=$? ;; esac
case ${want:-vhost} in vhost) suite vhost ringmap_net_test --append numa=fake=2 || rc=$? ;; esac
case ${want:-faults} in faults) suite faults ringmap_faults_test --append numa=fake=2 || rc=$? ;; esac
for device in debugfs null vsock scsi; do
	case ${want:-$device} in "$device") ;; *) continue ;; esac
	if [ "$device,$variant" = scsi,debug ]; then
		say "not scsi: the base takes a target's mutex and configfs' locks in both orders,"
		say "which lockdep says at each setup of one"
		continue
	fi
	suite "$device" "ringmap_$device" || rc=$?
done
exit "$rc"
