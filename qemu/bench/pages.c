// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

/* splitmix64: the same pages for the same seed, in whatever order they are made. */
static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Random for a part, which does not compress, and one byte for the rest, which does. */
static void fill_page(unsigned char *page, size_t random, uint64_t seed)
{
	uint64_t word;

	for (size_t i = 0; i < random; i += sizeof(word)) {
		word = mix(&seed);
		memcpy(page + i, &word, random - i < sizeof(word) ? random - i : sizeof(word));
	}
	memset(page + random, 0x55, PAGE - random);
}

/* What level 1 makes of pages with so many random bytes, as QEMU calls it. */
static double compressed(size_t random, uint64_t seed)
{
	unsigned char page[PAGE], out[2 * PAGE];
	z_stream stream = { 0 };
	size_t sum = 0;
	const int samples = 16;

	if (deflateInit(&stream, 1) != Z_OK)
		die("zlib: cannot start");
	for (int i = 0; i < samples; i++) {
		fill_page(page, random, seed + i);
		deflateReset(&stream);
		stream.next_in = page;
		stream.avail_in = PAGE;
		stream.next_out = out;
		stream.avail_out = sizeof(out);
		if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
			die("zlib: cannot compress a page");
		sum += stream.total_out;
	}
	deflateEnd(&stream);
	return (double)sum / samples / PAGE;
}

int pages_create(size_t size)
{
	int fd = memfd_create("migbench-ram", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size))
		die("cannot make %zu MiB of memory: %s", size >> 20, strerror(errno));
	return fd;
}

void pages_fill(int fd, size_t from, size_t size, double ratio, uint64_t seed)
{
	size_t low = 16, high = PAGE;
	unsigned char *ram;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compressed(middle, seed) < ratio)
			low = middle + 1;
		else
			high = middle;
	}
	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, from);
	if (ram == MAP_FAILED)
		die("cannot map the guest's memory: %s", strerror(errno));
	for (size_t i = 0; i < size; i += PAGE)
		fill_page(ram + i, low, seed ^ mix(&(uint64_t){ from + i }));
	munmap(ram, size);
}
