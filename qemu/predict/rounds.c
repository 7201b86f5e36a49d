// SPDX-License-Identifier: GPL-2.0-only
#include "predict.h"
#include <math.h>

#define STEP 0.05		/* seconds between QEMU's looks at what is left */
#define LONGEST 3600		/* seconds; then it does not end */

/* Pages that are not the same after so many seconds */
static double changed(const struct memory *m, double seconds)
{
	return m->hot ? m->hot / PAGE * (1 - exp(-m->written * seconds / m->hot)) : 0;
}

/*
 * Pages per second. What is compressed and what is not share the processors, and the link: both
 * are used up if neither alone fills the link.
 */
static double rate(const struct speed *none, const struct speed *speed, double link, bool adaptive,
		   double *raw)
{
	double x = speed->pages_per_s, b = speed->bytes_per_page, y, p = none->bytes_per_page;
	double plain = fmin(x, link / b), all = fmin(none->pages_per_s, link / p);

	*raw = 0;
	if (!adaptive || x * b >= link)
		return plain;
	y = none->pages_per_s;
	*raw = (1 / x - b / link) / ((p - b) / link + 1 / x - 1 / y);
	if (*raw < 0 || y <= x)
		*raw = 0;
	if (*raw > 1)
		*raw = 1;
	return fmax(fmax(plain, all), 1 / (*raw / y + (1 - *raw) / x));
}

struct outcome rounds(const struct memory *m, const struct speed *none, const struct speed *speed,
		      int channels, double link, bool adaptive)
{
	struct outcome o = { .seconds = INFINITY, .downtime = INFINITY };
	double pages = m->pages * (1 - m->zero), left = pages, seen = 0, t, threshold, wire;
	bool first = true;

	o.pages_per_s = rate(none, speed, link, adaptive, &o.raw);
	/* Others compare compressed bytes per second with bytes that will be compressed. */
	wire = o.raw * none->bytes_per_page + (1 - o.raw) * speed->bytes_per_page;
	threshold = o.pages_per_s * m->downtime * (m->like ? 1 : fmin(1, wire / PAGE));
	/* Zero pages are looked at in the first round. */
	t = m->pages * m->zero / zero_pages_per_s() / channels;
	while (t < LONGEST) {
		double step = fmin(STEP, left / o.pages_per_s);

		if (left <= 0 && !changed(m, t - seen))
			break;
		left = fmax(0, left - step * o.pages_per_s);
		t += step;
		if (left >= threshold && left > 0)
			continue;
		/* What is to be sent anyway is no more for being written again. */
		left += changed(m, t - seen) * (1 - fmin(1, left / (first ? pages : m->hot / PAGE + 1)));
		seen = t;
		first = false;
		if (left < threshold || left < 1)
			break;
	}
	if (t < LONGEST) {
		o.downtime = left / o.pages_per_s;
		o.seconds = t + o.downtime;
	}
	return o;
}
