// SPDX-License-Identifier: GPL-2.0-only
/* Tables and verdicts of the runs in a file of JSON lines. */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TURNS MOST_TURNS
#define CELLS 1000

/* Everything measured at one place: a value per turn of each policy. */
struct cell {
	const char *set, *method;	/* method: of multifd, or "" */
	/* The limit is the link's speed in the set "link", and in "live" the ratio is MB/s written. */
	double ratio, threads, limit;
	int turns[N_POLICIES];
	/* pages: per second, or in "live" the whole seconds; bytes: per second, or downtime */
	double pages[N_POLICIES][TURNS], bytes[N_POLICIES][TURNS], most[N_POLICIES][TURNS];
	double per_page[TURNS];		/* bytes, of calibrate */
	double processors[TURNS];	/* of QEMU and the sink, while adaptive */
};
static struct cell cells[CELLS];
static int count;

/* The policies that are compared in a cell are from the first to the adaptive one. */
static int first(const struct cell *c)
{
	return *c->method ? MULTIFD : ON;
}

static int adaptive(const struct cell *c)
{
	return *c->method ? MULTIFD_ADAPTIVE : ADAPTIVE;
}

/*
 * The best a link of so many bytes per second can do: compress all the time, and fill
 * what the compressed pages leave with raw ones; or as many compressed pages as fit.
 */
double ideal(double pages_per_s, double bytes_per_page, double bytes_per_s)
{
	double used = pages_per_s * bytes_per_page;

	return used < bytes_per_s ? pages_per_s + (bytes_per_s - used) / RAW_BYTES :
				    bytes_per_s / bytes_per_page;
}

/* How many of the pages were compressed ones, of so many bytes each; the rest were raw. */
double compressed_of(double pages_per_s, double bytes_per_s, double bytes_per_page)
{
	return (pages_per_s * RAW_BYTES - bytes_per_s) / (RAW_BYTES - bytes_per_page);
}

/*
 * What the threads can make at this ratio: the most that they made in any of its cells, alone
 * or, by adaptive, beside raw pages. Alone, each waits for its next page.
 */
static double most_compressed(const struct cell *c)
{
	double most = 0;

	for (const struct cell *o = cells; o < cells + count; o++) {
		double made[TURNS];
		int n = 0;

		if (*o->method || !strcmp(o->set, "live") || o->ratio != c->ratio ||
		    o->threads != c->threads)
			continue;
		for (; n < o->turns[ADAPTIVE] && n < o->turns[CALIBRATE]; n++)
			made[n] = compressed_of(o->pages[ADAPTIVE][n], o->bytes[ADAPTIVE][n],
					     o->per_page[n]);
		/* NAN where there is none */
		most = fmax(most, fmax(median(made, n),
				       median(o->pages[CALIBRATE], o->turns[CALIBRATE])));
	}
	return most;
}

/*
 * In a turn of a cell. With multifd, a channel that sends a raw page compresses none: the
 * channels share their time between what compression alone makes and what raw pages alone
 * make, so that both together fill the link. (A raw page's header of 10.5 bytes is not minded.)
 */
static double ideal_in(const struct cell *c, int turn)
{
	double pages = c->pages[CALIBRATE][turn], used = pages * c->per_page[turn];
	double raw = c->pages[RAW][turn], share;

	if (!*c->method)
		return ideal(most_compressed(c), c->per_page[turn], c->limit);
	if (used >= c->limit)
		return ideal(pages, c->per_page[turn], c->limit);
	share = (c->limit - used) / (raw * RAW_BYTES - used);
	return raw > pages ? pages + fmin(share, 1) * (raw - pages) : pages;
}

static int ideals(const struct cell *c)
{
	return *c->method && c->turns[RAW] < c->turns[CALIBRATE] ? c->turns[RAW] :
								    c->turns[CALIBRATE];
}

/* The median over turns of adaptive against the ideal that its turn calibrated. */
static double share_of_ideal(const struct cell *c)
{
	double shares[TURNS];
	int n = 0, policy = adaptive(c);

	for (; n < c->turns[policy] && n < ideals(c); n++)
		shares[n] = c->pages[policy][n] / ideal_in(c, n);
	return median(shares, n);
}

static double cell_ideal(const struct cell *c)
{
	double values[TURNS];

	for (int i = 0; i < ideals(c); i++)
		values[i] = ideal_in(c, i);
	return median(values, ideals(c));
}

static struct cell *find(struct json_object *run)
{
	const char *set = text(run, "set"), *method = text(run, "method");
	double ratio = number(run, strcmp(set, "live") ? "ratio" : "dirty");
	double threads = number(run, "threads");
	double limit = number(run, !strcmp(set, "link") ? "link" : "limit");
	struct cell *c = cells;
	char change[32];

	if (!strcmp(set, "change")) {
		snprintf(change, sizeof(change), "change %s", text(run, "change"));
		set = change;
		ratio = number(run, "from");
		limit = number(run, "to");
	}

	for (; c < cells + count; c++)
		if (!strcmp(c->set, set) && !strcmp(c->method, method) && c->ratio == ratio && c->threads == threads &&
		    c->limit == limit)
			return c;
	if (count == CELLS)
		die("more than %d cells", CELLS);
	count++;
	*c = (struct cell) { strdup(set), strdup(method), ratio, threads, limit, .turns = { 0 } };
	return c;
}

static bool is_change(const struct cell *c)
{
	return !strncmp(c->set, "change ", 7);
}

static void keep(struct json_object *run)
{
	struct cell *c = find(run);
	int p = 0, turn;

	while (p < N_POLICIES && strcmp(policies[p].name, text(run, "policy")))
		p++;
	if (p == N_POLICIES || c->turns[p] == TURNS)
		return;
	turn = c->turns[p]++;
	if (!strcmp(c->set, "live")) {
		/* A migration that did not converge takes for ever. */
		c->pages[p][turn] = number(run, "converged") ? number(run, "total_s") : INFINITY;
		c->bytes[p][turn] = number(run, "downtime_s");
		return;
	}
	if (is_change(c)) {
		c->pages[p][turn] = number(run, "settle_s");
		c->bytes[p][turn] = number(run, "settled_share");
		return;
	}
	c->pages[p][turn] = number(run, "pages_per_s");
	c->bytes[p][turn] = number(run, "bytes_per_s");
	c->most[p][turn] = number(run, "most_in_1s");
	if (p == CALIBRATE)
		c->per_page[turn] = number(run, "bytes_per_page");
	if (p == adaptive(c))
		c->processors[turn] = number(run, "processors_qemu") +
				      number(run, "processors_bench");
}

static int by_place(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;
	double order[] = { !!*x->method - !!*y->method, strcmp(x->set, y->set),
			   strcmp(x->method, y->method), x->ratio - y->ratio,
			   x->threads - y->threads, x->limit - y->limit };

	for (int i = 0; i < 6; i++)
		if (order[i])
			return order[i] > 0 ? 1 : -1;
	return 0;
}

static void spread(const struct cell *c, int p, double unit)
{
	const double *v = c->pages[p];
	int n = c->turns[p];

	if (n)
		printf(" %5.1f (%5.1f-%5.1f)", median(v, n) / unit, at(v, n, 0) / unit,
		       at(v, n, 1) / unit);
	else
		printf(" %19s", "-");
}

static double over(const struct cell *c, int p)
{
	double most = at(c->most[p], c->turns[p], 1);

	return most > 0 ? most / c->limit - 1 : NAN;	/* 0: it was over in less than 1 s */
}

/* For gnuplot: compress under limits, or multifd at all. */
static void plot_row(const struct cell *c, FILE *plot)
{
	if (*c->method)
		fprintf(plot, "\"%s %g MB/s, %s x%g, %g\" %g", c->set, c->limit / 1e6, c->method,
			c->threads, c->ratio, cell_ideal(c));
	else
		fprintf(plot, "%g %g %g %g %g %g", c->ratio, c->threads, c->limit / 1e6,
			most_compressed(c), median(c->per_page, c->turns[CALIBRATE]) / PAGE,
			cell_ideal(c));
	for (int p = first(c); p <= adaptive(c); p++)
		fprintf(plot, " %g %g %g %g", median(c->pages[p], c->turns[p]),
			at(c->pages[p], c->turns[p], 0), at(c->pages[p], c->turns[p], 1),
			median(c->bytes[p], c->turns[p]) * 8 / 1e6);
	fprintf(plot, "\n");
}

static void row(const struct cell *c)
{
	const int from = first(c), to = adaptive(c);
	double r = median(c->per_page, c->turns[CALIBRATE]) / PAGE;
	double rate = *c->method ? median(c->pages[CALIBRATE], c->turns[CALIBRATE]) :
				   most_compressed(c);

	printf("%-5s %s%s%5.2f %3.0f %6.1f %6.1f %5.2f", c->set, c->method, *c->method ? " " : "",
	       c->ratio, c->threads, c->limit / 1e6, rate / 1e3, r);
	if (*c->method)
		figure(6, 1, median(c->pages[RAW], c->turns[RAW]) / 1e3);
	for (int p = from; p <= to; p++)
		spread(c, p, 1e3);
	figure(6, 1, cell_ideal(c) / 1e3);
	figure(6, 3, share_of_ideal(c));
	printf(" |");
	for (int p = from; p <= to; p++)
		figure(5, 0, median(c->bytes[p], c->turns[p]) * 8 / 1e6);
	printf(" |");
	for (int p = from; p <= to; p++)
		figure(5, 1, over(c, p) * 100);
	printf(" |");
	figure(4, 2, median(c->processors, c->turns[to]));
	printf("\n");
}

static void headings(const struct cell *c)
{
	bool multifd = *c->method;

	if (!strcmp(c->set, "live"))
		printf("seconds of a whole migration; for the ratio, MB/s that the guest writes\n");
	else if (multifd && !strcmp(c->set, "limit"))
		printf("\nmultifd with max-bandwidth, of which plain multifd counts pages before compression,\n"
		       "and adaptive what is sent: not a comparison of like with like\n");
	else if (multifd)
		printf("\nmultifd without a limit, and the link held: a comparison of like with like\n");
	else
		printf("%62s\n", "thousand pages/s: median (min-max)");
	if (multifd)
		printf("%-10s %5s %3s %6s %6s %5s %6s %19s %19s %6s %6s | %-11s | %-11s | %s\n", "set",
		       "ratio", "chn", "MB/s", "C", "r", "raw", "multifd", "adaptive", "ideal", "share",
		       "Mbps", "% in any 1 s", "cpus");
	else if (strcmp(c->set, "live"))
		printf("%-5s %5s %3s %6s %6s %5s %19s %19s %19s %6s %6s | %-17s | %-17s | %s\n",
		       "set", "ratio", "thr", "MB/s", "C", "r", "on", "off", "adaptive", "ideal",
		       "share", "Mbps on, off, ad.", "% over in any 1 s", "cpus");
}

enum { NEAR, GAIN, SHARE, BETTER, OVER, GOALS };
static struct goal goals[2][GOALS] = {
	{
		{ .text = "limit's raw rate near C: adaptive / better of on and off", .bound = 1.4 },
		{ .text = "ideal / better >= 1.25: adaptive / better of on and off", .bound = 1.2 },
		{ .text = "adaptive / ideal", .bound = 0.95 },
		{ .text = "adaptive / better of on and off", .bound = 0.98 },
		{ .text = "adaptive: most bytes in any 1 s / limit", .bound = 1.02, .most = true },
	}, {
		{ .text = "no limit, link's raw rate near C: adaptive / better", .bound = 1.4 },
		{ .text = "no limit, ideal / better >= 1.25: adaptive / better", .bound = 1.2 },
		{ .text = "no limit, link held: adaptive / ideal", .bound = 0.95 },
		{ .text = "no limit, link held: adaptive / better of on and off", .bound = 0.98 },
	},
};
enum { BOUND, ALL, MULTIFD_OVER, MULTIFD_GOALS };
static struct goal multifd_goals[2][MULTIFD_GOALS] = {
	{
		{ .text = "multifd, limit (unlike): ad. / plain, compression-bound", .bound = 1.3 },
		{ .text = "multifd, limit (unlike): adaptive / plain", .bound = 0.98 },
		{ .text = "multifd-adaptive: most bytes in any 1 s / limit", .bound = 1.02, .most = true },
	}, {
		{ .text = "multifd, link held (like): ad. / plain, compression-bound", .bound = 1.3 },
		{ .text = "multifd, link held (like): adaptive / plain", .bound = 0.98 },
	},
};
static struct goal settle = {
	.text = "change in the middle: seconds to settle", .bound = 1, .most = true
};
static struct goal settled = {
	.text = "change in the middle: what it settles at / ideal", .bound = 0.95
};
static struct goal live_all = {
	.text = "live: adaptive / better of on and off, total time", .bound = 1.02, .most = true
};
static struct goal live_best = {
	.text = "live: the same, in the best setting", .bound = 0.9, .most = true, .best = true
};

/* Where even the ideal gains less than 1.4, that cannot be asked for. */
static void judge_cell(const struct cell *c, int *hopeless)
{
	struct goal *set = goals[!strcmp(c->set, "link")];
	double better = fmax(median(c->pages[ON], c->turns[ON]),
			     median(c->pages[OFF], c->turns[OFF]));
	double gain = median(c->pages[ADAPTIVE], c->turns[ADAPTIVE]) / better;
	double even = c->limit / RAW_BYTES / most_compressed(c);
	double possible = cell_ideal(c) / better;
	char where[80];

	snprintf(where, sizeof(where), "ratio %g, threads %g, %.1f MB/s", c->ratio, c->threads,
		 c->limit / 1e6);
	if (even > 0.8 && even < 1.25 && possible >= 1.4)
		judge(&set[NEAR], gain, where);
	else if (even > 0.8 && even < 1.25)
		++*hopeless;
	if (possible >= 1.25)
		judge(&set[GAIN], gain, where);
	judge(&set[SHARE], share_of_ideal(c), where);
	judge(&set[BETTER], gain, where);
	if (set == goals[0])
		judge(&set[OVER], over(c, ADAPTIVE) + 1, where);
}

/* Compression-bound: it leaves something of the link, and 0.95 of the ideal would be the 1.3. */
static void judge_multifd(const struct cell *c)
{
	struct goal *set = multifd_goals[!strcmp(c->set, "link")];
	double plain = median(c->pages[MULTIFD], c->turns[MULTIFD]);
	double gain = median(c->pages[MULTIFD_ADAPTIVE], c->turns[MULTIFD_ADAPTIVE]) / plain;
	char where[80];

	snprintf(where, sizeof(where), "%s, ratio %g, channels %g, %.1f MB/s", c->method, c->ratio,
		 c->threads, c->limit / 1e6);
	if (median(c->pages[CALIBRATE], c->turns[CALIBRATE]) *
	    median(c->per_page, c->turns[CALIBRATE]) < c->limit && cell_ideal(c) / plain >= 1.3 / 0.95)
		judge(&set[BOUND], gain, where);
	judge(&set[ALL], gain, where);
	if (set == multifd_goals[0])
		judge(&set[MULTIFD_OVER], over(c, MULTIFD_ADAPTIVE) + 1, where);
}

static void live_row(const struct cell *c)
{
	double better = fmin(median(c->pages[ON], c->turns[ON]),
			     median(c->pages[OFF], c->turns[OFF]));
	double share = median(c->pages[ADAPTIVE], c->turns[ADAPTIVE]) / better;
	char where[80];

	printf("%-5s %5.0f %3.0f %6.1f %6s %5s", c->set, c->ratio / 1e6, c->threads, c->limit / 1e6,
	       "", "");
	for (int p = ON; p <= ADAPTIVE; p++)
		spread(c, p, 1);
	printf(" %6s", "");
	figure(6, 3, share);
	printf("\n");
	snprintf(where, sizeof(where), "%g MB/s written, threads %g, %g MB/s", c->ratio / 1e6,
		 c->threads, c->limit / 1e6);
	judge(&live_all, share, where);
	judge(&live_best, share, where);
}

static void change_row(const struct cell *c)
{
	double unit = strcmp(c->set, "change ratio") ? 1e6 : 1;
	char where[80];

	snprintf(where, sizeof(where), "%s %.3g to %.3g%s, threads %g", c->set + 7, c->ratio / unit,
		 c->limit / unit, unit > 1 ? " MB/s" : "", c->threads);
	for (int p = ON; p <= ADAPTIVE; p++) {
		const double *took = c->pages[p], *share = c->bytes[p];
		int n = c->turns[p];

		if (!n)
			continue;
		printf("%-8s %-40s settles in %.1f (%.1f-%.1f) s, at %.3f (%.3f-%.3f) of the ideal\n",
		       policies[p].name, where, median(took, n), at(took, n, 0), at(took, n, 1),
		       median(share, n), at(share, n, 0), at(share, n, 1));
		if (p != ADAPTIVE)
			continue;
		judge(&settle, median(took, n), where);
		judge(&settled, median(share, n), where);
	}
}

int report(const char *runs, const char *plot_path)
{
	FILE *in = fopen(runs, "r"), *plots[2] = { NULL };	/* the second: of multifd */
	int hopeless = 0, line = 0, judged = 0, disturbed = 0;
	const struct cell *last = NULL, *c = cells;
	char *buffer = NULL, plot_name[PATH_MAX];
	size_t size = 0;
	bool ok;

	if (!in)
		die("cannot read %s: %s", runs, strerror(errno));
	for (int i = 0; i < 2 && plot_path; i++) {
		snprintf(plot_name, sizeof(plot_name), "%s%s", plot_path, i ? "-multifd" : "");
		plots[i] = fopen(plot_name, "w");
		if (!plots[i])
			die("cannot write %s: %s", plot_name, strerror(errno));
	}
	while (getline(&buffer, &size, in) > 0) {
		struct json_object *run = json_tokener_parse(buffer);

		line++;
		if (!run)
			die("%s:%d is not JSON", runs, line);
		judged += !isnan(number(run, "processors_others"));
		disturbed += number(run, "processors_others") > DISTURBED;
		if (strcmp(text(run, "set"), "calibrate"))
			keep(run);
		json_object_put(run);
	}
	free(buffer);
	fclose(in);
	if (!line)
		die("%s holds no runs", runs);
	qsort(cells, count, sizeof(*cells), by_place);
	for (; c < cells + count && is_change(c); c++)	/* these come first */
		change_row(c);
	for (; c < cells + count; last = c++) {
		FILE *plot = plots[!!*c->method];

		if (!last || !!*last->method != !!*c->method ||
		    (strcmp(last->set, c->set) && (*c->method || !strcmp(c->set, "live"))))
			headings(c);
		if (plot && last && !*c->method && (last->ratio != c->ratio || last->threads != c->threads) &&
		    !strcmp(c->set, "limit") && !strcmp(last->set, "limit"))
			fprintf(plot, "\n\n");
		if (!strcmp(c->set, "live")) {
			live_row(c);
			continue;
		}
		row(c);
		if (plot && (*c->method || !strcmp(c->set, "limit")))
			plot_row(c, plot);
		if (*c->method)
			judge_multifd(c);
		else
			judge_cell(c, &hopeless);
	}
	for (int i = 0; i < 2; i++)
		if (plots[i] && fclose(plots[i]))
			die("cannot write %s: %s", plot_path, strerror(errno));
	printf("\n");
	ok = verdict(&settle) & verdict(&settled) & verdict(&live_all) & verdict(&live_best);
	for (int i = 0; i < 2; i++)
		for (int g = 0; g < GOALS - i; g++)
			ok &= verdict(&goals[i][g]);
	for (int i = 0; i < 2; i++)
		for (int g = 0; g < MULTIFD_GOALS - i; g++)
			ok &= verdict(&multifd_goals[i][g]);
	if (hopeless)
		printf("near C, but the ideal is less than 1.4 of the better: %d cells\n", hopeless);
	if (unmeasured)
		printf("%d goals were not measured\n", unmeasured);
	if (disturbed)
		printf("warning: other programs used a processor in %d of %d runs; these are of little use\n",
		       disturbed, judged);
	if (!goals[0][SHARE].count && !goals[1][SHARE].count && !settle.count &&
	    !live_all.count && !multifd_goals[0][ALL].count && !multifd_goals[1][ALL].count) {
		say("no run of the policy adaptive: nothing to judge");
		return 1;
	}
	return !ok;
}
