# A range that promises something and is refused counts for ever as one that is active.
# File: mm/mmu_notifier_filter.h
# Test: global.kunit
/^mn_range_promises/,/^}/{
s/MMU_KEEPS_ALL &&$/MMU_KEEPS_ALL;/
/mmu_notifier_range_blockable/d
}
