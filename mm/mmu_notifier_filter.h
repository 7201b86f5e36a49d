/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which subscribers an invalidation leaves out, and what is told of it.
 */
#ifndef _MM_MMU_NOTIFIER_FILTER_H
#define _MM_MMU_NOTIFIER_FILTER_H

#include <linux/interval_tree.h>
#include <linux/jump_label.h>
#include <linux/mmu_notifier.h>

#ifdef CONFIG_MMU_NOTIFIER_KEEPS

/* What became of a subscriber at the start of a range. */
enum mmu_notifier_result {
	MN_CALLED,
	MN_KEPT,	/* not called: its needs are kept */
	MN_WOULD_BLOCK,	/* called, and could not do it without blocking */
};

#include <trace/events/mmu_notifier.h>

/* The filter. Without needs a subscriber wants every invalidation. */
static __always_inline bool
mmu_notifier_kept(const struct mmu_notifier_range *range, unsigned int needs)
{
	return needs && !(needs & ~range->keeps);
}

/*
 * What is traced and counted. Out of line, so that nobody pays more than a NOP
 * each while neither is on.
 */
#ifdef CONFIG_MMU_NOTIFIER_STATS
DECLARE_STATIC_KEY_FALSE(mn_stats);
#define mn_stats_on()	static_branch_unlikely(&mn_stats)
#else
#define mn_stats_on()	false
#endif

void __mn_note_start(const struct mmu_notifier_range *range);
void __mn_note_interval(const struct mmu_interval_notifier *sub,
			const struct mmu_notifier_range *range, int result);
void __mn_note_mm(const struct mmu_notifier *subscription,
		  const struct mmu_notifier_range *range, int result);

static __always_inline void
mn_note_start(const struct mmu_notifier_range *range)
{
	if (trace_mmu_notifier_range_start_enabled() || mn_stats_on())
		__mn_note_start(range);
}

/* An interval subscriber was called, or kept. */
static __always_inline void
mn_note_interval(const struct mmu_interval_notifier *sub,
		 const struct mmu_notifier_range *range, int result)
{
	if (trace_mmu_notifier_subscriber_enabled() || mn_stats_on())
		__mn_note_interval(sub, range, result);
}

/* The same of a whole-mm subscriber. */
static __always_inline void
mn_note_mm(const struct mmu_notifier *subscription,
	   const struct mmu_notifier_range *range, int result)
{
	if (trace_mmu_notifier_subscriber_enabled() || mn_stats_on())
		__mn_note_mm(subscription, range, result);
}

#define mn_note_end(range)	trace_mmu_notifier_range_end(range)
#define mn_note_wait(sub, seq)	trace_mmu_interval_wait(sub, seq)
#define mn_note_busy(sub, seq)	trace_mmu_interval_busy(sub, seq)
#define mn_note_wake(subscriptions, seq) trace_mmu_interval_wake(subscriptions, seq)

static __always_inline const struct mmu_interval_notifier *
mn_node_sub(const struct interval_tree_node *node)
{
	return container_of(node, struct mmu_interval_notifier, interval_tree);
}

struct interval_tree_node *
__mn_itree_skip_kept(struct interval_tree_node *node,
		     const struct mmu_notifier_range *range);

/*
 * From @node on, the first subscriber that has to be called for @range. The
 * tree cannot change: the caller holds the subscriptions' lock, or the itree is
 * invalidating.
 */
static __always_inline struct interval_tree_node *
mn_itree_skip_kept(struct interval_tree_node *node,
		   const struct mmu_notifier_range *range)
{
	if (node && mmu_notifier_kept(range, mn_node_sub(node)->ops->needs))
		return __mn_itree_skip_kept(node, range);
	return node;
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

/*
 * No need for SRCU to see that nobody is there. A subscriber is added with all
 * page-table changes of the mm locked out, so it has nothing to flush for what
 * was under way before.
 */
#define mn_no_secondary_tlbs(list)	hlist_empty(list)

#else /* !CONFIG_MMU_NOTIFIER_KEEPS */

/* Not inline functions: even unused, their arguments change the code. */
#define mn_note_start(...)		do { } while (0)
#define mn_note_end(...)		do { } while (0)
#define mn_note_interval(...)		do { } while (0)
#define mn_note_mm(...)			do { } while (0)
#define mn_note_wait(...)		do { } while (0)
#define mn_note_busy(...)		do { } while (0)
#define mn_note_wake(...)		do { } while (0)
#define mn_itree_skip_kept(node, ...)	(node)
#define mn_hlist_kept(...)		false
#define mn_no_secondary_tlbs(...)	false

#endif /* CONFIG_MMU_NOTIFIER_KEEPS */
#endif /* _MM_MMU_NOTIFIER_FILTER_H */
