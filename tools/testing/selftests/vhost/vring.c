// SPDX-License-Identifier: GPL-2.0-only
/* See vring.h. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vring.h"

#define ETHERTYPE_TEST	0x88b5	/* IEEE 802 local experimental */
#define TAP_QLEN	32767	/* the most that the kernel allows */
#define LOG_GPA		(1UL << 20)	/* guest-physical addresses are small */
#define LOG_PAGE	4096UL		/* VHOST_PAGE_SIZE */
#define TIGHT_ALIGN	16UL		/* of descriptors; more than the rest asks */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VRING_OTHER_ENDIAN	VHOST_VRING_BIG_ENDIAN
#else
#define VRING_OTHER_ENDIAN	VHOST_VRING_LITTLE_ENDIAN
#endif

struct frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t type;
	uint16_t len;
	uint64_t seq;
	uint8_t payload[];
} __attribute__((packed));

#define fail(d, ...)	vdev_fail(&(d)->vdev, __VA_ARGS__)

/* From the start of one part to that of the next. */
static size_t part_step(const struct vring_config *cfg, int queue, int part)
{
	size_t n = cfg->offset[part] + vdev_part_bytes(cfg->num[queue], part);

	return cfg->tight ? (n + TIGHT_ALIGN - 1) &
			    ~(TIGHT_ALIGN - 1) : page_up(n);
}

size_t vring_ring_bytes(const struct vring_config *cfg)
{
	size_t sum = 0;

	for (int q = 0; q < VRING_QUEUES; q++)
		for (int p = 0; p < VRING_PARTS; p++)
			sum += part_step(cfg, q, p);
	return sum;
}

/* One buffer a descriptor. */
size_t vring_buf_bytes(const struct vring_config *cfg)
{
	return ((size_t)cfg->num[VRING_RX] + cfg->num[VRING_TX]) * VRING_BUF_SIZE;
}

void *vring_map(enum vring_memory kind, size_t len)
{
	int prot = PROT_READ | PROT_WRITE, fd = -1;
	const char *dir = getenv("VRING_FILE_DIR");
	char path[256], *p;

	switch (kind) {
	case VRING_ANON:
		return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	case VRING_THP:
		p = mmap(NULL, 2 * VRING_HUGE, prot,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return p;
		p = (char *)(((uintptr_t)p + VRING_HUGE - 1) & -VRING_HUGE);
		if (madvise(p, VRING_HUGE, MADV_HUGEPAGE))
			return MAP_FAILED;
		return p;
	case VRING_HUGETLB:
		write_text("/proc/sys/vm/nr_hugepages", "8");
		return mmap(NULL, VRING_HUGE, prot,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	case VRING_SHMEM:
		return mmap(NULL, len, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	case VRING_REGULAR:
		snprintf(path, sizeof(path), "%s/rings.XXXXXX",
			 dir ? dir : "/tmp");
		fd = mkstemp(path);
		if (fd < 0)
			return MAP_FAILED;
		unlink(path);
		p = ftruncate(fd, len) ? MAP_FAILED :
		    mmap(NULL, len, prot, MAP_SHARED, fd, 0);
		close(fd);
		return p;
	}
	return MAP_FAILED;
}

static void lay_out(struct vring_dev *d)
{
	char *at = d->ring_mem;

	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring *v = &d->q[i].vring;
		void *part[VRING_PARTS];

		for (int p = 0; p < VRING_PARTS; p++) {
			part[p] = at + d->cfg.offset[p];
			at += part_step(&d->cfg, i, p);
		}
		v->num = d->cfg.num[i];
		v->desc = part[VRING_DESC];
		v->avail = part[VRING_AVAIL];
		v->used = part[VRING_USED];
	}
}

static char *slot(struct vring_dev *d, int queue, unsigned int i)
{
	return d->buf + ((size_t)(queue ? d->cfg.num[0] : 0) + i) *
	       VRING_BUF_SIZE;
}

static bool in_rings(const struct vring_dev *d, const void *p)
{
	return (const char *)p >= d->ring_mem &&
	       (const char *)p < d->ring_mem + d->ring_len;
}

/* Where the driver, and the log, say that a byte is. */
static uint64_t dma(const struct vring_dev *d, const void *p)
{
	if (d->cfg.iotlb)
		return (uintptr_t)p + VDEV_IOVA_BASE;
	if (!d->cfg.log)
		return (uintptr_t)p;
	return LOG_GPA + (in_rings(d, p) ? (const char *)p - d->ring_mem :
			  (long)d->ring_len + ((const char *)p - d->buf));
}

int vring_iotlb_update(struct vring_dev *d, void *p, size_t len)
{
	return vdev_iotlb(&d->vdev, dma(d, p), p, len, VHOST_IOTLB_UPDATE);
}

int vring_iotlb_invalidate(struct vring_dev *d, void *p, size_t len)
{
	return vdev_iotlb(&d->vdev, dma(d, p), p, len, VHOST_IOTLB_INVALIDATE);
}

/* What vhost missed is in the rings or in the buffers. */
static int serve_misses(struct vring_dev *d)
{
	uint64_t iova;
	int ret = 0;

	while (d->cfg.iotlb && !ret && vdev_next_miss(&d->vdev, &iova)) {
		char *p = (char *)(uintptr_t)(iova - VDEV_IOVA_BASE);

		if (in_rings(d, p))
			ret = vring_iotlb_update(d, d->ring_mem, d->ring_len);
		else if (p >= d->buf && p < d->buf + d->buf_len)
			ret = vring_iotlb_update(d, d->buf, d->buf_len);
		else
			ret = fail(d, 0, "vhost asks for IOVA %#llx, which nobody has",
				   (unsigned long long)iova);
	}
	return ret;
}

bool vring_page_logged(struct vring_dev *d, const void *p)
{
	size_t page = (in_rings(d, p) ? (size_t)((const char *)p - d->ring_mem) :
		       d->ring_len + ((const char *)p - d->buf)) / LOG_PAGE +
		      LOG_GPA / LOG_PAGE;
	uint8_t bit = 1 << page % 8;

	return __atomic_fetch_and((uint8_t *)d->log + page / 8, ~bit,
				  __ATOMIC_SEQ_CST) & bit;
}

static void reset_queues(struct vring_dev *d)
{
	memset(d->ring_mem, 0, d->ring_len);
	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &d->q[i];

		q->avail = 0;
		q->kicked = 0;
		q->last_used = 0;
		q->place = 0;
		q->nfree = q->vring.num;
		for (unsigned int n = 0; n < q->nfree; n++)
			q->free[n] = q->nfree - 1 - n;
	}
	d->expect_seq = d->next_seq;
}

int vring_loop_frames(struct vring_dev *d)
{
	/* Every frame goes back where it came from, or nowhere. */
	struct bpf_insn prog[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0,
		  .imm = d->cfg.sink ? XDP_DROP : XDP_TX },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)prog,
		.insn_cnt = 2,
		.license = (uintptr_t)"GPL",
	};
	int fd;

	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return fail(d, errno, "cannot load the XDP program; run as root");
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = fd;
	attr.link_create.target_ifindex = d->ifindex;
	attr.link_create.attach_type = BPF_XDP;
	d->xdp_link = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (d->xdp_link < 0)
		fail(d, errno, "cannot attach the XDP program to the TAP");
	close(fd);
	return d->xdp_link < 0 ? -EPROTO : 0;
}

/* The host's own frames would use RX buffers at times nobody chose. */
static void silence(const char *ifname)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 ifname);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;		/* no IPv6, or not for us to say */
	if (write(fd, "1", 1) != 1)
		perror(path);
	close(fd);
}

static unsigned int header_bytes(const struct vring_config *cfg)
{
	return cfg->legacy && !cfg->mergeable ?
	       sizeof(struct virtio_net_hdr) :
	       sizeof(struct virtio_net_hdr_mrg_rxbuf);
}

/* What is sent there goes to the TAP at once. */
static int open_packet(struct vring_dev *d)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = d->ifindex,
	};
	int one = 1;

	d->packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (d->packet < 0 || bind(d->packet, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(d->packet, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		return fail(d, errno, "a packet socket on the TAP");
	return 0;
}

int vring_open_tap(struct vring_dev *d)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | (d->cfg.raw ? 0 : IFF_VNET_HDR),
	};
	int hdr = header_bytes(&d->cfg), sock, ret = 0;

	d->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->tap < 0)
		return fail(d, errno, "/dev/net/tun");
	if (ioctl(d->tap, TUNSETIFF, &ifr) ||
	    (!d->cfg.raw && ioctl(d->tap, TUNSETVNETHDRSZ, &hdr)))
		return fail(d, errno, "cannot create a TAP");
	silence(ifr.ifr_name);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Room in the TAP for all that can be under way. */
	ifr.ifr_qlen = TAP_QLEN;
	if (ioctl(sock, SIOCSIFTXQLEN, &ifr))
		ret = fail(d, errno, "cannot set the TAP's queue length");
	ifr.ifr_flags = IFF_UP;
	if (!ret && ioctl(sock, SIOCSIFFLAGS, &ifr))
		ret = fail(d, errno, "cannot bring the TAP up");
	if (!ret && ioctl(sock, SIOCGIFINDEX, &ifr))
		ret = fail(d, errno, "cannot find the TAP");
	close(sock);
	d->ifindex = ifr.ifr_ifindex;
	if (!ret && d->cfg.inject)
		ret = open_packet(d);
	return ret ? ret : vring_loop_frames(d);
}

static int vhost_gave_up(struct vring_dev *d)
{
	uint64_t n;
	int ret = 0;

	for (int i = 0; i < VRING_QUEUES; i++)
		if (read(d->q[i].err, &n, sizeof(n)) == sizeof(n))
			ret = fail(d, 0, "vhost reported an error on queue %d", i);
	return ret;
}

/* With a device IOTLB a ring, too, is where the driver says. */
static uint64_t ring_address(const struct vring_dev *d, const void *p)
{
	return d->cfg.iotlb ? dma(d, p) : (uintptr_t)p;
}

int vring_setup(struct vring_dev *d)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[2];
	} mem = { .m.nregions = 2 };
	bool iotlb = d->cfg.iotlb;
	uint64_t features = 0, have;

	/* Without our option there is none; who needs it will say so. */
	vdev_find_debugfs(&d->vdev);
	vhost_gave_up(d);	/* what an earlier life of the queues left */
	if (ioctl(d->vdev.fd, VHOST_SET_OWNER))
		return fail(d, errno, "VHOST_SET_OWNER");
	if (!d->cfg.legacy)
		features |= 1ULL << VIRTIO_F_VERSION_1;
	if (d->cfg.event_idx)
		features |= 1ULL << VIRTIO_RING_F_EVENT_IDX;
	if (d->cfg.indirect)
		features |= 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	if (d->cfg.mergeable)
		features |= 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	if (d->cfg.iotlb)
		features |= 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	if (d->cfg.in_order)
		features |= 1ULL << VIRTIO_F_IN_ORDER;
	if (d->cfg.log)
		features |= 1ULL << VHOST_F_LOG_ALL;
	if (d->cfg.raw)
		features |= 1ULL << VHOST_NET_F_VIRTIO_NET_HDR;
	if (ioctl(d->vdev.fd, VHOST_GET_FEATURES, &have))
		return fail(d, errno, "VHOST_GET_FEATURES");
	if (features & ~have)
		return fail(d, ENOTSUP, "vhost-net lacks features %#llx",
			    (unsigned long long)(features & ~have));
	/* Guest physical is user virtual, unless it must index a log. */
	d->cfg.iotlb = false;
	mem.r[0].guest_phys_addr = dma(d, d->ring_mem);
	mem.r[0].userspace_addr = (uintptr_t)d->ring_mem;
	mem.r[0].memory_size = d->ring_len;
	mem.r[1].guest_phys_addr = dma(d, d->buf);
	mem.r[1].userspace_addr = (uintptr_t)d->buf;
	mem.r[1].memory_size = d->buf_len;
	d->cfg.iotlb = iotlb;
	if (d->cfg.log) {
		uint64_t base = (uintptr_t)d->log;

		if (ioctl(d->vdev.fd, VHOST_SET_LOG_BASE, &base))
			return fail(d, errno, "VHOST_SET_LOG_BASE");
	}
	if (ioctl(d->vdev.fd, VHOST_SET_MEM_TABLE, &mem))
		return fail(d, errno, "VHOST_SET_MEM_TABLE");
	if (ioctl(d->vdev.fd, VHOST_SET_FEATURES, &features))
		return fail(d, errno, "VHOST_SET_FEATURES");

	reset_queues(d);
	for (unsigned int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &d->q[i];
		struct vhost_vring_addr addr = {
			.index = i,
			.flags = d->cfg.log ? 1 << VHOST_VRING_F_LOG : 0,
			.desc_user_addr = ring_address(d, q->vring.desc),
			.avail_user_addr = ring_address(d, q->vring.avail),
			.used_user_addr = ring_address(d, q->vring.used),
			.log_guest_addr = dma(d, q->vring.used),
		};
		struct vhost_vring_state busy = { i, d->cfg.busyloop_us };
		struct vhost_vring_state endian = { i, VRING_OTHER_ENDIAN };

		if (d->cfg.swapped &&
		    ioctl(d->vdev.fd, VHOST_SET_VRING_ENDIAN, &endian))
			return fail(d, errno, "VHOST_SET_VRING_ENDIAN");
		if (vdev_set_queue(&d->vdev, q->vring.num, &addr, q->kick,
				   q->call, q->err))
			return -EPROTO;
		if (ioctl(d->vdev.fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &busy))
			return fail(d, errno, "VHOST_SET_VRING_BUSYLOOP_TIMEOUT");
	}
	/* An empty IOTLB could not even say where the used flags are. */
	return iotlb ? vring_iotlb_update(d, d->ring_mem, d->ring_len) : 0;
}

static size_t log_bytes(const struct vring_dev *d)
{
	return (LOG_GPA + d->ring_len + d->buf_len) / LOG_PAGE / 8 +
	       sizeof(*d->log);
}

int vring_open(struct vring_dev *d, const struct vring_config *cfg)
{
	memset(d, 0, sizeof(*d));
	d->cfg = *cfg;
	d->vdev.nqueues = VRING_QUEUES;
	d->vdev.fd = d->tap = d->xdp_link = d->packet = -1;
	d->hdr_len = header_bytes(cfg);
	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &d->q[i];

		if (!cfg->num[i] || cfg->num[i] > 32768 ||
		    cfg->num[i] & (cfg->num[i] - 1))
			return fail(d, EINVAL, "queue size %u is not a power of two up to 32768",
				    cfg->num[i]);
		q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		q->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		q->free = calloc(cfg->num[i], sizeof(*q->free));
		q->next = calloc(cfg->num[i], sizeof(*q->next));
		q->order = calloc(cfg->num[i], sizeof(*q->order));
		if (q->kick < 0 || q->call < 0 || q->err < 0 || !q->free || !q->next)
			return fail(d, ENOMEM, "queue %d", i);
	}
	if (cfg->min_frame < VRING_MIN_FRAME || cfg->max_frame > VRING_MAX_FRAME ||
	    cfg->min_frame > cfg->max_frame)
		return fail(d, EINVAL, "frames of %u to %u bytes", cfg->min_frame,
			    cfg->max_frame);
	/* A part of the frame in each but the first, and a table behind the frame. */
	if (cfg->chain > cfg->min_frame ||
	    (cfg->indirect ? d->hdr_len + cfg->max_frame + cfg->chain *
			     sizeof(struct vring_desc) > VRING_BUF_SIZE :
			     cfg->chain > cfg->num[VRING_TX]))
		return fail(d, EINVAL, "chains of %u descriptors", cfg->chain);

	d->ring_len = vring_ring_bytes(cfg);
	d->ring_mem = cfg->memory;
	d->buf_len = vring_buf_bytes(cfg);
	if (!d->ring_mem) {
		d->ring_mem = mmap(NULL, d->ring_len +
				   (cfg->tight ? d->buf_len : 0),
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (d->ring_mem == MAP_FAILED)
			return fail(d, errno, "memory for the rings");
		d->own_mem = true;
	}
	d->buf = cfg->tight ? d->ring_mem + d->ring_len : cfg->buffers;
	if (!d->buf)
		d->buf = mmap(NULL, d->buf_len, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (d->buf == MAP_FAILED)
		return fail(d, errno, "memory for the buffers");
	lay_out(d);
	if (cfg->log) {
		d->log = calloc(1, log_bytes(d));
		if (!d->log)
			return fail(d, ENOMEM, "the log");
	}

	d->vdev.fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->vdev.fd < 0)
		return fail(d, errno, "/dev/vhost-net");
	if (vring_open_tap(d))
		return -EPROTO;
	return vring_setup(d);
}

/* Publish the descriptors that were put into the avail ring. */
static void publish(struct vring_dev *d, int queue)
{
	struct vring_queue *q = &d->q[queue];
	struct vring *v = &q->vring;
	uint64_t one = 1;

	/* Where there is no eventfd the test kicks by itself. */
	if (vdev_publish(v, q->avail, &q->kicked, d->cfg.event_idx,
			 d->cfg.swapped) &&
	    write(q->kick, &one, sizeof(one)) < 0)
		return;
}

static uint16_t x16(const struct vring_dev *d, uint16_t v)
{
	return ring16(v, d->cfg.swapped);
}

static uint32_t x32(const struct vring_dev *d, uint32_t v)
{
	return d->cfg.swapped ? __builtin_bswap32(v) : v;
}

static void set_desc(const struct vring_dev *d, struct vring_desc *desc,
		     const void *p, uint32_t len, uint16_t flags, uint16_t next)
{
	uint64_t addr = dma(d, p);

	desc->addr = d->cfg.swapped ? __builtin_bswap64(addr) : addr;
	desc->len = x32(d, len);
	desc->flags = x16(d, flags);
	desc->next = x16(d, next);
}

/* Put a chain's head into the avail ring; publish() shows it. */
static void make_available(struct vring_dev *d, int queue, uint16_t head)
{
	struct vring_queue *q = &d->q[queue];

	q->order[q->avail & (q->vring.num - 1)] = head;
	q->vring.avail->ring[q->avail++ & (q->vring.num - 1)] = x16(d, head);
}

/* A free descriptor; there is one. */
static uint16_t take_free(struct vring_dev *d, int queue)
{
	struct vring_queue *q = &d->q[queue];

	q->nfree--;
	return d->cfg.in_order ? q->place++ & (q->vring.num - 1) : q->free[q->nfree];
}

static uint16_t used_index(const struct vring_dev *d, int queue)
{
	return x16(d, load(&d->q[queue].vring.used->idx));
}

/* The next used element. In an in-order ring it is that of all buffers up to its own. */
static struct vring_used_elem next_used(struct vring_dev *d, int queue)
{
	struct vring_queue *q = &d->q[queue];
	struct vring_used_elem e;

	e = q->vring.used->ring[q->last_used & (q->vring.num - 1)];
	return (struct vring_used_elem){ x32(d, e.id), x32(d, e.len) };
}

/* The next used buffer, of this element: its head */
static uint32_t take_used(struct vring_dev *d, int queue, const struct vring_used_elem *e)
{
	struct vring_queue *q = &d->q[queue];
	uint16_t at = q->last_used++ & (q->vring.num - 1);

	return d->cfg.in_order ? q->order[at] : e->id;
}

static unsigned int rx_bytes(const struct vring_dev *d)
{
	return d->cfg.mergeable ? 128 : VRING_BUF_SIZE;
}

static void refill_rx(struct vring_dev *d)
{
	struct vring_queue *q = &d->q[VRING_RX];

	if (!q->nfree)
		return;
	while (q->nfree) {
		uint16_t i = take_free(d, VRING_RX);

		set_desc(d, &q->vring.desc[i], slot(d, VRING_RX, i), rx_bytes(d),
			 VRING_DESC_F_WRITE, 0);
		make_available(d, VRING_RX, i);
	}
	publish(d, VRING_RX);
}

static unsigned int frame_len(const struct vring_dev *d, uint64_t seq)
{
	unsigned int span = d->cfg.max_frame - d->cfg.min_frame + 1;

	return d->cfg.min_frame + (seq * 2654435761u >> 7) % span;
}

static void put_frame(struct vring_dev *d, char *buf, unsigned int len)
{
	struct frame *f = (struct frame *)buf;

	memset(f->dst, 0xff, sizeof(f->dst));
	memcpy(f->src, "\2ring\1", sizeof(f->src));
	f->type = htons(ETHERTYPE_TEST);
	f->len = len;
	f->seq = d->next_seq;
	for (unsigned int i = 0; i < len - sizeof(*f); i++)
		f->payload[i] = f->seq * 131 + i;
}

static void check_frame(struct vring_dev *d, const char *buf, unsigned int len)
{
	const struct frame *f = (const struct frame *)buf;
	bool ok = true;

	/* The host's own frames, such as a multicast report, are not ours. */
	if (len >= sizeof(*f) && f->type != htons(ETHERTYPE_TEST)) {
		d->res.foreign++;
		return;
	}
	if (len < sizeof(*f) || f->len != len || len != frame_len(d, f->seq)) {
		d->res.corrupt++;
		return;
	}
	for (unsigned int i = 0; i < len - sizeof(*f) && ok; i++)
		ok = f->payload[i] == (uint8_t)(f->seq * 131 + i);
	if (!ok) {
		d->res.corrupt++;
		return;
	}
	d->res.received++;
	if (f->seq < d->expect_seq) {
		d->res.reordered++;
		return;
	}
	d->res.lost += f->seq - d->expect_seq;
	d->expect_seq = f->seq + 1;
}

static int inject(struct vring_dev *d)
{
	unsigned int len = frame_len(d, d->next_seq);
	char frame[VRING_MAX_FRAME];

	put_frame(d, frame, len);
	if (send(d->packet, frame, len, MSG_DONTWAIT) != (ssize_t)len)
		return -EAGAIN;
	d->next_seq++;
	d->res.sent++;
	return 0;
}

/* Of the next packet's chain, or of its table */
static unsigned int descriptors(const struct vring_dev *d)
{
	if (d->cfg.chain)
		return d->cfg.chain;
	return d->cfg.indirect || (d->cfg.num[VRING_TX] > 1 && (d->next_seq & 1)) ? 2 : 1;
}

/*
 * Describe segment @i of @n of a packet: the header, and then the frame in parts of one
 * length; or both where there is one segment. @next is the descriptor of the one after.
 */
static void set_segment(const struct vring_dev *d, struct vring_desc *desc,
			const char *buf, unsigned int frame, unsigned int i,
			unsigned int n, uint16_t next)
{
	unsigned int part = n > 1 ? frame / (n - 1) : 0;
	const char *at = i ? buf + d->hdr_len + (i - 1) * part : buf;
	const char *end = i + 1 == n ? buf + d->hdr_len + frame :
				       buf + d->hdr_len + i * part;

	set_desc(d, desc, at, end - at, i + 1 < n ? VRING_DESC_F_NEXT : 0, next);
}

/* In a table behind the frame */
static void set_table(const struct vring_dev *d, struct vring_desc *desc, char *buf,
		      unsigned int frame, unsigned int n)
{
	struct vring_desc *t = (void *)(buf + VRING_BUF_SIZE - n * sizeof(*t));

	for (unsigned int i = 0; i < n; i++)
		set_segment(d, t + i, buf, frame, i, n, i + 1 < n ? i + 1 : 0);
	set_desc(d, desc, t, n * sizeof(*t), VRING_DESC_F_INDIRECT, 0);
}

/* In the ring, from a descriptor on that is taken already */
static void set_chain(struct vring_dev *d, uint16_t at, const char *buf,
		      unsigned int frame, unsigned int n)
{
	struct vring_queue *q = &d->q[VRING_TX];

	for (unsigned int i = 0; i < n; i++) {
		uint16_t next = i + 1 < n ? take_free(d, VRING_TX) : at;

		q->next[at] = next;
		set_segment(d, q->vring.desc + at, buf, frame, i, n,
			    i + 1 < n ? next : 0);
		at = next;
	}
}

int vring_send(struct vring_dev *d)
{
	struct vring_queue *q = &d->q[VRING_TX];
	unsigned int frame = frame_len(d, d->next_seq), n = descriptors(d);
	uint16_t head;
	char *buf;

	if (d->cfg.inject)
		return inject(d);
	if (q->nfree < (d->cfg.indirect ? 1 : n))
		return -EAGAIN;
	head = take_free(d, VRING_TX);
	buf = slot(d, VRING_TX, head);
	memset(buf, 0, d->hdr_len);
	put_frame(d, buf + d->hdr_len, frame);
	q->next[head] = head;
	if (d->cfg.indirect)
		set_table(d, q->vring.desc + head, buf, frame, n);
	else
		set_chain(d, head, buf, frame, n);
	make_available(d, VRING_TX, head);
	d->next_seq++;
	d->res.sent++;
	publish(d, VRING_TX);
	return 0;
}

int vring_add(struct vring_dev *d, const void *p, uint32_t len, uint16_t flags)
{
	struct vring_queue *q = &d->q[VRING_TX];
	uint16_t head;

	if (!q->nfree)
		return -EAGAIN;
	head = take_free(d, VRING_TX);
	q->next[head] = head;
	set_desc(d, q->vring.desc + head, p, len, flags, 0);
	make_available(d, VRING_TX, head);
	return 0;
}

static int bad_used(struct vring_dev *d, int queue, uint32_t id)
{
	return fail(d, 0, "queue %d: vhost used descriptor %u, which was not available",
		    queue, id);
}

static int reap_tx(struct vring_dev *d)
{
	struct vring_queue *q = &d->q[VRING_TX];
	uint16_t used = used_index(d, VRING_TX);
	struct vring_used_elem e;
	bool more = false;

	while (q->last_used != used) {
		uint32_t id;

		if (!more)
			e = next_used(d, VRING_TX);
		id = take_used(d, VRING_TX, &e);
		more = d->cfg.in_order && id != e.id;
		if (id >= q->vring.num || (more && q->last_used == used))
			return bad_used(d, VRING_TX, e.id);
		while (q->next[id] != id && q->nfree < q->vring.num) {
			q->free[q->nfree++] = id;
			id = q->next[id];
		}
		if (q->nfree == q->vring.num)
			return bad_used(d, VRING_TX, id);
		q->free[q->nfree++] = id;
		if (d->cfg.sink) {
			d->res.received++;
			d->expect_seq++;
		}
	}
	return 0;
}

static int reap_rx(struct vring_dev *d)
{
	struct vring_queue *q = &d->q[VRING_RX];
	uint16_t used = used_index(d, VRING_RX);
	char frame[VRING_BUF_SIZE + 128];
	int packets = 0;

	while (q->last_used != used) {
		unsigned int parts = 1, len = 0;
		struct vring_used_elem e;
		uint32_t id;

		for (unsigned int n = 0; n < parts; n++) {
			unsigned int bytes;

			if (q->last_used == used)
				return fail(d, 0, "a packet of %u buffers has only %u",
					    parts, n);
			if (!n || !d->cfg.in_order)
				e = next_used(d, VRING_RX);
			id = take_used(d, VRING_RX, &e);
			if (id >= q->vring.num || q->nfree == q->vring.num)
				return bad_used(d, VRING_RX, id);
			/* An element for several has the length of the last of them. */
			bytes = d->cfg.in_order && id != e.id ? rx_bytes(d) : e.len;
			if (bytes > VRING_BUF_SIZE || len + bytes > sizeof(frame))
				return fail(d, 0, "used length %u", bytes);
			memcpy(frame + len, slot(d, VRING_RX, id), bytes);
			/* One that is used empty has no header. */
			if (!n && d->cfg.mergeable && bytes >= d->hdr_len)
				parts = x16(d, ((struct virtio_net_hdr_mrg_rxbuf *)
						frame)->num_buffers);
			len += bytes;
			q->free[q->nfree++] = id;
		}
		if (d->cfg.in_order && id != e.id)
			return bad_used(d, VRING_RX, e.id);
		check_frame(d, frame + d->hdr_len,
			    len > d->hdr_len ? len - d->hdr_len : 0);
		packets++;
	}
	refill_rx(d);
	return packets;
}

int vring_reap(struct vring_dev *d)
{
	int ret = reap_tx(d);

	return ret ? ret : reap_rx(d);
}

/* Ask for a signal at the next used buffer, and wait for one. */
static void wait_call(struct vring_dev *d)
{
	struct pollfd p[VRING_QUEUES + 1];
	uint64_t n;

	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &d->q[i];

		store(&vring_used_event(&q->vring), x16(d, q->last_used));
		p[i] = (struct pollfd){ q->call, POLLIN, 0 };
	}
	full_fence();	/* the request before we look once more */
	for (int i = 0; i < VRING_QUEUES; i++)
		if (used_index(d, i) != d->q[i].last_used)
			return;
	p[VRING_QUEUES] = (struct pollfd){ d->vdev.fd, POLLIN, 0 };
	poll(p, VRING_QUEUES + d->cfg.iotlb, 20);
	for (int i = 0; i < VRING_QUEUES; i++)
		if (p[i].revents && read(d->q[i].call, &n, sizeof(n)) < 0)
			return;
}

static unsigned int window(const struct vring_dev *d)
{
	/* A mergeable frame may need this many of RX's buffers. */
	unsigned int per = d->cfg.mergeable ?
			   (d->cfg.max_frame + d->hdr_len + 127) / 128 : 1;
	unsigned int w = d->cfg.num[VRING_RX] / per;

	/* Never more than the TAP can hold. */
	if (w > TAP_QLEN / 2)
		w = TAP_QLEN / 2;
	if (d->cfg.window && d->cfg.window < w)
		w = d->cfg.window;
	return w ? w : 1;
}

int vring_run(struct vring_dev *d, uint64_t count, struct vring_result *res)
{
	double start = now(), progress = start;
	uint64_t stop = d->next_seq + count, last;
	int ret = 0;

	memset(&d->res, 0, sizeof(d->res));
	last = d->expect_seq;
	while (!ret && d->expect_seq < stop) {
		while (d->next_seq < stop &&
		       d->next_seq - d->expect_seq < window(d) &&
		       !vring_send(d))
			;
		ret = vring_reap(d);
		if (ret < 0)
			break;
		/* With a sink, what TX has used is all that comes back. */
		if (!ret && d->expect_seq == last)
			wait_call(d);
		ret = serve_misses(d);
		if (!ret)
			ret = vhost_gave_up(d);
		if (d->expect_seq != last) {
			last = d->expect_seq;
			progress = now();
		} else if (!ret && now() - progress > d->cfg.stall_ms / 1e3) {
			ret = fail(d, ETIMEDOUT,
				   "no packet for %u ms, %llu under way",
				   d->cfg.stall_ms,
				   (unsigned long long)(d->next_seq - d->expect_seq));
		}
	}
	d->res.seconds = now() - start;
	d->res.lost += stop - d->expect_seq;
	if (res)
		*res = d->res;
	if (!ret && (d->res.lost || d->res.corrupt || d->res.reordered))
		ret = fail(d, 0, "%llu lost, %llu corrupt, %llu reordered",
			   (unsigned long long)d->res.lost,
			   (unsigned long long)d->res.corrupt,
			   (unsigned long long)d->res.reordered);
	return ret;
}

static bool wants_kick(const struct vring_dev *d, int queue)
{
	const struct vring *v = &d->q[queue].vring;

	if (d->cfg.event_idx)
		return x16(d, load(&vring_avail_event(v))) == d->q[queue].avail;
	return !(x16(d, load(&v->used->flags)) & VRING_USED_F_NO_NOTIFY);
}

int vring_idle(struct vring_dev *d)
{
	double end = now() + d->cfg.stall_ms / 1e3;

	for (;;) {
		struct vring_queue *tx = &d->q[VRING_TX];
		int ret = vring_reap(d);

		if (ret < 0)
			return ret;
		ret = serve_misses(d);
		if (ret)
			return ret;
		if (d->expect_seq == d->next_seq &&
		    tx->nfree == tx->vring.num && wants_kick(d, VRING_TX))
			break;
		if (now() > end)
			return fail(d, ETIMEDOUT, "vhost does not come to rest");
		sched_yield();
	}
	/* Takes each queue's mutex, and so waits for a handler to return. */
	for (unsigned int i = 0; i < VRING_QUEUES; i++) {
		struct vhost_vring_state s = { .index = i };

		if (ioctl(d->vdev.fd, VHOST_GET_VRING_BASE, &s))
			return fail(d, errno, "VHOST_GET_VRING_BASE");
	}
	return 0;
}

int vring_start(struct vring_dev *d)
{
	/* RX buffers first, so that a packet finds one. */
	refill_rx(d);
	for (unsigned int i = 0; i < VRING_QUEUES; i++) {
		struct vhost_vring_file f = { i, d->tap };

		if (ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &f))
			return fail(d, errno, "VHOST_NET_SET_BACKEND of queue %u", i);
	}
	return 0;
}

int vring_reset_owner(struct vring_dev *d)
{
	if (ioctl(d->vdev.fd, VHOST_RESET_OWNER))
		return fail(d, errno, "VHOST_RESET_OWNER");
	return 0;
}

int vring_stop(struct vring_dev *d)
{
	for (unsigned int i = 0; i < VRING_QUEUES; i++) {
		struct vhost_vring_file f = { i, -1 };

		if (ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &f))
			return fail(d, errno, "cannot detach queue %u", i);
	}
	return 0;
}

void vring_close(struct vring_dev *d)
{
	if (d->vdev.fd >= 0)
		close(d->vdev.fd);
	if (d->xdp_link >= 0)
		close(d->xdp_link);
	if (d->packet >= 0)
		close(d->packet);
	if (d->tap >= 0)
		close(d->tap);
	for (int i = 0; i < VRING_QUEUES; i++) {
		struct vring_queue *q = &d->q[i];

		if (q->free) {
			close(q->kick);
			close(q->call);
			close(q->err);
		}
		free(q->free);
		free(q->next);
		free(q->order);
	}
	free(d->log);
	d->log = NULL;
	if (d->own_mem)
		munmap(d->ring_mem, d->ring_len +
		       (d->cfg.tight ? d->buf_len : 0));
	if (d->buf && d->buf != MAP_FAILED && !d->cfg.tight && !d->cfg.buffers)
		munmap(d->buf, d->buf_len);
	memset(d->q, 0, sizeof(d->q));
	d->buf = NULL;
	d->vdev.fd = d->tap = d->xdp_link = d->packet = -1;
	d->own_mem = false;
}

int vring_set_accessor(struct vring_dev *d, const char *accessor)
{
	return vdev_set_accessor(&d->vdev, accessor);
}

long long vring_stat(struct vring_dev *d, int queue, const char *name)
{
	return vdev_stat(&d->vdev, queue, name);
}

long long vring_stat_sum(struct vring_dev *d, const char *name)
{
	long long sum = 0;

	for (int i = 0; i < VRING_QUEUES; i++) {
		long long v = vring_stat(d, i, name);

		if (v < 0)
			return v;
		sum += v;
	}
	return sum;
}
