// SPDX-License-Identifier: GPL-2.0-only
/* See vsock.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vhost.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* After <sys/socket.h>, which it needs and does not include. */
#include <linux/vm_sockets.h>

#include "vsock.h"

#define VSOCK_NUM	128
#define VSOCK_BUF	2048
#define VSOCK_HDR	sizeof(struct virtio_vsock_hdr)
#define HOST_BUFFER	32768		/* of the host's socket */
#define GUEST_BUFFER	16384		/* of ours */

static uint32_t record_len(const struct vsock_stream *s, uint32_t seq)
{
	return s->fixed ? s->fixed :
	       8 + (seq * 2654435761u >> 7) % (VSOCK_RECORD_MAX - 7);
}

static uint32_t make_record(const struct vsock_stream *s, uint8_t *buf, uint32_t seq)
{
	uint32_t len = record_len(s, seq);

	memcpy(buf, &seq, 4);
	memcpy(buf + 4, &len, 4);
	for (uint32_t i = 8; i < len; i++)
		buf[i] = seq * 131 + i + s->salt;
	return len;
}

static int stream_feed(struct device *d, struct vsock_stream *s, const uint8_t *p,
		       uint32_t len)
{
	uint8_t expected[VSOCK_RECORD_MAX];

	while (len) {
		uint32_t whole = record_len(s, s->seq), n = whole - s->have;

		if (n > len)
			n = len;
		memcpy(s->buf + s->have, p, n);
		s->have += n;
		p += n;
		len -= n;
		if (s->have < whole)
			break;
		make_record(s, expected, s->seq);
		if (memcmp(expected, s->buf, whole))
			return device_fail(d, 0, "record %u of stream %u is corrupt",
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

	if (!used) {
		v->refused++;
		return 0;
	}
	if (used < sizeof(h) || used > VSOCK_BUF)
		return device_fail(d, 0, "a packet of %u bytes", used);
	memcpy(&h, buf, sizeof(h));
	/*
	 * A host that closes what was reset already resets it once more, perhaps
	 * when the next connection has begun.
	 */
	if (h.op == VIRTIO_VSOCK_OP_RST && h.dst_port != v->guest_port)
		return 0;
	if (h.src_cid != VMADDR_CID_HOST || h.dst_cid != v->cid ||
	    h.dst_port != v->guest_port || h.type != VIRTIO_VSOCK_TYPE_STREAM ||
	    h.op >= sizeof(v->ops) / sizeof(*v->ops) || h.len != used - sizeof(h))
		return device_fail(d, 0, "a bad header: %llu:%u to %llu:%u, op %u, %u of %u bytes",
				   (unsigned long long)h.src_cid, h.src_port,
				   (unsigned long long)h.dst_cid, h.dst_port, h.op,
				   h.len, used);
	if (h.op == VIRTIO_VSOCK_OP_REQUEST)
		v->host_port = h.src_port;
	else if (h.src_port != v->host_port)
		return device_fail(d, 0, "a packet from port %u", h.src_port);
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
			return device_fail(d, 0, "the host exceeds its credit");
		if (v->rx_cnt - v->fwd_cnt >= GUEST_BUFFER / 2)
			v->owe_credit = true;
		return stream_feed(d, &v->to_guest,
				   (const uint8_t *)buf + sizeof(h), h.len);
	}
	return 0;
}

int vsock_reap(struct vsock *v)
{
	struct device *d = &v->d;
	int head, n = 0, ret;
	uint32_t len;

	while ((head = queue_used(d, &d->q[VSOCK_TX], &len)) >= 0) {
		if (len)
			return device_fail(d, 0, "vhost says that it wrote %u bytes", len);
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
	ret = device_serve_misses(d);
	return ret ? ret : n;
}

int vsock_await(struct vsock *v, unsigned int op, int n)
{
	double end = now() + STALL;
	int ret;

	while (v->ops[op] < n) {
		ret = vsock_reap(v);
		if (!ret)
			ret = device_wait(&v->d, -1, 0);
		if (ret < 0)
			return ret;
		if (now() > end)
			return device_fail(&v->d, ETIMEDOUT, "no packet with operation %u",
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
		ret = vsock_reap(v);
		if (!ret)
			ret = device_wait(&v->d, -1, 0);
		if (ret < 0)
			return ret;
		if (now() > end)
			return device_fail(&v->d, ETIMEDOUT, "vhost does not take all");
	}
	return 0;
}

int vsock_op(struct vsock *v, uint16_t op, uint32_t flags)
{
	int ret = guest_send(v, op, flags, NULL, 0);

	return ret ? device_fail(&v->d, -ret, "no descriptor for operation %u", op) : 0;
}

void vsock_new_connection(struct vsock *v, uint32_t guest_port)
{
	v->guest_port = guest_port;
	v->peer_buf_alloc = 0;
	v->peer_fwd_cnt = 0;
	v->tx_cnt = 0;
	v->rx_cnt = 0;
	v->fwd_cnt = 0;
	v->owe_credit = false;
	v->guest_sent = 0;
	v->host_sent = 0;
	v->host_offset = 0;
	v->no_credit = 0;
	v->host_blocked = 0;
	v->shutdown_flags = 0;
	memset(v->ops, 0, sizeof(v->ops));
	v->to_host = (struct vsock_stream){ .salt = 17, .fixed = v->to_host.fixed };
	v->to_guest = (struct vsock_stream){ .salt = 91, .fixed = v->to_guest.fixed };
}

static int host_buffer(struct vsock *v, int sock)
{
	uint64_t size = HOST_BUFFER;

	if (setsockopt(sock, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size,
		       sizeof(size)))
		return device_fail(&v->d, errno, "SO_VM_SOCKETS_BUFFER_SIZE");
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
		return device_fail(&v->d, errno, "a vsock socket");
	if (host_buffer(v, v->listener))
		return -EPROTO;
	if (bind(v->listener, (void *)&a, sizeof(a)) || listen(v->listener, 1) ||
	    getsockname(v->listener, (void *)&a, &len))
		return device_fail(&v->d, errno, "the vsock listener");
	v->host_port = a.svm_port;
	return 0;
}

int vsock_guest_connects(struct vsock *v, uint32_t port)
{
	struct pollfd p = { .fd = v->listener, .events = POLLIN };
	int ret;

	vsock_new_connection(v, port);
	ret = vsock_op(v, VIRTIO_VSOCK_OP_REQUEST, 0);
	if (!ret)
		ret = vsock_await(v, VIRTIO_VSOCK_OP_RESPONSE, 1);
	if (ret)
		return ret;
	poll(&p, 1, STALL * 1000);
	v->sock = accept4(v->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (v->sock < 0)
		return device_fail(&v->d, errno, "accept");
	return 0;
}

int vsock_host_connects(struct vsock *v, uint32_t port)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = v->cid, .svm_port = port,
	};
	struct pollfd p = { .events = POLLOUT };
	socklen_t len = sizeof(int);
	int ret, err = 0;

	vsock_new_connection(v, port);
	v->sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->sock < 0)
		return device_fail(&v->d, errno, "a vsock socket");
	if (host_buffer(v, v->sock))
		return -EPROTO;
	if (!connect(v->sock, (void *)&a, sizeof(a)) || errno != EINPROGRESS)
		return device_fail(&v->d, errno, "connect");
	ret = vsock_await(v, VIRTIO_VSOCK_OP_REQUEST, 1);
	if (!ret)
		ret = vsock_op(v, VIRTIO_VSOCK_OP_RESPONSE, 0);
	if (!ret)
		ret = guest_drain(v);
	if (ret)
		return ret;
	p.fd = v->sock;
	poll(&p, 1, STALL * 1000);
	if (getsockopt(v->sock, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	return err ? device_fail(&v->d, err, "the host's connection") : 0;
}

/* Send records up to @end, while there are credit and descriptors. */
static int guest_pump(struct vsock *v, uint32_t end)
{
	uint8_t buf[VSOCK_RECORD_MAX];
	int ret;

	while (v->guest_sent < end) {
		uint32_t len = make_record(&v->to_host, buf, v->guest_sent);

		if (v->peer_buf_alloc - (v->tx_cnt - v->peer_fwd_cnt) < len) {
			v->no_credit++;
			return 0;
		}
		ret = guest_send(v, VIRTIO_VSOCK_OP_RW, 0, buf, len);
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
		v->guest_sent++;
	}
	return 0;
}

/* The host's side: returns whether it could do anything, or an error. */
static int host_push(struct vsock *v, uint32_t end)
{
	uint8_t buf[VSOCK_RECORD_MAX];
	int did = 0;
	ssize_t n;

	while (v->host_sent < end) {
		uint32_t len = make_record(&v->to_guest, buf, v->host_sent);

		n = send(v->sock, buf + v->host_offset, len - v->host_offset,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			v->host_blocked++;
			break;
		}
		if (n <= 0)
			return device_fail(&v->d, errno, "the host's send");
		did = 1;
		v->host_offset += n;
		if (v->host_offset == len) {
			v->host_sent++;
			v->host_offset = 0;
		}
	}
	return did;
}

static int host_pull(struct vsock *v)
{
	uint8_t buf[VSOCK_RECORD_MAX];
	int did = 0, ret;
	ssize_t n;

	for (;;) {
		n = recv(v->sock, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			return did;
		if (n <= 0)
			return device_fail(&v->d, n ? errno : EPIPE, "the host's recv");
		ret = stream_feed(&v->d, &v->to_host, buf, n);
		if (ret)
			return ret;
		did = 1;
	}
}

int vsock_guest_sends(struct vsock *v, uint32_t records)
{
	uint32_t before = v->guest_sent;
	int ret = guest_pump(v, before + records);

	return ret ? ret : (int)(v->guest_sent - before);
}

int vsock_host_sends(struct vsock *v, uint32_t records)
{
	uint32_t before = v->host_sent;
	int ret = host_push(v, before + records);

	return ret < 0 ? ret : (int)(v->host_sent - before);
}

/* Until both sides have what the other is to send. */
static int exchange_until(struct vsock *v, uint32_t guest_end, uint32_t host_end)
{
	struct progress p = {};
	int ret, did;

	while (v->to_host.seq < guest_end || v->to_guest.seq < host_end) {
		ret = guest_pump(v, guest_end);
		if (ret)
			return ret;
		did = host_pull(v);
		if (did < 0)
			return did;
		ret = host_push(v, host_end);
		if (ret < 0)
			return ret;
		did |= ret;
		ret = vsock_reap(v);
		if (!ret && !did)
			ret = device_wait(&v->d, v->sock, POLLIN |
					  (v->host_sent < host_end ? POLLOUT : 0));
		if (ret >= 0)
			ret = device_stalled(&v->d, &p,
					     (uint64_t)v->to_host.seq + v->to_guest.seq);
		if (ret < 0)
			return ret;
	}
	return guest_drain(v);
}

int vsock_settle(struct vsock *v)
{
	return exchange_until(v, v->guest_sent, v->host_sent);
}

int vsock_exchange(struct vsock *v, uint32_t records)
{
	return exchange_until(v, v->guest_sent + records, v->host_sent + records);
}

int vsock_lone_packet(struct vsock *v, uint32_t seq)
{
	uint8_t buf[VSOCK_RECORD_MAX];
	ssize_t len = make_record(&v->to_guest, buf, seq);
	int ret;

	if (send(v->sock, buf, len, MSG_NOSIGNAL) != len)
		return device_fail(&v->d, errno, "record %u is not sent", seq);
	v->host_sent = seq + 1;
	ret = vsock_await(v, VIRTIO_VSOCK_OP_RW, seq + 1);
	return ret ? ret : guest_drain(v);
}

int vsock_guest_ends(struct vsock *v)
{
	char byte;
	int ret;

	ret = vsock_op(v, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV |
		       VIRTIO_VSOCK_SHUTDOWN_SEND);
	if (!ret)
		ret = vsock_await(v, VIRTIO_VSOCK_OP_RST, 1);
	if (!ret)
		ret = guest_drain(v);
	if (!ret && recv(v->sock, &byte, 1, 0))
		ret = device_fail(&v->d, 0, "the host does not see the end");
	close(v->sock);
	v->sock = -1;
	return ret;
}

int vsock_host_ends(struct vsock *v)
{
	int ret;

	close(v->sock);
	v->sock = -1;
	ret = vsock_await(v, VIRTIO_VSOCK_OP_SHUTDOWN, 1);
	if (!ret && v->shutdown_flags != (VIRTIO_VSOCK_SHUTDOWN_RCV |
					  VIRTIO_VSOCK_SHUTDOWN_SEND))
		ret = device_fail(&v->d, 0, "shutdown with flags %#x", v->shutdown_flags);
	if (!ret)
		ret = vsock_op(v, VIRTIO_VSOCK_OP_RST, 0);
	return ret ? ret : guest_drain(v);
}

int vsock_run(struct vsock *v, int run)
{
	if (ioctl(v->d.vdev.fd, VHOST_VSOCK_SET_RUNNING, &run))
		return device_fail(&v->d, errno, "VHOST_VSOCK_SET_RUNNING %d", run);
	return 0;
}

int vsock_open(struct vsock *v, const char *accessor, uint64_t features)
{
	int ret;

	memset(v, 0, sizeof(*v));
	v->listener = -1;
	v->sock = -1;
	ret = device_open(&v->d, "/dev/vhost-vsock", accessor, VSOCK_QUEUES, VSOCK_NUM,
			  2UL * VSOCK_NUM * VSOCK_BUF, features);
	if (ret)
		return ret;
	v->d.q[VSOCK_RX].in_order = true;
	v->d.q[VSOCK_TX].in_order = true;
	/* Nobody else's, as long as process numbers are not reused. */
	v->cid = 1000 + getpid();
	if (ioctl(v->d.vdev.fd, VHOST_VSOCK_SET_GUEST_CID, &v->cid))
		return device_fail(&v->d, errno, "VHOST_VSOCK_SET_GUEST_CID");
	ret = host_listen(v);
	if (ret)
		return ret;
	vsock_refill(v);
	return vsock_run(v, 1);
}

void vsock_close(struct vsock *v)
{
	if (v->sock >= 0)
		close(v->sock);
	if (v->listener >= 0)
		close(v->listener);
	device_close(&v->d);
}
