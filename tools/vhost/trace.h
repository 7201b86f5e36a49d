/* SPDX-License-Identifier: GPL-2.0-only */
/* Events in the order of time, of a file or as they happen. */
#ifndef TRACE_H
#define TRACE_H

#include <json-c/json.h>
#include <stdio.h>
#include <sys/types.h>

#include "events.h"

/* Read a trace.dat, of this program or of trace-cmd; exits if it cannot. */
struct trace_file;

struct trace_file *trace_open(const char *path);
const struct events *trace_events(const struct trace_file *t);
void trace_read(struct trace_file *t, ev_fn fn, void *arg);
void trace_close(struct trace_file *t);

/**
 * struct stream - what both have for each CPU: where its events are lost
 * @in_gap: between the last event before and the first after
 */
struct stream {
	bool in_gap;
};

/* @cpu loses events from @ts on, if that is new. */
void stream_lost(struct stream *s, int cpu, uint64_t ts, ev_fn fn, void *arg);

/*
 * Hand on a record of a stream: @lost events were lost before it (negative: unknown
 * how many), and some between it and the next if @lost_next; @tied as in struct ev.
 */
void stream_emit(struct stream *s, const struct events *e, struct tep_record *rec,
		 long long lost, bool lost_next, bool tied, ev_fn fn, void *arg);

/* --- live --- */

/* An instance of tracefs of our own, which goes with us. */
struct live;

/*
 * Record @want's events, or all if NULL, in @kb per CPU. Exits if it cannot. Nothing is
 * recorded before live_on().
 */
struct live *live_new(bool (*want)(enum ev_type), unsigned long kb);
void live_on(struct live *l);
void live_off(struct live *l);
const struct events *live_events(const struct live *l);

/* The numbers of CPUs are below it. */
unsigned int live_cpus(const struct live *l);

/*
 * CPUs that had no buffer when all was taken last, which the caller puts: those that were
 * off line from live_new() on. They have no events.
 */
json_object *live_offline(const struct live *l);

/* A line for each of @cpus, NULL for none. */
void print_offline(json_object *cpus, FILE *f);
size_t live_page_size(const struct live *l);
const char *live_clock(const struct live *l);

/*
 * Take what is there, page by page. True if there was more than could be taken in time:
 * the CPUs take turns.
 */
bool live_pages(struct live *l, void (*fn)(void *arg, unsigned int cpu, void *page),
		void *arg);

/*
 * Take everything that is there and hand on, in order, what can have nothing before it
 * any more; all of it if @last.
 */
void live_read(struct live *l, bool last, ev_fn fn, void *arg);
void live_free(struct live *l);

/* A file of @l's instance of tracefs, as text that the caller frees, or NULL. */
char *live_file(struct live *l, const char *name);

/* What the kernel counted since live_on(): events read, and lost. */
void live_counts(struct live *l, uint64_t *events, uint64_t *lost);

/*
 * Run @command, calling @step(@arg) many times a second, until it ends, @seconds have
 * passed (0 for ever) or a signal comes. Returns the command's exit status as a shell
 * would, or 0. With @quiet its output goes to stderr.
 */
int live_run(char **command, double seconds, bool quiet, void (*step)(void *arg),
	     void *arg);

#endif /* TRACE_H */
