// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets for an instruction counter: for each of the modes named on the command
 * line and each number of packets under way, on TX alone and there and back, a
 * warm-up and then a bracket of two no-ops that the counter knows
 * (scripts/ringcount.c).
 *
 * A mode is an accessor; or "base", which sets none; or "unmappable", which is
 * ringmap with rings in memory that has no struct pages in use: /dev/mem at the
 * address in RINGMAP_RESERVED.
 *
 * Prints "INTERVAL DIRECTION MODE WINDOW PACKETS SECTIONS", the last being those
 * under the map lock that vhost entered, in the order of the brackets.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vring.h"

#define PACKETS	4096

#define begin_count()	__asm__ volatile("nopl 0x52430001(%%rax,%%rax)" ::: "memory")
#define end_count()	__asm__ volatile("nopl 0x52430002(%%rax,%%rax)" ::: "memory")

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

static void run(const char *mode, unsigned int window, bool sink)
{
	static int interval;
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	bool unmappable = !strcmp(mode, "unmappable");
	const char *accessor = unmappable ? "ringmap" : mode;
	long long sections = 0;
	struct vring_dev d;

	cfg.window = window;
	cfg.sink = sink;
	cfg.max_frame = cfg.min_frame;
	if (unmappable)
		cfg.memory = reserved_memory(vring_ring_bytes(&cfg));
	if (vring_open(&d, &cfg) ||
	    (strcmp(mode, "base") && vring_set_accessor(&d, accessor)) ||
	    vring_start(&d) || vring_run(&d, PACKETS, NULL))
		errx(1, "%s", d.vdev.error);
	if (strcmp(mode, "base"))
		sections = -vring_stat_sum(&d, "sections");
	begin_count();
	if (vring_run(&d, PACKETS, NULL))
		errx(1, "%s", d.vdev.error);
	end_count();
	if (strcmp(mode, "base"))
		sections += vring_stat_sum(&d, "sections");
	if (unmappable && vring_stat_sum(&d, "fills"))
		errx(1, "rings in %s were mapped", getenv("RINGMAP_RESERVED"));
	printf("%d %s %s %u %d %lld\n", ++interval, sink ? "tx" : "both", mode,
	       window, PACKETS, sections);
	fflush(stdout);
	vring_close(&d);
}

int main(int argc, char **argv)
{
	static const unsigned int windows[] = { 1, 16, 64, 128 };

	if (argc < 2)
		errx(1, "name what to run: base, uaccess, checked, ringmap, unmappable");
	for (int sink = 0; sink < 2; sink++)
		for (unsigned int w = 0; w < sizeof(windows) / sizeof(*windows); w++)
			for (int i = 1; i < argc; i++)
				run(argv[i], windows[w], sink);
	return 0;
}
