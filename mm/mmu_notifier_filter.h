/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which subscribers an invalidation skips.
 */
#ifndef _MM_MMU_NOTIFIER_FILTER_H
#define _MM_MMU_NOTIFIER_FILTER_H

#include <linux/interval_tree.h>
#include <linux/mmu_notifier.h>

#ifdef CONFIG_MMU_NOTIFIER_CAUSES
#include "mmu_notifier_trace.h"
#else
/* Not inline functions: even unused, their arguments change the code. */
#define mn_note_start(...)		do { } while (0)
#define mn_note_end(...)		do { } while (0)
#define mn_note_interval(...)		do { } while (0)
#define mn_note_mm(...)			do { } while (0)
#define mn_note_wait(...)		do { } while (0)
#define mn_note_busy(...)		do { } while (0)
#define mn_note_wake(...)		do { } while (0)
#endif

#ifdef CONFIG_MMU_NOTIFIER_KEEPS

#define mn_set_needs(sub, bits)	((sub)->needs = (bits))

static __always_inline struct mmu_interval_notifier *
mn_node_sub(struct interval_tree_node *node)
{
	return container_of(node, struct mmu_interval_notifier, interval_tree);
}

static __always_inline bool mn_node_kept(struct interval_tree_node *node,
					 const struct mmu_notifier_range *range)
{
	/* Changes once, from 0, when mmu_interval_notifier_insert_needs() is done. */
	return mmu_notifier_range_keeps(range, READ_ONCE(mn_node_sub(node)->needs));
}

/*
 * @node is to be skipped. Returns the first subscriber behind it that is not, or, if @most
 * were skipped before, the one behind these.
 */
static noinline struct interval_tree_node *
__mn_itree_skip_kept(struct interval_tree_node *node,
		     const struct mmu_notifier_range *range, unsigned int most)
{
	do {
		mn_note_interval(mn_node_sub(node), range, MN_KEPT);
		node = interval_tree_iter_next(node, range->start,
					       range->end - 1);
	} while (node && --most && mn_node_kept(node, range));
	return node;
}

static __always_inline struct interval_tree_node *
mn_itree_skip_most(struct interval_tree_node *node,
		   const struct mmu_notifier_range *range, unsigned int most)
{
	if (node && mn_node_kept(node, range))
		return __mn_itree_skip_kept(node, range, most);
	return node;
}

/*
 * The first subscriber from @node on that @range must call. The itree is invalidating, so
 * it cannot change.
 */
#define mn_itree_skip_kept(node, range)	mn_itree_skip_most(node, range, UINT_MAX)

/*
 * The same at the start, under the subscriptions lock, which all of the mm shares. So skip
 * only a limited number of subscribers under it. Beyond that, the range invalidates the
 * itree, although perhaps it calls nobody, and mn_itree_skip_rest() goes on without the
 * lock. For comparison: 64 queues of vhost have 192 subscribers.
 */
#define MN_KEPT_UNDER_LOCK	256
#define mn_itree_skip_some(node, range) \
	mn_itree_skip_most(node, range, MN_KEPT_UNDER_LOCK)

static __always_inline struct mmu_interval_notifier *
mn_itree_skip_rest(struct mmu_interval_notifier *sub,
		   const struct mmu_notifier_range *range)
{
	struct interval_tree_node *node;

	if (!sub || !mn_node_kept(&sub->interval_tree, range))
		return sub;
	node = __mn_itree_skip_kept(&sub->interval_tree, range, UINT_MAX);
	return node ? mn_node_sub(node) : NULL;
}

/*
 * A range is quiet if it keeps all that its subscribers need. It calls nobody, but counts
 * as active: a subscriber that is inserted meanwhile may need more, and collides with it.
 * Nobody else waits for a quiet range. So once only quiet ranges are active, the invalidation
 * that another range began is over, unless a subscriber was inserted meanwhile.
 *
 * @ranges: number of active ranges that promise something, without those that are about to
 * end. Never more than that.
 * @hold: the invalidation does not end before no range is active, because a range that
 * promises something is not quiet, or because a subscriber was inserted. Protected by the
 * subscriptions lock.
 */
struct mn_quiet {
	atomic_long_t ranges;
	bool hold;
};

/* A range that must not block may have no end. No such range promises anything. */
static __always_inline bool
mn_range_promises(const struct mmu_notifier_range *range)
{
	return range->flags & MMU_KEEPS_ALL &&
	       mmu_notifier_range_blockable(range);
}

/* @first is the first subscriber to call, or NULL. */
static __always_inline void mn_quiet_start(struct mn_quiet *quiet,
					   const struct mmu_notifier_range *range,
					   const struct interval_tree_node *first)
{
	if (!mn_range_promises(range))
		return;
	atomic_long_inc(&quiet->ranges);
	if (first)
		quiet->hold = true;
}

#define mn_quiet_insert(quiet)	((quiet)->hold = true)

/* Called before the end of the range takes the lock */
#define mn_quiet_end(subscriptions, range) do {				\
	if (mn_range_promises(range) && (subscriptions)->has_itree)	\
		atomic_long_dec(&(subscriptions)->quiet.ranges);	\
} while (0)

/* Whether one of the @active ranges prevents the end of the invalidation. */
static __always_inline bool mn_ranges_left(struct mn_quiet *quiet,
					   unsigned long active)
{
	if (!active) {
		quiet->hold = false;
		return false;
	}
	VM_WARN_ON_ONCE(atomic_long_read(&quiet->ranges) > active);
	return quiet->hold || active != atomic_long_read(&quiet->ranges);
}

/*
 * Whether to skip a whole-mm subscriber, at the start and at the end. Both give the same
 * answer: ops are constant, and the guarantees of a range do not change in between.
 */
static inline bool mn_hlist_kept(const struct mmu_notifier *subscription,
				 const struct mmu_notifier_range *range)
{
	return mmu_notifier_range_keeps(range, subscription->ops->needs);
}

/*
 * An empty list needs no SRCU. A subscriber is added with all page-table changes of the mm
 * locked out, so it has nothing to flush for a change that was under way before.
 */
#define mn_no_secondary_tlbs(list)	hlist_empty(list)

#else /* !CONFIG_MMU_NOTIFIER_KEEPS */

struct mn_quiet { };

#define mn_set_needs(...)		do { } while (0)
#define mn_itree_skip_kept(node, ...)	(node)
#define mn_itree_skip_some(node, ...)	(node)
#define mn_itree_skip_rest(sub, ...)	(sub)
#define mn_quiet_start(...)		do { } while (0)
#define mn_quiet_insert(...)		do { } while (0)
#define mn_quiet_end(...)		do { } while (0)
#define mn_ranges_left(quiet, active)	(active)
#define mn_hlist_kept(...)		false
#define mn_no_secondary_tlbs(...)	false

#endif /* CONFIG_MMU_NOTIFIER_KEEPS */
#endif /* _MM_MMU_NOTIFIER_FILTER_H */
