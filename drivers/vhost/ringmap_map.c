// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map of a virtqueue's rings: where they are, the addresses of their pages, and the
 * notifiers that drop these addresses. ringmap.c explains the order of the stores here.
 */

#define pr_fmt(fmt) "vhost: " fmt

#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "ringmap_int.h"

/* For a ring that cannot be mapped: at most so many reads of the avail index per attempt */
#define REST_MAX	256U

/* Set the address that the data path loads without the map lock. */
static void set_flat(struct vhost_ringmap *rm, int type, const void *flat)
{
	const struct vhost_ringmap_region *r = &rm->region[type];

	lockdep_assert_held(&rm->lock);
	/*
	 * A reader that gets the address also sees the contents that the page had at the
	 * fill: pairs with the reader's address dependency.
	 */
	smp_store_release(&rm->flat[type], flat);
	if (type == VHOST_ADDR_AVAIL)
		/* As above */
		smp_store_release(&rm->used_event,
				  flat && r->event ? flat + r->event : NULL);
}

/* Invalidate what readers load through an address that was cleared before this. */
static void ringmap_moved(struct vhost_ringmap *rm)
{
	lockdep_assert_held(&rm->lock);
	/* After the address was cleared; pairs with vhost_ringmap_read_begin(). */
	smp_store_release(&rm->seq, rm->seq + 1);
}

/* Derive vhost_ringmap.flat of a region from the addresses of its pages. */
static void derive(struct vhost_ringmap_region *r)
{
	struct vhost_ringmap *rm = r->rm;
	int type = r - rm->region;
	unsigned long i;

	lockdep_assert_held(&rm->lock);
	set_flat(rm, type, NULL);
	if (rm->mode != VHOST_ACCESSOR_RINGMAP || ringmap_no_flat() || !r->len ||
	    r->filled != r->npages)
		return;
	for (i = 1; i < r->npages; i++)
		if (r->kaddr[i] != r->kaddr[0] + i * PAGE_SIZE)
			return;
	set_flat(rm, type, r->kaddr[0] + r->offset);
}

/*
 * Clear the addresses of pages, and return how many there were. The caller then moves the
 * sequence.
 */
static __always_inline unsigned long drop(struct vhost_ringmap_region *r,
					  unsigned long page, unsigned long end)
{
	struct vhost_ringmap *rm = r->rm;
	unsigned long dropped = 0;

	lockdep_assert_held(&rm->lock);
	for (; page < end; page++) {
		if (!r->kaddr[page])
			continue;
		WRITE_ONCE(r->kaddr[page], NULL);
		dropped++;
	}
	if (likely(dropped)) {
		r->filled -= dropped;
		set_flat(rm, r - rm->region, NULL);
	}
	return dropped;
}

static bool ringmap_invalidate(struct mmu_interval_notifier *sub,
			       const struct mmu_notifier_range *range,
			       unsigned long cur_seq)
{
	struct vhost_ringmap_region *r;
	struct vhost_ringmap *rm;
	unsigned long first, end, dropped;

	r = container_of(sub, struct vhost_ringmap_region, sub);
	rm = r->rm;
	ringmap_lock(rm);
	mmu_interval_set_seq(sub, cur_seq);
	end = r->base + (r->npages << PAGE_SHIFT);
	end = (PAGE_ALIGN(min(range->end, end)) - r->base) >> PAGE_SHIFT;
	first = (max(range->start, r->base) - r->base) >> PAGE_SHIFT;
	dropped = drop(r, first, end);
	if (likely(dropped))
		ringmap_moved(rm);
	rm->stats.dropped += dropped;
	rm->stats.invalidations[mmu_notifier_why(range)]++;
	vhost_trace(map_drop, ringmap_vq(rm), r - rm->region, first, end - 1,
		    dropped, mmu_notifier_why(range), rm->seq);
	ringmap_unlock(rm);
	/*
	 * The sequence moves before anything happens to the pages; pairs with the read
	 * barrier of vhost_ringmap_read_valid().
	 */
	smp_mb();
	return true;
}

static const struct mmu_interval_notifier_ops ringmap_ops = {
	.invalidate = ringmap_invalidate,
};

/* Set which pages the notifier watches. None of them has an address. */
static void region_set_pages(struct vhost_ringmap_region *r, unsigned long base,
			     unsigned long npages)
{
	struct vhost_ringmap *rm = r->rm;

	lockdep_assert_held(&rm->fill_mutex);
	ringmap_lock(rm);
	WARN_ON_ONCE(r->filled);
	r->base = base;
	r->npages = npages;
	ringmap_unlock(rm);
}

/* Stop watching a region. The caller holds no lock that an invalidation waits for. */
static void region_unregister(struct vhost_ringmap_region *r)
{
	struct vhost_ringmap *rm = r->rm;
	unsigned long dropped __maybe_unused; /* for the event */

	lockdep_assert_held(&rm->fill_mutex);
	if (!r->npages)
		return;
	ringmap_lock(rm);
	WRITE_ONCE(r->len, 0);
	dropped = drop(r, 0, r->npages);
	/* Even if no address was dropped: the next region has another offset. */
	ringmap_moved(rm);
	vhost_trace(map_release, ringmap_vq(rm), r - rm->region, dropped, rm->seq);
	ringmap_unlock(rm);
	/* The sequence moves before the notifier ends; as in ringmap_invalidate(). */
	smp_mb();
	mmu_interval_notifier_remove(&r->sub);
	region_set_pages(r, 0, 0);
}

/* Watch @npages pages from @base. */
static int region_register(struct vhost_ringmap_region *r, struct mm_struct *mm,
			   unsigned long base, unsigned long npages)
{
	/* A ring that vhost only reads needs its page mapped and readable. */
	unsigned int needs = r - r->rm->region == VHOST_ADDR_USED ? MMU_NEEDS_RW :
			     MMU_NEEDS_RO;
	int ret;

	/* Before the notifier is inserted: its callback uses them. */
	region_set_pages(r, base, npages);
	ret = ringmap_fails(RINGMAP_FAULT_NOTIFIER) ? -ENOMEM :
	      mmu_interval_notifier_insert_needs(&r->sub, mm, base,
						 npages << PAGE_SHIFT,
						 &ringmap_ops, needs);
	if (ret)
		region_set_pages(r, 0, 0);
	return ret;
}

/* Bytes of a ring, with its event index if that was negotiated */
static size_t ring_bytes(struct vhost_virtqueue *vq, int type, bool negotiated)
{
	size_t event = negotiated ? sizeof(__virtio16) : 0;

	switch (type) {
	case VHOST_ADDR_DESC:
		return vq->num * sizeof(*vq->desc);
	case VHOST_ADDR_AVAIL:
		return struct_size(vq->avail, ring, vq->num) + event;
	default:
		return struct_size(vq->used, ring, vq->num) + event;
	}
}

/*
 * User address of a ring of @len bytes, or 0. The caller holds the queue's mutex, or
 * there is no device IOTLB.
 */
static unsigned long ring_address(struct vhost_virtqueue *vq, int type, unsigned long len)
{
	const struct vhost_iotlb_map *map;
	unsigned long addr;

	switch (type) {
	case VHOST_ADDR_DESC:
		addr = (unsigned long)vq->desc;
		break;
	case VHOST_ADDR_AVAIL:
		addr = (unsigned long)vq->avail;
		break;
	default:
		addr = (unsigned long)vq->used;
		break;
	}
	if (vq->iotlb) {
		map = vq->meta_iotlb[type];
		/* The prefetch found one translation for the whole ring. */
		if (!map)
			return 0;
		addr += map->addr - map->start;
	}
	/* Notifiers and page tables use addresses without tags. */
	addr = untagged_addr(addr);
	return addr + len > addr ? addr : 0;
}

/**
 * struct place - where a ring is
 * @miss: VHOST_MISS_NONE, or why the place is not known
 * @event: offset of its event index, or 0
 * @len: size of the ring in bytes
 * @offset: offset of the ring's first byte in its page
 */
struct place {
	enum vhost_miss miss;
	unsigned long event, len, offset;
};

/*
 * Find out where a ring is, and watch its pages. If these are the pages that were watched
 * before, keep their addresses: after a device IOTLB message, a ring is often still on the
 * same pages.
 */
static void region_find(struct vhost_virtqueue *vq, int type, struct place *place)
{
	struct vhost_ringmap_region *r = &vq->ringmap.region[type];
	bool event = vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX);
	unsigned long len = ring_bytes(vq, type, event), addr, base, npages;

	place->miss = VHOST_MISS_ELSEWHERE;
	addr = ring_address(vq, type, len);
	/* VHOST_SET_VRING_NUM ensures that the array has room for all pages. */
	if (!addr || WARN_ON_ONCE(vq->num > VHOST_RINGMAP_NUM))
		return;
	base = addr & PAGE_MASK;
	npages = DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE);
	place->miss = VHOST_MISS_NO_MEMORY;
	if (r->base != base || r->npages != npages) {
		region_unregister(r);
		if (region_register(r, vq->dev->mm, base, npages))
			return;
	}
	place->miss = VHOST_MISS_NONE;
	place->event = event ? len - sizeof(__virtio16) : 0;
	place->len = len;
	place->offset = offset_in_page(addr);
}

/* Find all rings of a queue: a reset forgets all of them. */
static enum vhost_miss locate(struct vhost_virtqueue *vq, int type)
{
	bool event = vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX);
	struct vhost_ringmap *rm = &vq->ringmap;
	struct place place[VHOST_RINGMAP_REGIONS];
	struct vhost_ringmap_region *r;
	enum vhost_miss miss;
	unsigned long generation;
	int i;

	lockdep_assert_held(&rm->fill_mutex);
	if (READ_ONCE(rm->region[type].len) == ring_bytes(vq, type, event))
		return VHOST_MISS_NONE;
	ringmap_lock(rm);
	generation = rm->generation;
	ringmap_unlock(rm);
	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++)
		region_find(vq, i, &place[i]);
	miss = place[type].miss;
	ringmap_lock(rm);
	/* The queue's mutex may not be held, so a reset may have come meanwhile. */
	if (rm->generation != generation)
		miss = VHOST_MISS_RESET;
	for (i = 0; i < VHOST_RINGMAP_REGIONS && miss != VHOST_MISS_RESET; i++) {
		r = &rm->region[i];
		if (place[i].miss || r->len == place[i].len)
			continue;
		/*
		 * After the sequence moved for the old length, perhaps on another CPU;
		 * pairs with vhost_ringmap_read_valid().
		 */
		smp_store_release(&r->offset, place[i].offset);
		r->event = place[i].event;
		/* After the offset; pairs with read_by_page(). */
		smp_store_release(&r->len, place[i].len);
		derive(r);
	}
	ringmap_unlock(rm);
	return miss;
}

/* Install the address of one page. */
static enum vhost_miss region_fill(struct vhost_ringmap_region *r, unsigned long page_nr)
{
	struct vhost_ringmap *rm = r->rm;
	bool write = r - rm->region == VHOST_ADDR_USED;
	enum vhost_miss miss;
	struct page *page;
	unsigned long seq;

	lockdep_assert_held(&rm->fill_mutex);
	if (!mmu_interval_read_try_begin(&r->sub, &seq))
		return VHOST_MISS_INVALIDATING;
	if (ringmap_fails(RINGMAP_FAULT_LOOKUP) ||
	    get_user_pages_fast_only(r->base + (page_nr << PAGE_SHIFT), 1,
				     write ? FOLL_WRITE : 0, &page) != 1)
		return VHOST_MISS_ABSENT;
	/* Device memory has its own rules for who may write it, and how. */
	if (is_zone_device_page(page)) {
		put_page(page);
		return VHOST_MISS_DEVICE_MEMORY;
	}

	ringmap_window(RINGMAP_WINDOW_FILL);

	ringmap_lock(rm);
	if (!mmu_interval_read_retry(&r->sub, seq)) {
		/*
		 * Writes through the mapping set no dirty bit in a PTE, so
		 * mark the folio dirty now. Whoever cleans it later calls the
		 * notifier first. The folio cannot be truncated meanwhile, as
		 * under a page-table lock: unmapping it waits for the map lock.
		 */
		if (write)
			folio_mark_dirty(page_folio(page));
		rm->stats.fills++;
		/* Before a reader, which takes no lock, can use the address. */
		vhost_trace(map_fill, ringmap_vq(rm), r - rm->region, page_nr, rm->seq);
		/* As in set_flat() */
		smp_store_release(&r->kaddr[page_nr], page_address(page));
		r->filled++;
		if (r->filled == r->npages)
			derive(r);
		miss = VHOST_MISS_NONE;
	} else {
		rm->stats.fill_raced++;
		miss = VHOST_MISS_RACED;
	}
	ringmap_unlock(rm);
	put_page(page);
	return miss;
}

/* Fill the pages of [@off, @off + @size) of a ring that have no address. */
static enum vhost_miss fill_range(struct vhost_virtqueue *vq, int type,
				  unsigned long off, unsigned long size)
{
	struct vhost_ringmap_region *r = &vq->ringmap.region[type];
	unsigned long len, page, last;
	enum vhost_miss miss;

	/* GUP-fast walks the page tables of the current task. */
	if (!vq->dev->mm || current->mm != vq->dev->mm)
		return VHOST_MISS_NO_MM;
	miss = locate(vq, type);
	if (miss)
		return miss;
	/* A reset may clear it meanwhile. */
	len = READ_ONCE(r->len);
	if (off >= len || size > len - off)
		return len ? VHOST_MISS_OUTSIDE : VHOST_MISS_RESET;
	off += r->offset;
	last = (off + size - 1) >> PAGE_SHIFT;
	for (page = off >> PAGE_SHIFT; page <= last && !miss; page++)
		if (!READ_ONCE(r->kaddr[page]))
			miss = region_fill(r, page);
	return miss;
}

/**
 * ringmap_fill() - try to map a part of a ring
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type
 * @off: offset in the ring, in bytes
 * @size: number of bytes
 *
 * Does not fault, and does not wait for an invalidation to end. If fills keep failing, the
 * queue switches to user access for a while.
 *
 * Context: as vhost_ringmap_avail().
 * Return: VHOST_MISS_NONE, or why the fill failed.
 */
enum vhost_miss ringmap_fill(struct vhost_virtqueue *vq, int type, unsigned long off,
			     unsigned long size)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct vhost_ringmap_region *r = &rm->region[type];
	enum vhost_miss miss = VHOST_MISS_RESET;

	if (!mutex_trylock(&rm->fill_mutex))
		return VHOST_MISS_BUSY;
	if (rm->accessor != VHOST_ACCESSOR_RINGMAP)
		goto unlock;
	miss = fill_range(vq, type, off, size);
	if (!miss) {
		r->rest_next = 0;
		goto unlock;
	}
	if (r->rest_next) {
		WRITE_ONCE(rm->rest, r->rest_next);
		ringmap_set_mode(rm, VHOST_ACCESSOR_UACCESS, VHOST_MODE_REST);
	}
	r->rest_next = min(2 * r->rest_next + 1, REST_MAX);
	ringmap_lock(rm);
	rm->stats.fill_failed++;
	ringmap_unlock(rm);
unlock:
	mutex_unlock(&rm->fill_mutex);
	return miss;
}

/**
 * vhost_ringmap_reset() - forget where the rings of a queue are
 * @vq: virtqueue
 *
 * Everybody calls this who changes ring addresses, the size or the device IOTLB. The
 * addresses of pages stay. vhost uses them again if it finds the rings on the same pages.
 *
 * Context: caller holds the queue's mutex, or nobody else uses the queue. Does
 * not sleep.
 */
void vhost_ringmap_reset(struct vhost_virtqueue *vq)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	int i;

	ringmap_lock(rm);
	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++) {
		WRITE_ONCE(rm->region[i].len, 0);
		set_flat(rm, i, NULL);
	}
	ringmap_moved(rm);
	rm->generation++;
	rm->stats.resets++;
	vhost_trace(map_reset, vq, rm->seq);
	ringmap_unlock(rm);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_reset);

/**
 * ringmap_set_mode() - set what the data path does from now on
 * @rm: the queue's ringmap
 * @mode: enum vhost_accessor
 * @why: enum vhost_mode_reason, for the trace
 *
 * Context: caller holds the fill mutex.
 */
void ringmap_set_mode(struct vhost_ringmap *rm, int mode, int why)
{
	int i;

	lockdep_assert_held(&rm->fill_mutex);
	ringmap_lock(rm);
	if (mode != rm->mode) {
		vhost_trace(accessor, ringmap_vq(rm), rm->mode, mode, why);
		WRITE_ONCE(rm->mode, mode);
		for (i = 0; i < VHOST_RINGMAP_REGIONS; i++)
			derive(&rm->region[i]);
		rm->stats.rests += why == VHOST_MODE_REST;
	}
	ringmap_unlock(rm);
}

/**
 * ringmap_set_accessor() - set the accessor of a queue
 * @rm: the queue's ringmap
 * @accessor: enum vhost_accessor
 * @why: enum vhost_mode_reason, for the trace
 *
 * Context: process context. Waits for the owner's mmap lock, and until the invalidations
 * under way have ended. The caller holds no lock that an invalidation waits for.
 */
void ringmap_set_accessor(struct vhost_ringmap *rm, int accessor, int why)
{
	int i, old;

	/* The key is on while the queue has another accessor than user access. */
	if (accessor != VHOST_ACCESSOR_UACCESS)
		static_branch_inc(&vhost_ringmap_used);
	mutex_lock(&rm->fill_mutex);
	old = rm->accessor;
	WRITE_ONCE(rm->accessor, accessor);
	WRITE_ONCE(rm->rest, 0);
	/* The data path inserts no notifier while we hold the fill mutex. */
	ringmap_first_notifier(rm);
	ringmap_set_mode(rm, accessor, why);
	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++) {
		rm->region[i].rest_next = 0;
		if (accessor != VHOST_ACCESSOR_RINGMAP)
			region_unregister(&rm->region[i]);
	}
	mutex_unlock(&rm->fill_mutex);
	if (old != VHOST_ACCESSOR_UACCESS)
		static_branch_dec(&vhost_ringmap_used);
}
