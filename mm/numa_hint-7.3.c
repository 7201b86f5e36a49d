// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check whether NUMA hints would change an entry, before subscribers are notified.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagewalk.h>

#include "internal.h"
#include "numa_hint.h"

/* /sys/kernel/debug/numa_hint_look: with 0, subscribers are notified as without the option. */
static bool numa_hint_look __read_mostly = true;

/* An entry that is not present gets no hint. */
static bool pte_changes(struct vm_area_struct *vma, unsigned long addr, pte_t pte)
{
	return pte_present(pte) && !pte_protnone(pte) &&
	       folio_can_map_prot_numa(vm_normal_folio(vma, addr, pte), vma,
				       vma_is_single_threaded_private(vma));
}

/* The same conditions as in change_huge_pmd(). A hint for a part of a huge page splits it. */
static bool huge_pmd_changes(struct vm_area_struct *vma, pmd_t pmd,
			     unsigned long addr, unsigned long end)
{
	if (end - addr != HPAGE_PMD_SIZE)
		return true;
	if (!thp_migration_supported() || !pmd_present(pmd) ||
	    is_huge_zero_pmd(pmd) || pmd_protnone(pmd))
		return false;
	return folio_can_map_prot_numa(pmd_folio(pmd), vma,
				       vma_is_single_threaded_private(vma));
}

static int look_at_pmd(pmd_t *pmd, unsigned long addr, unsigned long end,
		       struct mm_walk *walk)
{
	struct vm_area_struct *vma = walk->vma;
	bool changes = false;
	pte_t *start, *pte;
	spinlock_t *ptl;	/* protects the entries */

	cond_resched();
	ptl = pmd_trans_huge_lock(pmd, vma);
	if (ptl) {
		changes = huge_pmd_changes(vma, *pmd, addr, end);
		spin_unlock(ptl);
		return changes;
	}
	start = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!start) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (pte = start; addr != end && !changes; pte++, addr += PAGE_SIZE)
		changes = pte_changes(vma, addr, ptep_get(pte));
	pte_unmap_unlock(start, ptl);
	return changes;
}

/* Huge PUDs are too rare to look closer. */
static int look_at_pud(pud_t *pud, unsigned long addr, unsigned long end,
		       struct mm_walk *walk)
{
	return pud_trans_huge(pudp_get(pud));
}

static const struct mm_walk_ops look_ops = {
	.pud_entry = look_at_pud,
	.pmd_entry = look_at_pmd,
	.walk_lock = PGWALK_RDLOCK,
};

/**
 * numa_hint_changes() - whether NUMA hints would change an entry that is present
 * @vma: VMA of the range
 * @addr: start of the range
 * @end: end of the range
 *
 * An entry that begins to qualify after the look is left for the next scan.
 *
 * Context: the caller holds the mmap lock.
 * Return: false if no present entry would change. Always true for hugetlb, if the mm has
 * no subscribers, and if the look is switched off.
 */
bool numa_hint_changes(struct vm_area_struct *vma, unsigned long addr,
		       unsigned long end)
{
	return !mm_has_notifiers(vma->vm_mm) || is_vm_hugetlb_page(vma) ||
	       !READ_ONCE(numa_hint_look) ||
	       walk_page_range_vma(vma, addr, end, &look_ops, NULL);
}

static int __init numa_hint_init(void)
{
	debugfs_create_bool("numa_hint_look", 0600, NULL, &numa_hint_look);
	return 0;
}
late_initcall(numa_hint_init);
