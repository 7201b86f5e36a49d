// SPDX-License-Identifier: GPL-2.0-only
/*
 * pairbench: migrate from one QEMU to another, over TCP and a link that has a rate and a delay,
 * by multifd without compression, with a method, and with multifd-adaptive.
 */
#define _GNU_SOURCE
#include "pairs.h"
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLES 2000
#define TICK 0.02		/* seconds between two looks at a migration */
#define BASE_BYTES ((size_t)1 << 20)	/* below it, a PC has no memory of its own everywhere */

const char *const kinds[N_KINDS] = { "none", "method", "adaptive" };

static struct {
	const char *set, *qemu, *report, *cells, *firmware, *slow, *predict;
	struct list limits, links, channels, ratios, rtts, dirty;
	const char *methods[2];
	int n_methods, rounds;
	bool functional;
	size_t size, hot;
	double settle, window, slow_ns, patience;
	uint64_t seed;
} given = {
	.rounds = 5, .size = (size_t)1 << 30, .hot = (size_t)30 << 20, .settle = 0.5,
	.window = 1.6, .patience = 60, .seed = 1, .methods = { "zlib", "zstd" }, .n_methods = 2,
	.channels = { { 2 }, 1 }, .ratios = { { 0.25 }, 1 }, .rtts = { { 0 }, 1 },
	.links = { { 0 }, 1 }, .limits = { { 0 }, 1 }, .dirty = { { 5 }, 1 },
};
static struct link *link_between;

/* One migration. Bytes per second, and seconds; 0 is without. */
struct spec {
	const char *set, *method;
	int kind, channels, round;
	double ratio, limit, link, rtt, slow_ns, dirty;
	bool even;
};

/* Seconds of processor time until now */
struct times {
	struct clocks clocks;
	double source, destination;	/* of both QEMUs */
};

struct pair {
	struct guest *source, *destination;
	int ram, arrived;	/* the memory of both */
};

static struct times times_now(const struct pair *pair)
{
	return (struct times){ clocks_now(), guest_cpu(pair->source), guest_cpu(pair->destination) };
}

static void add_times(struct json_object *run, const struct times *from, const struct times *to)
{
	double s = to->clocks.at - from->clocks.at, source = to->source - from->source,
	       destination = to->destination - from->destination,
	       own = to->clocks.own - from->clocks.own,
	       all = to->clocks.all - from->clocks.all;

	add(run, "cpu_source", source / s);
	add(run, "cpu_destination", destination / s);
	add(run, "cpu_link", own / s);
	/* of the processors that the bench's link leaves them */
	add(run, "busy", (source + destination) / (s * sysconf(_SC_NPROCESSORS_ONLN) - own));
	add_others(run, (all - source - destination - own) / s);
}

static void add_text(struct json_object *run, const char *key, const char *value)
{
	json_object_object_add(run, key, json_object_new_string(value));
}

static struct json_object *describe(const struct spec *s)
{
	struct json_object *run = json_object_new_object();

	add_text(run, "set", s->set);
	add_text(run, "kind", kinds[s->kind]);
	add_text(run, "method", s->method);
	add(run, "channels", s->channels);
	add(run, "ratio", s->ratio);
	add(run, "limit", s->limit);
	add(run, "link", s->link);
	add(run, "rtt", s->rtt);
	add(run, "dirty", s->dirty);
	add(run, "round", s->round);
	json_object_object_add(run, "even", json_object_new_boolean(s->even));
	return run;
}

static void configure(struct guest *guest, const struct spec *s, bool source)
{
	struct json_object *p = json_object_new_object();

	enable(guest, "multifd");
	add_text(p, "multifd-compression", s->kind == NONE ? "none" : s->method);
	set(p, "multifd-zlib-level", 1);
	set(p, "multifd-zstd-level", 1);
	set(p, "multifd-channels", s->channels);
	set(p, "max-bandwidth", s->limit);
	/* Of a stopped guest, what is left is the same at any moment. */
	set(p, "downtime-limit", s->dirty ? 300 : 1);
	if (source && s->kind == MIXED)
		json_object_object_add(p, "multifd-adaptive", json_object_new_boolean(true));
	json_object_put(guest_do(guest, "migrate-set-parameters", p));
}

static void to_uri(struct guest *guest, const char *command, const char *address)
{
	struct json_object *args = json_object_new_object();
	char uri[64];

	snprintf(uri, sizeof(uri), "tcp:%s:%d", address, LINK_PORT);
	json_object_object_add(args, "uri", json_object_new_string(uri));
	json_object_put(guest_do(guest, command, args));
}

/* Both, as the spec says; more: of the source. They do not migrate yet. */
static struct pair start(const struct spec *s, int ram, const char *qmp)
{
	const char *const stopped[] = { "none,memory-backend=ram", "-S", "-incoming", "defer", NULL };
	const char *const runs[] = { "pc,memory-backend=ram", "-bios", given.firmware,
				     qmp ? "-qmp" : NULL, qmp, NULL };
	const char *const waits[] = { "pc,memory-backend=ram", "-bios", given.firmware, "-S",
				      "-incoming", "defer", NULL };
	struct pair pair = { .ram = ram, .arrived = pages_create(given.size) };
	char slow[32];

	link_set(link_between, s->link, s->rtt);
	pair.source = guest_start(given.qemu, ram, given.size, s->dirty ? runs : GUEST_STOPPED);
	if (s->slow_ns) {
		/* For each page that is spared, of which a compressed one is not all. */
		snprintf(slow, sizeof(slow), "%.0f", s->slow_ns / (1 - s->ratio));
		setenv("SLOW_NS", slow, 1);
		setenv("LD_PRELOAD", given.slow, 1);
	}
	pair.destination = guest_start(given.qemu, pair.arrived, given.size, s->dirty ? waits : stopped);
	unsetenv("LD_PRELOAD");
	configure(pair.source, s, true);
	configure(pair.destination, s, false);
	return pair;
}

static void begin(const struct pair *pair)
{
	to_uri(pair->destination, "migrate-incoming", LINK_NEAR);
	to_uri(pair->source, "migrate", LINK_FAR);
}

static void stop(struct pair *pair)
{
	guest_stop(pair->source);
	guest_stop(pair->destination);
	close(pair->arrived);
}

/* Dies if it failed; whether it is over. */
static bool over(const struct pair *pair, struct json_object **info)
{
	const char *status;

	*info = guest_do(pair->source, "query-migrate", NULL);
	status = text(*info, "status");
	if (!strcmp(status, "failed"))
		die("the migration failed: %s", json_object_to_json_string(*info));
	return !strcmp(status, "completed") || !strcmp(status, "cancelled");
}

/* What the source says of its channels: the share that went raw, and what held the first. */
static void add_channels(struct json_object *run, struct json_object *info)
{
	struct json_object *list, *channel;
	double raw = 0, compressed = 0;

	if (!json_object_object_get_ex(info, "multifd-adaptive", &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		channel = json_object_array_get_idx(list, i);
		raw += number(channel, "raw-bytes");
		compressed += number(channel, "uncompressed-bytes");
		if (!i)
			add_text(run, "bound", text(channel, "bound"));
	}
	add(run, "raw_share", raw / fmax(1, raw + compressed));
}

/* Pages that the destination has: each is written for the first time. */
static double arrived(const struct pair *pair)
{
	struct stat st;

	if (fstat(pair->arrived, &st))
		die("cannot look at the destination's memory: %s", strerror(errno));
	return st.st_blocks / (PAGE / 512.0);
}

/* Slope of the line of least squares. */
static double slope(const double *t, const double *y, int n)
{
	double st = 0, sy = 0, stt = 0, sty = 0;

	for (int i = 0; i < n; i++) {
		st += t[i] - t[0];
		sy += y[i] - y[0];
		stt += (t[i] - t[0]) * (t[i] - t[0]);
		sty += (t[i] - t[0]) * (y[i] - y[0]);
	}
	return n < 2 ? 0 : (n * sty - st * sy) / (n * stt - st * st);
}

/* A guest that does not run, for some seconds: pages per second that arrive. */
static double run_stopped(const struct spec *s, int ram)
{
	static double t[SAMPLES], pages[SAMPLES], wire[SAMPLES];
	struct json_object *run, *info = NULL;
	struct times from = { 0 }, to;
	uint64_t lost;
	double began, rate;
	struct pair pair;
	int n = 0;

	progress(s->set);
	pair = start(s, ram, NULL);
	lost = link_lost(link_between);
	begin(&pair);
	began = now();
	/* A fast one is over sooner, and nothing of what it needs to begin is in the window. */
	while (n < SAMPLES && now() < began + given.settle + given.window) {
		double have = arrived(&pair);

		if (have * PAGE > given.size * 0.97)
			break;
		if (now() > began + given.settle || have * PAGE > given.size * 0.4) {
			if (!n)
				from = times_now(&pair);
			t[n] = now();
			pages[n] = have;
			wire[n++] = link_bytes(link_between);
		}
		nap(TICK);
	}
	to = times_now(&pair);
	if (n < 5)
		die("the migration ended in %.2f s: give it more memory (--size)", now() - began);
	over(&pair, &info);
	run = describe(s);
	rate = slope(t, pages, n);
	add(run, "pages_per_s", rate);
	add(run, "mean_pages_per_s", (pages[n - 1] - pages[0]) / (t[n - 1] - t[0]));
	add(run, "bytes_per_s", slope(t, wire, n));
	add(run, "seconds", t[n - 1] - t[0]);
	add(run, "lost", link_lost(link_between) - lost);
	add_times(run, &from, &to);
	add_channels(run, info);
	emit(run);
	json_object_put(run);
	json_object_put(info);
	stop(&pair);
	return rate;
}

static void *map(int fd)
{
	void *memory = mmap(NULL, given.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		die("cannot map a guest's memory: %s", strerror(errno));
	return memory;
}

/* Three quarters have pages of that ratio, the rest zeros; it is told what to write. */
static void fill_running(int ram, const struct spec *s)
{
	struct dirty *dirty;
	char *memory;

	pages_fill(ram, 0, given.size / 4 * 3, s->ratio, given.seed);
	memory = map(ram);
	memset(memory + DIRTY_AT, 0, PAGE);
	dirty = (struct dirty *)(memory + DIRTY_AT);
	dirty->first = BASE_BYTES;
	dirty->pages = given.hot / PAGE;
	dirty->each = s->dirty / PAGE / DIRTY_HZ * 65536;
	munmap(memory, given.size);
}

static uint32_t written(int ram)
{
	char *memory = map(ram);
	uint32_t n = ((struct dirty *)(memory + DIRTY_AT))->written;

	munmap(memory, given.size);
	return n;
}

static bool same(const struct pair *pair)
{
	char *a = map(pair->ram), *b = map(pair->arrived);
	bool equal = !memcmp(a, b, given.size);

	munmap(a, given.size);
	munmap(b, given.size);
	return equal;
}

/* What predict says of a guest, which runs on; 0 where it would not end. */
static void add_prediction(struct json_object *run, const struct spec *s, const char *qmp)
{
	char command[600], line[4096];
	struct json_object *said;
	FILE *f;

	snprintf(command, sizeof(command),
		 "%s --qmp @%s --methods %s --channels %d --link %g --limit %g --only %s --same-host --json",
		 given.predict, qmp, s->kind == NONE ? "none" : s->method, s->channels, s->link / 1e6,
		 s->limit / 1e6, s->kind == MIXED ? "adaptive" : "plain");
	f = popen(command, "r");
	if (!f || !fgets(line, sizeof(line), f) || pclose(f))
		die("this failed: %s", command);
	said = json_tokener_parse(line);
	if (!said)
		die("this printed what is not JSON: %s", command);
	add(run, "predicted_s", number(said, "seconds"));
	add(run, "predicted_downtime_s", number(said, "downtime"));
	json_object_object_add(run, "prediction", said);
}

/* A guest that runs: the whole migration. */
static void run_live(const struct spec *s, int ram)
{
	struct json_object *run = describe(s), *info = NULL;
	double began, cancelled = 0;
	struct times from, to;
	char name[40], qmp[100];
	uint32_t before;
	struct pair pair;
	uint64_t bytes;

	progress(s->set);
	snprintf(name, sizeof(name), "pairbench-%d", getpid());
	snprintf(qmp, sizeof(qmp), "unix:path=%s,abstract=on,server=on,wait=off", name);
	fill_running(ram, s);
	pair = start(s, ram, qmp);
	began = now();
	nap(0.5);
	before = written(ram);
	nap(1);
	add(run, "written_per_s", (written(ram) - before) / (now() - began - 0.5) * PAGE);
	if (given.predict)
		add_prediction(run, s, name);
	bytes = link_bytes(link_between);
	from = times_now(&pair);
	begin(&pair);
	began = now();
	for (;;) {
		bool ended = over(&pair, &info);

		if (ended)
			break;
		if (!cancelled && now() > began + given.patience) {
			cancelled = now();
			json_object_put(guest_do(pair.source, "migrate_cancel", NULL));
		}
		json_object_put(info);
		nap(0.05);
	}
	to = times_now(&pair);
	json_object_object_add(run, "converged", json_object_new_boolean(!cancelled));
	add(run, "total_s", number(info, "total-time") / 1e3);
	if (!cancelled) {
		add(run, "downtime_s", number(info, "downtime") / 1e3);
		/* It has the last byte when it has stopped waiting. */
		for (began = now(); ; nap(0.02)) {
			struct json_object *in = guest_do(pair.destination, "query-migrate", NULL);
			bool done = !strcmp(text(in, "status"), "completed");

			json_object_put(in);
			if (done)
				break;
			if (now() > began + 20)
				guest_gone(pair.destination, "the end of the migration");
		}
		json_object_object_add(run, "same", json_object_new_boolean(same(&pair)));
	}
	add(run, "rounds", field(info, "ram", "dirty-sync-count"));
	add(run, "bytes", link_bytes(link_between) - bytes);
	add_times(run, &from, &to);
	add_channels(run, info);
	emit(run);
	json_object_put(run);
	json_object_put(info);
	stop(&pair);
}

/* Into a file: QEMU says that it does not compress there. */
static void run_file(const struct spec *s, int ram)
{
	struct json_object *run = describe(s), *args = json_object_new_object(), *info;
	struct guest *source = guest_start(given.qemu, ram, given.size, GUEST_STOPPED);
	char *error = NULL;
	double began = now();

	progress(s->set);
	configure(source, s, true);
	enable(source, "mapped-ram");
	add_text(args, "uri", "file:/dev/null");
	info = guest_try(source, "migrate", args, &error);
	json_object_put(info);
	while (!error) {
		info = guest_do(source, "query-migrate", NULL);
		if (!strcmp(text(info, "status"), "failed"))
			error = strdup(text(info, "error-desc"));
		else if (!strcmp(text(info, "status"), "completed"))
			break;
		json_object_put(info);
		nap(0.05);
		if (now() > began + 20)
			guest_gone(source, "a migration to a file");
	}
	json_object_object_add(run, "refused", json_object_new_boolean(!!error));
	add_text(run, "reason", error ? error : "");
	emit(run);
	json_object_put(run);
	free(error);
	guest_stop(source);
}

static void run(const struct spec *s, int ram)
{
	if (!strcmp(s->set, "file") && s->kind != NONE)
		run_file(s, ram);
	else if (s->dirty)
		run_live(s, ram);
	else if (strcmp(s->set, "file"))
		run_stopped(s, ram);
}

/* All kinds in each round; each kind is as often first, and as often before another. */
static void cell(struct spec s, int ram)
{
	for (s.round = 1; s.round <= given.rounds; s.round++)
		for (int i = 0; i < N_KINDS; i++) {
			int turn = (s.round + i) % N_KINDS;

			s.kind = s.round / N_KINDS % 2 ? N_KINDS - 1 - turn : turn;
			run(&s, ram);
		}
}

/* The speed at which packets without compression are as fast as the method without a limit. */
static double even(struct spec s, int ram)
{
	double rates[3];

	s.set = "calibrate";
	s.kind = PLAIN;
	s.link = 0;
	for (s.round = 1; s.round <= 3; s.round++)
		rates[s.round - 1] = run_stopped(&s, ram);
	return round(median(rates, 3) * RAW_BYTES * (1 + HEADER_SHARE) / 1e5) * 1e5;
}

static int runs_of_cell(void)
{
	return given.rounds * N_KINDS;
}

/* From one place of the table to all of them. */
static int walk(bool count, int ram)
{
	const bool live = !strcmp(given.set, "live") || !strcmp(given.set, "predict");
	const int writes = live ? given.dirty.count : 1;
	struct spec s = { .set = given.set };
	int n = 0;

	for (int r = 0; r < given.ratios.count; r++) {
		s.ratio = given.ratios.at[r];
		if (!count && !live)
			pages_fill(ram, 0, given.size, s.ratio, given.seed);
		for (int m = 0; m < given.n_methods * given.channels.count; m++)
			for (int l = 0; l < given.links.count * given.limits.count; l++)
				for (int d = 0; d < given.rtts.count * writes; d++) {
					double link = given.links.at[l / given.limits.count];

					s.method = given.methods[m % given.n_methods];
					s.channels = given.channels.at[m / given.n_methods];
					s.limit = given.limits.at[l % given.limits.count] * 1e6;
					s.rtt = given.rtts.at[d % given.rtts.count] / 1e3;
					s.dirty = live ? given.dirty.at[d / given.rtts.count] * 1e6 : 0;
					s.slow_ns = given.slow_ns;
					s.even = link < 0;
					n += runs_of_cell() + 3 * s.even;
					if (count)
						continue;
					s.link = s.even ? even(s, ram) : link * 1e6;
					cell(s, ram);
				}
	}
	return n;
}

enum {
	REPORT = 256, CELLS, FUNCTIONAL, ROUNDS, SIZE, HOT, SETTLE_FOR, WINDOW, SLOW, SLOW_NS, FIRMWARE,
	PREDICT, PATIENCE, LIMITS, LINKS, RTTS, DIRTY, METHODS,
};

static const struct argp_option options[] = {
	{ "qemu", 'q', "FILE", 0, "the qemu-system-x86_64 to measure", 0 },
	{ "links", LINKS, "MB/S,..", 0,
	  "speeds of the link; 0: as fast as it can; 'even': where no compression is as fast (0)", 0 },
	{ "limits", LIMITS, "MB/S,..", 0, "max-bandwidth (0: without)", 0 },
	{ "rtts", RTTS, "MS,..", 0, "round trips of the link (0)", 0 },
	{ "channels", 'c', "N,..", 0, "of multifd (2)", 0 },
	{ "ratios", 'r', "R,..", 0, "compressed size of a page as a share of it (0.25)", 0 },
	{ "methods", METHODS, "METHOD,..", 0, "zlib, zstd (both)", 0 },
	{ "dirty", DIRTY, "MB/S,..", 0, "with live: what the guest writes (5)", 0 },
	{ "hot", HOT, "MIB", 0, "with live: the part of its memory that it writes (30)", 0 },
	{ "firmware", FIRMWARE, "FILE", 0, "with live: the guest's program", 0 },
	{ "patience", PATIENCE, "S", 0, "with live: then it does not converge (60)", 0 },
	{ "predict", PREDICT, "FILE", 0, "with live: ask this program before", 0 },
	{ "slow", SLOW, "FILE", 0, "to preload into the destination", 0 },
	{ "slow-ns", SLOW_NS, "NS", 0, "what it makes a compressed page take longer (0)", 0 },
	{ "rounds", ROUNDS, "N", 0, "runs of each (5)", 0 },
	{ "size", SIZE, "MIB", 0, "the guest's memory (1024)", 0 },
	{ "settle", SETTLE_FOR, "S", 0, "seconds before what is measured (0.5)", 0 },
	{ "window", WINDOW, "S", 0, "seconds that are measured (1.6)", 0 },
	{ "report", REPORT, "FILE", 0, "no runs: tables and verdicts of those in FILE", 1 },
	{ "functional", FUNCTIONAL, NULL, 0, "with --report: judge nothing of speed", 1 },
	{ "cells", CELLS, "FILE", 0, "with --report: write the set link for gnuplot", 1 },
	{ 0 }
};

static void methods(struct argp_state *state, char *arg)
{
	given.n_methods = 0;
	for (char *item = strtok(arg, ","); item; item = strtok(NULL, ",")) {
		if ((strcmp(item, "zlib") && strcmp(item, "zstd")) || given.n_methods == 2)
			argp_error(state, "no method %s, or too many", item);
		given.methods[given.n_methods++] = item;
	}
	if (!given.n_methods)
		argp_error(state, "an empty list");
}

static void check(struct argp_state *state)
{
	static const char *const sets[] = {
		"link", "limit", "destination", "rtt", "useless", "live", "predict", "file"
	};
	bool known = false;

	if (given.report)
		return;
	for (size_t i = 0; given.set && i < sizeof(sets) / sizeof(*sets); i++)
		known |= !strcmp(given.set, sets[i]);
	if (!known || !given.qemu)
		argp_error(state, "it wants --qemu and a set: link, limit, destination, rtt, useless, "
			   "live, predict or file");
	if ((!strcmp(given.set, "live") || !strcmp(given.set, "predict")) && !given.firmware)
		argp_error(state, "%s wants --firmware", given.set);
	if (!strcmp(given.set, "predict") != !!given.predict)
		argp_error(state, "--predict and the set predict go together");
	if (given.slow_ns && !given.slow)
		argp_error(state, "--slow-ns wants --slow");
	if (given.firmware && given.hot + BASE_BYTES > given.size / 4 * 3)
		argp_error(state, "the memory is too small for --hot");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'q':
		given.qemu = arg;
		break;
	case LINKS:
		arg_list(state, &given.links, arg, -1, 0, 1e5);
		break;
	case LIMITS:
		arg_list(state, &given.limits, arg, NAN, 0, 1e5);
		break;
	case RTTS:
		arg_list(state, &given.rtts, arg, NAN, 0, 1000);
		break;
	case 'c':
		arg_list(state, &given.channels, arg, NAN, 1, 255);
		break;
	case 'r':
		arg_list(state, &given.ratios, arg, NAN, 0.01, 0.99);
		break;
	case DIRTY:
		arg_list(state, &given.dirty, arg, NAN, 0.1, 1e4);
		break;
	case METHODS:
		methods(state, arg);
		break;
	case HOT:
		given.hot = (size_t)arg_number(state, arg, 1, 1 << 20) << 20;
		break;
	case FIRMWARE:
		given.firmware = arg;
		break;
	case PATIENCE:
		given.patience = arg_number(state, arg, 1, 1000);
		break;
	case PREDICT:
		given.predict = arg;
		break;
	case SLOW:
		given.slow = arg;
		break;
	case SLOW_NS:
		given.slow_ns = arg_number(state, arg, 0, 1e9);
		break;
	case ROUNDS:
		given.rounds = arg_number(state, arg, 1, MOST_TURNS);
		break;
	case SIZE:
		given.size = (size_t)arg_number(state, arg, 16, 3072) << 20;
		break;
	case SETTLE_FOR:
		given.settle = arg_number(state, arg, 0, 100);
		break;
	case WINDOW:
		given.window = arg_number(state, arg, 0.2, 30);
		break;
	case REPORT:
		given.report = arg;
		break;
	case FUNCTIONAL:
		given.functional = true;
		break;
	case CELLS:
		given.cells = arg;
		break;
	case ARGP_KEY_ARG:
		if (given.set)
			argp_usage(state);
		given.set = arg;
		break;
	case ARGP_KEY_END:
		check(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "SET",
		"Migrate from one QEMU to another by each kind of multifd; a line of JSON per run on "
		"stdout. It wants a network namespace of its own: run it by 'unshare --net'.",
		NULL, NULL, NULL };
	int ram;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (given.report)
		return pairs_report(given.report, given.cells, given.functional);
	catch_signals();
	/* A real link does not wait for a processor. */
	guest_nice = 5;
	link_between = link_start();
	ram = pages_create(given.size);
	progress_of(walk(true, ram));
	walk(false, ram);
	close(ram);
	link_stop(link_between);
	return 0;
}
