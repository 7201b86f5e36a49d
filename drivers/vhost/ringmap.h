/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coherent kernel mappings of a virtqueue's metadata, a software TLB for rings: what
 * vhost's data path calls.
 *
 * Each function returns false where the caller must do the access itself, by user
 * access, as if this file did not exist. ringmap.c has the argument why a read needs
 * no lock.
 */
#ifndef _VHOST_RINGMAP_H
#define _VHOST_RINGMAP_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/moduleparam.h>
#include <linux/uaccess.h>

#include "vhost.h"

#ifdef CONFIG_VHOST_RINGMAP

/* What has grown by our code is still worth to be inlined; and what calls it, not it. */
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
void vhost_ringmap_trace_use(struct vhost_virtqueue *vq, int type, unsigned long off,
			     unsigned long n, unsigned long seq);

DECLARE_STATIC_KEY_FALSE(vhost_ringmap_used);
DECLARE_STATIC_KEY_FALSE(vhost_ringmap_traced);

/* Whether any queue of any device uses anything but user access. */
static __always_inline bool vhost_ringmap_on(void)
{
	return static_branch_unlikely(&vhost_ringmap_used);
}

/* The same, for what is inlined: it is laid out for those who use it, and others jump. */
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

/* Count accesses through a kernel address. */
static __always_inline void
vhost_ringmap_add_mapped(struct vhost_ringmap *rm, unsigned int n)
{
	/* vhost_signal() counts without the queue's mutex: one may be lost. */
	data_race(rm->mapped += n);
}

/* Begin a read without the map lock. */
static __always_inline unsigned long
vhost_ringmap_read_begin(const struct vhost_ringmap *rm)
{
	/* Before the address is looked up; pairs with ringmap_moved(). */
	return smp_load_acquire(&rm->seq);
}

/*
 * Whether what was loaded since vhost_ringmap_read_begin() is the ring's. Only then may
 * it be used.
 */
static __always_inline bool
vhost_ringmap_read_valid(const struct vhost_ringmap *rm, unsigned long seq)
{
	/* The loads before the second look; pairs with ringmap_invalidate(). */
	smp_rmb();
	return likely(READ_ONCE(rm->seq) == seq);
}

/*
 * Load through an address whose page may be gone, and even out of the linear map. It
 * is out of there only after the sequence moved: so what a load that faulted returns,
 * whatever it is, is found not to be valid, and needs no path of its own. KASAN and KCSAN
 * do not see the load.
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

/* Count a read, and show it. */
static __always_inline void
vhost_ringmap_did_read(struct vhost_virtqueue *vq, int type, unsigned long off,
		       unsigned long size, unsigned long seq)
{
	vhost_ringmap_add_mapped(&vq->ringmap, 1);
	if (vhost_ringmap_is_traced())
		vhost_ringmap_trace_use(vq, type, off, size, seq);
}

/* Without @val's address, it can stay in a register on the other paths. */
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
 * Whether a queue that has no address goes by user access without further ado. Only reads of
 * the avail index count how long it does so because its rings could not be mapped.
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
 * Return: false where the caller must use plain user access, which faults the page in
 * and so lets the next access be mapped; or which says what is wrong.
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
 * vhost_ringmap_used_event() - read what the driver wants to be told of
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
	 * User access has a speculation barrier here. The size is a power of two, so the
	 * mask keeps the index in the table in speculation, too.
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
 * Order between two writes is the caller's, by the same barriers as with user access.
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
 * It is all in one section under the map lock, if the used ring is mapped as a whole and
 * @count is at most VHOST_RINGMAP_USED.
 * A full barrier and the next look at the avail index are the caller's.
 *
 * Context: caller holds the queue's mutex.
 * Return: whether all of it is written. If so, the caller adds @count to the queue's used
 * index, and logs.
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

/* @count used elements are about to be published, by whatever accessor. */
static __always_inline void
vhost_ringmap_count(struct vhost_virtqueue *vq, unsigned int count)
{
	/* Read without the mutex, for people. */
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
#define vhost_ringmap_count(...)	((void)0)

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_H */
