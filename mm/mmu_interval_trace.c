// SPDX-License-Identifier: GPL-2.0-only
/*
 * A trace of who has to read again. It is apart, as the modules that read need it, too.
 */
#include <linux/export.h>
#include <linux/mmu_notifier.h>

#define CREATE_TRACE_POINTS
#include <trace/events/mmu_interval.h>

/* From mmu_interval_read_retry(), while the tracepoint is on. */
void __mmu_interval_note_retry(const struct mmu_interval_notifier *sub,
			       unsigned long seq)
{
	trace_mmu_interval_retry(sub, seq);
}
EXPORT_SYMBOL_GPL(__mmu_interval_note_retry);
EXPORT_TRACEPOINT_SYMBOL_GPL(mmu_interval_retry);
