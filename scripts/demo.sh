#!/usr/bin/env bash
# demo.sh: compose, build, boot, and send packets. Ends with a table and
# out/demo.json.
. scripts/common.sh

step() { say "[$SECONDS s] $*"; }

step "composing the tree"
scripts/compose.sh >/dev/null
step "building the kernel (about 8 minutes the first time, on 2 processors)"
kernel=$(VARIANT=vm scripts/build.sh | tail -1)
step "building the harness and the demo"
build_tools
mkdir -p out || die "cannot create $here/out"
build_selftests
step "booting"
ringvm --kernel "$kernel" --timeout 300 --log "$logs/demo.console" \
	--out out/demo.json --quiet -- "$selftests/ringmap_demo" || die "the demo failed"
step "done: out/demo.json"
