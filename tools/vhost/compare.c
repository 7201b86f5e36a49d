// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb compare: what another accessor makes of the traffic that flows now.
 *
 * The accessors take turns: in a round one after the other, and then in the opposite
 * order, so that a load that grows or shrinks evenly is the same for all. Who begins is
 * drawn for each round, so that a load with a period of its own favours nobody. What follows
 * a switch at once is left out: the rings are mapped then. Each round gives one pair of
 * figures for two accessors; ratio.c says how they differ.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "ratio.h"
#include "vhostctl.h"

#define ROUNDS		20
#define ACCESSORS	3
/* Of the time of a turn, for the rings to be mapped */
#define SETTLING	0.2
/* A slice shorter than this counts too few buffers. */
#define MIN_SECONDS	4.0
/* If the interval has this much of a difference, it does not say that there is none. */
#define MAX_DOUBT	0.10

enum { OPT_TIME = 256, OPT_ACCESSORS };
enum { CPU_NS, CYCLES, INSTRUCTIONS, COUNTERS };

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} counters[COUNTERS] = {
	[CPU_NS] = { "ns_per_buffer", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	[CYCLES] = { "cycles_per_buffer", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[INSTRUCTIONS] = { "instructions_per_buffer", PERF_TYPE_HARDWARE,
			   PERF_COUNT_HW_INSTRUCTIONS },
};

/* A queue, and the accessor to give back */
struct member {
	char dev[40];
	unsigned int queue;
	char accessor[16];
};

/* A thread of vhost's: a file descriptor for each counter, or -1; CPU time until now, in ns,
 * and in the turns of each accessor
 */
struct worker {
	int fd[COUNTERS];
	double ns, sum[ACCESSORS];
};

/* What was read at one time, or between two */
struct reading {
	double seconds, used, count[COUNTERS];
};

struct compare {
	bool json;
	double time;
	char *accessor[ACCESSORS];
	unsigned int accessors;
	char *target;

	struct member *member;
	unsigned int members;
	struct worker *worker;
	unsigned int workers;
	bool counts[COUNTERS];
	/* By accessor, round, and which of the two turns */
	struct reading reading[ACCESSORS][ROUNDS][2];
	unsigned int rounds;
};

static error_t compare_parser(int key, char *arg, struct argp_state *st)
{
	struct compare *c = st->input;
	char *save, *word;

	switch (key) {
	case 'j':
		c->json = true;
		return 0;
	case OPT_TIME:
		c->time = arg_seconds(st, "time", arg);
		if (c->time < MIN_SECONDS)
			argp_error(st, "--time %s: %g seconds or more, to have something to count", arg,
				   MIN_SECONDS);
		return 0;
	case OPT_ACCESSORS:
		c->accessors = 0;
		for (word = strtok_r(arg, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
			if (c->accessors == ACCESSORS)
				argp_error(st, "--accessors: at most %d", ACCESSORS);
			c->accessor[c->accessors++] = word;
		}
		if (c->accessors < 2)
			argp_error(st, "--accessors: two or more, such as uaccess,ringmap");
		return 0;
	case ARGP_KEY_ARG:
		if (c->target)
			argp_error(st, "'%s' is too much", arg);
		c->target = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* --- whom --- */

/* Whether a device is meant: all, one, or all that a process owns or, unowned, opened. */
static bool is_meant(const struct compare *c, const struct device *d)
{
	int pid = d->owner.pid ? d->owner.pid : d->opener.pid;
	char *end;

	if (!c->target || !strcmp(c->target, "all") || !strcmp(c->target, d->name))
		return true;
	return strtol(c->target, &end, 10) == pid && !*end;
}

static void add_worker(struct compare *c, int tid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	struct worker w = { 0 };

	for (int i = 0; i < COUNTERS; i++) {
		attr.type = counters[i].type;
		attr.config = counters[i].config;
		w.fd[i] = syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
		if (w.fd[i] >= 0)
			continue;
		/* It has ended meanwhile. */
		if (errno == ESRCH)
			return;
		if (i == CPU_NS)
			die(EXIT_BLIND, "thread %d: its CPU time cannot be counted: %s; run it as root, with a perf_event_paranoid that lets it",
			    tid, strerror(errno));
		c->counts[i] = false;
	}
	c->worker = xrealloc(c->worker, (c->workers + 1) * sizeof(w));
	c->worker[c->workers++] = w;
}

static void add_members(struct compare *c, const struct device *d)
{
	struct member *m;

	for (unsigned int q = 0; q < d->nq; q++) {
		c->member = xrealloc(c->member, (c->members + 1) * sizeof(*m));
		m = &c->member[c->members++];
		snprintf(m->dev, sizeof(m->dev), "%s", d->name);
		m->queue = d->q[q].index;
		snprintf(m->accessor, sizeof(m->accessor), "%s", d->q[q].accessor);
	}
}

/* The threads that work for a device, each once */
static void add_workers(struct compare *c, const struct device *d)
{
	unsigned int i, k;

	for (i = 0; i < d->nq; i++) {
		for (k = 0; k < i && d->q[k].worker != d->q[i].worker; k++)
			;
		if (k == i && d->q[i].worker)
			add_worker(c, d->q[i].worker);
	}
}

/* Find the queues and the threads. A device without a thread has no owner: it is idle. */
static void find(struct compare *c)
{
	unsigned int n, meant = 0;
	struct device *all;

	n = devices_read(&all, 0);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int before = c->workers;

		if (!is_meant(c, &all[i]))
			continue;
		meant++;
		add_workers(c, &all[i]);
		if (c->workers > before)
			add_members(c, &all[i]);
		else
			fail(EXIT_NO, "%s is left out: no thread works for it yet", all[i].name);
	}
	devices_free(all, n);
	if (!meant)
		die(EXIT_NO, "%s; 'vhostctl list' shows the devices",
		    c->target && strcmp(c->target, "all") ? "no such device or process" :
							    "no vhost device is open");
	if (!c->members)
		die(EXIT_NO, "nothing to compare");
}

/* --- switching --- */

static int set_accessor(const struct member *m, const char *accessor)
{
	return device_set_accessor(m->dev, m->queue, accessor);
}

static void switch_to(const struct compare *c, const char *accessor)
{
	for (unsigned int i = 0; i < c->members; i++) {
		int ret = set_accessor(&c->member[i], accessor);

		if (ret == -EINVAL)
			die(EXIT_USAGE, "the kernel has no accessor '%s'; 'vhostctl show' has them", accessor);
		if (ret == -ENOENT)
			die(EXIT_NO, "device %s is gone", c->member[i].dev);
		if (ret)
			die(EXIT_BLIND, "%s: the accessor cannot be set: %s; only root may: run it with sudo",
			    c->member[i].dev, strerror(-ret));
	}
}

/* Set all as they were; false if that failed for one that is still there. */
static bool give_back(const struct compare *c)
{
	bool ok = true;

	for (unsigned int i = 0; i < c->members; i++) {
		int ret = set_accessor(&c->member[i], c->member[i].accessor);

		ok = ok && (!ret || ret == -ENOENT);
	}
	return ok;
}

/*
 * A child gives the accessors back when the pipe closes: when all is done, and as well when
 * this process is killed. Until then nobody else compares: who does would take for the
 * accessors of before what they are in a turn.
 */
static const struct compare *guarded;
static int guard_fd = -1;
static pid_t guard;

static void begin_guard(const struct compare *c)
{
	int fds[2], dir = open(sys_path(VHOST_DEBUGFS), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char byte;

	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB))
		die(EXIT_BLIND, "%s; wait for it to end", dir < 0 ? strerror(errno) :
		    "another comparison is running");
	guard = pipe(fds) ? -1 : fork();
	if (guard < 0)
		die(EXIT_BLIND, "cannot start a process: %s", strerror(errno));
	if (guard) {
		close(fds[0]);
		guard_fd = fds[1];
		guarded = c;
		return;
	}
	close(fds[1]);
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
		;
	_exit(!give_back(c));
}

/* At exit, too: whatever goes wrong, the accessors are as they were. */
static bool end_guard(void)
{
	int status = 0;

	if (guard_fd < 0)
		return true;
	close(guard_fd);
	guard_fd = -1;
	while (waitpid(guard, &status, 0) < 0 && errno == EINTR)
		;
	if (!status || give_back(guarded))
		return true;
	fail(EXIT_NO, "the accessors could not be set to what they were; 'vhostctl list' shows them");
	return false;
}

static void end_guard_at_exit(void)
{
	end_guard();
}

/* --- measuring --- */

/* A counter of a thread. One that shares its hardware with others is of no use. */
static double read_counter(struct compare *c, unsigned int worker, int counter)
{
	uint64_t v[3]; /* value, time enabled, time running */

	if (!c->counts[counter] ||
	    read(c->worker[worker].fd[counter], v, sizeof(v)) != sizeof(v))
		return 0;
	if (counter != CPU_NS && v[1] != v[2])
		c->counts[counter] = false;
	return v[0];
}

static void read_now(struct compare *c, struct reading *r)
{
	struct device d;
	double v;

	memset(r, 0, sizeof(*r));
	for (unsigned int i = 0; i < c->members; i++) {
		if (i && !strcmp(c->member[i].dev, c->member[i - 1].dev))
			continue;
		if (device_read(&d, c->member[i].dev, READ_STATS))
			die(EXIT_NO, "device %s is gone", c->member[i].dev);
		r->used += device_counter(&d, "used");
		device_free(&d);
	}
	for (unsigned int i = 0; i < c->workers; i++)
		for (int k = 0; k < COUNTERS; k++) {
			v = read_counter(c, i, k);
			r->count[k] += v;
			if (k == CPU_NS)
				c->worker[i].ns = v;
		}
	r->seconds = now();
}

/* Sleep, and stop soon if there is a signal. */
static void wait_for(double seconds)
{
	double end = now() + seconds;

	while (!interrupted && now() < end)
		nap(fmin(end - now(), 0.1));
}

static void turn(struct compare *c, unsigned int accessor, bool second, double seconds)
{
	struct reading before, after, *r = &c->reading[accessor][c->rounds][second];

	switch_to(c, c->accessor[accessor]);
	wait_for(seconds * SETTLING);
	read_now(c, &before);
	for (unsigned int i = 0; i < c->workers; i++)
		c->worker[i].sum[accessor] -= c->worker[i].ns;
	wait_for(seconds * (1 - SETTLING));
	read_now(c, &after);
	for (unsigned int i = 0; i < c->workers; i++)
		c->worker[i].sum[accessor] += c->worker[i].ns;
	r->seconds = after.seconds - before.seconds;
	r->used = after.used - before.used;
	for (int k = 0; k < COUNTERS; k++)
		r->count[k] = after.count[k] - before.count[k];
}

/* The accessors in an order by chance */
static void draw(unsigned int *order, unsigned int n)
{
	unsigned int k, chance, was;

	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (unsigned int i = n - 1; i; i--) {
		if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
			chance = 0;
		k = chance % (i + 1);
		was = order[i];
		order[i] = order[k];
		order[k] = was;
	}
}

static void measure(struct compare *c)
{
	double seconds = c->time / (2 * ROUNDS * c->accessors);
	unsigned int order[ACCESSORS], n = c->accessors;
	bool progress = isatty(STDERR_FILENO);

	for (c->rounds = 0; c->rounds < ROUNDS; c->rounds++) {
		if (progress)
			fprintf(stderr, "\rround %u of %d ", c->rounds + 1, ROUNDS);
		draw(order, n);
		for (unsigned int i = 0; i < 2 * n && !interrupted; i++)
			turn(c, order[i < n ? i : 2 * n - 1 - i], i >= n, seconds);
		if (interrupted)
			break;
	}
	if (progress)
		fprintf(stderr, "\r\033[K");
}

/* --- what it says --- */

/* Sums over all rounds */
static struct reading total(const struct compare *c, unsigned int accessor)
{
	struct reading sum = { 0 };

	for (unsigned int i = 0; i < 2 * c->rounds; i++) {
		const struct reading *r = &c->reading[accessor][i / 2][i % 2];

		sum.seconds += r->seconds;
		sum.used += r->used;
		for (int k = 0; k < COUNTERS; k++)
			sum.count[k] += r->count[k];
	}
	return sum;
}

/* What is compared: a counter, or this */
#define RATE	(-1)

static double figure(const struct reading *r, int counter)
{
	if (r->used <= 0)
		return 0;
	return counter == RATE ? r->used / r->seconds : r->count[counter] / r->used;
}

static bool compare_figure(const struct compare *c, unsigned int accessor, int counter,
			   struct ratio *r)
{
	double v[2][ROUNDS];

	/* The geometric mean of two turns: a load that grows evenly adds nothing. */
	for (unsigned int i = 0; i < c->rounds; i++)
		for (int k = 0; k < 2; k++) {
			const struct reading *is = c->reading[k ? accessor : 0][i];

			v[k][i] = sqrt(figure(&is[0], counter) * figure(&is[1], counter));
		}
	return ratio_of(v[0], v[1], c->rounds, r);
}

/* "18 to 22 % less"; 0 % has no sign. */
static char *span(const struct ratio *r, const char *less, const char *more)
{
	double low = 100 * (r->low - 1), high = 100 * (r->high - 1);

	if (high < 0)
		return xasprintf("%.1f to %.1f %% %s", -high, -low, less);
	return xasprintf("%.1f to %.1f %% %s", low, high, more);
}

static char *cpu_words(const struct ratio *r)
{
	if (ratio_differs(r))
		return span(r, "less CPU time a buffer", "more CPU time a buffer");
	if (ratio_most(r) > MAX_DOUBT)
		return xasprintf("cannot tell about CPU time: the load changes too much (%.1f %% less to %.1f %% more); compare for longer with --time",
				 100 * (1 - r->low), 100 * (r->high - 1));
	return xasprintf("no difference in CPU time (at most %.1f %%)", 100 * ratio_most(r));
}

static char *rate_words(const struct ratio *r, double busy)
{
	if (ratio_differs(r))
		return span(r, "fewer buffers a second", "more buffers a second");
	if (ratio_most(r) > MAX_DOUBT)
		return xstrdup("cannot tell about buffers a second: the load changes too much");
	return xasprintf("no difference in buffers a second (at most %.1f %%)%s",
			 100 * ratio_most(r), busy < 0.9 ? ", the load is limited elsewhere" : "");
}

static json_object *json_ratio(const struct ratio *r)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "ratio", json_object_new_double(r->mid));
	json_object_object_add(o, "low", json_object_new_double(r->low));
	json_object_object_add(o, "high", json_object_new_double(r->high));
	return o;
}

/* The share of its turns for which the busiest thread ran */
static double busiest(const struct compare *c, unsigned int accessor, double seconds)
{
	double most = 0;

	for (unsigned int i = 0; i < c->workers; i++)
		most = fmax(most, c->worker[i].sum[accessor]);
	return seconds > 0 ? most / seconds / NSEC : 0;
}

/* Against the first accessor. Returns false if there was too little to count. */
static bool report(const struct compare *c)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array(), *one;
	struct reading t[ACCESSORS];
	double busy[ACCESSORS];
	struct ratio r, cpu;
	bool enough = true;
	char *a, *b;

	json_str(o, "target", c->target ? c->target : "all");
	json_int(o, "rounds", c->rounds);
	json_int(o, "workers", c->workers);
	json_object_object_add(o, "accessors", list);
	if (!c->json)
		printf("%-10s %11s %11s %7s%s%s\n", "accessor", "buffers/s", "ns/buffer", "busy",
		       c->counts[CYCLES] ? "      cycles" : "",
		       c->counts[INSTRUCTIONS] ? " instructions" : "");
	for (unsigned int i = 0; i < c->accessors; i++) {
		t[i] = total(c, i);
		busy[i] = busiest(c, i, t[i].seconds);
		one = json_object_new_object();
		json_str(one, "accessor", c->accessor[i]);
		json_num(one, "buffers_per_second", t[i].seconds ? t[i].used / t[i].seconds : 0);
		json_num(one, "busy", busy[i]);
		for (int k = 0; k < COUNTERS; k++)
			if (c->counts[k] && t[i].used)
				json_num(one, counters[k].name, t[i].count[k] / t[i].used);
		if (i && compare_figure(c, i, CPU_NS, &r))
			json_object_object_add(one, "cpu", json_ratio(&r));
		if (i && compare_figure(c, i, RATE, &r))
			json_object_object_add(one, "rate", json_ratio(&r));
		json_object_array_add(list, one);
		if (c->json)
			continue;
		printf("%-10s %11.0f", c->accessor[i], t[i].seconds ? t[i].used / t[i].seconds : 0);
		if (t[i].used)
			printf(" %11.0f %5.0f %%", t[i].count[CPU_NS] / t[i].used, 100 * busy[i]);
		for (int k = CYCLES; k < COUNTERS && t[i].used; k++)
			if (c->counts[k])
				printf(" %12.0f", t[i].count[k] / t[i].used);
		putchar('\n');
	}
	for (unsigned int i = 1; i < c->accessors; i++) {
		if (!compare_figure(c, i, RATE, &r)) {
			fail(EXIT_NO, "%s: cannot tell: only %zu of %u rounds had traffic; at least %d must",
			     c->accessor[i], r.pairs, c->rounds, RATIO_MIN_PAIRS);
			enough = false;
			continue;
		}
		if (!compare_figure(c, i, CPU_NS, &cpu)) {
			fail(EXIT_NO, "%s: cannot tell: vhost's threads ran in only %zu of %u rounds; did the device get another owner or worker?",
			     c->accessor[i], cpu.pairs, c->rounds);
			enough = false;
			continue;
		}
		if (c->json)
			continue;
		a = cpu_words(&cpu);
		b = rate_words(&r, fmax(busy[0], busy[i]));
		printf("%s%s: %s; %s.\n", i == 1 ? "\n" : "", c->accessor[i], a, b);
		free(a);
		free(b);
	}
	if (c->json)
		json_out(o, false);
	else
		json_object_put(o);
	return enough;
}

int cmd_compare(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "accessors", OPT_ACCESSORS, "A,B", 0, "which ones; by default uaccess,ringmap", 0 },
		{ "time", OPT_TIME, "SECONDS", 0, "for how long in all; by default 20", 0 },
		OPT_JSON, { 0 }
	};
	static const struct argp argp = {
		options, compare_parser, "[DEV|PID|all]",
		"Compare accessors on the traffic that flows now: they take turns, and nothing is "
		"lost. Prints buffers a second and CPU time of vhost's threads for each buffer, "
		"and how each accessor differs from the first, with an interval that covers the "
		"truth in 95 of 100 cases. The accessors are as before when it ends, however that is.",
		NULL, NULL, NULL
	};
	struct compare c = {
		.time = 20, .accessor = { "uaccess", "ringmap" }, .accessors = 2,
		.counts = { true, true, true },
	};
	bool enough, as_before;

	parse_verb(&argp, argc, argv, &c);
	find(&c);
	catch_signals();
	begin_guard(&c);
	atexit(end_guard_at_exit);
	measure(&c);
	as_before = end_guard();
	if (interrupted && c.rounds < RATIO_MIN_PAIRS)
		return fail(EXIT_NO, "stopped before there was enough to compare%s", as_before ?
			    "; the accessors are as before" : "");
	enough = report(&c);
	for (unsigned int i = 0; i < c.workers; i++)
		for (int k = 0; k < COUNTERS; k++)
			if (c.worker[i].fd[k] >= 0)
				close(c.worker[i].fd[k]);
	free(c.worker);
	free(c.member);
	return enough && as_before ? EXIT_OK : EXIT_NO;
}
