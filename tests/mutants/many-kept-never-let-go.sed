# The start of a range passes all who are left out before it lets go of the lock.
# File: mm/mmu_notifier.c
# Test: global.kunit
s/node = mn_itree_skip_some(node, range);/node = mn_itree_skip_kept(node, range);/
