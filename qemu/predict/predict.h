/* SPDX-License-Identifier: GPL-2.0-only */
/* predict: how long a migration of a guest would take, before it is tried. */
#ifndef PREDICT_H
#define PREDICT_H

#include "../bench/shared.h"
#include <stdbool.h>
#include <stddef.h>

#define PAGE 4096
#define PACKET_PAGES 128	/* of multifd's packets; what is between two flushes */

enum method { NONE, ZLIB, ZSTD, N_METHODS };
extern const char *const methods[N_METHODS];

double now(void);

/* guest.c: what QEMU tells of a guest that runs */
struct memory {
	double pages;			/* all of its RAM */
	double zero;			/* the part of them that is full of zeros */
	char *sample;			/* packets without zero pages */
	size_t packets;
	/* it writes so many bytes/s, at random places of so many bytes */
	double written, hot;
	double limit, downtime;		/* bytes/s (0: none) and s, as its parameters say */
	bool like;			/* it compares bandwidth and what is left in like bytes */
};
/* Name: of a QMP socket's file, or after '@' in no file. */
void guest_ask(const char *name, const char *directory, struct memory *memory);

/* speed.c: what this host makes of these pages */
struct speed {
	double pages_per_s;		/* of the slower side, or of both on the same host */
	double bytes_per_page;
};
struct speed speed_of(const struct memory *memory, enum method method, int level, int channels,
		      bool same_host);
double zero_pages_per_s(void);		/* that a channel looks at */

/* rounds.c: a migration, in steps as QEMU's */
struct outcome {
	double pages_per_s, raw;	/* raw: the part of pages that adaptive leaves as they are */
	double seconds, downtime;	/* INFINITY: it does not end */
};
struct outcome rounds(const struct memory *memory, const struct speed *none,
		      const struct speed *speed, int channels, double link, bool adaptive);

#endif
