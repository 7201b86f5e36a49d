// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check that invalidations keep what they promise.
 *
 * When a range starts that promises something, note which page frames it maps, and with
 * which rights. When it ends, compare. Ignore what another range may have changed meanwhile:
 * for each guarantee, count how many ranges that do not give it are active, and how many
 * have started. Faults do no harm: they only add to what is mapped and permitted.
 *
 * One promise is not checked: that nobody relies on the next write to make an entry dirty,
 * as MADV_FREE does.
 */
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "mmu_notifier_debug.h"

/* Note at most so many pages of a range, and look at most at so many entries. */
#define MN_DEBUG_PAGES	1024
#define MN_DEBUG_LOOKS	4096

static const unsigned int guarantees[] = {
	MMU_KEEPS_MAPPED, MMU_KEEPS_READ, MMU_KEEPS_WRITE, MMU_KEEPS_NOFAULT,
};

#define NR_GUARANTEES	ARRAY_SIZE(guarantees)

/*
 * Counts of the ranges that do not give a guarantee. Several mms may share one: then more
 * is ignored than necessary.
 */
struct mn_takers {
	atomic_t active[NR_GUARANTEES];
	atomic_t started[NR_GUARANTEES];
};

#define TAKERS_BITS	6
static struct mn_takers mn_takers[1 << TAKERS_BITS];

/* The low bits of the address hold what there is to keep, as MMU_KEEPS_*. */
struct mn_page {
	unsigned long addr_rights;
	unsigned long pfn;
};

/* An active range. It is on the stack of its emitter, so its address is unique. */
struct mn_snapshot {
	struct hlist_node node;
	const struct mmu_notifier_range *range;
	unsigned int sure;	/* MMU_KEEPS_* that no other range took at the start */
	int started[NR_GUARANTEES];
	unsigned int nr;
	struct mn_page pages[];
};

static DEFINE_HASHTABLE(mn_snapshots, 6);
static DEFINE_SPINLOCK(mn_snapshots_lock);

static struct mn_takers *takers_of(const struct mmu_notifier_range *range)
{
	return &mn_takers[hash_ptr(range->mm, TAKERS_BITS)];
}

/* Besides MMU_KEEPS_*: the page is mapped, but must not be accessed */
#define NO_ACCESS	BIT(0)

static unsigned int rights(bool access, bool write)
{
	if (!access)
		return MMU_KEEPS_MAPPED | NO_ACCESS;
	return write ? MMU_KEEPS_ALL : MMU_KEEPS_RO;
}

/* Returns false if the entry is that of a table now. */
static bool look_at_pud(struct mm_struct *mm, pud_t *pud, unsigned long addr,
			unsigned long *pfn, unsigned int *ret)
{
	spinlock_t *ptl = pud_lock(mm, pud);
	pud_t entry = *pud;

	if (pud_present(entry) && pud_leaf(entry)) {
		*pfn = pud_pfn(entry) + ((addr & ~PUD_MASK) >> PAGE_SHIFT);
		*ret = rights(true, pud_write(entry));
	}
	spin_unlock(ptl);
	return !pud_present(entry) || pud_leaf(entry);
}

static bool look_at_pmd(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			unsigned long *pfn, unsigned int *ret)
{
	spinlock_t *ptl = pmd_lock(mm, pmd);
	pmd_t entry = *pmd;

	if (pmd_present(entry) && pmd_leaf(entry)) {
		*pfn = pmd_pfn(entry) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
		*ret = rights(!pmd_protnone(entry), pmd_write(entry));
	}
	spin_unlock(ptl);
	return !pmd_present(entry) || pmd_leaf(entry);
}

/*
 * Get the frame that is mapped at @addr. Returns what is permitted, or 0. Takes the locks of
 * the entries, because others change these in steps. @next is where to look next.
 *
 * The tables exist: @addr is in a vma that the emitter holds, with the mmap lock, the vma
 * lock or the lock of its reverse map.
 */
static unsigned int look(struct mm_struct *mm, unsigned long addr, unsigned long *pfn,
			 unsigned long *next)
{
	spinlock_t *ptl;	/* of the entry */
	unsigned int ret = 0;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud, pudval;
	pmd_t *pmd, pmdval;
	pte_t *ptep, pte;

again:
	*next = (addr & PGDIR_MASK) + PGDIR_SIZE;
	pgd = pgd_offset(mm, addr);
	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return 0;
	*next = (addr & P4D_MASK) + P4D_SIZE;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return 0;
	*next = (addr & PUD_MASK) + PUD_SIZE;
	pud = pud_offset(p4d, addr);
	pudval = READ_ONCE(*pud);
	if (!pud_present(pudval) || pud_leaf(pudval)) {
		if (!look_at_pud(mm, pud, addr, pfn, &ret))
			goto again;
		if (ret)
			*next = addr + PAGE_SIZE;
		return ret;
	}
	pmd = pmd_offset(pud, addr);
	pmdval = pmdp_get_lockless(pmd);
	if (pmd_none(pmdval) || !pmd_present(pmdval) || pmd_leaf(pmdval)) {
		if (!look_at_pmd(mm, pmd, addr, pfn, &ret))
			goto again;
		*next = ret ? addr + PAGE_SIZE : (addr & PMD_MASK) + PMD_SIZE;
		return ret;
	}
	*next = addr + PAGE_SIZE;
	ptep = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!ptep)
		goto again;
	pte = ptep_get(ptep);
	if (pte_present(pte)) {
		*pfn = pte_pfn(pte);
		ret = rights(!pte_protnone(pte), pte_write(pte));
	}
	pte_unmap_unlock(ptep, ptl);
	return ret;
}

/*
 * Such a range may have holes. munmap() frees the tables of a hole under the mmap lock for
 * reading, which the emitter holds, too. What is unmapped is in no vma any more.
 */
static bool has_holes(const struct mmu_notifier_range *range)
{
	return range->event == MMU_NOTIFY_PROTECTION_VMA ||
	       range->event == MMU_NOTIFY_SOFT_DIRTY ||
	       range->event == MMU_NOTIFY_CLEAR;
}

/* The first address from @addr on that is in a vma */
static unsigned long behind_hole(const struct mmu_notifier_range *range, unsigned long addr)
{
	struct vm_area_struct *vma;

	if (!has_holes(range))
		return addr;
	vma = find_vma(range->mm, addr);
	return vma ? max(addr, vma->vm_start) : ULONG_MAX;
}

static void take_snapshot(const struct mmu_notifier_range *range)
{
	const struct mn_takers *takers = takers_of(range);
	unsigned long addr, next, end = min(range->end, range->mm->task_size);
	unsigned long most = min((end - range->start) >> PAGE_SHIFT, MN_DEBUG_PAGES);
	struct mn_snapshot *snap;
	int i, looks;

	if (range->start >= end)
		return;
	/* Do not wait for memory: its reclaim may wait for this range. */
	snap = kmalloc(struct_size(snap, pages, most), GFP_NOWAIT | __GFP_NOWARN);
	if (!snap) {
		pr_warn_once("mmu_notifier: no memory to look at each range that promises something\n");
		return;
	}
	snap->range = range;
	snap->sure = range->flags & MMU_KEEPS_ALL;
	snap->nr = 0;
	for (i = 0; i < NR_GUARANTEES; i++) {
		snap->started[i] = atomic_read(&takers->started[i]);
		/* The opposite order of mn_debug_start() */
		smp_rmb();
		if (atomic_read(&takers->active[i]))
			snap->sure &= ~guarantees[i];
	}
	/* A range that starts later changes entries only after we read its count. */
	smp_mb();
	addr = behind_hole(range, range->start);
	for (looks = 0; addr < end && snap->nr < most && looks < MN_DEBUG_LOOKS; looks++) {
		struct mn_page *page = &snap->pages[snap->nr];
		unsigned int has = look(range->mm, addr, &page->pfn, &next);

		page->addr_rights = addr | has;
		if (has)
			snap->nr++;
		if (next <= addr)
			break;
		addr = behind_hole(range, next);
	}
	spin_lock(&mn_snapshots_lock);
	hash_add(mn_snapshots, &snap->node, (unsigned long)range);
	spin_unlock(&mn_snapshots_lock);
}

static struct mn_snapshot *find_snapshot(const struct mmu_notifier_range *range)
{
	struct mn_snapshot *snap;

	spin_lock(&mn_snapshots_lock);
	hash_for_each_possible(mn_snapshots, snap, node, (unsigned long)range)
		if (snap->range == range) {
			hash_del(&snap->node);
			break;
		}
	spin_unlock(&mn_snapshots_lock);
	return snap;
}

/*
 * Whether a NUMA hint makes the access fault, so that it is still permitted. If it is the
 * vma that forbids access, it is no hint. Where rights change, the mmap lock is held.
 */
static bool is_hint(const struct mmu_notifier_range *range, unsigned long addr)
{
	struct vm_area_struct *vma;

	if (range->event != MMU_NOTIFY_PROTECTION_VMA)
		return true;
	vma = vma_lookup(range->mm, addr);
	return !vma || vma_is_accessible(vma);
}

static unsigned int lost(const struct mmu_notifier_range *range,
			 const struct mn_page *page)
{
	unsigned long pfn, next, addr = page->addr_rights & PAGE_MASK;
	unsigned int now = 0;

	if (behind_hole(range, addr) == addr)
		now = look(range->mm, addr, &pfn, &next);
	if (!now || pfn != page->pfn)
		return MMU_KEEPS_ALL;
	if (now & NO_ACCESS)
		now = is_hint(range, addr) ? MMU_NEEDS_RW : MMU_KEEPS_MAPPED;
	return page->addr_rights & ~now & MMU_KEEPS_ALL;
}

/* The guarantees that no other range may have taken until now */
static unsigned int still_sure(const struct mn_snapshot *snap)
{
	const struct mn_takers *takers = takers_of(snap->range);
	unsigned int sure = snap->sure;
	int i;

	/* After the entries; pairs with the barrier in mn_debug_start(). */
	smp_rmb();
	for (i = 0; i < NR_GUARANTEES; i++)
		if (atomic_read(&takers->started[i]) != snap->started[i])
			sure &= ~guarantees[i];
	return sure;
}

static void compare(const struct mn_snapshot *snap)
{
	const struct mmu_notifier_range *range = snap->range;
	unsigned int i, bad;

	for (i = 0; i < snap->nr; i++) {
		bad = lost(range, &snap->pages[i]);
		bad = bad ? bad & still_sure(snap) : 0;
		if (!bad)
			continue;
		WARN(1, "mmu_notifier: event %d of %#lx-%#lx promised%s%s%s%s and broke it at %#lx\n",
		     range->event, range->start, range->end,
		     bad & MMU_KEEPS_MAPPED ? " mapped" : "",
		     bad & MMU_KEEPS_READ ? " read" : "",
		     bad & MMU_KEEPS_WRITE ? " write" : "",
		     bad & MMU_KEEPS_NOFAULT ? " nofault" : "",
		     snap->pages[i].addr_rights & PAGE_MASK);
		return;
	}
}

/* Called before any subscriber is called, and before an entry changes */
void mn_debug_start(const struct mmu_notifier_range *range)
{
	struct mn_takers *takers = takers_of(range);
	int i;

	for (i = 0; i < NR_GUARANTEES; i++)
		if (!(range->flags & guarantees[i])) {
			atomic_inc(&takers->active[i]);
			/* Count as active before as started; see take_snapshot(). */
			smp_mb__after_atomic();
			atomic_inc(&takers->started[i]);
		}
	/* The counts before the entries; pairs with still_sure(). */
	smp_mb__after_atomic();
}

static void forget(const struct mmu_notifier_range *range)
{
	struct mn_takers *takers = takers_of(range);
	int i;

	/* The entries before the counts. */
	smp_mb__before_atomic();
	for (i = 0; i < NR_GUARANTEES; i++)
		if (!(range->flags & guarantees[i]))
			atomic_dec(&takers->active[i]);
}

/* @ret is the result of the start. If a start that must not block fails, there is no end. */
void mn_debug_started(const struct mmu_notifier_range *range, int ret)
{
	if (ret && !mmu_notifier_range_blockable(range))
		forget(range);
	else if (range->flags & MMU_KEEPS_ALL)
		take_snapshot(range);
}

void mn_debug_end(const struct mmu_notifier_range *range)
{
	struct mn_snapshot *snap = NULL;

	if (range->flags & MMU_KEEPS_ALL)
		snap = find_snapshot(range);
	if (snap) {
		compare(snap);
		kfree(snap);
	}
	forget(range);
}
