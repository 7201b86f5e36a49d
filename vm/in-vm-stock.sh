#!/bin/bash
# In a VM with a stock kernel: in-vm-stock.sh ROOT LOAD: the packages that are installed in
# ROOT. Results are TAP; T=name runs one test.
set -u
here=$(dirname "$0")
root=$1 load=$2
# shellcheck source=tests/tap.sh
. "$here/../tests/tap.sh"
# shellcheck source=vm/traffic.sh
. "$here/traffic.sh"
# All else of the root may be of another release.
vhostctl() { "$root/usr/sbin/vhostctl" "$@"; }
mkdir -p /lib/modules
mount --bind "$root/lib/modules" /lib/modules
mkdir -p /var/lib/dkms
mount --bind "$root/var/lib/dkms" /var/lib/dkms
mount -t tracefs none /sys/kernel/tracing
mount -t securityfs none /sys/kernel/security
drivers=(vhost_net vhost_vsock)
events=/sys/kernel/tracing/events/vhost/enable

unload() { modprobe -r "${drivers[@]}" vhost vhost_ringmap vhost_stock; }

test_before() {
	gives 3 'load them: modprobe vhost_net' vhostctl doctor
	gives 3 'vhostctl doctor' vhostctl list
}

# The kernel's own modules, which dkms may have moved; a file .origin says from where.
load_own() {
	local m k
	k=$(uname -r)
	modprobe -a vhost_iotlb tun tap
	for m in vhost vhost_net; do
		insmod "$({ compgen -G "/lib/modules/$k/kernel/drivers/vhost/$m.ko*" ||
			compgen -G "/var/lib/dkms/vhost-ringmap/original_module/$k/*/$m.ko*"; } |
			grep -v '\.origin$' | head -1)" || return 1
	done
}
# What the package does at its installation, but for building
install_package() {
	sed -n '/^say()/,$p' "$root/var/lib/dpkg/info/vhost-ringmap-dkms.postinst" > "$tmp/postinst"
	sh "$tmp/postinst" configure
}
is_ours() { [ -d /sys/module/vhost_ringmap ]; }

# The kernel's own vhost stays while it is in use, and is replaced when it is not.
test_replace() {
	load_own || { note "the kernel's own modules cannot be loaded"; return; }
	gives 3 "whose own vhost is loaded" vhostctl doctor
	exec 8<> /dev/vhost-net
	gives 0 'vhost_net is in use' install_package
	! is_ours || note "it was replaced while it was in use"
	exec 8>&-
	gives 0 '' install_package
	is_ours || note "it was not replaced"
	gives 0 '' install_package
	unload || note "unload failed"
}

# Nothing changes until somebody asks: the accessor of new devices is uaccess.
test_load() {
	local m
	modprobe -a "${drivers[@]}" || note "modprobe failed"
	for m in vhost vhost_ringmap "${drivers[@]}"; do
		[ -d "/sys/module/$m" ] || note "$m is not loaded"
		case $(modinfo -n "$m") in */updates/dkms/*) ;; *) note "$m is $(modinfo -n "$m")" ;; esac
	done
	grep -q '\[uaccess\]' /sys/module/vhost/parameters/accessor || note "the default is not uaccess"
	gives 0 'with modules of vhost-ringmap-dkms 6.12' vhostctl doctor
}

test_compare() {
	traffic --accessor uaccess
	gives 0 'ringmap_load .* uaccess' vhostctl list
	gives 0 'ringmap: .*CPU time' vhostctl compare --time 8
	cat "$tmp/said" >&2
	gives 0 '' vhostctl set all accessor ringmap
	await flowing $(($(used) + 100000))
	mapped || note "less than 99 % of accesses are mapped"
}

# Memory changes without an end, and the traffic goes on. If it is memory that no ring is in,
# the mappings stay.
test_flood() {
	local what
	for what in --change-memory --flood '--change-memory --flood'; do
		# shellcheck disable=SC2086 # words
		traffic --accessor ringmap $what
		await flowing $(($(used) + 50000))
		gives 0 . vhostctl list
		[ "$what" != --flood ] || mapped || note "less than 99 % of accesses are mapped in a flood elsewhere"
		end_traffic
	done
}

test_reload() {
	local i
	vhostctl top --json > "$tmp/top" 2>&1 &
	for i in {1..20}; do
		unload || note "unload $i failed"
		modprobe -a "${drivers[@]}" || note "load $i failed"
		echo 1 > $events
		traffic --accessor ringmap
		end_traffic
		echo 0 > $events
	done
	kill $! 2>/dev/null
	true
}

# The kernel has no vDPA simulator, so there is no device.
test_vdpa() {
	modprobe vhost_vdpa || note "modprobe failed"
	case $(modinfo -n vhost_vdpa) in */updates/dkms/*) ;; *) note "vhost_vdpa is $(modinfo -n vhost_vdpa)" ;; esac
	modprobe -r vhost_vdpa || note "it cannot be unloaded"
}

# The last one: nothing takes lockdown back.
test_lockdown() {
	traffic --accessor uaccess
	echo integrity > /sys/kernel/security/lockdown || { note "no lockdown"; return; }
	gives 0 'lockdown .*integrity' vhostctl doctor
	dev=$(vhostctl list | awk 'NR == 2 { print $1 }')
	gives 0 '' vhostctl set "$dev" accessor ringmap
	gives 0 "$dev .* ringmap" vhostctl list
	gives 0 '' vhostctl set "$dev/0" accessor uaccess
	gives 0 'queue 0: accessor uaccess' vhostctl show "$dev/0"
	gives 0 '' vhostctl set all accessor ringmap
	gives 0 'ringmap: .*CPU time' vhostctl compare --time 4
	gives 0 "$dev .* ringmap" vhostctl list
	gives 3 'the kernel is in lockdown' vhostctl set all lock_times on
	end_traffic
	unload || note "unload failed"
	! modprobe vhost_net 2> "$tmp/said" || note "lockdown lets unsigned modules in"
	cat "$tmp/said" >&2
	gives 3 'lockdown.*signed' vhostctl doctor
	gives 3 'load them' vhostctl doctor
	# Ours cannot be loaded: the kernel's own come back.
	load_own || note "the kernel's own modules cannot be loaded"
	gives 0 "vhost is the kernel's own" install_package
	[ -d /sys/module/vhost_net ] || note "vhost is gone"
	! is_ours || note "lockdown let it in"
}

mapfile -t all <<< "$(tests_of "$0")"
tap "${all[@]}"
