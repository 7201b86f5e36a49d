// SPDX-License-Identifier: GPL-2.0-only
/* The verb report: what a trace says. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "trace.h"
#include "vhostctl.h"

const char * const lock_names[LOCKS] = { "mutex", "map_lock" };
const char * const batch_names[BATCHES] = { "fetched", "used" };

/* What goes on at a queue at a moment */
struct moment {
	uint64_t kicked;
};

/* A task and a queue's lock: when it began to wait, and when it took it */
struct holder {
	uint64_t waits, took;
};

/* Devices that are named. */
#define DEVICES		8

/* --- counting --- */

static void add_sample(struct samples *s, uint64_t ns)
{
	if (s->n == s->room) {
		s->room = 2 * s->room + 256;
		s->ns = xrealloc(s->ns, s->room * sizeof(*s->ns));
	}
	s->ns[s->n++] = ns;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void samples_sort(struct samples *s)
{
	if (s->n)
		qsort(s->ns, s->n, sizeof(*s->ns), by_size);
}

uint64_t samples_at(const struct samples *s, double percent)
{
	size_t i = ceil(s->n * percent / 100);

	return s->n ? s->ns[i ? i - 1 : 0] : 0;
}

static void add_over_time(const struct report *r, struct over_time *o, uint64_t ts, uint32_t n)
{
	uint64_t slot = (ts - r->verdict.first_ts) / SLOT;

	/* More than ten days is no time but a broken trace. */
	if (slot >= 100000000)
		return;
	if (slot >= o->n) {
		unsigned int room = slot + slot / 2 + 64;

		o->count = xrealloc(o->count, room * sizeof(*o->count));
		memset(o->count + o->n, 0, (room - o->n) * sizeof(*o->count));
		o->n = room;
	}
	o->count[slot] += n;
}

double bucket_seconds(const struct report *r, unsigned int max)
{
	static const double nice[] = { 1, 2, 5 };
	double seconds = verdict_seconds(&r->verdict), width = SLOT / (double)NSEC;

	for (double ten = width; ; ten *= 10)
		for (size_t i = 0; i < ARRAY_SIZE(nice); i++)
			if (seconds / (ten * nice[i]) <= max - 1)
				return ten * nice[i];
}

unsigned int bucket_count(const struct report *r, double seconds)
{
	return verdict_seconds(&r->verdict) / seconds + 1;
}

uint64_t bucket_sum(const struct over_time *o, double seconds, unsigned int bucket)
{
	uint64_t per = llround(seconds * NSEC / SLOT), sum = 0;

	for (uint64_t i = bucket * per; i < (bucket + 1) * per && i < o->n; i++)
		sum += o->count[i];
	return sum;
}

static struct owned *add_device(struct report *r, const struct ev *ev)
{
	/* Its place in the list, plus one */
	unsigned int *place = table_find(&r->devices, ev->f[F_DEV], true);
	struct owned *d;

	if (*place)
		return &r->device[*place - 1];
	r->device = xrealloc(r->device, (r->ndevices + 1) * sizeof(*r->device));
	d = &r->device[r->ndevices++];
	*place = r->ndevices;
	*d = (struct owned){ .opener = { .pid = ev->f[F_OPENER] } };
	snprintf(d->name, sizeof(d->name), "%d-%u", d->opener.pid, (unsigned int)ev->f[F_DEV]);
	return d;
}

static void add_owner(struct owned *d, const struct ev *ev)
{
	snprintf(d->opener.comm, sizeof(d->opener.comm), "%s", ev->opener_comm);
	/* Who had it last is better than nobody. */
	if (!ev->f[F_OWNER])
		return;
	d->owner.pid = ev->f[F_OWNER];
	snprintf(d->owner.comm, sizeof(d->owner.comm), "%s", ev->comm);
}

static void add_drop(struct report *r, const struct ev *ev)
{
	unsigned int cause = ev->f[F_CAUSE] % MAX_NAMES;
	const char *comm = events_comm(r->events, ev->task);
	struct who *w = r->who;

	r->cause[cause].invalidations++;
	r->cause[cause].pages += ev->f[F_DROPPED];
	add_over_time(r, &r->cause[cause].at, ev->ts, ev->f[F_DROPPED]);
	while (w < r->who + r->nwho && (w->cause != cause || strcmp(w->comm, comm)))
		w++;
	if (w == r->who + MAX_WHO)
		return;
	if (w == r->who + r->nwho) {
		r->nwho++;
		w->cause = cause;
		snprintf(w->comm, sizeof(w->comm), "%s", comm);
	}
	w->invalidations++;
	w->pages += ev->f[F_DROPPED];
}

static void add_batch(struct report *r, int what, const struct ev *ev)
{
	uint16_t n = ev->f[F_TO] - ev->f[F_FROM];
	unsigned int i = 0;

	if (!n)
		return;
	while (n > 1U << i)
		i++;
	r->batch[what][i]++;
	r->buffers[what][i] += n;
}

static struct moment *moment_of(struct report *r, const struct ev *ev)
{
	return table_find(&r->queues, queue_key(ev->f[F_DEV], ev->f[F_VQ]), true);
}

static void add_used(struct report *r, const struct ev *ev)
{
	uint16_t n = ev->f[F_TO] - ev->f[F_FROM];
	struct moment *m = moment_of(r, ev);

	add_batch(r, BATCH_USED, ev);
	r->used += n;
	add_over_time(r, &r->used_at, ev->ts, n);
	if (m->kicked && n && ev->ts >= m->kicked) {
		if (ev->f[F_VQ] < MAX_QUEUES)
			add_sample(&r->latency[ev->f[F_VQ]], ev->ts - m->kicked);
		m->kicked = 0;
	}
}

static void add_wait(struct lock *l, const char *name, uint64_t ns)
{
	struct site *s = l->site;

	add_sample(&l->wait, ns);
	while (s < l->site + l->nsites && strcmp(s->name, name))
		s++;
	if (s == l->site + ARRAY_SIZE(l->site))
		return;
	if (s == l->site + l->nsites) {
		l->nsites++;
		snprintf(s->name, sizeof(s->name), "%s", name);
	}
	s->waits++;
	s->ns += ns;
}

static void add_lock(struct report *r, int what, const struct ev *ev)
{
	uint64_t key = queue_key(ev->f[F_DEV], ev->f[F_VQ]) * LOCKS + what;
	struct lock *l = &r->lock[what];
	struct holder *h;

	/* Collisions of so large numbers are not worth more. */
	h = table_find(&r->holders, key * 0x100000001b3ULL ^ (uint32_t)ev->task, true);
	switch (ev->f[F_OP]) {
	case OP_WAIT:
		h->waits = ev->ts;
		break;
	case OP_TRY_BUSY:
		l->busy++;
		break;
	case OP_TAKEN:
	case OP_TRY_TAKEN:
		l->taken++;
		if (h->waits && ev->ts >= h->waits)
			add_wait(l, ev->site, ev->ts - h->waits);
		h->waits = 0;
		h->took = ev->ts;
		break;
	case OP_RELEASED:
		if (h->took && ev->ts >= h->took)
			add_sample(&l->hold, ev->ts - h->took);
		h->took = 0;
		break;
	}
}

static void feed(void *arg, const struct ev *ev)
{
	struct report *r = arg;
	struct owned *device;

	verdict_feed(&r->verdict, ev);
	if (ev->type >= EV_KERNEL) {
		/* What was under way has an unknown end. */
		table_clear(&r->queues);
		table_clear(&r->holders);
		return;
	}
	r->count[ev->type]++;
	device = add_device(r, ev);
	device->events += ev->type != EV_OWNER;
	switch (ev->type) {
	case EV_OWNER:
		add_owner(device, ev);
		break;
	case EV_MAP_DROP:
		add_drop(r, ev);
		break;
	case EV_FALLBACK:
		r->reason[ev->f[F_REASON] % MAX_NAMES]++;
		add_over_time(r, &r->fallback_at, ev->ts, 1);
		break;
	case EV_ACCESSOR:
		r->switches[ev->f[F_WHY] % MAX_NAMES]++;
		break;
	case EV_FETCH:
		add_batch(r, BATCH_FETCHED, ev);
		break;
	case EV_USED_IDX:
		add_used(r, ev);
		break;
	case EV_KICK: {
		struct moment *m = moment_of(r, ev);

		if (!m->kicked)
			m->kicked = ev->ts;
		break;
	}
	case EV_MUTEX:
		add_lock(r, LOCK_MUTEX, ev);
		break;
	case EV_MAP_LOCK:
		add_lock(r, LOCK_MAP, ev);
		break;
	default:
		break;
	}
}

static void report_init(struct report *r, const struct events *events)
{
	r->events = events;
	verdict_init(&r->verdict, events);
	table_init(&r->devices, sizeof(unsigned int));
	table_init(&r->queues, sizeof(struct moment));
	table_init(&r->holders, sizeof(struct holder));
}

static int by_events(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return (x->events < y->events) - (x->events > y->events);
}

static void report_sort(struct report *r)
{
	for (int i = 0; i < LOCKS; i++) {
		samples_sort(&r->lock[i].wait);
		samples_sort(&r->lock[i].hold);
	}
	for (int i = 0; i < MAX_QUEUES; i++)
		samples_sort(&r->latency[i]);
	if (r->ndevices)
		qsort(r->device, r->ndevices, sizeof(*r->device), by_events);
}

static void report_free(struct report *r)
{
	verdict_free(&r->verdict);
	free(r->used_at.count);
	free(r->fallback_at.count);
	for (int i = 0; i < MAX_NAMES; i++)
		free(r->cause[i].at.count);
	for (int i = 0; i < LOCKS; i++) {
		free(r->lock[i].wait.ns);
		free(r->lock[i].hold.ns);
	}
	for (int i = 0; i < MAX_QUEUES; i++)
		free(r->latency[i].ns);
	free(r->device);
	table_free(&r->devices);
	table_free(&r->queues);
	table_free(&r->holders);
}

/* --- text --- */

static const char *cause_name(const struct report *r, unsigned int cause)
{
	return events_value(r->events, EV_MAP_DROP, F_CAUSE, cause);
}

/* A time with the unit that fits, in one of a few static buffers. */
static const char *time_text(uint64_t ns)
{
	static char bufs[8][24];
	static unsigned int turn;
	char *buf = bufs[turn++ % 8];

	if (ns < 10000)
		snprintf(buf, sizeof(bufs[0]), "%" PRIu64 " ns", ns);
	else if (ns < 10000000)
		snprintf(buf, sizeof(bufs[0]), "%.1f us", ns / 1e3);
	else if (ns < 10 * NSEC)
		snprintf(buf, sizeof(bufs[0]), "%.1f ms", ns / 1e6);
	else
		snprintf(buf, sizeof(bufs[0]), "%.1f s", ns / 1e9);
	return buf;
}

static void print_samples(const char *name, const struct samples *s)
{
	if (s->n)
		printf("  %-22s %10zu %11s %11s %11s %11s\n", name, s->n,
		       time_text(samples_at(s, 50)), time_text(samples_at(s, 90)),
		       time_text(samples_at(s, 99)), time_text(samples_at(s, 100)));
}

/* A line of blocks: how a count went over time. */
static void print_over_time(const struct report *r, const struct over_time *o)
{
	static const char * const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	double seconds = bucket_seconds(r, 50);
	unsigned int n = bucket_count(r, seconds);
	uint64_t max = 1;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t v = bucket_sum(o, seconds, i);

		max = v > max ? v : max;
	}
	fputs("    |", stdout);
	for (unsigned int i = 0; i < n; i++)
		fputs(blocks[(bucket_sum(o, seconds, i) * 8 + max - 1) / max], stdout);
	printf("| each %g s, at most %" PRIu64 "\n", seconds, max);
}

static void print_drops(const struct report *r)
{
	printf("\n%-26s %14s %14s\n", "MAPPINGS DROPPED BY", "INVALIDATIONS", "PAGES");
	for (unsigned int c = 0; c < MAX_NAMES; c++) {
		if (!r->cause[c].invalidations)
			continue;
		printf("  %-24s %14" PRIu64 " %14" PRIu64 "\n", cause_name(r, c),
		       r->cause[c].invalidations, r->cause[c].pages);
		for (unsigned int i = 0; i < r->nwho; i++)
			if (r->who[i].cause == c)
				printf("    of %-21s %14" PRIu64 " %14" PRIu64 "\n", r->who[i].comm,
				       r->who[i].invalidations, r->who[i].pages);
		if (r->cause[c].pages)
			print_over_time(r, &r->cause[c].at);
	}
	if (!r->count[EV_MAP_DROP])
		puts("  nothing");
}

static void print_names(const struct report *r, const char *title, const uint64_t *counts,
			enum ev_type type, enum ev_field field)
{
	bool any = false;

	printf("\n%s\n", title);
	for (unsigned int i = 0; i < MAX_NAMES; i++) {
		if (!counts[i])
			continue;
		any = true;
		printf("  %-24s %14" PRIu64 "\n", events_value(r->events, type, field, i), counts[i]);
	}
	if (!any)
		puts("  none");
}

static void print_batches(const struct report *r)
{
	printf("\n%-26s %14s %14s\n", "BATCH OF UP TO", "FETCHED", "USED");
	for (int i = 0; i < BUCKETS; i++)
		if (r->batch[BATCH_FETCHED][i] || r->batch[BATCH_USED][i])
			printf("  %-24u %14" PRIu64 " %14" PRIu64 "\n", 1U << i,
			       r->batch[BATCH_FETCHED][i], r->batch[BATCH_USED][i]);
}

static void print_locks(const struct report *r)
{
	printf("\n%-24s %10s %11s %11s %11s %11s\n", "LOCKS", "TIMES", "HALF UNDER", "90 %",
	       "99 %", "LONGEST");
	print_samples("mutex waited for", &r->lock[LOCK_MUTEX].wait);
	print_samples("mutex held", &r->lock[LOCK_MUTEX].hold);
	print_samples("map lock waited for", &r->lock[LOCK_MAP].wait);
	print_samples("map lock held", &r->lock[LOCK_MAP].hold);
	for (int l = 0; l < LOCKS; l++)
		for (unsigned int i = 0; i < r->lock[l].nsites; i++) {
			const struct site *s = &r->lock[l].site[i];

			printf("  %s waited for in %s: %" PRIu64 " times, %s\n",
			       l == LOCK_MUTEX ? "mutex" : "map lock", s->name, s->waits,
			       time_text(s->ns));
		}
}

static void print_latency(const struct report *r)
{
	printf("\n%-24s %10s %11s %11s %11s %11s\n", "FROM KICK TO USED", "TIMES", "HALF UNDER",
	       "90 %", "99 %", "LONGEST");
	for (int i = 0; i < MAX_QUEUES; i++) {
		char name[24];

		snprintf(name, sizeof(name), "queue %d", i);
		print_samples(name, &r->latency[i]);
	}
}

static void print_device(const struct owned *d)
{
	printf("device %s: %s\n", d->name, d->owner.pid || d->opener.comm[0] ?
	       processes_text(&d->owner, &d->opener) : "the trace does not say whose");
}

static void print_report(const struct report *r)
{
	double seconds = verdict_seconds(&r->verdict);

	for (unsigned int i = 0; i < r->ndevices && i < DEVICES; i++)
		print_device(&r->device[i]);
	if (r->ndevices > DEVICES)
		printf("and %u more devices\n", r->ndevices - DEVICES);
	printf("used elements: %" PRIu64 ", %.0f/s\n\n", r->used,
	       seconds ? r->used / seconds : 0);
	verdict_print(&r->verdict, stdout);
	print_drops(r);
	print_names(r, "ACCESSES FALLEN BACK BY REASON", r->reason, EV_FALLBACK, F_REASON);
	print_names(r, "CHANGES OF ACCESSOR", r->switches, EV_ACCESSOR, F_WHY);
	print_batches(r);
	print_locks(r);
	print_latency(r);
}

/* --- JSON --- */

static json_object *samples_json(const struct samples *s)
{
	json_object *o = json_object_new_object();

	json_int(o, "times", s->n);
	json_int(o, "p50_ns", samples_at(s, 50));
	json_int(o, "p90_ns", samples_at(s, 90));
	json_int(o, "p99_ns", samples_at(s, 99));
	json_int(o, "max_ns", samples_at(s, 100));
	return o;
}

static json_object *over_time_json(const struct report *r, const struct over_time *t)
{
	double seconds = bucket_seconds(r, 100);
	json_object *o = json_object_new_object(), *a = json_object_new_array();

	for (unsigned int i = 0; i < bucket_count(r, seconds); i++)
		json_object_array_add(a, json_object_new_uint64(bucket_sum(t, seconds, i)));
	json_num(o, "bucket_seconds", seconds);
	json_object_object_add(o, "counts", a);
	return o;
}

static json_object *names_json(const struct report *r, const uint64_t *counts,
			       enum ev_type type, enum ev_field field)
{
	json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < MAX_NAMES; i++)
		if (counts[i])
			json_int(o, events_value(r->events, type, field, i), counts[i]);
	return o;
}

static json_object *drops_json(const struct report *r)
{
	json_object *drops = json_object_new_object();

	for (unsigned int c = 0; c < MAX_NAMES; c++) {
		json_object *o, *by;

		if (!r->cause[c].invalidations)
			continue;
		o = json_object_new_object();
		by = json_object_new_array();
		json_int(o, "invalidations", r->cause[c].invalidations);
		json_int(o, "pages", r->cause[c].pages);
		for (unsigned int i = 0; i < r->nwho; i++) {
			json_object *w;

			if (r->who[i].cause != c)
				continue;
			w = json_object_new_object();
			json_str(w, "comm", r->who[i].comm);
			json_int(w, "invalidations", r->who[i].invalidations);
			json_int(w, "pages", r->who[i].pages);
			json_object_array_add(by, w);
		}
		json_object_object_add(o, "by", by);
		json_object_object_add(o, "pages_over_time", over_time_json(r, &r->cause[c].at));
		json_object_object_add(drops, cause_name(r, c), o);
	}
	return drops;
}

static json_object *batches_json(const struct report *r)
{
	json_object *o = json_object_new_object();

	for (int what = 0; what < BATCHES; what++) {
		json_object *a = json_object_new_array();

		for (int i = 0; i < BUCKETS; i++) {
			json_object *b;

			if (!r->batch[what][i])
				continue;
			b = json_object_new_object();
			json_int(b, "up_to", 1U << i);
			json_int(b, "count", r->batch[what][i]);
			json_object_array_add(a, b);
		}
		json_object_object_add(o, batch_names[what], a);
	}
	return o;
}

static json_object *locks_json(const struct report *r)
{
	json_object *o = json_object_new_object();

	for (int i = 0; i < LOCKS; i++) {
		const struct lock *l = &r->lock[i];
		json_object *lock = json_object_new_object();
		json_object *sites = json_object_new_array();

		json_int(lock, "taken", l->taken);
		json_int(lock, "try_busy", l->busy);
		json_object_object_add(lock, "wait", samples_json(&l->wait));
		json_object_object_add(lock, "hold", samples_json(&l->hold));
		for (unsigned int k = 0; k < l->nsites; k++) {
			json_object *s = json_object_new_object();

			json_str(s, "site", l->site[k].name);
			json_int(s, "waits", l->site[k].waits);
			json_int(s, "ns", l->site[k].ns);
			json_object_array_add(sites, s);
		}
		json_object_object_add(lock, "waited_in", sites);
		json_object_object_add(o, lock_names[i], lock);
	}
	return o;
}

static json_object *counts_json(const struct report *r)
{
	json_object *o = json_object_new_object();

	for (int type = 0; type < EV_KERNEL; type++)
		if (r->count[type])
			json_int(o, event_names[type], r->count[type]);
	return o;
}

static json_object *report_json(const struct report *r, const char *file)
{
	json_object *o = json_object_new_object(), *a = json_object_new_array();
	json_object *owners = json_object_new_array();
	double seconds = verdict_seconds(&r->verdict);

	json_str(o, "file", file);
	for (unsigned int i = 0; i < r->ndevices; i++) {
		json_object *d = json_object_new_object();

		json_object_array_add(a, json_object_new_string(r->device[i].name));
		json_str(d, "device", r->device[i].name);
		json_object_object_add(d, "owner", process_json(&r->device[i].owner));
		json_object_object_add(d, "opener", process_json(&r->device[i].opener));
		json_object_array_add(owners, d);
	}
	json_object_object_add(o, "devices", a);
	json_object_object_add(o, "owners", owners);
	json_object_object_add(o, "order", verdict_json(&r->verdict));
	json_object_object_add(o, "events", counts_json(r));
	json_int(o, "used", r->used);
	json_num(o, "used_per_second", seconds ? r->used / seconds : 0);
	json_object_object_add(o, "used_over_time", over_time_json(r, &r->used_at));
	json_object_object_add(o, "drops", drops_json(r));
	json_object_object_add(o, "fallbacks", names_json(r, r->reason, EV_FALLBACK, F_REASON));
	json_object_object_add(o, "accessor_changes",
			       names_json(r, r->switches, EV_ACCESSOR, F_WHY));
	json_object_object_add(o, "batches", batches_json(r));
	json_object_object_add(o, "locks", locks_json(r));
	a = json_object_new_array();
	for (int i = 0; i < MAX_QUEUES; i++) {
		json_object *l;

		if (!r->latency[i].n)
			continue;
		l = samples_json(&r->latency[i]);
		json_int(l, "queue", i);
		json_object_array_add(a, l);
	}
	json_object_object_add(o, "kick_to_used", a);
	return o;
}

/* --- the verb --- */

enum { KEY_PLOT = 256 };

struct args {
	bool json;
	const char *file, *dir;
};

static error_t report_parser(int key, char *arg, struct argp_state *st)
{
	struct args *a = st->input;

	switch (key) {
	case 'j':
		a->json = true;
		break;
	case KEY_PLOT:
		a->dir = arg;
		break;
	case ARGP_KEY_ARG:
		if (a->file)
			argp_error(st, "'%s': one file at a time", arg);
		a->file = arg;
		break;
	case ARGP_KEY_END:
		if (!a->file)
			argp_error(st, "which file? 'vhostctl record' makes one");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cmd_report(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "plot", KEY_PLOT, "DIR", 0, "plots in DIR as SVG and PNG, by gnuplot", 0 },
		OPT_JSON,
		{ 0 }
	};
	static const struct argp argp = {
		options, report_parser, "FILE",
		"What a trace says: whose the devices are, whether the order was "
		"kept, what dropped mappings and when, why accesses fell back, batches, waits for "
		"locks, and the time from a kick to the next used buffer.\v"
		"Exit status: 0 reported, whatever the verdict, which 'vhostctl "
		"check' has as its own; 2 wrong usage, 3 cannot read or plot.",
		NULL, NULL, NULL
	};
	static struct report r;
	struct args a = { 0 };
	json_object *plots = NULL, *o;
	struct trace_file *t;

	parse_verb(&argp, argc, argv, &a);
	catch_signals();
	t = trace_open(a.file);
	report_init(&r, trace_events(t));
	trace_read(t, feed, &r);
	if (!checker_totals(r.verdict.checker)->events)
		die(EXIT_BLIND, "%s: no event of vhost is in it; 'vhostctl record' records them, or trace-cmd record -e vhost",
		    a.file);
	report_sort(&r);
	if (a.dir)
		plots = plot(&r, a.dir);
	if (a.json) {
		o = report_json(&r, a.file);
		json_object_object_add(o, "plots", plots ? plots : json_object_new_array());
		json_out(o, false);
	} else {
		print_report(&r);
		for (size_t i = 0; plots && i < json_object_array_length(plots); i++)
			printf("%s%s\n", i ? "" : "\n",
			       json_object_get_string(json_object_array_get_idx(plots, i)));
		json_object_put(plots);
	}
	report_free(&r);
	trace_close(t);
	return EXIT_OK;
}
