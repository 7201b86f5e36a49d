// SPDX-License-Identifier: GPL-2.0-only
/* What both reports share: medians, goals, figures. */
#include "bench.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value a share of the way from the least to the most: 0.5 is the median. */
double at(const double *values, int n, double share)
{
	double sorted[MOST_TURNS], place = share * (n - 1);
	int low = place;

	if (!n)
		return NAN;
	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	return low + 1 < n ? sorted[low] + (place - low) * (sorted[low + 1] - sorted[low]) :
			     sorted[low];
}

double median(const double *values, int n)
{
	return at(values, n, 0.5);
}

void judge(struct goal *goal, double value, const char *where)
{
	if (isnan(value))
		return;
	if (!goal->count++ ||
	    (goal->most != goal->best ? value > goal->worst : value < goal->worst)) {
		goal->worst = value;
		snprintf(goal->where, sizeof(goal->where), "%s", where);
	}
}

int unmeasured;

bool verdict(const struct goal *goal)
{
	bool ok = goal->most ? goal->worst <= goal->bound : goal->worst >= goal->bound;

	if (!goal->count) {
		unmeasured++;
		return true;
	}
	printf("%-62s %s %.3f, %s of %d %.3f (%s)  %s\n", goal->text, goal->most ? "<=" : ">=",
	       goal->bound, goal->best ? "best" : "worst", goal->count, goal->worst,
	       goal->where, ok ? "ok" : "MISSED");
	return ok;
}

const char *text(struct json_object *run, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(run, key, &value) ? json_object_get_string(value) : "";
}

double number(struct json_object *run, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(run, key, &value) ? json_object_get_double(value) : NAN;
}

void figure(int width, int digits, double value)
{
	if (isnan(value))
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, digits, value);
}
