/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mmu_notifier
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE mmu_interval

#if !defined(_TRACE_MMU_INTERVAL_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MMU_INTERVAL_H

#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>

/* mmu_interval_read_retry() saw a collision. */
TRACE_EVENT(mmu_interval_retry,

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

#endif /* _TRACE_MMU_INTERVAL_H */

#include <trace/define_trace.h>
