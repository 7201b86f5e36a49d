// SPDX-License-Identifier: GPL-2.0-only
/* See vdev.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "vdev.h"

#define DEBUGFS		"/sys/kernel/debug"
#define DEBUGFS_VHOST	DEBUGFS "/vhost"
#define PARAMETER	"/sys/module/vhost/parameters/accessor"
#define FORKS		"/sys/module/vhost/parameters/fork_from_owner_default"

int vdev_fail(struct vdev *v, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->error, sizeof(v->error), fmt, ap);
	va_end(ap);
	if (err) {
		size_t n = strlen(v->error);

		snprintf(v->error + n, sizeof(v->error) - n, ": %s",
			 strerror(err));
	}
	return -(err ? err : EPROTO);
}

int vdev_find_debugfs(struct vdev *v)
{
	unsigned int best = 0, pid, n;
	struct dirent *e;
	DIR *dir;

	v->debugfs[0] = 0;
	dir = opendir(DEBUGFS_VHOST);
	if (!dir && !mount("debugfs", DEBUGFS, "debugfs", 0, NULL))
		dir = opendir(DEBUGFS_VHOST);
	if (!dir)
		return vdev_fail(v, errno, DEBUGFS_VHOST);
	while ((e = readdir(dir)))
		if (sscanf(e->d_name, "%u-%u", &pid, &n) == 2 &&
		    pid == (unsigned int)getpid() && n > best)
			best = n;
	closedir(dir);
	if (!best)
		return vdev_fail(v, 0, "no directory of ours in " DEBUGFS_VHOST);
	snprintf(v->debugfs, sizeof(v->debugfs), DEBUGFS_VHOST "/%u-%u",
		 getpid(), best);
	return 0;
}

int vdev_set_accessor(struct vdev *v, const char *accessor)
{
	char path[160];

	for (unsigned int i = 0; i < v->nqueues; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%u/accessor", v->debugfs, i);
		n = write_text(path, accessor);
		if (n != (ssize_t)strlen(accessor))
			return vdev_fail(v, n < 0 ? -n : EIO, "'%s' for %s",
					 accessor, path);
	}
	return 0;
}

int vdev_set_default(struct vdev *v, const char *accessor)
{
	ssize_t n = write_text(PARAMETER, accessor);

	return n < 0 ? vdev_fail(v, -n, "'%s' for " PARAMETER, accessor) : 0;
}

bool vdev_forks_workers(void)
{
	char text[8];

	/* Older kernels do nothing else. */
	read_text(FORKS, text, sizeof(text));
	return text[0] != 'N';
}

pid_t vdev_worker(struct vdev *v, unsigned int queue)
{
	unsigned int index;
	char path[160];
	int worker;
	FILE *f;

	snprintf(path, sizeof(path), "%s/queues", v->debugfs);
	f = fopen(path, "re");
	if (!f) {
		vdev_fail(v, errno, "%s", path);
		return -1;
	}
	while (fscanf(f, "%u accessor=%*s mode=%*s worker=%d\n", &index, &worker) == 2) {
		if (index == queue) {
			fclose(f);
			return worker;
		}
	}
	fclose(f);
	vdev_fail(v, 0, "%s has no queue %u", path, queue);
	return -1;
}

long long vdev_stat(struct vdev *v, unsigned int queue, const char *name)
{
	long long value, found = -1;
	char path[160], key[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u/stats", v->debugfs, queue);
	f = fopen(path, "re");
	if (!f) {
		vdev_fail(v, errno, "%s", path);
		return -1;
	}
	while (fscanf(f, "%63s %lld", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(f);
	if (found < 0)
		vdev_fail(v, 0, "%s has no '%s'", path, name);
	return found;
}

int vdev_iotlb(struct vdev *v, uint64_t iova, void *p, size_t len, int type)
{
	struct vhost_msg msg = {
		.type = VHOST_IOTLB_MSG,
		.iotlb = {
			.iova = iova, .size = len, .uaddr = (uintptr_t)p,
			.perm = VHOST_ACCESS_RW, .type = type,
		},
	};

	if (write(v->fd, &msg, sizeof(msg)) != sizeof(msg))
		return vdev_fail(v, errno, "device IOTLB message %d", type);
	return 0;
}

bool vdev_next_miss(struct vdev *v, uint64_t *iova)
{
	struct vhost_msg msg;

	while (read(v->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.iotlb.type != VHOST_IOTLB_MISS)
			continue;
		*iova = msg.iotlb.iova;
		return true;
	}
	return false;
}

int vdev_set_queue(struct vdev *v, unsigned int num,
		   struct vhost_vring_addr *addr, int kick, int call, int err)
{
	struct vhost_vring_state size = { addr->index, num };
	struct vhost_vring_state base = { addr->index, 0 };
	struct vhost_vring_file kicked = { addr->index, kick };
	struct vhost_vring_file called = { addr->index, call };
	struct vhost_vring_file wrong = { addr->index, err };

	if (ioctl(v->fd, VHOST_SET_VRING_NUM, &size) ||
	    ioctl(v->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(v->fd, VHOST_SET_VRING_ADDR, addr) ||
	    ioctl(v->fd, VHOST_SET_VRING_KICK, &kicked) ||
	    ioctl(v->fd, VHOST_SET_VRING_CALL, &called) ||
	    ioctl(v->fd, VHOST_SET_VRING_ERR, &wrong))
		return vdev_fail(v, errno, "cannot set up queue %u", addr->index);
	return 0;
}

int vdev_look(struct vdev *v, unsigned int queue, int kick)
{
	struct vhost_vring_file none = { queue, -1 }, again = { queue, kick };
	uint64_t n = 1;

	/* Taking the eventfd away waits for what a kick began. */
	if (write(kick, &n, sizeof(n)) != sizeof(n) ||
	    ioctl(v->fd, VHOST_SET_VRING_KICK, &none) ||
	    read(kick, &n, sizeof(n)) != sizeof(n) ||
	    ioctl(v->fd, VHOST_SET_VRING_KICK, &again))
		return vdev_fail(v, errno, "cannot kick queue %u", queue);
	return 0;
}

size_t vdev_part_bytes(unsigned int num, int part)
{
	switch (part) {
	case VRING_DESC:
		return num * sizeof(struct vring_desc);
	case VRING_AVAIL:
		return sizeof(struct vring_avail) + (num + 1) * sizeof(uint16_t);
	default:
		return sizeof(struct vring_used) +
		       num * sizeof(struct vring_used_elem) + sizeof(uint16_t);
	}
}

bool vdev_publish(struct vring *ring, uint16_t avail, uint16_t *kicked,
		  bool event_idx, bool swapped)
{
	bool kick;

	store(&ring->avail->idx, ring16(avail, swapped));
	full_fence();	/* index before we look whether vhost sleeps */
	if (event_idx)
		kick = vring_need_event(ring16(load(&vring_avail_event(ring)),
					       swapped), avail, *kicked);
	else
		kick = !(ring16(load(&ring->used->flags), swapped) &
			 VRING_USED_F_NO_NOTIFY);
	*kicked = avail;
	return kick;
}

size_t page_up(size_t n)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (n + page - 1) & ~(page - 1);
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

long slab_objects(const char *cache)
{
	char path[96], text[32];

	/* What is cached per processor counts as allocated. */
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	write_text(path, "1");
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	read_text(path, text, sizeof(text));
	return atol(text);
}

long slab_growth(const char *cache, long before, long tolerated)
{
	for (int i = 0; i < 100 && slab_objects(cache) - before > tolerated; i++)
		usleep(100000);
	return slab_objects(cache) - before;
}

ssize_t write_text(const char *path, const char *text)
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

void read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
}
