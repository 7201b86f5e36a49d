// SPDX-License-Identifier: GPL-2.0-only
/* What migbench and pairbench share: time, messages, JSON. */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static atomic_int stopped;	/* by this signal */
static int done, planned;
static double began, said;

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

void nap(double seconds)
{
	struct timespec ts = { .tv_sec = seconds, .tv_nsec = fmod(seconds, 1) * 1e9 };

	if (seconds > 0)
		nanosleep(&ts, NULL);
	if (stopped)
		die("stopped by signal %d", stopped);
}

static void message(const char *kind, const char *fmt, va_list args)
{
	fprintf(stderr, "%s: %s", program_invocation_short_name, kind);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message("", fmt, args);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message("error: ", fmt, args);
	exit(1);
}

static void stop(int signal)
{
	stopped = signal;
}

void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = stop, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

double field(struct json_object *object, const char *section, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, section, &object) ||
	    !json_object_object_get_ex(object, key, &value))
		return 0;
	return json_object_get_double(value);
}

void add(struct json_object *run, const char *key, double value)
{
	char digits[32];	/* no more than were measured */

	snprintf(digits, sizeof(digits), "%.6g", value);
	json_object_object_add(run, key, json_object_new_double_s(value, digits));
}

void set(struct json_object *parameters, const char *name, int64_t value)
{
	json_object_object_add(parameters, name, json_object_new_int64(value));
}

void enable(struct guest *guest, const char *capability)
{
	struct json_object *list = json_object_new_array(), *item = json_object_new_object(),
			   *args = json_object_new_object();

	json_object_object_add(item, "capability", json_object_new_string(capability));
	json_object_object_add(item, "state", json_object_new_boolean(true));
	json_object_array_add(list, item);
	json_object_object_add(args, "capabilities", list);
	json_object_put(guest_do(guest, "migrate-set-capabilities", args));
}

void progress_of(int runs)
{
	planned = runs;
	began = now();
}

void progress(const char *set)
{
	double t = now();

	if (t - said >= 10) {
		said = t;
		if (done)
			say("%d of %d runs, about %.0f s left: %s", done, planned,
			    (planned - done) * (t - began) / done, set);
	}
	done++;
}

void emit(struct json_object *run)
{
	puts(json_object_to_json_string_ext(run, JSON_C_TO_STRING_PLAIN));
	if (fflush(stdout))
		die("cannot write the results");
}

struct clocks clocks_now(void)
{
	double v[8] = { 0 };
	struct clocks c = { .at = now() };
	struct rusage own;
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", v, v + 1, v + 2, v + 3, v + 4,
			 v + 5, v + 6, v + 7) != 8)
		die("cannot read /proc/stat");
	fclose(f);
	/* Neither idle nor waiting for a disk. */
	c.all = (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / sysconf(_SC_CLK_TCK);
	getrusage(RUSAGE_SELF, &own);
	c.own = own.ru_utime.tv_sec + own.ru_stime.tv_sec +
		(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
	return c;
}

void add_others(struct json_object *run, double processors)
{
	static bool warned;

	/* The clocks are not read at once. */
	processors = fmax(0, processors);
	add(run, "processors_others", processors);
	if (processors > DISTURBED && !warned)
		say("warning: other programs use %.2f processors; this will be of little use",
		    processors);
	warned |= processors > DISTURBED;
}

void arg_list(struct argp_state *state, struct list *to, char *arg, double even, double least,
	      double most)
{
	to->count = 0;
	for (char *item = strtok(arg, ","); item; item = strtok(NULL, ",")) {
		if (to->count == (int)(sizeof(to->at) / sizeof(*to->at)))
			argp_error(state, "more than %d values", to->count);
		to->at[to->count++] = !isnan(even) && !strcmp(item, "even") ? even :
			arg_number(state, item, least, most);
	}
	if (!to->count)
		argp_error(state, "an empty list");
}
