#!/usr/bin/env bash
# source.sh: make the cache's qemu/src a git tree of the distribution's QEMU 7.2 with one
# commit per patch of qemu/7.2/series, and print its path.
. scripts/common.sh
. scripts/tree.sh
. scripts/apt.sh

qemu=$cache/qemu
tree=$qemu/src
tested=$(cat qemu/7.2/tested)
patches=qemu/7.2/patches

fetch() {
	local version
	mkdir -p "$qemu/download"
	own_sources deb-src
	say "fetching the source of QEMU 7.2"
	logged qemu-update own_apt apt-get update || die "cannot read the package archives; is there a network?"
	version=$(own_apt apt-cache showsrc --only-source qemu |
		sed -n 's/^Version: \(.*:7\.2[^0-9].*\)/\1/p' | sort -V | tail -1)
	[ -n "$version" ] || die "the configured package archives have no source of QEMU 7.2"
	(cd "$qemu/download" && rm -f ./* &&
		logged qemu-fetch own_apt apt-get source --download-only "qemu=$version") ||
		die "cannot fetch the source of qemu $version; is there a network?"
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
version=$(g log -1 --format=%s base)
[ "$version" = "qemu $tested" ] ||
	say "warning: $version is untested, $tested was tested"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
begin_commits
info() { sed -n "s/^$1: //p" "$work/info"; }
count=0
while IFS= read -r name || [ -n "$name" ]; do
	case $name in '' | '#'*) continue ;; esac
	[ -f "$patches/$name" ] || die "qemu/7.2/series names $name, which does not exist"
	g mailinfo "$work/body" "$work/diff" < "$patches/$name" > "$work/info"
	[ -n "$(info Date)" ] || die "$patches/$name is not a patch of 'git format-patch'"
	g apply --cached "$work/diff" || die "$patches/$name does not apply to $version; rebase it"
	GIT_AUTHOR_NAME=$(info Author) GIT_AUTHOR_EMAIL=$(info Email)
	GIT_AUTHOR_DATE=$(info Date) GIT_COMMITTER_DATE=$(info Date)
	export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE
	commit_index < <(info Subject; echo; cat "$work/body")
	count=$((count + 1))
done < qemu/7.2/series
check_out_commits 'make qemu-refresh'
say "$version and $count commits"
echo "$tree"
