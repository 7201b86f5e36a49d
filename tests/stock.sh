#!/usr/bin/env bash
# stock.sh [ours|stable [plain|rt] | short]: the packages on the kernels of this release of the
# distribution and of the stable one. Each is installed into a scratch root together with
# them, and booted in a VM with its own modules. The tests there load vhost, switch and
# compare accessors, reload, lock down; a guest inside uses its net and vsock, mapped; then
# the package is removed, and the kernel's own modules are back. Then the selftests, on
# modules of the same sources that have test windows. "ours" and "stable" are the kernels of
# one of these releases, of them "rt" the one with PREEMPT_RT and "plain" the others; "short"
# is the first kernel of ours, without guest and selftests.
# shellcheck disable=SC2317 # part() runs the functions
. scripts/common.sh
. scripts/apt.sh
. tests/suites.sh
. tests/vsock.sh

[ "$(id -u)" = 0 ] || die "only root can make a scratch root"
# Mounts of our own, which end with us
[ -n "${STOCK_MOUNTS:-}" ] || exec env STOCK_MOUNTS=1 unshare -m --propagation private "$0" "$@"

case ${1:-},${2:-} in
short,) flavours=('') ;;
ours,plain | stable,plain) flavours=('' -cloud) ;;
ours,rt | stable,rt) flavours=(-rt) ;;
, | ours, | stable,) flavours=('' -cloud -rt) ;;
*) die "'$*' is none of ours, stable, these two with plain or rt, and short" ;;
esac
dir=$cache/stock
mkdir -p "$dir"
root=$dir/root
debs=$(scripts/deb.sh | tail -1)
short=
if [ "${1:-}" = short ]; then
	short=yes
	build_tools
	build_selftests
else
	VARIANT=vm prepare
	build_patient_vsock_test
fi
ours=$(. /etc/os-release && echo "$VERSION_CODENAME")

# root_of RELEASE: a directory with its root, which stays as it is: / for ours
root_of() {
	local new=$dir/$1.new uri
	[ "$1" != "$ours" ] || { echo /; return; }
	if [ ! -d "$dir/$1" ]; then
		uri=$(grep -hv '^ *#' "$apt"/parts/* | grep -oE '(http|https|ftp)://[^ ]*' | grep -v security | head -1)
		rm -rf "$new"
		logged debootstrap debootstrap --variant=minbase "$1" "$new" "$uri" || return 1
		rm -f "$new/etc/apt/sources.list"
		for f in "$apt"/parts/*; do
			# Only its own suites
			awk -v name="$1" '
				/^Suites:|^deb / {
					line = ""
					for (i = 1; i <= NF; i++)
						if ($i !~ /^[a-z]+(-[a-z]+)?$/ || $i ~ /^(deb|main)$/ || $i ~ "^" name "(-security|-updates)?$")
							line = line (line == "" ? "" : " ") $i
					print line
					next
				}
				{ print }' "$f" > "$new/etc/apt/sources.list.d/${f##*/}"
		done
		chroot "$new" apt-get update > "$dir/apt" 2>&1 || return 1
		mv "$new" "$dir/$1"
	fi
	echo "$dir/$1"
}

in_root() { chroot "$root" /usr/bin/env DEBIAN_FRONTEND=noninteractive "$@"; }

# new_root LOWER: that root, with what is changed in a directory of its own
new_root() {
	rm -rf "$dir"/{upper,work}
	mkdir -p "$dir"/{upper,work,root,archives/partial}
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$dir/upper,workdir=$dir/work" "$root" ||
		die "cannot mount an overlay on $root"
	mount -t proc none "$root/proc"
	mount --bind /dev "$root/dev"
	mount --bind "$dir/archives" "$root/var/cache/apt/archives"
	mkdir -p "$root/debs"
	cp "$debs"/*.deb "$root/debs/"
	# What was looked up when it was made may be gone from the archives.
	[ "$1" = / ] || in_root apt-get update > "$dir/apt" 2>&1 || die "is there a network?"
}

# pretend KERNEL: as if the root ran it
pretend() {
	# No initrd is needed; ringvm makes one.
	rm -f "$root"/etc/kernel/*/initramfs-tools
	# apt uses no PATH of ours.
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
	ringvm --kernel "$root/boot/vmlinuz-$k" --accel single --memory 4G --timeout 3000 \
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
	# The last point release that we know, and one that has fixes which we lack
	# shellcheck disable=SC2016 # for the shell in the root
	in_root sh -c 'cd /usr/src/vhost-ringmap-*/ && sh newer "$(cat tested)-amd64" && sh newer 6.12.9999-amd64' \
		> "$dir/said" 2>&1
	said 'Linux 6.12.9999-amd64 is newer than' || return 1
	[ "$(grep -c 'is newer than' "$dir/said")" = 1 ] || { say "a kernel that we know is called newer"; return 1; }
}

guest_on() {
	boot "$1" guest --quiet -- "mkdir -p /lib/modules; mount --bind $root/lib/modules /lib/modules
		modprobe -a vhost_net vhost_vsock tun
		sh $here/vm/in-guest.sh outer $kernel $bin/ringvm $vsock/vsock_test ringmap"
}

remove_package() {
	local k=$1
	apt dpkg -r vhost-ringmap-dkms || return 1
	boot "$k" removed --quiet -- "mkdir -p /lib/modules; mount --bind $root/lib/modules /lib/modules;
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
	local k=$1 rc=0 suite without=''
	case $k in *-rt-*) without=$(without_huge) ;; esac
	install_test_modules "$k" || return 1
	# "faults" needs fault injection, which a stock kernel lacks.
	for suite in vhost owner base null vsock scsi debugfs zcopy; do
		# modprobe takes a module's parameters from the kernel's command line, too.
		boot "$k" "selftests-$suite" --tap 1 --skips configs/skips \
			--append "$(suite_options "$suite")" -- \
			"mkdir -p /lib/modules; mount --bind $root/lib/modules /lib/modules
			 modprobe -a vhost_net vhost_vsock vhost_scsi vhost_test brd zram tun tcm_loop
			 sh $here/vm/in-vm.sh $selftests $selftests/$(suite_program "$suite") $without" || rc=1
	done
	return "$rc"
}

: > "$dir/rows"
# kernels_of RELEASE: its newest kernel of the series, in these flavours
kernels_of() {
	local newest
	newest=$(in_root apt-cache pkgnames "linux-image-$kernel_series" | grep -E '[0-9]-amd64$' | sort -V | tail -1)
	newest=${newest#linux-image-}
	[ -n "$newest" ] || die "$1 has no package linux-image-$kernel_series.*; is there a network?"
	printf "${newest%-amd64}%s-amd64\n" "${flavours[@]}"
}

releases=("$ours")
case ${1:-} in
short | ours) ;;
'' | stable)
	newer_sources deb
	stable=$(sed -n 's/^Codename: //p' "$apt"/lists/*_stable_InRelease | head -1)
	[ "$stable" != "$ours" ] || [ "${1:-}" = '' ] || die "this is the stable release; 'ours' tests it"
	[ "${1:-}" != stable ] || releases=()
	[ "$stable" = "$ours" ] || releases+=("$stable")
	;;
esac
kernels=()
for r in "${releases[@]}"; do
	lower=$(root_of "$r") || die "cannot make a root of $r; is there a network?"
	new_root "$lower"
	mapfile -t -O ${#kernels[@]} kernels < <(kernels_of "$r" | sed "s|^|$lower |")
	umount -R "$root"
done
for kernel_of in "${kernels[@]}"; do
	read -r lower k <<< "$kernel_of"
	new_root "$lower"
	pretend "$k"
	if ! part "$k" install install_packages "$k"; then
		:
	elif ! modinfo -b "$root" -k "$k" -n 9p > /dev/null 2>&1; then
		row "$k" package 'not booted: it has no 9p'
	else
		part "$k" package boot "$k" package --tap 1 -- \
			"bash $here/vm/in-vm-stock.sh $root $selftests/ringmap_load" || true
		[ -n "$short" ] || part "$k" guest guest_on "$k" || true
		part "$k" remove remove_package "$k" || true
		[ -n "$short" ] || part "$k" selftests selftests_on "$k" || true
	fi
	umount -R "$root"
done
cat "$dir/rows"
exit "$bad"
