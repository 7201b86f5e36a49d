/* SPDX-License-Identifier: GPL-2.0-only */
/* migbench: what a migration's compression policies make of a link. */
#ifndef BENCH_H
#define BENCH_H

#include "shared.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PAGE 4096
#define RAW_BYTES (PAGE + 8)	/* what a raw page and its header take of the link */

struct policy {
	const char *name, *parameters;
};
/* CALIBRATE is for all, up to ADAPTIVE are those of compress, and then of multifd. */
enum { CALIBRATE, ON, OFF, ADAPTIVE, RAW, MULTIFD, MULTIFD_ADAPTIVE, N_POLICIES };
extern const struct policy policies[N_POLICIES];
static inline bool applies(int policy, bool multifd)
{
	return policy == CALIBRATE || (policy > ADAPTIVE) == multifd;
}

struct list {
	double at[16];
	int count;
};

extern struct options {
	const char *qemu, *report, *cells, *kernel, *init;
	struct list limits, links, threads, ratios, live, dirty;
	const char *methods[2];		/* of multifd; NULL for compress */
	bool use[N_POLICIES], changes;
	int turns, n_methods;
	size_t size;
	double window;
	uint64_t seed;
} opt;
extern char path[], initrd[];	/* where the sink listens; of the guest that runs */

/* util.c */
void catch_signals(void);
double now(void);		/* monotonic, in seconds */
void nap(double seconds);	/* dies when the program was told to stop */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void progress_of(int runs);	/* so many are planned, from now on */
void progress(const char *set);	/* before each run */
void add(struct json_object *run, const char *key, double value);
void emit(struct json_object *run);	/* to stdout */
double field(struct json_object *object, const char *section, const char *key);
void set(struct json_object *parameters, const char *name, int64_t value);
struct guest;
void enable(struct guest *guest, const char *capability);

/* Seconds of processor time until now: of all programs, and of this one. */
struct clocks { double at, all, own; };
struct clocks clocks_now(void);
#define DISTURBED 0.15		/* processors that other programs use */
void add_others(struct json_object *run, double processors);	/* that other programs used */
/* Even: what the word "even" stands for; NAN: it is no value. */
void arg_list(struct argp_state *state, struct list *to, char *arg, double even, double least,
	      double most);

/* main.c */
struct usage { struct clocks host; double qemu; };
struct usage usage_now(struct guest *guest);
void usage_add(struct json_object *run, struct guest *guest, const struct usage *from);
/*
 * Method: of multifd, whose channels are the threads then; NULL for compress. Limit: bytes
 * per second, 0 for none; downtime: of QEMU's downtime-limit, in ms.
 */
void migrate(struct guest *guest, const struct policy *policy, const char *method, int threads,
	     double limit, int downtime);

/* pages.c: memory of which each page compresses to a share of its size */
int pages_create(size_t size);
void pages_fill(int fd, size_t from, size_t size, double ratio, uint64_t seed);

/* sink.c: the other end of the link, which discards what it reads */
#define SLOT 0.01		/* seconds; bytes are counted per slot */
struct sink;
struct sink *sink_start(const char *path);
void sink_speed(struct sink *sink, double bytes_per_s);	/* 0: as fast as it can */
uint64_t sink_bytes(struct sink *sink);
/* Most bytes per second over any one second of [from, to]; 0 when that is shorter. */
double sink_most(struct sink *sink, double from, double to);
void sink_stop(struct sink *sink);

/* guest.c: a QEMU and its QMP */
/* More: what follows -machine. Only memory, stopped: GUEST_STOPPED. */
#define GUEST_STOPPED ((const char *const[]) { "none,memory-backend=ram", "-S", NULL })
extern int guest_nice;		/* of those that are started from now on */
struct guest *guest_start(const char *qemu, int ram, size_t size, const char *const *more);
/* Takes args. The result is the caller's to put; NULL with the reason in *error. */
struct json_object *guest_try(struct guest *guest, const char *command,
			      struct json_object *args, char **error);
struct json_object *guest_do(struct guest *guest, const char *command,
			     struct json_object *args);
bool guest_said(struct guest *guest, const char *text);	/* on its console, or QEMU itself */
/* It does not answer, or not as it should: dies, with what was said. */
void guest_gone(struct guest *guest, const char *when) __attribute__((noreturn));
double guest_cpu(struct guest *guest);	/* seconds of processor time that it used */
void guest_stop(struct guest *guest);

/* link.c: between two guests; one of them runs by the other's name */
#define LINK_PORT 4444
#define LINK_NEAR "10.0.0.1"	/* listen here */
#define LINK_FAR "10.0.0.2"	/* and connect to this */
struct link *link_start(void);
/* Bytes per second on the way to LINK_PORT, 0: as fast as it can; seconds of a round trip. */
void link_set(struct link *link, double rate, double rtt);
uint64_t link_bytes(struct link *link);	/* on the way to LINK_PORT, with headers */
uint64_t link_lost(struct link *link);
void link_stop(struct link *link);

/* goal.c: medians, goals, and what a JSON line holds */
#define MOST_TURNS 32
/* A goal and the cell that is furthest from it. */
struct goal {
	const char *text;
	double bound;
	bool most;		/* the bound is the most that may be, not the least */
	bool best;		/* the cell that is nearest counts, not the furthest */
	int count;
	double worst;
	char where[80];
};
void judge(struct goal *goal, double value, const char *where);
bool verdict(const struct goal *goal);
extern int unmeasured;		/* goals without a value in verdict() */
double at(const double *values, int n, double share);	/* 0: least, 0.5: median, 1: most */
double median(const double *values, int n);
const char *text(struct json_object *run, const char *key);
double number(struct json_object *run, const char *key);	/* NAN where there is none */
void figure(int width, int digits, double value);

/* live.c: a guest that runs and writes so many MB/s, by each policy in turns */
void live(double dirty);

/* report.c: tables and verdicts of the runs in a file; 0 when all goals are met */
int report(const char *runs, const char *cells);
double ideal(double pages_per_s, double bytes_per_page, double bytes_per_s);
double compressed_of(double pages_per_s, double bytes_per_s, double bytes_per_page);

#endif
