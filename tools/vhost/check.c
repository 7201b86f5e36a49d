// SPDX-License-Identifier: GPL-2.0-only
/* The verb check: the rules over a trace, or over what happens now. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "trace.h"
#include "vhostctl.h"

#define SHOWN	3

/* --- the verdict, which report gives, too --- */

static void on_broken(void *arg, enum rule rule, const struct ev *ev, const char *why)
{
	struct verdict *v = arg;
	struct broken *b;

	if (v->shown[rule] == SHOWN)
		return;
	v->shown[rule]++;
	v->broken = xrealloc(v->broken, (v->n + 1) * sizeof(*v->broken));
	b = &v->broken[v->n++];
	b->rule = rule;
	b->why = xstrdup(why);
	b->event = xstrdup(events_text(v->events, ev));
}

void verdict_init(struct verdict *v, const struct events *events)
{
	memset(v, 0, sizeof(*v));
	v->events = events;
	v->checker = checker_new(on_broken, v);
}

static void add_loss(struct verdict *v, const struct ev *gap)
{
	unsigned int cpu = gap->cpu;

	if (cpu >= v->cpus) {
		v->loss = xrealloc(v->loss, (cpu + 1) * sizeof(*v->loss));
		memset(v->loss + v->cpus, 0, (cpu + 1 - v->cpus) * sizeof(*v->loss));
		v->cpus = cpu + 1;
	}
	v->loss[cpu].gaps++;
	v->loss[cpu].lost += gap->f[F_COUNT];
	v->loss[cpu].uncounted += !gap->f[F_COUNT];
}

void verdict_feed(void *arg, const struct ev *ev)
{
	struct verdict *v = arg;

	if (!v->first_ts)
		v->first_ts = ev->ts;
	v->last_ts = ev->ts;
	if (ev->type == EV_GAP_END)
		add_loss(v, ev);
	checker_feed(v->checker, ev);
}

void verdict_free(struct verdict *v)
{
	checker_free(v->checker);
	for (unsigned int i = 0; i < v->n; i++) {
		free(v->broken[i].why);
		free(v->broken[i].event);
	}
	free(v->broken);
	free(v->loss);
	json_object_put(v->offline);
}

bool verdict_kept(const struct verdict *v)
{
	for (int r = 0; r < RULES; r++)
		if (checker_results(v->checker)[r].broken)
			return false;
	return true;
}

bool verdict_judged(const struct verdict *v)
{
	for (int r = 0; r < RULES; r++)
		if (checker_results(v->checker)[r].judged)
			return true;
	return false;
}

double verdict_seconds(const struct verdict *v)
{
	return (v->last_ts - v->first_ts) / (double)NSEC;
}

void verdict_print(const struct verdict *v, FILE *f)
{
	const struct checker_totals *t = checker_totals(v->checker);

	fprintf(f, "%" PRIu64 " events in %.3f s; ", t->events, verdict_seconds(v));
	if (!t->gaps)
		fputs("none was lost\n", f);
	else
		fprintf(f, "%" PRIu64 " gaps, at least %" PRIu64 " events were lost\n", t->gaps,
			t->lost);
	for (unsigned int i = 0; i < v->cpus; i++)
		if (v->loss[i].gaps)
			fprintf(f, "CPU %u lost %s%" PRIu64 " events in %" PRIu64 " gaps\n", i,
				v->loss[i].uncounted ? "at least " : "", v->loss[i].lost,
				v->loss[i].gaps);
	print_offline(v->offline, f);
	if (t->unordered)
		fprintf(f, "%" PRIu64 " times the clock could not tell which of two CPUs was first\n",
			t->unordered);
	fprintf(f, "%-24s %12s %12s %12s  %s\n", "RULE", "SEEN", "JUDGED", "BROKEN", "VERDICT");
	for (int i = 0; i < RULES; i++) {
		const struct rule_result *r = &checker_results(v->checker)[i];

		fprintf(f, "%-24s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "  %s\n", rule_names[i],
			r->seen, r->judged, r->broken, rule_verdict(r));
	}
	for (unsigned int i = 0; i < v->n; i++)
		fprintf(f, "broken: %s: %s\n    %s\n", rule_names[v->broken[i].rule],
			v->broken[i].why, v->broken[i].event);
}

static json_object *loss_json(const struct verdict *v)
{
	json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < v->cpus; i++) {
		json_object *o;

		if (!v->loss[i].gaps)
			continue;
		o = json_object_new_object();
		json_int(o, "cpu", i);
		json_int(o, "gaps", v->loss[i].gaps);
		json_int(o, "lost", v->loss[i].lost);
		json_flag(o, "counted", !v->loss[i].uncounted);
		json_object_array_add(a, o);
	}
	return a;
}

json_object *verdict_json(const struct verdict *v)
{
	const struct checker_totals *t = checker_totals(v->checker);
	json_object *o = json_object_new_object();
	json_object *rules = json_object_new_object();
	json_object *broken = json_object_new_array();

	json_flag(o, "kept", verdict_kept(v));
	json_int(o, "events", t->events);
	json_num(o, "seconds", verdict_seconds(v));
	json_int(o, "gaps", t->gaps);
	json_int(o, "lost", t->lost);
	json_object_object_add(o, "lost_by_cpu", loss_json(v));
	if (v->offline)
		json_object_object_add(o, "offline", json_object_get(v->offline));
	json_int(o, "unordered", t->unordered);
	for (int i = 0; i < RULES; i++) {
		const struct rule_result *r = &checker_results(v->checker)[i];
		json_object *rule = json_object_new_object();

		json_int(rule, "seen", r->seen);
		json_int(rule, "judged", r->judged);
		json_int(rule, "broken", r->broken);
		json_str(rule, "verdict", rule_verdict(r));
		json_object_object_add(rules, rule_names[i], rule);
	}
	json_object_object_add(o, "rules", rules);
	for (unsigned int i = 0; i < v->n; i++) {
		json_object *b = json_object_new_object();

		json_str(b, "rule", rule_names[v->broken[i].rule]);
		json_str(b, "why", v->broken[i].why);
		json_str(b, "event", v->broken[i].event);
		json_object_array_add(broken, b);
	}
	json_object_object_add(o, "first", broken);
	return o;
}

/* --- check --- */

enum { KEY_LIVE = 256, KEY_TIME, KEY_BUFFER };

struct check {
	bool json, live, for_live;
	double seconds;
	unsigned long kb;
	char *file;
	char **command;
	struct live *source;
	struct verdict verdict;
};

static error_t check_parser(int key, char *arg, struct argp_state *st)
{
	struct check *c = st->input;

	switch (key) {
	case 'j':
		c->json = true;
		break;
	case KEY_LIVE:
		c->live = true;
		break;
	case KEY_TIME:
		c->seconds = arg_seconds(st, "--time", arg);
		c->for_live = true;
		break;
	case KEY_BUFFER:
		c->kb = arg_number(st, "--buffer", arg, 4 << 20);
		c->for_live = true;
		break;
	case ARGP_KEY_ARG:
		if (c->live) {
			/* From here on, it is the command's. */
			c->command = st->argv + st->next - 1;
			st->next = st->argc;
		} else if (c->file) {
			argp_error(st, "'%s': one file at a time; a command needs --live before it", arg);
		} else {
			c->file = arg;
		}
		break;
	case ARGP_KEY_END:
		if (!c->live && !c->file)
			argp_error(st, "check what? A file, or --live");
		if (c->live && c->file)
			argp_error(st, "'%s': either a file or --live", c->file);
		if (!c->live && c->for_live)
			argp_error(st, "--time and --buffer are for --live");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void step(void *arg)
{
	struct check *c = arg;

	live_read(c->source, false, verdict_feed, &c->verdict);
}

int cmd_check(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "live", KEY_LIVE, NULL, 0, "check what happens now, until Ctrl-C, or the end of --time or COMMAND", 0 },
		{ "time", KEY_TIME, "SECONDS", 0, "for so long", 0 },
		{ "buffer", KEY_BUFFER, "KB", 0, "for each CPU (8192)", 0 },
		OPT_JSON,
		{ 0 }
	};
	static const struct argp argp = {
		options, check_parser, "FILE\n--live [--] [COMMAND...]",
		"Does vhost keep the order that it promises? Of a trace, or live. "
		"The rules, and the first events that break one, are named.\v"
		"Exit status: 0 every rule that could be judged is kept (with a "
		"COMMAND: its status), 1 one is broken, 2 wrong usage, 3 cannot look, or "
		"nothing could be judged. "
		"With a COMMAND the verdict is on stderr; with --json, COMMAND's "
		"output is, and the JSON on stdout.",
		NULL, NULL, NULL
	};
	struct check c = { .kb = 8192 };
	int status = EXIT_OK;
	bool kept, judged;

	parse_verb(&argp, argc, argv, &c);
	if (c.live) {
		c.source = live_new(checker_needs, c.kb);
		verdict_init(&c.verdict, live_events(c.source));
		live_on(c.source);
		status = live_run(c.command, c.seconds, c.json, step, &c);
		live_off(c.source);
		live_read(c.source, true, verdict_feed, &c.verdict);
		c.verdict.offline = live_offline(c.source);
	} else {
		struct trace_file *t;

		catch_signals();
		t = trace_open(c.file);
		verdict_init(&c.verdict, trace_events(t));
		trace_read(t, verdict_feed, &c.verdict);
		/* The verdict has the texts that it needs. */
		trace_close(t);
	}
	kept = verdict_kept(&c.verdict);
	judged = verdict_judged(&c.verdict);
	if (c.json)
		json_out(verdict_json(&c.verdict), false);
	else
		verdict_print(&c.verdict, c.command ? stderr : stdout);
	verdict_free(&c.verdict);
	if (c.source)
		live_free(c.source);
	if (!kept)
		return EXIT_NO;
	if (!judged && !status)
		return fail(EXIT_BLIND, "nothing could be judged: no vhost device was at work%s",
			    c.live ? "" : ", or its events were not recorded");
	return status;
}
