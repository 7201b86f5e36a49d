/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coherent kernel mappings of a virtqueue's metadata, a software TLB for rings: the
 * functions that vhost's data path calls.
 *
 * A function returns false if the caller must use user access, as without this file.
 * ringmap.c explains why a read needs no lock.
 */
#ifndef _VHOST_RINGMAP_H
#define _VHOST_RINGMAP_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/moduleparam.h>
#include <linux/uaccess.h>

#include "vhost.h"

#ifdef CONFIG_VHOST_RINGMAP

/* Inline what our code made larger all the same, but not its callers. */
#define vhost_ringmap_inline	__always_inline
#define vhost_ringmap_noinline	noinline

extern const struct kernel_param_ops vhost_ringmap_param_ops;

void vhost_ringmap_dev_init(struct vhost_dev *dev);
void vhost_ringmap_dev_publish(struct vhost_dev *dev);
void vhost_ringmap_set_owner(struct vhost_dev *dev);
void vhost_ringmap_dev_cleanup(struct vhost_dev *dev);
void vhost_ringmap_reset(struct vhost_virtqueue *vq);

bool __vhost_ringmap_avail(struct vhost_virtqueue *vq, unsigned long off, __virtio16 *val);
bool __vhost_ringmap_desc(struct vhost_virtqueue *vq, unsigned long off,
			  struct vring_desc *desc);
bool __vhost_ringmap_put(struct vhost_virtqueue *vq, unsigned long off, u16 val);
bool __vhost_ringmap_publish(struct vhost_virtqueue *vq,
			     const struct vring_used_elem *heads,
			     unsigned int count);
bool __vhost_ringmap_publish_and_ask(struct vhost_virtqueue *vq,
				     const struct vring_used_elem *heads,
				     unsigned int count);
bool __vhost_ringmap_publish_in_order(struct vhost_virtqueue *vq,
				      const struct vring_used_elem *heads,
				      const u16 *nheads, unsigned int count, bool ask);
void vhost_ringmap_trace_use(struct vhost_virtqueue *vq, int type, unsigned long off,
			     unsigned long n, unsigned long seq);

DECLARE_STATIC_KEY_FALSE(vhost_ringmap_used);
DECLARE_STATIC_KEY_FALSE(vhost_ringmap_traced);

/* Whether any queue of any device uses anything but user access. */
static __always_inline bool vhost_ringmap_on(void)
{
	return static_branch_unlikely(&vhost_ringmap_used);
}

/* The same for inlined code: users of ringmap run straight through, and others jump. */
static __always_inline bool vhost_ringmap_on_inline(void)
{
	return static_branch_likely(&vhost_ringmap_used);
}

/* Whether the event vhost_map_use is on. */
static __always_inline bool vhost_ringmap_is_traced(void)
{
	return IS_ENABLED(CONFIG_VHOST_TRACE) &&
	       static_branch_unlikely(&vhost_ringmap_traced);
}

/* Whether this queue uses mappings where it can. */
static __always_inline bool vhost_ringmap_active(const struct vhost_virtqueue *vq)
{
	return vhost_ringmap_on() &&
	       READ_ONCE(vq->ringmap.mode) == VHOST_ACCESSOR_RINGMAP;
}

/* Count @n accesses through a kernel address. */
static __always_inline void
vhost_ringmap_add_mapped(struct vhost_ringmap *rm, unsigned int n)
{
	/* vhost_signal() counts without the queue's mutex: a count may be lost. */
	data_race(rm->mapped += n);
}

/* Begin a read without the map lock. */
static __always_inline unsigned long
vhost_ringmap_read_begin(const struct vhost_ringmap *rm)
{
	/* Take the sequence before the address; pairs with ringmap_moved(). */
	return smp_load_acquire(&rm->seq);
}

/*
 * Whether the values loaded since vhost_ringmap_read_begin() come from the ring. The caller
 * must not use them otherwise.
 */
static __always_inline bool
vhost_ringmap_read_valid(const struct vhost_ringmap *rm, unsigned long seq)
{
	/* The loads before the second look at the sequence; pairs with ringmap_invalidate(). */
	smp_rmb();
	return likely(READ_ONCE(rm->seq) == seq);
}

/*
 * Load through an address whose page may be gone, even from the linear map. A page leaves
 * the linear map only after the sequence moved. So the caller finds the result of a load
 * that faulted to be invalid, and needs no path of its own for it. KASAN and KCSAN do not
 * see the load.
 */
#define vhost_ringmap_load(from, type)					\
({									\
	__label__ __faulted;						\
	type __val = 0;							\
									\
	__get_kernel_nofault(&__val, from, type, __faulted);		\
__faulted:								\
	__val;								\
})

/* Count a valid read, and trace it. */
static __always_inline void
vhost_ringmap_did_read(struct vhost_virtqueue *vq, int type, unsigned long off,
		       unsigned long size, unsigned long seq)
{
	vhost_ringmap_add_mapped(&vq->ringmap, 1);
	if (vhost_ringmap_is_traced())
		vhost_ringmap_trace_use(vq, type, off, size, seq);
}

/* The address of @val is not passed on, so on the other paths @val can stay in a register. */
static __always_inline bool
vhost_ringmap_read_slowly(struct vhost_virtqueue *vq, unsigned long off, __virtio16 *val)
{
	__virtio16 read;

	if (!__vhost_ringmap_avail(vq, off, &read))
		return false;
	*val = read;
	return true;
}

/*
 * Whether the queue uses user access now: it is its accessor, or its rings could not be
 * mapped. In the latter case, only reads of the avail index count down until the next try.
 */
static __always_inline bool vhost_ringmap_rests(const struct vhost_ringmap *rm)
{
	return READ_ONCE(rm->mode) == VHOST_ACCESSOR_UACCESS;
}

/**
 * vhost_ringmap_avail() - read the avail ring's flags, index or an entry
 * @vq: virtqueue
 * @val: out: value
 * @off: where it is in the avail ring, in bytes; not its used_event
 *
 * Context: the worker, or the owner in an ioctl. May sleep. The caller holds the queue's
 * mutex, or there is no device IOTLB.
 * Return: false if the caller must use user access. That faults the page in, so that the
 * next access can be mapped, or it reports the error.
 */
static __always_inline bool
vhost_ringmap_avail(struct vhost_virtqueue *vq, __virtio16 *val, unsigned long off)
{
	const struct vhost_ringmap *rm = &vq->ringmap;
	unsigned long seq;
	const void *ring;

	if (!vhost_ringmap_on_inline())
		return false;
	seq = vhost_ringmap_read_begin(rm);
	ring = READ_ONCE(rm->flat[VHOST_ADDR_AVAIL]);
	if (unlikely(!ring))
		goto slow;
	*val = (__force __virtio16)vhost_ringmap_load(ring + off, u16);
	if (unlikely(!vhost_ringmap_read_valid(rm, seq)))
		goto slow;
	vhost_ringmap_did_read(vq, VHOST_ADDR_AVAIL, off, sizeof(*val), seq);
	return true;
slow:
	if (off != offsetof(struct vring_avail, idx) && vhost_ringmap_rests(rm))
		return false;
	return vhost_ringmap_read_slowly(vq, off, val);
}

#define vhost_ringmap_avail_flags(vq, val)				\
	vhost_ringmap_avail(vq, val, offsetof(struct vring_avail, flags))

#define vhost_ringmap_avail_idx(vq, val)				\
	vhost_ringmap_avail(vq, val, offsetof(struct vring_avail, idx))

/**
 * vhost_ringmap_head() - read an entry of the avail ring
 * @vq: virtqueue
 * @head: out: the entry
 * @idx: its avail index
 *
 * Context and return: as vhost_ringmap_avail().
 */
static __always_inline bool
vhost_ringmap_head(struct vhost_virtqueue *vq, __virtio16 *head, u16 idx)
{
	return vhost_ringmap_avail(vq, head, offsetof(struct vring_avail, ring) +
				   (idx & (vq->num - 1)) * sizeof(*head));
}

/**
 * vhost_ringmap_used_event() - read the used index for which the driver wants a call
 * @vq: virtqueue
 * @event: out: used_event
 *
 * Context and return: as vhost_ringmap_avail().
 */
static __always_inline bool
vhost_ringmap_used_event(struct vhost_virtqueue *vq, __virtio16 *event)
{
	const struct vhost_ringmap *rm = &vq->ringmap;
	unsigned long off, seq;
	const void *at;

	if (!vhost_ringmap_on_inline())
		return false;
	off = struct_size(vq->avail, ring, vq->num);
	seq = vhost_ringmap_read_begin(rm);
	at = READ_ONCE(rm->used_event);
	if (unlikely(!at))
		goto slow;
	*event = (__force __virtio16)vhost_ringmap_load(at, u16);
	if (unlikely(!vhost_ringmap_read_valid(rm, seq)))
		goto slow;
	vhost_ringmap_did_read(vq, VHOST_ADDR_AVAIL, off, sizeof(*event), seq);
	return true;
slow:
	if (vhost_ringmap_rests(rm))
		return false;
	return vhost_ringmap_read_slowly(vq, off, event);
}

/**
 * vhost_ringmap_desc() - read a descriptor
 * @vq: virtqueue
 * @desc: out: descriptor
 * @idx: which one of the table; below the size of the queue
 *
 * Context and return: as vhost_ringmap_avail().
 */
static __always_inline bool
vhost_ringmap_desc(struct vhost_virtqueue *vq, struct vring_desc *desc, unsigned int idx)
{
	const struct vhost_ringmap *rm = &vq->ringmap;
	unsigned long off, seq;
	u64 *to = (u64 *)desc;
	const void *table;

	if (!vhost_ringmap_on_inline())
		return false;
	/*
	 * User access has a speculation barrier here. The size of the queue is a power of
	 * two, so the mask bounds the index, under speculation, too.
	 */
	off = (idx & (vq->num - 1)) * sizeof(*desc);
	seq = vhost_ringmap_read_begin(rm);
	table = READ_ONCE(rm->flat[VHOST_ADDR_DESC]);
	if (unlikely(!table))
		goto slow;
	to[0] = vhost_ringmap_load(table + off, u64);
	to[1] = vhost_ringmap_load(table + off + sizeof(u64), u64);
	if (unlikely(!vhost_ringmap_read_valid(rm, seq)))
		goto slow;
	vhost_ringmap_did_read(vq, VHOST_ADDR_DESC, off, sizeof(*desc), seq);
	return true;
slow:
	if (vhost_ringmap_rests(rm))
		return false;
	return __vhost_ringmap_desc(vq, off, desc);
}

/**
 * vhost_ringmap_put() - write the used ring's flags or avail_event
 * @vq: virtqueue
 * @off: where it is in the used ring, in bytes
 * @val: value
 *
 * The caller orders two writes, with the same barriers as for user access.
 *
 * Context and return: as vhost_ringmap_avail().
 */
static __always_inline bool
vhost_ringmap_put(struct vhost_virtqueue *vq, unsigned long off, u16 val)
{
	return vhost_ringmap_on() && __vhost_ringmap_put(vq, off, val);
}

/**
 * vhost_ringmap_publish() - write used elements, then the used index
 * @vq: virtqueue
 * @heads: used elements
 * @count: how many
 * @ask: whether to ask the driver for a kick, too
 *
 * One section under the map lock writes all of it, if the used ring is mapped as a whole
 * and @count is at most VHOST_RINGMAP_USED. The full barrier that follows, and the next
 * look at the avail index, are left to the caller.
 *
 * Context: caller holds the queue's mutex.
 * Return: whether all of it was written. If so, the caller adds @count to the queue's used
 * index, and logs the writes.
 */
static __always_inline bool
vhost_ringmap_publish(struct vhost_virtqueue *vq, const struct vring_used_elem *heads,
		      unsigned int count, bool ask)
{
	if (!vhost_ringmap_on())
		return false;
	return ask ? __vhost_ringmap_publish_and_ask(vq, heads, count) :
		     __vhost_ringmap_publish(vq, heads, count);
}

#ifdef VHOST_IN_ORDER
/**
 * vhost_ringmap_publish_in_order() - write used elements of an in-order ring, then the index
 * @vq: virtqueue
 * @heads: used elements
 * @nheads: for each of them, for how many buffers it stands; that many places behind it is
 *	the next one
 * @count: how many elements
 * @ask: whether to ask the driver for a kick, too
 *
 * As vhost_ringmap_publish(), but that the caller adds the sum of @nheads.
 *
 * Context and return: as vhost_ringmap_publish().
 */
static __always_inline bool
vhost_ringmap_publish_in_order(struct vhost_virtqueue *vq,
			       const struct vring_used_elem *heads, const u16 *nheads,
			       unsigned int count, bool ask)
{
	return vhost_ringmap_on() &&
	       __vhost_ringmap_publish_in_order(vq, heads, nheads, count, ask);
}
#endif

/*
 * Count used buffers that are about to be published, with any accessor. @nheads as in
 * vhost_ringmap_publish_in_order(), or NULL.
 */
static __always_inline void
vhost_ringmap_count(struct vhost_virtqueue *vq, const u16 *nheads, unsigned int n)
{
	unsigned int count = n;

	if (nheads)
		for (count = 0; n--; )
			count += *nheads++;
	/* debugfs reads it without the mutex. */
	data_race(vq->ringmap.used += count);
}

#else /* !CONFIG_VHOST_RINGMAP */

#define vhost_ringmap_inline	inline
#define vhost_ringmap_noinline

static inline void vhost_ringmap_dev_init(struct vhost_dev *dev) {}
static inline void vhost_ringmap_dev_publish(struct vhost_dev *dev) {}
static inline void vhost_ringmap_set_owner(struct vhost_dev *dev) {}
static inline void vhost_ringmap_dev_cleanup(struct vhost_dev *dev) {}
static inline void vhost_ringmap_reset(struct vhost_virtqueue *vq) {}

/* Not inline functions: even unused, their arguments change the code. */
#define vhost_ringmap_active(...)	false
#define vhost_ringmap_avail_flags(...)	false
#define vhost_ringmap_avail_idx(...)	false
#define vhost_ringmap_head(...)		false
#define vhost_ringmap_used_event(...)	false
#define vhost_ringmap_desc(...)		false
#define vhost_ringmap_put(...)		false
#define vhost_ringmap_publish(...)	false
#define vhost_ringmap_publish_in_order(...)	false
#define vhost_ringmap_count(...)	((void)0)

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_H */
