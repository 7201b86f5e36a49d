#!/usr/bin/env bash
# compose.sh: make the cache's tree a git tree of the base kernel with one commit
# per entry of ./series, and print its path. Commits are built in an index beside the work
# tree, so that updating a tree touches only the files that changed.
. scripts/common.sh

tarball=${BASE:?}
src=$here
tested=$(cat "$patches/tested")
g() { git -C "$tree" -c core.autocrlf=false -c gc.auto=0 "$@"; }

stamp=$(stat -c '%Y-%s' "$tarball")
if [ "$(cat "$tree/.git/ringmap-base" 2>/dev/null || true)" != "$stamp" ]; then
	[ ! -d "$tree" ] || [ -z "$(g status --porcelain 2>/dev/null | head -1)" ] ||
		die "$tree has edits and the base changed; run 'make refresh' first"
	need_space 8 "the base tree"
	say "unpacking ${tarball##*/}"
	rm -rf "$tree.new" "$tree"
	mkdir -p "$tree.new"
	tar -xf "$tarball" -C "$tree.new" --strip-components=1 ||
		die "cannot unpack $tarball into $tree.new; is the disk full?"
	git -C "$tree.new" init -q -b base
	git -C "$tree.new" config core.looseCompression 0
	git -C "$tree.new" config user.name ringmap
	git -C "$tree.new" config user.email ringmap@localhost
	say "committing the base"
	git -C "$tree.new" add -A -f .
	GIT_AUTHOR_DATE="@$(stat -c %Y "$tarball") +0000" \
	GIT_COMMITTER_DATE="@$(stat -c %Y "$tarball") +0000" \
		git -C "$tree.new" commit -q -m "linux $(make -s -C "$tree.new" kernelversion)"
	echo "$stamp" > "$tree.new/.git/ringmap-base"
	mv "$tree.new" "$tree"
fi
version=$(make -s -C "$tree" kernelversion)
case $version in
"$kernel_series".*) ;;
*) die "the base is $version; this branch is for $kernel_series.y" ;;
esac
[ "$version" = "$tested" ] ||
	say "warning: base $version is untested, $tested was tested"

if [ -n "$(g status --porcelain | head -1)" ] && [ -z "${FORCE:-}" ]; then
	die "$tree has edits; keep them with 'make refresh' or drop them with FORCE=1"
fi

export GIT_INDEX_FILE="$tree/.git/ringmap-index"
export GIT_AUTHOR_DATE GIT_COMMITTER_DATE
when=$(g log -1 --format=%ct base)
rm -f "$GIT_INDEX_FILE"
g read-tree base
parent=$(g rev-parse base)
title='' body=''
touched=0

commit() {
	[ -n "$title" ] || return 0
	[ "$touched" = 1 ] || die "series: '$title' changes nothing"
	when=$((when + 60))
	GIT_AUTHOR_DATE="@$when +0000" GIT_COMMITTER_DATE="@$when +0000"
	parent=$(printf '%s\n\n%s' "$title" "$body" |
		g commit-tree "$(g write-tree)" -p "$parent")
	body='' touched=0
}

while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	'#'*) ;;
	'['*']') commit; title=${line#[}; title=${title%]} ;;
	'patch '*)
		g apply --cached "$src/$patches/${line#patch }" ||
			die "$patches/${line#patch } does not apply to $version; rebase it"
		touched=1 ;;
	'file '*)
		f=${line#file }
		[ -f "$f" ] || die "series names $f, which does not exist"
		to=$f
		[ "$f" != Kconfig ] || to=Kconfig.ringmap
		! g ls-files --error-unmatch "$to" >/dev/null 2>&1 ||
			die "$to already exists in the base; an overlay file must be new"
		mode=100644; [ ! -x "$f" ] || mode=100755
		g update-index --add --cacheinfo \
			"$mode,$(g hash-object -w "$src/$f"),$to"
		touched=1 ;;
	*) [ -z "$body$line" ] || body+=$line$'\n' ;;
	esac
done < series
commit

unset GIT_INDEX_FILE
g update-ref refs/heads/composed "$parent"
if [ "$(g symbolic-ref --short HEAD)" != ringmap ]; then
	g checkout -q -B ringmap composed
else
	g reset -q --hard composed
fi
say "$version and $(g rev-list --count base..ringmap) commits"
echo "$tree"
