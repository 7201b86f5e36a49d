/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the causes of invalidations.
 */
#ifndef _TRACE_MISC_MMU_NOTIFIER_CAUSE_H
#define _TRACE_MISC_MMU_NOTIFIER_CAUSE_H

#include <linux/mmu_notifier.h>

#define MMU_NOTIFIER_CAUSES						\
	EM(MMU_CAUSE_UNKNOWN,		"unknown")			\
	EM(MMU_CAUSE_EXIT,		"exit")				\
	EM(MMU_CAUSE_MUNMAP,		"munmap")			\
	EM(MMU_CAUSE_MREMAP,		"mremap")			\
	EM(MMU_CAUSE_ZAP,		"zap")				\
	EM(MMU_CAUSE_UNMAP_MAPPING,	"unmap_mapping")		\
	EM(MMU_CAUSE_UNMAP_FOLIO,	"unmap_folio")			\
	EM(MMU_CAUSE_MEMORY_FAILURE,	"memory_failure")		\
	EM(MMU_CAUSE_OOM_REAP,		"oom_reap")			\
	EM(MMU_CAUSE_MIGRATE,		"migrate")			\
	EM(MMU_CAUSE_MIGRATE_DEVICE,	"migrate_device")		\
	EM(MMU_CAUSE_EXCLUSIVE,		"exclusive")			\
	EM(MMU_CAUSE_EXCLUSIVE_END,	"exclusive_end")		\
	EM(MMU_CAUSE_COW,		"cow")				\
	EM(MMU_CAUSE_HUGETLB_COW,	"hugetlb_cow")			\
	EM(MMU_CAUSE_HUGETLB_UNSHARE,	"hugetlb_unshare")		\
	EM(MMU_CAUSE_FORK,		"fork")				\
	EM(MMU_CAUSE_MPROTECT,		"mprotect")			\
	EM(MMU_CAUSE_NUMA_HINT,		"numa_hint")			\
	EM(MMU_CAUSE_UFFD_WP,		"uffd_wp")			\
	EM(MMU_CAUSE_UFFD_WP_RESOLVE,	"uffd_wp_resolve")		\
	EM(MMU_CAUSE_UFFD_MOVE,		"uffd_move")			\
	EM(MMU_CAUSE_PAGEMAP_SCAN,	"pagemap_scan")			\
	EM(MMU_CAUSE_SOFT_DIRTY,	"soft_dirty")			\
	EM(MMU_CAUSE_MADV_FREE,		"madv_free")			\
	EM(MMU_CAUSE_KSM_PROTECT,	"ksm_protect")			\
	EM(MMU_CAUSE_KSM_REPLACE,	"ksm_replace")			\
	EM(MMU_CAUSE_COLLAPSE,		"collapse")			\
	EM(MMU_CAUSE_SPLIT,		"split")			\
	EM(MMU_CAUSE_SPLIT_DROP,	"split_drop")			\
	EM(MMU_CAUSE_MKCLEAN,		"mkclean")			\
	EM(MMU_CAUSE_DIRTY_TRACK,	"dirty_track")			\
	EMe(MMU_CAUSE_UPROBE,		"uprobe")

#endif /* _TRACE_MISC_MMU_NOTIFIER_CAUSE_H */
