// SPDX-License-Identifier: GPL-2.0
/*
 * What page-table changes cost where there are subscribers of MMU-notifier
 * invalidations: ticks of the cycle counter for one operation, the least of many.
 * Under QEMU's -icount a tick is an instruction.
 *
 * Prints "operation subscribers ticks", a line each.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

#include "../../../../lib/test_mmu_notifier_uapi.h"

#define PAGES	64
#define REPEAT	2000

#define RO	3u
#define ALL	7u

static int fd, refs;
static char *watched, *elsewhere;
static size_t page;

static void emit(uint32_t keeps)
{
	struct test_mn_emit e = {
		.addr = (uintptr_t)watched, .len = PAGES * page, .keeps = keeps,
		.count = 1,
	};

	if (ioctl(fd, TEST_MN_EMIT, &e))
		err(1, "TEST_MN_EMIT");
}

static void emit_kept(void)
{
	emit(ALL);
}

static void emit_dropped(void)
{
	emit(0);
}

static void soft_dirty(void)
{
	if (pwrite(refs, "4", 1, 0) != 1)
		err(1, "clear_refs");
}

static void dontneed(void)
{
	madvise(watched, page, MADV_DONTNEED);
}

static void munmap_elsewhere(void)
{
	munmap(elsewhere, page);
}

static void mprotect_elsewhere(void)
{
	mprotect(elsewhere, page, PROT_READ);
}

static void fork_elsewhere(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void map_elsewhere(void)
{
	elsewhere = mmap(elsewhere, page, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (elsewhere == MAP_FAILED)
		err(1, "mmap");
	*elsewhere = 1;
}

static void touch(void)
{
	__atomic_store_n(watched, 1, __ATOMIC_RELAXED);
}

/* A TLB flush, and no range. */
static void cold(void)
{
	if (madvise(elsewhere, page, MADV_COLD))
		err(1, "MADV_COLD");
}

static void nothing(void)
{
}

static const struct {
	const char *name;
	void (*before)(void);
	void (*op)(void);
	int repeat;
} ops[] = {
	{ "emit_kept", nothing, emit_kept, REPEAT },
	{ "emit_dropped", nothing, emit_dropped, REPEAT },
	{ "soft_dirty", touch, soft_dirty, REPEAT / 4 },
	{ "dontneed", touch, dontneed, REPEAT },
	{ "munmap", map_elsewhere, munmap_elsewhere, REPEAT },
	{ "mprotect", map_elsewhere, mprotect_elsewhere, REPEAT },
	{ "flush", map_elsewhere, cold, REPEAT },
	{ "fork", nothing, fork_elsewhere, REPEAT / 2 },
};

static void measure(const char *who)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint64_t best = UINT64_MAX;

		for (int n = 0; n < ops[i].repeat; n++) {
			uint64_t t;

			ops[i].before();
			t = __rdtsc();
			ops[i].op();
			t = __rdtsc() - t;
			if (t < best)
				best = t;
		}
		printf("%s %s %llu\n", ops[i].name, who,
		       (unsigned long long)best);
		fflush(stdout);
	}
}

static void subscribe(uint32_t needs, int n, int kind)
{
	while (n--) {
		struct test_mn_add a = {
			.addr = (uintptr_t)watched, .len = PAGES * page,
			.needs = needs, .kind = kind,
		};

		if (ioctl(fd, TEST_MN_ADD, &a))
			err(1, "TEST_MN_ADD");
	}
}

static void open_device(void)
{
	if (fd > 0)
		close(fd);
	fd = open("/dev/test_mmu_notifier", O_RDWR);
	if (fd < 0)
		err(1, "/dev/test_mmu_notifier: needs CONFIG_TEST_MMU_NOTIFIER");
}

static void *map(void)
{
	char *at = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	memset(at, 1, PAGES * page);
	return at;
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	watched = map();
	elsewhere = map();
	refs = open("/proc/self/clear_refs", O_WRONLY);
	if (refs < 0)
		err(1, "/proc/self/clear_refs");

	/* From here on the mm has notifiers, and keeps them. */
	open_device();
	measure("never");
	subscribe(0, 1, TEST_MN_INTERVAL);
	open_device();
	measure("none");
	subscribe(RO, 1, TEST_MN_INTERVAL);
	measure("1-read");
	open_device();
	subscribe(RO, 64, TEST_MN_INTERVAL);
	measure("64-read");
	open_device();
	subscribe(0, 64, TEST_MN_INTERVAL);
	measure("64-all");
	return 0;
}
