#!/usr/bin/env bash
# kvm-check.sh: a guest in the VM goes through its memory while its host changes page
# tables: what KVM drops and what the guest faults, by KVM as it was and as it is, with
# two-dimensional paging, without, and for a guest of the guest's. MODES chooses some,
# MEMORY the MiB of the guest's memory.
. scripts/common.sh

was=$(VARIANT=kvm-was scripts/build.sh | tail -1)
is=$(VARIANT=kvm scripts/build.sh | tail -1)
build_tools

# Upstream's library of KVM tests wants the headers of this kernel.
tests=$cache/build/kvm-selftests
logged kvm-headers kmake "$tree" "$cache/build/kvm" headers || exit 1
mkdir -p "$tests"
logged kvm-selftests make -C "$tree/tools/testing/selftests/kvm" OUTPUT="$tests" \
	KHDR_INCLUDES="-isystem $cache/build/kvm/usr/include" "$tests/x86_64/mmu_keeps_test" || exit 1

# run KERNEL IMAGE MODE OPTION...: rows go to $logs/kvm-check-KERNEL-MODE
run() {
	local log=$logs/kvm-check-$1-$3 append=numa=fake=2
	[ "$3" != shadow ] || append+=' kvm_amd.npt=0'
	say "$1, $3"
	# Events patch code, for which TCG wants one thread.
	ringvm --kernel "$2" --accel single --memory 2G --timeout 3000 --tap 1 --quiet \
		--append "$append" --log "$log.console" --out "$log" -- \
		"$tests/x86_64/mmu_keeps_test -m ${MEMORY:-64} ${*:4}"
}

rc=0 results=$logs/kvm-check.tsv
: > "$results"
for mode in ${MODES:-npt shadow nested}; do
	option=
	[ "$mode" != nested ] || option=-n
	run was "$was" "$mode" $option || rc=$?
	run is "$is" "$mode" -k $option || rc=$?
	printf '\n%s\n' "$mode: pages dropped, faults next, flushes of an SEV host's caches"
	printf '%-22s %8s %8s %8s  %8s %8s %8s\n' 'as it was, as it is' dropped faults flushes \
		dropped faults flushes
	# The action's name has blanks; five numbers follow.
	awk -v mode="$mode" -v results="$results" '
		!/^# row: / { next }
		{
			name = substr($0, 8, 22)
			split(substr($0, 30), n)
			of = name
			sub(/ +$/, "", of)
		}
		FNR == NR { dropped[name] = n[2]; flushed[name] = n[4] }
		FNR == NR { was[name] = sprintf("%8d %8d %8d", n[2], n[3], n[4]); faults[name] = n[3]; next }
		{ printf "%s %s  %8d %8d %8d\n", name, was[name], n[2], n[3], n[4] }
		{
			printf "kvm %s, %s\tdropped_was=%d\tfaults_was=%d\tflushes_was=%d\tdropped=%d\t" \
				"faults=%d\tflushes=%d\n", mode, of, dropped[name], faults[name],
				flushed[name], n[2], n[3], n[4] >> results
		}
		name ~ /^background snapshot/ {
			printf "limit faults of a background snapshot, %s: as it is against as it was\tvalue=%.4f" \
				"\tgoal=0.5\tmost=0.5\n", mode, n[3] / faults[name] >> results
		}
		name ~ /^background snapshot/ { seen = 1; bad = 2 * n[3] > faults[name] }
		END { exit bad || !seen }' "$logs/kvm-check-was-$mode" "$logs/kvm-check-is-$mode" || {
		say "$mode: a background snapshot takes more than half of the faults, or did not end"
		rc=1
	}
done
scripts/results.sh keep kvm-check "$results"
[ "$rc" = 0 ] || die "not as it should be; what the guests said is in $logs/kvm-check-*"
