/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What struct vhost_virtqueue embeds for ringmap.h.
 */
#ifndef _VHOST_RINGMAP_TYPES_H
#define _VHOST_RINGMAP_TYPES_H

#ifdef CONFIG_VHOST_RINGMAP

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>

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
 * @VHOST_MISS_NO_MEMORY: for the table or the notifier
 * @VHOST_MISS_ELSEWHERE: the device IOTLB has no one translation for the ring
 * @VHOST_MISS_STRADDLES: a scalar that straddles pages
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
 * @mapped: accesses through a kernel mapping
 * @fallback: accesses in ringmap mode that found no mapping and went by user
 *	access, by enum vhost_miss
 * @sections: sections under the map lock that the data path entered
 * @fills: pages whose mapping was installed
 * @fill_failed: pages that could not be looked up (not present, not writable,
 *	under invalidation, or of a kind that is never mapped)
 * @fill_raced: pages looked up, then invalidated before they were installed
 * @rests: times the queue went over to user access for a while, because fills
 *	kept failing
 * @dropped: page mappings dropped by invalidations
 * @resets: times all mappings were dropped for a change of address, size,
 *	device IOTLB or accessor
 * @invalidations: notifier callbacks that overlapped a region, by enum
 *	mmu_notifier_cause. Where the region's needs were kept there is none.
 *
 * Protected by the map lock.
 */
struct vhost_ringmap_stats {
	u64 mapped;
	u64 fallback[NR_VHOST_MISSES];
	u64 sections;
	u64 fills;
	u64 fill_failed;
	u64 fill_raced;
	u64 rests;
	u64 dropped;
	u64 resets;
	u64 invalidations[NR_MMU_CAUSES];
};

/**
 * struct vhost_ringmap_region - mapping of one of desc, avail and used
 * @rm: the queue's ringmap
 * @sub: notifier for the region's pages. Registered while @npages is not 0;
 *	only changed under the fill mutex
 * @addr: what the data path calls the first byte: a user address, or a guest
 *	IOVA with a device IOTLB
 * @len: bytes that may be looked up: the ring's, maybe without its event index;
 *	0 when there is no region or it is not known to be that of the ring
 * @offset: offset of the first byte in its page
 * @npages: pages that the region touches, counting @offset
 * @base: user address of the first page, page aligned
 * @kaddr: for each page its address in the linear map, or NULL
 * @flat: address of the first byte if all pages are mapped and follow each other
 *	in the linear map, as those of a huge page do. Derived from @kaddr, and
 *	NULL until it is looked for, and from each change of @kaddr on
 * @rest_next: what the queue's @rest becomes if the next fill fails, too
 *
 * @addr to @kaddr change under the map lock and the fill mutex, and are read
 * under either; but a reset, which holds only the map lock, clears @len and
 * the entries of @kaddr.
 */
struct vhost_ringmap_region {
	struct vhost_ringmap *rm;
	struct mmu_interval_notifier sub;
	unsigned long addr;
	unsigned long len;
	unsigned long offset;
	unsigned long npages;
	unsigned long base;
	void **kaddr;
	void *flat;
	unsigned int rest_next;
};

/*
 * Buffers or descriptors that are read ahead, and used elements that are written,
 * in one section. This bounds how long the map lock is held. vhost-net publishes
 * up to 64 elements at once.
 */
#define VHOST_RINGMAP_AHEAD	48
#define VHOST_RINGMAP_USED	64

/**
 * enum vhost_ringmap_ask - asking the driver for a kick together with a look at the
 *	avail index
 * @VHOST_RINGMAP_ASK_NOT: not asked
 * @VHOST_RINGMAP_ASK_IF_EMPTY: the next look is to ask if it finds nothing
 * @VHOST_RINGMAP_ASKED: it did, and found nothing afterwards either
 */
enum vhost_ringmap_ask {
	VHOST_RINGMAP_ASK_NOT,
	VHOST_RINGMAP_ASK_IF_EMPTY,
	VHOST_RINGMAP_ASKED,
};

/**
 * struct vhost_ringmap_ahead - available buffers that were read ahead
 * @first: avail index of the first one
 * @idx: avail index
 * @count: how many buffers there are
 * @taken: how many of them were taken
 * @have_idx: whether @idx was read and not asked for yet
 * @ask: enum vhost_ringmap_ask
 * @by: enum vhost_accessor by which the last buffer was taken
 * @at: the next descriptor to be taken
 * @end: after the last one; @at and @end are in @desc
 * @head: entries of the avail ring
 * @desc: descriptors, chain after chain
 *
 * The driver made these available and must not change them until they are used.
 * If it does so all the same, it gets what it would get by changing them just
 * after they were read. All of it belongs to the holder of the queue's mutex.
 */
struct vhost_ringmap_ahead {
	u16 first;
	__virtio16 idx;
	u16 count;
	u16 taken;
	bool have_idx;
	u8 ask;
	u8 by;
	const struct vring_desc *at;
	const struct vring_desc *end;
	__virtio16 head[VHOST_RINGMAP_AHEAD];
	struct vring_desc desc[VHOST_RINGMAP_AHEAD];
};

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
 * struct vhost_ringmap - metadata accessor of one virtqueue
 * @lock: the map lock, a leaf spinlock. Every use of a mapping is inside one
 *	section under it, and the invalidate callback takes it: when the
 *	callback returns, nobody uses the mapping. Nothing sleeps, faults or
 *	takes another lock of vhost's under it; only the dirty marking at fill
 *	takes locks below it, as it does under a page-table lock.
 * @accessor: enum vhost_accessor; written under @fill_mutex
 * @mode: what the data path does: @accessor, or user access for as long as
 *	@rest says. Written under @lock and @fill_mutex
 * @rest: reads of the avail index to let pass by user access before the next
 *	attempt, because fills failed. Set under @fill_mutex, counted down by the
 *	holder of the queue's mutex
 * @generation: moves, under @lock, with each reset: a region that was located
 *	before it is not used
 * @fill_mutex: serializes registration, fills and changes of the accessor. The
 *	data path only tries it. Never taken by the invalidate callback.
 * @region: indexed by enum vhost_uaddr_type
 * @avail_idx: where the scalars of the rings are, derived from @region as
 *	its @flat is
 * @used_event: and where the avail ring's used_event is
 * @used_idx: and the used index
 * @avail_event: and the used ring's avail_event
 * @stats: counters
 * @ahead: buffers read ahead
 * @published: the last vhost_ringmap_add_used() did all but the log
 * @signal_follows: whether the next one is to read @event
 * @event: what the driver wants to be told of
 * @event_reader: the task that read @event and did not look at it yet
 * @index: the queue's in its device; constant
 * @used: used elements published, by whatever accessor
 * @times: of the map lock, while somebody wants to know
 *
 * From @ahead to @event_reader, and @used, they belong to the holder
 * of the queue's mutex; @event_reader is compared by others, with themselves.
 */
struct vhost_ringmap {
	spinlock_t lock;	/* the map lock */
	int accessor;
	int mode;
	unsigned int rest;
	unsigned long generation;
	struct mutex fill_mutex; /* slow side */
	struct vhost_ringmap_region region[VHOST_RINGMAP_REGIONS];
	const __virtio16 *avail_idx;
	const __virtio16 *used_event;
	__virtio16 *used_idx;
	__virtio16 *avail_event;
	struct vhost_ringmap_stats stats;
	struct vhost_ringmap_ahead ahead;
	bool published;
	bool signal_follows;
	__virtio16 event;
	struct task_struct *event_reader;
	u16 index;
	u64 used;
	struct vhost_ringmap_times times;
};

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_TYPES_H */
