/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an MMU-notifier invalidation keeps.
 */
#ifndef _LINUX_MMU_NOTIFIER_KEEPS_H
#define _LINUX_MMU_NOTIFIER_KEEPS_H

#include <linux/bits.h>

/**
 * DOC: guarantees of an invalidation
 *
 * An emitter says in the flags of mmu_notifier_range_init() what stays true of the
 * whole range, from the start of the invalidation until another invalidation of the
 * same address takes it away. Nothing is kept unless the emitter says so. No page
 * table is locked at the start, so the emitter decides by what cannot change until
 * the end.
 *
 * %MMU_KEEPS_MAPPED: where the range maps a page it still maps that page
 * afterwards. So whatever happens to the page next - reclaim, migration, copy
 * on write - finds this mapping and invalidates again. A page that is alive
 * but no longer mapped here is not kept: its fate is not announced to this mm.
 *
 * %MMU_KEEPS_READ: where reading was permitted it stays permitted. Rights of a
 * protection key do not count: no invalidation announces that a thread changes
 * them. But mprotect() can give memory a key, so where the memory has one
 * afterwards, mprotect() keeps neither READ nor WRITE.
 *
 * %MMU_KEEPS_WRITE: where writing was permitted it stays permitted, and nobody
 * relies on the next write to fault: not copy on write, nor dirty, soft-dirty
 * or write-protect tracking.
 *
 * %MMU_KEEPS_NOFAULT: an access that is kept by the others does not begin to
 * fault. A NUMA hint does not keep this: it makes accesses fault that stay
 * permitted, to learn who uses the memory. A secondary MMU through which such
 * users come (KVM) has to fault as well. Faults that only set the accessed flag,
 * where software does that, do not count.
 *
 * The split of the huge zero page maps the small zero page instead, and so keeps
 * nothing.
 *
 * What a device has of its own is no part of it: an entry for its memory
 * (device-private) and its exclusive access to a page may become less where all is
 * kept, and fork ends exclusive access. Who has such needs everything.
 *
 * A subscriber says what it needs when it subscribes: an interval subscriber by
 * mmu_interval_notifier_insert_needs(), one for the whole mm in its ops. It is
 * not called for an invalidation that keeps all of that. Which page tables hold
 * the page, of which size their entries are, and whether the page is young are no
 * part of the contract: a subscriber that depends on these needs everything, that
 * is, it leaves its needs at 0.
 *
 * Without CONFIG_MMU_NOTIFIER_KEEPS the guarantees are 0: nobody says any, and
 * nobody is left out.
 */
#ifdef CONFIG_MMU_NOTIFIER_KEEPS
#define MMU_KEEPS_MAPPED	BIT(1)
#define MMU_KEEPS_READ		BIT(2)
#define MMU_KEEPS_WRITE		BIT(3)
#define MMU_KEEPS_NOFAULT	BIT(4)
/* In the initializer of struct mmu_notifier_ops, without a comma behind it */
#define MMU_NOTIFIER_NEEDS(bits)	.needs = (bits),
#else
#define MMU_KEEPS_MAPPED	0
#define MMU_KEEPS_READ		0
#define MMU_KEEPS_WRITE		0
#define MMU_KEEPS_NOFAULT	0
#define MMU_NOTIFIER_NEEDS(bits)
#endif
/* What is needed to read, and to read and write, by who does not care for faults */
#define MMU_NEEDS_RO		(MMU_KEEPS_MAPPED | MMU_KEEPS_READ)
#define MMU_NEEDS_RW		(MMU_NEEDS_RO | MMU_KEEPS_WRITE)
/* What a write protection keeps */
#define MMU_KEEPS_RO		(MMU_NEEDS_RO | MMU_KEEPS_NOFAULT)
#define MMU_KEEPS_ALL		(MMU_NEEDS_RW | MMU_KEEPS_NOFAULT)

#endif /* _LINUX_MMU_NOTIFIER_KEEPS_H */
