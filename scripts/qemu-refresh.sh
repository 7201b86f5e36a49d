#!/usr/bin/env bash
# qemu-refresh.sh: write the commits of the cache's qemu/src back as qemu/*.patch and
# qemu/series. A patch is named after its subject.
. scripts/common.sh

src=$cache/qemu/src
[ -d "$src/.git" ] || die "no tree yet; run 'make qemu'"
g() { git -C "$src" "$@"; }
[ -z "$(g status --porcelain | head -1)" ] || die "$src has edits that are in no commit; commit them first"
[ "$(g merge-base base HEAD)" = "$(g rev-parse base)" ] || die "HEAD of $src does not stand on base"

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
sed '/^#/!d' qemu/series > "$new/series"
while IFS= read -r commit; do
	name=$(g show -s --format=%f "$commit" | cut -c1-60).patch
	[ ! -e "$new/$name" ] || die "two commits of $src are named '${name%.patch}'"
	g -c diff.algorithm=myers -c diff.context=3 format-patch -1 --stdout --no-numbered \
		--zero-commit --no-signature --abbrev=12 --no-renames "$commit" > "$new/$name"
	echo "$name" >> "$new/series"
done < <(g rev-list --reverse base..HEAD)
rm -f qemu/*.patch
cp "$new"/* qemu/
say "wrote $(($(find "$new" -name '*.patch' | wc -l))) patches; look at 'git diff'"
