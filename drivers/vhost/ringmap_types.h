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
 * @VHOST_ACCESSOR_RINGMAP: kernel mappings, and user access where there is none
 * @VHOST_ACCESSOR_MAX: number of accessors
 */
enum vhost_accessor {
	VHOST_ACCESSOR_UACCESS,
	VHOST_ACCESSOR_CHECKED,
	VHOST_ACCESSOR_RINGMAP,
	VHOST_ACCESSOR_MAX,
};

/**
 * enum vhost_miss - why an access in ringmap mode uses user access
 * @VHOST_MISS_NONE: it does not
 * @VHOST_MISS_ABSENT: the page is not present, or the access is not permitted
 * @VHOST_MISS_INVALIDATING: an invalidation is under way
 * @VHOST_MISS_RACED: an invalidation came between lookup and use
 * @VHOST_MISS_DEVICE_MEMORY: the page is device memory, which is never mapped
 * @VHOST_MISS_BUSY: a fill or a change of the accessor is under way
 * @VHOST_MISS_NO_MEMORY: there is no memory for the notifier
 * @VHOST_MISS_ELSEWHERE: the device IOTLB has no single translation for the ring
 * @VHOST_MISS_STRADDLES: a scalar or a descriptor straddles two pages
 * @VHOST_MISS_OUTSIDE: the access is beyond the ring
 * @VHOST_MISS_RESET: addresses, size, device IOTLB or accessor changed meanwhile
 * @VHOST_MISS_NO_MM: the device has no owner, or the caller is not in the owner's mm
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
 * @fallback: accesses in ringmap mode that used user access, by enum vhost_miss
 * @sections: critical sections under the map lock that the data path entered
 * @fills: pages whose address was installed
 * @fill_failed: attempts to fill that failed
 * @fill_raced: pages that were looked up, and invalidated before they were installed
 * @rests: how often the queue switched to user access for a while, because fills
 *	kept failing
 * @dropped: page addresses dropped by invalidations
 * @resets: how often vhost forgot where the rings are, because an address, the size or
 *	the device IOTLB changed
 * @invalidations: notifier callbacks that overlapped a region, by their reason
 *	(mmu_notifier_why()). An invalidation that keeps the region's needs makes no
 *	callback.
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

/* The maximum number of ring entries, and the maximum number of pages that @bytes touch */
#define VHOST_RINGMAP_NUM	32768
#define VHOST_RINGMAP_PAGES(bytes) \
	(DIV_ROUND_UP(bytes, PAGE_SIZE) + 1)

/**
 * struct vhost_ringmap_region - mapping of one of desc, avail and used
 * @len: size of the ring in bytes, with its event index if that was negotiated; 0 while
 *	vhost does not know where the ring is
 * @offset: offset of the ring's first byte in its page
 * @kaddr: array with the address of each page in the linear map, or NULL. The array is a
 *	part of vhost_ringmap.pages, and the pointer to it is constant. Readers load an
 *	address without a lock, and validate
 * @rm: the queue's ringmap
 * @sub: notifier for the region's pages. It is registered while @npages is not 0
 * @base: user address of the first page, page aligned
 * @npages: number of pages that the notifier watches
 * @event: offset of the event index in the ring, or 0 if it was not negotiated
 * @filled: number of pages that have an address
 * @rest_next: the value of the queue's @rest if the next fill fails, too
 *
 * All but @rest_next change under the map lock. All but the addresses and @filled also need
 * the fill mutex. One exception: a reset sets @len to 0 under the map lock alone.
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
 * Maximum number of used elements that one section writes. It bounds how long the map
 * lock is held. vhost-net publishes up to 64 elements at once.
 */
#define VHOST_RINGMAP_USED	64

#define VHOST_RINGMAP_TIMES	32

/**
 * struct vhost_ringmap_times - histograms of the map lock
 * @taken: time in ns when it was taken, or 0
 * @hold: how often it was held for a time below 1 << i ns, and at least half of that
 * @wait: the same for the time that a taker waited
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
 * @session: number of the tracing session
 * @page: page of the ring
 * @seq: sequence that validated the use
 */
struct vhost_ringmap_said {
	unsigned long session;
	unsigned long page;
	unsigned long seq;
};

/**
 * struct vhost_ringmap - metadata accessor of one virtqueue
 * @seq: moves, under @lock, after an address was cleared that readers may hold
 * @flat: for each ring the address of its first byte, if all pages of the ring are mapped
 *	and adjacent in the linear map, as those of a huge page are; otherwise NULL. Always
 *	NULL unless @mode is VHOST_ACCESSOR_RINGMAP. Derived from @region under @lock;
 *	readers load it without a lock
 * @used_event: address of the avail ring's used_event; derived as @flat is
 * @mode: what the data path does: @accessor, or user access while @rest counts down.
 *	Written under @lock and @fill_mutex
 * @rest: number of reads of the avail index that still use user access, because fills
 *	failed. Set under @fill_mutex, counted down by the reader
 * @mapped: accesses through a kernel address. Readers count without a lock, so it may
 *	miss some
 * @used: used elements passed to vhost_add_used_n(), with any accessor. Protected by the
 *	queue's mutex
 * @lock: the map lock, a leaf spinlock. Every store to a ring is in a critical section
 *	under it. The invalidate callback takes it, too: when the callback returns, nobody
 *	stores to the page. Under it, nothing sleeps, faults or takes another lock of
 *	vhost. Only marking a folio dirty at a fill takes locks below it, as it does under
 *	a page-table lock
 * @fill_mutex: serializes registration, fills and changes of the accessor. The
 *	data path only tries it. The invalidate callback never takes it
 * @accessor: enum vhost_accessor; written under @fill_mutex
 * @generation: moves, under @lock, with each reset: what somebody found out about a ring
 *	before the reset is out of date
 * @index: index of the queue in its device; constant
 * @region: indexed by enum vhost_uaddr_type
 * @stats: counters
 * @times: histograms of the map lock
 * @said: for each ring the last use that was traced, to trace the same use only once
 * @pages: addresses for the descriptor table, the available ring and the used ring
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
 * @pid: PID in the initial PID namespace, or 0 for nobody
 * @comm: its name
 *
 * This holds no reference to the process. It may be gone, and its PID reused.
 */
struct vhost_ringmap_task {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct vhost_ringmap_first - a notifier that makes later ones cheap to insert
 * @mutex: protects the other fields
 * @inserted: whether @sub is inserted
 * @sub: notifier of the owner's mm, for an address that nobody invalidates
 */
struct vhost_ringmap_first {
	struct mutex mutex;	/* around the insertion */
	bool inserted;
	struct mmu_interval_notifier sub;
};

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_TYPES_H */
