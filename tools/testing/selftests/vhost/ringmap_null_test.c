// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings on the test device, which uses whatever it gets.
 */
#define _GNU_SOURCE
#include <linux/vhost.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "ringmap_devices.h"

/*
 * vhost-test adds up lengths and reads nothing, so all buffers lie in the same
 * memory. After 512 KiB its handler lets others have a turn: with short buffers
 * it never does, with long ones often.
 */
#define NULL_DATA	65536U
#define SHORT		64U
#define LONG		NULL_DATA

FIXTURE(null) {
	struct device d;
	uint32_t random;
};

VARIANTS(null);

static int null_open(struct device *d, const char *accessor, unsigned int num,
		     uint64_t features)
{
	int ret = device_open(d, "/dev/vhost-test", accessor, 1, num,
			      NULL_DATA, features);

	d->q[0].in_order = true;
	return ret;
}

static int null_run(struct device *d, int run)
{
	if (ioctl(d->vdev.fd, VHOST_TEST_RUN, &run))
		return device_fail(d, errno, "VHOST_TEST_RUN %d", run);
	/* vhost does not look by itself, nor did it while it was stopped. */
	if (run)
		queue_kick(&d->q[0]);
	return 0;
}

FIXTURE_SETUP(null)
{
	self->random = 1;
	ASSERT_OK(&self->d, null_open(&self->d, variant->accessor, 1024,
				      variant->features));
}

FIXTURE_TEARDOWN(null)
{
	device_close(&self->d);
}

/* Not rand(): the same on every libc, and so is a failure. */
static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 16) % n;
}

/* Make up to @max chains of one to four buffers available. */
static unsigned int null_fill(struct device *d, uint32_t *random,
			      unsigned int max, uint32_t max_len)
{
	struct queue *q = &d->q[0];
	unsigned int n;

	for (n = 0; n < max; n++) {
		unsigned int parts = 1 + random_below(random, MAX_SEGMENTS);
		struct segment s[MAX_SEGMENTS];

		if (parts > q->vring.num)
			parts = q->vring.num;
		if (!queue_has_room(d, q, parts))
			break;
		for (unsigned int i = 0; i < parts; i++)
			s[i] = (struct segment){
				.p = d->data,
				.len = 1 + random_below(random, max_len),
			};
		queue_add(d, q, s, parts);
	}
	queue_publish(d, q);
	return n;
}

/* Take all that is used; returns how many, or an error. */
static int null_reap(struct device *d)
{
	uint32_t len;
	int n = 0, head;

	for (;;) {
		head = queue_used(d, &d->q[0], &len);
		if (head == -EAGAIN)
			return n;
		if (head < 0)
			return head;
		if (len)
			return device_fail(d, 0, "vhost says that it wrote %u bytes", len);
		n++;
	}
}

/* Wait, without sleeping, until vhost has used @n, or will use no more. */
static void null_await(struct queue *q, uint16_t n)
{
	double end = now() + 1;

	while ((uint16_t)(load(&q->vring.used->idx) - q->last_used) < n &&
	       now() < end)
		sched_yield();	/* vhost may be waiting for our processor */
}

/* @count chains, in batches of any size that fits. */
static int null_traffic(struct device *d, uint32_t *random, uint64_t count,
			uint32_t max_len)
{
	uint64_t sent = 0, used = 0;
	struct progress p = {};
	int ret;

	while (used < count) {
		unsigned int batch = 1 + random_below(random, d->q[0].vring.num);

		if (batch > count - sent)
			batch = count - sent;
		sent += null_fill(d, random, batch, max_len);
		ret = null_reap(d);
		if (!ret)
			ret = device_wait(d, -1, 0);
		if (ret < 0)
			return ret;
		used += ret;
		ret = device_stalled(d, &p, used);
		if (ret)
			return ret;
	}
	if (used != count || d->q[0].nfree != d->q[0].vring.num)
		return device_fail(d, 0, "%llu of %llu used, %u descriptors free",
				   (unsigned long long)used, (unsigned long long)count,
				   d->q[0].nfree);
	return device_gave_up(d);
}

/* More than 65536, so that every index wraps. */
TEST_F_TIMEOUT(null, buffers, PATIENCE)
{
	struct device *d = &self->d;
	struct counters before;

	ASSERT_OK(d, null_run(d, 1));
	/* The first accesses find nothing mapped yet. */
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	before = count(d, 0);
	ASSERT_OK(d, null_traffic(d, &self->random, 57000, SHORT));
	ASSERT_OK(d, null_traffic(d, &self->random, 10000, LONG));
	expect_counters(_metadata, d, variant->accessor, 0, before);
}

/*
 * vhost takes buffers in batches, but what it took and did not use when it was
 * stopped it has to take again: its base is what it used.
 */
TEST_F_TIMEOUT(null, stop_in_flight, PATIENCE)
{
	struct device *d = &self->d;
	struct counters before = count(d, 0);
	struct queue *q = &d->q[0];
	unsigned int partly = 0;

	for (int round = 0; round < 100; round++) {
		struct vhost_vring_state base = { .index = 0 };
		uint16_t used;

		ASSERT_LE(0, null_reap(d)) { TH_LOG("%s", d->vdev.error); }
		null_fill(d, &self->random, q->vring.num, LONG);
		ASSERT_OK(d, null_run(d, 1));
		/* In sight of the stop, so that some of the rest is under way. */
		null_await(q, random_below(&self->random, q->vring.num / 4));
		ASSERT_OK(d, null_run(d, 0));
		ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_GET_VRING_BASE, &base));
		used = load(&q->vring.used->idx);
		ASSERT_EQ(used, base.num);
		partly += used != q->avail && used != q->last_used;
		/* Published to a stopped queue, seen after the next start. */
		null_fill(d, &self->random, 16, LONG);
	}
	/* Where processors are scarce, vhost may run only while we do not. */
	if (!partly)
		TH_LOG("No stop found vhost at work");
	ASSERT_OK(d, null_run(d, 1));
	ASSERT_LE(0, null_reap(d)) { TH_LOG("%s", d->vdev.error); }
	for (double end = now() + STALL; q->nfree != q->vring.num; ) {
		ASSERT_LT(now(), end);
		ASSERT_OK(d, device_wait(d, -1, 0));
		ASSERT_LE(0, null_reap(d)) { TH_LOG("%s", d->vdev.error); }
	}
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	expect_counters(_metadata, d, variant->accessor, 0, before);
}

TEST_F_TIMEOUT(null, storm, PATIENCE)
{
	struct device *d = &self->d;
	struct counters before;
	struct storm storm;
	int ret;

	ASSERT_OK(d, null_run(d, 1));
	ASSERT_EQ(0, storm_start(&storm, d, variant->accessor));
	ret = null_traffic(d, &self->random, 10000, SHORT);
	if (!ret)
		ret = null_traffic(d, &self->random, 5000, LONG);
	EXPECT_EQ(0, storm_end(&storm)) { TH_LOG("%s", storm.d.vdev.error); }
	ASSERT_EQ(0, ret) { TH_LOG("%s", d->vdev.error); }
	EXPECT_GT(storm.rounds, 0);
	/* And then it is as if nothing had been. */
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	before = count(d, 0);
	ASSERT_OK(d, null_traffic(d, &self->random, 5000, SHORT));
	expect_counters(_metadata, d, variant->accessor, 0, before);
}

TEST_F_TIMEOUT(null, queue_sizes, PATIENCE)
{
	static const unsigned int sizes[] = { 1, 2, 4, 64, 512, 32768 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct device d;

		ASSERT_OK(&d, null_open(&d, variant->accessor, sizes[i],
					variant->features));
		ASSERT_OK(&d, null_run(&d, 1));
		ASSERT_OK(&d, null_traffic(&d, &self->random,
					   sizes[i] < 1000 ? 500 : sizes[i],
					   SHORT));
		expect_counters(_metadata, &d, variant->accessor, 0,
				(struct counters){});
		device_close(&d);
	}
}

/* A buffer that vhost-test does not take: reported, and not used. */
TEST_F_TIMEOUT(null, refused, PATIENCE)
{
	struct device *d = &self->d;
	struct segment in = { .p = d->data, .len = 64, .in = true };
	struct queue *q = &d->q[0];
	struct pollfd err = { .fd = q->err, .events = POLLIN };

	ASSERT_OK(d, null_run(d, 1));
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	queue_add(d, q, &in, 1);
	queue_publish(d, q);
	ASSERT_EQ(1, poll(&err, 1, STALL * 1000));
	ASSERT_EQ(-EAGAIN, queue_used(d, q, NULL));
}

TEST_HARNESS_MAIN
