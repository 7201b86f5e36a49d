#!/usr/bin/env bash
# peers.sh [VERSION...]: QEMUs as distributions have them, unpacked into the cache with all
# that they need, for tests that migrate to them. For each: its version and the path of a
# qemu-system-x86_64. A version is 10.0, or 'newest', which is the newest that there is;
# without one: the installed QEMU, the one that our patches are for, and the newest.
. scripts/common.sh
. scripts/apt.sh
. qemu/common.sh

peers=$shared/qemu/peers

# available WANTED: the newest of that version, or of all, and the suite that has it
available() {
	own_apt apt-cache madison qemu-system-x86 |
		awk -F' *[|] *' -v wanted="$1" '{
			split($3, at, " ")
			sub("/.*", "", at[2])
			if (wanted == "newest" || index($2, ":" wanted ".") || index($2, ":" wanted "+"))
				print $2, at[2]
		}' | sort -V | tail -1
}

# fetch WANTED: unpack it, and the packages that it depends on, into $peers/WANTED
fetch() {
	local wanted=$1 dir=$peers/$1 found suite
	need_space 2 "a distribution's QEMU"
	say "fetching a distribution's QEMU: $wanted"
	newer_sources deb
	read -r found suite < <(available "$wanted") || true
	[ -n "${suite:-}" ] || { say "no package archive has QEMU $wanted"; return 1; }
	own_sources deb "${suite%%-*}"
	# Not every release has each suite.
	logged qemu-peer-update own_apt apt-get update 2> /dev/null || true
	rm -rf "$dir.new"
	mkdir -p "$dir.new"/{debs/partial,root}
	: > "$dir.new/status"
	# As if nothing were installed: the libraries of here are of another release.
	logged qemu-peer-fetch own_apt apt-get -y --no-install-recommends --download-only \
		-o Dir::State::status="$dir.new/status" -o Dir::Cache::archives="$dir.new/debs" \
		-t "$suite" install "qemu-system-x86=$found" || return 1
	for deb in "$dir.new"/debs/*.deb; do
		dpkg-deb -x "$deb" "$dir.new/root" || return 1
	done
	rm -rf "$dir.new/debs" "$dir.new/status"
	rm -rf "$dir"
	mv "$dir.new" "$dir"
}

# write_start DIR: a script that runs it by its own loader, libraries and firmware. Modules
# of the installed QEMU would be found where it looks for its own; they are covered.
write_start() {
	cat <<-END
	#!/bin/sh
	root=$1/root
	lib=/usr/lib/x86_64-linux-gnu
	libraries=\$root\$lib:\$root/lib/x86_64-linux-gnu
	for loader in "\$root"/usr/lib64 "\$root"/lib64 "\$root\$lib" "\$root"/lib/x86_64-linux-gnu; do
		loader=\$loader/ld-linux-x86-64.so.2
		[ ! -e "\$loader" ] || break
	done
	export QEMU_MODULE_DIR="\$root\$lib/qemu"
	set -- "\$loader" --library-path "\$libraries" "\$root/usr/bin/qemu-system-x86_64" \\
		-L "\$root/usr/share/qemu" -L "\$root/usr/share/seabios" -L "\$root/usr/lib/ipxe/qemu" "\$@"
	[ -d "\$lib/qemu" ] || exec "\$@"
	user=
	[ "\$(id -u)" = 0 ] || user=--map-root-user
	exec unshare --mount \$user sh -c 'mount --bind "\$1" "\$2" && shift 2 && exec "\$@"' sh \\
		"\$root\$lib/qemu" "\$lib/qemu" "\$@"
	END
}

# tell PATH: its version and its path, if it runs
tell() {
	local found
	found=$("$1" --version 2> /dev/null | sed -n 's/^QEMU emulator version \([^ ]*\).*/\1/p')
	[ -n "$found" ] || { say "$1 does not run"; return 1; }
	echo "$found $1"
}

[ $# -gt 0 ] || set -- installed "$version" newest
for wanted in "$@"; do
	path=$peers/$wanted/qemu-system-x86_64
	case $wanted in
	installed) path=/usr/bin/qemu-system-x86_64 ;;
	*)
		[ -d "$peers/$wanted" ] || fetch "$wanted" || continue
		write_start "$peers/$wanted" > "$path"
		chmod +x "$path"
		;;
	esac
	tell "$path" || true
done
