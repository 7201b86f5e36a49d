/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order that vhost promises, as rules over its events. A state machine without
 * input or output: it is fed events in the order of time.
 */
#ifndef CHECKER_H
#define CHECKER_H

#include "events.h"

enum rule {
	RULE_ELEMENTS, RULE_INDEX_LOG, RULE_LOG_MISSING, RULE_TRIES, RULE_ALL_HELD,
	RULE_DROPPED, RULES,
};

/**
 * struct rule_result - what became of a rule
 * @seen: events that it is about
 * @judged: of those, how many could be judged: enough before them was seen
 * @broken: and broke it
 */
struct rule_result {
	uint64_t seen;
	uint64_t judged;
	uint64_t broken;
};

/**
 * struct checker_totals - of all events
 * @events: the kernel's, with those that no rule is about
 * @gaps: where events were lost and everything was forgotten
 * @lost: events, as far as they were counted
 * @unordered: times that several CPUs had; what was about them is forgotten, too
 */
struct checker_totals {
	uint64_t events;
	uint64_t gaps;
	uint64_t lost;
	uint64_t unordered;
};

extern const char * const rule_names[RULES];

/* Whether a rule needs the event. */
bool checker_needs(enum ev_type type);

typedef void (*broken_fn)(void *arg, enum rule rule, const struct ev *ev, const char *why);

struct checker;

struct checker *checker_new(broken_fn broken, void *arg);
void checker_free(struct checker *c);
void checker_feed(struct checker *c, const struct ev *ev);
const struct rule_result *checker_results(const struct checker *c);
const struct checker_totals *checker_totals(const struct checker *c);

/* "kept", "broken", or "not seen" where nothing could be judged */
const char *rule_verdict(const struct rule_result *r);

#endif /* CHECKER_H */
