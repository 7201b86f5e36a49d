# shellcheck shell=bash
# Sourced by what counts and measures: VMs, and functions to look for.
. scripts/common.sh

step() { say "[$SECONDS s] $*"; }

# One processor, on which a nanosecond is an instruction
icount=(--accel icount --cpus 1)

# measure OUT BUILD RINGVM-ARGS... -- COMMAND: a VM with the kernel BUILD; what COMMAND
# prints goes to OUT
measure() {
	local out=$1 name=${1##*/} build=$2
	shift 2
	step "$name"
	ringvm --kernel "$(image "$build")" --timeout 1800 --quiet \
		--log "$logs/$name.console" --out "$out" "$@" || die "$name failed"
}

# count OUT BUILD PLUGIN-ARGS RINGVM-ARGS... -- COMMAND: measure under icount, and OUT.count
# is what ringcount.so counted
count() {
	local out=$1 build=$2 plugin=$3
	shift 3
	measure "$out" "$build" "${icount[@]}" \
		--plugin "$bin/ringcount.so,map=$cache/build/$build/System.map,out=$out.count$plugin" "$@"
}

# print_and_keep NAME AWK-ARGS...: what bench/NAME.awk prints of what was counted; the same is
# kept for make figures
print_and_keep() {
	local name=$1 rc=0
	shift
	: > "$logs/$name.tsv"
	awk -v results="$logs/$name.tsv" -f bench/lib.awk -f "bench/$name.awk" "$@" || rc=$?
	[ ! -s "$logs/$name.tsv" ] || scripts/results.sh keep "$name" "$logs/$name.tsv"
	return "$rc"
}

# functions OBJECT...: those in object files of a kernel
functions() { nm "$@" | awk 'tolower($2) == "t" { print $3 }'; }

# lockers: the functions that may hold the map lock
lockers() { functions "$cache"/build/vm/drivers/vhost/ringmap*.o; }

# metadata: the functions through which vhost reads and writes virtqueue metadata
metadata() {
	{
		functions "$cache"/build/{vm,cost}/drivers/vhost/vhost.o "$cache"/build/vm/drivers/vhost/ringmap*.o
		grep -oE '__[gp][eu]t_user_[a-z0-9_]+$' "$cache/build/vm/System.map"
	} | sort -u
}

# build_patched NAME: the base with bench/NAME.patch, which changes vhost only
build_patched() (
	local out=$cache/build/$1
	trap 'git -C "$tree" checkout -q .' EXIT
	git -C "$tree" apply "$here/$(of_series "bench/$1.patch")" || die "bench/$1.patch does not apply; rebase it"
	scripts/build.sh config "$tree" "$out" configs/vm.config configs/cost.config
	step "building $1"
	logged "kernel-$1" kmake "$tree" "$out" bzImage
)
