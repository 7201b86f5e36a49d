// SPDX-License-Identifier: GPL-2.0-only
/* The ratio of two series, with an interval. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ratio.h"
#include "vhostctl.h"

/* The share of all cases that the interval may miss */
#define MISSED	0.05

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * How many of the smallest Walsh averages the interval leaves out. If there is no
 * difference, each difference is as often below 0 as above. The sum of the ranks of those
 * above is then this much or less in at most half of MISSED.
 */
static size_t left_out(size_t n)
{
	size_t sums = n * (n + 1) / 2, sum;
	double *p = xcalloc(sums + 1, sizeof(*p)), below = 0;

	/* p[s]: probability of the sum s of the ranks up to n */
	p[0] = 1;
	for (size_t rank = 1; rank <= n; rank++)
		for (sum = rank * (rank + 1) / 2 + 1; sum-- > 0;)
			p[sum] = (p[sum] + (sum >= rank ? p[sum - rank] : 0)) / 2;
	for (sum = 0; below + p[sum] <= MISSED / 2; sum++)
		below += p[sum];
	free(p);
	return sum;
}

bool ratio_of(const double *a, const double *b, size_t n, struct ratio *r)
{
	double *d = xcalloc(n + 1, sizeof(*d)), *walsh;
	size_t used = 0, averages = 0, out;

	for (size_t i = 0; i < n; i++)
		if (a[i] > 0 && b[i] > 0)
			d[used++] = log(b[i] / a[i]);
	memset(r, 0, sizeof(*r));
	r->pairs = used;
	if (used < RATIO_MIN_PAIRS) {
		free(d);
		return false;
	}
	walsh = xcalloc(used * (used + 1) / 2, sizeof(*walsh));
	for (size_t i = 0; i < used; i++)
		for (size_t j = i; j < used; j++)
			walsh[averages++] = (d[i] + d[j]) / 2;
	qsort(walsh, averages, sizeof(*walsh), by_size);
	out = left_out(used);
	r->low = exp(walsh[out - 1]);
	r->high = exp(walsh[averages - out]);
	r->mid = exp((walsh[(averages - 1) / 2] + walsh[averages / 2]) / 2);
	free(walsh);
	free(d);
	return true;
}

bool ratio_differs(const struct ratio *r)
{
	return r->low > 1 || r->high < 1;
}

double ratio_most(const struct ratio *r)
{
	return fmax(1 - r->low, r->high - 1);
}
