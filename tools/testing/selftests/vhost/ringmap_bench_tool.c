// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads of "make bench": packets through vhost-net in many shapes, and buffers
 * through vhost's test device, which does nothing with them.
 *
 * ringmap_bench_tool count MODE...: each workload by each mode, a warm-up and then what an
 * instruction counter counts between two no-ops. Prints
 *
 *	INTERVAL WORKLOAD MODE PACKETS SECTIONS
 *
 * the last being sections under the map lock, or 0 where there is none.
 *
 * ringmap_bench_tool time MODE...: each workload by each mode in turns, in one device. Prints
 *
 *	ROUND WORKLOAD MODE PACKETS SECONDS
 *
 * ringmap_bench_tool client TAP MODE...: the same lines for what another program, such as
 * DPDK's testpmd, sends into a TAP; it is dropped there.
 *
 * A mode is an accessor; or "base" or "bound", of kernels that have none. BENCH_QUICK
 * in the environment leaves out what is not in the quick set, and BENCH_ONLY names
 * the workloads to run, with blanks between them.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtqueue.h"
#include "vring.h"

#define MAX_PAIRS	8
#define COUNTED		4096U
#define ROUNDS		7
#define ROUND_SECONDS	0.25

enum kind { RING, TX, RX, BOTH };

static const struct workload {
	const char *name;
	enum kind kind;
	bool quick;
	unsigned int window, frame, num, pairs;
	enum vring_memory memory;
	bool iotlb, log;
	unsigned int invalidations;	/* a second, of the rings */
} workloads[] = {
	{ "ring,window=1", RING, .window = 1 },
	{ "ring,window=16", RING, .window = 16 },
	{ "ring,window=64", RING, true, .window = 64 },
	{ "ring,size=32768", RING, .num = 32768 },
	{ "tx,window=1", TX, true, .window = 1 },
	{ "tx,window=4", TX, .window = 4 },
	{ "tx,window=16", TX, .window = 16 },
	{ "tx,window=64", TX, true, .window = 64 },
	{ "tx,frame=256", TX, .frame = 256 },
	{ "tx,frame=512", TX, .frame = 512 },
	{ "tx,frame=1024", TX, .frame = 1024 },
	{ "tx,frame=1500", TX, .frame = 1500 },
	{ "tx,size=1024", TX, .num = 1024 },
	{ "tx,size=4096", TX, .num = 4096 },
	{ "tx,size=32768", TX, .num = 32768 },
	{ "tx,memory=thp", TX, .memory = VRING_THP },
	{ "tx,memory=hugetlb", TX, .memory = VRING_HUGETLB },
	{ "tx,memory=shmem", TX, .memory = VRING_SHMEM },
	{ "tx,iotlb", TX, .iotlb = true },
	{ "tx,log", TX, .log = true },
	{ "tx,pairs=2", TX, .pairs = 2 },
	{ "tx,pairs=4", TX, .pairs = 4 },
	{ "tx,pairs=8", TX, .pairs = 8 },
	{ "tx,invalidations=100", TX, .memory = VRING_SHMEM, .invalidations = 100 },
	{ "tx,invalidations=10000", TX, true, .memory = VRING_SHMEM,
	  .invalidations = 10000 },
	{ "rx,window=1", RX, .window = 1 },
	{ "rx,window=16", RX, .window = 16 },
	{ "rx,window=64", RX, true, .window = 64 },
	{ "rx,frame=1500", RX, .frame = 1500 },
	{ "rx,iotlb", RX, .iotlb = true },
	{ "rx,log", RX, .log = true },
	{ "both,window=1", BOTH, true, .window = 1 },
	{ "both,window=64", BOTH, .window = 64 },
};

/* What a workload runs on: the test device, or a vhost-net for each pair. */
struct bench {
	const struct workload *w;
	struct vring_dev net[MAX_PAIRS];
	struct device ring;
	unsigned int pairs, window, num;
	atomic_bool stop;
};

static __attribute__((noreturn)) void failed(const struct bench *b, const char *error)
{
	errx(1, "%s: %s", b->w->name, error);
}

static bool is_accessor(const char *mode)
{
	return !strcmp(mode, "uaccess") || !strcmp(mode, "checked") ||
	       !strcmp(mode, "ringmap");
}

static void set_mode(struct bench *b, const char *mode)
{
	if (!is_accessor(mode))
		return;
	if (b->w->kind == RING && vdev_set_accessor(&b->ring.vdev, mode))
		failed(b, b->ring.vdev.error);
	for (unsigned int i = 0; i < b->pairs && b->w->kind != RING; i++)
		if (vring_set_accessor(&b->net[i], mode))
			failed(b, b->net[i].vdev.error);
}

static void bench_open(struct bench *b, const struct workload *w)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	int run = 1;

	memset(b, 0, sizeof(*b));
	b->w = w;
	b->num = w->num ? w->num : 256;
	b->window = w->window ? w->window : 64;
	b->pairs = w->pairs ? w->pairs : 1;
	if (w->kind == RING) {
		if (device_open(&b->ring, "/dev/vhost-test", NULL, 1, b->num, PAGE,
				BIT_ULL(VIRTIO_RING_F_EVENT_IDX)))
			failed(b, b->ring.vdev.error);
		b->ring.q[0].in_order = true;
		if (ioctl(b->ring.vdev.fd, VHOST_TEST_RUN, &run))
			err(1, "%s: VHOST_TEST_RUN", w->name);
		return;
	}
	cfg.num[VRING_RX] = cfg.num[VRING_TX] = b->num;
	cfg.window = b->window;
	cfg.min_frame = cfg.max_frame = w->frame ? w->frame : VRING_MIN_FRAME;
	cfg.iotlb = w->iotlb;
	cfg.log = w->log;
	cfg.sink = w->kind == TX;
	cfg.inject = w->kind == RX;
	for (unsigned int i = 0; i < b->pairs; i++) {
		cfg.memory = vring_map(w->memory, vring_ring_bytes(&cfg));
		if (cfg.memory == MAP_FAILED)
			err(1, "%s: memory for the rings", w->name);
		if (vring_open(&b->net[i], &cfg) || vring_start(&b->net[i]))
			failed(b, b->net[i].vdev.error);
	}
}

static void bench_close(struct bench *b)
{
	if (b->w->kind == RING)
		device_close(&b->ring);
	/* A mapping of huge pages is longer than the rings. */
	for (unsigned int i = 0; i < b->pairs && b->w->kind != RING; i++) {
		char *mem = b->net[i].ring_mem;
		size_t len = b->net[i].ring_len;

		vring_close(&b->net[i]);
		munmap(mem, b->w->memory == VRING_HUGETLB ? VRING_HUGE : len);
	}
}

static void ring_run(struct bench *b, unsigned int count)
{
	struct device *d = &b->ring;
	struct segment s = { .p = d->data, .len = VRING_MIN_FRAME };
	unsigned int sent = 0, used = 0;
	struct progress p = {};

	while (used < count) {
		unsigned int was = used;
		int head;

		while (sent < count && sent - used < b->window) {
			queue_add(d, &d->q[0], &s, 1);
			sent++;
		}
		queue_publish(d, &d->q[0]);
		while ((head = queue_used(d, &d->q[0], NULL)) >= 0)
			used++;
		if ((head != -EAGAIN) || (used == was && device_wait(d, -1, 0) < 0) ||
		    device_stalled(d, &p, used))
			failed(b, d->vdev.error);
	}
}

struct pair {
	struct vring_dev *d;
	unsigned int count;
	int ret;
};

static void *pair_run(void *arg)
{
	struct pair *p = arg;

	p->ret = vring_run(p->d, p->count, NULL);
	return NULL;
}

/* @count packets, over all pairs */
static void bench_run(struct bench *b, unsigned int count)
{
	pthread_t thread[MAX_PAIRS];
	struct pair pair[MAX_PAIRS];

	if (b->w->kind == RING) {
		ring_run(b, count);
		return;
	}
	for (unsigned int i = 0; i < b->pairs; i++)
		pair[i] = (struct pair){ &b->net[i], count / b->pairs, 0 };
	for (unsigned int i = 1; i < b->pairs; i++)
		if (pthread_create(&thread[i], NULL, pair_run, &pair[i]))
			errx(1, "%s: cannot start a thread", b->w->name);
	pair_run(&pair[0]);
	for (unsigned int i = 1; i < b->pairs; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < b->pairs; i++)
		if (pair[i].ret)
			failed(b, b->net[i].vdev.error);
}

/* Invalidates the rings so often a second, on average. */
static void *invalidate(void *arg)
{
	struct bench *b = arg;
	double start = now();

	for (unsigned long done = 0; !b->stop; usleep(500)) {
		unsigned long due = (now() - start) * b->w->invalidations;

		/* The rings are shared memory, and stay as they are. */
		for (; done < due && !b->stop; done++)
			if (madvise(b->net[0].ring_mem, b->net[0].ring_len, MADV_DONTNEED))
				err(1, "MADV_DONTNEED");
	}
	return NULL;
}

static bool invalidate_start(struct bench *b, pthread_t *thread)
{
	b->stop = false;
	if (!b->w->invalidations)
		return false;
	if (pthread_create(thread, NULL, invalidate, b))
		errx(1, "%s: cannot start a thread", b->w->name);
	return true;
}

static void invalidate_end(struct bench *b, pthread_t thread)
{
	b->stop = true;
	pthread_join(thread, NULL);
}

static long long sections(struct bench *b, const char *mode)
{
	long long sum = 0;

	if (!is_accessor(mode))
		return 0;
	if (b->w->kind == RING)
		return vdev_stat(&b->ring.vdev, 0, "sections");
	for (unsigned int i = 0; i < b->pairs; i++)
		sum += vring_stat_sum(&b->net[i], "sections");
	return sum;
}

static void count(struct bench *b, char **modes)
{
	static int interval;

	for (; *modes; modes++) {
		bool invalidated;
		pthread_t thread;
		long long before;

		set_mode(b, *modes);
		bench_run(b, COUNTED);
		before = sections(b, *modes);
		invalidated = invalidate_start(b, &thread);
		begin_count();
		bench_run(b, COUNTED);
		end_count();
		if (invalidated)
			invalidate_end(b, thread);
		printf("%d %s %s %u %lld\n", ++interval, b->w->name, *modes, COUNTED,
		       sections(b, *modes) - before);
		fflush(stdout);
	}
}

static void time_rounds(struct bench *b, char **modes)
{
	unsigned int packets = COUNTED;
	pthread_t thread;
	bool invalidated;
	double t = now();

	/* A round takes about as long whatever the workload. */
	bench_run(b, packets);
	t = now() - t;
	packets *= ROUND_SECONDS / t;
	packets = packets < 64 ? 64 : packets & ~63U;
	invalidated = invalidate_start(b, &thread);
	for (int round = 1; round <= ROUNDS; round++)
		for (char **m = modes; *m; m++) {
			set_mode(b, *m);
			bench_run(b, 64);
			t = now();
			bench_run(b, packets);
			printf("%d %s %s %u %.6f\n", round, b->w->name, *m, packets,
			       now() - t);
			fflush(stdout);
		}
	if (invalidated)
		invalidate_end(b, thread);
}

static unsigned long dropped(const char *tap)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_dropped", tap);
	read_text(path, text, sizeof(text));
	return strtoul(text, NULL, 10);
}

/* What one round of a mode is worth, as the accessor of all devices */
static void client_round(const char *tap, const char *mode, int round)
{
	unsigned long packets;
	double t;

	if (is_accessor(mode) && write_text("/sys/kernel/debug/vhost/accessor", mode) < 0)
		errx(1, "cannot set the accessor of all devices to %s", mode);
	usleep(50000);
	packets = dropped(tap);
	t = now();
	usleep(ROUND_SECONDS * 2e6);
	packets = dropped(tap) - packets;
	if (!packets)
		errx(1, "nothing is sent to %s", tap);
	printf("%d testpmd,tx %s %lu %.6f\n", round, mode, packets, now() - t);
	fflush(stdout);
}

static int client(const char *tap, char **modes)
{
	struct vring_dev d = { .cfg.sink = true, .ifindex = if_nametoindex(tap) };

	if (!d.ifindex)
		err(1, "%s", tap);
	if (vring_loop_frames(&d))
		errx(1, "%s", d.vdev.error);
	for (int round = 1; round <= ROUNDS; round++)
		for (char **m = modes; *m; m++)
			client_round(tap, *m, round);
	return 0;
}

static bool wanted(const struct workload *w)
{
	const char *only = getenv("BENCH_ONLY");
	size_t len = strlen(w->name);

	if (!only)
		return w->quick || !getenv("BENCH_QUICK");
	for (const char *at = only; (at = strstr(at, w->name)); at += len)
		if ((at == only || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static struct bench b;
	void (*how)(struct bench *b, char **modes);

	if (argc > 3 && !strcmp(argv[1], "client"))
		return client(argv[2], argv + 3);
	if (argc < 3 || (strcmp(argv[1], "count") && strcmp(argv[1], "time")))
		errx(1, "usage: ringmap_bench_tool count|time MODE... or client TAP MODE...");
	how = strcmp(argv[1], "count") ? time_rounds : count;
	/* So that vhost, on the same processor, finds all that the driver has to send. */
	if (how == count && sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 1 }))
		err(1, "SCHED_FIFO");
	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++) {
		if (!wanted(&workloads[i]))
			continue;
		/* What raw pointers to the rings would be to a device IOTLB, nobody says. */
		if (workloads[i].iotlb && !strcmp(argv[2], "bound"))
			continue;
		bench_open(&b, &workloads[i]);
		how(&b, argv + 2);
		bench_close(&b);
	}
	return 0;
}
