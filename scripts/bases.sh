#!/usr/bin/env bash
# bases.sh [ends|VERSION]: try the branch on every source package of its kernel series that
# the configured suites and those of newer releases offer, and print a table; for 7.3 on
# those of 7.2 as well. Of each only what the patches and the touched objects need is
# unpacked. "ends": the oldest and the newest; VERSION: that point release.
# All of this has a cache of its own inside the cache.
mkdir -p "$RINGMAP_CACHE"/{bases,ccache,proofs}
export RINGMAP_CACHE=$RINGMAP_CACHE/bases
ln -sfn -t "$RINGMAP_CACHE" ../ccache ../proofs
. scripts/common.sh
. scripts/apt.sh
. scripts/tree.sh

packages=("linux-source-$kernel_series")
[ "$kernel_series" != 7.3 ] || packages=(linux-source-7.2 "${packages[@]}")
dir=$cache

say "looking for ${packages[*]}"
newer_sources deb
for package in "${packages[@]}"; do
	offered "$package" | sed "s/$/ $package/"
done > "$dir/offered"
[ -s "$dir/offered" ] || die "the package archives offer no ${packages[*]}; is there a network?"
case ${1:-} in
'') cat "$dir/offered" ;;
ends) sed -n '1p;$p' "$dir/offered" | uniq ;;
*) grep "^${1//./\\.} " "$dir/offered" ||
	die "nobody offers $1; there are: $(cut -d ' ' -f 1 "$dir/offered" | paste -sd ' ')" ;;
esac > "$dir/wanted"

# unpack DEB: what mm, vhost and KVM need to be built
parts=(Makefile Kbuild .gitattributes '*Kconfig*' '*/Makefile*' '*/Kbuild*' 'scripts/*' 'include/*'
	'arch/x86/*' 'mm/*' 'kernel/*' 'lib/*' 'virt/*' 'fs/*.h' 'fs/proc/*' 'drivers/vhost/*'
	'net/*.h' 'block/*.h' 'tools/*.h' 'tools/objtool/*' 'tools/lib/*' 'tools/arch/x86/*'
	'tools/scripts/*' 'tools/build/*' 'Documentation/admin-guide/*index.rst'
	Documentation/mm/mmu_notifier.rst)
unpack() {
	rm -rf "$tree" "$tree.new" "$base" "$cache/build"
	mkdir -p "$tree.new"
	dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/$package.tar.xz" |
		tar -xJm -C "$tree.new" --strip-components=1 --wildcards "${parts[@]/#/$package/}" ||
		die "cannot unpack $1; remove it to fetch it again"
	import_base "$tree.new" "@$(stat -c %Y "$1") +0000" \
		"linux $(make -s -C "$tree.new" kernelversion)"
	stat -c '%Y-%s' "$1" > "$tree/.git/ringmap-base"
}

rows=$dir/rows
: > "$rows"
bad=0
while read -r point version suites package <&3; do
	start=$SECONDS applies=strict built=no
	deb=$(fetch_package "$dir" "$package" "$version")
	say "$point: unpacking"
	unpack "$deb"
	if ! ANY_BASE=1 BASE=$deb scripts/compose.sh > /dev/null 2> "$logs/compose-$point.log"; then
		applies=failed built=-
		case $point in "$kernel_series".*) cat ;; *) grep '^error' ;; esac < "$logs/compose-$point.log" >&2
	elif [ -s "$logs/inexact" ]; then
		applies=inexact
		grep -h '@@' "$logs/inexact" >&2
	fi
	if [ "$built" = no ] && scripts/build.sh touched && VARIANT=kvm scripts/build.sh touched; then
		built=yes
	fi
	# Of another series, it is only shown.
	[ "$built" = yes ] || [ "${point#"$kernel_series".}" = "$point" ] || bad=$((bad + 1))
	echo "$point $applies $built $((SECONDS - start)) $suites" >> "$rows"
done 3< "$dir/wanted"
[ "$(wc -l < "$rows")" = "$(wc -l < "$dir/wanted")" ] || die "not every base was tried"
rm -rf "$tree" "$cache/build"
awk '
	BEGIN { printf "%-10s %-8s %-6s %8s  %s\n", "version", "applies", "builds", "seconds", "suites" }
	{ printf "%-10s %-8s %-6s %8d  %s\n", $1, $2, $3, $4, $5 }' "$rows"
[ "$bad" = 0 ] || die "the branch does not apply to $bad of these, or does not build there"
