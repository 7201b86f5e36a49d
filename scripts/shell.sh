#!/usr/bin/env bash
# shell.sh: a prompt in the VM.
. scripts/common.sh

[ -t 0 ] || die "make shell wants a terminal"
prepare
build_vhostctl
cat >&2 <<END

A VM with your root, read-only under a tmpfs. The selftests and vhostctl are in PATH:
  ringmap_net_test -l                          list the tests
  ringmap_net_test -r device.queue_sizes       run one
  ringmap_demo_load >/dev/null                 the demo's traffic
  ringmap_load --seconds 60 &                  traffic to look at
  vhostctl top                                 live, while a device is open
  cat /sys/module/vhost/parameters/accessor    default of new devices
Leave with 'exit'.

END
ringvm --kernel "$kernel" --accel single --interactive -- \
	"cd $selftests; export PATH=$vhostctl:$selftests:\$PATH
	mount -t tracefs tracefs /sys/kernel/tracing; exec bash -i"
