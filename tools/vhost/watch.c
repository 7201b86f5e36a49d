// SPDX-License-Identifier: GPL-2.0-only
/* Rates, and the verb stat. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vhostctl.h"
#include "watch.h"

#define HEADER_EVERY	20

void look_take(struct look *l, int what)
{
	l->n = devices_read(&l->d, what);
	l->t = now();
}

void look_free(struct look *l)
{
	devices_free(l->d, l->n);
	*l = (struct look){ 0 };
}

const struct device *look_find(const struct look *l, const char *name)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (!strcmp(l->d[i].name, name))
			return &l->d[i];
	return NULL;
}

const struct queue *look_queue(const struct look *was, const struct device *d,
			       const struct queue *q)
{
	const struct device *before = look_find(was, d->name);

	return before && q->index < before->nq ? &before->q[q->index] : NULL;
}

static uint64_t times_sum(const struct queue *q)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; q && i < q->wait.n; i++)
		sum += q->wait.count[i];
	return sum;
}

/* Counters only grow; but the device may be another of the same name's. */
static uint64_t since(uint64_t is, uint64_t was)
{
	return is > was ? is - was : 0;
}

void rates_add(struct rates *r, const struct queue *q, const struct queue *was)
{
	const struct {
		const char *name;
		uint64_t *sum;
	} counters[] = {
		{ "used", &r->used }, { "mapped", &r->mapped }, { "fallback", &r->fallback },
		{ "sections", &r->sections }, { "fills", &r->fills },
		{ "dropped", &r->dropped }, { "rests", &r->rests },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		*counters[i].sum += since(queue_counter(q, counters[i].name),
					  was ? queue_counter(was, counters[i].name) : 0);
	r->waits += since(times_sum(q), times_sum(was));
	r->queues++;
}

json_object *rates_json(const struct rates *r)
{
	json_object *o = json_object_new_object();

	json_num(o, "seconds", r->seconds);
	json_int(o, "queues", r->queues);
	json_num(o, "used_per_second", r->used / r->seconds);
	json_num(o, "mapped_percent", mapped_share(r->mapped, r->fallback));
	json_num(o, "mapped_per_second", r->mapped / r->seconds);
	json_num(o, "fallback_per_second", r->fallback / r->seconds);
	json_num(o, "sections_per_second", r->sections / r->seconds);
	json_num(o, "fills_per_second", r->fills / r->seconds);
	json_num(o, "dropped_per_second", r->dropped / r->seconds);
	json_num(o, "rests_per_second", r->rests / r->seconds);
	return o;
}

/* --- stat --- */

struct stat_args {
	bool json;
	double interval;
	unsigned long count;
	char *target;
};

static error_t stat_parser(int key, char *arg, struct argp_state *st)
{
	struct stat_args *a = st->input;

	switch (key) {
	case 'j':
		a->json = true;
		break;
	case 'i':
		a->interval = arg_seconds(st, "--interval", arg);
		break;
	case 'c':
		a->count = arg_number(st, "--count", arg, 1000000000);
		break;
	case ARGP_KEY_ARG:
		if (a->target)
			argp_error(st, "'%s': one device or queue, or all", arg);
		a->target = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What the target's queues counted; false if it is no longer there. */
static bool sum_up(struct rates *r, const struct look *is, const struct look *was,
		   const char *name, int queue)
{
	*r = (struct rates){ .seconds = is->t - was->t };
	for (unsigned int i = 0; i < is->n; i++) {
		const struct device *d = &is->d[i];

		if (name && strcmp(d->name, name))
			continue;
		for (unsigned int k = 0; k < d->nq; k++)
			if (queue < 0 || queue == (int)k)
				rates_add(r, &d->q[k], look_queue(was, d, &d->q[k]));
	}
	return !name || r->queues;
}

static void print_rates(const struct rates *r, unsigned int devices)
{
	double share = mapped_share(r->mapped, r->fallback);
	char mapped[16] = "-";

	if (!isnan(share))
		snprintf(mapped, sizeof(mapped), "%.2f", share);
	printf("%4u %5u %10.0f %8s %9.0f %10.0f %8.0f %8.0f %7.0f\n", devices, r->queues,
	       r->used / r->seconds, mapped, r->fallback / r->seconds,
	       r->sections / r->seconds, r->fills / r->seconds, r->dropped / r->seconds,
	       r->rests / r->seconds);
	/* Whoever reads a pipe wants it now. */
	fflush(stdout);
}

int cmd_stat(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "interval", 'i', "SECONDS", 0, "between lines (1)", 0 },
		{ "count", 'c', "N", 0, "lines, then end; otherwise until Ctrl-C", 0 },
		OPT_JSON,
		{ 0 }
	};
	static const struct argp argp = {
		options, stat_parser, "[DEV[/QUEUE]]",
		"Rates in each interval, of all devices, one, or a queue: elements "
		"used, share of ring accesses that were mapped, accesses that fell "
		"back, sections under the map lock, pages mapped and dropped, and how "
		"often a queue stopped trying for a while. With --json, an object in "
		"each line.\v"
		"Exit status: 0; 1 DEV is not there, or no longer; 2 wrong usage; 3 "
		"cannot look.", NULL, NULL, NULL
	};
	struct stat_args a = { .interval = 1 };
	struct look was = { 0 }, is = { 0 };
	char buf[40], *name = NULL;
	int queue = -1, ret = EXIT_OK;
	struct rates r;

	parse_verb(&argp, argc, argv, &a);
	if (a.target) {
		name = buf;
		if (!device_parse(a.target, buf, sizeof(buf), &queue))
			return fail(EXIT_USAGE, "'%s' is no device or queue, which look like 1234-1 and 1234-1/0", a.target);
	}
	catch_signals();
	look_take(&was, READ_STATS);
	if (!sum_up(&r, &was, &is, name, queue)) {
		look_free(&was);
		return fail(EXIT_NO, "no device or queue %s; 'vhostctl list' shows the devices", a.target);
	}
	for (unsigned long line = 0; !a.count || line < a.count; line++) {
		nap(was.t + a.interval - now());
		if (interrupted)
			break;
		look_take(&is, READ_STATS);
		if (!sum_up(&r, &is, &was, name, queue)) {
			ret = fail(EXIT_NO, "%s is gone", a.target);
			break;
		}
		if (a.json) {
			json_object *o = rates_json(&r);

			json_str(o, "target", a.target ? a.target : "all");
			json_int(o, "devices", name ? 1 : is.n);
			json_out(o, true);
		} else {
			if (line % HEADER_EVERY == 0)
				printf("%4s %5s %10s %8s %9s %10s %8s %8s %7s\n", "devs", "qs",
				       "used/s", "mapped%", "fallbk/s", "sections/s", "fills/s",
				       "drops/s", "rests/s");
			print_rates(&r, name ? 1 : is.n);
		}
		look_free(&was);
		was = is;
		is = (struct look){ 0 };
		if (ferror(stdout))
			break;
	}
	look_free(&was);
	look_free(&is);
	return ret;
}
