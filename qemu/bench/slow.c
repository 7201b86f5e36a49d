// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into a destination: its threads need SLOW_NS more for each page that compression
 * spared the link. What was not compressed costs nothing, in whichever form it comes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>

#define PAGE 4096
#define LEAST 1e6	/* ns; shorter naps last longer than they should */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* zstd takes a block at once and gives it away by pages: only what is new counts. */
static void spend(double in, double out)
{
	static _Thread_local double spared, most, due;
	static double each;
	double start;

	if (!each)
		each = getenv("SLOW_NS") ? atof(getenv("SLOW_NS")) : 1;
	spared += out - in;
	if (spared > most) {
		due += (spared - most) / PAGE * each;
		most = spared;
	}
	if (due < LEAST)
		return;
	start = now();
	nanosleep(&(struct timespec){ .tv_nsec = due < 5e8 ? due : 5e8 }, NULL);
	due -= now() - start;
}

int inflate(z_streamp stream, int flush)
{
	static int (*next)(z_streamp stream, int flush);
	unsigned int in = stream->avail_in, out = stream->avail_out;
	int ret;

	if (!next)
		next = (int (*)(z_streamp, int))dlsym(RTLD_NEXT, "inflate");
	ret = next(stream, flush);
	spend(in - stream->avail_in, out - stream->avail_out);
	return ret;
}

size_t ZSTD_decompressStream(ZSTD_DStream *stream, ZSTD_outBuffer *output, ZSTD_inBuffer *input)
{
	static size_t (*next)(ZSTD_DStream *, ZSTD_outBuffer *, ZSTD_inBuffer *);
	size_t in = input->pos, out = output->pos, ret;

	if (!next)
		next = (size_t (*)(ZSTD_DStream *, ZSTD_outBuffer *, ZSTD_inBuffer *))
			dlsym(RTLD_NEXT, "ZSTD_decompressStream");
	ret = next(stream, output, input);
	spend(input->pos - in, output->pos - out);
	return ret;
}
