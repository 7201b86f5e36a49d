// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmu_interval_read_retry() is inline in modules, too, which need what it calls.
 */
#include <linux/export.h>
#include <linux/mmu_notifier.h>
#include <trace/events/mmu_notifier.h>

/* Called by mmu_interval_read_retry() while the tracepoint is on. */
void __mmu_interval_note_retry(const struct mmu_interval_notifier *sub,
			       unsigned long seq)
{
	trace_mmu_interval_retry(sub, seq);
}
EXPORT_SYMBOL_GPL(__mmu_interval_note_retry);
EXPORT_TRACEPOINT_SYMBOL_GPL(mmu_interval_retry);
