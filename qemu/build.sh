#!/usr/bin/env bash
# build.sh [TARGET...]: build the QEMU of the cache's qemu/$QEMU/src, or what of it is asked for;
# print the path of its qemu-system-x86_64. PREFIX=dir installs that. SANITIZE=1 builds, beside
# it, one that finds accesses past a buffer and undefined behaviour.
. scripts/common.sh
. scripts/apt.sh
. qemu/common.sh

out=$qemu/build
flags=(--target-list=x86_64-softmmu --without-default-features --enable-tcg --enable-zstd
	--enable-gnutls
	'--cc=ccache gcc'
	# the distribution's source comes without firmware, which is in packages of its own
	--firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu)
case $version in
7.2) flags+=(--with-git-submodules=ignore) sanitizers=(--enable-sanitizers) ;;
*) flags+=(--disable-download --disable-install-blobs) sanitizers=(--enable-asan --enable-ubsan) ;;
esac
if [ -n "${SANITIZE:-}" ]; then
	out=$out-sanitize
	flags+=("${sanitizers[@]}")
fi
use_meson
export CCACHE_DIR=$shared/ccache CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$shared/qemu

configure() { (cd "$out" && "$src/configure" "${flags[@]}"); }
if [ "$(cat "$out/flags" 2>/dev/null)" != "${flags[*]}" ]; then
	rm -rf "$out"
	mkdir -p "$out"
	say "configuring QEMU"
	logged qemu-configure configure || exit 1
	# Where a QEMU that is not installed looks for it.
	mkdir -p "$out/qemu-bundle/usr/share" "$out/qemu-bundle/usr/lib/ipxe"
	ln -s -t "$out/qemu-bundle/usr/share" /usr/share/qemu /usr/share/seabios
	ln -s -t "$out/qemu-bundle/usr/lib/ipxe" /usr/lib/ipxe/qemu
	echo "${flags[*]}" > "$out/flags"
fi
say "building QEMU"
logged qemu-build ninja -C "$out" -j"$jobs" "${@:-qemu-system-x86_64}" || exit 1
if [ -n "${PREFIX:-}" ]; then
	install -D -t "$PREFIX/bin" "$out/qemu-system-x86_64" || die "cannot install into PREFIX=$PREFIX"
	out=$PREFIX/bin
fi
echo "$out/qemu-system-x86_64"
