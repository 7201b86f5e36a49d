// SPDX-License-Identifier: GPL-2.0-only
/* See scsi.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scsi.h"

#define CONFIGFS	"/sys/kernel/config"
#define TARGET		CONFIGFS "/target"

#define SCSI_NUM	128
#define CHECK_CONDITION	2
#define SCSI_BLOCK	512
#define SCSI_SLOT	(SCSI_IO + PAGE)

_Static_assert(sizeof(struct scsi_slot) <= SCSI_SLOT, "a slot is too small");

static int make_dir(struct scsi *s, const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return device_fail(&s->d, errno, "mkdir %s", path);
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
		return device_fail(&s->d, -n, "'%s' for %s", text, path);
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
		return device_fail(&s->d, errno, TARGET);
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
		return device_fail(&s->d, errno, "%s", s->link);
	return 0;
}

static int remove_target(struct scsi *s)
{
	if (unlink(s->link) || rmdir(s->lun) ||
	    set_attribute(s, s->tpg, "nexus", "NULL") || rmdir(s->tpg) ||
	    rmdir(s->wwn) || rmdir(s->disk) || rmdir(s->hba))
		return device_fail(&s->d, errno, "cannot remove the target");
	return 0;
}

int scsi_make_port(struct scsi *s, const char *target, const char *group)
{
	char path[280], initiator[64];

	snprintf(path, sizeof(path), TARGET "/vhost/%s", target);
	if (make_dir(s, path))
		return -EPROTO;
	snprintf(path, sizeof(path), TARGET "/vhost/%s/%s", target, group);
	snprintf(initiator, sizeof(initiator), "naa.5001408%09x", getpid());
	return make_dir(s, path) || set_attribute(s, path, "nexus", initiator) ? -EPROTO : 0;
}

int scsi_remove_port(struct scsi *s, const char *target, const char *group)
{
	char path[300];

	snprintf(path, sizeof(path), TARGET "/vhost/%s/%s", target, group);
	return rmdir(path) ? device_fail(&s->d, errno, "rmdir %s", path) : 0;
}

int scsi_remove_ports(struct scsi *s, const char *target)
{
	char path[300];

	snprintf(path, sizeof(path), TARGET "/vhost/%s", target);
	return rmdir(path) ? device_fail(&s->d, errno, "rmdir %s", path) : 0;
}

static void set_lun(uint8_t *lun)
{
	memset(lun, 0, 8);
	lun[0] = 1;
	lun[1] = SCSI_TARGET;
	lun[2] = 0x40;
}

struct scsi_slot *scsi_slot(struct scsi *s, unsigned int head)
{
	return (void *)(s->d.data + (size_t)head * SCSI_SLOT);
}

/* The slot of the next command. */
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
		*ret = device_fail(&s->d, 0, "command %u: response %u", slot->io,
				   slot->resp.response);
	return slot;
}

void scsi_submit(struct scsi *s, const uint8_t *cdb, size_t cdb_len, uint32_t len)
{
	if (len)
		memset(scsi_next(s)->data, 0xee, len);
	scsi_send(s, cdb, cdb_len, len, true, 0);
}

int scsi_wait(struct scsi *s, struct scsi_slot **done)
{
	double end = now() + STALL;
	int ret;

	for (;;) {
		*done = scsi_done(s, &ret);
		if (*done)
			return ret ? ret : (*done)->resp.status;
		if (ret == -EAGAIN)
			ret = device_wait(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = device_fail(&s->d, ETIMEDOUT, "a command");
		if (ret)
			return ret;
	}
}

int scsi_command(struct scsi *s, const uint8_t *cdb, size_t cdb_len, uint32_t len,
		 struct scsi_slot **done)
{
	scsi_submit(s, cdb, cdb_len, len);
	return scsi_wait(s, done);
}

static uint8_t pattern(uint32_t io, uint32_t i, uint32_t pass)
{
	return io * 131 + i + (i >> 8) * 7 + pass * 59;
}

int scsi_sweep(struct scsi *s, bool read, uint32_t pass, uint32_t pages,
	       uint32_t window)
{
	uint32_t sent = 0, done = 0;
	struct progress p = {};
	bool seen[SCSI_PAGES] = {};
	int ret;

	while (done < pages) {
		struct scsi_slot *slot;

		while (sent < pages && sent - done < window &&
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
			ret = device_wait(&s->d, -1, 0);
		if (!ret)
			ret = device_stalled(&s->d, &p, done);
		if (ret)
			return ret;
		if (!slot)
			continue;
		if (slot->resp.status || slot->resp.resid ||
		    slot->io >= SCSI_PAGES || seen[slot->io])
			return device_fail(&s->d, 0, "command %u: status %u, residual %u",
					   slot->io, slot->resp.status,
					   slot->resp.resid);
		seen[slot->io] = true;
		for (uint32_t i = 0; i < SCSI_IO; i++)
			if (slot->data[i] != pattern(slot->io, i, pass))
				return device_fail(&s->d, 0, "byte %u of page %u differs",
						   i, slot->io);
		done++;
	}
	return 0;
}

int scsi_reset_lun(struct scsi *s)
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
	queue_add(&s->d, q, seg, 2);
	queue_publish(&s->d, q);
	for (;;) {
		ret = queue_used(&s->d, q, NULL);
		if (ret >= 0)
			break;
		if (ret == -EAGAIN)
			ret = device_wait(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = device_fail(&s->d, ETIMEDOUT, "LUN reset");
		if (ret)
			return ret;
	}
	if (slot->tmf_resp.response != VIRTIO_SCSI_S_FUNCTION_SUCCEEDED)
		return device_fail(&s->d, 0, "LUN reset: response %u",
				   slot->tmf_resp.response);
	return 0;
}

int scsi_ready(struct scsi *s)
{
	static const uint8_t test_unit_ready[6] = {};
	struct scsi_slot *done;
	int ret;

	ret = scsi_command(s, test_unit_ready, sizeof(test_unit_ready), 0, &done);
	if (ret == CHECK_CONDITION)
		ret = scsi_command(s, test_unit_ready, sizeof(test_unit_ready), 0, &done);
	return ret > 0 ? device_fail(&s->d, 0, "the unit is not ready: status %d", ret) : ret;
}

int scsi_endpoint(struct scsi *s, bool set)
{
	if (ioctl(s->d.vdev.fd, set ? VHOST_SCSI_SET_ENDPOINT :
		  VHOST_SCSI_CLEAR_ENDPOINT, &s->target))
		return device_fail(&s->d, errno, "endpoint %s", s->target.vhost_wwpn);
	return 0;
}

int scsi_open(struct scsi *s, const char *accessor, uint64_t features)
{
	int ret;

	memset(s, 0, sizeof(*s));
	ret = device_open(&s->d, "/dev/vhost-scsi", accessor, SCSI_QUEUES, SCSI_NUM,
			  (size_t)SCSI_NUM * SCSI_SLOT, features);
	if (!ret)
		ret = make_target(s);
	return ret ? ret : scsi_endpoint(s, true);
}

int scsi_remove(struct scsi *s)
{
	int ret = scsi_endpoint(s, false);

	return ret ? ret : remove_target(s);
}
