// SPDX-License-Identifier: GPL-2.0-only
/*
 * predict: ask a guest that runs for samples of its memory and for what it writes, measure what
 * this host's compression makes of that, and print how long a migration would take.
 */
#define _GNU_SOURCE
#include "predict.h"
#include <argp.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST 16

const char *const methods[N_METHODS] = { "none", "zlib", "zstd" };

static struct {
	const char *qmp, *directory;
	bool method[N_METHODS], json, same_host, kinds[2];
	int levels[MOST], n_levels, channels[MOST], n_channels;
	double link, limit, downtime;
} opt = {
	.directory = "/tmp", .method = { true, true, true }, .levels = { 1 }, .n_levels = 1,
	.channels = { 2 }, .n_channels = 1, .limit = -1, .kinds = { true, true },
};

void die(const char *fmt, ...)
{
	va_list args;

	fputs("predict: error: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

enum { QMP = 256, DIRECTORY, METHODS, LEVELS, LINK, LIMIT, DOWNTIME, JSON, SAME_HOST, ONLY };

static const struct argp_option options[] = {
	{ "qmp", QMP, "SOCKET", 0, "a QMP socket of the guest's QEMU: a file, or @name", 0 },
	{ "link", LINK, "MB/S", 0, "the speed of the link (1000 Mbit/s: 125)", 0 },
	{ "limit", LIMIT, "MB/S", 0, "max-bandwidth, 0 for none (as QEMU has it)", 0 },
	{ "downtime", DOWNTIME, "MS", 0, "downtime-limit (as QEMU has it)", 0 },
	{ "methods", METHODS, "METHOD,..", 0, "none, zlib, zstd (all)", 0 },
	{ "levels", LEVELS, "N,..", 0, "of compression (1)", 0 },
	{ "channels", 'c', "N,..", 0, "of multifd (2)", 0 },
	{ "only", ONLY, "plain|adaptive", 0, "without or with multifd-adaptive (both)", 0 },
	{ "same-host", SAME_HOST, NULL, 0, "the destination runs here, too", 0 },
	{ "directory", DIRECTORY, "DIR", 0, "where QEMU writes samples of memory (/tmp)", 0 },
	{ "json", JSON, NULL, 0, "a line of JSON for each prediction", 0 },
	{ 0 }
};

static int list(struct argp_state *state, int *to, char *arg, int most)
{
	int n = 0;

	for (char *item = strtok(arg, ","); item; item = strtok(NULL, ",")) {
		if (n == MOST)
			argp_error(state, "more than %d values", MOST);
		to[n++] = arg_number(state, item, 1, most);
	}
	if (!n)
		argp_error(state, "an empty list");
	return n;
}

static void choose(struct argp_state *state, char *arg)
{
	memset(opt.method, 0, sizeof(opt.method));
	for (char *item = strtok(arg, ","); item; item = strtok(NULL, ",")) {
		int m = 0;

		while (m < N_METHODS && strcmp(item, methods[m]))
			m++;
		if (m == N_METHODS)
			argp_error(state, "no method %s", item);
		opt.method[m] = true;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case QMP:
		opt.qmp = arg;
		break;
	case LINK:
		opt.link = arg_number(state, arg, 0, 1e6) * 1e6;
		break;
	case LIMIT:
		opt.limit = arg_number(state, arg, 0, 1e6) * 1e6;
		break;
	case DOWNTIME:
		opt.downtime = arg_number(state, arg, 1, 1e6) / 1e3;
		break;
	case METHODS:
		choose(state, arg);
		break;
	case LEVELS:
		opt.n_levels = list(state, opt.levels, arg, 22);
		break;
	case 'c':
		opt.n_channels = list(state, opt.channels, arg, 64);
		break;
	case ONLY:
		if (strcmp(arg, "plain") && strcmp(arg, "adaptive"))
			argp_error(state, "--only wants plain or adaptive");
		opt.kinds[0] = !strcmp(arg, "plain");
		opt.kinds[1] = !opt.kinds[0];
		break;
	case SAME_HOST:
		opt.same_host = true;
		break;
	case DIRECTORY:
		opt.directory = arg;
		break;
	case JSON:
		opt.json = true;
		break;
	case ARGP_KEY_END:
		if (!opt.qmp)
			argp_error(state, "it wants --qmp");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void print_json(enum method method, int level, int channels, bool adaptive,
		       const struct speed *speed, const struct outcome *o)
{
	printf("{\"method\": \"%s\", \"level\": %d, \"channels\": %d, \"adaptive\": %s, ",
	       methods[method], level, channels, adaptive ? "true" : "false");
	printf("\"ratio\": %.4f, \"capacity\": %.0f, \"pages_per_s\": %.0f, \"raw\": %.3f, ",
	       speed->bytes_per_page / PAGE, speed->pages_per_s, o->pages_per_s, o->raw);
	/* What does not end has neither. */
	if (isinf(o->seconds))
		printf("\"seconds\": null, \"downtime\": null}\n");
	else
		printf("\"seconds\": %.3f, \"downtime\": %.4f}\n", o->seconds, o->downtime);
}

static void print_row(enum method method, int level, int channels, bool adaptive,
		      const struct speed *speed, const struct outcome *o)
{
	char levels[16] = "-";

	if (method != NONE)
		snprintf(levels, sizeof(levels), "%d", level);
	printf("%-6s %5s %4d %-8s %5.2f %9.1f %5.2f", methods[method], levels, channels,
	       adaptive ? "adaptive" : "", speed->bytes_per_page / PAGE, o->pages_per_s / 1e3, o->raw);
	if (isinf(o->seconds))
		printf("  does not end\n");
	else
		printf(" %8.1f %9.3f\n", o->seconds, o->downtime);
}

static void predict(const struct memory *memory, enum method method, int level, int channels,
		    const struct speed *none, double link)
{
	struct speed speed = method == NONE ? *none :
			     speed_of(memory, method, level, channels, opt.same_host);

	for (int adaptive = 0; adaptive < 2; adaptive++) {
		struct outcome o = rounds(memory, none, &speed, channels, link, adaptive);

		if (!opt.kinds[adaptive] || (adaptive && method == NONE))
			continue;
		(opt.json ? print_json : print_row)(method, level, channels, adaptive, &speed, &o);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"Print how long a migration of a guest that runs would take, by each method of multifd.",
		NULL, NULL, NULL };
	struct memory memory = { 0 };
	double link = INFINITY;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	guest_ask(opt.qmp, opt.directory, &memory);
	if (opt.limit >= 0)
		memory.limit = opt.limit;
	if (opt.downtime)
		memory.downtime = opt.downtime;
	if (opt.link)
		link = opt.link;
	if (memory.limit)
		link = fmin(link, memory.limit);
	if (!opt.json) {
		printf("memory: %.0f MiB, of which %.0f %% are zeros; it writes %.1f MB/s in %.0f MiB\n",
		       memory.pages * PAGE / (1 << 20), memory.zero * 100, memory.written / 1e6,
		       memory.hot / (1 << 20));
		printf("%-6s %5s %4s %-8s %5s %9s %5s %8s %9s\n", "method", "level", "chn", "", "ratio",
		       "kpages/s", "raw", "seconds", "downtime");
	}
	for (int c = 0; c < opt.n_channels; c++) {
		struct speed none = speed_of(&memory, NONE, 1, opt.channels[c], opt.same_host);

		for (int m = NONE; m < N_METHODS; m++)
			for (int l = 0; opt.method[m] && l < (m == NONE ? 1 : opt.n_levels); l++)
				predict(&memory, m, opt.levels[l], opt.channels[c], &none, link);
	}
	return 0;
}
