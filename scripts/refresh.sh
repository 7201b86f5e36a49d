#!/usr/bin/env bash
# refresh.sh: write edits made in the composed tree back to patches/ and to our own
# files. An edited file belongs to the last commit of the series that touches it; a new one
# to the last commit. After 'make tree MEND=1', edits of kernel files go to the patch that
# has no place in this base, as a variant of it from this point release on.
. scripts/common.sh
. scripts/tree.sh

[ -d "$tree/.git" ] || die "no tree yet; run 'make tree'"
composed=$(g rev-parse composed)
[ "$(g merge-base base HEAD)" = "$(g rev-parse base)" ] || die "HEAD of $tree does not stand on base"
commits=() names=() mend=
while read -r commit name; do
	case $commit in
	mend) mend=$name ;;
	*) commits+=("$commit") names+=("$name") ;;
	esac
done < <(cat "$tree/.git/ringmap-map" 2>/dev/null)
[ "${commits[-1]:-}" = "$composed" ] ||
	die "the tree was not made as a whole; run 'make tree', with FORCE=1 if it has no edits of yours"

# All edits, committed or not, as one tree.
export GIT_INDEX_FILE=$tree/.git/ringmap-refresh
rm -f "$GIT_INDEX_FILE"
g read-tree HEAD
g add -A .
edited=$(g write-tree)
unset GIT_INDEX_FILE
mapfile -t files < <(g diff-tree -r --name-only "$composed" "$edited")
[ ${#files[@]} -gt 0 ] || { say "nothing was edited"; exit 0; }

ours() { ! g cat-file -e "base:$1" 2>/dev/null; }
for f in "${files[@]}"; do
	to=$f
	[ "$f" != Kconfig.ringmap ] || to=Kconfig
	if ! g cat-file -e "$edited:$f" 2>/dev/null; then
		die "$f was removed; take it out of series by hand"
	elif ours "$f"; then
		if ! grep -qxF "file $to" series; then
			[ -z "$(tail -c1 series)" ] || echo >> series
			echo "file $to" >> series
			say "new: $to (in the last commit of series; move its line if it belongs elsewhere)"
		fi
		to=$(of_series "$to")
		mkdir -p "$(dirname "$to")"
		g show "$edited:$f" > "$to"
		say "wrote $to"
	fi
done

# Rewrite each commit's patch: a base file has its new contents from the last
# commit that touches it, and its old ones before.
declare -A last
[ -n "$mend" ] || for i in "${!commits[@]}"; do
	while IFS= read -r f; do
		last[$f]=$i
	done < <(g diff-tree -r --no-commit-id --name-only --diff-filter=M "${commits[i]}")
done
for f in "${files[@]}"; do
	ours "$f" && continue
	i=${last[$f]:-$((${#commits[@]} - 1))}
	[ "${names[i]}" != - ] || die "$f is edited, but the series' last commit has no patch; give it one"
	export GIT_INDEX_FILE=$tree/.git/ringmap-refresh
	g read-tree "${commits[i]}"
	for h in "${files[@]}"; do
		ours "$h" || [ "${last[$h]:-$((${#commits[@]} - 1))}" != "$i" ] ||
			g update-index --cacheinfo "$(g ls-tree "$edited" -- "$h" | awk '{ print $1 "," $3 }'),$h"
	done
	now=$(g write-tree)
	unset GIT_INDEX_FILE
	name=${names[i]}
	if [ -n "$mend" ]; then
		name=${name%.patch}
		name=${name%.from-*}.from-$(make -s -C "$tree" kernelversion | cut -d. -f3).patch
	fi
	g diff --diff-filter=M "${commits[i]}^" "$now" > "$patches/$name"
	say "wrote $patches/$name"
done
say "look at 'git diff', then 'FORCE=1 make tree'"
