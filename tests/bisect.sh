#!/usr/bin/env bash
# bisect.sh: build the touched directories at each commit, options on.
. scripts/common.sh

wt=$cache/bisect
out=$cache/build/bisect
mkdir -p "$out"
n=0
for commit in $(git -C "$tree" rev-list --reverse base..ringmap); do
	title=$(git -C "$tree" log -1 --format=%s "$commit")
	worktree "$wt" "$commit"
	# Of our options those that this commit has.
	options=$(sed -n 's/^CONFIG_\([A-Z_]*\)=.*/\1/p' configs/ringmap.config)
	known=$(cd "$wt"; cat mm/Kconfig lib/Kconfig.debug Kconfig.ringmap 2>/dev/null || true)
	for o in $options; do
		! grep -x "config $o" <<< "$known" >/dev/null ||
			grep "^CONFIG_$o=" configs/ringmap.config
	done > "$out.fragment"
	scripts/build.sh config "$wt" "$out" configs/vm.config "$out.fragment"
	say "building at: $title"
	targets=(mm/ drivers/vhost/ fs/proc/ kernel/events/)
	[ ! -f "$wt/lib/test_mmu_notifier.c" ] || targets+=(lib/test_mmu_notifier.o)
	logged bisect kmake "$wt" "$out" prepare "${targets[@]}" ||
		die "does not build at $commit: $title"
	for d in vhost mmu_notifier; do
		[ -d "$wt/tools/testing/selftests/$d" ] || continue
		mkdir -p "$out/selftests"
		logged bisect-selftests make -C "$wt/tools/testing/selftests/$d" \
			OUTPUT="$out/selftests" || die "selftests do not build at: $title"
	done
	n=$((n + 1))
done
say "$n commits build"
