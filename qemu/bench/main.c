// SPDX-License-Identifier: GPL-2.0-only
/*
 * migbench: pages per second that a migration makes by each policy of compression, with
 * compress or with multifd, under a bandwidth limit or into a link of a held speed, and
 * the ideal from what compression alone makes in the same turn.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 1000
#define TICK 0.02		/* seconds between two looks at a migration */
#define SETTLE 0.3		/* seconds before what counts */
#define BEFORE 1.5		/* seconds before a change in the middle */
#define AFTER 2.5		/* and after it */

const struct policy policies[N_POLICIES] = {
	[CALIBRATE] = { "calibrate", "{\"compress-wait-thread\": true}" },
	[ON] = { "on", "{\"compress-wait-thread\": true}" },
	[OFF] = { "off", "{\"compress-wait-thread\": false}" },
	[ADAPTIVE] = { "adaptive", "{\"compress-wait-thread\": true}" },
	[RAW] = { "raw", "{\"multifd-compression\": \"none\"}" },
	[MULTIFD] = { "multifd", "{}" },
	[MULTIFD_ADAPTIVE] = { "multifd-adaptive", "{}" },
};

struct options opt = {
	.turns = 3, .size = (size_t)1 << 30, .window = 1.6, .seed = 1,
	.threads = { { 1 }, 1 }, .ratios = { { 0.25 }, 1 }, .dirty = { { 5 }, 1 },
	.use = { true, true, true, true, true, true, true }, .n_methods = 1,
};

/* What one migration is made with; speeds are bytes per second, and 0 is without. */
struct spec {
	const char *set, *method;
	const struct policy *policy;
	double ratio, limit, link;
	int threads, turn;
	/* what changes in the middle, if something does */
	const char *change;
	double to, split;	/* split: the page where the ratio changes */
	double rate;		/* ideal pages per second after it */
};

static char directory[32] = "/tmp/migbench-XXXXXX";
char path[sizeof(directory) + 8], initrd[sizeof(directory) + 8];

static int alive;		/* closes with this process */
static pid_t tidier;

static void leave(void)
{
	close(alive);
	waitpid(tidier, NULL, 0);
}

/* A process that waits for the end of this one, even by SIGKILL, and removes what is left. */
static void start_tidier(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		die("cannot make a pipe: %s", strerror(errno));
	tidier = fork();
	if (tidier < 0)
		die("cannot start a process: %s", strerror(errno));
	close(ends[tidier ? 0 : 1]);
	alive = ends[1];
	if (tidier) {
		atexit(leave);
		return;
	}
	setsid();
	while (read(ends[0], ends, 1) < 0 && errno == EINTR)
		;
	unlink(path);
	unlink(initrd);
	rmdir(directory);
	_exit(0);
}

/* One look at a migration: the pages and bytes that went so far. */
struct samples {
	double t[SAMPLES], pages[SAMPLES], bytes[SAMPLES];
	int count;
	bool finished;
};

static void look(struct guest *guest, struct sink *sink, struct samples *s)
{
	double before = now();
	struct json_object *info = guest_do(guest, "query-migrate", NULL), *value;
	const char *status = "";

	if (json_object_object_get_ex(info, "status", &value))
		status = json_object_get_string(value);
	if (!strcmp(status, "failed") || !strcmp(status, "cancelled"))
		die("the migration failed: %s", json_object_to_json_string(info));
	s->finished = !strcmp(status, "completed");
	if (!s->finished && s->count < SAMPLES) {
		s->t[s->count] = (before + now()) / 2;
		s->pages[s->count] = field(info, "ram", "normal") + field(info, "ram", "duplicate") +
				     field(info, "compression", "pages");
		s->bytes[s->count++] = sink_bytes(sink);
	}
	json_object_put(info);
}

/*
 * Slope of the line of least squares through what was seen from a time on: policies send in
 * bursts of 100 ms, and the difference of two looks would depend on where in one they fell.
 */
static double slope(const struct samples *s, const double *y, double from)
{
	double n = 0, st = 0, sy = 0, stt = 0, sty = 0;

	for (int i = 0; i < s->count; i++) {
		double t = s->t[i] - from;

		if (t < 0)
			continue;
		n++;
		st += t;
		sy += y[i];
		stt += t * t;
		sty += t * y[i];
	}
	return n < 2 ? 0 : (n * sty - st * sy) / (n * stt - st * st);
}

static double pages_at(const struct samples *s, double t)
{
	int i = 1;

	while (i < s->count - 1 && s->t[i] < t)
		i++;
	return s->pages[i - 1] + (t - s->t[i - 1]) / (s->t[i] - s->t[i - 1]) *
	       (s->pages[i] - s->pages[i - 1]);
}

/* Whether the mean from one time to another is within 5 % of a rate. */
static bool has_rate(const struct samples *s, double from, double to, double rate)
{
	return fabs((pages_at(s, to) - pages_at(s, from)) / (to - from) / rate - 1) <= 0.05;
}

/*
 * Seconds from the change until the mean over 0.3 s, and that over all that follows, is
 * within 5 % of the rate of the last second, which is in *rate. Means over 0.3 s alone would
 * also tell of disturbances long after.
 */
static double settling(const struct samples *s, double changed, double *rate)
{
	const double end = s->t[s->count - 1], mean = 0.3;
	double t = changed;

	*rate = slope(s, s->pages, end - 1);
	while (t < end - mean &&
	       !(has_rate(s, t, t + mean, *rate) && has_rate(s, t, end, *rate)))
		t += 0.1;
	return t - changed;
}

void migrate(struct guest *guest, const struct policy *policy, const char *method, int threads,
	     double limit, int downtime)
{
	struct json_object *parameters = json_tokener_parse(policy->parameters), *args;
	char uri[sizeof(path) + 8];

	enable(guest, method ? "multifd" : "compress");
	if (policy == policies + MULTIFD_ADAPTIVE)
		enable(guest, "multifd-adaptive");
	/* Also off, for a guest that migrates more than once. */
	if (!method && opt.use[ADAPTIVE])
		json_object_object_add(parameters, "compress-wait-thread-adaptive",
				       json_object_new_boolean(policy == policies + ADAPTIVE));
	if (method && policy != policies + RAW)
		json_object_object_add(parameters, "multifd-compression",
				       json_object_new_string(method));
	set(parameters, "compress-level", 1);
	set(parameters, "multifd-zlib-level", 1);
	set(parameters, "multifd-zstd-level", 1);
	set(parameters, method ? "multifd-channels" : "compress-threads", threads);
	set(parameters, "max-bandwidth", limit);
	set(parameters, "downtime-limit", downtime);
	json_object_put(guest_do(guest, "migrate-set-parameters", parameters));
	snprintf(uri, sizeof(uri), "unix:%s", path);
	args = json_object_new_object();
	json_object_object_add(args, "uri", json_object_new_string(uri));
	json_object_put(guest_do(guest, "migrate", args));
}

static void change(struct guest *guest, struct sink *sink, const struct spec *s)
{
	struct json_object *args;

	if (!strcmp(s->change, "link"))
		sink_speed(sink, s->to);
	if (strcmp(s->change, "limit"))
		return;
	args = json_object_new_object();
	json_object_object_add(args, "max-bandwidth", json_object_new_int64(s->to));
	json_object_put(guest_do(guest, "migrate-set-parameters", args));
}

struct usage usage_now(struct guest *guest)
{
	return (struct usage){ .host = clocks_now(), .qemu = guest_cpu(guest) };
}

void usage_add(struct json_object *run, struct guest *guest, const struct usage *from)
{
	struct usage to = usage_now(guest);
	double seconds = to.host.at - from->host.at, own = to.host.own - from->host.own;
	double qemu = to.qemu - from->qemu;

	add(run, "processors_qemu", qemu / seconds);
	add(run, "processors_bench", own / seconds);
	add_others(run, (to.host.all - from->host.all - own - qemu) / seconds);
}

/* Migrate once; the result is a line of JSON on stdout, and the caller's to put. */
static struct json_object *run(const struct spec *s, int ram)
{
	static struct samples seen;
	struct guest *guest;
	struct sink *sink;
	struct json_object *result = json_object_new_object();
	struct usage usage;
	const bool free = s->policy == policies + CALIBRATE || s->policy == policies + RAW;
	double start, end, from, changed = 0, rate;

	progress(s->set);
	guest = guest_start(opt.qemu, ram, opt.size, GUEST_STOPPED);
	sink = sink_start(path);
	sink_speed(sink, free ? 0 : s->link);
	seen.count = 0;
	usage = usage_now(guest);
	/* What is left is sent without limit once it fits into the downtime: 1 ms. */
	migrate(guest, s->policy, s->method, s->threads, free ? 0 : s->limit, 1);
	start = now();
	end = s->change ? start + BEFORE + 2 * AFTER : start + SETTLE + opt.window;
	for (double next = start; next < end; next += TICK) {
		nap(next - now());
		look(guest, sink, &seen);
		if (seen.finished)
			break;
		if (!s->change || changed)
			continue;
		if (s->split ? seen.count > 1 && seen.pages[seen.count - 1] > s->split :
			       now() > start + BEFORE) {
			changed = now();
			change(guest, sink, s);
			end = changed + AFTER;
		}
	}
	end = now();
	from = seen.finished && end - start < SETTLE + 0.5 ? start : start + SETTLE;
	if (seen.count < 5)
		die("the migration ended in %.2f s: give it more memory (--size)", end - start);

	json_object_object_add(result, "set", json_object_new_string(s->set));
	json_object_object_add(result, "policy", json_object_new_string(s->policy->name));
	if (s->method)
		json_object_object_add(result, "method", json_object_new_string(s->method));
	add(result, "ratio", s->ratio);
	add(result, "threads", s->threads);
	add(result, "limit", s->limit);
	add(result, "link", s->link);
	add(result, "turn", s->turn);
	add(result, "pages_per_s", slope(&seen, seen.pages, from));
	add(result, "bytes_per_s", slope(&seen, seen.bytes, from));
	add(result, "bytes_per_page", slope(&seen, seen.bytes, from) / slope(&seen, seen.pages, from));
	add(result, "most_in_1s", sink_most(sink, start, seen.t[seen.count - 1]));
	add(result, "seconds", seen.t[seen.count - 1] - from);
	json_object_object_add(result, "finished", json_object_new_boolean(seen.finished));
	usage_add(result, guest, &usage);
	if (s->change) {
		if (!changed || seen.t[seen.count - 1] < changed + 1.5)
			die("the migration ended before or soon after the change: give it more memory (--size)");
		json_object_object_add(result, "change", json_object_new_string(s->change));
		add(result, "from", !strcmp(s->change, "ratio") ? s->ratio :
		    !strcmp(s->change, "link") ? s->link : s->limit);
		add(result, "to", s->to);
		add(result, "settle_s", settling(&seen, changed, &rate));
		add(result, "settled_share", rate / s->rate);
	}
	emit(result);
	guest_stop(guest);
	sink_stop(sink);
	return result;
}

/* The speed at which raw pages alone make what compression alone makes. */
static double even(double pages)
{
	return round(pages * RAW_BYTES / 1e5) * 1e5;
}

/* What the threads make: alone, where each waits for its next page, or beside raw pages. */
static void calibrate(struct spec s, int ram, double *pages, double *bytes)
{
	struct json_object *result;

	s.set = "calibrate";
	s.policy = policies + CALIBRATE;
	result = run(&s, ram);
	*pages = number(result, "pages_per_s");
	*bytes = number(result, "bytes_per_page");
	json_object_put(result);
	if (s.method || !opt.use[ADAPTIVE])
		return;
	s.policy = policies + ADAPTIVE;
	s.limit = even(*pages);
	s.link = 0;
	result = run(&s, ram);
	*pages = fmax(*pages, compressed_of(number(result, "pages_per_s"), number(result, "bytes_per_s"),
					 *bytes));
	json_object_put(result);
}

/* All policies in turns, at each of some speeds. */
static void table(const char *set, const struct list *speeds, const char *method, double ratio,
		  int threads, int ram)
{
	struct spec s = { .set = set, .method = method, .ratio = ratio, .threads = threads };
	double pages, bytes;

	for (int i = 0; i < speeds->count; i++) {
		double speed = speeds->at[i] * 1e6;

		if (!speed) {
			calibrate(s, ram, &pages, &bytes);
			speed = even(pages);
		}
		*(!strcmp(set, "limit") ? &s.limit : &s.link) = speed;
		for (s.turn = 1; s.turn <= opt.turns; s.turn++)
			for (int p = 0; p < N_POLICIES; p++) {
				s.policy = policies + p;
				if (opt.use[p] && applies(p, method))
					json_object_put(run(&s, ram));
			}
	}
}

/* Limit, link or ratio change in the middle, down and up again. */
static void changes(int threads, int ram)
{
	const double ratio[2] = { opt.ratios.at[0], opt.ratios.at[opt.ratios.count - 1] };
	const double share[2] = { 0.6, 1.5 };	/* of the speed in the middle */
	struct spec s = { .set = "change", .threads = threads,
			  .policy = policies + (opt.use[ADAPTIVE] ? ADAPTIVE : ON) };
	double pages[2], bytes[2], speed[2], split, middle;

	for (int i = 1; i >= 0; i--) {
		s.ratio = ratio[i];
		pages_fill(ram, 0, opt.size, ratio[i], opt.seed);
		calibrate(s, ram, pages + i, bytes + i);
	}
	/* Slower where the memory would not last. */
	for (middle = even(pages[0]); ideal(pages[0], bytes[0], share[1] * middle) *
	     (BEFORE + AFTER + 0.5) * PAGE > opt.size; middle *= 0.8)
		;
	for (s.turn = 1; s.turn <= opt.turns; s.turn++) {
		for (int i = 0; i < 4; i++) {
			int from = i & 1, to = !from;

			s.change = i < 2 ? "limit" : "link";
			speed[0] = share[0] * middle;
			speed[1] = share[1] * middle;
			s.limit = i < 2 ? speed[from] : 0;
			s.link = i < 2 ? 0 : speed[from];
			s.to = speed[to];
			s.rate = ideal(pages[0], bytes[0], speed[to]);
			json_object_put(run(&s, ram));
		}
	}
	s.change = "ratio";
	s.link = 0;
	s.limit = middle;
	for (int from = 0; from < 2 && opt.ratios.count > 1; from++) {
		split = round(ideal(pages[from], bytes[from], s.limit) * BEFORE);
		if (split * PAGE * 2 > opt.size)
			die("a change of the ratio needs more memory (--size)");
		pages_fill(ram, 0, opt.size, ratio[!from], opt.seed);
		pages_fill(ram, 0, split * PAGE, ratio[from], opt.seed);
		s.split = split;
		s.ratio = ratio[from];
		s.to = ratio[!from];
		s.rate = ideal(pages[!from], bytes[!from], s.limit);
		for (s.turn = 1; s.turn <= opt.turns; s.turn++)
			json_object_put(run(&s, ram));
	}
}

/* An adaptive policy that this QEMU does not have is left out. */
static void probe(int ram)
{
	struct guest *guest = guest_start(opt.qemu, ram, opt.size, GUEST_STOPPED);
	struct json_object *has = guest_do(guest, "query-migrate-parameters", NULL);

	if (!opt.methods[0] && opt.use[ADAPTIVE] &&
	    !json_object_object_get_ex(has, "compress-wait-thread-adaptive", NULL)) {
		say("this QEMU has no compress-wait-thread-adaptive: that policy is left out");
		opt.use[ADAPTIVE] = false;
	}
	json_object_put(has);
	has = guest_do(guest, "query-migrate-capabilities", NULL);
	if (opt.methods[0] && opt.use[MULTIFD_ADAPTIVE] &&
	    !strstr(json_object_to_json_string(has), "\"multifd-adaptive\"")) {
		say("this QEMU has no multifd-adaptive: that policy is left out");
		opt.use[MULTIFD_ADAPTIVE] = false;
	}
	json_object_put(has);
	guest_stop(guest);
}

static int plan(void)
{
	int used = 0, n = 0;

	for (int p = 0; p < N_POLICIES; p++)
		used += opt.use[p] && applies(p, opt.methods[0]);
	for (int i = 0; i < opt.limits.count; i++)
		n += opt.turns * used + 2 * !opt.limits.at[i];
	for (int i = 0; i < opt.links.count; i++)
		n += opt.turns * used + 2 * !opt.links.at[i];
	n *= opt.ratios.count * opt.threads.count * opt.n_methods;
	for (int p = ON; p <= ADAPTIVE && opt.kernel; p++)
		n += opt.use[p] * opt.turns * opt.dirty.count * opt.live.count * opt.threads.count;
	if (opt.changes)
		n += opt.threads.count * (4 + opt.turns * (opt.ratios.count > 1 ? 6 : 4));
	return n;
}

/* Options without a short name */
enum {
	CHANGES = 256, REPORT, CELLS, TURNS, SIZE, WINDOW, SEED, LINKS, LIVE, KERNEL, INIT, DIRTY,
	METHODS,
};

static const struct argp_option options[] = {
	{ "qemu", 'q', "FILE", 0, "the qemu-system-x86_64 to measure", 0 },
	{ "limits", 'l', "MB/S,..", 0,
	  "bandwidth limits; 'even': where raw pages alone make what compression alone makes", 0 },
	{ "links", LINKS, "MB/S,..", 0, "no limit, but a link held at these speeds", 0 },
	{ "changes", CHANGES, NULL, 0,
	  "limit, link and ratio (first and last of --ratios) changing in the middle", 0 },
	{ "live", LIVE, "MB/S,..", 0,
	  "bandwidth limits for a guest that runs: total time of a migration", 0 },
	{ "kernel", KERNEL, "FILE", 0, "of that guest", 0 },
	{ "init", INIT, "FILE", 0, "its workload, a static program", 0 },
	{ "dirty", DIRTY, "MB/S,..", 0, "what it writes (5)", 0 },
	{ "multifd", METHODS, "METHOD,..", 0,
	  "zlib, zstd: multifd with it instead of compress, and --threads are channels", 0 },
	{ "threads", 't', "N,..", 0, "compression threads (1)", 0 },
	{ "ratios", 'r', "R,..", 0, "compressed size of a page as a share of it (0.25)", 0 },
	{ "policies", 'p', "NAME,..", 0,
	  "of calibrate, on, off, adaptive; raw, multifd and multifd-adaptive (all)", 0 },
	{ "turns", TURNS, "N", 0, "runs of each (3)", 0 },
	{ "size", SIZE, "MIB", 0, "the guest's memory (1024)", 0 },
	{ "window", WINDOW, "S", 0, "seconds that are measured, after 0.3 to settle (1.6)", 0 },
	{ "seed", SEED, "N", 0, "of the memory's contents (1)", 0 },
	{ "report", REPORT, "FILE", 0, "no runs: tables and verdicts of those in FILE", 1 },
	{ "cells", CELLS, "FILE", 0, "with --report: write the table for gnuplot", 1 },
	{ 0 }
};

static void choose(struct argp_state *state, char *arg)
{
	memset(opt.use, 0, sizeof(opt.use));
	for (char *item = strtok(arg, ","); item; item = strtok(NULL, ",")) {
		int p = 0;

		while (p < N_POLICIES && strcmp(policies[p].name, item))
			p++;
		if (p == N_POLICIES)
			argp_error(state, "no policy %s", item);
		opt.use[p] = true;
	}
}

static void methods(struct argp_state *state, char *arg)
{
	opt.n_methods = 0;
	for (char *item = strtok(arg, ","); item; item = strtok(NULL, ",")) {
		if ((strcmp(item, "zlib") && strcmp(item, "zstd")) || opt.n_methods == 2)
			argp_error(state, "no method %s, or too many", item);
		opt.methods[opt.n_methods++] = item;
	}
	if (!opt.n_methods)
		argp_error(state, "an empty list");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'q':
		opt.qemu = arg;
		break;
	case 'l':
		arg_list(state, &opt.limits, arg, 0, 1, 1e5);
		break;
	case LINKS:
		arg_list(state, &opt.links, arg, 0, 1, 1e5);
		break;
	case 't':
		arg_list(state, &opt.threads, arg, NAN, 1, 255);
		break;
	case 'r':
		arg_list(state, &opt.ratios, arg, NAN, 0.01, 0.99);
		break;
	case 'p':
		choose(state, arg);
		break;
	case METHODS:
		methods(state, arg);
		break;
	case CHANGES:
		opt.changes = true;
		break;
	case TURNS:
		opt.turns = arg_number(state, arg, 1, 32);
		break;
	case SIZE:
		opt.size = (size_t)arg_number(state, arg, 16, 1 << 20) << 20;
		break;
	case WINDOW:
		opt.window = arg_number(state, arg, 0.5, 10);
		break;
	case SEED:
		opt.seed = arg_number(state, arg, 0, 1e15);
		break;
	case LIVE:
		arg_list(state, &opt.live, arg, NAN, 1, 1e5);
		break;
	case DIRTY:
		arg_list(state, &opt.dirty, arg, NAN, 1, 1e4);
		break;
	case KERNEL:
		opt.kernel = arg;
		break;
	case INIT:
		opt.init = arg;
		break;
	case REPORT:
		opt.report = arg;
		break;
	case CELLS:
		opt.cells = arg;
		break;
	case ARGP_KEY_END:
		if (!opt.qemu == !opt.report)
			argp_error(state, "either --qemu or --report");
		if (opt.qemu && !opt.limits.count && !opt.links.count && !opt.changes && !opt.live.count)
			argp_error(state, "nothing to measure: give --limits, --links, --changes or --live");
		if (opt.methods[0] && (opt.changes || opt.live.count))
			argp_error(state, "--multifd is with --limits and --links only");
		if (opt.live.count && (!opt.kernel || !opt.init))
			argp_error(state, "--live needs --kernel and --init");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"Migrate a stopped guest by each policy of compression; a line of JSON per run on stdout.",
		NULL, NULL, NULL };
	int ram;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (opt.report)
		return report(opt.report, opt.cells);
	catch_signals();
	if (!mkdtemp(directory))
		die("cannot make %s", directory);
	snprintf(path, sizeof(path), "%s/link", directory);
	snprintf(initrd, sizeof(initrd), "%s/initrd", directory);
	start_tidier();

	ram = pages_create(opt.size);
	probe(ram);
	progress_of(plan());
	for (int r = 0; r < opt.ratios.count && (opt.limits.count || opt.links.count); r++) {
		pages_fill(ram, 0, opt.size, opt.ratios.at[r], opt.seed);
		for (int i = 0; i < opt.threads.count * opt.n_methods; i++) {
			int t = opt.threads.at[i / opt.n_methods];
			const char *method = opt.methods[i % opt.n_methods];

			table("limit", &opt.limits, method, opt.ratios.at[r], t, ram);
			table("link", &opt.links, method, opt.ratios.at[r], t, ram);
		}
	}
	for (int t = 0; t < opt.threads.count && opt.changes; t++)
		changes(opt.threads.at[t], ram);
	close(ram);
	for (int d = 0; d < opt.dirty.count && opt.live.count; d++)
		live(opt.dirty.at[d]);
	return 0;
}
