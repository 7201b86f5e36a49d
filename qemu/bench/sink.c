// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 30000
#define CHANNELS 32
#define BUFFER (256 << 10)

struct sink {
	_Atomic double speed;
	pthread_t thread;
	atomic_bool quit;
	atomic_uint_fast64_t total;
	double start;
	uint64_t slots[SLOTS];
	struct pollfd fds[1 + CHANNELS];	/* the first listens */
	nfds_t count;
	char buffer[BUFFER];
};

static void count(struct sink *sink, size_t bytes)
{
	size_t slot = (now() - sink->start) / SLOT;

	if (slot < SLOTS)
		sink->slots[slot] += bytes;
	atomic_fetch_add(&sink->total, bytes);
}

static size_t take(struct sink *sink, nfds_t i, size_t most)
{
	ssize_t got;

	if (!most)
		return 0;
	got = recv(sink->fds[i].fd, sink->buffer, most < BUFFER ? most : BUFFER, MSG_DONTWAIT);
	if (got > 0) {
		count(sink, got);
		return got;
	}
	if (!got || (errno != EAGAIN && errno != EINTR)) {
		close(sink->fds[i].fd);
		sink->fds[i] = sink->fds[--sink->count];
	}
	return 0;
}

/* From all connections, an equal share of the budget from each; what it took of that. */
static size_t take_all(struct sink *sink, size_t budget)
{
	size_t left = budget;
	nfds_t ready = 0;

	for (nfds_t i = 1; i < sink->count; i++)
		ready += sink->fds[i].revents != 0;
	for (nfds_t i = sink->count - 1; i > 0; i--)
		if (sink->fds[i].revents)
			left -= take(sink, i, left / ready--);
	return budget - left;
}

/*
 * With a speed, what may be read is what time has earned since the last look, at most a
 * millisecond's worth more than that where there was nothing to read: the link does not make
 * up for a sender's pause, but for those of this thread.
 */
static void *serve(void *data)
{
	struct sink *sink = data;
	double last = now(), earned = 0;
	bool idle = true;

	while (!atomic_load(&sink->quit)) {
		double speed = atomic_load(&sink->speed), t = now();
		size_t budget = CHANNELS * BUFFER, taken = 0;

		if (speed) {
			earned += (t - last) * speed;
			if (idle && t - last < 0.002 && earned > speed / 1000 + 1)
				earned = speed / 1000 + 1;
			budget = earned;
		}
		last = t;
		if (budget && poll(sink->fds, sink->count, 1) > 0) {
			if (sink->fds[0].revents && sink->count <= CHANNELS)
				sink->fds[sink->count++] = (struct pollfd) {
					.fd = accept4(sink->fds[0].fd, NULL, NULL, SOCK_CLOEXEC),
					.events = POLLIN
				};
			taken = take_all(sink, budget);
		}
		idle = taken < budget;
		earned -= speed ? taken : 0;
		if (speed)
			clock_nanosleep(CLOCK_MONOTONIC, 0,
					&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	return NULL;
}

struct sink *sink_start(const char *path)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!sink)
		die("out of memory");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, CHANNELS))
		die("cannot listen on %s: %s", path, strerror(errno));
	sink->fds[0] = (struct pollfd) { .fd = fd, .events = POLLIN };
	sink->count = 1;
	sink->start = now();
	errno = pthread_create(&sink->thread, NULL, serve, sink);
	if (errno)
		die("cannot start a thread: %s", strerror(errno));
	return sink;
}

void sink_speed(struct sink *sink, double bytes_per_s)
{
	atomic_store(&sink->speed, bytes_per_s);
}

uint64_t sink_bytes(struct sink *sink)
{
	return atomic_load(&sink->total);
}

double sink_most(struct sink *sink, double from, double to)
{
	size_t first = (from - sink->start) / SLOT, end = (to - sink->start) / SLOT;
	const size_t second = 1 / SLOT;
	uint64_t sum = 0, most = 0;

	if (end > SLOTS || end < first + second)
		return 0;
	for (size_t i = first; i < end; i++) {
		sum += sink->slots[i];
		if (i >= first + second)
			sum -= sink->slots[i - second];
		if (i + 1 >= first + second && sum > most)
			most = sum;
	}
	return most;
}

void sink_stop(struct sink *sink)
{
	atomic_store(&sink->quit, true);
	pthread_join(sink->thread, NULL);
	for (nfds_t i = 0; i < sink->count; i++)
		close(sink->fds[i].fd);
	free(sink);
}
