#!/usr/bin/env bash
# overlay.sh: composing, refreshing, the series, and what is said of wrong use. T=name runs
# one test.
. scripts/common.sh
. scripts/tree.sh
. tests/tap.sh

# A copy of this repository that may be spoilt, in $copy
spoil() {
	copy=$tmp/copy
	mkdir "$copy"
	git ls-files -z --cached --others --exclude-standard |
		grep -zv '^qemu/' | xargs -0 cp --parents -t "$copy" 2>/dev/null || true
}

# refused WORDS COMMAND...: in the copy it fails, and says so
refused() {
	local want=$1
	shift
	if (cd "$copy" && "$@" > /dev/null 2> "$tmp/said"); then
		note "was not refused: expected '$want'"
	elif ! grep -q -e "$want" "$tmp/said"; then
		note "expected '$want', got: $(cat "$tmp/said")"
	fi
}

# The same tree twice, and the second time nothing is touched.
test_compose_twice() {
	local one two
	scripts/compose.sh >/dev/null || return 1
	one=$(g rev-parse HEAD)
	touch "$tmp/stamp"
	sleep 0.01	# what is written from now on is newer
	scripts/compose.sh >/dev/null || return 1
	two=$(g rev-parse HEAD)
	[ "$one" = "$two" ] || note "two runs made $one and $two"
	! find "$tree/mm" "$tree/drivers/vhost" "$tree/include" -newer "$tmp/stamp" -type f | grep . ||
		note "the second run touched the files above"
}

# A patch that does not apply, a file that exists, a symbol that is not.
test_compose_refuses() {
	spoil
	sed -i 's/^ EXPORT_SYMBOL_GPL(mmu_interval_read_begin);/ EXPORT_SYMBOL_GPL(elsewhere);/' \
		"$copy/$patches/mm-interval-read-try.patch"
	refused 'mm-interval-read-try.patch does not apply' scripts/compose.sh
	cp "$patches/mm-interval-read-try.patch" "$copy/$patches/"
	echo > "$copy/mm/gup.c"
	echo 'file mm/gup.c' >> "$copy/series"
	refused 'mm/gup.c already exists' scripts/compose.sh
	echo CONFIG_NO_SUCH_THING=y > "$copy/configs/bad.config"
	refused 'CONFIG_NO_SUCH_THING=y did not survive' \
		scripts/build.sh config "$tree" "$cache/build/bad" configs/bad.config
}

# drifted SED FILE: the base as a newer point release that changed FILE
drifted() {
	export RINGMAP_CACHE=$cache/drift BASE=$cache/drift/base
	mkdir -p "$RINGMAP_CACHE"
	ln -sfn -t "$RINGMAP_CACHE" ../ccache ../proofs
	: > "$BASE"
	rm -rf "$RINGMAP_CACHE/tree"
	git clone -q --shared --no-checkout --branch fixes "$cache/tree" "$RINGMAP_CACHE/tree"
	tree=$RINGMAP_CACHE/tree
	g config user.name ringmap
	g config user.email ringmap@localhost
	# Only what composing looks at is checked out.
	g sparse-checkout set --no-cone /Makefile /scripts/ /arch/x86/Makefile /drivers/vhost/ \
		/kernel/locking/ "/$2"
	# A newer base has the fixes, but for those that no 6.12.y has.
	g checkout -q -B base
	for fix in $(sed -n '/^end of fixes/q; s/^patch \(.*\)\.patch/\1/p' series | tac); do
		compgen -G "$patches/$fix.from-*.patch" > /dev/null || [ ! -s "$patches/$fix.patch" ] ||
			g apply -R "$here/$patches/$fix.patch"
	done
	sed -i 's/^SUBLEVEL = .*/SUBLEVEL = 999/' "$tree/Makefile"
	sed -i "$1" "$tree/$2"
	! g diff --quiet -- "$2" || note "$2 has not what '$1' changes"
	g commit -q -a -m drift
	stat -c '%Y-%s' "$BASE" > "$tree/.git/ringmap-base"
}

# A line more inside a hunk's context: composed, with a warning, and the proofs are run.
test_drift_is_placed() {
	drifted 's/^\t\t\ttlb_gather_mmu(&tlb, mm);/&\n/' mm/oom_kill.c
	PROOFS='echo proofs' scripts/compose.sh > /dev/null 2> "$tmp/said" ||
		note "not composed: $(cat "$tmp/said")"
	grep -q 'mm-causes.patch: mm/oom_kill.c:.*__oom_reap_task_mm' "$tmp/said" ||
		note "no warning names the hunk: $(cat "$tmp/said")"
	grep -qx proofs "$tmp/said" || note "the proofs were not run"
	g diff base HEAD -- mm/oom_kill.c | grep -q '^+.*MMU_CAUSE_OOM_REAP' ||
		note "the hunk is not in the tree"
}

# What a hunk stands before is gone, or there twice: told with the commands that mend it,
# which do.
test_drift_is_mended() {
	drifted 's/^\t\t\ttlb_gather_mmu(&tlb, mm);/\t\t\ttlb_gather(\&tlb, mm);/' mm/oom_kill.c
	! scripts/compose.sh > /dev/null 2> "$tmp/said" || note "composed without an anchor"
	for want in 'mm-causes.patch does not apply to 6.12.999: mm/oom_kill.c' \
		'tlb_gather(&tlb, mm)' 'make tree MEND=1' 'mm-causes.from-999.patch'; do
		grep -qF "$want" "$tmp/said" || note "'$want' is not told: $(cat "$tmp/said")"
	done
	spoil
	(
		cd "$copy" || exit
		! MEND=1 scripts/compose.sh > /dev/null 2>&1 || exit 1
		sed -i 's/^\t\t\ttlb_gather(&tlb, mm);/\t\t\tmmu_notifier_range_cause(\&range, MMU_CAUSE_OOM_REAP);\n&/' \
			"$tree/mm/oom_kill.c"
		scripts/refresh.sh 2> "$tmp/said" &&
			FORCE=1 scripts/compose.sh > /dev/null 2> "$tmp/said"
	) || note "not mended: $(cat "$tmp/said")"
	[ -s "$copy/$patches/mm-causes.from-999.patch" ] || note "no variant was written"
	cmp -s "$copy/$patches/mm-causes.patch" "$patches/mm-causes.patch" ||
		note "the patch for older bases was changed"
}

# An edit in the tree comes back to where it belongs, and only there.
test_refresh() {
	trap 'FORCE=1 scripts/compose.sh > /dev/null 2>&1' EXIT
	spoil
	(
		cd "$copy" || exit
		scripts/refresh.sh 2>&1 | grep -q 'nothing was edited' || exit 1
		sed -i 's/MMU_CAUSE_KSM_PROTECT/MMU_CAUSE_KSM_REPLACE/' "$tree/mm/ksm.c"
		sed -i 's/a software TLB for rings/a TLB for rings/' "$tree/drivers/vhost/ringmap.h"
		! env -u FORCE scripts/compose.sh >/dev/null 2>err || exit 1
		grep -q 'has edits' err || exit 1
		scripts/refresh.sh 2>/dev/null || exit 1
		[ "$(grep -c MMU_CAUSE_KSM_REPLACE "$patches/mm-causes.patch")" = 2 ] || exit 1
		grep -q 'a TLB for rings' drivers/vhost/ringmap.h || exit 1
		diff "$patches/vhost-ringmap.patch" "$here/$patches/vhost-ringmap.patch"
	) || note "see above"
	g checkout -q .
	# One that was committed there is one, too.
	sed -i 's/a software TLB for rings/a TLB for rings/' "$tree/drivers/vhost/ringmap.h"
	g commit -q -a -m edit
	! env -u FORCE scripts/compose.sh > /dev/null 2>&1 || note "a commit in the tree was dropped"
	FORCE=1 scripts/compose.sh > /dev/null 2>&1 || note "FORCE=1 does not drop it"
}

# What series writes gives the same tree with git am.
test_series_applies() {
	local wt=$cache/am
	OUT=$tmp/p scripts/series.sh || return 1
	worktree "$wt" base
	git -C "$wt" am --abort 2>/dev/null || true
	git -C "$wt" am -q "$tmp"/p/*.patch || { git -C "$wt" am --abort; return 1; }
	[ "$(git -C "$wt" rev-parse 'HEAD^{tree}')" = "$(g rev-parse 'HEAD^{tree}')" ]
}

# Wrong use: a message that says what to do, and a status that is not 0.
test_wrong_use() {
	local err small
	refuse() {
		local want=$1
		shift
		if err=$("$@" 2>&1 >/dev/null); then
			note "did not fail: $*"
		elif ! grep -q "$want" <<< "$err"; then
			note "$*: expected '$want' and got: $err"
		fi
	}
	refuse 'choose vm, demo, debug' make kernel VARIANT=fast
	refuse 'selftests run on' make selftests VARIANT=off
	refuse 'cannot read REPLAY' make fuzz REPLAY=/nowhere
	refuse 'is not a number' make kernel JOBS=many
	refuse 'is not a file' make tree BASE=/nowhere.tar.xz
	refuse 'there is no patches/5.0' make tree KERNEL=5.0
	refuse 'cannot create' make tree RINGMAP_CACHE=/proc/none
	refuse 'is not a directory' make series OUT=Makefile
	refuse 'nobody offers 6.12.1;' scripts/bases.sh 6.12.1
	refuse 'no part' make check-full PART=none
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
		note "cannot mount a small tmpfs to test a full disk"
	fi
	rmdir "$small"
}

# 'make help' is for a screen.
test_help() {
	[ "$(make help | wc -l)" -le 24 ] || note "make help is longer than 24 lines"
	[ "$(make help | wc -L)" -le 80 ] || note "make help is wider than 80 columns"
	# Each target is told, and each that is told is there.
	make help-all | sed -n 's/^  make \([a-z-]*\).*/\1/p' | sort > "$tmp/told"
	{ make -qp 2>/dev/null || true; } | sed -n 's/^\.PHONY: //p' | tr ' ' '\n' | sort -u |
		grep -vx 'help\|help-all\|distclean\|' | diff "$tmp/told" - ||
		note "the targets that help-all tells (<) and that there are (>) differ"
}

# said_by_figures STATUS WORD [--check]: in the copy
said_by_figures() {
	(notes=0; cd "$copy" && gives "$1" "$2" bench/figures.py "${@:3}" && [ "$notes" = 0 ]) ||
		note "figures: see above"
}

# A figure that somebody writes into a page is found, whichever page it is.
test_figures_by_hand() {
	local page line
	spoil
	mkdir -p "$copy/qemu"
	cp qemu/README.md "$copy/qemu/"
	said_by_figures 0 '' --check
	for page in README.md bench/figures.md bench/report/report.md qemu/README.md \
		Documentation/admin-guide/vhost-ringmap/performance.rst; do
		# the last number of the first line with one, in a block
		line=$(awk '/^(<!--|[.][.]) figures / { on = 1 } /end of figures/ { on = 0 }
			on && /[0-9][.][0-9]+/ && !/figures/ { print NR; exit }' "$copy/$page")
		cp "$copy/$page" "$tmp/page"
		sed -i "${line}s/[0-9]\([^0-9]*\)\$/77\1/" "$copy/$page"
		! cmp -s "$tmp/page" "$copy/$page" || note "$page has no figure"
		said_by_figures 1 "$page" --check
		cp "$tmp/page" "$copy/$page"
	done
	echo 'It is 0.123 of the base.' >> "$copy/README.md"
	said_by_figures 1 '0.123 is a figure outside' --check
}

# Results are kept: runs of one code together, of another in their place. Pages say of which.
test_figures_are_kept() {
	local kept=bench/results/trace-cost.tsv page=Documentation/admin-guide/vhost-ringmap/performance.rst
	spoil
	mkdir -p "$copy/qemu"
	cp qemu/README.md "$copy/qemu/"
	git -C "$copy" init -q
	git -C "$copy" -c user.name=ringmap -c user.email=ringmap@localhost commit -q --allow-empty -m results
	rm -f "$copy"/bench/results/*
	# measured NONE OFF: what a bench leaves
	measured() {
		printf 'packet tx 64 %s\tnone=%s\toff=%s\ton=3000\n' uaccess "$1" "$2" ringmap "$1" "$2" > "$tmp/rows"
		(cd "$copy" && scripts/results.sh keep trace-cost "$tmp/rows")
	}
	measured 1000 1100
	measured 1000 1300
	said_by_figures 0 '^| tx | 64 | uaccess | 1000.0 | 1200.0 |'
	grep -q '^uaccess .* 1.2000 ' "$copy/$page" || note "the page has no median"
	tr '\n' ' ' < "$copy/$page" | grep -q 'in 2 runs' || note "the page says nothing of two runs"
	[ "$(grep -c ^run "$copy/$kept")" = 2 ] || note "not two runs are kept"
	! grep -q 'code has changed' "$copy/$page" || note "the page calls itself stale"
	said_by_figures 0 '' --check
	sed -i 's/off=1300/off=1400/' "$copy/$kept"
	said_by_figures 1 "$page has not what" --check
	sed -i 's/off=1400/off=1300/' "$copy/$kept"
	echo >> "$copy/bench/trace-cost.sh"
	said_by_figures 0 "$page is stale: trace-cost was measured at"
	tr '\n' ' ' < "$copy/$page" | grep -q 'The code has changed since' || note "the page does not say that it is stale"
	said_by_figures 0 '' --check
	measured 1000 1500
	said_by_figures 0 'uaccess | 1000.0 | 1500.0 |'
	[ "$(grep -c ^run "$copy/$kept")" = 1 ] || note "runs of other code are kept"
}

# Rounds of the selftests go on where they were stopped, and say which test failed in which.
test_rounds() {
	spoil
	mkdir "$tmp/bin" "$tmp/cache"
	git -C "$copy" init -q
	git -C "$copy" -c user.name=ringmap -c user.email=ringmap@localhost commit -q --allow-empty -m rounds
	printf '#!/bin/sh\n' | tee "$copy/scripts/compose.sh" > "$copy/scripts/build.sh"
	cat > "$tmp/bin/make" <<-'EOF'
		#!/bin/sh
		for i in 1 2 3 4 5; do echo "  CC      $i.o"; sleep 0.2; done
	EOF
	# A round lasts until something more is built. The third is stopped once.
	cat > "$copy/tests/selftests.sh" <<-EOF
		#!/bin/bash
		echo x >> $tmp/calls
		calls=\$(wc -l < $tmp/calls)
		[ \$calls != 3 ] || { kill \$PPID; exit 1; }
		built() { grep -c CC $tmp/cache/log/rounds-build.log; }
		before=\$(built)
		for i in {1..300}; do
			[ \$calls -lt 6 ] && [ "\$(built)" = "\$before" ] || break
			sleep 0.2
		done
		echo "tests/selftests.sh: base: running in the VM (vm)"
		[ \$calls != 2 ] || { echo "not ok 7 base.uaccess.header # x"; echo "ringvm: FAILED: test results"; exit 1; }
		[ \$calls != 4 ] || { echo "ringvm: FAILED: timeout"; exit 1; }
	EOF
	chmod +x "$tmp/bin/make" "$copy/tests/selftests.sh"
	rounds() {
		(cd "$copy" && RINGMAP_CACHE=$tmp/cache PATH=$tmp/bin:$PATH ROUNDS=$1 tests/rounds.sh > "$tmp/said" 2>&1)
	}
	! rounds 3 || note "was not stopped"
	! rounds 3 || note "passed with failures"
	[ "$(wc -l < "$tmp/calls")" = 4 ] || note "$(wc -l < "$tmp/calls") calls"
	grep -q '^3 rounds, 2 with a failure' "$tmp/said" || note "said: $(cat "$tmp/said")"
	grep -qx 'base.uaccess.header  *2' "$tmp/said" || note "the test is not told: $(cat "$tmp/said")"
	grep -qx 'base: timeout  *3' "$tmp/said" || note "the suite is not told: $(cat "$tmp/said")"
	# Of other files, all are run anew.
	echo '# more' >> "$copy/tests/selftests.sh"
	rounds 1 || note "a good round fails: $(cat "$tmp/said")"
	[ "$(wc -l < "$tmp/calls")" = 5 ] || note "$(wc -l < "$tmp/calls") calls, not 5"
	# Nothing is a round when nothing is built beside it.
	printf '#!/bin/sh\nexit 1\n' > "$tmp/bin/make"
	! rounds 2 || note "passed without a build"
	grep -q 'no kernel was built beside round 2' "$tmp/said" || note "said: $(cat "$tmp/said")"
}

# What each part said is a page, at the end of check-full. A figure changed by hand is a failure.
test_check_full_page() {
	local page
	spoil
	mkdir -p "$copy/qemu" "$tmp/cache/tree"
	cp -r qemu/README.md "$copy/qemu/"
	page=$copy/out/check-full.md
	git -C "$copy" init -q
	printf 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 999\n' > "$tmp/cache/tree/Makefile"
	git -C "$tmp/cache/tree" init -q -b composed
	for dir in "$copy" "$tmp/cache/tree"; do
		git -C "$dir" -c user.name=ringmap -c user.email=ringmap@localhost commit -q --allow-empty -m page
	done
	printf '#!/bin/sh\n' | tee "$copy/scripts/compose.sh" > "$copy/tests/order.sh"
	full() { (cd "$copy" && RINGMAP_CACHE=$tmp/cache PART=$1 scripts/check.sh full > "$tmp/said" 2>&1); }
	full figures || note "figures: $(cat "$tmp/said")"
	full order || note "order: $(cat "$tmp/said")"
	grep -q '^| figures | PASS | none | ' "$page" || note "the page has no figures: $(cat "$page")"
	grep -q '^| order | PASS | 6.12.999 vm | ' "$page" || note "the page has no kernel: $(cat "$page")"
	grep -q '^| storm | NEVER | ' "$page" || note "the page leaves out what was not run"
	grep -q '^2 of [0-9]* parts passed' "$page" || note "the page does not count: $(cat "$page")"
	sed -i 's/yes, 0.974/yes, 0.970/' "$copy/README.md"
	! full figures || note "a figure changed by hand passed"
	grep -q '^| figures | FAIL | ' "$page" || note "the page has no failure"
	echo '# more' >> "$copy/tests/order.sh"
	! full figures || note "passed"
	grep -q '^| order | OLD | ' "$page" || note "what was run on other files is not old: $(cat "$page")"
}

# README's table names what there is, and every folder.
test_layout() {
	local path paths
	paths=$(sed -n '/^| where/,/^$/p' README.md | sed '1,2d' | cut -d '|' -f 2 |
		tr -d '\140' | tr -s ', ' '\n')
	for path in $paths; do
		compgen -G "$path" > /dev/null || note "README names $path, which is not there"
	done
	for path in */; do
		case $path in out/) continue ;; esac
		grep -q "^$path" <<< "$paths" || note "README's table leaves out $path"
	done
}

scripts/compose.sh > /dev/null
mapfile -t all < <(tests_of "$0")
tap "${all[@]}"
