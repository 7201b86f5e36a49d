#!/usr/bin/env bash
# shell.sh: a prompt in the VM.
. scripts/common.sh

[ -t 0 ] || die "make shell wants a terminal"
prepare
cat >&2 <<END

A VM with your root, read-only under a tmpfs. The selftests are here:
  ./ringmap_test -l                            list the tests
  ./ringmap_test -r device.queue_sizes         run one
  ./ringmap_demo >/dev/null                    the demo's traffic
  ls /sys/kernel/debug/vhost                   devices, while one is open
  cat /sys/module/vhost/parameters/accessor    default of new devices
Leave with 'exit'.

END
ringvm --kernel "$kernel" --interactive -- "cd $selftests; exec bash -i"
