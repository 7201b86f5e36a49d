// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads of "make bench": packets through vhost-net in many shapes and with all
 * that may happen meanwhile, through vhost-vsock, commands through vhost-scsi, and buffers
 * through vhost's test device, which does nothing with them.
 *
 * ringmap_bench_tool count MODE...: each workload by each mode, a warm-up and then what an
 * instruction counter counts between two no-ops. Prints
 *
 *	INTERVAL WORKLOAD MODE PACKETS SECTIONS
 *
 * the last being sections under the map lock, or 0 where there is none. The modes come one
 * after the other, each as the default of new devices: as long as only uaccess was named,
 * nobody has used anything else since the kernel was booted.
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
 *
 * The workloads "message" are for counts alone: of each, a packet is two there and back,
 * one after the other, and before them come as many device IOTLB messages as it says.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
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

#include "scsi.h"
#include "virtqueue.h"
#include "vring.h"
#include "vsock.h"

#define MAX_PAIRS	8
#define COUNTED		4096U
#define COUNTED_SLOW	512U
#define OTHER_BYTES	(16 * PAGE)
#define ROUNDS		7
#define ROUND_SECONDS	0.25

enum kind { RING, TX, RX, BOTH, VSOCK, SCSI, MESSAGE };

struct bench;

static void drop_rings(struct bench *b, unsigned long n);
static void change_rings(struct bench *b, unsigned long n);
static void change_other(struct bench *b, unsigned long n);
static void map_other(struct bench *b, unsigned long n);
static void map_rings(struct bench *b, unsigned long n);

static const struct workload {
	const char *name;
	enum kind kind;
	bool quick;
	unsigned int window, frame, num, pairs, chain;
	enum vring_memory memory;
	bool iotlb, log, in_order;
	/* What happens meanwhile, so often a second; or before each packet */
	void (*disturb)(struct bench *b, unsigned long n);
	unsigned int rate;
} workloads[] = {
	{ "ring,window=1", RING, true, .window = 1 },
	{ "ring,window=16", RING, .window = 16 },
	{ "ring,window=64", RING, true, .window = 64 },
	{ "ring,size=32768", RING, .num = 32768 },
	{ "tx,window=1", TX, true, .window = 1 },
	{ "tx,window=4", TX, true, .window = 4 },
	{ "tx,window=16", TX, true, .window = 16 },
	{ "tx,window=64", TX, true, .window = 64 },
	/* Where vhost offers it: from Linux 7.3 on */
	{ "tx,in_order,window=64", TX, true, .window = 64, .in_order = true },
	{ "tx,frame=256", TX, .frame = 256 },
	{ "tx,frame=512", TX, .frame = 512 },
	{ "tx,frame=1024", TX, .frame = 1024 },
	{ "tx,frame=1500", TX, .frame = 1500 },
	/* As many as fit are under way: 13 and 4. */
	{ "tx,chain=19", TX, true, .chain = 19 },
	{ "tx,chain=64", TX, .chain = 64 },
	{ "tx,size=1024", TX, .num = 1024 },
	{ "tx,size=4096", TX, .num = 4096 },
	{ "tx,size=32768", TX, .num = 32768 },
	{ "tx,memory=thp", TX, .memory = VRING_THP },
	{ "tx,memory=hugetlb", TX, .memory = VRING_HUGETLB },
	{ "tx,memory=shmem", TX, .memory = VRING_SHMEM },
	{ "tx,iotlb", TX, .iotlb = true },
	{ "tx,messages=100", TX, .iotlb = true, .disturb = map_other, .rate = 100 },
	{ "tx,messages=10000", TX, .iotlb = true, .disturb = map_other, .rate = 10000 },
	{ "tx,log", TX, .log = true },
	{ "tx,pairs=2", TX, .pairs = 2 },
	{ "tx,pairs=4", TX, .pairs = 4 },
	{ "tx,pairs=8", TX, .pairs = 8 },
	{ "tx,invalidations=100", TX, .memory = VRING_SHMEM, .disturb = drop_rings,
	  .rate = 100 },
	{ "tx,invalidations=10000", TX, true, .memory = VRING_SHMEM, .disturb = drop_rings,
	  .rate = 10000 },
	{ "tx,pairs=4,rings=10000", TX, .pairs = 4, .memory = VRING_SHMEM,
	  .disturb = change_rings, .rate = 10000 },
	{ "tx,pairs=4,other=10000", TX, .pairs = 4, .disturb = change_other, .rate = 10000 },
	{ "rx,window=1", RX, .window = 1 },
	{ "rx,window=16", RX, .window = 16 },
	{ "rx,window=64", RX, true, .window = 64 },
	{ "rx,frame=1500", RX, .frame = 1500 },
	{ "rx,iotlb", RX, .iotlb = true },
	{ "rx,log", RX, .log = true },
	{ "both,window=1", BOTH, true, .window = 1 },
	{ "both,window=64", BOTH, .window = 64 },
	/* Each way one packet at a time, and as many as there is credit for */
	{ "vsock,window=1", VSOCK, .window = 1 },
	{ "vsock,stream", VSOCK, .window = 0 },
	{ "scsi,window=1", SCSI, .window = 1 },
	{ "scsi,window=16", SCSI, .window = 16 },
	{ "message,none", MESSAGE, true, .window = 1, .iotlb = true },
	{ "message,other", MESSAGE, true, .window = 1, .iotlb = true, .disturb = map_other },
	{ "message,rings", MESSAGE, true, .window = 1, .iotlb = true, .disturb = map_rings },
};

#define WORKLOADS	(sizeof(workloads) / sizeof(*workloads))

/* What a workload runs on: a device, or a vhost-net for each pair. */
struct bench {
	const struct workload *w;
	union {
		struct device ring;
		struct vsock vsock;
		struct scsi scsi;
		struct vring_dev net[MAX_PAIRS];
	};
	unsigned int devices, window, num;
	char *other;		/* memory of the process that vhost does not use */
	unsigned long done;	/* disturbances */
	atomic_bool stop;
};

static struct vdev *vdev_of(struct bench *b, unsigned int i)
{
	switch (b->w->kind) {
	case RING:
		return &b->ring.vdev;
	case VSOCK:
		return &b->vsock.d.vdev;
	case SCSI:
		return &b->scsi.d.vdev;
	default:
		return &b->net[i].vdev;
	}
}

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
	for (unsigned int i = 0; i < b->devices && is_accessor(mode); i++)
		if (vdev_set_accessor(vdev_of(b, i), mode))
			failed(b, vdev_of(b, i)->error);
}

static void set_default(const char *mode)
{
	struct vdev v;

	if (is_accessor(mode) && vdev_set_default(&v, mode))
		errx(1, "%s", v.error);
}

static void ring_open(struct bench *b)
{
	int run = 1;

	if (device_open(&b->ring, "/dev/vhost-test", NULL, 1, b->num, PAGE,
			BIT_ULL(VIRTIO_RING_F_EVENT_IDX)))
		failed(b, b->ring.vdev.error);
	b->ring.q[0].in_order = true;
	if (ioctl(b->ring.vdev.fd, VHOST_TEST_RUN, &run))
		err(1, "%s: VHOST_TEST_RUN", b->w->name);
}

static void vsock_bench_open(struct bench *b)
{
	struct vsock *v = &b->vsock;

	if (vsock_open(v, NULL, BIT_ULL(VIRTIO_RING_F_EVENT_IDX)))
		failed(b, v->d.vdev.error);
	v->to_host.fixed = v->to_guest.fixed = VRING_MIN_FRAME;
	if (vsock_guest_connects(v, 5000))
		failed(b, v->d.vdev.error);
}

static void scsi_bench_open(struct bench *b)
{
	struct scsi *s = &b->scsi;

	if (scsi_open(s, NULL, BIT_ULL(VIRTIO_RING_F_EVENT_IDX)) || scsi_ready(s) ||
	    scsi_sweep(s, false, 0, SCSI_PAGES, b->window))
		failed(b, s->d.vdev.error);
}

static void net_open(struct bench *b)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	const struct workload *w = b->w;

	cfg.num[VRING_RX] = cfg.num[VRING_TX] = b->num;
	cfg.window = b->window;
	cfg.min_frame = cfg.max_frame = w->frame ? w->frame : VRING_MIN_FRAME;
	cfg.chain = w->chain;
	cfg.iotlb = w->iotlb;
	cfg.log = w->log;
	cfg.in_order = w->in_order;
	cfg.sink = w->kind == TX;
	cfg.inject = w->kind == RX;
	for (unsigned int i = 0; i < b->devices; i++) {
		cfg.memory = vring_map(w->memory, vring_ring_bytes(&cfg));
		if (cfg.memory == MAP_FAILED)
			err(1, "%s: memory for the rings", w->name);
		if (vring_open(&b->net[i], &cfg) || vring_start(&b->net[i]))
			failed(b, b->net[i].vdev.error);
	}
}

static void bench_open(struct bench *b, const struct workload *w)
{
	memset(b, 0, sizeof(*b));
	b->w = w;
	b->num = w->num ? w->num : 256;
	b->window = w->window ? w->window : 64;
	b->devices = w->pairs ? w->pairs : 1;
	b->other = mmap(NULL, OTHER_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->other == MAP_FAILED)
		err(1, "%s: memory", w->name);
	switch (w->kind) {
	case RING:
		ring_open(b);
		break;
	case VSOCK:
		vsock_bench_open(b);
		break;
	case SCSI:
		scsi_bench_open(b);
		break;
	default:
		net_open(b);
	}
}

static void bench_close(struct bench *b)
{
	munmap(b->other, OTHER_BYTES);
	switch (b->w->kind) {
	case RING:
		device_close(&b->ring);
		return;
	case VSOCK:
		vsock_close(&b->vsock);
		return;
	case SCSI:
		if (scsi_remove(&b->scsi))
			failed(b, b->scsi.d.vdev.error);
		device_close(&b->scsi.d);
		return;
	default:
		break;
	}
	/* A mapping of huge pages is longer than the rings. */
	for (unsigned int i = 0; i < b->devices; i++) {
		char *mem = b->net[i].ring_mem;
		size_t len = b->net[i].ring_len;

		vring_close(&b->net[i]);
		munmap(mem, b->w->memory == VRING_HUGETLB ? VRING_HUGE : len);
	}
}

/* Takes the rings' pages away; they are shared memory, and stay as they are. */
static void drop_rings(struct bench *b, unsigned long n)
{
	struct vring_dev *d = &b->net[n % b->devices];

	if (madvise(d->ring_mem, d->ring_len, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

static void protect(void *at, size_t len)
{
	if (mprotect(at, len, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    mprotect(at, len, PROT_READ | PROT_WRITE))
		err(1, "mprotect");
}

/* The rings of one device after the other, by turns in two ways */
static void change_rings(struct bench *b, unsigned long n)
{
	struct vring_dev *d = &b->net[n / 2 % b->devices];

	if (n & 1)
		protect(d->ring_mem, d->ring_len);
	else
		drop_rings(b, n / 2);
}

/* Memory that is nothing to vhost, but of the process whose rings it uses */
static void change_other(struct bench *b, unsigned long n)
{
	if (n & 1)
		protect(b->other, OTHER_BYTES);
	else if (madvise(b->other, OTHER_BYTES, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
	store(b->other, n);
}

static void message(struct bench *b, void *at, size_t len, int type)
{
	/* The error text is the traffic thread's. */
	struct vdev v = b->net[0].vdev;

	if (vdev_iotlb(&v, (uintptr_t)at + VDEV_IOVA_BASE, at, len, type))
		failed(b, v.error);
}

/* One message: as if the guest mapped a buffer, or unmapped it. */
static void map_other(struct bench *b, unsigned long n)
{
	message(b, b->other, PAGE, n & 1 ? VHOST_IOTLB_INVALIDATE : VHOST_IOTLB_UPDATE);
}

/* Two messages: the rings are no longer mapped, and then are where they were. */
static void map_rings(struct bench *b, unsigned long n)
{
	(void)n;
	message(b, b->net[0].ring_mem, b->net[0].ring_len, VHOST_IOTLB_INVALIDATE);
	message(b, b->net[0].ring_mem, b->net[0].ring_len, VHOST_IOTLB_UPDATE);
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

static void net_run(struct bench *b, unsigned int count)
{
	pthread_t thread[MAX_PAIRS];
	struct pair pair[MAX_PAIRS];

	for (unsigned int i = 0; i < b->devices; i++)
		pair[i] = (struct pair){ &b->net[i], count / b->devices, 0 };
	for (unsigned int i = 1; i < b->devices; i++)
		if (pthread_create(&thread[i], NULL, pair_run, &pair[i]))
			errx(1, "%s: cannot start a thread", b->w->name);
	pair_run(&pair[0]);
	for (unsigned int i = 1; i < b->devices; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < b->devices; i++)
		if (pair[i].ret)
			failed(b, b->net[i].vdev.error);
}

/* Half of them from the guest, half from the host */
static void vsock_bench_run(struct bench *b, unsigned int count)
{
	unsigned int each = b->w->window ? b->w->window : count / 2;

	for (unsigned int done = 0; done < count / 2; done += each)
		if (vsock_exchange(&b->vsock, each))
			failed(b, b->vsock.d.vdev.error);
}

static void scsi_bench_run(struct bench *b, unsigned int count)
{
	while (count) {
		unsigned int n = count < SCSI_PAGES ? count : SCSI_PAGES;

		if (scsi_sweep(&b->scsi, true, 0, n, b->window))
			failed(b, b->scsi.d.vdev.error);
		count -= n;
	}
}

/* Waits until no handler has a queue: each is back at its last look. */
static void rest(struct bench *b)
{
	for (unsigned int i = 0; i < VRING_QUEUES; i++) {
		struct vhost_vring_state s = { .index = i };

		if (ioctl(b->net[0].vdev.fd, VHOST_GET_VRING_BASE, &s))
			err(1, "VHOST_GET_VRING_BASE");
	}
}

/* The first packet finds the rings unmapped, if that is what a message does. */
static void message_run(struct bench *b, unsigned int count)
{
	while (count--) {
		rest(b);
		if (b->w->disturb)
			b->w->disturb(b, b->done++);
		if (vring_run(&b->net[0], 2, NULL))
			failed(b, b->net[0].vdev.error);
	}
}

/* @count packets, over all devices */
static void bench_run(struct bench *b, unsigned int count)
{
	switch (b->w->kind) {
	case RING:
		ring_run(b, count);
		break;
	case VSOCK:
		vsock_bench_run(b, count);
		break;
	case SCSI:
		scsi_bench_run(b, count);
		break;
	case MESSAGE:
		message_run(b, count);
		break;
	default:
		net_run(b, count);
	}
}

/* Disturbs so often a second, on average. */
static void *disturb(void *arg)
{
	struct bench *b = arg;
	useconds_t period = 1000000 / b->w->rate;
	double start = now();

	for (; !b->stop; usleep(period)) {
		unsigned long due = (now() - start) * b->w->rate;

		for (; b->done < due && !b->stop; b->done++)
			b->w->disturb(b, b->done);
	}
	return NULL;
}

static bool disturb_start(struct bench *b, pthread_t *thread)
{
	b->stop = false;
	b->done = 0;
	if (!b->w->rate)
		return false;
	if (pthread_create(thread, NULL, disturb, b))
		errx(1, "%s: cannot start a thread", b->w->name);
	return true;
}

static void disturb_end(struct bench *b, pthread_t thread)
{
	b->stop = true;
	pthread_join(thread, NULL);
}

static long long stat_sum(struct bench *b, const char *mode, const char *name)
{
	long long sum = 0;

	for (unsigned int i = 0; i < b->devices && is_accessor(mode); i++) {
		struct vdev *v = vdev_of(b, i);

		for (unsigned int q = 0; q < v->nqueues; q++) {
			long long n = vdev_stat(v, q, name);

			if (n < 0)
				failed(b, v->error);
			sum += n;
		}
	}
	return sum;
}

/* After the last message and its packets, all that another one accesses is mapped. */
static void check_mapped(struct bench *b, const char *mode)
{
	long long mapped = stat_sum(b, mode, "mapped");
	long long fallback = stat_sum(b, mode, "fallback");

	if (vring_run(&b->net[0], 1, NULL))
		failed(b, b->net[0].vdev.error);
	rest(b);
	if (stat_sum(b, mode, "mapped") == mapped ||
	    stat_sum(b, mode, "fallback") != fallback)
		failed(b, "the rings are not mapped again after a message and two packets");
}

static void count(struct bench *b, const char *mode)
{
	unsigned int packets = b->w->kind == SCSI || b->w->kind == MESSAGE ?
			       COUNTED_SLOW : COUNTED;
	static int interval;
	bool disturbed;
	pthread_t thread;
	long long before;

	bench_run(b, packets);
	if (b->w->kind == MESSAGE && !strcmp(mode, "ringmap"))
		check_mapped(b, mode);
	before = stat_sum(b, mode, "sections");
	disturbed = disturb_start(b, &thread);
	begin_count();
	bench_run(b, packets);
	end_count();
	if (disturbed)
		disturb_end(b, thread);
	printf("%d %s %s %u %lld\n", ++interval, b->w->name, mode, packets,
	       stat_sum(b, mode, "sections") - before);
	fflush(stdout);
}

static void time_rounds(struct bench *b, char **modes)
{
	unsigned int packets = b->w->kind == SCSI ? COUNTED_SLOW : COUNTED;
	pthread_t thread;
	bool disturbed;
	double t = now();

	/* A round takes about as long whatever the workload. */
	bench_run(b, packets);
	t = now() - t;
	packets *= ROUND_SECONDS / t;
	packets = packets < 64 ? 64 : packets & ~63U;
	disturbed = disturb_start(b, &thread);
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
	if (disturbed)
		disturb_end(b, thread);
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

static bool offers_in_order(void)
{
	uint64_t features = 0;
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, VHOST_GET_FEATURES, &features))
		err(1, "/dev/vhost-net");
	close(fd);
	return features & (1ULL << VIRTIO_F_IN_ORDER);
}

static bool wanted(const struct workload *w, const char *mode)
{
	const char *only = getenv("BENCH_ONLY");
	size_t len = strlen(w->name);

	/* What raw pointers to the rings would be to a device IOTLB, nobody says. */
	if (w->iotlb && !strcmp(mode, "bound"))
		return false;
	if (w->in_order && !offers_in_order())
		return false;
	if (!only)
		return w->quick || !getenv("BENCH_QUICK");
	for (const char *at = only; (at = strstr(at, w->name)); at += len)
		if ((at == only || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static void count_all(struct bench *b, char **modes)
{
	/* So that vhost, on the same processor, finds all that the driver has to send. */
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 1 }))
		err(1, "SCHED_FIFO");
	for (; *modes; modes++) {
		set_default(*modes);
		for (const struct workload *w = workloads; w < workloads + WORKLOADS; w++) {
			if (!wanted(w, *modes))
				continue;
			bench_open(b, w);
			count(b, *modes);
			bench_close(b);
		}
	}
}

static void time_all(struct bench *b, char **modes)
{
	/* So that with uaccess nobody uses anything else. */
	if (is_accessor(*modes))
		set_default("uaccess");
	for (const struct workload *w = workloads; w < workloads + WORKLOADS; w++) {
		if (w->kind == MESSAGE || !wanted(w, *modes))
			continue;
		bench_open(b, w);
		time_rounds(b, modes);
		bench_close(b);
	}
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc > 3 && !strcmp(argv[1], "client"))
		return client(argv[2], argv + 3);
	if (argc < 3 || (strcmp(argv[1], "count") && strcmp(argv[1], "time")))
		errx(1, "usage: ringmap_bench_tool count|time MODE... or client TAP MODE...");
	if (strcmp(argv[1], "count"))
		time_all(&b, argv + 2);
	else
		count_all(&b, argv + 2);
	return 0;
}
