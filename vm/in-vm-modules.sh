#!/bin/bash
# In a VM whose vhost is modules: in-vm-modules.sh BUILD SELFTESTS VHOSTCTL: load them with
# parameters, unload them while their files are open and everything is on. Results are TAP;
# T=name runs one test.
set -u
here=$(dirname "$0")
build=$1 load=$2/ringmap_load vdpa_test=$2/ringmap_vdpa_test
PATH=$3:$PATH
# shellcheck source=tests/tap.sh
. "$here/../tests/tap.sh"
# shellcheck source=vm/traffic.sh
. "$here/traffic.sh"
mount -t tracefs none /sys/kernel/tracing
# ringinit looks for leaks at the end.
echo scan > /sys/kernel/debug/kmemleak || { echo "the kernel looks for no leaks" >&2; exit 1; }
files=/sys/kernel/debug/vhost
tracing=/sys/kernel/tracing
events=$tracing/events/vhost
accessors=(uaccess checked ringmap)
# In the order in which they are loaded
drivers=(vhost_iotlb vhost_ringmap vhost vhost_net vhost_test)

# insert NAME [PARAMETER...]
insert() {
	local name=$1 at=drivers/vhost
	shift
	case $name in
	vdpa) at=drivers/vdpa ;;
	vdpa_*) at=drivers/vdpa/vdpa_sim ;;
	iova) at=drivers/iommu ;;
	irqbypass) at=virt/lib ;;
	esac
	busybox insmod "$build/$at/$name.ko" "$@"
}
is_loaded() { [ -d "/sys/module/$1" ]; }
# without NAME: try to unload it
without() { busybox rmmod "$1" 2>> "$tmp/rmmod"; }
# Whoever has a file open for a moment keeps the module for that moment.
remove() {
	local m
	for m; do await without "$m"; done
}

# load_all [PARAMETER...]: the parameters are vhost's
load_all() {
	local m parameters
	for m in "${drivers[@]}"; do
		parameters=()
		[ "$m" != vhost ] || parameters=("$@")
		insert "$m" "${parameters[@]}" || note "$m cannot be loaded with '${parameters[*]}'"
	done
}
unload_all() {
	remove vhost_test vhost_net vhost vhost_ringmap vhost_iotlb
	[ ! -e $files ] || note "files are left in debugfs"
	[ ! -e $events ] || note "events are left"
}

# says FILE WORDS: it has this line
says() { grep -qxF -e "$2" "$1" || note "$1 says '$(cat "$1")', not '$2'"; }
# brackets ACCESSOR: how a file shows it
brackets() { local all="${accessors[*]}"; echo "${all/$1/[$1]}"; }

test_parameters() {
	local a f
	for a in "${accessors[@]}"; do
		load_all "accessor=$a"
		says /sys/module/vhost/parameters/accessor "$(brackets "$a")"
		exec 8<> /dev/vhost-net
		for f in "$files"/*/{,0/,1/}accessor; do
			says "$f" "$(brackets "$a")"
		done
		exec 8>&-
		unload_all
	done
	load_all accessor=checked fork_from_owner_default=0 max_mem_regions=128
	says /sys/module/vhost/parameters/fork_from_owner_default N
	says /sys/module/vhost/parameters/max_mem_regions 128
	traffic --accessor ringmap
	mapped || note "less than 99 % of accesses are mapped; the worker is no thread of the owner's"
	end_traffic
	unload_all
}

# refused NAME PARAMETER...: it is not loaded
refused() {
	! insert "$@" 2> "$tmp/said" || note "$* is not refused"
	! is_loaded "$1" || { note "$* leaves the module there"; remove "$1"; }
}

test_wrong_parameters() {
	local p
	insert vhost_iotlb
	# Only somebody who is open can have an accessor of its own.
	for p in 'device_accessor="1-1 ringmap"' device_accessor=1-1 device_accessor=; do
		refused vhost_ringmap "$p"
	done
	[ ! -e $files ] || note "files are left in debugfs"
	insert vhost_ringmap
	for p in accessor=vmap accessor=ringmap2 accessor= accessor fork_from_owner_default=maybe \
		max_mem_regions=many; do
		refused vhost "$p"
	done
	insert vhost accessor=uaccess
	says /sys/module/vhost/parameters/accessor "$(brackets uaccess)"
	remove vhost vhost_ringmap vhost_iotlb
	[ ! -e $files ] || note "files are left in debugfs"
}

# open_files FILE...: all of them, for reading; the descriptors are in $fds, by name
open_files() {
	local f fd
	for f; do
		exec {fd}< "$f" || { note "$f cannot be opened"; continue; }
		fds[$f]=$fd
	done
}
close_files() {
	local f fd
	for f in "${!fds[@]}"; do
		fd=${fds[$f]}
		exec {fd}<&-
	done
	fds=()
}
# reads FILE: as it was opened
reads() { timeout 5 cat <&"${fds[$1]}" > "$tmp/read" 2>> "$tmp/errors"; }

# A device's files end with it; who has one open keeps the module that they belong to.
test_open_files() {
	local f all of_device
	local -A fds=()
	load_all
	traffic --accessor ringmap
	mapfile -t all <<< "$(find $files -type f ! -path '*/windows/*')"
	mapfile -t of_device <<< "$(find $files/*-* -type f)"
	[ ${#of_device[@]} -ge 10 ] || note "a device has only ${#of_device[@]} files"
	open_files "${all[@]}"
	end_traffic
	for f in "${of_device[@]}"; do
		! reads "$f" || note "$f is read after its device was closed"
	done
	grep -q 'Input/output error' "$tmp/errors" || note "no read failed with EIO"
	remove vhost_test vhost_net vhost
	if without vhost_ringmap; then
		for f in "${all[@]}"; do
			! reads "$f" || note "$f is read after the module was unloaded"
		done
	else
		cat "$tmp/rmmod" >&2
		for f in $files/accessor $files/lock_times; do
			reads "$f" || note "$f cannot be read although the module is there"
		done
		for f in "${of_device[@]}"; do
			! reads "$f" || note "$f is read after its device was closed"
		done
	fi
	close_files
	! is_loaded vhost_ringmap || remove vhost_ringmap
	remove vhost_iotlb
	[ ! -e $files ] || note "files are left in debugfs"
	load_all
	traffic --accessor ringmap
	mapped || note "less than 99 % of accesses are mapped after that"
	end_traffic
	unload_all
}

# The same for the files of events; a directory that somebody is in goes, too.
test_open_events() {
	local f all
	local -A fds=()
	load_all
	mapfile -t all <<< "$(find $events -type f ! -name hist\*)"
	[ ${#all[@]} -gt 50 ] || note "there are only ${#all[@]} files of events"
	open_files "${all[@]}"
	mkdir $tracing/instances/other
	exec 7< $tracing/instances/other/trace_pipe 8<> /dev/vhost-net
	echo 1 > $tracing/instances/other/events/vhost/enable
	echo 1 > $events/enable
	! without vhost_net || note "vhost_net is unloaded while its device is open"
	exec 8>&-
	traffic --accessor ringmap
	end_traffic
	remove vhost_test vhost_net vhost
	cd $events || note "no $events"
	without vhost_ringmap || { cat "$tmp/rmmod" >&2; close_files; remove vhost_ringmap; }
	for f in "${!fds[@]}"; do reads "$f"; done
	timeout 5 cat <&7 > "$tmp/pipe"
	close_files
	exec 7<&-
	rmdir $tracing/instances/other || note "the instance cannot be removed"
	cd "$tmp" || exit
	remove vhost_iotlb
	! is_loaded vhost_ringmap || note "vhost_ringmap is there"
	cat $tracing/trace > "$tmp/trace"
	[ ! -e $events ] || note "events are left"
	load_all
	says $events/enable 0
	unload_all
}

keys=(vhost_ringmap_used vhost_ringmap_traced ringmap_lock_watched)
# keys_are WHAT: the counts, in this order
keys_are() {
	local is
	is=$("$here/static-keys.py" "${keys[@]}" | awk '{ printf "%s%s", (NR > 1 ? " " : ""), $2 }')
	[ "$is" = "$1" ] || note "the counts of ${keys[*]} are $is, not $1"
}

# Each is as often on as somebody turned it on, and off at the end.
test_static_keys() {
	local i
	load_all accessor=uaccess
	keys_are '0 0 0'
	exec 8<> /dev/vhost-net
	keys_are '0 0 0'
	echo ringmap > $files/accessor
	keys_are '2 0 0'
	echo 1 > $events/vhost_map_use/enable
	keys_are '2 1 0'
	echo 1 > $events/vhost_map_lock/enable
	echo 1 > $files/lock_times
	keys_are '2 1 2'
	for i in 1 2 3; do
		echo 1 > $events/enable
		echo 1 > $files/lock_times
		echo checked > $files/accessor
		echo ringmap > $files/accessor
	done
	keys_are '2 1 2'
	exec 8>&-
	keys_are '0 1 2'
	echo ringmap > /sys/module/vhost/parameters/accessor
	exec 8<> /dev/vhost-net 9<> /dev/vhost-test
	keys_are '3 1 2'
	exec 8>&- 9>&-
	echo 0 > $events/enable
	echo 0 > $files/lock_times
	keys_are '0 0 0'
	unload_all
}

everything() {
	echo "$1" > $events/enable
	echo "$1" > $files/lock_times
}

# What is on when it is unloaded is off when it is loaded again.
test_unload_while_on() {
	local i
	for i in 1 2 3; do
		load_all
		everything 1
		traffic --accessor ringmap
		end_traffic
		unload_all
		load_all accessor=uaccess
		keys_are '0 0 0'
		says $files/lock_times 0
		says $events/enable 0
		traffic --accessor ringmap
		mapped || note "less than 99 % of accesses are mapped"
		end_traffic
		unload_all
	done
}

# Code that is loaded while a key is on is patched as it is loaded.
test_load_while_on() {
	local n
	load_all
	remove vhost_test vhost_net vhost
	everything 1
	insert vhost
	insert vhost_net
	traffic --accessor ringmap
	await flowing $(($(used) + 1000))
	end_traffic
	everything 0
	for n in map_use map_lock used; do
		grep -q "vhost_$n: " $tracing/trace || note "there is no event vhost_$n"
	done
	remove vhost_net vhost
	insert vhost
	insert vhost_net
	traffic --accessor ringmap
	mapped || note "less than 99 % of accesses are mapped"
	end_traffic
	remove vhost_net vhost vhost_ringmap vhost_iotlb
}

# watch ARGUMENTS...: vhostctl watches while vhost is unloaded, and ends by itself after that.
watch() {
	local rc=0 watcher
	load_all
	rm -f "$tmp/stop"
	vhostctl "$@" -- sh -c "touch $tmp/go; until [ -e $tmp/stop ]; do sleep 0.2; done" \
		> "$tmp/watch" 2>&1 &
	watcher=$!
	await [ -e "$tmp/go" ]
	traffic --accessor ringmap
	end_traffic
	unload_all
	touch "$tmp/stop"
	wait "$watcher" || rc=$?
	rm "$tmp/go"
	cat "$tmp/watch" >&2
	[ "$rc" -lt 126 ] || note "vhostctl $1 ended with $rc"
	[ -z "$(ls $tracing/instances)" ] || note "vhostctl $1 leaves an instance"
	load_all
	says $events/enable 0
	unload_all
}
test_watched() {
	watch record -o "$tmp/dat"
	watch check --live
}

# The simulated device accesses its rings itself, and vhost has nothing to map; meanwhile
# there is traffic that is mapped.
test_vdpa() {
	local m va
	for m in irqbypass iova vhost_iotlb vringh vhost_ringmap vhost vhost_net vdpa vhost_vdpa; do
		insert $m || note "$m cannot be loaded"
	done
	for va in 1 0; do
		insert vdpa_sim use_va=$va
		insert vdpa_sim_net
		vdpa dev add name v0 mgmtdev vdpasim_net || note "no device was made"
		await [ -c /dev/vhost-vdpa-0 ]
		exec 8<> /dev/vhost-vdpa-0
		[ -z "$(find $files -maxdepth 1 -name '[0-9]*')" ] || note "it has files in debugfs"
		! without vhost_vdpa || note "vhost_vdpa is unloaded while its device is open"
		exec 8>&-
		traffic --accessor ringmap
		"$vdpa_test" > "$tmp/vdpa" 2>&1 || note "packets through it fail (use_va=$va)"
		cat "$tmp/vdpa" >&2
		! grep -q SKIP "$tmp/vdpa" || note "the test did not find it"
		mapped || note "less than 99 % of accesses are mapped"
		end_traffic
		vdpa dev del v0 || note "the device cannot be removed"
		remove vdpa_sim_net vdpa_sim
	done
	remove vhost_vdpa vdpa vhost_net vhost vhost_ringmap vringh vhost_iotlb iova irqbypass
}

# Readers of everything while it comes and goes
read_all() {
	while :; do
		find $files $events -type f ! -path '*/windows/*' -exec cat {} + > /dev/null 2>&1
		echo
	done > "$tmp/readings.$1"
}
test_storm() {
	local i readers=()
	for i in 1 2; do
		read_all $i &
		readers+=($!)
	done
	for i in {1..15}; do
		load_all "accessor=${accessors[i % 3]}"
		everything $((i % 4 > 0))
		traffic --accessor ringmap
		end_traffic
		[ $((i % 2)) = 0 ] || everything 0
		unload_all
	done
	kill "${readers[@]}"
	wait 2> /dev/null
	wc -l "$tmp"/readings.* >&2
	for i in 1 2; do
		[ "$(wc -l < "$tmp/readings.$i")" -ge 20 ] || note "reader $i did not read often"
	done
	load_all accessor=uaccess
	keys_are '0 0 0'
	traffic --accessor ringmap
	mapped || note "less than 99 % of accesses are mapped after that"
	end_traffic
	unload_all
}

mapfile -t all_tests <<< "$(tests_of "$0")"
tap "${all_tests[@]}"
