#!/usr/bin/env bash
# refresh.sh: write the commits of the cache's qemu/$QEMU/src back as qemu/$QEMU/patches/ and
# qemu/$QEMU/series. A patch is named after its subject.
. scripts/common.sh
. qemu/common.sh

[ -d "$src/.git" ] || die "no tree yet; run 'make qemu QEMU=$version'"
g() { git -C "$src" "$@"; }
[ -z "$(g status --porcelain | head -1)" ] || die "$src has edits that are in no commit; commit them first"
[ "$(g merge-base base HEAD)" = "$(g rev-parse base)" ] || die "HEAD of $src does not stand on base"

new=$(mktemp -d)
mkdir "$new/patches"
trap 'rm -rf "$new"' EXIT
sed '/^#/!d' "$ours/series" > "$new/series"
while IFS= read -r commit; do
	name=$(g show -s --format=%f "$commit").patch
	[ ! -e "$new/patches/$name" ] || die "two commits of $src are named '${name%.patch}'"
	g -c diff.algorithm=myers -c diff.context=3 format-patch -1 --stdout --no-numbered \
		--zero-commit --no-signature --abbrev=12 --no-renames "$commit" > "$new/patches/$name"
	echo "$name" >> "$new/series"
done < <(g rev-list --reverse base..HEAD)
rm -rf "$ours/patches"
cp -r "$new"/* "$ours/"
say "wrote $(($(find "$new" -name '*.patch' | wc -l))) patches; look at 'git diff'"
