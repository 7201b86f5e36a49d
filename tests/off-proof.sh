#!/usr/bin/env bash
# off-proof.sh: with our options off, the objects we touch are byte for byte
# what the base builds, line numbers in bug tables aside.
. scripts/common.sh

git -C "$tree" worktree prune
[ -d "$base" ] || { need_space 4 "the base"; git -C "$tree" worktree add -q --detach "$base" base; }
[ "$(git -C "$base" rev-parse HEAD)" = "$(git -C "$tree" rev-parse base)" ] ||
	git -C "$base" checkout -q --detach "$(git -C "$tree" rev-parse base)"

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
