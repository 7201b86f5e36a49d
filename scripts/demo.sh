#!/usr/bin/env bash
# demo.sh: compose, build, boot, and send packets. Ends with a table and
# out/demo.json.
. scripts/common.sh

step() { say "[$SECONDS s] $*"; }

step "composing the tree"
scripts/compose.sh >/dev/null
step "building the kernel (about 7 minutes the first time, on 2 processors)"
kernel=$(VARIANT=vm scripts/build.sh | tail -1)
step "building the harness and the demo"
build_tools
out=$cache/build/selftests
mkdir -p "$out" out || die "cannot create $here/out"
logged selftests-build make -C "$tree/tools/testing/selftests/vhost" OUTPUT="$out" || exit 1
step "booting"
ringvm --kernel "$kernel" --timeout 300 --log "$logs/demo.console" \
	--out out/demo.json --quiet -- "$out/ringmap_demo" || die "the demo failed"
step "done: out/demo.json"
