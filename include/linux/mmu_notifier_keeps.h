/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an MMU-notifier invalidation keeps, and why it happens.
 */
#ifndef _LINUX_MMU_NOTIFIER_KEEPS_H
#define _LINUX_MMU_NOTIFIER_KEEPS_H

#include <linux/bits.h>
#ifdef CONFIG_MMU_NOTIFIER_KEEPS
#include <linux/tracepoint-defs.h>
#endif

/**
 * DOC: guarantees of an invalidation
 *
 * An emitter says in &mmu_notifier_range.keeps what stays true of the whole
 * range, from the start of the invalidation until some later invalidation of
 * the same address takes it away. Nothing is kept unless the emitter says so.
 *
 * %MMU_KEEPS_MAPPED: where the range maps a page it still maps that page
 * afterwards. So whatever happens to the page next - reclaim, migration, copy
 * on write - finds this mapping and invalidates again. A page that is alive
 * but no longer mapped here is not kept: its fate is not announced to this mm.
 *
 * %MMU_KEEPS_READ: where reading was permitted it stays permitted.
 *
 * %MMU_KEEPS_WRITE: where writing was permitted it stays permitted, and nobody
 * relies on the next write to fault: not copy on write, nor dirty, soft-dirty
 * or write-protect tracking.
 *
 * There is one exception to %MMU_KEEPS_MAPPED: the split of the huge zero page,
 * a %MMU_CAUSE_SPLIT, maps the small zero page instead, and whether it is that
 * page is only known under the page-table lock, after the start. A subscriber
 * that is not called goes on with the frame of before. It reads the same:
 * both pages are zero and never written. That frame is not freed while the mm
 * has users, as the mm holds a reference to the huge zero page since it first
 * mapped it, and at the latest the %MMU_CAUSE_EXIT before that reference goes
 * ends what was kept. The first write to an address is a %MMU_CAUSE_COW, and
 * any other change of it an invalidation of its own, as for every page. So a
 * subscriber may rely on what it reads, but not on the number of a zero page's
 * frame; nor could it write there, which was not permitted.
 *
 * A subscriber says in its ops what it needs, and is not called for an
 * invalidation that keeps all of that. Which page tables hold the page, whether
 * an access by the CPU would fault first, and whether the page is young are no
 * part of the contract: a subscriber that depends on these needs everything,
 * that is, it leaves its needs at 0.
 */
#define MMU_KEEPS_NOTHING	0
#define MMU_KEEPS_MAPPED	BIT(0)
#define MMU_KEEPS_READ		BIT(1)
#define MMU_KEEPS_WRITE		BIT(2)
#define MMU_KEEPS_ALL		(MMU_KEEPS_MAPPED | MMU_KEEPS_READ | \
				 MMU_KEEPS_WRITE)

/**
 * enum mmu_notifier_cause - why the page tables of a range change
 * @MMU_CAUSE_UNKNOWN: the emitter did not say. Keeps nothing.
 * @MMU_CAUSE_EXIT: the address space ends. Keeps nothing.
 * @MMU_CAUSE_MUNMAP: munmap(), or a mapping put over an old one. Keeps nothing.
 * @MMU_CAUSE_MREMAP: page tables are moved away from the range. Keeps nothing.
 * @MMU_CAUSE_ZAP: the pages of an address range are dropped: MADV_DONTNEED,
 *	zap_vma_ptes(). Keeps nothing.
 * @MMU_CAUSE_UNMAP_MAPPING: the pages of a file range are unmapped: truncate,
 *	hole punch, page cache invalidation. Keeps nothing.
 * @MMU_CAUSE_UNMAP_FOLIO: a folio is unmapped from all address spaces: reclaim,
 *	and split or collapse of a file folio. Keeps nothing.
 * @MMU_CAUSE_MEMORY_FAILURE: a poisoned folio is unmapped. Keeps nothing.
 * @MMU_CAUSE_OOM_REAP: the memory of a dying process is freed: OOM reaper,
 *	process_mrelease(). Keeps nothing.
 * @MMU_CAUSE_MIGRATE: migration entries replace a folio: migration, compaction,
 *	split of an anonymous folio. Keeps nothing.
 * @MMU_CAUSE_MIGRATE_DEVICE: migration to or from device memory. Keeps nothing.
 * @MMU_CAUSE_EXCLUSIVE: a device takes exclusive access. Keeps nothing.
 * @MMU_CAUSE_EXCLUSIVE_END: the CPU takes it back. Keeps nothing: the entry of
 *	the device must go.
 * @MMU_CAUSE_COW: a private copy replaces a page. Keeps nothing.
 * @MMU_CAUSE_HUGETLB_COW: the owner of a hugetlb reservation takes the page it
 *	needs for a copy from other mappings. Keeps nothing.
 * @MMU_CAUSE_HUGETLB_UNSHARE: shared page tables of a hugetlb file are
 *	detached. Keeps nothing: the pages live on, but not in this mm's tables.
 * @MMU_CAUSE_FORK: a private mapping is write protected for the child. Keeps
 *	MAPPED and READ. The write that ends sharing is a COW.
 * @MMU_CAUSE_MPROTECT: access rights change. Keeps MAPPED, READ if the new
 *	rights have it, and WRITE if the new vm_page_prot makes entries writable
 *	as it stands, which it does not for a private mapping or one that tracks
 *	writes. Of a hugetlb file it keeps nothing, as it may unshare page tables.
 * @MMU_CAUSE_NUMA_HINT: entries are made to fault to learn who uses the page.
 *	Keeps all: the rights are the vma's as before, and if the page is moved
 *	that is a MIGRATE.
 * @MMU_CAUSE_UFFD_WP: userfaultfd write protection is armed. Keeps MAPPED and
 *	READ; of a hugetlb file nothing, as for MPROTECT.
 * @MMU_CAUSE_UFFD_WP_RESOLVE: userfaultfd write protection is lifted. Keeps
 *	all: what was writable before stays so; of a hugetlb file nothing.
 * @MMU_CAUSE_UFFD_MOVE: UFFDIO_MOVE takes pages away. Keeps nothing.
 * @MMU_CAUSE_PAGEMAP_SCAN: PAGEMAP_SCAN write protects what it reports. Keeps
 *	MAPPED and READ. The write that ends it only widens the rights.
 * @MMU_CAUSE_SOFT_DIRTY: soft-dirty bits are cleared and the entries write
 *	protected. Keeps MAPPED and READ.
 * @MMU_CAUSE_MADV_FREE: pages are marked clean, to be freed by reclaim unless
 *	written again. Keeps MAPPED and READ: the UNMAP_FOLIO of reclaim ends
 *	that. Not WRITE, as the writes must dirty the entries.
 * @MMU_CAUSE_KSM_PROTECT: KSM write protects a page to compare and share it.
 *	Keeps MAPPED and READ; replacing it is a KSM_REPLACE.
 * @MMU_CAUSE_KSM_REPLACE: a KSM page replaces a page. Keeps nothing.
 * @MMU_CAUSE_COLLAPSE: a huge page, or no page table, replaces a page table:
 *	khugepaged, MADV_COLLAPSE. Keeps nothing.
 * @MMU_CAUSE_SPLIT: a huge entry of anonymous memory is replaced by a table of
 *	entries for the same pages with the same rights. Keeps all. Of the huge
 *	zero page they are for the small one, which is as good: see above.
 * @MMU_CAUSE_SPLIT_DROP: a huge entry is split into migration entries, or, of a
 *	file, dropped to be faulted in again. Keeps nothing.
 * @MMU_CAUSE_MKCLEAN: a folio is write protected and cleaned for writeback.
 *	Keeps MAPPED and READ.
 * @MMU_CAUSE_DIRTY_TRACK: a driver write protects or cleans a file mapping to
 *	track writes (wp_shared_mapping_range()). Keeps MAPPED and READ.
 * @MMU_CAUSE_UPROBE: a breakpoint page replaces a page. Keeps nothing.
 * @NR_MMU_CAUSES: number of causes
 *
 * For people: traces and statistics. No code decides by it.
 */
enum mmu_notifier_cause {
	MMU_CAUSE_UNKNOWN,
	MMU_CAUSE_EXIT,
	MMU_CAUSE_MUNMAP,
	MMU_CAUSE_MREMAP,
	MMU_CAUSE_ZAP,
	MMU_CAUSE_UNMAP_MAPPING,
	MMU_CAUSE_UNMAP_FOLIO,
	MMU_CAUSE_MEMORY_FAILURE,
	MMU_CAUSE_OOM_REAP,
	MMU_CAUSE_MIGRATE,
	MMU_CAUSE_MIGRATE_DEVICE,
	MMU_CAUSE_EXCLUSIVE,
	MMU_CAUSE_EXCLUSIVE_END,
	MMU_CAUSE_COW,
	MMU_CAUSE_HUGETLB_COW,
	MMU_CAUSE_HUGETLB_UNSHARE,
	MMU_CAUSE_FORK,
	MMU_CAUSE_MPROTECT,
	MMU_CAUSE_NUMA_HINT,
	MMU_CAUSE_UFFD_WP,
	MMU_CAUSE_UFFD_WP_RESOLVE,
	MMU_CAUSE_UFFD_MOVE,
	MMU_CAUSE_PAGEMAP_SCAN,
	MMU_CAUSE_SOFT_DIRTY,
	MMU_CAUSE_MADV_FREE,
	MMU_CAUSE_KSM_PROTECT,
	MMU_CAUSE_KSM_REPLACE,
	MMU_CAUSE_COLLAPSE,
	MMU_CAUSE_SPLIT,
	MMU_CAUSE_SPLIT_DROP,
	MMU_CAUSE_MKCLEAN,
	MMU_CAUSE_DIRTY_TRACK,
	MMU_CAUSE_UPROBE,
	NR_MMU_CAUSES
};

#ifdef CONFIG_MMU_NOTIFIER_KEEPS
const char *mmu_notifier_cause_name(enum mmu_notifier_cause cause);

/**
 * mmu_notifier_range_keeps() - say why a range is invalidated and what is kept
 * @range: initialised by mmu_notifier_range_init(), not yet started
 * @why: enum mmu_notifier_cause
 * @what: MMU_KEEPS_* that hold for every entry in the range. Decide it from
 *	what cannot change any more, or is checked under the page-table lock:
 *	at the start nothing is locked yet.
 *
 * Context: any.
 */
#define mmu_notifier_range_keeps(range, why, what) do {	\
	struct mmu_notifier_range *__range = (range);		\
								\
	__range->cause = (why);					\
	__range->keeps = (what);				\
} while (0)

#else
#define mmu_notifier_range_keeps(...) do { } while (0)
#endif

#endif /* _LINUX_MMU_NOTIFIER_KEEPS_H */
