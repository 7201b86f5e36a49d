/* SPDX-License-Identifier: GPL-2.0-only */
/* How two series of pairs differ, with an interval. No device is needed. */
#ifndef RATIO_H
#define RATIO_H

#include <stdbool.h>
#include <stddef.h>

/* With fewer pairs an interval of 95 % is much too wide. */
#define RATIO_MIN_PAIRS	10

/**
 * struct ratio - b/a, of pairs that were measured next to each other
 * @mid: the most likely value
 * @low: lower end of the interval that covers the truth in 95 % of all cases
 * @high: its upper end
 * @pairs: how many pairs this is from
 */
struct ratio {
	double mid, low, high;
	size_t pairs;
};

/**
 * ratio_of() - the ratio of two series, pair by pair
 * @a: measured of one
 * @b: of the other, at about the same time
 * @n: how many of each; pairs that are not both above 0 are left out
 * @r: out
 *
 * It is the Hodges-Lehmann estimate of the logarithms' differences, and the interval
 * that belongs to Wilcoxon's signed-rank test. That is exact for every noise that treats
 * both alike, whatever its distribution. Who draws by chance which of the two comes first
 * makes it so: bursts, outliers and periods do no harm.
 *
 * Return: false if fewer than RATIO_MIN_PAIRS pairs can be used.
 */
bool ratio_of(const double *a, const double *b, size_t n, struct ratio *r);

/* Whether 1, no difference, is outside of the interval. */
bool ratio_differs(const struct ratio *r);

/* The greatest difference in the interval, as a share of 1. */
double ratio_most(const struct ratio *r);

#endif /* RATIO_H */
