// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost ring mappings on vhost-scsi: a RAM disk through its request queue.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>

#include "ringmap_devices.h"
#include "scsi.h"

#define WINDOW		24		/* commands under way */
#define SESSIONS	"se_sess_cache"	/* a group's nexus has one */
#define MAX_IO_VQS	"/sys/module/vhost_scsi/parameters/max_io_vqs"

FIXTURE(scsi) {
	struct scsi s;
};

VARIANTS(scsi);

FIXTURE_SETUP(scsi)
{
	ASSERT_OK(&self->s.d, scsi_open(&self->s, variant->accessor, variant->features |
					BIT_ULL(VIRTIO_SCSI_F_HOTPLUG)));
}

FIXTURE_TEARDOWN(scsi)
{
	EXPECT_EQ(0, scsi_remove(&self->s)) { TH_LOG("%s", self->s.d.vdev.error); }
	device_close(&self->s.d);
}

TEST_F_TIMEOUT(scsi, disk, PATIENCE)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	struct counters before = count(&self->s.d, SCSI_REQ), ctl;
	struct scsi *s = &self->s;
	struct scsi_slot *done;
	int ret;

	ret = scsi_command(s, inquiry, sizeof(inquiry), 36, &done);
	ASSERT_EQ(0, ret) { TH_LOG("%s", s->d.vdev.error); }
	EXPECT_EQ(0, done->data[0]);		/* a disk */
	EXPECT_EQ(0, memcmp(done->data + 8, "LIO-ORG ", 8));
	EXPECT_EQ(0, memcmp(done->data + 16, "RAMDISK-MCP", 11));
	ASSERT_OK(&s->d, scsi_ready(s));

	for (uint32_t pass = 0; pass < 2; pass++) {
		ASSERT_OK(&s->d, scsi_sweep(s, false, pass, SCSI_PAGES, WINDOW));
		ASSERT_OK(&s->d, scsi_sweep(s, true, pass, SCSI_PAGES, WINDOW));
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
	ASSERT_OK(&s->d, scsi_ready(s));
	ASSERT_OK(&s->d, scsi_sweep(s, true, 1, SCSI_PAGES, WINDOW));
}

/*
 * Commands come while the device has no endpoint. With EVENT_IDX only the first is worth
 * a kick, and nobody listens to it. They are done once there is an endpoint.
 */
TEST_F_TIMEOUT(scsi, before_endpoint, PATIENCE)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	struct scsi *s = &self->s;
	struct scsi_slot *done;
	const int commands = 3;

	for (int round = 0; round < 3; round++) {
		ASSERT_OK(&s->d, scsi_endpoint(s, false));
		for (int i = 0; i < commands; i++)
			scsi_submit(s, inquiry, sizeof(inquiry), 36);
		ASSERT_OK(&s->d, vdev_look(&s->d.vdev, SCSI_REQ, s->d.q[SCSI_REQ].kick));
		ASSERT_OK(&s->d, scsi_endpoint(s, true));
		for (int i = 0; i < commands; i++) {
			ASSERT_OK(&s->d, scsi_wait(s, &done));
			EXPECT_EQ(0, memcmp(done->data + 8, "LIO-ORG ", 8));
		}
	}
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

/*
 * Two groups of one target have one tag. The device takes one of them, and lets go of it: both
 * can be removed, nothing of them stays, and a target of their name can be used.
 */
TEST_F_TIMEOUT(scsi, one_tag_twice, PATIENCE)
{
	struct vhost_scsi_target t = {};
	struct scsi *s = &self->s;
	const int rounds = 20;
	long sessions, more;
	int fd = s->d.vdev.fd;

	snprintf(t.vhost_wwpn, sizeof(t.vhost_wwpn), "naa.5001407%09x", getpid());
	ASSERT_OK(&s->d, scsi_endpoint(s, false));
	sessions = slab_objects(SESSIONS);
	ASSERT_LT(0, sessions);
	for (int i = 0; i < rounds; i++) {
		ASSERT_OK(&s->d, scsi_make_port(s, t.vhost_wwpn, "tpgt_1"));
		ASSERT_OK(&s->d, scsi_make_port(s, t.vhost_wwpn, "tpgt_01"));
		ASSERT_EQ(0, ioctl(fd, VHOST_SCSI_SET_ENDPOINT, &t));
		ASSERT_EQ(0, ioctl(fd, VHOST_SCSI_CLEAR_ENDPOINT, &t));
		ASSERT_OK(&s->d, scsi_remove_port(s, t.vhost_wwpn, "tpgt_1"));
		ASSERT_OK(&s->d, scsi_remove_port(s, t.vhost_wwpn, "tpgt_01"));
		ASSERT_OK(&s->d, scsi_remove_ports(s, t.vhost_wwpn));
	}
	more = slab_growth(SESSIONS, sessions, rounds / 2);
	EXPECT_LE(more, rounds / 2) {
		TH_LOG("%ld more sessions after %d rounds", more, rounds);
	}
	ASSERT_OK(&s->d, scsi_make_port(s, t.vhost_wwpn, "tpgt_2"));
	EXPECT_EQ(0, ioctl(fd, VHOST_SCSI_SET_ENDPOINT, &t)) { TH_LOG("%s", strerror(errno)); }
	ASSERT_EQ(0, ioctl(fd, VHOST_SCSI_CLEAR_ENDPOINT, &t));
	ASSERT_OK(&s->d, scsi_remove_port(s, t.vhost_wwpn, "tpgt_2"));
	ASSERT_OK(&s->d, scsi_remove_ports(s, t.vhost_wwpn));
	ASSERT_OK(&s->d, scsi_endpoint(s, true));
}

/* As many queues as vhost-scsi allows: more than one kmalloc() has room for. */
TEST_F_TIMEOUT(scsi, all_queues, PATIENCE)
{
	char before[16];
	int fd;

	read_text(MAX_IO_VQS, before, sizeof(before));
	ASSERT_LT(0, write_text(MAX_IO_VQS, "1024")) { TH_LOG("%s", strerror(errno)); }
	fd = open("/dev/vhost-scsi", O_RDWR);
	EXPECT_LE(0, fd) { TH_LOG("%s", strerror(errno)); }
	if (fd >= 0)
		close(fd);
	ASSERT_LT(0, write_text(MAX_IO_VQS, before)) { TH_LOG("%s", strerror(errno)); }
}

TEST_HARNESS_MAIN
