#!/usr/bin/env bash
# source.sh: make the cache's qemu/$QEMU/src a git tree of a distribution's QEMU with one
# commit per patch of qemu/$QEMU/series, and print its path.
. scripts/common.sh
. scripts/tree.sh
. scripts/apt.sh
. qemu/common.sh

tree=$src
tested=$(cat "$ours/tested")
patches=$ours/patches

# the newest of that version which the archives have, of this release or a newer one
fetch() {
	local found
	mkdir -p "$qemu/download"
	say "fetching the source of QEMU $version"
	newer_sources deb-src
	found=$(own_apt apt-cache showsrc --only-source qemu |
		sed -n "s/^Version: \(.*:${version/./\\.}[^0-9].*\)/\1/p" | sort -V | tail -1)
	[ -n "$found" ] || die "the package archives have no source of QEMU $version"
	(cd "$qemu/download" && rm -f ./* &&
		logged qemu-fetch own_apt apt-get source --download-only "qemu=$found") ||
		die "cannot fetch the source of qemu $found; is there a network?"
}

if [ ! -d "$tree/.git" ]; then
	need_space 4 "QEMU"
	compgen -G "$qemu/download/*.dsc" > /dev/null || fetch
	say "unpacking it"
	rm -rf "$tree.new"
	logged qemu-unpack dpkg-source --no-check -x "$qemu"/download/*.dsc "$tree.new" ||
		die "cannot unpack $qemu/download; remove it to fetch it again"
	rm -rf "$tree.new/.pc"
	import_base "$tree.new" "@$(cd "$tree.new" && dpkg-parsechangelog -S Timestamp) +0000" \
		"qemu $(sed -n 's/^Version: \(.*:\)\?//p' "$qemu"/download/*.dsc)"
fi
distribution=$(g log -1 --format=%s base)
[ "$distribution" = "qemu $tested" ] ||
	say "warning: $distribution is untested, $tested was tested"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
begin_commits
info() { sed -n "s/^$1: //p" "$work/info"; }
count=0
while IFS= read -r name || [ -n "$name" ]; do
	case $name in '' | '#'*) continue ;; esac
	[ -f "$patches/$name" ] || die "$ours/series names $name, which does not exist"
	g mailinfo "$work/body" "$work/diff" < "$patches/$name" > "$work/info"
	[ -n "$(info Date)" ] || die "$patches/$name is not a patch of 'git format-patch'"
	g apply --cached "$work/diff" || die "$patches/$name does not apply to $distribution; rebase it"
	GIT_AUTHOR_NAME=$(info Author) GIT_AUTHOR_EMAIL=$(info Email)
	GIT_AUTHOR_DATE=$(info Date) GIT_COMMITTER_DATE=$(info Date)
	export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE
	commit_index < <(info Subject; echo; cat "$work/body")
	count=$((count + 1))
done < "$ours/series"
check_out_commits "make qemu-refresh QEMU=$version"
say "$distribution and $count commits"
echo "$tree"
