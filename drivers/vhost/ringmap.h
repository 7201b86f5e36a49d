/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coherent kernel mappings of a virtqueue's metadata: a software TLB for rings.
 */
#ifndef _VHOST_RINGMAP_H
#define _VHOST_RINGMAP_H

#include <linux/compiler.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "vhost.h"

#ifdef CONFIG_VHOST_RINGMAP

extern const struct kernel_param_ops vhost_ringmap_param_ops;

void vhost_ringmap_dev_init(struct vhost_dev *dev);
void vhost_ringmap_dev_reinit(struct vhost_dev *dev);
void vhost_ringmap_dev_cleanup(struct vhost_dev *dev);
void __vhost_ringmap_reset(struct vhost_ringmap *rm);
void vhost_ringmap_rest(struct vhost_ringmap *rm);
bool vhost_ringmap_access(struct vhost_virtqueue *vq, int type,
			  unsigned long addr, void *buf, unsigned long size,
			  bool write);
bool vhost_checked_access(struct vhost_virtqueue *vq, int type,
			  unsigned long addr, void *buf, unsigned long size,
			  bool write);
bool __vhost_ringmap_read_ahead(struct vhost_virtqueue *vq, u16 idx);
bool __vhost_ringmap_avail_idx(struct vhost_virtqueue *vq, __virtio16 *idx);
bool __vhost_ringmap_enable_notify(struct vhost_virtqueue *vq);
bool __vhost_ringmap_add_used(struct vhost_virtqueue *vq,
			      const struct vring_used_elem *heads,
			      unsigned int count);

/*
 * What the data path does now. VHOST_ACCESSOR_UACCESS is 0: that this is all it
 * tests keeps user access about as cheap as it was.
 */
static __always_inline int vhost_ringmap_mode(const struct vhost_virtqueue *vq)
{
	/* It may change at any time, and whatever was read is good once. */
	return data_race(vq->ringmap.mode);
}

/* Which of the two user accesses is used where no mapping is. */
static __always_inline int vhost_ringmap_user(const struct vhost_virtqueue *vq)
{
	return vhost_ringmap_mode(vq) == VHOST_ACCESSOR_CHECKED ?
	       VHOST_ACCESSOR_CHECKED : VHOST_ACCESSOR_UACCESS;
}

static __always_inline bool vhost_ringmap_active(const struct vhost_virtqueue *vq)
{
	return vhost_ringmap_mode(vq) == VHOST_ACCESSOR_RINGMAP;
}

/* One access by the accessor, or false where it is plain user access. */
static __always_inline bool
vhost_meta_access(struct vhost_virtqueue *vq, int type, unsigned long addr,
		  void *buf, unsigned long size, bool write)
{
	int mode = vhost_ringmap_mode(vq);

	if (likely(!mode))
		return false;
	return mode == VHOST_ACCESSOR_CHECKED ?
	       vhost_checked_access(vq, type, addr, buf, size, write) :
	       vhost_ringmap_access(vq, type, addr, buf, size, write);
}

/**
 * vhost_ringmap_read() - read virtqueue metadata by the queue's accessor
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type of the ring that @src points into
 * @dst: kernel buffer
 * @src: user address, or guest IOVA with a device IOTLB
 * @size: bytes; a u16 is read by one load
 *
 * With the accessor "checked" this is user access that checks the address, and so
 * needs no speculation barrier.
 *
 * Context: the worker, or the owner in an ioctl. May sleep. The caller holds
 * the queue's mutex, or there is no device IOTLB.
 * Return: false where the caller must use plain user access, which faults the
 * page in and so lets the next access be mapped; or which says what is wrong.
 */
static __always_inline bool
vhost_ringmap_read(struct vhost_virtqueue *vq, int type, void *dst,
		   const void __user *src, unsigned long size)
{
	return vhost_meta_access(vq, type, (unsigned long)src, dst, size, false);
}

/**
 * vhost_ringmap_write() - write virtqueue metadata by the queue's accessor
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type of the ring that @dst points into
 * @dst: user address, or guest IOVA with a device IOTLB
 * @src: kernel buffer
 * @size: bytes; a u16 is written by one store
 *
 * Order between two writes is the caller's, by the same barriers as with user
 * access.
 *
 * Context: as vhost_ringmap_read().
 * Return: as vhost_ringmap_read().
 */
static __always_inline bool
vhost_ringmap_write(struct vhost_virtqueue *vq, int type, void __user *dst,
		    const void *src, unsigned long size)
{
	return vhost_meta_access(vq, type, (unsigned long)dst, (void *)src, size,
				 true);
}

/**
 * vhost_ringmap_reset() - drop the mappings of a queue
 * @vq: virtqueue
 *
 * For every place that changes what the mappings were derived from: ring
 * addresses, size, or the device IOTLB. What was read ahead is forgotten, too.
 *
 * Context: caller holds the queue's mutex, or nobody else uses the queue. Does
 * not sleep.
 */
static inline void vhost_ringmap_reset(struct vhost_virtqueue *vq)
{
	__vhost_ringmap_reset(&vq->ringmap);
}

/**
 * vhost_ringmap_forget() - forget what was read ahead
 * @vq: virtqueue
 *
 * Context: caller holds the queue's mutex.
 */
static inline void vhost_ringmap_forget(struct vhost_virtqueue *vq)
{
	vq->ringmap.ahead.count = 0;
	vq->ringmap.ahead.ask = VHOST_RINGMAP_ASK_NOT;
}

/**
 * vhost_ringmap_get() - read a scalar, as get_user() would
 * @vq: virtqueue
 * @x: out: value
 * @ptr: where in the ring
 * @type: enum vhost_uaddr_type of the ring
 *
 * Context and return: as vhost_ringmap_read().
 */
#define vhost_ringmap_get(vq, x, ptr, type)				\
({									\
	bool __done = false;						\
	/* With user access, x can stay in a register. */		\
	if (vhost_ringmap_mode(vq)) {					\
		typeof(x) __val;					\
		__done = vhost_ringmap_read(vq, type, &__val, ptr,	\
					    sizeof(__val));		\
		if (__done)						\
			x = __val;					\
	}								\
	__done;								\
})

/**
 * vhost_ringmap_put() - write a scalar to the used ring, as put_user() would
 * @vq: virtqueue
 * @x: value
 * @ptr: where in the used ring
 *
 * Context and return: as vhost_ringmap_write().
 */
#define vhost_ringmap_put(vq, x, ptr)					\
({									\
	typeof(x) __val = (x);						\
	vhost_ringmap_write(vq, VHOST_ADDR_USED, ptr, &__val,		\
			    sizeof(__val));				\
})

/**
 * vhost_ringmap_last_look() - the next look at the avail index is likely the last
 * @vq: virtqueue
 *
 * If it finds nothing, vhost_enable_notify() follows: the driver is asked for a kick
 * at once, in the same section under the map lock.
 *
 * Context: caller holds the queue's mutex, and calls vhost_ringmap_avail_idx() next.
 */
static __always_inline void vhost_ringmap_last_look(struct vhost_virtqueue *vq)
{
	vq->ringmap.ahead.ask = VHOST_RINGMAP_ASK_IF_EMPTY;
}

/**
 * vhost_ringmap_avail_idx() - read the avail index
 * @vq: virtqueue
 * @idx: out: avail index
 *
 * Reads the buffers that it makes available ahead, in the same section under the
 * map lock.
 *
 * Context: caller holds the queue's mutex.
 * Return: false where the caller must read it by itself.
 */
static __always_inline bool
vhost_ringmap_avail_idx(struct vhost_virtqueue *vq, __virtio16 *idx)
{
	struct vhost_ringmap_ahead *a = &vq->ringmap.ahead;

	if (vhost_ringmap_active(vq)) {
		if (!a->have_idx)
			return __vhost_ringmap_avail_idx(vq, idx);
		a->have_idx = false;
		*idx = a->idx;
		return true;
	}
	/* Before an index comes round that looks as if it were read ahead. */
	a->count = 0;
	a->have_idx = false;
	a->ask = VHOST_RINGMAP_ASK_NOT;
	if (unlikely(READ_ONCE(vq->ringmap.rest)))
		vhost_ringmap_rest(&vq->ringmap);
	return false;
}

/**
 * vhost_ringmap_head() - an available buffer that was read ahead
 * @vq: virtqueue
 * @head: out: the entry of the avail ring
 * @idx: its avail index; the driver has published it
 *
 * Context: caller holds the queue's mutex.
 * Return: false where the caller must read the entry by itself.
 */
static __always_inline bool
vhost_ringmap_head(struct vhost_virtqueue *vq, __virtio16 *head, u16 idx)
{
	struct vhost_ringmap_ahead *a = &vq->ringmap.ahead;
	int mode = vhost_ringmap_mode(vq);
	u16 i;

	a->by = mode;
	if (likely(!mode))
		return false;
	if (unlikely(mode != VHOST_ACCESSOR_RINGMAP)) {
		a->end = a->at;
		return false;
	}
	i = idx - a->first;
	/* One after the other: the descriptors are in no other order. */
	if (unlikely(i != a->taken || i >= a->count)) {
		if (!__vhost_ringmap_read_ahead(vq, idx))
			return false;
		i = 0;
	}
	*head = a->head[i];
	a->taken = i + 1;
	return true;
}

/**
 * vhost_ringmap_desc() - the next descriptor of the buffer that is being taken
 * @vq: virtqueue
 * @desc: out: descriptor
 * @src: where in the descriptor table
 *
 * Context: caller holds the queue's mutex and called vhost_ringmap_head(); it
 * asks for the descriptors in the order of their chain.
 * Return: as vhost_ringmap_read().
 */
static __always_inline bool
vhost_ringmap_desc(struct vhost_virtqueue *vq, struct vring_desc *desc,
		   const void __user *src)
{
	struct vhost_ringmap_ahead *a = &vq->ringmap.ahead;

	/* Whatever the mode is now: a chain goes on by what it began with. */
	if (!a->by)
		return false;
	if (a->at >= a->end)
		return vhost_ringmap_read(vq, VHOST_ADDR_DESC, desc, src,
					  sizeof(*desc));
	*desc = *a->at++;
	return true;
}

/**
 * vhost_ringmap_add_used() - write used elements, then the used index
 * @vq: virtqueue
 * @heads: used elements
 * @count: how many
 *
 * Context: caller holds the queue's mutex.
 * Return: whether nothing is left to do. If not, vhost_ringmap_published() says
 * whether all but the log is done, until the next call.
 */
static __always_inline bool
vhost_ringmap_add_used(struct vhost_virtqueue *vq,
		       const struct vring_used_elem *heads, unsigned int count)
{
	struct vhost_ringmap *rm = &vq->ringmap;

	if (vhost_ringmap_active(vq))
		return __vhost_ringmap_add_used(vq, heads, count);
	rm->published = false;
	rm->signal_follows = false;
	return false;
}

static __always_inline bool vhost_ringmap_published(struct vhost_virtqueue *vq)
{
	return vq->ringmap.published;
}

/**
 * vhost_ringmap_used() - used elements are published
 * @vq: virtqueue
 * @from: used index of the first; the last is before that of the queue
 *
 * Context: caller holds the queue's mutex.
 */
static __always_inline void vhost_ringmap_used(struct vhost_virtqueue *vq, u16 from)
{
	struct vhost_ringmap *rm = &vq->ringmap;

	/* Read without the mutex, for people. */
	WRITE_ONCE(rm->used, rm->used + (u16)(vq->last_used_idx - from));
}

/**
 * vhost_ringmap_signal_follows() - the next vhost_add_used_n() will be signalled
 * @vq: virtqueue
 *
 * It then reads, in the same section, what the driver wants to be told of.
 *
 * Context: caller holds the queue's mutex, and calls vhost_add_used_n() and
 * vhost_signal().
 */
static inline void vhost_ringmap_signal_follows(struct vhost_virtqueue *vq)
{
	vq->ringmap.signal_follows = true;
}

/**
 * vhost_ringmap_take_event() - what the driver wants to be told of
 * @vq: virtqueue
 * @event: out: used_event, or the avail flags where that was not negotiated
 *
 * Context: vhost_signal(), which need not hold the queue's mutex: it only takes
 * what the same task read.
 * Return: whether it was read after the used index was published, with a full
 * barrier between the two.
 */
static __always_inline bool
vhost_ringmap_take_event(struct vhost_virtqueue *vq, __virtio16 *event)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct task_struct *reader = READ_ONCE(rm->event_reader);

	if (likely(!reader) || reader != current)
		return false;
	WRITE_ONCE(rm->event_reader, NULL);
	*event = rm->event;
	return true;
}

/**
 * vhost_ringmap_enable_notify() - ask the driver to kick, look for buffers again
 * @vq: virtqueue
 *
 * Both in one section, with a full barrier between them; that of the last look, if
 * that found nothing.
 *
 * Context: caller holds the queue's mutex, and calls vhost_ringmap_avail_idx()
 * next to take the index that was read.
 * Return: false where the caller must do so by itself.
 */
static __always_inline bool
vhost_ringmap_enable_notify(struct vhost_virtqueue *vq)
{
	struct vhost_ringmap_ahead *a = &vq->ringmap.ahead;

	if (!vhost_ringmap_active(vq))
		return false;
	if (a->ask != VHOST_RINGMAP_ASKED)
		return __vhost_ringmap_enable_notify(vq);
	a->ask = VHOST_RINGMAP_ASK_NOT;
	a->have_idx = true;
	return true;
}

#else /* !CONFIG_VHOST_RINGMAP */

static inline void vhost_ringmap_dev_init(struct vhost_dev *dev) {}
static inline void vhost_ringmap_dev_reinit(struct vhost_dev *dev) {}
static inline void vhost_ringmap_dev_cleanup(struct vhost_dev *dev) {}
static inline void vhost_ringmap_reset(struct vhost_virtqueue *vq) {}

/* Not inline functions: even unused, their arguments change the code. */
#define vhost_ringmap_read(...)		false
#define vhost_ringmap_write(...)	false
#define vhost_ringmap_get(...)		false
#define vhost_ringmap_put(...)		false
#define vhost_ringmap_forget(...)	((void)0)
#define vhost_ringmap_last_look(...)	((void)0)
#define vhost_ringmap_avail_idx(...)	false
#define vhost_ringmap_head(...)		false
#define vhost_ringmap_desc(...)		false
#define vhost_ringmap_add_used(...)	false
#define vhost_ringmap_published(...)	false
#define vhost_ringmap_used(...)		((void)0)
#define vhost_ringmap_signal_follows(...)	((void)0)
#define vhost_ringmap_take_event(...)	false
#define vhost_ringmap_enable_notify(...)	false

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_H */
