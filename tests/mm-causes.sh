#!/usr/bin/env bash
# mm-causes.sh: provoke every cause of an invalidation in the VM, and print what each
# keeps and who was called for it.
. scripts/common.sh

out=$logs/mm-causes.tap
rc=0
tests/selftests.sh mm > "$out" || rc=$?
grep -v '^# row:' "$out" | grep -E '^not ok|# SKIP' >&2 || true
printf '%-16s %-35s %5s  %-25s %7s %7s %7s\n' cause 'provoked by' seen keeps \
	'needs 0' M+R M+R+W
sed -n 's/^# row: //p' "$out"
sed -n 's/^# hint: /numa hints, /p; s/^# moving: /while moved, /p' "$out"
sed -n 's/^# \(.* left out, .*\)/a range of the whole mm: \1/p' "$out"
awk -v all="$(sed -n 's/^\tMMU_CAUSE_\([A-Z_]*\),$/\L\1/p' include/linux/mmu_notifier_cause.h |
	grep -vx unknown)" '
	/^# row:/ && $(NF - 4) + 0 > 0 { seen[$3] }
	END {
		n = split(all, causes)
		for (i = 1; i <= n; i++)
			if (causes[i] in seen)
				got++
			else
				missing = missing " " causes[i]
		printf "\nneeds: subscribers called/kept; for needs 0 and M+R+W an interval and a whole-mm one\n"
		printf "%d of %d causes provoked%s\n", got, n,
			missing ? "; not:" missing : ""
		exit got * 10 < n * 9
	}' "$out" || rc=1
[ "$rc" = 0 ] || die "not as it should be; see $out"
