#!/usr/bin/env bash
# harness.sh: what happens in a VM must come out as what it is.
. scripts/common.sh

VARIANT=vm prepare
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0 n=0
echo 'known_skip allowed for this test' > "$tmp/skips"

# expect STATUS NAME OPTIONS... -- COMMAND
expect() {
	local want=$1 name=$2 got=0
	shift 2
	ringvm --kernel "$kernel" --root initrd --memory 512M --quiet \
		--log "$tmp/console" "$@" > "$tmp/out" 2> "$tmp/err" || got=$?
	n=$((n + 1))
	if [ "$got" = "$want" ]; then
		say "ok: $name"
		return
	fi
	failed=$((failed + 1))
	say "not ok: $name: status $got, expected $want"
	tail -5 "$tmp/err" >&2
}

doc='TAP version 13\n1..2\nok 1 a\n'
tap=(--tap 1 --skips "$tmp/skips")
expect 0 "a command that succeeds" -- true
expect 0 "two processors" -- 'ls /sys/devices/system/cpu/cpu1'
expect 7 "a command that fails" -- 'exit 7'
expect 0 "all tests pass" "${tap[@]}" -- "printf '${doc}ok 2 b\n'"
expect 123 "a test fails, the command does not" "${tap[@]}" -- "printf '${doc}not ok 2 b\n'"
expect 123 "a result is missing" "${tap[@]}" -- "printf '$doc'"
expect 123 "nothing is printed" "${tap[@]}" -- true
expect 123 "a test program too few" --tap 2 -- "printf '${doc}ok 2 b\n'"
expect 0 "a skip that is allowed" "${tap[@]}" -- "printf '${doc}ok 2 known_skip # SKIP no\n'"
expect 123 "a skip that is not" "${tap[@]}" -- "printf '${doc}ok 2 other # SKIP no\n'"
expect 123 "a failure before an allowed skip" "${tap[@]}" -- \
	"printf 'TAP version 13\n1..2\nnot ok 1 a\nok 2 known_skip # SKIP\n'"
expect 122 "the machine goes away" "${tap[@]}" -- \
	"printf '${doc}ok 2 b\n'; echo b > /proc/sysrq-trigger; sleep 5"
expect 122 "the kernel panics" "${tap[@]}" -- \
	"printf '${doc}ok 2 b\n'; echo c > /proc/sysrq-trigger; sleep 5"
lkdtm=/sys/kernel/debug/provoke-crash/DIRECT
# Not 124: what is dead is not waited for.
expect 122 "the kernel panics and does not reboot" --timeout 90 --append panic=0 -- \
	"echo PANIC > $lkdtm"
expect 122 "the kernel oopses and dies with interrupts off" --timeout 120 --cpus 1 -- \
	"(echo EXCEPTION > $lkdtm); echo HARDLOCKUP > $lkdtm"
expect 121 "the kernel oopses and goes on" "${tap[@]}" -- \
	"(echo EXCEPTION > $lkdtm); printf '${doc}ok 2 b\n'"
expect 121 "passes and then warns" "${tap[@]}" -- \
	"printf '${doc}ok 2 b\n'; echo WARNING > $lkdtm"
expect 121 "a stack dump without taint" "${tap[@]}" -- \
	"printf '${doc}ok 2 b\n'; echo l > /proc/sysrq-trigger"
expect 124 "hangs" --timeout 21 "${tap[@]}" -- "printf '${doc}ok 2 b\n'; sleep 1000"
grep -q 'sysrq: Show' "$tmp/console" || { say "not ok: no stacks after a hang"; failed=$((failed + 1)); }
expect 122 "the END record is forged" "${tap[@]}" -- \
	"printf '${doc}ok 2 b\n'; echo 'END 0 status=0 splats=0 leaks=0 taint=0' > /dev/vport0p2; echo b > /proc/sysrq-trigger; sleep 5"
# QEMU dies, and so nothing in the guest was tried yet: once, or each time.
mkdir "$tmp/bin"
cat > "$tmp/bin/qemu-system-x86_64" << EOF
#!/bin/sh
! mkdir "$tmp/\$DIES" 2> /dev/null && [ "\$DIES" != always ] || kill -ABRT \$\$
exec $(command -v qemu-system-x86_64) "\$@"
EOF
chmod +x "$tmp/bin/qemu-system-x86_64"
in_path=$PATH
export PATH=$tmp/bin:$PATH
DIES=once expect 0 "QEMU dies before the guest comes up, once" --accel tcg -- true
DIES=always expect 122 "QEMU dies before the guest comes up, again" --accel tcg -- true
export PATH=$in_path
expect 125 "there is no kernel" --kernel "$tmp/none" -- true

# gone PID: it ends, whether or not somebody waits for it
gone() {
	local tries
	for tries in {1..100}; do
		case $(ps -o stat= -p "$1") in '' | Z*) return 0 ;; esac
		sleep 0.1
	done
	say "process $1 is still there after $tries looks"
	return 1
}
# A test that is killed: who ran ringvm, and so ringvm and its QEMU
bash -c '"$@" & wait' - "$bin/ringvm" --kernel "$kernel" --accel tcg --root initrd \
	--log "$tmp/console" -- 'echo up; sleep 1000' > "$tmp/out" 2> "$tmp/err" &
shell=$!
until grep -q up "$tmp/out" || [ ! -e "/proc/$shell" ]; do sleep 0.1; done
vm=$(ps -o pid= --ppid "$shell" | tr -d " " || true)
qemu=$(ps -o pid= --ppid "$vm" | tr -d " " || true)
kill -KILL "$shell"
n=$((n + 1))
if [ -n "$qemu" ] && gone "$vm" && gone "$qemu"; then
	say "ok: a test that is killed leaves no QEMU"
else
	say "not ok: a test that is killed leaves a QEMU"
	failed=$((failed + 1))
fi

[ "$failed" = 0 ] || die "$failed of $n failed"
say "$n outcomes are as they should be"
