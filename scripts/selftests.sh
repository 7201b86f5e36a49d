#!/usr/bin/env bash
# selftests.sh: build the kernel and the selftests, run them in the VM.
# T=name runs one test.
. scripts/common.sh

case $variant in
vm) timeout=420 ;;
debug) timeout=2400 ;;
*) die "VARIANT=$variant: selftests run on vm or debug" ;;
esac
scripts/compose.sh >/dev/null
kernel=$(scripts/build.sh | tail -1)
build_tools
build_selftests
say "running in the VM ($variant kernel)"
ringvm --kernel "$kernel" --timeout "$timeout" --tap 1 --skips configs/skips \
	--memory 4G --log "$logs/selftests-$variant.console" -- \
	"sh $here/scripts/in-vm.sh $selftests $selftests/ringmap_test ${T:+-r $T}"
