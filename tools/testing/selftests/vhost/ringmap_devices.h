/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of vhost devices other than vhost-net share. What ringmap_net_test does
 * with vhost-net is not repeated in them; these devices drive the same rings in
 * other ways: they use buffers one by one or out of order, give up in the middle,
 * and stop and start without a reset.
 *
 * Each test runs with every accessor. A device that is missing is a failure: the
 * kernel under test has to have them all.
 */
#ifndef RINGMAP_DEVICES_H
#define RINGMAP_DEVICES_H

#include <errno.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "virtqueue.h"

/* Seconds a test may take: emulation is slow, and the debug kernel slower. */
#define PATIENCE	300

#define ASSERT_OK(d, call) do {						\
	int __ret = (call);						\
	ASSERT_EQ(0, __ret) { TH_LOG("%s", (d)->vdev.error); }		\
} while (0)

/* Every accessor with every way to use the rings. */
#define EVENT_IDX	BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT	BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define IOTLB		BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)

#define VARIANT(fixture, mode, name, bits)				\
	FIXTURE_VARIANT_ADD(fixture, mode ## _ ## name) {		\
		.accessor = #mode, .features = bits			\
	}
#define ACCESSORS(fixture, name, bits)					\
	VARIANT(fixture, uaccess, name, bits);				\
	VARIANT(fixture, checked, name, bits);				\
	VARIANT(fixture, ringmap, name, bits)
#define VARIANTS(fixture)						\
	FIXTURE_VARIANT(fixture) {					\
		const char *accessor;					\
		uint64_t features;					\
	};								\
	ACCESSORS(fixture, plain, 0);					\
	ACCESSORS(fixture, event_idx, EVENT_IDX);			\
	ACCESSORS(fixture, indirect, EVENT_IDX | INDIRECT)

/* What the accessor did on a queue since the counters were taken. */
struct counters {
	long long mapped;
	long long fallback;
	long long sections;
};

static inline struct counters count(struct device *d, unsigned int queue)
{
	return (struct counters){
		.mapped = vdev_stat(&d->vdev, queue, "mapped"),
		.fallback = vdev_stat(&d->vdev, queue, "fallback"),
		.sections = vdev_stat(&d->vdev, queue, "sections"),
	};
}

/*
 * Only ring mappings map, and then nearly every access: 90 % at the least, but for the
 * first few, which find the rings.
 */
#define FIRST_FEW 8
static inline void expect_counters(struct __test_metadata *_metadata,
			    struct device *d, const char *accessor,
			    unsigned int queue, struct counters before)
{
	struct counters c = count(d, queue);

	ASSERT_GE(before.mapped, 0);
	ASSERT_GE(c.mapped, 0);
	c.mapped -= before.mapped;
	c.fallback -= before.fallback;
	c.sections -= before.sections;
	if (strcmp(accessor, "ringmap")) {
		EXPECT_EQ(0, c.mapped);
		EXPECT_EQ(0, c.sections);
		return;
	}
	EXPECT_GT(c.mapped, 0);
	EXPECT_GT(c.sections, 0);
	EXPECT_LE((c.fallback - FIRST_FEW) * 9, c.mapped) {
		TH_LOG("queue %u: %lld mapped, %lld fell back", queue, c.mapped,
		       c.fallback);
	}
}

/*
 * Everything that takes mappings away, all the time: page protection, fork()'s
 * write protection and a change of accessor. The rings' contents stay.
 */
struct storm {
	struct device d;		/* a copy: error texts are not shared */
	const char *accessor;		/* what it is afterwards */
	pthread_t thread;
	atomic_bool stop;
	int ret;
	int rounds;
};

static inline void *storm_thread(void *arg)
{
	static const char *const accessors[] = { "uaccess", "checked", "ringmap" };
	struct storm *s = arg;
	size_t len = s->d.data - s->d.mem;
	pid_t pid;

	while (!s->stop && !s->ret) {
		/* Without taking a right away, which vhost would report. */
		if (mprotect(s->d.mem, len, PROT_READ | PROT_WRITE | PROT_EXEC) ||
		    mprotect(s->d.mem, len, PROT_READ | PROT_WRITE))
			s->ret = device_fail(&s->d, errno, "mprotect");
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			s->ret = device_fail(&s->d, errno, "fork");
		usleep(1000);
		if (!s->ret)
			s->ret = vdev_set_accessor(&s->d.vdev, accessors[s->rounds % 3]);
		usleep(1000);
		s->rounds++;
	}
	if (!s->ret)
		s->ret = vdev_set_accessor(&s->d.vdev, s->accessor);
	return NULL;
}

static inline int storm_start(struct storm *s, struct device *d, const char *accessor)
{
	memset(s, 0, sizeof(*s));
	s->d = *d;
	s->accessor = accessor;
	return -pthread_create(&s->thread, NULL, storm_thread, s);
}

static inline int storm_end(struct storm *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
	return s->ret;
}

#endif /* RINGMAP_DEVICES_H */
