/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What struct vhost_virtqueue embeds for ringmap.h.
 */
#ifndef _VHOST_RINGMAP_TYPES_H
#define _VHOST_RINGMAP_TYPES_H

#ifdef CONFIG_VHOST_RINGMAP

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>
#include <trace/misc/mmu_notifier.h>

/**
 * enum vhost_accessor - how vhost reads and writes virtqueue metadata
 * @VHOST_ACCESSOR_UACCESS: user access for every field, as without this option
 * @VHOST_ACCESSOR_CHECKED: user access that checks each address instead of
 *	relying on the check at setup, and so needs no speculation barrier
 * @VHOST_ACCESSOR_RINGMAP: kernel mappings, user access where there is none
 * @VHOST_ACCESSOR_MAX: number of accessors
 */
enum vhost_accessor {
	VHOST_ACCESSOR_UACCESS,
	VHOST_ACCESSOR_CHECKED,
	VHOST_ACCESSOR_RINGMAP,
	VHOST_ACCESSOR_MAX,
};

/**
 * enum vhost_miss - why an access in ringmap mode goes by user access
 * @VHOST_MISS_NONE: it does not
 * @VHOST_MISS_ABSENT: the page is not present, or not permitted
 * @VHOST_MISS_INVALIDATING: an invalidation is under way
 * @VHOST_MISS_RACED: one came between lookup and use
 * @VHOST_MISS_DEVICE_MEMORY: a page that is never mapped
 * @VHOST_MISS_BUSY: a fill or a change of the accessor is under way
 * @VHOST_MISS_NO_MEMORY: for the notifier
 * @VHOST_MISS_ELSEWHERE: the device IOTLB has no one translation for the ring
 * @VHOST_MISS_STRADDLES: a scalar or a descriptor that straddles pages
 * @VHOST_MISS_OUTSIDE: beyond the ring
 * @VHOST_MISS_RESET: addresses, size, device IOTLB or accessor changed meanwhile
 * @VHOST_MISS_NO_MM: no owner, or not in the owner's mm
 * @NR_VHOST_MISSES: number of reasons
 */
enum vhost_miss {
	VHOST_MISS_NONE,
	VHOST_MISS_ABSENT,
	VHOST_MISS_INVALIDATING,
	VHOST_MISS_RACED,
	VHOST_MISS_DEVICE_MEMORY,
	VHOST_MISS_BUSY,
	VHOST_MISS_NO_MEMORY,
	VHOST_MISS_ELSEWHERE,
	VHOST_MISS_STRADDLES,
	VHOST_MISS_OUTSIDE,
	VHOST_MISS_RESET,
	VHOST_MISS_NO_MM,
	NR_VHOST_MISSES,
};

/* desc, avail, used: enum vhost_uaddr_type */
#define VHOST_RINGMAP_REGIONS	3

/**
 * struct vhost_ringmap_stats - what a queue's accessor did
 * @fallback: accesses in ringmap mode that found no mapping and went by user
 *	access, by enum vhost_miss
 * @sections: sections under the map lock that the data path entered
 * @fills: pages whose address was installed
 * @fill_failed: attempts to map what could not be looked up (not present, not writable,
 *	under invalidation, or of a kind that is never mapped)
 * @fill_raced: pages looked up, then invalidated before they were installed
 * @rests: times the queue went over to user access for a while, because fills
 *	kept failing
 * @dropped: page addresses dropped by invalidations
 * @resets: times the places of the rings were forgotten, for a change of address,
 *	size or device IOTLB
 * @invalidations: notifier callbacks that overlapped a region, by why
 *	(mmu_notifier_why()). Where the region's needs were kept there is none.
 *
 * Protected by the map lock.
 */
struct vhost_ringmap_stats {
	u64 fallback[NR_VHOST_MISSES];
	u64 sections;
	u64 fills;
	u64 fill_failed;
	u64 fill_raced;
	u64 rests;
	u64 dropped;
	u64 resets;
	u64 invalidations[NR_MMU_WHYS];
};

/* The most entries of a ring, and the most pages that @bytes may touch */
#define VHOST_RINGMAP_NUM	32768
#define VHOST_RINGMAP_PAGES(bytes) \
	(DIV_ROUND_UP(bytes, PAGE_SIZE) + 1)

/**
 * struct vhost_ringmap_region - mapping of one of desc, avail and used
 * @len: bytes that may be looked up: the ring's, with its event index if that was
 *	negotiated; 0 while it is not known where the ring is
 * @offset: offset of the ring's first byte in its page
 * @kaddr: for each page its address in the linear map, or NULL. A part of
 *	vhost_ringmap.pages; constant. Readers take an address without a lock, and validate
 * @rm: the queue's ringmap
 * @sub: notifier for the region's pages. It is registered while @npages is not 0
 * @base: user address of the first page, page aligned
 * @npages: how many pages are watched
 * @event: where in the ring its event index is, or 0 if that was not negotiated
 * @filled: how many pages have an address
 * @rest_next: what the queue's @rest becomes if the next fill fails, too
 *
 * All but @rest_next change under the map lock, and all but the addresses and @filled
 * under the fill mutex as well. A reset, which holds only the map lock, may set @len to 0.
 */
struct vhost_ringmap_region {
	unsigned long len;
	unsigned long offset;
	void **kaddr;
	struct vhost_ringmap *rm;
	struct mmu_interval_notifier sub;
	unsigned long base;
	unsigned long npages;
	unsigned long event;
	unsigned long filled;
	unsigned int rest_next;
};

/*
 * Used elements that are written in one section. This bounds how long the map lock
 * is held. vhost-net publishes up to 64 elements at once.
 */
#define VHOST_RINGMAP_USED	64

#define VHOST_RINGMAP_TIMES	32

/**
 * struct vhost_ringmap_times - histograms of the map lock
 * @taken: when it was taken, or 0; in ns, as the next two
 * @hold: how often it was held for less than 1 << i ns, and not less than half
 *	of that
 * @wait: the same for waiting for it
 *
 * Protected by the map lock.
 */
struct vhost_ringmap_times {
	u64 taken;
	u64 hold[VHOST_RINGMAP_TIMES];
	u64 wait[VHOST_RINGMAP_TIMES];
};

/**
 * struct vhost_ringmap_said - the last use of a page that was traced
 * @session: when
 * @page: of the ring
 * @seq: with which sequence
 */
struct vhost_ringmap_said {
	unsigned long session;
	unsigned long page;
	unsigned long seq;
};

/**
 * struct vhost_ringmap - metadata accessor of one virtqueue
 * @seq: moves, under @lock, after an address that readers may have was cleared
 * @flat: for each ring the address of its first byte, if all its pages are mapped
 *	and follow each other in the linear map, as those of a huge page do; else
 *	NULL. NULL unless @mode is VHOST_ACCESSOR_RINGMAP. Derived from @region under
 *	@lock; readers take it without
 * @used_event: where the avail ring's used_event is, derived as @flat is
 * @mode: what the data path does: @accessor, or user access for as long as
 *	@rest says. Written under @lock and @fill_mutex
 * @rest: reads of the avail index to let pass by user access before the next attempt,
 *	because fills failed. Set under @fill_mutex, counted down by the reader
 * @mapped: accesses through a kernel address. Readers count without a lock: it may
 *	miss one
 * @used: used elements handed to vhost_add_used_n(), by whatever accessor. Belongs to
 *	the holder of the queue's mutex
 * @lock: the map lock, a leaf spinlock. Every store to a ring is inside a section
 *	under it, and the invalidate callback takes it: when the callback returns,
 *	nobody stores there. Nothing sleeps, faults or takes another lock of vhost's
 *	under it; only the dirty marking at fill takes locks below it, as it does
 *	under a page-table lock
 * @fill_mutex: serializes registration, fills and changes of the accessor. The
 *	data path only tries it. Never taken by the invalidate callback
 * @accessor: enum vhost_accessor; written under @fill_mutex
 * @generation: moves, under @lock, with each reset: what was found out about a ring
 *	before it is out of date
 * @index: the queue's in its device; constant
 * @region: indexed by enum vhost_uaddr_type
 * @stats: counters
 * @times: of the map lock, while somebody wants to know
 * @said: for each ring, so that a use that is like the last one is not traced again
 * @pages: of the descriptor table, the available ring and the used ring
 */
struct vhost_ringmap {
	unsigned long seq;
	const void *flat[VHOST_RINGMAP_REGIONS];
	const void *used_event;
	int mode;
	unsigned int rest;
	u64 mapped;
	u64 used;
	spinlock_t lock;	/* the map lock */
	struct mutex fill_mutex; /* slow side */
	int accessor;
	unsigned long generation;
	u16 index;
	struct vhost_ringmap_region region[VHOST_RINGMAP_REGIONS];
	struct vhost_ringmap_stats stats;
	struct vhost_ringmap_times times;
	struct vhost_ringmap_said said[VHOST_RINGMAP_REGIONS];
	struct {
		void *desc[VHOST_RINGMAP_PAGES(VHOST_RINGMAP_NUM * sizeof(struct vring_desc))];
		void *avail[VHOST_RINGMAP_PAGES(VHOST_RINGMAP_NUM * sizeof(__virtio16) +
						3 * sizeof(__virtio16))];
		void *used[VHOST_RINGMAP_PAGES(VHOST_RINGMAP_NUM *
					       sizeof(struct vring_used_elem) +
					       3 * sizeof(__virtio16))];
	} pages;
};

/**
 * struct vhost_ringmap_task - a process, as it was when it opened or owned a device
 * @pid: its number in the initial PID namespace, or 0 for nobody
 * @comm: its name
 *
 * Nothing is held of the process. It may be gone, and its number another's.
 */
struct vhost_ringmap_task {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct vhost_ringmap_first - a notifier that makes later ones cheap to insert
 * @mutex: protects it
 * @inserted: whether @sub is
 * @sub: of the owner's mm, for an address that nobody invalidates
 */
struct vhost_ringmap_first {
	struct mutex mutex;	/* around the insertion */
	bool inserted;
	struct mmu_interval_notifier sub;
};

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_TYPES_H */
