// SPDX-License-Identifier: GPL-2.0-only
/* See virtqueue.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtqueue.h"

bool device_has(const struct device *d, unsigned int feature)
{
	return d->features & BIT_ULL(feature);
}

static uint64_t dma(const struct device *d, const void *p)
{
	return (uintptr_t)p +
	       (device_has(d, VIRTIO_F_ACCESS_PLATFORM) ? VDEV_IOVA_BASE : 0);
}

int device_iotlb_update(struct device *d)
{
	return vdev_iotlb(&d->vdev, dma(d, d->mem), d->mem, d->len,
			  VHOST_IOTLB_UPDATE);
}

int device_iotlb_invalidate(struct device *d)
{
	return vdev_iotlb(&d->vdev, dma(d, d->mem), d->mem, d->len,
			  VHOST_IOTLB_INVALIDATE);
}

/* One mapping has all that vhost can miss. */
int device_serve_misses(struct device *d)
{
	uint64_t iova;
	int ret = 0;

	while (device_has(d, VIRTIO_F_ACCESS_PLATFORM) && !ret &&
	       vdev_next_miss(&d->vdev, &iova)) {
		if (iova - dma(d, d->mem) >= d->len)
			return device_fail(d, 0, "vhost asks for IOVA %#llx, which nobody has",
					   (unsigned long long)iova);
		ret = device_iotlb_update(d);
	}
	return ret;
}

static size_t part(unsigned int num, int part)
{
	return page_up(vdev_part_bytes(num, part));
}

static size_t queue_bytes(unsigned int num)
{
	return MAX_SEGMENTS * part(num, VRING_DESC) + part(num, VRING_DESC) +
	       part(num, VRING_AVAIL) + part(num, VRING_USED);
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
		return device_fail(d, ENOMEM, "a queue");
	q->vring.num = num;
	q->vring.desc = (void *)at;
	at += part(num, VRING_DESC);
	q->vring.avail = (void *)at;
	at += part(num, VRING_AVAIL);
	q->vring.used = (void *)at;
	q->table = (void *)(at + part(num, VRING_USED));
	q->nfree = num;
	for (unsigned int i = 0; i < num; i++)
		q->free[i] = num - 1 - i;
	return 0;
}

/*
 * A vDPA device has a status, and no table: its device IOTLB says where memory is, and that
 * takes no memory but shared.
 */
static bool is_vdpa(const char *node)
{
	return strstr(node, "vdpa");
}

int device_add_status(struct device *d, uint8_t bits)
{
	uint8_t status;

	if (ioctl(d->vdev.fd, VHOST_VDPA_GET_STATUS, &status))
		return device_fail(d, errno, "VHOST_VDPA_GET_STATUS");
	status |= bits;
	if (ioctl(d->vdev.fd, VHOST_VDPA_SET_STATUS, &status))
		return device_fail(d, errno, "VHOST_VDPA_SET_STATUS %#x", status);
	return 0;
}

static int set_memory(struct device *d)
{
	struct {
		struct vhost_memory m;
		struct vhost_memory_region r[1];
	} mem = { .m.nregions = 1 };

	mem.r[0].guest_phys_addr = (uintptr_t)d->mem;
	mem.r[0].userspace_addr = (uintptr_t)d->mem;
	mem.r[0].memory_size = d->len;
	if (ioctl(d->vdev.fd, VHOST_SET_MEM_TABLE, &mem))
		return device_fail(d, errno, "VHOST_SET_MEM_TABLE");
	return 0;
}

int device_open(struct device *d, const char *node, const char *accessor,
		unsigned int nqueues, unsigned int num, size_t data,
		uint64_t features)
{
	uint64_t have;
	int ret;

	memset(d, 0, sizeof(*d));
	d->vdev.nqueues = nqueues;
	d->features = features | BIT_ULL(VIRTIO_F_VERSION_1);
	d->vdev.fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->vdev.fd < 0)
		return device_fail(d, errno, "%s", node);
	/* Without our option there is none; who needs it will say so. */
	vdev_find_debugfs(&d->vdev);
	/* Before anything is accessed, so that the counters are this one's. */
	if (accessor) {
		ret = vdev_set_accessor(&d->vdev, accessor);
		if (ret)
			return ret;
	}

	d->len = nqueues * queue_bytes(num) + page_up(data);
	d->mem = mmap(NULL, d->len, PROT_READ | PROT_WRITE,
		      (is_vdpa(node) ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	if (d->mem == MAP_FAILED)
		return device_fail(d, errno, "memory");
	d->data = d->mem + nqueues * queue_bytes(num);

	if (ioctl(d->vdev.fd, VHOST_SET_OWNER))
		return device_fail(d, errno, "VHOST_SET_OWNER");
	if (is_vdpa(node)) {
		ret = device_add_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
		if (ret)
			return ret;
	}
	if (ioctl(d->vdev.fd, VHOST_GET_FEATURES, &have))
		return device_fail(d, errno, "VHOST_GET_FEATURES");
	if (d->features & ~have)
		return device_fail(d, ENOTSUP, "%s lacks features %#llx", node,
				   (unsigned long long)(d->features & ~have));
	if (ioctl(d->vdev.fd, VHOST_SET_FEATURES, &d->features))
		return device_fail(d, errno, "VHOST_SET_FEATURES");
	ret = is_vdpa(node) ? device_add_status(d, VIRTIO_CONFIG_S_FEATURES_OK) : set_memory(d);
	if (ret)
		return ret;

	for (unsigned int i = 0; i < nqueues; i++) {
		struct queue *q = &d->q[i];
		struct vhost_vring_addr addr = { .index = i };

		ret = queue_init(d, q, num, d->mem + i * queue_bytes(num));
		if (ret)
			return ret;
		addr.desc_user_addr = dma(d, q->vring.desc);
		addr.avail_user_addr = dma(d, q->vring.avail);
		addr.used_user_addr = dma(d, q->vring.used);
		ret = vdev_set_queue(&d->vdev, num, &addr, q->kick, q->call,
				     q->err);
		if (ret)
			return ret;
	}
	/* An empty IOTLB could not even say where the used flags are. */
	return device_has(d, VIRTIO_F_ACCESS_PLATFORM) ? device_iotlb_update(d) : 0;
}

void device_close(struct device *d)
{
	if (d->vdev.fd >= 0)
		close(d->vdev.fd);
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
	d->vdev.fd = -1;
}

uint16_t queue_head(const struct queue *q)
{
	return q->free[q->nfree - 1];
}

bool queue_has_room(const struct device *d, const struct queue *q,
			   unsigned int n)
{
	return q->nfree >= (device_has(d, VIRTIO_RING_F_INDIRECT_DESC) ? 1 : n);
}

void queue_add(struct device *d, struct queue *q,
		      const struct segment *s, unsigned int n)
{
	bool indirect = device_has(d, VIRTIO_RING_F_INDIRECT_DESC) && n > 1;
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

void queue_kick(struct queue *q)
{
	uint64_t one = 1;

	/* It cannot fail before 2^64 - 1 kicks. */
	if (write(q->kick, &one, sizeof(one)) < 0)
		perror("kick");
}

void queue_publish(struct device *d, struct queue *q)
{
	struct vring *v = &q->vring;

	if (q->avail != q->kicked &&
	    vdev_publish(v, q->avail, &q->kicked,
			 device_has(d, VIRTIO_RING_F_EVENT_IDX), false))
		queue_kick(q);
}

int queue_used(struct device *d, struct queue *q, uint32_t *len)
{
	uint16_t mask = q->vring.num - 1, at;
	struct vring_used_elem e;

	if (load(&q->vring.used->idx) == q->last_used)
		return -EAGAIN;
	e = q->vring.used->ring[q->last_used & mask];
	if (e.id > mask || !q->busy[e.id])
		return device_fail(d, 0, "queue %td: vhost used descriptor %u, which was not available",
				   q - d->q, e.id);
	if (q->in_order && e.id != q->order[q->last_used & mask])
		return device_fail(d, 0, "queue %td: vhost used descriptor %u, but %u is next",
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

int device_gave_up(struct device *d)
{
	uint64_t n;

	for (unsigned int i = 0; i < d->vdev.nqueues; i++)
		if (read(d->q[i].err, &n, sizeof(n)) == sizeof(n))
			return device_fail(d, 0, "vhost reported an error on queue %u", i);
	return 0;
}

int device_wait(struct device *d, int fd, short events)
{
	struct pollfd p[MAX_QUEUES + 2];
	uint64_t n;

	for (unsigned int i = 0; i < d->vdev.nqueues; i++) {
		struct queue *q = &d->q[i];

		store(&vring_used_event(&q->vring), q->last_used);
		p[i] = (struct pollfd){ q->call, POLLIN, 0 };
	}
	p[d->vdev.nqueues] = (struct pollfd){ fd, events, 0 };
	p[d->vdev.nqueues + 1] = (struct pollfd){
		device_has(d, VIRTIO_F_ACCESS_PLATFORM) ? d->vdev.fd : -1, POLLIN, 0
	};
	full_fence();	/* the request before we look once more */
	for (unsigned int i = 0; i < d->vdev.nqueues; i++)
		if (load(&d->q[i].vring.used->idx) != d->q[i].last_used)
			return 0;
	poll(p, d->vdev.nqueues + 2, 20);
	for (unsigned int i = 0; i < d->vdev.nqueues; i++)
		if (p[i].revents && read(d->q[i].call, &n, sizeof(n)) < 0)
			return device_fail(d, errno, "call of queue %u", i);
	return device_gave_up(d);
}

int device_stalled(struct device *d, struct progress *p, uint64_t count)
{
	if (!p->since || p->count != count) {
		p->count = count;
		p->since = now();
	} else if (now() - p->since > STALL) {
		return device_fail(d, ETIMEDOUT, "stuck after %llu",
				   (unsigned long long)count);
	}
	return 0;
}
