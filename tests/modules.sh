#!/usr/bin/env bash
# modules.sh: vhost as modules, in the VM: parameters at load; unloading while files are open
# and events, lock times and static keys are on; the vDPA simulator. T=name runs one test.
. scripts/common.sh

VARIANT=modular prepare
build_vhostctl
# The kernel patches its code, for which TCG wants one thread.
ringvm --kernel "$kernel" --accel single --timeout 3000 --memory 2G --tap 1 --append kmemleak=on \
	--log "$logs/modules.console" -- \
	"T='${T:-}' bash $here/vm/in-vm-modules.sh $cache/build/modular $selftests $vhostctl"
