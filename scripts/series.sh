#!/usr/bin/env bash
# series.sh: write the branch as patches for 'git am' to $OUT.
. scripts/common.sh

out=${OUT:?}
[ ! -e "$out" ] || [ -d "$out" ] || die "OUT=$out is not a directory"
mkdir -p "$out" || die "cannot create OUT=$out"
rm -f "$out"/*.patch
git -C "$tree" format-patch -q --no-signature --cover-letter \
	--subject-prefix="PATCH RFC" \
	--cover-from-description=none -o "$(cd "$out" && pwd)" base..ringmap ||
	die "cannot write to $out; is the disk full?"
rm -f "$out"/0000-*.patch
say "$(find "$out" -name '*.patch' | wc -l) patches in $out; apply with 'git am $out/*.patch'"
