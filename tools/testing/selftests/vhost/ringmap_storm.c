// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringmap_storm: packets whose every number and byte is checked, while the memory
 * under the rings is changed in all ways that leave its content, the accessor is
 * switched, the device IOTLB changes, and queues are stopped and started.
 *
 * Runs by turns on memory of several kinds until the goals given on the command
 * line are met, and prints what happened; fails if a packet was lost, or if a
 * goal was not met in time.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vring.h"

#define PAGE		4096UL
#define ROUND		50000	/* packets between restarts of the queues */
#define ROUNDS		4	/* of them on one kind of memory */
#define MAX_KEYS	64
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static const char * const kind_names[] = {
	[VRING_ANON] = "anonymous", [VRING_THP] = "thp", [VRING_SHMEM] = "shmem",
	[VRING_REGULAR] = "file",
};

#define KINDS	(sizeof(kind_names) / sizeof(kind_names[0]))

static struct {
	struct vring_dev *d;
	char *mem;
	size_t len;
	enum vring_memory kind;
	atomic_bool stop;
	atomic_ulong changes, switches, iotlb;
} storm;

/* Counters of both queues, summed over all devices that there were. */
static struct {
	char key[48];
	long long sum;
} total[MAX_KEYS];
static int keys;

static void move_to_node(int node)
{
	void *pages[64];
	int nodes[64], status[64], n = 0;

	for (size_t at = 0; at < storm.len && n < 64; at += PAGE, n++) {
		pages[n] = storm.mem + at;
		nodes[n] = node;
	}
	syscall(SYS_move_pages, 0, n, pages, nodes, status, 2 /* MPOL_MF_MOVE */);
}

static void change(unsigned int how)
{
	pid_t pid;

	switch (how % 9) {
	case 0:
	case 1:
		for (int i = 0; i < 100; i++) {
			mprotect(storm.mem, storm.len, PROT_READ | PROT_WRITE | PROT_EXEC);
			mprotect(storm.mem, storm.len, PROT_READ | PROT_WRITE);
		}
		break;
	case 2:
		if (storm.kind == VRING_SHMEM || storm.kind == VRING_REGULAR)
			for (int i = 0; i < 100; i++)
				madvise(storm.mem, storm.len, MADV_DONTNEED);
		break;
	case 3:
		write_text("/proc/self/clear_refs", "4");
		break;
	case 4:
		if (storm.kind == VRING_REGULAR)
			msync(storm.mem, storm.len, MS_SYNC);
		else
			madvise(storm.mem, storm.len, MADV_PAGEOUT);
		break;
	case 5:
		move_to_node(how / 9 % 2);
		break;
	case 6:
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		break;
	case 7:
		if (storm.kind == VRING_THP) {
			madvise(storm.mem, VRING_HUGE, MADV_COLLAPSE);
			madvise(storm.mem + VRING_HUGE - PAGE, PAGE, MADV_DONTNEED);
		}
		break;
	case 8:
		madvise(storm.mem, storm.len, MADV_MERGEABLE);
		break;
	}
	storm.changes++;
}

static void *changer(void *arg)
{
	unsigned int how = 0;

	(void)arg;
	while (!storm.stop) {
		change(how++);
		usleep(50);
	}
	return NULL;
}

/* Switches, and changes of the device IOTLB. The error text is the traffic's. */
static void *switcher(void *arg)
{
	static const char * const accessors[] = { "checked", "uaccess", "ringmap" };
	struct vring_dev mine = *storm.d;

	(void)arg;
	while (!storm.stop) {
		for (int i = 0; i < 3; i++) {
			vring_set_accessor(&mine, accessors[i]);
			storm.switches += VRING_QUEUES;
		}
		if (mine.cfg.iotlb) {
			vring_iotlb_invalidate(&mine, mine.ring_mem, mine.ring_len);
			vring_iotlb_invalidate(&mine, mine.buf, mine.buf_len);
			storm.iotlb += 2;
		}
		/* Mostly ringmap. */
		usleep(3000);
	}
	return NULL;
}

static void add_counters(struct vring_dev *d)
{
	for (int q = 0; q < VRING_QUEUES; q++) {
		char path[160], key[48];
		long long v;
		FILE *f;
		int i;

		snprintf(path, sizeof(path), "%s/%d/stats", d->vdev.debugfs, q);
		f = fopen(path, "re");
		if (!f)
			err(1, "%s", path);
		while (fscanf(f, "%47s %lld", key, &v) == 2) {
			for (i = 0; i < keys && strcmp(total[i].key, key); i++)
				;
			if (i == MAX_KEYS)
				errx(1, "more than %d counters", MAX_KEYS);
			if (i == keys)
				snprintf(total[keys++].key, sizeof(key), "%s", key);
			total[i].sum += v;
		}
		fclose(f);
	}
}

static long long invalidations(void)
{
	long long n = 0;

	for (int i = 0; i < keys; i++)
		if (!strncmp(total[i].key, "invalidate_", 11))
			n += total[i].sum;
	return n;
}

/*
 * A start writes the used flags. When the device IOTLB does not say where, because
 * it was just changed, that fails as it does by user access: then again.
 */
static int start_again(struct vring_dev *d)
{
	unsigned long long errors;

	for (int i = 0; i < 1000; i++) {
		if (d->cfg.iotlb &&
		    vring_iotlb_update(d, d->ring_mem, d->ring_len))
			return -1;
		if (!vring_start(d))
			return 0;
		if (!d->cfg.iotlb)
			return -1;
		/* vhost also said so here; it is no error of the traffic. */
		for (int q = 0; q < VRING_QUEUES; q++)
			if (read(d->q[q].err, &errors, sizeof(errors)) < 0)
				continue;
	}
	return -1;
}

/* Returns packets, all of which came back. */
static unsigned long turn(enum vring_memory kind, bool iotlb)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	unsigned long packets = 0;
	pthread_t thread[2];
	struct vring_dev d;

	cfg.iotlb = iotlb;
	cfg.num[VRING_RX] = 512 >> kind;
	cfg.stall_ms = 60000;
	cfg.memory = vring_map(kind, vring_ring_bytes(&cfg));
	if (cfg.memory == MAP_FAILED)
		err(1, "memory for the rings");
	if (vring_open(&d, &cfg) || vring_set_accessor(&d, "ringmap") ||
	    vring_start(&d))
		errx(1, "%s", d.vdev.error);
	storm.d = &d;
	storm.mem = cfg.memory;
	storm.len = vring_ring_bytes(&cfg);
	storm.kind = kind;
	storm.stop = false;
	if (pthread_create(&thread[0], NULL, changer, NULL) ||
	    pthread_create(&thread[1], NULL, switcher, NULL))
		err(1, "threads");
	for (int i = 0; i < ROUNDS; i++) {
		if (vring_run(&d, ROUND, NULL) || vring_idle(&d) ||
		    vring_stop(&d) || start_again(&d))
			errx(1, "%s%s: %s", kind_names[kind],
			     iotlb ? ", device IOTLB" : "", d.vdev.error);
		packets += ROUND;
	}
	storm.stop = true;
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	add_counters(&d);
	vring_close(&d);
	if (kind == VRING_THP)
		munmap(cfg.memory, VRING_HUGE);
	else
		munmap(cfg.memory, storm.len);
	return packets;
}

int main(int argc, char **argv)
{
	unsigned long packets = 0, want[3];
	time_t start = time(NULL), limit;

	if (argc != 5)
		errx(1, "usage: ringmap_storm PACKETS INVALIDATIONS SWITCHES SECONDS");
	for (int i = 0; i < 3; i++)
		want[i] = strtoul(argv[1 + i], NULL, 0);
	limit = strtoul(argv[4], NULL, 0);
	write_text("/sys/kernel/mm/ksm/run", "1");
	write_text("/sys/kernel/mm/ksm/sleep_millisecs", "5");
	write_text("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	write_text("/proc/sys/kernel/numa_balancing", "1");
	for (unsigned int n = 0; packets < want[0] ||
	     (unsigned long)invalidations() < want[1] || storm.switches < want[2]; n++) {
		if (time(NULL) - start > limit)
			errx(1, "after %ld s only %lu packets, %lld invalidations, %lu switches",
			     (long)(time(NULL) - start), packets, invalidations(),
			     storm.switches);
		packets += turn(n % KINDS, n / KINDS % 2);
		fprintf(stderr, "%4ld s  %-10s %9lu packets %9lld invalidations %6lu switches\n",
			(long)(time(NULL) - start), kind_names[n % KINDS], packets,
			invalidations(), storm.switches);
	}
	printf("packets %lu\nlost, reordered or corrupt 0\n", packets);
	printf("invalidations %lld\nswitches %lu\niotlb_changes %lu\nchanges %lu\n",
	       invalidations(), storm.switches, storm.iotlb, storm.changes);
	for (int i = 0; i < keys; i++)
		if (total[i].sum)
			printf("%s %lld\n", total[i].key, total[i].sum);
	return 0;
}
