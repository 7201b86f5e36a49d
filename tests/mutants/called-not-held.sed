# Who was called for a range that promises something does not wait for its end.
# File: mm/mmu_notifier_filter.h
# Test: global.kunit
/^static __always_inline void mn_quiet_start/,/^}/s/if (first)/if (0)/
