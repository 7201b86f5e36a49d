// SPDX-License-Identifier: GPL-2.0-only
/* Plots of a report, by gnuplot. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "vhostctl.h"

/* Points of a curve of times, and buckets of one over time. */
#define POINTS	200
#define SLICES	60

static const char style[] =
	"set encoding utf8\n"
	"set border 3 lc rgb '#555555'\n"
	"set tics nomirror out\n"
	"set grid back lc rgb '#dddddd' lt 1 lw 0.5\n"
	"set key bmargin center horizontal reverse Left width 1 maxrows 2\n"
	"set bmargin 6.5\n"
	"set rmargin 9\n"
	"set linetype 1 lc rgb '#0072b2' lw 2 pt 7 ps 0.6\n"
	"set linetype 2 lc rgb '#d55e00' lw 2 pt 5 ps 0.6\n"
	"set linetype 3 lc rgb '#009e73' lw 2 pt 9 ps 0.6\n"
	"set linetype 4 lc rgb '#cc79a7' lw 2 pt 13 ps 0.6\n"
	"set linetype 5 lc rgb '#e69f00' lw 2 pt 11 ps 0.6\n"
	"set linetype 6 lc rgb '#56b4e9' lw 2 pt 3 ps 0.6\n"
	"set linetype 7 lc rgb '#000000' lw 2 pt 1 ps 0.6\n";

static const struct {
	const char *suffix, *terminal;
} formats[] = {
	{ "svg", "svg size 900,500 font 'sans,14' background rgb 'white'" },
	{ "png", "pngcairo size 1200,680 font 'sans,14' background rgb 'white'" },
};

/* A plot that is being written: the same text for each format. */
struct plot {
	FILE *f;
	char *text;
	size_t len;
	unsigned int curves;
	bool second_axis;	/* for the last curve */
};

static FILE *plot_begin(struct plot *p, const char *title, const char *x, const char *y)
{
	memset(p, 0, sizeof(*p));
	p->f = open_memstream(&p->text, &p->len);
	if (!p->f)
		die(EXIT_BLIND, "out of memory");
	fprintf(p->f, "reset\n%sset title \"{/:Bold %s}\"\nset xlabel \"%s\"\nset ylabel \"%s\"\n",
		style, title, x, y);
	return p->f;
}

/* Each curve is a block of data, and all are plotted together at the end. */
static void curve(struct plot *p)
{
	fprintf(p->f, "$c%u << EOD\n", p->curves++);
}

static void curve_end(struct plot *p, char (*titles)[48], const char *title)
{
	fputs("EOD\n", p->f);
	snprintf(titles[p->curves - 1], 48, "%s", title);
}

#define MAX_CURVES	24

static void plot_end(struct plot *p, FILE *gnuplot, const char *dir, const char *name,
		     char (*titles)[48], const char *with, json_object *files)
{
	if (!p->curves)
		fputs("set label 'nothing in this trace' at graph 0.5,0.5 center\n"
		      "set xrange [0:1]\nset yrange [0:1]\nunset logscale\n", p->f);
	fclose(p->f);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		char *file = xasprintf("%s/%s.%s", dir, name, formats[i].suffix);

		fprintf(gnuplot, "%s", p->text);
		fprintf(gnuplot, "set terminal %s\nset output '", formats[i].terminal);
		/* Quotes are doubled within quotes. */
		for (const char *s = file; *s; s++)
			fprintf(gnuplot, *s == '\'' ? "''" : "%c", *s);
		fputs("'\nplot ", gnuplot);
		for (unsigned int c = 0; c < p->curves; c++)
			fprintf(gnuplot, "%s$c%u using %s%s title \"%s\"", c ? ", " : "", c, with,
				p->second_axis && c == p->curves - 1 ? " axes x1y2" : "",
				titles[c]);
		fputs(p->curves ? "\n" : "NaN notitle\n", gnuplot);
		fputs("unset output\n", gnuplot);
		json_object_array_add(files, json_object_new_string(file));
		free(file);
	}
	free(p->text);
}

/* Names have underscores, which are no subscripts. */
static const char *plain(const char *name)
{
	static char buf[48];

	snprintf(buf, sizeof(buf), "%s", name);
	for (char *s = buf; *s; s++)
		if (*s == '_')
			*s = ' ';
	return buf;
}

static void over_time(struct plot *p, const struct report *r, const struct over_time *o)
{
	double seconds = bucket_seconds(r, SLICES);

	curve(p);
	for (unsigned int i = 0; i < bucket_count(r, seconds); i++)
		fprintf(p->f, "%g %g\n", (i + 0.5) * seconds, bucket_sum(o, seconds, i) / seconds);
}

static void time_axis(struct plot *p, const struct report *r)
{
	double seconds = verdict_seconds(&r->verdict);

	fprintf(p->f, "set xrange [0:%g]\nset yrange [0:*]\n", seconds > 0 ? seconds : 1);
}

static void plot_drops(const struct report *r, FILE *g, const char *dir, json_object *files)
{
	char titles[MAX_CURVES][48];
	struct plot p;

	plot_begin(&p, "Ring mappings dropped, by cause", "time since the trace began (s)",
		   "pages dropped per second (1/s)");
	time_axis(&p, r);
	for (unsigned int c = 0; c < MAX_NAMES && p.curves < MAX_CURVES; c++) {
		if (!r->cause[c].pages)
			continue;
		over_time(&p, r, &r->cause[c].at);
		curve_end(&p, titles, plain(events_value(r->events, EV_MAP_DROP, F_CAUSE, c)));
	}
	plot_end(&p, g, dir, "drops", titles, "1:2 with linespoints", files);
}

static void plot_rate(const struct report *r, FILE *g, const char *dir, json_object *files)
{
	char titles[MAX_CURVES][48];
	struct plot p;

	plot_begin(&p, "Buffers used, and ring accesses that fell back to user access",
		   "time since the trace began (s)", "buffers used per second (1/s)");
	time_axis(&p, r);
	if (r->used) {
		over_time(&p, r, &r->used_at);
		curve_end(&p, titles, "buffers used");
	}
	if (r->used && r->count[EV_FALLBACK]) {
		/* They are few beside the buffers, and have an axis of their own. */
		fputs("set y2range [0:*]\nset y2tics out\nset border 11\n"
		      "set y2label \"accesses fallen back per second (1/s)\"\n", p.f);
		over_time(&p, r, &r->fallback_at);
		curve_end(&p, titles, "accesses fallen back (right axis)");
		p.second_axis = true;
	}
	plot_end(&p, g, dir, "rate", titles, "1:2 with lines", files);
}

static void plot_batches(const struct report *r, FILE *g, const char *dir, json_object *files)
{
	static const char * const what[BATCHES] = {
		"available buffers fetched", "used buffers published",
	};
	char titles[MAX_CURVES][48];
	int last = 0;
	struct plot p;

	plot_begin(&p, "Size of the batches that buffers come in", "buffers in a batch",
		   "share of all buffers (%)");
	fputs("set style data histograms\nset style histogram clustered gap 1\n"
	      "set style fill solid 0.8 border -1\nset yrange [0:*]\nset xtics nomirror\n", p.f);
	for (int i = 0; i < BUCKETS; i++)
		if (r->batch[BATCH_FETCHED][i] || r->batch[BATCH_USED][i])
			last = i;
	for (int b = 0; b < BATCHES; b++) {
		uint64_t sum = 0;

		for (int i = 0; i < BUCKETS; i++)
			sum += r->buffers[b][i];
		if (!sum)
			continue;
		curve(&p);
		for (int i = 0; i <= last; i++) {
			char range[32];

			if (i < 2)
				snprintf(range, sizeof(range), "%d", 1 << i);
			else
				snprintf(range, sizeof(range), "%d-%d", (1 << (i - 1)) + 1, 1 << i);
			fprintf(p.f, "%s %g\n", range, 100.0 * r->buffers[b][i] / sum);
		}
		curve_end(&p, titles, what[b]);
	}
	plot_end(&p, g, dir, "batches", titles, "2:xtic(1)", files);
}

/* How many percent of @s took at most so long */
static void cumulative(struct plot *p, const struct samples *s, double unit)
{
	curve(p);
	for (int i = 1; i <= POINTS; i++) {
		double percent = 100.0 * i / POINTS;

		fprintf(p->f, "%g %g\n", fmax(samples_at(s, percent), 1) / unit, percent);
	}
}

static void plot_waits(const struct report *r, FILE *g, const char *dir, json_object *files)
{
	static const struct {
		const char *title;
		int lock;
		bool hold;
	} curves[] = {
		{ "map lock held", LOCK_MAP, true },
		{ "map lock waited for", LOCK_MAP, false },
		{ "mutex held", LOCK_MUTEX, true },
		{ "mutex waited for", LOCK_MUTEX, false },
	};
	char titles[MAX_CURVES][48];
	struct plot p;

	plot_begin(&p, "Map lock and mutex of the queues: held, and waited for", "time (µs)",
		   "share that took at most so long (%)");
	fputs("set logscale x\nset yrange [0:100]\n", p.f);
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
		const struct lock *l = &r->lock[curves[i].lock];
		const struct samples *s = curves[i].hold ? &l->hold : &l->wait;
		char title[48];

		if (!s->n)
			continue;
		cumulative(&p, s, 1000);
		snprintf(title, sizeof(title), "%s (%zu times)", curves[i].title, s->n);
		curve_end(&p, titles, title);
	}
	plot_end(&p, g, dir, "locks", titles, "1:2 with lines", files);
}

static void plot_latency(const struct report *r, FILE *g, const char *dir, json_object *files)
{
	char titles[MAX_CURVES][48];
	struct plot p;

	plot_begin(&p, "From the driver's kick to the next used buffer", "time (µs)",
		   "share that took at most so long (%)");
	fputs("set logscale x\nset yrange [0:100]\n", p.f);
	for (int i = 0; i < MAX_QUEUES; i++) {
		char title[48];

		if (!r->latency[i].n)
			continue;
		cumulative(&p, &r->latency[i], 1000);
		snprintf(title, sizeof(title), "queue %d (%zu kicks)", i, r->latency[i].n);
		curve_end(&p, titles, title);
	}
	plot_end(&p, g, dir, "latency", titles, "1:2 with lines", files);
}

static pid_t start_gnuplot(FILE **to)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd))
		die(EXIT_BLIND, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die(EXIT_BLIND, "fork: %s", strerror(errno));
	if (!pid) {
		/* For the µ; plots look the same everywhere. */
		setenv("LC_ALL", "C.UTF-8", 1);
		dup2(fd[0], 0);
		dup2(2, 1);
		close(fd[0]);
		close(fd[1]);
		execlp("gnuplot", "gnuplot", NULL);
		_exit(127);
	}
	close(fd[0]);
	*to = fdopen(fd[1], "w");
	if (!*to)
		die(EXIT_BLIND, "out of memory");
	return pid;
}

json_object *plot(const struct report *r, const char *dir)
{
	json_object *files = json_object_new_array();
	int status;
	pid_t pid;
	FILE *g;

	if (mkdir(dir, 0755) && errno != EEXIST)
		die(EXIT_BLIND, "%s: %s; --plot wants a directory that can be made or written", dir,
		    strerror(errno));
	if (access(dir, W_OK | X_OK))
		die(EXIT_BLIND, "%s: %s", dir, strerror(errno));
	/* A gnuplot that ends early is told by its status. */
	signal(SIGPIPE, SIG_IGN);
	pid = start_gnuplot(&g);
	plot_drops(r, g, dir, files);
	plot_rate(r, g, dir, files);
	plot_batches(r, g, dir, files);
	plot_waits(r, g, dir, files);
	plot_latency(r, g, dir, files);
	fclose(g);
	waitpid(pid, &status, 0);
	signal(SIGPIPE, SIG_DFL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		die(EXIT_BLIND, "gnuplot is not installed: on Debian, apt-get install gnuplot-nox");
	if (status)
		die(EXIT_BLIND, "gnuplot could not make the plots in %s; what it said is above", dir);
	return files;
}
