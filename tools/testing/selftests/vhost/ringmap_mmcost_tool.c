// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mapped rings cost memory management, and what its changes cost them.
 *
 * "queues MODE" is to be run under QEMU's -icount, on one processor. It opens more and
 * more vhost-net devices, whose rings are mapped when MODE is ringmap, and prints
 * "op OPERATION-PAGES QUEUES TICKS INTERVAL", the cycle counter's ticks of an operation
 * on memory that is not a ring, the least of many, and which bracket of
 * the instruction counter has one more; and "slab QUEUES FILES OTHERS", the bytes in slabs
 * that count as reclaimable, as those of dentries and inodes, and in others. A tick is
 * an instruction there. MODE is an accessor; or "base", which sets none. With ringmap it
 * goes back to uaccess at the end, and prints the same as of "back" queues.
 *
 * "fill", under -icount as well, drops all mappings of a device and sends packets. It
 * prints "fill DROP MODE WINDOW PACKETS FALLBACKS FILLS TICKS": how many packets it took
 * until all accesses were mapped again, accesses by user access and pages mapped
 * meanwhile, and how many ticks more than ever the first packets took.
 *
 * "flood ROUNDS MS" invalidates the rings of a device under traffic: so many times a
 * second, and as fast as it can. It prints "flood DROP RATE MODE PACKETS/S
 * INVALIDATIONS/S MEDIAN LONGEST", the last two being nanoseconds that the
 * invalidating system call took.
 */
#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vring.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#endif

#define PAGE		4096UL
#define PAGES		64
#define DEVICES		512
#define REPEAT		1000

static void give_up(const struct vring_dev *d)
{
	errx(1, "%s", d->vdev.error);
}

static void open_device(struct vring_dev *d, const struct vring_config *cfg,
			const char *mode, unsigned int packets)
{
	if (vring_open(d, cfg) ||
	    (strcmp(mode, "base") && vring_set_accessor(d, mode)) ||
	    vring_start(d) || vring_run(d, packets, NULL) || vring_idle(d))
		give_up(d);
}

/* --- memory management with more and more queues --- */

static struct vring_dev dev[DEVICES];
static char *elsewhere;		/* amid the rings: the tree is searched for it */
static size_t len;		/* of it */

static void map_pages(void)
{
	if (mmap(elsewhere, len, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_FIXED, -1, 0) != elsewhere)
		err(1, "mmap");
	for (size_t at = 0; at < len; at += PAGE)
		store(elsewhere + at, 1);
}

static void unmap_pages(void)
{
	munmap(elsewhere, len);
}

static void protect_pages(void)
{
	mprotect(elsewhere, len, PROT_READ);
}

static void drop_pages(void)
{
	madvise(elsewhere, len, MADV_DONTNEED);
}

static void touch_page(void)
{
	store(elsewhere, 1);
}

static void empty_page(void)
{
	map_pages();
	drop_pages();
}

/* A TLB flush, and no range. */
static void cool_page(void)
{
	if (madvise(elsewhere, len, MADV_COLD))
		err(1, "MADV_COLD");
}

static void fork_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static const struct {
	const char *name;
	void (*before)(void);
	void (*op)(void);
	int repeat;
	int pages;
} ops[] = {
	{ "munmap", map_pages, unmap_pages, REPEAT, 1 },
	{ "mprotect", map_pages, protect_pages, REPEAT, 1 },
	{ "fork", map_pages, fork_child, REPEAT / 5, 1 },
	{ "fault", empty_page, touch_page, REPEAT, 1 },
	{ "dontneed", map_pages, drop_pages, REPEAT, 1 },
	{ "flush", map_pages, cool_page, REPEAT, 1 },
	{ "munmap", map_pages, unmap_pages, REPEAT / 5, PAGES },
	{ "mprotect", map_pages, protect_pages, REPEAT / 5, PAGES },
	{ "dontneed", map_pages, drop_pages, REPEAT / 5, PAGES },
};

static void print_slabs(const char *queues)
{
	unsigned long inodes, rest;
	char buf[4096], *at;

	/* What each processor counted by itself is added up. */
	write_text("/proc/sys/vm/stat_refresh", "1");
	read_text("/proc/meminfo", buf, sizeof(buf));
	at = strstr(buf, "\nSReclaimable:");
	if (!at || sscanf(at, "\nSReclaimable: %lu kB SUnreclaim: %lu kB",
			  &inodes, &rest) != 2)
		errx(1, "/proc/meminfo does not say what is in slabs");
	printf("slab %s %lu %lu\n", queues, inodes << 10, rest << 10);
}

static void measure(const char *queues)
{
	static int interval;

	print_slabs(queues);
	munmap(elsewhere, PAGES * PAGE);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		unsigned long long best = -1, t;

		len = ops[i].pages * PAGE;
		for (int n = 0; n < ops[i].repeat; n++) {
			ops[i].before();
			t = __rdtsc();
			ops[i].op();
			t = __rdtsc() - t;
			if (t < best)
				best = t;
		}
		ops[i].before();
		begin_count();
		ops[i].op();
		end_count();
		printf("op %s-%d %s %llu %d\n", ops[i].name, ops[i].pages,
		       queues, best, ++interval);
	}
	fflush(stdout);
}

/* Of a device, how many queues have each page of their rings mapped. */
static int mapped_queues(const struct vring_dev *d)
{
	unsigned long pages, mapped;
	char path[160], buf[512];
	int queues = 0;

	for (int q = 0; q < VRING_QUEUES; q++) {
		int whole = 0;

		snprintf(path, sizeof(path), "%s/%d/map", d->vdev.debugfs, q);
		read_text(path, buf, sizeof(buf));
		for (char *at = buf; (at = strstr(at, " pages=")); at++)
			whole += sscanf(at, " pages=%lu mapped=%lu", &pages,
					&mapped) == 2 && pages && mapped == pages;
		queues += whole == VRING_PARTS;
	}
	return queues;
}

static void measure_queues(const char *mode)
{
	static const int counts[] = { 0, 1, 32, DEVICES };
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct rlimit files = { 16 * DEVICES, 16 * DEVICES };
	bool ringmap = !strcmp(mode, "ringmap");
	size_t rings, half;
	char queues[12];
	char *area;
	int n = 0;

	cfg.num[VRING_RX] = cfg.num[VRING_TX] = 16;
	cfg.max_frame = cfg.min_frame;
	rings = vring_ring_bytes(&cfg);
	half = DEVICES / 2 * rings;
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "cannot have %lu files open", files.rlim_cur);
	area = mmap(NULL, 2 * half + PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* As for a guest's memory: a child would share it until it is written. */
	if (area == MAP_FAILED || madvise(area, 2 * half + PAGES * PAGE, MADV_DONTFORK))
		err(1, "memory for the rings");
	memset(area, 0, 2 * half + PAGES * PAGE);
	elsewhere = area + half;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (; n < counts[i]; n++) {
			/* In turns on either side. */
			cfg.memory = n & 1 ? elsewhere + PAGES * PAGE + n / 2 * rings :
				     elsewhere - (n / 2 + 1) * rings;
			open_device(&dev[n], &cfg, mode, 64);
			madvise(dev[n].buf, dev[n].buf_len, MADV_DONTFORK);
		}
		for (int k = 0; k < n; k++)
			if (strcmp(mode, "base") &&
			    mapped_queues(&dev[k]) != ringmap * VRING_QUEUES)
				errx(1, "of %d devices, number %d has %d queues mapped",
				     n, k, mapped_queues(&dev[k]));
		snprintf(queues, sizeof(queues), "%d", n * VRING_QUEUES);
		measure(queues);
	}
	if (!ringmap)
		return;
	for (int k = 0; k < n; k++)
		if (vring_set_accessor(&dev[k], "uaccess"))
			give_up(&dev[k]);
	measure("back");
}

/* --- the rings under traffic --- */

/*
 * An invalidation that leaves what is in the rings, and lets their driver use them.
 * For what is private, mprotect keeps reading, and so only used rings are dropped.
 */
static void protect(struct vring_dev *d)
{
	static int exec;

	exec ^= PROT_EXEC;
	if (mprotect(d->ring_mem, d->ring_len, PROT_READ | PROT_WRITE | exec))
		err(1, "mprotect");
}

/* No page is mapped any more, in user space, too. */
static void zap(struct vring_dev *d)
{
	if (madvise(d->ring_mem, d->ring_len, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

/* Only while the driver does not run. */
static void protect_all(struct vring_dev *d)
{
	if (mprotect(d->ring_mem, d->ring_len, PROT_NONE) ||
	    mprotect(d->ring_mem, d->ring_len, PROT_READ | PROT_WRITE))
		err(1, "mprotect");
}

static const char * const modes[] = { "uaccess", "ringmap" };

#define MODES	2

static void *ring_memory(enum vring_memory kind, const struct vring_config *cfg)
{
	void *p = vring_map(kind, vring_ring_bytes(cfg));

	if (p == MAP_FAILED)
		err(1, "memory for the rings");
	return p;
}

static void fill(const char *name, enum vring_memory kind,
		 void (*drop)(struct vring_dev *d), unsigned int window,
		 const char *mode)
{
	static const char * const keys[] = { "fallback", "fills" };
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	/* As many packets as the rings have entries, and again. */
	const unsigned int batches = 2 * cfg.num[VRING_TX] / window, first = 8;
	struct vring_dev d;

	cfg.window = window;
	cfg.max_frame = cfg.min_frame;
	cfg.memory = ring_memory(kind, &cfg);
	open_device(&d, &cfg, mode, 4096);
	for (int try = 0; try < 9; try++) {
		long long was[2] = { 0 }, start[2] = { 0 }, is, extra = 0;
		unsigned int packets = 0;

		/* The same packets twice, after nothing and after a drop. */
		for (int dropped = 0; dropped < 2; dropped++) {
			if (vring_idle(&d))
				give_up(&d);
			if (dropped)
				drop(&d);
			for (int k = 0; k < 2; k++)
				start[k] = was[k] = vring_stat_sum(&d, keys[k]);
			for (unsigned int b = 0; b < batches; b++) {
				long long t = __rdtsc();

				if (vring_run(&d, window, NULL))
					give_up(&d);
				t = __rdtsc() - t;
				if (b < first)
					extra += dropped ? t : -t;
				for (int k = 0; k < 2; k++) {
					is = vring_stat_sum(&d, keys[k]);
					if (is != was[k])
						packets = (b + 1) * window;
					was[k] = is;
				}
			}
			if (!dropped && packets)
				errx(1, "rings are not mapped for good");
		}
		printf("fill %s %s %u %u %lld %lld %lld\n", name, mode, window,
		       packets, was[0] - start[0], was[1] - start[1], extra);
		fflush(stdout);
	}
	vring_close(&d);
	munmap(cfg.memory, vring_ring_bytes(&cfg));
}

#define MAX_CALLS	(1 << 20)

static struct {
	struct vring_dev *d;
	void (*drop)(struct vring_dev *d);
	unsigned long rate;		/* per second; 0 for no pause between two */
	atomic_bool stop;
	unsigned long calls;
	uint32_t ns[MAX_CALLS];		/* that each took */
} flooder;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "processor %d", cpu);
}

/*
 * Without a timer that it trusts the kernel's clock moves by jiffies. Where there are
 * two processors, that is so in our VM.
 */
static double tick_ns = 1;

static uint64_t ns_now(void)
{
	return __rdtsc() * tick_ns;
}

static void calibrate(void)
{
	double start = now(), from, to;
	uint64_t ticks;

	while ((from = now()) == start)
		;
	ticks = __rdtsc();
	do
		to = now();
	while (to - from < 0.2);
	tick_ns = (to - from) * 1e9 / (__rdtsc() - ticks);
}

/* One processor is the traffic's, too, and must be left to it. */
static void wait_until(uint64_t ns)
{
	struct timespec t = { 0 };
	uint64_t at = ns_now();

	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		while (ns_now() < ns && !flooder.stop)
			_mm_pause();
	} else if (at < ns) {
		t.tv_nsec = ns - at;
		nanosleep(&t, NULL);
	}
}

/* Early after boot it sleeps for whole jiffies. */
static void need_short_sleeps(void)
{
	struct timespec res;

	for (int i = 0; i < 500; i++) {
		clock_getres(CLOCK_MONOTONIC, &res);
		if (!res.tv_sec && res.tv_nsec <= 1000)
			return;
		usleep(20000);
	}
	errx(1, "no high resolution timers");
}

static void *flood(void *arg)
{
	uint64_t next = ns_now(), t;

	(void)arg;
	pin(1);
	while (!flooder.stop) {
		t = ns_now();
		flooder.drop(flooder.d);
		t = ns_now() - t;
		if (t > UINT32_MAX)
			t = UINT32_MAX;
		/* One that is not the longest can be left out of the median. */
		if (flooder.calls < MAX_CALLS)
			flooder.ns[flooder.calls] = t;
		else if (t > flooder.ns[0])
			flooder.ns[0] = t;
		flooder.calls++;
		if (!flooder.rate)
			continue;
		next += 1000000000ULL / flooder.rate;
		wait_until(next);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void flood_round(struct vring_dev *d, const char *name, const char *rate,
			const char *mode, unsigned int ms)
{
	unsigned long packets = 0, n;
	uint64_t start, ns;
	pthread_t thread;
	bool none = !strcmp(rate, "0");

	if (vring_set_accessor(d, mode) || vring_run(d, 1024, NULL))
		give_up(d);
	flooder.d = d;
	flooder.rate = strtoul(rate, NULL, 0);
	flooder.stop = false;
	flooder.calls = 0;
	flooder.ns[0] = 0;
	if (!none && pthread_create(&thread, NULL, flood, NULL))
		errx(1, "cannot start a thread");
	start = ns_now();
	do {
		if (vring_run(d, 256, NULL))
			give_up(d);
		packets += 256;
		ns = ns_now() - start;
	} while (ns < ms * 1000000ULL);
	flooder.stop = true;
	if (!none)
		pthread_join(thread, NULL);
	n = flooder.calls < MAX_CALLS ? flooder.calls : MAX_CALLS;
	qsort(flooder.ns, n, sizeof(flooder.ns[0]), by_value);
	printf("flood %s %s %s %.0f %.0f %u %u\n", name, rate, mode,
	       packets * 1e9 / ns, flooder.calls * 1e9 / ns,
	       flooder.ns[n / 2], n ? flooder.ns[n - 1] : 0);
	fflush(stdout);
}

static void flood_rounds(int rounds, unsigned int ms)
{
	static const struct {
		const char *name;
		enum vring_memory kind;
		void (*drop)(struct vring_dev *d);
	} drops[] = {
		{ "prot_exec", VRING_ANON, protect },
		{ "zap", VRING_SHMEM, zap },
	};
	static const char * const rates[] = { "0", "100", "10000", "full" };
	struct vring_dev d[2];

	pin(0);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		calibrate();
	else
		need_short_sleeps();
	for (int k = 0; k < 2; k++) {
		struct vring_config cfg = VRING_CONFIG_DEFAULT;

		cfg.window = 64;
		cfg.max_frame = cfg.min_frame;
		cfg.memory = ring_memory(drops[k].kind, &cfg);
		open_device(&d[k], &cfg, "ringmap", 1024);
	}
	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < 2; k++)
			for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
				for (int m = 0; m < MODES; m++) {
					flooder.drop = drops[k].drop;
					/* Who is first in one round is last in the next. */
					flood_round(&d[k], drops[k].name, rates[r],
						    modes[(i + m) % MODES], ms);
				}
	for (int k = 0; k < 2; k++)
		vring_close(&d[k]);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "queues") && argc == 3) {
		measure_queues(argv[2]);
	} else if (!strcmp(what, "fill") && argc == 2) {
		for (unsigned int window = 1; window <= 64; window *= 64)
			for (int m = 0; m < MODES; m++) {
				fill("prot_none", VRING_ANON, protect_all, window, modes[m]);
				fill("zap", VRING_SHMEM, zap, window, modes[m]);
			}
	} else if (!strcmp(what, "flood") && argc == 4) {
		flood_rounds(atoi(argv[2]), atoi(argv[3]));
	} else {
		errx(2, "usage: ringmap_mmcost_tool queues MODE | fill | flood ROUNDS MS");
	}
	return 0;
}
