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
 * Available buffers are read ahead, a batch in one section, for the holder of
 * the queue's mutex. They are copies, which no invalidation touches; whatever
 * lets the driver start anew moves the generation and so forgets them.
 *
 * Entries are addresses in the linear map: they need no vmap(), whatever the
 * pages' physical order, they are dropped one by one, and dropping needs no TLB
 * flush and nothing to free.
 */

#define pr_fmt(fmt) "vhost: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ringmap.h"

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

/* A ring that cannot be mapped costs one attempt in this many misses. */
#define BACKOFF_MAX	1024U

static struct dentry *vhost_debugfs;

#ifdef CONFIG_VHOST_RINGMAP_WINDOWS

/*
 * Windows for tests: the next write through a mapping, or the next fill, stops
 * once for the given time where a race would have to strike.
 */
struct static_key_false vhost_ringmap_windows = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(vhost_ringmap_windows);

static struct {
	atomic_t use_ms;
	atomic_t fill_ms;
	atomic_t entered;
} windows;

#define WINDOW_MAX_MS	2000

void __vhost_ringmap_window_use(void)
{
	int ms = atomic_xchg(&windows.use_ms, 0);

	if (!ms)
		return;
	atomic_inc(&windows.entered);
	mdelay(ms);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_window_use);

/* Between the lookup of a page and the installation of its address. */
static void window_fill(void)
{
	int ms;

	if (!static_branch_unlikely(&vhost_ringmap_windows))
		return;
	ms = atomic_xchg(&windows.fill_ms, 0);
	if (!ms)
		return;
	atomic_inc(&windows.entered);
	msleep(ms);
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
	static_branch_enable(&vhost_ringmap_windows);
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
	debugfs_create_atomic_t("entered", 0400, dir, &windows.entered);
}
#else
static inline void window_fill(void) {}
static inline void windows_init(void) {}
#endif /* CONFIG_VHOST_RINGMAP_WINDOWS */

static bool ringmap_invalidate(struct mmu_interval_notifier *sub,
			       const struct mmu_notifier_range *range,
			       unsigned long cur_seq)
{
	struct vhost_ringmap_region *r;
	struct vhost_ringmap *rm;
	unsigned long page, end;

	r = container_of(sub, struct vhost_ringmap_region, sub);
	rm = r->rm;
	spin_lock(&rm->lock);
	mmu_interval_set_seq(sub, cur_seq);
	end = r->base + (r->npages << PAGE_SHIFT);
	end = (PAGE_ALIGN(min(range->end, end)) - r->base) >> PAGE_SHIFT;
	page = (max(range->start, r->base) - r->base) >> PAGE_SHIFT;
	for (; page < end; page++) {
		if (!r->kaddr[page])
			continue;
		r->kaddr[page] = NULL;
		rm->stats.dropped++;
	}
	rm->stats.invalidations[range->cause]++;
	spin_unlock(&rm->lock);
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

	spin_lock(&r->rm->lock);
	r->len = 0;
	r->kaddr = kaddr;
	r->base = base;
	r->npages = npages;
	spin_unlock(&r->rm->lock);
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
	spin_lock(&r->rm->lock);
	r->len = 0;
	spin_unlock(&r->rm->lock);
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

	kaddr = kvcalloc(npages, sizeof(*kaddr),
			 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!kaddr)
		return -ENOMEM;
	/* Before the notifier: its callback uses the table. */
	region_set_table(r, kaddr, base, npages);
	ret = mmu_interval_notifier_insert(&r->sub, mm, base,
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
static int region_update(struct vhost_virtqueue *vq,
			 struct vhost_ringmap_region *r, int type)
{
	unsigned long addr, len, uaddr, base, npages, generation;
	struct vhost_ringmap *rm = r->rm;
	int ret;

	spin_lock(&rm->lock);
	generation = rm->generation;
	spin_unlock(&rm->lock);

	if (!ring_location(vq, type, &addr, &len, &uaddr))
		return -EFAULT;
	if (r->len == len && r->addr == addr)
		return 0;

	base = uaddr & PAGE_MASK;
	npages = DIV_ROUND_UP(offset_in_page(uaddr) + len, PAGE_SIZE);
	if (r->base != base || r->npages != npages) {
		region_unregister(r);
		ret = region_register(r, type, vq->dev->mm, base, npages);
		if (ret)
			return ret;
	}

	spin_lock(&rm->lock);
	ret = -EAGAIN;
	if (rm->generation == generation) {
		r->addr = addr;
		r->offset = offset_in_page(uaddr);
		r->len = len;
		ret = 0;
	}
	spin_unlock(&rm->lock);
	return ret;
}

/* Install the address of one page. Caller holds the fill mutex. */
static int region_fill(struct vhost_ringmap_region *r, unsigned long page_nr,
		       bool write)
{
	struct vhost_ringmap *rm = r->rm;
	struct page *page;
	unsigned long seq;
	int ret = -EAGAIN;

	if (!mmu_interval_read_try_begin(&r->sub, &seq))
		return -EAGAIN;
	if (get_user_pages_fast_only(r->base + (page_nr << PAGE_SHIFT), 1,
				     write ? FOLL_WRITE : 0, &page) != 1)
		return -EFAULT;
	/* Device memory has rules of its own about who may write it and how. */
	if (is_zone_device_page(page)) {
		put_page(page);
		return -EFAULT;
	}

	window_fill();

	spin_lock(&rm->lock);
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
		rm->stats.fills++;
		ret = 0;
	} else {
		rm->stats.fill_raced++;
	}
	spin_unlock(&rm->lock);
	put_page(page);
	return ret;
}

/*
 * Try to map the pages of [@addr, @addr + @size). Does not fault and does not
 * wait for an invalidation to end.
 */
static bool ringmap_fill(struct vhost_virtqueue *vq, struct vhost_ringmap *rm,
			 int type, unsigned long addr, unsigned long size)
{
	struct vhost_ringmap_region *r = &rm->region[type];
	unsigned long off, len, page, last;
	int ret = -EFAULT;

	if (!mutex_trylock(&rm->fill_mutex))
		return false;
	/* GUP-fast walks the page tables of the current task. */
	if (rm->accessor != VHOST_ACCESSOR_RINGMAP || !vq->dev->mm ||
	    current->mm != vq->dev->mm)
		goto unlock;
	if (r->backoff) {
		r->backoff--;
		goto unlock;
	}

	ret = region_update(vq, r, type);
	off = addr - r->addr;
	/* A reset may clear it meanwhile; then nothing is installed. */
	len = READ_ONCE(r->len);
	if (!ret && (off >= len || size > len - off))
		ret = -EFAULT;
	if (!ret) {
		off += r->offset;
		last = (off + size - 1) >> PAGE_SHIFT;
		for (page = off >> PAGE_SHIFT; page <= last && !ret; page++)
			if (!r->kaddr[page])
				ret = region_fill(r, page,
						  type == VHOST_ADDR_USED);
	}
	if (ret) {
		r->backoff = r->backoff_next;
		r->backoff_next = min(2 * r->backoff_next + 1, BACKOFF_MAX);
		rm->stats.fill_failed++;
	} else {
		r->backoff_next = 0;
	}
unlock:
	mutex_unlock(&rm->fill_mutex);
	return !ret;
}

/*
 * Read the available buffers from @idx on, as many as the driver has published
 * and as are mapped. Caller holds the queue's mutex. The entries were published
 * before the index, and the caller's barrier stands between: vhost_get_avail_idx().
 * Return: false if there is none; then the caller reads one by itself.
 */
bool __vhost_ringmap_read_ahead(struct vhost_virtqueue *vq, u16 idx)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	const struct vhost_ringmap_region *avail = &rm->region[VHOST_ADDR_AVAIL];
	const struct vhost_ringmap_region *desc = &rm->region[VHOST_ADDR_DESC];
	struct vhost_ringmap_ahead *a = &rm->ahead;
	unsigned int num = vq->num, mask = num - 1;
	u16 n = min_t(u16, vq->avail_idx - idx, VHOST_RINGMAP_AHEAD);
	u16 i = 0;

	spin_lock(&rm->lock);
	/* What is below @num is in the regions, then: no bounds to check again. */
	if (avail->addr != (unsigned long)vq->avail ||
	    avail->len < struct_size(vq->avail, ring, num) ||
	    desc->addr != (unsigned long)vq->desc ||
	    desc->len < num * sizeof(*vq->desc))
		n = 0;
	for (; i < n; i++) {
		unsigned int head;
		void *p;

		p = vhost_ringmap_at(avail, struct_size(vq->avail, ring,
							(idx + i) & mask),
				     sizeof(__virtio16));
		if (!p)
			break;
		vhost_ringmap_move(p, &a->head[i], sizeof(__virtio16), false);
		head = vhost16_to_cpu(vq, a->head[i]);
		if (head >= num) {
			/* The caller says what is wrong with it. */
			i++;
			break;
		}
		p = vhost_ringmap_at(desc, array_index_nospec(head, num) *
				     sizeof(*vq->desc), sizeof(*vq->desc));
		if (!p)
			break;
		vhost_ringmap_move(p, &a->desc[i], sizeof(*vq->desc), false);
	}
	rm->stats.mapped += 2 * i;
	a->generation = rm->generation;
	spin_unlock(&rm->lock);
	a->next = idx;
	a->pos = 0;
	a->left = i;
	return i;
}

/*
 * Move through the mapping, page by page, if every page is mapped. A scalar that
 * straddles pages would tear and is left to user access.
 */
static bool ringmap_move(struct vhost_ringmap *rm, int type,
			 unsigned long addr, void *buf, unsigned long size,
			 bool write)
{
	struct vhost_ringmap_region *r = &rm->region[type];
	unsigned long off, page, n;
	bool mapped = false;

	spin_lock(&rm->lock);
	off = addr - r->addr;
	/* A queue may use more elements at once than its ring holds. */
	if (off >= r->len || size > r->len - off)
		goto unlock;
	off += r->offset;
	if (size == sizeof(u16) && offset_in_page(off) == PAGE_SIZE - 1)
		goto unlock;
	for (page = off >> PAGE_SHIFT; page <= (off + size - 1) >> PAGE_SHIFT;
	     page++)
		if (!r->kaddr[array_index_nospec(page, r->npages)])
			goto unlock;
	mapped = true;
	rm->stats.mapped++;
	for (; size; addr += n, off += n, buf += n, size -= n) {
		n = min(size, PAGE_SIZE - offset_in_page(off));
		vhost_ringmap_move(vhost_ringmap_lookup(r, addr, n), buf, n,
				   write);
	}
unlock:
	spin_unlock(&rm->lock);
	return mapped;
}

/**
 * vhost_ringmap_access_slow() - an access that is not one hit in one page
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type
 * @addr: user address, or guest IOVA with a device IOTLB
 * @buf: kernel buffer, only read if @write
 * @size: bytes
 * @write: direction
 *
 * Context: as vhost_ringmap_read().
 * Return: false where the caller must use user access.
 */
bool vhost_ringmap_access_slow(struct vhost_virtqueue *vq,
			       int type, unsigned long addr, void *buf,
			       unsigned long size, bool write)
{
	struct vhost_ringmap *rm = &vq->ringmap;

	if (ringmap_move(rm, type, addr, buf, size, write))
		return true;
	if (ringmap_fill(vq, rm, type, addr, size) &&
	    ringmap_move(rm, type, addr, buf, size, write))
		return true;
	spin_lock(&rm->lock);
	rm->stats.fallback++;
	spin_unlock(&rm->lock);
	return false;
}
EXPORT_SYMBOL_GPL(vhost_ringmap_access_slow);

void __vhost_ringmap_reset(struct vhost_ringmap *rm)
{
	struct vhost_ringmap_region *r;

	spin_lock(&rm->lock);
	WRITE_ONCE(rm->generation, rm->generation + 1);
	rm->stats.resets++;
	for (r = rm->region; r < rm->region + VHOST_RINGMAP_REGIONS; r++) {
		WRITE_ONCE(r->len, 0);
		if (r->kaddr)
			memset(r->kaddr, 0, r->npages * sizeof(*r->kaddr));
	}
	spin_unlock(&rm->lock);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_reset);

static void ringmap_set_accessor(struct vhost_ringmap *rm, int accessor)
{
	int i;

	mutex_lock(&rm->fill_mutex);
	spin_lock(&rm->lock);
	WRITE_ONCE(rm->accessor, accessor);
	WRITE_ONCE(rm->generation, rm->generation + 1);
	spin_unlock(&rm->lock);
	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++) {
		rm->region[i].backoff = 0;
		rm->region[i].backoff_next = 0;
	}
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

static int accessor_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	char buf[64];

	accessor_print(buf, sizeof(buf), READ_ONCE(rm->accessor));
	seq_puts(m, buf);
	return 0;
}

static int accessor_open(struct inode *inode, struct file *file)
{
	return single_open(file, accessor_show, inode->i_private);
}

static ssize_t accessor_write(struct file *file, const char __user *ubuf,
			      size_t count, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	int accessor;
	char buf[16];

	if (count >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;
	buf[count] = '\0';
	accessor = sysfs_match_string(accessor_names, buf);
	if (accessor < 0)
		return accessor;
	ringmap_set_accessor(m->private, accessor);
	return count;
}

static const struct file_operations accessor_fops = {
	.owner = THIS_MODULE,
	.open = accessor_open,
	.read = seq_read,
	.write = accessor_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int stats_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	struct vhost_ringmap_stats s;
	int i;

	spin_lock(&rm->lock);
	s = rm->stats;
	spin_unlock(&rm->lock);

	seq_printf(m, "mapped %llu\n", s.mapped);
	seq_printf(m, "fallback %llu\n", s.fallback);
	seq_printf(m, "user %llu\n", s.user);
	seq_printf(m, "fills %llu\n", s.fills);
	seq_printf(m, "fill_failed %llu\n", s.fill_failed);
	seq_printf(m, "fill_raced %llu\n", s.fill_raced);
	seq_printf(m, "dropped %llu\n", s.dropped);
	seq_printf(m, "resets %llu\n", s.resets);
	for (i = 0; i < NR_MMU_CAUSES; i++)
		seq_printf(m, "invalidate_%s %llu\n",
			   mmu_notifier_cause_name(i), s.invalidations[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/**
 * vhost_ringmap_dev_init() - prepare the accessors of a device's queues
 * @dev: device with its queues set, none of them in use
 *
 * Context: process context; may sleep. A device without a worker never touches
 * its rings and gets no directory.
 */
void vhost_ringmap_dev_init(struct vhost_dev *dev)
{
	static atomic_t opened = ATOMIC_INIT(0);
	struct vhost_ringmap *rm;
	struct dentry *dir;
	char name[32];
	int i, j;

	dev->ringmap_dir = NULL;
	if (dev->use_worker) {
		snprintf(name, sizeof(name), "%d-%u", task_tgid_nr(current),
			 (unsigned int)atomic_inc_return(&opened));
		dev->ringmap_dir = debugfs_create_dir(name, vhost_debugfs);
	}

	for (i = 0; i < dev->nvqs; i++) {
		rm = &dev->vqs[i]->ringmap;
		memset(rm, 0, sizeof(*rm));
		spin_lock_init(&rm->lock);
		mutex_init(&rm->fill_mutex);
		for (j = 0; j < VHOST_RINGMAP_REGIONS; j++)
			rm->region[j].rm = rm;
		if (!dev->use_worker)
			continue;
		rm->accessor = READ_ONCE(default_accessor);
		snprintf(name, sizeof(name), "%d", i);
		dir = debugfs_create_dir(name, dev->ringmap_dir);
		debugfs_create_file("accessor", 0600, dir, rm,
				    &accessor_fops);
		debugfs_create_file("stats", 0400, dir, rm, &stats_fops);
	}
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

	/* Waits for readers and writers of the files. */
	debugfs_remove(dev->ringmap_dir);
	dev->ringmap_dir = NULL;
	for (i = 0; i < dev->nvqs; i++)
		ringmap_set_accessor(&dev->vqs[i]->ringmap,
				     VHOST_ACCESSOR_UACCESS);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_cleanup);

static int __init vhost_ringmap_init(void)
{
	vhost_debugfs = debugfs_create_dir("vhost", NULL);
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
