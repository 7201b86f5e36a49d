/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vring: the driver's side of vhost-net virtqueues, in user space.
 *
 * Opens /dev/vhost-net, lays out split virtqueues in memory of the caller's
 * choice, and connects them to a TAP whose XDP program sends every frame back.
 * So each packet goes through both virtqueues: sent on TX, looped by the TAP,
 * received on RX, where its sequence number and every byte are checked.
 *
 *	struct vring_config cfg = VRING_CONFIG_DEFAULT;
 *	struct vring_dev d;
 *	struct vring_result res;
 *
 *	if (vring_open(&d, &cfg) || vring_start(&d))
 *		errx(1, "%s", d.vdev.error);
 *	if (vring_run(&d, 1000, &res))
 *		errx(1, "%s", d.vdev.error);
 *	vring_close(&d);
 *
 * Every function returns 0 or a negative errno, with a sentence in the error of the
 * device's @vdev. A device must be used by one thread at a time.
 */
#ifndef VRING_H
#define VRING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdev.h"

/* vhost-net's queue numbers */
enum { VRING_RX, VRING_TX, VRING_QUEUES };

#define VRING_BUF_SIZE	2048
#define VRING_MAX_FRAME	1514
#define VRING_MIN_FRAME	64

#define VRING_HUGE	(2UL << 20)	/* bytes of a huge page */

/* Memory for the rings */
enum vring_memory {
	VRING_ANON, VRING_THP, VRING_SHMEM, VRING_REGULAR, VRING_HUGETLB,
};

/**
 * struct vring_config - what to open
 * @num: entries of each virtqueue, a power of two up to 32768
 * @event_idx: negotiate VIRTIO_RING_F_EVENT_IDX
 * @indirect: negotiate VIRTIO_RING_F_INDIRECT_DESC and send with it
 * @chain: descriptors of each packet sent, in its table with @indirect; 0 for two, or,
 *	without @indirect, one and two by turns
 * @mergeable: negotiate VIRTIO_NET_F_MRG_RXBUF; RX buffers are then so small
 *	that larger frames need several
 * @iotlb: negotiate VIRTIO_F_ACCESS_PLATFORM: vhost finds rings and buffers
 *	through its device IOTLB, whose misses the library answers while it runs
 *	packets
 * @in_order: negotiate VIRTIO_F_IN_ORDER: descriptors are used in the order in which they
 *	are in the ring, and one used element may stand for several buffers
 * @log: negotiate VHOST_F_LOG_ALL: vhost logs what it writes in @log of the device
 * @legacy: do not negotiate VIRTIO_F_VERSION_1
 * @swapped: with @legacy, rings of the other byte order
 * @tight: parts follow each other, and the buffers them, without regard to pages;
 *	@memory and @buffers must be NULL, and neither @iotlb nor @log be set
 * @raw: the TAP has no header in front of its frames; vhost takes it off, and supplies it
 * @busyloop_us: microseconds for which vhost polls before it sleeps
 * @offset: bytes from a page boundary to each part; avail must be a multiple
 *	of 2 and used of 4, as vhost asks
 * @memory: where the rings go, vring_ring_bytes() long and page aligned; NULL
 *	for anonymous memory
 * @buffers: where the data buffers go, vring_buf_bytes() long; NULL for anonymous memory
 * @min_frame: smallest frame to send, bytes
 * @max_frame: largest frame to send, bytes
 * @sink: the TAP drops every frame, and a packet counts as received when TX has
 *	used its buffer
 * @inject: packets do not come from TX: they are sent to the TAP, and only RX is used
 * @window: packets under way at most; 0 for as many as fit
 * @stall_ms: without progress for so long, a run has failed
 */
struct vring_config {
	unsigned int num[VRING_QUEUES];
	bool event_idx;
	bool indirect;
	bool mergeable;
	bool sink;
	bool inject;
	bool iotlb;
	bool in_order;
	bool log;
	bool legacy;
	bool swapped;
	bool tight;
	bool raw;
	unsigned int chain;
	unsigned int busyloop_us;
	unsigned int offset[VRING_PARTS];
	void *memory;
	void *buffers;
	unsigned int min_frame;
	unsigned int max_frame;
	unsigned int window;
	unsigned int stall_ms;
};

#define VRING_CONFIG_DEFAULT {						\
	.num = { 256, 256 }, .event_idx = true, .min_frame = 64,	\
	.max_frame = 256, .stall_ms = 10000,				\
}

/**
 * struct vring_queue - one virtqueue as its driver sees it
 * @vring: the rings
 * @last_used: next used element to look at
 * @avail: next avail index
 * @kicked: avail index at the last decision whether to kick
 * @free: stack of free descriptors
 * @nfree: how many
 * @place: with in_order, the next free descriptor
 * @order: heads as they were made available
 * @next: chain, copied here because vhost may not change it and nobody reads
 *	it back from shared memory
 * @kick: eventfd that vhost waits for
 * @call: eventfd that vhost signals
 * @err: eventfd that vhost signals when it gives up on the queue
 */
struct vring_queue {
	struct vring vring;
	uint16_t last_used;
	uint16_t avail;
	uint16_t kicked;
	uint16_t *free;
	uint16_t *next;
	uint16_t *order;
	uint16_t place;
	unsigned int nfree;
	int kick;
	int call;
	int err;
};

/**
 * struct vring_result - what a run saw
 * @sent: packets
 * @received: packets, all checked
 * @lost: sequence numbers that never came
 * @reordered: packets that came after a later one
 * @corrupt: packets with a wrong byte or length
 * @foreign: frames that are not the library's, ignored
 * @seconds: time used
 */
struct vring_result {
	uint64_t sent;
	uint64_t received;
	uint64_t lost;
	uint64_t reordered;
	uint64_t corrupt;
	uint64_t foreign;
	double seconds;
};

/**
 * struct vring_dev - an open device
 * @cfg: as opened
 * @q: virtqueues
 * @ring_mem: memory of all rings, @ring_len bytes
 * @buf: data buffers, @buf_len bytes
 * @log: with @cfg.log, a bit for each page that vhost wrote: of @ring_mem, and then
 *	of @buf
 * @vdev: /dev/vhost-net
 * @tap: the TAP
 * @packet: with @cfg.inject, a socket whose packets the TAP gets
 * @next_seq: sequence number of the next packet to send
 * @expect_seq: and of the next one to receive
 */
struct vring_dev {
	struct vring_config cfg;
	struct vring_queue q[VRING_QUEUES];
	char *ring_mem;
	size_t ring_len;
	char *buf;
	size_t buf_len;
	unsigned long *log;
	struct vdev vdev;
	int tap;
	int packet;
	int xdp_link;
	int ifindex;
	bool own_mem;
	unsigned int hdr_len;
	uint64_t next_seq;
	uint64_t expect_seq;
	struct vring_result res;
};

/**
 * vring_ring_bytes() - memory that the rings of a configuration need
 * @cfg: configuration
 *
 * Return: bytes, a multiple of the page size unless the configuration is tight.
 */
size_t vring_ring_bytes(const struct vring_config *cfg);

/** vring_buf_bytes() - memory that the data buffers of a configuration need */
size_t vring_buf_bytes(const struct vring_config *cfg);

/**
 * vring_map() - memory for the rings
 * @kind: of memory. A file is in VRING_FILE_DIR of the environment, or in /tmp; THP
 *	begins on a huge page
 * @len: bytes, at most VRING_HUGE
 *
 * Return: address, or MAP_FAILED.
 */
void *vring_map(enum vring_memory kind, size_t len);

/** vring_open() - open vhost-net and a TAP, become owner, set up the rings */
int vring_open(struct vring_dev *d, const struct vring_config *cfg);

/** vring_open_tap() - a TAP that sends every frame back, or drops it, as @d->cfg says */
int vring_open_tap(struct vring_dev *d);

/** vring_loop_frames() - what becomes of frames that the TAP gets: see @d->cfg.sink */
int vring_loop_frames(struct vring_dev *d);

/** vring_setup() - tell vhost everything anew, after VHOST_RESET_OWNER */
int vring_setup(struct vring_dev *d);

/** vring_reset_owner() - VHOST_RESET_OWNER: the device is as just opened */
int vring_reset_owner(struct vring_dev *d);

/** vring_start() - attach the backend: from here on vhost uses the rings */
int vring_start(struct vring_dev *d);

/** vring_stop() - detach the backend */
int vring_stop(struct vring_dev *d);

/** vring_close() - let go of everything; also after a failed vring_open() */
void vring_close(struct vring_dev *d);

/**
 * vring_run() - send packets and check that each comes back
 * @d: started device
 * @count: packets
 * @res: what happened; may be NULL
 *
 * Return: 0 only if every packet came back in order and unchanged.
 */
int vring_run(struct vring_dev *d, uint64_t count, struct vring_result *res);

/**
 * vring_send() - make one packet available on TX and kick if vhost wants it
 * @d: started device
 *
 * Return: 0, or -EAGAIN if no descriptor is free.
 */
int vring_send(struct vring_dev *d);

/**
 * vring_add() - make memory available on TX as one buffer, whatever is in it
 * @d: device
 * @p: in @d->buf
 * @len: bytes
 * @flags: of the descriptor
 *
 * vhost sees it together with the next packet of vring_send().
 *
 * Return: 0, or -EAGAIN if no descriptor is free.
 */
int vring_add(struct vring_dev *d, const void *p, uint32_t len, uint16_t flags);

/** vring_reap() - take what vhost used on both queues; returns packets */
int vring_reap(struct vring_dev *d);

/**
 * vring_idle() - wait until everything sent was received and vhost has told
 * both queues that it wants to be kicked again: it then leaves the rings alone
 */
int vring_idle(struct vring_dev *d);

/** vring_set_accessor() - by name, for both queues, through debugfs */
int vring_set_accessor(struct vring_dev *d, const char *accessor);

/** vring_iotlb_update() - let vhost find [@p, @p + @len) in its device IOTLB */
int vring_iotlb_update(struct vring_dev *d, void *p, size_t len);

/** vring_iotlb_invalidate() - and no longer; what it was mapped to is unused then */
int vring_iotlb_invalidate(struct vring_dev *d, void *p, size_t len);

/** vring_page_logged() - take the log's bit of the page at @p, clearing it */
bool vring_page_logged(struct vring_dev *d, const void *p);

/** vring_stat() - a counter of one queue, or -1 with the error set */
long long vring_stat(struct vring_dev *d, int queue, const char *name);

/** vring_stat_sum() - the same over both queues */
long long vring_stat_sum(struct vring_dev *d, const char *name);

#endif /* VRING_H */
