# shellcheck shell=bash disable=SC2034
# Sourced by the scripts: where things are, and how they speak.
set -euo pipefail

kernel_series=${KERNEL:-6.12}
patches=patches/$kernel_series
# What does not depend on the kernel series is in $shared; all else is in $cache, which is
# another for each but the first.
shared=${RINGMAP_CACHE:?run this through make}
cache=$shared
[ "$kernel_series" = 6.12 ] || cache=$shared/$kernel_series
tree=$cache/tree
base=$cache/base
logs=$cache/log
jobs=${JOBS:-$(nproc)}
variant=${VARIANT:-vm}
here=$(pwd)

say() { echo "$0: $*" >&2; }
die() { say "error: $*"; exit 1; }

[ -d "$patches" ] || die "there is no $patches; KERNEL can be: $(cd patches && echo *)"
case $jobs in '' | *[!0-9]* | 0) die "JOBS=$jobs is not a number of processors" ;; esac
mkdir -p "$cache" "$logs" 2>/dev/null ||
	die "cannot create $cache; set RINGMAP_CACHE to a directory that can be written"

# The harness; of another checkout with the same cache it has another name.
bin=$shared/bin/$(cat scripts/common.sh vm/*.c bench/ringcount.c bench/qemu-plugin.h | sha1sum | cut -c 1-12)

# of_series FILE: what this kernel series has of a file of ours, as bound-7.3.patch, if it has
# its own
of_series() {
	local file=${1%.*}-$kernel_series.${1##*.}
	[ -f "$file" ] || file=$1
	echo "$file"
}

# need_space GIB WHAT
need_space() {
	local free
	free=$(df --output=avail -k "$cache" | tail -1)
	[ "$free" -ge $(($1 * 1048576)) ] ||
		die "$2 needs $1 GiB in $cache, and $((free / 1048576)) GiB are free"
}

# logged NAME COMMAND...: run with a log; when it fails, show its end and where
# it is. Meanwhile say every ten seconds how far it is.
logged() {
	local log=$logs/$1.log what=$1 start=$SECONDS pid rc=0 said=0
	shift
	"$@" > "$log" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if ((SECONDS - start >= said + 10)); then
			said=$((SECONDS - start))
			say "$what: $(grep -cE '^(  [A-Z]|\[[0-9])' "$log") steps, $said s"
		fi
	done
	wait "$pid" || rc=$?
	if [ "$rc" != 0 ]; then
		grep -nE 'error|Error|No space' "$log" | head -20 >&2 || true
		tail -5 "$log" >&2
		say "$what failed; the whole log is $log"
	fi
	return "$rc"
}

# kmake SOURCE BUILD TARGETS...: the kernel's make with the cache's compiler
kmake() {
	local src=$1 out=$2
	shift 2
	CCACHE_DIR=$shared/ccache CCACHE_NOHASHDIR=1 \
	CCACHE_MAXSIZE=8G KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=ringmap \
	KBUILD_BUILD_HOST=ringmap MAKEFLAGS='' \
		make -C "$src" O="$out" CC="ccache gcc" -j"$jobs" "$@"
}

# build the harness if there is none of this source
build_tools() {
	local cflags=(-std=gnu11 -O2 -Wall -Wextra -Werror) new=$bin.new
	[ ! -d "$bin" ] || return 0
	rm -rf "$new"
	mkdir -p "$new"
	gcc "${cflags[@]}" -o "$new/ringvm" vm/ringvm.c >&2
	gcc "${cflags[@]}" -static -o "$new/ringinit" vm/ringinit.c >&2
	gcc "${cflags[@]}" -fPIC -shared -fvisibility=hidden -o "$new/ringcount.so" \
		bench/ringcount.c >&2
	mv "$new" "$bin"
}

# compose the tree; build its kernel, which is in $kernel, the harness and the selftests
prepare() {
	scripts/compose.sh >/dev/null
	kernel=$(scripts/build.sh | tail -1)
	build_tools
	build_selftests
}

# worktree DIR COMMIT: a work tree of the tree's git, at COMMIT
worktree() {
	git -C "$tree" worktree prune
	if ! git -C "$1" rev-parse -q --verify HEAD > /dev/null 2>&1; then
		need_space 4 "$1"
		rm -rf "$1"
		git -C "$tree" worktree add -q --detach "$1" "$2"
	fi
	git -C "$1" checkout -q --detach "$2"
}

# build what costs are compared with: our options off, in machine code the base
build_base() {
	scripts/build.sh config "$tree" "$cache/build/cost" configs/vm.config configs/cost.config
	say "building the kernel to compare with"
	logged kernel-cost kmake "$tree" "$cache/build/cost" bzImage || exit 1
}

# build the selftests of the composed tree; they are in $selftests
selftests=$cache/build/selftests
build_selftests() {
	mkdir -p "$selftests"
	local dir
	for dir in vhost mmu_notifier; do
		logged "selftests-build-$dir" make -C "$tree/tools/testing/selftests/$dir" \
			OUTPUT="$selftests" || exit 1
	done
}

# build upstream's vsock_test; it is in $vsock
vsock=$cache/build/vsock
build_vsock_test() {
	local source=$tree/tools/testing/vsock
	mkdir -p "$vsock"
	logged vsock-build make -C "$vsock" -f "$source/Makefile" VPATH="$source" \
		CPPFLAGS="-I$source -I$tree/tools/include" vsock_test || exit 1
}

# build vhostctl of the composed tree; it is in $vhostctl
vhostctl=$cache/build/vhostctl
build_vhostctl() {
	mkdir -p "$vhostctl"
	logged vhostctl-build make -C "$tree/tools/vhost" OUTPUT="$vhostctl" || exit 1
}

image() { echo "$cache/build/$1/arch/x86/boot/bzImage"; }

ringvm() { "$bin/ringvm" --state "$shared/accel" "$@"; }
