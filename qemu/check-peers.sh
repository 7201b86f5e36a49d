#!/usr/bin/env bash
# check-peers.sh [VERSION...]: migrate with multifd-adaptive to QEMUs of distributions, which
# do not know it: peers.sh says which. The memory that arrives is compared.
. scripts/common.sh
. qemu/common.sh

tests=(/x86_64/migration/adaptive/{zlib,zstd,one-channel,cancel})
out=$qemu/build
export QTEST_QEMU_BINARY_SRC=$out/qemu-system-x86_64
qemu/build.sh qemu-system-x86_64 tests/qtest/migration-test > /dev/null
bad=0 tried=0
while read -r found peer; do
	for t in "${tests[@]}"; do
		say "$t to QEMU $found"
		log=$logs/qemu-peer-$found${t//\//-}.log
		if QTEST_QEMU_BINARY=$QTEST_QEMU_BINARY_SRC QTEST_QEMU_BINARY_DST=$peer \
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
