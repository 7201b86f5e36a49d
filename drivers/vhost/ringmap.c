// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coherent kernel mappings of a virtqueue's metadata: a software TLB for rings.
 *
 * Each page of desc, avail and used has a kernel address. A fill gets it from the page
 * tables, without a fault and without keeping a page reference. An interval notifier drops
 * it when the memory manager changes something that it depends on. If there is no address,
 * the caller uses user access, which faults the page in as usual, so that the next fill can
 * succeed. A fill that fails costs time only.
 *
 * Stores are in a critical section under the map lock. The invalidate callback takes that
 * lock, too. When it returns, nobody stores to the page.
 *
 * Reads take no lock. A read
 *
 *	1. takes the queue's sequence (acquire),
 *	2. takes the address and loads through it,
 *	3. executes smp_rmb(), looks at the sequence again, and discards what it loaded if
 *	   the sequence moved. The caller then uses user access.
 *
 * The invalidate callback, under the map lock,
 *
 *	A. clears the address,
 *	B. moves the sequence (release),
 *	C. executes a full barrier, and returns. The page tables change only after this, and
 *	   the page can be reused only after that.
 *
 * Why a stale value is never used:
 *
 * - B is a release and 1 is an acquire. A reader that sees the new sequence also sees
 *   that the address is gone. (If B came before A, a reader could take the new sequence
 *   with the old address, and 3 would find no change.)
 * - C pairs with the smp_rmb() of 3. The next user of the page stores to it after C. A
 *   reader whose load sees such a store also sees B when it looks again, on whatever CPU
 *   the store was made. This needs a full barrier at C on machines where a store reaches
 *   other CPUs one by one (POWER).
 * - A load between A and the reuse of the page returns the data of the ring, as if the read
 *   had come earlier.
 * - The driver publishes an entry with the avail index, and vhost reads the index first.
 *   The caller has a barrier between the two reads, and each read takes the sequence anew.
 *   If a page moved before the driver wrote the entry to it, the read of the entry sees the
 *   new sequence.
 *
 * tests/model checks this with a model in which a store reaches other CPUs one by one.
 *
 * At the time of the load, the page may even be gone from the linear map (DEBUG_PAGEALLOC,
 * memory hot-unplug), so the load may fault. The page was removed after C, so 3 discards
 * the value. The page may have any use by then, as with the free pointers that SLUB reads
 * speculatively. A read of RAM has no side effects, with two exceptions: a page with a
 * memory error raises a machine check, and arm64's protected KVM does not tolerate a read
 * of a page that it gave to a protected guest.
 *
 * A region may move while it is read page by page. The reader may then combine its old and
 * new length, offset and addresses. Whoever moves the region sets the length to 0 and then
 * moves the sequence, so 3 discards the value. The array of addresses belongs to the queue,
 * and has room for the pages of any ring.
 *
 * The CPU may use a stale value speculatively until 3 resolves. The value comes from a page
 * that belonged to the ring moments before. vhost masks an index before it indexes a ring
 * with it, and looks a descriptor's address up in the memory table.
 *
 * Who waits for whom: registration may sleep, and removal waits for invalidations to end.
 * Both happen under the fill mutex, which the data path only tries and the callback never
 * takes. The callback waits for at most one section: one publication of
 * VHOST_RINGMAP_USED elements, or one scan of the addresses of all regions.
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

/* Moves when somebody enables the event. */
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

/* Many packets use the same page with the same sequence. Trace the use once. */
static bool said(struct vhost_ringmap_said *said, unsigned long page, unsigned long seq)
{
	struct vhost_ringmap_said now = { READ_ONCE(trace_session), page, seq };

	if (!memcmp(said, &now, sizeof(now)))
		return true;
	/* vhost_signal() calls this without the queue's mutex: a use may be traced twice. */
	data_race(*said = now);
	return false;
}

/**
 * vhost_ringmap_trace_use() - trace which pages of a ring an access used
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type
 * @off: offset of the access in the ring, in bytes
 * @n: size of the access, in bytes
 * @seq: the sequence that validated a read, or the current one for a store
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

/* Count that an access of a queue in ringmap mode uses user access. */
static void fall_back(struct vhost_virtqueue *vq, int type, enum vhost_miss miss)
{
	struct vhost_ringmap *rm = &vq->ringmap;

	ringmap_lock(rm);
	rm->stats.fallback[miss]++;
	vhost_trace(fallback, vq, type, miss);
	ringmap_unlock(rm);
}

/* Read a descriptor as two words. */
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
 * when the ring was set up, and so needs a speculation barrier before each load. The
 * accessor "checked" checks the address each time instead.
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

/*
 * The used index behind @n elements that begin at @idx. In an in-order ring each stands for as
 * many buffers as @nheads says, and is where the first of them would be.
 */
static __always_inline u16 idx_after(u16 idx, const u16 *nheads, unsigned int n)
{
	if (!nheads)
		return idx + n;
	while (n--)
		idx += *nheads++;
	return idx;
}

static bool checked_publish(struct vhost_virtqueue *vq, const struct vring_used_elem *heads,
			    const u16 *nheads, unsigned int count)
{
	u16 old = vq->last_used_idx, new = idx_after(old, nheads, count);
	unsigned int slot = old & (vq->num - 1);
	unsigned int run = min(count, vq->num - slot);
	void __user *ring = checked_at(vq, VHOST_ADDR_USED,
				       offsetof(struct vring_used, ring));

	if (!ring)
		return false;
	if (nheads) {
		for (unsigned int i = 0; i < count; slot += nheads[i++])
			if (copy_to_user(ring + (slot & (vq->num - 1)) * sizeof(*heads),
					 heads + i, sizeof(*heads)))
				return false;
	} else if (copy_to_user(ring + slot * sizeof(*heads), heads, run * sizeof(*heads)) ||
		   copy_to_user(ring, heads + run, (count - run) * sizeof(*heads))) {
		return false;
	}
	vhost_trace(used, vq, old, (u16)(new - old), VHOST_ACCESSOR_CHECKED);
	/* Elements before index; pairs with the driver's read barrier. */
	smp_wmb();
	if (!checked_put(vq, offsetof(struct vring_used, idx), new))
		return false;
	vhost_trace(used_idx, vq, old, new, VHOST_ACCESSOR_CHECKED);
	return true;
}

/* Count a read of the avail index by user access, and end that when it is time. */
static void count_rest(struct vhost_ringmap *rm)
{
	unsigned int rest = READ_ONCE(rm->rest);

	if (likely(!rest))
		return;
	/* A change of the accessor also sets it to 0. */
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
 * Read through the address of a page, if the ring is not mapped as a whole. A value that
 * straddles two pages could tear, and is left to user access. The value is valid if this
 * returns VHOST_MISS_NONE.
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
 * A read found no address. Fill it, if that helps, and try again. All addresses of the
 * rings that vhost reads are filled here.
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
 * __vhost_ringmap_avail() - read a word of an avail ring that is not mapped as a whole
 * @vq: virtqueue
 * @off: offset in the ring, in bytes
 * @val: out: value
 *
 * Context: as vhost_ringmap_avail().
 * Return: false if the caller must use user access.
 */
bool __vhost_ringmap_avail(struct vhost_virtqueue *vq, unsigned long off, __virtio16 *val)
{
	return read_slowly(vq, VHOST_ADDR_AVAIL, off, val, sizeof(*val));
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_avail);

/**
 * __vhost_ringmap_desc() - read a descriptor of a table that is not mapped as a whole
 * @vq: virtqueue
 * @off: offset in the table, in bytes
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

/* Address of the byte @off of the used ring, or NULL if its page has none */
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

/* Address of a scalar of the used ring, or NULL; NULL also if it straddles two pages */
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

/* The offset of the field that asks the driver for a kick, and the value to write there */
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

/* Trace what a section stored apart from used elements. Under the map lock. */
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

/* Trace all that publish_flat() stored. */
static noinline void trace_publish(struct vhost_virtqueue *vq, unsigned int slot,
				   const u16 *nheads, unsigned int n, bool ask)
{
	const size_t size = sizeof(struct vring_used_elem);
	unsigned int run = min(n, vq->num - slot);
	unsigned long seq = vq->ringmap.seq;

	if (nheads) {
		for (; n--; slot += *nheads++)
			vhost_ringmap_trace_use(vq, VHOST_ADDR_USED,
						offsetof(struct vring_used,
							 ring[slot & (vq->num - 1)]),
						size, seq);
		trace_scalars(vq, true, ask);
		return;
	}
	vhost_ringmap_trace_use(vq, VHOST_ADDR_USED,
				offsetof(struct vring_used, ring[slot]), run * size, seq);
	if (run < n)
		vhost_ringmap_trace_use(vq, VHOST_ADDR_USED,
					offsetof(struct vring_used, ring),
					(n - run) * size, seq);
	trace_scalars(vq, true, ask);
}

/* After the used elements, store the used index, and ask for a kick if @ask_at. */
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

/* Publish in one section, if the used ring is mapped as a whole. */
static __always_inline bool publish_flat(struct vhost_virtqueue *vq,
					 const struct vring_used_elem *heads,
					 const u16 *nheads, unsigned int count, bool ask)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	unsigned int slot = vq->last_used_idx & (vq->num - 1);
	unsigned int run = vq->num - slot;
	__virtio16 *ask_at = NULL;
	struct vring_used *used;

	/*
	 * The driver can make buffers available while the batch is not yet published. So
	 * the batch may have more elements than the ring has entries.
	 */
	if (unlikely(count > vq->num || count > VHOST_RINGMAP_USED))
		return false;
	/* Do not take the lock for queues that are not mapped. */
	if (unlikely(!READ_ONCE(rm->flat[VHOST_ADDR_USED])))
		return false;
	ringmap_lock(rm);
	used = (void *)rm->flat[VHOST_ADDR_USED];
	if (unlikely(!used))
		goto unlock;
	if (ask) {
		ask_at = (void *)used + ask_off(vq);
		/* EVENT_IDX was negotiated after the ring was mapped. */
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
	} else if (nheads) {
		for (unsigned int i = 0, at = slot; i < count; at += nheads[i++])
			used->ring[at & (vq->num - 1)] = heads[i];
	} else {
		memcpy(&used->ring[slot], heads, min(count, run) * sizeof(*heads));
		if (unlikely(count > run))
			memcpy(used->ring, heads + run, (count - run) * sizeof(*heads));
	}
	store_index(vq, &used->idx, idx_after(vq->last_used_idx, nheads, count), ask_at);
	if (vhost_ringmap_is_traced())
		trace_publish(vq, slot, nheads, count, ask);
unlock:
	ringmap_unlock(rm);
	return used;
}

/* Store the elements of a section. Those of a ring that is not in order are few pieces. */
static bool store_elements(struct vhost_virtqueue *vq, u16 idx,
			   const struct vring_used_elem *heads, const u16 *nheads,
			   unsigned int n)
{
	unsigned int slot = idx & (vq->num - 1);
	unsigned int run = min(n, vq->num - slot);

	if (!nheads)
		return store_by_page(vq, offsetof(struct vring_used, ring[slot]), heads,
				     run * sizeof(*heads)) &&
		       store_by_page(vq, offsetof(struct vring_used, ring), heads + run,
				     (n - run) * sizeof(*heads));
	for (; n--; slot += *nheads++)
		if (!store_by_page(vq, offsetof(struct vring_used,
						ring[slot & (vq->num - 1)]),
				   heads++, sizeof(*heads)))
			return false;
	return true;
}

/* Publish up to VHOST_RINGMAP_USED elements in one section; after the last, the index. */
static bool publish_some(struct vhost_virtqueue *vq, u16 idx,
			 const struct vring_used_elem *heads, const u16 *nheads,
			 unsigned int n, bool last, bool ask)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	__virtio16 *at = NULL, *ask_at = NULL;
	bool done;

	ringmap_lock(rm);
	if (last)
		at = used_scalar(rm, offsetof(struct vring_used, idx));
	if (ask)
		ask_at = used_scalar(rm, ask_off(vq));
	done = (at || !last) && (ask_at || !ask) &&
	       store_elements(vq, idx, heads, nheads, n);
	if (done && last)
		store_index(vq, at, idx_after(idx, nheads, n), ask_at);
	rm->stats.sections += done;
	if (done && vhost_ringmap_is_traced())
		trace_scalars(vq, last, ask);
	ringmap_unlock(rm);
	return done;
}

static bool publish_by_page(struct vhost_virtqueue *vq, const struct vring_used_elem *heads,
			    const u16 *nheads, unsigned int count, bool ask)
{
	u16 idx = vq->last_used_idx;

	while (count > VHOST_RINGMAP_USED) {
		if (!publish_some(vq, idx, heads, nheads, VHOST_RINGMAP_USED, false, false))
			return false;
		idx = idx_after(idx, nheads, VHOST_RINGMAP_USED);
		heads += VHOST_RINGMAP_USED;
		if (nheads)
			nheads += VHOST_RINGMAP_USED;
		count -= VHOST_RINGMAP_USED;
	}
	return publish_some(vq, idx, heads, nheads, count, true, ask);
}

/* Try to map what publish_by_page() writes. */
static enum vhost_miss publish_fill(struct vhost_virtqueue *vq, const u16 *nheads,
				    unsigned int count, bool ask)
{
	const size_t size = sizeof(struct vring_used_elem);
	unsigned int slot = vq->last_used_idx & (vq->num - 1);
	unsigned int n = (u16)(idx_after(vq->last_used_idx, nheads, count - 1) + 1 -
			       vq->last_used_idx);
	unsigned int run = min(n, vq->num - slot);
	enum vhost_miss miss;

	/* From the first to the last element, with the gaps, and at most all of the ring */
	n = min(n, vq->num);
	miss = ringmap_fill(vq, VHOST_ADDR_USED, offsetof(struct vring_used, ring[slot]),
			    run * size);
	if (!miss && n > run)
		miss = ringmap_fill(vq, VHOST_ADDR_USED, offsetof(struct vring_used, ring),
				    (n - run) * size);
	if (!miss)
		miss = ringmap_fill(vq, VHOST_ADDR_USED, offsetof(struct vring_used, idx),
				    sizeof(__virtio16));
	if (!miss && ask)
		miss = ringmap_fill(vq, VHOST_ADDR_USED, ask_off(vq), sizeof(__virtio16));
	return miss;
}

static noinline bool publish_slowly(struct vhost_virtqueue *vq,
				    const struct vring_used_elem *heads,
				    const u16 *nheads, unsigned int count, bool ask)
{
	enum vhost_miss miss;

	/* More elements than the ring has: leave it to user access. */
	if (count > vq->num)
		return false;
	switch (READ_ONCE(vq->ringmap.mode)) {
	case VHOST_ACCESSOR_UACCESS:
		return false;
	case VHOST_ACCESSOR_CHECKED:
		return !ask && checked_publish(vq, heads, nheads, count);
	}
	if (publish_by_page(vq, heads, nheads, count, ask))
		return true;
	miss = publish_fill(vq, nheads, count, ask);
	if (!miss && publish_by_page(vq, heads, nheads, count, ask))
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
	return likely(publish_flat(vq, heads, NULL, count, false)) ||
	       publish_slowly(vq, heads, NULL, count, false);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_publish);

/* See vhost_ringmap_publish(). */
bool __vhost_ringmap_publish_and_ask(struct vhost_virtqueue *vq,
				     const struct vring_used_elem *heads,
				     unsigned int count)
{
	ringmap_window(RINGMAP_WINDOW_HANDLER);
	return likely(publish_flat(vq, heads, NULL, count, true)) ||
	       publish_slowly(vq, heads, NULL, count, true);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_publish_and_ask);

#ifdef VHOST_IN_ORDER
/* See vhost_ringmap_publish_in_order(). */
bool __vhost_ringmap_publish_in_order(struct vhost_virtqueue *vq,
				      const struct vring_used_elem *heads,
				      const u16 *nheads, unsigned int count, bool ask)
{
	ringmap_window(RINGMAP_WINDOW_HANDLER);
	return likely(publish_flat(vq, heads, nheads, count, ask)) ||
	       publish_slowly(vq, heads, nheads, count, ask);
}
EXPORT_SYMBOL_GPL(__vhost_ringmap_publish_in_order);
#endif

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
