/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What KVM keeps when an invalidation keeps it.
 */
#ifndef __KVM_MMU_KEEPS_H__
#define __KVM_MMU_KEEPS_H__

#include <linux/mmu_notifier.h>

/*
 * What holds, always: an SPTE, or the kernel address in a pfn cache, is never more than
 * what the host's page table says. It is for the frame that is mapped there. It permits
 * writes only where they are permitted, and nobody relies on the next one to fault.
 *
 * Who changes the page table tells KVM before, which takes away what the change does not
 * keep, and flushes. Until the end of the range, and for what was looked up before it,
 * nobody puts anything back: a fault looks at mmu_invalidate_in_progress and
 * mmu_invalidate_seq under mmu_lock, the refresh of a pfn cache at
 * mn_active_invalidate_count and mmu_invalidate_seq under the cache's lock. That is so
 * for each range that KVM is told of, whatever is kept.
 *
 * KVM is not told of a range that keeps all that it depends on (KVM_MMU_NEEDS). So it
 * is not counted either, and nobody retries: what a fault looks up before, during and
 * after it is the same frame with the same rights. The size of the host's entries may
 * differ. An SPTE that is larger than these does no harm: each later change of a part of
 * what it maps zaps or write-protects all of it. A change of a part that was announced
 * before, and splits the host's entry only afterwards, does not, so no huge SPTE is put
 * in while a part of what it would map is invalidated.
 *
 * The emitter waits in the start for mmu_lock and for the lock of each pfn cache. An
 * update of the memslots waits for the end of all ranges that KVM was told of. Nobody
 * waits for one that it was not told of.
 */
#ifdef CONFIG_KVM_MMU_KEEPS
#define kvm_range_keeps(range, needs)	mmu_notifier_range_keeps(range, needs)
/* Of NUMA hints KVM is told: its faults are how the host learns who uses the memory. */
#define KVM_MMU_NEEDS			MMU_KEEPS_ALL
#define KVM_MMU_NOTIFIER_NEEDS		MMU_NOTIFIER_NEEDS(KVM_MMU_NEEDS)
#else
#define kvm_range_keeps(...)		false
#define KVM_MMU_NOTIFIER_NEEDS
#endif

#endif /* __KVM_MMU_KEEPS_H__ */
