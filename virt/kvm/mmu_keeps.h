/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What KVM keeps when an invalidation keeps it: the rules.
 */
#ifndef __KVM_MMU_KEEPS_H__
#define __KVM_MMU_KEEPS_H__

#include <linux/mmu_notifier.h>

/*
 * The invariant: an SPTE, what a TLB has of it, or the kernel address in a pfn cache, never
 * permits more than the host's page table. It maps the same frame. It permits a write only if
 * the host's page table permits it, and nobody relies on the next write to fault.
 *
 * An emitter notifies KVM before it changes the page table. KVM then drops what the change
 * does not keep, and flushes. Until the end of the range, nobody installs anything for it,
 * and nobody installs what was looked up before the end: a fault checks
 * mmu_invalidate_in_progress and mmu_invalidate_seq under mmu_lock; the refresh of a pfn
 * cache checks mn_active_invalidate_count and a sequence of its own, or mmu_invalidate_seq,
 * under the cache's lock.
 * This holds for each range that KVM is notified of, whatever the range keeps.
 *
 * A range that keeps all that KVM needs (KVM_MMU_NEEDS) skips KVM. KVM does not count it,
 * and nobody retries for it. After it, a fault finds the same frame as before it, and no
 * fewer rights. It may find more: the end of userfaultfd's write protection permits writes.
 * So a fault that looked before may install a read-only SPTE over a writable one, which a TLB
 * may still have: in Linux 6.12 without a flush. Write protection therefore flushes for SPTEs
 * that are read-only, too.
 *
 * The size of the host's entries may differ after such a range. An SPTE that is larger than
 * the host's entry is safe, because each later change of a part of it zaps or write-protects
 * all of it. One case needs care: a change of a part may have notified KVM already, and split
 * the host's entry only now. It does not zap an SPTE that is installed in between. So KVM
 * installs no huge SPTE while a part of its range is invalidated: not at a fault, and not
 * where Linux 7.3 recovers huge pages when dirty logging ends.
 *
 * The start of a range waits for mmu_lock and for the lock of each pfn cache. An update of
 * the memslots waits for the end of all ranges that KVM was notified of. Nobody waits for a
 * range that skips KVM.
 */
#ifdef CONFIG_KVM_MMU_KEEPS
#define kvm_range_keeps(range, needs)	mmu_notifier_range_keeps(range, needs)
/* NUMA hints do not skip KVM: from its faults the host learns who uses the memory. */
#define KVM_MMU_NEEDS			MMU_KEEPS_ALL
#define KVM_MMU_NOTIFIER_NEEDS		MMU_NOTIFIER_NEEDS(KVM_MMU_NEEDS)
#else
#define kvm_range_keeps(...)		false
#define KVM_MMU_NOTIFIER_NEEDS
#endif

#endif /* __KVM_MMU_KEEPS_H__ */
