#!/usr/bin/env bash
# guest.sh: a guest inside the VM, whose net and vsock are vhost's: upstream's vsock_test
# in both directions, and TCP, by each accessor. The results must be the same.
. scripts/common.sh
. tests/vsock.sh

VARIANT=vm prepare
build_patient_vsock_test

out=$logs/guest
say "a guest in the VM, three times"
ringvm --kernel "$kernel" --memory 2G --timeout 3000 --log "$out.console" --out "$out" \
	--quiet -- "sh $here/vm/in-guest.sh outer $kernel $bin/ringvm $vsock/vsock_test uaccess checked ringmap" ||
	die "the guest failed; what it said is in $out"

for accessor in uaccess checked ringmap; do
	sed -n "s/^$accessor \(to-\)/\1/p" "$out" > "$out.$accessor"
	diff "$out.uaccess" "$out.$accessor" || die "$accessor differs from uaccess"
done
awk '
	$2 ~ /^to-/ { n[$1, $2, /TCP echo/ ? "echo" : "vsock"] += /ok$/; next }
	$3 == "mapped" { mapped[$1] += $4 }
	$3 == "fallback" { fallback[$1] += $4 }
	END {
		printf "%-8s %24s %24s %9s %9s\n", "accessor", "vsock_test: to host, ok",
			"from host, ok", "TCP", "mapped %"
		split("uaccess checked ringmap", mode)
		for (i = 1; i <= 3; i++) {
			m = mode[i]
			all = mapped[m] + fallback[m]
			printf "%-8s %24d %24d %9s %9.2f\n", m, n[m, "to-host", "vsock"],
				n[m, "to-guest", "vsock"],
				n[m, "to-host", "echo"] + n[m, "to-guest", "echo"] == 2 ? "ok" : "FAILED",
				all ? 100 * mapped[m] / all : 0
		}
	}' "$out"
