#!/usr/bin/env bash
# deps.sh install|check SET...: the Debian packages that we need.
set -euo pipefail

series=${KERNEL:-6.12}
mode=$1
shift
packages=() fetch=
for set in "$@"; do
	case $set in
	build) packages+=(gcc libc6-dev make git perl flex bison bc libelf-dev xz-utils ccache) ;;
	vm) packages+=(qemu-system-x86 busybox-static e2fsprogs iproute2 python3) ;;
	lint) packages+=(sparse shellcheck python3-ply python3-git gcc-aarch64-linux-gnu) ;;
	tools) packages+=(pkg-config libtracecmd-dev libtracefs-dev libtraceevent-dev
		libjson-c-dev gnuplot-nox fonts-dejavu-core trace-cmd bpftrace linux-perf
		tmux mandoc bsdextrautils python3-jsonschema) ;;
	qemu) packages+=(gcc libc6-dev git ccache pkg-config dpkg-dev meson ninja-build
		libglib2.0-dev libpixman-1-dev libzstd-dev libgnutls28-dev libfdt-dev zlib1g-dev
		libjson-c-dev gnuplot-nox fonts-dejavu-core seabios ipxe-qemu qemu-system-data) ;;
	deb) packages+=(debhelper dh-dkms kmod lintian debootstrap pkg-config libtracecmd-dev libtracefs-dev
		libtraceevent-dev libjson-c-dev) ;;
	model) packages+=(spin gcc libc6-dev) ;;
	*) echo "deps: no set '$set'" >&2; exit 1 ;;
	esac
done
# QEMU alone needs no kernel, and neither does spin.
[ -f "${BASE:-}" ] || [ "$*" = qemu ] || [ "$*" = model ] ||
	case ${BASE:-} in
	"${RINGMAP_CACHE:-}"/*) fetch=yes ;;
	*) packages+=("linux-source-$series") ;;
	esac
case ${BASE:-} in
/usr/src/linux-source-"$series".tar.xz | "${RINGMAP_CACHE:-}"/*) ;;
*) [ -f "${BASE:-}" ] || { echo "deps: error: BASE=${BASE:-} is not a file" >&2; exit 1; } ;;
esac

missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' ||
		missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || { ${fetch:+scripts/fetch-base.sh}; exit; }

if [ "$mode" != install ]; then
	echo "deps: error: missing packages: run 'apt-get install ${missing[*]}'" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps: error: not root; as root run 'apt-get install ${missing[*]}', then again" >&2
	exit 1
fi
echo "deps: installing ${missing[*]}" >&2
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! apt-get install -y --no-install-recommends "${missing[@]}" > "$log" 2>&1 &&
   ! { apt-get update > "$log" 2>&1 &&
       apt-get install -y --no-install-recommends "${missing[@]}" > "$log" 2>&1; }; then
	grep -E '^(E|Err|W):' "$log" | head -5 >&2
	echo "deps: error: apt-get could not install ${missing[*]}; is there a network? log: $log" >&2
	exit 1
fi
rm -f "$log"
${fetch:+scripts/fetch-base.sh}
