/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mmu_notifier

#if !defined(_TRACE_MMU_NOTIFIER_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MMU_NOTIFIER_H

#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>
#include <trace/misc/mmu_notifier.h>

#define MMU_NOTIFIER_RESULTS						\
	EM(MN_CALLED,			"called")			\
	EM(MN_KEPT,			"kept")				\
	EMe(MN_WOULD_BLOCK,		"would_block")

#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(a);

MMU_NOTIFIER_EVENTS
MMU_NOTIFIER_CAUSES
MMU_NOTIFIER_RESULTS

#undef EM
#undef EMe
#define EM(a, b)	{ a, b },
#define EMe(a, b)	{ a, b }

#define show_mmu_keeps(keeps)						\
	((keeps) ? __print_flags(keeps, "|",				\
				 { MMU_KEEPS_MAPPED,	"mapped" },	\
				 { MMU_KEEPS_READ,	"read" },	\
				 { MMU_KEEPS_WRITE,	"write" },	\
				 { MMU_KEEPS_NOFAULT,	"nofault" }) : "nothing")

DECLARE_EVENT_CLASS(mmu_notifier_range,

	TP_PROTO(const struct mmu_notifier_range *range),

	TP_ARGS(range),

	TP_STRUCT__entry(
		__field(struct mm_struct *,	mm)
		__field(unsigned long,		start)
		__field(unsigned long,		end)
		__field(int,			event)
		__field(int,			cause)
		__field(unsigned int,		keeps)
		__field(bool,			blockable)
	),

	TP_fast_assign(
		__entry->mm		= range->mm;
		__entry->start		= range->start;
		__entry->end		= range->end;
		__entry->event		= range->event;
		__entry->cause		= range->cause;
		__entry->keeps		= range->flags & MMU_KEEPS_ALL;
		__entry->blockable	= mmu_notifier_range_blockable(range);
	),

	TP_printk("mm=%p start=%#lx end=%#lx event=%s cause=%s keeps=%s blockable=%d",
		  __entry->mm, __entry->start, __entry->end,
		  __print_symbolic(__entry->event, MMU_NOTIFIER_EVENTS),
		  __print_symbolic(__entry->cause, MMU_NOTIFIER_CAUSES),
		  show_mmu_keeps(__entry->keeps), __entry->blockable)
);

/* An invalidation of a range starts, in an mm that has or had subscribers. */
DEFINE_EVENT(mmu_notifier_range, mmu_notifier_range_start,
	     TP_PROTO(const struct mmu_notifier_range *range),
	     TP_ARGS(range));

/* An invalidation ends. If a start failed because it would block, there is no end. */
DEFINE_EVENT(mmu_notifier_range, mmu_notifier_range_end,
	     TP_PROTO(const struct mmu_notifier_range *range),
	     TP_ARGS(range));

/* The start of a range called a subscriber, or skipped it. */
TRACE_EVENT(mmu_notifier_subscriber,

	TP_PROTO(const struct mmu_notifier_range *range, void *fn,
		 unsigned int needs, int result),

	TP_ARGS(range, fn, needs, result),

	TP_STRUCT__entry(
		__field(struct mm_struct *,	mm)
		__field(unsigned long,		start)
		__field(unsigned long,		end)
		__field(int,			cause)
		__field(unsigned int,		keeps)
		__field(void *,			fn)
		__field(unsigned int,		needs)
		__field(int,			result)
	),

	TP_fast_assign(
		__entry->mm		= range->mm;
		__entry->start		= range->start;
		__entry->end		= range->end;
		__entry->cause		= range->cause;
		__entry->keeps		= range->flags & MMU_KEEPS_ALL;
		__entry->fn		= fn;
		__entry->needs		= needs;
		__entry->result		= result;
	),

	TP_printk("mm=%p start=%#lx end=%#lx cause=%s keeps=%s callback=%ps needs=%s result=%s",
		  __entry->mm, __entry->start, __entry->end,
		  __print_symbolic(__entry->cause, MMU_NOTIFIER_CAUSES),
		  show_mmu_keeps(__entry->keeps), __entry->fn,
		  __entry->needs ? show_mmu_keeps(__entry->needs) : "everything",
		  __print_symbolic(__entry->result, MMU_NOTIFIER_RESULTS))
);

DECLARE_EVENT_CLASS(mmu_interval,

	TP_PROTO(const struct mmu_interval_notifier *sub, unsigned long seq),

	TP_ARGS(sub, seq),

	TP_STRUCT__entry(
		__field(struct mm_struct *,	mm)
		__field(unsigned long,		start)
		__field(unsigned long,		end)
		__field(void *,			fn)
		__field(unsigned long,		seq)
	),

	TP_fast_assign(
		__entry->mm	= sub->mm;
		__entry->start	= sub->interval_tree.start;
		__entry->end	= sub->interval_tree.last + 1;
		__entry->fn	= sub->ops->invalidate;
		__entry->seq	= seq;
	),

	TP_printk("mm=%p start=%#lx end=%#lx callback=%ps seq=%lu",
		  __entry->mm, __entry->start, __entry->end, __entry->fn,
		  __entry->seq)
);

/* mmu_interval_read_begin() has to wait for an invalidation to end. */
DEFINE_EVENT(mmu_interval, mmu_interval_wait,
	     TP_PROTO(const struct mmu_interval_notifier *sub, unsigned long seq),
	     TP_ARGS(sub, seq));

/* mmu_interval_read_try_begin() returns false instead of waiting. */
DEFINE_EVENT(mmu_interval, mmu_interval_busy,
	     TP_PROTO(const struct mmu_interval_notifier *sub, unsigned long seq),
	     TP_ARGS(sub, seq));

/* mmu_interval_read_retry() saw a collision. */
DEFINE_EVENT(mmu_interval, mmu_interval_retry,
	     TP_PROTO(const struct mmu_interval_notifier *sub, unsigned long seq),
	     TP_ARGS(sub, seq));

/* The last range that called an interval subscriber ended: it wakes the waiters. */
TRACE_EVENT(mmu_interval_wake,

	TP_PROTO(const void *subscriptions, unsigned long seq),

	TP_ARGS(subscriptions, seq),

	TP_STRUCT__entry(
		__field(const void *,	subscriptions)
		__field(unsigned long,	seq)
	),

	TP_fast_assign(
		__entry->subscriptions	= subscriptions;
		__entry->seq		= seq;
	),

	TP_printk("subscriptions=%p seq=%lu", __entry->subscriptions,
		  __entry->seq)
);

#undef EM
#undef EMe
#endif /* _TRACE_MMU_NOTIFIER_H */

#include <trace/define_trace.h>
