#!/usr/bin/env bash
# emitters.sh [TREE]: list where the tree invalidates ranges, with the cause that is
# given, and fail if one gives none: every mmu_notifier_range_init() and every
# initialised struct mmu_notifier_range needs one before the range is started.
# Then count what is added to existing files of mm and fs, without tracing, debug option and
# hint patch, and fail if it is more than 80 lines of C.
. scripts/common.sh

cd "${1:-$tree}" || die "no tree; run 'make tree'"
# shellcheck disable=SC2016 # awk's $
grep -rlE 'mmu_notifier_range_init|struct mmu_notifier_range [a-z_]+ = ' --include='*.[ch]' \
	arch block drivers fs include io_uring ipc kernel lib mm net security sound virt |
	grep -vE '^(include/linux/mmu_notifier(_cause|_keeps)?\.h|mm/tests/)' | sort |
	xargs awk '
	function none() { printf "%s:%d: no cause\n", at, line; bad++ }
	FNR == 1 && open { none(); open = 0 }
	/mmu_notifier_range_init(_owner)?\(|struct mmu_notifier_range [a-z_]+ = / {
		# What is only initialised is no range yet.
		if (open && !(FILENAME == at && init && /range_init/))
			none()
		init = !/range_init/
		open = 1; at = FILENAME; line = FNR; seen++; said = ""
	}
	open && /mmu_notifier_range_cause\(|change_protection_cause\(/ { take = 1 }
	take {
		said = said $0
		if (/;/) {
			cause = said
			if (cause ~ /change_protection_cause/)
				cause = "by change_protection_cause()"
			else {
				cause = ""
				while (match(said, /MMU_CAUSE_[A-Z_]+/)) {
					cause = cause (cause ? ", " : "") \
						substr(said, RSTART + 10, RLENGTH - 10)
					said = substr(said, RSTART + RLENGTH)
				}
			}
			printf "%s:%d: %s\n", at, line, cause
			take = 0; said = ""; open = 0
		}
	}
	open && /mmu_notifier_invalidate_range_start|mn_itree_inv_start_range/ { none(); open = 0 }
	END {
		if (open)
			none()
		printf "%d emitters, %d without a cause\n", seen, bad
		exit bad > 0 || seen < 30
	}'

cd "$here/$patches"
awk '
	/^\+\+\+ / { file = substr($2, 3); next }
	/^\+/ && file ~ /^(mm|fs)\// { n[file]++; if (file ~ /[.][ch]$/) c++; else rest++ }
	END {
		for (file in n)
			printf "%4d %s\n", n[file], file | "sort -k 2"
		close("sort -k 2")
		printf "%d lines of C added in existing files of mm and fs, and %d of Kconfig\n", c, rest
		exit c > 80
	}' mm-{interval-read-try,keeps,needs,no-secondary-tlbs,keeps-test}.patch
