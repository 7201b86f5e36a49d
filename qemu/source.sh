#!/usr/bin/env bash
# source.sh: make the cache's qemu/src a git tree of the distribution's QEMU 7.2 with
# one commit per patch of qemu/7.2/series, and print its path. Commits are built in an index
# beside the work tree: updating touches only the files that changed, and a patch that
# does not apply leaves everything as it was.
. scripts/common.sh

qemu=$cache/qemu
src=$qemu/src
tested=$(cat qemu/7.2/tested)
patches=qemu/7.2/patches
g() { git -C "$src" -c core.autocrlf=false -c gc.auto=0 "$@"; }

# sources COMMAND...: apt with the configured archives as sources, all of its state in $qemu
sources() {
	"$@" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$qemu/apt/parts" \
		-o Dir::State::Lists="$qemu/apt/lists" -o Dir::Cache="$qemu/apt/cache" \
		-o APT::Sandbox::User=root
}

fetch() {
	local f version
	mkdir -p "$qemu"/apt/{parts,lists/partial,cache/archives/partial} "$qemu/download"
	rm -f "$qemu"/apt/parts/*
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -f "$f" ] || sed -n 's/^deb[[:space:]]/deb-src /p' "$f" > "$qemu/apt/parts/${f##*/}.list"
	done
	for f in /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$f" ] || sed 's/^Types:.*/Types: deb-src/I' "$f" > "$qemu/apt/parts/${f##*/}"
	done
	say "fetching the source of QEMU 7.2"
	logged qemu-update sources apt-get update || die "cannot read the package archives; is there a network?"
	version=$(sources apt-cache showsrc --only-source qemu |
		sed -n 's/^Version: \(.*:7\.2[^0-9].*\)/\1/p' | sort -V | tail -1)
	[ -n "$version" ] || die "the configured package archives have no source of QEMU 7.2"
	(cd "$qemu/download" && rm -f ./* &&
		logged qemu-fetch sources apt-get source --download-only "qemu=$version") ||
		die "cannot fetch the source of qemu $version; is there a network?"
}

if [ ! -d "$src/.git" ]; then
	need_space 4 "QEMU"
	compgen -G "$qemu/download/*.dsc" > /dev/null || fetch
	say "unpacking it"
	rm -rf "$src" "$src.new"
	logged qemu-unpack dpkg-source --no-check -x "$qemu"/download/*.dsc "$src.new" ||
		die "cannot unpack $qemu/download; remove it to fetch it again"
	version=$(sed -n 's/^Version: \(.*:\)\?//p' "$qemu"/download/*.dsc)
	rm -rf "$src.new/.pc"
	git -C "$src.new" init -q -b base
	git -C "$src.new" config user.name ringmap
	git -C "$src.new" config user.email ringmap@localhost
	git -C "$src.new" add -A -f .
	when="@$(cd "$src.new" && dpkg-parsechangelog -S Timestamp) +0000"
	GIT_AUTHOR_DATE=$when GIT_COMMITTER_DATE=$when \
		git -C "$src.new" commit -q -m "qemu $version"
	mv "$src.new" "$src"
fi
version=$(g log -1 --format=%s base)
[ "$version" = "qemu $tested" ] ||
	say "warning: $version is untested, $tested was tested"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
commit=$(g rev-parse base)
export GIT_INDEX_FILE=$work/index
g read-tree base
info() { sed -n "s/^$1: //p" "$work/info"; }
count=0
while IFS= read -r name || [ -n "$name" ]; do
	case $name in '' | '#'*) continue ;; esac
	[ -f "$patches/$name" ] || die "qemu/7.2/series names $name, which does not exist"
	g mailinfo "$work/body" "$work/diff" < "$patches/$name" > "$work/info"
	[ -n "$(info Date)" ] || die "$patches/$name is not a patch of 'git format-patch'"
	g apply --cached "$work/diff" || die "$patches/$name does not apply to $version; rebase it"
	commit=$( (info Subject; echo; cat "$work/body") |
		GIT_AUTHOR_NAME=$(info Author) GIT_AUTHOR_EMAIL=$(info Email) \
		GIT_AUTHOR_DATE=$(info Date) GIT_COMMITTER_DATE=$(info Date) \
		g commit-tree "$(g write-tree)" -p "$commit")
	count=$((count + 1))
done < qemu/7.2/series
unset GIT_INDEX_FILE

# What the tree has beyond the patches that made it, committed or not.
edits() {
	[ -z "$(g status --porcelain | head -1)" ] || return 0
	g rev-parse -q --verify composed >/dev/null || return 1
	! g diff --quiet composed HEAD && ! g diff --quiet "$commit" HEAD
}
if [ -z "${FORCE:-}" ] && edits; then
	die "$src has edits; commit them and keep them with 'make qemu-refresh', or drop them with FORCE=1"
fi
g update-ref refs/heads/composed "$commit"
if [ "$(g symbolic-ref -q --short HEAD || true)" != ringmap ]; then
	g checkout -q -f -B ringmap composed
else
	g reset -q --hard composed
fi
say "$version and $count commits"
echo "$src"
