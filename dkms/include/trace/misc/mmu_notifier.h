/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vhost's modules miss on a kernel whose mm is not ours: names and needs of
 * invalidations, and a begin that does not wait. Everything by which the modules of the
 * package differ from those of the branch is in this file and in stock.c. It stands in the
 * place of the branch's header of this name.
 *
 * An interval notifier of ours is one of the kernel's, and a work item that begins a
 * read side as soon as no invalidation is under way. The data path uses the sequence of
 * that begin. Nobody waits for an invalidation there.
 */
#ifndef _TRACE_MISC_MMU_NOTIFIER_H
#define _TRACE_MISC_MMU_NOTIFIER_H

#include <linux/mmu_notifier.h>
#include <linux/workqueue.h>

/* The kernel has no causes, only events. */
#define MMU_NOTIFIER_WHYS						\
	EM(MMU_NOTIFY_UNMAP,		"unmap")			\
	EM(MMU_NOTIFY_CLEAR,		"clear")			\
	EM(MMU_NOTIFY_PROTECTION_VMA,	"protection_vma")		\
	EM(MMU_NOTIFY_PROTECTION_PAGE,	"protection_page")		\
	EM(MMU_NOTIFY_SOFT_DIRTY,	"soft_dirty")			\
	EM(MMU_NOTIFY_RELEASE,		"release")			\
	EM(MMU_NOTIFY_MIGRATE,		"migrate")			\
	EMe(MMU_NOTIFY_EXCLUSIVE,	"exclusive")
#define mmu_notifier_why(range)	((range)->event)
#define NR_MMU_WHYS		(MMU_NOTIFY_EXCLUSIVE + 1)

/* As in our include/linux/mmu_notifier_keeps.h */
#define MMU_KEEPS_MAPPED	BIT(0)
#define MMU_KEEPS_READ		BIT(1)
#define MMU_KEEPS_WRITE		BIT(2)
#define MMU_NEEDS_RO		(MMU_KEEPS_MAPPED | MMU_KEEPS_READ)
#define MMU_NEEDS_RW		(MMU_NEEDS_RO | MMU_KEEPS_WRITE)

struct stock_range {
	unsigned long start;
	unsigned long end;
	enum mmu_notifier_event event;
};

struct stock_notifier;

struct stock_notifier_ops {
	bool (*invalidate)(struct stock_notifier *n, const struct stock_range *range,
			   unsigned long cur_seq);
};

/**
 * struct stock_notifier - an interval notifier that knows when it may begin
 * @sub: the kernel's
 * @ops: ours
 * @needs: MMU_KEEPS_*, or 0: everything
 * @begin: work that waits for the end of invalidations, and then sets @seq
 * @seq: of the last begin; out of date as soon as @sub is invalidated again
 */
struct stock_notifier {
	struct mmu_interval_notifier sub;
	const struct stock_notifier_ops *ops;
	unsigned int needs;
	struct work_struct begin;
	unsigned long seq;
};

int stock_notifier_insert(struct stock_notifier *n, struct mm_struct *mm, unsigned long start,
			  unsigned long length, const struct stock_notifier_ops *ops,
			  unsigned int needs);
void stock_notifier_remove(struct stock_notifier *n);

static inline bool stock_read_retry(struct stock_notifier *n, unsigned long seq)
{
	return mmu_interval_read_retry(&n->sub, seq);
}

static inline void stock_set_seq(struct stock_notifier *n, unsigned long cur_seq)
{
	mmu_interval_set_seq(&n->sub, cur_seq);
}

/* There is a read side if none of what invalidates came after the last begin. */
static inline bool mmu_interval_read_try_begin(struct stock_notifier *n, unsigned long *seq)
{
	/* Page tables as the invalidations before left them; pairs with stock_begin(). */
	*seq = smp_load_acquire(&n->seq);
	return !mmu_interval_check_retry(&n->sub, *seq);
}

#ifndef VHOST_STOCK_IMPLEMENTATION
#define mmu_notifier_range		stock_range
#define mmu_interval_notifier		stock_notifier
#define mmu_interval_notifier_ops	stock_notifier_ops
#define mmu_interval_notifier_insert_needs stock_notifier_insert
#define mmu_interval_notifier_insert(n, mm, start, length, ops)		\
	stock_notifier_insert(n, mm, start, length, ops, 0)
#define mmu_interval_notifier_remove	stock_notifier_remove
#define mmu_interval_read_retry		stock_read_retry
#define mmu_interval_set_seq		stock_set_seq
#endif

#endif /* _TRACE_MISC_MMU_NOTIFIER_H */
