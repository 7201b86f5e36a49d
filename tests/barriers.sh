#!/usr/bin/env bash
# barriers.sh: what cannot be seen at run time on x86 is there in machine code: memory
# barriers between the right accesses (arm64), and the clamp that keeps an index of the
# driver's in bounds in speculation (x86). model.sh says what each barrier is for.
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
	cross prepare drivers/vhost/{ringmap,ringmap_map,vhost}.o
}
mkdir -p "$out"
logged arm64 build_arm64 || exit 1
while read -r line; do
	grep -qxF "$line" "$out/.config" || [[ $line == *=n ]] || die "$line did not survive into arm64's .config"
done < <(grep ^CONFIG configs/arm64.config)
logged barriers kmake "$tree" "$cache/build/vm" drivers/vhost/{ringmap,vhost}.o || exit 1

bad=0
# expect OBJDUMP OBJECT FUNCTION PATTERN WHAT: the function's interesting instructions
# in a row, each followed by ';'
expect() {
	local row
	row=$("$1" -d --no-show-raw-insn "$2" | awk -v f="<$3>:" '
		# The compiler may have added a suffix.
		$2 ~ /^<.*>:$/ && sub(/[.].*>/, ">", $2) >= 0 && $2 == f { on = 1; next }
		/^$/ { on = 0 }
		on { i = $2; if (i == "dmb") i = i $3
		     # Entry i of a table of 16 bytes each, in bounds of a power of two
		     if (was == "and" && i == "shl" && $3 ~ /^\$0x4,/) printf "mask;"
		     was = i
		     # The mask of a clamp has 64 bits; the byte order of a ring has fewer.
		     if (i == "sbb" && $3 !~ /^%r([a-z]+|[0-9]+),/) next
		     if (i ~ /^(dmb.*|ldr|ldrh|ldar|strh|stlr|sbb)$/) printf "%s;", i }')
	if [[ $row =~ $4 ]]; then
		echo "ok    $3: $5"
	else
		echo "WRONG $3: $5: found $row"
		bad=1
	fi
}
arm=$out/drivers/vhost x86=$cache/build/vm/drivers/vhost
arm64() { expect aarch64-linux-gnu-objdump "$arm/$1" "${@:2}"; }
x86_64() { expect objdump "$x86/$1" "${@:2}"; }

# Between the two loads of the sequence (an acquire, and a load after a barrier) are those
# of an address and of what is there.
scalar='ldar;ldr;ldrh;dmbishld;ldr;' desc='ldar;ldr;ldr;ldr;(ldr;)?dmbishld;ldr;'
arm64 vhost.o vhost_vq_avail_empty "$scalar" 'sequence, avail index, barrier, sequence'
arm64 vhost.o vhost_vq_avail_empty 'strh;dmbishld;' 'avail index, barrier, entries'
arm64 vhost.o vhost_get_vq_desc "$scalar" 'sequence, entry, barrier, sequence'
arm64 vhost.o vhost_get_vq_desc "$desc" 'sequence, descriptor, barrier, sequence'
arm64 vhost.o vhost_notify "dmbish;.*$scalar" \
	'used index, barrier, sequence, event, barrier, sequence'
arm64 vhost.o vhost_add_used_and_enable_notify 'dmbish;' 'request, barrier, avail index'
arm64 vhost.o vhost_add_used_n 'dmbishst;.*dmbishst;' 'used index, barrier, dirty log'
arm64 vhost.o vhost_log_published 'dmbishst;' 'used index, barrier, dirty log'
arm64 ringmap.o __vhost_ringmap_avail 'ldar;.*ldar;.*ldrh;.*dmbishld;ldr;' \
	'sequence, length, value, barrier, sequence'
arm64 ringmap.o __vhost_ringmap_publish 'dmbishst;.*strh;' 'elements, barrier, used index'
arm64 ringmap_map.o ringmap_invalidate 'stlr;ldr;stlr;.*dmbish;' \
	'address, sequence (release), barrier, page'
arm64 ringmap_map.o region_unregister 'stlr;ldr;stlr;.*dmbish;' \
	'address, sequence (release), barrier, notifier'
# What comes before that barrier is of a region that is given up first.
arm64 ringmap_map.o ringmap_fill 'dmbish;(ldr;)*stlr;' "content, page's address (release)"
arm64 ringmap_map.o derive 'stlr;' "content, ring's address (release)"
x86_64 vhost.o vhost_get_vq_desc 'mask;' 'descriptor index clamped'
exit "$bad"
