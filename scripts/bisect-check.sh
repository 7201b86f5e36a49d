#!/usr/bin/env bash
# bisect-check.sh: build the touched directories at each commit, options on.
. scripts/common.sh

wt=$cache/bisect
out=$cache/build/bisect
git -C "$tree" worktree prune
[ -d "$wt" ] || git -C "$tree" worktree add -q --detach "$wt" base
n=0
for commit in $(git -C "$tree" rev-list --reverse base..ringmap); do
	title=$(git -C "$tree" log -1 --format=%s "$commit")
	git -C "$wt" checkout -q --detach "$commit"
	fragments=(configs/vm.config)
	[ ! -f "$wt/drivers/vhost/ringmap.c" ] || fragments+=(configs/ringmap.config)
	scripts/build.sh config "$wt" "$out" "${fragments[@]}"
	say "building at: $title"
	targets=(mm/ drivers/vhost/)
	logged bisect kmake "$wt" "$out" prepare "${targets[@]}" ||
		die "does not build at $commit: $title"
	if [ -d "$wt/tools/testing/selftests/vhost" ]; then
		mkdir -p "$out/selftests"
		logged bisect-selftests make -C "$wt/tools/testing/selftests/vhost" \
			OUTPUT="$out/selftests" || die "selftests do not build at: $title"
	fi
	n=$((n + 1))
done
say "$n commits build"
