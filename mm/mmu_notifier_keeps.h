/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_MMU_NOTIFIER_KEEPS_H
#define _MM_MMU_NOTIFIER_KEEPS_H

#include <linux/hugetlb_inline.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#ifdef CONFIG_MMU_NOTIFIER_KEEPS
/*
 * The guarantees of change_protection(), for whoever emits for a part of it.
 *
 * Callers notify before they look at any entry, so this must hold for all of
 * them. @newprot is the vma's vm_page_prot, already that of the new rights. If
 * it is writable, entries come out writable whatever they were; if it is not,
 * some come out writable and others not, and which of them cannot be told here.
 */
static inline void __change_protection_keeps(struct mmu_notifier_range *range,
					     struct vm_area_struct *vma,
					     pgprot_t newprot,
					     unsigned long cp_flags)
{
	enum mmu_notifier_cause cause;
	unsigned int keeps = MMU_KEEPS_MAPPED;

	if (cp_flags & MM_CP_PROT_NUMA) {
		cause = MMU_CAUSE_NUMA_HINT;
		keeps |= MMU_KEEPS_READ | MMU_KEEPS_WRITE;
	} else if (cp_flags & MM_CP_UFFD_WP) {
		cause = MMU_CAUSE_UFFD_WP;
		keeps |= MMU_KEEPS_READ;
	} else if (cp_flags & MM_CP_UFFD_WP_RESOLVE) {
		cause = MMU_CAUSE_UFFD_WP_RESOLVE;
		keeps |= MMU_KEEPS_READ | MMU_KEEPS_WRITE;
	} else {
		cause = MMU_CAUSE_MPROTECT;
		if (vma->vm_flags & VM_READ)
			keeps |= MMU_KEEPS_READ;
		if (pte_write(pfn_pte(0, newprot)))
			keeps |= MMU_KEEPS_WRITE;
	}
	/* See huge_pmd_unshare() in hugetlb_change_protection(). */
	if (is_vm_hugetlb_page(vma) && (vma->vm_flags & VM_MAYSHARE))
		keeps = MMU_KEEPS_NOTHING;
	mmu_notifier_range_keeps(range, cause, keeps);
}

/* Where nobody subscribes, nobody needs to know. */
static inline void change_protection_keeps(struct mmu_notifier_range *range,
					   struct vm_area_struct *vma,
					   pgprot_t newprot,
					   unsigned long cp_flags)
{
	if (mm_has_notifiers(vma->vm_mm))
		__change_protection_keeps(range, vma, newprot, cp_flags);
}

#else
#define change_protection_keeps(...) do { } while (0)
#endif

#endif /* _MM_MMU_NOTIFIER_KEEPS_H */
