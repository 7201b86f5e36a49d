// SPDX-License-Identifier: GPL-2.0-only
/* Reading a trace.dat: all its CPUs, merged by time. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <trace-cmd.h>

#include "trace.h"
#include "vhostctl.h"

/* A CPU's events in a buffer; @rec is the next one. */
struct cpu {
	struct stream stream;
	struct tep_record *rec;
};

struct trace_file {
	const char *path;
	struct tracecmd_input *in;
	struct events *events;
};

void stream_lost(struct stream *s, int cpu, uint64_t ts, ev_fn fn, void *arg)
{
	struct ev gap = { .type = EV_GAP_BEGIN, .ts = ts, .cpu = cpu };

	if (s->in_gap)
		return;
	s->in_gap = true;
	fn(arg, &gap);
}

void stream_emit(struct stream *s, const struct events *e, struct tep_record *rec,
		 long long lost, bool lost_next, bool tied, ev_fn fn, void *arg)
{
	struct ev ev;

	if (lost) {
		struct ev gap = { .type = EV_GAP_END, .ts = rec->ts, .cpu = rec->cpu };

		stream_lost(s, rec->cpu, rec->ts, fn, arg);
		gap.f[F_COUNT] = lost > 0 ? lost : 0;
		fn(arg, &gap);
		s->in_gap = false;
	}
	if (events_parse(e, rec, &ev)) {
		ev.tied = tied;
		fn(arg, &ev);
	}
	if (lost_next)
		stream_lost(s, rec->cpu, rec->ts, fn, arg);
}

struct trace_file *trace_open(const char *path)
{
	struct trace_file *t = xcalloc(1, sizeof(*t));

	t->path = path;
	if (access(path, R_OK))
		die(EXIT_BLIND, "%s: %s; 'vhostctl record' makes such a file", path,
		    strerror(errno));
	tracecmd_set_loglevel(TEP_LOG_NONE);
	t->in = tracecmd_open_head(path, TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!t->in)
		die(EXIT_BLIND, "%s: it is not a trace.dat as 'vhostctl record' and 'trace-cmd record' write it",
		    path);
	/* tracecmd_open() does this, too, and crashes where the end is missing. */
	if (tracecmd_init_data(t->in) < 0)
		die(EXIT_BLIND, "%s: a part of it is missing or damaged; was the disk full?", path);
	t->events = events_new(tracecmd_get_tep(t->in));
	if (!events_known(t->events))
		die(EXIT_BLIND, "%s: vhost has no events in it: the kernel had none, or they were not recorded; 'vhostctl record' does, or trace-cmd record -e vhost",
		    path);
	return t;
}

const struct events *trace_events(const struct trace_file *t)
{
	return t->events;
}

/* The CPU with the next event; @tied if another has one of that time. */
static struct cpu *earliest(struct cpu *cpu, int n, bool *tied)
{
	struct cpu *first = NULL;

	*tied = false;
	for (int i = 0; i < n; i++) {
		if (!cpu[i].rec || (first && cpu[i].rec->ts > first->rec->ts))
			continue;
		*tied = first && cpu[i].rec->ts == first->rec->ts;
		if (!*tied)
			first = &cpu[i];
	}
	return first;
}

static void read_buffer(struct trace_file *t, struct tracecmd_input *in, ev_fn fn, void *arg)
{
	int n = tep_get_cpus(tracecmd_get_tep(in));
	struct cpu *cpu = xcalloc(n, sizeof(*cpu)), *c;
	bool tied;

	for (int i = 0; i < n; i++)
		cpu[i].rec = tracecmd_read_data(in, i);
	/* What a CPU lost before its first record was lost since the beginning. */
	c = earliest(cpu, n, &tied);
	for (int i = 0; i < n; i++)
		if (cpu[i].rec && cpu[i].rec->missed_events)
			stream_lost(&cpu[i].stream, i, c->rec->ts, fn, arg);
	while ((c = earliest(cpu, n, &tied)) && !interrupted) {
		struct tep_record *rec = c->rec;

		c->rec = tracecmd_read_data(in, c - cpu);
		stream_emit(&c->stream, t->events, rec, rec->missed_events,
			    c->rec && c->rec->missed_events, tied, fn, arg);
		tracecmd_free_record(rec);
	}
	for (int i = 0; i < n; i++)
		if (cpu[i].rec)
			tracecmd_free_record(cpu[i].rec);
	free(cpu);
}

/* Counts what it hands on. */
struct counted {
	ev_fn fn;
	void *arg;
	uint64_t n;
};

static void count(void *arg, const struct ev *ev)
{
	struct counted *c = arg;

	c->n += ev->type < EV_KERNEL;
	c->fn(c->arg, ev);
}

/* Of several buffers that saw the same, one is enough: the first that saw any. */
void trace_read(struct trace_file *t, ev_fn fn, void *arg)
{
	struct counted c = { .fn = fn, .arg = arg };
	int n = tracecmd_buffer_instances(t->in);

	read_buffer(t, t->in, count, &c);
	for (int i = 0; i < n && !c.n; i++) {
		struct tracecmd_input *in = tracecmd_buffer_instance_handle(t->in, i);

		if (!in)
			continue;
		read_buffer(t, in, count, &c);
		tracecmd_close(in);
	}
	if (interrupted)
		die(EXIT_BLIND, "%s: interrupted", t->path);
}

void trace_close(struct trace_file *t)
{
	events_free(t->events);
	tracecmd_close(t->in);
	free(t);
}
