#!/usr/bin/env bash
# deb.sh: the packages vhost-ringmap-dkms (modules for stock kernels, from the composed
# sources) and vhostctl. The last line is the directory that they are in.
. scripts/common.sh

scripts/compose.sh > /dev/null
# The newest point release whose vhost was looked at: which fixes it has stands in the
# names of the patches.
newest=$kernel_series.$({ sed 's/.*\.//' "$patches/tested"; (cd "$patches" && echo *.from-*.patch) |
	grep -o '[0-9]*\.patch' | tr -d .a-z; } | sort -n | tail -1)
version=$newest+$(git log -1 --format=%cd --date=format:%Y%m%d.%H%M)
out=$cache/deb
source=$out/source
rm -rf "$out"
mkdir -p "$source"
git -C "$tree" archive composed drivers/vhost include/trace/events/vhost.h \
	tools/vhost | tar -xC "$source"
cp -r debian dkms "$source/"
cp -r "$source"/include/trace "$source/dkms/include/"
mv "$source"/drivers/vhost "$source/dkms/"
# The kernel has its own of these.
rm -r "$source"/{drivers,include} "$source"/dkms/vhost/{Kconfig,Makefile,iotlb.c,vringh.c}
# dkms puts a module in the place of the kernel's own only if its version is higher.
for f in "$source"/dkms/{stock,vhost/{vhost,net,vsock,scsi,vdpa,ringmap}}.c; do
	sed -i '/^MODULE_VERSION(/d' "$f"
	echo "MODULE_VERSION(\"$version\");" >> "$f"
done
echo "$newest" > "$source/dkms/tested"
cat > "$source/debian/changelog" <<END
vhost-ringmap ($version) unstable; urgency=medium

  * Commit $(git rev-parse --short HEAD) of the branch.

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(git log -1 --format=%cD)
END
say "building $version"
(cd "$source" && logged deb dpkg-buildpackage -us -uc -b) || exit 1
lintian --fail-on error "$out"/*.changes >&2
rm -r "$source"
say "install: apt install $out/vhost-ringmap-dkms_${version}_all.deb $out/vhostctl_${version}_*.deb"
echo "$out"
