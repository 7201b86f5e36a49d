/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsock: the driver's side of vhost-vsock, and the host's sockets that it talks to:
 * one connection at a time, whose records are checked where they arrive.
 *
 * Functions that return int return 0 or a negative errno, with a sentence in the
 * error of the device.
 */
#ifndef VSOCK_H
#define VSOCK_H

#include <linux/virtio_vsock.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue.h"

enum { VSOCK_RX, VSOCK_TX, VSOCK_QUEUES };

#define VSOCK_RECORD_MAX	1800

/*
 * One direction of a connection. A stream has no packets, so it carries records
 * that say which they are; the receiver makes each again and compares.
 */
struct vsock_stream {
	uint8_t salt;
	uint32_t fixed;			/* bytes of each record; 0: they differ */
	uint32_t seq;			/* of the record under way */
	uint32_t have;			/* bytes of it */
	uint8_t buf[VSOCK_RECORD_MAX];
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

	/* Records that were sent on this connection, and bytes of the host's next */
	uint32_t guest_sent;
	uint32_t host_sent;
	uint32_t host_offset;

	int ops[8];			/* packets received, by operation */
	int refused;			/* RX buffers that came back without a packet */
	int no_credit;			/* times we had none */
	int host_blocked;		/* times the host had none */
	uint32_t shutdown_flags;
	struct vsock_stream to_host;
	struct vsock_stream to_guest;
};

/**
 * vsock_open() - open the device and a listener of the host's, and start it
 * @v: vsock
 * @accessor: of its queues, or NULL for the default
 * @features: beside VIRTIO_F_VERSION_1
 */
int vsock_open(struct vsock *v, const char *accessor, uint64_t features);

/** vsock_close() - let go of everything; also after a failed vsock_open() */
void vsock_close(struct vsock *v);

/** vsock_run() - start or stop the device */
int vsock_run(struct vsock *v, int run);

/** vsock_new_connection() - forget the last one; the next is from or to @guest_port */
void vsock_new_connection(struct vsock *v, uint32_t guest_port);

/** vsock_op() - send a packet without data */
int vsock_op(struct vsock *v, uint16_t op, uint32_t flags);

/** vsock_await() - until @n packets of operation @op came on this connection */
int vsock_await(struct vsock *v, unsigned int op, int n);

/** vsock_guest_connects() - from @port to the host's listener */
int vsock_guest_connects(struct vsock *v, uint32_t port);

/** vsock_host_connects() - the host connects to @port */
int vsock_host_connects(struct vsock *v, uint32_t port);

/**
 * vsock_guest_sends() - up to @records to the host, without looking at what vhost uses
 *
 * Return: how many there was room and credit for, or an error.
 */
int vsock_guest_sends(struct vsock *v, uint32_t records);

/** vsock_host_sends() - the same from the host to the guest */
int vsock_host_sends(struct vsock *v, uint32_t records);

/** vsock_reap() - take what vhost used, and give buffers; returns how many, or an error */
int vsock_reap(struct vsock *v);

/** vsock_settle() - until all that was sent has arrived, each record checked */
int vsock_settle(struct vsock *v);

/** vsock_exchange() - @records each way at the same time, each checked */
int vsock_exchange(struct vsock *v, uint32_t records);

/** vsock_lone_packet() - the host sends record @seq, and the guest receives it */
int vsock_lone_packet(struct vsock *v, uint32_t seq);

/** vsock_guest_ends() - the guest ends the connection, and the host resets it */
int vsock_guest_ends(struct vsock *v);

/** vsock_host_ends() - the other way round */
int vsock_host_ends(struct vsock *v);

#endif /* VSOCK_H */
