// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringmap_demo_load: the same packets by user access and through mapped rings, in
 * turns, then with the memory under the rings changing and the accessor
 * switched under traffic. A table on stderr, the same as JSON on stdout.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vring.h"

#define MAX_ROUNDS	100

enum phase { UACCESS, RINGMAP, CHANGING, SWITCHING, PHASES };

static const char * const phase_names[PHASES] = {
	[UACCESS] = "uaccess",
	[RINGMAP] = "ringmap",
	[CHANGING] = "ringmap, memory changing",
	[SWITCHING] = "switching accessors",
};

static const char * const phase_keys[PHASES] = {
	"uaccess", "ringmap", "changing", "switching"
};

static const char * const stat_names[] = {
	"mapped", "fallback", "sections", "fills", "dropped",
};

#define STATS (sizeof(stat_names) / sizeof(stat_names[0]))
enum { MAPPED, FALLBACK, USER, FILLS, DROPPED };

/* Of /sys/kernel/debug/mmu_notifier/stats: the rings are all who subscribe. */
#define NOTIFIER	"/sys/kernel/debug/mmu_notifier/"
#define MAX_CAUSES	64

struct cause {
	char name[32];
	long long called, kept;
};

static int causes;
static struct cause was[MAX_CAUSES], is[MAX_CAUSES];

struct total {
	uint64_t packets, lost, reordered, corrupt;
	long long stat[STATS];
	struct cause cause[MAX_CAUSES];
	double rate[MAX_ROUNDS];
	int rounds;
	unsigned long changes;
};

static struct total totals[PHASES];
static struct vring_dev dev;
static double start;
static int rounds = 5;
static uint64_t packets = 50000;

static void read_stats(long long *v)
{
	for (size_t i = 0; i < STATS; i++) {
		v[i] = vring_stat_sum(&dev, stat_names[i]);
		if (v[i] < 0)
			errx(1, "%s; the kernel needs CONFIG_VHOST_RINGMAP and debugfs",
			     dev.vdev.error);
	}
}

static void read_causes(struct cause *c)
{
	FILE *f = fopen(NOTIFIER "stats", "r");
	char line[256];

	if (!f)
		err(1, NOTIFIER "stats: the kernel needs CONFIG_MMU_NOTIFIER_STATS");
	for (causes = 0; causes < MAX_CAUSES && fgets(line, sizeof(line), f);)
		causes += sscanf(line, "%31s %*u %*u %lld %lld",
				 c[causes].name, &c[causes].called,
				 &c[causes].kept) == 3;
	fclose(f);
}

static void run(enum phase p, uint64_t n)
{
	struct total *t = &totals[p];
	long long before[STATS], after[STATS];
	struct vring_result r;
	int ret;

	read_stats(before);
	read_causes(was);
	ret = vring_run(&dev, n, &r);
	t->packets += r.received;
	t->lost += r.lost;
	t->reordered += r.reordered;
	t->corrupt += r.corrupt;
	read_stats(after);
	for (size_t i = 0; i < STATS; i++)
		t->stat[i] += after[i] - before[i];
	read_causes(is);
	for (int i = 0; i < causes; i++) {
		t->cause[i].called += is[i].called - was[i].called;
		t->cause[i].kept += is[i].kept - was[i].kept;
	}
	if (t->rounds < MAX_ROUNDS)
		t->rate[t->rounds++] = r.received / r.seconds;
	fprintf(stderr, "%5.1f s  %-26s %8llu packets  %8.0f packets/s\n",
		now() - start, phase_names[p], (unsigned long long)r.received,
		r.received / r.seconds);
	if (ret)
		fprintf(stderr, "         %s\n", dev.vdev.error);
}

static void accessor(struct vring_dev *d, const char *name)
{
	if (vring_set_accessor(d, name))
		errx(1, "%s", d->vdev.error);
}

/* --- what goes on under the traffic --- */

static atomic_bool stop;

static void *change_memory(void *arg)
{
	unsigned long *changes = arg;
	int refs = open("/proc/self/clear_refs", O_WRONLY);

	while (!stop) {
		mprotect(dev.ring_mem, dev.ring_len,
			 PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(dev.ring_mem, dev.ring_len, PROT_READ | PROT_WRITE);
		/* The rings are shared memory: their pages come back. */
		madvise(dev.ring_mem, dev.ring_len, MADV_DONTNEED);
		/* Write protects them: vhost's reading may go on. */
		if (pwrite(refs, "4", 1, 0) != 1)
			err(1, "/proc/self/clear_refs");
		*changes += 4;
		usleep(1000);
	}
	close(refs);
	return NULL;
}

static void *switch_accessor(void *arg)
{
	unsigned long *changes = arg;
	struct vring_dev mine = dev;

	while (!stop) {
		accessor(&mine, "uaccess");
		usleep(500);
		accessor(&mine, "ringmap");
		*changes += 2;
		usleep(500);
	}
	return NULL;
}

static void with_thread(enum phase p, void *(*fn)(void *))
{
	pthread_t thread;
	int i;

	stop = false;
	if (pthread_create(&thread, NULL, fn, &totals[p].changes))
		errx(1, "cannot start a thread");
	for (i = 0; i < rounds; i++)
		run(p, packets);
	stop = true;
	pthread_join(thread, NULL);
}

/* --- report --- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void table(void)
{
	static const char * const shown[] = {
		"packets", "lost", "packets/s min", "packets/s median",
		"packets/s max", "accesses mapped", "accesses fallen back",
		"sections under the map lock", "fills", "mappings dropped",
		"changes made",
	};

	fprintf(stderr, "\n%-28s", "");
	for (int p = 0; p < PHASES; p++)
		fprintf(stderr, "%12s", phase_keys[p]);
	fputc('\n', stderr);
	for (size_t row = 0; row < sizeof(shown) / sizeof(shown[0]); row++) {
		fprintf(stderr, "%-28s", shown[row]);
		for (int p = 0; p < PHASES; p++) {
			struct total *t = &totals[p];
			const double v[] = {
				t->packets, t->lost, t->rate[0],
				t->rate[t->rounds / 2], t->rate[t->rounds - 1],
				t->stat[MAPPED], t->stat[FALLBACK],
				t->stat[USER], t->stat[FILLS],
				t->stat[DROPPED], t->changes,
			};

			fprintf(stderr, "%12.0f", v[row]);
		}
		fputc('\n', stderr);
	}
	fputs("invalidations of a ring, by cause: told / kept from it\n", stderr);
	for (int i = 0; i < causes; i++) {
		long long any = 0;

		for (int p = 0; p < PHASES; p++)
			any += totals[p].cause[i].called + totals[p].cause[i].kept;
		if (!any)
			continue;
		fprintf(stderr, "  %-26s", is[i].name);
		for (int p = 0; p < PHASES; p++)
			fprintf(stderr, "%6lld/%-5lld", totals[p].cause[i].called,
				totals[p].cause[i].kept);
		fputc('\n', stderr);
	}
	fputs("\nUnder TCG every instruction costs about the same, STAC, CLAC and"
	      " LFENCE included:\nthe rates say that packets flow, not which"
	      " accessor is faster.\n", stderr);
}

static void json(bool ok, double mapped)
{
	printf("{\n  \"ok\": %s,\n  \"mapped_percent_steady\": %.3f,\n"
	       "  \"queue_size\": %u,\n  \"phases\": {\n", ok ? "true" : "false",
	       mapped, dev.cfg.num[VRING_TX]);
	for (int p = 0; p < PHASES; p++) {
		struct total *t = &totals[p];

		printf("    \"%s\": {\n      \"packets\": %llu, \"lost\": %llu, "
		       "\"reordered\": %llu, \"corrupt\": %llu,\n"
		       "      \"rate\": { \"min\": %.0f, \"median\": %.0f, "
		       "\"max\": %.0f },\n      \"changes\": %lu,\n",
		       phase_keys[p], (unsigned long long)t->packets,
		       (unsigned long long)t->lost,
		       (unsigned long long)t->reordered,
		       (unsigned long long)t->corrupt, t->rate[0],
		       t->rate[t->rounds / 2], t->rate[t->rounds - 1],
		       t->changes);
		for (size_t i = 0; i < STATS; i++)
			printf("      \"%s\": %lld,\n", stat_names[i], t->stat[i]);
		printf("      \"causes\": {\n");
		for (int i = 0; i < causes; i++)
			printf("        \"%s\": { \"called\": %lld, \"kept\": %lld }%s\n",
			       is[i].name, t->cause[i].called, t->cause[i].kept,
			       i + 1 < causes ? "," : "");
		printf("      }\n    }%s\n", p + 1 < PHASES ? "," : "");
	}
	printf("  }\n}\n");
}

static const struct argp_option options[] = {
	{ "rounds", 'r', "N", 0, "rounds of each kind, up to 100 (5)", 0 },
	{ "packets", 'p', "N", 0, "packets a round (50000)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *st)
{
	char *end;
	long v;

	if (key != 'r' && key != 'p')
		return ARGP_ERR_UNKNOWN;
	v = strtol(arg, &end, 10);
	if (*end || end == arg || v < 1 || (key == 'r' && v > MAX_ROUNDS))
		argp_error(st, "'%s' is not a number that makes sense here", arg);
	if (key == 'r')
		rounds = v;
	else
		packets = v;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Packets through vhost-net by user access and through mapped rings",
		NULL, NULL, NULL
	};
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct total *steady = &totals[RINGMAP];
	bool ok = true;
	double mapped;
	int fd;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	start = now();
	cfg.memory = mmap(NULL, vring_ring_bytes(&cfg), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cfg.memory == MAP_FAILED)
		err(1, "memory for the rings");
	if (vring_open(&dev, &cfg) || vring_start(&dev))
		errx(1, "%s", dev.vdev.error);

	fd = open(NOTIFIER "enable", O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		err(1, NOTIFIER "enable");
	close(fd);

	/* Once around every ring in each mode, so that steady is steady. */
	accessor(&dev, "ringmap");
	if (vring_run(&dev, 1000, NULL))
		errx(1, "%s", dev.vdev.error);
	for (int i = 0; i < rounds; i++) {
		accessor(&dev, "uaccess");
		run(UACCESS, packets);
		accessor(&dev, "ringmap");
		run(RINGMAP, packets);
	}
	with_thread(CHANGING, change_memory);
	with_thread(SWITCHING, switch_accessor);

	mapped = 100.0 * steady->stat[MAPPED] /
		 (steady->stat[MAPPED] + steady->stat[FALLBACK] + 1e-9);
	for (int p = 0; p < PHASES; p++) {
		struct total *t = &totals[p];

		qsort(t->rate, t->rounds, sizeof(double), by_value);
		ok &= !t->lost && !t->reordered && !t->corrupt &&
		      t->packets == packets * rounds;
	}
	ok &= mapped >= 99;
	ok &= totals[CHANGING].stat[DROPPED] > 0 &&
	      totals[CHANGING].stat[MAPPED] > 0;
	table();
	json(ok, mapped);
	vring_close(&dev);
	fprintf(stderr, "%s: %.2f %% of ring accesses mapped in steady state, %llu packets lost\n",
		ok ? "ok" : "FAILED", mapped,
		(unsigned long long)(totals[0].lost + totals[1].lost +
				     totals[2].lost + totals[3].lost));
	return !ok;
}
