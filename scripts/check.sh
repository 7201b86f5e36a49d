#!/usr/bin/env bash
# check.sh: the parts of 'make check', one line each, then the totals.
# check.sh full: these and the slow ones; out/check-full.md is a page of the verdicts. One is
# kept with a hash of what the part depends on; a part that passed on the same is not run
# again, so that a run that was stopped goes on where it was. PART=name runs one part, whatever
# is kept. Rounds, which take hours, are run only so.
. scripts/common.sh
. scripts/tree.sh
. scripts/parts.sh

git rev-parse -q --verify HEAD > /dev/null || die "git does not read this checkout"
# What a part runs on is for this script to say.
export VARIANT=vm
unset FORCE MEND PROOFS QUICK ROUNDS SECONDS_OF_TRAFFIC TIMEOUT SANITIZE T WORKERS QEMU

full=${1:-} only=${PART:-}
verdicts=$cache/verdicts
mkdir -p "$verdicts"

# on_kernel PART COMMAND...: what it runs on
on_kernel() {
	local name=$1 variant=''
	shift
	case $name in
	overlay | bases | emitters | lint | figures | model | barriers | off-proof* | bisect | qemu-*)
		echo 'none' && return ;;
	stock-*) echo "the distribution's" && return ;;
	mutants-guards | mutants-lies | modules) variant=modular ;;
	mutants-debug) variant='modular, debug' ;;
	kvm) variant='kvm, kvm-was' ;;
	mutants-kvm) variant=kvm ;;
	mm-cost | mm-queues | ring-cost | hmm) variant='vm, base' ;;
	bench-quick) variant='vm, base, bound' ;;
	trace-cost) variant='vm, no tracepoints' ;;
	*) variant=$(printf '%s\n' "$@" | sed -n 's/^VARIANT=//p') ;;
	esac
	echo "$(awk -F ' = ' '$1 ~ /^(VERSION|PATCHLEVEL|SUBLEVEL)$/ { v = v (v ? "." : "") $2 } END { print v }' \
		"$tree/Makefile") ${variant:-vm}"
}

names=() passed=0 failed=0 kept=0
declare -A keys
# part NAME PATH... -- COMMAND...
part() {
	local name=$1 paths=() start=$SECONDS tree_key head verdict
	shift
	while [ "$1" != -- ]; do
		paths+=("$1")
		shift
	done
	shift
	names+=("$name")
	tree_key=$(key "${paths[@]}")
	keys[$name]=$tree_key
	case $only in '' | "$name") ;; *) return 0 ;; esac
	[ "$name" != rounds ] || [ "$only" = rounds ] || return 0
	if [ -n "$full" ]; then
		if [ -z "$only" ] && grep -qs "^$tree_key PASS " "$verdicts/$name"; then
			kept=$((kept + 1))
			return
		fi
		echo "$tree_key STOPPED - $(git describe --always --dirty) $(date +%FT%T)" > "$verdicts/$name"
	fi
	say "$name"
	head=$(g rev-parse composed)
	verdict=FAIL
	! "$@" || verdict=PASS
	# Somebody may edit, or compose something else in this cache, meanwhile.
	[ "$(key "${paths[@]}") $(g rev-parse composed)" = "$tree_key $head" ] || tree_key=changed
	[ "$verdict" = PASS ] && passed=$((passed + 1)) || failed=$((failed + 1))
	echo "$verdict $name ($((SECONDS - start)) s)"
	[ -z "$full" ] || echo "$tree_key $verdict $((SECONDS - start)) $(git describe --always --dirty)" \
		"$(date +%FT%T) $(on_kernel "$name" "$@")" > "$verdicts/$name"
}

# each_verdict: of each part: name, verdict, seconds, key, commit, when it ended, kernel
each_verdict() {
	local name tree_key verdict seconds commit when kernel
	for name in "${names[@]}"; do
		read -r tree_key verdict seconds commit when kernel < <(cat "$verdicts/$name" 2>/dev/null ||
			echo '- NEVER - - - -')
		[ "$tree_key" = "${keys[$name]}" ] || [ "$verdict" = NEVER ] || verdict=OLD
		echo "$name $verdict $seconds $tree_key $commit $when $kernel"
	done
}

# summary: what each part said, as a page
summary() {
	echo "# make check-full"
	echo
	echo "Of commit $(git describe --always --dirty), on $(date +%F), with $(nproc) processors."
	echo
	each_verdict | awk '
		function hours(s) { return sprintf("%d:%02d", s / 3600, s % 3600 / 60) }
		function took(s,  of) {
			of = "our kernel"
			if ($1 ~ /^qemu/) of = "QEMU"
			if ($1 ~ /^(stock|readers)/) of = "the distribution\047s"
			if ($1 ~ /^(kvm|rounds)/) of = $1
			seconds[of] += s
			total += s
			if (s > longest && $1 != "rounds") { longest = s; which = $1 }
		}
		{ verdicts[$2]++ }
		$2 == "PASS" || $2 == "FAIL" { took($3 + 0) }
		{
			kernel = $7
			for (i = 8; i <= NF; i++)
				kernel = kernel " " $i
			rows[NR] = sprintf("| %s | %s | %s | %s | %s | %s |", $1, $2, kernel, $3, $5, $6)
		}
		END {
			printf "%d of %d parts passed on what they depend on now", verdicts["PASS"], NR
			for (v in verdicts)
				if (v != "PASS")
					printf "; %s: %d", v, verdicts[v]
			printf ".\nThey took %s hours:", hours(total)
			for (of in seconds)
				printf " %s %s,", of, hours(seconds[of])
			printf " the longest part, %s, %s.\n\n", which, hours(longest)
			print "| part | verdict | kernel | seconds | commit | ended |\n|---|---|---|---|---|---|"
			for (i = 1; i <= NR; i++)
				print rows[i]
			print "\nOLD is of a tree that was another one where this part depends on it. STOPPED did not end."
		}'
}

# first NAME PATH... -- COMMAND...: a part that is about the first kernel series alone
first() { [ "$kernel_series" != 6.12 ] || part "$@"; }
# again NAME PATH... -- COMMAND...: a part of NAME that runs once more, on Linux 7.3
again() {
	local name=$1 paths=()
	shift
	while [ "$1" != -- ]; do
		paths+=("$1")
		shift
	done
	shift
	first "$name-7.3" "${paths[@]}" tests/kernel.sh -- env VARIANT=vm tests/kernel.sh 7.3 env "$@"
}

scripts/compose.sh > /dev/null
part overlay "${vm[@]}" tools vm Documentation Makefile README.md scripts tests "$(echo ./*/)" -- env T= tests/overlay.sh
# What the archives offer changes from day to day.
first bases "${vm[@]}" tools Documentation scripts tests/{emitters,off-proof}.sh "$(date +%F)" --\
	scripts/bases.sh ends
part kernel "${vm[@]}" -- env VARIANT=vm scripts/build.sh
part emitters "${vm[@]}" tools tests/emitters.sh -- tests/emitters.sh
part docs "${vm[@]}" tools vm Documentation README.md tests/docs.sh -- tests/docs.sh
part harness "${vm[@]}" tests/harness.sh -- tests/harness.sh
part lint "${vm[@]}" tools vm Documentation scripts "${bench[@]}" tests qemu .ci -- scripts/lint.sh
part figures bench scripts/{parts,results}.sh Documentation README.md qemu/README.md -- bench/figures.py --check
part barriers "${vm[@]}" tests/barriers.sh -- tests/barriers.sh
part model tests/model tests/model.sh scripts/common.sh -- tests/model.sh
first kernel-7.3 "${vm[@]}" tools tests/{kernel,emitters,selftests}.sh tests/mutants scripts bench -- \
	env VARIANT=vm T= tests/kernel.sh 7.3
part selftests "${vm[@]}" tools tests/selftests.sh -- env VARIANT=vm T= tests/selftests.sh
part vhostctl "${vm[@]}" tools vm tests/vhostctl.sh -- env VARIANT=vm T= tests/vhostctl.sh
part fuzz-short "${vhost[@]}" "$t"/vhost/ringmap_fuzz_test.c tests/fuzz.sh -- \
	env VARIANT=vm SEED=1 CALLS=20000 VMS=1 REPLAY= tests/fuzz.sh
first budget "${vhost[@]}" "$t"/vhost/ringmap_{bench,cost}_tool.c "${bench[@]}" -- bench/bench.sh budget
part off-proof "${vm[@]}" tests/off-proof.sh -- tests/off-proof.sh
first stock-short "${vm[@]}" tools vm "${stock[@]}" "$(date +%F)" -- tests/stock.sh short
part qemu-7.2-short qemu/7.2 "${qemu[@]}" -- env QEMU=7.2 SANITIZE= T= qemu/check.sh short
part qemu-10.0-short qemu/10.0 "${qemu[@]}" -- env QEMU=10.0 SANITIZE= T= qemu/check.sh short
if [ -n "$full" ]; then
	part selftests-debug "${vm[@]}" tools tests/selftests.sh -- env VARIANT=debug T= tests/selftests.sh
	part selftests-kcsan "${vm[@]}" tools tests/selftests.sh -- env VARIANT=kcsan T= tests/selftests.sh
	part modules "${vm[@]}" tools vm tests/modules.sh -- env T= tests/modules.sh
	part selftests-rt "${vm[@]}" tools tests/selftests.sh -- env VARIANT=rt T= tests/selftests.sh
	part selftests-kthread "${vm[@]}" tools tests/selftests.sh -- \
		env VARIANT=vm WORKERS=kthread T= tests/selftests.sh
	part storm "${vhost[@]}" "$t"/vhost/ringmap_storm_test.c tests/storm.sh -- env VARIANT=vm tests/storm.sh
	part storm-debug "${vhost[@]}" "$t"/vhost/ringmap_storm_test.c tests/storm.sh -- env VARIANT=debug tests/storm.sh
	part storm-rt "${vhost[@]}" "$t"/vhost/ringmap_storm_test.c tests/storm.sh -- env VARIANT=rt tests/storm.sh
	part storm-kthread "${vhost[@]}" "$t"/vhost/ringmap_storm_test.c tests/storm.sh -- \
		env VARIANT=vm WORKERS=kthread tests/storm.sh
	part fuzz-debug "${vhost[@]}" "$t"/vhost/ringmap_fuzz_test.c tests/fuzz.sh -- \
		env VARIANT=debug SEED="$(date +%s)" CALLS=20000 VMS=1 REPLAY= tests/fuzz.sh
	part fuzz "${vhost[@]}" "$t"/vhost/ringmap_fuzz_test.c tests/fuzz.sh -- \
		env VARIANT=vm SEED="$(date +%s)" CALLS=1000000 VMS=2 REPLAY= tests/fuzz.sh
	part order "${vm[@]}" tools tests/order.sh -- tests/order.sh
	part off-proof-notices "${vm[@]}" tests/off-proof.sh -- tests/off-proof.sh notices
	part bisect "${vm[@]}" tools tests/bisect.sh -- tests/bisect.sh
	part mutants-guards "${vm[@]}" tools tests/{mutants,barriers}.sh tests/mutants -- \
		env VARIANT=vm T=guards tests/mutants.sh
	part mutants-debug "${vm[@]}" tools tests/{mutants,barriers}.sh tests/mutants -- \
		env VARIANT=vm T=debug tests/mutants.sh
	part mutants-lies "${vm[@]}" tools tests/{mutants,barriers}.sh tests/mutants -- env VARIANT=vm T=lies tests/mutants.sh
	part mm-cost "${vm[@]}" "$t"/mmu_notifier "${bench[@]}" -- bench/mm-cost.sh
	part mm-queues "${vhost[@]}" "$t"/vhost/ringmap_mmcost_tool.c "${bench[@]}" -- bench/mm-queues.sh
	part ring-cost "${vhost[@]}" "$t"/vhost/ringmap_cost_tool.c "${bench[@]}" -- bench/ring-cost.sh
	first bench-quick "${vhost[@]}" "$t"/vhost/ringmap_{bench,cost}_tool.c "${bench[@]}" -- env QUICK=1 bench/bench.sh
	part trace-cost "${vhost[@]}" "$t"/vhost/ringmap_cost_tool.c "${bench[@]}" -- bench/trace-cost.sh
	for release in ours stable; do
		for flavours in plain rt; do
			first "stock-$release-$flavours" "${vm[@]}" tools vm "${stock[@]}" "$(date +%F)" -- \
				tests/stock.sh "$release" "$flavours"
		done
	done
	first readers "${vm[@]}" tools vm scripts/apt.sh tests/{readers.sh,gaps.py} "$(date +%F)" -- tests/readers.sh
	part self-compare "${vm[@]}" tools tests/self-compare.sh -- tests/self-compare.sh
	part guest "${vm[@]}" vm tests/guest.sh "${vsock[@]}" -- tests/guest.sh
	part migrate "${vm[@]}" tools vm tests/migrate.sh -- env ROUNDS=5 tests/migrate.sh
	part hmm "${vm[@]}" tests/hmm.sh -- tests/hmm.sh
	part mutants-kvm "${vm[@]}" "$t"/kvm tests/{mutants,kvm-guests}.sh tests/mutants -- \
		env VARIANT=vm T=kvm tests/mutants.sh
	again selftests "${vm[@]}" tools tests/selftests.sh -- T= tests/selftests.sh
	again lint "${vm[@]}" tools vm Documentation scripts "${bench[@]}" tests qemu .ci -- scripts/lint.sh
	again off-proof "${vm[@]}" tests/off-proof.sh -- tests/off-proof.sh
	again fuzz "${vhost[@]}" "$t"/vhost/ringmap_fuzz_test.c tests/fuzz.sh -- \
		SEED="$(date +%s)" CALLS=1000000 VMS=2 REPLAY= tests/fuzz.sh
	again storm "${vhost[@]}" "$t"/vhost/ringmap_storm_test.c tests/storm.sh -- tests/storm.sh
	again order "${vm[@]}" tools tests/order.sh -- tests/order.sh
	again selftests-debug "${vm[@]}" tools tests/selftests.sh -- VARIANT=debug T= tests/selftests.sh
	again mutants-guards "${vm[@]}" tools tests/{mutants,barriers}.sh tests/mutants -- T=guards tests/mutants.sh
	again mutants-debug "${vm[@]}" tools tests/{mutants,barriers}.sh tests/mutants -- T=debug tests/mutants.sh
	again mutants-lies "${vm[@]}" tools tests/{mutants,barriers}.sh tests/mutants -- T=lies tests/mutants.sh
	first kvm "${vm[@]}" "$t"/kvm tests/kvm-{check,guests}.sh -- env MODES= MEMORY= tests/kvm-check.sh
	part qemu-7.2 qemu/7.2 "${qemu[@]}" -- env QEMU=7.2 SANITIZE= T= qemu/check.sh
	part qemu-7.2-sanitize qemu/7.2 "${qemu[@]}" -- env QEMU=7.2 SANITIZE=1 T= qemu/check.sh
	part qemu-10.0 qemu/10.0 "${qemu[@]}" qemu/{peers,check-peers}.sh -- \
		env QEMU=10.0 SANITIZE= T= qemu/check.sh
	part qemu-10.0-pairs qemu/10.0 "${qemu[@]}" qemu/{pairs.sh,bench} -- \
		env QEMU=10.0 qemu/pairs.sh smoke
	part qemu-10.0-sanitize qemu/10.0 "${qemu[@]}" -- env QEMU=10.0 SANITIZE=1 T= qemu/check.sh
	part rounds "${vm[@]}" tools tests/{selftests,rounds}.sh -- env ROUNDS=20 tests/rounds.sh
fi
if [ -n "$only" ] && [ $((passed + failed)) = 0 ]; then
	die "no part '$only'; choose one of: ${names[*]}"
fi
if [ -n "$full" ]; then
	printf '\n%-18s %-8s %6s  %-12s  %s\n' part verdict seconds tree 'commit, when it ended'
	while read -r name verdict seconds tree_key commit when _; do
		printf '%-18s %-8s %6s  %-12s  %s\n' "$name" "$verdict" "$seconds" "$tree_key" "$commit $when"
	done < <(each_verdict)
	mkdir -p out
	summary > out/check-full.md
	say "a page of this: out/check-full.md"
	echo "OLD: of a tree that was another one where this part depends on it; run it again"
	echo "$kept kept from earlier runs of the same tree"
fi
say "$SECONDS s"
[ -s "$shared/bases/rows" ] && echo "bases tried: $(cut -d ' ' -f 1 "$shared/bases/rows" | paste -sd ' ')"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
