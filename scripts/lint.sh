#!/usr/bin/env bash
# lint.sh: checkpatch --strict, sparse and W=1 on our kernel code; shellcheck and
# codespell-like checks on the rest.
. scripts/common.sh

bad=0
note() { say "$*"; bad=1; }

mapfile -t ours < <(git -C "$tree" diff --name-only --diff-filter=A base ringmap -- '*.[ch]')
say "checkpatch --strict: ${#ours[@]} files and the hooks"
(cd "$tree" && scripts/checkpatch.pl --strict --quiet --terse --no-summary \
	--ignore FILE_PATH_CHANGES,COMMIT_MESSAGE,MISSING_SIGN_OFF \
	-f "${ours[@]}") || note "checkpatch: see above"
# A hook's line stands where the base's style stands.
for p in hooks/"$(cat scripts/base-series)"/*.patch; do
	(cd "$tree" && scripts/checkpatch.pl --quiet --terse --no-summary --no-signoff \
		--ignore FILE_PATH_CHANGES,COMMIT_MESSAGE,COMPLEX_MACRO \
		"$here/$p") || note "checkpatch: $p"
done

out=$cache/build/vm
scripts/build.sh config "$tree" "$out" configs/vm.config configs/ringmap.config
say "sparse and W=1"
objects=(drivers/vhost/ringmap.o drivers/vhost/vhost.o mm/mmu_notifier.o)
(cd "$out" && rm -f "${objects[@]}")
logged lint kmake "$tree" "$out" W=1 C=1 CHECK="sparse -D__CHECK_RINGMAP__" "${objects[@]}" || exit 1
grep -E '(warning|error):' "$logs/lint.log" | grep -E 'ringmap|read_try_begin' >&2 &&
	note "sparse or the compiler warns about our code"

say "shellcheck"
find scripts .ci -name '*.sh' -o -path .ci/run | xargs shellcheck -x -e SC1091,SC2154 ||
	note "shellcheck: see above"
[ "$bad" = 0 ] || die "not clean"
say "clean"
