/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_MMU_NOTIFIER_KEEPS_H
#define _MM_MMU_NOTIFIER_KEEPS_H

#include <linux/huge_mm.h>
#include <linux/hugetlb_inline.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/pkeys.h>

#ifdef CONFIG_MMU_NOTIFIER_KEEPS
/*
 * The guarantees of change_protection(), for whoever emits for a part of it.
 *
 * Callers notify before they look at any entry, so this must hold for all of
 * them. @newprot is the vma's vm_page_prot, already that of the new rights. If
 * it is writable, entries come out writable whatever they were; if it is not,
 * some come out writable and others not, and which of them cannot be told here.
 */
static inline unsigned int __change_protection_keeps(struct vm_area_struct *vma,
						     pgprot_t newprot,
						     unsigned long cp_flags)
{
	unsigned int keeps = MMU_KEEPS_MAPPED;

	/* See huge_pmd_unshare() in hugetlb_change_protection(). */
	if (is_vm_hugetlb_page(vma) && (vma->vm_flags & VM_MAYSHARE))
		return 0;
	if (cp_flags & MM_CP_UFFD_WP)
		return MMU_KEEPS_RO;
	/*
	 * Rights stay those of the vma. Who was writable becomes it again if the
	 * vma's entries are, or, of private memory, by MM_CP_TRY_CHANGE_WRITABLE
	 * or the hint's fault: only exclusive pages were. But not of hugetlb, and
	 * not of shared memory that was mapped before writes were tracked.
	 */
	if (cp_flags & (MM_CP_PROT_NUMA | MM_CP_UFFD_WP_RESOLVE)) {
		keeps = MMU_KEEPS_RO;
		if (pte_write(pfn_pte(0, vma->vm_page_prot)) ||
		    !(is_vm_hugetlb_page(vma) || vma->vm_flags & VM_SHARED))
			keeps = MMU_KEEPS_ALL;
		/* That accesses fault is what a hint is for. */
		return cp_flags & MM_CP_PROT_NUMA ? keeps & ~MMU_KEEPS_NOFAULT : keeps;
	}
	/* What a key denies is not in the page tables. */
	if (vma_pkey(vma))
		return keeps;
	if (vma->vm_flags & VM_READ)
		keeps |= MMU_KEEPS_RO;
	if (pte_write(pfn_pte(0, newprot)))
		keeps |= MMU_KEEPS_WRITE;
	return keeps;
}

/* Where nobody subscribes, nobody needs to know. */
static inline unsigned int change_protection_keeps(struct vm_area_struct *vma,
						   pgprot_t newprot,
						   unsigned long cp_flags)
{
	return mm_has_notifiers(vma->vm_mm) ?
	       __change_protection_keeps(vma, newprot, cp_flags) : 0;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/*
 * Whether __split_huge_pmd() replaces a huge entry by small ones for the same pages:
 * the conditions of __split_huge_pmd_locked(). Whoever says so at the start looks
 * again under the lock whether the entry became the huge zero page.
 */
static inline bool pmd_splits_in_place(struct vm_area_struct *vma, pmd_t *pmd,
				       bool freeze)
{
	return vma_is_anonymous(vma) && !freeze &&
	       !is_huge_zero_pmd(pmdp_get_lockless(pmd));
}
#endif

#else
#define change_protection_keeps(...)	0
#define pmd_splits_in_place(...)	false
#endif

#ifdef CONFIG_MMU_NOTIFIER_CAUSES
static inline void change_protection_cause(struct mmu_notifier_range *range,
					   unsigned long cp_flags)
{
	mmu_notifier_range_cause(range,
				 cp_flags & MM_CP_PROT_NUMA ? MMU_CAUSE_NUMA_HINT :
				 cp_flags & MM_CP_UFFD_WP ? MMU_CAUSE_UFFD_WP :
				 cp_flags & MM_CP_UFFD_WP_RESOLVE ?
				 MMU_CAUSE_UFFD_WP_RESOLVE : MMU_CAUSE_MPROTECT);
}

#else
#define change_protection_cause(...) do { } while (0)
#endif

#endif /* _MM_MMU_NOTIFIER_KEEPS_H */
