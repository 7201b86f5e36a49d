#!/bin/sh
# In the VM: in-vm-record.sh VHOSTCTL SELFTESTS: record traffic while the memory of its
# rings changes, say what happened, and print a picture of it.
set -eu
export PATH="$1:$2:$PATH" LC_ALL=C.UTF-8
cd /tmp
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
vhostctl record -o trace.dat -- ringmap_load --mode plain --seconds 5 --change-memory >&2
vhostctl report --plot plots trace.dat >&2
cat plots/drops.svg
