#!/usr/bin/env bash
# fetch-base.sh: the source of a kernel series that the release we run on does not have as a
# package becomes $BASE. It is taken from the package of a newer release.
. scripts/common.sh
. scripts/apt.sh

package=linux-source-$kernel_series
say "looking for $package"
newer_sources deb
version=$(offered "$package" | tail -1 | cut -d ' ' -f 2)
[ -n "$version" ] || die "the package archives offer no $package; is there a network?"
say "fetching $package $version"
deb=$(fetch_package "$cache" "$package" "$version")
dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" > "${BASE:?}.new" ||
	die "cannot unpack $deb; remove it to fetch it again"
# A date that says which one it is, and does not change when it is fetched again
touch -r "$deb" "$BASE.new"
mv "$BASE.new" "$BASE"
rm "$deb"
