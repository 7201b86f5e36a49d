// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings on vhost-scsi: a RAM disk through its request queue.
 */
#define _GNU_SOURCE
#include <linux/vhost.h>
#include <linux/virtio_scsi.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "ringmap_devices.h"

#define CONFIGFS	"/sys/kernel/config"
#define TARGET		CONFIGFS "/target"

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
		*ret = device_fail(&s->d, 0, "command %u: response %u", slot->io,
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
			ret = device_wait(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = device_fail(&s->d, ETIMEDOUT, "command %#x", cdb[0]);
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

static int scsi_endpoint(struct scsi *s, bool set)
{
	if (ioctl(s->d.vdev.fd, set ? VHOST_SCSI_SET_ENDPOINT :
		  VHOST_SCSI_CLEAR_ENDPOINT, &s->target))
		return device_fail(&s->d, errno, "endpoint %s", s->target.vhost_wwpn);
	return 0;
}

FIXTURE(scsi) {
	struct scsi s;
};

VARIANTS(scsi);

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
	EXPECT_EQ(0, remove_target(s)) { TH_LOG("%s", s->d.vdev.error); }
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
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.vdev.error); }
	EXPECT_EQ(0, done->data[0]);		/* a disk */
	EXPECT_EQ(0, memcmp(done->data + 8, "LIO-ORG ", 8));
	EXPECT_EQ(0, memcmp(done->data + 16, "RAMDISK-MCP", 11));
	/* It may have to say first that it was switched on. */
	ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	if (ret == 2)
		ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.vdev.error); }

	for (uint32_t pass = 0; pass < 2; pass++) {
		ASSERT_OK(&s->d, scsi_sweep(s, false, pass));
		ASSERT_OK(&s->d, scsi_sweep(s, true, pass));
	}
	expect_counters(_metadata, &s->d, variant->accessor, SCSI_REQ, before);

	/* The control queue is idle otherwise: its first accesses count. */
	ctl = count(&s->d, SCSI_CTL);
	for (int i = 0; i < 20; i++)
		ASSERT_OK(&s->d, scsi_reset_lun(s));
	ctl.mapped = vdev_stat(&s->d.vdev, SCSI_CTL, "mapped") - ctl.mapped;
	EXPECT_EQ(!strcmp(variant->accessor, "ringmap"), ctl.mapped > 0);

	/* Without its endpoint the device is stopped; the disk keeps its data. */
	ASSERT_OK(&s->d, scsi_endpoint(s, false));
	ASSERT_OK(&s->d, scsi_endpoint(s, true));
	ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	if (ret == 2)
		ret = scsi_command(s, test_unit_ready, 6, 0, &done);
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.vdev.error); }
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
		ret = device_wait(&s->d, -1, 0);
		if (!ret && now() > end)
			ret = device_fail(&s->d, ETIMEDOUT, "event %u", reason);
		if (ret)
			return ret;
	}
	if (ret < 0)
		return ret;
	memcpy(&e, scsi_slot(s, ret), sizeof(e));
	if (e.event != VIRTIO_SCSI_T_TRANSPORT_RESET || e.reason != reason ||
	    e.lun[0] != 1 || e.lun[1] != SCSI_TARGET || e.lun[3])
		return device_fail(&s->d, 0, "event %u, reason %u instead of %u, LUN %u:%u",
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
	mapped = vdev_stat(&s->d.vdev, SCSI_EVT, "mapped") - before.mapped;
	EXPECT_EQ(!strcmp(variant->accessor, "ringmap"), mapped > 0);
}

TEST_HARNESS_MAIN
