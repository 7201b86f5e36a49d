/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which subscribers an invalidation leaves out, and what is told of it.
 */
#ifndef _MM_MMU_NOTIFIER_FILTER_H
#define _MM_MMU_NOTIFIER_FILTER_H

#include <linux/interval_tree.h>
#include <linux/jump_label.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>

#ifdef CONFIG_MMU_NOTIFIER_KEEPS

/* What became of a subscriber at the start of a range. */
enum mmu_notifier_result {
	MN_CALLED,
	MN_KEPT,	/* not called: its needs are kept */
	MN_WOULD_BLOCK,	/* called, and could not do it without blocking */
};

#include <trace/events/mmu_notifier.h>

#ifdef CONFIG_MMU_NOTIFIER_STATS
struct mn_stat {
	u64 ranges;
	u64 bytes;
	u64 called;
	u64 kept;
};

DECLARE_STATIC_KEY_FALSE(mn_stats);
DECLARE_PER_CPU(struct mn_stat, mn_stat[NR_MMU_CAUSES]);
#define mn_stats_on()		static_branch_unlikely(&mn_stats)
#define mn_count(range, what, n) this_cpu_add(mn_stat[(range)->cause].what, n)
#else
#define mn_stats_on()		false
#define mn_count(range, what, n) do { } while (0)
#endif

/* The filter. Without needs a subscriber wants every invalidation. */
static inline bool mmu_notifier_kept(const struct mmu_notifier_range *range,
				     unsigned int needs)
{
	return needs && (range->keeps & needs) == needs;
}

static inline void mn_note_start(const struct mmu_notifier_range *range)
{
	trace_mmu_notifier_range_start(range);
	if (mn_stats_on()) {
		mn_count(range, ranges, 1);
		mn_count(range, bytes, range->end - range->start);
	}
}

static inline void mn_note_subscriber(const struct mmu_notifier_range *range,
				      void *fn, unsigned int needs, int result)
{
	trace_mmu_notifier_subscriber(range, fn, needs, result);
	if (mn_stats_on()) {
		if (result == MN_KEPT)
			mn_count(range, kept, 1);
		else
			mn_count(range, called, 1);
	}
}

#define mn_note_end(range)	trace_mmu_notifier_range_end(range)
#define mn_note_wait(sub, seq)	trace_mmu_interval_wait(sub, seq)
#define mn_note_busy(sub, seq)	trace_mmu_interval_busy(sub, seq)
#define mn_note_wake(subscriptions, seq) trace_mmu_interval_wake(subscriptions, seq)

/*
 * From @node on, the first subscriber that has to be called for @range. The
 * tree cannot change: the caller holds the subscriptions' lock, or the itree is
 * invalidating.
 */
static inline struct interval_tree_node *
mn_itree_skip_kept(struct interval_tree_node *node,
		   const struct mmu_notifier_range *range)
{
	while (node) {
		const struct mmu_interval_notifier_ops *ops =
			container_of(node, struct mmu_interval_notifier,
				     interval_tree)->ops;

		if (!mmu_notifier_kept(range, ops->needs))
			break;
		mn_note_subscriber(range, ops->invalidate, ops->needs, MN_KEPT);
		node = interval_tree_iter_next(node, range->start,
					       range->end - 1);
	}
	return node;
}

/* An interval subscriber was called and returned @ret. */
static inline void mn_itree_called(const struct mmu_interval_notifier *sub,
				   const struct mmu_notifier_range *range,
				   bool ret)
{
	mn_note_subscriber(range, sub->ops->invalidate, sub->ops->needs,
			   ret ? MN_CALLED : MN_WOULD_BLOCK);
}

/*
 * Whether to leave out a whole-mm subscriber, at the start and at the end. They
 * agree, as ops are constant and range->keeps is not touched in between.
 */
static inline bool mn_hlist_kept(const struct mmu_notifier *subscription,
				 const struct mmu_notifier_range *range)
{
	return mmu_notifier_kept(range, subscription->ops->needs);
}

static inline void mn_hlist_noted(const struct mmu_notifier *subscription,
				  const struct mmu_notifier_range *range,
				  enum mmu_notifier_result result)
{
	mn_note_subscriber(range, subscription->ops->invalidate_range_start,
			   subscription->ops->needs, result);
}

/*
 * No need for SRCU to see that nobody is there. A subscriber is added with all
 * page-table changes of the mm locked out, so it has nothing to flush for what
 * was under way before.
 */
#define mn_no_secondary_tlbs(list)	hlist_empty(list)

#else /* !CONFIG_MMU_NOTIFIER_KEEPS */

#define mn_note_start(range)			do { } while (0)
#define mn_note_end(range)			do { } while (0)
#define mn_note_wait(sub, seq)			do { } while (0)
#define mn_note_busy(sub, seq)			do { } while (0)
#define mn_note_wake(subscriptions, seq)	do { } while (0)
#define mn_itree_skip_kept(node, range)		(node)
#define mn_itree_called(sub, range, ret)	do { } while (0)
#define mn_hlist_kept(subscription, range)	false
#define mn_hlist_noted(subscription, range, result) do { } while (0)
#define mn_no_secondary_tlbs(list)		false

#endif /* CONFIG_MMU_NOTIFIER_KEEPS */
#endif /* _MM_MMU_NOTIFIER_FILTER_H */
