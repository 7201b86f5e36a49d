// SPDX-License-Identifier: GPL-2.0-only
/* Tables and verdicts of pairbench's runs in a file of JSON lines. */
#define _GNU_SOURCE
#include "pairs.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELLS 500
#define BUSY 0.95		/* of the processors: then nothing is left for anybody */
#define RIGHT 0.2		/* a prediction may be off by this share */

/* All that was measured at one place; of each kind, a value per round. */
struct cell {
	char set[16], method[16];
	double channels, ratio, limit, link, rtt, dirty;
	bool even;
	int n[N_KINDS];
	/* value: pages/s or, of a guest that runs, seconds; wire: bytes/s or seconds of downtime */
	double value[N_KINDS][MOST_TURNS], wire[N_KINDS][MOST_TURNS];
	/* processors: the part of the guests' that they use, and what the bench's link uses */
	double busy[N_KINDS][MOST_TURNS], own[N_KINDS][MOST_TURNS];
	double source[N_KINDS][MOST_TURNS], both[N_KINDS][MOST_TURNS];	/* us a page */
	/* what was predicted by what happened, and the downtime that happened by the predicted */
	double predicted[N_KINDS][MOST_TURNS], downtime[N_KINDS][MOST_TURNS];
	double raw[MOST_TURNS];
	int converged[N_KINDS], same[N_KINDS], refused[N_KINDS];
	char bound[16], reason[100];
};
static struct cell cells[CELLS];
static int count;

static bool is_live(const struct cell *c)
{
	return c->dirty > 0;
}

static bool is(const struct cell *c, const char *set)
{
	return !strcmp(c->set, set);
}

static struct cell *find(struct json_object *run)
{
	struct cell new = {
		.channels = number(run, "channels"), .ratio = number(run, "ratio"),
		.limit = number(run, "limit"), .link = number(run, "link"),
		.rtt = number(run, "rtt"), .dirty = number(run, "dirty"),
		.even = !strcmp(text(run, "even"), "true")
	};
	struct cell *c = cells;

	snprintf(new.set, sizeof(new.set), "%s", text(run, "set"));
	snprintf(new.method, sizeof(new.method), "%s", text(run, "method"));
	for (; c < cells + count; c++)
		if (!strcmp(c->set, new.set) && !strcmp(c->method, new.method) &&
		    c->channels == new.channels && c->ratio == new.ratio && c->limit == new.limit &&
		    c->link == new.link && c->rtt == new.rtt && c->dirty == new.dirty &&
		    c->even == new.even)
			return c;
	if (count == CELLS)
		die("more than %d cells", CELLS);
	*c = new;
	count++;
	return c;
}

static bool truth(struct json_object *run, const char *key)
{
	return !strcmp(text(run, key), "true");
}

static void keep(struct json_object *run)
{
	struct cell *c = find(run);
	int k = 0, i;
	double pages = number(run, "pages_per_s"), mean = number(run, "mean_pages_per_s"),
	       source = number(run, "cpu_source") * 1e6;

	while (k < N_KINDS && strcmp(kinds[k], text(run, "kind")))
		k++;
	if (k == N_KINDS || c->n[k] == MOST_TURNS)
		die("a kind that is not known, or more than %d rounds", MOST_TURNS);
	i = c->n[k]++;
	c->value[k][i] = is_live(c) ? number(run, "total_s") : pages;
	c->wire[k][i] = number(run, is_live(c) ? "downtime_s" : "bytes_per_s");
	c->busy[k][i] = number(run, "busy");
	c->own[k][i] = number(run, "cpu_link");
	c->source[k][i] = source / mean;
	c->both[k][i] = (source + number(run, "cpu_destination") * 1e6) / mean;
	c->predicted[k][i] = number(run, "predicted_s") / number(run, "total_s");
	c->downtime[k][i] = number(run, "downtime_s") / number(run, "predicted_downtime_s");
	/* That it does not end is right, too, and an end is wrong then, whenever it was said to be. */
	if (is(c, "predict") && !truth(run, "converged"))
		c->predicted[k][i] = c->downtime[k][i] = number(run, "predicted_s") ? INFINITY : 1;
	c->converged[k] += truth(run, "converged");
	c->same[k] += truth(run, "same");
	c->refused[k] += truth(run, "refused");
	if (k == MIXED) {
		c->raw[i] = number(run, "raw_share");
		snprintf(c->bound, sizeof(c->bound), "%s", text(run, "bound"));
		snprintf(c->reason, sizeof(c->reason), "%s", text(run, "reason"));
	}
}

static double middle(const double (*values)[MOST_TURNS], const struct cell *c, int kind)
{
	return median(values[kind], c->n[kind]);
}

/* Of a guest that runs, the time of what does not end counts for nothing. */
static double score(const struct cell *c, int kind)
{
	if (is_live(c) && c->converged[kind] * 2 < c->n[kind])
		return INFINITY;
	return middle(c->value, c, kind);
}

/* adaptive by the better of none and the method */
static double gain(const struct cell *c)
{
	double better = is_live(c) ? fmin(score(c, NONE), score(c, PLAIN)) :
				     fmax(score(c, NONE), score(c, PLAIN));

	return score(c, MIXED) / better;
}

static const char *place(const struct cell *c)
{
	static char where[80];
	int n = snprintf(where, sizeof(where), "%s, ratio %g, channels %g", c->method, c->ratio,
			 c->channels);

	if (c->link)
		n += snprintf(where + n, sizeof(where) - n, ", %.1f MB/s", c->link / 1e6);
	if (c->limit)
		n += snprintf(where + n, sizeof(where) - n, ", limit %g MB/s", c->limit / 1e6);
	if (c->rtt)
		n += snprintf(where + n, sizeof(where) - n, ", RTT %g ms", c->rtt * 1e3);
	if (c->dirty)
		snprintf(where + n, sizeof(where) - n, ", %g MB/s written", c->dirty / 1e6);
	return where;
}

enum {
	FULL, GAIN, LINK, LIMIT, OVER, DESTINATION, RTT, FILE_TARGET, CPU, USELESS, LIVE, LIVE_BEST,
	CONVERGES, SAME, PREDICT, DOWNTIME, GOALS
};
static struct goal goals[GOALS] = {
	[FULL] = { .text = "the bench: without compression, the link is full", .bound = 0.95 },
	[GAIN] = { .text = "even link: adaptive / better, or the processors 95 % busy", .bound = 1.3 },
	[LINK] = { .text = "any link: adaptive / better of none and the method", .bound = 0.98 },
	[LIMIT] = { .text = "max-bandwidth: adaptive / better", .bound = 0.98 },
	[OVER] = { .text = "max-bandwidth: adaptive's bytes / limit", .bound = 1.02, .most = true },
	[DESTINATION] = { .text = "slow destination: adaptive / better", .bound = 0.98 },
	[RTT] = { .text = "long link: adaptive / better", .bound = 0.98 },
	[FILE_TARGET] = { .text = "a file: compression is refused by name", .bound = 1 },
	[CPU] = { .text = "incompressible: source's processor time / none", .bound = 1.1, .most = true },
	[USELESS] = { .text = "incompressible: adaptive / better", .bound = 0.98 },
	[LIVE] = { .text = "running guest: total time of adaptive / better", .bound = 1.02, .most = true },
	[LIVE_BEST] = { .text = "running guest: the same, in the best setting", .bound = 0.8,
			.most = true, .best = true },
	[CONVERGES] = { .text = "running guest: adaptive ends as often as the method", .bound = 1 },
	[SAME] = { .text = "running guest: memory is the same after it", .bound = 1 },
	[PREDICT] = { .text = "predict: cells with a time within 20 % of what happened", .bound = 0.9 },
	[DOWNTIME] = { .text = "predict: cells with at most 1.2 of the downtime that it said",
		       .bound = 0.9 },
};

static void spread(const struct cell *c, int k, double unit)
{
	const double *v = c->value[k];
	int n = c->n[k];

	if (n)
		printf(" %6.1f (%5.1f-%5.1f)", median(v, n) / unit, at(v, n, 0) / unit,
		       at(v, n, 1) / unit);
	else
		printf(" %20s", "-");
}

static void headings(const struct cell *c)
{
	if (is(c, "file"))
		return;
	printf("\n%s: %s; median (min-max)\n", c->set,
	       is_live(c) ? "seconds of a whole migration" : "thousand pages/s that arrive");
	printf("%-5s %5s %3s %6s %6s %5s %20s %20s %20s %6s %s\n", "", "ratio", "chn", "MB/s",
	       is_live(c) ? "writes" : "limit", "RTT", "none", "method", "adaptive", "gain",
	       is(c, "predict") ? "| predicted / happened | downtime, s" :
	       is_live(c) ? "| downtime, s        | raw   ends" :
	       is(c, "useless") ? "| us a page, source  | both" :
				  "| Mbit/s             | busy  link   raw  bound");
}

static void row(const struct cell *c)
{
	printf("%-5s %5.2f %3.0f %6.1f %6.1f %5.0f", c->method, c->ratio, c->channels, c->link / 1e6,
	       (is_live(c) ? c->dirty : c->limit) / 1e6, c->rtt * 1e3);
	for (int k = 0; k < N_KINDS; k++)
		spread(c, k, is_live(c) ? 1 : 1e3);
	figure(6, 3, gain(c));
	printf(" |");
	for (int k = 0; k < N_KINDS; k++) {
		if (is(c, "predict"))
			figure(6, 2, middle(c->predicted, c, k));
		else if (is(c, "useless"))
			figure(6, 2, middle(c->source, c, k));
		else if (is_live(c))
			figure(6, 3, middle(c->wire, c, k));
		else
			figure(6, 0, middle(c->wire, c, k) * 8 / 1e6);
	}
	if (is(c, "predict")) {
		printf(" |");
		for (int k = 0; k < N_KINDS; k++)
			figure(6, 3, middle(c->wire, c, k));
	} else if (is(c, "useless")) {
		printf(" |");
		for (int k = 0; k < N_KINDS; k++)
			figure(6, 2, middle(c->both, c, k));
	} else if (is_live(c)) {
		printf(" |");
		figure(4, 2, median(c->raw, c->n[MIXED]));
		for (int k = 0; k < N_KINDS; k++)
			printf(" %d/%d", c->converged[k], c->n[k]);
	} else if (!is_live(c)) {
		printf(" |");
		figure(4, 2, middle(c->busy, c, MIXED));
		figure(5, 2, middle(c->own, c, MIXED));
		figure(5, 2, median(c->raw, c->n[MIXED]));
		printf("  %s", c->bound);
	}
	printf("\n");
}

/* A cell of which a kind is missing is not judged. */
static void judge_cell(const struct cell *c)
{
	const char *where = place(c);
	double g = gain(c);

	if (is(c, "file")) {
		double refused = c->refused[PLAIN] + c->refused[MIXED], n = c->n[PLAIN] + c->n[MIXED];

		printf("\nfile, %s: refused in %.0f of %.0f: %s\n", c->method, refused, n, c->reason);
		judge(&goals[FILE_TARGET], refused / n, where);
		return;
	}
	if (is_live(c)) {
		int same = 0, converged = 0;

		for (int k = 0; k < N_KINDS; k++) {
			same += c->same[k];
			converged += c->converged[k];
		}
		if (converged)
			judge(&goals[SAME], (double)same / converged, where);
		if (c->n[PLAIN] && c->n[MIXED])
			judge(&goals[CONVERGES], c->converged[PLAIN] ?
			      (double)c->converged[MIXED] / c->n[MIXED] * c->n[PLAIN] / c->converged[PLAIN] :
			      1, where);
	}
	if (is(c, "live")) {
		judge(&goals[LIVE], g, where);
		judge(&goals[LIVE_BEST], g, where);
	} else if (is(c, "useless")) {
		judge(&goals[USELESS], g, where);
		judge(&goals[CPU], middle(c->source, c, MIXED) / middle(c->source, c, NONE), where);
	} else if (is(c, "destination")) {
		judge(&goals[DESTINATION], g, where);
	} else if (is(c, "rtt")) {
		judge(&goals[RTT], g, where);
	} else if (is(c, "limit")) {
		judge(&goals[LIMIT], g, where);
		judge(&goals[OVER], middle(c->wire, c, MIXED) / (1 + HEADER_SHARE) / c->limit, where);
	} else if (is(c, "link")) {
		judge(&goals[LINK], g, where);
		if (!c->even && c->link)
			judge(&goals[FULL], middle(c->wire, c, NONE) / c->link, where);
		if (c->even)
			judge(&goals[GAIN], middle(c->busy, c, MIXED) >= BUSY ? fmax(g, goals[GAIN].bound) : g,
			      where);
	}
}

/* Each kind is a cell here. */
static void judge_predictions(void)
{
	int n = 0, right = 0, kept = 0;
	char where[40];

	for (const struct cell *c = cells; c < cells + count; c++)
		for (int k = 0; k < N_KINDS && is(c, "predict"); k++) {
			double off = middle(c->predicted, c, k);

			n += !isnan(off);
			right += fabs(off - 1) <= RIGHT;
			kept += middle(c->downtime, c, k) <= 1 + RIGHT;
		}
	if (!n)
		return;
	snprintf(where, sizeof(where), "%d of %d", right, n);
	judge(&goals[PREDICT], (double)right / n, where);
	snprintf(where, sizeof(where), "%d of %d", kept, n);
	judge(&goals[DOWNTIME], (double)kept / n, where);
}

static int by_place(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;
	double order[] = {
		strcmp(x->set, y->set), strcmp(x->method, y->method), x->ratio - y->ratio,
		x->channels - y->channels, x->dirty - y->dirty, x->rtt - y->rtt, x->limit - y->limit,
		x->link - y->link
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (order[i])
			return order[i] > 0 ? 1 : -1;
	return 0;
}

/* For gnuplot: a block for each method, ratio and number of channels; a line for each link. */
static void write_plot(const char *name)
{
	FILE *out = fopen(name, "w");
	const struct cell *last = NULL;

	for (const struct cell *c = cells; out && c < cells + count; c++) {
		if (!is(c, "link"))
			continue;
		if (last && (strcmp(c->method, last->method) || c->ratio != last->ratio ||
			     c->channels != last->channels))
			fprintf(out, "\n\n");
		fprintf(out, "\"%s, ratio %g, %g channel%s\" %g", c->method, c->ratio, c->channels,
			c->channels > 1 ? "s" : "", c->link / 1e6);
		for (int k = 0; k < N_KINDS; k++)
			fprintf(out, " %g %g %g", middle(c->value, c, k), at(c->value[k], c->n[k], 0),
				at(c->value[k], c->n[k], 1));
		fprintf(out, "\n");
		last = c;
	}
	if (!out || fclose(out))
		die("cannot write %s: %s", name, strerror(errno));
}

/* Those that do not depend on how fast anything is */
static bool is_functional(int goal)
{
	return goal == FILE_TARGET || goal == CONVERGES || goal == SAME;
}

int pairs_report(const char *runs, const char *plot, bool functional)
{
	FILE *in = fopen(runs, "r");
	int lines = 0, disturbed = 0, ok = 1;
	char *line = NULL;
	size_t size = 0;

	if (!in)
		die("cannot read %s: %s", runs, strerror(errno));
	while (getline(&line, &size, in) > 0) {
		struct json_object *run = json_tokener_parse(line);

		lines++;
		if (!run)
			die("%s:%d is not JSON", runs, lines);
		disturbed += number(run, "processors_others") > DISTURBED;
		if (strcmp(text(run, "set"), "calibrate"))
			keep(run);
		json_object_put(run);
	}
	free(line);
	fclose(in);
	if (!count)
		die("%s holds no runs", runs);
	qsort(cells, count, sizeof(*cells), by_place);
	for (struct cell *c = cells; c < cells + count; c++) {
		if (c == cells || strcmp(c->set, c[-1].set))
			headings(c);
		if (!is(c, "file"))
			row(c);
		judge_cell(c);
	}
	judge_predictions();
	if (plot)
		write_plot(plot);
	printf("\n");
	for (int i = 0; i < GOALS; i++)
		if (!functional || is_functional(i))
			ok &= verdict(&goals[i]);
	if (unmeasured)
		printf("%d goals were not measured\n", unmeasured);
	if (disturbed)
		printf("warning: other programs used a processor in %d of %d runs; these are of little use\n",
		       disturbed, lines);
	return !ok;
}
