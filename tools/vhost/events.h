/* SPDX-License-Identifier: GPL-2.0-only */
/* vhost's trace events as numbers, whatever layout the kernel gave them. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum ev_type {
	EV_MAP_FILL, EV_MAP_DROP, EV_MAP_RESET, EV_MAP_RELEASE, EV_MAP_USE, EV_FALLBACK,
	EV_ACCESSOR,
	EV_FETCH, EV_USED, EV_USED_IDX, EV_LOG, EV_KICK, EV_CALL, EV_MUTEX, EV_MAP_LOCK,
	EV_BUSY_POLL_BEGIN, EV_BUSY_POLL_END, EV_IOTLB_MISS, EV_IOTLB_UPDATE,
	EV_IOTLB_INVALIDATE, EV_OWNER, EV_KERNEL,
	/* Not of the kernel: a CPU lost events after this time, and until then. */
	EV_GAP_BEGIN = EV_KERNEL, EV_GAP_END,
};

enum ev_field {
	F_DEV, F_OPENER, F_VQ, F_RING, F_PAGE, F_FIRST, F_LAST, F_DROPPED, F_CAUSE, F_REASON,
	F_FROM, F_TO, F_WHY, F_ACCESSOR, F_COUNT, F_WHAT, F_USED_IDX, F_ADDR, F_LEN, F_OP,
	F_SITE, F_OTHER, F_TIMEOUT, F_IOVA, F_ACCESS, F_SIZE, F_UADDR, F_PERM, F_QUEUES,
	F_LOCKED, F_SEQ, F_OWNER, F_COMM, F_OPENER_COMM, FIELDS,
};

/* Values of F_OP and F_WHAT, found by their names in the kernel's format. */
enum { OP_WAIT, OP_TAKEN, OP_TRY_TAKEN, OP_TRY_BUSY, OP_RELEASED };
enum { LOG_ELEMENTS, LOG_INDEX, LOG_FLAGS, LOG_EVENT, LOG_DATA };

struct tep_record;

/**
 * struct ev - an event
 * @type: which; the others depend on it
 * @ts: nanoseconds of the trace's clock
 * @cpu: where
 * @task: who, a thread's id
 * @tied: another CPU has an event of the same time, and nobody knows which was first
 * @f: its fields; those it does not have are undefined. F_COUNT of EV_GAP_END is the
 *	number of events lost, 0 if nobody counted
 * @site: the string in F_SITE
 * @comm: the string in F_COMM
 * @opener_comm: the string in F_OPENER_COMM
 * @raw: as recorded, NULL if made up
 */
struct ev {
	enum ev_type type;
	uint64_t ts;
	int cpu;
	int task;
	bool tied;
	uint64_t f[FIELDS];
	const char *site;
	char comm[16], opener_comm[16];
	struct tep_record *raw;
};

typedef void (*ev_fn)(void *arg, const struct ev *ev);

extern const char * const event_names[EV_KERNEL];

struct tep_handle;
struct events;

/* For the formats in @tep; exits if the fields are not those that we know. */
struct events *events_new(struct tep_handle *tep);
void events_free(struct events *e);

/* How many of the events the formats have. */
unsigned int events_known(const struct events *e);

/* Parse a record; false if it is of another system. */
bool events_parse(const struct events *e, struct tep_record *rec, struct ev *ev);

/* The name of a field's value, or its number, in a static buffer. */
const char *events_value(const struct events *e, enum ev_type type, enum ev_field field,
			 uint64_t v);

/* The event as trace-cmd prints it, in a static buffer. */
const char *events_text(const struct events *e, const struct ev *ev);

/* A task's name, in a static buffer. */
const char *events_comm(const struct events *e, int task);

#endif /* EVENTS_H */
