// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coherent kernel mappings of a virtqueue's metadata: a software TLB for rings.
 *
 * For each page of desc, avail and used there is a kernel address. It is filled in from
 * the page tables without faulting and without keeping a page reference, and dropped by
 * an interval notifier when the memory manager changes what it depends on. Where there
 * is none, the caller goes by user access, which faults the page in as ever and so lets
 * the next fill succeed. A fill that fails costs time only.
 *
 * Stores are made inside a section under the map lock. The invalidate callback takes
 * that lock. When it returns, nobody stores to the page.
 *
 * Reads take no lock. A read
 *
 *	1. takes the queue's sequence (acquire),
 *	2. takes the address and loads through it,
 *	3. after smp_rmb(), looks at the sequence again, and throws away what it loaded
 *	   if that moved. User access decides then.
 *
 * The invalidate callback, under the map lock,
 *
 *	A. clears the address,
 *	B. moves the sequence (release),
 *	C. executes a full barrier, and returns. Only then do the page tables change,
 *	   and only after that can the page be given to somebody else.
 *
 * Why a stale value is never used:
 *
 * - B is a release and 1 is an acquire. A reader that sees the new sequence also sees
 *   that the address is gone. (If B came before A, a reader could take the new sequence
 *   with the old address, and 3 would find nothing.)
 * - C and the smp_rmb() of 3: whoever is given the page stores to it after C. A reader
 *   whose load sees such a store also sees B when it looks again, whichever CPU made the
 *   store. This needs C to be a full barrier where stores reach CPUs one by one (POWER).
 * - A load between A and the reuse of the page returns what the ring had. It is as if
 *   the read had come earlier.
 * - What the driver made visible with the avail index is read after it: the caller has a
 *   barrier between the two, and each read takes the sequence anew. If a page moved
 *   before the driver wrote to it, the read of the entry sees the moved sequence.
 *
 * tests/model checks this against a model in which stores reach CPUs one by one.
 *
 * The page may even be out of the linear map when the load happens (DEBUG_PAGEALLOC,
 * memory that is taken off line): the load may fault. That it was taken out came after C,
 * so 3 throws the value away. As with the free pointers that SLUB reads ahead, what the
 * page is by then may be anything: RAM has no side effects when it is read, but a page
 * that was found to be bad memory raises a machine check, and arm64's protected KVM does
 * not tolerate a read of a page that was given to a protected guest.
 *
 * A region may be moved while it is read page by page: its length, its offset and the
 * addresses may then be of different times. Whoever moves it also moves the sequence,
 * after the length is 0. The memory is the queue's own, and no ring has more pages.
 *
 * In speculation, a stale value may be used until 3 is resolved. It was loaded from a
 * page which was the ring's moments ago. An index is masked before it indexes a ring; a
 * descriptor is looked up in the memory table.
 *
 * Who may wait for whom: registration may sleep, and removal waits for invalidations to
 * end. Both happen under the fill mutex, which the data path only tries and the callback
 * never takes. The callback waits for at most one section: one publication of
 * VHOST_RINGMAP_USED elements, or a scan of the addresses of a region.
 */

#define pr_fmt(fmt) "vhost: " fmt

#include <linux/module.h>
#include <linux/mm.h>
#include <linux/overflow.h>

#include "ringmap_int.h"

struct static_key_false vhost_ringmap_used = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(vhost_ringmap_used);

#ifdef CONFIG_VHOST_TRACE
struct static_key_false vhost_ringmap_traced = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(vhost_ringmap_traced);

/* Moves when somebody begins to listen. */
static unsigned int trace_session;

int vhost_ringmap_trace_reg(void)
{
	WRITE_ONCE(trace_session, trace_session + 1);
	static_branch_inc(&vhost_ringmap_traced);
	return 0;
}

void vhost_ringmap_trace_unreg(void)
{
	static_branch_dec(&vhost_ringmap_traced);
}

/* Packet after packet uses the same page with the same sequence. Say it once. */
static bool said(struct vhost_ringmap_said *said, unsigned long page, unsigned long seq)
{
	struct vhost_ringmap_said now = { READ_ONCE(trace_session), page, seq };

	if (!memcmp(said, &now, sizeof(now)))
		return true;
	/* vhost_signal() gets here without the queue's mutex: it may be said twice. */
	data_race(*said = now);
	return false;
}

/**
 * vhost_ringmap_trace_use() - say which pages of a ring an access used
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type
 * @off: the access's place in the ring, in bytes
 * @n: its size, in bytes
 * @seq: the sequence by which it was validated, or which holds under the map lock
 *
 * Context: any.
 */
void vhost_ringmap_trace_use(struct vhost_virtqueue *vq, int type, unsigned long off,
			     unsigned long n, unsigned long seq)
{
	unsigned long page, last;

	off += READ_ONCE(vq->ringmap.region[type].offset);
	last = (off + n - 1) >> PAGE_SHIFT;
	for (page = off >> PAGE_SHIFT; page <= last; page++)
		if (!said(&vq->ringmap.said[type], page, seq))
			vhost_trace(map_use, vq, type, page, seq);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_trace_use);
#endif /* CONFIG_VHOST_TRACE */

/* An access of a queue in ringmap mode goes by user access. */
static void fall_back(struct vhost_virtqueue *vq, int type, enum vhost_miss miss)
{
	struct vhost_ringmap *rm = &vq->ringmap;

	ringmap_lock(rm);
	rm->stats.fallback[miss]++;
	vhost_trace(fallback, vq, type, miss);
	ringmap_unlock(rm);
}

/* A descriptor, as two words */
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
 * User address of the byte @off of a ring, or NULL. Plain user access relies on the check
 * when the ring was set up, and so needs a speculation barrier before each load; here
 * the address is checked each time instead.
 */
static void __user *checked_at(struct vhost_virtqueue *vq, int type, unsigned long off)
{
	void __user *ring = type == VHOST_ADDR_DESC ? (void __user *)vq->desc :
			    type == VHOST_ADDR_AVAIL ? (void __user *)vq->avail :
			    (void __user *)vq->used;

	if (vq->iotlb) {
		const struct vhost_iotlb_map *map = vq->meta_iotlb[type];

		if (!map)
			return NULL;
		ring += map->addr - map->start;
	}
	return ring + off;
}

static __always_inline bool checked_read(struct vhost_virtqueue *vq, int type,
					 unsigned long off, void *buf,
					 unsigned long size)
{
	void __user *at = checked_at(vq, type, off);

	if (!at)
		return false;
	return size == sizeof(u16) ? !get_user(*(u16 *)buf, (u16 __user *)at) :
				     checked_read_desc(buf, at);
}

static bool checked_put(struct vhost_virtqueue *vq, unsigned long off, u16 val)
{
	void __user *at = checked_at(vq, VHOST_ADDR_USED, off);

	return at && !put_user((__force u16)cpu_to_vhost16(vq, val), (u16 __user *)at);
}

static bool checked_publish(struct vhost_virtqueue *vq,
			    const struct vring_used_elem *heads, unsigned int count)
{
	u16 old = vq->last_used_idx, new = old + count;
	unsigned int slot = old & (vq->num - 1);
	unsigned int run = min(count, vq->num - slot);
	void __user *ring = checked_at(vq, VHOST_ADDR_USED,
				       offsetof(struct vring_used, ring));

	if (!ring ||
	    copy_to_user(ring + slot * sizeof(*heads), heads, run * sizeof(*heads)) ||
	    copy_to_user(ring, heads + run, (count - run) * sizeof(*heads)))
		return false;
	vhost_trace(used, vq, old, count, VHOST_ACCESSOR_CHECKED);
	/* Elements before index; pairs with the driver's read barrier. */
	smp_wmb();
	if (!checked_put(vq, offsetof(struct vring_used, idx), new))
		return false;
	vhost_trace(used_idx, vq, old, new, VHOST_ACCESSOR_CHECKED);
	return true;
}

/* A read of the avail index by user access, while the queue may rest */
static void count_rest(struct vhost_ringmap *rm)
{
	unsigned int rest = READ_ONCE(rm->rest);

	if (likely(!rest))
		return;
	/* Whoever changes the accessor also sets it to 0. */
	if (rest > 1) {
		WRITE_ONCE(rm->rest, rest - 1);
		return;
	}
	if (!mutex_trylock(&rm->fill_mutex))
		return;
	WRITE_ONCE(rm->rest, 0);
	ringmap_set_mode(rm, rm->accessor, VHOST_MODE_RESTED);
	mutex_unlock(&rm->fill_mutex);
}

/*
 * Read through the address of a page, where the ring is not mapped as a whole. What
 * straddles pages would tear and is left to user access. The value is good if
 * VHOST_MISS_NONE is returned.
 */
static __always_inline enum vhost_miss read_by_page(struct vhost_virtqueue *vq, int type,
						    unsigned long off, void *buf,
						    unsigned long size)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	const struct vhost_ringmap_region *r = &rm->region[type];
	unsigned long at, len, seq;
	const void *kaddr;
	u64 *to = buf;

	seq = vhost_ringmap_read_begin(rm);
	/* Before the offset; pairs with locate(). */
	len = smp_load_acquire(&r->len);
	if (unlikely(off + size > len))
		return len ? VHOST_MISS_OUTSIDE : VHOST_MISS_RESET;
	at = off + READ_ONCE(r->offset);
	if (unlikely(offset_in_page(at) > PAGE_SIZE - size))
		return VHOST_MISS_STRADDLES;
	/* User access has a speculation barrier here. No ring has more pages than @kaddr. */
	kaddr = READ_ONCE(r->kaddr[at >> PAGE_SHIFT]);
	if (unlikely(!kaddr))
		return VHOST_MISS_RACED;
	kaddr += offset_in_page(at);
	ringmap_window(RINGMAP_WINDOW_READ);
	if (size == sizeof(u16)) {
		*(u16 *)buf = vhost_ringmap_load(kaddr, u16);
	} else {
		to[0] = vhost_ringmap_load(kaddr, u64);
		to[1] = vhost_ringmap_load(kaddr + sizeof(u64), u64);
	}
	if (unlikely(!vhost_ringmap_read_valid(rm, seq)))
		return VHOST_MISS_RACED;
	vhost_ringmap_did_read(vq, type, off, size, seq);
	return VHOST_MISS_NONE;
}

/*
 * A read found no address. Fill it in, if that helps, and try again: that is how all
 * addresses of read rings come to be.
 */
static noinline bool read_after(enum vhost_miss miss, struct vhost_virtqueue *vq, int type,
				unsigned long off, void *buf, unsigned long size)
{
	if (miss != VHOST_MISS_STRADDLES) {
		miss = ringmap_fill(vq, type, off, size);
		if (!miss)
			miss = read_by_page(vq, type, off, buf, size);
	}
	if (miss)
		fall_back(vq, type, miss);
	return !miss;
}

static __always_inline bool read_slowly(struct vhost_virtqueue *vq, int type,
					unsigned long off, void *buf, unsigned long size)
{
	enum vhost_miss miss;

	switch (READ_ONCE(vq->ringmap.mode)) {
	case VHOST_ACCESSOR_UACCESS:
		count_rest(&vq->ringmap);
		return false;
	case VHOST_ACCESSOR_CHECKED:
		return checked_read(vq, type, off, buf, size);
	}
	miss = read_by_page(vq, type, off, buf, size);
	return likely(!miss) || read_after(miss, vq, type, off, buf, size);
}

/**
 * __vhost_ringmap_avail() - read a word of the avail ring, which is not mapped as a whole
 * @vq: virtqueue
 * @off: place in the ring, in bytes
 * @val: out: what is there
 *
 * Context: as vhost_ringmap_avail().
 * Return: false where the caller must use user access.
 */
bool __vhost_ringmap_avail(struct vhost_virtqueue *vq, unsigned long off, __virtio16 *val)
{
	return read_slowly(vq, VHOST_ADDR_AVAIL, off, val, sizeof(*val));
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_avail);

/**
 * __vhost_ringmap_desc() - read a descriptor of a table that is not mapped as a whole
 * @vq: virtqueue
 * @off: place in the table, in bytes
 * @desc: out: descriptor
 *
 * Context and return: as __vhost_ringmap_avail().
 */
bool __vhost_ringmap_desc(struct vhost_virtqueue *vq, unsigned long off,
			  struct vring_desc *desc)
{
	return read_slowly(vq, VHOST_ADDR_DESC, off, desc, sizeof(*desc));
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_desc);

/* Address of the byte @off of the used ring, or NULL where its page has none */
static void *used_at(const struct vhost_ringmap *rm, unsigned long off)
{
	const struct vhost_ringmap_region *r = &rm->region[VHOST_ADDR_USED];
	void *kaddr;

	lockdep_assert_held(&rm->lock);
	if (rm->mode != VHOST_ACCESSOR_RINGMAP || off >= r->len)
		return NULL;
	off += r->offset;
	kaddr = r->kaddr[off >> PAGE_SHIFT];
	return kaddr ? kaddr + offset_in_page(off) : NULL;
}

/* Address of a scalar of the used ring, or NULL also where it straddles pages */
static __virtio16 *used_scalar(const struct vhost_ringmap *rm, unsigned long off)
{
	void *at = used_at(rm, off);

	if (off + sizeof(__virtio16) > rm->region[VHOST_ADDR_USED].len)
		return NULL;
	return offset_in_page(at) == PAGE_SIZE - 1 ? NULL : at;
}

/* Write @n bytes of used elements at @off of the used ring, page by page. */
static bool store_by_page(struct vhost_virtqueue *vq, unsigned long off,
			  const void *from, unsigned long n)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	unsigned long run;
	void *to;

	for (; n; off += run, from += run, n -= run) {
		to = used_at(rm, off);
		if (!to)
			return false;
		/* An element may straddle pages, between its two words. */
		run = min(n, PAGE_SIZE - offset_in_page(to));
		ringmap_window(RINGMAP_WINDOW_USE);
		memcpy(to, from, run);
		if (vhost_ringmap_is_traced())
			vhost_ringmap_trace_use(vq, VHOST_ADDR_USED, off, run, rm->seq);
	}
	return true;
}

/* Where the driver is asked for a kick, and by what */
static unsigned long ask_off(struct vhost_virtqueue *vq)
{
	return vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX) ?
	       struct_size(vq->used, ring, vq->num) :
	       offsetof(struct vring_used, flags);
}

static u16 ask_val(struct vhost_virtqueue *vq)
{
	return vhost_has_feature(vq, VIRTIO_RING_F_EVENT_IDX) ?
	       vq->avail_idx : vq->used_flags & ~VRING_USED_F_NO_NOTIFY;
}

/* Show what else than used elements a section stored, while it holds the map lock. */
static noinline void trace_scalars(struct vhost_virtqueue *vq, bool idx, bool ask)
{
	unsigned long seq = vq->ringmap.seq;

	if (idx)
		vhost_ringmap_trace_use(vq, VHOST_ADDR_USED,
					offsetof(struct vring_used, idx),
					sizeof(__virtio16), seq);
	if (ask)
		vhost_ringmap_trace_use(vq, VHOST_ADDR_USED, ask_off(vq),
					sizeof(__virtio16), seq);
}

/* The same for all of it */
static noinline void trace_publish(struct vhost_virtqueue *vq, unsigned int slot,
				   unsigned int n, bool ask)
{
	const size_t size = sizeof(struct vring_used_elem);
	unsigned int run = min(n, vq->num - slot);
	unsigned long seq = vq->ringmap.seq;

	vhost_ringmap_trace_use(vq, VHOST_ADDR_USED,
				offsetof(struct vring_used, ring[slot]), run * size, seq);
	if (run < n)
		vhost_ringmap_trace_use(vq, VHOST_ADDR_USED,
					offsetof(struct vring_used, ring),
					(n - run) * size, seq);
	trace_scalars(vq, true, ask);
}

/* Used elements are stored: store the index, and ask for a kick. */
static __always_inline void store_index(struct vhost_virtqueue *vq, __virtio16 *at,
					u16 new, __virtio16 *ask_at)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	u16 old __maybe_unused = vq->last_used_idx; /* for the events */

	lockdep_assert_held(&rm->lock);
	/* Elements before index; pairs with the driver's read barrier. */
	smp_wmb();
	vhost_trace(used, vq, old, (u16)(new - old), VHOST_ACCESSOR_RINGMAP);
	WRITE_ONCE(*at, cpu_to_vhost16(vq, new));
	vhost_trace(used_idx, vq, old, new, VHOST_ACCESSOR_RINGMAP);
	vhost_ringmap_add_mapped(rm, 2);
	if (ask_at) {
		WRITE_ONCE(*ask_at, cpu_to_vhost16(vq, ask_val(vq)));
		vhost_ringmap_add_mapped(rm, 1);
	}
}

/* All in one section, where the used ring is mapped as a whole */
static __always_inline bool publish_flat(struct vhost_virtqueue *vq,
					 const struct vring_used_elem *heads,
					 unsigned int count, bool ask)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	unsigned int slot = vq->last_used_idx & (vq->num - 1);
	unsigned int run = vq->num - slot;
	__virtio16 *ask_at = NULL;
	struct vring_used *used;

	/*
	 * The driver makes buffers available while the batch is not published: there may
	 * be more of them than the ring has entries.
	 */
	if (unlikely(count > vq->num || count > VHOST_RINGMAP_USED))
		return false;
	/* Not every queue pays for the lock. */
	if (unlikely(!READ_ONCE(rm->flat[VHOST_ADDR_USED])))
		return false;
	ringmap_lock(rm);
	used = (void *)rm->flat[VHOST_ADDR_USED];
	if (unlikely(!used))
		goto unlock;
	if (ask) {
		ask_at = (void *)used + ask_off(vq);
		/* The event index was negotiated after the ring was mapped. */
		if (unlikely((void *)(ask_at + 1) >
			     (void *)used + rm->region[VHOST_ADDR_USED].len)) {
			used = NULL;
			goto unlock;
		}
	}
	rm->stats.sections++;
	ringmap_window(RINGMAP_WINDOW_USE);
	if (count == 1) {
		used->ring[slot] = *heads;
	} else {
		memcpy(&used->ring[slot], heads, min(count, run) * sizeof(*heads));
		if (unlikely(count > run))
			memcpy(used->ring, heads + run, (count - run) * sizeof(*heads));
	}
	store_index(vq, &used->idx, vq->last_used_idx + count, ask_at);
	if (vhost_ringmap_is_traced())
		trace_publish(vq, slot, count, ask);
unlock:
	ringmap_unlock(rm);
	return used;
}

/* One section: up to VHOST_RINGMAP_USED elements, and what follows the last of them */
static bool publish_some(struct vhost_virtqueue *vq, u16 idx,
			 const struct vring_used_elem *heads, unsigned int n,
			 bool last, bool ask)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	unsigned int slot = idx & (vq->num - 1);
	unsigned int run = min(n, vq->num - slot);
	__virtio16 *at = NULL, *ask_at = NULL;
	bool done;

	ringmap_lock(rm);
	if (last)
		at = used_scalar(rm, offsetof(struct vring_used, idx));
	if (ask)
		ask_at = used_scalar(rm, ask_off(vq));
	done = (at || !last) && (ask_at || !ask) &&
	       store_by_page(vq, offsetof(struct vring_used, ring[slot]), heads,
			     run * sizeof(*heads)) &&
	       store_by_page(vq, offsetof(struct vring_used, ring), heads + run,
			     (n - run) * sizeof(*heads));
	if (done && last)
		store_index(vq, at, idx + n, ask_at);
	rm->stats.sections += done;
	if (done && vhost_ringmap_is_traced())
		trace_scalars(vq, last, ask);
	ringmap_unlock(rm);
	return done;
}

static bool publish_by_page(struct vhost_virtqueue *vq, const struct vring_used_elem *heads,
			    unsigned int count, bool ask)
{
	u16 idx = vq->last_used_idx;

	while (count > VHOST_RINGMAP_USED) {
		if (!publish_some(vq, idx, heads, VHOST_RINGMAP_USED, false, false))
			return false;
		idx += VHOST_RINGMAP_USED;
		heads += VHOST_RINGMAP_USED;
		count -= VHOST_RINGMAP_USED;
	}
	return publish_some(vq, idx, heads, count, true, ask);
}

/* Try to map what publish_by_page() writes. */
static enum vhost_miss publish_fill(struct vhost_virtqueue *vq, unsigned int count, bool ask)
{
	const size_t size = sizeof(struct vring_used_elem);
	unsigned int slot = vq->last_used_idx & (vq->num - 1);
	unsigned int run = min(count, vq->num - slot);
	enum vhost_miss miss;

	miss = ringmap_fill(vq, VHOST_ADDR_USED, offsetof(struct vring_used, ring[slot]),
			    run * size);
	if (!miss && count > run)
		miss = ringmap_fill(vq, VHOST_ADDR_USED, offsetof(struct vring_used, ring),
				    (count - run) * size);
	if (!miss)
		miss = ringmap_fill(vq, VHOST_ADDR_USED, offsetof(struct vring_used, idx),
				    sizeof(__virtio16));
	if (!miss && ask)
		miss = ringmap_fill(vq, VHOST_ADDR_USED, ask_off(vq), sizeof(__virtio16));
	return miss;
}

static noinline bool publish_slowly(struct vhost_virtqueue *vq,
				    const struct vring_used_elem *heads,
				    unsigned int count, bool ask)
{
	enum vhost_miss miss;

	/* A device that is too fast: as user access treats it. */
	if (count > vq->num)
		return false;
	switch (READ_ONCE(vq->ringmap.mode)) {
	case VHOST_ACCESSOR_UACCESS:
		return false;
	case VHOST_ACCESSOR_CHECKED:
		return !ask && checked_publish(vq, heads, count);
	}
	if (publish_by_page(vq, heads, count, ask))
		return true;
	miss = publish_fill(vq, count, ask);
	if (!miss && publish_by_page(vq, heads, count, ask))
		return true;
	fall_back(vq, VHOST_ADDR_USED, miss ?: VHOST_MISS_RACED);
	return false;
}

/* See vhost_ringmap_publish(). */
bool __vhost_ringmap_publish(struct vhost_virtqueue *vq,
			     const struct vring_used_elem *heads,
			     unsigned int count)
{
	ringmap_window(RINGMAP_WINDOW_HANDLER);
	return likely(publish_flat(vq, heads, count, false)) ||
	       publish_slowly(vq, heads, count, false);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_publish);

/* See vhost_ringmap_publish(). */
bool __vhost_ringmap_publish_and_ask(struct vhost_virtqueue *vq,
				     const struct vring_used_elem *heads,
				     unsigned int count)
{
	ringmap_window(RINGMAP_WINDOW_HANDLER);
	return likely(publish_flat(vq, heads, count, true)) ||
	       publish_slowly(vq, heads, count, true);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_publish_and_ask);

static bool put_mapped(struct vhost_virtqueue *vq, unsigned long off, u16 val)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	__virtio16 *at;

	ringmap_lock(rm);
	at = used_scalar(rm, off);
	if (likely(at)) {
		ringmap_window(RINGMAP_WINDOW_USE);
		WRITE_ONCE(*at, cpu_to_vhost16(vq, val));
		rm->stats.sections++;
		vhost_ringmap_add_mapped(rm, 1);
		if (vhost_ringmap_is_traced())
			vhost_ringmap_trace_use(vq, VHOST_ADDR_USED, off, sizeof(*at),
						rm->seq);
	}
	ringmap_unlock(rm);
	return at;
}

/* See vhost_ringmap_put(). */
bool __vhost_ringmap_put(struct vhost_virtqueue *vq, unsigned long off, u16 val)
{
	enum vhost_miss miss;

	switch (READ_ONCE(vq->ringmap.mode)) {
	case VHOST_ACCESSOR_UACCESS:
		return false;
	case VHOST_ACCESSOR_CHECKED:
		return checked_put(vq, off, val);
	}
	if (likely(put_mapped(vq, off, val)))
		return true;
	miss = ringmap_fill(vq, VHOST_ADDR_USED, off, sizeof(__virtio16));
	if (!miss && put_mapped(vq, off, val))
		return true;
	fall_back(vq, VHOST_ADDR_USED, miss ?: VHOST_MISS_RACED);
	return false;
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_put);

static int __init vhost_ringmap_init(void)
{
	ringmap_control_init();
	return 0;
}
module_init(vhost_ringmap_init);

static void __exit vhost_ringmap_exit(void)
{
	ringmap_control_exit();
}
module_exit(vhost_ringmap_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Coherent kernel mappings of virtqueue metadata");
