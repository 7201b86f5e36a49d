// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb record: vhost's events into a trace.dat, which trace-cmd and kernelshark
 * read, too. It is written as trace-cmd.dat.v6(5) says; nothing but vhost's formats is
 * in it, because nothing else is recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tracefs.h>

#include "devices.h"
#include "trace.h"
#include "vhostctl.h"

/* Empty the buffers so often: each time costs a page that is not full. */
#define INTERVAL	0.2

#define OPTION_CLOCK	4

enum { KEY_TIME = 256, KEY_BUFFER };

struct record {
	bool json;
	double seconds, next;
	unsigned long kb;
	const char *file;
	char **command;
	struct live *live;
	int *fd;		/* each CPU's pages until the end, without a name */
	int out;
};

static void write_all(struct record *r, int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (fd == r->out)
				unlink(r->file);
			die(EXIT_BLIND, "%s: %s", r->file, strerror(n ? errno : ENOSPC));
		}
		p += n;
		size -= n;
	}
}

static void save_page(void *arg, unsigned int cpu, void *page)
{
	struct record *r = arg;

	write_all(r, r->fd[cpu], page, live_page_size(r->live));
}

static void step(void *arg)
{
	struct record *r = arg;

	if (now() < r->next)
		return;
	if (!live_pages(r->live, save_page, r))
		r->next = now() + INTERVAL;
}

/* Beside the file, where there is room for it. */
static int unnamed_file(const char *file)
{
	char *name = xasprintf("%s.XXXXXX", file);
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd < 0)
		die(EXIT_BLIND, "%s: %s; choose another place with -o", name, strerror(errno));
	unlink(name);
	free(name);
	return fd;
}

/* --- the file --- */

static void put(struct record *r, const void *data, size_t size)
{
	write_all(r, r->out, data, size);
}

static void put16(struct record *r, uint16_t v)
{
	put(r, &v, sizeof(v));
}

static void put32(struct record *r, uint32_t v)
{
	put(r, &v, sizeof(v));
}

static void put64(struct record *r, uint64_t v)
{
	put(r, &v, sizeof(v));
}

/* A text of tracefs, its size before it. */
static void put_text(struct record *r, const char *text)
{
	put64(r, strlen(text));
	put(r, text, strlen(text));
}

/* An empty file is none to libtracefs, and no error. */
static char *tracefs_text(const char *name)
{
	char *text;

	errno = 0;
	text = tracefs_instance_file_read(NULL, name, NULL);
	if (!text && errno)
		die(EXIT_BLIND, "tracefs: %s: %s", name, strerror(errno));
	return text ? text : xcalloc(1, 1);
}

static void put_file(struct record *r, const char *name)
{
	char *text = tracefs_text(name);

	put_text(r, text);
	free(text);
}

static void put_formats(struct record *r)
{
	unsigned int n = 0;

	/* No formats of ftrace's own; one system. */
	put32(r, 0);
	put32(r, 1);
	put(r, "vhost", 6);
	for (int type = 0; type < EV_KERNEL; type++)
		n += tracefs_event_file_exists(NULL, "vhost", event_names[type], "format");
	put32(r, n);
	for (int type = 0; type < EV_KERNEL; type++) {
		char *text = tracefs_event_file_read(NULL, "vhost", event_names[type],
						     "format", NULL);

		if (text)
			put_text(r, text);
		free(text);
	}
}

static void put_options(struct record *r)
{
	char *clock = live_file(r->live, "trace_clock");

	put(r, "options  ", 10);
	if (clock) {
		put16(r, OPTION_CLOCK);
		put32(r, strlen(clock) + 1);
		put(r, clock, strlen(clock) + 1);
	}
	put16(r, 0);
	free(clock);
}

static void copy_file(struct record *r, int from)
{
	static char buf[1 << 16];
	ssize_t n;

	if (lseek(from, 0, SEEK_SET) < 0)
		die(EXIT_BLIND, "%s: %s", r->file, strerror(errno));
	while ((n = read(from, buf, sizeof(buf))) > 0)
		put(r, buf, n);
	if (n < 0)
		die(EXIT_BLIND, "%s: %s", r->file, strerror(errno));
}

static void put_pages(struct record *r)
{
	size_t page = live_page_size(r->live);
	unsigned int n = live_cpus(r->live);
	off_t at = lseek(r->out, 0, SEEK_CUR) + 10 + 16 * n, pad;
	char *zero = xcalloc(1, page);

	pad = -at & (page - 1);
	put(r, "flyrecord", 10);
	for (unsigned int i = 0; i < n; i++) {
		off_t size = lseek(r->fd[i], 0, SEEK_END);

		put64(r, at + pad);
		put64(r, size);
		at += size;
	}
	put(r, zero, pad);
	free(zero);
	for (unsigned int i = 0; i < n; i++)
		copy_file(r, r->fd[i]);
}

static void write_file_v6(struct record *r)
{
	static const uint16_t one = 1;
	char *comms = tracefs_text("saved_cmdlines");

	put(r, "\x17\x08\x44tracing6", 11);
	put(r, "", 1);
	put(r, *(const char *)&one ? "\0" : "\1", 1);
	put(r, &(char){ sizeof(long) }, 1);
	put32(r, live_page_size(r->live));
	put(r, "header_page", 12);
	put_file(r, "events/header_page");
	put(r, "header_event", 13);
	put_file(r, "events/header_event");
	put_formats(r);
	/* No addresses to resolve, no strings of trace_printk(). */
	put32(r, 0);
	put32(r, 0);
	put_text(r, comms);
	put32(r, live_cpus(r->live));
	put_options(r);
	put_pages(r);
	free(comms);
}

static error_t record_parser(int key, char *arg, struct argp_state *st)
{
	struct record *r = st->input;

	switch (key) {
	case 'j':
		r->json = true;
		break;
	case 'o':
		r->file = arg;
		break;
	case KEY_TIME:
		r->seconds = arg_seconds(st, "--time", arg);
		break;
	case KEY_BUFFER:
		r->kb = arg_number(st, "--buffer", arg, 4 << 20);
		break;
	case ARGP_KEY_ARG:
		r->command = st->argv + st->next - 1;
		st->next = st->argc;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cmd_record(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "output", 'o', "FILE", 0, "where to (trace.dat)", 0 },
		{ "time", KEY_TIME, "SECONDS", 0, "for so long", 0 },
		{ "buffer", KEY_BUFFER, "KB", 0, "for each CPU (8192)", 0 },
		OPT_JSON,
		{ 0 }
	};
	static const struct argp argp = {
		options, record_parser, "[--] [COMMAND...]",
		"Record all of vhost's events until Ctrl-C, or the end of --time or "
		"COMMAND, into a file for report and check, trace-cmd and "
		"kernelshark.\v"
		"Exit status: 0 or COMMAND's; 2 wrong usage, 3 cannot record. "
		"With --json, COMMAND's output goes to stderr.",
		NULL, NULL, NULL
	};
	struct record r = { .kb = 8192, .file = "trace.dat" };
	uint64_t events, lost;
	double start, seconds;
	json_object *o, *offline;
	int status;
	off_t size;

	parse_verb(&argp, argc, argv, &r);
	r.live = live_new(NULL, r.kb);
	r.fd = xcalloc(live_cpus(r.live), sizeof(*r.fd));
	for (unsigned int i = 0; i < live_cpus(r.live); i++)
		r.fd[i] = unnamed_file(r.file);
	start = now();
	live_on(r.live);
	devices_say_owners();
	status = live_run(r.command, r.seconds, r.json, step, &r);
	/* Again: the first time may be lost by now. */
	devices_say_owners();
	live_off(r.live);
	seconds = now() - start;
	while (live_pages(r.live, save_page, &r))
		;
	live_counts(r.live, &events, &lost);
	offline = live_offline(r.live);

	r.out = open(r.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (r.out < 0)
		die(EXIT_BLIND, "%s: %s", r.file, strerror(errno));
	write_file_v6(&r);
	size = lseek(r.out, 0, SEEK_CUR);
	if (close(r.out)) {
		unlink(r.file);
		die(EXIT_BLIND, "%s: %s", r.file, strerror(errno));
	}
	for (unsigned int i = 0; i < live_cpus(r.live); i++)
		close(r.fd[i]);
	free(r.fd);
	live_free(r.live);

	if (!r.json) {
		fprintf(stderr, "%s: %" PRIu64 " events in %.1f s, %" PRIu64 " lost%s\n", r.file,
			events, seconds, lost, lost ? "; give more with --buffer" : "");
		print_offline(offline, stderr);
		json_object_put(offline);
		return status;
	}
	o = json_object_new_object();
	json_str(o, "file", r.file);
	json_int(o, "bytes", size);
	json_int(o, "events", events);
	json_int(o, "lost", lost);
	json_object_object_add(o, "offline", offline);
	json_num(o, "seconds", seconds);
	json_int(o, "status", status);
	json_out(o, false);
	return status;
}
