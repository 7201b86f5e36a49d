// SPDX-License-Identifier: GPL-2.0-only
/*
 * How often the interval covers the truth, over many made-up series. TAP. The seeds are
 * fixed: the counts are the same each time.
 */
#include <math.h>
#include <stdlib.h>

#include "ratio.h"
#include "vhostctl.h"

#define SERIES	1000
/*
 * A round: A, B, B, A, or the opposite, by chance. Its figures are the geometric means of
 * two turns each.
 */
#define TURNS	4
#define MAX_ROUNDS 40

/**
 * struct load - what the made-up load is like
 * @name: what TAP says
 * @truth: the cost of B, that of A being 1
 * @rounds: how many
 * @noise: of each turn, as a share
 * @drift: growth of the load from turn to turn
 * @walk: the same, at random
 * @outliers: the share of turns in which something else takes up to three times as much
 * @burst: how much more the first turn of each round takes
 */
static const struct load {
	const char *name;
	double truth;
	unsigned int rounds;
	double noise, drift, walk, outliers, burst;
} loads[] = {
	{ "no difference", 1, 20, 0.03, 0, 0, 0, 0 },
	{ "2 % less", 0.98, 20, 0.03, 0, 0, 0, 0 },
	{ "20 % less", 0.80, 20, 0.03, 0, 0, 0, 0 },
	{ "20 % more", 1.20, 20, 0.03, 0, 0, 0, 0 },
	{ "a load that grows", 0.98, 20, 0.03, 0.01, 0, 0, 0 },
	{ "a load that shrinks fast", 0.98, 20, 0.01, -0.05, 0, 0, 0 },
	{ "a load that wanders", 0.98, 20, 0.02, 0, 0.02, 0, 0 },
	{ "outliers", 0.98, 20, 0.03, 0, 0, 0.05, 0 },
	{ "many outliers", 0.80, 20, 0.03, 0, 0, 0.20, 0 },
	{ "a burst in each round", 0.98, 20, 0.03, 0, 0, 0, 0.3 },
	{ "much noise", 0.98, 20, 0.30, 0, 0, 0, 0 },
	{ "the fewest rounds", 0.98, RATIO_MIN_PAIRS, 0.03, 0, 0, 0, 0 },
	{ "more rounds", 0.98, MAX_ROUNDS, 0.03, 0, 0, 0.05, 0 },
};

static unsigned short seed[3];

static double gauss(void)
{
	return sqrt(-2 * log(1 - erand48(seed))) * cos(2 * M_PI * erand48(seed));
}

static void series(const struct load *l, double *a, double *b)
{
	double level = 1;

	for (unsigned int round = 0; round < l->rounds; round++) {
		bool b_first = erand48(seed) < 0.5;
		double *outer = b_first ? &b[round] : &a[round];
		double *inner = b_first ? &a[round] : &b[round];
		double *of[TURNS] = { outer, inner, inner, outer };

		a[round] = b[round] = 1;
		for (int turn = 0; turn < TURNS; turn++) {
			double cost = level * exp(l->noise * gauss());

			if (of[turn] == &b[round])
				cost *= l->truth;
			if (!turn)
				cost *= 1 + l->burst;
			if (erand48(seed) < l->outliers)
				cost *= 1 + 2 * erand48(seed);
			*of[turn] *= sqrt(cost);
			level *= (1 + l->drift) * exp(l->walk * gauss());
		}
	}
}

static void test_coverage(int n, const struct load *l)
{
	double a[MAX_ROUNDS], b[MAX_ROUNDS];
	unsigned int covers = 0, right = 0;
	struct ratio r;
	bool ok;

	seed[0] = n;
	seed[1] = seed[2] = 0;
	for (int i = 0; i < SERIES; i++) {
		series(l, a, b);
		if (!ratio_of(a, b, l->rounds, &r))
			break;
		covers += r.low <= l->truth && l->truth <= r.high;
		right += ratio_differs(&r);
	}
	ok = covers >= 0.93 * SERIES && covers <= 0.97 * SERIES;
	printf("%sok %d %s: covered in %.1f %%, a difference found in %.1f %%\n", ok ? "" : "not ",
	       n, l->name, 100.0 * covers / SERIES, 100.0 * right / SERIES);
	if (!ok)
		exit(1);
}

static void test(int n, const char *name, bool ok)
{
	printf("%sok %d %s\n", ok ? "" : "not ", n, name);
	if (!ok)
		exit(1);
}

int main(void)
{
	double a[MAX_ROUNDS], b[MAX_ROUNDS];
	int n = ARRAY_SIZE(loads);
	struct ratio r;

	printf("TAP version 13\n1..%d\n", n + 3);
	for (int i = 0; i < n; i++)
		test_coverage(i + 1, &loads[i]);

	for (int i = 0; i < MAX_ROUNDS; i++) {
		a[i] = 100;
		b[i] = 80;
	}
	test(n + 1, "without noise the interval is a point",
	     ratio_of(a, b, 20, &r) && fabs(r.low - 0.8) < 1e-9 && fabs(r.high - 0.8) < 1e-9 &&
	     fabs(r.mid - 0.8) < 1e-9 && ratio_differs(&r));
	for (int i = RATIO_MIN_PAIRS - 1; i < MAX_ROUNDS; i++)
		a[i] = 0;
	test(n + 2, "rounds without traffic do not count",
	     !ratio_of(a, b, MAX_ROUNDS, &r) && r.pairs == RATIO_MIN_PAIRS - 1);
	test(n + 3, "nothing is nothing", !ratio_of(a, b, 0, &r) && !r.pairs);
	return 0;
}
