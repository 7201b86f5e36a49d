/* SPDX-License-Identifier: GPL-2.0-only */
/* pairbench: what a migration from one QEMU to another makes of a link. */
#ifndef PAIRS_H
#define PAIRS_H

#include "bench.h"

#define HEADER_SHARE 0.037	/* what TCP and IP add to a byte */

enum { NONE, PLAIN, MIXED, N_KINDS };
extern const char *const kinds[N_KINDS];

/* What the guest that runs is to do, and did; at DIRTY_AT of its memory. */
struct dirty {
	uint32_t first;		/* byte of its memory */
	uint32_t pages;		/* from there on are written */
	uint32_t each;		/* so many at a tick, times 65536 */
	uint32_t written;	/* pages until now */
	uint32_t unused;
	uint32_t ticks;		/* until now */
};
#define DIRTY_AT 0x7000
#define DIRTY_HZ 250

/* Tables and verdicts of the runs in a file; 0 when all goals are met, or the functional ones. */
int pairs_report(const char *runs, const char *cells, bool functional);

#endif
