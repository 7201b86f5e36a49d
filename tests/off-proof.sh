#!/usr/bin/env bash
# off-proof.sh: with our options off, the objects we touch are byte for byte what the base
# with the series' fixes builds, line numbers in bug tables aside.
# off-proof.sh notices: a hook that stays when its option is off does not go unnoticed.
. scripts/common.sh

if [ "${1:-}" = notices ]; then
	trap 'git -C "$tree" checkout -q .' EXIT
	sed -i '/^#ifdef CONFIG_VHOST_RINGMAP$/{N;s/.*\n\tstruct dentry/#if 1\n\tstruct dentry/}' \
		"$tree/drivers/vhost/vhost.h"
	! git -C "$tree" diff --quiet || die "the hook to break is not where it was"
	said=$(tests/off-proof.sh 2>&1) || true
	grep 'differ from the base' <<< "$said" ||
		die "a hook that is always on was not noticed"
	exit
fi
worktree "$base" fixes

# Directories with kernel code, and those of every C file that we touch.
mapfile -t dirs < <({ printf '%s\n' mm drivers/vhost virt arch/x86/kvm
	git -C "$tree" diff --name-only --diff-filter=M base ringmap -- '*.c' |
		grep -v ^tools/ | xargs -rn1 dirname; } | sort -u)
for side in off base; do
	src=$tree
	[ "$side" = off ] || src=$base
	scripts/build.sh config "$src" "$cache/build/proof-$side" \
		configs/vm.config configs/off.config
	say "building ${dirs[*]} ($side)"
	logged "proof-$side" kmake "$src" "$cache/build/proof-$side" prepare \
		"${dirs[@]/%//}" || exit 1
done

# All sections but bug tables and file names: code, data, and relocations.
canon() {
	objcopy --strip-debug --strip-unneeded -R __bug_table -R .rela__bug_table \
		-R .comment -R '.note*' -R '.discard*' -R '.rela.discard*' "$1" "$2"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 differ=0
cd "$cache/build/proof-base"
while IFS= read -r o; do
	[ -f "../proof-off/$o" ] || { say "$o is missing in ours"; differ=$((differ + 1)); continue; }
	canon "$o" "$tmp/a"
	canon "../proof-off/$o" "$tmp/b"
	if ! cmp -s "$tmp/a" "$tmp/b"; then
		differ=$((differ + 1))
		say "differs: $o"
		diff <(objdump -hw "$tmp/a") <(objdump -hw "$tmp/b") | grep '^[<>]' | head -6 >&2 || true
	fi
	n=$((n + 1))
done < <(find "${dirs[@]}" -name '*.o' | sort)
[ "$n" -gt 100 ] || die "only $n objects compared; the build is not what it should be"
[ "$differ" = 0 ] || die "$differ of $n objects differ from the base with our options off"
say "identical: $n objects in ${dirs[*]}"
