// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zero-copy transmit whose completions come late. vhost-net must have been told to do it:
 * vhost_net.experimental_zcopytx=1.
 *
 * The TAP is a port of a bridge. Two dummy devices are the others, and each has a plug
 * for a queueing discipline: packets stay in it with the driver's pages, and the driver
 * does not get its buffers back, until the test pulls the plug.
 */
#define _GNU_SOURCE
#include <asm/posix_types.h>	/* which others need */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "virtqueue.h"

#define ZEROCOPY	"/sys/module/vhost_net/parameters/experimental_zcopytx"
#define BRIDGE		"zbridge"
#define PORTS		2
#define TAPS		2
#define RX		0
#define TX		1
#define ENTRIES		256
/* vhost copies what is shorter than this, and all beyond a quarter of a ring. */
#define GOODCOPY	256
#define HELD		32	/* packets, half of them for each port */
#define SLOT		2048UL
#define HUGE		(2UL << 20)
#define RINGS		57344UL	/* of both queues */
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Seconds a test may take, and for which it waits for one thing. */
#define PATIENCE	300
#define WAIT		60

static const char * const port_names[PORTS] = { "zport0", "zport1" };

#define ASSERT_OK(d, call) do {						\
	int __ret = (call);						\
	ASSERT_EQ(0, __ret) { TH_LOG("%s", (d)->vdev.error); }		\
} while (0)

/* Whether something becomes true in time. */
#define COMES(cond) ({							\
	double __end = now() + WAIT;					\
	bool __is;							\
	while (!(__is = (cond)) && now() < __end)			\
		usleep(1000);						\
	__is;								\
})

/* --- the network: rtnetlink --- */

struct message {
	struct nlmsghdr h;
	char body[512];
};

static void add_bytes(struct message *m, const void *bytes, size_t n)
{
	memcpy((char *)m + m->h.nlmsg_len, bytes, n);
	m->h.nlmsg_len += NLMSG_ALIGN(n);
}

static void add_attr(struct message *m, unsigned short type, const void *bytes, size_t n)
{
	struct rtattr a = { .rta_len = RTA_LENGTH(n), .rta_type = type };

	add_bytes(m, &a, sizeof(a));
	add_bytes(m, bytes, n);
}

static struct message message(unsigned short type, unsigned short flags,
			      const void *head, size_t n)
{
	struct message m = { .h = {
		.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags,
	} };

	add_bytes(&m, head, n);
	return m;
}

/* Returns 0 or a negative errno. */
static int talk(struct message *m)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[1024];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int ret = -EIO;

	if (send(fd, m, m->h.nlmsg_len, 0) == (ssize_t)m->h.nlmsg_len &&
	    recv(fd, &answer, sizeof(answer), 0) >=
	    (ssize_t)(sizeof(answer.h) + sizeof(answer.e)) &&
	    answer.h.nlmsg_type == NLMSG_ERROR)
		ret = answer.e.error;
	close(fd);
	return ret;
}

/* A device that is up; @master is 0, or the bridge that it is a port of. */
static int add_link(const char *name, const char *kind, int master)
{
	struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct message m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up,
				   sizeof(up));
	struct {
		struct rtattr a;
		char kind[16];
	} info = { .a = { RTA_LENGTH(strlen(kind)), IFLA_INFO_KIND } };

	snprintf(info.kind, sizeof(info.kind), "%s", kind);
	add_attr(&m, IFLA_IFNAME, name, strlen(name) + 1);
	add_attr(&m, IFLA_LINKINFO, &info, RTA_SPACE(strlen(kind)));
	if (master)
		add_attr(&m, IFLA_MASTER, &master, sizeof(master));
	return talk(&m);
}

static int enslave(int index, int master)
{
	struct ifinfomsg up = {
		.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP,
	};
	struct message m = message(RTM_NEWLINK, 0, &up, sizeof(up));

	add_attr(&m, IFLA_MASTER, &master, sizeof(master));
	return talk(&m);
}

static int remove_link(const char *name)
{
	struct ifinfomsg which = { .ifi_index = if_nametoindex(name) };
	struct message m = message(RTM_DELLINK, 0, &which, sizeof(which));

	return which.ifi_index ? talk(&m) : 0;
}

static void port_address(int port, uint8_t address[6])
{
	memcpy(address, "\2port", 6);
	address[5] = port;
}

/* Its frames are for this port of the bridge, and for no other. */
static int add_address(int port)
{
	struct ndmsg entry = {
		.ndm_family = AF_BRIDGE, .ndm_ifindex = if_nametoindex(port_names[port]),
		.ndm_state = NUD_NOARP, .ndm_flags = NTF_MASTER,
	};
	struct message m = message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &entry,
				   sizeof(entry));
	uint8_t address[6];

	port_address(port, address);
	add_attr(&m, NDA_LLADDR, address, sizeof(address));
	return talk(&m);
}

static int set_plug(int port, int action, unsigned short flags)
{
	struct tcmsg q = {
		.tcm_ifindex = if_nametoindex(port_names[port]), .tcm_parent = TC_H_ROOT,
		.tcm_handle = TC_H_MAKE(1 << 16, 0),
	};
	struct message m = message(RTM_NEWQDISC, flags, &q, sizeof(q));
	struct tc_plug_qopt plug = { .action = action, .limit = 1 << 20 };

	add_attr(&m, TCA_KIND, "plug", sizeof("plug"));
	add_attr(&m, TCA_OPTIONS, &plug, sizeof(plug));
	return talk(&m);
}

/* From here on packets stay. */
static int plug(int port)
{
	return set_plug(port, TCQ_PLUG_BUFFER, 0);
}

/* Those that are there go, and later ones do not stay. */
static int unplug(int port)
{
	return set_plug(port, TCQ_PLUG_RELEASE_INDEFINITE, 0);
}

static void remove_network(void)
{
	for (int i = 0; i < PORTS; i++)
		remove_link(port_names[i]);
	remove_link(BRIDGE);
}

static int make_network(void)
{
	int ret = add_link(BRIDGE, "bridge", 0);

	for (int i = 0; i < PORTS && !ret; i++) {
		ret = add_link(port_names[i], "dummy", if_nametoindex(BRIDGE));
		if (!ret)
			ret = set_plug(i, 0, NLM_F_CREATE | NLM_F_REPLACE);
		if (!ret)
			ret = add_address(i);
	}
	return ret;
}

static long net_number(const char *name, const char *what)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, what);
	read_text(path, text, sizeof(text));
	return atol(text);
}

static bool forwards(const char *name)
{
	return net_number(name, "brport/state") == 3 /* BR_STATE_FORWARDING */;
}

/* Packets that have left. */
static long gone(int port)
{
	return net_number(port_names[port], "statistics/tx_packets");
}

/* --- the device --- */

struct tap {
	int fd;
	char name[IFNAMSIZ];
};

struct world {
	struct device d;
	struct tap tap[TAPS];
	struct tap *to;
	long left[PORTS];	/* packets that must have left each port by now */
};

FIXTURE(zcopy) {
	struct world w;
};

FIXTURE_VARIANT(zcopy) {
	const char *accessor;
};

FIXTURE_VARIANT_ADD(zcopy, uaccess) { .accessor = "uaccess" };
FIXTURE_VARIANT_ADD(zcopy, checked) { .accessor = "checked" };
FIXTURE_VARIANT_ADD(zcopy, ringmap) { .accessor = "ringmap" };

static void open_tap(struct __test_metadata *_metadata, struct tap *t)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int hdr = sizeof(struct virtio_net_hdr_mrg_rxbuf);

	t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, t->fd);
	ASSERT_EQ(0, ioctl(t->fd, TUNSETIFF, &ifr));
	ASSERT_EQ(0, ioctl(t->fd, TUNSETVNETHDRSZ, &hdr));
	memcpy(t->name, ifr.ifr_name, sizeof(t->name));
	ASSERT_EQ(0, enslave(if_nametoindex(t->name), if_nametoindex(BRIDGE)));
	ASSERT_TRUE(COMES(forwards(t->name)));
}

static int set_backend(struct device *d, int fd)
{
	struct vhost_vring_file f = { TX, fd };

	return ioctl(d->vdev.fd, VHOST_NET_SET_BACKEND, &f) ? -errno : 0;
}

static void open_device(struct __test_metadata *_metadata, struct world *w,
			const char *accessor, uint64_t features)
{
	ASSERT_OK(&w->d, device_open(&w->d, "/dev/vhost-net", accessor, 2, ENTRIES,
				     2 * HUGE - RINGS,
				     BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | features));
	ASSERT_EQ(2 * HUGE, w->d.len);
	w->to = &w->tap[0];
	ASSERT_EQ(0, set_backend(&w->d, w->to->fd));
}

FIXTURE_SETUP(zcopy)
{
	struct world *w = &self->w;
	char text[16];

	w->d.vdev.fd = w->tap[0].fd = w->tap[1].fd = -1;
	read_text(ZEROCOPY, text, sizeof(text));
	ASSERT_EQ('1', text[0]) {
		TH_LOG("start the kernel with vhost_net.experimental_zcopytx=1");
	}
	remove_network();
	ASSERT_EQ(0, make_network());
	for (int i = 0; i < PORTS; i++)
		ASSERT_TRUE(COMES(forwards(port_names[i])));
	for (int i = 0; i < TAPS; i++)
		open_tap(_metadata, &w->tap[i]);
	open_device(_metadata, w, variant->accessor, 0);
}

FIXTURE_TEARDOWN(zcopy)
{
	struct world *w = &self->w;

	/* What is closed waits for its packets. */
	remove_network();
	device_close(&w->d);
	for (int i = 0; i < TAPS; i++)
		close(w->tap[i].fd);
}

/* A packet with its header, in the slot of the head that it will have; returns that. */
static uint16_t send_packet(struct world *w, int port, uint32_t frame)
{
	struct queue *q = &w->d.q[TX];
	uint16_t head = queue_head(q);
	char *p = w->d.mem + HUGE + head * SLOT;
	struct segment s = { p, sizeof(struct virtio_net_hdr_mrg_rxbuf) + frame, false };

	memset(p, 0, s.len);
	p += sizeof(struct virtio_net_hdr_mrg_rxbuf);
	port_address(port, (uint8_t *)p);
	memcpy(p + 6, "\2ring\1", 6);
	memcpy(p + 12, "\x88\xb5", 2);
	queue_add(&w->d, q, &s, 1);
	queue_publish(&w->d, q);
	w->left[port]++;
	return head;
}

/* Packets that stay, for the two ports by turns. */
static void hold_packets(struct __test_metadata *_metadata, struct world *w,
			 uint16_t heads[HELD])
{
	long sent = net_number(w->to->name, "statistics/rx_packets");

	for (int i = 0; i < HELD; i++)
		heads[i] = send_packet(w, i % PORTS, 1000 + i);
	ASSERT_TRUE(COMES(net_number(w->to->name, "statistics/rx_packets") ==
			  sent + HELD));
}

static uint16_t used_index(struct world *w)
{
	return load(&w->d.q[TX].vring.used->idx);
}

/* The next used element is of this head. */
static void expect_used(struct __test_metadata *_metadata, struct world *w, uint16_t head)
{
	ASSERT_TRUE(COMES(used_index(w) != w->d.q[TX].last_used));
	ASSERT_EQ(head, queue_used(&w->d, &w->d.q[TX], NULL)) {
		TH_LOG("%s", w->d.vdev.error);
	}
}

/*
 * Those that are held are not used. A packet that is copied is used at once, before
 * them, and then the worker has looked at what is complete.
 */
static void expect_held(struct __test_metadata *_metadata, struct world *w, int port)
{
	expect_used(_metadata, w, send_packet(w, port, 100));
	EXPECT_EQ(used_index(w), w->d.q[TX].last_used);
}

/* All that were held are used, once, in their order; and nothing else is. */
static void expect_released(struct __test_metadata *_metadata, struct world *w,
			    const uint16_t heads[HELD])
{
	for (int i = 0; i < HELD; i++)
		expect_used(_metadata, w, heads[i]);
	EXPECT_EQ(used_index(w), w->d.q[TX].last_used);
	EXPECT_EQ(w->d.q[TX].avail, w->d.q[TX].last_used);
	EXPECT_EQ(ENTRIES, (int)w->d.q[TX].nfree);
	for (int i = 0; i < PORTS; i++) {
		EXPECT_TRUE(COMES(gone(i) == w->left[i])) {
			TH_LOG("%ld of %ld left port %d", gone(i), w->left[i], i);
		}
	}
	ASSERT_OK(&w->d, device_gave_up(&w->d));
}

static void unplug_all(struct __test_metadata *_metadata)
{
	for (int i = 0; i < PORTS; i++)
		ASSERT_EQ(0, unplug(i));
}

static void plug_all(struct __test_metadata *_metadata)
{
	for (int i = 0; i < PORTS; i++)
		ASSERT_EQ(0, plug(i));
}

/* --- what happens to the rings meanwhile --- */

static void move_rings(struct device *d)
{
	void *pages[RINGS / PAGE];
	int nodes[RINGS / PAGE], status[RINGS / PAGE];
	static int node;

	node = !node;
	for (size_t i = 0; i < RINGS / PAGE; i++) {
		pages[i] = d->mem + i * PAGE;
		nodes[i] = node;
	}
	syscall(SYS_move_pages, 0, RINGS / PAGE, pages, nodes, status,
		2 /* MPOL_MF_MOVE */);
}

/* The packets that are held are in the other huge page, and so none keeps this one. */
static void collapse_and_split(struct device *d)
{
	char range[80];

	if (madvise(d->mem, HUGE, MADV_COLLAPSE))
		return;
	snprintf(range, sizeof(range), "%d,0x%lx,0x%lx", getpid(),
		 (unsigned long)d->mem, (unsigned long)d->mem + HUGE);
	write_text("/sys/kernel/debug/split_huge_pages", range);
}

static void zap_rings(struct device *d)
{
	mprotect(d->mem, RINGS, PROT_READ | PROT_WRITE | PROT_EXEC);
	mprotect(d->mem, RINGS, PROT_READ | PROT_WRITE);
	move_rings(d);
	collapse_and_split(d);
	/* The last, so that no ring is mapped when the packets are released. */
	madvise(d->mem, RINGS, MADV_PAGEOUT);
}

static void switch_accessors(struct __test_metadata *_metadata, struct device *d,
			     const char *last)
{
	static const char * const all[] = { "checked", "uaccess", "ringmap" };

	for (int i = 0; i < 3; i++)
		ASSERT_OK(d, vdev_set_accessor(&d->vdev, all[i]));
	ASSERT_OK(d, vdev_set_accessor(&d->vdev, last));
}

/* Packets that nobody holds, by an accessor: mapped if and only if it maps. */
static void expect_traffic(struct __test_metadata *_metadata, struct world *w,
			   const char *accessor)
{
	long long mapped = vdev_stat(&w->d.vdev, TX, "mapped");
	long long fallback = vdev_stat(&w->d.vdev, TX, "fallback");
	const int count = 2000;

	for (int i = 0; i < count; i++)
		expect_used(_metadata, w, send_packet(w, i % PORTS, 1000));
	mapped = vdev_stat(&w->d.vdev, TX, "mapped") - mapped;
	fallback = vdev_stat(&w->d.vdev, TX, "fallback") - fallback;
	if (!strcmp(accessor, "ringmap")) {
		EXPECT_GE(mapped, count);
		EXPECT_LE(fallback * 20, mapped) {
			TH_LOG("%lld mapped, %lld fell back", mapped, fallback);
		}
	} else {
		EXPECT_EQ(0, mapped);
	}
}

/*
 * More than the 1024 buffers for which vhost-net notes whether they are complete, so
 * that their numbers wrap. Packets of one port are complete before those of the other,
 * which were sent earlier.
 */
TEST_F_TIMEOUT(zcopy, late, PATIENCE)
{
	struct world *w = &self->w;
	struct device *d = &w->d;
	uint16_t heads[HELD];
	long long dropped;

	for (int round = 0; round < 1100 / HELD; round++) {
		hold_packets(_metadata, w, heads);
		EXPECT_EQ(used_index(w), d->q[TX].last_used);
		dropped = vdev_stat(&d->vdev, TX, "dropped");
		switch (round % 4) {
		case 1:
			zap_rings(d);
			break;
		case 2:
			switch_accessors(_metadata, d, variant->accessor);
			break;
		case 3:
			switch_accessors(_metadata, d, "ringmap");
			zap_rings(d);
			break;
		}
		if (round % 4 == 1 && !strcmp(variant->accessor, "ringmap"))
			EXPECT_LT(dropped, vdev_stat(&d->vdev, TX, "dropped"));
		expect_held(_metadata, w, 1);
		ASSERT_EQ(0, unplug(1));
		ASSERT_TRUE(COMES(gone(1) == w->left[1]));
		expect_held(_metadata, w, 0);
		ASSERT_EQ(0, unplug(0));
		expect_released(_metadata, w, heads);
		ASSERT_OK(d, vdev_set_accessor(&d->vdev, variant->accessor));
		plug_all(_metadata);
	}
	unplug_all(_metadata);
	expect_traffic(_metadata, w, variant->accessor);
}

/* --- what must wait for the packets --- */

struct waiter {
	struct device *d;
	unsigned long request;
	int fd;			/* of VHOST_NET_SET_BACKEND */
	atomic_int tid, ret;
	atomic_bool over;
};

static void *waits(void *arg)
{
	struct waiter *w = arg;
	struct vhost_vring_file f = { TX, w->fd };

	w->tid = syscall(SYS_gettid);
	w->ret = ioctl(w->d->vdev.fd, w->request,
		       w->request == VHOST_RESET_OWNER ? NULL : &f) ? -errno : 0;
	w->over = true;
	return NULL;
}

/* Whether it sleeps and no signal can wake it. */
static bool waits_for_event(pid_t pid, pid_t tid)
{
	char path[64], text[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	read_text(path, text, sizeof(text));
	end = strrchr(text, ')');
	return end && end[2] == 'D';
}

/*
 * A request that ends the use of a TAP waits for the packets that it has. Meanwhile the
 * accessor can be switched, and the memory of the rings changes.
 */
static void expect_waits(struct __test_metadata *_metadata, struct world *w,
			 const char *accessor, unsigned long request, int fd,
			 const uint16_t heads[HELD])
{
	struct waiter req = { .d = &w->d, .request = request, .fd = fd };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, waits, &req));
	ASSERT_TRUE(COMES(req.over || (req.tid && waits_for_event(getpid(), req.tid))));
	switch_accessors(_metadata, &w->d, accessor);
	zap_rings(&w->d);
	/* One that waits for what is left of them */
	ASSERT_EQ(0, unplug(1));
	ASSERT_TRUE(COMES(gone(1) == w->left[1]));
	EXPECT_TRUE(COMES(req.over || waits_for_event(getpid(), req.tid)));
	EXPECT_FALSE(req.over);
	EXPECT_EQ(used_index(w), w->d.q[TX].last_used);
	ASSERT_EQ(0, unplug(0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, req.ret);
	/* What is reset uses nothing any more. */
	if (request != VHOST_RESET_OWNER)
		expect_released(_metadata, w, heads);
	plug_all(_metadata);
}

TEST_F_TIMEOUT(zcopy, backend_swapped, PATIENCE)
{
	struct world *w = &self->w;
	struct device *d = &w->d;
	uint16_t heads[HELD];

	for (int round = 0; round < 5; round++) {
		struct tap *other = &w->tap[!(round % TAPS)];

		hold_packets(_metadata, w, heads);
		expect_waits(_metadata, w, variant->accessor, VHOST_NET_SET_BACKEND,
			     other->fd, heads);
		w->to = other;
		hold_packets(_metadata, w, heads);
		expect_waits(_metadata, w, variant->accessor, VHOST_NET_SET_BACKEND,
			     -1, heads);
		ASSERT_EQ(0, set_backend(d, w->to->fd));
	}
	unplug_all(_metadata);
	expect_traffic(_metadata, w, variant->accessor);
}

TEST_F_TIMEOUT(zcopy, owner_reset, PATIENCE)
{
	struct world *w = &self->w;
	uint16_t heads[HELD];

	hold_packets(_metadata, w, heads);
	expect_waits(_metadata, w, variant->accessor, VHOST_RESET_OWNER, -1, heads);
	/* Nor does it use anything later. */
	EXPECT_EQ(used_index(w), w->d.q[TX].last_used);
	device_close(&w->d);
	open_device(_metadata, w, variant->accessor, 0);
	unplug_all(_metadata);
	expect_traffic(_metadata, w, variant->accessor);
}

/* The end of an owner waits for its packets, too. */
TEST_F_TIMEOUT(zcopy, owner_killed, PATIENCE)
{
	struct world *w = &self->w;
	uint16_t heads[HELD];
	char path[sizeof(w->d.vdev.debugfs)];
	int status, ready[2];
	pid_t pid;
	char c;

	device_close(&w->d);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		open_device(_metadata, w, variant->accessor, 0);
		hold_packets(_metadata, w, heads);
		memcpy(path, w->d.vdev.debugfs, sizeof(path));
		if (write(ready[1], path, sizeof(path)) == sizeof(path))
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	ASSERT_EQ((ssize_t)sizeof(path), read(ready[0], path, sizeof(path)));
	ASSERT_EQ(0, access(path, F_OK));
	kill(pid, SIGKILL);
	ASSERT_TRUE(COMES(waits_for_event(pid, pid)));
	ASSERT_EQ(0, unplug(1));
	EXPECT_TRUE(COMES(gone(1) == HELD / PORTS));
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	EXPECT_EQ(0, access(path, F_OK));
	ASSERT_EQ(0, unplug(0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, read(ready[0], &c, 1));
	close(ready[0]);
	EXPECT_TRUE(COMES(gone(0) == HELD / PORTS));
	EXPECT_TRUE(COMES(access(path, F_OK)));
	open_device(_metadata, w, variant->accessor, 0);
	expect_traffic(_metadata, w, variant->accessor);
}

/* What counts the packets of a queue is freed with the device, and at its reset. */
TEST_F_TIMEOUT(zcopy, count_freed, PATIENCE)
{
	struct world *w = &self->w;
	const int devices = 300;
	long before = slab_objects("kmalloc-64");

	ASSERT_LT(0, before);
	for (int i = 0; i < devices; i++) {
		device_close(&w->d);
		open_device(_metadata, w, variant->accessor, 0);
		if (i % 2)
			ASSERT_EQ(0, ioctl(w->d.vdev.fd, VHOST_RESET_OWNER));
	}
	/* What is freed takes time. */
	EXPECT_TRUE(COMES(slab_objects("kmalloc-64") < before + devices / 2)) {
		TH_LOG("%d devices, %ld objects more", devices,
		       slab_objects("kmalloc-64") - before);
	}
}

/*
 * A used element of an in-order ring says that all earlier buffers are used, too. So a short
 * packet, which is copied, must not be used while the network has the long ones before it.
 */
TEST_F_TIMEOUT(zcopy, in_order, PATIENCE)
{
	struct world *w = &self->w;
	const int held = 4;

	device_close(&w->d);
	open_device(_metadata, w, variant->accessor, BIT_ULL(VIRTIO_F_IN_ORDER));
	for (int i = 0; i < held; i++)
		send_packet(w, 0, 1000 + i);
	send_packet(w, 0, 100);
	EXPECT_TRUE(COMES(used_index(w))) {
		TH_LOG("nothing is used");
	}
	/* All of them were copied. */
	EXPECT_TRUE(COMES(used_index(w) == held + 1)) {
		TH_LOG("%u are used", used_index(w));
	}
	unplug_all(_metadata);
	EXPECT_TRUE(COMES(gone(0) == w->left[0]));
}

TEST_HARNESS_MAIN
