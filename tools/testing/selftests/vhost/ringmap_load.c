// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringmap_load: checked packets through vhost-net for some seconds, in each of the
 * ways in which a driver may set its queues up, for those who watch: tracing, vhostctl.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vring.h"

#define SLICE	0.5	/* seconds of a mode, before the next has its turn */
#define BATCH	500	/* packets between looks at the clock */
#define FLOODERS	2	/* so that one's invalidation begins before the other's ends */

static const char * const accessors[] = { "uaccess", "checked", "ringmap" };

#define ACCESSORS	(sizeof(accessors) / sizeof(accessors[0]))

/* What differs from VRING_CONFIG_DEFAULT */
static const struct mode {
	const char *name;
	bool no_event_idx, indirect, mergeable, iotlb, log;
	unsigned int busyloop_us;
} modes[] = {
	{ .name = "plain" },
	{ .name = "flags", .no_event_idx = true },
	{ .name = "indirect", .indirect = true },
	{ .name = "mergeable", .mergeable = true },
	{ .name = "iotlb", .iotlb = true },
	{ .name = "log", .log = true },
	{ .name = "busy", .busyloop_us = 50 },
	{ .name = "iotlb-log-busy", .iotlb = true, .log = true, .busyloop_us = 50 },
};

#define MODES	(sizeof(modes) / sizeof(modes[0]))

static struct {
	double seconds;
	const char *accessor;		/* NULL: each in turn */
	const struct mode *mode;	/* NULL: each in turn */
	bool change, flood;
	unsigned int pause_us;
} opt = { .seconds = 10, .accessor = "ringmap" };

static struct vring_dev dev;
static atomic_bool stop;
static atomic_ulong changes;
static atomic_bool ended;	/* by a signal, earlier than said */

static void on_signal(int signal)
{
	(void)signal;
	ended = true;
}

/* Nothing that loses the rings' content: they are shared memory. */
static void *change_memory(void *arg)
{
	struct vring_dev mine = dev;	/* error texts are not shared */

	(void)arg;
	for (unsigned int i = 0; !stop; i++) {
		switch (i % 4) {
		case 0:
			mprotect(mine.ring_mem, mine.ring_len, PROT_READ | PROT_WRITE | PROT_EXEC);
			mprotect(mine.ring_mem, mine.ring_len, PROT_READ | PROT_WRITE);
			break;
		case 1:
			madvise(mine.ring_mem, mine.ring_len, MADV_DONTNEED);
			break;
		case 2:
			write_text("/proc/self/clear_refs", "4");
			break;
		default:
			if (mine.cfg.iotlb)
				vring_iotlb_invalidate(&mine, mine.ring_mem, mine.ring_len);
		}
		changes++;
		usleep(2000);
	}
	return NULL;
}

/* Without a pause, in memory that no ring is in */
static void *flood(void *arg)
{
	const size_t len = 64 * 4096;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (mem == MAP_FAILED)
		err(1, "memory to flood");
	while (!stop) {
		memset(mem, 1, len);
		mprotect(mem, len, PROT_READ);
		mprotect(mem, len, PROT_READ | PROT_WRITE);
		madvise(mem, len, MADV_DONTNEED);
	}
	munmap(mem, len);
	return NULL;
}

static void open_device(const struct mode *m)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.event_idx = !m->no_event_idx;
	cfg.indirect = m->indirect;
	cfg.mergeable = m->mergeable;
	cfg.iotlb = m->iotlb;
	cfg.log = m->log;
	cfg.busyloop_us = m->busyloop_us;
	/* Bursts with pauses between them, or as many as fit. */
	cfg.window = opt.pause_us ? 16 : 0;
	cfg.memory = mmap(NULL, vring_ring_bytes(&cfg), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cfg.memory == MAP_FAILED)
		err(1, "memory for the rings");
	if (vring_open(&dev, &cfg) || vring_start(&dev))
		errx(1, "%s: %s", m->name, dev.vdev.error);
}

/* Until @end, on one device; returns packets, and says which were lost. */
static uint64_t run(const struct mode *m, double end)
{
	struct vring_result r;
	uint64_t packets = 0;
	unsigned int turn = 0;
	pthread_t thread, flooders[FLOODERS];
	size_t len;
	void *mem;

	open_device(m);
	stop = false;
	if (opt.change && pthread_create(&thread, NULL, change_memory, NULL))
		errx(1, "cannot start a thread");
	for (unsigned int i = 0; opt.flood && i < FLOODERS; i++)
		if (pthread_create(&flooders[i], NULL, flood, NULL))
			errx(1, "cannot start a thread");
	do {
		const char *name = opt.accessor ? opt.accessor :
				   accessors[turn++ % ACCESSORS];

		if ((turn || !packets) && vring_set_accessor(&dev, name))
			errx(1, "%s", dev.vdev.error);
		if (vring_run(&dev, opt.pause_us ? 50 : BATCH, &r))
			errx(1, "%s, %s: %s", m->name, name, dev.vdev.error);
		packets += r.received;
		if (opt.pause_us)
			usleep(opt.pause_us);
	} while (now() < end && !ended);
	stop = true;
	if (opt.change)
		pthread_join(thread, NULL);
	for (unsigned int i = 0; opt.flood && i < FLOODERS; i++)
		pthread_join(flooders[i], NULL);
	mem = dev.ring_mem;
	len = dev.ring_len;
	vring_close(&dev);
	munmap(mem, len);
	return packets;
}

static const struct argp_option options[] = {
	{ "seconds", 's', "N", 0, "for so long (10)", 0 },
	{ "accessor", 'a', "NAME|cycle", 0, "uaccess, checked, ringmap (default) or each in turn", 0 },
	{ "mode", 'm', "NAME", 0, "one of plain, flags, indirect, mergeable, iotlb, log, busy, iotlb-log-busy; otherwise each in turn", 0 },
	{ "change-memory", 'c', NULL, 0, "change the memory under the rings meanwhile", 0 },
	{ "flood", 'f', NULL, 0, "invalidate other memory of the process meanwhile, without a pause", 0 },
	{ "pause", 'p', "MICROSECONDS", 0, "between bursts of 50 packets", 0 },
	{ 0 }
};

static double number(struct argp_state *st, const char *arg)
{
	char *end;
	double v = strtod(arg, &end);

	if (*end || end == arg || !(v > 0 && v < 1e7))
		argp_error(st, "'%s' is not a number that makes sense here", arg);
	return v;
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	switch (key) {
	case 's':
		opt.seconds = number(st, arg);
		return 0;
	case 'a':
		opt.accessor = NULL;
		for (size_t i = 0; i < ACCESSORS; i++)
			if (!strcmp(arg, accessors[i]))
				opt.accessor = accessors[i];
		if (!opt.accessor && strcmp(arg, "cycle"))
			argp_error(st, "no accessor '%s'", arg);
		return 0;
	case 'm':
		for (size_t i = 0; i < MODES; i++)
			if (!strcmp(arg, modes[i].name))
				opt.mode = &modes[i];
		if (!opt.mode)
			argp_error(st, "no mode '%s'", arg);
		return 0;
	case 'c':
		opt.change = true;
		return 0;
	case 'f':
		opt.flood = true;
		return 0;
	case 'p':
		opt.pause_us = number(st, arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Checked packets through vhost-net, in all ways to set its queues up",
		NULL, NULL, NULL
	};
	uint64_t packets = 0;
	unsigned int turn = 0;
	double start, end;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	signal(SIGTERM, on_signal);
	start = now();
	end = start + opt.seconds;
	do {
		const struct mode *m = opt.mode ? opt.mode : &modes[turn++ % MODES];
		double slice = opt.mode ? end : now() + SLICE;

		packets += run(m, slice < end ? slice : end);
	} while (now() < end && !ended);
	fprintf(stderr, "ringmap_load: %llu packets in %.1f s, none lost; %lu changes of memory\n",
		(unsigned long long)packets, now() - start, (unsigned long)changes);
	return 0;
}
