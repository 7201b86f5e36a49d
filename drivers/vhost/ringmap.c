// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coherent kernel mappings of a virtqueue's metadata: a software TLB for rings.
 *
 * For each of desc, avail and used there is a table with a kernel address for
 * every page of the ring. An entry is filled from the page tables without
 * faulting and without keeping a page reference, and dropped by an interval
 * notifier when the memory manager changes what it depends on. Where there is
 * no entry, the caller goes by user access, which faults the page in as ever
 * and so lets the next fill succeed. A fill that fails costs time only.
 *
 * Who holds what, who may wait for whom:
 *
 * - Every use of an entry is inside one section under the map lock. The
 *   invalidate callback takes the map lock, so it waits for at most one such
 *   section, and when it returns nobody uses the entry.
 * - An entry is installed under the map lock after the notifier's sequence was
 *   checked there. The page cannot have left the page tables by then: that
 *   would have moved the sequence, or is waiting for the map lock.
 * - Registration may sleep, and removal waits for invalidations to end. Both
 *   happen under the fill mutex, which the data path only tries and the
 *   invalidate callback never takes.
 *
 * A section is entered per batch, not per access: one reads the avail index with
 * the buffers that it makes available, one writes used elements and the used
 * index, one asks the driver to kick and looks again. None moves more than
 * VHOST_RINGMAP_AHEAD buffers or descriptors, or VHOST_RINGMAP_USED used elements.
 * What was read ahead are copies, which no invalidation touches, for the holder of
 * the queue's mutex; whatever lets the driver start anew forgets them under that
 * mutex.
 *
 * Entries are addresses in the linear map: they need no vmap(), whatever the
 * pages' physical order, they are dropped one by one, and dropping needs no TLB
 * flush and nothing to free.
 */

#define pr_fmt(fmt) "vhost: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fault-inject.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ringmap.h"
#include "trace.h"

static const char * const accessor_names[VHOST_ACCESSOR_MAX] = {
	[VHOST_ACCESSOR_UACCESS] = "uaccess",
	[VHOST_ACCESSOR_CHECKED] = "checked",
	[VHOST_ACCESSOR_RINGMAP] = "ringmap",
};

/* Accessor of the queues of devices that are opened from now on. */
static int default_accessor =
	IS_ENABLED(CONFIG_VHOST_ACCESSOR_RINGMAP) ? VHOST_ACCESSOR_RINGMAP :
	IS_ENABLED(CONFIG_VHOST_ACCESSOR_CHECKED) ? VHOST_ACCESSOR_CHECKED :
	VHOST_ACCESSOR_UACCESS;

/* A ring that cannot be mapped costs one attempt in this many avail indices. */
#define REST_MAX	256U

static const char * const miss_names[NR_VHOST_MISSES] = {
	[VHOST_MISS_NONE] = "none",
	[VHOST_MISS_ABSENT] = "absent",
	[VHOST_MISS_INVALIDATING] = "invalidating",
	[VHOST_MISS_RACED] = "raced",
	[VHOST_MISS_DEVICE_MEMORY] = "device_memory",
	[VHOST_MISS_BUSY] = "busy",
	[VHOST_MISS_NO_MEMORY] = "no_memory",
	[VHOST_MISS_ELSEWHERE] = "elsewhere",
	[VHOST_MISS_STRADDLES] = "straddles",
	[VHOST_MISS_OUTSIDE] = "outside",
	[VHOST_MISS_RESET] = "reset",
	[VHOST_MISS_NO_MM] = "no_mm",
};

static const char * const ring_names[VHOST_RINGMAP_REGIONS] = {
	[VHOST_ADDR_DESC] = "desc",
	[VHOST_ADDR_AVAIL] = "avail",
	[VHOST_ADDR_USED] = "used",
};

static struct dentry *vhost_debugfs;

/* Devices with a directory; for what is said to all of them. */
static LIST_HEAD(devices);
static DEFINE_MUTEX(devices_lock);

/* Steps that fail on command, for tests: each must cost time only. */
enum fault {
	FAULT_TABLE,
	FAULT_NOTIFIER,
	FAULT_LOOKUP,
};

#if defined(CONFIG_VHOST_RINGMAP_WINDOWS) && \
	defined(CONFIG_FAULT_INJECTION_DEBUG_FS)

static struct fault_attr faults[] = {
	[FAULT_TABLE] = FAULT_ATTR_INITIALIZER,
	[FAULT_NOTIFIER] = FAULT_ATTR_INITIALIZER,
	[FAULT_LOOKUP] = FAULT_ATTR_INITIALIZER,
};

static bool fails(enum fault step)
{
	return should_fail(&faults[step], 1);
}

static void faults_init(struct dentry *dir)
{
	fault_create_debugfs_attr("fail_table", dir, &faults[FAULT_TABLE]);
	fault_create_debugfs_attr("fail_notifier", dir,
				  &faults[FAULT_NOTIFIER]);
	fault_create_debugfs_attr("fail_lookup", dir, &faults[FAULT_LOOKUP]);
}
#else
static inline bool fails(enum fault step) { return false; }
static inline void faults_init(struct dentry *dir) {}
#endif

#ifdef CONFIG_VHOST_RINGMAP_WINDOWS

/*
 * Windows for tests: the next write through a mapping, or the next fill, stops
 * once for the given time where a race would have to strike.
 */
static DEFINE_STATIC_KEY_FALSE(windows_on);

static struct {
	atomic_t use_ms;
	atomic_t fill_ms;
	atomic_t handler_ms;
	atomic_t entered;
} windows;

#define WINDOW_MAX_MS	2000

/* Between the lookup of a mapping and the stores through it. */
static inline void window_use(void)
{
	int ms;

	if (!static_branch_unlikely(&windows_on))
		return;
	ms = atomic_xchg(&windows.use_ms, 0);
	if (!ms)
		return;
	atomic_inc(&windows.entered);
	mdelay(ms);
}

static void window_sleep(atomic_t *window)
{
	int ms = atomic_xchg(window, 0);

	if (!ms)
		return;
	atomic_inc(&windows.entered);
	msleep(ms);
}

/* Between the lookup of a page and the installation of its address. */
static inline void window_fill(void)
{
	if (static_branch_unlikely(&windows_on))
		window_sleep(&windows.fill_ms);
}

/* Under the queue's mutex, between taking buffers and using them. */
static inline void window_handler(void)
{
	if (static_branch_unlikely(&windows_on))
		window_sleep(&windows.handler_ms);
}

static int window_get(void *data, u64 *val)
{
	*val = atomic_read((atomic_t *)data);
	return 0;
}

static int window_set(void *data, u64 val)
{
	if (val > WINDOW_MAX_MS)
		return -EINVAL;
	static_branch_enable(&windows_on);
	atomic_set((atomic_t *)data, val);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(window_fops, window_get, window_set, "%llu\n");

static void windows_init(void)
{
	struct dentry *dir = debugfs_create_dir("windows", vhost_debugfs);

	debugfs_create_file("use_ms", 0600, dir, &windows.use_ms, &window_fops);
	debugfs_create_file("fill_ms", 0600, dir, &windows.fill_ms,
			    &window_fops);
	debugfs_create_file("handler_ms", 0600, dir, &windows.handler_ms,
			    &window_fops);
	debugfs_create_atomic_t("entered", 0400, dir, &windows.entered);
	faults_init(dir);
}
#else
static inline void window_use(void) {}
static inline void window_fill(void) {}
static inline void window_handler(void) {}
static inline void windows_init(void) {}
#endif /* CONFIG_VHOST_RINGMAP_WINDOWS */

/* While somebody counts for how long the map lock is held, or traces it. */
static DEFINE_STATIC_KEY_FALSE(map_lock_watched);

/* The former, who also turns the key. */
static bool lock_times_on;

static __maybe_unused struct vhost_virtqueue *ringmap_vq(struct vhost_ringmap *rm)
{
	return container_of(rm, struct vhost_virtqueue, ringmap);
}

static unsigned int time_slot(u64 ns)
{
	return min(fls64(ns), VHOST_RINGMAP_TIMES - 1);
}

static noinline void map_lock_watch(struct vhost_ringmap *rm, const char *site)
	__acquires(&rm->lock)
{
	u64 start = local_clock();

	if (!spin_trylock(&rm->lock)) {
		vhost_trace(map_lock, ringmap_vq(rm), VHOST_LOCK_WAIT, site);
		spin_lock(&rm->lock);
	}
	rm->times.taken = 0;
	if (READ_ONCE(lock_times_on)) {
		rm->times.taken = local_clock();
		rm->times.wait[time_slot(rm->times.taken - start)]++;
	}
	vhost_trace(map_lock, ringmap_vq(rm), VHOST_LOCK_TAKEN, site);
}

static noinline void map_unlock_watch(struct vhost_ringmap *rm, const char *site)
{
	/* It may have been taken before anybody counted. */
	if (rm->times.taken)
		rm->times.hold[time_slot(local_clock() - rm->times.taken)]++;
	rm->times.taken = 0;
	vhost_trace(map_lock, ringmap_vq(rm), VHOST_LOCK_RELEASED, site);
}

static __always_inline void __map_lock(struct vhost_ringmap *rm, const char *site)
	__acquires(&rm->lock)
{
	if (static_branch_unlikely(&map_lock_watched))
		map_lock_watch(rm, site);
	else
		spin_lock(&rm->lock);
}

static __always_inline void __map_unlock(struct vhost_ringmap *rm, const char *site)
	__releases(&rm->lock)
{
	if (static_branch_unlikely(&map_lock_watched))
		map_unlock_watch(rm, site);
	spin_unlock(&rm->lock);
}

#define map_lock(rm)	__map_lock(rm, __func__)
#define map_unlock(rm)	__map_unlock(rm, __func__)

#ifdef CONFIG_VHOST_TRACE
/* Called when the event vhost_map_lock is turned on, and off. */
int vhost_map_lock_watch(void)
{
	static_branch_inc(&map_lock_watched);
	return 0;
}

void vhost_map_lock_unwatch(void)
{
	static_branch_dec(&map_lock_watched);
}

/* Say which pages of a ring the @n bytes at offset @off are in. */
static noinline void trace_use(const struct vhost_virtqueue *vq, int type,
			       unsigned long off, unsigned long n)
{
	unsigned long page, last;

	off += vq->ringmap.region[type].offset;
	last = (off + n - 1) >> PAGE_SHIFT;
	for (page = off >> PAGE_SHIFT; page <= last; page++)
		vhost_trace(map_use, vq, type, page);
}

static void trace_use_scalar(const struct vhost_virtqueue *vq, int type,
			     unsigned long off)
{
	if (vhost_trace_enabled(map_use))
		trace_use(vq, type, off, sizeof(__virtio16));
}

static void trace_use_entries(const struct vhost_virtqueue *vq,
			      unsigned int slot, unsigned int n)
{
	trace_use(vq, VHOST_ADDR_AVAIL, offsetof(struct vring_avail, ring) +
		  slot * sizeof(__virtio16), n * sizeof(__virtio16));
}

static void trace_use_elements(const struct vhost_virtqueue *vq,
			       unsigned int slot, unsigned int n)
{
	trace_use(vq, VHOST_ADDR_USED, offsetof(struct vring_used, ring) +
		  slot * sizeof(struct vring_used_elem),
		  n * sizeof(struct vring_used_elem));
}

/* The pages of what was read ahead. */
static void trace_read_ahead(struct vhost_virtqueue *vq)
{
	const struct vhost_ringmap_ahead *a = &vq->ringmap.ahead;
	unsigned int slot = a->first & (vq->num - 1);
	unsigned int run = min(a->count, vq->num - slot);
	const struct vring_desc *desc = a->desc;
	unsigned int i, next;

	if (!a->count)
		return;
	vhost_trace(fetch, vq, a->first, (u16)(a->first + a->count),
		    VHOST_ACCESSOR_RINGMAP);
	if (!vhost_trace_enabled(map_use))
		return;
	trace_use_entries(vq, slot, run);
	if (a->count > run)
		trace_use_entries(vq, 0, a->count - run);
	for (i = 0; i < a->count; i++) {
		next = vhost16_to_cpu(vq, a->head[i]);
		while (next < vq->num && desc < a->end) {
			trace_use(vq, VHOST_ADDR_DESC, next * sizeof(*desc),
				  sizeof(*desc));
			next = vhost16_to_cpu(vq, desc->next);
			if (!(desc++->flags &
			      cpu_to_vhost16(vq, VRING_DESC_F_NEXT)))
				break;
		}
	}
}
#else
#define trace_use_scalar(...)	((void)0)
#define trace_use_elements(...)	((void)0)
#define trace_read_ahead(...)	((void)0)
#define trace_use(...)		((void)0)
#endif /* CONFIG_VHOST_TRACE */

/* Caller holds the map lock. */
static void forget_derived(struct vhost_ringmap *rm)
{
	int i;

	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++)
		rm->region[i].flat = NULL;
	rm->avail_idx = NULL;
	rm->used_event = NULL;
	rm->used_idx = NULL;
	rm->avail_event = NULL;
}

static bool ringmap_invalidate(struct mmu_interval_notifier *sub,
			       const struct mmu_notifier_range *range,
			       unsigned long cur_seq)
{
	struct vhost_ringmap_region *r;
	struct vhost_ringmap *rm;
	unsigned long first, page, end;
	unsigned long dropped = 0;

	r = container_of(sub, struct vhost_ringmap_region, sub);
	rm = r->rm;
	map_lock(rm);
	mmu_interval_set_seq(sub, cur_seq);
	end = r->base + (r->npages << PAGE_SHIFT);
	end = (PAGE_ALIGN(min(range->end, end)) - r->base) >> PAGE_SHIFT;
	first = (max(range->start, r->base) - r->base) >> PAGE_SHIFT;
	for (page = first; page < end; page++) {
		if (!r->kaddr[page])
			continue;
		r->kaddr[page] = NULL;
		dropped++;
	}
	forget_derived(rm);
	rm->stats.dropped += dropped;
	rm->stats.invalidations[range->cause]++;
	vhost_trace(map_drop, ringmap_vq(rm), r - rm->region, first, end - 1,
		    dropped, range->cause);
	map_unlock(rm);
	return true;
}

/* What is only read depends on the page being mapped and readable. */
static const struct mmu_interval_notifier_ops ringmap_read_ops = {
	.invalidate = ringmap_invalidate,
	.needs = MMU_KEEPS_MAPPED | MMU_KEEPS_READ,
};

static const struct mmu_interval_notifier_ops ringmap_write_ops = {
	.invalidate = ringmap_invalidate,
	.needs = MMU_KEEPS_ALL,
};

/* Replace the table and free the old one. Caller holds the fill mutex. */
static void region_set_table(struct vhost_ringmap_region *r, void **kaddr,
			     unsigned long base, unsigned long npages)
{
	void **old = r->kaddr;

	map_lock(r->rm);
	r->len = 0;
	forget_derived(r->rm);
	r->kaddr = kaddr;
	r->base = base;
	r->npages = npages;
	map_unlock(r->rm);
	kvfree(old);
}

/*
 * Remove the region's notifier and free its table. Caller holds the fill
 * mutex, and nothing that an invalidation waits for.
 */
static void region_unregister(struct vhost_ringmap_region *r)
{
	if (!r->npages)
		return;
	/* No hit from here on: nobody will tell us about changes. */
	map_lock(r->rm);
	r->len = 0;
	forget_derived(r->rm);
	map_unlock(r->rm);
	mmu_interval_notifier_remove(&r->sub);
	region_set_table(r, NULL, 0, 0);
}

/* Watch @npages pages from @base. Caller holds the fill mutex. */
static int region_register(struct vhost_ringmap_region *r, int type,
			   struct mm_struct *mm, unsigned long base,
			   unsigned long npages)
{
	void **kaddr;
	int ret;

	kaddr = fails(FAULT_TABLE) ? NULL :
		kvcalloc(npages, sizeof(*kaddr),
			 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!kaddr)
		return -ENOMEM;
	/* Before the notifier: its callback uses the table. */
	region_set_table(r, kaddr, base, npages);
	ret = fails(FAULT_NOTIFIER) ? -ENOMEM :
	      mmu_interval_notifier_insert(&r->sub, mm, base,
					   npages << PAGE_SHIFT,
					   type == VHOST_ADDR_USED ?
					   &ringmap_write_ops :
					   &ringmap_read_ops);
	if (ret)
		region_set_table(r, NULL, 0, 0);
	return ret;
}

/* Bytes of a ring, with its event index if that was negotiated. */
static size_t ring_bytes(struct vhost_virtqueue *vq, int type)
{
	size_t event = vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX) ?
		       sizeof(__virtio16) : 0;

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
 * Where the data path's address @addr and length @len of a ring are in user
 * memory. Caller holds the queue's mutex, or there is no device IOTLB.
 */
static bool ring_location(struct vhost_virtqueue *vq, int type,
			  unsigned long *addr, unsigned long *len,
			  unsigned long *uaddr)
{
	const struct vhost_iotlb_map *map;

	switch (type) {
	case VHOST_ADDR_DESC:
		*addr = (unsigned long)vq->desc;
		break;
	case VHOST_ADDR_AVAIL:
		*addr = (unsigned long)vq->avail;
		break;
	default:
		*addr = (unsigned long)vq->used;
		break;
	}

	*len = ring_bytes(vq, type);
	*uaddr = *addr;
	if (vq->iotlb) {
		map = vq->meta_iotlb[type];
		/* The prefetch found one translation for the whole ring. */
		if (!map)
			return false;
		*uaddr = map->addr + *addr - map->start;
	}
	/* Notifiers and page tables know addresses without tags. */
	*uaddr = untagged_addr(*uaddr);
	return *uaddr + *len > *uaddr;
}

/* Make the region be that of the queue's ring. Caller holds the fill mutex. */
static enum vhost_miss region_update(struct vhost_virtqueue *vq,
				     struct vhost_ringmap_region *r, int type)
{
	unsigned long addr, len, uaddr, base, npages, generation;
	struct vhost_ringmap *rm = r->rm;
	enum vhost_miss miss;

	map_lock(rm);
	generation = rm->generation;
	map_unlock(rm);

	if (!ring_location(vq, type, &addr, &len, &uaddr))
		return VHOST_MISS_ELSEWHERE;
	if (r->len == len && r->addr == addr)
		return VHOST_MISS_NONE;

	base = uaddr & PAGE_MASK;
	npages = DIV_ROUND_UP(offset_in_page(uaddr) + len, PAGE_SIZE);
	if (r->base != base || r->npages != npages) {
		region_unregister(r);
		if (region_register(r, type, vq->dev->mm, base, npages))
			return VHOST_MISS_NO_MEMORY;
	}

	map_lock(rm);
	miss = VHOST_MISS_RESET;
	if (rm->generation == generation) {
		r->addr = addr;
		r->offset = offset_in_page(uaddr);
		r->len = len;
		forget_derived(rm);
		miss = VHOST_MISS_NONE;
	}
	map_unlock(rm);
	return miss;
}

/* Install the address of one page. Caller holds the fill mutex. */
static enum vhost_miss region_fill(struct vhost_ringmap_region *r,
				   unsigned long page_nr, bool write)
{
	struct vhost_ringmap *rm = r->rm;
	enum vhost_miss miss;
	struct page *page;
	unsigned long seq;

	if (!mmu_interval_read_try_begin(&r->sub, &seq))
		return VHOST_MISS_INVALIDATING;
	if (fails(FAULT_LOOKUP) ||
	    get_user_pages_fast_only(r->base + (page_nr << PAGE_SHIFT), 1,
				     write ? FOLL_WRITE : 0, &page) != 1)
		return VHOST_MISS_ABSENT;
	/* Device memory has rules of its own about who may write it and how. */
	if (is_zone_device_page(page)) {
		put_page(page);
		return VHOST_MISS_DEVICE_MEMORY;
	}

	window_fill();

	map_lock(rm);
	if (r->len && !mmu_interval_read_retry(&r->sub, seq)) {
		/*
		 * Writes through the mapping set no dirty bit in a PTE.
		 * Whatever cleans the folio from here on notifies first. As
		 * under a page-table lock, the folio cannot be truncated
		 * meanwhile: its unmapping waits for the map lock.
		 */
		if (write)
			folio_mark_dirty(page_folio(page));
		r->kaddr[page_nr] = page_address(page);
		forget_derived(rm);
		rm->stats.fills++;
		vhost_trace(map_fill, ringmap_vq(rm), r - rm->region, page_nr);
		miss = VHOST_MISS_NONE;
	} else {
		rm->stats.fill_raced++;
		miss = r->len ? VHOST_MISS_RACED : VHOST_MISS_RESET;
	}
	map_unlock(rm);
	put_page(page);
	return miss;
}

/*
 * Try to map the pages of [@addr, @addr + @size). Does not fault and does not
 * wait for an invalidation to end.
 */
static enum vhost_miss
ringmap_fill(struct vhost_virtqueue *vq, struct vhost_ringmap *rm, int type,
	     unsigned long addr, unsigned long size)
{
	struct vhost_ringmap_region *r = &rm->region[type];
	unsigned long off, len, page, last;
	enum vhost_miss miss;

	if (!mutex_trylock(&rm->fill_mutex))
		return VHOST_MISS_BUSY;
	miss = VHOST_MISS_RESET;
	if (rm->accessor != VHOST_ACCESSOR_RINGMAP)
		goto unlock;
	/* GUP-fast walks the page tables of the current task. */
	miss = VHOST_MISS_NO_MM;
	if (!vq->dev->mm || current->mm != vq->dev->mm)
		goto unlock;
	miss = region_update(vq, r, type);
	off = addr - r->addr;
	/* A reset may clear it meanwhile; then nothing is installed. */
	len = READ_ONCE(r->len);
	if (!miss && (off >= len || size > len - off))
		miss = len ? VHOST_MISS_OUTSIDE : VHOST_MISS_RESET;
	if (!miss) {
		off += r->offset;
		last = (off + size - 1) >> PAGE_SHIFT;
		for (page = off >> PAGE_SHIFT; page <= last && !miss; page++)
			if (!r->kaddr[page])
				miss = region_fill(r, page,
						   type == VHOST_ADDR_USED);
	}
	if (miss) {
		map_lock(rm);
		rm->stats.fill_failed++;
		if (r->rest_next) {
			vhost_trace(accessor, vq, rm->mode,
				    VHOST_ACCESSOR_UACCESS, VHOST_MODE_REST);
			WRITE_ONCE(rm->mode, VHOST_ACCESSOR_UACCESS);
			WRITE_ONCE(rm->rest, r->rest_next);
			rm->stats.rests++;
		}
		map_unlock(rm);
		r->rest_next = min(2 * r->rest_next + 1, REST_MAX);
	} else {
		r->rest_next = 0;
	}
unlock:
	mutex_unlock(&rm->fill_mutex);
	return miss;
}

/*
 * Kernel address of @size bytes that begin @off bytes after the region's start, or
 * NULL when they are not mapped or straddle pages. Caller holds the map lock and
 * knows that they are in the region, in speculation, too.
 */
static __always_inline void *
page_at(const struct vhost_ringmap_region *r, unsigned long off,
	unsigned long size)
{
	void *kaddr;

	off += r->offset;
	kaddr = r->kaddr[off >> PAGE_SHIFT];
	off = offset_in_page(off);
	if (unlikely(!kaddr || off > PAGE_SIZE - size))
		return NULL;
	return kaddr + off;
}

/* The same, quicker where the region is flat; and nothing straddles there. */
static __always_inline void *
region_at(const struct vhost_ringmap_region *r, unsigned long off,
	  unsigned long size)
{
	return likely(r->flat) ? r->flat + off : page_at(r, off, size);
}

/*
 * Kernel address of the __virtio16 @off bytes into a ring, which is a multiple
 * of its size: it does not straddle pages. Caller holds the map lock.
 */
static void *scalar_at(const struct vhost_ringmap_region *r, unsigned long off)
{
	if (off + sizeof(__virtio16) > r->len)
		return NULL;
	return region_at(r, off, sizeof(__virtio16));
}

/* How many pages have an address. Caller holds the map lock. */
static unsigned long region_mapped(const struct vhost_ringmap_region *r)
{
	unsigned long i, n = 0;

	for (i = 0; i < r->npages; i++)
		n += !!r->kaddr[i];
	return n;
}

static void *flat_address(const struct vhost_ringmap_region *r)
{
	unsigned long i;

	if (!r->len)
		return NULL;
	for (i = 0; i < r->npages; i++)
		if (!r->kaddr[i] || r->kaddr[i] != r->kaddr[0] + i * PAGE_SIZE)
			return NULL;
	return r->kaddr[0] + r->offset;
}

/*
 * What follows from the mapped pages. Caller holds the map lock, which is let go of in
 * between: as all pages are looked at, this is a section of its own.
 */
static noinline void derive(struct vhost_virtqueue *vq)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct vhost_ringmap_region *avail = &rm->region[VHOST_ADDR_AVAIL];
	struct vhost_ringmap_region *used = &rm->region[VHOST_ADDR_USED];
	int i;

	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++)
		rm->region[i].flat = flat_address(&rm->region[i]);
	rm->avail_idx = scalar_at(avail, offsetof(struct vring_avail, idx));
	rm->used_event = scalar_at(avail, struct_size(vq->avail, ring, vq->num));
	rm->used_idx = scalar_at(used, offsetof(struct vring_used, idx));
	rm->avail_event = scalar_at(used, struct_size(vq->used, ring, vq->num));
	map_unlock(rm);
	map_lock(rm);
}

/* The flags are right before the index, or in another page. */
static void *flags_before(const __virtio16 *idx)
{
	return offset_in_page(idx) ? (void *)(idx - 1) : NULL;
}

/*
 * Kernel address of the avail ring's entry @idx, or NULL. In @end, that of the end
 * of those which follow it, up to that of the mapped page or of the ring.
 */
static const __virtio16 *avail_run(const struct vhost_ringmap_region *avail,
				   unsigned int num, unsigned int idx,
				   const __virtio16 **end)
{
	unsigned int slot = idx & (num - 1);
	const __virtio16 *entry;

	entry = region_at(avail, offsetof(struct vring_avail, ring) +
			  slot * sizeof(*entry), sizeof(*entry));
	num -= slot;
	if (unlikely(!avail->flat && entry))
		num = min(num, (PAGE_SIZE - offset_in_page(entry)) /
			       sizeof(*entry));
	*end = entry + num;
	return entry;
}

/*
 * Body of read_ahead(). If @native, the ring's byte order is the processor's; if
 * @flat, the descriptor table is.
 */
static __always_inline void __read_ahead(struct vhost_virtqueue *vq, u16 idx,
					 unsigned int n, bool native, bool flat)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct vhost_ringmap_ahead *a = &rm->ahead;
	const struct vhost_ringmap_region *avail = &rm->region[VHOST_ADDR_AVAIL];
	const struct vhost_ringmap_region *desc = &rm->region[VHOST_ADDR_DESC];
	const bool le = native ? virtio_legacy_is_little_endian() :
				 vhost_is_little_endian(vq);
	const __virtio16 chained = __cpu_to_virtio16(le, VRING_DESC_F_NEXT);
	const struct vring_desc *from, *table = desc->flat;
	struct vring_desc *to = a->desc, *chain;
	const __virtio16 *entry = NULL, *end = NULL;
	unsigned int num = vq->num, next, room, i;

	n = min(n, VHOST_RINGMAP_AHEAD);
	/* Each buffer has one descriptor; here is room for those that follow. */
	room = VHOST_RINGMAP_AHEAD - n;
	for (i = 0; i < n; i++, entry++) {
		chain = to;
		if (unlikely(entry == end)) {
			entry = avail_run(avail, num, idx + i, &end);
			if (!entry)
				break;
		}
		a->head[i] = READ_ONCE(*entry);
		/* If one is out of range, the caller says so. */
		next = __virtio16_to_cpu(le, a->head[i]);
		while (likely(next < num)) {
			/* Leaving user access also leaves its speculation barrier. */
			next = array_index_nospec(next, num);
			from = flat ? table + next :
			       page_at(desc, next * sizeof(*from), sizeof(*from));
			if (!flat && unlikely(!from))
				goto cut;
			memcpy(to, from, sizeof(*to));
			to++;
			if (!(to[-1].flags & chained))
				break;
			if (likely(room))
				room--;
			else if (--n == i)
				goto cut;
			next = __virtio16_to_cpu(le, to[-1].next);
		}
	}
	goto out;
cut:
	/* What is left of a chain is for the next time, or for the caller. */
	if (i)
		to = chain;
	else if (to != chain)
		i = 1;
out:
	a->count = i;
	a->end = to;
	rm->stats.mapped += i + (to - a->desc);
}

/*
 * Read @n available buffers from @idx on, as far as they are mapped. Caller holds
 * the map lock and the queue's mutex. The entries were published before the
 * index, and a barrier of the caller stands between.
 */
static void read_ahead(struct vhost_virtqueue *vq, u16 idx, unsigned int n)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct vhost_ringmap_ahead *a = &rm->ahead;
	const struct vhost_ringmap_region *desc = &rm->region[VHOST_ADDR_DESC];

	a->first = idx;
	a->count = 0;
	a->taken = 0;
	a->at = a->desc;
	a->end = a->desc;
	if (unlikely(!rm->region[VHOST_ADDR_AVAIL].len || !desc->len))
		return;
	if (unlikely(vhost_is_little_endian(vq) != virtio_legacy_is_little_endian()))
		__read_ahead(vq, idx, n, false, false);
	else if (desc->flat)
		__read_ahead(vq, idx, n, true, true);
	else
		__read_ahead(vq, idx, n, true, false);
	if (vhost_trace_enabled(map_use) || vhost_trace_enabled(fetch))
		trace_read_ahead(vq);
}

/*
 * Read ahead from @idx, which is not past what the driver has published, as of
 * vhost_get_avail_idx() and its barrier. Caller holds the queue's mutex.
 * Return: whether there is one; if not, the caller reads it by itself.
 */
bool __vhost_ringmap_read_ahead(struct vhost_virtqueue *vq, u16 idx)
{
	struct vhost_ringmap *rm = &vq->ringmap;

	map_lock(rm);
	rm->stats.sections++;
	read_ahead(vq, idx, (u16)(vq->avail_idx - idx));
	map_unlock(rm);
	return rm->ahead.count;
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_read_ahead);

/* Read the avail index and what it makes available. */
static __always_inline __virtio16 read_avail_idx(struct vhost_virtqueue *vq)
{
	__virtio16 idx = READ_ONCE(*vq->ringmap.avail_idx);
	u16 n = vhost16_to_cpu(vq, idx) - vq->last_avail_idx;

	trace_use_scalar(vq, VHOST_ADDR_AVAIL, offsetof(struct vring_avail, idx));
	/* Index before entries; pairs with the driver's write barrier. */
	smp_rmb();
	if (n && n <= vq->num)
		read_ahead(vq, vq->last_avail_idx, n);
	return idx;
}

/*
 * Ask the driver for a kick, by @val at @ask, and look at the avail index again.
 * Caller holds the map lock.
 */
static __always_inline __virtio16
ask_and_look(struct vhost_virtqueue *vq, __virtio16 *ask, u16 val)
{
	vq->ringmap.stats.mapped += 2;
	if (vhost_trace_enabled(map_use))
		trace_use_scalar(vq, VHOST_ADDR_USED,
				 vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX) ?
				 struct_size(vq->used, ring, vq->num) : 0);
	WRITE_ONCE(*ask, cpu_to_vhost16(vq, val));
	/*
	 * The request before we look once more; pairs with the barrier between
	 * the driver's store of the avail index and its look at the request.
	 */
	smp_mb();
	return read_avail_idx(vq);
}

/*
 * Whether vhost_enable_notify() would write avail_event, and nothing else. Busy
 * polling goes on looking after an empty ring, and wants no kick meanwhile.
 */
static bool may_ask(struct vhost_virtqueue *vq)
{
	return vq->ringmap.avail_event &&
	       vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX) &&
	       vq->used_flags & VRING_USED_F_NO_NOTIFY &&
	       !vq->busyloop_timeout && !vq->log_used;
}

bool __vhost_ringmap_avail_idx(struct vhost_virtqueue *vq, __virtio16 *idx)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct vhost_ringmap_ahead *a = &rm->ahead;
	bool last_look = a->ask == VHOST_RINGMAP_ASK_IF_EMPTY;
	u16 next = vq->last_avail_idx;
	bool mapped;

	a->ask = VHOST_RINGMAP_ASK_NOT;
	map_lock(rm);
	if (unlikely(!rm->avail_idx))
		derive(vq);
	mapped = rm->avail_idx;
	if (unlikely(!mapped))
		goto unlock;
	rm->stats.sections++;
	rm->stats.mapped++;
	*idx = read_avail_idx(vq);
	if (!last_look || vhost16_to_cpu(vq, *idx) != next || !may_ask(vq))
		goto unlock;
	*idx = ask_and_look(vq, rm->avail_event, next);
	if (vhost16_to_cpu(vq, *idx) == next) {
		a->idx = *idx;
		a->ask = VHOST_RINGMAP_ASKED;
	}
unlock:
	map_unlock(rm);
	return mapped;
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_avail_idx);

bool __vhost_ringmap_enable_notify(struct vhost_virtqueue *vq)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	bool mapped = false;
	__virtio16 *ask;
	u16 val;

	/* What is logged is written by the caller, who must log it. */
	if (unlikely(vq->log_used))
		return false;
	map_lock(rm);
	if (unlikely(!rm->avail_idx || !rm->used_idx))
		derive(vq);
	if (unlikely(!rm->avail_idx || !rm->used_idx))
		goto unlock;
	if (vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX)) {
		ask = rm->avail_event;
		val = vq->avail_idx;
	} else {
		ask = flags_before(rm->used_idx);
		val = vq->used_flags;
	}
	if (unlikely(!ask))
		goto unlock;
	rm->stats.sections++;
	rm->ahead.idx = ask_and_look(vq, ask, val);
	rm->ahead.have_idx = true;
	mapped = true;
unlock:
	map_unlock(rm);
	return mapped;
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_enable_notify);

/*
 * Write @n used elements from used index @idx on. Caller holds the map lock.
 * Return: false where one is not mapped.
 */
static noinline bool write_elements(struct vhost_virtqueue *vq, u16 idx,
				    const struct vring_used_elem *heads,
				    unsigned int n)
{
	const struct vhost_ringmap_region *used =
		&vq->ringmap.region[VHOST_ADDR_USED];
	unsigned int slot = idx & (vq->num - 1), run;

	if (unlikely(!used->len))
		return false;
	for (; n; n -= run, slot = (slot + run) & (vq->num - 1)) {
		unsigned long off = sizeof(struct vring_used) +
				    slot * sizeof(*heads);
		struct vring_used_elem *to;

		run = min(n, vq->num - slot);
		to = region_at(used, off, sizeof(*heads));
		if (unlikely(!used->flat)) {
			unsigned long page = (used->offset + off) >> PAGE_SHIFT;

			off = offset_in_page(used->offset + off);
			if (!used->kaddr[page])
				return false;
			if (!to) {
				/* It straddles pages, between its two words. */
				if (!used->kaddr[page + 1])
					return false;
				to = used->kaddr[page] + off;
				if (vhost_trace_enabled(map_use))
					trace_use_elements(vq, slot, 1);
				to->id = heads->id;
				*(__virtio32 *)used->kaddr[page + 1] = heads->len;
				run = 1;
				heads++;
				continue;
			}
			run = min(run, (PAGE_SIZE - off) / sizeof(*heads));
		}
		if (vhost_trace_enabled(map_use))
			trace_use_elements(vq, slot, run);
		window_use();
		memcpy(to, heads, run * sizeof(*heads));
		heads += run;
	}
	return true;
}

/* The same for one, as of a device that uses buffers one by one. */
static __always_inline bool write_element(struct vhost_virtqueue *vq, u16 idx,
					  const struct vring_used_elem *head)
{
	const struct vhost_ringmap_region *used =
		&vq->ringmap.region[VHOST_ADDR_USED];
	unsigned int slot = idx & (vq->num - 1);
	struct vring_used *ring = used->flat;
	struct vring_used_elem *to;

	if (likely(ring)) {
		to = &ring->ring[slot];
	} else {
		to = used->len ? page_at(used, offsetof(struct vring_used, ring[slot]),
					 sizeof(*to)) : NULL;
		/* It may straddle pages. */
		if (unlikely(!to))
			return write_elements(vq, idx, head, 1);
	}
	if (vhost_trace_enabled(map_use))
		trace_use_elements(vq, slot, 1);
	window_use();
	*to = *head;
	return true;
}

bool __vhost_ringmap_add_used(struct vhost_virtqueue *vq,
			      const struct vring_used_elem *heads,
			      unsigned int count)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	bool signal = rm->signal_follows && vq->call_ctx.ctx;
	u16 old = vq->last_used_idx, new = old + count;
	const __virtio16 *event;
	u16 idx = old;

	rm->published = false;
	rm->signal_follows = false;
	/* A driver that is too fast: as user access treats it. */
	if (unlikely(count > vq->num))
		return false;
	window_handler();
	map_lock(rm);
	while (unlikely(count > VHOST_RINGMAP_USED)) {
		if (!write_elements(vq, idx, heads, VHOST_RINGMAP_USED))
			goto fail;
		heads += VHOST_RINGMAP_USED;
		idx += VHOST_RINGMAP_USED;
		count -= VHOST_RINGMAP_USED;
		rm->stats.sections++;
		/* Let an invalidation in. */
		map_unlock(rm);
		map_lock(rm);
	}
	if (!(count == 1 ? write_element(vq, idx, heads) :
			   write_elements(vq, idx, heads, count)))
		goto fail;
	rm->stats.sections++;
	if (unlikely(!rm->used_idx))
		derive(vq);
	if (unlikely(!rm->used_idx))
		goto fail;
	/* Elements before index; pairs with the driver's read barrier. */
	smp_wmb();
	vhost_trace(used, vq, old, (u16)(new - old), VHOST_ACCESSOR_RINGMAP);
	WRITE_ONCE(*rm->used_idx, cpu_to_vhost16(vq, new));
	vhost_trace(used_idx, vq, old, new, VHOST_ACCESSOR_RINGMAP);
	trace_use_scalar(vq, VHOST_ADDR_USED, offsetof(struct vring_used, idx));
	rm->stats.mapped += 2;
	if (!signal)
		goto unlock;
	event = rm->used_event;
	if (!vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX))
		event = rm->avail_idx ? flags_before(rm->avail_idx) : NULL;
	if (unlikely(!event))
		goto unlock;
	/*
	 * Index before event; pairs with the barrier between the driver's store
	 * of the event and its look at the index.
	 */
	smp_mb();
	if (vhost_trace_enabled(map_use))
		trace_use_scalar(vq, VHOST_ADDR_AVAIL,
				 vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX) ?
				 struct_size(vq->avail, ring, vq->num) : 0);
	rm->event = READ_ONCE(*event);
	WRITE_ONCE(rm->event_reader, current);
unlock:
	map_unlock(rm);
	if (unlikely(vq->log_used)) {
		rm->published = true;
		return false;
	}
	vq->last_used_idx = new;
	/* As __vhost_add_used_n() */
	if (unlikely((u16)(new - vq->signalled_used) < (u16)(new - old)))
		vq->signalled_used_valid = false;
	vhost_ringmap_used(vq, old);
	return true;
fail:
	map_unlock(rm);
	return false;
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_add_used);

/*
 * One fetch or store, under the map lock. A __virtio16 that lies in one page is
 * naturally aligned and must not tear. Elsewhere the unlock keeps the compiler
 * from reading guest memory again.
 */
static void ringmap_move(void *kaddr, void *buf, unsigned long size,
			 bool write)
{
	if (size == sizeof(u16) && write)
		WRITE_ONCE(*(u16 *)kaddr, *(u16 *)buf);
	else if (size == sizeof(u16))
		*(u16 *)buf = READ_ONCE(*(u16 *)kaddr);
	else if (write)
		memcpy(kaddr, buf, size);
	else
		memcpy(buf, kaddr, size);
}

/*
 * Move through the mapping, page by page, if every page is mapped. A scalar that
 * straddles pages would tear and is left to user access.
 */
static enum vhost_miss ringmap_try(struct vhost_ringmap *rm, int type,
				   unsigned long addr, void *buf,
				   unsigned long size, bool write)
{
	struct vhost_ringmap_region *r = &rm->region[type];
	enum vhost_miss miss = VHOST_MISS_OUTSIDE;
	unsigned long off, page, n;

	map_lock(rm);
	off = addr - r->addr;
	/* A queue may use more elements at once than its ring holds. */
	if (off >= r->len || size > r->len - off)
		goto unlock;
	/* Leaving user access also leaves its speculation barrier. */
	off = array_index_nospec(off, r->len) + r->offset;
	miss = VHOST_MISS_STRADDLES;
	if (size == sizeof(u16) && offset_in_page(off) == PAGE_SIZE - 1)
		goto unlock;
	miss = VHOST_MISS_RACED;
	for (page = off >> PAGE_SHIFT; page <= (off + size - 1) >> PAGE_SHIFT;
	     page++)
		if (!r->kaddr[array_index_nospec(page, r->npages)])
			goto unlock;
	miss = VHOST_MISS_NONE;
	if (vhost_trace_enabled(map_use))
		trace_use(ringmap_vq(rm), type, off - r->offset, size);
	rm->stats.sections++;
	rm->stats.mapped++;
	if (write)
		window_use();
	for (; size; off += n, buf += n, size -= n) {
		n = min(size, PAGE_SIZE - offset_in_page(off));
		ringmap_move(r->kaddr[off >> PAGE_SHIFT] + offset_in_page(off),
			     buf, n, write);
	}
unlock:
	map_unlock(rm);
	return miss;
}

/* Caller holds the fill mutex. */
static void set_mode(struct vhost_ringmap *rm, int mode, int why)
{
	map_lock(rm);
	if (mode != rm->mode)
		vhost_trace(accessor, ringmap_vq(rm), rm->mode, mode, why);
	WRITE_ONCE(rm->mode, mode);
	map_unlock(rm);
}

/* The queue rests, and reads its avail index. */
void vhost_ringmap_rest(struct vhost_ringmap *rm)
{
	unsigned int rest = READ_ONCE(rm->rest);

	/* Whoever changes the accessor also sets it to 0. */
	if (rest > 1) {
		WRITE_ONCE(rm->rest, rest - 1);
		return;
	}
	if (!mutex_trylock(&rm->fill_mutex))
		return;
	WRITE_ONCE(rm->rest, 0);
	set_mode(rm, rm->accessor, VHOST_MODE_RESTED);
	mutex_unlock(&rm->fill_mutex);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_rest);

/* A descriptor, as two words. */
static bool checked_read_desc(u64 *to, const u64 __user *from)
{
	if (can_do_masked_user_access())
		from = masked_user_access_begin(from);
	else if (!user_read_access_begin(from, 2 * sizeof(*from)))
		return false;
	unsafe_get_user(to[0], from, fault);
	unsafe_get_user(to[1], from + 1, fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

/*
 * User access that checks the address each time. The uaccess mode relies on the
 * check when the ring was set up, and so needs a barrier before each load; here
 * the address is masked instead.
 */
bool vhost_checked_access(struct vhost_virtqueue *vq, int type,
			  unsigned long addr, void *buf, unsigned long size,
			  bool write)
{
	void __user *at;

	if (vq->iotlb) {
		const struct vhost_iotlb_map *map = vq->meta_iotlb[type];

		if (!map)
			return false;
		addr += map->addr - map->start;
	}
	at = (void __user *)addr;
	if (write)
		return size == sizeof(u16) ?
		       !put_user(*(u16 *)buf, (u16 __user *)at) :
		       !copy_to_user(at, buf, size);
	return size == sizeof(u16) ? !get_user(*(u16 *)buf, (u16 __user *)at) :
				     checked_read_desc(buf, at);
}
EXPORT_SYMBOL_GPL(vhost_checked_access);

/**
 * vhost_ringmap_access() - one access, wherever in a ring it is
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type
 * @addr: user address, or guest IOVA with a device IOTLB
 * @buf: kernel buffer, only read if @write
 * @size: bytes
 * @write: direction
 *
 * In ringmap mode, where there is no mapping it tries to install one, which is how
 * all of them come to be.
 *
 * Context: as vhost_ringmap_read().
 * Return: false where the caller must use user access.
 */
bool vhost_ringmap_access(struct vhost_virtqueue *vq, int type,
			  unsigned long addr, void *buf, unsigned long size,
			  bool write)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	enum vhost_miss miss;

	if (!ringmap_try(rm, type, addr, buf, size, write))
		return true;
	miss = ringmap_fill(vq, rm, type, addr, size);
	if (!miss)
		miss = ringmap_try(rm, type, addr, buf, size, write);
	if (!miss)
		return true;
	map_lock(rm);
	rm->stats.fallback[miss]++;
	vhost_trace(fallback, vq, type, miss);
	map_unlock(rm);
	return false;
}
EXPORT_SYMBOL_GPL(vhost_ringmap_access);

void __vhost_ringmap_reset(struct vhost_ringmap *rm)
{
	struct vhost_ringmap_region *r;
	unsigned long dropped = 0;

	map_lock(rm);
	rm->generation++;
	forget_derived(rm);
	rm->ahead.count = 0;
	rm->ahead.have_idx = false;
	rm->ahead.ask = VHOST_RINGMAP_ASK_NOT;
	rm->stats.resets++;
	for (r = rm->region; r < rm->region + VHOST_RINGMAP_REGIONS; r++) {
		WRITE_ONCE(r->len, 0);
		if (!r->kaddr)
			continue;
		if (vhost_trace_enabled(map_reset))
			dropped += region_mapped(r);
		memset(r->kaddr, 0, r->npages * sizeof(*r->kaddr));
	}
	vhost_trace(map_reset, ringmap_vq(rm), dropped);
	map_unlock(rm);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_reset);

static void ringmap_set_accessor(struct vhost_ringmap *rm, int accessor, int why)
{
	int i;

	mutex_lock(&rm->fill_mutex);
	WRITE_ONCE(rm->accessor, accessor);
	WRITE_ONCE(rm->rest, 0);
	set_mode(rm, accessor, why);
	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++)
		rm->region[i].rest_next = 0;
	if (accessor != VHOST_ACCESSOR_RINGMAP)
		for (i = 0; i < VHOST_RINGMAP_REGIONS; i++)
			region_unregister(&rm->region[i]);
	mutex_unlock(&rm->fill_mutex);
}

/* Print the accessors with the current one in brackets. */
static int accessor_print(char *buf, size_t size, int current_accessor)
{
	int i, n = 0;

	for (i = 0; i < VHOST_ACCESSOR_MAX; i++)
		n += scnprintf(buf + n, size - n,
			       i == current_accessor ? "%s[%s]" : "%s%s",
			       i ? " " : "", accessor_names[i]);
	n += scnprintf(buf + n, size - n, "\n");
	return n;
}

static int param_set_accessor(const char *val, const struct kernel_param *kp)
{
	int accessor = sysfs_match_string(accessor_names, val);

	if (accessor < 0)
		return accessor;
	WRITE_ONCE(default_accessor, accessor);
	return 0;
}

static int param_get_accessor(char *buf, const struct kernel_param *kp)
{
	return accessor_print(buf, PAGE_SIZE, READ_ONCE(default_accessor));
}

/* For the parameter "accessor", which must belong to the module vhost. */
const struct kernel_param_ops vhost_ringmap_param_ops = {
	.set = param_set_accessor,
	.get = param_get_accessor,
};
EXPORT_SYMBOL_GPL(vhost_ringmap_param_ops);

/* What is common to the accessors that were seen so far. */
static int accessor_common(int common, const struct vhost_ringmap *rm)
{
	int accessor = READ_ONCE(rm->accessor);

	return common < 0 || common == accessor ? accessor : VHOST_ACCESSOR_MAX;
}

/* What the queues of a device have in common with what was seen so far. */
static int dev_accessor(int common, const struct vhost_dev *dev)
{
	int i;

	for (i = 0; i < dev->nvqs; i++)
		common = accessor_common(common, &dev->vqs[i]->ringmap);
	return common;
}

static void dev_set_accessor(struct vhost_dev *dev, int accessor)
{
	int i;

	for (i = 0; i < dev->nvqs; i++)
		ringmap_set_accessor(&dev->vqs[i]->ringmap, accessor,
				     VHOST_MODE_SET);
}

static void accessor_seq(struct seq_file *m, int accessor)
{
	char buf[64];

	accessor_print(buf, sizeof(buf), accessor);
	seq_puts(m, buf);
}

/* The word in a write to a file. */
static int accessor_word(const char __user *ubuf, size_t count)
{
	char buf[16];

	if (count >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;
	buf[count] = '\0';
	return sysfs_match_string(accessor_names, buf);
}

static int queue_accessor_show(struct seq_file *m, void *v)
{
	accessor_seq(m, accessor_common(-1, m->private));
	return 0;
}

static ssize_t queue_accessor_write(struct file *file, const char __user *ubuf,
				    size_t count, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	int accessor = accessor_word(ubuf, count);

	if (accessor < 0)
		return accessor;
	ringmap_set_accessor(m->private, accessor, VHOST_MODE_SET);
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(queue_accessor);

static int dev_accessor_show(struct seq_file *m, void *v)
{
	accessor_seq(m, dev_accessor(-1, m->private));
	return 0;
}

static ssize_t dev_accessor_write(struct file *file, const char __user *ubuf,
				  size_t count, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	int accessor = accessor_word(ubuf, count);

	if (accessor < 0)
		return accessor;
	dev_set_accessor(m->private, accessor);
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(dev_accessor);

static int all_accessor_show(struct seq_file *m, void *v)
{
	struct vhost_dev *dev;
	int common = -1;

	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, ringmap_node)
		common = dev_accessor(common, dev);
	mutex_unlock(&devices_lock);
	accessor_seq(m, common);
	return 0;
}

static ssize_t all_accessor_write(struct file *file, const char __user *ubuf,
				  size_t count, loff_t *ppos)
{
	int accessor = accessor_word(ubuf, count);
	struct vhost_dev *dev;

	if (accessor < 0)
		return accessor;
	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, ringmap_node)
		dev_set_accessor(dev, accessor);
	mutex_unlock(&devices_lock);
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(all_accessor);

static int stats_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	struct vhost_ringmap_stats s;
	u64 fallback = 0;
	int i;

	map_lock(rm);
	s = rm->stats;
	map_unlock(rm);

	for (i = 0; i < NR_VHOST_MISSES; i++)
		fallback += s.fallback[i];
	seq_printf(m, "used %llu\n", READ_ONCE(rm->used));
	seq_printf(m, "mapped %llu\n", s.mapped);
	seq_printf(m, "fallback %llu\n", fallback);
	seq_printf(m, "sections %llu\n", s.sections);
	seq_printf(m, "fills %llu\n", s.fills);
	seq_printf(m, "fill_failed %llu\n", s.fill_failed);
	seq_printf(m, "fill_raced %llu\n", s.fill_raced);
	seq_printf(m, "rests %llu\n", s.rests);
	seq_printf(m, "dropped %llu\n", s.dropped);
	seq_printf(m, "resets %llu\n", s.resets);
	for (i = VHOST_MISS_NONE + 1; i < NR_VHOST_MISSES; i++)
		seq_printf(m, "fallback_%s %llu\n", miss_names[i],
			   s.fallback[i]);
	for (i = 0; i < NR_MMU_CAUSES; i++)
		seq_printf(m, "invalidate_%s %llu\n",
			   mmu_notifier_cause_name(i), s.invalidations[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int map_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	unsigned long addr, len, pages, mapped;
	struct vhost_ringmap_region *r;
	bool linear;
	int i;

	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++) {
		r = &rm->region[i];
		map_lock(rm);
		len = r->len;
		addr = len ? r->base + r->offset : 0;
		pages = len ? r->npages : 0;
		mapped = len ? region_mapped(r) : 0;
		linear = flat_address(r);
		map_unlock(rm);
		seq_printf(m, "%s addr=%#lx len=%lu pages=%lu mapped=%lu kind=%s\n",
			   ring_names[i], addr, len, pages, mapped,
			   linear ? "linear" : mapped ? "pages" : "none");
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(map);

static void times_seq(struct seq_file *m, const char *name, const u64 *count)
{
	int i;

	for (i = 0; i < VHOST_RINGMAP_TIMES; i++)
		if (count[i])
			seq_printf(m, "%s %llu %llu\n", name, 1ULL << i,
				   count[i]);
}

static int lock_times_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	struct vhost_ringmap_times t;

	map_lock(rm);
	t = rm->times;
	map_unlock(rm);
	times_seq(m, "hold_ns", t.hold);
	times_seq(m, "wait_ns", t.wait);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lock_times);

/* Forget since when locks are held: they may have been released uncounted. */
static void lock_times_forget(void)
{
	struct vhost_dev *dev;
	int i;

	list_for_each_entry(dev, &devices, ringmap_node) {
		for (i = 0; i < dev->nvqs; i++) {
			struct vhost_ringmap *rm = &dev->vqs[i]->ringmap;

			spin_lock(&rm->lock);
			rm->times.taken = 0;
			spin_unlock(&rm->lock);
		}
	}
}

static int lock_times_get(void *data, u64 *val)
{
	*val = READ_ONCE(lock_times_on);
	return 0;
}

static int lock_times_set(void *data, u64 val)
{
	int ret = 0;

	mutex_lock(&devices_lock);
	if (val > 1) {
		ret = -EINVAL;
	} else if (val != lock_times_on) {
		if (val) {
			lock_times_forget();
			static_branch_inc(&map_lock_watched);
		} else {
			static_branch_dec(&map_lock_watched);
		}
		WRITE_ONCE(lock_times_on, val);
	}
	mutex_unlock(&devices_lock);
	return ret;
}
DEFINE_DEBUGFS_ATTRIBUTE(lock_times_switch_fops, lock_times_get, lock_times_set,
			 "%llu\n");

/**
 * vhost_ringmap_dev_reinit() - prepare the accessors of a device's queues again
 * @dev: device after vhost_ringmap_dev_cleanup(); it keeps its name
 *
 * Context: process context; may sleep. A device without a worker never touches
 * its rings and gets no directory.
 */
void vhost_ringmap_dev_reinit(struct vhost_dev *dev)
{
	struct vhost_ringmap *rm;
	struct dentry *dir;
	char name[32];
	int i, j;

	dev->ringmap_dir = NULL;
	INIT_LIST_HEAD(&dev->ringmap_node);
	for (i = 0; i < dev->nvqs; i++) {
		rm = &dev->vqs[i]->ringmap;
		memset(rm, 0, sizeof(*rm));
		rm->index = i;
		spin_lock_init(&rm->lock);
		mutex_init(&rm->fill_mutex);
		for (j = 0; j < VHOST_RINGMAP_REGIONS; j++)
			rm->region[j].rm = rm;
		if (dev->use_worker)
			rm->accessor = READ_ONCE(default_accessor);
		rm->mode = rm->accessor;
	}
	if (!dev->use_worker)
		return;

	snprintf(name, sizeof(name), "%d-%u", dev->ringmap_owner,
		 dev->ringmap_id);
	dev->ringmap_dir = debugfs_create_dir(name, vhost_debugfs);
	debugfs_create_file("accessor", 0600, dev->ringmap_dir, dev,
			    &dev_accessor_fops);
	for (i = 0; i < dev->nvqs; i++) {
		rm = &dev->vqs[i]->ringmap;
		snprintf(name, sizeof(name), "%d", i);
		dir = debugfs_create_dir(name, dev->ringmap_dir);
		debugfs_create_file("accessor", 0600, dir, rm,
				    &queue_accessor_fops);
		debugfs_create_file("stats", 0400, dir, rm, &stats_fops);
		debugfs_create_file("map", 0400, dir, rm, &map_fops);
		debugfs_create_file("lock_times", 0400, dir, rm,
				    &lock_times_fops);
	}
	mutex_lock(&devices_lock);
	list_add_tail(&dev->ringmap_node, &devices);
	mutex_unlock(&devices_lock);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_reinit);

/**
 * vhost_ringmap_dev_init() - prepare the accessors of a device's queues
 * @dev: device with its queues set, none of them in use
 *
 * Names it, for debugfs and traces, after the current process.
 *
 * Context: as vhost_ringmap_dev_reinit().
 */
void vhost_ringmap_dev_init(struct vhost_dev *dev)
{
	static atomic_t opened = ATOMIC_INIT(0);

	dev->ringmap_id = atomic_inc_return(&opened);
	dev->ringmap_owner = task_tgid_nr(current);
	vhost_ringmap_dev_reinit(dev);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_init);

/**
 * vhost_ringmap_dev_cleanup() - unregister everything of a device
 * @dev: device whose queues nobody uses any more, before it lets go of its mm
 *
 * Context: process context; sleeps until invalidations of the rings that are
 * under way have ended. The device's mutex may be held, a queue's may not.
 */
void vhost_ringmap_dev_cleanup(struct vhost_dev *dev)
{
	int i;

	mutex_lock(&devices_lock);
	list_del_init(&dev->ringmap_node);
	mutex_unlock(&devices_lock);
	/* Waits for readers and writers of the files. */
	debugfs_remove(dev->ringmap_dir);
	dev->ringmap_dir = NULL;
	for (i = 0; i < dev->nvqs; i++)
		ringmap_set_accessor(&dev->vqs[i]->ringmap,
				     VHOST_ACCESSOR_UACCESS, VHOST_MODE_CLOSE);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_cleanup);

static int __init vhost_ringmap_init(void)
{
	vhost_debugfs = debugfs_create_dir("vhost", NULL);
	debugfs_create_file("accessor", 0600, vhost_debugfs, NULL,
			    &all_accessor_fops);
	debugfs_create_file("lock_times", 0600, vhost_debugfs, NULL,
			    &lock_times_switch_fops);
	windows_init();
	return 0;
}
module_init(vhost_ringmap_init);

static void __exit vhost_ringmap_exit(void)
{
	debugfs_remove(vhost_debugfs);
}
module_exit(vhost_ringmap_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Coherent kernel mappings of virtqueue metadata");
