// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets for an instruction counter: for each of the modes named on the command
 * line and each number of packets under way, on TX alone and there and back, a
 * warm-up and then a bracket of two no-ops that the counter knows; at last packets of as
 * many descriptors as a ring nearly has, on TX alone, one by one. The modes come one
 * after the other, each as the default of new devices: before the first one that is not
 * uaccess, nobody has used anything else.
 *
 * A mode is an accessor; or "base", which sets none; or "unmappable", which is
 * ringmap with rings in memory that has no struct pages in use: /dev/mem at the
 * address in RINGMAP_RESERVED.
 *
 * Prints "INTERVAL DIRECTION MODE WINDOW PACKETS SECTIONS", the last being those
 * under the map lock that vhost entered, in the order of the brackets.
 *
 * The mode "bad", which comes after all others, is what makes vhost hold the map lock
 * longest: the largest rings, full batches, all pages dropped at once. It prints
 * "INTERVAL bad MEMORY".
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vring.h"

#define PACKETS	4096
#define CHAIN	255	/* descriptors */
#define PAGE	4096UL

static int interval;

static void *reserved_memory(size_t len)
{
	const char *where = getenv("RINGMAP_RESERVED");
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *p;

	if (!where || fd < 0)
		err(1, "/dev/mem, and RINGMAP_RESERVED=%s", where);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 strtoul(where, NULL, 0));
	if (p == MAP_FAILED)
		err(1, "cannot map %s of /dev/mem", where);
	close(fd);
	return p;
}

struct workload {
	const char *direction;
	unsigned int window, chain, packets;
};

static void run(const char *mode, const struct workload *w)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	bool unmappable = !strcmp(mode, "unmappable");
	const char *accessor = unmappable ? "ringmap" : mode;
	long long sections = 0;
	struct vring_dev d;

	cfg.window = w->window;
	cfg.sink = strcmp(w->direction, "both");
	cfg.chain = w->chain;
	/* Each descriptor but the first has a part of the frame. */
	if (cfg.min_frame < w->chain)
		cfg.min_frame = w->chain;
	cfg.max_frame = cfg.min_frame;
	if (unmappable)
		cfg.memory = reserved_memory(vring_ring_bytes(&cfg));
	if ((strcmp(mode, "base") && vdev_set_default(&d.vdev, accessor)) ||
	    vring_open(&d, &cfg) || vring_start(&d) || vring_run(&d, w->packets, NULL))
		errx(1, "%s", d.vdev.error);
	if (strcmp(mode, "base"))
		sections = -vring_stat_sum(&d, "sections");
	begin_count();
	if (vring_run(&d, w->packets, NULL))
		errx(1, "%s", d.vdev.error);
	end_count();
	if (strcmp(mode, "base"))
		sections += vring_stat_sum(&d, "sections");
	if (unmappable && vring_stat_sum(&d, "fills"))
		errx(1, "rings in %s were mapped", getenv("RINGMAP_RESERVED"));
	printf("%d %s %s %u %u %lld\n", ++interval, w->direction, mode, w->window,
	       w->packets, sections);
	fflush(stdout);
	vring_close(&d);
}

/* Many packets at once: vhost hears of them when all are there. */
static void burst(struct vring_dev *d)
{
	struct vring_queue *tx = &d->q[VRING_TX];
	uint64_t one = 1;
	int kick = tx->kick;

	tx->kick = -1;
	for (int i = 0; i < 256; i++)
		vring_send(d);
	tx->kick = kick;
	if (write(kick, &one, sizeof(one)) < 0 || vring_run(d, 256, NULL) || vring_idle(d))
		errx(1, "%s", d->vdev.error);
}

static void invalidate(void *from, size_t len)
{
	if (mprotect(from, len, PROT_NONE) || mprotect(from, len, PROT_READ | PROT_WRITE))
		err(1, "mprotect");
}

static void run_bad(const char *name, enum vring_memory kind, bool indirect)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev d;
	char *end;

	cfg.num[VRING_RX] = cfg.num[VRING_TX] = 32768;
	cfg.indirect = indirect;
	cfg.max_frame = cfg.min_frame;
	cfg.memory = vring_map(kind, vring_ring_bytes(&cfg));
	if (cfg.memory == MAP_FAILED)
		err(1, "memory of %s", name);
	/* Every other page first, so that they are not in a row. */
	for (int odd = 1; odd >= 0; odd--)
		for (size_t at = odd * PAGE; at < vring_ring_bytes(&cfg); at += 2 * PAGE)
			store((char *)cfg.memory + at, 0);
	begin_count();
	/* Each entry of RX is used, so that each of its pages is mapped. */
	if (vring_open(&d, &cfg) || vring_set_accessor(&d, "ringmap") || vring_start(&d) ||
	    vring_run(&d, cfg.num[VRING_RX] + PACKETS, NULL) || vring_idle(&d))
		errx(1, "%s", d.vdev.error);
	/* What follows from the pages is sought anew, up to the last one. */
	for (int parts = 0; parts < 1 << VRING_PARTS; parts++) {
		end = d.ring_mem;
		for (int p = 0; p < VRING_PARTS; p++) {
			end += page_up(vdev_part_bytes(cfg.num[VRING_RX], p));
			if (parts >> p & 1)
				invalidate(end - PAGE, PAGE);
		}
		burst(&d);
	}
	invalidate(d.ring_mem, d.ring_len);
	burst(&d);
	if (vring_stop(&d) || vring_start(&d))
		errx(1, "%s", d.vdev.error);
	burst(&d);
	end_count();
	printf("%d bad %s\n", ++interval, name);
	fflush(stdout);
	vring_close(&d);
}

/* With SCHED_FIFO, vhost on the same processor finds all that the driver has to send. */
static void schedule(int policy)
{
	struct sched_param p = { .sched_priority = policy == SCHED_FIFO };

	if (sched_setscheduler(0, policy, &p))
		err(1, "sched_setscheduler");
}

int main(int argc, char **argv)
{
	static const struct workload workloads[] = {
		{ "both", 1, 0, PACKETS }, { "both", 16, 0, PACKETS },
		{ "both", 64, 0, PACKETS }, { "both", 128, 0, PACKETS },
		{ "tx", 1, 0, PACKETS }, { "tx", 16, 0, PACKETS },
		{ "tx", 64, 0, PACKETS }, { "tx", 128, 0, PACKETS },
		{ "chain", 1, CHAIN, PACKETS / 8 },
	};
	bool bad;

	if (argc < 2)
		errx(1, "name what to run: base, uaccess, checked, ringmap, unmappable, bad");
	bad = !strcmp(argv[argc - 1], "bad");
	schedule(SCHED_FIFO);
	for (int i = 1; i < argc - bad; i++)
		for (unsigned int w = 0; w < sizeof(workloads) / sizeof(*workloads); w++)
			run(argv[i], &workloads[w]);
	schedule(SCHED_OTHER);
	if (bad) {
		run_bad("huge", VRING_THP, true);
		run_bad("scattered", VRING_ANON, true);
		run_bad("file", VRING_REGULAR, false);
	}
	return 0;
}
