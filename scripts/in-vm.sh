#!/bin/sh
# In the VM: in-vm.sh DIR COMMAND...: a real file system for file-backed rings,
# then the command.
set -eu
cd "$1"
shift
mke2fs -q -b 4096 /dev/ram0 >&2
mount /dev/ram0 /mnt
export VRING_FILE_DIR=/mnt
rc=0
"$@" || rc=$?
umount /mnt || true
exit $rc
