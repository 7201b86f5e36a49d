// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings of a process that is busy, that may have no more memory, or that
 * stands still while others work on its memory.
 *
 * busy: how long the first packets take, and an ioctl meanwhile, where the owner's mmap
 * lock is held much. owner: the owner has a process of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "ringmap_packets.h"

#define PAGE	4096UL

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#endif

static void *shared_memory(struct __test_metadata *_metadata, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	EXPECT_NE(MAP_FAILED, p);
	return p;
}

/* --- the first packets of a busy process --- */

#define MAPPINGS	60000UL	/* a process may have 65530 */
#define CROWD		(8UL << 20)	/* bytes that a thread locks and populates */
#define ROUNDS		5
#define FIRST		100	/* packets */
/* In seconds: differences that are none on a machine that does other things, too */
#define NOISE_MEDIAN	0.5
#define NOISE_MOST	2.0

static const char * const accessors[] = { "uaccess", "checked", "ringmap" };
enum { UACCESS, ACCESSORS = 3 };

/* Seconds */
enum { OF_PACKETS, OF_IOCTL, TIMES };
static const char * const times[TIMES] = { "packets", "VHOST_GET_VRING_BASE" };

/* What a process that was just made says of its device */
struct first {
	double time[TIMES];
	char error[256];
};

FIXTURE(busy) {
	struct first *first;
	char *mappings;
};

FIXTURE_VARIANT(busy) {
	bool mappings;
	void (*once)(struct storm *s);
};

static void storm_mlock(struct storm *s)
{
	mlock(s->mem, s->len);
	munlock(s->mem, s->len);
}

static void storm_populate(struct storm *s)
{
	madvise(s->mem, s->len, MADV_POPULATE_WRITE);
	madvise(s->mem, s->len, MADV_DONTNEED);
}

FIXTURE_VARIANT_ADD(busy, mappings) { .mappings = true };
FIXTURE_VARIANT_ADD(busy, mlock) { .once = storm_mlock };
FIXTURE_VARIANT_ADD(busy, populate) { .once = storm_populate };
FIXTURE_VARIANT_ADD(busy, all) { .mappings = true, .once = storm_populate };

FIXTURE_SETUP(busy)
{
	double end = now() + PATIENCE / 30;

	self->first = shared_memory(_metadata, sizeof(*self->first));
	self->mappings = NULL;
	if (!variant->mappings)
		return;
	/* Every other page is another mapping. A kernel that looks for mistakes gets fewer. */
	self->mappings = mmap(NULL, MAPPINGS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	ASSERT_NE(MAP_FAILED, self->mappings);
	for (size_t i = 0; i < MAPPINGS && now() < end; i += 2)
		ASSERT_EQ(0, mprotect(self->mappings + i * PAGE, PAGE, PROT_READ));
}

FIXTURE_TEARDOWN(busy)
{
	if (self->mappings)
		munmap(self->mappings, MAPPINGS * PAGE);
	munmap(self->first, sizeof(*self->first));
}

/* Unlike storm_loop(), without a pause. */
static void *storm_always(void *arg)
{
	struct storm_thread *t = arg;

	while (!t->s->stop) {
		t->once(t->s);
		t->s->rounds++;
	}
	return NULL;
}

struct asker {
	int fd;
	atomic_bool stop;
	double longest;
};

/* The ioctl waits for whoever works for the queue. */
static void *ask(void *arg)
{
	struct vhost_vring_state tx = { .index = VRING_TX };
	struct asker *a = arg;

	while (!a->stop) {
		double start = now();

		if (ioctl(a->fd, VHOST_GET_VRING_BASE, &tx))
			return "VHOST_GET_VRING_BASE";
		if (now() - start > a->longest)
			a->longest = now() - start;
		usleep(500);
	}
	return NULL;
}

/* In a process of its own: nobody has asked yet to hear of changes of its memory. */
static int time_first(struct first *f, const char *accessor)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct asker a = {};
	struct vring_dev d;
	pthread_t thread;
	void *wrong;
	double start;
	int ret;

	cfg.stall_ms = 120000;
	ret = vring_open(&d, &cfg);
	if (!ret)
		ret = vring_set_accessor(&d, accessor);
	a.fd = d.vdev.fd;
	if (!ret)
		ret = pthread_create(&thread, NULL, ask, &a);
	if (ret)
		goto out;
	start = now();
	ret = vring_start(&d);
	if (!ret)
		ret = vring_run(&d, FIRST, NULL);
	f->time[OF_PACKETS] = now() - start;
	a.stop = true;
	pthread_join(thread, &wrong);
	f->time[OF_IOCTL] = a.longest;
	if (!ret && wrong)
		ret = vdev_fail(&d.vdev, errno, "%s", (char *)wrong);
out:
	memcpy(f->error, d.vdev.error, sizeof(f->error));
	vring_close(&d);
	return ret;
}

static int time_first_busy(struct first *f, const char *accessor,
			   void (*once)(struct storm *s))
{
	struct storm s = { .len = CROWD };
	struct storm_thread t = { &s, once };
	pthread_t thread;
	int ret;

	if (!once)
		return time_first(f, accessor);
	s.mem = vring_map(VRING_ANON, CROWD);
	if (s.mem == MAP_FAILED || pthread_create(&thread, NULL, storm_always, &t))
		return -1;
	while (!s.rounds)
		usleep(1000);
	ret = time_first(f, accessor);
	s.stop = true;
	pthread_join(thread, NULL);
	return ret;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The accessors by turns; none has a stall that user access does not have. */
TEST_F_TIMEOUT(busy, first_packets, PATIENCE)
{
	double t[ACCESSORS][TIMES][ROUNDS], (*base)[ROUNDS] = t[UACCESS];
	const int median = ROUNDS / 2, most = ROUNDS - 1;

	for (int i = 0; i < ROUNDS * ACCESSORS; i++) {
		int a = i % ACCESSORS, status;
		pid_t pid = fork();

		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(!!time_first_busy(self->first, accessors[a], variant->once));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status) {
			TH_LOG("%s: %s", accessors[a], self->first->error);
		}
		for (int what = 0; what < TIMES; what++)
			t[a][what][i / ACCESSORS] = self->first->time[what];
	}
	for (int a = 0; a < ACCESSORS; a++) {
		for (int what = 0; what < TIMES; what++) {
			double *mine = t[a][what];

			qsort(mine, ROUNDS, sizeof(*mine), by_size);
			TH_LOG("%s, %s: %.3f, %.3f, %.3f s", times[what], accessors[a],
			       mine[0], mine[median], mine[most]);
			EXPECT_LE(mine[median], 10 * base[what][median] + NOISE_MEDIAN);
			EXPECT_LE(mine[most], 10 * base[what][most] + NOISE_MOST);
		}
	}
}

/* --- who takes the owner's mmap lock for writing --- */

#define TRACE		"/sys/kernel/tracing/"
#define MMAP_LOCK	TRACE "events/mmap_lock/mmap_lock_acquire_returned/"

FIXTURE(first_notifier) {
	struct vring_dev d;
};

FIXTURE_VARIANT(first_notifier) {
	bool by_default;	/* or set when there is an owner */
};

FIXTURE_VARIANT_ADD(first_notifier, set) { };
FIXTURE_VARIANT_ADD(first_notifier, by_default) { .by_default = true };

FIXTURE_SETUP(first_notifier)
{
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	ASSERT_GT(write_text(MMAP_LOCK "filter", "write == 1"), 0);
	close(open(TRACE "trace", O_WRONLY | O_TRUNC));
	ASSERT_EQ(1, write_text(MMAP_LOCK "enable", "1"));
}

FIXTURE_TEARDOWN(first_notifier)
{
	write_text(MMAP_LOCK "enable", "0");
	write_text(MMAP_LOCK "filter", "0");
	vdev_set_default(&self->d.vdev, "uaccess");
	vring_close(&self->d);
}

/* How often a task took an mmap lock for writing */
static int locked_by(const char *task)
{
	FILE *f = fopen(TRACE "trace", "re");
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, task) && strstr(line, "mmap_lock_acquire_returned");
	if (f)
		fclose(f);
	return n;
}

/*
 * The first notifier of a process takes the lock, and all locks of its mappings. Whoever
 * uses the rings first would do that with the queue's mutex held. With a device IOTLB, that
 * is the worker.
 */
TEST_F_TIMEOUT(first_notifier, not_by_the_worker, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev *d = &self->d;
	char mine[32], workers[32];

	cfg.iotlb = true;
	if (variant->by_default)
		ASSERT_OK(d, vdev_set_default(&d->vdev, "ringmap"));
	ASSERT_OK(d, vring_open(d, &cfg));
	if (!variant->by_default)
		ASSERT_OK(d, vring_set_accessor(d, "ringmap"));
	ASSERT_OK(d, vring_start(d));
	ASSERT_OK(d, vring_run(d, FIRST, NULL));
	EXPECT_GT(vring_stat_sum(d, "mapped"), 0);
	snprintf(mine, sizeof(mine), "-%d ", getpid());
	snprintf(workers, sizeof(workers), " vhost-%d-", getpid());
	EXPECT_GT(locked_by(mine), 0);
	EXPECT_EQ(0, locked_by(workers));
}

/* --- an owner in a process of its own --- */

#define NUM		256	/* entries of a queue */
#define GROUPS		"/sys/fs/cgroup"

/* What the test and the owner share */
struct shared {
	struct vring_dev d;
	uint16_t free[VRING_QUEUES][NUM], next[VRING_QUEUES][NUM];
	atomic_ulong rounds;	/* of traffic that the owner runs itself */
	atomic_ulong passes;	/* over all of its memory */
	atomic_bool go, stop;
	long long dropped;
};

struct owner {
	struct shared *s;
	struct vring_config cfg;
	char group[64];		/* its control group */
	pid_t pid;
	int pidfd;
};

FIXTURE(owner) {
	struct owner o;
};

FIXTURE_VARIANT(owner) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(owner, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(owner, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(owner, ringmap) { .accessor = "ringmap" };

/* A file of the owner's control group */
static const char *group_file(struct owner *o, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", o->group, name);
	return path;
}

/* A number in it: the only one, or the one that a name stands before */
static long group_number(struct owner *o, const char *file, const char *name)
{
	char text[1024], *at = text;

	read_text(group_file(o, file), text, sizeof(text));
	if (name) {
		at = strstr(text, name);
		at = at ? at + strlen(name) : text;
	}
	return atol(at);
}

FIXTURE_SETUP(owner)
{
	struct owner *o = &self->o;

	memset(o, 0, sizeof(*o));
	o->pidfd = -1;
	o->cfg = (struct vring_config)VRING_CONFIG_DEFAULT;
	/* The time that the owner stands still counts, too. */
	o->cfg.stall_ms = 120000;
	o->s = shared_memory(_metadata, sizeof(*o->s));
	if (access(GROUPS "/cgroup.procs", F_OK))
		ASSERT_EQ(0, mount("cgroup2", GROUPS, "cgroup2", 0, NULL));
	ASSERT_GT(write_text(GROUPS "/cgroup.subtree_control", "+memory"), 0);
	snprintf(o->group, sizeof(o->group), GROUPS "/ringmap-%d", getpid());
	ASSERT_EQ(0, mkdir(o->group, 0700));
}

FIXTURE_TEARDOWN(owner)
{
	struct owner *o = &self->o;

	write_text("/sys/kernel/mm/ksm/run", "0");
	if (o->pid > 0) {
		kill(o->pid, SIGKILL);
		waitpid(o->pid, NULL, 0);
	}
	close(o->pidfd);
	/* The group is empty when the last thread is gone, worker or not. */
	for (int i = 0; i < 1000 && rmdir(o->group); i++)
		usleep(10000);
	EXPECT_NE(0, access(o->group, F_OK));
}

/*
 * Make the owner. It does @life once its device has sent packets, and @o->s->d is
 * then its own.
 */
static void make_owner(struct __test_metadata *_metadata, struct owner *o,
		       const char *accessor, int (*life)(struct shared *s))
{
	struct shared *s = o->s;
	int ready[2];
	char c;

	ASSERT_EQ(0, pipe(ready));
	o->pid = fork();
	ASSERT_GE(o->pid, 0);
	if (!o->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		if (write_text(group_file(o, "cgroup.procs"), "0") < 0 ||
		    vring_open(&s->d, &o->cfg) || vring_set_accessor(&s->d, accessor) ||
		    vring_start(&s->d) || vring_run(&s->d, 500, NULL) || vring_idle(&s->d) ||
		    write(ready[1], "r", 1) < 0)
			_exit(1);
		_exit(!!life(s));
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1)) {
		TH_LOG("%s", s->d.vdev.error);
	}
	close(ready[0]);
	o->pidfd = syscall(SYS_pidfd_open, o->pid, 0);
	ASSERT_GE(o->pidfd, 0);
}

static bool has_ended(struct owner *o)
{
	struct pollfd end = { o->pidfd, POLLIN, 0 };

	return poll(&end, 1, 1) > 0;
}

static void expect_end(struct __test_metadata *_metadata, struct owner *o)
{
	int status;

	ASSERT_EQ(o->pid, waitpid(o->pid, &status, 0));
	o->pid = 0;
	EXPECT_EQ(0, status) {
		TH_LOG("%s", o->s->d.vdev.error);
	}
}

/* Set the accessor of the owner's device, which says itself what goes wrong there. */
static void set_accessor(struct __test_metadata *_metadata, struct owner *o,
			 const char *accessor)
{
	struct vdev mine = o->s->d.vdev;
	int ret = vdev_set_accessor(&mine, accessor);

	ASSERT_EQ(0, ret) {
		TH_LOG("%s", mine.error);
	}
}

static void set_each_accessor(struct __test_metadata *_metadata, struct owner *o,
			      const char *last)
{
	for (int i = 0; i < 2 * ACCESSORS; i++)
		set_accessor(_metadata, o, accessors[i % ACCESSORS]);
	set_accessor(_metadata, o, last);
}

/* --- ways to stand still --- */

/* A worker that is a thread of the owner does what its other threads do. */
static bool worker_stands_too(void)
{
	char task[8];

	read_text("/sys/module/vhost/parameters/fork_from_owner_default", task, sizeof(task));
	return task[0] != 'N';
}

static void stop(struct __test_metadata *_metadata, struct owner *o)
{
	int status;

	ASSERT_EQ(0, kill(o->pid, SIGSTOP));
	/* All of its threads have stopped. */
	ASSERT_EQ(o->pid, waitpid(o->pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status)) {
		TH_LOG("%s", o->s->d.vdev.error);
	}
}

static void cont(struct __test_metadata *_metadata, struct owner *o)
{
	ASSERT_EQ(0, kill(o->pid, SIGCONT));
}

/* A group with a kernel thread in it never says that it is frozen. */
static bool is_frozen(struct owner *o)
{
	char path[64], where[64];

	if (worker_stands_too())
		return group_number(o, "cgroup.events", "frozen ");
	snprintf(path, sizeof(path), "/proc/%d/wchan", o->pid);
	read_text(path, where, sizeof(where));
	return !strcmp(where, "do_freezer_trap") || !strcmp(where, "get_signal");
}

static void freeze(struct __test_metadata *_metadata, struct owner *o)
{
	ASSERT_GT(write_text(group_file(o, "cgroup.freeze"), "1"), 0);
	for (int i = 0; i < 10000 && !is_frozen(o); i++)
		usleep(1000);
	ASSERT_TRUE(is_frozen(o));
}

static void thaw(struct __test_metadata *_metadata, struct owner *o)
{
	ASSERT_GT(write_text(group_file(o, "cgroup.freeze"), "0"), 0);
}

struct way {
	void (*stand)(struct __test_metadata *_metadata, struct owner *o);
	void (*go)(struct __test_metadata *_metadata, struct owner *o);
};

static const struct way by_signal = { stop, cont };
static const struct way by_freezer = { freeze, thaw };

/* --- what others do to its memory meanwhile --- */

static int proc_file(struct owner *o, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", o->pid, name);
	return open(path, flags | O_CLOEXEC);
}

/* How many of its pages are mapped */
static int pages_mapped(struct owner *o, const char *p, size_t len)
{
	int fd = proc_file(o, "pagemap", O_RDONLY), n = 0;
	uint64_t entry;

	for (size_t at = 0; at < len; at += PAGE)
		n += pread(fd, &entry, sizeof(entry),
			   (uintptr_t)(p + at) / PAGE * sizeof(entry)) == sizeof(entry) &&
		     entry >> 63;
	close(fd);
	return n;
}

static void scan(struct owner *o, const char *p, size_t len)
{
	int fd = proc_file(o, "clear_refs", O_WRONLY);

	pages_mapped(o, p, len);
	/* Accessed, and then soft-dirty */
	if (write(fd, "1", 1) < 0 || write(fd, "4", 1) < 0)
		perror("clear_refs");
	close(fd);
}

/* To another node. What cannot move now, for somebody holds it, moves later. */
static void move_to(struct __test_metadata *_metadata, struct owner *o,
		    char *p, size_t len, int node)
{
	const int all = 4;	/* MPOL_MF_MOVE_ALL */

	for (size_t at = 0; at < len; at += PAGE) {
		const void *page = p + at;
		int status = -1;

		for (int i = 0; i < 100 && status != node; i++)
			syscall(SYS_move_pages, o->pid, 1UL, &page, &node, &status, all);
		EXPECT_EQ(node, status);
	}
}

static void page_out_all(struct __test_metadata *_metadata, struct owner *o,
			 char *p, size_t len)
{
	struct iovec all = { p, len };

	for (int i = 0; i < 100 && pages_mapped(o, p, len); i++) {
		/* What waits to be put on a list is not reclaimed. */
		write_text("/proc/sys/vm/drop_caches", "1");
		if (syscall(SYS_process_madvise, o->pidfd, &all, 1UL, MADV_PAGEOUT, 0) < 0)
			perror("process_madvise");
	}
	/* Whatever the group has */
	write_text(group_file(o, "memory.reclaim"), "16M");
	EXPECT_EQ(0, pages_mapped(o, p, len));
}

/* --- it stands still, and another process drives its queues --- */

static int by_another(struct shared *s)
{
	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &s->d.q[i];

		memcpy(s->free[i], q->free, sizeof(s->free[i]));
		memcpy(s->next[i], q->next, sizeof(s->next[i]));
	}
	s->go = true;
	while (!s->stop)
		pause();
	return 0;
}

static int owners_file(struct owner *o, int fd)
{
	return syscall(SYS_pidfd_getfd, o->pidfd, fd, 0);
}

/* From now on, the test has the device's driver; the owner has done its part. */
static void take_over(struct __test_metadata *_metadata, struct owner *o)
{
	struct shared *s = o->s;

	while (!s->go && !has_ended(o))
		;
	s->d.vdev.fd = -1;
	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &s->d.q[i];

		q->free = s->free[i];
		q->next = s->next[i];
		q->kick = owners_file(o, q->kick);
		q->call = owners_file(o, q->call);
		q->err = owners_file(o, q->err);
		ASSERT_GE(q->kick, 0);
		ASSERT_GE(q->call, 0);
		ASSERT_GE(q->err, 0);
	}
}

/* vhost has used all that was sent. */
static void wait_sent(struct __test_metadata *_metadata, struct vring_dev *d)
{
	for (int i = 0; i < 10000 && d->q[VRING_TX].nfree < NUM; i++) {
		ASSERT_GE(vring_reap(d), 0);
		usleep(1000);
	}
	ASSERT_EQ((unsigned int)NUM, d->q[VRING_TX].nfree);
}

/* Rings and buffers are here, too: give that up, or they are not paged out there. */
static void forget(struct vring_dev *d)
{
	madvise(d->ring_mem, d->ring_len, MADV_DONTNEED);
	madvise(d->buf, d->buf_len, MADV_DONTNEED);
}

static void expect_to_go_on(struct __test_metadata *_metadata, struct owner *o,
			    const char *accessor, const struct way *way)
{
	bool worker_stands = worker_stands_too(), maps = !strcmp(accessor, "ringmap");
	struct vring_dev *d = &o->s->d;
	uint16_t used;

	o->cfg.memory = shared_memory(_metadata, vring_ring_bytes(&o->cfg));
	o->cfg.buffers = shared_memory(_metadata, vring_buf_bytes(&o->cfg));
	make_owner(_metadata, o, accessor, by_another);
	take_over(_metadata, o);
	ASSERT_OK(d, vring_run(d, 1000, NULL));
	wait_sent(_metadata, d);

	for (int i = 0; i < 3; i++) {
		long long dropped = vring_stat_sum(d, "dropped");

		way->stand(_metadata, o);
		used = used_idx(d);
		if (worker_stands) {
			for (int n = 0; n < 100; n++)
				ASSERT_OK(d, vring_send(d));
		} else {
			ASSERT_OK(d, vring_run(d, 500, NULL));
			wait_sent(_metadata, d);
		}
		move_to(_metadata, o, d->ring_mem, d->ring_len, 1);
		scan(o, d->ring_mem, d->ring_len);
		move_to(_metadata, o, d->ring_mem, d->ring_len, 0);
		forget(d);
		page_out_all(_metadata, o, d->ring_mem, d->ring_len);
		if (maps)
			EXPECT_GT(vring_stat_sum(d, "dropped"), dropped);
		set_each_accessor(_metadata, o, accessor);
		EXPECT_TRUE(!worker_stands || used == used_idx(d));
		if (!worker_stands)
			ASSERT_OK(d, vring_run(d, 500, NULL));
		way->go(_metadata, o);
		ASSERT_OK(d, vring_run(d, 1000, NULL));
		wait_sent(_metadata, d);
	}
	if (maps)
		expect_recovery(_metadata, d);
}

TEST_F_TIMEOUT(owner, stopped, PATIENCE)
{
	expect_to_go_on(_metadata, &self->o, variant->accessor, &by_signal);
}

TEST_F_TIMEOUT(owner, frozen, PATIENCE)
{
	expect_to_go_on(_metadata, &self->o, variant->accessor, &by_freezer);
}

/* --- it stands still in the middle of its own traffic --- */

static int sends(struct shared *s)
{
	/* KSM may merge all that it has. */
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		return vdev_fail(&s->d.vdev, errno, "PR_SET_MEMORY_MERGE");
	while (!s->stop) {
		if (vring_run(&s->d, 200, NULL))
			return -1;
		s->rounds++;
	}
	return 0;
}

/* KSM has looked at all there is once more. */
static void wait_ksm(struct __test_metadata *_metadata)
{
	long before = read_number("/sys/kernel/mm/ksm/full_scans");

	for (int i = 0; i < 10000 && read_number("/sys/kernel/mm/ksm/full_scans") < before + 2; i++)
		usleep(1000);
	EXPECT_LE(before + 2, read_number("/sys/kernel/mm/ksm/full_scans"));
}

TEST_F_TIMEOUT(owner, stands_while_it_sends, PATIENCE)
{
	struct owner *o = &self->o;
	struct shared *s = o->s;
	struct vring_dev *d = &s->d;

	write_text("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	write_text("/sys/kernel/mm/ksm/sleep_millisecs", "10");
	ASSERT_GT(write_text("/sys/kernel/mm/ksm/run", "1"), 0);
	make_owner(_metadata, o, variant->accessor, sends);
	for (int i = 0; i < 6; i++) {
		const struct way *way = i % 2 ? &by_freezer : &by_signal;
		unsigned long rounds = s->rounds;

		while (s->rounds < rounds + 2 && !has_ended(o))
			;
		way->stand(_metadata, o);
		wait_ksm(_metadata);
		scan(o, d->ring_mem, d->ring_len);
		page_out_all(_metadata, o, d->ring_mem, d->ring_len);
		set_each_accessor(_metadata, o, variant->accessor);
		way->go(_metadata, o);
	}
	s->stop = true;
	expect_end(_metadata, o);
}

/* --- it may have no more memory --- */

#define BALLAST		(32UL << 20)
#define SHORT		(12L << 20)	/* of it, so much must be in swap */
#define PASSES		4

static void *pass_over_ballast(void *arg)
{
	struct shared *s = arg;
	size_t *ballast = mmap(NULL, BALLAST, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long pass = 0;

	if (ballast == MAP_FAILED)
		return "no memory";
	for (; !s->stop; s->passes = ++pass) {
		for (size_t i = 0; i < BALLAST / sizeof(*ballast); i += PAGE / sizeof(*ballast)) {
			if (pass && ballast[i] != i + pass - 1)
				return "a page is not as it was";
			ballast[i] = i + pass;
		}
	}
	return NULL;
}

static int sends_in_little_memory(struct shared *s)
{
	pthread_t thread;
	void *wrong;
	int ret;

	while (!s->go)
		usleep(1000);
	ret = pthread_create(&thread, NULL, pass_over_ballast, s);
	/* Its rings go again and again, and there is no memory to bring them back. */
	while (!ret && (s->passes < PASSES || s->rounds < 30)) {
		ret = vring_run(&s->d, 200, NULL);
		madvise(s->d.ring_mem, s->d.ring_len, MADV_PAGEOUT);
		s->rounds++;
	}
	s->stop = true;
	pthread_join(thread, &wrong);
	s->dropped = vring_stat_sum(&s->d, "dropped");
	if (!ret && wrong)
		ret = vdev_fail(&s->d.vdev, 0, "%s", (char *)wrong);
	return ret;
}

/* User access has no OOM kill here, and neither has anybody else. */
TEST_F_TIMEOUT(owner, memory_limit, PATIENCE)
{
	struct owner *o = &self->o;
	struct shared *s = o->s;
	char limit[24];

	o->cfg.num[VRING_RX] = 1024;
	o->cfg.num[VRING_TX] = 1024;
	make_owner(_metadata, o, variant->accessor, sends_in_little_memory);
	snprintf(limit, sizeof(limit), "%ld",
		 group_number(o, "memory.current", NULL) + (long)BALLAST - SHORT);
	ASSERT_GT(write_text(group_file(o, "memory.max"), limit), 0);
	s->go = true;
	expect_end(_metadata, o);
	EXPECT_GT(group_number(o, "memory.events", "max "), 0);
	EXPECT_GT(group_number(o, "memory.swap.peak", NULL), SHORT / 2);
	EXPECT_EQ(0, group_number(o, "memory.events", "oom_kill "));
	if (!strcmp(variant->accessor, "ringmap"))
		EXPECT_GT(s->dropped, 30);
}

TEST_HARNESS_MAIN
