// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events as they happen, from an instance of tracefs of our own.
 *
 * Each CPU has a buffer. In every round all are emptied, and what was stamped well
 * before the round began is merged by time: nothing earlier can come any more.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event-parse.h>
#include <kbuffer.h>
#include <tracefs.h>

#include "trace.h"
#include "vhostctl.h"

#define PREFIX		"vhostctl-"

/* A writer that lost its processor in the middle of an event is late by less. */
#define SETTLE		(NSEC / 5)

/* Emptying one buffer may not keep the others waiting. */
#define PATIENCE	0.05

#define PAUSE		0.02

/* An event in memory, its data behind it */
struct rec {
	uint64_t ts;
	int size;
	int lost;		/* before it: 0, how many, or -1 for unknown */
};

/**
 * struct cpu_buffer - of a CPU
 * @stream: gaps
 * @fd: its pages, or -1 where there is no such CPU
 * @there: it had a buffer when somebody looked last
 * @missed: what was lost before its next record, as in struct rec
 * @buf: records from @head to @tail that were not handed on yet
 * @last_ts: of the last one taken
 * @more: there was more than could be taken in time
 */
struct cpu_buffer {
	struct stream stream;
	int fd;
	bool there;
	int missed;
	char *buf;
	size_t head, tail, room;
	uint64_t last_ts;
	bool more;
};

struct live {
	struct tracefs_instance *inst;
	struct tep_handle *tep;
	struct events *events;
	struct cpu_buffer *cpu;
	unsigned int n;
	size_t page_size;
	void *page;
	struct kbuffer *kbuf;
	bool (*want)(enum ev_type);
	char *clock;
	bool on;
};

static struct live *the_live;

static void destroy_at_exit(void)
{
	if (the_live)
		live_free(the_live);
}

/* Instances of those of us who were killed. */
static int destroy_orphan(const char *name, void *arg)
{
	struct tracefs_instance *inst;
	int pid;

	(void)arg;
	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return 0;
	pid = atoi(name + strlen(PREFIX));
	if (pid <= 0 || !kill(pid, 0) || errno != ESRCH)
		return 0;
	inst = tracefs_instance_create(name);
	if (inst) {
		tracefs_event_disable(inst, NULL, NULL);
		tracefs_instance_destroy(inst);
		tracefs_instance_free(inst);
	}
	return 0;
}


/*
 * CPUs are compared, so their clocks must agree. The raw monotonic clock is exact where the
 * machine has a good clock source; otherwise "global" never goes back, at least.
 */
static void choose_clock(struct live *l)
{
	char *source = read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
	bool coarse = !source || strstr(source, "jiffies");

	free(source);
	l->clock = coarse ? "global" : "mono_raw";
	if (tracefs_instance_file_write(l->inst, "trace_clock", l->clock) < 0)
		die(EXIT_BLIND, "tracefs: cannot set the clock '%s': %s", l->clock, strerror(errno));
}

/*
 * CPUs that were never on line since the instance was made have no buffer yet: a read fails
 * with ENODEV. One that comes on line gets it before it runs anything, and keeps it when it
 * goes. So each can be opened now, and is asked again and again.
 */
static void open_buffer(struct live *l, const char *dir, unsigned int cpu)
{
	char *path = xasprintf("%s/cpu%u/trace_pipe_raw", dir, cpu);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_BLIND, "%s: %s", path, strerror(errno));
	free(path);
	if (cpu >= l->n) {
		l->cpu = xrealloc(l->cpu, (cpu + 1) * sizeof(*l->cpu));
		for (; l->n <= cpu; l->n++)
			l->cpu[l->n] = (struct cpu_buffer){ .fd = -1 };
	}
	l->cpu[cpu].fd = fd;
}

/* The kernel has a directory for each CPU that may ever be; their numbers may have holes. */
static void open_buffers(struct live *l)
{
	char *path = tracefs_instance_get_file(l->inst, "per_cpu");
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int cpu;
	char more;

	if (!dir)
		die(EXIT_BLIND, "%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "cpu%u%c", &cpu, &more) == 1)
			open_buffer(l, path, cpu);
	closedir(dir);
	if (!l->n)
		die(EXIT_BLIND, "%s: no CPU is there", path);
	tracefs_put_tracing_file(path);
}

/* Options that are taken over from whoever set them for the whole of tracing */
static void set_options(struct live *l)
{
	/* The kernel marks where old events made room for new ones, and nothing else. */
	if (tracefs_instance_file_write(l->inst, "options/overwrite", "1") < 0)
		die(EXIT_BLIND, "tracefs: cannot set the option overwrite: %s", strerror(errno));
}

struct live *live_new(bool (*want)(enum ev_type), unsigned long kb)
{
	static const char * const systems[] = { "vhost", NULL };
	struct live *l = xcalloc(1, sizeof(*l));
	char *name;

	tracefs_set_loglevel(TEP_LOG_NONE);
	if (geteuid())
		die(EXIT_BLIND, "only root may trace: run it with sudo");
	if (!tracefs_tracing_dir())
		die(EXIT_BLIND, "no tracefs: 'mount -t tracefs none /sys/kernel/tracing'; the kernel needs CONFIG_FTRACE");
	if (!tracefs_event_file_exists(NULL, "vhost", "vhost_used", "format"))
		die(EXIT_BLIND, "%s: vhost has no events here: this kernel is not ringmap's, or vhost is not loaded; 'vhostctl doctor' tells which",
		    tracefs_tracing_dir());
	l->want = want;
	l->tep = tracefs_local_events_system(NULL, systems);
	if (!l->tep)
		die(EXIT_BLIND, "cannot read the formats of vhost's events: %s", strerror(errno));
	l->events = events_new(l->tep);
	l->page_size = tep_get_sub_buffer_size(l->tep);
	l->page = xcalloc(1, l->page_size);
	l->kbuf = kbuffer_alloc(KBUFFER_LSIZE_SAME_AS_HOST, KBUFFER_ENDIAN_SAME_AS_HOST);
	if (!l->kbuf)
		die(EXIT_BLIND, "out of memory");

	tracefs_instances_walk(destroy_orphan, NULL);
	name = xasprintf(PREFIX "%d", getpid());
	l->inst = tracefs_instance_create(name);
	if (!l->inst)
		die(EXIT_BLIND, "cannot create the tracing instance %s: %s", name, strerror(errno));
	free(name);
	the_live = l;
	atexit(destroy_at_exit);
	tracefs_trace_off(l->inst);
	if (tracefs_instance_set_buffer_size(l->inst, kb, -1) < 0)
		die(EXIT_BLIND, "no %lu KB for each CPU's buffer: %s; ask for less with --buffer",
		    kb, strerror(errno));
	set_options(l);
	choose_clock(l);
	open_buffers(l);
	return l;
}

void live_on(struct live *l)
{
	for (int type = 0; type < EV_KERNEL; type++) {
		if (l->want && !l->want(type))
			continue;
		if (tracefs_event_enable(l->inst, "vhost", event_names[type]) < 0)
			die(EXIT_BLIND, "cannot switch on the event %s: %s; the kernel and vhostctl must be of one version",
			    event_names[type], strerror(errno));
	}
	tracefs_trace_on(l->inst);
	l->on = true;
}

void live_off(struct live *l)
{
	if (!l->on)
		return;
	tracefs_trace_off(l->inst);
	tracefs_event_disable(l->inst, "vhost", NULL);
	l->on = false;
}

void live_free(struct live *l)
{
	the_live = NULL;
	live_off(l);
	for (unsigned int i = 0; i < l->n; i++) {
		if (l->cpu[i].fd >= 0)
			close(l->cpu[i].fd);
		free(l->cpu[i].buf);
	}
	free(l->cpu);
	if (tracefs_instance_destroy(l->inst) < 0)
		fail(EXIT_BLIND, "cannot remove the tracing instance %s: %s",
		     tracefs_instance_get_name(l->inst), strerror(errno));
	tracefs_instance_free(l->inst);
	kbuffer_free(l->kbuf);
	free(l->page);
	events_free(l->events);
	tep_free(l->tep);
	free(l);
}

const struct events *live_events(const struct live *l)
{
	return l->events;
}

unsigned int live_cpus(const struct live *l)
{
	return l->n;
}

json_object *live_offline(const struct live *l)
{
	json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < l->n; i++)
		if (l->cpu[i].fd >= 0 && !l->cpu[i].there)
			json_object_array_add(a, json_object_new_int(i));
	return a;
}

void print_offline(json_object *cpus, FILE *f)
{
	for (size_t i = 0; cpus && i < json_object_array_length(cpus); i++)
		fprintf(f, "CPU %d was off line: it has no events\n",
			json_object_get_int(json_object_array_get_idx(cpus, i)));
}

size_t live_page_size(const struct live *l)
{
	return l->page_size;
}

const char *live_clock(const struct live *l)
{
	return l->clock;
}

char *live_file(struct live *l, const char *name)
{
	return tracefs_instance_file_read(l->inst, name, NULL);
}

/* Take the pages of one CPU. */
static void cpu_pages(struct live *l, unsigned int i,
		      void (*fn)(void *arg, unsigned int cpu, void *page), void *arg)
{
	struct cpu_buffer *c = &l->cpu[i];
	double until = now() + PATIENCE;
	ssize_t n;

	c->more = false;
	if (c->fd < 0)
		return;
	for (int pages = 0; ; pages++) {
		n = read(c->fd, l->page, l->page_size);
		if (n <= 0)
			break;
		/* The kernel says how much of the page is used. */
		fn(arg, i, l->page);
		if (pages % 64 == 63 && now() > until) {
			c->more = true;
			break;
		}
	}
	c->there = n >= 0 || errno != ENODEV;
	/* Without memory for it now, it is read later. */
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENODEV && errno != ENOMEM)
		die(EXIT_BLIND, "CPU %u's trace buffer: %s", i, strerror(errno));
}

bool live_pages(struct live *l, void (*fn)(void *arg, unsigned int cpu, void *page),
		void *arg)
{
	bool more = false;

	for (unsigned int i = 0; i < l->n; i++) {
		cpu_pages(l, i, fn, arg);
		more |= l->cpu[i].more;
	}
	return more;
}

/* A page may have nothing in it but that events before it were lost. */
static void add_missed(struct cpu_buffer *c, int missed)
{
	if (missed && c->missed >= 0)
		c->missed = missed < 0 ? -1 : c->missed + missed;
}

/* Keep the events of a page. */
static void take_page(void *arg, unsigned int cpu, void *page)
{
	struct live *l = arg;
	struct cpu_buffer *c = &l->cpu[cpu];
	unsigned long long ts;
	void *data;

	kbuffer_load_subbuffer(l->kbuf, page);
	add_missed(c, kbuffer_missed_events(l->kbuf));
	for (data = kbuffer_read_event(l->kbuf, &ts); data;
	     data = kbuffer_next_event(l->kbuf, &ts)) {
		struct rec rec = { .ts = ts, .size = kbuffer_event_size(l->kbuf),
				   .lost = c->missed };
		size_t len = (sizeof(rec) + rec.size + 7) & ~7UL;

		if (c->tail + len > c->room) {
			c->room = 2 * c->room + len + 65536;
			c->buf = xrealloc(c->buf, c->room);
		}
		memcpy(c->buf + c->tail, &rec, sizeof(rec));
		memcpy(c->buf + c->tail + sizeof(rec), data, rec.size);
		c->tail += len;
		c->last_ts = ts;
		c->missed = 0;
	}
}

static struct rec *next_rec(const struct cpu_buffer *c)
{
	return c->head < c->tail ? (struct rec *)(c->buf + c->head) : NULL;
}

/* What the kernel says of a CPU's buffer. */
static char *stats(struct live *l, unsigned int cpu)
{
	char name[64];

	if (l->cpu[cpu].fd < 0)
		return NULL;
	snprintf(name, sizeof(name), "per_cpu/cpu%u/stats", cpu);
	return live_file(l, name);
}

/* The time that the next event would get, or 0 if nobody knows. */
static uint64_t clock_now(struct live *l)
{
	uint64_t sec, usec, ns = 0;

	for (unsigned int i = 0; i < l->n && !ns; i++) {
		char *text = stats(l, i);
		char *at = text ? strstr(text, "now ts:") : NULL;

		if (at && sscanf(at, "now ts: %" SCNu64 ".%" SCNu64, &sec, &usec) == 2)
			ns = sec * NSEC + usec * 1000;
		free(text);
	}
	return ns;
}

void live_counts(struct live *l, uint64_t *events, uint64_t *lost)
{
	static const struct {
		const char *name;
		bool lost;
	} counts[] = {
		{ "\nread events:", false }, { "\noverrun:", true },
		{ "\ncommit overrun:", true }, { "\ndropped events:", true },
	};

	*events = *lost = 0;
	for (unsigned int i = 0; i < l->n; i++) {
		char *text = stats(l, i);

		for (size_t k = 0; text && k < ARRAY_SIZE(counts); k++) {
			char *at = strstr(text, counts[k].name);

			if (at)
				*(counts[k].lost ? lost : events) +=
					strtoull(at + strlen(counts[k].name), NULL, 10);
		}
		free(text);
	}
}

/* The CPU with the next event until @bound; @tied if another has one of that time. */
static struct cpu_buffer *earliest(struct live *l, uint64_t bound, bool *tied)
{
	struct cpu_buffer *first = NULL;

	*tied = false;
	for (unsigned int i = 0; i < l->n; i++) {
		const struct rec *r = next_rec(&l->cpu[i]);

		if (!r || (first && r->ts > next_rec(first)->ts))
			continue;
		*tied = first && r->ts == next_rec(first)->ts;
		if (!*tied)
			first = &l->cpu[i];
	}
	return first && next_rec(first)->ts <= bound ? first : NULL;
}

/*
 * What is lost before a CPU's next record was lost since the last round: until then, all
 * that it had was taken.
 */
static void begin_gaps(struct live *l, uint64_t ts, ev_fn fn, void *arg)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const struct rec *r = next_rec(&l->cpu[i]);

		if (r ? r->lost : l->cpu[i].missed)
			stream_lost(&l->cpu[i].stream, i, ts, fn, arg);
	}
}

void live_read(struct live *l, bool last, ev_fn fn, void *arg)
{
	uint64_t bound = clock_now(l);
	bool more, tied, began = false;
	struct cpu_buffer *c;

	bound = bound > SETTLE ? bound - SETTLE : 0;
	do {
		more = live_pages(l, take_page, l);
		for (c = l->cpu; c < l->cpu + l->n; c++)
			if (c->more && c->last_ts < bound)
				bound = c->last_ts;
	} while (last && more);
	if (last)
		bound = UINT64_MAX;

	while ((c = earliest(l, bound, &tied))) {
		struct rec *r = next_rec(c), *next;
		struct tep_record record = {
			.ts = r->ts, .cpu = c - l->cpu, .size = r->size, .data = r + 1,
		};

		if (!began)
			begin_gaps(l, r->ts, fn, arg);
		began = true;
		c->head += (sizeof(*r) + r->size + 7) & ~7UL;
		next = next_rec(c);
		stream_emit(&c->stream, l->events, &record, r->lost, next && next->lost,
			    tied, fn, arg);
	}
	for (c = l->cpu; c < l->cpu + l->n; c++) {
		memmove(c->buf, c->buf + c->head, c->tail - c->head);
		c->tail -= c->head;
		c->head = 0;
	}
}

/* --- what is watched --- */

static pid_t start(char **command, bool quiet)
{
	pid_t pid = fork();

	if (pid < 0)
		die(EXIT_BLIND, "fork: %s", strerror(errno));
	if (pid)
		return pid;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (quiet)
		dup2(2, 1);
	execvp(command[0], command);
	fail(0, "%s: %s", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

int live_run(char **command, double seconds, bool quiet, void (*step)(void *arg), void *arg)
{
	double end = seconds ? now() + seconds : 0;
	int status = 0;
	pid_t pid = 0;

	catch_signals();
	if (command && *command)
		pid = start(command, quiet);
	while (!interrupted) {
		double left = end ? end - now() : PAUSE;

		step(arg);
		if (pid && waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (end && left <= 0)
			break;
		nap(left < PAUSE ? left : PAUSE);
	}
	if (!pid)
		return 0;
	/* We end; what we started ends with us. */
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
