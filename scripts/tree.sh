# shellcheck shell=bash disable=SC2154
# Sourced after common.sh: $tree is a git tree of an upstream source, its branch "base", with our commits on
# it. The commits are built in an index beside the work tree: updating touches only the
# files that changed, and a patch that does not apply leaves everything as it was.

g() { git -C "$tree" -c core.autocrlf=false -c gc.auto=0 "$@"; }

# import_base DIR WHEN MESSAGE: the unpacked DIR becomes the tree, with one commit
import_base() {
	git -C "$1" init -q -b base
	git -C "$1" config core.looseCompression 0
	git -C "$1" config gc.auto 0
	git -C "$1" config user.name ringmap
	git -C "$1" config user.email ringmap@localhost
	git -C "$1" add -A -f .
	GIT_AUTHOR_DATE=$2 GIT_COMMITTER_DATE=$2 git -C "$1" commit -q -m "$3"
	rm -rf "$tree"
	mv "$1" "$tree"
}

# What is in the tree and not in the commits that made it, committed or not. With NEW, not
# in that commit either.
has_edits() {
	[ -z "$(g status --porcelain | head -1)" ] || return 0
	g rev-parse -q --verify composed >/dev/null || return 1
	! g diff --quiet composed HEAD && ! g diff --quiet "${1:-composed}" HEAD
}

# begin_commits: what follows goes on base; $tip is the last commit
begin_commits() {
	export GIT_INDEX_FILE=$tree/.git/ringmap-index
	rm -f "$GIT_INDEX_FILE" "$GIT_INDEX_FILE.lock"	# a run may have been killed
	g read-tree base
	tip=$(g rev-parse base)
}

# commit_index: the index as a commit on $tip; its message is stdin, its dates and author
# are in the environment
commit_index() { tip=$(g commit-tree "$(g write-tree)" -p "$tip"); }

# check_out_commits REFRESH: the tree becomes $tip. REFRESH is the command that keeps edits.
check_out_commits() {
	unset GIT_INDEX_FILE
	if [ -z "${FORCE:-}" ] && has_edits "$tip"; then
		die "$tree has edits; keep them with '$1', or drop them with FORCE=1"
	fi
	if [ "$(g symbolic-ref -q --short HEAD || true)" != ringmap ]; then
		g checkout -q -f -B ringmap "$tip"
	else
		g reset -q --hard "$tip"
	fi
	[ -z "${FORCE:-}" ] || g clean -fdq
	# Last: a run that is killed before leaves what looks like edits, but they are ours.
	g update-ref refs/heads/composed "$tip"
}
