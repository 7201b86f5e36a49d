// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link between two QEMUs of one host: a TUN device of a network namespace of our own, and
 * a thread that takes packets from it and gives them back with source and destination changed
 * for each other, so that NEAR talks to NEAR by the name of FAR. Checksums stay right by that.
 * A rate, a queue that is as long as the link at least, and what it has no room for is lost;
 * and a delay. TCP is the kernel's from end to end, and sees what a long or slow link does.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <math.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define QUEUE_BYTES (256 << 10)		/* at least so much waits for the link */
#define QUEUE_SECONDS 0.005		/* and for so long */
#define BURST 0.0005			/* seconds that a link which was idle catches up */
#define HEADERS 52			/* of a packet of TCP, with its time stamps */
#define AT_ONCE 64			/* packets that are read before others are due */

struct packet {
	struct packet *next;
	double due;
	size_t length;
	char data[];
};

/* One way */
struct lane {
	struct packet *first, **last;
	double free;			/* when the link has sent what was put into it */
};

struct link {
	_Atomic double rate, delay;
	int tun;
	pthread_t thread;
	atomic_bool quit;
	atomic_uint_fast64_t bytes, lost;
	struct lane there, back;
};

#define VNET sizeof(struct virtio_net_hdr)
#define FRAME_MAX (VNET + 65536)

static void up(const char *name, const char *address, const char *mask)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (address) {
		inet_pton(AF_INET, address, &in.sin_addr);
		memcpy(&ifr.ifr_addr, &in, sizeof(in));
		if (ioctl(fd, SIOCSIFADDR, &ifr))
			die("cannot give %s an address: %s", name, strerror(errno));
		inet_pton(AF_INET, mask, &in.sin_addr);
		memcpy(&ifr.ifr_netmask, &in, sizeof(in));
		if (ioctl(fd, SIOCSIFNETMASK, &ifr))
			die("cannot give %s a network: %s", name, strerror(errno));
	}
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("cannot start the device %s: %s", name, strerror(errno));
	close(fd);
}

/* What follows changes the network's settings: not those of one that somebody uses. */
static void refuse_used_network(void)
{
	struct if_nameindex *all = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (struct if_nameindex *i = all; i && i->if_name; i++) {
		struct ifreq ifr = { 0 };

		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", i->if_name);
		if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && (ifr.ifr_flags & IFF_UP))
			die("this network is in use (%s); run this by 'unshare --net'", i->if_name);
	}
	if (!all || fd < 0)
		die("cannot look at the network's devices: %s", strerror(errno));
	if_freenameindex(all);
	close(fd);
}

/* The same everywhere, whatever the host has set. */
static void set_tcp(const char *name, const char *value)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* A namespace may choose only what its host lets everybody choose. */
	if (fd < 0 || (write(fd, value, strlen(value)) < 0 && errno != EPERM))
		die("cannot set %s to %s: %s", path, value, strerror(errno));
	close(fd);
}

static void deliver(struct link *link, struct lane *lane, double t)
{
	while (lane->first && lane->first->due <= t) {
		struct packet *p = lane->first;

		if (write(link->tun, p->data, p->length) < 0)
			atomic_fetch_add(&link->lost, 1);
		lane->first = p->next;
		if (!lane->first)
			lane->last = &lane->first;
		free(p);
	}
}

static void append(struct lane *lane, const char *data, size_t length, double due)
{
	struct packet *p = malloc(sizeof(*p) + length);

	if (!p)
		die("out of memory");
	memcpy(p->data, data, length);
	p->length = length;
	p->due = due;
	p->next = NULL;
	*lane->last = p;
	lane->last = &p->next;
}

/* What the link carries of it: it may stand for many, which were not split yet. */
static size_t on_the_wire(const struct virtio_net_hdr *v, size_t length)
{
	size_t n = v->gso_type && v->gso_size ? (length - HEADERS) / v->gso_size : 0;

	return length + n * HEADERS;
}

static void forward(struct link *link, char *frame, size_t length, double t)
{
	const struct virtio_net_hdr *v = (struct virtio_net_hdr *)frame;
	struct iphdr *ip = (struct iphdr *)(frame + VNET);
	struct tcphdr *tcp = (struct tcphdr *)((char *)ip + 4 * ip->ihl);
	double rate = atomic_load(&link->rate), delay = atomic_load(&link->delay);
	struct lane *lane = &link->back;
	uint32_t address;
	size_t bytes;

	if (length < VNET + sizeof(*ip) + sizeof(*tcp) || ip->version != 4 ||
	    ip->protocol != IPPROTO_TCP)
		return;
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	if (ntohs(tcp->dest) == LINK_PORT) {
		lane = &link->there;
		bytes = on_the_wire(v, length - VNET);
		if (rate) {
			double queue = fmax(QUEUE_BYTES, rate * fmax(QUEUE_SECONDS, 2 * delay));

			lane->free = fmax(lane->free, t - BURST);
			if ((lane->free - t) * rate > queue) {
				atomic_fetch_add(&link->lost, 1);
				return;
			}
			lane->free += bytes / rate;
		} else {
			lane->free = t;
		}
		atomic_fetch_add(&link->bytes, bytes);
	} else {
		lane->free = t;
	}
	if (!lane->first && lane->free + delay <= t) {
		if (write(link->tun, frame, length) < 0)
			atomic_fetch_add(&link->lost, 1);
	} else {
		append(lane, frame, length, lane->free + delay);
	}
}

static void *carry(void *data)
{
	static char frame[FRAME_MAX];
	struct link *link = data;
	struct pollfd fd = { .fd = link->tun, .events = POLLIN };

	prctl(PR_SET_TIMERSLACK, 1);
	while (!atomic_load(&link->quit)) {
		double t = now(), next = t + 0.05;
		struct timespec wait;

		deliver(link, &link->there, t);
		deliver(link, &link->back, t);
		if (link->there.first)
			next = fmin(next, link->there.first->due);
		if (link->back.first)
			next = fmin(next, link->back.first->due);
		wait = (struct timespec){ .tv_nsec = fmax(0, next - t) * 1e9 };
		if (ppoll(&fd, 1, &wait, NULL) <= 0)
			continue;
		t = now();
		for (int i = 0; i < AT_ONCE; i++) {
			ssize_t n = read(link->tun, frame, sizeof(frame));

			if (n <= 0)
				break;
			forward(link, frame, n, t);
		}
	}
	return NULL;
}

struct link *link_start(void)
{
	struct link *link = calloc(1, sizeof(*link));
	struct ifreq ifr = { .ifr_name = "link", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };

	if (!link)
		die("out of memory");
	refuse_used_network();
	link->there.last = &link->there.first;
	link->back.last = &link->back.first;
	link->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (link->tun < 0 || ioctl(link->tun, TUNSETIFF, &ifr))
		die("cannot make a TUN device: %s; run this by 'unshare --net', as root or with --map-root-user",
		    strerror(errno));
	if (ioctl(link->tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4))
		die("TUN does not take long packets: %s", strerror(errno));
	set_tcp("tcp_congestion_control", "cubic");
	set_tcp("tcp_wmem", "4096 16384 4194304");
	set_tcp("tcp_rmem", "4096 131072 6291456");
	set_tcp("tcp_no_metrics_save", "1");
	up("lo", NULL, NULL);
	up("link", LINK_NEAR, "255.255.255.0");
	errno = pthread_create(&link->thread, NULL, carry, link);
	if (errno)
		die("cannot start a thread: %s", strerror(errno));
	return link;
}

void link_set(struct link *link, double rate, double rtt)
{
	atomic_store(&link->rate, rate);
	atomic_store(&link->delay, rtt / 2);
}

uint64_t link_bytes(struct link *link)
{
	return atomic_load(&link->bytes);
}

uint64_t link_lost(struct link *link)
{
	return atomic_load(&link->lost);
}

void link_stop(struct link *link)
{
	atomic_store(&link->quit, true);
	pthread_join(link->thread, NULL);
	close(link->tun);
	while (link->there.first)
		deliver(link, &link->there, INFINITY);
	while (link->back.first)
		deliver(link, &link->back, INFINITY);
	free(link);
}
