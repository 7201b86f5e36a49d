// SPDX-License-Identifier: GPL-2.0-only
/* test-rounds: rounds.c against what can be said without it */
#include "predict.h"
#include <math.h>
#include <stdio.h>

#define MIB (1 << 20)
#define LINK 100e6		/* bytes/s */

static int failures;

double zero_pages_per_s(void)
{
	return 1e6;
}

static void expect(const char *what, double got, double least, double most)
{
	if (got >= least && got <= most)
		return;
	printf("%s: %g is not between %g and %g\n", what, got, least, most);
	failures++;
}

static const struct speed none = { 1e6, PAGE }, zlib = { 20e3, PAGE / 4 }, best = { 1e6, PAGE / 4 };

static struct memory memory(double written, double hot)
{
	return (struct memory){ .pages = 1024.0 * MIB / PAGE, .zero = 0.5, .downtime = 0.3,
				.written = written, .hot = hot, .like = true };
}

int main(void)
{
	struct memory quiet = memory(0, 0), small = memory(50e6, 20e6), much = memory(150e6, 1e9);
	double seconds = 512.0 * MIB / LINK + quiet.pages / 2 / 1e6;
	struct outcome o = rounds(&quiet, &none, &none, 1, LINK, false);

	/* Half of it is zero, and looked at; half goes over the link. */
	expect("quiet, none", o.seconds, seconds * 0.999, seconds * 1.001);
	expect("quiet, none: downtime", o.downtime, 0, 0.3);

	/* It compresses 20 thousand pages/s, of which the link would take 98. */
	o = rounds(&quiet, &none, &zlib, 1, LINK, false);
	expect("compression is the bottleneck", o.pages_per_s, 19.99e3, 20.01e3);
	o = rounds(&quiet, &none, &best, 1, LINK, false);
	expect("the link is", o.pages_per_s, 97.6e3, 97.7e3);

	/* Adaptive is faster than either, and nothing of what is fast enough goes raw. */
	o = rounds(&quiet, &none, &zlib, 1, LINK, true);
	expect("adaptive", o.pages_per_s, 37e3, 40e3);
	expect("adaptive: raw", o.raw, 0.4, 0.6);
	o = rounds(&quiet, &none, &best, 1, LINK, true);
	expect("adaptive, fast enough: raw", o.raw, 0, 0);

	/* A little is sent within the downtime; more than the link takes is not, at any time. */
	o = rounds(&small, &none, &none, 1, LINK, false);
	expect("little written", o.seconds, seconds, seconds + 2);
	expect("little written: downtime", o.downtime, 0.01, 0.3);
	o = rounds(&much, &none, &none, 1, LINK, false);
	expect("much written: it ends", isinf(o.seconds), 1, 1);
	o = rounds(&much, &none, &best, 1, LINK, false);
	expect("much written, compressed", o.seconds, 1, 10);

	/* A QEMU that compares other bytes wants less to be left. */
	small.like = false;
	expect("bytes that are not like", rounds(&small, &none, &best, 1, LINK, false).downtime, 0, 0.075);
	return failures != 0;
}
