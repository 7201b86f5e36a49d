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
# TCG with a thread per CPU does not survive code that is patched while it runs. An open
# device keeps ringmap's static key as it is.
[ -z "${STATIC_KEY_ON:-}" ] || exec 9<> /dev/vhost-net
# Report data races of our code and of what it lives in, and of nobody else.
kcsan=/sys/kernel/debug/kcsan
if [ -e $kcsan ]; then
	echo whitelist > $kcsan
	grep -oE '(__)?(mmu_notifier|mmu_interval|mn_|ringmap_|vhost_ringmap_|region_)[a-z_]*$' \
		/proc/kallsyms | sort -u | while read -r f; do
		# Not everything that has a name there is a function.
		echo "!$f" > $kcsan 2>/dev/null || true
	done
	echo on > $kcsan
	[ "$(grep -c '^ mn_\|^ *__mn_\|mmu_\|ringmap' $kcsan)" -gt 20 ] ||
		{ echo "in-vm.sh: KCSAN does not know our functions" >&2; exit 1; }
fi
rc=0
"$@" || rc=$?
swapoff /dev/zram0 || true
umount /mnt || true
exit $rc
