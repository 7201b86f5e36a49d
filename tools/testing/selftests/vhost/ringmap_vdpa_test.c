// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings beside a vDPA device: the simulator's, which sends packets back. The
 * device accesses its rings itself. vhost passes on where they are, and has nothing to map.
 */
#define _GNU_SOURCE
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "ringmap_devices.h"

#define NODE		"/dev/vhost-vdpa-0"
#define NUM		64U
#define PACKETS		20000U
#define SLOT		256U		/* bytes of memory for a packet */
#define BYTES		200U		/* of a packet, with its header */

enum { RX, TX, QUEUES };

FIXTURE(vdpa) {
	struct device d;
	uint32_t sent, received;
};

/* The accessor of new devices, which this one must not care for */
FIXTURE_VARIANT(vdpa) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(vdpa, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(vdpa, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(vdpa, ringmap) { .accessor = "ringmap" };

static int vdpa_start(struct device *d)
{
	for (unsigned int i = 0; i < QUEUES; i++) {
		struct vhost_vring_state on = { i, 1 };

		if (ioctl(d->vdev.fd, VHOST_VDPA_SET_VRING_ENABLE, &on))
			return device_fail(d, errno, "queue %u cannot be enabled", i);
	}
	return device_add_status(d, VIRTIO_CONFIG_S_DRIVER_OK);
}

FIXTURE_SETUP(vdpa)
{
	if (access(NODE, F_OK))
		SKIP(return, "no " NODE);
	ASSERT_OK(&self->d, vdev_set_default(&self->d.vdev, variant->accessor));
	ASSERT_OK(&self->d, device_open(&self->d, NODE, NULL, QUEUES, NUM, QUEUES * NUM * SLOT,
					IOTLB));
	ASSERT_OK(&self->d, vdpa_start(&self->d));
}

FIXTURE_TEARDOWN(vdpa)
{
	device_close(&self->d);
}

/* Where the packet of a head is */
static unsigned char *slot(struct device *d, unsigned int queue, unsigned int head)
{
	return (unsigned char *)d->data + (queue * NUM + head) * SLOT;
}

/* To everybody; every byte tells the number of the packet and its place in it. */
static void fill(unsigned char *p, uint32_t number)
{
	const unsigned int header = sizeof(struct virtio_net_hdr_v1);

	memset(p, 0, header);
	memset(p + header, 0xff, 6);
	for (unsigned int i = header + 6; i < BYTES; i++)
		p[i] = number + i * (number >> 8);
}

static void offer(struct device *d, unsigned int queue)
{
	struct segment s = {
		.p = slot(d, queue, queue_head(&d->q[queue])), .len = BYTES, .in = queue == RX,
	};

	queue_add(d, &d->q[queue], &s, 1);
}

/* Take what is used; returns how many packets came, or an error. */
static int reap(struct device *d, uint32_t next)
{
	unsigned char want[BYTES];
	uint32_t len;
	int n = 0, head;

	do {
		head = queue_used(d, &d->q[TX], NULL);
	} while (head >= 0);
	if (head != -EAGAIN)
		return head;
	while ((head = queue_used(d, &d->q[RX], &len)) >= 0) {
		fill(want, next + n);
		/* The device says how many buffers the packet has, or nothing. */
		memcpy(want, slot(d, RX, head), sizeof(struct virtio_net_hdr_v1));
		if (len != BYTES || memcmp(want, slot(d, RX, head), BYTES))
			return device_fail(d, 0, "packet %u is not what was sent", next + n);
		n++;
	}
	return head == -EAGAIN ? n : head;
}

/* What is sent comes back, and vhost shows no queue of the device. */
TEST_F_TIMEOUT(vdpa, packets, PATIENCE)
{
	struct device *d = &self->d;
	struct progress p = {};

	EXPECT_STREQ("", d->vdev.debugfs);
	while (self->received < PACKETS) {
		int n;

		while (queue_has_room(d, &d->q[RX], 1))
			offer(d, RX);
		queue_publish(d, &d->q[RX]);
		/* No more than there are buffers for: the simulator drops the rest. */
		while (self->sent < PACKETS && self->sent - self->received < NUM &&
		       queue_has_room(d, &d->q[TX], 1)) {
			fill(slot(d, TX, queue_head(&d->q[TX])), self->sent++);
			offer(d, TX);
		}
		queue_publish(d, &d->q[TX]);
		n = reap(d, self->received);
		if (!n)
			n = device_wait(d, -1, 0);
		ASSERT_LE(0, n) { TH_LOG("%s", d->vdev.error); }
		self->received += n;
		ASSERT_OK(d, device_stalled(d, &p, self->received));
	}
	EXPECT_EQ(PACKETS, self->received);
}

/* The addresses of queues can be taken back, and set again. */
TEST_F_TIMEOUT(vdpa, restart, PATIENCE)
{
	for (int i = 0; i < 50; i++) {
		struct device *d = &self->d;
		struct progress p = {};
		uint32_t n = 0;
		int ret;

		while (queue_has_room(d, &d->q[RX], 1))
			offer(d, RX);
		queue_publish(d, &d->q[RX]);
		fill(slot(d, TX, queue_head(&d->q[TX])), i);
		offer(d, TX);
		queue_publish(d, &d->q[TX]);
		while (!n) {
			ret = reap(d, i);
			if (!ret)
				ret = device_wait(d, -1, 0);
			ASSERT_LE(0, ret) { TH_LOG("%s", d->vdev.error); }
			n += ret;
			ASSERT_OK(d, device_stalled(d, &p, n));
		}
		device_close(d);
		ASSERT_OK(d, device_open(d, NODE, NULL, QUEUES, NUM, QUEUES * NUM * SLOT,
					 IOTLB));
		ASSERT_OK(d, vdpa_start(d));
	}
}

TEST_HARNESS_MAIN
