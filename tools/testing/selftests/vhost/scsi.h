/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scsi: the driver's side of vhost-scsi, with a RAM disk behind it.
 *
 * Functions that return int return 0 or a negative errno, with a sentence in the
 * error of the device, unless they say otherwise.
 */
#ifndef SCSI_H
#define SCSI_H

#include <linux/vhost.h>
#include <linux/virtio_scsi.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue.h"

enum { SCSI_CTL, SCSI_EVT, SCSI_REQ, SCSI_QUEUES };

#define SCSI_IO		4096
#define SCSI_PAGES	512		/* of the RAM disk, each one SCSI_IO */
#define SCSI_TARGET	1

/* What a command needs; its data is in front, and so page aligned. */
struct scsi_slot {
	uint8_t data[SCSI_IO];
	struct virtio_scsi_cmd_req req;
	struct virtio_scsi_cmd_resp resp;
	struct virtio_scsi_ctrl_tmf_req tmf;
	struct virtio_scsi_ctrl_tmf_resp tmf_resp;
	uint32_t io;			/* which one it is, for the caller */
};

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

/**
 * scsi_open() - make a target, open the device and connect the two
 * @s: scsi
 * @accessor: of its queues, or NULL for the default
 * @features: beside VIRTIO_F_VERSION_1
 */
int scsi_open(struct scsi *s, const char *accessor, uint64_t features);

/** scsi_remove() - disconnect and remove the target; device_close() is what is left */
int scsi_remove(struct scsi *s);

/**
 * scsi_make_port() - a port group without a LUN, of a target of its own
 * @s: scsi
 * @target: its name
 * @group: directory of the group, below that of the target
 */
int scsi_make_port(struct scsi *s, const char *target, const char *group);

/** scsi_remove_port() - remove it as it is; the target stays */
int scsi_remove_port(struct scsi *s, const char *target, const char *group);

/** scsi_remove_ports() - remove the target, which has none any more */
int scsi_remove_ports(struct scsi *s, const char *target);

/** scsi_endpoint() - connect the device and the target, or disconnect them */
int scsi_endpoint(struct scsi *s, bool set);

/** scsi_slot() - of the command whose chain begins at @head */
struct scsi_slot *scsi_slot(struct scsi *s, unsigned int head);

/** scsi_submit() - make a command available whose @len bytes come in; kick if wanted */
void scsi_submit(struct scsi *s, const uint8_t *cdb, size_t cdb_len, uint32_t len);

/** scsi_wait() - until a command is done; returns its SCSI status or an error */
int scsi_wait(struct scsi *s, struct scsi_slot **done);

/** scsi_command() - one command alone; returns its SCSI status or an error */
int scsi_command(struct scsi *s, const uint8_t *cdb, size_t cdb_len, uint32_t len,
		 struct scsi_slot **done);

/** scsi_ready() - hear that the unit was switched on, if it has to say so */
int scsi_ready(struct scsi *s);

/**
 * scsi_sweep() - read or write pages of the disk, commands ending in any order
 * @s: scsi
 * @read: whether to read, and compare with what was written
 * @pass: what is written, and the order of the pages
 * @pages: how many, at most SCSI_PAGES
 * @window: commands under way
 */
int scsi_sweep(struct scsi *s, bool read, uint32_t pass, uint32_t pages,
	       uint32_t window);

/** scsi_reset_lun() - through the control queue, with no request under way */
int scsi_reset_lun(struct scsi *s);

#endif /* SCSI_H */
