// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringmap_fuzz_test: random calls to vhost-net and random rings, on four devices at once
 * that differ in nothing but their accessor: user access, checked, ringmap, and one
 * whose accessor changes in between. After each call its result, and after each in
 * which vhost may have worked, all memory and every signal must be the same.
 *
 * Calls are typed: most are right, and are made wrong in one respect. All follow from
 * a seed. A case that fails is made as small as it gets and written to a file that
 * --replay takes.
 *
 * What a driver may not do to a published buffer before vhost used it (virtio 1.2,
 * 2.7.13) is not done: the accessors may look at it at different times.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vring.h"

#define PAGE		4096UL
#define MAX_OPS		192	/* of a case */
#define MAX_SETUP	32	/* and of what it may begin with */
#define MAX_NUM		256	/* entries of a queue */
#define CONTROLS	20	/* runs that tell whether the base differs from itself */

/* Memory, in pages: each part of each queue, data, the log, and two that are bad */
#define PART_PAGES	2
#define DATA_PAGES	8
#define PART(q, p)	((((q) * VRING_PARTS) + (p)) * PART_PAGES * PAGE)
#define DATA		PART(VRING_QUEUES, 0)
#define LOG		(DATA + DATA_PAGES * PAGE)
#define READ_ONLY	(LOG + PAGE)
#define HOLE		(READ_ONLY + PAGE)
#define SIZE		(HOLE + PAGE)

#define GPA		(1UL << 20)	/* of the memory's first byte */

#define HEADER		sizeof(struct virtio_net_hdr_mrg_rxbuf)

enum { UACCESS, CHECKED, RINGMAP, CHANGING, WORLDS };

/* The first three are accessors, too. */
static const char * const names[] = { "uaccess", "checked", "ringmap", "changing" };

static struct world {
	struct vring_dev tap;	/* only its TAP, kept over cases */
	struct vdev v;
	char *mem;		/* as vhost sees it */
	char *view;		/* the same, always there and writable */
	int memfd;
	int kick[VRING_QUEUES], call[VRING_QUEUES], err[VRING_QUEUES];
} world[WORLDS];

/* What is known of the devices: the same of all, as their answers are the same. */
static struct {
	uint64_t features;
	bool v2;
	struct queue {
		unsigned int num;
		unsigned long at[VRING_PARTS];
		uint16_t seen;		/* avail index that vhost saw last */
		uint16_t used;		/* used index */
		bool running;
	} q[VRING_QUEUES];
} model;

struct op {
	unsigned int kind;
	uint32_t a, b, c, d;
};

/* A case is judged by the first difference, and by what differs: of which kind, where */
enum { NO_DIFFERENCE, RESULT, MEMORY, SIGNALS };
static struct { unsigned int kind, where; } aspect;
static char difference[256];
static uint64_t calls, used, errors;

/* All by user access: whether the base differs from itself */
static bool control;

__attribute__((format(printf, 3, 4)))
static bool differs(unsigned int kind, unsigned int where, const char *fmt, ...)
{
	va_list ap;

	aspect.kind = kind;
	aspect.where = where;
	va_start(ap, fmt);
	vsnprintf(difference, sizeof(difference), fmt, ap);
	va_end(ap);
	return true;
}

#define ring_at(w, q, part) ((void *)((w)->view + model.q[q].at[part]))

static struct vring rings(struct world *w, unsigned int q)
{
	return (struct vring) {
		.num = model.q[q].num, .desc = ring_at(w, q, VRING_DESC),
		.avail = ring_at(w, q, VRING_AVAIL), .used = ring_at(w, q, VRING_USED),
	};
}

static bool has_iotlb(void)
{
	return model.features & 1ULL << VIRTIO_F_ACCESS_PLATFORM;
}

/* Where the driver says that something is. */
static uint64_t bus(unsigned long off)
{
	return (has_iotlb() ? VDEV_IOVA_BASE : GPA) + off;
}

static long last_avail(unsigned int q)
{
	struct vhost_vring_state s = { .index = q };

	return ioctl(world[0].v.fd, VHOST_GET_VRING_BASE, &s) ? -1 : (long)s.num;
}

/*
 * Whether descriptor @i, or entry @slot of the avail ring, or any where they are -1,
 * is published and maybe not used.
 */
static bool published(unsigned int q, int i, int slot)
{
	struct vring v = rings(&world[0], q);
	long last = last_avail(q);
	uint16_t n, seen;

	if (!model.q[q].running || last < 0)
		return false;
	n = v.avail->idx - last;
	seen = model.q[q].seen - last;
	if (n > v.num || seen > v.num)
		return true;
	if (seen > n)
		n = seen;
	for (; n; n--, last++) {
		unsigned int at = last & (v.num - 1), next = v.avail->ring[at];

		if ((i < 0 && slot < 0) || slot == (int)at)
			return true;
		for (unsigned int hops = 0; hops < v.num && next < v.num; hops++) {
			if (i == (int)next)
				return true;
			if (!(v.desc[next].flags & VRING_DESC_F_NEXT))
				break;
			next = v.desc[next].next;
		}
	}
	return false;
}

/* Until the worker has nothing to do: each may give the other queue work. */
static void wait_for_worker(struct world *w)
{
	for (int i = 0; i < 2; i++)
		ioctl(w->v.fd, VHOST_SET_LOG_BASE, NULL);
}

/* --- the calls: each answers for one world, as the system call did --- */

static int vhost_call(struct world *w, unsigned long request, void *arg)
{
	return ioctl(w->v.fd, request, arg) < 0 ? -errno : 0;
}

static int do_owner(struct world *w, const struct op *o)
{
	return vhost_call(w, VHOST_SET_OWNER, NULL);
}

static void set_accessor(struct world *w, const char *name)
{
	if (vdev_set_accessor(&w->v, control ? names[UACCESS] : name))
		errx(1, "%s", w->v.error);
}

static void find_accessor(struct world *w)
{
	if (vdev_find_debugfs(&w->v))
		errx(1, "%s", w->v.error);
	set_accessor(w, names[w == &world[CHANGING] ? RINGMAP : w - world]);
}

static int do_reset_owner(struct world *w, const struct op *o)
{
	int ret = vhost_call(w, VHOST_RESET_OWNER, NULL);

	/* The device is as new, with new files in debugfs. */
	if (!ret)
		find_accessor(w);
	return ret;
}

/* Mostly as it is, or the rings are somewhere else. */
static uint64_t wanted_iotlb(const struct op *o)
{
	bool want = o->b >> 7 & 7 ? has_iotlb() : o->b >> 6 & 1;

	return (uint64_t)want << VIRTIO_F_ACCESS_PLATFORM;
}

static int do_features(struct world *w, const struct op *o)
{
	static const uint64_t bits[] = {
		1ULL << VIRTIO_RING_F_EVENT_IDX, 1ULL << VIRTIO_RING_F_EVENT_IDX,
		1ULL << VIRTIO_RING_F_INDIRECT_DESC, 1ULL << VIRTIO_NET_F_MRG_RXBUF,
		1ULL << VHOST_F_LOG_ALL, 1ULL << VHOST_NET_F_VIRTIO_NET_HDR,
	};
	uint64_t f = wanted_iotlb(o) | (o->a % 8 ? 1ULL << VIRTIO_F_VERSION_1 : 0);

	for (unsigned int i = 0; i < sizeof(bits) / sizeof(*bits); i++)
		if (o->b >> i & 1)
			f |= bits[i];
	if (o->c % 16 == 0)
		f |= 1ULL << 63;
	return vhost_call(w, VHOST_SET_FEATURES, &f);
}

static int do_backend_features(struct world *w, const struct op *o)
{
	uint64_t f = o->a % 8 ? (o->b & 1) << VHOST_BACKEND_F_IOTLB_MSG_V2 : ~0ULL;

	return vhost_call(w, VHOST_SET_BACKEND_FEATURES, &f);
}

static int do_memory(struct world *w, const struct op *o)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[2];
	} t = { .m.nregions = 1 };

	t.r[0] = (struct vhost_memory_region){ GPA, SIZE, (uintptr_t)w->mem, 0 };
	switch (o->a % 64) {
	case 0:
		t.m.nregions = 0;
		break;
	case 1:
		t.r[0].userspace_addr = 1UL << 63;
		break;
	case 2:
		t.m.padding = 1;
		break;
	case 3:
		t.m.nregions = 1 << 20;
		break;
	case 4:
		t.r[0].memory_size = 0;
		break;
	case 5:		/* without the end of the data */
		t.r[0].memory_size = DATA + DATA_PAGES / 2 * PAGE;
		break;
	case 6 ... 24:	/* a buffer may then be in two */
		t.m.nregions = 2;
		t.r[0].memory_size = DATA + PAGE;
		t.r[1] = (struct vhost_memory_region){
			GPA + DATA + PAGE, SIZE - DATA - PAGE,
			(uintptr_t)w->mem + DATA + PAGE, 0
		};
		break;
	}
	return vhost_call(w, VHOST_SET_MEM_TABLE, &t);
}

static unsigned int queue_nr(uint32_t a)
{
	return a % 64 == 63 ? 7 : a % VRING_QUEUES;
}

static int do_num(struct world *w, const struct op *o)
{
	static const unsigned int bad[] = { 0, 3, 0x10000, ~0U };
	struct vhost_vring_state s = { queue_nr(o->a), 1U << o->b % 9 };

	if (o->c % 16 == 0)
		s.num = bad[o->b % 4];
	return vhost_call(w, VHOST_SET_VRING_NUM, &s);
}

static int do_base(struct world *w, const struct op *o)
{
	struct vhost_vring_state s = { queue_nr(o->a), 0 };

	switch (o->b % 4) {
	case 0:		/* as the driver goes on */
		s.num = rings(w, o->a % VRING_QUEUES).avail->idx;
		break;
	case 1:		/* as vhost would */
		s.num = last_avail(o->a % VRING_QUEUES);
		break;
	case 2:
		s.num = o->c % 32 ? o->c & 0xffff : o->c | 0x10000;
		break;
	}
	return vhost_call(w, VHOST_SET_VRING_BASE, &s);
}

static int do_get_base(struct world *w, const struct op *o)
{
	struct vhost_vring_state s = { queue_nr(o->a), 0 };
	int ret = vhost_call(w, VHOST_GET_VRING_BASE, &s);

	return ret ? ret : (int)s.num;
}

/* The place of a part: aligned as it must be, or not */
static unsigned long part_at(uint32_t q, int part, uint32_t where)
{
	static const unsigned long align[] = { 8, 2, 4 };
	unsigned long off = where % 4 ? 0 : where / 4 % PAGE & -align[part];

	return PART(q % VRING_QUEUES, part) + off;
}

static int do_addr(struct world *w, const struct op *o)
{
	unsigned long base = has_iotlb() ? VDEV_IOVA_BASE : (uintptr_t)w->mem;
	struct vhost_vring_addr s = {
		.index = queue_nr(o->a),
		.flags = o->d % 4 == 0 ? 1 << VHOST_VRING_F_LOG : 0,
		.desc_user_addr = base + part_at(o->a, VRING_DESC, o->b),
		.avail_user_addr = base + part_at(o->a, VRING_AVAIL, o->b >> 8),
		.used_user_addr = base + part_at(o->a, VRING_USED, o->c),
		.log_guest_addr = GPA + part_at(o->a, VRING_USED, o->c),
	};

	switch (o->d / 4 % 64) {
	case 0:
		s.flags |= 2;
		break;
	case 1:
		s.avail_user_addr |= 1;
		break;
	case 2:
		s.used_user_addr |= 2;
		break;
	case 3:
		s.desc_user_addr = 1UL << 63;
		break;
	case 4:
		s.used_user_addr = -8UL;
		break;
	case 5:
		s.desc_user_addr = base + HOLE;
		break;
	case 6:
		s.used_user_addr = base + READ_ONLY;
		break;
	case 7:
		s.log_guest_addr = -4UL;
		break;
	}
	return vhost_call(w, VHOST_SET_VRING_ADDR, &s);
}

static int do_fd(struct world *w, const struct op *o)
{
	static const unsigned long request[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	const int *fds[] = { w->kick, w->call, w->err };
	struct vhost_vring_file f = {
		queue_nr(o->a), fds[o->b % 3][o->a % VRING_QUEUES],
	};

	if (o->c % 8 == 0)
		f.fd = -1;
	else if (o->c % 8 == 1)
		f.fd = o->c & 8 ? w->tap.tap : 1 << 20;
	return vhost_call(w, request[o->b % 3], &f);
}

static int do_backend(struct world *w, const struct op *o)
{
	struct vhost_vring_file f = { queue_nr(o->a), w->tap.tap };

	if (o->b % 4 == 0)
		f.fd = -1;
	else if (o->b % 16 == 1)
		f.fd = o->b & 16 ? w->memfd : 1 << 20;
	return vhost_call(w, VHOST_NET_SET_BACKEND, &f);
}

/* Stop a queue and start it where its driver is: what was published is forgotten. */
static int do_restart(struct world *w, const struct op *o)
{
	unsigned int q = o->a % VRING_QUEUES;
	struct vhost_vring_file stop = { q, -1 }, start = { q, w->tap.tap };
	struct vhost_vring_state s = { q, rings(w, q).avail->idx };

	if (vhost_call(w, VHOST_NET_SET_BACKEND, &stop))
		return -errno;
	if (vhost_call(w, VHOST_SET_VRING_BASE, &s))
		return -errno;
	return vhost_call(w, VHOST_NET_SET_BACKEND, &start);
}

static int do_log(struct world *w, const struct op *o)
{
	uint64_t base = (uintptr_t)w->mem + LOG;
	int fd = o->b % 2 ? -1 : 1 << 20;

	if (o->a % 8 == 0)
		return vhost_call(w, VHOST_SET_LOG_FD, &fd);
	if (o->a % 32 == 1)
		base = o->b % 2 ? 1UL << 63 : (uintptr_t)w->mem + HOLE;
	return vhost_call(w, VHOST_SET_LOG_BASE, &base);
}

static int do_nonsense(struct world *w, const struct op *o)
{
	static const unsigned long request[] = {
		VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_LOG_FD,
		VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE, VHOST_SET_VRING_KICK, VHOST_NET_SET_BACKEND,
		VHOST_SET_VRING_ENDIAN, VHOST_GET_VRING_ENDIAN, _IO(VHOST_VIRTIO, 0xee),
	};
	union {
		struct vhost_vring_state s;
		char longest[128];
	} arg = { .longest = { 0 } };

	/* No file's number, which means others in other worlds */
	arg.s = (struct vhost_vring_state){ o->b % 4, (1 << 20) + o->c % 4 };
	return vhost_call(w, request[o->a % (sizeof(request) / sizeof(*request))],
			  o->d % 2 ? &arg : NULL);
}

/* A message, @less bytes of which are missing */
static int iotlb_message(struct world *w, struct vhost_iotlb_msg m, size_t less)
{
	union {
		struct vhost_msg v1;
		struct vhost_msg_v2 v2;
	} msg = { };
	size_t size = (model.v2 ? sizeof(msg.v2) : sizeof(msg.v1)) - less;

	if (model.v2) {
		msg.v2.type = VHOST_IOTLB_MSG_V2;
		msg.v2.iotlb = m;
	} else {
		msg.v1.type = VHOST_IOTLB_MSG;
		msg.v1.iotlb = m;
	}
	return write(w->v.fd, &msg, size) < 0 ? -errno : 0;
}

static int do_iotlb(struct world *w, const struct op *o)
{
	static const unsigned int perms[] = {
		VHOST_ACCESS_RW, VHOST_ACCESS_RW, VHOST_ACCESS_RO, VHOST_ACCESS_WO,
	};
	unsigned long off = 0, len = SIZE;
	struct vhost_iotlb_msg m = {
		.perm = perms[o->c % 4],
		.type = o->a % 4 ? VHOST_IOTLB_UPDATE : VHOST_IOTLB_INVALIDATE,
	};

	switch (o->b % 4) {
	case 0:
		off = PART(o->b >> 2 & 1, (o->b >> 3) % VRING_PARTS);
		len = PART_PAGES * PAGE;
		break;
	case 1:
		off = (o->b >> 2) % (SIZE / PAGE) * PAGE;
		len = PAGE;
		break;
	}
	m.iova = VDEV_IOVA_BASE + off;
	m.uaddr = (uintptr_t)w->mem + off;
	m.size = len;
	switch (o->d % 32) {
	case 0:
		m.size = 0;
		break;
	case 1:
		m.type = 77;
		break;
	case 2:
		m.uaddr = 1UL << 63;
		break;
	}
	return iotlb_message(w, m, o->d % 32 == 3 ? 8 : 0);
}

/* Everything that vhost missed, as one number; then it mostly gets it. */
static int do_misses(struct world *w, const struct op *o)
{
	static const struct op update_all = { .a = 1, .b = 3, .d = 5 };
	union {
		struct vhost_msg v1;
		struct vhost_msg_v2 v2;
	} msg;
	unsigned int sum = 1;
	ssize_t n;

	for (;;) {
		memset(&msg, 0, sizeof(msg));
		n = read(w->v.fd, &msg, sizeof(msg));
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + ((unsigned char *)&msg)[i];
	}
	if (has_iotlb() && o->a % 4)
		do_iotlb(w, &update_all);
	return sum & 0x7fffffff;
}

/*
 * vhost finds everything but up to three pages of the data. A chain may fail there, at
 * its first descriptor or later, and a call that has the hole elsewhere mends it.
 */
static int do_hole(struct world *w, const struct op *o)
{
	unsigned long from = DATA + o->a % (DATA_PAGES - 1) * PAGE;
	unsigned long to = from + o->b % 4 * PAGE;
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[2];
	} t = {
		.m.nregions = 2,
		.r = {
			{ bus(0), from, (uintptr_t)w->mem, 0 },
			{ bus(to), SIZE - to, (uintptr_t)w->mem + to, 0 },
		},
	};
	struct vhost_iotlb_msg m = {
		.iova = bus(0), .size = SIZE, .type = VHOST_IOTLB_INVALIDATE,
	};
	int ret;

	if (!has_iotlb())
		return vhost_call(w, VHOST_SET_MEM_TABLE, &t);
	ret = iotlb_message(w, m, 0);
	m.type = VHOST_IOTLB_UPDATE;
	m.perm = VHOST_ACCESS_RW;
	for (int i = 0; i < 2 && !ret; i++) {
		m.iova = t.r[i].guest_phys_addr;
		m.size = t.r[i].memory_size;
		m.uaddr = t.r[i].userspace_addr;
		ret = iotlb_message(w, m, 0);
		/* It goes on with what it missed, and does not see the next one. */
		wait_for_worker(w);
	}
	return ret;
}

/* --- the rings --- */

/*
 * A packet to send whose bytes fault is tried again at once and for ever, by the base,
 * too. What it races with then depends on time: there are none.
 */
static uint64_t buffer(const struct op *o, bool may_fault)
{
	switch (o->c % 32) {
	case 0:
		return bus(READ_ONLY);
	case 1:
		if (may_fault)
			return bus(HOLE);
		break;
	case 2:
		return bus(SIZE) + PAGE;
	case 3:
		return -16ULL;
	}
	return bus(DATA + (o->c >> 5) % ((DATA_PAGES - 2) * PAGE));
}

static uint32_t length(const struct op *o)
{
	static const uint32_t lens[] = {
		0, 1, 10, 12, 13, 14, 26, 72, 128, 1526, 2048, 70000, ~0U,
	};

	if (o->d % 4)
		return 60 + o->d / 4 % 1500;
	return lens[o->d / 4 % (sizeof(lens) / sizeof(*lens))];
}

/* Descriptor, or entry of a table: flags and next are random, but usable. */
static struct vring_desc some_desc(unsigned int q, const struct op *o)
{
	struct vring_desc desc;

	desc.flags = q == VRING_RX ? VRING_DESC_F_WRITE : 0;
	if (o->b % 3 == 0)
		desc.flags |= VRING_DESC_F_NEXT;
	if (o->b % 16 == 1)
		desc.flags ^= VRING_DESC_F_WRITE;
	if (o->b % 16 == 3)
		desc.flags |= VRING_DESC_F_INDIRECT;
	desc.next = o->b % 32 == 6 ? 0xffff : o->b / 64 % model.q[q].num;
	desc.len = length(o);
	desc.addr = buffer(o, desc.flags & (VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT));
	return desc;
}

static int do_desc(struct world *w, const struct op *o)
{
	unsigned int q = o->a % VRING_QUEUES;

	rings(w, q).desc[(o->a >> 1) % model.q[q].num] = some_desc(q, o);
	return 0;
}

static int do_avail(struct world *w, const struct op *o)
{
	struct vring v = rings(w, o->a % VRING_QUEUES);

	v.avail->ring[o->b % v.num] = o->c % 64 ? o->c / 64 % v.num : o->c >> 16;
	return 0;
}

static int do_index(struct world *w, const struct op *o)
{
	struct vring v = rings(w, o->a % VRING_QUEUES);

	v.avail->idx = o->b % 32 ? v.avail->idx + o->b / 32 % 4 : o->c;
	return 0;
}

static int do_event(struct world *w, const struct op *o)
{
	struct vring v = rings(w, o->a % VRING_QUEUES);

	v.avail->flags = o->b % 2;
	vring_used_event(&v) = o->b % 4 ? v.used->idx + o->b / 8 % 3 : o->c;
	return 0;
}

/* A buffer is in one part, or in up to four: each is then in a page of its own. */
static unsigned int parts(const struct op *o)
{
	return o->b % 4 == 3 ? 1 : 2 + o->b / 4 % 3;
}

/* Parts are in a chain, or in a table where that says so or the ring is too small. */
static bool in_table(const struct op *o, unsigned int num)
{
	return o->b % 4 == 1 || parts(o) > num;
}

/* Publish one buffer that is as it should be, in descriptors after the index. */
static int do_buffer(struct world *w, const struct op *o)
{
	unsigned int q = o->a % VRING_QUEUES, n = parts(o), len = 100 + o->d % 88;
	struct vring v = rings(w, q);
	unsigned int head = (o->a >> 1) % v.num;
	bool indirect = in_table(o, v.num);
	/* The table is behind all data. */
	unsigned long room = (DATA_PAGES - 1) * PAGE, at = o->c * 2048UL;
	struct vring_desc *table = (void *)(w->view + DATA + room);

	for (unsigned int part = 0; part < n; part++, at += PAGE) {
		char *slot = w->view + DATA + at % room;
		char *data = part ? slot + HEADER : slot;
		unsigned int i = indirect ? part : (head + part) % v.num;
		struct vring_desc *desc = indirect ? &table[i] : &v.desc[i];

		/*
		 * Where a header may be are zeroes; the rest is even. A header that
		 * asks for a checksum out of reach is tried again for ever, too.
		 */
		if (q == VRING_TX) {
			memset(slot, 0, HEADER);
			for (unsigned int byte = HEADER; byte < 200; byte++)
				slot[byte] = (o->d + byte * o->b) & ~1;
		}
		desc->addr = bus(data - w->view);
		desc->len = n == 1 ? HEADER + len : part ? len / (n - 1) : HEADER;
		desc->flags = q == VRING_RX ? VRING_DESC_F_WRITE : 0;
		desc->next = 0;
		if (part + 1 < n) {
			desc->flags |= VRING_DESC_F_NEXT;
			desc->next = indirect ? i + 1 : (i + 1) % v.num;
		}
	}
	if (indirect)
		v.desc[head] = (struct vring_desc){
			bus(DATA + room), n * sizeof(*table), VRING_DESC_F_INDIRECT, 0
		};
	v.avail->ring[v.avail->idx & (v.num - 1)] = head;
	store(&v.avail->idx, v.avail->idx + 1);
	return 0;
}

static int do_kick(struct world *w, const struct op *o)
{
	return eventfd_write(w->kick[o->a % VRING_QUEUES], 1) ? -errno : 0;
}

/* --- the memory --- */

static unsigned long some_page(const struct op *o)
{
	return o->a % (LOG / PAGE) * PAGE;
}

static int do_protect(struct world *w, const struct op *o)
{
	static const int prot[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE,
	};

	return mprotect(w->mem + some_page(o), PAGE,
			prot[o->b % (some_page(o) < DATA ? 4 : 3)]) ? -errno : 0;
}

static void map_again(struct world *w, unsigned long off, size_t len)
{
	if (mmap(w->mem + off, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 w->memfd, off) == MAP_FAILED)
		err(1, "mmap");
}

static int do_remap(struct world *w, const struct op *o)
{
	map_again(w, some_page(o), PAGE);
	return 0;
}

static int do_unmap(struct world *w, const struct op *o)
{
	if (some_page(o) >= DATA)
		return 0;
	return mmap(w->mem + some_page(o), PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ?
	       -errno : 0;
}

static int do_advise(struct world *w, const struct op *o)
{
	static const int advice[] = { MADV_DONTNEED, MADV_REMOVE, MADV_PAGEOUT };

	return madvise(w->mem + some_page(o), PAGE, advice[o->b % 3]) ? -errno : 0;
}

static int do_accessor(struct world *w, const struct op *o)
{
	/* Only ringmap reads ahead: mostly from there to user access, or back. */
	static const unsigned int to[] = { UACCESS, RINGMAP, CHECKED, RINGMAP, UACCESS };

	if (w == &world[CHANGING])
		set_accessor(w, names[to[o->a % 5]]);
	return 0;
}

/*
 * In a wild case anything may be wrong, and queues soon stop. In a calm one there are
 * only buffers that vhost cannot find for a while, and queues go on for long.
 */
enum { WILD, CALM, MOODS };

/*
 * weight: how often it is drawn, by mood; works: vhost may have worked when it returns;
 * touches: what may not be published then
 */
enum { NOTHING, ONE_DESC, ONE_ENTRY, NEXT_BUFFER, ONE_PAGE };

static const struct kind {
	const char *name;
	int (*call)(struct world *w, const struct op *o);
	unsigned int weight[MOODS];
	bool works;
	int touches;
	bool is_call;
} kinds[] = {
	{ "set_owner", do_owner, { 2, 0 }, true, NOTHING, true },
	{ "reset_owner", do_reset_owner, { 1, 0 }, true, NOTHING, true },
	{ "set_features", do_features, { 6, 0 }, true, NOTHING, true },
	{ "set_backend_features", do_backend_features, { 1, 0 }, false, NOTHING, true },
	{ "set_mem_table", do_memory, { 4, 0 }, true, NOTHING, true },
	{ "set_vring_num", do_num, { 4, 0 }, false, NOTHING, true },
	{ "set_vring_base", do_base, { 4, 0 }, false, NOTHING, true },
	{ "get_vring_base", do_get_base, { 2, 0 }, false, NOTHING, true },
	{ "set_vring_addr", do_addr, { 3, 0 }, true, NOTHING, true },
	{ "set_vring_fd", do_fd, { 4, 0 }, true, NOTHING, true },
	{ "restart", do_restart, { 12, 2 }, true, NOTHING, true },
	{ "set_backend", do_backend, { 6, 0 }, true, NOTHING, true },
	{ "set_log", do_log, { 3, 0 }, true, NOTHING, true },
	{ "nonsense", do_nonsense, { 3, 0 }, true, NOTHING, true },
	{ "iotlb", do_iotlb, { 8, 0 }, true, NOTHING, true },
	{ "misses", do_misses, { 8, 4 }, true, NOTHING, true },
	{ "hole", do_hole, { 10, 14 }, true, NOTHING, true },
	{ "desc", do_desc, { 6, 0 }, false, ONE_DESC, false },
	{ "avail", do_avail, { 4, 0 }, false, ONE_ENTRY, false },
	{ "index", do_index, { 3, 0 }, false, NOTHING, false },
	{ "event", do_event, { 4, 4 }, false, NOTHING, false },
	{ "buffer", do_buffer, { 40, 60 }, false, NEXT_BUFFER, false },
	{ "kick", do_kick, { 40, 20 }, true, NOTHING, true },
	{ "mprotect", do_protect, { 3, 0 }, false, ONE_PAGE, false },
	{ "remap", do_remap, { 4, 1 }, false, ONE_PAGE, false },
	{ "unmap", do_unmap, { 1, 0 }, false, ONE_PAGE, false },
	{ "madvise", do_advise, { 4, 1 }, false, ONE_PAGE, false },
	{ "accessor", do_accessor, { 12, 10 }, true, NOTHING, false },
};

#define KINDS	(sizeof(kinds) / sizeof(*kinds))

static uint64_t made[KINDS], refused[KINDS];

static bool allowed(const struct op *o)
{
	unsigned int q = o->a % VRING_QUEUES, num = model.q[q].num;
	unsigned int i = (o->a >> 1) % num;

	switch (kinds[o->kind].touches) {
	case ONE_DESC:
		return !published(q, i, -1);
	case ONE_ENTRY:
		return !published(q, -2, o->b % num);
	case NEXT_BUFFER:
		if (published(q, i, rings(&world[0], q).avail->idx & (num - 1)))
			return false;
		for (unsigned int n = in_table(o, num) ? 1 : parts(o); n > 1; n--)
			if (published(q, (i + n - 1) % num, -2))
				return false;
		return true;
	case ONE_PAGE:
		q = some_page(o) / (PART(1, 0));
		return q >= VRING_QUEUES || some_page(o) >= PART(q, VRING_USED) ||
		       !published(q, -1, -1);
	}
	return true;
}

/* What a call that was granted tells about the devices. */
static void learn(const struct op *o, int ret)
{
	struct queue *q = &model.q[o->a % VRING_QUEUES];
	int (*call)(struct world *w, const struct op *o) = kinds[o->kind].call;

	if (ret < 0)
		return;
	if (call == do_reset_owner) {
		model.features = 0;
		model.v2 = false;
		for (int i = 0; i < VRING_QUEUES; i++)
			model.q[i].running = false;
	} else if (call == do_num) {
		q->num = 1U << o->b % 9;
	} else if (call == do_addr) {
		q->at[VRING_DESC] = part_at(o->a, VRING_DESC, o->b);
		q->at[VRING_AVAIL] = part_at(o->a, VRING_AVAIL, o->b >> 8);
		q->at[VRING_USED] = part_at(o->a, VRING_USED, o->c);
	} else if (call == do_backend) {
		q->running = o->b % 4;
	} else if (call == do_restart) {
		q->running = true;
	} else if (call == do_backend_features) {
		model.v2 = o->b & 1;
	} else if (call == do_features) {
		model.features = wanted_iotlb(o);
	}
}

static eventfd_t signals(int fd)
{
	eventfd_t n;

	return eventfd_read(fd, &n) ? 0 : n;
}

static bool compare(void)
{
	eventfd_t call[VRING_QUEUES], error[VRING_QUEUES];

	for (int q = 0; q < VRING_QUEUES; q++) {
		uint16_t n;

		call[q] = signals(world[0].call[q]);
		error[q] = signals(world[0].err[q]);
		n = rings(&world[0], q).used->idx;
		/* It may also be another ring, or a new start. */
		if ((uint16_t)(n - model.q[q].used) <= MAX_NUM)
			used += (uint16_t)(n - model.q[q].used);
		model.q[q].used = n;
		model.q[q].seen = rings(&world[0], q).avail->idx;
		errors += error[q];
	}
	for (int i = 1; i < WORLDS; i++) {
		struct world *w = &world[i];
		unsigned long at = 0;

		if (memcmp(w->view, world[0].view, SIZE)) {
			while (w->view[at] == world[0].view[at])
				at++;
			return differs(MEMORY, at / PAGE, "%s: memory at %#lx is %#x, not %#x", names[i], at,
				       (unsigned char)w->view[at],
				       (unsigned char)world[0].view[at]);
		}
		for (int q = 0; q < VRING_QUEUES; q++) {
			eventfd_t calls = signals(w->call[q]), errs = signals(w->err[q]);

			if (calls != call[q] || errs != error[q])
				return differs(SIGNALS, q, "%s: queue %d signalled call %" PRIu64 " and err %"
					       PRIu64 " times, not %" PRIu64 " and %" PRIu64,
					       names[i], q, calls, errs, call[q], error[q]);
		}
	}
	return false;
}

static bool run_op(const struct op *o)
{
	const struct kind *k = &kinds[o->kind];
	int ret[WORLDS];

	if (!allowed(o))
		return false;
	for (int i = 0; i < WORLDS; i++)
		ret[i] = k->call(&world[i], o);
	calls += k->is_call;
	made[o->kind]++;
	refused[o->kind] += ret[0] < 0;
	for (int i = 1; i < WORLDS; i++)
		if (ret[i] != ret[0])
			return differs(RESULT, o->kind, "%s: %s returned %d, not %d", names[i],
				       k->name, ret[i], ret[0]);
	learn(o, ret[0]);
	if (!k->works)
		return false;
	for (int i = 0; i < WORLDS; i++)
		wait_for_worker(&world[i]);
	return compare();
}

/* --- cases --- */

static uint64_t random_state;

/* SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" */
static uint64_t random64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int kind_of(const char *name)
{
	for (unsigned int i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return i;
	errx(1, "'%s' is no call; see kinds[] in ringmap_fuzz_test.c", name);
}

/* What a driver does first: mostly right, so that there is something to go wrong. */
static unsigned int set_up(struct op *o)
{
	uint32_t iotlb = random64() % 3 ? 0 : 1 << 6, r = random64();
	struct op setup[] = {
		{ kind_of("set_owner"), 0, 0, 0, 0 },
		{ kind_of("set_features"), 1, (r & 0x2f) | iotlb, 1, 0 },
		{ kind_of("set_mem_table"), 63, 0, 0, 0 },
		{ kind_of("iotlb"), 1, 3, 0, 5 },
		{ kind_of("set_log"), 7, 0, 0, 0 },
	};
	unsigned int n = sizeof(setup) / sizeof(*setup);

	memcpy(o, setup, sizeof(setup));
	for (uint32_t q = 0; q < VRING_QUEUES; q++) {
		o[n++] = (struct op){ kind_of("set_vring_num"), q, random64() >> 32, 1, 0 };
		o[n++] = (struct op){ kind_of("set_vring_addr"), q, random64() >> 32,
				      random64() >> 32, 4 * 63 + (r >> 8) % 4 };
		for (uint32_t fd = 0; fd < 3; fd++)
			o[n++] = (struct op){ kind_of("set_vring_fd"), q, fd, 2, 0 };
		o[n++] = (struct op){ kind_of("set_backend"), q, 3, 0, 0 };
	}
	return n;
}

static unsigned int make_case(struct op *o, uint64_t seed)
{
	unsigned int total = 0, n, weight, mood;

	random_state = seed;
	mood = random64() % 2 ? WILD : CALM;
	for (unsigned int i = 0; i < KINDS; i++)
		total += kinds[i].weight[mood];
	n = mood == CALM || random64() % 16 ? set_up(o) : 0;
	while (n < MAX_OPS - MAX_SETUP) {
		uint64_t x = random64(), y = random64();

		weight = random64() % total;
		o[n].kind = 0;
		while (weight >= kinds[o[n].kind].weight[mood])
			weight -= kinds[o[n].kind++].weight[mood];
		o[n].a = x;
		o[n].b = x >> 32;
		o[n].c = y;
		o[n].d = y >> 32;
		n++;
		/* Without an owner, little would happen until the end. */
		if (kinds[o[n - 1].kind].call == do_reset_owner && y % 8)
			n += set_up(o + n);
		/* What failed is tried again, maybe by another accessor. */
		if (kinds[o[n - 1].kind].call == do_hole && y % 4) {
			o[n++] = (struct op){ kind_of("accessor"), x >> 16, 0, 0, 0 };
			for (int i = 0; i < 2; i++)
				o[n++] = (struct op){ kind_of("kick"), VRING_TX, 0, 0, 0 };
		}
	}
	return n;
}

static void begin_case(void)
{
	memset(&model, 0, sizeof(model));
	difference[0] = 0;
	for (unsigned int q = 0; q < VRING_QUEUES; q++) {
		model.q[q].num = 16;
		for (int p = 0; p < VRING_PARTS; p++)
			model.q[q].at[p] = PART(q, p);
	}
	for (int i = 0; i < WORLDS; i++) {
		struct world *w = &world[i];
		char frame[4096];

		map_again(w, 0, READ_ONLY);
		memset(w->view, 0, SIZE);
		while (read(w->tap.tap, frame, sizeof(frame)) > 0)
			;
		for (int q = 0; q < VRING_QUEUES; q++) {
			eventfd_t n;

			eventfd_read(w->call[q], &n);
			eventfd_read(w->err[q], &n);
			eventfd_read(w->kick[q], &n);
		}
		w->v.fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (w->v.fd < 0)
			err(1, "/dev/vhost-net");
		find_accessor(w);
	}
}

static uint64_t mapped, fell_back, fills;

static void *close_world(void *w)
{
	close(((struct world *)w)->v.fd);
	return NULL;
}

static void end_case(void)
{
	struct world *w = &world[RINGMAP];
	pthread_t closer[WORLDS];

	for (int q = 0; q < VRING_QUEUES; q++) {
		mapped += vdev_stat(&w->v, q, "mapped");
		fell_back += vdev_stat(&w->v, q, "fallback");
		fills += vdev_stat(&w->v, q, "fills");
	}
	/* Each close waits for grace periods. */
	for (int i = 0; i < WORLDS; i++)
		if (pthread_create(&closer[i], NULL, close_world, &world[i]))
			err(1, "threads");
	for (int i = 0; i < WORLDS; i++)
		pthread_join(closer[i], NULL);
}

/* Returns whether the worlds differ. */
static bool run_case(const struct op *o, unsigned int n)
{
	bool bad = false;

	begin_case();
	for (unsigned int i = 0; i < n && !bad; i++)
		bad = run_op(&o[i]);
	end_case();
	return bad;
}

/* Whether, in @times runs by user access alone, the base differs from itself as well. */
static bool unsteady(const struct op *o, unsigned int n, int times)
{
	typeof(aspect) is = aspect;
	char what[sizeof(difference)];
	bool found = false;

	memcpy(what, difference, sizeof(what));
	control = true;
	while (!found && times--)
		found = run_case(o, n) && aspect.kind == is.kind && aspect.where == is.where;
	control = false;
	aspect = is;
	memcpy(difference, what, sizeof(what));
	return found;
}

/* Leave out whatever can be: in halves, quarters, and so on to single calls. */
static unsigned int shrink(struct op *o, unsigned int n)
{
	char what[sizeof(difference)];
	struct op try[MAX_OPS];

	memcpy(what, difference, sizeof(what));

	for (unsigned int len = n / 2; len; len /= 2)
		for (unsigned int at = 0; at < n; ) {
			unsigned int cut = len < n - at ? len : n - at;

			memcpy(try, o, at * sizeof(*o));
			memcpy(try + at, o + at + cut, (n - at - cut) * sizeof(*o));
			if (run_case(try, n - cut) && !unsteady(try, n - cut, CONTROLS / 4)) {
				memcpy(what, difference, sizeof(what));
				n -= cut;
				memcpy(o, try, n * sizeof(*o));
			} else {
				at += cut;
			}
		}
	memcpy(difference, what, sizeof(what));
	return n;
}

static void write_case(const char *path, const struct op *o, unsigned int n)
{
	FILE *f = fopen(path, "we");

	if (!f)
		err(1, "%s", path);
	fprintf(f, "# %s\n", difference);
	for (unsigned int i = 0; i < n; i++)
		fprintf(f, "%s %#x %#x %#x %#x\n", kinds[o[i].kind].name, o[i].a, o[i].b,
			o[i].c, o[i].d);
	if (fclose(f))
		err(1, "%s", path);
}

static unsigned int read_case(const char *path, struct op *o)
{
	FILE *f = fopen(path, "re");
	char line[256], name[32];
	unsigned int n = 0;

	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (n == MAX_OPS)
			errx(1, "%s: more than %d calls", path, MAX_OPS);
		if (sscanf(line, "%31s %i %i %i %i", name, (int *)&o[n].a, (int *)&o[n].b,
			   (int *)&o[n].c, (int *)&o[n].d) != 5)
			errx(1, "%s: '%.*s' is no call and four numbers", path,
			     (int)strcspn(line, "\n"), line);
		o[n++].kind = kind_of(name);
	}
	fclose(f);
	return n;
}

static void open_worlds(void)
{
	for (int i = 0; i < WORLDS; i++) {
		struct world *w = &world[i];

		w->v.nqueues = VRING_QUEUES;
		if (vring_open_tap(&w->tap))
			errx(1, "%s", w->tap.vdev.error);
		w->memfd = memfd_create("fuzz", MFD_CLOEXEC);
		if (w->memfd < 0 || ftruncate(w->memfd, SIZE))
			err(1, "memory");
		w->view = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->memfd, 0);
		w->mem = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, w->memfd, 0);
		if (w->view == MAP_FAILED || w->mem == MAP_FAILED ||
		    mmap(w->mem + HOLE, PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			err(1, "memory");
		for (int q = 0; q < VRING_QUEUES; q++) {
			w->kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
			w->call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
			w->err[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
			if (w->kick[q] < 0 || w->call[q] < 0 || w->err[q] < 0)
				err(1, "eventfd");
		}
	}
}

static struct {
	uint64_t seed, calls;
	const char *replay, *out;
} args = { .seed = 1, .calls = 20000, .out = "ringmap_fuzz_test.replay" };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	char *end;

	switch (key) {
	case 's':
	case 'n':
		*(key == 's' ? &args.seed : &args.calls) = strtoull(arg, &end, 0);
		if (!*arg || *end)
			argp_error(state, "'%s' is no number", arg);
		return 0;
	case 'r':
		args.replay = arg;
		return 0;
	case 'c':
		control = true;
		return 0;
	case 'o':
		args.out = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': there are only options", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "seed", 's', "NUMBER", 0, "what all calls follow from (1)", 0 },
	{ "calls", 'n', "NUMBER", 0, "calls to make, of each device (20000)", 0 },
	{ "replay", 'r', "FILE", 0, "make the calls in FILE", 0 },
	{ "control", 'c', NULL, 0, "all devices by user access: is the base steady?", 0 },
	{ "out", 'o', "FILE", 0, "where a case that fails goes (ringmap_fuzz_test.replay)", 0 },
	{ 0 }
};

static const struct argp argp = {
	options, parse, NULL,
	"Compares vhost's accessors call by call, on random calls and rings.",
	NULL, NULL, NULL
};

int main(int argc, char **argv)
{
	double start = now(), said = start;
	struct op o[MAX_OPS];
	uint64_t cases = 0, doubtful = 0;
	unsigned int n;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	open_worlds();
	if (args.replay) {
		n = read_case(args.replay, o);
		if (run_case(o, n)) {
			printf("%s\n", difference);
			return 1;
		}
		printf("%u calls, no difference; %" PRIu64 " buffers used, %" PRIu64 " errors\n",
		       n, used, errors);
		return 0;
	}
	printf("seed %" PRIu64 "\n", args.seed);
	fflush(stdout);
	for (; calls < args.calls; cases++) {
		n = make_case(o, args.seed * 0x100000001b3 + cases);
		if (run_case(o, n)) {
			uint64_t made = calls;

			fprintf(stderr, "case %" PRIu64 " differs: %s\n", cases, difference);
			if (!control && unsteady(o, n, CONTROLS)) {
				fprintf(stderr, "so does the base from itself\n");
				doubtful++;
				calls = made;
				continue;
			}
			n = shrink(o, n);
			write_case(args.out, o, n);
			printf("%s\nafter %" PRIu64 " calls; %u of %d are enough: %s\n",
			       difference, made, n, MAX_OPS, args.out);
			return 1;
		}
		if (now() - said > 10) {
			said = now();
			fprintf(stderr, "%.0f s: %" PRIu64 " of %" PRIu64 " calls\n",
				said - start, calls, args.calls);
		}
	}
	printf("%" PRIu64 " calls in %" PRIu64 " cases, by four accessors: %" PRIu64
	       " unsteady, 0 failed\n", calls, cases, doubtful);
	printf("%" PRIu64 " buffers used and %" PRIu64 " errors signalled by each device\n",
	       used, errors);
	printf("ringmap: %" PRIu64 " accesses mapped, %" PRIu64 " fell back, %" PRIu64 " fills\n",
	       mapped, fell_back, fills);
	printf("%-20s %8s %8s\n", "", "made", "refused");
	for (unsigned int i = 0; i < KINDS; i++)
		printf("%-20s %8" PRIu64 " %8" PRIu64 "\n", kinds[i].name, made[i], refused[i]);
	/* Or what excuses a difference would hide it. */
	if (doubtful * 50 > cases + 200) {
		printf("too many are unsteady to tell\n");
		return 1;
	}
	return !mapped;
}
