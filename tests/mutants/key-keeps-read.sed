# A change to memory with a protection key keeps what the entries permit.
# File: mm/mmu_notifier_keeps.h
# Test: cause.mprotect_key
s/if (vma_pkey(vma))/if (0)/
