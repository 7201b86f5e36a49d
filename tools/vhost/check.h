/* SPDX-License-Identifier: GPL-2.0-only */
/* The checker's verdict, for people and programs. */
#ifndef CHECK_H
#define CHECK_H

#include <json-c/json.h>
#include <stdio.h>

#include "checker.h"

/* An event that broke a rule, and why */
struct broken {
	enum rule rule;
	char *why;
	char *event;
};

/**
 * struct cpu_loss - what a CPU's buffer had no room for
 * @gaps: how often
 * @lost: events, as far as they were counted
 * @uncounted: gaps of which nobody knows how many
 */
struct cpu_loss {
	uint64_t gaps, lost, uncounted;
};

struct verdict {
	const struct events *events;
	struct checker *checker;
	struct broken *broken;
	unsigned int n;
	unsigned int shown[RULES];
	uint64_t first_ts, last_ts;
	struct cpu_loss *loss;
	unsigned int cpus;
	json_object *offline;		/* numbers of CPUs, or NULL of a file */
};

void verdict_init(struct verdict *v, const struct events *events);
/* An ev_fn */
void verdict_feed(void *v, const struct ev *ev);
void verdict_free(struct verdict *v);
bool verdict_kept(const struct verdict *v);
/* Whether anything could be judged: nothing is no success. */
bool verdict_judged(const struct verdict *v);
double verdict_seconds(const struct verdict *v);
void verdict_print(const struct verdict *v, FILE *f);
json_object *verdict_json(const struct verdict *v);

#endif /* CHECK_H */
