#!/usr/bin/env bash
# check.sh [short]: our patches of QEMU ($QEMU) by its own checkpatch, and its tests of
# migration, ours among them. T=name for one test. One that the tree does not have is named
# and left out. SANITIZE=1 runs them with ASan and UBSan, any report of which fails. Short is
# without those that start a QEMU, so that none has to be built.
. scripts/common.sh
. scripts/apt.sh
. qemu/common.sh

out=$qemu/build${SANITIZE:+-sanitize}
qtests=(migration-test)
case $version in
7.2) unit=(test-xbzrle test-link-share test-compress-adaptive) ;;
*) unit=(test-xbzrle test-link-share test-migration-rate test-multifd-raw) ;;
esac
[ "${1:-}" != short ] || qtests=()
if [ -n "${T:-}" ]; then
	wanted() { local t; for t in "$@"; do [ "$t" != "$T" ] || echo "$t"; done; }
	mapfile -t unit < <(wanted "${unit[@]}")
	mapfile -t qtests < <(wanted "${qtests[@]}")
fi

qemu/source.sh > /dev/null
bad=0
# checkpatch NAME: what it has against the patch. A new file of a directory that MAINTAINERS
# has needs nothing there.
checkpatch() {
	(cd "$src" && scripts/checkpatch.pl --quiet --terse --no-summary --strict "$here/$ours/patches/$1") |
		grep -v 'does MAINTAINERS need updating' || true
}
while IFS= read -r name; do
	case $name in '' | '#'*) continue ;; esac
	complaints=$(checkpatch "$name")
	[ -z "$complaints" ] || { say "checkpatch: $name: $complaints"; bad=1; }
done < "$ours/series"

# Both versions decide by the same.
same=migration-decide-how-much-of-a-link-is-for-uncompressed-packets.patch
for f in migration/link-share.{c,h} tests/unit/test-link-share.c; do
	added() { sed -n "\\|^+++ b/$f|,/^diff/s/^+//p" "qemu/$1/patches/$same"; }
	[ "$(added 7.2)" = "$(added 10.0)" ] || { say "$f is not the same in 7.2 and 10.0"; bad=1; }
done

targets=() names=()
for t in "${unit[@]}"; do
	[ -f "$src/tests/unit/$t.c" ] || { say "no unit test $t"; continue; }
	targets+=("tests/unit/$t") names+=("$t")
done
for t in "${qtests[@]}"; do
	targets+=(qemu-system-x86_64 "tests/qtest/$t") names+=("qtest-x86_64/$t")
done
[ ${#names[@]} -gt 0 ] || die "no test ${T:-}"
qemu/build.sh "${targets[@]}" > /dev/null
use_meson

# The older peer of 7.2 is the distribution's own.
old=/usr/bin/qemu-system-x86_64
if [ ${#qtests[@]} = 0 ] || [ "$version" != 7.2 ]; then
	:
elif [[ $("$old" --version 2>/dev/null || true) == *' version 7.2.'* ]]; then
	export QTEST_QEMU_BINARY_OLD=$old
else
	say "no QEMU 7.2 in $old (package qemu-system-x86): the tests with an older peer are left out"
fi
# Also of a process whose end no test looks at. What QEMU has when it exits is no leak to it.
reports=$logs/qemu-sanitizer
rm -f "$reports".*
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$reports
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1:log_path=$reports
say "running ${names[*]}"
logged qemu-test meson test -C "$out" --no-rebuild --print-errorlogs -t 12 "${names[@]}" || bad=1
grep -E '^ *[0-9]+/[0-9]+ |^(Ok|Fail|Skipped|Timeout):' "$logs/qemu-test.log" || true
# They also warn that they know of coroutines only what QEMU tells them.
while IFS= read -r report; do
	head -15 "$report" >&2
	say "a sanitizer's report; the whole is $report"
	bad=1
done < <(grep -lsE 'ERROR: |runtime error: ' "$reports".*)
if [ ${#qtests[@]} -gt 0 ] && [ "$version" != 7.2 ] && [ -z "${SANITIZE:-}" ]; then
	qemu/check-peers.sh || bad=1
fi
if [ "$version" != 7.2 ] && [ -z "${T:-}${SANITIZE:-}" ]; then
	say "running the test of qemu/predict"
	logged predict-test make -C qemu/predict check OUTPUT="$cache/build/migbench" || bad=1
fi
[ "$bad" = 0 ] || die "not clean"
