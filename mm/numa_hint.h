/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_NUMA_HINT_H
#define _MM_NUMA_HINT_H

#ifdef CONFIG_NUMA_HINT_LOOK
struct vm_area_struct;

bool numa_hint_changes(struct vm_area_struct *vma, unsigned long addr,
		       unsigned long end);
#else
#define numa_hint_changes(...)	true
#endif

#endif /* _MM_NUMA_HINT_H */
