#!/usr/bin/env bash
# check-peers.sh [VERSION...]: migrate with multifd-adaptive to QEMUs of distributions, which
# do not know it: peers.sh says which. The memory that arrives is compared. T=name for one
# test.
. scripts/common.sh
. qemu/common.sh

tests=(stopped/zlib stopped/zstd zlib zstd cancel)
[ -z "${T:-}" ] || tests=("$T")
out=$qemu/build
export QTEST_QEMU_BINARY=$out/qemu-system-x86_64
qemu/build.sh qemu-system-x86_64 tests/qtest/migration-test > /dev/null

# starter PATH VERSION: a script that runs it with words that it knows. Distributions do not
# have the accelerator of qtests, which needs no more than any, and 7.2 no '-audio none'.
starter() {
	local old=''
	[ "${2%%.*}" -ge 8 ] || old=yes
	cat <<-END
	#!/bin/sh
	for word; do
		shift
		case ${old:+old}\$last,\$word in
		*-accel,qtest) set -- "\$@" tcg ;;
		old*,-audio | old-audio,none) ;;
		*) set -- "\$@" "\$word" ;;
		esac
		last=\$word
	done
	exec $1 "\$@"
	END
}

bad=0 tried=0
while read -r found peer; do
	start=$qemu/peer-$found/qemu-system-x86_64
	mkdir -p "${start%/*}"
	starter "$peer" "$found" > "$start"
	chmod +x "$start"
	for t in "${tests[@]/#//x86_64/migration/adaptive/}"; do
		say "$t to QEMU $found"
		log=$logs/qemu-peer-$found${t//\//-}.log
		if QTEST_QEMU_BINARY_DST=$start \
			timeout 600 "$out/tests/qtest/migration-test" -p "$t" > "$log" 2>&1 &&
			grep -q "^ok .*$t" "$log" && ! grep -q "^ok .*$t.*SKIP" "$log"; then
			echo "PASS $t to $found"
		else
			tail -5 "$log" >&2
			echo "FAIL $t to $found; the whole log is $log"
			bad=1
		fi
	done
	tried=$((tried + 1))
done < <(qemu/peers.sh "$@")
[ "$tried" -gt 0 ] || die "there is no QEMU to migrate to"
exit "$bad"
