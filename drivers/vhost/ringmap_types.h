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

/* desc, avail, used: enum vhost_uaddr_type */
#define VHOST_RINGMAP_REGIONS	3

/**
 * struct vhost_ringmap_stats - what a queue's accessor did
 * @mapped: accesses through a kernel mapping
 * @fallback: accesses in ringmap mode that found no mapping and went by user
 *	access
 * @user: accesses in uaccess or checked mode
 * @fills: pages whose mapping was installed
 * @fill_failed: pages that could not be looked up (not present, not writable,
 *	under invalidation, or of a kind that is never mapped)
 * @fill_raced: pages looked up, then invalidated before they were installed
 * @dropped: page mappings dropped by invalidations
 * @resets: times all mappings were dropped for a change of address, size,
 *	device IOTLB or accessor
 * @invalidations: notifier callbacks that overlapped a region, by enum
 *	mmu_notifier_cause. Where the region's needs were kept there is none.
 *
 * @user is only written by the queue's user, and is approximate where a
 * device signals outside the queue's mutex; the rest is protected by the map
 * lock.
 */
struct vhost_ringmap_stats {
	u64 mapped;
	u64 fallback;
	u64 user;
	u64 fills;
	u64 fill_failed;
	u64 fill_raced;
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
 * @len: bytes that may be looked up; 0 when there is no region
 * @offset: offset of the first byte in its page
 * @npages: pages that the region touches, counting @offset
 * @base: user address of the first page, page aligned
 * @kaddr: for each page its address in the linear map, or NULL
 * @backoff: misses to let pass before the next attempt to fill
 * @backoff_next: what @backoff becomes if that attempt fails too
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
	unsigned int backoff;
	unsigned int backoff_next;
};

/* Buffers read ahead at once. This bounds how long the map lock is held. */
#define VHOST_RINGMAP_AHEAD	64

/**
 * struct vhost_ringmap_ahead - available buffers that were read ahead
 * @next: avail index of the next one
 * @left: how many are left
 * @pos: where in @head and @desc the next one is
 * @taken: where the head is whose descriptor was not asked for yet, or -1
 * @generation: that of the ringmap when they were read
 * @head: entries of the avail ring
 * @desc: the descriptors they name, for those below the queue size
 *
 * The driver made these available and must not change them until they are used.
 * If it does so all the same, it gets what it would get by changing them just
 * after they were read. All of it belongs to the holder of the queue's mutex.
 */
struct vhost_ringmap_ahead {
	u16 next;
	u16 left;
	u16 pos;
	s16 taken;
	unsigned long generation;
	__virtio16 head[VHOST_RINGMAP_AHEAD];
	struct vring_desc desc[VHOST_RINGMAP_AHEAD];
};

/**
 * struct vhost_ringmap - metadata accessor of one virtqueue
 * @lock: the map lock, a leaf spinlock. Every use of a mapping is inside one
 *	section under it, and the invalidate callback takes it: when the
 *	callback returns, nobody uses the mapping. Nothing sleeps, faults or
 *	takes another lock of vhost's under it; only the dirty marking at fill
 *	takes locks below it, as it does under a page-table lock.
 * @accessor: enum vhost_accessor; written under @fill_mutex
 * @generation: moves, under @lock, with each reset and each change of the
 *	accessor: a fill that began before it is not installed, and what was
 *	read ahead is forgotten
 * @fill_mutex: serializes registration, fills and changes of the accessor. The
 *	data path only tries it. Never taken by the invalidate callback.
 * @region: indexed by enum vhost_uaddr_type
 * @stats: counters
 * @ahead: buffers read ahead
 */
struct vhost_ringmap {
	spinlock_t lock;	/* the map lock */
	int accessor;
	unsigned long generation;
	struct mutex fill_mutex; /* slow side */
	struct vhost_ringmap_region region[VHOST_RINGMAP_REGIONS];
	struct vhost_ringmap_stats stats;
	struct vhost_ringmap_ahead ahead;
};

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_TYPES_H */
