/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Check that invalidations keep what they promise.
 */
#ifndef _MM_MMU_NOTIFIER_DEBUG_H
#define _MM_MMU_NOTIFIER_DEBUG_H

#ifdef CONFIG_DEBUG_MMU_NOTIFIER_KEEPS
struct mmu_notifier_range;

void mn_debug_start(const struct mmu_notifier_range *range);
void mn_debug_started(const struct mmu_notifier_range *range, int ret);
void mn_debug_end(const struct mmu_notifier_range *range);
#else
#define mn_debug_start(...)	do { } while (0)
#define mn_debug_started(...)	do { } while (0)
#define mn_debug_end(...)	do { } while (0)
#endif

#endif /* _MM_MMU_NOTIFIER_DEBUG_H */
