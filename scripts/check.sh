#!/usr/bin/env bash
# check.sh [full]: every test, one line each, then the totals.
. scripts/common.sh

passed=0 failed=0
test_step() {
	local name=$1 t=$SECONDS
	shift
	say "$name"
	if "$@"; then
		passed=$((passed + 1))
		echo "PASS $name ($((SECONDS - t)) s)"
	else
		failed=$((failed + 1))
		echo "FAIL $name ($((SECONDS - t)) s)"
	fi
}

# The same tree twice, and the second time nothing is touched.
compose_twice() {
	local one two stamp
	scripts/compose.sh >/dev/null || return 1
	one=$(git -C "$tree" rev-parse HEAD)
	stamp=$(mktemp)
	sleep 0.01
	scripts/compose.sh >/dev/null || return 1
	two=$(git -C "$tree" rev-parse HEAD)
	[ "$one" = "$two" ] || { say "two runs made $one and $two"; return 1; }
	if find "$tree/mm" "$tree/drivers/vhost" "$tree/include" -newer "$stamp" -type f | grep .; then
		say "the second run touched the files above"
		return 1
	fi
	rm -f "$stamp"
}

# Refusals: a patch that does not apply, a file that exists, a symbol that is not.
compose_refuses() {
	local copy rc=0
	copy=$(mktemp -d)
	cp -r Kconfig Makefile series configs patches scripts tests drivers include lib mm tools Documentation "$copy"
	refused() {
		local want=$1
		shift
		if (cd "$copy" && "$@" > /dev/null 2> err); then
			say "was not refused: expected '$want'"
			rc=1
		elif ! grep -q "$want" "$copy/err"; then
			say "expected '$want', got:"
			cat "$copy/err" >&2
			rc=1
		fi
	}
	sed -i 's/^ EXPORT_SYMBOL_GPL(mmu_interval_read_begin);/ EXPORT_SYMBOL_GPL(elsewhere);/' \
		"$copy"/patches/*/mm-interval-read-try.patch
	refused 'mm-interval-read-try.patch does not apply' scripts/compose.sh
	cp patches/*/mm-interval-read-try.patch "$copy"/patches/*/
	mkdir -p "$copy/mm"
	echo > "$copy/mm/gup.c"
	echo 'file mm/gup.c' >> "$copy/series"
	refused 'mm/gup.c already exists' scripts/compose.sh
	echo CONFIG_NO_SUCH_THING=y > "$copy/configs/bad.config"
	refused 'CONFIG_NO_SUCH_THING=y did not survive' \
		scripts/build.sh config "$tree" "$cache/build/bad" configs/bad.config
	rm -rf "$copy"
	return "$rc"
}

# An edit in the tree comes back to where it belongs, and only there.
refresh_round_trip() {
	local copy rc=0
	copy=$(mktemp -d)
	cp -r Kconfig Makefile series configs patches scripts tests drivers include lib mm tools Documentation "$copy"
	(
		cd "$copy" || exit 1
		scripts/refresh.sh 2>&1 | grep -q 'nothing was edited' || exit 1
		sed -i 's/MMU_CAUSE_KSM_PROTECT/MMU_CAUSE_KSM_REPLACE/' "$tree/mm/ksm.c"
		sed -i 's/a software TLB for rings/a TLB for rings/' "$tree/drivers/vhost/ringmap.h"
		! env -u FORCE scripts/compose.sh >/dev/null 2>err || exit 1
		grep -q 'has edits' err || exit 1
		scripts/refresh.sh 2>/dev/null || exit 1
		[ "$(grep -c MMU_CAUSE_KSM_REPLACE patches/*/mm-keeps.patch)" = 2 ] || exit 1
		grep -q 'a TLB for rings' drivers/vhost/ringmap.h || exit 1
		diff patches/*/vhost-ringmap.patch "$here"/patches/*/vhost-ringmap.patch
	) || rc=1
	git -C "$tree" checkout -q .
	rm -rf "$copy"
	return "$rc"
}

# What series writes gives the same tree with git am.
series_applies() {
	local wt=$cache/am out
	out=$(mktemp -d)
	OUT=$out/p scripts/series.sh || return 1
	git -C "$tree" worktree prune
	[ -d "$wt" ] || git -C "$tree" worktree add -q --detach "$wt" base
	git -C "$wt" reset -q --hard base
	git -C "$wt" am -q "$out"/p/*.patch || { git -C "$wt" am --abort; return 1; }
	rm -rf "$out"
	[ "$(git -C "$wt" rev-parse 'HEAD^{tree}')" = "$(git -C "$tree" rev-parse 'HEAD^{tree}')" ]
}

# Wrong use: a message that says what to do, and a status that is not 0.
wrong_use() {
	local bad=0 err small
	refuse() {
		local want=$1
		shift
		if err=$("$@" 2>&1 >/dev/null); then
			say "did not fail: $*"
			bad=1
		elif ! grep -q "$want" <<< "$err"; then
			say "$*: expected '$want' and got: $err"
			bad=1
		fi
	}
	refuse 'choose vm, debug' make kernel VARIANT=fast
	refuse 'selftests run on' make selftests VARIANT=off
	refuse 'cannot read REPLAY' make fuzz REPLAY=/nowhere
	refuse 'is not a number' make kernel JOBS=many
	refuse 'is not a file' make tree BASE=/nowhere.tar.xz
	refuse 'cannot create' make tree RINGMAP_CACHE=/proc/none
	refuse 'is not a directory' make series OUT=Makefile
	refuse 'wants a terminal' make shell
	refuse 'No rule' make nonsense
	mkdir -p "$cache/empty-dpkg/updates" "$cache/empty-dpkg/info"
	: > "$cache/empty-dpkg/status"
	refuse 'missing packages: run' env DPKG_ADMINDIR="$cache/empty-dpkg" make tree
	mkdir -p "$cache/empty-apt/partial"
	printf '%s\n' "Dir::State::lists \"$cache/empty-apt\";" \
		"Dir::State::status \"$cache/empty-dpkg/status\";" \
		'Acquire::http::Proxy "http://127.0.0.1:9";' \
		'Acquire::https::Proxy "http://127.0.0.1:9";' > "$cache/apt.conf"
	refuse 'is there a network' env DPKG_ADMINDIR="$cache/empty-dpkg" \
		APT_CONFIG="$cache/apt.conf" scripts/deps.sh install lint
	small=$(mktemp -d)
	if mount -t tmpfs -o size=64m tmpfs "$small" 2>/dev/null; then
		refuse 'GiB are free' make tree RINGMAP_CACHE="$small"
		umount "$small"
	else
		say "cannot mount a small tmpfs to test a full disk"
		bad=1
	fi
	rmdir "$small"
	return "$bad"
}

# A hook that stays when its option is off must not go unnoticed.
off_proof_notices() {
	local rc=0
	sed -i '/^#ifdef CONFIG_VHOST_RINGMAP$/{N;s/.*\n\tstruct dentry/#if 1\n\tstruct dentry/}' \
		"$tree/drivers/vhost/vhost.h"
	if git -C "$tree" diff --quiet; then
		say "the hook to break is not where it was"
		rc=1
	elif tests/off-proof.sh; then
		say "it was not noticed"
		rc=1
	fi
	git -C "$tree" checkout -q .
	return "$rc"
}

start=$SECONDS
test_step "compose twice" compose_twice
test_step "compose and configure refuse what is wrong" compose_refuses
test_step "refresh brings edits back" refresh_round_trip
test_step "series applies with git am" series_applies
test_step "wrong use is told" wrong_use
kernel=
if kernel=$(VARIANT=vm scripts/build.sh | tail -1); then
	build_tools
	test_step "every emitter gives a cause" tests/emitters.sh
	test_step "documented commands" tests/docs.sh
	test_step "harness" tests/harness.sh "$kernel"
	test_step "lint" scripts/lint.sh
	test_step "barriers and clamps" tests/barriers.sh
	test_step "selftests" env VARIANT=vm T= tests/selftests.sh
	test_step "vhostctl" env VARIANT=vm tests/vhostctl.sh
	test_step "fuzz" env VARIANT=vm SEED=1 CALLS=20000 REPLAY= tests/fuzz.sh
	test_step "budget of instructions" bench/bench.sh budget
else
	test_step "kernel" false
fi
test_step "options off are the base" tests/off-proof.sh
test_step "QEMU's policy of compression" env SANITIZE= T= qemu/check.sh short
if [ "${1:-}" = full ]; then
	test_step "debug kernel" env VARIANT=debug T= tests/selftests.sh
	test_step "storm on the debug kernel" env VARIANT=debug tests/storm.sh
	test_step "fuzz on the debug kernel" env VARIANT=debug SEED="$(date +%s)" CALLS=20000 REPLAY= tests/fuzz.sh
	test_step "fuzz" env VARIANT=vm SEED="$(date +%s)" CALLS=1000000 VMS=2 REPLAY= tests/fuzz.sh
	test_step "order over ten minutes" tests/order.sh
	test_step "data races" env VARIANT=kcsan T= tests/selftests.sh
	test_step "off-proof notices a hook that is always on" off_proof_notices
	test_step "series bisects" tests/bisect.sh
	test_step "mutants" env VARIANT=vm tests/mutants.sh
	test_step "instructions" bench/mm-cost.sh
	test_step "mapped rings and memory management" bench/mm-queues.sh
	test_step "instructions of a packet" bench/ring-cost.sh
	test_step "bench, a subset" env QUICK=1 bench/bench.sh
	test_step "instructions of tracepoints" bench/trace-cost.sh
	test_step "a guest's net and vsock" tests/guest.sh
	test_step "hmm-tests as on the base" tests/hmm.sh
	test_step "QEMU's tests of migration" env SANITIZE= T= qemu/check.sh
	test_step "QEMU's tests of migration with ASan and UBSan" env SANITIZE=1 T= qemu/check.sh
fi
say "$((SECONDS - start)) s"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
