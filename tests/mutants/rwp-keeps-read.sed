# userfaultfd's read-write protection keeps READ.
# Series: 7.3
# File: mm/mmu_notifier_keeps.h
# Test: cause.uffd_rwp
/if (cp_flags & MM_CP_UFFD_RWP)$/s/(.*)/(false)/
