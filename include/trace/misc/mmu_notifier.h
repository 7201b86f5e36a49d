/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the reasons why a range is invalidated, for the trace events of subscribers: its
 * cause, or its event if the kernel has no causes.
 */
#ifndef _TRACE_MISC_MMU_NOTIFIER_H
#define _TRACE_MISC_MMU_NOTIFIER_H

#include <linux/mmu_notifier.h>

#define MMU_NOTIFIER_EVENTS						\
	EM(MMU_NOTIFY_UNMAP,		"unmap")			\
	EM(MMU_NOTIFY_CLEAR,		"clear")			\
	EM(MMU_NOTIFY_PROTECTION_VMA,	"protection_vma")		\
	EM(MMU_NOTIFY_PROTECTION_PAGE,	"protection_page")		\
	EM(MMU_NOTIFY_SOFT_DIRTY,	"soft_dirty")			\
	EM(MMU_NOTIFY_RELEASE,		"release")			\
	EM(MMU_NOTIFY_MIGRATE,		"migrate")			\
	EM(MMU_NOTIFY_EXCLUSIVE,	"exclusive")			\
	EM(MMU_NOTIFY_SPLIT,		"split")			\
	EM(MMU_NOTIFY_LAZYFREE,		"lazyfree")			\
	EMe(MMU_NOTIFY_KSM_PROTECT,	"ksm_protect")

#ifdef CONFIG_MMU_NOTIFIER_CAUSES
#include <trace/misc/mmu_notifier_cause.h>
#define mmu_notifier_why(range)	((range)->cause)
#define MMU_NOTIFIER_WHYS	MMU_NOTIFIER_CAUSES
#define NR_MMU_WHYS		NR_MMU_CAUSES
#else
#define mmu_notifier_why(range)	((range)->event)
#define MMU_NOTIFIER_WHYS	MMU_NOTIFIER_EVENTS
#define NR_MMU_WHYS		(MMU_NOTIFY_KSM_PROTECT + 1)
#endif

#endif /* _TRACE_MISC_MMU_NOTIFIER_H */
