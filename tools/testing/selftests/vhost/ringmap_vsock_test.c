// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings on vhost-vsock: connections between a socket and the queues.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "ringmap_devices.h"
#include "vsock.h"

FIXTURE(vsock) {
	struct vsock v;
};

VARIANTS(vsock);
ACCESSORS(vsock, iotlb, EVENT_IDX | IOTLB);

FIXTURE_SETUP(vsock)
{
	ASSERT_OK(&self->v.d, vsock_open(&self->v, variant->accessor, variant->features));
}

FIXTURE_TEARDOWN(vsock)
{
	vsock_close(&self->v);
}

TEST_F_TIMEOUT(vsock, streams, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct counters rx, tx;
	uint32_t port;

	ASSERT_OK(d, vsock_guest_connects(v, 5000));
	ASSERT_OK(d, vsock_exchange(v, 500));
	rx = count(d, VSOCK_RX);
	tx = count(d, VSOCK_TX);
	ASSERT_OK(d, vsock_exchange(v, 3000));
	expect_counters(_metadata, d, variant->accessor, VSOCK_RX, rx);
	expect_counters(_metadata, d, variant->accessor, VSOCK_TX, tx);
	/* The buffers are small enough for both ends to have run out. */
	EXPECT_GT(v->no_credit, 0);
	EXPECT_GT(v->host_blocked, 0);
	EXPECT_GT(v->ops[VIRTIO_VSOCK_OP_CREDIT_UPDATE], 0);
	EXPECT_GE(v->ops[VIRTIO_VSOCK_OP_RW], 3500);
	EXPECT_EQ(0, v->ops[VIRTIO_VSOCK_OP_RST]);
	port = v->host_port;
	ASSERT_OK(d, vsock_guest_ends(v));

	ASSERT_OK(d, vsock_host_connects(v, 5001));
	ASSERT_OK(d, vsock_exchange(v, 500));
	ASSERT_OK(d, vsock_host_ends(v));

	/* Where nobody listens, there is a reset. */
	vsock_new_connection(v, 5002);
	v->host_port = port == 1 ? 2 : 1;
	ASSERT_OK(d, vsock_op(v, VIRTIO_VSOCK_OP_REQUEST, 0));
	ASSERT_OK(d, vsock_await(v, VIRTIO_VSOCK_OP_RST, 1));
	EXPECT_EQ(0, v->ops[VIRTIO_VSOCK_OP_RESPONSE]);
}

/*
 * Packets that come alone: for each, vhost takes one buffer of many, and finds nothing
 * more to send. It must not read the others each time.
 */
TEST_F_TIMEOUT(vsock, lone_packets, PATIENCE)
{
	/* Without event_idx, each turn of the handler writes the used flags twice. */
	int sections = device_has(&self->v.d, VIRTIO_RING_F_EVENT_IDX) ? 3 : 5;
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct counters before, after;
	const int warm = 100, n = 200;

	ASSERT_OK(d, vsock_guest_connects(v, 8000));
	for (int i = 0; i < warm + n; i++) {
		if (i == warm)
			before = count(d, VSOCK_RX);
		ASSERT_OK(d, vsock_lone_packet(v, i));
	}
	EXPECT_EQ((uint32_t)(warm + n), v->to_guest.seq);
	after = count(d, VSOCK_RX);
	expect_counters(_metadata, d, variant->accessor, VSOCK_RX, before);
	EXPECT_LE(after.mapped - before.mapped, 12 * n);
	/* Now and then a page is looked up, or the handler has one turn more. */
	EXPECT_LE(after.sections - before.sections, sections * n * 11 / 10);
	ASSERT_OK(d, vsock_guest_ends(v));
}

TEST_F_TIMEOUT(vsock, storm, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct counters before;
	struct storm storm;
	int ret;

	ASSERT_OK(d, vsock_guest_connects(v, 7000));
	ASSERT_EQ(0, storm_start(&storm, d, variant->accessor));
	ret = vsock_exchange(v, 1000);
	EXPECT_EQ(0, storm_end(&storm)) { TH_LOG("%s", storm.d.vdev.error); }
	ASSERT_EQ(0, ret) { TH_LOG("%s", d->vdev.error); }
	EXPECT_GT(storm.rounds, 0);
	ASSERT_OK(d, vsock_exchange(v, 100));
	before = count(d, VSOCK_TX);
	ASSERT_OK(d, vsock_exchange(v, 500));
	expect_counters(_metadata, d, variant->accessor, VSOCK_TX, before);
	ASSERT_OK(d, vsock_guest_ends(v));
}

/* The connection outlives that vhost is stopped and its accessor changes. */
TEST_F_TIMEOUT(vsock, restart, PATIENCE)
{
	static const char *const accessors[] = { "uaccess", "checked", "ringmap" };
	struct vsock *v = &self->v;
	struct device *d = &v->d;

	ASSERT_OK(d, vsock_guest_connects(v, 6000));
	for (int round = 0; round < 12; round++) {
		ASSERT_OK(d, vsock_exchange(v, 50));
		if (round % 4 == 1)
			ASSERT_OK(d, vdev_set_accessor(&d->vdev, accessors[round % 3]));
		if (device_has(d, VIRTIO_F_ACCESS_PLATFORM) && round % 4 == 3)
			ASSERT_OK(d, device_iotlb_invalidate(d));
		ASSERT_OK(d, vsock_run(v, 0));
		for (unsigned int i = 0; i < 2; i++) {
			struct vhost_vring_state base = { .index = i };
			struct queue *q = &d->q[i];

			ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_GET_VRING_BASE, &base));
			EXPECT_EQ(load(&q->vring.used->idx), base.num);
		}
		/* vhost reads the used flags when it starts. */
		if (device_has(d, VIRTIO_F_ACCESS_PLATFORM))
			ASSERT_OK(d, device_iotlb_update(d));
		ASSERT_OK(d, vsock_run(v, 1));
		/* Then the next packets find no translation, and ask for it. */
		if (device_has(d, VIRTIO_F_ACCESS_PLATFORM) && round % 2)
			ASSERT_OK(d, device_iotlb_invalidate(d));
	}
	ASSERT_OK(d, vdev_set_accessor(&d->vdev, variant->accessor));
	ASSERT_OK(d, vsock_exchange(v, 500));
	ASSERT_OK(d, vsock_guest_ends(v));
}

/* Let vhost's worker take all kicks so far: this ioctl waits for it. */
static int flush_kicks(struct device *d)
{
	int none = -1;

	return ioctl(d->vdev.fd, VHOST_SET_LOG_FD, &none);
}

/*
 * What becomes available while vhost is stopped is kicked for, and nobody hears it. With
 * event_idx the driver does not kick again. So vhost must look when it starts.
 */
TEST_F_TIMEOUT(vsock, sent_while_stopped, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	int sent;

	/* Too small for the guest to send anything else: it owes no credit. */
	v->to_host.fixed = 64;
	v->to_guest.fixed = 64;
	ASSERT_OK(d, vsock_guest_connects(v, 9000));
	for (int round = 0; round < 6; round++) {
		ASSERT_OK(d, vsock_exchange(v, 10));
		ASSERT_OK(d, vsock_run(v, 0));
		ASSERT_EQ(4, vsock_guest_sends(v, 4));
		sent = vsock_host_sends(v, 4);
		/* Linux 7.3 refuses to send to a device that is stopped. */
		if (sent != -EHOSTUNREACH)
			ASSERT_EQ(4, sent);
		ASSERT_EQ(0, flush_kicks(d));
		ASSERT_OK(d, vsock_run(v, 1));
		ASSERT_OK(d, vsock_settle(v));
	}
	EXPECT_EQ(0, v->ops[VIRTIO_VSOCK_OP_CREDIT_REQUEST]);
	ASSERT_OK(d, vsock_guest_ends(v));
}

/* The host has more to send than there are buffers, and they come while it is stopped. */
TEST_F_TIMEOUT(vsock, buffers_while_stopped, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct queue *q = &d->q[VSOCK_RX];
	const int num = q->vring.num, more = 50;

	v->to_host.fixed = 16;
	v->to_guest.fixed = 16;
	ASSERT_OK(d, vsock_guest_connects(v, 9100));
	for (int round = 0; round < 2; round++) {
		ASSERT_OK(d, vsock_exchange(v, 10));
		ASSERT_EQ(num + more, vsock_host_sends(v, num + more));
		for (int ms = 0; ms < STALL * 1000; ms++) {
			if ((uint16_t)(load(&q->vring.used->idx) - q->last_used) == num)
				break;
			usleep(1000);
		}
		ASSERT_OK(d, vsock_run(v, 0));
		ASSERT_EQ(num, vsock_reap(v));
		ASSERT_EQ(0, flush_kicks(d));
		ASSERT_OK(d, vsock_run(v, 1));
		ASSERT_OK(d, vsock_settle(v));
	}
	ASSERT_OK(d, vsock_guest_ends(v));
}

/* Send what is no packet: vhost reports an error of the queue and gives the buffer back. */
static void expect_refused(struct __test_metadata *_metadata, struct device *d, void *p,
			   uint32_t len)
{
	struct segment s = { .p = p, .len = len };
	struct queue *q = &d->q[VSOCK_TX];
	uint32_t written = 1;
	eventfd_t n = 0, more;
	int head = queue_head(q), used = -EAGAIN;

	queue_add(d, q, &s, 1);
	queue_publish(d, q);
	for (int ms = 0; ms < STALL * 1000 && (!n || used == -EAGAIN); ms++) {
		if (!n)
			eventfd_read(q->err, &n);
		if (used == -EAGAIN)
			used = queue_used(d, q, &written);
		usleep(1000);
	}
	EXPECT_GE(n, 1U);
	/* It may say what is wrong, and then that something is. */
	eventfd_read(q->err, &more);
	ASSERT_EQ(head, used) { TH_LOG("%u bytes at %p", len, p); }
	EXPECT_EQ(0U, written);
}

TEST_F_TIMEOUT(vsock, bad_packet, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	/* Buffers of the last descriptors, which few packets do not reach. */
	char *hole = d->mem + d->len - PAGE;
	struct virtio_vsock_hdr *h = (void *)(hole - sizeof(*h));

	ASSERT_OK(d, vsock_guest_connects(v, 9200));
	ASSERT_OK(d, vsock_exchange(v, 10));
	expect_refused(_metadata, d, hole, 5);
	ASSERT_OK(d, vsock_exchange(v, 10));
	*h = (struct virtio_vsock_hdr){ .len = 100 };
	expect_refused(_metadata, d, h, sizeof(*h));	/* shorter than it says */
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_NONE));
	expect_refused(_metadata, d, hole, sizeof(*h));
	expect_refused(_metadata, d, h, sizeof(*h) + 100);
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vsock_exchange(v, 10));
	ASSERT_OK(d, vsock_guest_ends(v));
}

/*
 * RX buffers that are for reading, too short or that cannot be written come back without a
 * packet. What the host sends arrives whole, in those behind them.
 */
TEST_F_TIMEOUT(vsock, bad_buffer, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct queue *q = &d->q[VSOCK_RX];
	const uint16_t mask = q->vring.num - 1;
	uint16_t first, hole;
	eventfd_t n = 0;
	char *page;

	v->to_guest.fixed = 64;
	ASSERT_OK(d, vsock_guest_connects(v, 9300));
	ASSERT_OK(d, vsock_exchange(v, 10));
	/*
	 * Buffers come back in order, two of them on a page. The host may still send
	 * credit for what it was sent; it does not fill these buffers with that.
	 */
	first = (q->last_used + 32) & ~1;
	hole = q->order[(first + 2) & mask] & ~1;
	q->vring.desc[q->order[first & mask]].flags &= ~VRING_DESC_F_WRITE;
	q->vring.desc[q->order[(first + 1) & mask]].len = sizeof(struct virtio_vsock_hdr) - 1;
	page = d->data + hole * PAGE / 2;
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_NONE));
	ASSERT_EQ(64, vsock_host_sends(v, 64));
	for (int ms = 0; ms < STALL * 1000 && v->to_guest.seq < v->host_sent; ms++) {
		ASSERT_LE(0, vsock_reap(v)) { TH_LOG("%s", d->vdev.error); }
		usleep(1000);
	}
	EXPECT_EQ(v->host_sent, v->to_guest.seq);
	EXPECT_EQ(4, v->refused);
	eventfd_read(q->err, &n);
	EXPECT_LE(4U, n);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vsock_exchange(v, 200));
	ASSERT_OK(d, vsock_guest_ends(v));
}

TEST_HARNESS_MAIN
