# A non-blocking start that the interval side accepted and a whole-mm subscriber then
# refuses stays without its end.
# File: mm/mmu_notifier.c
# Test: global.kunit
/^int __mmu_notifier_invalidate_range_start/,/^}/s/mn_itree_inv_end(subscriptions);/;/
