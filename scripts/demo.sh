#!/usr/bin/env bash
# demo.sh: compose, build, boot, and send packets; then once more with the events on, for
# a picture. Ends with a table, out/demo.json and out/demo.svg.
. scripts/common.sh

step() { say "[$SECONDS s] $*"; }

step "composing the tree"
scripts/compose.sh >/dev/null
step "building the kernel (about 7 minutes the first time, on 2 processors)"
kernel=$(VARIANT=demo scripts/build.sh | tail -1)
step "building the harness and the demo"
build_tools
mkdir -p out || die "cannot create $here/out"
build_selftests
build_vhostctl
step "booting"
# TCG with a thread per CPU does not survive code that is patched while it runs. An open device
# keeps ringmap's static key on.
ringvm --kernel "$kernel" --timeout 300 --log "$logs/demo.console" \
	--out out/demo.json --quiet -- \
	"exec 9<> /dev/vhost-net; exec $selftests/ringmap_demo_load" || die "the demo failed"
step "recording"
ringvm --kernel "$kernel" --accel single --timeout 120 --memory 2G --quiet \
	--log "$logs/record.console" --out out/demo.svg -- \
	"sh $here/vm/in-vm-record.sh $vhostctl $selftests" 2> out/demo.report ||
	{ cat out/demo.report >&2; die "the recording failed"; }
step "done: out/demo.json; what was recorded: out/demo.report; as a picture:"
echo "$here/out/demo.svg"
