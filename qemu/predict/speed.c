// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels as multifd has them, with the guest's pages: a thread compresses packets and writes
 * them to a socket, another reads and decompresses them.
 */
#define _GNU_SOURCE
#include "predict.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define PACKET (PACKET_PAGES * PAGE)
#define BOUND (PACKET + PACKET / 8 + 1024)
#define WARM 0.1		/* seconds before what counts */
#define WINDOW 0.5
#define CHANNELS 64

/* Which of both sides does its work; the other only moves bytes, as little as it can. */
enum side { BOTH, SOURCE, DESTINATION };

struct channel {
	const struct memory *memory;
	enum method method;
	enum side side;
	int level, fds[2];
	pthread_t threads[2];
	atomic_ulong packets, bytes;
	atomic_bool *quit;
};

static uint32_t compress_packet(struct channel *c, z_stream *z, ZSTD_CCtx *zstd, const char *from,
				char *to)
{
	size_t size;

	switch (c->method) {
	case ZLIB:
		z->next_out = (unsigned char *)to;
		z->avail_out = BOUND;
		for (int i = 0; i < PACKET_PAGES; i++) {
			z->next_in = (unsigned char *)from + i * PAGE;
			z->avail_in = PAGE;
			if (deflate(z, i == PACKET_PAGES - 1 ? Z_FULL_FLUSH : Z_NO_FLUSH) != Z_OK)
				die("zlib does not compress");
		}
		return BOUND - z->avail_out;
	case ZSTD:
		size = ZSTD_compress2(zstd, to, BOUND, from, PACKET);
		if (ZSTD_isError(size))
			die("zstd does not compress: %s", ZSTD_getErrorName(size));
		return size;
	default:
		return PACKET;
	}
}

static bool write_all(int fd, const void *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data = (const char *)data + n;
		size -= n;
	}
	return true;
}

static bool read_all(int fd, void *data, size_t size, int flags)
{
	while (size) {
		ssize_t n = recv(fd, data, size, flags);

		if (n <= 0)
			return false;
		if (!(flags & MSG_TRUNC))
			data = (char *)data + n;
		size -= n;
	}
	return true;
}

/* The destination's side alone gets packets that were made before. */
struct made {
	uint32_t size;
	char *data;
};

static void *send_packets(void *data)
{
	struct channel *c = data;
	char *out = malloc(BOUND);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	z_stream z = { 0 };
	size_t n = c->memory->packets, few = n < 16 ? n : 16;
	struct made made[16] = { { 0 } };

	if (!out || !zstd || deflateInit(&z, c->level) != Z_OK)
		die("out of memory");
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, c->level);
	for (size_t i = 0; !atomic_load(c->quit); i++) {
		const char *from = c->memory->sample + i % n * PACKET, *to = from;
		struct made *kept = c->side == DESTINATION ? &made[i % few] : NULL;
		uint32_t size = PACKET;

		if (kept && i >= few) {
			size = kept->size;
			to = kept->data;
		} else if (c->method != NONE) {
			size = compress_packet(c, &z, zstd, from, out);
			to = out;
			if (kept) {
				/* Only the first one of a zlib stream has its header. */
				int skip = c->method == ZLIB && !i ? 2 : 0;

				kept->size = size - skip;
				kept->data = malloc(kept->size);
				memcpy(kept->data, out + skip, kept->size);
			}
		} else if (kept) {
			kept->size = size;
			kept->data = memcpy(malloc(size), from, size);
		}
		if (!write_all(c->fds[0], &size, sizeof(size)) || !write_all(c->fds[0], to, size))
			break;
		atomic_fetch_add(&c->bytes, size);
		if (c->side == SOURCE)
			atomic_fetch_add(&c->packets, 1);
	}
	for (size_t i = 0; i < 16; i++)
		free(made[i].data);
	deflateEnd(&z);
	ZSTD_freeCCtx(zstd);
	free(out);
	return NULL;
}

static bool take_packet(struct channel *c, z_stream *z, ZSTD_DCtx *zstd, char *in, uint32_t size,
			char *to)
{
	ZSTD_inBuffer zin = { in, size, 0 };

	/* As memory that was never written */
	madvise(to, PACKET, MADV_DONTNEED);
	if (c->method == NONE)
		return read_all(c->fds[1], to, size, 0);
	if (!read_all(c->fds[1], in, size, 0))
		return false;
	z->next_in = (unsigned char *)in;
	z->avail_in = size;
	for (int i = 0; i < PACKET_PAGES; i++) {
		ZSTD_outBuffer zout = { to + i * PAGE, PAGE, 0 };

		z->next_out = (unsigned char *)to + i * PAGE;
		z->avail_out = PAGE;
		if (c->method == ZLIB && inflate(z, Z_SYNC_FLUSH) != Z_OK)
			die("zlib does not decompress");
		while (c->method == ZSTD && zout.pos < zout.size)
			if (ZSTD_isError(ZSTD_decompressStream(zstd, &zout, &zin)))
				die("zstd does not decompress");
	}
	return true;
}

static void *receive_packets(void *data)
{
	struct channel *c = data;
	char *in = malloc(BOUND), *to = mmap(NULL, PACKET, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	z_stream z = { 0 };
	uint32_t size;

	if (!in || to == MAP_FAILED || !zstd || inflateInit(&z) != Z_OK)
		die("out of memory");
	while (read_all(c->fds[1], &size, sizeof(size), 0)) {
		if (c->side == SOURCE) {
			if (!read_all(c->fds[1], in, size, MSG_TRUNC))
				break;
			continue;
		}
		if (!take_packet(c, &z, zstd, in, size, to))
			break;
		atomic_fetch_add(&c->packets, 1);
	}
	inflateEnd(&z);
	ZSTD_freeDCtx(zstd);
	munmap(to, PACKET);
	free(in);
	return NULL;
}

/* Two ends of a TCP connection */
static void connect_ends(int fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || fds[0] < 0 || bind(fd, (struct sockaddr *)&addr, length) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&addr, &length) ||
	    connect(fds[0], (struct sockaddr *)&addr, length))
		die("cannot make a connection: %s", strerror(errno));
	fds[1] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (fds[1] < 0)
		die("cannot take a connection: %s", strerror(errno));
	close(fd);
}

static void nap(double seconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = seconds * 1e9 }, NULL);
}

static unsigned long sum(struct channel *c, int n, bool bytes)
{
	unsigned long s = 0;

	for (int i = 0; i < n; i++)
		s += atomic_load(bytes ? &c[i].bytes : &c[i].packets);
	return s;
}

static struct speed measure(const struct memory *memory, enum method method, int level,
			    int channels, enum side side)
{
	static struct channel c[CHANNELS];
	unsigned long packets;
	struct speed speed;
	atomic_bool quit = false;
	double from;

	for (int i = 0; i < channels; i++) {
		c[i] = (struct channel) { .memory = memory, .method = method, .side = side,
					  .level = level, .quit = &quit };
		connect_ends(c[i].fds);
		if (pthread_create(&c[i].threads[0], NULL, send_packets, &c[i]) ||
		    pthread_create(&c[i].threads[1], NULL, receive_packets, &c[i]))
			die("cannot start a thread");
	}
	nap(WARM);
	packets = sum(c, channels, false);
	from = now();
	/* A few packets at least, however slow it is. */
	do
		nap(WINDOW);
	while (sum(c, channels, false) - packets < 8UL * channels && now() < from + 10);
	packets = sum(c, channels, false) - packets;
	speed.pages_per_s = packets * (double)PACKET_PAGES / (now() - from);
	atomic_store(&quit, true);
	for (int i = 0; i < channels; i++)
		shutdown(c[i].fds[0], SHUT_RDWR);
	for (int i = 0; i < channels; i++) {
		pthread_join(c[i].threads[0], NULL);
		pthread_join(c[i].threads[1], NULL);
		close(c[i].fds[0]);
		close(c[i].fds[1]);
	}
	return speed;
}

/* Bytes of all packets, by one thread's compression */
static double bytes_per_page(const struct memory *memory, enum method method, int level)
{
	struct channel c = { .memory = memory, .method = method, .level = level };
	size_t n = memory->packets < 32 ? memory->packets : 32;
	char *out = malloc(BOUND);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	z_stream z = { 0 };
	double bytes = 0;

	if (!out || !zstd || deflateInit(&z, level) != Z_OK)
		die("out of memory");
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
	for (size_t i = 0; i < n; i++) {
		size_t at = i * memory->packets / n;

		bytes += compress_packet(&c, &z, zstd, memory->sample + at * PACKET, out);
	}
	deflateEnd(&z);
	ZSTD_freeCCtx(zstd);
	free(out);
	return bytes / n / PACKET_PAGES;
}

struct speed speed_of(const struct memory *memory, enum method method, int level, int channels,
		      bool same_host)
{
	/* A page's address in its packet's header; what TCP and IP add */
	const double more = 8, share = 1.037;
	struct speed speed;

	if (channels > CHANNELS)
		die("more than %d channels", CHANNELS);
	if (!memory->packets)
		return (struct speed) { .pages_per_s = 1e9, .bytes_per_page = PAGE };
	if (same_host) {
		speed = measure(memory, method, level, channels, BOTH);
	} else {
		speed = measure(memory, method, level, channels, SOURCE);
		speed.pages_per_s = fmin(speed.pages_per_s, measure(memory, method, level, channels,
								    DESTINATION).pages_per_s);
	}
	speed.bytes_per_page = (bytes_per_page(memory, method, level) + more) * share;
	return speed;
}

double zero_pages_per_s(void)
{
	const size_t pages = 4096;
	char *memory = calloc(pages, PAGE);
	double from, passed;
	int differ = 0;

	if (!memory)
		die("out of memory");
	memset(memory, 0, pages * PAGE);
	from = now();
	for (size_t i = 0; i < pages; i++)
		differ += memcmp(memory + i * PAGE, memory + i * PAGE + 64, PAGE - 64);
	passed = now() - from;
	free(memory);
	/* So that it is looked at */
	if (differ)
		die("memory that was cleared is not");
	return pages / passed;
}
