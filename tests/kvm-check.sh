#!/usr/bin/env bash
# kvm-check.sh: a guest in the VM goes through its memory while its host changes page
# tables: what KVM drops and what the guest faults, by KVM as it was and as it is, with
# two-dimensional paging (npt), without (shadow), and for a guest of the guest's (nested);
# and upstream's KVM selftests that run under emulation (upstream). MODES chooses some,
# MEMORY the MiB of the guest's memory.
. scripts/common.sh
. tests/kvm-guests.sh

# What each action may leave of the pages dropped, faults and flushes that there were: 0
# is none, .5 is half, and + is: as before, some.
goals='
dontneed:+:+:+
split:0:0:0
hints:+:+:0
mprotect read-only:0:0:0
mprotect writable:0:1:0
soft-dirty:0:.5:0
fork:0:.5:0
madv_free:0:1:0
uffd-wp:0:0:0
uffd-wp resolve:0:1:0
background snapshot:0:.5:0
'

# Those that look at memory, at nesting and at pfn caches. Without
# svm_nested_soft_inject_test, which wants NRIPS, and nested_exceptions_test, which wants
# the error code as it was injected: TCG has neither.
upstream=(
	set_memory_region_test
	'dirty_log_test -i 3 -I 100'
	'dirty_log_perf_test -b 16M -i 2'
	'demand_paging_test -b 16M'
	'demand_paging_test -b 16M -u MINOR -s shmem'
	'kvm_page_table_test -b 16M'
	'memslot_perf_test -s 64 -l 1'
	'memslot_modification_stress_test -i 20'
	pre_fault_memory_test
	kvm_binary_stats_test
	x86_64/smm_test
	x86_64/state_test
	x86_64/svm_int_ctl_test
	x86_64/svm_nested_shutdown_test
	x86_64/svm_vmcall_test
	x86_64/xen_shinfo_test
	x86_64/xen_vmcall_test
)

modes=${MODES:-npt shadow nested upstream}
is=$(VARIANT=kvm scripts/build.sh | tail -1)
was=
[ "$modes" = upstream ] || was=$(VARIANT=kvm-was scripts/build.sh | tail -1)
build_tools
mapfile -t programs < <(printf '%s\n' x86_64/mmu_keeps_test "${upstream[@]%% *}" | sort -u)
build_kvm_tests "${programs[@]}"

# run KERNEL IMAGE MODE OPTION...: rows go to $logs/kvm-check-KERNEL-MODE
run() {
	local log=$logs/kvm-check-$1-$3 start=$SECONDS rc=0
	kvm_boot "$3" --kernel "$2" --timeout 1500 --log "$log.console" --out "$log" -- \
		"$(keeps "$3" -m "${MEMORY:-64}" "${@:4}")" || rc=$?
	say "$1, $3: $((SECONDS - start)) s"
	return "$rc"
}

# compare MODE WAS IS: print both, and which goals are missed; the counts go to $results
compare() {
	local mode=$1
	shift
	printf '%-22s %8s %8s %8s  %8s %8s %8s\n' 'as it was, as it is' dropped faults flushes \
		dropped faults flushes
	awk -v goals="$goals" -v mode="$mode" -v results="$results" '
		# The name of an action has blanks; five numbers follow.
		/^# row: / {
			name = substr($0, 8, 22)
			sub(/ *$/, "", name)
			split(substr($0, 30), n)
			for (i = 1; i <= 3; i++)
				count[FNR == NR, name, i] = n[i + 1]
			seen[FNR == NR, name] = 1
		}
		function missed(why) { print name ": " why; bad = 1 }
		END {
			split("dropped faults flushes", what, " ")
			rows = split(goals, row, "\n")
			for (r = 1; r <= rows; r++) {
				if (split(row[r], goal, ":") != 4)
					continue
				name = goal[1]
				if (!seen[1, name] || !seen[0, name]) {
					missed("was not counted")
					continue
				}
				line = sprintf("%-22s", name)
				for (i = 1; i <= 3; i++)
					line = line sprintf(" %8d", count[1, name, i])
				line = line " "
				for (i = 1; i <= 3; i++)
					line = line sprintf(" %8d", count[0, name, i])
				print line
				printf "kvm %s, %s\tdropped_was=%d\tfaults_was=%d\tflushes_was=%d\tdropped=%d\t" \
					"faults=%d\tflushes=%d\n", mode, name, count[1, name, 1], count[1, name, 2],
					count[1, name, 3], count[0, name, 1], count[0, name, 2],
					count[0, name, 3] >> results
				if (name == "background snapshot" && count[1, name, 2])
					printf "limit faults of a background snapshot, %s: as it is against as it was" \
						"\tvalue=%.4f\tgoal=0.5\tmost=0.5\n", mode,
						count[0, name, 2] / count[1, name, 2] >> results
				for (i = 1; i <= 3; i++) {
					was = count[1, name, i]
					is = count[0, name, i]
					if (!was)
						missed("of " what[i] ", nothing was counted")
					if (goal[i + 1] == "+" ? !is : is > goal[i + 1] * was)
						missed(what[i] " are " is " and were " was)
				}
			}
			exit bad
		}' "$@"
}

# In the VM: one result for each line of a list, and what it said if it failed.
cat > "$logs/kvm-upstream.sh" << 'EOF2'
n=0
echo "TAP version 13"
echo "1..$(grep -c . "$2")"
while read -r t; do
	n=$((n + 1)) rc=0 start=$(cut -d . -f 1 /proc/uptime)
	timeout 300 $1/$t < /dev/null > /tmp/said 2>&1 || rc=$?
	took=$(($(cut -d . -f 1 /proc/uptime) - start))
	if [ $rc = 0 ]; then
		echo "ok $n $t ($took s)"
	else
		sed 's/^/# /' /tmp/said
		echo "not ok $n $t ($took s, status $rc)"
	fi
done < "$2"
EOF2

rc=0 results=$logs/kvm-check.tsv
: > "$results"
for mode in $modes; do
	if [ "$mode" = upstream ]; then
		printf '%s\n' "${upstream[@]}" > "$logs/kvm-upstream.list"
		kvm_boot npt --kernel "$is" --timeout 1500 --log "$logs/kvm-check-upstream.console" \
			--out "$logs/kvm-check-upstream" -- \
			"sh $logs/kvm-upstream.sh $kvm_tests $logs/kvm-upstream.list" || rc=$?
		grep -E '^(not )?ok ' "$logs/kvm-check-upstream" || true
		continue
	fi
	run was "$was" "$mode" || rc=$?
	run is "$is" "$mode" -k || rc=$?
	printf '\n%s\n' "$mode: pages dropped, faults next, flushes of an SEV host's caches"
	compare "$mode" "$logs/kvm-check-was-$mode" "$logs/kvm-check-is-$mode" || rc=1
done
[ ! -s "$results" ] || scripts/results.sh keep kvm-check "$results"
[ "$rc" = 0 ] || die "not as it should be; what the guests said is in $logs/kvm-check-*"
