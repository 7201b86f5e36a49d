# A kept range keeps those invalidated whom another range called.
# File: mm/mmu_notifier_filter.h
# Test: global.kunit
s/return quiet->hold || active != .*/return true;/
