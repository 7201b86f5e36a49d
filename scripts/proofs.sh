#!/usr/bin/env bash
# proofs.sh: what must hold of a tree some of whose hunks were placed with less context.
# Once for each tree: that they passed is kept under a hash of all that decides it.
. scripts/common.sh

key=$({ git -C "$tree" rev-parse 'base^{tree}' 'fixes^{tree}' 'ringmap^{tree}'; gcc --version
	cat scripts/{proofs,build,common}.sh tests/{emitters,off-proof}.sh configs/*.config; } |
	sha1sum | cut -d ' ' -f 1)
passed=$shared/proofs/$key
[ ! -e "$passed" ] || exit 0
say "proving that they are in the right place, once for this base: some minutes"
proof() {
	logged "proof-${1##*/}" "$@" || die "$1 fails on this base; look at the hunks above," \
		"then mend them with 'make tree MEND=1' and 'make refresh'"
}
proof tests/emitters.sh
proof scripts/build.sh touched
proof tests/off-proof.sh
mkdir -p "$shared/proofs"
touch "$passed"
