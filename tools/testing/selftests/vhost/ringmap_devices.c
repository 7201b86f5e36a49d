// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings on the other vhost devices: vhost-vsock, vhost-test and
 * vhost-scsi. What ringmap_test does with vhost-net is not repeated here; these
 * devices drive the same rings in other ways: they use buffers one by one or
 * out of order, give up in the middle, and stop and start without a reset.
 *
 * Each test is the driver's side, a guest without a guest, and runs with every
 * accessor. A device that is missing is a failure: the kernel under test has
 * to have them all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_scsi.h>
#include <linux/virtio_vsock.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* After <sys/socket.h>, which it needs and does not include. */
#include <linux/vm_sockets.h>

#include "../kselftest_harness.h"

#define PARAM		"/sys/module/vhost/parameters/accessor"
#define DEBUGFS		"/sys/kernel/debug"
#define DEBUGFS_VHOST	DEBUGFS "/vhost"
#define CONFIGFS	"/sys/kernel/config"
#define TARGET		CONFIGFS "/target"

/* drivers/vhost/test.h, which is not exported */
#define VHOST_TEST_RUN	_IOW(VHOST_VIRTIO, 0x31, int)

#define BIT_ULL(n)	(1ULL << (n))

/* Seconds a test may take: emulation is slow, and the debug kernel slower. */
#define PATIENCE	300
/* Seconds without progress after which a test has failed. */
#define STALL		30

#define MAX_QUEUES	3
#define MAX_SEGMENTS	4
#define PAGE		4096UL
#define IOVA_BASE	(1UL << 40)	/* IOVAs are no user addresses */

/* Shared memory: each index is read and written once, with its order. */
#define load(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define full_fence()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

#define ASSERT_OK(d, call) do {						\
	int __ret = (call);						\
	ASSERT_EQ(0, __ret) { TH_LOG("%s", (d)->error); }		\
} while (0)

/* --- virtqueues of any device --- */

/*
 * One virtqueue as its driver sees it. Everything but @vring and @table is out
 * of vhost's reach, so that a wrong used element is noticed and not followed.
 */
struct queue {
	struct vring vring;
	struct vring_desc *table;	/* indirect, MAX_SEGMENTS a head */
	uint16_t last_used;
	uint16_t avail;
	uint16_t kicked;
	uint16_t *free;			/* stack of free descriptors */
	uint16_t *next;			/* chain of a head, ends in itself */
	uint16_t *order;		/* heads as they were made available */
	bool *busy;			/* heads that vhost has */
	unsigned int nfree;
	bool in_order;			/* the device promises it */
	int kick;
	int call;
	int err;
};

struct device {
	int fd;
	unsigned int nqueues;
	uint64_t features;
	struct queue q[MAX_QUEUES];
	char *mem;			/* rings, and then @data */
	char *data;
	size_t len;
	char debugfs[96];
	char error[256];
};

struct segment {
	void *p;
	uint32_t len;
	bool in;			/* vhost writes it */
};

static int fail(struct device *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->error, sizeof(d->error), fmt, ap);
	va_end(ap);
	if (err) {
		size_t n = strlen(d->error);

		snprintf(d->error + n, sizeof(d->error) - n, ": %s",
			 strerror(err));
	}
	return -(err ? err : EPROTO);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t page_up(size_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

static ssize_t write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static void read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
}

static bool has(const struct device *d, unsigned int feature)
{
	return d->features & BIT_ULL(feature);
}

static uint64_t dma(const struct device *d, const void *p)
{
	return (uintptr_t)p + (has(d, VIRTIO_F_ACCESS_PLATFORM) ? IOVA_BASE : 0);
}

static int iotlb_update(struct device *d)
{
	struct vhost_msg msg = {
		.type = VHOST_IOTLB_MSG,
		.iotlb = {
			.iova = dma(d, d->mem), .size = d->len,
			.uaddr = (uintptr_t)d->mem, .perm = VHOST_ACCESS_RW,
			.type = VHOST_IOTLB_UPDATE,
		},
	};

	if (write(d->fd, &msg, sizeof(msg)) != sizeof(msg))
		return fail(d, errno, "device IOTLB update");
	return 0;
}

static int iotlb_invalidate(struct device *d)
{
	struct vhost_msg msg = {
		.type = VHOST_IOTLB_MSG,
		.iotlb = {
			.iova = dma(d, d->mem), .size = d->len,
			.type = VHOST_IOTLB_INVALIDATE,
		},
	};

	if (write(d->fd, &msg, sizeof(msg)) != sizeof(msg))
		return fail(d, errno, "device IOTLB invalidation");
	return 0;
}

/* One mapping has all that vhost can miss. */
static int serve_misses(struct device *d)
{
	struct vhost_msg msg;
	int ret = 0;

	if (!has(d, VIRTIO_F_ACCESS_PLATFORM))
		return 0;
	while (!ret && read(d->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.iotlb.type != VHOST_IOTLB_MISS)
			continue;
		if (msg.iotlb.iova - dma(d, d->mem) >= d->len)
			return fail(d, 0, "vhost asks for IOVA %#llx, which nobody has",
				    (unsigned long long)msg.iotlb.iova);
		ret = iotlb_update(d);
	}
	return ret;
}

static size_t desc_bytes(unsigned int num)
{
	return page_up(num * sizeof(struct vring_desc));
}

static size_t avail_bytes(unsigned int num)
{
	return page_up(sizeof(struct vring_avail) + (num + 1) * sizeof(uint16_t));
}

static size_t used_bytes(unsigned int num)
{
	return page_up(sizeof(struct vring_used) + sizeof(uint16_t) +
		       num * sizeof(struct vring_used_elem));
}

static size_t queue_bytes(unsigned int num)
{
	return MAX_SEGMENTS * desc_bytes(num) + desc_bytes(num) +
	       avail_bytes(num) + used_bytes(num);
}

static int queue_init(struct device *d, struct queue *q, unsigned int num,
		      char *at)
{
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->free = calloc(num, sizeof(*q->free));
	q->next = calloc(num, sizeof(*q->next));
	q->order = calloc(num, sizeof(*q->order));
	q->busy = calloc(num, sizeof(*q->busy));
	if (q->kick < 0 || q->call < 0 || q->err < 0 || !q->free || !q->next ||
	    !q->order || !q->busy)
		return fail(d, ENOMEM, "a queue");
	q->vring.num = num;
	q->vring.desc = (void *)at;
	q->vring.avail = (void *)(at + desc_bytes(num));
	q->vring.used = (void *)(at + desc_bytes(num) + avail_bytes(num));
	q->table = (void *)(at + desc_bytes(num) + avail_bytes(num) +
			    used_bytes(num));
	q->nfree = num;
	for (unsigned int i = 0; i < num; i++)
		q->free[i] = num - 1 - i;
	return 0;
}

/* The directory of this device is the newest one of this process. */
static int find_debugfs(struct device *d)
{
	unsigned int best = 0, pid, n;
	struct dirent *e;
	DIR *dir;

	dir = opendir(DEBUGFS_VHOST);
	if (!dir && !mount("debugfs", DEBUGFS, "debugfs", 0, NULL))
		dir = opendir(DEBUGFS_VHOST);
	if (!dir)
		return fail(d, errno, DEBUGFS_VHOST);
	while ((e = readdir(dir)))
		if (sscanf(e->d_name, "%u-%u", &pid, &n) == 2 &&
		    pid == (unsigned int)getpid() && n > best)
			best = n;
	closedir(dir);
	if (!best)
		return fail(d, 0, "no directory of ours in " DEBUGFS_VHOST);
	snprintf(d->debugfs, sizeof(d->debugfs), DEBUGFS_VHOST "/%u-%u",
		 getpid(), best);
	return 0;
}

static int set_accessor(struct device *d, const char *accessor)
{
	char path[160];

	for (unsigned int i = 0; i < d->nqueues; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%u/accessor", d->debugfs, i);
		n = write_text(path, accessor);
		if (n != (ssize_t)strlen(accessor))
			return fail(d, n < 0 ? -n : EIO, "'%s' for %s", accessor,
				    path);
	}
	return 0;
}

static long long stat_of(struct device *d, unsigned int queue, const char *name)
{
	long long value, found = -1;
	char path[160], key[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u/stats", d->debugfs, queue);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fscanf(f, "%63s %lld", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(f);
	return found;
}

/*
 * Open @node as @accessor and set up its first @nqueues queues of @num entries,
 * with @data bytes of memory for what goes through them.
 */
static int device_open(struct device *d, const char *node, const char *accessor,
		       unsigned int nqueues, unsigned int num, size_t data,
		       uint64_t features)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[1];
	} mem = { .m.nregions = 1 };
	uint64_t have;
	int ret;

	memset(d, 0, sizeof(*d));
	d->nqueues = nqueues;
	d->features = features | BIT_ULL(VIRTIO_F_VERSION_1);
	d->fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return fail(d, errno, "%s", node);
	ret = find_debugfs(d);
	if (ret)
		return ret;
	/* Before anything is accessed, so that the counters are this one's. */
	if (accessor) {
		ret = set_accessor(d, accessor);
		if (ret)
			return ret;
	}

	d->len = nqueues * queue_bytes(num) + page_up(data);
	d->mem = mmap(NULL, d->len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (d->mem == MAP_FAILED)
		return fail(d, errno, "memory");
	d->data = d->mem + nqueues * queue_bytes(num);

	if (ioctl(d->fd, VHOST_SET_OWNER))
		return fail(d, errno, "VHOST_SET_OWNER");
	if (ioctl(d->fd, VHOST_GET_FEATURES, &have))
		return fail(d, errno, "VHOST_GET_FEATURES");
	if (d->features & ~have)
		return fail(d, ENOTSUP, "%s lacks features %#llx", node,
			    (unsigned long long)(d->features & ~have));
	if (ioctl(d->fd, VHOST_SET_FEATURES, &d->features))
		return fail(d, errno, "VHOST_SET_FEATURES");
	mem.r[0].guest_phys_addr = (uintptr_t)d->mem;
	mem.r[0].userspace_addr = (uintptr_t)d->mem;
	mem.r[0].memory_size = d->len;
	if (ioctl(d->fd, VHOST_SET_MEM_TABLE, &mem))
		return fail(d, errno, "VHOST_SET_MEM_TABLE");

	for (unsigned int i = 0; i < nqueues; i++) {
		struct queue *q = &d->q[i];
		struct vhost_vring_state size = { i, num };
		struct vhost_vring_state base = { i, 0 };
		struct vhost_vring_file kick = { .index = i };
		struct vhost_vring_file call = { .index = i };
		struct vhost_vring_file err = { .index = i };
		struct vhost_vring_addr addr = { .index = i };

		ret = queue_init(d, q, num, d->mem + i * queue_bytes(num));
		if (ret)
			return ret;
		kick.fd = q->kick;
		call.fd = q->call;
		err.fd = q->err;
		addr.desc_user_addr = dma(d, q->vring.desc);
		addr.avail_user_addr = dma(d, q->vring.avail);
		addr.used_user_addr = dma(d, q->vring.used);
		if (ioctl(d->fd, VHOST_SET_VRING_NUM, &size) ||
		    ioctl(d->fd, VHOST_SET_VRING_BASE, &base) ||
		    ioctl(d->fd, VHOST_SET_VRING_ADDR, &addr) ||
		    ioctl(d->fd, VHOST_SET_VRING_KICK, &kick) ||
		    ioctl(d->fd, VHOST_SET_VRING_CALL, &call) ||
		    ioctl(d->fd, VHOST_SET_VRING_ERR, &err))
			return fail(d, errno, "cannot set up queue %u", i);
	}
	/* An empty IOTLB could not even say where the used flags are. */
	return has(d, VIRTIO_F_ACCESS_PLATFORM) ? iotlb_update(d) : 0;
}

static void device_close(struct device *d)
{
	if (d->fd >= 0)
		close(d->fd);
	for (unsigned int i = 0; i < MAX_QUEUES; i++) {
		struct queue *q = &d->q[i];

		if (!q->vring.num)
			continue;
		close(q->kick);
		close(q->call);
		close(q->err);
		free(q->free);
		free(q->next);
		free(q->order);
		free(q->busy);
	}
	if (d->mem && d->mem != MAP_FAILED)
		munmap(d->mem, d->len);
	memset(d, 0, sizeof(*d));
	d->fd = -1;
}

/* The head that the next queue_add() will use. */
static uint16_t queue_head(const struct queue *q)
{
	return q->free[q->nfree - 1];
}

static bool queue_has_room(const struct device *d, const struct queue *q,
			   unsigned int n)
{
	return q->nfree >= (has(d, VIRTIO_RING_F_INDIRECT_DESC) ? 1 : n);
}

/* Put a chain into the avail ring; queue_publish() shows it to vhost. */
static void queue_add(struct device *d, struct queue *q,
		      const struct segment *s, unsigned int n)
{
	bool indirect = has(d, VIRTIO_RING_F_INDIRECT_DESC) && n > 1;
	uint16_t mask = q->vring.num - 1, head = queue_head(q), at = head;
	struct vring_desc *t = q->table + head * MAX_SEGMENTS;

	for (unsigned int i = 0; i < n; i++) {
		struct vring_desc desc = {
			.addr = dma(d, s[i].p), .len = s[i].len,
			.flags = s[i].in ? VRING_DESC_F_WRITE : 0,
		};

		if (indirect) {
			if (i + 1 < n) {
				desc.flags |= VRING_DESC_F_NEXT;
				desc.next = i + 1;
			}
			t[i] = desc;
			continue;
		}
		at = q->free[--q->nfree];
		q->next[at] = at;
		if (i + 1 < n) {
			q->next[at] = queue_head(q);
			desc.flags |= VRING_DESC_F_NEXT;
			desc.next = q->next[at];
		}
		q->vring.desc[at] = desc;
	}
	if (indirect) {
		q->nfree--;
		q->next[head] = head;
		q->vring.desc[head] = (struct vring_desc){
			dma(d, t), n * sizeof(*t), VRING_DESC_F_INDIRECT, 0
		};
	}
	q->busy[head] = true;
	q->order[q->avail & mask] = head;
	q->vring.avail->ring[q->avail++ & mask] = head;
}

static void queue_kick(struct queue *q)
{
	uint64_t one = 1;

	/* It cannot fail before 2^64 - 1 kicks. */
	if (write(q->kick, &one, sizeof(one)) < 0)
		perror("kick");
}

static void queue_publish(struct device *d, struct queue *q)
{
	struct vring *v = &q->vring;
	bool kick;

	if (q->avail == q->kicked)
		return;
	store(&v->avail->idx, q->avail);
	full_fence();	/* index before we look whether vhost sleeps */
	if (has(d, VIRTIO_RING_F_EVENT_IDX))
		kick = vring_need_event(load(&vring_avail_event(v)), q->avail,
					q->kicked);
	else
		kick = !(load(&v->used->flags) & VRING_USED_F_NO_NOTIFY);
	q->kicked = q->avail;
	if (kick)
		queue_kick(q);
}

/*
 * Take one used chain: returns its head, -EAGAIN if there is none, or another
 * error if vhost used what it did not have.
 */
static int queue_used(struct device *d, struct queue *q, uint32_t *len)
{
	uint16_t mask = q->vring.num - 1, at;
	struct vring_used_elem e;

	if (load(&q->vring.used->idx) == q->last_used)
		return -EAGAIN;
	e = q->vring.used->ring[q->last_used & mask];
	if (e.id > mask || !q->busy[e.id])
		return fail(d, 0, "queue %td: vhost used descriptor %u, which was not available",
			    q - d->q, e.id);
	if (q->in_order && e.id != q->order[q->last_used & mask])
		return fail(d, 0, "queue %td: vhost used descriptor %u, but %u is next",
			    q - d->q, e.id, q->order[q->last_used & mask]);
	q->last_used++;
	q->busy[e.id] = false;
	for (at = e.id; q->next[at] != at; at = q->next[at])
		q->free[q->nfree++] = at;
	q->free[q->nfree++] = at;
	if (len)
		*len = e.len;
	return e.id;
}

static int gave_up(struct device *d)
{
	uint64_t n;

	for (unsigned int i = 0; i < d->nqueues; i++)
		if (read(d->q[i].err, &n, sizeof(n)) == sizeof(n))
			return fail(d, 0, "vhost reported an error on queue %u", i);
	return 0;
}

/*
 * Ask for a signal at the next used buffer, and wait for that or for @events on
 * @fd. Short, because nobody wakes us up for a device IOTLB miss that was
 * answered.
 */
static int wait_for(struct device *d, int fd, short events)
{
	struct pollfd p[MAX_QUEUES + 2];
	uint64_t n;

	for (unsigned int i = 0; i < d->nqueues; i++) {
		struct queue *q = &d->q[i];

		store(&vring_used_event(&q->vring), q->last_used);
		p[i] = (struct pollfd){ q->call, POLLIN, 0 };
	}
	p[d->nqueues] = (struct pollfd){ fd, events, 0 };
	p[d->nqueues + 1] = (struct pollfd){
		has(d, VIRTIO_F_ACCESS_PLATFORM) ? d->fd : -1, POLLIN, 0
	};
	full_fence();	/* the request before we look once more */
	for (unsigned int i = 0; i < d->nqueues; i++)
		if (load(&d->q[i].vring.used->idx) != d->q[i].last_used)
			return 0;
	poll(p, d->nqueues + 2, 20);
	for (unsigned int i = 0; i < d->nqueues; i++)
		if (p[i].revents && read(d->q[i].call, &n, sizeof(n)) < 0)
			return fail(d, errno, "call of queue %u", i);
	return gave_up(d);
}

/* Fails when @count has not changed for too long. */
struct progress {
	uint64_t count;
	double since;
};

static int stalled(struct device *d, struct progress *p, uint64_t count)
{
	if (!p->since || p->count != count) {
		p->count = count;
		p->since = now();
	} else if (now() - p->since > STALL) {
		return fail(d, ETIMEDOUT, "stuck after %llu",
			    (unsigned long long)count);
	}
	return 0;
}

/* What the accessor did on a queue since the counters were taken. */
struct counters {
	long long mapped;
	long long fallback;
	long long sections;
};

static struct counters count(struct device *d, unsigned int queue)
{
	return (struct counters){
		.mapped = stat_of(d, queue, "mapped"),
		.fallback = stat_of(d, queue, "fallback"),
		.sections = stat_of(d, queue, "sections"),
	};
}

/* Only ring mappings map, and then nearly every access: 90 % at the least. */
static void expect_counters(struct __test_metadata *_metadata,
			    struct device *d, const char *accessor,
			    unsigned int queue, struct counters before)
{
	struct counters c = count(d, queue);

	ASSERT_GE(before.mapped, 0);
	ASSERT_GE(c.mapped, 0);
	c.mapped -= before.mapped;
	c.fallback -= before.fallback;
	c.sections -= before.sections;
	if (strcmp(accessor, "ringmap")) {
		EXPECT_EQ(0, c.mapped);
		EXPECT_EQ(0, c.sections);
		return;
	}
	EXPECT_GT(c.mapped, 0);
	EXPECT_GT(c.sections, 0);
	EXPECT_LE(c.fallback * 9, c.mapped) {
		TH_LOG("queue %u: %lld mapped, %lld fell back", queue, c.mapped,
		       c.fallback);
	}
}

/*
 * Everything that takes mappings away, all the time: page protection, fork()'s
 * write protection and a change of accessor. The rings' contents stay.
 */
struct storm {
	struct device d;		/* a copy: error texts are not shared */
	const char *accessor;		/* what it is afterwards */
	pthread_t thread;
	atomic_bool stop;
	int ret;
	int rounds;
};

static void *storm_thread(void *arg)
{
	static const char *const accessors[] = { "uaccess", "checked", "ringmap" };
	struct storm *s = arg;
	size_t len = s->d.data - s->d.mem;
	pid_t pid;

	while (!s->stop && !s->ret) {
		/* Without taking a right away, which vhost would report. */
		if (mprotect(s->d.mem, len, PROT_READ | PROT_WRITE | PROT_EXEC) ||
		    mprotect(s->d.mem, len, PROT_READ | PROT_WRITE))
			s->ret = fail(&s->d, errno, "mprotect");
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			s->ret = fail(&s->d, errno, "fork");
		usleep(1000);
		if (!s->ret)
			s->ret = set_accessor(&s->d, accessors[s->rounds % 3]);
		usleep(1000);
		s->rounds++;
	}
	if (!s->ret)
		s->ret = set_accessor(&s->d, s->accessor);
	return NULL;
}

static int storm_start(struct storm *s, struct device *d, const char *accessor)
{
	memset(s, 0, sizeof(*s));
	s->d = *d;
	s->accessor = accessor;
	return -pthread_create(&s->thread, NULL, storm_thread, s);
}

static int storm_end(struct storm *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
	return s->ret;
}

/* --- vhost-test: uses whatever it gets --- */

/*
 * vhost-test adds up lengths and reads nothing, so all buffers lie in the same
 * memory. After 512 KiB its handler lets others have a turn: with short buffers
 * it never does, with long ones often.
 */
#define NULL_DATA	65536U
#define SHORT		64U
#define LONG		NULL_DATA

FIXTURE(null) {
	struct device d;
	uint32_t random;
};

FIXTURE_VARIANT(null) {
	const char *accessor;
	uint64_t features;
};

#define EVENT_IDX	BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT	BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define IOTLB		BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)

#define VARIANT(fixture, mode, name, bits)				\
	FIXTURE_VARIANT_ADD(fixture, mode ## _ ## name) {		\
		.accessor = #mode, .features = bits			\
	}
VARIANT(null, uaccess, plain, 0);
VARIANT(null, uaccess, event_idx, EVENT_IDX);
VARIANT(null, uaccess, indirect, EVENT_IDX | INDIRECT);
VARIANT(null, checked, plain, 0);
VARIANT(null, checked, event_idx, EVENT_IDX);
VARIANT(null, checked, indirect, EVENT_IDX | INDIRECT);
VARIANT(null, ringmap, plain, 0);
VARIANT(null, ringmap, event_idx, EVENT_IDX);
VARIANT(null, ringmap, indirect, EVENT_IDX | INDIRECT);

static int null_open(struct device *d, const char *accessor, unsigned int num,
		     uint64_t features)
{
	int ret = device_open(d, "/dev/vhost-test", accessor, 1, num,
			      NULL_DATA, features);

	d->q[0].in_order = true;
	return ret;
}

static int null_run(struct device *d, int run)
{
	if (ioctl(d->fd, VHOST_TEST_RUN, &run))
		return fail(d, errno, "VHOST_TEST_RUN %d", run);
	/* vhost does not look by itself, nor did it while it was stopped. */
	if (run)
		queue_kick(&d->q[0]);
	return 0;
}

FIXTURE_SETUP(null)
{
	self->random = 1;
	ASSERT_OK(&self->d, null_open(&self->d, variant->accessor, 1024,
				      variant->features));
}

FIXTURE_TEARDOWN(null)
{
	device_close(&self->d);
}

/* Not rand(): the same on every libc, and so is a failure. */
static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 16) % n;
}

/* Make up to @max chains of one to four buffers available. */
static unsigned int null_fill(struct device *d, uint32_t *random,
			      unsigned int max, uint32_t max_len)
{
	struct queue *q = &d->q[0];
	unsigned int n;

	for (n = 0; n < max; n++) {
		unsigned int parts = 1 + random_below(random, MAX_SEGMENTS);
		struct segment s[MAX_SEGMENTS];

		if (parts > q->vring.num)
			parts = q->vring.num;
		if (!queue_has_room(d, q, parts))
			break;
		for (unsigned int i = 0; i < parts; i++)
			s[i] = (struct segment){
				.p = d->data,
				.len = 1 + random_below(random, max_len),
			};
		queue_add(d, q, s, parts);
	}
	queue_publish(d, q);
	return n;
}

/* Take all that is used; returns how many, or an error. */
static int null_reap(struct device *d)
{
	uint32_t len;
	int n = 0, head;

	for (;;) {
		head = queue_used(d, &d->q[0], &len);
		if (head == -EAGAIN)
			return n;
		if (head < 0)
			return head;
		if (len)
			return fail(d, 0, "vhost says that it wrote %u bytes", len);
		n++;
	}
}

/* Wait, without sleeping, until vhost has used @n, or will use no more. */
static void null_await(struct queue *q, uint16_t n)
{
	double end = now() + 1;

	while ((uint16_t)(load(&q->vring.used->idx) - q->last_used) < n &&
	       now() < end)
		sched_yield();	/* vhost may be waiting for our processor */
}

/* @count chains, in batches of any size that fits. */
static int null_traffic(struct device *d, uint32_t *random, uint64_t count,
			uint32_t max_len)
{
	uint64_t sent = 0, used = 0;
	struct progress p = {};
	int ret;

	while (used < count) {
		unsigned int batch = 1 + random_below(random, d->q[0].vring.num);

		if (batch > count - sent)
			batch = count - sent;
		sent += null_fill(d, random, batch, max_len);
		ret = null_reap(d);
		if (!ret)
			ret = wait_for(d, -1, 0);
		if (ret < 0)
			return ret;
		used += ret;
		ret = stalled(d, &p, used);
		if (ret)
			return ret;
	}
	if (used != count || d->q[0].nfree != d->q[0].vring.num)
		return fail(d, 0, "%llu of %llu used, %u descriptors free",
			    (unsigned long long)used, (unsigned long long)count,
			    d->q[0].nfree);
	return gave_up(d);
}

/* More than 65536, so that every index wraps. */
TEST_F_TIMEOUT(null, buffers, PATIENCE)
{
	struct device *d = &self->d;
	struct counters before;

	ASSERT_OK(d, null_run(d, 1));
	/* The first accesses find nothing mapped yet. */
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	before = count(d, 0);
	ASSERT_OK(d, null_traffic(d, &self->random, 57000, SHORT));
	ASSERT_OK(d, null_traffic(d, &self->random, 10000, LONG));
	expect_counters(_metadata, d, variant->accessor, 0, before);
}

/*
 * vhost takes buffers in batches, but what it took and did not use when it was
 * stopped it has to take again: its base is what it used.
 */
TEST_F_TIMEOUT(null, stop_in_flight, PATIENCE)
{
	struct device *d = &self->d;
	struct counters before = count(d, 0);
	struct queue *q = &d->q[0];
	unsigned int partly = 0;

	for (int round = 0; round < 100; round++) {
		struct vhost_vring_state base = { .index = 0 };
		uint16_t used;

		ASSERT_LE(0, null_reap(d)) { TH_LOG("%s", d->error); }
		null_fill(d, &self->random, q->vring.num, LONG);
		ASSERT_OK(d, null_run(d, 1));
		/* In sight of the stop, so that some of the rest is under way. */
		null_await(q, random_below(&self->random, q->vring.num / 4));
		ASSERT_OK(d, null_run(d, 0));
		ASSERT_EQ(0, ioctl(d->fd, VHOST_GET_VRING_BASE, &base));
		used = load(&q->vring.used->idx);
		ASSERT_EQ(used, base.num);
		partly += used != q->avail && used != q->last_used;
		/* Published to a stopped queue, seen after the next start. */
		null_fill(d, &self->random, 16, LONG);
	}
	/* Where processors are scarce, vhost may run only while we do not. */
	if (!partly)
		TH_LOG("No stop found vhost at work");
	ASSERT_OK(d, null_run(d, 1));
	ASSERT_LE(0, null_reap(d)) { TH_LOG("%s", d->error); }
	for (double end = now() + STALL; q->nfree != q->vring.num; ) {
		ASSERT_LT(now(), end);
		ASSERT_OK(d, wait_for(d, -1, 0));
		ASSERT_LE(0, null_reap(d)) { TH_LOG("%s", d->error); }
	}
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	expect_counters(_metadata, d, variant->accessor, 0, before);
}

TEST_F_TIMEOUT(null, storm, PATIENCE)
{
	struct device *d = &self->d;
	struct counters before;
	struct storm storm;
	int ret;

	ASSERT_OK(d, null_run(d, 1));
	ASSERT_EQ(0, storm_start(&storm, d, variant->accessor));
	ret = null_traffic(d, &self->random, 10000, SHORT);
	if (!ret)
		ret = null_traffic(d, &self->random, 5000, LONG);
	EXPECT_EQ(0, storm_end(&storm)) { TH_LOG("%s", storm.d.error); }
	ASSERT_EQ(0, ret) { TH_LOG("%s", d->error); }
	EXPECT_GT(storm.rounds, 0);
	/* And then it is as if nothing had been. */
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	before = count(d, 0);
	ASSERT_OK(d, null_traffic(d, &self->random, 5000, SHORT));
	expect_counters(_metadata, d, variant->accessor, 0, before);
}

TEST_F_TIMEOUT(null, queue_sizes, PATIENCE)
{
	static const unsigned int sizes[] = { 1, 2, 4, 64, 512, 32768 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct device d;

		ASSERT_OK(&d, null_open(&d, variant->accessor, sizes[i],
					variant->features));
		ASSERT_OK(&d, null_run(&d, 1));
		ASSERT_OK(&d, null_traffic(&d, &self->random,
					   sizes[i] < 1000 ? 500 : sizes[i],
					   SHORT));
		expect_counters(_metadata, &d, variant->accessor, 0,
				(struct counters){});
		device_close(&d);
	}
}

/* A buffer that vhost-test does not take: reported, and not used. */
TEST_F_TIMEOUT(null, refused, PATIENCE)
{
	struct device *d = &self->d;
	struct segment in = { .p = d->data, .len = 64, .in = true };
	struct queue *q = &d->q[0];
	struct pollfd err = { .fd = q->err, .events = POLLIN };

	ASSERT_OK(d, null_run(d, 1));
	ASSERT_OK(d, null_traffic(d, &self->random, 1000, SHORT));
	queue_add(d, q, &in, 1);
	queue_publish(d, q);
	ASSERT_EQ(1, poll(&err, 1, STALL * 1000));
	ASSERT_EQ(-EAGAIN, queue_used(d, q, NULL));
}

/* --- vhost-vsock: connections between a socket and the queues --- */

enum { VSOCK_RX, VSOCK_TX };

#define VSOCK_NUM	128
#define VSOCK_BUF	2048
#define VSOCK_HDR	sizeof(struct virtio_vsock_hdr)
#define HOST_BUFFER	32768		/* of the host's socket */
#define GUEST_BUFFER	16384		/* of ours */
#define RECORD_MAX	1800

/*
 * One direction of a connection. A stream has no packets, so it carries records
 * that say which they are; the receiver makes each again and compares.
 */
struct stream {
	uint8_t salt;
	uint32_t seq;			/* of the record under way */
	uint32_t have;			/* bytes of it */
	uint8_t buf[RECORD_MAX];
};

struct vsock {
	struct device d;
	uint64_t cid;
	uint32_t host_port;
	uint32_t guest_port;
	int listener;
	int sock;			/* the host's end */

	/* What vhost said, and what we told it, about credit */
	uint32_t peer_buf_alloc;
	uint32_t peer_fwd_cnt;
	uint32_t tx_cnt;
	uint32_t rx_cnt;
	uint32_t fwd_cnt;
	bool owe_credit;

	int ops[8];			/* packets received, by operation */
	int no_credit;			/* times we had none */
	int host_blocked;		/* times the host had none */
	uint32_t shutdown_flags;
	struct stream to_host;
	struct stream to_guest;
};

static uint32_t record_len(uint32_t seq)
{
	return 8 + (seq * 2654435761u >> 7) % (RECORD_MAX - 7);
}

static uint32_t make_record(uint8_t *buf, uint8_t salt, uint32_t seq)
{
	uint32_t len = record_len(seq);

	memcpy(buf, &seq, 4);
	memcpy(buf + 4, &len, 4);
	for (uint32_t i = 8; i < len; i++)
		buf[i] = seq * 131 + i + salt;
	return len;
}

static int stream_feed(struct device *d, struct stream *s, const uint8_t *p,
		       uint32_t len)
{
	uint8_t expected[RECORD_MAX];

	while (len) {
		uint32_t whole = record_len(s->seq), n = whole - s->have;

		if (n > len)
			n = len;
		memcpy(s->buf + s->have, p, n);
		s->have += n;
		p += n;
		len -= n;
		if (s->have < whole)
			break;
		make_record(expected, s->salt, s->seq);
		if (memcmp(expected, s->buf, whole))
			return fail(d, 0, "record %u of stream %u is corrupt",
				    s->seq, s->salt);
		s->seq++;
		s->have = 0;
	}
	return 0;
}

static char *vsock_slot(struct vsock *v, int queue, unsigned int i)
{
	return v->d.data + ((size_t)queue * VSOCK_NUM + i) * VSOCK_BUF;
}

static void vsock_refill(struct vsock *v)
{
	struct queue *q = &v->d.q[VSOCK_RX];

	while (q->nfree) {
		struct segment s = {
			.p = vsock_slot(v, VSOCK_RX, queue_head(q)),
			.len = VSOCK_BUF, .in = true,
		};

		queue_add(&v->d, q, &s, 1);
	}
	queue_publish(&v->d, q);
}

/*
 * Send one packet, header and payload alternately in one buffer and in two.
 * Returns -EAGAIN if there is no descriptor.
 */
static int guest_send(struct vsock *v, uint16_t op, uint32_t flags,
		      const void *payload, uint32_t len)
{
	struct queue *q = &v->d.q[VSOCK_TX];
	struct virtio_vsock_hdr *h;
	struct segment s[2];
	bool split = len && (v->tx_cnt & 1);
	char *slot;

	if (!queue_has_room(&v->d, q, 2))
		return -EAGAIN;
	slot = vsock_slot(v, VSOCK_TX, queue_head(q));
	h = (void *)slot;
	*h = (struct virtio_vsock_hdr){
		.src_cid = v->cid, .dst_cid = VMADDR_CID_HOST,
		.src_port = v->guest_port, .dst_port = v->host_port,
		.len = len, .type = VIRTIO_VSOCK_TYPE_STREAM, .op = op,
		.flags = flags, .buf_alloc = GUEST_BUFFER,
		.fwd_cnt = v->rx_cnt,
	};
	v->fwd_cnt = v->rx_cnt;
	v->owe_credit = false;
	if (len)
		memcpy(slot + VSOCK_HDR, payload, len);
	s[0] = (struct segment){ .p = slot,
				 .len = VSOCK_HDR + (split ? 0 : len) };
	s[1] = (struct segment){ .p = slot + VSOCK_HDR, .len = len };
	queue_add(&v->d, q, s, split ? 2 : 1);
	queue_publish(&v->d, q);
	v->tx_cnt += len;
	return 0;
}

static int guest_receive(struct vsock *v, const char *buf, uint32_t used)
{
	struct device *d = &v->d;
	struct virtio_vsock_hdr h;

	if (used < sizeof(h) || used > VSOCK_BUF)
		return fail(d, 0, "a packet of %u bytes", used);
	memcpy(&h, buf, sizeof(h));
	/*
	 * A host that closes what was reset already resets it once more, perhaps
	 * when the next connection has begun.
	 */
	if (h.op == VIRTIO_VSOCK_OP_RST && h.dst_port != v->guest_port)
		return 0;
	if (h.src_cid != VMADDR_CID_HOST || h.dst_cid != v->cid ||
	    h.dst_port != v->guest_port || h.type != VIRTIO_VSOCK_TYPE_STREAM ||
	    h.op >= ARRAY_SIZE(v->ops) || h.len != used - sizeof(h))
		return fail(d, 0, "a bad header: %llu:%u to %llu:%u, op %u, %u of %u bytes",
			    (unsigned long long)h.src_cid, h.src_port,
			    (unsigned long long)h.dst_cid, h.dst_port, h.op,
			    h.len, used);
	if (h.op == VIRTIO_VSOCK_OP_REQUEST)
		v->host_port = h.src_port;
	else if (h.src_port != v->host_port)
		return fail(d, 0, "a packet from port %u", h.src_port);
	v->ops[h.op]++;
	v->peer_buf_alloc = h.buf_alloc;
	v->peer_fwd_cnt = h.fwd_cnt;
	switch (h.op) {
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		v->shutdown_flags |= h.flags;
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		v->owe_credit = true;
		break;
	case VIRTIO_VSOCK_OP_RW:
		v->rx_cnt += h.len;
		if (v->rx_cnt - v->fwd_cnt > GUEST_BUFFER)
			return fail(d, 0, "the host exceeds its credit");
		if (v->rx_cnt - v->fwd_cnt >= GUEST_BUFFER / 2)
			v->owe_credit = true;
		return stream_feed(d, &v->to_guest,
				   (const uint8_t *)buf + sizeof(h), h.len);
	}
	return 0;
}

/* Take what vhost used on both queues; returns how many, or an error. */
static int guest_reap(struct vsock *v)
{
	struct device *d = &v->d;
	int head, n = 0, ret;
	uint32_t len;

	while ((head = queue_used(d, &d->q[VSOCK_TX], &len)) >= 0) {
		if (len)
			return fail(d, 0, "vhost says that it wrote %u bytes", len);
		n++;
	}
	if (head != -EAGAIN)
		return head;
	while ((head = queue_used(d, &d->q[VSOCK_RX], &len)) >= 0) {
		ret = guest_receive(v, vsock_slot(v, VSOCK_RX, head), len);
		if (ret)
			return ret;
		n++;
	}
	if (head != -EAGAIN)
		return head;
	vsock_refill(v);
	if (v->owe_credit)
		guest_send(v, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	ret = serve_misses(d);
	return ret ? ret : n;
}

/* Until @n packets of this operation came on this connection. */
static int guest_await(struct vsock *v, unsigned int op, int n)
{
	double end = now() + STALL;
	int ret;

	while (v->ops[op] < n) {
		ret = guest_reap(v);
		if (!ret)
			ret = wait_for(&v->d, -1, 0);
		if (ret < 0)
			return ret;
		if (now() > end)
			return fail(&v->d, ETIMEDOUT, "no packet with operation %u",
				    op);
	}
	return 0;
}

/* Until vhost has used all that was sent. */
static int guest_drain(struct vsock *v)
{
	struct queue *q = &v->d.q[VSOCK_TX];
	double end = now() + STALL;
	int ret;

	while (q->nfree != q->vring.num) {
		ret = guest_reap(v);
		if (!ret)
			ret = wait_for(&v->d, -1, 0);
		if (ret < 0)
			return ret;
		if (now() > end)
			return fail(&v->d, ETIMEDOUT, "vhost does not take all");
	}
	return 0;
}

static int guest_op(struct vsock *v, uint16_t op, uint32_t flags)
{
	int ret = guest_send(v, op, flags, NULL, 0);

	return ret ? fail(&v->d, -ret, "no descriptor for operation %u", op) : 0;
}

static void new_connection(struct vsock *v, uint32_t guest_port)
{
	v->guest_port = guest_port;
	v->peer_buf_alloc = 0;
	v->peer_fwd_cnt = 0;
	v->tx_cnt = 0;
	v->rx_cnt = 0;
	v->fwd_cnt = 0;
	v->owe_credit = false;
	v->no_credit = 0;
	v->host_blocked = 0;
	v->shutdown_flags = 0;
	memset(v->ops, 0, sizeof(v->ops));
	v->to_host = (struct stream){ .salt = 17 };
	v->to_guest = (struct stream){ .salt = 91 };
}

static int host_buffer(struct vsock *v, int sock)
{
	uint64_t size = HOST_BUFFER;

	if (setsockopt(sock, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size,
		       sizeof(size)))
		return fail(&v->d, errno, "SO_VM_SOCKETS_BUFFER_SIZE");
	return 0;
}

static int host_listen(struct vsock *v)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST,
		.svm_port = VMADDR_PORT_ANY,
	};
	socklen_t len = sizeof(a);

	v->listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     0);
	if (v->listener < 0)
		return fail(&v->d, errno, "a vsock socket");
	if (host_buffer(v, v->listener))
		return -EPROTO;
	if (bind(v->listener, (void *)&a, sizeof(a)) || listen(v->listener, 1) ||
	    getsockname(v->listener, (void *)&a, &len))
		return fail(&v->d, errno, "the vsock listener");
	v->host_port = a.svm_port;
	return 0;
}

static int guest_connects(struct vsock *v, uint32_t port)
{
	struct pollfd p = { .fd = v->listener, .events = POLLIN };
	int ret;

	new_connection(v, port);
	ret = guest_op(v, VIRTIO_VSOCK_OP_REQUEST, 0);
	if (!ret)
		ret = guest_await(v, VIRTIO_VSOCK_OP_RESPONSE, 1);
	if (ret)
		return ret;
	poll(&p, 1, STALL * 1000);
	v->sock = accept4(v->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (v->sock < 0)
		return fail(&v->d, errno, "accept");
	return 0;
}

static int host_connects(struct vsock *v, uint32_t port)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = v->cid, .svm_port = port,
	};
	struct pollfd p = { .events = POLLOUT };
	socklen_t len = sizeof(int);
	int ret, err = 0;

	new_connection(v, port);
	v->sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->sock < 0)
		return fail(&v->d, errno, "a vsock socket");
	if (host_buffer(v, v->sock))
		return -EPROTO;
	if (!connect(v->sock, (void *)&a, sizeof(a)) || errno != EINPROGRESS)
		return fail(&v->d, errno, "connect");
	ret = guest_await(v, VIRTIO_VSOCK_OP_REQUEST, 1);
	if (!ret)
		ret = guest_op(v, VIRTIO_VSOCK_OP_RESPONSE, 0);
	if (!ret)
		ret = guest_drain(v);
	if (ret)
		return ret;
	p.fd = v->sock;
	poll(&p, 1, STALL * 1000);
	if (getsockopt(v->sock, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	return err ? fail(&v->d, err, "the host's connection") : 0;
}

/* Send records while there are credit and descriptors. */
static int guest_pump(struct vsock *v, uint32_t *sent, uint32_t records)
{
	uint8_t buf[RECORD_MAX];
	int ret;

	while (*sent < records) {
		uint32_t len = make_record(buf, v->to_host.salt, *sent);

		if (v->peer_buf_alloc - (v->tx_cnt - v->peer_fwd_cnt) < len) {
			v->no_credit++;
			return 0;
		}
		ret = guest_send(v, VIRTIO_VSOCK_OP_RW, 0, buf, len);
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
		(*sent)++;
	}
	return 0;
}

/* The host's side: returns whether it could do anything, or an error. */
static int host_pump(struct vsock *v, uint32_t *sent, uint32_t *offset,
		     uint32_t records)
{
	uint8_t buf[RECORD_MAX];
	int did = 0, ret;
	ssize_t n;

	for (;;) {
		n = recv(v->sock, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return fail(&v->d, n ? errno : EPIPE, "the host's recv");
		ret = stream_feed(&v->d, &v->to_host, buf, n);
		if (ret)
			return ret;
		did = 1;
	}
	while (*sent < records) {
		uint32_t len = make_record(buf, v->to_guest.salt, *sent);

		n = send(v->sock, buf + *offset, len - *offset, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			v->host_blocked++;
			break;
		}
		if (n <= 0)
			return fail(&v->d, errno, "the host's send");
		did = 1;
		*offset += n;
		if (*offset == len) {
			(*sent)++;
			*offset = 0;
		}
	}
	return did;
}

/* @records each way at the same time, each checked where it arrives. */
static int vsock_exchange(struct vsock *v, uint32_t records)
{
	uint32_t guest_sent = v->to_host.seq, host_sent = v->to_guest.seq;
	uint32_t guest_end = guest_sent + records, host_end = host_sent + records;
	struct progress p = {};
	uint32_t offset = 0;
	int ret, did;

	while (v->to_host.seq < guest_end || v->to_guest.seq < host_end) {
		ret = guest_pump(v, &guest_sent, guest_end);
		if (ret)
			return ret;
		did = host_pump(v, &host_sent, &offset, host_end);
		if (did < 0)
			return did;
		ret = guest_reap(v);
		if (!ret && !did)
			ret = wait_for(&v->d, v->sock, POLLIN |
				       (host_sent < host_end ? POLLOUT : 0));
		if (ret >= 0)
			ret = stalled(&v->d, &p,
				      (uint64_t)v->to_host.seq + v->to_guest.seq);
		if (ret < 0)
			return ret;
	}
	return guest_drain(v);
}

/* The guest ends the connection, and the host resets it. */
static int guest_ends(struct vsock *v)
{
	char byte;
	int ret;

	ret = guest_op(v, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV |
		       VIRTIO_VSOCK_SHUTDOWN_SEND);
	if (!ret)
		ret = guest_await(v, VIRTIO_VSOCK_OP_RST, 1);
	if (!ret)
		ret = guest_drain(v);
	if (!ret && recv(v->sock, &byte, 1, 0))
		ret = fail(&v->d, 0, "the host does not see the end");
	close(v->sock);
	v->sock = -1;
	return ret;
}

/* The other way round. */
static int host_ends(struct vsock *v)
{
	int ret;

	close(v->sock);
	v->sock = -1;
	ret = guest_await(v, VIRTIO_VSOCK_OP_SHUTDOWN, 1);
	if (!ret && v->shutdown_flags != (VIRTIO_VSOCK_SHUTDOWN_RCV |
					  VIRTIO_VSOCK_SHUTDOWN_SEND))
		ret = fail(&v->d, 0, "shutdown with flags %#x", v->shutdown_flags);
	if (!ret)
		ret = guest_op(v, VIRTIO_VSOCK_OP_RST, 0);
	return ret ? ret : guest_drain(v);
}

static int vsock_run(struct vsock *v, int run)
{
	if (ioctl(v->d.fd, VHOST_VSOCK_SET_RUNNING, &run))
		return fail(&v->d, errno, "VHOST_VSOCK_SET_RUNNING %d", run);
	return 0;
}

FIXTURE(vsock) {
	struct vsock v;
};

FIXTURE_VARIANT(vsock) {
	const char *accessor;
	uint64_t features;
};

VARIANT(vsock, uaccess, plain, 0);
VARIANT(vsock, uaccess, event_idx, EVENT_IDX);
VARIANT(vsock, uaccess, indirect, EVENT_IDX | INDIRECT);
VARIANT(vsock, uaccess, iotlb, EVENT_IDX | IOTLB);
VARIANT(vsock, checked, plain, 0);
VARIANT(vsock, checked, event_idx, EVENT_IDX);
VARIANT(vsock, checked, indirect, EVENT_IDX | INDIRECT);
VARIANT(vsock, checked, iotlb, EVENT_IDX | IOTLB);
VARIANT(vsock, ringmap, plain, 0);
VARIANT(vsock, ringmap, event_idx, EVENT_IDX);
VARIANT(vsock, ringmap, indirect, EVENT_IDX | INDIRECT);
VARIANT(vsock, ringmap, iotlb, EVENT_IDX | IOTLB);

FIXTURE_SETUP(vsock)
{
	struct vsock *v = &self->v;

	memset(v, 0, sizeof(*v));
	v->listener = -1;
	v->sock = -1;
	ASSERT_OK(&v->d, device_open(&v->d, "/dev/vhost-vsock",
				     variant->accessor, 2, VSOCK_NUM,
				     2UL * VSOCK_NUM * VSOCK_BUF,
				     variant->features));
	v->d.q[VSOCK_RX].in_order = true;
	v->d.q[VSOCK_TX].in_order = true;
	/* Nobody else's, as long as process numbers are not reused. */
	v->cid = 1000 + getpid();
	ASSERT_EQ(0, ioctl(v->d.fd, VHOST_VSOCK_SET_GUEST_CID, &v->cid));
	ASSERT_OK(&v->d, host_listen(v));
	vsock_refill(v);
	ASSERT_OK(&v->d, vsock_run(v, 1));
}

FIXTURE_TEARDOWN(vsock)
{
	if (self->v.sock >= 0)
		close(self->v.sock);
	if (self->v.listener >= 0)
		close(self->v.listener);
	device_close(&self->v.d);
}

TEST_F_TIMEOUT(vsock, streams, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct counters rx, tx;
	uint32_t port;

	ASSERT_OK(d, guest_connects(v, 5000));
	ASSERT_OK(d, vsock_exchange(v, 500));
	rx = count(d, VSOCK_RX);
	tx = count(d, VSOCK_TX);
	ASSERT_OK(d, vsock_exchange(v, 3000));
	expect_counters(_metadata, d, variant->accessor, VSOCK_RX, rx);
	expect_counters(_metadata, d, variant->accessor, VSOCK_TX, tx);
	/* The buffers are small enough for both ends to have run out. */
	EXPECT_GT(v->no_credit, 0);
	EXPECT_GT(v->host_blocked, 0);
	EXPECT_GT(v->ops[VIRTIO_VSOCK_OP_CREDIT_UPDATE], 0);
	EXPECT_GE(v->ops[VIRTIO_VSOCK_OP_RW], 3500);
	EXPECT_EQ(0, v->ops[VIRTIO_VSOCK_OP_RST]);
	port = v->host_port;
	ASSERT_OK(d, guest_ends(v));

	ASSERT_OK(d, host_connects(v, 5001));
	ASSERT_OK(d, vsock_exchange(v, 500));
	ASSERT_OK(d, host_ends(v));

	/* Where nobody listens, there is a reset. */
	new_connection(v, 5002);
	v->host_port = port == 1 ? 2 : 1;
	ASSERT_OK(d, guest_op(v, VIRTIO_VSOCK_OP_REQUEST, 0));
	ASSERT_OK(d, guest_await(v, VIRTIO_VSOCK_OP_RST, 1));
	EXPECT_EQ(0, v->ops[VIRTIO_VSOCK_OP_RESPONSE]);
}

TEST_F_TIMEOUT(vsock, storm, PATIENCE)
{
	struct vsock *v = &self->v;
	struct device *d = &v->d;
	struct counters before;
	struct storm storm;
	int ret;

	ASSERT_OK(d, guest_connects(v, 7000));
	ASSERT_EQ(0, storm_start(&storm, d, variant->accessor));
	ret = vsock_exchange(v, 1000);
	EXPECT_EQ(0, storm_end(&storm)) { TH_LOG("%s", storm.d.error); }
	ASSERT_EQ(0, ret) { TH_LOG("%s", d->error); }
	EXPECT_GT(storm.rounds, 0);
	ASSERT_OK(d, vsock_exchange(v, 100));
	before = count(d, VSOCK_TX);
	ASSERT_OK(d, vsock_exchange(v, 500));
	expect_counters(_metadata, d, variant->accessor, VSOCK_TX, before);
	ASSERT_OK(d, guest_ends(v));
}

/* The connection outlives that vhost is stopped and its accessor changes. */
TEST_F_TIMEOUT(vsock, restart, PATIENCE)
{
	static const char *const accessors[] = { "uaccess", "checked", "ringmap" };
	struct vsock *v = &self->v;
	struct device *d = &v->d;

	ASSERT_OK(d, guest_connects(v, 6000));
	for (int round = 0; round < 12; round++) {
		ASSERT_OK(d, vsock_exchange(v, 50));
		if (round % 4 == 1)
			ASSERT_OK(d, set_accessor(d, accessors[round % 3]));
		if (has(d, VIRTIO_F_ACCESS_PLATFORM) && round % 4 == 3)
			ASSERT_OK(d, iotlb_invalidate(d));
		ASSERT_OK(d, vsock_run(v, 0));
		for (unsigned int i = 0; i < 2; i++) {
			struct vhost_vring_state base = { .index = i };
			struct queue *q = &d->q[i];

			ASSERT_EQ(0, ioctl(d->fd, VHOST_GET_VRING_BASE, &base));
			EXPECT_EQ(load(&q->vring.used->idx), base.num);
		}
		/* vhost reads the used flags when it starts. */
		if (has(d, VIRTIO_F_ACCESS_PLATFORM))
			ASSERT_OK(d, iotlb_update(d));
		ASSERT_OK(d, vsock_run(v, 1));
		/* What was kicked while it was stopped went unheard. */
		queue_kick(&d->q[VSOCK_RX]);
		queue_kick(&d->q[VSOCK_TX]);
		/* Then the next packets find no translation, and ask for it. */
		if (has(d, VIRTIO_F_ACCESS_PLATFORM) && round % 2)
			ASSERT_OK(d, iotlb_invalidate(d));
	}
	ASSERT_OK(d, set_accessor(d, variant->accessor));
	ASSERT_OK(d, vsock_exchange(v, 500));
	ASSERT_OK(d, guest_ends(v));
}

/* --- vhost-scsi: a RAM disk through its request queue --- */

enum { SCSI_CTL, SCSI_EVT, SCSI_REQ };

#define SCSI_NUM	128
#define SCSI_BLOCK	512
#define SCSI_IO		4096
#define SCSI_PAGES	512		/* of the RAM disk, each one SCSI_IO */
#define SCSI_TARGET	1
#define SCSI_WINDOW	24		/* commands under way */
#define SCSI_SLOT	(SCSI_IO + PAGE)

/* What a command needs; its data is in front, and so page aligned. */
struct scsi_slot {
	uint8_t data[SCSI_IO];
	struct virtio_scsi_cmd_req req;
	struct virtio_scsi_cmd_resp resp;
	struct virtio_scsi_ctrl_tmf_req tmf;
	struct virtio_scsi_ctrl_tmf_resp tmf_resp;
	uint32_t io;			/* which one it is, for the caller */
};

_Static_assert(sizeof(struct scsi_slot) <= SCSI_SLOT, "a slot is too small");

struct scsi {
	struct device d;
	struct vhost_scsi_target target;
	char disk[160];			/* configfs directories */
	char hba[128];
	char wwn[160];
	char tpg[192];
	char lun[224];
	char link[256];
};

static int make_dir(struct scsi *s, const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return fail(&s->d, errno, "mkdir %s", path);
	return 0;
}

static int set_attribute(struct scsi *s, const char *dir, const char *name,
			 const char *text)
{
	char path[300];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	n = write_text(path, text);
	if (n < 0)
		return fail(&s->d, -n, "'%s' for %s", text, path);
	return 0;
}

/* A RAM disk behind a target port of the vhost fabric. */
static int make_target(struct scsi *s)
{
	unsigned int pid = getpid();
	char text[64];

	if (access(CONFIGFS "/target", F_OK))
		mount("configfs", CONFIGFS, "configfs", 0, NULL);
	if (access(CONFIGFS "/target", F_OK))
		return fail(&s->d, errno, TARGET);
	snprintf(s->hba, sizeof(s->hba), TARGET "/core/rd_mcp_%u", pid);
	snprintf(s->disk, sizeof(s->disk), "%s/disk", s->hba);
	snprintf(s->target.vhost_wwpn, sizeof(s->target.vhost_wwpn),
		 "naa.5001405%09x", pid);
	snprintf(s->wwn, sizeof(s->wwn), TARGET "/vhost/naa.5001405%09x", pid);
	snprintf(s->tpg, sizeof(s->tpg), "%s/tpgt_%d", s->wwn, SCSI_TARGET);
	snprintf(s->lun, sizeof(s->lun), "%s/lun/lun_0", s->tpg);
	snprintf(s->link, sizeof(s->link), "%s/disk", s->lun);

	snprintf(text, sizeof(text), "rd_pages=%u", SCSI_PAGES);
	if (make_dir(s, s->hba) || make_dir(s, s->disk) ||
	    set_attribute(s, s->disk, "control", text) ||
	    set_attribute(s, s->disk, "enable", "1") ||
	    make_dir(s, TARGET "/vhost") || make_dir(s, s->wwn) ||
	    make_dir(s, s->tpg) || make_dir(s, s->lun))
		return -EPROTO;
	snprintf(text, sizeof(text), "naa.5001406%09x", pid);
	if (set_attribute(s, s->tpg, "nexus", text))
		return -EPROTO;
	if (symlink(s->disk, s->link))
		return fail(&s->d, errno, "%s", s->link);
	return 0;
}

static int remove_target(struct scsi *s)
{
	if (unlink(s->link) || rmdir(s->lun) ||
	    set_attribute(s, s->tpg, "nexus", "NULL") || rmdir(s->tpg) ||
	    rmdir(s->wwn) || rmdir(s->disk) || rmdir(s->hba))
		return fail(&s->d, errno, "cannot remove the target");
	return 0;
}

static void set_lun(uint8_t *lun)
{
	memset(lun, 0, 8);
	lun[0] = 1;
	lun[1] = SCSI_TARGET;
	lun[2] = 0x40;
}

/* The slot of the next command. */
static struct scsi_slot *scsi_slot(struct scsi *s, unsigned int head)
{
	return (void *)(s->d.data + (size_t)head * SCSI_SLOT);
}

static struct scsi_slot *scsi_next(struct scsi *s)
{
	return scsi_slot(s, queue_head(&s->d.q[SCSI_REQ]));
}

/* Data goes @in, out, or is absent if @len is 0. */
static void scsi_send(struct scsi *s, const uint8_t *cdb, size_t cdb_len,
		      uint32_t len, bool in, uint32_t io)
{
	struct queue *q = &s->d.q[SCSI_REQ];
	struct scsi_slot *slot = scsi_next(s);
	struct segment seg[3];
	unsigned int n = 0;

	memset(&slot->req, 0, sizeof(slot->req));
	memset(&slot->resp, 0xee, sizeof(slot->resp));
	set_lun(slot->req.lun);
	slot->req.tag = io;
	memcpy(slot->req.cdb, cdb, cdb_len);
	slot->io = io;
	seg[n++] = (struct segment){ &slot->req, sizeof(slot->req), false };
	if (len && !in)
		seg[n++] = (struct segment){ slot->data, len, false };
	seg[n++] = (struct segment){ &slot->resp, sizeof(slot->resp), true };
	if (len && in)
		seg[n++] = (struct segment){ slot->data, len, true };
	queue_add(&s->d, q, seg, n);
	queue_publish(&s->d, q);
}

/* The next command that is done, or NULL with -EAGAIN or an error in @ret. */
static struct scsi_slot *scsi_done(struct scsi *s, int *ret)
{
	int head = queue_used(&s->d, &s->d.q[SCSI_REQ], NULL);
	struct scsi_slot *slot;

	*ret = head < 0 ? head : 0;
	if (head < 0)
		return NULL;
	slot = scsi_slot(s, head);
	if (slot->resp.response != VIRTIO_SCSI_S_OK)
		*ret = fail(&s->d, 0, "command %u: response %u", slot->io,
			    slot->resp.response);
	return slot;
}

/* One command alone; returns its SCSI status or an error. */
static int scsi_command(struct scsi *s, const uint8_t *cdb, size_t cdb_len,
			uint32_t len, struct scsi_slot **done)
{
	double end = now() + STALL;
	int ret;

	if (len)
		memset(scsi_next(s)->data, 0xee, len);
	scsi_send(s, cdb, cdb_len, len, true, 0);
	for (;;) {
		*done = scsi_done(s, &ret);
		if (*done)
			return ret ? ret : (*done)->resp.status;
		if (ret == -EAGAIN)
			ret = wait_for(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = fail(&s->d, ETIMEDOUT, "command %#x", cdb[0]);
		if (ret)
			return ret;
	}
}

static uint8_t pattern(uint32_t io, uint32_t i, uint32_t pass)
{
	return io * 131 + i + (i >> 8) * 7 + pass * 59;
}

/* The whole disk, many commands at a time that may end in any order. */
static int scsi_sweep(struct scsi *s, bool read, uint32_t pass)
{
	uint32_t sent = 0, done = 0;
	struct progress p = {};
	bool seen[SCSI_PAGES] = {};
	int ret;

	while (done < SCSI_PAGES) {
		struct scsi_slot *slot;

		while (sent < SCSI_PAGES && sent - done < SCSI_WINDOW &&
		       queue_has_room(&s->d, &s->d.q[SCSI_REQ], 3)) {
			/* Not in the order of the blocks. */
			uint32_t io = (sent * 37 + pass) % SCSI_PAGES;
			uint32_t lba = io * (SCSI_IO / SCSI_BLOCK);
			uint8_t cdb[10] = {
				read ? 0x28 : 0x2a, 0, lba >> 24, lba >> 16,
				lba >> 8, lba, 0, 0, SCSI_IO / SCSI_BLOCK, 0,
			};

			slot = scsi_next(s);
			for (uint32_t i = 0; i < SCSI_IO; i++)
				slot->data[i] = read ? 0xee :
						pattern(io, i, pass);
			scsi_send(s, cdb, sizeof(cdb), SCSI_IO, read, io);
			sent++;
		}
		slot = scsi_done(s, &ret);
		if (!slot && ret == -EAGAIN)
			ret = wait_for(&s->d, -1, 0);
		if (!ret)
			ret = stalled(&s->d, &p, done);
		if (ret)
			return ret;
		if (!slot)
			continue;
		if (slot->resp.status || slot->resp.resid ||
		    slot->io >= SCSI_PAGES || seen[slot->io])
			return fail(&s->d, 0, "command %u: status %u, residual %u",
				    slot->io, slot->resp.status,
				    slot->resp.resid);
		seen[slot->io] = true;
		for (uint32_t i = 0; i < SCSI_IO; i++)
			if (slot->data[i] != pattern(slot->io, i, pass))
				return fail(&s->d, 0, "byte %u of page %u differs",
					    i, slot->io);
		done++;
	}
	return 0;
}

/* Reset the LUN through the control queue. */
static int scsi_reset_lun(struct scsi *s)
{
	struct queue *q = &s->d.q[SCSI_CTL];
	/* No request is under way, so its slots are ours. */
	struct scsi_slot *slot = scsi_slot(s, queue_head(q));
	struct segment seg[] = {
		{ &slot->tmf, sizeof(slot->tmf), false },
		{ &slot->tmf_resp, sizeof(slot->tmf_resp), true },
	};
	double end = now() + STALL;
	int ret;

	slot->tmf = (struct virtio_scsi_ctrl_tmf_req){
		.type = VIRTIO_SCSI_T_TMF,
		.subtype = VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
	};
	set_lun(slot->tmf.lun);
	slot->tmf_resp.response = 0xee;
	queue_add(&s->d, q, seg, ARRAY_SIZE(seg));
	queue_publish(&s->d, q);
	for (;;) {
		ret = queue_used(&s->d, q, NULL);
		if (ret >= 0)
			break;
		if (ret == -EAGAIN)
			ret = wait_for(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = fail(&s->d, ETIMEDOUT, "LUN reset");
		if (ret)
			return ret;
	}
	if (slot->tmf_resp.response != VIRTIO_SCSI_S_FUNCTION_SUCCEEDED)
		return fail(&s->d, 0, "LUN reset: response %u",
			    slot->tmf_resp.response);
	return 0;
}

static int scsi_endpoint(struct scsi *s, bool set)
{
	if (ioctl(s->d.fd, set ? VHOST_SCSI_SET_ENDPOINT :
		  VHOST_SCSI_CLEAR_ENDPOINT, &s->target))
		return fail(&s->d, errno, "endpoint %s", s->target.vhost_wwpn);
	return 0;
}

FIXTURE(scsi) {
	struct scsi s;
};

FIXTURE_VARIANT(scsi) {
	const char *accessor;
	uint64_t features;
};

VARIANT(scsi, uaccess, plain, 0);
VARIANT(scsi, uaccess, event_idx, EVENT_IDX);
VARIANT(scsi, uaccess, indirect, EVENT_IDX | INDIRECT);
VARIANT(scsi, checked, plain, 0);
VARIANT(scsi, checked, event_idx, EVENT_IDX);
VARIANT(scsi, checked, indirect, EVENT_IDX | INDIRECT);
VARIANT(scsi, ringmap, plain, 0);
VARIANT(scsi, ringmap, event_idx, EVENT_IDX);
VARIANT(scsi, ringmap, indirect, EVENT_IDX | INDIRECT);

FIXTURE_SETUP(scsi)
{
	struct scsi *s = &self->s;

	memset(s, 0, sizeof(*s));
	ASSERT_OK(&s->d, device_open(&s->d, "/dev/vhost-scsi",
				     variant->accessor, 3, SCSI_NUM,
				     (size_t)SCSI_NUM * SCSI_SLOT,
				     variant->features |
				     BIT_ULL(VIRTIO_SCSI_F_HOTPLUG)));
	ASSERT_OK(&s->d, make_target(s));
	ASSERT_OK(&s->d, scsi_endpoint(s, true));
}

FIXTURE_TEARDOWN(scsi)
{
	struct scsi *s = &self->s;

	EXPECT_EQ(0, scsi_endpoint(s, false));
	EXPECT_EQ(0, remove_target(s)) { TH_LOG("%s", s->d.error); }
	device_close(&s->d);
}

TEST_F_TIMEOUT(scsi, disk, PATIENCE)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	static const uint8_t test_unit_ready[6] = {};
	struct counters before = count(&self->s.d, SCSI_REQ), ctl;
	struct scsi *s = &self->s;
	struct scsi_slot *done;
	int ret;

	ret = scsi_command(s, inquiry, sizeof(inquiry), 36, &done);
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.error); }
	EXPECT_EQ(0, done->data[0]);		/* a disk */
	EXPECT_EQ(0, memcmp(done->data + 8, "LIO-ORG ", 8));
	EXPECT_EQ(0, memcmp(done->data + 16, "RAMDISK-MCP", 11));
	/* It may have to say first that it was switched on. */
	ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	if (ret == 2)
		ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.error); }

	for (uint32_t pass = 0; pass < 2; pass++) {
		ASSERT_OK(&s->d, scsi_sweep(s, false, pass));
		ASSERT_OK(&s->d, scsi_sweep(s, true, pass));
	}
	expect_counters(_metadata, &s->d, variant->accessor, SCSI_REQ, before);

	/* The control queue is idle otherwise: its first accesses count. */
	ctl = count(&s->d, SCSI_CTL);
	for (int i = 0; i < 20; i++)
		ASSERT_OK(&s->d, scsi_reset_lun(s));
	ctl.mapped = stat_of(&s->d, SCSI_CTL, "mapped") - ctl.mapped;
	EXPECT_EQ(!strcmp(variant->accessor, "ringmap"), ctl.mapped > 0);

	/* Without its endpoint the device is stopped; the disk keeps its data. */
	ASSERT_OK(&s->d, scsi_endpoint(s, false));
	ASSERT_OK(&s->d, scsi_endpoint(s, true));
	ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	if (ret == 2)
		ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.error); }
	ASSERT_OK(&s->d, scsi_sweep(s, true, 1));
}

/* One event, as vhost reports it. */
static int scsi_event(struct scsi *s, uint32_t reason)
{
	struct queue *q = &s->d.q[SCSI_EVT];
	struct virtio_scsi_event e;
	double end = now() + STALL;
	uint32_t len;
	int ret;

	while ((ret = queue_used(&s->d, q, &len)) == -EAGAIN) {
		ret = wait_for(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = fail(&s->d, ETIMEDOUT, "event %u", reason);
		if (ret)
			return ret;
	}
	if (ret < 0)
		return ret;
	memcpy(&e, scsi_slot(s, ret), sizeof(e));
	if (e.event != VIRTIO_SCSI_T_TRANSPORT_RESET || e.reason != reason ||
	    e.lun[0] != 1 || e.lun[1] != SCSI_TARGET || e.lun[3])
		return fail(&s->d, 0, "event %u, reason %u instead of %u, LUN %u:%u",
			    e.event, e.reason, reason, e.lun[1], e.lun[3]);
	return 0;
}

/* The disk comes and goes, which the event queue tells. */
TEST_F_TIMEOUT(scsi, hotplug, PATIENCE)
{
	struct queue *q = &self->s.d.q[SCSI_EVT];
	struct scsi *s = &self->s;
	struct counters before = count(&s->d, SCSI_EVT);
	long long mapped;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 2; i++) {
			struct segment seg = {
				.p = scsi_slot(s, queue_head(q)),
				.len = sizeof(struct virtio_scsi_event),
				.in = true,
			};

			memset(seg.p, 0xee, seg.len);
			queue_add(&s->d, q, &seg, 1);
		}
		queue_publish(&s->d, q);
		ASSERT_EQ(0, unlink(s->link));
		ASSERT_OK(&s->d, scsi_event(s, VIRTIO_SCSI_EVT_RESET_REMOVED));
		ASSERT_EQ(0, symlink(s->disk, s->link));
		ASSERT_OK(&s->d, scsi_event(s, VIRTIO_SCSI_EVT_RESET_RESCAN));
	}
	mapped = stat_of(&s->d, SCSI_EVT, "mapped") - before.mapped;
	EXPECT_EQ(!strcmp(variant->accessor, "ringmap"), mapped > 0);
}

/* --- all devices --- */

FIXTURE(all) {
	char saved[64];
};

FIXTURE_VARIANT(all) {
	const char *accessor;
	const char *shown;
};

FIXTURE_VARIANT_ADD(all, uaccess) {
	.accessor = "uaccess", .shown = "[uaccess] checked ringmap\n",
};
FIXTURE_VARIANT_ADD(all, checked) {
	.accessor = "checked", .shown = "uaccess [checked] ringmap\n",
};
FIXTURE_VARIANT_ADD(all, ringmap) {
	.accessor = "ringmap", .shown = "uaccess checked [ringmap]\n",
};

FIXTURE_SETUP(all)
{
	read_text(PARAM, self->saved, sizeof(self->saved));
	ASSERT_NE(NULL, strchr(self->saved, '['));
	ASSERT_GT(write_text(PARAM, variant->accessor), 0);
}

FIXTURE_TEARDOWN(all)
{
	char *name = strchr(self->saved, '[') + 1;

	*strchr(name, ']') = 0;
	EXPECT_GT(write_text(PARAM, name), 0);
}

/* The parameter decides for every kind of device, and for each queue. */
TEST_F_TIMEOUT(all, default_accessor, PATIENCE)
{
	static const struct {
		const char *node;
		unsigned int queues;
	} devices[] = {
		{ "/dev/vhost-test", 1 },
		{ "/dev/vhost-vsock", 2 },
		{ "/dev/vhost-scsi", 3 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
		struct device d;

		ASSERT_OK(&d, device_open(&d, devices[i].node, NULL,
					  devices[i].queues, 16, 0, 0));
		for (unsigned int q = 0; q < d.nqueues; q++) {
			char path[160], text[64];

			snprintf(path, sizeof(path), "%s/%u/accessor",
				 d.debugfs, q);
			read_text(path, text, sizeof(text));
			EXPECT_STREQ(variant->shown, text);
		}
		device_close(&d);
	}
}

TEST_HARNESS_MAIN
