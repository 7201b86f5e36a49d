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
 * The code that invalidates a range (the emitter) says in the flags of
 * mmu_notifier_range_init() what stays true for the whole range. It stays true from the
 * start of the invalidation until another invalidation of the same address does not keep
 * it. Without flags, nothing is kept. No page table is locked at the start, so the emitter
 * decides by what cannot change until the end.
 *
 * %MMU_KEEPS_MAPPED: each page that the range maps stays mapped there. So whatever
 * happens to the page next (reclaim, migration, copy on write) finds this mapping and
 * invalidates again. If the page stays alive but is no longer mapped here, MAPPED is not
 * kept: what happens to it later does not notify this mm.
 *
 * %MMU_KEEPS_READ: where reading was permitted, it stays permitted. The rights of a
 * protection key do not count: a thread changes them without an invalidation. But
 * mprotect() can give memory a key. If the memory has one afterwards, mprotect() keeps
 * neither READ nor WRITE.
 *
 * %MMU_KEEPS_WRITE: where writing was permitted, it stays permitted, and nobody
 * relies on the next write to fault: not copy on write, nor dirty, soft-dirty
 * or write-protect tracking. An entry may still become read-only, as after
 * the failed migration of a NUMA hint: then the next write faults, and nobody needs it to.
 *
 * %MMU_KEEPS_NOFAULT: an access that stays permitted does not begin to fault. A NUMA
 * hint does not keep this: it makes permitted accesses fault, to learn who uses the
 * memory. A secondary MMU whose users count as such (KVM) must fault, too. Faults that
 * only set the accessed flag, on CPUs where software does so, do not count.
 *
 * A split of the huge zero page maps the small zero page instead, and so keeps nothing.
 *
 * State of a device is not part of the contract. An entry for device-private memory and
 * exclusive access to a page may be lost although all is kept, and fork ends exclusive
 * access. A subscriber that has such state needs everything.
 *
 * A subscriber says what it needs when it subscribes: an interval subscriber with
 * mmu_interval_notifier_insert_needs(), a subscriber of the whole mm in its ops. An
 * invalidation that keeps all of its needs does not call it. These are not part of the
 * contract: which page tables hold the page, the size of their entries, and whether the
 * page is young. A subscriber that depends on them needs everything: it leaves its needs
 * at 0.
 *
 * Without CONFIG_MMU_NOTIFIER_KEEPS all guarantees are 0, and every subscriber is called.
 */
#ifdef CONFIG_MMU_NOTIFIER_KEEPS
#define MMU_KEEPS_MAPPED	BIT(1)
#define MMU_KEEPS_READ		BIT(2)
#define MMU_KEEPS_WRITE		BIT(3)
#define MMU_KEEPS_NOFAULT	BIT(4)
/* For the initializer of struct mmu_notifier_ops, without a comma after it */
#define MMU_NOTIFIER_NEEDS(bits)	.needs = (bits),
#else
#define MMU_KEEPS_MAPPED	0
#define MMU_KEEPS_READ		0
#define MMU_KEEPS_WRITE		0
#define MMU_KEEPS_NOFAULT	0
#define MMU_NOTIFIER_NEEDS(bits)
#endif
/* Needs of a subscriber that reads, or reads and writes, and does not care about faults */
#define MMU_NEEDS_RO		(MMU_KEEPS_MAPPED | MMU_KEEPS_READ)
#define MMU_NEEDS_RW		(MMU_NEEDS_RO | MMU_KEEPS_WRITE)
/* What a write protection keeps */
#define MMU_KEEPS_RO		(MMU_NEEDS_RO | MMU_KEEPS_NOFAULT)
#define MMU_KEEPS_ALL		(MMU_NEEDS_RW | MMU_KEEPS_NOFAULT)

#endif /* _LINUX_MMU_NOTIFIER_KEEPS_H */
