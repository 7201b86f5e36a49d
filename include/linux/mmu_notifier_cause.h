/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why an MMU-notifier invalidation happens, for traces and statistics.
 */
#ifndef _LINUX_MMU_NOTIFIER_CAUSE_H
#define _LINUX_MMU_NOTIFIER_CAUSE_H

#ifdef CONFIG_MMU_NOTIFIER_CAUSES
/**
 * enum mmu_notifier_cause - why the page tables of a range change
 * @MMU_CAUSE_UNKNOWN: the emitter gave no cause. Keeps nothing.
 * @MMU_CAUSE_EXIT: the address space ends. Keeps nothing.
 * @MMU_CAUSE_MUNMAP: munmap(), or a mapping put over an old one. Keeps nothing.
 * @MMU_CAUSE_MREMAP: page tables are moved away from the range. Keeps nothing.
 * @MMU_CAUSE_ZAP: the pages of an address range are dropped: MADV_DONTNEED,
 *	zap_vma_ptes(). Keeps nothing.
 * @MMU_CAUSE_UNMAP_MAPPING: the pages of a file range are unmapped: truncate,
 *	hole punch, page cache invalidation. Keeps nothing.
 * @MMU_CAUSE_UNMAP_FOLIO: a folio is unmapped from all address spaces: reclaim,
 *	and split or collapse of a file folio. Keeps nothing.
 * @MMU_CAUSE_MEMORY_FAILURE: a poisoned folio is unmapped, and its next user gets a
 *	signal. Keeps nothing. If the data can be read again from a file or from swap,
 *	the cause is UNMAP_FOLIO, as in reclaim.
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
 *	detached. Keeps nothing: the pages stay, but not in this mm's tables.
 * @MMU_CAUSE_FORK: a private mapping is write protected for the child. Keeps
 *	MAPPED and READ. The write that ends the sharing is a COW.
 * @MMU_CAUSE_MPROTECT: access rights change. Keeps MAPPED; READ if the new rights
 *	include it; WRITE if the new vm_page_prot is writable, which it is not for a
 *	private mapping or one that tracks writes. For memory with a protection key
 *	it keeps only MAPPED. For a hugetlb file it keeps nothing, because it may
 *	unshare page tables.
 * @MMU_CAUSE_NUMA_HINT: entries are made to fault, to learn who uses the page.
 *	Keeps all but NOFAULT: the rights of the vma stay, and a move of the page is
 *	a MIGRATE. For a shared mapping that tracks writes it keeps only MAPPED and
 *	READ: entries that are not dirty become read-only.
 * @MMU_CAUSE_UFFD_WP: userfaultfd write protection is set. Keeps MAPPED and READ.
 *	For a hugetlb file it keeps nothing, as MPROTECT. Read-write protection keeps
 *	nothing.
 * @MMU_CAUSE_UFFD_WP_RESOLVE: userfaultfd write protection is removed. Keeps all:
 *	what was writable stays writable. For shmem and for private hugetlb it keeps
 *	MAPPED and READ, because entries may become read-only. For a hugetlb file it
 *	keeps nothing.
 * @MMU_CAUSE_UFFD_MOVE: UFFDIO_MOVE takes pages away. Keeps nothing.
 * @MMU_CAUSE_PAGEMAP_SCAN: PAGEMAP_SCAN write protects what it reports. Keeps
 *	MAPPED and READ. The write that ends the protection only adds rights.
 * @MMU_CAUSE_SOFT_DIRTY: soft-dirty bits are cleared and the entries write
 *	protected. Keeps MAPPED and READ.
 * @MMU_CAUSE_MADV_FREE: pages are marked clean, so that reclaim may free them unless
 *	they are written again. Keeps MAPPED and READ; a later UNMAP_FOLIO of reclaim
 *	does not. Does not keep WRITE, because writes must dirty the entries.
 * @MMU_CAUSE_KSM_PROTECT: KSM write protects a page to compare and share it.
 *	Keeps MAPPED and READ. The replacement is a KSM_REPLACE.
 * @MMU_CAUSE_KSM_REPLACE: a KSM page replaces a page. Keeps nothing.
 * @MMU_CAUSE_COLLAPSE: a huge page, or no page table, replaces a page table:
 *	khugepaged, MADV_COLLAPSE. Keeps nothing.
 * @MMU_CAUSE_SPLIT: a huge entry of anonymous memory is replaced by a table of
 *	entries for the same pages with the same rights. Keeps all.
 * @MMU_CAUSE_SPLIT_DROP: a huge entry is split into migration entries; or it is of a
 *	file, and is dropped to be faulted in again; or it is the huge zero page, and
 *	is split into entries for the small one. Keeps nothing.
 * @MMU_CAUSE_MKCLEAN: a folio is write protected and cleaned for writeback.
 *	Keeps MAPPED and READ.
 * @MMU_CAUSE_DIRTY_TRACK: a driver write protects or cleans a file mapping to
 *	track writes (wp_shared_mapping_range()). Keeps MAPPED and READ.
 * @MMU_CAUSE_UPROBE: a breakpoint page replaces a page. Keeps nothing.
 * @NR_MMU_CAUSES: number of causes
 *
 * Only for traces and statistics: no code decides by the cause.
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

/**
 * mmu_notifier_range_cause() - set why a range is invalidated
 * @range: initialised by mmu_notifier_range_init(), not yet started
 * @why: enum mmu_notifier_cause
 *
 * Context: any.
 */
#define mmu_notifier_range_cause(range, why)	((range)->cause = (why))

#else
#define mmu_notifier_range_cause(...) do { } while (0)
#endif

#endif /* _LINUX_MMU_NOTIFIER_CAUSE_H */
