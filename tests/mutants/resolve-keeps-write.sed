# Lifting userfaultfd's write protection keeps WRITE of shmem, whose entries may stay read only.
# File: mm/mmu_notifier_keeps.h
# Test: cause.uffd_wp_resolve_shmem
s/!(is_vm_hugetlb_page(vma) || vma->vm_flags & VM_SHARED))/true)/
