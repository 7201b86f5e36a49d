#!/usr/bin/env bash
# storm.sh: checked packets while everything under and around the rings changes, until
# there were enough packets, invalidations and switches of the accessor; fewer of
# them where the kernel is slow. WORKERS=kthread: as in selftests.sh.
. scripts/common.sh
. tests/suites.sh

case $variant in
vm) goals=(10000000 1000000 10000 3000) ;;
debug | kcsan | rt) goals=(1600000 10000 1000 1500) ;;
*) die "VARIANT=$variant: the storm runs on vm, debug, kcsan or rt" ;;
esac
choose_workers "$variant"
prepare
ringvm --kernel "$kernel" --timeout $((goals[3] + 300)) --memory 4G --append numa=fake=2 "${workers[@]}" \
	--log "$logs/storm-$kind.console" -- \
	"STATIC_KEY_ON=1 sh $here/vm/in-vm.sh $selftests $selftests/ringmap_storm_test ${goals[*]}"
