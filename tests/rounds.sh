#!/usr/bin/env bash
# rounds.sh: ROUNDS (20) times the selftests, while a kernel is built beside them, again and
# again from nothing and without ccache. Which tests fail only on a busy machine? What a round
# said is kept by the files that it depends on, so that a run that was stopped goes on where it
# was. Fails if a test failed in any round; its log is named.
. scripts/common.sh
. scripts/parts.sh

export VARIANT=vm
unset T WORKERS
rounds=${ROUNDS:-20}
case $rounds in '' | *[!0-9]* | 0) die "ROUNDS=$rounds is not a number of rounds" ;; esac
of=$(key "${vm[@]}" tools tests/selftests.sh)
dir=$cache/rounds/$of
scratch=$cache/build/rounds
mkdir -p "$dir"

# build_beside: until it is killed, builds of another variant
build_beside() {
	local t=tools/testing/selftests
	while true; do
		rm -rf "$scratch" "$scratch.config"
		scripts/build.sh config "$tree" "$scratch" configs/{vm,ringmap}.config \
			"$t"/{vhost,mmu_notifier}/config configs/debug.config || return
		CCACHE_DISABLE=1 kmake "$tree" "$scratch" bzImage || return
	done >> "$logs/rounds-build.log" 2>&1
}

built() { grep -cs '^  CC ' "$logs/rounds-build.log" || true; }

# failures LOG: the tests that failed, and the suites that ended otherwise
failures() {
	awk '/: running in the VM/ { suite = $2; sub(/:$/, "", suite); seen = 0 }
		/^not ok/ { sub(/^not ok [0-9]+ (- )?/, ""); sub(/ *#.*/, ""); print; seen = 1 }
		/^ringvm: FAILED/ && !seen { sub(/^ringvm: FAILED: */, ""); print suite ": " $0 }' "$1" | sort -u
}

beside=''
# Its compilers are of its process group.
trap '[ -z "$beside" ] || kill -- -"$beside" 2> /dev/null || true' EXIT
trap 'exit 1' INT TERM
for ((n = 1; n <= rounds; n++)); do
	[ ! -s "$dir/$n" ] || continue
	if [ -z "$beside" ]; then
		scripts/compose.sh > /dev/null
		scripts/build.sh > /dev/null
		need_space 6 "a kernel beside the selftests"
		: > "$logs/rounds-build.log"
		set -m
		build_beside &
		beside=$!
		set +m
	fi
	start=$SECONDS before=$(built) verdict=PASS
	say "round $n of $rounds"
	TIMEOUT=3000 tests/selftests.sh > "$dir/$n.log" 2>&1 || verdict=FAIL
	after=$(built)
	if ! kill -0 "$beside" 2> /dev/null || [ "$after" = "$before" ]; then
		die "no kernel was built beside round $n; see $logs/rounds-build.log"
	fi
	[ "$(key "${vm[@]}" tools tests/selftests.sh)" = "$of" ] ||
		die "somebody changed the files during round $n; begin again"
	{
		echo "$verdict $((SECONDS - start)) s, $((after - before)) objects built," \
			"$(git describe --always --dirty) $(date +%FT%T)"
		[ "$verdict" = PASS ] || failures "$dir/$n.log"
	} > "$dir/$n.new"
	mv "$dir/$n.new" "$dir/$n"
	say "$(head -1 "$dir/$n")"
	[ "$verdict" = PASS ] || sed -n '2,$p' "$dir/$n" >&2
done

failed=0
for ((n = 1; n <= rounds; n++)); do
	grep -q '^PASS ' "$dir/$n" || failed=$((failed + 1))
done
echo "$rounds rounds, $failed with a failure; logs: $dir/*.log"
[ "$failed" != 0 ] || exit 0
printf '\n%-52s %s\n' test 'failed in rounds'
for ((n = 1; n <= rounds; n++)); do
	sed '1d' "$dir/$n" | sed "s/^/$n\t/"
	# The selftests failed, and nobody said so.
	[ "$(head -1 "$dir/$n" | cut -c 1-4)$(wc -l < "$dir/$n")" != FAIL1 ] || printf '%d\t%s\n' "$n" '(no test; see the log)'
done | awk -F '\t' '{ rounds[$2] = rounds[$2] " " $1 }
	END { for (t in rounds) printf "%-52s%s\n", t, rounds[t] }' | sort
exit 1
