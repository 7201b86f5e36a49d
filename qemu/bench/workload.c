// SPDX-License-Identifier: GPL-2.0-only
/*
 * /init of the live guest: three quarters of its memory hold pieces of a program, as page
 * cache and heaps do; of a quarter of these, pages are written over at a steady rate.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static const char *program;
static size_t length;
static uint64_t state = 1;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void write_page(char *page)
{
	uint64_t stamp = next();

	memcpy(page, program + next() % (length - PAGE), PAGE);
	memcpy(page + stamp % (PAGE - sizeof(stamp)), &stamp, sizeof(stamp));
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

int main(void)
{
	const char *dirty = getenv("dirty");
	int fd = open("/init", O_RDONLY);
	struct sysinfo info;
	struct stat st;
	double start, written = 0, rate;
	size_t pages, hot;
	char *memory;

	if (!dirty || fd < 0 || fstat(fd, &st) || sysinfo(&info))
		goto bad;
	rate = strtod(dirty, NULL) * 1e6 / PAGE;
	length = st.st_size;
	program = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	pages = (size_t)info.totalram * info.mem_unit / PAGE / 4 * 3;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (program == MAP_FAILED || memory == MAP_FAILED)
		goto bad;
	for (size_t i = 0; i < pages; i++)
		write_page(memory + i * PAGE);
	puts("workload: ready");
	fflush(stdout);

	hot = pages / 4;
	for (start = now();;) {
		while (written < (now() - start) * rate) {
			write_page(memory + next() % hot * PAGE);
			written++;
		}
		usleep(2000);
	}
bad:
	perror("workload: error");
	return 1;
}
