// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings where something fails, where the rings are odd, and where those
 * of 2019 went wrong.
 *
 * faults: a step towards a mapping fails. odd: rings that are hard to map, in memory that
 * others lend, or written to a disk. reverted_2019: for each reason to revert what then mapped
 * rings, what it would break; and an ioctl that waits, which is much the same as one that fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
/* which the next one needs */
#include <linux/posix_types.h>
#include <linux/io_uring.h>
#include <linux/membarrier.h>
#include <linux/vhost.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "../../../../lib/test_mmu_notifier_uapi.h"
#include "ringmap_packets.h"

#define PAGE	4096UL

static char *page_of(const void *p)
{
	return (char *)((uintptr_t)p & ~(PAGE - 1));
}

/* Packets by an accessor: mapped if and only if it maps. */
static void expect_traffic(struct __test_metadata *_metadata,
			   struct vring_dev *d, const char *accessor)
{
	ASSERT_OK(d, vring_run(d, 3000, NULL));
	if (!strcmp(accessor, "ringmap")) {
		expect_mapped(_metadata, d, 5000);
		return;
	}
	ASSERT_OK(d, vring_run(d, 5000, NULL));
	EXPECT_EQ(0, vring_stat_sum(d, "mapped"));
}

/* --- steps that fail --- */

#define FAULTS_MAX	1000000

static void fault_write(const char *step, const char *name, unsigned int value)
{
	char path[96], text[16];

	snprintf(path, sizeof(path), WINDOWS "fail_%s/%s", step, name);
	snprintf(text, sizeof(text), "%u", value);
	if (write_text(path, text) < 0)
		perror(path);
}

static void fault_set(const char *step, unsigned int percent)
{
	if (percent) {
		/* What it prints would be taken for a splat. */
		fault_write(step, "verbose", 0);
		fault_write(step, "times", FAULTS_MAX);
	}
	fault_write(step, "probability", percent);
}

/* How often a step failed since that was asked for. */
static long fault_count(const char *step)
{
	char path[96];

	snprintf(path, sizeof(path), WINDOWS "fail_%s/times", step);
	return FAULTS_MAX - read_number(path);
}

FIXTURE(faults) {
	struct vring_dev d;
};

FIXTURE_VARIANT(faults) {
	const char *step;
};

FIXTURE_VARIANT_ADD(faults, notifier) { .step = "notifier" };
FIXTURE_VARIANT_ADD(faults, lookup) { .step = "lookup" };

FIXTURE_SETUP(faults)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.stall_ms = 5000;
	fault_set(variant->step, 100);
	open_and_start(_metadata, &self->d, &cfg, "ringmap");
}

FIXTURE_TEARDOWN(faults)
{
	fault_set(variant->step, 0);
	vring_close(&self->d);
}

TEST_F_TIMEOUT(faults, always, PATIENCE)
{
	struct vring_dev *d = &self->d;

	ASSERT_OK(d, vring_run(d, 3000, NULL));
	EXPECT_EQ(0, vring_stat_sum(d, "mapped"));
	EXPECT_EQ(0, vring_stat_sum(d, "fills"));
	/* Each region of each queue has tried, and the queues rest. */
	EXPECT_GE(fault_count(variant->step), 6);
	/* One attempt may look for all three rings of its queue. */
	EXPECT_GE(3 * vring_stat_sum(d, "fill_failed"), fault_count(variant->step));
	EXPECT_GE(3 * vring_stat_sum(d, "fallback"), fault_count(variant->step));
	EXPECT_GT(vring_stat_sum(d, "rests"), 0);
	fault_set(variant->step, 0);
	expect_recovery(_metadata, d);
}

/* Everything is registered and looked up anew, again and again. */
static void storm_anew(struct storm *s)
{
	storm_mprotect(s);
	storm_toggle(s);
}

TEST_F_TIMEOUT(faults, sometimes, PATIENCE)
{
	struct vring_dev *d = &self->d;
	struct storm s = { .d = d, .mem = d->ring_mem, .len = d->ring_len };
	struct storm_thread t = { &s, storm_anew };
	pthread_t thread;
	int ret;

	fault_set(variant->step, 30);
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_loop, &t));
	do {
		ret = vring_run(d, 1000, NULL);
	} while (!ret && (s.rounds < 100 || fault_count(variant->step) < 50));
	s.stop = true;
	pthread_join(thread, NULL);
	ASSERT_OK(d, ret);
	EXPECT_GT(vring_stat_sum(d, "fallback"), 50);
	EXPECT_GT(vring_stat_sum(d, "fills"), 50);
	EXPECT_GT(vring_stat_sum(d, "mapped"), 50);
	fault_set(variant->step, 0);
	expect_recovery(_metadata, d);
}

/*
 * A process that uses a device through failing steps, through all accessors, and
 * dies with it open or not.
 */
static void use_device(const struct vring_config *cfg, bool close)
{
	struct vring_dev d;
	struct storm s = { .d = &d };

	if (vring_open(&d, cfg) || vring_set_accessor(&d, "ringmap") ||
	    vring_start(&d) || vring_run(&d, 100, NULL))
		_exit(1);
	storm_toggle(&s);
	if (vring_run(&d, 100, NULL))
		_exit(1);
	if (close)
		vring_close(&d);
	_exit(0);
}

static void expect_mm_released(struct __test_metadata *_metadata,
			       const char *step, unsigned int percent)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	long before = slab_objects("mm_struct");
	int status;
	pid_t pid;

	ASSERT_GT(before, 0);
	fault_set(step, percent);
	for (int i = 0; i < 40; i++) {
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			use_device(&cfg, i % 2);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	fault_set(step, 0);
	/* A processor that idles may keep the last one that it ran. */
	EXPECT_LE(slab_growth("mm_struct", before, 8), 8);
}

TEST_F_TIMEOUT(faults, mm_released, PATIENCE)
{
	expect_mm_released(_metadata, variant->step, 50);
}

/* --- rings that are odd --- */

FIXTURE(odd) {
	struct vring_dev d;
};

FIXTURE_VARIANT(odd) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(odd, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(odd, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(odd, ringmap) { .accessor = "ringmap" };

FIXTURE_SETUP(odd)
{
	memset(&self->d, 0, sizeof(self->d));
	self->d.vdev.fd = self->d.tap = self->d.xdp_link = -1;
}

FIXTURE_TEARDOWN(odd)
{
	if (self->d.vdev.fd >= 0)
		vring_close(&self->d);
}

struct scattered {
	uint64_t frame;
	off_t at;
};

static int from_high_to_low(const void *a, const void *b)
{
	const struct scattered *x = a, *y = b;

	return x->frame < y->frame ? 1 : -1;
}

/* Memory of which no page is followed by the one that follows it physically. */
static char *map_scattered(struct __test_metadata *_metadata, size_t len)
{
	struct scattered *page = calloc(len / PAGE, sizeof(*page));
	int fd = memfd_create("rings", MFD_CLOEXEC);
	char *p;

	ASSERT_NE(NULL, page);
	ASSERT_EQ(0, ftruncate(fd, len));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		 fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (size_t i = 0; i < len / PAGE; i++)
		page[i] = (struct scattered){ frame_of(p + i * PAGE), i * PAGE };
	qsort(page, len / PAGE, sizeof(*page), from_high_to_low);
	for (size_t i = 0; i < len / PAGE; i++) {
		ASSERT_NE(0UL, page[i].frame);
		ASSERT_EQ(p + i * PAGE,
			  mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
			       page[i].at));
	}
	for (size_t i = 1; i < len / PAGE; i++)
		ASSERT_LT(frame_of(p + i * PAGE), frame_of(p + (i - 1) * PAGE));
	close(fd);
	free(page);
	return p;
}

static void run_scattered(struct __test_metadata *_metadata,
			  struct vring_dev *d, const char *accessor,
			  struct vring_config *cfg)
{
	size_t len;

	cfg->num[VRING_RX] = 1024;
	cfg->num[VRING_TX] = 1024;
	len = vring_ring_bytes(cfg);
	cfg->memory = map_scattered(_metadata, len);
	open_and_start(_metadata, d, cfg, accessor);
	expect_traffic(_metadata, d, accessor);
	/* Used rings alone are three pages each. */
	if (!strcmp(accessor, "ringmap"))
		EXPECT_GE(vring_stat_sum(d, "fills"), 10);
}

TEST_F_TIMEOUT(odd, scattered, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	run_scattered(_metadata, &self->d, variant->accessor, &cfg);
}

/* Descriptors and used elements straddle pages that do not follow each other. */
TEST_F_TIMEOUT(odd, straddling, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	const struct vring *v;

	cfg.offset[VRING_DESC] = 8;
	cfg.offset[VRING_AVAIL] = 4086;
	run_scattered(_metadata, &self->d, variant->accessor, &cfg);
	v = &self->d.q[VRING_TX].vring;
	EXPECT_NE(page_of(&v->used->ring[511].id), page_of(&v->used->ring[511].len));
	EXPECT_NE(page_of(&v->desc[255].addr), page_of(&v->desc[255].len));
	EXPECT_NE(page_of(&v->avail->flags), page_of(&v->avail->ring[4]));
}

/* All rings, and packets that vhost writes, are in one page. */
TEST_F_TIMEOUT(odd, shared_page, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;

	cfg.num[VRING_RX] = 16;
	cfg.num[VRING_TX] = 16;
	cfg.tight = true;
	open_and_start(_metadata, d, &cfg, variant->accessor);
	EXPECT_EQ(page_of(d->q[VRING_RX].vring.desc),
		  page_of(d->q[VRING_TX].vring.used));
	EXPECT_EQ(page_of(d->q[VRING_RX].vring.desc),
		  page_of(d->buf + VRING_BUF_SIZE));
	expect_traffic(_metadata, d, variant->accessor);
}

static void run_legacy(struct __test_metadata *_metadata, struct vring_dev *d,
		       const char *accessor, bool swapped)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	cfg.legacy = true;
	cfg.swapped = swapped;
	for (int i = 0; i < 8; i++) {
		cfg.event_idx = i & 1;
		cfg.mergeable = i & 2;
		cfg.indirect = i & 4;
		open_and_start(_metadata, d, &cfg, accessor);
		expect_traffic(_metadata, d, accessor);
		vring_close(d);
	}
}

TEST_F_TIMEOUT(odd, legacy, PATIENCE)
{
	run_legacy(_metadata, &self->d, variant->accessor, false);
}

TEST_F_TIMEOUT(odd, cross_endian, PATIENCE)
{
	run_legacy(_metadata, &self->d, variant->accessor, true);
}

/* --- rings in a file on a disk --- */

struct ring_file {
	int fd;
	int disk;
	char *mem;
	size_t len;
	unsigned int *block;	/* of each page, in pages */
};

/* A file whose pages are on the disk, and the places where they are. */
static void file_open(struct __test_metadata *_metadata, struct ring_file *f,
		      size_t len)
{
	const char *dir = getenv("VRING_FILE_DIR");
	char path[128];
	struct stat st;
	int size;

	ASSERT_NE(NULL, dir) {
		TH_LOG("set VRING_FILE_DIR to a directory on a disk");
	}
	snprintf(path, sizeof(path), "%s/disk.%d", dir, getpid());
	f->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_GE(f->fd, 0);
	unlink(path);
	ASSERT_EQ(0, fstat(f->fd, &st));
	ASSERT_EQ(0, ioctl(f->fd, FIGETBSZ, &size));
	ASSERT_EQ((int)PAGE, size);
	/* The disk by its number: it may have any name. */
	snprintf(path, sizeof(path), "/tmp/disk.%d", getpid());
	ASSERT_EQ(0, mknod(path, S_IFBLK | 0600, st.st_dev));
	f->disk = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unlink(path);
	ASSERT_GE(f->disk, 0);

	f->len = len;
	f->mem = calloc(1, len);
	f->block = calloc(len / PAGE, sizeof(*f->block));
	ASSERT_NE(NULL, f->mem);
	ASSERT_NE(NULL, f->block);
	ASSERT_EQ((ssize_t)len, write(f->fd, f->mem, len));
	free(f->mem);
	/* Asked for later, this could itself write what was not synced. */
	ASSERT_EQ(0, fsync(f->fd));
	for (size_t i = 0; i < len / PAGE; i++) {
		f->block[i] = i;
		ASSERT_EQ(0, ioctl(f->fd, FIBMAP, &f->block[i]));
		ASSERT_NE(0U, f->block[i]);
	}
	f->mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	ASSERT_NE(MAP_FAILED, f->mem);
}

static void file_close(struct ring_file *f)
{
	munmap(f->mem, f->len);
	free(f->block);
	close(f->fd);
	close(f->disk);
}

/* How many pages are not on the disk as they are in memory: what a crash would lose. */
static int file_unwritten(struct __test_metadata *_metadata, struct ring_file *f)
{
	int n = 0;
	char *page;

	ASSERT_EQ(0, posix_memalign((void **)&page, PAGE, PAGE));
	for (size_t i = 0; i < f->len / PAGE; i++) {
		ASSERT_EQ((ssize_t)PAGE,
			  pread(f->disk, page, PAGE, f->block[i] * PAGE));
		n += !!memcmp(page, f->mem + i * PAGE, PAGE);
	}
	free(page);
	return n;
}

/* Packets, a sync, and what is on the disk then, again and again. */
TEST_F_TIMEOUT(odd, writeback, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	struct ring_file f;
	int unwritten = 0;

	cfg.num[VRING_RX] = 1024;
	cfg.num[VRING_TX] = 1024;
	file_open(_metadata, &f, vring_ring_bytes(&cfg));
	cfg.memory = f.mem;
	open_and_start(_metadata, d, &cfg, variant->accessor);
	for (int i = 0; i < 20; i++) {
		ASSERT_OK(d, vring_run(d, 1 + i * 97, NULL));
		ASSERT_OK(d, vring_idle(d));
		unwritten += file_unwritten(_metadata, &f);
		ASSERT_EQ(0, i % 2 ? fsync(f.fd) : msync(f.mem, f.len, MS_SYNC));
		EXPECT_EQ(0, file_unwritten(_metadata, &f));
	}
	EXPECT_GT(unwritten, 20);
	expect_traffic(_metadata, d, variant->accessor);
	vring_close(d);
	file_close(&f);
}

struct writeback {
	struct storm s;
	struct ring_file f;
};

static void storm_writeback(struct storm *s)
{
	struct writeback *w = (struct writeback *)s;

	if (s->rounds % 2)
		fsync(w->f.fd);
	else
		sync_file_range(w->f.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

TEST_F_TIMEOUT(odd, writeback_under_traffic, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	struct writeback w = { .s.d = d };
	struct storm_thread t = { &w.s, storm_writeback };
	pthread_t thread;
	int ret;

	cfg.num[VRING_RX] = 1024;
	cfg.num[VRING_TX] = 1024;
	file_open(_metadata, &w.f, vring_ring_bytes(&cfg));
	cfg.memory = w.f.mem;
	open_and_start(_metadata, d, &cfg, variant->accessor);
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_loop, &t));
	do {
		ret = vring_run(d, 1000, NULL);
	} while (!ret && w.s.rounds < 200);
	w.s.stop = true;
	pthread_join(thread, NULL);
	ASSERT_OK(d, ret);
	ASSERT_OK(d, vring_idle(d));
	ASSERT_EQ(0, fsync(w.f.fd));
	EXPECT_EQ(0, file_unwritten(_metadata, &w.f));
	if (!strcmp(variant->accessor, "ringmap")) {
		EXPECT_GT(vring_stat_sum(d, "invalidate_mkclean"), 0);
		EXPECT_GT(vring_stat_sum(d, "mapped"), 1000);
	}
	vring_close(d);
	file_close(&w.f);
}

/*
 * Have vhost look at TX; by ringmap, wait until it did so without user access, and return
 * true, or until it gave up. Linux 7.3 lets nobody look up the huge zero page.
 */
static bool have_looked(struct __test_metadata *_metadata, struct vring_dev *d,
			const char *accessor)
{
	long long mapped = vring_stat(d, VRING_TX, "mapped");
	long long gave_up = vring_stat(d, VRING_TX, "fallback_absent");
	uint64_t one = 1;

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ((ssize_t)sizeof(one), write(d->q[VRING_TX].kick, &one, sizeof(one)));
		usleep(10000);
		if (vring_stat(d, VRING_TX, "mapped") > mapped)
			return true;
		if (i && (strcmp(accessor, "ringmap") ||
			  vring_stat(d, VRING_TX, "fallback_absent") > gave_up))
			return false;
	}
	EXPECT_TRUE(false) TH_LOG("neither mapped nor given up");
	return false;
}

/*
 * TX's table and avail ring are where nobody has written: in the huge zero page. The first
 * write to it splits it, and the frames below are others then, which vhost is not told.
 */
static void run_zero_page(struct __test_metadata *_metadata, struct vring_dev *d,
			  const char *accessor, bool split_first)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vhost_vring_addr addr = { .index = VRING_TX };
	char *p = vring_map(VRING_THP, VRING_HUGE);
	struct vring *v = &d->q[VRING_TX].vring;
	uint64_t frame;
	bool mapped;

	cfg.num[VRING_TX] = 1024;
	if (p != MAP_FAILED) {
		write_text("/sys/kernel/mm/transparent_hugepage/use_zero_page", "1");
		load(p);
	}
	if (p == MAP_FAILED || frame_of(p + PAGE) != frame_of(p) + 1)
		SKIP(return, "no huge zero page");
	/* khugepaged would replace the small zero pages before they are written. */
	ASSERT_EQ(0, madvise(p, VRING_HUGE, MADV_NOHUGEPAGE));
	frame = frame_of(p);
	ASSERT_OK(d, vring_open(d, &cfg));
	v->avail = (void *)p;
	v->desc = (void *)(p + 64 * PAGE);
	addr.desc_user_addr = (uintptr_t)v->desc;
	addr.avail_user_addr = (uintptr_t)v->avail;
	addr.used_user_addr = (uintptr_t)v->used;
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_SET_VRING_ADDR, &addr));
	ASSERT_OK(d, vring_set_accessor(d, accessor));
	ASSERT_OK(d, vring_start(d));
	mapped = have_looked(_metadata, d, accessor);
	EXPECT_EQ(frame, frame_of(p));
	if (split_first) {
		store(p + 300 * PAGE, 1);
		EXPECT_NE(frame, frame_of(p));
		/* The huge zero page is not freed while the mm is there. */
		write_text("/proc/sys/vm/drop_caches", "2");
		mapped = have_looked(_metadata, d, accessor);
	}
	EXPECT_EQ(0, used_idx(d));
	/* What the driver writes now is seen at once: a packet that is not stalls the run. */
	ASSERT_OK(d, vring_run(d, 1, NULL));
	if (mapped)
		EXPECT_GT(vring_stat(d, VRING_TX, "invalidate_cow"), 0);
	expect_traffic(_metadata, d, accessor);
	vring_close(d);
	munmap(p, VRING_HUGE);
}

TEST_F_TIMEOUT(odd, huge_zero_page, PATIENCE)
{
	run_zero_page(_metadata, &self->d, variant->accessor, true);
	run_zero_page(_metadata, &self->d, variant->accessor, false);
}

/* --- rings in memory that is lent: by a driver, or by the kernel to one process --- */

#define LENT_BYTES	32768UL

/* A file whose memory can be mapped, and what happens to the mapping under traffic */
struct lent {
	struct storm s;
	void (*once)(struct storm *s);
	int fd;
	off_t at;
};

static char *lent_map(const struct lent *m)
{
	return mmap(NULL, LENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, m->at);
}

/* The place of the rings gets another mapping of the same memory. */
static void storm_map_anew(struct storm *s)
{
	char *p = lent_map((struct lent *)s);

	if (p == MAP_FAILED ||
	    mremap(p, s->len, s->len, MREMAP_MAYMOVE | MREMAP_FIXED, s->mem) == MAP_FAILED)
		perror("a new mapping of the rings");
}

/* io_uring lets nobody choose where it is mapped. This makes it read-only for a moment. */
static void storm_clear_refs(struct storm *s)
{
	(void)s;
	write_text("/proc/self/clear_refs", "4");
}

/* Whether the kernel gets the page of an address from the page tables. */
static bool has_page(struct __test_metadata *_metadata, char *p)
{
	struct iovec byte = { p, 1 };
	int fd[2];
	bool has;

	ASSERT_EQ(0, pipe(fd));
	has = vmsplice(fd[1], &byte, 1, 0) == 1;
	close(fd[0]);
	close(fd[1]);
	return has;
}

/* Packets: mapped if the accessor maps and there are pages, else by user access. */
static void expect_lent_traffic(struct __test_metadata *_metadata,
				struct vring_dev *d, const char *accessor, bool pages)
{
	bool maps = !strcmp(accessor, "ringmap");

	if (maps && pages) {
		expect_recovery(_metadata, d);
		return;
	}
	ASSERT_OK(d, vring_run(d, 3000, NULL));
	EXPECT_EQ(0, vring_stat_sum(d, "mapped"));
	EXPECT_EQ(0, vring_stat_sum(d, "fills"));
	if (maps)
		EXPECT_GT(vring_stat_sum(d, "fallback"), 0);
}

/* Frames keep coming, and the memory of the rings goes: vhost says that it gave up. */
static void expect_end_without_memory(struct __test_metadata *_metadata,
				      struct vring_dev *d, const char *accessor,
				      struct vring_config cfg)
{
	struct pollfd gave_up = { .events = POLLIN };

	cfg.inject = true;
	open_and_start(_metadata, d, &cfg, accessor);
	ASSERT_OK(d, vring_run(d, 500, NULL));
	for (int i = 0; i < 50; i++)
		ASSERT_OK(d, vring_send(d));
	ASSERT_EQ(0, munmap(cfg.memory, LENT_BYTES));
	for (int i = 0; i < 50; i++)
		ASSERT_OK(d, vring_send(d));
	gave_up.fd = d->q[VRING_RX].err;
	EXPECT_EQ(1, poll(&gave_up, 1, 30000));
	vring_close(d);
}

static void expect_as_by_user_access(struct __test_metadata *_metadata,
				     struct vring_dev *d, const char *accessor,
				     struct lent *m)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct storm_thread t = { &m->s, m->once };
	pthread_t thread;
	bool pages;
	int ret;

	cfg.memory = lent_map(m);
	ASSERT_NE(MAP_FAILED, cfg.memory);
	ASSERT_LE(vring_ring_bytes(&cfg), LENT_BYTES);
	m->s.d = d;
	m->s.mem = cfg.memory;
	m->s.len = LENT_BYTES;
	*(char *)cfg.memory = 0;
	pages = has_page(_metadata, cfg.memory);
	open_and_start(_metadata, d, &cfg, accessor);
	expect_lent_traffic(_metadata, d, accessor, pages);

	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_loop, &t));
	do {
		ret = vring_run(d, 1000, NULL);
	} while (!ret && m->s.rounds < 100);
	m->s.stop = true;
	pthread_join(thread, NULL);
	ASSERT_OK(d, ret);
	if (pages && !strcmp(accessor, "ringmap"))
		EXPECT_GT(vring_stat_sum(d, "dropped"), 0);
	expect_lent_traffic(_metadata, d, accessor, pages);
	vring_close(d);

	expect_end_without_memory(_metadata, d, accessor, cfg);
	cfg.memory = lent_map(m);
	ASSERT_NE(MAP_FAILED, cfg.memory);
	open_and_start(_metadata, d, &cfg, accessor);
	expect_lent_traffic(_metadata, d, accessor, pages);
	vring_close(d);
	munmap(cfg.memory, LENT_BYTES);
	close(m->fd);
}

/* The kernel itself has no address of it. */
TEST_F_TIMEOUT(odd, secret_memory, PATIENCE)
{
	struct lent m = {
		.once = storm_map_anew, .fd = syscall(SYS_memfd_secret, O_CLOEXEC),
	};

	ASSERT_GE(m.fd, 0);
	ASSERT_EQ(0, ftruncate(m.fd, LENT_BYTES));
	expect_as_by_user_access(_metadata, &self->d, variant->accessor, &m);
}

/* A ring of received frames, of a socket that receives none. */
TEST_F_TIMEOUT(odd, packet_socket, PATIENCE)
{
	struct lent m = {
		.once = storm_map_anew,
		.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0),
	};
	struct tpacket_req ring = {
		.tp_block_size = LENT_BYTES, .tp_block_nr = 1,
		.tp_frame_size = 2048, .tp_frame_nr = LENT_BYTES / 2048,
	};

	ASSERT_GE(m.fd, 0);
	ASSERT_EQ(0, setsockopt(m.fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)));
	expect_as_by_user_access(_metadata, &self->d, variant->accessor, &m);
}

/* Submission queue entries, of which none is submitted. */
TEST_F_TIMEOUT(odd, io_uring, PATIENCE)
{
	struct io_uring_params params = {};
	struct lent m = { .once = storm_clear_refs, .at = IORING_OFF_SQES };

	m.fd = syscall(SYS_io_uring_setup, LENT_BYTES / sizeof(struct io_uring_sqe), &params);
	ASSERT_GE(m.fd, 0);
	expect_as_by_user_access(_metadata, &self->d, variant->accessor, &m);
}

/* Memory that the kernel does not manage, as that of a device. */
TEST_F_TIMEOUT(odd, device_memory, PATIENCE)
{
	const char *where = getenv("RINGMAP_RESERVED");
	struct lent m = {
		.once = storm_map_anew, .fd = open("/dev/mem", O_RDWR | O_CLOEXEC),
	};

	ASSERT_NE(NULL, where) {
		TH_LOG("set RINGMAP_RESERVED to an address that memmap= reserves");
	}
	ASSERT_GE(m.fd, 0);
	m.at = strtoul(where, NULL, 0);
	expect_as_by_user_access(_metadata, &self->d, variant->accessor, &m);
}

/* --- why the mapped rings of 2019 were reverted --- */

FIXTURE(reverted_2019) {
	struct vring_dev d;
};

FIXTURE_SETUP(reverted_2019)
{
	memset(&self->d, 0, sizeof(self->d));
	self->d.vdev.fd = self->d.tap = self->d.xdp_link = -1;
}

FIXTURE_TEARDOWN(reverted_2019)
{
	fault_set("notifier", 0);
	fault_set("lookup", 0);
	write_text(WINDOWS "fill_ms", "0");
	write_text(WINDOWS "use_ms", "0");
	if (self->d.vdev.fd >= 0)
		vring_close(&self->d);
}

/*
 * A notifier that could not be registered was removed all the same, and took a
 * reference to the mm that nobody held.
 */
TEST_F_TIMEOUT(reverted_2019, unchecked_registration, PATIENCE)
{
	expect_mm_released(_metadata, "notifier", 100);
	EXPECT_GE(fault_count("notifier"), 40 * 6);
}

/* Whether all pages move to another node, which takes that nobody else has them. */
static int pages_that_stay(const char *p, size_t len, int node)
{
	int stay = 0;

	for (size_t at = 0; at < len; at += PAGE) {
		const void *page = p + at;
		int status = -1;

		for (int i = 0; i < 10 && status != node; i++)
			syscall(SYS_move_pages, 0, 1UL, &page, &node, &status,
				2 /* MPOL_MF_MOVE */);
		stay += status != node;
	}
	return stay;
}

/* Maps of rings, and pages in them, were not given back. */
TEST_F_TIMEOUT(reverted_2019, leaked_map, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	size_t len;

	cfg.num[VRING_RX] = 32768;
	cfg.num[VRING_TX] = 32768;
	cfg.window = 64;
	len = vring_ring_bytes(&cfg);
	cfg.memory = fresh_at(_metadata, NULL, len);
	for (int i = 0; i < 20; i++) {
		open_and_start(_metadata, d, &cfg, "ringmap");
		ASSERT_OK(d, vring_run(d, 100, NULL));
		EXPECT_GE(vring_stat_sum(d, "fills"), 6);
		vring_close(d);
	}
	EXPECT_EQ(0, pages_that_stay(cfg.memory, len, 1));
	EXPECT_EQ(0, pages_that_stay(cfg.memory, len, 0));
	munmap(cfg.memory, len);
}

/* A piece of the memory, another one each time. */
static char *piece(struct storm *s, size_t *len)
{
	size_t pages = s->len / PAGE, first = s->rounds * 7919 % pages;

	*len = (s->rounds * 31 % (pages - first) + 1) * PAGE;
	return (char *)s->mem + first * PAGE;
}

static void storm_zap_piece(struct storm *s)
{
	size_t len;
	char *p = piece(s, &len);

	madvise(p, len, MADV_DONTNEED);
}

static void storm_protect_piece(struct storm *s)
{
	size_t len;
	char *p = piece(s, &len);

	mprotect(p, len, PROT_READ | PROT_WRITE | PROT_EXEC);
	mprotect(p, len, PROT_READ | PROT_WRITE);
}

static void storm_page_out(struct storm *s)
{
	size_t len;
	char *p = piece(s, &len);

	madvise(p, len, MADV_PAGEOUT);
}

/*
 * The count of invalidations under way lost its balance, and the ring was never
 * mapped again. Several threads zap at once, which overlaps.
 */
TEST_F_TIMEOUT(reverted_2019, unbalanced_invalidate_count, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	struct storm s = { .d = d };
	struct storm_thread t[] = {
		{ &s, storm_zap_piece }, { &s, storm_zap_piece },
		{ &s, storm_zap_piece }, { &s, storm_protect_piece },
		{ &s, storm_page_out },
	};
	const int n = sizeof(t) / sizeof(*t);
	pthread_t thread[n];
	int ret;

	cfg.num[VRING_RX] = 1024;
	cfg.num[VRING_TX] = 1024;
	s.len = vring_ring_bytes(&cfg);
	s.mem = vring_map(VRING_SHMEM, s.len);
	ASSERT_NE(MAP_FAILED, s.mem);
	cfg.memory = s.mem;
	open_and_start(_metadata, d, &cfg, "ringmap");
	for (int i = 0; i < n; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, storm_loop, &t[i]));
	do {
		ret = vring_run(d, 1000, NULL);
	} while (!ret && s.rounds < 5000);
	s.stop = true;
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	ASSERT_OK(d, ret);
	EXPECT_GT(vring_stat_sum(d, "invalidate_zap"), 1000);
	EXPECT_GT(vring_stat_sum(d, "dropped"), 100);
	expect_recovery(_metadata, d);
	/* And so it stays. */
	for (int i = 0; i < 5; i++) {
		long long dropped = vring_stat_sum(d, "dropped");
		long long failed = vring_stat_sum(d, "fill_failed");

		expect_mapped(_metadata, d, 2000);
		EXPECT_EQ(dropped, vring_stat_sum(d, "dropped"));
		EXPECT_EQ(failed, vring_stat_sum(d, "fill_failed"));
	}
}

/* Give a page to reclaim, which drops it if it is clean. */
static bool page_out(char *page)
{
	/* Nothing is reclaimed that waits to be put on a list. */
	write_text("/proc/sys/vm/drop_caches", "1");
	for (int i = 0; i < 100 && frame_of(page); i++)
		madvise(page, PAGE, MADV_PAGEOUT);
	return !frame_of(page);
}

static void tear_down(struct __test_metadata *_metadata, struct vring_dev *d,
		      bool close)
{
	if (close)
		vring_close(d);
	else
		ASSERT_OK(d, vring_set_accessor(d, "uaccess"));
}

/*
 * Pages that were written through the map were not marked dirty when it went. Here
 * nothing else marks them: they are holes of a file in memory, so far only read.
 */
TEST_F_TIMEOUT(reverted_2019, not_dirty_after_teardown, PATIENCE)
{
	struct vring_dev *d = &self->d;

	for (int how = 0; how < 2; how++) {
		struct vring_config cfg = VRING_CONFIG_DEFAULT;
		char *used[VRING_QUEUES], copy[VRING_QUEUES][PAGE];
		size_t len = vring_ring_bytes(&cfg);

		cfg.memory = vring_map(VRING_SHMEM, len);
		ASSERT_NE(MAP_FAILED, cfg.memory);
		ASSERT_OK(d, vring_open(d, &cfg));
		ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
		for (int q = 0; q < VRING_QUEUES; q++) {
			used[q] = page_of(d->q[q].vring.used);
			ASSERT_EQ(0, madvise(used[q], PAGE, MADV_REMOVE));
			ASSERT_EQ(0, load(used[q]));
		}
		ASSERT_OK(d, vring_start(d));
		ASSERT_OK(d, vring_run(d, 500, NULL));
		ASSERT_OK(d, vring_idle(d));
		EXPECT_EQ(0, vring_stat_sum(d, "fallback"));
		ASSERT_OK(d, vring_stop(d));
		for (int q = 0; q < VRING_QUEUES; q++)
			memcpy(copy[q], used[q], PAGE);
		tear_down(_metadata, d, how);
		for (int q = 0; q < VRING_QUEUES; q++) {
			EXPECT_TRUE(page_out(used[q]));
			EXPECT_EQ(0, memcmp(copy[q], used[q], PAGE));
		}
		if (!how)
			vring_close(d);
		munmap(cfg.memory, len);
	}
}

/* The same for a file on a disk: what was written before the end is there. */
TEST_F_TIMEOUT(reverted_2019, not_written_after_teardown, PATIENCE)
{
	struct vring_dev *d = &self->d;

	for (int how = 0; how < 2; how++) {
		struct vring_config cfg = VRING_CONFIG_DEFAULT;
		struct ring_file f;

		file_open(_metadata, &f, vring_ring_bytes(&cfg));
		cfg.memory = f.mem;
		open_and_start(_metadata, d, &cfg, "ringmap");
		for (int i = 0; i < 3; i++) {
			ASSERT_OK(d, vring_run(d, 500, NULL));
			ASSERT_OK(d, vring_idle(d));
			ASSERT_EQ(0, fsync(f.fd));
		}
		ASSERT_OK(d, vring_run(d, 500, NULL));
		ASSERT_OK(d, vring_stop(d));
		tear_down(_metadata, d, how);
		ASSERT_EQ(0, fsync(f.fd));
		EXPECT_EQ(0, file_unwritten(_metadata, &f));
		if (!how)
			vring_close(d);
		file_close(&f);
	}
}

/*
 * Nothing ordered the look at the count of invalidations and the lookup of the page.
 * Here the page of the used ring is replaced between the two, and lives on elsewhere.
 */
TEST_F_TIMEOUT(reverted_2019, lookup_not_after_count, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	size_t len = vring_ring_bytes(&cfg);
	char *fresh = fresh_at(_metadata, NULL, PAGE), *alias, *used;
	char copy[PAGE];
	long long raced;
	long entered;

	cfg.stall_ms = 5000;
	cfg.memory = vring_map(VRING_SHMEM, len);
	ASSERT_NE(MAP_FAILED, cfg.memory);
	open_and_start(_metadata, d, &cfg, "ringmap");
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	ASSERT_OK(d, vring_idle(d));
	used = page_of(d->q[VRING_TX].vring.used);
	/* A second mapping of the same page. */
	alias = mremap(used, 0, PAGE, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, alias);
	raced = vring_stat(d, VRING_TX, "fill_raced");
	/* Only the used ring's mapping goes, and can come back at once. */
	ASSERT_EQ(0, madvise(used, PAGE, MADV_DONTNEED));
	memcpy(copy, used, PAGE);
	entered = read_number(WINDOWS "entered");
	ASSERT_GT(write_text(WINDOWS "fill_ms", "500"), 0);
	ASSERT_OK(d, vring_send(d));
	ASSERT_TRUE(wait_entered(entered));
	memcpy(copy, alias, PAGE);
	memcpy(fresh, alias, PAGE);
	ASSERT_EQ(used, mremap(fresh, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			       used));
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	EXPECT_EQ(0, memcmp(copy, alias, PAGE));
	EXPECT_EQ(raced + 1, vring_stat(d, VRING_TX, "fill_raced"));
	expect_mapped(_metadata, d, 2000);
}

static void *grace_period(void *arg)
{
	atomic_bool *over = arg;

	/* All that the command does is to wait for one. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	*over = true;
	return NULL;
}

static void run_on(struct __test_metadata *_metadata, pid_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_EQ(0, sched_setaffinity(thread, sizeof(set), &set));
}

/*
 * The notifier waited for a grace period, and so for whatever any processor did.
 * Here one holds grace periods off, writing the rings of another device, while the
 * memory of mapped rings is invalidated.
 */
TEST_F_TIMEOUT(reverted_2019, grace_period_in_notifier, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d, other;
	struct storm s = { .d = d };
	atomic_bool over = false;
	long long dropped;
	pthread_t thread;
	uint16_t used;
	long entered;

	open_and_start(_metadata, &other, &cfg, "ringmap");
	run_on(_metadata, vdev_worker(&other.vdev, VRING_TX), 1);
	ASSERT_OK(&other, vring_run(&other, 500, NULL));
	ASSERT_OK(&other, vring_idle(&other));
	run_on(_metadata, 0, 0);
	open_and_start(_metadata, d, &cfg, "ringmap");
	run_on(_metadata, vdev_worker(&d->vdev, VRING_TX), 0);
	s.mem = d->ring_mem;
	s.len = d->ring_len;
	ASSERT_OK(d, vring_run(d, 500, NULL));
	ASSERT_OK(d, vring_idle(d));

	used = used_idx(&other);
	dropped = vring_stat_sum(d, "dropped");
	entered = read_number(WINDOWS "entered");
	ASSERT_GT(write_text(WINDOWS "use_ms", "2000"), 0);
	ASSERT_OK(&other, vring_send(&other));
	ASSERT_TRUE(wait_entered(entered));
	ASSERT_EQ(0, pthread_create(&thread, NULL, grace_period, &over));
	for (int i = 0; i < 5; i++) {
		ASSERT_OK(d, vring_run(d, 10, NULL));
		storm_mprotect(&s);
	}
	EXPECT_EQ(used, used_idx(&other));
	EXPECT_FALSE(over);
	EXPECT_GE(vring_stat_sum(d, "dropped"), dropped + 5);
	pthread_join(thread, NULL);
	ASSERT_OK(&other, vring_idle(&other));
	vring_close(&other);
}

/* --- setup says the same whatever fails --- */

struct script {
	struct vring_dev d;
	int result[512];
	int n;
};

static void note(struct script *s, int ret)
{
	if (s->n < (int)(sizeof(s->result) / sizeof(*s->result)))
		s->result[s->n++] = ret < 0 ? -errno : ret;
}

static void note_state(struct script *s, unsigned long request, unsigned int num)
{
	struct vhost_vring_state state = { VRING_TX, num };

	note(s, ioctl(s->d.vdev.fd, request, &state));
	note(s, state.num);
}

static void note_file(struct script *s, unsigned long request, int fd)
{
	struct vhost_vring_file file = { VRING_TX, fd };

	note(s, ioctl(s->d.vdev.fd, request, &file));
}

static void note_u64(struct script *s, unsigned long request, uint64_t value)
{
	note(s, ioctl(s->d.vdev.fd, request, &value));
}

/* Every ioctl of setup, with addresses that are right, odd and wrong. */
static void run_script(struct __test_metadata *_metadata, struct script *s,
		       const char *accessor)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	static char *hole, *read_only;
	struct vring_dev *d = &s->d;
	struct vring_queue *q = &d->q[VRING_TX];
	struct vhost_memory none = { .nregions = 0 };
	char saved[64], *name;

	if (!hole) {
		hole = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
		read_only = mmap(NULL, 65536, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, hole);
		ASSERT_NE(MAP_FAILED, read_only);
	}
	/* From the start: what is opened now has the default accessor. */
	read_text(PARAM, saved, sizeof(saved));
	ASSERT_GT(write_text(PARAM, accessor), 0);
	ASSERT_OK(d, vring_open(d, &cfg));

	const uint64_t odd[] = {
		0, 1, 2, 4, (uintptr_t)hole, (uintptr_t)hole + 65536 - 8,
		(uintptr_t)read_only, (uintptr_t)read_only + 4094,
		0x7ffffffff000 - 16, 0x800000000000, 0xffff888000000000,
		-4096UL, -16UL,
	};

	s->n = 0;
	note(s, ioctl(d->vdev.fd, VHOST_SET_OWNER));
	for (unsigned int part = 0; part < VRING_PARTS; part++) {
		for (unsigned int i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
			uint64_t at[] = {
				(uintptr_t)q->vring.desc,
				(uintptr_t)q->vring.avail,
				(uintptr_t)q->vring.used,
			};

			at[part] = odd[i];

			struct vhost_vring_addr addr = {
				.index = VRING_TX,
				.desc_user_addr = at[VRING_DESC],
				.avail_user_addr = at[VRING_AVAIL],
				.used_user_addr = at[VRING_USED],
			};

			note(s, ioctl(d->vdev.fd, VHOST_SET_VRING_ADDR, &addr));
			note_file(s, VHOST_NET_SET_BACKEND, d->tap);
			note_state(s, VHOST_GET_VRING_BASE, 0);
			note_file(s, VHOST_NET_SET_BACKEND, -1);
		}
	}
	for (unsigned int num = 0; num <= 65536; num = num * 3 + 1)
		note_state(s, VHOST_SET_VRING_NUM, num);
	note_state(s, VHOST_SET_VRING_NUM, 65536);
	note_state(s, VHOST_SET_VRING_BASE, 65536);
	note_state(s, VHOST_SET_VRING_BASE, 0);
	note_state(s, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 10);
	note_file(s, VHOST_SET_VRING_KICK, -1);
	note_file(s, VHOST_SET_VRING_CALL, d->tap);
	note_file(s, VHOST_SET_VRING_ERR, -1);
	note_u64(s, VHOST_SET_FEATURES, -1ULL);
	note_u64(s, VHOST_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1 |
		 1ULL << VIRTIO_F_ACCESS_PLATFORM);
	note_u64(s, VHOST_SET_LOG_BASE, (uintptr_t)hole);
	note_u64(s, VHOST_SET_LOG_BASE, -4096ULL);
	note(s, ioctl(d->vdev.fd, VHOST_SET_MEM_TABLE, &none));
	note(s, ioctl(d->vdev.fd, VHOST_RESET_OWNER));
	/* And the same device then works. */
	note(s, vring_setup(d));
	note(s, vring_start(d));
	note(s, vring_run(d, 500, NULL));
	vring_close(d);
	name = strchr(saved, '[') + 1;
	*strchr(name, ']') = 0;
	ASSERT_GT(write_text(PARAM, name), 0);
}

TEST_F_TIMEOUT(reverted_2019, ioctl_newly_fails, PATIENCE)
{
	static const char * const steps[] = { "none", "notifier", "lookup" };
	static struct script want, got;

	run_script(_metadata, &want, "uaccess");
	ASSERT_GT(want.n, 200);
	for (int i = 0; i < 3; i++) {
		if (i)
			fault_set(steps[i], 100);
		run_script(_metadata, &got, "ringmap");
		if (i) {
			EXPECT_GT(fault_count(steps[i]), 0);
			fault_set(steps[i], 0);
		}
		ASSERT_EQ(want.n, got.n);
		for (int n = 0; n < want.n; n++) {
			EXPECT_EQ(want.result[n], got.result[n]) {
				TH_LOG("result %d with failing step: %s", n,
				       steps[i]);
			}
		}
	}
}

/* --- who waits for invalidations --- */

struct held_range {
	char *page;
	int fd;			/* of the test driver */
	unsigned int id;	/* of its subscriber that the range waits for */
	pthread_t thread;
};

static void *emit_held(void *arg)
{
	struct held_range *h = arg;
	struct test_mn_emit e = { .addr = (uintptr_t)h->page, .len = PAGE, .count = 1 };

	ioctl(h->fd, TEST_MN_EMIT, &e);
	return NULL;
}

/* How many ranges of our memory are being invalidated. */
static unsigned int active_ranges(const struct held_range *h)
{
	struct test_mn_info info = { .id = h->id };

	return ioctl(h->fd, TEST_MN_INFO, &info) ? -1U : info.active;
}

/*
 * An invalidation of our memory begins, and does not end for 10 seconds. It is of a page that
 * no interval notifier is for; but there is one, so that none is the first.
 */
static void hold_range(struct __test_metadata *_metadata, struct held_range *h)
{
	struct test_mn_hold hold = { .point = TEST_MN_HOLD_CALLBACK, .ms = 10000 };
	struct test_mn_add other, add;

	h->page = fresh_at(_metadata, NULL, 2 * PAGE);
	other = (struct test_mn_add){
		.addr = (uintptr_t)h->page + PAGE, .len = PAGE, .kind = TEST_MN_INTERVAL,
	};
	add = (struct test_mn_add){ .addr = (uintptr_t)h->page, .len = PAGE, .kind = TEST_MN_MM };
	h->fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
	ASSERT_GE(h->fd, 0);
	ASSERT_EQ(0, ioctl(h->fd, TEST_MN_ADD, &other));
	ASSERT_EQ(0, ioctl(h->fd, TEST_MN_ADD, &add));
	h->id = hold.id = add.id;
	ASSERT_EQ(0, ioctl(h->fd, TEST_MN_HOLD, &hold));
	ASSERT_EQ(0, pthread_create(&h->thread, NULL, emit_held, h));
	for (int ms = 0; ms < 5000 && !active_ranges(h); ms++)
		usleep(1000);
	ASSERT_EQ(1U, active_ranges(h));
}

static void release_range(struct held_range *h)
{
	pthread_join(h->thread, NULL);
	close(h->fd);
	munmap(h->page, 2 * PAGE);
}

/*
 * VHOST_SET_OWNER did not wait for invalidations, with the device's mutex held. It does not
 * with mappings, nor does who asks for them later.
 */
TEST_F_TIMEOUT(reverted_2019, ioctl_newly_waits, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	struct held_range h;

	ASSERT_OK(d, vring_open(d, &cfg));
	ASSERT_OK(d, vring_reset_owner(d));
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	hold_range(_metadata, &h);
	ASSERT_EQ(0, ioctl(d->vdev.fd, VHOST_SET_OWNER));
	EXPECT_EQ(1U, active_ranges(&h));
	release_range(&h);

	ASSERT_OK(d, vring_reset_owner(d));
	ASSERT_OK(d, vring_setup(d));
	ASSERT_OK(d, vring_set_accessor(d, "uaccess"));
	hold_range(_metadata, &h);
	ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	EXPECT_EQ(1U, active_ranges(&h));
	release_range(&h);
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, 500, NULL));
}

TEST_HARNESS_MAIN
