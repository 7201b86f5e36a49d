// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringmap_storm_test: packets whose every number and byte is checked, while the memory
 * under the rings is changed in all ways that leave its content, the accessor is
 * switched, the device IOTLB changes, and queues are stopped and started.
 *
 * Runs by turns on memory of several kinds until the goals given on the command
 * line are met and every cause of an invalidation was seen, and prints what
 * happened; fails if a packet was lost, or if a goal was not met in time.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../../lib/test_hmm_uapi.h"
#include "../../../../lib/test_mmu_notifier_uapi.h"
#include "vring.h"

#define PAGE		4096UL
#define GIGA		(1UL << 30)
#define ROUND		50000	/* packets between restarts of the queues */
#define ROUNDS		4	/* of them on one kind of memory */
#define MAX_KEYS	80
#define MAX_CAUSES	64
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define MMU_STATS	"/sys/kernel/debug/mmu_notifier/"
#define NUMA		"/sys/kernel/debug/sched/numa_balancing/"

static const char * const kind_names[] = {
	[VRING_ANON] = "anonymous", [VRING_THP] = "thp", [VRING_SHMEM] = "shmem",
	[VRING_REGULAR] = "file", [VRING_HUGETLB] = "hugetlb",
};

#define KINDS	(sizeof(kind_names) / sizeof(kind_names[0]))

static struct {
	struct vring_dev *d;
	char *mem;
	size_t len;
	int fd;			/* of the file that is mapped, if one is */
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

/*
 * What no ring meets. A device holds the memory of its owner until it is closed, so
 * that no ring sees its end; a hugetlb page is taken from a process which cannot write
 * it, and a breakpoint is set in text which nobody may write, but drivers write rings.
 */
static const char * const never[] = { "unknown", "exit", "hugetlb_cow", "uprobe" };

/*
 * A kernel with PREEMPT_RT has no transparent huge pages, and so no HMM test device,
 * and no NUMA balancing.
 */
static const char * const never_realtime[] = {
	"numa_hint", "collapse", "split", "split_drop", "migrate_device", "exclusive",
	"exclusive_end",
};

static bool realtime;

/* Nobody reaps a process whose memory a thread of the kernel's uses. */
static bool reaped = true;

/* --- ways to change memory and to leave what is in it --- */

static void protect(void)
{
	size_t len = storm.kind == VRING_HUGETLB ? VRING_HUGE : storm.len;

	for (int i = 0; i < 200; i++) {
		mprotect(storm.mem, len, PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(storm.mem, len, PROT_READ | PROT_WRITE);
	}
}

/* A mapping of the same file is put over the one that is there. */
static void map_over(void)
{
	if (mmap(storm.mem, storm.len, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, storm.fd, 0) != storm.mem)
		err(1, "cannot map the rings anew");
}

/* The page-table entries go elsewhere, and the mapping stays to fault them in. */
static void move_entries(void)
{
	void *to = mremap(storm.mem, storm.len, storm.len,
			  MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	if (to == MAP_FAILED)
		err(1, "mremap");
	munmap(to, storm.len);
}

static void zap(void)
{
	for (int i = 0; i < 100; i++)
		madvise(storm.mem, storm.kind == VRING_HUGETLB ? VRING_HUGE :
			storm.len, MADV_DONTNEED);
}

/* A direct write invalidates the cached page. It is of bytes that no ring has. */
static void write_direct(void)
{
	static _Alignas(PAGE) char none[512];

	for (int q = 0; q < VRING_QUEUES; q++) {
		off_t at = (char *)storm.d->q[q].vring.avail - storm.mem + PAGE -
			   sizeof(none);

		if (pwrite(storm.fd, none, sizeof(none), at) < 0 && errno != EBUSY)
			err(1, "direct write to the rings' file");
	}
}

static void write_back(void)
{
	msync(storm.mem, storm.len, MS_SYNC);
}

static void page_out(void)
{
	madvise(storm.mem, storm.len, MADV_PAGEOUT);
}

static void move_to_node(void)
{
	static int node;
	void *pages[64];
	int nodes[64], status[64], n = 0;

	node = !node;
	for (size_t at = 0; at < storm.len && n < 64; at += PAGE, n++) {
		pages[n] = storm.mem + at;
		nodes[n] = node;
	}
	syscall(SYS_move_pages, 0, n, pages, nodes, status, 2 /* MPOL_MF_MOVE */);
}

/* The page of RX's used ring: it never is one that KSM shares. */
static char *busy_page(void)
{
	return (char *)((uintptr_t)storm.d->q[VRING_RX].vring.used & ~(PAGE - 1));
}

/* To a device, whose page an access by the CPU takes back. */
static void to_device(int cmd)
{
	static char copy[PAGE];
	struct hmm_dmirror_cmd c = {
		.addr = (uintptr_t)busy_page(), .ptr = (uintptr_t)copy, .npages = 1,
	};
	int fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "/dev/hmm_dmirror0");
	ioctl(fd, cmd, &c);
	/* The page must be back before its device goes. */
	__atomic_fetch_or(busy_page() + PAGE - 1, 0, __ATOMIC_RELAXED);
	close(fd);
}

static void to_device_memory(void)
{
	to_device(HMM_DMIRROR_MIGRATE_TO_DEV);
}

static void exclusive(void)
{
	to_device(HMM_DMIRROR_EXCLUSIVE);
}

/* The child lives for a while, so that writes meet pages which it shares. */
static void fork_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		usleep(3000);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static int uffd_open(uint64_t features)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		err(1, "userfaultfd");
	return fd;
}

static void uffd_register(int fd, void *at, size_t len, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, len }, .mode = mode,
	};

	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		err(1, "UFFDIO_REGISTER");
}

/* Write protection by userfaultfd, which ends by itself at a write. */
static void track_writes(void)
{
	int fd = uffd_open(UFFD_FEATURE_WP_ASYNC |
			   UFFD_FEATURE_WP_UNPOPULATED);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t regions[3 * 16];
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)storm.mem, storm.len },
	};
	struct pm_scan_arg s = {
		.size = sizeof(s), .flags = PM_SCAN_WP_MATCHING,
		.start = (uintptr_t)storm.mem,
		.end = (uintptr_t)storm.mem + storm.len,
		.vec = (uintptr_t)regions, .vec_len = 16,
		.category_mask = PAGE_IS_WRITTEN, .return_mask = PAGE_IS_WRITTEN,
	};

	uffd_register(fd, storm.mem, storm.len, UFFDIO_REGISTER_MODE_WP);
	for (int i = 0; i < 10; i++) {
		wp.mode = UFFDIO_WRITEPROTECT_MODE_WP;
		ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
		wp.mode = 0;
		ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
		ioctl(pagemap, PAGEMAP_SCAN, &s);
	}
	close(pagemap);
	close(fd);
}

static bool move(int fd, char *dst, char *src)
{
	struct uffdio_move m = {
		.dst = (uintptr_t)dst, .src = (uintptr_t)src, .len = PAGE,
	};

	return !ioctl(fd, UFFDIO_MOVE, &m);
}

/* Who needs the page while it is elsewhere waits for it. */
static void move_away_and_back(void)
{
	int fd = uffd_open(UFFD_FEATURE_MOVE);
	char *page = busy_page();
	char *aside = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (aside == MAP_FAILED)
		err(1, "mmap");
	uffd_register(fd, aside, PAGE, UFFDIO_REGISTER_MODE_MISSING);
	uffd_register(fd, page, PAGE, UFFDIO_REGISTER_MODE_MISSING);
	if (move(fd, aside, page))
		while (!move(fd, page, aside))
			if (errno != EAGAIN && errno != EBUSY)
				err(1, "UFFDIO_MOVE back");
	close(fd);
	munmap(aside, PAGE);
}

static void soft_dirty(void)
{
	write_text("/proc/self/clear_refs", "4");
}

/* Written before, so that none is swapped out, and after, so that none is freed. */
static void free_lazily(void)
{
	for (int i = 0; i < 2; i++) {
		for (size_t at = 0; at < storm.len; at += PAGE)
			__atomic_fetch_or(storm.mem + at, 0, __ATOMIC_RELAXED);
		if (!i)
			madvise(storm.mem, storm.len, MADV_FREE);
	}
}

/* Most descriptors are never used, so there are pages which are the same. */
static void merge(void)
{
	static bool on;

	on = !on;
	madvise(storm.mem, storm.len, on ? MADV_MERGEABLE : MADV_UNMERGEABLE);
}

static void collapse_and_split(void)
{
	char range[80];

	madvise(storm.mem, VRING_HUGE, MADV_COLLAPSE);
	madvise(storm.mem + VRING_HUGE - PAGE, PAGE, MADV_DONTNEED);
	madvise(storm.mem, VRING_HUGE, MADV_COLLAPSE);
	snprintf(range, sizeof(range), "%d,0x%lx,0x%lx", getpid(),
		 (unsigned long)storm.mem, (unsigned long)storm.mem + VRING_HUGE);
	write_text("/sys/kernel/debug/split_huge_pages", range);
}

/* As a driver of a graphics card does that tracks writes. */
static void track_dirty(void)
{
	int fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
	struct test_mn_access a = { 0 };

	if (fd < 0)
		err(1, "/dev/test_mmu_notifier");
	for (size_t at = 0; at < storm.len; at += PAGE) {
		a.addr = (uintptr_t)storm.mem + at;
		ioctl(fd, TEST_MN_PROTECT, &a);
	}
	close(fd);
}

/* Cut the mapping elsewhere in the gigabyte whose page tables may be shared. */
static void cut_gigabyte(void)
{
	map_over();
	munmap(storm.mem + GIGA / 2, VRING_HUGE);
}

#define ANON	(1 << VRING_ANON)
#define THP	(1 << VRING_THP)
#define SHMEM	(1 << VRING_SHMEM)
#define REGULAR	(1 << VRING_REGULAR)
#define HUGETLB	(1 << VRING_HUGETLB)
#define SMALL	(ANON | THP | SHMEM | REGULAR)
#define HMM	(1 << 30)	/* not on a kernel with PREEMPT_RT */

static const struct {
	void (*change)(void);
	unsigned int kinds;
} ways[] = {
	{ map_over, SHMEM | REGULAR },
	{ move_entries, SHMEM | REGULAR },
	{ zap, SHMEM | REGULAR | HUGETLB },
	{ write_direct, REGULAR },
	{ write_back, REGULAR },
	{ page_out, ANON | THP | SHMEM },
	{ move_to_node, SMALL },
	{ to_device_memory, ANON | HMM },
	{ exclusive, ANON | HMM },
	{ fork_child, SMALL | HUGETLB },
	{ track_writes, SMALL },
	{ move_away_and_back, ANON },
	{ soft_dirty, SMALL | HUGETLB },
	{ free_lazily, ANON | THP },
	{ merge, ANON },
	{ collapse_and_split, THP },
	{ track_dirty, REGULAR },
	{ cut_gigabyte, HUGETLB },
};

static void *changer(void *arg)
{
	unsigned int way = 0;

	(void)arg;
	while (!storm.stop) {
		way = (way + 1) % (sizeof(ways) / sizeof(ways[0]));
		if (!(ways[way].kinds & (1 << storm.kind)) ||
		    (realtime && (ways[way].kinds & HMM)))
			continue;
		ways[way].change();
		/* Cheap, and so what most of the invalidations are of. */
		protect();
		storm.changes += 2;
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

/* Of each cause: how often rings were told, and how often it kept what they need. */
static struct {
	char name[24];
	long long told, kept;
} cause[MAX_CAUSES];
static int causes;

static void read_causes(void)
{
	char line[160];
	FILE *f = fopen(MMU_STATS "stats", "re");

	if (!f)
		err(1, MMU_STATS "stats");
	causes = 0;
	while (fgets(line, sizeof(line), f)) {
		/* Who else was called is counted there too: of those told ask the queues. */
		if (causes == MAX_CAUSES ||
		    sscanf(line, "%23s %*u %*u %*u %lld", cause[causes].name,
			   &cause[causes].kept) != 2)
			continue;
		cause[causes].told = 0;
		for (int i = 0; i < keys; i++)
			if (!strncmp(total[i].key, "invalidate_", 11) &&
			    !strcmp(total[i].key + 11, cause[causes].name))
				cause[causes].told = total[i].sum;
		causes++;
	}
	fclose(f);
	if (!causes)
		errx(1, MMU_STATS "stats has no causes");
}

static bool is_one_of(const char *name, const char * const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static bool is_never(const char *name)
{
	if (is_one_of(name, never, sizeof(never) / sizeof(never[0])) ||
	    (realtime && is_one_of(name, never_realtime, sizeof(never_realtime) /
				   sizeof(never_realtime[0]))))
		return true;
	return !reaped && !strcmp(name, "oom_reap");
}

/* A cause that is still to be seen, or NULL. */
static const char *unseen(void)
{
	read_causes();
	for (int i = 0; i < causes; i++)
		if (!is_never(cause[i].name) && !cause[i].told && !cause[i].kept)
			return cause[i].name;
	return NULL;
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

/* Shared hugetlb memory in a window of two gigabytes, of which little is used. */
static char *map_gigabytes(void)
{
	char *at = mmap(NULL, 3 * GIGA, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		err(1, "address space for huge pages");
	munmap(at, 3 * GIGA);
	write_text("/proc/sys/vm/nr_hugepages", "4");
	storm.fd = memfd_create("rings", MFD_HUGETLB | MFD_CLOEXEC);
	if (storm.fd < 0 || ftruncate(storm.fd, 2 * GIGA))
		err(1, "a file of huge pages");
	storm.mem = (char *)(((uintptr_t)at + GIGA - 1) & -GIGA);
	storm.len = 2 * GIGA;
	map_over();
	return storm.mem;
}

/* Memory for the rings, and the file that is mapped there. */
static char *map_rings(enum vring_memory kind, size_t len)
{
	char path[80];

	if (kind == VRING_HUGETLB)
		return map_gigabytes();
	storm.mem = vring_map(kind, len);
	if (storm.mem == MAP_FAILED)
		err(1, "memory for the rings");
	storm.len = len;
	storm.fd = -1;
	if (kind == VRING_SHMEM || kind == VRING_REGULAR) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
			 (unsigned long)storm.mem, (unsigned long)storm.mem + len);
		storm.fd = open(path, O_RDWR | O_CLOEXEC |
				(kind == VRING_REGULAR ? O_DIRECT : 0));
		if (storm.fd < 0)
			err(1, "%s", path);
	}
	return storm.mem;
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
	if (kind == VRING_ANON)
		cfg.num[VRING_TX] = 2048;
	cfg.stall_ms = 60000;
	cfg.memory = map_rings(kind, vring_ring_bytes(&cfg));
	if (vring_open(&d, &cfg) || vring_set_accessor(&d, "ringmap") ||
	    vring_start(&d))
		errx(1, "%s", d.vdev.error);
	storm.d = &d;
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
	munmap(storm.mem, kind == VRING_THP ? VRING_HUGE : storm.len);
	if (storm.fd >= 0)
		close(storm.fd);
	return packets;
}

/* --- a device whose rings are taken from it, and with them what is in them --- */

enum { REAPED, POISONED, FATES };

struct victim {
	struct vring_dev d;
	atomic_bool runs, told;
};

static void live(struct victim *v, int fate)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	if (vring_open(&v->d, &cfg) || vring_set_accessor(&v->d, "ringmap") ||
	    vring_start(&v->d) || vring_run(&v->d, 1000, NULL))
		errx(1, "a device to be destroyed: %s", v->d.vdev.error);
	v->runs = true;
	while (!v->told || fate == REAPED)
		vring_run(&v->d, 100, NULL);
	for (int i = 0; i < 32; i++)
		vring_send(&v->d);
	/* What the kernel then sends is deadly. */
	madvise(v->d.q[VRING_TX].vring.used, PAGE, MADV_HWPOISON);
	err(1, "MADV_HWPOISON");
}

/* Its file stays open here, and so its device lives longer than its memory. */
static void destroy(int fate)
{
	struct victim *v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pidfd, fd, status;
	pid_t pid;

	if (v == MAP_FAILED)
		err(1, "mmap");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		live(v, fate);
	while (!v->runs) {
		if (waitpid(pid, NULL, WNOHANG))
			errx(1, "a device to be destroyed died too early");
		usleep(1000);
	}
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, v->d.vdev.fd, 0);
	if (pidfd < 0 || fd < 0)
		err(1, "a child's file");
	v->told = true;
	if (fate == REAPED) {
		kill(pid, SIGKILL);
		syscall(SYS_process_mrelease, pidfd, 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		errx(1, "a device was not destroyed");
	add_counters(&v->d);
	close(fd);
	close(pidfd);
	munmap(v, sizeof(*v));
}

int main(int argc, char **argv)
{
	unsigned long packets = 0, want[3];
	time_t start = time(NULL), limit;
	struct utsname kernel;

	if (argc != 5)
		errx(1, "usage: ringmap_storm_test PACKETS INVALIDATIONS SWITCHES SECONDS");
	for (int i = 0; i < 3; i++)
		want[i] = strtoul(argv[1 + i], NULL, 0);
	limit = strtoul(argv[4], NULL, 0);
	reaped = vdev_forks_workers();
	realtime = !uname(&kernel) && strstr(kernel.version, "PREEMPT_RT");
	write_text("/sys/kernel/mm/ksm/run", "1");
	write_text("/sys/kernel/mm/ksm/sleep_millisecs", "5");
	write_text("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	write_text(NUMA "scan_delay_ms", "10");
	write_text(NUMA "scan_period_min_ms", "100");
	write_text("/proc/sys/kernel/numa_balancing", "1");
	if (write_text(MMU_STATS "enable", "1") < 0 ||
	    write_text(MMU_STATS "stats", "0") < 0)
		err(1, MMU_STATS "enable");
	for (unsigned int n = 0; packets < want[0] || unseen() ||
	     (unsigned long)invalidations() < want[1] || storm.switches < want[2]; n++) {
		if (time(NULL) - start > limit)
			errx(1, "after %ld s only %lu packets, %lld invalidations, %lu switches; unseen: %s",
			     (long)(time(NULL) - start), packets, invalidations(),
			     storm.switches, unseen() ?: "nothing");
		if (realtime && n % KINDS == VRING_THP)
			continue;
		packets += turn(n % KINDS, n / KINDS % 2);
		destroy(n % FATES);
		fprintf(stderr, "%4ld s  %-10s %9lu packets %9lld invalidations %6lu switches\n",
			(long)(time(NULL) - start), kind_names[n % KINDS], packets,
			invalidations(), storm.switches);
	}
	printf("packets %lu\nlost, reordered or corrupt 0\n", packets);
	printf("invalidations %lld\nswitches %lu\niotlb_changes %lu\nchanges %lu\n",
	       invalidations(), storm.switches, storm.iotlb, storm.changes);
	for (int i = 0; i < keys; i++)
		if (total[i].sum && strncmp(total[i].key, "invalidate_", 11))
			printf("%s %lld\n", total[i].key, total[i].sum);
	printf("%-16s %10s %10s\n", "cause", "told", "kept");
	for (int i = 0; i < causes; i++)
		printf("%-16s %10lld %10lld%s\n", cause[i].name, cause[i].told,
		       cause[i].kept, is_never(cause[i].name) ? "  no ring meets it" : "");
	return 0;
}
