#!/usr/bin/env bash
# stock.sh [short]: the packages on the distribution's own kernels. Each kernel is installed
# into a scratch root together with them, and booted in a VM with its own modules. The tests
# there load vhost, switch and compare accessors, reload, lock down; then the package is
# removed, and the kernel's own modules are back. Then the selftests, on modules of the same
# sources that have test windows. "short" is the first kernel, without the selftests.
# shellcheck disable=SC2317 # part() runs the functions
. scripts/common.sh
. tests/suites.sh

[ "$(id -u)" = 0 ] || die "only root can make a scratch root"
# Mounts of our own, which end with us
[ -n "${STOCK_MOUNTS:-}" ] || exec env STOCK_MOUNTS=1 unshare -m --propagation private "$0" "$@"

dir=$cache/stock
root=$dir/root
debs=$(scripts/deb.sh | tail -1)
build_tools
build_selftests

flavours=(amd64 rt-amd64 cloud-amd64)
[ "${1:-}" != short ] || flavours=(amd64)
# The newest point release of the series that this release offers
release=$(apt-cache pkgnames "linux-image-$kernel_series" | grep -E '[0-9]-amd64$' | sort -V | tail -1)
release=${release#linux-image-} release=${release%-amd64}
[ -n "$release" ] || die "no package linux-image-$kernel_series.*; is there a network?"

in_root() { chroot "$root" /usr/bin/env DEBIAN_FRONTEND=noninteractive "$@"; }

# new_root: the host's root, with what is changed in a directory of its own
new_root() {
	rm -rf "$dir"/{upper,work}
	mkdir -p "$dir"/{upper,work,root,archives/partial}
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root" ||
		die "cannot mount an overlay on $root"
	mount -t proc none "$root/proc"
	mount --bind /dev "$root/dev"
	mount --bind "$dir/archives" "$root/var/cache/apt/archives"
	mkdir -p "$root/debs"
	cp "$debs"/*.deb "$root/debs/"
	# No initrd is needed; ringvm makes one.
	rm -f "$root"/etc/kernel/*/initramfs-tools
	# As if it ran that kernel; apt uses no PATH of ours.
	mv "$root"/usr/bin/uname{,.real}
	printf '#!/bin/sh\n[ "$*" != -r ] || exec echo %s\nexec uname.real "$@"\n' "$1" > "$root/usr/bin/uname"
	chmod +x "$root/usr/bin/uname"
	# The host may have them.
	in_root dpkg --purge "linux-headers-$1" vhost-ringmap-dkms vhostctl > "$dir/apt" 2>&1 || true
}

# boot KERNEL NAME ARGS... -- COMMAND
boot() {
	local k=$1 name=$2 m modules=()
	shift 2
	for m in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
		mapfile -t -O ${#modules[@]} modules < <(modprobe -d "$root" -S "$k" --show-depends "$m" |
			sed -n 's/^insmod \([^ ]*\).*/--module=\1/p')
	done
	mapfile -t modules < <(printf '%s\n' "${modules[@]}" | awk '!seen[$0]++')
	ringvm --kernel "$root/boot/vmlinuz-$k" --accel single --memory 4G \
		--log "$logs/stock-$name-$k.console" "${modules[@]}" "$@"
}

bad=0
row() { printf '%-28s %-10s %s\n' "$1" "$2" "$3" >> "$dir/rows"; }
# part KERNEL WHAT COMMAND...: a line of the table
part() {
	local k=$1 what=$2 verdict=pass
	shift 2
	say "$k: $what"
	"$@" > "$logs/stock-$what-$k.log" || verdict=FAIL
	cat "$logs/stock-$what-$k.log" >&2
	[ $verdict = pass ] || bad=1
	row "$k" "$what" $verdict
	[ $verdict = pass ]
}

# apt COMMAND...: in the root; what it says is in $dir/said
apt() { in_root "$@" > "$dir/said" 2>&1 || { tail -20 "$dir/said" >&2; return 1; }; }
# said WORDS: the last thing that was installed says so
said() { grep -qF "$1" "$dir/said" || { say "'$1' is not said:"; tail -20 "$dir/said" >&2; return 1; }; }

install_packages() {
	local k=$1
	apt apt-get install -y --no-install-recommends linux-image-"$k" || die "is there a network?"
	apt sh -c 'apt-get install -y --no-install-recommends /debs/vhost-ringmap-dkms_*.deb /debs/vhostctl_*.deb' ||
		return 1
	said "apt install linux-headers-$k" || return 1
	apt apt-get install -y --no-install-recommends linux-headers-"$k" || return 1
	in_root dkms status vhost-ringmap
	case $(modinfo -b "$root" -k "$k" -n vhost_net) in
	*/updates/dkms/*) ;;
	*) say "dkms did not build"; tail -20 "$dir/said" >&2; return 1 ;;
	esac
}

remove_package() {
	local k=$1
	apt dpkg -r vhost-ringmap-dkms || return 1
	boot "$k" removed --timeout 200 --quiet -- "mount --bind $root/lib/modules /lib/modules;
		modprobe vhost_net && modinfo -n vhost_net vhost &&
		[ ! -e /sys/module/vhost_ringmap ] && [ -c /dev/vhost-net ]"
}

# Modules with test windows in the place of the package's
install_test_modules() {
	local k=$1
	apt sh -c 'dpkg -i /debs/vhost-ringmap-dkms_*.deb' || return 1
	in_root sh -c "cp -r /usr/src/vhost-ringmap-* /tests &&
		make -C /lib/modules/$k/build M=/tests RINGMAP_TESTS=1 -j$jobs modules" > "$logs/stock-build" 2>&1 ||
		{ tail -20 "$logs/stock-build" >&2; return 1; }
	in_root sh -c "rm /lib/modules/$k/updates/dkms/vhost*; cp /tests/*.ko /lib/modules/$k/updates/dkms/ && depmod $k"
}

selftests_on() {
	local k=$1 rc=0 suite
	install_test_modules "$k" || return 1
	for suite in vhost null vsock scsi debugfs; do
		boot "$k" "selftests-$suite" --timeout 900 --tap 1 --skips configs/skips --append numa=fake=2 -- \
			"mount --bind $root/lib/modules /lib/modules
			 modprobe -a vhost_net vhost_vsock vhost_scsi vhost_test brd zram tun tcm_loop
			 sh $here/vm/in-vm.sh $selftests $selftests/$(suite_program "$suite")" || rc=1
	done
	return "$rc"
}

: > "$dir/rows"
for flavour in "${flavours[@]}"; do
	k=$release-$flavour
	new_root "$k"
	if part "$k" install install_packages "$k"; then
		part "$k" package boot "$k" package --timeout 900 --tap 1 -- \
			"bash $here/vm/in-vm-stock.sh $root $selftests/ringmap_load" || true
		part "$k" remove remove_package "$k" || true
		[ "${1:-}" = short ] || part "$k" selftests selftests_on "$k" || true
	fi
	umount -R "$root"
done
cat "$dir/rows"
exit "$bad"
