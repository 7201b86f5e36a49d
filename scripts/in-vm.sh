#!/bin/sh
# In the VM: in-vm.sh DIR COMMAND...: a real file system for file-backed memory
# and swap on zram, then the command.
set -eu
cd "$1"
shift
mke2fs -q -b 4096 /dev/ram0 >&2
mount /dev/ram0 /mnt
echo 64M > /sys/block/zram0/disksize
mkswap /dev/zram0 >&2
swapon /dev/zram0
export VRING_FILE_DIR=/mnt MMU_CAUSES_DIR=/mnt
rc=0
"$@" || rc=$?
swapoff /dev/zram0 || true
umount /mnt || true
exit $rc
