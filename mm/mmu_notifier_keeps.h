/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_MMU_NOTIFIER_KEEPS_H
#define _MM_MMU_NOTIFIER_KEEPS_H

#include <linux/huge_mm.h>
#include <linux/hugetlb_inline.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/pkeys.h>

/* Not in Linux 6.12: userfaultfd's read-write protection, which traps all access */
#ifndef MM_CP_UFFD_RWP
#define MM_CP_UFFD_RWP		0
#define MM_CP_UFFD_RWP_ALL	0
#endif

#ifdef CONFIG_MMU_NOTIFIER_KEEPS
/*
 * The guarantees of change_protection(), for the emitters in parts of it.
 *
 * Callers notify before they look at any entry, so the guarantees must hold for all
 * entries. @newprot is the vma's vm_page_prot for the new rights. If it is writable, all
 * entries become writable. If it is not, some do and others do not, and it is not known
 * here which.
 */
static inline unsigned int __change_protection_keeps(struct vm_area_struct *vma,
						     pgprot_t newprot,
						     unsigned long cp_flags)
{
	unsigned int keeps = MMU_KEEPS_MAPPED;

	/* See huge_pmd_unshare() in hugetlb_change_protection(). */
	if (is_vm_hugetlb_page(vma) && (vma->vm_flags & VM_MAYSHARE))
		return 0;
	/*
	 * The rights of the vma stay. An entry that was writable becomes writable
	 * again in two cases: the vma's vm_page_prot is writable, or the memory is
	 * private, by MM_CP_TRY_CHANGE_WRITABLE or the fault of the hint (only
	 * exclusive pages were writable). It may not become writable for hugetlb,
	 * or for shared memory that was mapped before writes were tracked.
	 */
	if (unlikely(cp_flags & (MM_CP_PROT_NUMA | MM_CP_UFFD_WP_ALL | MM_CP_UFFD_RWP_ALL))) {
		if (cp_flags & MM_CP_UFFD_RWP)
			return 0;
		keeps = MMU_KEEPS_RO;
		if (cp_flags & MM_CP_UFFD_WP)
			return keeps;
		if (pte_write(pfn_pte(0, vma->vm_page_prot)) ||
		    !(is_vm_hugetlb_page(vma) || vma->vm_flags & VM_SHARED))
			keeps = MMU_KEEPS_ALL;
		/* A hint makes accesses fault. */
		return cp_flags & MM_CP_PROT_NUMA ? keeps & ~MMU_KEEPS_NOFAULT : keeps;
	}
	/* The page tables do not show what a protection key denies. */
	if (vma_pkey(vma))
		return keeps;
	if (vma->vm_flags & VM_READ)
		keeps |= MMU_KEEPS_RO;
	/* Private memory is never writable by vm_page_prot. */
	if (vma->vm_flags & VM_SHARED && pte_write(pfn_pte(0, newprot)))
		keeps |= MMU_KEEPS_WRITE;
	return keeps;
}

/* Without subscribers, do not compute the guarantees. */
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
 * the conditions of __split_huge_pmd_locked(). An emitter that uses this at the start
 * must check again under the lock that the entry is not the huge zero page.
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
	enum mmu_notifier_cause cause = MMU_CAUSE_MPROTECT;

	if (unlikely(cp_flags & (MM_CP_PROT_NUMA | MM_CP_UFFD_WP_ALL | MM_CP_UFFD_RWP_ALL)))
		cause = cp_flags & MM_CP_PROT_NUMA ? MMU_CAUSE_NUMA_HINT :
			cp_flags & (MM_CP_UFFD_WP | MM_CP_UFFD_RWP) ? MMU_CAUSE_UFFD_WP :
			MMU_CAUSE_UFFD_WP_RESOLVE;
	mmu_notifier_range_cause(range, cause);
}

#else
#define change_protection_cause(...) do { } while (0)
#endif

#endif /* _MM_MMU_NOTIFIER_KEEPS_H */
