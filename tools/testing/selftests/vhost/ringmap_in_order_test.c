// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net and in-order rings: one used element stands for several buffers, and the next
 * is as many places behind it.
 */
#define _GNU_SOURCE
#include <linux/vhost.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ringmap_packets.h"

/* --- every feature of the rings, by each accessor --- */

FIXTURE(in_order) {
	struct vring_dev d;
};

FIXTURE_VARIANT(in_order) {
	const char *accessor;
	bool event_idx, indirect, mergeable, iotlb, log;
	unsigned int chain, num, busyloop_us;
};

#define IN_ORDER(mode, name, ...)					\
	FIXTURE_VARIANT_ADD(in_order, mode ## _ ## name) {		\
		.accessor = #mode, __VA_ARGS__				\
	}
#define IN_ORDER_EACH(...)						\
	IN_ORDER(uaccess, __VA_ARGS__);					\
	IN_ORDER(checked, __VA_ARGS__);					\
	IN_ORDER(ringmap, __VA_ARGS__)

IN_ORDER_EACH(plain);
IN_ORDER_EACH(event_idx, .event_idx = true);
IN_ORDER_EACH(indirect, .indirect = true);
IN_ORDER_EACH(chain, .event_idx = true, .chain = 5);
IN_ORDER_EACH(mergeable, .mergeable = true);
IN_ORDER_EACH(small, .event_idx = true, .mergeable = true, .num = 16);
IN_ORDER_EACH(iotlb, .event_idx = true, .iotlb = true);
IN_ORDER_EACH(log, .event_idx = true, .log = true);
IN_ORDER_EACH(busy_poll, .event_idx = true, .busyloop_us = 50);
IN_ORDER_EACH(all, .event_idx = true, .indirect = true, .mergeable = true,
	      .iotlb = true, .log = true, .busyloop_us = 50);

FIXTURE_SETUP(in_order)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.in_order = true;
	cfg.event_idx = variant->event_idx;
	cfg.indirect = variant->indirect;
	cfg.mergeable = variant->mergeable;
	cfg.iotlb = variant->iotlb;
	cfg.log = variant->log;
	cfg.chain = variant->chain;
	cfg.busyloop_us = variant->busyloop_us;
	if (variant->num)
		cfg.num[VRING_RX] = cfg.num[VRING_TX] = variant->num;
	cfg.max_frame = 1000;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
}

FIXTURE_TEARDOWN(in_order)
{
	vring_close(&self->d);
}

TEST_F_TIMEOUT(in_order, traffic, PATIENCE)
{
	struct vring_dev *d = &self->d;

	ASSERT_OK(d, vring_run(d, 3000, NULL));
	if (!strcmp(variant->accessor, "ringmap"))
		expect_mapped(_metadata, d, 2000);
	ASSERT_OK(d, vring_idle(d));
	/* The counter is of buffers, and not of elements. */
	for (int q = 0; q < VRING_QUEUES; q++)
		EXPECT_EQ(load(&d->q[q].vring.used->idx), (uint16_t)vring_stat(d, q, "used"));
}

/* The accessor changes, and each goes on where the other was. */
TEST_F_TIMEOUT(in_order, switched, PATIENCE)
{
	static const char *const accessors[] = { "ringmap", "uaccess", "checked" };
	struct vring_dev *d = &self->d;

	for (int i = 0; i < 12; i++) {
		ASSERT_OK(d, vring_set_accessor(d, accessors[i % 3]));
		ASSERT_OK(d, vring_run(d, 101 + 7 * i, NULL));
	}
}

/* Saved and restored, as by migration: the next chain is where it was. */
TEST_F_TIMEOUT(in_order, goes_on, PATIENCE)
{
	struct vring_dev *d = &self->d;

	for (int i = 0; i < 5; i++) {
		ASSERT_OK(d, vring_run(d, 33 + i, NULL));
		ASSERT_OK(d, vring_idle(d));
		ASSERT_OK(d, vring_stop(d));
		for (unsigned int q = 0; q < VRING_QUEUES; q++) {
			struct vhost_vring_state s = { .index = q };

			ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_GET_VRING_BASE, &s));
			ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_SET_VRING_BASE, &s));
		}
		ASSERT_OK(d, vring_start(d));
	}
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

/* --- the dirty log of the used ring --- */

#define NUM	1024
/* With this offset, entry 1008 of the used ring is the first on its third page. */
#define OFFSET	124

FIXTURE(in_order_log) {
	struct vring_dev d;
};

FIXTURE_VARIANT(in_order_log) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(in_order_log, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(in_order_log, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(in_order_log, ringmap) { .accessor = "ringmap" };

FIXTURE_SETUP(in_order_log)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.in_order = true;
	cfg.log = true;
	cfg.inject = true;
	/* The event index is on the last page. */
	cfg.event_idx = false;
	cfg.num[VRING_RX] = NUM;
	cfg.offset[VRING_USED] = OFFSET;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
}

FIXTURE_TEARDOWN(in_order_log)
{
	vring_close(&self->d);
}

/* @n packets wait when vhost begins: it publishes them at once. */
static void batch(struct __test_metadata *_metadata, struct vring_dev *d, int n)
{
	ASSERT_OK(d, vring_stop(d));
	while (n--)
		ASSERT_OK(d, vring_send(d));
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 0, NULL));
	ASSERT_OK(d, vring_idle(d));
}

TEST_F_TIMEOUT(in_order_log, elements, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring_used *used = d->q[VRING_RX].vring.used;
	char *last = (char *)&used->ring[1008];
	/* vhost writes nothing there. */
	char *behind = (char *)d->q[VRING_TX].vring.desc;

	ASSERT_EQ(0U, (uintptr_t)last % 4096);
	ASSERT_EQ(last + 4096, behind);
	ASSERT_OK(d, vring_run(d, 950, NULL));
	ASSERT_OK(d, vring_idle(d));
	vring_page_logged(d, last);
	vring_page_logged(d, behind);

	/* It ends just before the end of the ring. */
	batch(_metadata, d, 62);
	EXPECT_EQ(1012, used->idx);
	EXPECT_TRUE(vring_page_logged(d, last));
	EXPECT_FALSE(vring_page_logged(d, behind));

	/* And this one at the end. */
	batch(_metadata, d, 12);
	EXPECT_EQ(1024, used->idx);
	EXPECT_TRUE(vring_page_logged(d, last));
	EXPECT_FALSE(vring_page_logged(d, behind));

	/* Across it */
	ASSERT_OK(d, vring_run(d, 980, NULL));
	ASSERT_OK(d, vring_idle(d));
	vring_page_logged(d, last);
	vring_page_logged(d, used);
	batch(_metadata, d, 50);
	EXPECT_TRUE(vring_page_logged(d, last));
	EXPECT_TRUE(vring_page_logged(d, used));
	EXPECT_FALSE(vring_page_logged(d, behind));
}

/* --- a used element that stands for buffers whose places reach into the next page --- */

FIXTURE(in_order_gap) {
	struct vring_dev d;
};

FIXTURE_VARIANT(in_order_gap) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(in_order_gap, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(in_order_gap, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(in_order_gap, ringmap) { .accessor = "ringmap" };

FIXTURE_SETUP(in_order_gap)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.in_order = true;
	cfg.event_idx = false;
	cfg.num[VRING_TX] = NUM;
	cfg.offset[VRING_USED] = OFFSET;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
}

FIXTURE_TEARDOWN(in_order_gap)
{
	vring_close(&self->d);
}

/* vhost writes one element. The page behind it cannot be mapped, and need not be. */
TEST_F_TIMEOUT(in_order_gap, not_written, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring_used *used = d->q[VRING_TX].vring.used;
	char *first = (char *)used - OFFSET, *last = (char *)&used->ring[1008];
	long long fallbacks;

	ASSERT_EQ(0U, (uintptr_t)last % 4096);
	ASSERT_OK(d, vring_run(d, 950, NULL));
	ASSERT_OK(d, vring_idle(d));
	/* vhost forgets all pages of the ring. The driver's stores make two writable. */
	ASSERT_EQ(0, mprotect(first, last + 4096 - first, PROT_READ));
	ASSERT_EQ(0, mprotect(first, last - first, PROT_READ | PROT_WRITE));
	store(&used->flags, load(&used->flags));
	store(&used->ring[950].len, 0);
	fallbacks = vring_stat(d, VRING_TX, "fallback");
	batch(_metadata, d, 62);
	EXPECT_EQ(1012, load(&used->idx));
	if (!strcmp(variant->accessor, "ringmap"))
		EXPECT_EQ(fallbacks, vring_stat(d, VRING_TX, "fallback"));
	ASSERT_EQ(0, mprotect(last, 4096, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* --- RX buffers without a packet --- */

FIXTURE(in_order_bad) {
	struct vring_dev d;
};

FIXTURE_VARIANT(in_order_bad) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(in_order_bad, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(in_order_bad, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(in_order_bad, ringmap) { .accessor = "ringmap" };

/* Each packet takes two buffers. */
FIXTURE_SETUP(in_order_bad)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.in_order = true;
	cfg.mergeable = true;
	cfg.min_frame = 200;
	cfg.max_frame = 200;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
	ASSERT_OK(&self->d, vring_run(&self->d, 100, NULL));
}

FIXTURE_TEARDOWN(in_order_bad)
{
	vring_close(&self->d);
}

/* Of the second buffer of the next packet */
static struct vring_desc *second_rx(struct vring_dev *d)
{
	struct vring_queue *q = &d->q[VRING_RX];

	return q->vring.desc + q->order[(q->last_used + 1) % q->vring.num];
}

/*
 * Ten packets come, of which @lost are lost. The two buffers of the first are used empty,
 * which one element cannot say of both.
 */
static void receive(struct __test_metadata *_metadata, struct vring_dev *d, uint64_t lost)
{
	eventfd_t errors = 0;

	memset(&d->res, 0, sizeof(d->res));
	for (int i = 0; i < 10; i++)
		ASSERT_OK(d, vring_send(d));
	ASSERT_OK(d, vring_idle(d));
	EXPECT_EQ(lost, d->res.lost);
	EXPECT_EQ(2UL, d->res.corrupt);
	EXPECT_EQ(10 - lost, d->res.received);
	EXPECT_EQ(0, eventfd_read(d->q[VRING_RX].err, &errors));
	EXPECT_EQ(1UL, errors);
}

/* The packet goes into the next two. */
TEST_F_TIMEOUT(in_order_bad, for_reading, PATIENCE)
{
	second_rx(&self->d)->flags &= ~VRING_DESC_F_WRITE;
	receive(_metadata, &self->d, 0);
	ASSERT_OK(&self->d, vring_run(&self->d, 500, NULL));
}

TEST_F_TIMEOUT(in_order_bad, unwritable, PATIENCE)
{
	struct vring_dev *d = &self->d;
	/* The last of the TX buffers, which few packets do not reach */
	char *hole = d->buf + d->buf_len - 4096;

	ASSERT_EQ(0, mprotect(hole, 4096, PROT_NONE));
	second_rx(d)->addr = (uintptr_t)hole;
	receive(_metadata, d, 1);
	ASSERT_EQ(0, mprotect(hole, 4096, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

TEST_HARNESS_MAIN
