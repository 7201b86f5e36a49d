/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coherent kernel mappings of a virtqueue's metadata: a software TLB for rings.
 */
#ifndef _VHOST_RINGMAP_H
#define _VHOST_RINGMAP_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/moduleparam.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "vhost.h"

#ifdef CONFIG_VHOST_RINGMAP

extern const struct kernel_param_ops vhost_ringmap_param_ops;

void vhost_ringmap_dev_init(struct vhost_dev *dev);
void vhost_ringmap_dev_cleanup(struct vhost_dev *dev);
void __vhost_ringmap_reset(struct vhost_ringmap *rm);
bool vhost_ringmap_access_slow(struct vhost_virtqueue *vq,
			       int type, unsigned long addr, void *buf,
			       unsigned long size, bool write);
bool __vhost_ringmap_read_ahead(struct vhost_virtqueue *vq, u16 idx);

#ifdef CONFIG_VHOST_RINGMAP_WINDOWS
DECLARE_STATIC_KEY_FALSE(vhost_ringmap_windows);
void __vhost_ringmap_window_use(void);

/* Between the lookup of a mapping and the store through it. */
static inline void vhost_ringmap_window_use(void)
{
	if (static_branch_unlikely(&vhost_ringmap_windows))
		__vhost_ringmap_window_use();
}
#else
static inline void vhost_ringmap_window_use(void) {}
#endif

/*
 * Kernel address of @size bytes that begin @off bytes after the region's start, or
 * NULL when they are not mapped or straddle pages. Caller holds the map lock and
 * knows that they are in the region, in speculation, too.
 */
static __always_inline void *
vhost_ringmap_at(const struct vhost_ringmap_region *r, unsigned long off,
		 unsigned long size)
{
	void *kaddr;

	off += r->offset;
	kaddr = r->kaddr[off >> PAGE_SHIFT];
	off = offset_in_page(off);
	if (unlikely(!kaddr || off + size > PAGE_SIZE))
		return NULL;
	return kaddr + off;
}

/*
 * The same of [@addr, @addr + @size), or NULL when it is not in the region. The
 * offset is clamped, because leaving user access also leaves its speculation
 * barrier.
 */
static __always_inline void *
vhost_ringmap_lookup(const struct vhost_ringmap_region *r, unsigned long addr,
		     unsigned long size)
{
	unsigned long off = addr - r->addr;

	if (unlikely(off >= r->len || size > r->len - off))
		return NULL;
	return vhost_ringmap_at(r, array_index_nospec(off, r->len), size);
}

/*
 * One fetch or store, under the map lock. A __virtio16 that lies in one page is
 * naturally aligned and must not tear. Elsewhere the unlock keeps the compiler
 * from reading guest memory again.
 */
static __always_inline void vhost_ringmap_move(void *kaddr, void *buf,
					       unsigned long size, bool write)
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

/**
 * vhost_ringmap_read() - read virtqueue metadata through the mapping
 * @vq: virtqueue
 * @type: enum vhost_uaddr_type of the ring that @src points into
 * @dst: kernel buffer
 * @src: user address, or guest IOVA with a device IOTLB
 * @size: bytes; a u16 is read by one load
 *
 * Context: the worker, or the owner in an ioctl. May sleep. The caller holds
 * the queue's mutex, or there is no device IOTLB.
 * Return: false where the caller must use user access, which faults the page
 * in and so lets the next access be mapped.
 */
static __always_inline bool
vhost_ringmap_read(struct vhost_virtqueue *vq, int type, void *dst,
		   const void __user *src, unsigned long size)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	unsigned long addr = (unsigned long)src;
	void *p;

	if (READ_ONCE(rm->accessor) != VHOST_ACCESSOR_RINGMAP) {
		rm->stats.user++;
		return false;
	}
	spin_lock(&rm->lock);
	p = vhost_ringmap_lookup(&rm->region[type], addr, size);
	if (likely(p)) {
		vhost_ringmap_move(p, dst, size, false);
		rm->stats.mapped++;
	}
	spin_unlock(&rm->lock);
	if (likely(p))
		return true;
	return vhost_ringmap_access_slow(vq, type, addr, dst, size, false);
}

/**
 * vhost_ringmap_write() - write virtqueue metadata through the mapping
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
	struct vhost_ringmap *rm = &vq->ringmap;
	unsigned long addr = (unsigned long)dst;
	void *p;

	if (READ_ONCE(rm->accessor) != VHOST_ACCESSOR_RINGMAP) {
		rm->stats.user++;
		return false;
	}
	spin_lock(&rm->lock);
	p = vhost_ringmap_lookup(&rm->region[type], addr, size);
	if (likely(p)) {
		vhost_ringmap_window_use();
		vhost_ringmap_move(p, (void *)src, size, true);
		rm->stats.mapped++;
	}
	spin_unlock(&rm->lock);
	if (likely(p))
		return true;
	return vhost_ringmap_access_slow(vq, type, addr, (void *)src, size,
					 true);
}

/**
 * vhost_ringmap_reset() - drop the mappings of a queue
 * @vq: virtqueue
 *
 * For every place that changes what the mappings were derived from: ring
 * addresses, size, or the device IOTLB.
 *
 * Context: caller holds the queue's mutex, or nobody else uses the queue. Does
 * not sleep.
 */
static inline void vhost_ringmap_reset(struct vhost_virtqueue *vq)
{
	__vhost_ringmap_reset(&vq->ringmap);
}

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
 * vhost_ringmap_head() - take an available buffer that was read ahead
 * @vq: virtqueue
 * @head: out: the entry of the avail ring
 * @idx: its avail index; the driver has published it
 *
 * Reads ahead, in one section under the map lock, if nothing is left.
 *
 * Context: caller holds the queue's mutex.
 * Return: false where the caller must read the entry by itself.
 */
static __always_inline bool
vhost_ringmap_head(struct vhost_virtqueue *vq, __virtio16 *head, u16 idx)
{
	struct vhost_ringmap *rm = &vq->ringmap;
	struct vhost_ringmap_ahead *a = &rm->ahead;

	a->taken = -1;
	if (READ_ONCE(rm->accessor) != VHOST_ACCESSOR_RINGMAP)
		return false;
	/* A discard steps back; what comes then is read again. */
	if ((!a->left || a->next != idx ||
	     a->generation != READ_ONCE(rm->generation)) &&
	    !__vhost_ringmap_read_ahead(vq, idx))
		return false;
	*head = a->head[a->pos];
	a->taken = a->pos++;
	a->next++;
	a->left--;
	return true;
}

/**
 * vhost_ringmap_desc() - the descriptor of the head that was just taken
 * @vq: virtqueue
 * @desc: out: descriptor
 * @idx: its index
 *
 * Context: caller holds the queue's mutex.
 * Return: false where the caller must read the descriptor by itself: it is not
 * the first of a chain, or was not read ahead.
 */
static __always_inline bool
vhost_ringmap_desc(struct vhost_virtqueue *vq, struct vring_desc *desc, int idx)
{
	struct vhost_ringmap_ahead *a = &vq->ringmap.ahead;
	int taken = a->taken;

	if (READ_ONCE(vq->ringmap.accessor) != VHOST_ACCESSOR_RINGMAP ||
	    taken < 0)
		return false;
	a->taken = -1;
	if (vhost16_to_cpu(vq, a->head[taken]) != idx)
		return false;
	*desc = a->desc[taken];
	return true;
}

static __always_inline bool vhost_meta_checked(struct vhost_virtqueue *vq)
{
	return READ_ONCE(vq->ringmap.accessor) == VHOST_ACCESSOR_CHECKED;
}

/*
 * User access by the accessor of the queue. Addresses were checked when the ring
 * was set up, which is all that uaccess relies on: so it needs a barrier before
 * each load. The checked accesses mask the address instead. A descriptor is
 * loaded as two words, as copy_from_user() has a barrier, too.
 */
#define vhost_meta_get(vq, x, ptr)					\
	(vhost_meta_checked(vq) ? get_user(x, ptr) : __get_user(x, ptr))

#define vhost_meta_put(vq, x, ptr)					\
	(vhost_meta_checked(vq) ? put_user(x, ptr) : __put_user(x, ptr))

static __always_inline unsigned long
vhost_meta_copy_to(struct vhost_virtqueue *vq, void __user *to,
		   const void *from, unsigned long size)
{
	return vhost_meta_checked(vq) ? copy_to_user(to, from, size) :
					__copy_to_user(to, from, size);
}

static __always_inline unsigned long
vhost_meta_copy_from(struct vhost_virtqueue *vq, void *to,
		     const void __user *from, unsigned long size)
{
	const u64 __user *p = from;
	u64 *word = to;

	if (!vhost_meta_checked(vq))
		return __copy_from_user(to, from, size);
	if (size != 2 * sizeof(u64))
		return copy_from_user(to, from, size);
	return get_user(word[0], p) || get_user(word[1], p + 1) ? size : 0;
}

#else /* !CONFIG_VHOST_RINGMAP */

static inline void vhost_ringmap_dev_init(struct vhost_dev *dev) {}
static inline void vhost_ringmap_dev_cleanup(struct vhost_dev *dev) {}
static inline void vhost_ringmap_reset(struct vhost_virtqueue *vq) {}

/* Not inline functions: even unused, their arguments change the code. */
#define vhost_ringmap_read(...)		false
#define vhost_ringmap_write(...)	false
#define vhost_ringmap_put(...)		false
#define vhost_ringmap_head(...)		false
#define vhost_ringmap_desc(...)		false

#define vhost_meta_get(vq, ...)		__get_user(__VA_ARGS__)
#define vhost_meta_put(vq, ...)		__put_user(__VA_ARGS__)
#define vhost_meta_copy_to(vq, ...)	__copy_to_user(__VA_ARGS__)
#define vhost_meta_copy_from(vq, ...)	__copy_from_user(__VA_ARGS__)

#endif /* CONFIG_VHOST_RINGMAP */
#endif /* _VHOST_RINGMAP_H */
