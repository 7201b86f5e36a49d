/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtqueue: the driver's side of the virtqueues of any vhost device: a guest without
 * a guest. Chains of segments go in, used chains come out, and what vhost uses that
 * it was not given is noticed. vring.h is the same made for packets through
 * vhost-net.
 *
 * Functions that return int return 0 or a negative errno, with a sentence in the
 * device's @vdev.error, unless they say otherwise. A device must be used by one
 * thread at a time.
 */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "vdev.h"

#define BIT_ULL(n)	(1ULL << (n))

/* drivers/vhost/test.h, which is not exported */
#define VHOST_TEST_RUN	_IOW(VHOST_VIRTIO, 0x31, int)

#define MAX_QUEUES	3
#define MAX_SEGMENTS	4
#define PAGE		4096UL
/* Seconds without progress after which a test has failed. */
#define STALL		30

/*
 * One virtqueue as its driver sees it. Everything but @vring and @table is out
 * of vhost's reach, so that a wrong used element is noticed and not followed.
 */
struct queue {
	struct vring vring;
	struct vring_desc *table;	/* indirect, MAX_SEGMENTS a head */
	uint16_t last_used;
	uint16_t avail;
	uint16_t kicked;
	uint16_t *free;			/* stack of free descriptors */
	uint16_t *next;			/* chain of a head, ends in itself */
	uint16_t *order;		/* heads as they were made available */
	bool *busy;			/* heads that vhost has */
	unsigned int nfree;
	bool in_order;			/* the device promises it */
	int kick;
	int call;
	int err;
};

struct device {
	struct vdev vdev;
	uint64_t features;
	struct queue q[MAX_QUEUES];
	char *mem;			/* rings, and then @data */
	char *data;
	size_t len;
};

struct segment {
	void *p;
	uint32_t len;
	bool in;			/* vhost writes it */
};

/* Fails when @count has not changed for too long. */
struct progress {
	uint64_t count;
	double since;
};

#define device_fail(d, ...)	vdev_fail(&(d)->vdev, __VA_ARGS__)

/**
 * device_open() - open a device and set up its first queues
 * @d: device
 * @node: its file
 * @accessor: of its queues, or NULL for the default
 * @nqueues: how many
 * @num: entries of each
 * @data: bytes of memory for what goes through them
 * @features: beside VIRTIO_F_VERSION_1
 */
int device_open(struct device *d, const char *node, const char *accessor,
		unsigned int nqueues, unsigned int num, size_t data,
		uint64_t features);

/** device_add_status() - set bits of the status of a vDPA device */
int device_add_status(struct device *d, uint8_t bits);

/** device_close() - let go of everything; also after a failed device_open() */
void device_close(struct device *d);

/** device_has() - whether a feature was negotiated, by its number */
bool device_has(const struct device *d, unsigned int feature);

/** device_iotlb_update() - let vhost find all of the device's memory */
int device_iotlb_update(struct device *d);

/** device_iotlb_invalidate() - and no longer */
int device_iotlb_invalidate(struct device *d);

/** device_serve_misses() - answer what vhost misses in the device IOTLB */
int device_serve_misses(struct device *d);

/** device_gave_up() - fails if vhost has reported an error of a queue */
int device_gave_up(struct device *d);

/**
 * device_wait() - wait for a used buffer, or for something else
 * @d: device
 * @fd: what else, or -1
 * @events: as of poll()
 *
 * Returns soon in any case, because nobody says that a miss was answered.
 */
int device_wait(struct device *d, int fd, short events);

/** device_stalled() - fails when the count stands still for STALL seconds */
int device_stalled(struct device *d, struct progress *p, uint64_t count);

/** queue_head() - the head that the next queue_add() will use */
uint16_t queue_head(const struct queue *q);

/** queue_has_room() - for a chain of @n segments */
bool queue_has_room(const struct device *d, const struct queue *q,
		    unsigned int n);

/** queue_add() - put a chain into the avail ring; queue_publish() shows it */
void queue_add(struct device *d, struct queue *q, const struct segment *s,
	       unsigned int n);

/** queue_kick() - whether vhost wants it or not */
void queue_kick(struct queue *q);

/** queue_publish() - make available what was added, and kick if vhost wants it */
void queue_publish(struct device *d, struct queue *q);

/**
 * queue_used() - take one used chain
 * @d: device
 * @q: its queue
 * @len: out: bytes that vhost wrote; may be NULL
 *
 * Return: its head, -EAGAIN if there is none, or another error if vhost used what
 * it did not have.
 */
int queue_used(struct device *d, struct queue *q, uint32_t *len);

#endif /* VIRTQUEUE_H */
