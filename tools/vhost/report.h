/* SPDX-License-Identifier: GPL-2.0-only */
/* What a trace says, in numbers. */
#ifndef REPORT_H
#define REPORT_H

#include "check.h"
#include "devices.h"
#include "table.h"

#define MAX_NAMES	128	/* causes, reasons */
#define BUCKETS		17	/* powers of two up to 65536 */
#define MAX_QUEUES	8	/* of a device, that are told apart */
#define MAX_WHO		200
#define SLOT		((uint64_t)10000000)	/* ns, for what is shown over time */

/* A count for each slot of time */
struct over_time {
	uint32_t *count;
	unsigned int n;
};

/* Times in ns; sorted by samples_sort() */
struct samples {
	uint64_t *ns;
	size_t n, room;
};

/* Who caused an invalidation */
struct who {
	unsigned int cause;
	char comm[32];
	uint64_t invalidations, pages;
};

/* Where a lock was waited for */
struct site {
	char name[48];
	uint64_t waits, ns;
};

struct lock {
	uint64_t taken, busy;
	struct samples wait, hold;
	struct site site[32];
	unsigned int nsites;
};

enum { LOCK_MUTEX, LOCK_MAP, LOCKS };
enum { BATCH_FETCHED, BATCH_USED, BATCHES };

/* A device with so many other events, and whose it was last, as far as the trace says */
struct owned {
	char name[40];
	uint64_t events;
	struct process owner, opener;
};

extern const char * const lock_names[LOCKS];
extern const char * const batch_names[BATCHES];

/**
 * struct report - all that is shown
 * @verdict: of the checker
 * @used: elements
 * @cause: invalidations of a ring, by cause
 * @batch: how many batches had up to 2^i entries
 * @buffers: and how many entries were in them
 * @latency: of each queue index, from a kick to the next used index
 */
struct report {
	const struct events *events;
	struct verdict verdict;
	uint64_t count[EV_KERNEL];
	uint64_t used;
	struct over_time used_at;
	struct {
		uint64_t invalidations, pages;
		struct over_time at;
	} cause[MAX_NAMES];
	uint64_t reason[MAX_NAMES];
	struct over_time fallback_at;
	uint64_t switches[MAX_NAMES];
	struct who who[MAX_WHO];
	unsigned int nwho;
	uint64_t batch[BATCHES][BUCKETS], buffers[BATCHES][BUCKETS];
	struct lock lock[LOCKS];
	struct samples latency[MAX_QUEUES];
	struct owned *device;
	unsigned int ndevices;
	struct table devices, queues, holders;
};

/* Of sorted samples, the one that @percent are not above, or 0 */
uint64_t samples_at(const struct samples *s, double percent);

/* Seconds of a bucket, so that at most @max cover the trace; a multiple of a slot */
double bucket_seconds(const struct report *r, unsigned int max);
unsigned int bucket_count(const struct report *r, double seconds);

/* What came in a bucket */
uint64_t bucket_sum(const struct over_time *o, double seconds, unsigned int bucket);

/* Files in @dir, as SVG and PNG; exits if gnuplot cannot. Returns their names. */
json_object *plot(const struct report *r, const char *dir);

#endif /* REPORT_H */
