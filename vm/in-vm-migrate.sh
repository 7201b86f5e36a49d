#!/bin/bash
# In the VM: in-vm-migrate.sh VHOSTCTL ROUNDS: migrations of a guest, under vhostctl check.
set -eu
here=$(dirname "$0")
mount -t tracefs none /sys/kernel/tracing
for tap in tap0 tap1; do
	ip tuntap add $tap mode tap
	ip link set $tap up
done
cd /tmp
exec "$1/vhostctl" check --live --buffer 4096 -- "$here/migrate.py" "$2"
