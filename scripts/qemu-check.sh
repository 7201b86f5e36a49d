#!/usr/bin/env bash
# qemu-check.sh: our patches of QEMU by its own checkpatch, and its tests of migration, ours
# among them. T=name for one test. One that the tree does not have is named and left out.
. scripts/common.sh

src=$cache/qemu/src
out=$cache/qemu/build
unit=(test-xbzrle test-compress-adaptive)
qtests=(migration-test)
if [ -n "${T:-}" ]; then
	wanted() { local t; for t in "$@"; do [ "$t" != "$T" ] || echo "$t"; done; }
	mapfile -t unit < <(wanted "${unit[@]}")
	mapfile -t qtests < <(wanted "${qtests[@]}")
fi

scripts/qemu-source.sh > /dev/null
bad=0
while IFS= read -r name; do
	case $name in '' | '#'*) continue ;; esac
	(cd "$src" && scripts/checkpatch.pl --quiet --terse --no-summary --strict "$here/qemu/$name") ||
		{ say "checkpatch: $name"; bad=1; }
done < qemu/series

targets=() names=()
for t in "${unit[@]}"; do
	[ -f "$src/tests/unit/$t.c" ] || { say "no unit test $t"; continue; }
	targets+=("tests/unit/$t") names+=("$t")
done
for t in "${qtests[@]}"; do
	targets+=("tests/qtest/$t") names+=("qtest-x86_64/$t")
done
[ ${#names[@]} -gt 0 ] || die "no test ${T:-}"
scripts/qemu-build.sh "${targets[@]}" > /dev/null
say "running ${names[*]}"
logged qemu-test meson test -C "$out" --no-rebuild --print-errorlogs -t 4 "${names[@]}" || bad=1
grep -E '^ *[0-9]+/[0-9]+ |^(Ok|Fail|Skipped|Timeout):' "$logs/qemu-test.log" || true
[ "$bad" = 0 ] || die "not clean"
