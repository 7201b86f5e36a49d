#!/usr/bin/env bash
# compose.sh: make the cache's tree a git tree of the base kernel with one commit per entry
# of ./series, and print its path. MEND=1 stops at the first hunk that has no place in this
# base, with all the rest of its patch applied.
. scripts/common.sh
. scripts/tree.sh

tarball=${BASE:?}
tested=$(cat "$patches/tested")

stamp=$(stat -c '%Y-%s' "$tarball")
if [ "$(cat "$tree/.git/ringmap-base" 2>/dev/null || true)" != "$stamp" ]; then
	[ ! -d "$tree" ] || [ -n "${FORCE:-}" ] || ! has_edits ||
		die "$tree has edits and the base changed; run 'make refresh' first"
	need_space 8 "the base tree"
	say "unpacking ${tarball##*/}"
	rm -rf "$tree.new"
	mkdir -p "$tree.new"
	# -m: objects of another base must not look newer
	tar -xmf "$tarball" -C "$tree.new" --strip-components=1 ||
		die "cannot unpack $tarball into $tree.new; is the disk full?"
	say "committing the base"
	import_base "$tree.new" "@$(stat -c %Y "$tarball") +0000" \
		"linux $(make -s -C "$tree.new" kernelversion)"
	echo "$stamp" > "$tree/.git/ringmap-base"
fi
version=$(make -s -C "$tree" kernelversion)
case $version in
"$kernel_series".*) ;;
*) [ -n "${ANY_BASE:-}" ] || die "the base is $version; this branch is for $kernel_series.y" ;;
esac
[ "$version" = "$tested" ] || say "warning: base $version is untested, $tested was tested"

# patch_file NAME: the newest variant of a patch that is not newer than the base: NAME.patch,
# or NAME.from-118.patch from point release 118 on. An empty one says that the base has it.
patch_file() {
	local y
	for ((y = ${version##*.}; y > 0; y--)); do
		[ ! -f "$patches/${1%.patch}.from-$y.patch" ] || { echo "${1%.patch}.from-$y.patch"; return; }
	done
	echo "$1"
}

inexact=$logs/inexact
: > "$inexact"
mend=
apply_patch() {
	local file=$patches/$1 rc=0
	[ -f "$file" ] || die "series names $file, which does not exist"
	! g apply --cached "$here/$file" 2>"$logs/apply" || return 0
	if [ "$version" = "$tested" ]; then
		cat "$logs/apply" >&2
		die "$file does not apply to $version; rebase it"
	fi
	/usr/bin/python3 scripts/place.py "$tree" "$file" "$version" ${MEND:+--skip} \
		>> "$inexact" || rc=$?
	[ "$rc" = 0 ] && return
	[ "$rc" = 2 ] && [ -n "${MEND:-}" ] || exit 1
	mend=$1
}

begin_commits
export GIT_AUTHOR_DATE GIT_COMMITTER_DATE
when=$(g log -1 --format=%ct base)
title='' body='' file='' touched=''
fixes=$tip
map=$tree/.git/ringmap-map	# which commit is made of which patch, and what is to be mended
: > "$map.new"

commit() {
	[ -n "$touched" ] || [ -z "$title" ] || die "series: '$title' changes nothing"
	if [ "$touched" = yes ]; then
		when=$((when + 60))
		GIT_AUTHOR_DATE="@$when +0000" GIT_COMMITTER_DATE="@$when +0000"
		commit_index < <(printf '%s\n\n%s' "$title" "$body")
		echo "$tip ${file:--}" >> "$map.new"
	fi
	title='' body='' file='' touched=''
}

while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	'#'*) ;;
	'['*']') commit; title=${line#[}; title=${title%]} ;;
	'end of fixes') commit; fixes=$tip ;;
	'patch '*)
		file=$(patch_file "${line#patch }")
		if [ -s "$patches/$file" ] || [ ! -e "$patches/$file" ]; then
			apply_patch "$file"
			touched=yes
			[ -z "$mend" ] || break
		else
			touched=${touched:-in-base}
		fi ;;
	'file '*)
		f=${line#file }
		[ -f "$f" ] || die "series names $f, which does not exist"
		to=$f
		[ "$f" != Kconfig ] || to=Kconfig.ringmap
		f=$(of_series "$f")
		[ -s "$f" ] || { touched=${touched:-in-base}; continue; }
		! g ls-files --error-unmatch "$to" >/dev/null 2>&1 ||
			die "$to already exists in the base; an overlay file must be new"
		mode=100644; [ ! -x "$f" ] || mode=100755
		g update-index --add --cacheinfo \
			"$mode,$(g hash-object -w "$here/$f"),$to"
		touched=yes ;;
	*) [ -z "$body$line" ] || body+=$line$'\n' ;;
	esac
done < series
commit

[ -z "$mend" ] || echo "mend $mend" >> "$map.new"
check_out_commits 'make refresh'
g update-ref refs/heads/fixes "$fixes"
mv "$map.new" "$map"
if [ -n "$mend" ]; then
	say "the tree ends with $mend and without the hunks above: make their change in $tree, then run 'make refresh'"
	exit 1
fi
say "$version and $(g rev-list --count base..ringmap) commits"
if [ -s "$inexact" ]; then
	say "warning: placed with less context, as $version has other lines around them:"
	cat "$inexact" >&2
	${PROOFS:-scripts/proofs.sh} >&2
fi
echo "$tree"
