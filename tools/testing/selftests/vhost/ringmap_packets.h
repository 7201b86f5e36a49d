/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests that send packets through vhost-net share.
 */
#ifndef RINGMAP_PACKETS_H
#define RINGMAP_PACKETS_H

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "vring.h"

#define PARAM		"/sys/module/vhost/parameters/accessor"
#define WINDOWS		"/sys/kernel/debug/vhost/windows/"

/* Seconds a test may take: emulation is slow, and the debug kernel slower. */
#define PATIENCE	300

#define ASSERT_OK(d, call) do {						\
	int __ret = (call);						\
	ASSERT_EQ(0, __ret) { TH_LOG("%s", (d)->vdev.error); }		\
} while (0)

/* The page frame that an address of ours is mapped to; 0 for none. */
static inline uint64_t frame_of(const void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)p / 4096 * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

static inline long read_number(const char *path)
{
	char buf[32];

	read_text(path, buf, sizeof(buf));
	return atol(buf);
}

static inline void open_and_start(struct __test_metadata *_metadata,
				  struct vring_dev *d,
				  const struct vring_config *cfg,
				  const char *accessor)
{
	ASSERT_OK(d, vring_open(d, cfg));
	ASSERT_OK(d, vring_set_accessor(d, accessor));
	ASSERT_OK(d, vring_start(d));
}

/* At least 99 % of the accesses since the last call were mapped. */
static inline void expect_mapped(struct __test_metadata *_metadata,
				 struct vring_dev *d, uint64_t packets)
{
	long long mapped = vring_stat_sum(d, "mapped");
	long long fallback = vring_stat_sum(d, "fallback");

	ASSERT_OK(d, vring_run(d, packets, NULL));
	mapped = vring_stat_sum(d, "mapped") - mapped;
	fallback = vring_stat_sum(d, "fallback") - fallback;
	EXPECT_GE(mapped, (long long)packets);
	EXPECT_LE(fallback * 99, mapped) {
		TH_LOG("%lld mapped, %lld fell back", mapped, fallback);
	}
}

/* A queue that rested long tries again after up to 256 looks at the avail index. */
static inline void expect_recovery(struct __test_metadata *_metadata,
				   struct vring_dev *d)
{
	long long mapped[VRING_QUEUES];

	for (int i = 0; i < 100; i++) {
		bool all = true;

		for (int q = 0; q < VRING_QUEUES; q++)
			mapped[q] = vring_stat(d, q, "mapped");
		ASSERT_OK(d, vring_run(d, 1000, NULL));
		for (int q = 0; q < VRING_QUEUES; q++)
			all &= vring_stat(d, q, "mapped") > mapped[q] + 500;
		if (all)
			break;
	}
	expect_mapped(_metadata, d, 3000);
}

static inline void *fresh_at(struct __test_metadata *_metadata, void *addr,
			     size_t len)
{
	void *p = mmap(addr, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS |
		       (addr ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	EXPECT_NE(MAP_FAILED, p);
	return p;
}

/* Whether a window was entered since that was counted, or is within some milliseconds. */
static inline bool wait_entered_for(long before, int ms)
{
	for (int i = 0; i < ms; i++) {
		if (read_number(WINDOWS "entered") > before)
			return true;
		usleep(1000);
	}
	return false;
}

static inline bool wait_entered(long before)
{
	return wait_entered_for(before, 3000);
}

/* Of TX. */
static inline uint16_t used_idx(struct vring_dev *d)
{
	return __atomic_load_n(&d->q[VRING_TX].vring.used->idx, __ATOMIC_ACQUIRE);
}

static inline bool wait_used(struct vring_dev *d, uint16_t idx)
{
	for (int i = 0; i < 500 && used_idx(d) != idx; i++)
		usleep(10000);
	return used_idx(d) == idx;
}

/* What a thread does to the memory of the rings while packets flow. */
struct storm {
	struct vring_dev *d;
	void *mem;
	size_t len;
	atomic_bool stop;
	atomic_ulong rounds;
};

static inline void storm_mprotect(struct storm *s)
{
	mprotect(s->mem, s->len, PROT_READ | PROT_WRITE | PROT_EXEC);
	mprotect(s->mem, s->len, PROT_READ | PROT_WRITE);
}

static inline void storm_toggle(struct storm *s)
{
	struct vring_dev mine;

	/* The error text is the traffic thread's. */
	memcpy(&mine, s->d, sizeof(mine));
	vring_set_accessor(&mine, "uaccess");
	usleep(500);
	vring_set_accessor(&mine, "checked");
	usleep(500);
	vring_set_accessor(&mine, "ringmap");
}

struct storm_thread {
	struct storm *s;
	void (*once)(struct storm *s);
};

static inline void *storm_loop(void *arg)
{
	struct storm_thread *t = arg;

	while (!t->s->stop) {
		t->once(t->s);
		t->s->rounds++;
		usleep(200);
	}
	return NULL;
}

#endif /* RINGMAP_PACKETS_H */
