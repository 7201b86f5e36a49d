#!/usr/bin/env bash
# barriers.sh: what cannot be seen at run time on x86 is there in machine code: our
# memory barriers between the right accesses (arm64), and the clamp that keeps an
# index of the driver's in bounds in speculation (x86).
# shellcheck disable=SC2317 # what "logged" calls
. scripts/common.sh

out=$cache/build/arm64
cross() {
	kmake "$tree" "$out" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
		CC='ccache aarch64-linux-gnu-gcc' "$@"
}
build_arm64() {
	cross tinyconfig
	"$tree/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" \
		"$here/configs/arm64.config"
	cross olddefconfig
	cross prepare drivers/vhost/ringmap.o drivers/vhost/vhost.o
}
mkdir -p "$out"
logged arm64 build_arm64 || exit 1
while read -r line; do
	grep -qxF "$line" "$out/.config" || [[ $line == *=n ]] || die "$line did not survive into arm64's .config"
done < <(grep ^CONFIG configs/arm64.config)
logged barriers kmake "$tree" "$cache/build/vm" drivers/vhost/ringmap.o || exit 1

bad=0
# expect OBJDUMP OBJECT FUNCTION PATTERN WHAT: the function's interesting instructions
# in a row, each followed by ';'
expect() {
	local row
	row=$("$1" -d --no-show-raw-insn "$2" | awk -v f="<$3>:" '
		$2 == f { on = 1; next }
		/^$/ { on = 0 }
		on { i = $2; if (i == "dmb") i = i $3
		     # The mask of a clamp has 64 bits; the byte order of a ring has fewer.
		     if (i == "sbb" && $3 !~ /^%r([a-z]+|[0-9]+),/) next
		     if (i ~ /^(dmb|strh|ldrh|sbb)/) printf "%s;", i }')
	if [[ $row =~ $4 ]]; then
		echo "ok    $3: $5"
	else
		echo "WRONG $3: $5: found $row"
		bad=1
	fi
}
arm=$out/drivers/vhost x86=$cache/build/vm/drivers/vhost
expect aarch64-linux-gnu-objdump "$arm/ringmap.o" __vhost_ringmap_add_used \
	'dmbishst;strh;.*dmbish;ldrh;' 'elements, barrier, used index, barrier, event'
expect aarch64-linux-gnu-objdump "$arm/ringmap.o" __vhost_ringmap_enable_notify \
	'strh;dmbish;ldrh;.*dmbishld;' 'request, barrier, avail index, barrier, entries'
expect aarch64-linux-gnu-objdump "$arm/ringmap.o" __vhost_ringmap_avail_idx \
	'ldrh;.*dmbishld;' 'avail index, barrier, entries'
expect aarch64-linux-gnu-objdump "$arm/ringmap.o" __vhost_ringmap_avail_idx \
	'strh;dmbish;ldrh;.*dmbishld;' 'request, barrier, avail index, barrier, entries'
expect aarch64-linux-gnu-objdump "$arm/vhost.o" vhost_add_used_n \
	'dmbishst;.*dmbishst;' 'used index, barrier, dirty log'
expect objdump "$x86/ringmap.o" read_ahead 'sbb;.*sbb;.*sbb;' 'descriptor index clamped, in each of its forms'
expect objdump "$x86/ringmap.o" ringmap_try 'sbb;.*sbb;' 'offset and page clamped'
exit "$bad"
