/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracing and counting of invalidations and of the subscribers that they call.
 */
#ifndef _MM_MMU_NOTIFIER_TRACE_H
#define _MM_MMU_NOTIFIER_TRACE_H

#include <linux/jump_label.h>
#include <linux/mmu_notifier.h>

/* What the start of a range did with a subscriber. */
enum mmu_notifier_result {
	MN_CALLED,
	MN_KEPT,	/* not called: its needs are kept */
	MN_WOULD_BLOCK,	/* called, and failed because it would have to block */
};

#include <trace/events/mmu_notifier.h>

/* Out of line: while tracing and statistics are off, each call site is only a NOP. */
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

/* An interval subscriber was called, or skipped. */
static __always_inline void
mn_note_interval(const struct mmu_interval_notifier *sub,
		 const struct mmu_notifier_range *range, int result)
{
	if (trace_mmu_notifier_subscriber_enabled() || mn_stats_on())
		__mn_note_interval(sub, range, result);
}

/* The same for a whole-mm subscriber. */
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

#endif /* _MM_MMU_NOTIFIER_TRACE_H */
