# All who are left out are passed under the lock of the subscriptions.
# File: mm/mmu_notifier_filter.h
# Test: global.kunit
s/mn_itree_skip_most(node, range, MN_KEPT_UNDER_LOCK)/mn_itree_skip_most(node, range, UINT_MAX)/
