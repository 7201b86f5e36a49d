// SPDX-License-Identifier: GPL-2.0-only
/*
 * opcost: what single operations cost this processor in a stream of ordinary work, by its
 * time stamp counter. An operation's cost is what a loop takes longer with it than without,
 * as it is the work around a fence that waits for it. STAC and CLAC are not for user space;
 * a pair of LFENCE waits as they do where they serialise.
 */
#ifndef __x86_64__
#error "opcost measures x86-64 instructions: build it on x86-64"
#endif

#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define ROUNDS 31
#define TRIES 30		/* of which the least disturbed counts */
#define LOOPS 300
#define CHAIN 64	/* instructions of a kind, where they are counted alone */

static struct {
	uint64_t lock;		/* what is locked, in a cache line of its own */
	uint64_t pad[7];
	uint64_t data[8];
	void *next;		/* points to itself: a load that waits for the one before */
} mem __attribute__((aligned(64)));

/*
 * Ordinary work: loads, stores, arithmetic, a multiplication and a branch never taken, some
 * of which depend on each other and some on none; 128 instructions.
 */
#define WORK \
	".rept 8\n" \
	"mov 64(%[m]), %%r8\n" \
	"add %%r8, %%r9\n" \
	"mov 72(%[m]), %%r10\n" \
	"imul %%r10, %%r11\n" \
	"xor %%r9, %%r10\n" \
	"mov %%r10, 80(%[m])\n" \
	"lea 3(%%r11, %%r8), %%r11\n" \
	"test %%rsp, %%rsp\n" \
	"jz 9f\n" \
	"mov 88(%[m]), %%r8\n" \
	"shr $3, %%r8\n" \
	"add $1, %%r9\n" \
	"mov %%r9, 96(%[m])\n" \
	"and $63, %%r10d\n" \
	"mov 104(%[m]), %%r10\n" \
	"sub %%r10, %%r11\n" \
	"9:\n" \
	".endr\n"

static uint64_t start(void)
{
	uint64_t t;

	_mm_mfence();
	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static uint64_t stop(void)
{
	unsigned int cpu;
	uint64_t t = __rdtscp(&cpu);

	_mm_lfence();
	return t;
}

/* Ticks that a loop over INSNS takes. */
#define TICKS(insns) ({ \
	uint64_t n = LOOPS, t = start(); \
	void *next = &mem.next; \
	\
	asm volatile(".p2align 6\n1:\n" insns "dec %[n]\njnz 1b\n" \
		     : [n] "+r" (n), "+a" (next) : [m] "r" (&mem) \
		     : "rcx", "r8", "r9", "r10", "r11", "cc", "memory"); \
	stop() - t; \
})

static uint64_t work(void)
{
	return TICKS(WORK WORK);
}

static uint64_t with_lfence(void)
{
	return TICKS(WORK "lfence\n" WORK);
}

static uint64_t with_lfences(void)
{
	return TICKS(WORK "lfence\nmov 64(%[m]), %%rax\nlfence\n" WORK);
}

static uint64_t with_mfence(void)
{
	return TICKS(WORK "mfence\n" WORK);
}

static uint64_t locked(void)
{
	return TICKS(".rept 64\nlock incq (%[m])\n.endr\n");
}

static uint64_t spinlock(void)
{
	return TICKS(".rept 64\nxor %%eax, %%eax\nlock cmpxchgq %[m], (%[m])\n"
		     "movq $0, (%[m])\n.endr\n");
}

static uint64_t loads(void)
{
	return TICKS(".rept 64\nmov (%%rax), %%rax\n.endr\n");
}

static uint64_t instructions(void)
{
	return TICKS(".rept 16\nadd %[m], %%r8\nadd %[m], %%r9\nadd %[m], %%r10\n"
		     "add %[m], %%r11\n.endr\n");
}

/* One cycle each: of two registers, as newer processors add a constant while renaming. */
static uint64_t cycles(void)
{
	return TICKS(".rept 64\nadd %[m], %%rax\n.endr\n");
}

static const struct operation {
	const char *name;
	uint64_t (*with)(void);
	uint64_t (*without)(void);
	unsigned int times;
} operations[] = {
	{ "cycle", cycles, NULL, CHAIN },
	{ "instruction", instructions, NULL, CHAIN },
	{ "instruction_in_work", work, NULL, 256 },
	{ "load", loads, NULL, CHAIN },
	{ "lfence", with_lfence, work, 1 },
	{ "lfence_pair", with_lfences, work, 1 },
	{ "locked", locked, NULL, CHAIN },
	{ "spinlock", spinlock, NULL, CHAIN },
	{ "mfence", with_mfence, work, 1 },
};

#define N (sizeof(operations) / sizeof(*operations))

static double least(uint64_t (*loop)(void))
{
	uint64_t t, min = loop();

	for (int i = 1; i < TRIES; i++) {
		t = loop();
		if (t < min)
			min = t;
	}
	return min;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void need_tsc(void)
{
	unsigned int a = 0, b, c, d = 0;

	/* Invariant TSC: counts time, and not cycles of a clock that changes. */
	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1 << 8)) {
		fprintf(stderr, "opcost: this processor's TSC is not invariant; run it on one that has it\n");
		exit(1);
	}
}

static void print_model(void)
{
	char line[200], *colon;
	FILE *f = fopen("/proc/cpuinfo", "r");

	if (!f) {
		fprintf(stderr, "opcost: cannot read /proc/cpuinfo: %s; mount /proc\n",
			strerror(errno));
		exit(1);
	}
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "model name", 10) || !strncmp(line, "vendor_id", 9) ||
		    !strncmp(line, "cpu family", 10) || !strncmp(line, "model\t", 6)) {
			colon = strchr(line, ':');
			if (colon)
				printf("# %.*s %s", (int)strcspn(line, "\t"), line, colon);
		} else if (*line == '\n') {
			break;
		}
	fclose(f);
}

int main(void)
{
	static double cost[N][ROUNDS];
	double begin, per_tick, per_cycle, unit;
	uint64_t ticks;
	cpu_set_t one;

	need_tsc();
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one)) {
		fprintf(stderr, "opcost: cannot stay on one processor: %s\n", strerror(errno));
		return 1;
	}
	mem.next = &mem.next;

	begin = now();
	ticks = start();
	/* All operations in turns, so that what disturbs one round disturbs all alike. */
	for (int r = -2; r < ROUNDS; r++)
		for (size_t i = 0; i < N; i++) {
			const struct operation *op = &operations[i];
			double with = least(op->with);
			double without = op->without ? least(op->without) : 0;

			if (r >= 0)
				cost[i][r] = (with - without) / LOOPS / op->times;
		}
	per_tick = (now() - begin) / (stop() - ticks);

	for (size_t i = 0; i < N; i++)
		qsort(cost[i], ROUNDS, sizeof(double), by_value);
	per_cycle = cost[0][ROUNDS / 2];
	print_model();
	printf("# TSC %.3f GHz, processor %.3f GHz; %d rounds of %d\n", 1 / per_tick,
	       1 / (per_tick * per_cycle), ROUNDS, LOOPS);
	printf("operation\tmin\tmedian\tmax\tunit\n");
	for (size_t i = 0; i < N; i++)
		for (int ns = 0; ns < 2; ns++) {
			unit = ns ? per_tick : 1 / per_cycle;
			printf("%s\t%.2f\t%.2f\t%.2f\t%s\n", operations[i].name,
			       cost[i][0] * unit, cost[i][ROUNDS / 2] * unit,
			       cost[i][ROUNDS - 1] * unit, ns ? "ns" : "cycles");
		}
	return 0;
}
