// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings: packets go through real virtqueues while the memory
 * under them, the accessor and the owner change.
 *
 * Every test runs with user access too where it can, because that is what the
 * mappings must not differ from.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "ringmap_packets.h"
#include "virtqueue.h"

static void kick_tx(struct vring_dev *d)
{
	uint64_t one = 1;

	if (write(d->q[VRING_TX].kick, &one, sizeof(one)) < 0)
		err(1, "kick");
}

/* --- every feature of the rings, in each mode --- */

FIXTURE(traffic) {
	struct vring_dev d;
};

FIXTURE_VARIANT(traffic) {
	const char *accessor;
	bool event_idx, indirect, mergeable, iotlb, log;
	unsigned int busyloop_us;
};

#define TRAFFIC(mode, name, ...)					\
	FIXTURE_VARIANT_ADD(traffic, mode ## _ ## name) {		\
		.accessor = #mode, __VA_ARGS__				\
	}
TRAFFIC(uaccess, plain);
TRAFFIC(uaccess, event_idx, .event_idx = true);
TRAFFIC(uaccess, indirect, .indirect = true);
TRAFFIC(uaccess, mergeable, .mergeable = true);
TRAFFIC(uaccess, iotlb, .event_idx = true, .iotlb = true);
TRAFFIC(uaccess, log, .event_idx = true, .log = true);
TRAFFIC(uaccess, busy_poll, .event_idx = true, .busyloop_us = 50);
TRAFFIC(checked, plain);
TRAFFIC(checked, event_idx, .event_idx = true);
TRAFFIC(checked, indirect, .indirect = true);
TRAFFIC(checked, mergeable, .mergeable = true);
TRAFFIC(checked, iotlb, .event_idx = true, .iotlb = true);
TRAFFIC(checked, log, .event_idx = true, .log = true);
TRAFFIC(checked, busy_poll, .event_idx = true, .busyloop_us = 50);
TRAFFIC(ringmap, plain);
TRAFFIC(ringmap, event_idx, .event_idx = true);
TRAFFIC(ringmap, indirect, .indirect = true);
TRAFFIC(ringmap, mergeable, .mergeable = true);
TRAFFIC(ringmap, iotlb, .event_idx = true, .iotlb = true);
TRAFFIC(ringmap, log, .event_idx = true, .log = true);
TRAFFIC(ringmap, busy_poll, .event_idx = true, .busyloop_us = 50);
TRAFFIC(ringmap, all, .event_idx = true, .indirect = true,
	.mergeable = true, .iotlb = true, .log = true, .busyloop_us = 50);

FIXTURE_SETUP(traffic)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.event_idx = variant->event_idx;
	cfg.indirect = variant->indirect;
	cfg.mergeable = variant->mergeable;
	cfg.iotlb = variant->iotlb;
	cfg.log = variant->log;
	cfg.busyloop_us = variant->busyloop_us;
	cfg.max_frame = 1000;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
}

FIXTURE_TEARDOWN(traffic)
{
	vring_close(&self->d);
}

TEST_F_TIMEOUT(traffic, packets, PATIENCE)
{
	ASSERT_OK(&self->d, vring_run(&self->d, 2000, NULL));
	if (!strcmp(variant->accessor, "ringmap")) {
		expect_mapped(_metadata, &self->d, 5000);
	} else {
		long long mapped = vring_stat_sum(&self->d, "mapped");

		ASSERT_OK(&self->d, vring_run(&self->d, 5000, NULL));
		EXPECT_EQ(mapped, vring_stat_sum(&self->d, "mapped"));
	}
}

/* --- where the rings may lie --- */

FIXTURE(memory) {
	struct vring_dev d;
};

FIXTURE_VARIANT(memory) {
	enum vring_memory kind;
};

FIXTURE_VARIANT_ADD(memory, anonymous) { .kind = VRING_ANON };
FIXTURE_VARIANT_ADD(memory, thp) { .kind = VRING_THP };
FIXTURE_VARIANT_ADD(memory, hugetlb) { .kind = VRING_HUGETLB };
FIXTURE_VARIANT_ADD(memory, shmem) { .kind = VRING_SHMEM };
FIXTURE_VARIANT_ADD(memory, file) { .kind = VRING_REGULAR };

FIXTURE_SETUP(memory)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.memory = vring_map(variant->kind, vring_ring_bytes(&cfg));
	ASSERT_NE(MAP_FAILED, cfg.memory);
	open_and_start(_metadata, &self->d, &cfg, "ringmap");
}

FIXTURE_TEARDOWN(memory)
{
	vring_close(&self->d);
}

TEST_F_TIMEOUT(memory, mapped, PATIENCE)
{
	ASSERT_OK(&self->d, vring_run(&self->d, 2000, NULL));
	expect_mapped(_metadata, &self->d, 5000);
}

/* --- memory that changes under traffic --- */

#define TRACE		"/sys/kernel/tracing/"
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif


static void storm_dontneed(struct storm *s)
{
	madvise(s->mem, s->len, MADV_DONTNEED);
}

static void storm_fork(struct storm *s)
{
	pid_t pid = fork();

	(void)s;
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void storm_msync(struct storm *s)
{
	msync(s->mem, s->len, MS_SYNC);
}

static void storm_soft_dirty(struct storm *s)
{
	(void)s;
	write_text("/proc/self/clear_refs", "4");
}

/* The last page of the huge page is nobody's. */
static void storm_split(struct storm *s)
{
	char *huge = (char *)((uintptr_t)s->mem & ~(VRING_HUGE - 1));

	madvise(huge, VRING_HUGE, MADV_COLLAPSE);
	madvise(huge + VRING_HUGE - 4096, 4096, MADV_DONTNEED);
}

static void storm_numa(struct storm *s)
{
	(void)s;
	write_text("/proc/sys/kernel/numa_balancing", "1");
	usleep(20000);
}

FIXTURE(storm) {
	struct vring_dev d;
	struct storm s;
};

FIXTURE_VARIANT(storm) {
	void (*once)(struct storm *s);
	enum vring_memory kind;
	const char *event;	/* seen by the rings */
	const char *kept;	/* cause that desc and avail must not see */
};

FIXTURE_VARIANT_ADD(storm, mprotect) {
	.once = storm_mprotect, .event = "invalidate_mprotect"
};
FIXTURE_VARIANT_ADD(storm, mprotect_thp) {
	.once = storm_mprotect, .kind = VRING_THP, .event = "invalidate_mprotect"
};
FIXTURE_VARIANT_ADD(storm, dontneed_shmem) {
	.once = storm_dontneed, .kind = VRING_SHMEM, .event = "invalidate_zap"
};
FIXTURE_VARIANT_ADD(storm, fork_cow) {
	.once = storm_fork, .event = "invalidate_fork", .kept = "fork"
};
FIXTURE_VARIANT_ADD(storm, writeback) {
	.once = storm_msync, .kind = VRING_REGULAR, .event = "invalidate_mkclean",
	.kept = "mkclean"
};
FIXTURE_VARIANT_ADD(storm, soft_dirty) {
	.once = storm_soft_dirty, .event = "invalidate_soft_dirty",
	.kept = "soft_dirty"
};
FIXTURE_VARIANT_ADD(storm, split) {
	.once = storm_split, .kind = VRING_THP, .kept = "split"
};
FIXTURE_VARIANT_ADD(storm, numa_hint) {
	.once = storm_numa, .kept = "numa_hint"
};
FIXTURE_VARIANT_ADD(storm, toggle) { .once = storm_toggle };

/*
 * How often the trace says that a subscriber that needs mapped and read, which
 * desc and avail do, was called for the cause, or was not.
 */
static int trace_count(const char *cause, const char *result)
{
	char line[1024], want[2][64];
	FILE *f = fopen(TRACE "trace", "r");
	int n = 0;

	snprintf(want[0], sizeof(want[0]), " cause=%s ", cause);
	snprintf(want[1], sizeof(want[1]), "needs=mapped|read result=%s", result);
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, want[0]) && strstr(line, want[1]) &&
		     strstr(line, "callback=ringmap_invalidate");
	if (f)
		fclose(f);
	return n;
}

static void trace_start(void)
{
	write_text(TRACE "events/mmu_notifier/mmu_notifier_subscriber/enable",
		   "1");
	close(open(TRACE "trace", O_WRONLY | O_TRUNC));
}

/* Whether mm says why it invalidates, and what it keeps. A stock kernel's does not. */
static bool mm_says_why(void)
{
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	return !access(TRACE "events/mmu_notifier", F_OK);
}

static void numa_fast(void)
{
	write_text("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", "10");
	write_text("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
		   "10");
	write_text("/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms",
		   "20");
}

FIXTURE_SETUP(storm)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.memory = vring_map(variant->kind, vring_ring_bytes(&cfg));
	ASSERT_NE(MAP_FAILED, cfg.memory);
	open_and_start(_metadata, &self->d, &cfg, "ringmap");
	self->s = (struct storm){ .d = &self->d, .mem = cfg.memory,
				  .len = vring_ring_bytes(&cfg) };
}

FIXTURE_TEARDOWN(storm)
{
	vring_close(&self->d);
}

TEST_F_TIMEOUT(storm, loses_nothing, PATIENCE)
{
	struct storm_thread t = { &self->s, variant->once };
	bool why = mm_says_why();
	const char *kept = why ? variant->kept : NULL;
	time_t end = time(NULL) + PATIENCE / 2;
	pthread_t thread;
	int ret;

	if (variant->kept)
		numa_fast();
	if (kept)
		trace_start();
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_loop, &t));
	/* Until the memory has changed a hundred times under traffic. */
	do {
		ret = vring_run(&self->d, 2000, NULL);
	} while (!ret && (self->s.rounds < 100 ||
			  (kept && time(NULL) < end && trace_count(kept, "kept") < 20)));
	self->s.stop = true;
	pthread_join(thread, NULL);
	write_text("/proc/sys/kernel/numa_balancing", "0");
	ASSERT_OK(&self->d, ret);

	if (variant->event) {
		EXPECT_GT(vring_stat_sum(&self->d, why ? variant->event : "dropped"), 0);
		EXPECT_GT(vring_stat_sum(&self->d, "dropped"), 0);
	} else if (!variant->kept) {
		/*
		 * Each change of the accessor made it forget. A stock kernel fills only
		 * after another thread has run.
		 */
		EXPECT_GT(vring_stat_sum(&self->d, "fills"), why ? 100 : 0);
	}
	if (kept) {
		EXPECT_GE(trace_count(kept, "kept"), 20);
		EXPECT_EQ(trace_count(kept, "called"), 0);
	}
	/*
	 * And once it is quiet, all is mapped again; after the longest rest where more
	 * invalidations reach the rings, which is 256 looks at the avail index.
	 */
	ASSERT_OK(&self->d, vring_run(&self->d, why ? 1000 : 40000, NULL));
	expect_mapped(_metadata, &self->d, 3000);
}

/* --- memory that is replaced while the rings rest --- */

FIXTURE(replace) {
	struct vring_dev d;
	char *copy;
};

FIXTURE_VARIANT(replace) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(replace, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(replace, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(replace, ringmap) { .accessor = "ringmap" };

FIXTURE_SETUP(replace)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.stall_ms = 3000;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
	ASSERT_OK(&self->d, vring_run(&self->d, 1000, NULL));
	ASSERT_OK(&self->d, vring_idle(&self->d));
	self->copy = malloc(self->d.ring_len);
	ASSERT_NE(NULL, self->copy);
	memcpy(self->copy, self->d.ring_mem, self->d.ring_len);
}

FIXTURE_TEARDOWN(replace)
{
	free(self->copy);
	vring_close(&self->d);
}

TEST_F_TIMEOUT(replace, munmap, PATIENCE)
{
	struct vring_dev *d = &self->d;

	ASSERT_EQ(0, munmap(d->ring_mem, d->ring_len));
	ASSERT_EQ(d->ring_mem, fresh_at(_metadata, d->ring_mem, d->ring_len));
	memcpy(d->ring_mem, self->copy, d->ring_len);
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

TEST_F_TIMEOUT(replace, dontneed, PATIENCE)
{
	struct vring_dev *d = &self->d;

	ASSERT_EQ(0, madvise(d->ring_mem, d->ring_len, MADV_DONTNEED));
	memcpy(d->ring_mem, self->copy, d->ring_len);
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* The pages live on elsewhere, and vhost must leave them alone there. */
TEST_F_TIMEOUT(replace, mremap, PATIENCE)
{
	struct vring_dev *d = &self->d;
	char *moved = fresh_at(_metadata, NULL, d->ring_len);

	ASSERT_EQ(moved, mremap(d->ring_mem, d->ring_len, d->ring_len,
				MREMAP_MAYMOVE | MREMAP_FIXED, moved));
	ASSERT_EQ(d->ring_mem, fresh_at(_metadata, d->ring_mem, d->ring_len));
	memcpy(d->ring_mem, self->copy, d->ring_len);
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	EXPECT_EQ(0, memcmp(moved, self->copy, d->ring_len));
	munmap(moved, d->ring_len);
}

/* What the user made read-only stays as it is, and comes back. */
TEST_F_TIMEOUT(replace, read_only, PATIENCE)
{
	struct vring_dev *d = &self->d;
	size_t before = (char *)d->q[VRING_TX].vring.used - d->ring_mem;
	char *used = d->ring_mem + (before & ~4095UL);
	size_t len = d->ring_mem + d->ring_len - used;
	uint64_t errors = 0;

	ASSERT_EQ(0, mprotect(used, len, PROT_READ));
	ASSERT_OK(d, vring_send(d));
	usleep(300000);
	EXPECT_EQ(0, memcmp(used, self->copy + (used - d->ring_mem), len));
	EXPECT_EQ(8, read(d->q[VRING_TX].err, &errors, sizeof(errors)));
	/* vhost gave up on that buffer; a new start finds the ring again. */
	ASSERT_EQ(0, mprotect(used, len, PROT_READ | PROT_WRITE));
	ASSERT_OK(d, vring_stop(d));
	ASSERT_OK(d, vring_reset_owner(d));
	ASSERT_OK(d, vring_setup(d));
	ASSERT_OK(d, vring_set_accessor(d, variant->accessor));
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* --- races, made certain by holding their windows open --- */

FIXTURE(window) {
	struct vring_dev d;
	long entered;
};

FIXTURE_SETUP(window)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	/* One processor holds the window open, another one races. */
	ASSERT_GE(sysconf(_SC_NPROCESSORS_ONLN), 2);
	cfg.stall_ms = 3000;
	self->entered = read_number(WINDOWS "entered");
	open_and_start(_metadata, &self->d, &cfg, "ringmap");
	ASSERT_OK(&self->d, vring_run(&self->d, 1000, NULL));
	ASSERT_OK(&self->d, vring_idle(&self->d));
}

FIXTURE_TEARDOWN(window)
{
	write_text(WINDOWS "use_ms", "0");
	write_text(WINDOWS "fill_ms", "0");
	vring_close(&self->d);
}

/*
 * The page under a ring is replaced between its lookup and the installation of
 * its address. What was looked up must not be used.
 */
TEST_F_TIMEOUT(window, fill_against_invalidate, PATIENCE)
{
	struct vring_dev *d = &self->d;
	char *fresh = fresh_at(_metadata, NULL, d->ring_len);
	long long raced = vring_stat(d, VRING_TX, "fill_raced");
	int tries = 0;

	/* Forget the mappings; the pages stay. */
	ASSERT_OK(d, vring_set_accessor(d, "uaccess"));
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	ASSERT_GT(write_text(WINDOWS "fill_ms", "300"), 0);
	/* The first access fills; with modules for a stock kernel, a later one. */
	do {
		ASSERT_OK(d, vring_send(d));
	} while (!wait_entered_for(self->entered, 100) && ++tries < 30);
	ASSERT_TRUE(wait_entered(self->entered));
	memcpy(fresh, d->ring_mem, d->ring_len);
	ASSERT_EQ(d->ring_mem, mremap(fresh, d->ring_len, d->ring_len,
				      MREMAP_MAYMOVE | MREMAP_FIXED,
				      d->ring_mem));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	EXPECT_EQ(raced + 1, vring_stat(d, VRING_TX, "fill_raced"));
}

/*
 * The used ring moves away between the lookup of its mapping and the store
 * through it. Once mremap() has returned, no store may arrive there.
 */
TEST_F_TIMEOUT(window, use_against_invalidate, PATIENCE)
{
	struct vring_dev *d = &self->d;
	char *moved = fresh_at(_metadata, NULL, d->ring_len);
	char *copy = malloc(d->ring_len);

	ASSERT_NE(NULL, copy);
	ASSERT_GT(write_text(WINDOWS "use_ms", "300"), 0);
	ASSERT_OK(d, vring_send(d));
	ASSERT_TRUE(wait_entered(self->entered));
	ASSERT_EQ(moved, mremap(d->ring_mem, d->ring_len, d->ring_len,
				MREMAP_MAYMOVE | MREMAP_FIXED, moved));
	memcpy(copy, moved, d->ring_len);
	usleep(600000);
	EXPECT_EQ(0, memcmp(copy, moved, d->ring_len));
	ASSERT_EQ(d->ring_mem, fresh_at(_metadata, d->ring_mem, d->ring_len));
	munmap(moved, d->ring_len);
	free(copy);
}

/* --- reads take no lock: what they load is used only if it is the ring's --- */

/* The descriptor of the packet that is sent; and one, in another page, of none */
#define SENT		255
#define TRAP		1023

/*
 * A read stands where it has the address of a page of the ring, and nothing else, while
 * the page is taken from the ring. Whoever has it next could write there that another
 * frame be sent.
 */
struct stale {
	struct vring_dev d;
	char *page;		/* that the read goes to */
	char *other;		/* no page; where that one may go */
	char *copy;
	uint64_t received, foreign;
	long long raced;
	uint16_t used;
};

FIXTURE(stale) {
	struct stale s;
};

FIXTURE_VARIANT(stale) {
	int part;
};

FIXTURE_VARIANT_ADD(stale, index) { .part = VRING_AVAIL };
FIXTURE_VARIANT_ADD(stale, descriptor) { .part = VRING_DESC };

/* The next packet has this head. */
static void choose_head(struct __test_metadata *_metadata, struct vring_dev *d,
			uint16_t head)
{
	struct vring_queue *q = &d->q[VRING_TX];
	unsigned int last = q->nfree - 1, i = 0;

	while (i < last && q->free[i] != head)
		i++;
	ASSERT_EQ(head, q->free[i]);
	q->free[i] = q->free[last];
	q->free[last] = head;
}

/* A frame that nobody sends, with all but the last step to send it. */
static void lay_trap(struct vring_dev *d)
{
	struct vring *v = &d->q[VRING_TX].vring;
	char *frame = d->buf + d->buf_len - VRING_BUF_SIZE;

	memset(frame, 0, d->hdr_len + 64);
	memset(frame + d->hdr_len, 0xff, 6);
	v->desc[TRAP] = (struct vring_desc){
		(uintptr_t)frame, d->hdr_len + 64, 0, 0
	};
	v->avail->ring[(uint16_t)(d->q[VRING_TX].avail + 1) % v->num] = TRAP;
}

static void move_page(struct __test_metadata *_metadata, char *from, char *to)
{
	ASSERT_EQ(to, mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
}

/* Until so many frames have come. */
static void drain(struct vring_dev *d, uint64_t frames)
{
	uint64_t seen = d->res.received + d->res.foreign;

	for (int i = 0; i < 500; i++) {
		if (vring_reap(d) < 0 ||
		    d->res.received + d->res.foreign == seen + frames)
			break;
		usleep(10000);
	}
}

FIXTURE_SETUP(stale)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct stale *s = &self->s;
	struct vring_dev *d = &s->d;
	const struct vring *v;
	long entered;

	ASSERT_GE(sysconf(_SC_NPROCESSORS_ONLN), 2);
	cfg.num[VRING_TX] = TRAP + 1;
	cfg.min_frame = 64;
	cfg.max_frame = 64;
	cfg.stall_ms = 5000;
	open_and_start(_metadata, d, &cfg, "ringmap");
	/* The last one has a second descriptor, and the next has not. */
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	ASSERT_OK(d, vring_idle(d));
	choose_head(_metadata, d, SENT);
	lay_trap(d);
	v = &d->q[VRING_TX].vring;
	s->page = variant->part == VRING_AVAIL ? (char *)v->avail :
						 (char *)(v->desc + SENT);
	s->page -= (uintptr_t)s->page % PAGE;
	s->other = fresh_at(_metadata, NULL, PAGE);
	s->copy = fresh_at(_metadata, NULL, PAGE);
	s->used = used_idx(d);
	s->received = d->res.received;
	s->foreign = d->res.foreign;
	s->raced = vring_stat(d, VRING_TX, "fallback_raced");

	/* A page that is freed is free at once: no processor has it on a list. */
	write_text("/proc/sys/vm/drop_caches", "1");
	entered = read_number(WINDOWS "entered");
	ASSERT_GT(write_text(WINDOWS "read_ms", "1000"), 0);
	/* Only the address of this page goes, and comes back. */
	move_page(_metadata, s->page, s->other);
	move_page(_metadata, s->other, s->page);
	ASSERT_OK(d, vring_send(d));
	memcpy(s->copy, s->page, PAGE);
	ASSERT_TRUE(wait_entered(entered));
}

FIXTURE_TEARDOWN(stale)
{
	write_text(WINDOWS "read_ms", "0");
	munmap(self->s.other, PAGE);
	vring_close(&self->s.d);
}

/* The page goes elsewhere, where it says that the trap's frame be sent. */
static void move_and_spring(struct __test_metadata *_metadata, struct stale *s, int part)
{
	struct vring *v = &s->d.q[VRING_TX].vring;
	long moved = s->other - s->page;

	move_page(_metadata, s->page, s->other);
	if (part == VRING_AVAIL)
		((struct vring_avail *)((char *)v->avail + moved))->idx++;
	else
		((struct vring_desc *)((char *)v->desc + moved))[SENT].addr =
			v->desc[TRAP].addr;
	move_page(_metadata, s->copy, s->page);
}

/* The packet was sent, and nothing else. */
static void expect_one_packet(struct __test_metadata *_metadata, struct stale *s)
{
	struct vring_dev *d = &s->d;

	EXPECT_TRUE(wait_used(d, s->used + 1));
	drain(d, 1);
	ASSERT_OK(d, vring_idle(d));
	EXPECT_EQ((uint16_t)(s->used + 1), used_idx(d));
	EXPECT_EQ(s->received + 1, d->res.received);
	EXPECT_EQ(s->foreign, d->res.foreign);
	/* The page was taken in time. */
	EXPECT_EQ(s->raced + 1, vring_stat(d, VRING_TX, "fallback_raced"));
}

TEST_F_TIMEOUT(stale, page_moved, PATIENCE)
{
	move_and_spring(_metadata, &self->s, variant->part);
	expect_one_packet(_metadata, &self->s);
	ASSERT_OK(&self->s.d, vring_run(&self->s.d, 1000, NULL));
	expect_mapped(_metadata, &self->s.d, 2000);
}

/* With DEBUG_PAGEALLOC, as in the debug kernel, what is free cannot be read. */
TEST_F_TIMEOUT(stale, page_freed, PATIENCE)
{
	move_page(_metadata, self->s.copy, self->s.page);
	expect_one_packet(_metadata, &self->s);
	ASSERT_OK(&self->s.d, vring_run(&self->s.d, 1000, NULL));
	expect_mapped(_metadata, &self->s.d, 2000);
}

/* The accessor changes meanwhile. From then on nobody tells that the page goes. */
TEST_F_TIMEOUT(stale, region_released, PATIENCE)
{
	struct vring_dev *d = &self->s.d;

	ASSERT_OK(d, vring_set_accessor(d, "uaccess"));
	move_and_spring(_metadata, &self->s, variant->part);
	expect_one_packet(_metadata, &self->s);
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	expect_mapped(_metadata, d, 2000);
}

/* --- sizes and places --- */

/* For tests that open devices themselves. */
FIXTURE(device) {
	int unused;
};

FIXTURE_SETUP(device)
{
	self->unused = 0;
}

FIXTURE_TEARDOWN(device)
{
}

TEST_F_TIMEOUT(device, queue_sizes, PATIENCE)
{
	for (unsigned int num = 1; num <= 32768; num *= 2) {
		struct vring_config cfg = VRING_CONFIG_DEFAULT;
		struct vring_dev d;

		cfg.num[VRING_RX] = num;
		cfg.num[VRING_TX] = num;
		open_and_start(_metadata, &d, &cfg, "ringmap");
		ASSERT_OK(&d, vring_run(&d, num < 500 ? 1000 : num + num / 2,
					NULL));
		expect_mapped(_metadata, &d, 1000);
		vring_close(&d);
	}
}

FIXTURE(unaligned) {
	struct vring_dev d;
};

FIXTURE_VARIANT(unaligned) {
	unsigned int offset[VRING_PARTS];
};

/* Elements that straddle pages, and rings that begin at the end of one. */
FIXTURE_VARIANT_ADD(unaligned, small) { .offset = { 8, 2, 4 } };
FIXTURE_VARIANT_ADD(unaligned, page_end) { .offset = { 4088, 4094, 4092 } };
FIXTURE_VARIANT_ADD(unaligned, middle) { .offset = { 2040, 2046, 2044 } };

FIXTURE_SETUP(unaligned)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.num[VRING_RX] = 1024;
	cfg.num[VRING_TX] = 1024;
	memcpy(cfg.offset, variant->offset, sizeof(cfg.offset));
	open_and_start(_metadata, &self->d, &cfg, "ringmap");
}

FIXTURE_TEARDOWN(unaligned)
{
	vring_close(&self->d);
}

TEST_F_TIMEOUT(unaligned, packets, PATIENCE)
{
	ASSERT_OK(&self->d, vring_run(&self->d, 3000, NULL));
	expect_mapped(_metadata, &self->d, 5000);
}

/* --- errors are those of user access --- */

FIXTURE(bad_address) {
	struct vring_dev d;
	struct vhost_vring_addr addr;
};

FIXTURE_VARIANT(bad_address) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(bad_address, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(bad_address, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(bad_address, ringmap) { .accessor = "ringmap" };

FIXTURE_SETUP(bad_address)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	const struct vring *v;

	ASSERT_OK(&self->d, vring_open(&self->d, &cfg));
	ASSERT_OK(&self->d, vring_set_accessor(&self->d, variant->accessor));
	v = &self->d.q[VRING_TX].vring;
	self->addr = (struct vhost_vring_addr){
		.index = VRING_TX,
		.desc_user_addr = (uintptr_t)v->desc,
		.avail_user_addr = (uintptr_t)v->avail,
		.used_user_addr = (uintptr_t)v->used,
	};
}

FIXTURE_TEARDOWN(bad_address)
{
	vring_close(&self->d);
}

static int set_addr(struct vring_dev *d, struct vhost_vring_addr *a)
{
	return ioctl(d->vdev.fd, VHOST_SET_VRING_ADDR, a) ? errno : 0;
}

static int set_backend(struct vring_dev *d)
{
	struct vhost_vring_file f = { VRING_TX, d->tap };

	return ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &f) ? errno : 0;
}

TEST_F_TIMEOUT(bad_address, same_errors, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vhost_vring_addr a;
	void *hole;

	a = self->addr;
	a.avail_user_addr++;
	EXPECT_EQ(EINVAL, set_addr(d, &a));
	a = self->addr;
	a.used_user_addr += 2;
	EXPECT_EQ(EINVAL, set_addr(d, &a));

	a = self->addr;
	a.used_user_addr = 0xffff888000000000;
	EXPECT_EQ(0, set_addr(d, &a));
	EXPECT_EQ(EFAULT, set_backend(d));

	hole = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, hole);
	a = self->addr;
	a.used_user_addr = (uintptr_t)hole;
	EXPECT_EQ(0, set_addr(d, &a));
	EXPECT_EQ(EFAULT, set_backend(d));

	/* And the right addresses work afterwards. */
	EXPECT_EQ(0, set_addr(d, &self->addr));
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 500, NULL));
	munmap(hole, 65536);
}

/* Whoever looks at these pages waits until each is given. */
static int await(struct __test_metadata *_metadata, char *pages, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		{ (uintptr_t)pages, len }, UFFDIO_REGISTER_MODE_MISSING, 0,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	EXPECT_GE(uffd, 0);
	EXPECT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	EXPECT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	return uffd;
}

/*
 * A driver that makes descriptors available faster than it may: whenever vhost stands
 * at the last one, as many again. vhost then uses more of them at once than the ring
 * has entries, and writes beyond it. That harms the driver alone, and each accessor
 * writes to the same place.
 */
TEST_F_TIMEOUT(bad_address, more_than_the_ring, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_used_elem *beyond;
	char *pages, *packet, *end;
	struct vring *v;
	struct vring_dev d;
	size_t len;
	int uffd;

	cfg.num[VRING_TX] = 16;
	/* The used ring of 16 ends where its page does. */
	cfg.offset[VRING_USED] = 4096 - 136;
	len = vring_ring_bytes(&cfg);
	cfg.memory = vring_map(VRING_ANON, len + 4096);
	ASSERT_NE(MAP_FAILED, cfg.memory);
	memset(cfg.memory, 0, len + 4096);
	/* The frame that follows the ring's is not of the page that follows it. */
	end = (char *)cfg.memory + len;
	for (int i = 0; frame_of(end) == frame_of(end - 4096) + 1; i++) {
		void *kept = fresh_at(_metadata, NULL, 4096);

		ASSERT_LT(i, 10);
		ASSERT_EQ(kept, mremap(end, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, kept));
		fresh_at(_metadata, end, 4096);
		memset(end, 0, 4096);
	}
	open_and_start(_metadata, &d, &cfg, variant->accessor);
	memset(end, 0xff, 4096);
	pages = d.buf + cfg.num[VRING_RX] * VRING_BUF_SIZE;
	packet = pages + 4 * 4096;
	memset(packet + d.hdr_len, 0xff, 64);
	uffd = await(_metadata, pages, 4 * 4096);
	v = &d.q[VRING_TX].vring;
	v->desc[0] = (struct vring_desc){ (uintptr_t)packet, d.hdr_len + 64, 0, 0 };
	for (int i = 0; i < 4; i++)
		v->desc[12 + i] = (struct vring_desc){
			(uintptr_t)pages + 4096 * i, d.hdr_len + 64, 0, 0
		};
	v->avail->ring[15] = 12;
	store(&v->avail->idx, 16);
	kick_tx(&d);
	for (int i = 0; i < 4; i++) {
		struct uffdio_copy copy = {
			(uintptr_t)pages + 4096 * i, (uintptr_t)packet, 4096, 0, 0
		};
		struct pollfd p = { uffd, POLLIN, 0 };
		struct uffd_msg msg;

		ASSERT_EQ(1, poll(&p, 1, 10000));
		ASSERT_EQ((ssize_t)sizeof(msg), read(uffd, &msg, sizeof(msg)));
		ASSERT_EQ(copy.dst, msg.arg.pagefault.address & -4096UL);
		if (i < 3) {
			v->avail->ring[15] = 12 + i + 1;
			store(&v->avail->idx, 16 * (i + 2));
		}
		ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
	}
	ASSERT_TRUE(wait_used(&d, 64));
	/* 16 of the 64 went up to the ring's end, and 48 from its start on. */
	beyond = v->used->ring;
	for (unsigned int i = 0; i < 48; i++) {
		/* Where avail_event is, vhost asks for a kick after that. */
		if (i != 16)
			EXPECT_EQ(i % 16 == 15 ? 13 + i / 16 : 0, beyond[i].id);
	}
	EXPECT_EQ(~0U, beyond[48].id);
	/* It still answers, and another device works. */
	ASSERT_OK(&d, vring_set_accessor(&d, "uaccess"));
	vring_close(&d);
	close(uffd);
	ASSERT_OK(&self->d, vring_start(&self->d));
	ASSERT_OK(&self->d, vring_run(&self->d, 500, NULL));
}

/* --- one section under the map lock publishes --- */

/* Whoever waits for each packet: used element, index and request for a kick in one. */
TEST_F_TIMEOUT(device, sections_lone, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	const long long packets = 2000;
	long long sections;
	struct vring_dev d;

	cfg.window = 1;
	open_and_start(_metadata, &d, &cfg, "ringmap");
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	sections = vring_stat(&d, VRING_TX, "sections");
	ASSERT_OK(&d, vring_run(&d, packets, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	sections = vring_stat(&d, VRING_TX, "sections") - sections;
	EXPECT_GE(sections, packets);
	EXPECT_LE(sections * 10, packets * 11);
	vring_close(&d);
}

/* Packets that are all there before the first is taken: 64 of them in one. */
TEST_F_TIMEOUT(device, sections_batch, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	const long long packets = 2048;
	long long sections;
	struct vring_dev d;
	uint16_t used;
	int kick;

	cfg.sink = true;
	cfg.num[VRING_TX] = 4096;
	open_and_start(_metadata, &d, &cfg, "ringmap");
	ASSERT_OK(&d, vring_run(&d, 5000, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	used = used_idx(&d);
	sections = vring_stat(&d, VRING_TX, "sections");
	kick = d.q[VRING_TX].kick;
	d.q[VRING_TX].kick = -1;
	for (int i = 0; i < packets; i++)
		ASSERT_OK(&d, vring_send(&d));
	d.q[VRING_TX].kick = kick;
	kick_tx(&d);
	ASSERT_TRUE(wait_used(&d, used + packets));
	ASSERT_OK(&d, vring_idle(&d));
	sections = vring_stat(&d, VRING_TX, "sections") - sections;
	EXPECT_GE(sections * 64, packets);
	EXPECT_LE(sections * 64 * 10, packets * 11);
	vring_close(&d);
}

/* --- the life of a device --- */

TEST_F_TIMEOUT(device, owner_reset, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev d;

	open_and_start(_metadata, &d, &cfg, "ringmap");
	for (int i = 0; i < 3; i++) {
		ASSERT_OK(&d, vring_run(&d, 500, NULL));
		ASSERT_OK(&d, vring_reset_owner(&d));
		ASSERT_OK(&d, vring_setup(&d));
		ASSERT_OK(&d, vring_set_accessor(&d, "ringmap"));
		ASSERT_OK(&d, vring_start(&d));
	}
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	expect_mapped(_metadata, &d, 1000);
	vring_close(&d);
}

TEST_F_TIMEOUT(device, killed_in_the_middle, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev d;
	int report[2], status, i;
	char dir[96] = "";
	pid_t pid;

	ASSERT_EQ(0, pipe(report));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (vring_open(&d, &cfg) || vring_set_accessor(&d, "ringmap") ||
		    vring_start(&d) || vring_run(&d, 100, NULL) ||
		    write(report[1], d.vdev.debugfs, sizeof(dir)) < 0)
			_exit(1);
		while (!vring_run(&d, 100000, NULL))
			;
		_exit(1);
	}
	ASSERT_EQ((ssize_t)sizeof(dir), read(report[0], dir, sizeof(dir)));
	EXPECT_EQ(0, access(dir, F_OK));
	usleep(50000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	for (i = 0; i < 5000 && !access(dir, F_OK); i++)
		usleep(1000);
	EXPECT_NE(0, access(dir, F_OK));
}

/* Until the worker has done what it was told: an address that is no base flushes it. */
static void flush(struct vring_dev *d)
{
	ioctl(d->vdev.fd, VHOST_SET_LOG_BASE, NULL);
}

/*
 * Packets wait in the TAP, and there is no buffer for them. Each time that the handler
 * runs it asks the driver for a kick, and that is all that it writes.
 */
TEST_F_TIMEOUT(device, rx_without_buffers, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	const int attempts = 200;
	struct vring_queue *rx;
	long long sections;
	uint64_t one = 1;
	struct vring_dev d;

	cfg.inject = true;
	cfg.num[VRING_RX] = 16;
	open_and_start(_metadata, &d, &cfg, "ringmap");
	ASSERT_OK(&d, vring_run(&d, 1000, NULL));
	rx = &d.q[VRING_RX];
	for (unsigned int i = 0; i < cfg.num[VRING_RX] + 4; i++)
		ASSERT_OK(&d, vring_send(&d));
	flush(&d);
	ASSERT_EQ((uint16_t)(rx->last_used + cfg.num[VRING_RX]),
		  load(&rx->vring.used->idx));

	sections = vring_stat(&d, VRING_RX, "sections");
	for (int i = 0; i < attempts; i++) {
		ASSERT_EQ((ssize_t)sizeof(one), write(rx->kick, &one, sizeof(one)));
		flush(&d);
		ASSERT_EQ(rx->avail, load(&vring_avail_event(&rx->vring)));
	}
	sections = vring_stat(&d, VRING_RX, "sections") - sections;
	EXPECT_GE(sections, attempts);
	EXPECT_LE(sections, attempts * 11 / 10);
	/* Then there are buffers, and nothing was lost. */
	ASSERT_OK(&d, vring_run(&d, 1000, NULL));
	vring_close(&d);
}

/* Bytes of an RX buffer, of which a frame needs this many. */
#define CRUMB		2U
#define CRUMBS		((VRING_MAX_FRAME + 12) / CRUMB)

/* The sections of one frame in buffers so small that vhost publishes all at once. */
static long long sections_of_crumbs(struct __test_metadata *_metadata,
				    struct vring_dev *d)
{
	struct vring_queue *rx = &d->q[VRING_RX];
	struct vring *v = &rx->vring;
	long long sections = vring_stat(d, VRING_RX, "sections");
	uint16_t mask = v->num - 1, from = rx->avail;

	for (unsigned int i = 0; i < CRUMBS; i++, rx->avail++) {
		v->desc[rx->avail & mask] = (struct vring_desc){
			(uintptr_t)d->buf + CRUMB * i, CRUMB, VRING_DESC_F_WRITE, 0
		};
		v->avail->ring[rx->avail & mask] = rx->avail & mask;
	}
	store(&v->avail->idx, rx->avail);
	ASSERT_OK(d, vring_send(d));
	flush(d);
	ASSERT_EQ(rx->avail, load(&v->used->idx));
	for (uint16_t i = from; i != rx->avail; i++) {
		ASSERT_EQ((uint32_t)i & mask, v->used->ring[i & mask].id);
		ASSERT_EQ(CRUMB, v->used->ring[i & mask].len);
	}
	EXPECT_EQ(CRUMBS, ((struct virtio_net_hdr_mrg_rxbuf *)d->buf)->num_buffers);
	return vring_stat(d, VRING_RX, "sections") - sections;
}

/*
 * Used elements are written up to 64 in a section, so that an invalidation waits for
 * no more. That holds where their pages have to be looked up, too.
 */
TEST_F_TIMEOUT(device, sections_without_mapping, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev dev, *d = &dev;
	struct storm s = { .d = d };
	long long fills, mapped, unmapped;

	cfg.inject = true;
	cfg.mergeable = true;
	cfg.num[VRING_RX] = 1024;
	cfg.min_frame = VRING_MAX_FRAME;
	cfg.max_frame = VRING_MAX_FRAME;
	ASSERT_OK(d, vring_open(d, &cfg));
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	/* The library's buffers are too large. */
	d->q[VRING_RX].nfree = 0;
	ASSERT_OK(d, vring_start(d));
	for (int i = 0; i < 4; i++)
		sections_of_crumbs(_metadata, d);
	mapped = sections_of_crumbs(_metadata, d);
	EXPECT_GE(mapped, (CRUMBS + 63) / 64);
	fills = vring_stat(d, VRING_RX, "fills");
	s.mem = d->q[VRING_RX].vring.used;
	s.len = page_up(vdev_part_bytes(cfg.num[VRING_RX], VRING_USED));
	storm_mprotect(&s);
	unmapped = sections_of_crumbs(_metadata, d);
	EXPECT_GT(vring_stat(d, VRING_RX, "fills"), fills);
	/* The handler may have had a turn more or less, for nothing. */
	EXPECT_GE(unmapped + 2, mapped);
	vring_close(d);
}

/* --- buffers that are available, and not taken yet --- */

#define BATCH	8
#define BAD	2

FIXTURE(ahead) {
	struct vring_dev d;
	uint16_t base, used;
};

static struct vring_desc *tx_desc(struct vring_dev *d, uint16_t avail)
{
	struct vring *v = &d->q[VRING_TX].vring;

	return &v->desc[v->avail->ring[avail & (v->num - 1)]];
}

/* Now it can be sent. */
static void mend(struct vring_dev *d, uint16_t avail)
{
	tx_desc(d, avail)->flags = 0;
}

/*
 * Eight packets are published at once, and the chain of the third leads out of the table:
 * vhost sees all of them, sends two, and gives up.
 */
FIXTURE_SETUP(ahead)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	int kick;

	open_and_start(_metadata, d, &cfg, "ringmap");
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	ASSERT_OK(d, vring_idle(d));
	ASSERT_OK(d, vring_stop(d));
	self->base = d->q[VRING_TX].avail;
	self->used = used_idx(d);
	/* No kick: the handler might get to it only after the start. */
	kick = d->q[VRING_TX].kick;
	d->q[VRING_TX].kick = -1;
	for (int i = 0; i < BATCH; i++)
		ASSERT_OK(d, vring_send(d));
	d->q[VRING_TX].kick = kick;
	tx_desc(d, self->base + BAD)->flags = VRING_DESC_F_NEXT;
	tx_desc(d, self->base + BAD)->next = d->q[VRING_TX].vring.num;
	/* That the TAP can be written runs the handler, once. */
	ASSERT_OK(d, vring_start(d));
	ASSERT_TRUE(wait_used(d, self->used + BAD));
	usleep(100000);
	ASSERT_TRUE(wait_used(d, self->used + BAD));
}

FIXTURE_TEARDOWN(ahead)
{
	vring_close(&self->d);
}

/*
 * The driver takes back what was not used while the device is stopped, and
 * makes other packets available in its place.
 */
TEST_F_TIMEOUT(ahead, restart, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vhost_vring_state s = { .index = VRING_TX };
	/* The buffer of the one that was not sent. */
	char *other = (char *)(uintptr_t)tx_desc(d, self->base + BAD)->addr;
	uint64_t received = d->res.received, foreign = d->res.foreign;

	ASSERT_OK(d, vring_stop(d));
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_GET_VRING_BASE, &s));
	EXPECT_EQ((uint16_t)(self->base + BAD), s.num);
	memset(other, 0, d->hdr_len + 64);
	memset(other + d->hdr_len, 0xff, 6);
	for (int i = BAD; i < BATCH; i++)
		*tx_desc(d, self->base + i) = (struct vring_desc){
			(uintptr_t)other, d->hdr_len + 64, 0, 0
		};
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_SET_VRING_BASE, &s));
	ASSERT_OK(d, vring_start(d));
	kick_tx(d);
	ASSERT_TRUE(wait_used(d, self->used + BATCH));
	drain(d, BATCH);
	EXPECT_EQ(received + BAD, d->res.received);
	EXPECT_EQ(foreign + BATCH - BAD, d->res.foreign);
}

/* The accessor changes there and back; the packets are still to be sent. */
TEST_F_TIMEOUT(ahead, toggle, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint64_t received = d->res.received;

	ASSERT_OK(d, vring_set_accessor(d, "checked"));
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	mend(d, self->base + BAD);
	kick_tx(d);
	ASSERT_TRUE(wait_used(d, self->used + BATCH));
	drain(d, BATCH);
	EXPECT_EQ(received + BATCH, d->res.received);
}

/*
 * The queue is left with buffers available, and consumes a whole round of the index by
 * user access. The index then looks as it did before, and the buffers are others.
 */
TEST_F_TIMEOUT(ahead, wrap, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint16_t first = self->base;
	uint64_t errors;

	ASSERT_OK(d, vring_set_accessor(d, "uaccess"));
	mend(d, first + BAD);
	kick_tx(d);
	ASSERT_TRUE(wait_used(d, self->used + BATCH));
	drain(d, BATCH);
	/* What was wrong with the third */
	ASSERT_EQ(8, read(d->q[VRING_TX].err, &errors, sizeof(errors)));
	ASSERT_OK(d, vring_run(d, (uint16_t)(first + BAD - d->q[VRING_TX].avail), NULL));
	ASSERT_EQ((uint16_t)(first + BAD), d->q[VRING_TX].avail);
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* --- a chain that vhost cannot translate at first --- */

#define LATE_PAGES	2
#define FRAME		64

FIXTURE(mended) {
	struct vring_dev d;
	char *late;		/* pages that vhost finds later, one by one */
};

FIXTURE_VARIANT(mended) {
	const char *before, *between;
	bool iotlb;
	bool second;		/* the chain fails at its second descriptor */
};

#define MENDED(first, other, name, ...)					\
	FIXTURE_VARIANT_ADD(mended, first ## _ ## other ## _ ## name) {	\
		.before = #first, .between = #other, __VA_ARGS__	\
	}
MENDED(ringmap, uaccess, table);
MENDED(ringmap, checked, table);
MENDED(ringmap, ringmap, table);
MENDED(uaccess, ringmap, table);
MENDED(checked, ringmap, table);
MENDED(ringmap, uaccess, second, .second = true);
MENDED(ringmap, ringmap, second, .second = true);
MENDED(uaccess, ringmap, second, .second = true);
MENDED(checked, ringmap, second, .second = true);
MENDED(ringmap, uaccess, iotlb, .iotlb = true);
MENDED(ringmap, ringmap, iotlb, .iotlb = true);
MENDED(uaccess, ringmap, iotlb, .iotlb = true);
MENDED(ringmap, uaccess, iotlb_second, .iotlb = true, .second = true);

FIXTURE_SETUP(mended)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.iotlb = variant->iotlb;
	self->late = fresh_at(_metadata, NULL, LATE_PAGES * 4096);
	open_and_start(_metadata, &self->d, &cfg, variant->before);
	ASSERT_OK(&self->d, vring_run(&self->d, 500, NULL));
	ASSERT_OK(&self->d, vring_idle(&self->d));
}

FIXTURE_TEARDOWN(mended)
{
	vring_close(&self->d);
	munmap(self->late, LATE_PAGES * 4096);
}

/* A header and a frame of one byte, which is broadcast. */
static struct vring_desc tagged_frame(struct vring_dev *d, char *at, char tag)
{
	memset(at, 0, d->hdr_len);
	memset(at + d->hdr_len, tag, FRAME);
	memset(at + d->hdr_len, 0xff, 6);
	return (struct vring_desc){
		(uintptr_t)at + (d->cfg.iotlb ? VDEV_IOVA_BASE : 0),
		d->hdr_len + FRAME, 0, 0
	};
}

/* vhost has tried a chain, could not translate @p, and does nothing now. */
static void wait_untranslated(struct __test_metadata *_metadata, struct vring_dev *d,
			      const char *p)
{
	struct vhost_vring_state s = { .index = VRING_TX };
	struct pollfd failed = {
		d->cfg.iotlb ? d->vdev.fd : d->q[VRING_TX].err, POLLIN, 0
	};
	uint64_t what;

	ASSERT_EQ(1, poll(&failed, 1, 10000));
	if (d->cfg.iotlb) {
		ASSERT_TRUE(vdev_next_miss(&d->vdev, &what));
		ASSERT_EQ((uintptr_t)p + VDEV_IOVA_BASE, what);
	} else {
		ASSERT_EQ((ssize_t)sizeof(what), read(failed.fd, &what, sizeof(what)));
	}
	/* The handler holds the queue's mutex. */
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_GET_VRING_BASE, &s));
}

/* Let vhost translate the first @n late pages, and try again. */
static void translate_late(struct __test_metadata *_metadata, struct vring_dev *d,
			   char *late, unsigned int n)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[3];
	} t = {
		.m.nregions = 3,
		.r = {
			{ (uintptr_t)d->ring_mem, d->ring_len, (uintptr_t)d->ring_mem, 0 },
			{ (uintptr_t)d->buf, d->buf_len, (uintptr_t)d->buf, 0 },
			{ (uintptr_t)late, n * 4096, (uintptr_t)late, 0 },
		},
	};

	if (d->cfg.iotlb)
		ASSERT_OK(d, vring_iotlb_update(d, late + (n - 1) * 4096, 4096));
	else
		ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_SET_MEM_TABLE, &t));
	kick_tx(d);
}

/*
 * Three frames are published at once. The first is a chain, which fails at one of its
 * descriptors and is then sent by another accessor. The second fails, and is sent by
 * the first accessor again: it must not get what was left of the chain.
 */
TEST_F_TIMEOUT(mended, by_another_accessor, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring *tx = &d->q[VRING_TX].vring, *rx = &d->q[VRING_RX].vring;
	char *data = d->buf + d->cfg.num[VRING_RX] * VRING_BUF_SIZE;
	uint16_t received = d->q[VRING_RX].last_used, used = used_idx(d);
	static const uint16_t heads[] = { 0, 2, 3 };
	static const char tags[] = { 'A', 'B', 'C' };
	const char *got;

	tx->desc[0] = tagged_frame(d, variant->second ? data : self->late, 'A');
	tx->desc[0].flags = VRING_DESC_F_NEXT;
	tx->desc[0].next = 1;
	tx->desc[1] = tagged_frame(d, variant->second ? self->late : data, 'a');
	tx->desc[2] = tagged_frame(d, self->late + 4096, 'B');
	tx->desc[3] = tagged_frame(d, data + VRING_BUF_SIZE, 'C');
	for (int i = 0; i < 3; i++)
		tx->avail->ring[(used + i) & (tx->num - 1)] = heads[i];
	store(&tx->avail->idx, used + 3);
	kick_tx(d);
	wait_untranslated(_metadata, d, self->late);
	/* What the first try had not mapped yet is mapped in the second. */
	kick_tx(d);
	wait_untranslated(_metadata, d, self->late);
	EXPECT_EQ(used, used_idx(d));

	ASSERT_OK(d, vring_set_accessor(d, variant->between));
	translate_late(_metadata, d, self->late, 1);
	ASSERT_TRUE(wait_used(d, used + 1));
	wait_untranslated(_metadata, d, self->late + 4096);

	ASSERT_OK(d, vring_set_accessor(d, variant->before));
	translate_late(_metadata, d, self->late, 2);
	ASSERT_TRUE(wait_used(d, used + 3));
	for (int i = 0; i < 3; i++) {
		unsigned int slot = (received + i) & (rx->num - 1);

		EXPECT_EQ(heads[i], tx->used->ring[(used + i) & (tx->num - 1)].id);
		for (int ms = 0; ms < 5000 &&
		     load(&rx->used->idx) == (uint16_t)(received + i); ms++)
			usleep(1000);
		ASSERT_NE((uint16_t)(received + i), load(&rx->used->idx));
		EXPECT_EQ(d->hdr_len + FRAME + (i ? 0 : d->hdr_len + FRAME),
			  rx->used->ring[slot].len);
		got = d->buf + rx->used->ring[slot].id * VRING_BUF_SIZE;
		EXPECT_EQ(tags[i], got[d->hdr_len + FRAME - 1]);
		if (!i)
			EXPECT_EQ('a', got[2 * (d->hdr_len + FRAME) - 1]);
	}
}

/* --- device IOTLB --- */

FIXTURE(iotlb) {
	struct vring_dev d;
};

FIXTURE_VARIANT(iotlb) {
	const char *accessor;
	unsigned int busyloop_us;
};

FIXTURE_VARIANT_ADD(iotlb, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(iotlb, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(iotlb, ringmap) { .accessor = "ringmap" };
FIXTURE_VARIANT_ADD(iotlb, busy_poll) {
	.accessor = "ringmap", .busyloop_us = 200
};

FIXTURE_SETUP(iotlb)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.iotlb = true;
	cfg.busyloop_us = variant->busyloop_us;
	cfg.stall_ms = 5000;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
	ASSERT_OK(&self->d, vring_run(&self->d, 1000, NULL));
}

FIXTURE_TEARDOWN(iotlb)
{
	write_text(WINDOWS "handler_ms", "0");
	vring_close(&self->d);
}

static void storm_iotlb(struct storm *s)
{
	struct vring_dev mine;

	/* The error text is the traffic thread's, which also answers misses. */
	memcpy(&mine, s->d, sizeof(mine));
	vring_iotlb_invalidate(&mine, mine.ring_mem, mine.ring_len);
	usleep(100);
	vring_iotlb_invalidate(&mine, mine.buf, mine.buf_len);
}

TEST_F_TIMEOUT(iotlb, storm, PATIENCE)
{
	struct storm s = { .d = &self->d };
	struct storm_thread t = { &s, storm_iotlb };
	pthread_t thread;
	int ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_loop, &t));
	do {
		ret = vring_run(&self->d, 2000, NULL);
	} while (!ret && s.rounds < 200);
	s.stop = true;
	pthread_join(thread, NULL);
	ASSERT_OK(&self->d, ret);
	ASSERT_OK(&self->d, vring_run(&self->d, 1000, NULL));
	if (!strcmp(variant->accessor, "ringmap"))
		expect_mapped(_metadata, &self->d, 3000);
}

/*
 * The rings' IOVA is given other memory, with the same content. From when the
 * message was taken, vhost uses only that.
 */
TEST_F_TIMEOUT(iotlb, moves, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vhost_msg msg = { .type = VHOST_IOTLB_MSG };
	char *other = fresh_at(_metadata, NULL, d->ring_len);
	uint64_t iova = (uintptr_t)d->ring_mem + (1UL << 40);

	ASSERT_OK(d, vring_idle(d));
	memcpy(other, d->ring_mem, d->ring_len);
	msg.iotlb = (struct vhost_iotlb_msg){
		.iova = iova, .size = d->ring_len, .type = VHOST_IOTLB_INVALIDATE,
	};
	ASSERT_EQ((ssize_t)sizeof(msg), write(d->vdev.fd, &msg, sizeof(msg)));
	msg.iotlb.type = VHOST_IOTLB_UPDATE;
	msg.iotlb.perm = VHOST_ACCESS_RW;
	msg.iotlb.uaddr = (uintptr_t)other;
	ASSERT_EQ((ssize_t)sizeof(msg), write(d->vdev.fd, &msg, sizeof(msg)));
	/* The driver goes on there, too. What was there before stays as it is. */
	for (int q = 0; q < VRING_QUEUES; q++) {
		struct vring *v = &d->q[q].vring;

		v->desc = (void *)(other + ((char *)v->desc - d->ring_mem));
		v->avail = (void *)(other + ((char *)v->avail - d->ring_mem));
		v->used = (void *)(other + ((char *)v->used - d->ring_mem));
	}
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	munmap(other, d->ring_len);
}

/*
 * Messages about the buffers, and one that says of the rings what vhost knows: each
 * leaves the rings where they are, and so no page of them is looked up again.
 */
TEST_F_TIMEOUT(iotlb, rings_stay, PATIENCE)
{
	struct vring_dev *d = &self->d;
	long long fills, mapped, fallback;
	const int rounds = 10, packets = 100;

	/* A queue that found no page at first rests, and looks again later. */
	do {
		fallback = vring_stat_sum(d, "fallback");
		mapped = vring_stat_sum(d, "mapped");
		ASSERT_OK(d, vring_run(d, packets, NULL));
	} while (!strcmp(variant->accessor, "ringmap") &&
		 (fallback != vring_stat_sum(d, "fallback") ||
		  mapped + packets > vring_stat_sum(d, "mapped")));
	ASSERT_OK(d, vring_idle(d));
	fills = vring_stat_sum(d, "fills");
	mapped = vring_stat_sum(d, "mapped");
	fallback = vring_stat_sum(d, "fallback");
	for (int i = 0; i < rounds; i++) {
		ASSERT_OK(d, vring_iotlb_invalidate(d, d->buf, d->buf_len));
		ASSERT_OK(d, vring_run(d, packets, NULL));
		ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
		ASSERT_OK(d, vring_run(d, packets, NULL));
		ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
		ASSERT_OK(d, vring_run(d, packets, NULL));
	}
	EXPECT_EQ(fills, vring_stat_sum(d, "fills"));
	if (strcmp(variant->accessor, "ringmap"))
		return;
	mapped = vring_stat_sum(d, "mapped") - mapped;
	fallback = vring_stat_sum(d, "fallback") - fallback;
	EXPECT_GE(mapped, 3LL * rounds * packets);
	EXPECT_LE(fallback * 99, mapped);
}

/* One ring is given other memory, with the same content; the others stay. */
TEST_F_TIMEOUT(iotlb, one_ring_moves, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring *v = &d->q[VRING_TX].vring;
	char *old = (char *)v->used, *fresh = fresh_at(_metadata, NULL, 4096);
	char *after = old + 4096, copy[4096];

	/* It has a page to itself. */
	ASSERT_EQ(0UL, (uintptr_t)old & 4095);
	ASSERT_GE(4096UL, vdev_part_bytes(v->num, VRING_USED));
	ASSERT_OK(d, vring_idle(d));
	memcpy(fresh, old, 4096);
	memcpy(copy, old, 4096);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, old - d->ring_mem));
	ASSERT_EQ(0, vdev_iotlb(&d->vdev, (uintptr_t)old + VDEV_IOVA_BASE, fresh, 4096,
				VHOST_IOTLB_UPDATE));
	if (after < d->ring_mem + d->ring_len)
		ASSERT_OK(d, vring_iotlb_update(d, after,
						d->ring_mem + d->ring_len - after));
	v->used = (void *)fresh;
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	EXPECT_EQ(0, memcmp(copy, old, 4096));
	if (!strcmp(variant->accessor, "ringmap"))
		expect_mapped(_metadata, d, 1000);
	munmap(fresh, 4096);
}

/*
 * The TX handler stands between taking buffers and using them. A change of the
 * device IOTLB must wait until it is done: it holds every queue's mutex.
 */
TEST_F_TIMEOUT(iotlb, waits_for_every_queue, PATIENCE)
{
	struct vring_dev *d = &self->d;
	long entered = read_number(WINDOWS "entered");
	uint16_t used;

	if (strcmp(variant->accessor, "ringmap") || variant->busyloop_us)
		return;	/* the window is in the ringmap path */
	ASSERT_OK(d, vring_idle(d));
	used = used_idx(d);
	ASSERT_GT(write_text(WINDOWS "handler_ms", "500"), 0);
	ASSERT_OK(d, vring_send(d));
	ASSERT_TRUE(wait_entered(entered));
	EXPECT_EQ(used, used_idx(d));
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->buf, d->buf_len));
	EXPECT_EQ((uint16_t)(used + 1), used_idx(d));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* --- device IOTLB: who answers late, wrongly or never --- */

static uint64_t iova_of(const void *p)
{
	return (uintptr_t)p + VDEV_IOVA_BASE;
}

/* vhost has a miss to tell. */
static bool wait_miss(struct vring_dev *d)
{
	struct pollfd p = { d->vdev.fd, POLLIN, 0 };

	return poll(&p, 1, 10000) == 1;
}

/* The next miss; 0, where nothing is, if there is none for long. */
static uint64_t next_miss(struct vring_dev *d)
{
	uint64_t iova = 0;

	if (wait_miss(d))
		vdev_next_miss(&d->vdev, &iova);
	return iova;
}

/* The next miss but RX's of its rings: RX looks for reasons of its own. */
static uint64_t next_miss_of_tx(struct vring_dev *d)
{
	const struct vring *rx = &d->q[VRING_RX].vring;
	uint64_t iova;

	do
		iova = next_miss(d);
	while (iova == iova_of(rx->desc) || iova == iova_of(rx->avail) ||
	       iova == iova_of(rx->used));
	return iova;
}

static void forget_misses(struct vring_dev *d)
{
	uint64_t iova;

	while (vdev_next_miss(&d->vdev, &iova))
		;
}

/* vhost is at rest and finds none of the buffers. Then a packet is sent. */
static void send_untranslated(struct __test_metadata *_metadata, struct vring_dev *d)
{
	ASSERT_OK(d, vring_idle(d));
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->buf, d->buf_len));
	ASSERT_OK(d, vring_send(d));
}

/* The owner reads no miss. Each queue has one for it, however often it looked. */
TEST_F_TIMEOUT(iotlb, unread_misses, PATIENCE)
{
	struct vring_dev *d = &self->d;
	unsigned int asked[VRING_QUEUES] = {}, others = 0;
	uint64_t iova;

	ASSERT_OK(d, vring_idle(d));
	forget_misses(d);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	for (int i = 0; i < 500; i++)
		for (int q = 0; q < VRING_QUEUES; q++)
			ASSERT_EQ(0, vdev_look(&d->vdev, q, d->q[q].kick));
	while (vdev_next_miss(&d->vdev, &iova)) {
		bool known = false;

		for (int q = 0; q < VRING_QUEUES; q++)
			if (iova == iova_of(d->q[q].vring.desc)) {
				asked[q]++;
				known = true;
			}
		others += !known;
	}
	for (int q = 0; q < VRING_QUEUES; q++)
		EXPECT_EQ(1U, asked[q]);
	EXPECT_EQ(0U, others);
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* Let vhost find [@p, @p + @len) in its device IOTLB, to read it only. */
static void permit_reading(struct __test_metadata *_metadata, struct vring_dev *d, void *p,
			   size_t len)
{
	struct vhost_msg readable = {
		.type = VHOST_IOTLB_MSG,
		.iotlb = {
			.iova = iova_of(p), .size = len, .uaddr = (uintptr_t)p,
			.perm = VHOST_ACCESS_RO, .type = VHOST_IOTLB_UPDATE,
		},
	};

	ASSERT_EQ((ssize_t)sizeof(readable), write(d->vdev.fd, &readable, sizeof(readable)));
}

/*
 * vhost may read its rings and not write them. It asks for that too. An answer that permits
 * no more does not wake it; one that does is used, although the other entry stays.
 */
TEST_F_TIMEOUT(iotlb, rings_for_reading, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint64_t used_ring = iova_of(d->q[VRING_TX].vring.used), iova;
	uint16_t used;

	ASSERT_OK(d, vring_idle(d));
	forget_misses(d);
	used = used_idx(d);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	permit_reading(_metadata, d, d->ring_mem, d->ring_len);
	ASSERT_OK(d, vring_send(d));
	EXPECT_EQ(used_ring, next_miss_of_tx(d));
	permit_reading(_metadata, d, d->ring_mem, d->ring_len);
	/* What TX was woken for is done when RX has looked. */
	ASSERT_EQ(0, vdev_look(&d->vdev, VRING_RX, d->q[VRING_RX].kick));
	while (vdev_next_miss(&d->vdev, &iova))
		EXPECT_NE(used_ring, iova);
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	EXPECT_TRUE(wait_used(d, used + 1));
	EXPECT_FALSE(vdev_next_miss(&d->vdev, &iova)) {
		TH_LOG("vhost asks for IOVA %#llx again", (unsigned long long)iova);
	}
	ASSERT_OK(d, vring_idle(d));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* As for rings: vhost may read the buffers and not write them. That is no error. */
TEST_F_TIMEOUT(iotlb, buffers_for_reading, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint64_t missed, errors;

	ASSERT_OK(d, vring_idle(d));
	forget_misses(d);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->buf, d->buf_len));
	permit_reading(_metadata, d, d->buf, d->buf_len);
	ASSERT_OK(d, vring_send(d));
	missed = next_miss(d);
	EXPECT_GE(missed, iova_of(d->buf));
	EXPECT_LT(missed, iova_of(d->buf + d->cfg.num[VRING_RX] * VRING_BUF_SIZE));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	ASSERT_OK(d, vring_idle(d));
	EXPECT_EQ(-1, read(d->q[VRING_RX].err, &errors, sizeof(errors)));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* KiB of kernel memory that is not a cache */
static long kernel_memory(void)
{
	char text[4096], *at;

	read_text("/proc/meminfo", text, sizeof(text));
	at = strstr(text, "SUnreclaim:");
	return at ? atol(at + strlen("SUnreclaim:")) : 0;
}

/*
 * The owner reads each miss and answers none. It is told again whenever vhost looks, for
 * it may know more by now; but vhost keeps no more than the last one, of 96 bytes.
 */
TEST_F_TIMEOUT(iotlb, unanswered_misses, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring_queue *q = &d->q[VRING_TX];
	const int rounds = 5000;
	uint64_t iova;
	long before;

	ASSERT_OK(d, vring_idle(d));
	forget_misses(d);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	before = kernel_memory();
	for (int i = 0; i < rounds; i++) {
		ASSERT_EQ(0, vdev_look(&d->vdev, VRING_TX, q->kick));
		ASSERT_EQ(iova_of(q->vring.desc), next_miss_of_tx(d));
		while (vdev_next_miss(&d->vdev, &iova))
			ASSERT_NE(iova_of(q->vring.desc), iova);
	}
	EXPECT_LT(kernel_memory() - before, rounds * 96 / 1024 / 2);
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

/* A miss is read, and told again before it is answered. The answer wakes the queue. */
TEST_F_TIMEOUT(iotlb, answer_of_an_earlier_miss, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint16_t used = used_idx(d);
	uint64_t first;

	send_untranslated(_metadata, d);
	first = next_miss(d);
	EXPECT_GE(first, iova_of(d->buf));
	EXPECT_LT(first, iova_of(d->buf + d->buf_len));
	kick_tx(d);
	ASSERT_TRUE(wait_miss(d));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	ASSERT_TRUE(wait_used(d, used + 1));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

/* The owner gives what a queue waits for before it has read that. This wakes it, too. */
TEST_F_TIMEOUT(iotlb, answer_of_an_unread_miss, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint16_t used = used_idx(d);

	/* Nothing that was read waits for an answer. */
	ASSERT_OK(d, vring_idle(d));
	forget_misses(d);
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	send_untranslated(_metadata, d);
	ASSERT_TRUE(wait_miss(d));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	ASSERT_TRUE(wait_used(d, used + 1));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

/* Where the owner has no answer, it still hears of what is missed later. */
TEST_F_TIMEOUT(iotlb, miss_without_answer, PATIENCE)
{
	struct vring_dev *d = &self->d;
	uint16_t used = used_idx(d);
	uint64_t first;

	send_untranslated(_metadata, d);
	first = next_miss(d);
	EXPECT_NE(0UL, first);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	kick_tx(d);
	EXPECT_EQ(iova_of(d->q[VRING_TX].vring.desc), next_miss(d));
	/* That woken, it stands before the first one again. */
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	EXPECT_EQ(first, next_miss(d));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	ASSERT_TRUE(wait_used(d, used + 1));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

/* RX stops while TX waits for an answer. It is woken by it all the same. */
TEST_F_TIMEOUT(iotlb, other_queue_stops, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vhost_vring_file rx = { VRING_RX, -1 };
	uint16_t used = used_idx(d);

	send_untranslated(_metadata, d);
	ASSERT_NE(0UL, next_miss(d));
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &rx));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	ASSERT_TRUE(wait_used(d, used + 1));
	rx.fd = d->tap;
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &rx));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

/*
 * RX is stopped, and TX polls its rings all the same if it busy polls. What RX misses then is
 * forgotten when TX stops: a device that is stopped asks for nothing.
 */
TEST_F_TIMEOUT(iotlb, stopped_device_asks_for_nothing, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring *tx = &d->q[VRING_TX].vring;
	void *const parts[] = { tx->desc, tx->avail, tx->used };
	struct vhost_vring_file stop = { VRING_RX, -1 };
	struct pollfd p = { d->vdev.fd, POLLIN, 0 };
	uint64_t n;

	ASSERT_OK(d, vring_idle(d));
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &stop));
	forget_misses(d);
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	for (int i = 0; i < VRING_PARTS; i++)
		ASSERT_OK(d, vring_iotlb_update(d, parts[i],
						page_up(vdev_part_bytes(tx->num, i))));
	ASSERT_EQ(0, vdev_look(&d->vdev, VRING_TX, d->q[VRING_TX].kick));
	EXPECT_EQ(!!variant->busyloop_us, poll(&p, 1, 0));
	stop.index = VRING_TX;
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &stop));
	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	/* vhost could not ask RX's driver for kicks. */
	if (read(d->q[VRING_RX].err, &n, sizeof(n)) < 0)
		EXPECT_EQ(0U, variant->busyloop_us);
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

struct reader {
	int fd;
	void *at;
	ssize_t ret;
};

static void *read_miss(void *arg)
{
	struct reader *r = arg;

	r->ret = read(r->fd, r->at, sizeof(struct vhost_msg));
	return NULL;
}

/*
 * Memory for a miss turns out to be none when the miss was taken. It can be read again, and
 * who waits for one is told.
 */
TEST_F_TIMEOUT(iotlb, miss_given_back, PATIENCE)
{
	struct epoll_event readable = { .events = EPOLLIN };
	struct vring_dev *d = &self->d;
	struct reader r = { .fd = d->vdev.fd };
	int waiter = epoll_create1(EPOLL_CLOEXEC);
	uint16_t used = used_idx(d);
	pthread_t thread;
	struct pollfd p;

	send_untranslated(_metadata, d);
	ASSERT_TRUE(wait_miss(d));
	r.at = fresh_at(_metadata, NULL, 4096);
	p = (struct pollfd){ await(_metadata, r.at, 4096), POLLIN, 0 };
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_miss, &r));
	ASSERT_EQ(1, poll(&p, 1, 10000));
	/* It was taken, and is being copied. */
	ASSERT_EQ(0, epoll_ctl(waiter, EPOLL_CTL_ADD, d->vdev.fd, &readable));
	EXPECT_EQ(0, epoll_wait(waiter, &readable, 1, 0));
	munmap(r.at, 4096);
	close(p.fd);
	pthread_join(thread, NULL);
	EXPECT_NE((ssize_t)sizeof(struct vhost_msg), r.ret);
	EXPECT_EQ(1, epoll_wait(waiter, &readable, 1, 10000));
	close(waiter);
	EXPECT_NE(0UL, next_miss(d));
	ASSERT_OK(d, vring_iotlb_update(d, d->buf, d->buf_len));
	ASSERT_TRUE(wait_used(d, used + 1));
	ASSERT_OK(d, vring_run(d, 100, NULL));
}

/* More entries than there is room for push out those of the rings, which are missed. */
TEST_F_TIMEOUT(iotlb, many_updates, PATIENCE)
{
	struct vring_dev *d = &self->d;
	const uint64_t elsewhere = VDEV_IOVA_BASE << 1;

	ASSERT_OK(d, vring_idle(d));
	forget_misses(d);
	for (uint64_t i = 0; i < 10000; i++)
		ASSERT_EQ(0, vdev_iotlb(&d->vdev, elsewhere + i * 8192, d->buf, 4096,
					VHOST_IOTLB_UPDATE));
	ASSERT_OK(d, vring_send(d));
	EXPECT_TRUE(wait_miss(d));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

TEST_F_TIMEOUT(iotlb, invalidated_each_packet, PATIENCE)
{
	struct vring_dev *d = &self->d;

	for (int i = 0; i < 300; i++) {
		ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
		ASSERT_OK(d, vring_iotlb_invalidate(d, d->buf, d->buf_len));
		ASSERT_OK(d, vring_run(d, 1, NULL));
	}
}

/*
 * A start writes the used ring's flags and reads its index, and cannot wait for an
 * answer. So it fails where the device IOTLB does not know the used ring. Whoever starts
 * a queue gives that entry first, as QEMU does.
 */
TEST_F_TIMEOUT(iotlb, start_without_used_ring, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vhost_vring_file tx = { VRING_TX, d->tap };
	uint64_t errors;

	ASSERT_OK(d, vring_idle(d));
	ASSERT_OK(d, vring_stop(d));
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	EXPECT_EQ(-1, ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &tx));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ((ssize_t)sizeof(errors), read(d->q[VRING_TX].err, &errors, sizeof(errors)));
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, d->ring_len));
	forget_misses(d);
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
}

struct new_iotlb {
	struct vring_dev *d;
	atomic_int tid;
	int ret;
};

/* The same features again: an empty device IOTLB takes the place of the old one. */
static void *replace_iotlb(void *arg)
{
	struct new_iotlb *n = arg;
	uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM |
			    1ULL << VIRTIO_RING_F_EVENT_IDX;

	n->tid = gettid();
	n->ret = ioctl(n->d->vdev.fd, VHOST_SET_FEATURES, &features);
	return NULL;
}

/* Whether a thread waits where no signal wakes it, as for a mutex. */
static bool wait_blocked(const atomic_int *tid)
{
	for (int seen = 0, ms = 0; ms < 10000; ms++) {
		char path[64], text[512], *end;

		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *tid);
		read_text(path, text, sizeof(text));
		end = strrchr(text, ')');
		seen = *tid && end && end[1] && end[2] == 'D' ? seen + 1 : 0;
		if (seen == 20)
			return true;
		usleep(1000);
	}
	return false;
}

/*
 * The handler stands between a buffer's translation and its use when the device IOTLB is
 * replaced. It finishes with the old one: the used element goes where it belongs. vhost
 * finds the used ring in two parts, and so looks for it each time.
 */
TEST_F_TIMEOUT(iotlb, amid_a_chain, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct vring *tx = &d->q[VRING_TX].vring;
	struct new_iotlb n = { .d = d };
	char *late, *page, *split = (char *)(tx->used->ring + tx->num / 2);
	uint16_t used = used_idx(d);
	struct uffdio_copy copy = {};
	struct uffd_msg msg;
	struct pollfd p;
	pthread_t thread;

	ASSERT_OK(d, vring_idle(d));
	ASSERT_OK(d, vring_iotlb_invalidate(d, d->ring_mem, d->ring_len));
	ASSERT_OK(d, vring_iotlb_update(d, d->ring_mem, split - d->ring_mem));
	ASSERT_OK(d, vring_iotlb_update(d, split, d->ring_mem + d->ring_len - split));
	late = fresh_at(_metadata, NULL, 4096);
	page = fresh_at(_metadata, NULL, 4096);
	ASSERT_OK(d, vring_iotlb_update(d, late, 4096));
	tx->desc[0] = tagged_frame(d, page, 'A');
	tx->desc[0].addr = iova_of(late);
	tx->avail->ring[used & (tx->num - 1)] = 0;
	p = (struct pollfd){ await(_metadata, late, 4096), POLLIN, 0 };
	store(&tx->avail->idx, used + 1);
	kick_tx(d);
	ASSERT_EQ(1, poll(&p, 1, 10000));
	ASSERT_EQ((ssize_t)sizeof(msg), read(p.fd, &msg, sizeof(msg)));

	ASSERT_EQ(0, pthread_create(&thread, NULL, replace_iotlb, &n));
	EXPECT_TRUE(wait_blocked(&n.tid));
	copy.dst = (uintptr_t)late;
	copy.src = (uintptr_t)page;
	copy.len = 4096;
	ASSERT_EQ(0, ioctl(p.fd, UFFDIO_COPY, &copy));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, n.ret);
	EXPECT_EQ((uint16_t)(used + 1), used_idx(d));
	/* The new one is empty. RX misses its rings for what was sent. */
	forget_misses(d);
	kick_tx(d);
	EXPECT_EQ(iova_of(tx->desc), next_miss_of_tx(d));
	close(p.fd);
	munmap(late, 4096);
	munmap(page, 4096);
}

/* --- the dirty log --- */

FIXTURE(dirty_log) {
	struct vring_dev d;
	char *rings, *buf;
};

FIXTURE_VARIANT(dirty_log) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(dirty_log, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(dirty_log, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(dirty_log, ringmap) { .accessor = "ringmap" };

FIXTURE_SETUP(dirty_log)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.log = true;
	cfg.num[VRING_RX] = 1024;
	cfg.num[VRING_TX] = 1024;
	open_and_start(_metadata, &self->d, &cfg, variant->accessor);
	self->rings = malloc(self->d.ring_len);
	self->buf = malloc(self->d.buf_len);
	ASSERT_NE(NULL, self->rings);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(dirty_log)
{
	free(self->rings);
	free(self->buf);
	vring_close(&self->d);
}

/* Take the logged pages of [@p, @p + @len) to @copy; say what is then not equal. */
static int harvest(struct vring_dev *d, char *copy, const char *p, size_t len,
		   const char *from, int *logged)
{
	int wrong = 0;

	for (size_t at = (p - from) & ~4095UL; from + at < p + len; at += 4096) {
		if (vring_page_logged(d, from + at)) {
			memcpy(copy + at, from + at, 4096);
			++*logged;
		}
		wrong += !!memcmp(copy + at, from + at, 4096);
	}
	return wrong;
}

/*
 * As migration does: copy everything, then again and again what was logged. The
 * used rings and the RX buffers, which vhost alone writes, must then be equal.
 */
TEST_F_TIMEOUT(dirty_log, complete, PATIENCE)
{
	struct vring_dev *d = &self->d;
	const size_t used_len = 4 + 1024 * 8 + 2;
	int wrong = 0, logged = 0;

	ASSERT_OK(d, vring_run(d, 500, NULL));
	ASSERT_OK(d, vring_idle(d));
	for (int q = 0; q < VRING_QUEUES; q++)
		harvest(d, self->rings, (char *)d->q[q].vring.used, used_len,
			d->ring_mem, &logged);
	harvest(d, self->buf, d->buf, 1024 * VRING_BUF_SIZE, d->buf, &logged);
	memcpy(self->rings, d->ring_mem, d->ring_len);
	memcpy(self->buf, d->buf, d->buf_len);
	logged = 0;
	for (int round = 0; round < 20; round++) {
		ASSERT_OK(d, vring_run(d, 1 + round * 37, NULL));
		ASSERT_OK(d, vring_idle(d));
		for (int q = 0; q < VRING_QUEUES; q++)
			wrong += harvest(d, self->rings,
					 (char *)d->q[q].vring.used, used_len,
					 d->ring_mem, &logged);
		wrong += harvest(d, self->buf, d->buf, 1024 * VRING_BUF_SIZE,
				 d->buf, &logged);
	}
	EXPECT_EQ(0, wrong);
	EXPECT_GT(logged, 40);
	if (!strcmp(variant->accessor, "ringmap"))
		EXPECT_GT(vring_stat_sum(d, "mapped"), 5000);
}

/* --- pages that nobody marked dirty --- */

/*
 * The used ring's page was freed lazily: it is clean, and reclaim may drop it,
 * but for what vhost has written there since.
 */
TEST_F_TIMEOUT(device, dirty_after_madv_free, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev d;
	long long fills;
	char *used;
	uint16_t idx;

	open_and_start(_metadata, &d, &cfg, "ringmap");
	ASSERT_OK(&d, vring_run(&d, 1000, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	used = (char *)((uintptr_t)d.q[VRING_TX].vring.used & ~4095UL);
	idx = used_idx(&d);
	ASSERT_EQ(0, madvise(used, 4096, MADV_FREE));
	fills = vring_stat(&d, VRING_TX, "fills");
	ASSERT_OK(&d, vring_send(&d));
	ASSERT_TRUE(wait_used(&d, idx + 1));
	EXPECT_GT(vring_stat(&d, VRING_TX, "fills"), fills);
	for (int i = 0; i < 10; i++)
		madvise(used, 4096, MADV_PAGEOUT);
	EXPECT_EQ((uint16_t)(idx + 1), used_idx(&d));
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	vring_close(&d);
}

/* --- knobs --- */

/* To the one in brackets. */
static int restore_parameter(char *shown)
{
	char *name = strchr(shown, '[') + 1;

	*strchr(name, ']') = 0;
	return write_text(PARAM, name);
}

TEST_F_TIMEOUT(device, accessor_knobs, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	char path[160], text[64], saved[64];
	struct vring_dev d;

	ASSERT_OK(&d, vring_open(&d, &cfg));
	snprintf(path, sizeof(path), "%s/1/accessor", d.vdev.debugfs);
	EXPECT_EQ(8, write_text(path, "uaccess\n"));
	read_text(path, text, sizeof(text));
	EXPECT_STREQ("[uaccess] checked ringmap\n", text);
	EXPECT_EQ(7, write_text(path, "ringmap"));
	read_text(path, text, sizeof(text));
	EXPECT_STREQ("uaccess checked [ringmap]\n", text);
	EXPECT_EQ(-EINVAL, write_text(path, "ringma"));
	EXPECT_EQ(-EINVAL, write_text(path, "uaccess ringmap uaccess"));
	EXPECT_EQ(-EINVAL, write_text(path, "\n"));
	read_text(path, text, sizeof(text));
	EXPECT_STREQ("uaccess checked [ringmap]\n", text);

	/* The parameter speaks for devices opened later, and only for them. */
	read_text(PARAM, saved, sizeof(saved));
	EXPECT_GT(write_text(PARAM, "uaccess"), 0);
	EXPECT_EQ(-EINVAL, write_text(PARAM, "vmap"));
	read_text(PARAM, text, sizeof(text));
	EXPECT_STREQ("[uaccess] checked ringmap\n", text);
	read_text(path, text, sizeof(text));
	EXPECT_STREQ("uaccess checked [ringmap]\n", text);
	vring_close(&d);

	ASSERT_OK(&d, vring_open(&d, &cfg));
	snprintf(path, sizeof(path), "%s/0/accessor", d.vdev.debugfs);
	read_text(path, text, sizeof(text));
	EXPECT_STREQ("[uaccess] checked ringmap\n", text);
	vring_close(&d);
	restore_parameter(saved);
}

FIXTURE(parameter) {
	char saved[64];
};

FIXTURE_VARIANT(parameter) {
	const char *accessor;
	const char *shown;
};

FIXTURE_VARIANT_ADD(parameter, uaccess) {
	.accessor = "uaccess", .shown = "[uaccess] checked ringmap\n",
};
FIXTURE_VARIANT_ADD(parameter, checked) {
	.accessor = "checked", .shown = "uaccess [checked] ringmap\n",
};
FIXTURE_VARIANT_ADD(parameter, ringmap) {
	.accessor = "ringmap", .shown = "uaccess checked [ringmap]\n",
};

FIXTURE_SETUP(parameter)
{
	read_text(PARAM, self->saved, sizeof(self->saved));
	ASSERT_NE(NULL, strchr(self->saved, '['));
	ASSERT_GT(write_text(PARAM, variant->accessor), 0);
}

FIXTURE_TEARDOWN(parameter)
{
	EXPECT_GT(restore_parameter(self->saved), 0);
}

/* The parameter decides for every kind of device, and for each queue. */
TEST_F_TIMEOUT(parameter, every_device, PATIENCE)
{
	static const struct {
		const char *node;
		unsigned int queues;
	} devices[] = {
		{ "/dev/vhost-test", 1 },
		{ "/dev/vhost-vsock", 2 },
		{ "/dev/vhost-scsi", 3 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
		struct device d;

		ASSERT_OK(&d, device_open(&d, devices[i].node, NULL,
					  devices[i].queues, 16, 0, 0));
		for (unsigned int q = 0; q < d.vdev.nqueues; q++) {
			char path[160], text[64];

			snprintf(path, sizeof(path), "%s/%u/accessor",
				 d.vdev.debugfs, q);
			read_text(path, text, sizeof(text));
			EXPECT_STREQ(variant->shown, text);
		}
		device_close(&d);
	}
}

TEST_HARNESS_MAIN
