// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vhost says of its devices in debugfs: that it is true, and that it can be read
 * and written while devices come and go.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/vhost.h>
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "vring.h"

#define VHOST		"/sys/kernel/debug/vhost"
#define PATIENCE	900
#define OPENED		10000

#define ASSERT_OK(d, call) do {						\
	int __ret = (call);						\
	ASSERT_EQ(0, __ret) { TH_LOG("%s", (d)->vdev.error); }		\
} while (0)

static const char *const accessors[] = { "uaccess", "checked", "ringmap" };

static void open_and_start(struct __test_metadata *_metadata, struct vring_dev *d)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;

	ASSERT_OK(d, vring_open(d, &cfg));
	ASSERT_OK(d, vring_start(d));
}

/* Whether the file of a device, or of all if that is NULL, says @text. */
static bool says(struct vring_dev *d, const char *file, const char *text)
{
	char path[160], buf[256];

	snprintf(path, sizeof(path), "%s/%s", d ? d->vdev.debugfs : VHOST, file);
	read_text(path, buf, sizeof(buf));
	buf[strcspn(buf, "\n")] = 0;
	if (!strcmp(buf, text))
		return true;
	fprintf(stderr, "# %s says '%s', not '%s'\n", path, buf, text);
	return false;
}

static ssize_t tell(struct vring_dev *d, const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", d ? d->vdev.debugfs : VHOST, file);
	return write_text(path, text);
}

/* What "map" says of a ring. */
struct map {
	unsigned long addr, len, pages, mapped;
	char kind[16];
};

static struct map map_of(struct vring_dev *d, int queue, const char *ring)
{
	char path[160], name[16];
	struct map m = { 0 }, found = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d/map", d->vdev.debugfs, queue);
	f = fopen(path, "re");
	while (f && fscanf(f, "%15s addr=%lx len=%lu pages=%lu mapped=%lu kind=%15s",
			   name, &m.addr, &m.len, &m.pages, &m.mapped, m.kind) == 6)
		if (!strcmp(name, ring))
			found = m;
	if (f)
		fclose(f);
	return found;
}

FIXTURE(debugfs) {
};

FIXTURE_SETUP(debugfs)
{
}

FIXTURE_TEARDOWN(debugfs)
{
}

TEST_F_TIMEOUT(debugfs, name_stays, PATIENCE)
{
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev d, other;
	char name[96];

	ASSERT_OK(&d, vring_open(&d, &cfg));
	ASSERT_OK(&other, vring_open(&other, &cfg));
	EXPECT_STRNE(d.vdev.debugfs, other.vdev.debugfs);
	vring_close(&other);
	snprintf(name, sizeof(name), "%s", d.vdev.debugfs);
	ASSERT_OK(&d, vring_reset_owner(&d));
	ASSERT_EQ(0, vdev_find_debugfs(&d.vdev));
	EXPECT_STREQ(name, d.vdev.debugfs);
	vring_close(&d);
	EXPECT_EQ(-1, access(name, F_OK));
}

TEST_F_TIMEOUT(debugfs, accessors, PATIENCE)
{
	struct vring_dev d, other;

	open_and_start(_metadata, &d);
	open_and_start(_metadata, &other);

	/* Of a device: of both its queues, and of no other device. */
	ASSERT_EQ(7L, tell(NULL, "accessor", "ringmap"));
	EXPECT_TRUE(says(NULL, "accessor", "uaccess checked [ringmap]"));
	ASSERT_EQ(7L, tell(&d, "accessor", "checked"));
	EXPECT_TRUE(says(&d, "accessor", "uaccess [checked] ringmap"));
	EXPECT_TRUE(says(&d, "0/accessor", "uaccess [checked] ringmap"));
	EXPECT_TRUE(says(&d, "1/accessor", "uaccess [checked] ringmap"));
	EXPECT_TRUE(says(&other, "accessor", "uaccess checked [ringmap]"));
	EXPECT_TRUE(says(NULL, "accessor", "uaccess checked ringmap"));

	/* Where they differ, none is in brackets. */
	ASSERT_EQ(7L, tell(&d, "0/accessor", "uaccess"));
	EXPECT_TRUE(says(&d, "accessor", "uaccess checked ringmap"));

	/* Of all, and what is no accessor changes nothing. */
	ASSERT_EQ(7L, tell(NULL, "accessor", "uaccess"));
	EXPECT_EQ(-EINVAL, tell(NULL, "accessor", "vmap"));
	EXPECT_EQ(-EINVAL, tell(&d, "accessor", ""));
	EXPECT_TRUE(says(&d, "accessor", "[uaccess] checked ringmap"));
	EXPECT_TRUE(says(&other, "accessor", "[uaccess] checked ringmap"));
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	ASSERT_OK(&other, vring_run(&other, 500, NULL));
	vring_close(&d);
	vring_close(&other);
	EXPECT_TRUE(says(NULL, "accessor", "uaccess checked ringmap"));
}

/* "queues" of a device: accessor and mode of @queue; returns the thread, or -1 */
static int queue_says(struct vring_dev *d, int queue, const char *accessor)
{
	char path[160], is[16], mode[16];
	int index, worker, ret = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/queues", d->vdev.debugfs);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d accessor=%15s mode=%15s worker=%d\n", &index, is, mode,
			   &worker) == 4)
		if (index == queue && !strcmp(is, accessor) && !strcmp(mode, accessor))
			ret = worker;
	if (f)
		fclose(f);
	return ret;
}

TEST_F_TIMEOUT(debugfs, queues, PATIENCE)
{
	char path[64], name[16], want[16];
	struct vring_config cfg = VRING_CONFIG_DEFAULT;
	struct vring_dev d, idle;
	int tid;

	open_and_start(_metadata, &d);
	ASSERT_EQ(7L, tell(&d, "accessor", "ringmap"));
	tid = queue_says(&d, 0, "ringmap");
	ASSERT_LT(0, tid);
	EXPECT_EQ(tid, queue_says(&d, 1, "ringmap"));
	EXPECT_EQ(-1, queue_says(&d, 2, "ringmap"));

	/* It is called as vhost calls them, and is one of ours unless it is the kernel's. */
	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	read_text(path, name, sizeof(name));
	snprintf(want, sizeof(want), "vhost-%d\n", getpid());
	EXPECT_STREQ(want, name);
	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	EXPECT_EQ(vdev_forks_workers() ? 0 : -1, access(path, F_OK));

	/* Another device has another one; without an owner there is none. */
	ASSERT_OK(&idle, vring_open(&idle, &cfg));
	ASSERT_EQ(7L, tell(&idle, "accessor", "checked"));
	EXPECT_NE(tid, queue_says(&idle, 0, "checked"));
	ASSERT_OK(&idle, vring_reset_owner(&idle));
	ASSERT_EQ(0, vdev_find_debugfs(&idle.vdev));
	ASSERT_EQ(7L, tell(&idle, "accessor", "checked"));
	EXPECT_EQ(0, queue_says(&idle, 0, "checked"));
	vring_close(&idle);
	vring_close(&d);
}

#define BY_NAME	"/sys/module/vhost_ringmap/parameters/device_accessor"

/* Outside debugfs: a parameter that names the device. */
TEST_F_TIMEOUT(debugfs, by_name, PATIENCE)
{
	struct vring_dev d, other;
	char text[128];
	const char *name;

	open_and_start(_metadata, &d);
	open_and_start(_metadata, &other);
	ASSERT_EQ(7L, tell(NULL, "accessor", "uaccess"));
	name = strrchr(d.vdev.debugfs, '/') + 1;

	snprintf(text, sizeof(text), "%s ringmap\n", name);
	EXPECT_LT(0, write_text(BY_NAME, text));
	EXPECT_TRUE(says(&d, "accessor", "uaccess checked [ringmap]"));
	EXPECT_TRUE(says(&other, "accessor", "[uaccess] checked ringmap"));
	snprintf(text, sizeof(text), "%s/1 checked", name);
	EXPECT_LT(0, write_text(BY_NAME, text));
	EXPECT_TRUE(says(&d, "0/accessor", "uaccess checked [ringmap]"));
	EXPECT_TRUE(says(&d, "1/accessor", "uaccess [checked] ringmap"));
	ASSERT_OK(&d, vring_run(&d, 500, NULL));

	/* What is no device, queue or accessor changes nothing. */
	snprintf(text, sizeof(text), "%s/2 uaccess", name);
	EXPECT_EQ(-ENODEV, write_text(BY_NAME, text));
	EXPECT_EQ(-ENODEV, write_text(BY_NAME, "1-4000000000 uaccess"));
	snprintf(text, sizeof(text), "%s vmap", name);
	EXPECT_EQ(-EINVAL, write_text(BY_NAME, text));
	snprintf(text, sizeof(text), "%suaccess", name);
	EXPECT_EQ(-EINVAL, write_text(BY_NAME, text));
	snprintf(text, sizeof(text), "%s/ uaccess", name);
	EXPECT_EQ(-EINVAL, write_text(BY_NAME, text));
	EXPECT_EQ(-EINVAL, write_text(BY_NAME, "uaccess"));
	EXPECT_TRUE(says(&d, "0/accessor", "uaccess checked [ringmap]"));
	snprintf(text, sizeof(text), "%s uaccess", name);
	vring_close(&d);
	EXPECT_EQ(-ENODEV, write_text(BY_NAME, text));
	vring_close(&other);
}

TEST_F_TIMEOUT(debugfs, map, PATIENCE)
{
	static const char *const rings[] = { "desc", "avail", "used" };
	struct vring_dev d;
	struct map m;

	open_and_start(_metadata, &d);
	ASSERT_OK(&d, vring_set_accessor(&d, "ringmap"));
	ASSERT_OK(&d, vring_run(&d, 2000, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	for (int q = 0; q < VRING_QUEUES; q++) {
		const void *at[] = {
			d.q[q].vring.desc, d.q[q].vring.avail, d.q[q].vring.used,
		};

		for (int i = 0; i < VRING_PARTS; i++) {
			m = map_of(&d, q, rings[i]);
			EXPECT_EQ((unsigned long)at[i], m.addr);
			EXPECT_EQ(vdev_part_bytes(256, i), m.len);
			EXPECT_GE(m.pages, 1UL);
			EXPECT_EQ(m.pages, m.mapped);
			EXPECT_STREQ(m.pages == 1 ? "linear" : m.kind, m.kind);
		}
	}

	/* What is gone is not there: a page of one ring, then all. */
	ASSERT_EQ(0, madvise(d.ring_mem, d.ring_len, MADV_PAGEOUT));
	ASSERT_EQ(0, mprotect(d.ring_mem, d.ring_len, PROT_NONE));
	ASSERT_EQ(0, mprotect(d.ring_mem, d.ring_len, PROT_READ | PROT_WRITE));
	for (int i = 0; i < VRING_PARTS; i++) {
		m = map_of(&d, VRING_TX, rings[i]);
		EXPECT_EQ(0UL, m.mapped);
		EXPECT_STREQ("none", m.kind);
	}
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	EXPECT_GT(map_of(&d, VRING_TX, "used").mapped, 0UL);
	ASSERT_OK(&d, vring_set_accessor(&d, "uaccess"));
	m = map_of(&d, VRING_TX, "used");
	EXPECT_EQ(0UL, m.addr);
	EXPECT_EQ(0UL, m.pages);
	vring_close(&d);
}

TEST_F_TIMEOUT(debugfs, counts, PATIENCE)
{
	static const char *const why[] = {
		"fallback_absent", "fallback_invalidating", "fallback_raced",
		"fallback_device_memory", "fallback_busy", "fallback_no_memory",
		"fallback_elsewhere", "fallback_straddles", "fallback_outside",
		"fallback_reset", "fallback_no_mm",
	};
	long long used[VRING_QUEUES], sum = 0;
	struct vring_dev d;

	open_and_start(_metadata, &d);
	for (int i = 0; i < 3; i++) {
		ASSERT_OK(&d, vring_set_accessor(&d, accessors[i]));
		for (int q = 0; q < VRING_QUEUES; q++)
			used[q] = vring_stat(&d, q, "used");
		ASSERT_OK(&d, vring_run(&d, 1000, NULL));
		ASSERT_OK(&d, vring_idle(&d));
		for (int q = 0; q < VRING_QUEUES; q++)
			EXPECT_EQ(used[q] + 1000, vring_stat(&d, q, "used"));
	}
	ASSERT_EQ(0, madvise(d.ring_mem, d.ring_len, MADV_PAGEOUT));
	ASSERT_OK(&d, vring_run(&d, 1000, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	for (unsigned int i = 0; i < sizeof(why) / sizeof(*why); i++)
		sum += vring_stat_sum(&d, why[i]);
	EXPECT_EQ(sum, vring_stat_sum(&d, "fallback"));
	EXPECT_GT(vring_stat_sum(&d, "fallback_absent"), 0);
	vring_close(&d);
}

/* Counters grow, and the owner who comes after VHOST_RESET_OWNER finds them as they were. */
TEST_F_TIMEOUT(debugfs, counts_over_reset, PATIENCE)
{
	static const char *const names[] = { "used", "mapped", "sections", "fills" };
	long long before[sizeof(names) / sizeof(*names)];
	struct vring_dev d;

	open_and_start(_metadata, &d);
	ASSERT_OK(&d, vring_set_accessor(&d, "ringmap"));
	ASSERT_OK(&d, vring_run(&d, 1000, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		before[i] = vring_stat(&d, VRING_TX, names[i]);
		EXPECT_GT(before[i], 0) { TH_LOG("%s", names[i]); }
	}
	ASSERT_OK(&d, vring_stop(&d));
	ASSERT_OK(&d, vring_reset_owner(&d));
	ASSERT_EQ(0, vdev_find_debugfs(&d.vdev));
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		EXPECT_LE(before[i], vring_stat(&d, VRING_TX, names[i])) {
			TH_LOG("%s", names[i]);
		}
	}
	vring_close(&d);
}

/* --- who opened a device, and whose it is --- */

static void send_file(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &m, 0) != 1)
		_exit(1);
}

static int receive_file(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(from, &m, 0) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* A process that opens the device, hands it over and stays */
static pid_t start_manager(int to)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "manager");
	send_file(to, open("/dev/vhost-net", O_RDWR | O_CLOEXEC));
	for (;;)
		pause();
}

/* A process to which the device is handed; it does what it is told, and answers. */
static pid_t start_vm(int fd, int line)
{
	pid_t pid = fork();
	char word;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(line, &word, 1) == 1) {
		int ret = 0;

		if (word == 'a')
			prctl(PR_SET_NAME, "vm-one");
		else if (word == 'b')
			prctl(PR_SET_NAME, "vm \\\n2");
		else
			ret = ioctl(fd, word == 's' ? VHOST_SET_OWNER : VHOST_RESET_OWNER, NULL);
		if (write(line, ret ? "-" : "+", 1) != 1)
			break;
	}
	_exit(0);
}

static bool done(int line, char word)
{
	char answer;

	return write(line, &word, 1) == 1 && read(line, &answer, 1) == 1 && answer == '+';
}

/* A process that has the number of one that is gone */
static pid_t start_stranger(pid_t number)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1,
	};
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "stranger");
	for (;;)
		pause();
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What "owner" says: both lines, or "" if there is no such file */
static const char *owner_file(pid_t opener, unsigned int n)
{
	static char text[256];
	char path[160];

	snprintf(path, sizeof(path), VHOST "/%d-%u/owner", opener, n);
	read_text(path, text, sizeof(text));
	return text;
}

static const char *both(pid_t owner, const char *owner_name, pid_t opener)
{
	static char text[256];

	snprintf(text, sizeof(text), "owner pid=%d comm=%s\nopener pid=%d comm=manager\n", owner,
		 owner_name, opener);
	return text;
}

/*
 * A manager opens the device and hands it over. Whose it is and who opened it stay what they
 * were, whoever is renamed or gone, and whoever has their numbers.
 */
TEST_F_TIMEOUT(debugfs, owned_by_another, PATIENCE)
{
	pid_t manager, vm, stranger;
	int handed[2], line[2], fd;
	unsigned int n = 0, i, pid;
	struct dirent *e;
	DIR *dir;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, handed));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, line));
	manager = start_manager(handed[1]);
	ASSERT_LT(0, manager);
	fd = receive_file(handed[0]);
	ASSERT_LE(0, fd);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	dir = opendir(VHOST);
	while (dir && (e = readdir(dir)))
		if (sscanf(e->d_name, "%u-%u", &pid, &i) == 2 && pid == (unsigned int)manager)
			n = i;
	closedir(dir);
	ASSERT_LT(0U, n);

	/* The manager is there. */
	EXPECT_STREQ(both(0, "", manager), owner_file(manager, n));
	vm = start_vm(fd, line[1]);
	ASSERT_LT(0, vm);
	ASSERT_TRUE(done(line[0], 'a'));
	ASSERT_TRUE(done(line[0], 's'));
	EXPECT_STREQ(both(vm, "vm-one", manager), owner_file(manager, n));
	ASSERT_TRUE(done(line[0], 'b'));
	EXPECT_STREQ(both(vm, "vm-one", manager), owner_file(manager, n));
	ASSERT_TRUE(done(line[0], 'r'));
	EXPECT_STREQ(both(0, "", manager), owner_file(manager, n));
	ASSERT_TRUE(done(line[0], 's'));
	EXPECT_STREQ(both(vm, "vm \\\\\\n2", manager), owner_file(manager, n));
	EXPECT_FALSE(done(line[0], 's'));

	/* It is gone, and its number is a stranger's. */
	end(manager);
	EXPECT_STREQ(both(vm, "vm \\\\\\n2", manager), owner_file(manager, n));
	stranger = start_stranger(manager);
	ASSERT_EQ(manager, stranger);
	EXPECT_STREQ(both(vm, "vm \\\\\\n2", manager), owner_file(manager, n));
	end(stranger);

	/* So is the owner. */
	end(vm);
	EXPECT_STREQ(both(vm, "vm \\\\\\n2", manager), owner_file(manager, n));
	stranger = start_stranger(vm);
	ASSERT_EQ(vm, stranger);
	EXPECT_STREQ(both(vm, "vm \\\\\\n2", manager), owner_file(manager, n));
	end(stranger);
	close(fd);
	EXPECT_STREQ("", owner_file(manager, n));
}

/* How often a queue's map lock was held, as far as it was counted. */
static long long held(struct vring_dev *d, int queue)
{
	unsigned long long less, n;
	char path[160], name[16];
	long long sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d/lock_times", d->vdev.debugfs, queue);
	f = fopen(path, "re");
	while (f && fscanf(f, "%15s %llu %llu", name, &less, &n) == 3)
		sum += strcmp(name, "hold_ns") ? 0 : n;
	if (f)
		fclose(f);
	return sum;
}

TEST_F_TIMEOUT(debugfs, lock_times, PATIENCE)
{
	long long sections, n;
	struct vring_dev d;

	open_and_start(_metadata, &d);
	ASSERT_OK(&d, vring_set_accessor(&d, "ringmap"));
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	EXPECT_TRUE(says(NULL, "lock_times", "0"));
	EXPECT_EQ(0, held(&d, VRING_TX));
	EXPECT_EQ(-EINVAL, tell(NULL, "lock_times", "2"));
	ASSERT_EQ(1, tell(NULL, "lock_times", "1"));
	EXPECT_TRUE(says(NULL, "lock_times", "1"));
	sections = vring_stat(&d, VRING_TX, "sections");
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	ASSERT_OK(&d, vring_idle(&d));
	EXPECT_GE(held(&d, VRING_TX),
		  vring_stat(&d, VRING_TX, "sections") - sections);
	ASSERT_EQ(1, tell(NULL, "lock_times", "0"));
	n = held(&d, VRING_TX);
	ASSERT_OK(&d, vring_run(&d, 500, NULL));
	EXPECT_EQ(n, held(&d, VRING_TX));
	vring_close(&d);
}

/* Read what is there, over and over. */
static atomic_bool stop;
static atomic_long readings;
static int opened;

static void read_tree(const char *dir)
{
	char path[512], buf[4096];
	struct dirent *e;
	DIR *at = opendir(dir);

	while (at && (e = readdir(at))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "windows"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR) {
			read_tree(path);
			continue;
		}
		read_text(path, buf, sizeof(buf));
		readings += buf[0] != 0;
	}
	if (at)
		closedir(at);
}

static void *reader(void *arg)
{
	while (!stop)
		read_tree(VHOST);
	return arg;
}

static void *writer(void *arg)
{
	for (int i = 0; !stop; i++) {
		tell(NULL, "accessor", accessors[i % 3]);
		tell(NULL, "lock_times", i & 4 ? "1" : "0");
		usleep(5000);
	}
	tell(NULL, "lock_times", "0");
	return arg;
}

/*
 * vhost-net waits for a grace period at each close: it is one in 64. A slow kernel opens as
 * many as it can in a minute.
 */
static void *opener(void *arg)
{
	double end = now() + 60;

	for (opened = 0; opened < OPENED && now() < end; opened++) {
		int i = opened;
		int fd = open(i & 63 ? "/dev/vhost-test" : "/dev/vhost-net",
			      O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return (void *)-1L;
		if (!(i & 15) && (ioctl(fd, VHOST_SET_OWNER, NULL) ||
				  (!(i & 31) && ioctl(fd, VHOST_RESET_OWNER, NULL))))
			return (void *)-1L;
		close(fd);
	}
	stop = true;
	return arg;
}

TEST_F_TIMEOUT(debugfs, reader_storm, PATIENCE)
{
	pthread_t thread[5];
	struct vring_dev d;
	uint64_t packets = 0;
	void *ret;

	open_and_start(_metadata, &d);
	stop = false;
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL,
					    !i ? opener : i == 1 ? writer : reader,
					    NULL));
	while (!stop) {
		ASSERT_OK(&d, vring_run(&d, 200, NULL));
		packets += 200;
	}
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &ret));
		EXPECT_EQ(NULL, ret);
	}
	TH_LOG("%d devices, %ld readings, %llu packets", opened, readings,
	       (unsigned long long)packets);
	EXPECT_GE(opened, 100);
	EXPECT_GT(readings, 300);
	EXPECT_GT(packets, 1000UL);
	vring_close(&d);
}

/* --- files of a device that is just being opened --- */

#define TRACE		"/sys/kernel/tracing/"
#define YOUNG		300

/* Number of the device that is opened next, or is open; of this process */
static atomic_uint young;
static atomic_int young_reader;

/* Read its counters as early as they are there. */
static void *read_young(void *arg)
{
	int marker = open(TRACE "trace_marker", O_WRONLY | O_CLOEXEC);
	char path[160], buf[4096];

	young_reader = gettid();
	while (!stop) {
		unsigned int n = young;

		snprintf(path, sizeof(path), VHOST "/%u-%u/0/stats", getpid(), n);
		while (!stop && young == n && access(path, F_OK))
			;
		dprintf(marker, "young %u", n);
		read_text(path, buf, sizeof(buf));
		dprintf(marker, "young 0");
		readings += buf[0] != 0;
	}
	close(marker);
	return arg;
}

/* Events of the reader that name another device than the one whose file it read */
static unsigned int misnamed(struct __test_metadata *_metadata)
{
	unsigned int n = 0, reads = 0, bad = 0, owner, dev;
	char line[1024], task[32], *at;
	FILE *f = fopen(TRACE "trace", "re");

	snprintf(task, sizeof(task), "-%d ", young_reader);
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, task))
			continue;
		at = strstr(line, ": young ");
		if (at) {
			n = atoi(at + strlen(": young "));
			continue;
		}
		at = strstr(line, "vhost_map_lock: dev=");
		if (!at || !n)
			continue;
		reads++;
		if (sscanf(at, "vhost_map_lock: dev=%u-%u", &owner, &dev) == 2 &&
		    owner == (unsigned int)getpid() && dev == n)
			continue;
		if (!bad++)
			TH_LOG("reading %u-%u: %s", getpid(), n, at);
	}
	if (f)
		fclose(f);
	TH_LOG("%u events of %ld readings", reads, readings);
	return bad;
}

/*
 * The events of the map lock name the device. One thread opens devices, another reads
 * their files meanwhile, for a minute at most. This is a race: what is wrong is found
 * often, not always, as a wrong name or because the kernel dies.
 */
TEST_F_TIMEOUT(debugfs, opened_under_trace, PATIENCE)
{
	static const char *const nodes[] = {
		"/dev/vhost-scsi", "/dev/vhost-test",
	};
	struct vdev v = { .fd = open(nodes[1], O_RDWR | O_CLOEXEC) };
	double end = now() + 60;
	unsigned int first;
	pthread_t reader;

	ASSERT_GE(v.fd, 0);
	ASSERT_EQ(0, vdev_find_debugfs(&v)) { TH_LOG("%s", v.error); }
	first = atoi(strrchr(v.debugfs, '-') + 1);
	close(v.fd);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	ASSERT_GT(write_text(TRACE "buffer_size_kb", "8192"), 0);
	close(open(TRACE "trace", O_WRONLY | O_TRUNC));
	ASSERT_EQ(1, write_text(TRACE "events/vhost/vhost_map_lock/enable", "1"));
	stop = false;
	readings = 0;
	young = first + 1;
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_young, NULL));
	for (unsigned int i = 0; i < YOUNG && now() < end; i++) {
		int fd = open(nodes[i % 2], O_RDWR | O_CLOEXEC);

		ASSERT_GE(fd, 0);
		young++;
		close(fd);
	}
	stop = true;
	pthread_join(reader, NULL);
	write_text(TRACE "events/vhost/vhost_map_lock/enable", "0");
	EXPECT_GT(readings, 0);
	EXPECT_EQ(0U, misnamed(_metadata));
}

TEST_HARNESS_MAIN
