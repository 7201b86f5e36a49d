/* SPDX-License-Identifier: GPL-2.0-only */
/* Rates: what was counted between two looks. */
#ifndef WATCH_H
#define WATCH_H

#include "devices.h"

/**
 * struct look - all devices at a moment
 * @d: devices
 * @n: how many
 * @t: when, seconds
 */
struct look {
	struct device *d;
	unsigned int n;
	double t;
};

void look_take(struct look *l, int what);
void look_free(struct look *l);

/* The same device in another look, or NULL. */
const struct device *look_find(const struct look *l, const char *name);

/**
 * struct rates - of a queue, or added up
 * @queues: that were added
 */
struct rates {
	double seconds;
	unsigned int queues;
	uint64_t used, mapped, fallback, sections, fills, dropped, rests, waits;
};

/*
 * Add what @q counted since @was, which may be NULL: a queue that was not there. One
 * that went cannot be asked.
 */
void rates_add(struct rates *r, const struct queue *q, const struct queue *was);

/* The queue in @was that @q of @d is in. */
const struct queue *look_queue(const struct look *was, const struct device *d,
			       const struct queue *q);

json_object *rates_json(const struct rates *r);

#endif /* WATCH_H */
