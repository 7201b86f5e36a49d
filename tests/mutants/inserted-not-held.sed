# Who is inserted while a kept range is active does not wait for its end.
# File: mm/mmu_notifier_filter.h
# Test: global.kunit
s/^#define mn_quiet_insert(quiet).*/#define mn_quiet_insert(quiet)	do { } while (0)/
