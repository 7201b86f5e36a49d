// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net and buffers that are none: too short for a packet, for the other direction, or
 * memory that nobody may read or write. vhost says so, gives them back, goes on with those
 * behind them, and rests. It did not, by any accessor.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "ringmap_packets.h"

#define PAGE	4096UL
#define GOOD	3	/* packets behind a bad buffer */
#define SNDBUF	1048576	/* bytes */

FIXTURE(base) {
	struct vring_dev d;
};

/* With a limited send buffer, packets go to the TAP one by one, by another way. */
FIXTURE_VARIANT(base) {
	const char *accessor;
	int sndbuf;
};

FIXTURE_VARIANT_ADD(base, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(base, uaccess_one_by_one) { .accessor = "uaccess", .sndbuf = SNDBUF };
FIXTURE_VARIANT_ADD(base, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(base, checked_one_by_one) { .accessor = "checked", .sndbuf = SNDBUF };
FIXTURE_VARIANT_ADD(base, ringmap) { .accessor = "ringmap" };
FIXTURE_VARIANT_ADD(base, ringmap_one_by_one) { .accessor = "ringmap", .sndbuf = SNDBUF };

static void open_and_run(struct __test_metadata *_metadata, struct vring_dev *d,
			 const struct vring_config *cfg, const char *accessor, int sndbuf)
{
	ASSERT_OK(d, vring_open(d, cfg));
	ASSERT_OK(d, vring_set_accessor(d, accessor));
	if (sndbuf)
		ASSERT_EQ(0, ioctl(d->tap, TUNSETSNDBUF, &sndbuf));
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

FIXTURE_SETUP(base)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	open_and_run(_metadata, &self->d, &cfg, variant->accessor, variant->sndbuf);
}

FIXTURE_TEARDOWN(base)
{
	vring_close(&self->d);
}

/* The last page of the TX buffers, whose descriptors few packets do not reach. */
static char *spare_page(const struct vring_dev *d)
{
	return d->buf + d->buf_len - PAGE;
}

/* How many errors of a queue vhost reported since the last call. */
static eventfd_t errors(struct vring_dev *d, int queue)
{
	eventfd_t n = 0;

	return eventfd_read(d->q[queue].err, &n) ? 0 : n;
}

/* The directory of vhost's worker: a thread of ours, or, with kthreads, a process. */
static bool find_worker(char *dir, size_t size)
{
	static const char *const where[] = { "/proc/self/task", "/proc" };
	char path[320], name[32], want[32];

	snprintf(want, sizeof(want), "vhost-%d\n", getpid());
	for (int i = 0; i < 2; i++) {
		DIR *all = opendir(where[i]);
		bool found = false;
		struct dirent *e;

		while (all && !found && (e = readdir(all))) {
			snprintf(path, sizeof(path), "%s/%s/comm", where[i], e->d_name);
			read_text(path, name, sizeof(name));
			found = !strcmp(name, want);
			if (found)
				snprintf(dir, size, "%s/%s", where[i], e->d_name);
		}
		if (all)
			closedir(all);
		if (found)
			return true;
	}
	return false;
}

/* CPU time of a thread in ticks; -1 unless it sleeps. */
static long ticks_if_asleep(const char *dir)
{
	char path[320], stat[512], state, *at;
	unsigned long user, system;

	snprintf(path, sizeof(path), "%s/stat", dir);
	read_text(path, stat, sizeof(stat));
	at = strrchr(stat, ')');	/* the end of its name */
	if (!at || sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			  &state, &user, &system) != 3)
		return -1;
	return state == 'S' ? (long)(user + system) : -1;
}

/* Wait until the worker sleeps, and has for a while: its CPU time stands still. */
static bool worker_rests(struct __test_metadata *_metadata)
{
	char dir[300];
	long last = -1;

	EXPECT_TRUE(find_worker(dir, sizeof(dir)))
		return false;
	for (int i = 0, same = 0; i < 600; i++) {
		long ticks = ticks_if_asleep(dir);

		same = ticks >= 0 && ticks == last ? same + 1 : 0;
		last = ticks;
		if (same == 10)
			return true;
		usleep(20000);
	}
	return false;
}

/* A packet, the buffer [@p, @p + @len) and further packets, all at once but the first */
static void send_among_packets(struct __test_metadata *_metadata, struct vring_dev *d,
			       const void *p, uint32_t len, uint16_t flags)
{
	uint64_t received = d->res.received;
	uint16_t used = used_idx(d);

	ASSERT_OK(d, vring_send(d));
	ASSERT_EQ(0, vring_add(d, p, len, flags));
	for (int i = 0; i < GOOD; i++)
		ASSERT_OK(d, vring_send(d));
	ASSERT_OK(d, vring_idle(d));
	EXPECT_EQ(received + 1 + GOOD, d->res.received);
	EXPECT_EQ(0U, d->res.lost);
	EXPECT_EQ(1U, errors(d, VRING_TX)) {
		TH_LOG("by %u bytes at %#lx of a page", len, (uintptr_t)p % PAGE);
	}
	for (; used != used_idx(d); used++)
		EXPECT_EQ(0U, d->q[VRING_TX].vring.used->ring[used % 256].len);
	EXPECT_TRUE(worker_rests(_metadata));
}

TEST_F_TIMEOUT(base, short_packet, PATIENCE)
{
	struct vring_dev *d = &self->d;

	send_among_packets(_metadata, d, spare_page(d), 5, 0);
	send_among_packets(_metadata, d, spare_page(d), 1, 0);
	send_among_packets(_metadata, d, spare_page(d), d->hdr_len - 1, 0);
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/* A buffer for vhost to write, and one of no bytes */
TEST_F_TIMEOUT(base, no_packet, PATIENCE)
{
	struct vring_dev *d = &self->d;

	send_among_packets(_metadata, d, spare_page(d), 200, VRING_DESC_F_WRITE);
	send_among_packets(_metadata, d, spare_page(d), 0, 0);
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/* The TAP's device is gone, so that the TAP refuses what is sent. */
TEST_F_TIMEOUT(base, refused_packets, PATIENCE)
{
	struct vring_dev *d = &self->d;
	char name[IF_NAMESIZE], cmd[64];
	uint16_t used;

	ASSERT_NE(NULL, if_indextoname(d->ifindex, name));
	snprintf(cmd, sizeof(cmd), "ip link delete %s", name);
	ASSERT_EQ(0, system(cmd));
	used = used_idx(d);
	for (int i = 0; i < 10; i++)
		ASSERT_OK(d, vring_send(d));
	EXPECT_TRUE(wait_used(d, used + 10)) {
		TH_LOG("%u of 10 buffers came back", (uint16_t)(used_idx(d) - used));
	}
	EXPECT_TRUE(worker_rests(_metadata));
}

TEST_F_TIMEOUT(base, unreadable_packet, PATIENCE)
{
	struct vring_dev *d = &self->d;
	char *hole = spare_page(d);

	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_NONE));
	send_among_packets(_metadata, d, hole, 200, 0);
	/* The header can be read, the packet cannot. */
	send_among_packets(_metadata, d, hole - d->hdr_len, 200, 0);
	/* The packet ends in the page that cannot be read. */
	send_among_packets(_metadata, d, hole - 100, 200, 0);
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/* Of the RX buffer that vhost takes next, or of the @n-th after it */
static struct vring_desc *next_rx(struct vring_dev *d, unsigned int n)
{
	struct vring_queue *q = &d->q[VRING_RX];

	return q->vring.desc + q->vring.avail->ring[(q->last_used + n) % q->vring.num];
}

/* @n packets come, of which @lost are lost. @empty buffers are used empty, for @bad errors. */
static void receive_among_bad_buffers(struct __test_metadata *_metadata, struct vring_dev *d,
				      uint64_t n, uint64_t lost, uint64_t empty, uint64_t bad)
{
	memset(&d->res, 0, sizeof(d->res));
	for (uint64_t i = 0; i < n; i++)
		ASSERT_OK(d, vring_send(d));
	ASSERT_OK(d, vring_idle(d));
	EXPECT_EQ(lost, d->res.lost);
	EXPECT_EQ(empty, d->res.corrupt);
	EXPECT_EQ(n - lost, d->res.received);
	EXPECT_EQ(bad, errors(d, VRING_RX));
	EXPECT_TRUE(worker_rests(_metadata));
}

/* Packets come for RX buffers two of which cannot be written. */
TEST_F_TIMEOUT(base, unwritable_buffer, PATIENCE)
{
	const uint64_t n = 20, bad = PAGE / VRING_BUF_SIZE;
	struct vring_dev *d = &self->d;
	struct vring_queue *q = &d->q[VRING_RX];
	/* The next two that share a page; buffers are in order so far. */
	unsigned int first = (q->vring.avail->ring[q->last_used % 256] + 1) / bad;
	char *page = d->buf + first * PAGE;

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_NONE));
	receive_among_bad_buffers(_metadata, d, n, bad, bad, bad);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/* What vhost supplies is the header, and that cannot be written; the packet can. */
TEST_F_TIMEOUT(base, unwritable_header, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	char *hole;

	vring_close(d);
	cfg.raw = true;
	open_and_run(_metadata, d, &cfg, variant->accessor, variant->sndbuf);
	hole = spare_page(d) - PAGE;
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_NONE));
	next_rx(d, 0)->addr = (uintptr_t)spare_page(d) - d->hdr_len;
	receive_among_bad_buffers(_metadata, d, 10, 1, 1, 1);
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/*
 * The number of buffers ends a header, and cannot be written; what is in front of it can, and
 * so can the packet, which is in a buffer of another descriptor.
 */
TEST_F_TIMEOUT(base, unwritable_num_buffers, PATIENCE)
{
	const uint32_t before = sizeof(struct virtio_net_hdr);
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	struct vring_desc *rx;
	char *hole;

	vring_close(d);
	cfg.mergeable = true;
	cfg.min_frame = 64;
	cfg.max_frame = 64;
	open_and_run(_metadata, d, &cfg, variant->accessor, variant->sndbuf);
	hole = spare_page(d);
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_NONE));
	rx = next_rx(d, 0);
	rx->addr = (uintptr_t)hole - before;
	rx->len = d->hdr_len;
	rx->flags |= VRING_DESC_F_NEXT;
	rx->next = next_rx(d, 200) - d->q[VRING_RX].vring.desc;
	receive_among_bad_buffers(_metadata, d, 10, 1, 1, 1);
	ASSERT_EQ(0, mprotect(hole, PAGE, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/* A buffer for vhost to read, and one of no bytes. The packets are in those behind them. */
TEST_F_TIMEOUT(base, no_rx_buffer, PATIENCE)
{
	struct vring_dev *d = &self->d;

	next_rx(d, 0)->flags &= ~VRING_DESC_F_WRITE;
	next_rx(d, 2)->len = 0;
	next_rx(d, 3)->flags &= ~VRING_DESC_F_WRITE;
	receive_among_bad_buffers(_metadata, d, 10, 0, 3, 3);
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

/* Of the two buffers for a packet, the second is for vhost to read. Neither has a packet. */
TEST_F_TIMEOUT(base, no_second_rx_buffer, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;

	vring_close(d);
	cfg.mergeable = true;
	cfg.min_frame = 200;
	cfg.max_frame = 200;
	open_and_run(_metadata, d, &cfg, variant->accessor, variant->sndbuf);
	next_rx(d, 1)->flags &= ~VRING_DESC_F_WRITE;
	receive_among_bad_buffers(_metadata, d, 10, 0, 2, 1);
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

TEST_HARNESS_MAIN
