/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdev: what a test does with any vhost device: its accessor and counters in debugfs,
 * its device IOTLB, the set-up of a virtqueue, and the order in which a driver makes
 * buffers available.
 *
 * Functions that return int return 0 or a negative errno, with a sentence in the
 * device's @error.
 */
#ifndef VDEV_H
#define VDEV_H

#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Parts of a virtqueue, in the order of enum vhost_uaddr_type */
enum { VRING_DESC, VRING_AVAIL, VRING_USED, VRING_PARTS };

/* IOVAs are no user addresses. */
#define VDEV_IOVA_BASE	(1UL << 40)

/* Shared memory: each index is read and written once, with its order. */
#define load(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define full_fence()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

/* An instruction counter counts what is executed between these two no-ops. */
#define begin_count()	__asm__ volatile("nopl 0x52430001(%%rax,%%rax)" ::: "memory")
#define end_count()	__asm__ volatile("nopl 0x52430002(%%rax,%%rax)" ::: "memory")

/**
 * struct vdev - an open vhost device
 * @fd: it
 * @nqueues: its virtqueues
 * @debugfs: its directory there
 * @error: what went wrong, a sentence
 */
struct vdev {
	int fd;
	unsigned int nqueues;
	char debugfs[96];
	char error[256];
};

/** vdev_fail() - say what went wrong; returns -@err, or -EPROTO if that is 0 */
__attribute__((format(printf, 3, 4)))
int vdev_fail(struct vdev *v, int err, const char *fmt, ...);

/** vdev_find_debugfs() - the directory of the device this process opened last */
int vdev_find_debugfs(struct vdev *v);

/** vdev_set_accessor() - by name, for all queues, through debugfs */
int vdev_set_accessor(struct vdev *v, const char *accessor);

/** vdev_set_default() - the accessor of devices that are opened from now on */
int vdev_set_default(struct vdev *v, const char *accessor);

/**
 * vdev_forks_workers() - whether a worker is a thread of the owner's
 *
 * With vhost.fork_from_owner_default=0 it is one of the kernel's, which uses the memory
 * of the owner.
 */
bool vdev_forks_workers(void);

/** vdev_worker() - the thread that serves a queue; 0 for none, -1 with @error set */
pid_t vdev_worker(struct vdev *v, unsigned int queue);

/** vdev_stat() - a counter of one queue, or -1 with @error set */
long long vdev_stat(struct vdev *v, unsigned int queue, const char *name);

/** vdev_iotlb() - send a VHOST_IOTLB_UPDATE or _INVALIDATE of @p at @iova */
int vdev_iotlb(struct vdev *v, uint64_t iova, void *p, size_t len, int type);

/** vdev_next_miss() - what vhost misses in the device IOTLB, if anything */
bool vdev_next_miss(struct vdev *v, uint64_t *iova);

/**
 * vdev_set_queue() - size, index 0, addresses and eventfds of a queue
 * @v: device
 * @num: entries
 * @addr: the queue's index and where vhost finds it
 * @kick: eventfd
 * @call: eventfd
 * @err: eventfd
 */
int vdev_set_queue(struct vdev *v, unsigned int num,
		   struct vhost_vring_addr *addr, int kick, int call, int err);

/**
 * vdev_look() - kick a queue, and wait until its handler has returned
 * @v: device
 * @queue: index
 * @kick: the queue's eventfd; no kick is left in it
 */
int vdev_look(struct vdev *v, unsigned int queue, int kick);

/** vdev_part_bytes() - of a queue of @num entries, with its event index */
size_t vdev_part_bytes(unsigned int num, int part);

/**
 * vdev_publish() - make what is in the avail ring available
 * @ring: rings
 * @avail: avail index
 * @kicked: avail index at the last decision whether to kick
 * @event_idx: whether VIRTIO_RING_F_EVENT_IDX was negotiated
 * @swapped: whether the rings have the other byte order
 *
 * Return: whether vhost wants to be kicked.
 */
bool vdev_publish(struct vring *ring, uint16_t avail, uint16_t *kicked,
		  bool event_idx, bool swapped);

/** ring16() - a field of a ring, which may have the other byte order */
static inline uint16_t ring16(uint16_t v, bool swapped)
{
	return swapped ? __builtin_bswap16(v) : v;
}

/** page_up() - @n, or the next multiple of the page size */
size_t page_up(size_t n);

/** now() - seconds of a clock that only goes forward */
double now(void);

/** slab_objects() - how many objects of a slab cache are allocated */
long slab_objects(const char *cache);

/** slab_growth() - how many more than @before; waits until they are at most @tolerated */
long slab_growth(const char *cache, long before, long tolerated);

/** write_text() - to a file of the kernel's; returns bytes or a negative errno */
ssize_t write_text(const char *path, const char *text);

/** read_text() - a file's start as a string, empty if it cannot be read */
void read_text(const char *path, char *buf, size_t size);

#endif /* VDEV_H */
