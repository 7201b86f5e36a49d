// SPDX-License-Identifier: GPL-2.0
/*
 * Provoke every cause of an MMU-notifier invalidation, and check by the trace
 * what it says it keeps and who was called for it, and by /dev/test_mmu_notifier
 * that it was true: that what is read and written through kernel addresses taken
 * before is what user space sees afterwards.
 *
 * Prints a line "# row: ..." for each cause. With MMU_CAUSES_TRUTH_ONLY set in
 * the environment what the kernel says is not compared with the table here, so
 * that only the truth can make a test fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "../../../../lib/test_hmm_uapi.h"
#include "../../../../lib/test_mmu_notifier_uapi.h"
#include "../../../../mm/gup_test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* Not in older headers */
#ifndef UFFDIO_RWPROTECT
struct uffdio_rwprotect {
	struct uffdio_range range;
	__u64 mode;
};
#define UFFD_FEATURE_RWP		(1 << 17)
#define UFFD_FEATURE_RWP_ASYNC		(1 << 18)
#define UFFDIO_REGISTER_MODE_RWP	((__u64)1 << 3)
#define UFFDIO_RWPROTECT_MODE_RWP	((__u64)1 << 0)
#define UFFDIO_RWPROTECT		_IOWR(UFFDIO, 0x09, struct uffdio_rwprotect)
#endif

#define TRACE	"/sys/kernel/tracing/"
#define KSM	"/sys/kernel/mm/ksm/"
#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define NUMA_BALANCING	"/proc/sys/kernel/numa_balancing"

#define NOTHING	0u
#define MAPPED	1u
#define RO	(MAPPED | 2u)
#define ALL	(RO | 4u)
#define NOFAULT	8u

#define HUGE	(2UL << 20)

/* The subscribers on each range. The mm ones come last. */
static const struct {
	uint32_t kind, needs;
} subs[] = {
	{ TEST_MN_INTERVAL, NOTHING },
	{ TEST_MN_INTERVAL, MAPPED },
	{ TEST_MN_INTERVAL, RO },
	{ TEST_MN_INTERVAL, ALL },
	{ TEST_MN_MM, NOTHING },
	{ TEST_MN_MM, ALL },
};

#define NSUBS	((int)(sizeof(subs) / sizeof(subs[0])))

static size_t page;
static bool truth_only;

static void write_file(const char *path, const char *format, ...)
{
	char text[512];
	va_list ap;
	int fd, n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, text, n) != n) {
		fprintf(stderr, "cannot write '%s' to %s: %s\n", text, path,
			strerror(errno));
		exit(1);
	}
	close(fd);
}

/* What the compiler must neither leave out nor keep. */
static uint64_t get(const void *at)
{
	return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
}

static void put(void *at, uint64_t v)
{
	__atomic_store_n((uint64_t *)at, v, __ATOMIC_RELAXED);
}

static bool has_file(const char *path)
{
	return !access(path, F_OK);
}

static void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* Of one cause, what the trace says of a range. By needs: 0, M, MR, MRW. */
struct seen {
	int ranges;
	unsigned int keeps;
	bool one_keeps;
	int called[16], kept[16];
	int wrong;
};

static unsigned int parse_keeps(const char *s)
{
	static const char * const names[] = { "mapped", "read", "write", "nofault" };
	size_t len = strcspn(s, "\n "), n;
	unsigned int keeps = 0;
	int i;

	while (len) {
		n = strcspn(s, "|\n ");
		for (i = 0; i < 4; i++)
			if (n == strlen(names[i]) && !strncmp(s, names[i], n))
				keeps |= 1u << i;
		if (n >= len)
			break;
		s += n + 1;
		len -= n + 1;
	}
	return keeps;
}

static const char *value(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? at + strlen(key) : "";
}

static bool is(const char *at, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(at, word, n) && (at[n] == ' ' || at[n] == '\n');
}

static struct seen read_trace(const char *cause)
{
	struct seen seen = { .one_keeps = true };
	char line[1024];
	FILE *f = fopen(TRACE "trace", "r");

	while (f && fgets(line, sizeof(line), f)) {
		unsigned int keeps, needs;
		bool kept, should;

		if (line[0] == '#' || !is(value(line, "cause="), cause))
			continue;
		keeps = parse_keeps(value(line, "keeps="));
		if (strstr(line, "mmu_notifier_range_start:")) {
			if (seen.ranges && keeps != seen.keeps)
				seen.one_keeps = false;
			seen.ranges++;
			seen.keeps = keeps;
		}
		if (!strstr(line, "mmu_notifier_subscriber:") ||
		    !strstr(line, "callback=test_"))
			continue;
		needs = parse_keeps(value(line, "needs="));
		kept = is(value(line, "result="), "kept");
		should = needs && !(needs & ~keeps);
		if (kept != should)
			seen.wrong++;
		if (kept)
			seen.kept[needs]++;
		else
			seen.called[needs]++;
	}
	if (f)
		fclose(f);
	return seen;
}

/* A range under watch, by all subscribers. */
struct watch {
	int fd;
	uint64_t *at;
	size_t len;
	uint32_t id[NSUBS];
};

static int add(int fd, void *at, size_t len, uint32_t kind, uint32_t needs)
{
	struct test_mn_add a = {
		.addr = (uintptr_t)at, .len = len, .kind = kind, .needs = needs,
	};

	return ioctl(fd, TEST_MN_ADD, &a) ? -1 : (int)a.id;
}

static struct test_mn_info info(int fd, uint32_t id)
{
	struct test_mn_info i = { .id = id };

	ioctl(fd, TEST_MN_INFO, &i);
	return i;
}

static bool load(struct watch *w, int i, uint64_t *v)
{
	struct test_mn_access a = { .addr = (uintptr_t)w->at, .id = w->id[i] };

	if (ioctl(w->fd, TEST_MN_LOAD, &a))
		return false;
	*v = a.value;
	return true;
}

/* Through the subscriber that needs WRITE, if it still has an address. */
static bool store(struct watch *w, uint64_t v)
{
	struct test_mn_access a = {
		.addr = (uintptr_t)w->at, .id = w->id[3], .value = v,
	};

	return !ioctl(w->fd, TEST_MN_STORE, &a);
}

static uint64_t pagemap(void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t v = 0;

	if (pread(fd, &v, 8, (uintptr_t)at / page * 8) != 8)
		v = 0;
	close(fd);
	return v;
}

#define PM_FRAME	((1ULL << 55) - 1)
#define PM_SOFT_DIRTY	(1ULL << 55)
#define PM_UFFD_WP	(1ULL << 57)

/* Whether the address that subscriber @i has, if any, is that of the mapped page. */
static bool same_frame(struct watch *w, int i)
{
	struct test_mn_access a = { .addr = (uintptr_t)w->at, .id = w->id[i] };

	return ioctl(w->fd, TEST_MN_FRAME, &a) ||
	       a.value == (pagemap(w->at) & PM_FRAME);
}

static void trace_only(void *at, size_t len)
{
	static const char * const events[] = {
		"mmu_notifier_range_start", "mmu_notifier_subscriber",
	};
	char path[256];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path),
			 TRACE "events/mmu_notifier/%s/filter", events[i]);
		write_file(path, "start < 0x%lx && end > 0x%lx",
			   (unsigned long)at + len, (unsigned long)at);
		snprintf(path, sizeof(path),
			 TRACE "events/mmu_notifier/%s/enable", events[i]);
		write_file(path, "1");
	}
	write_file(TRACE "trace", "\n");
}

/*
 * Subscribe to the range, take an address of its first page for each, and clear
 * the trace. Returns how many addresses were taken.
 */
static int watch(struct watch *w, void *at, size_t len, bool write)
{
	int i;
	int filled = 0, id;

	w->at = at;
	w->len = len;
	w->fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
	if (w->fd < 0)
		return -1;
	for (i = 0; i < NSUBS; i++) {
		struct test_mn_access a = { .write = write };

		id = add(w->fd, at, len, subs[i].kind, subs[i].needs);
		if (id < 0)
			return -1;
		a.id = w->id[i] = id;
		if (!ioctl(w->fd, TEST_MN_FILL, &a) && a.value)
			filled++;
	}
	trace_only(at, len);
	return filled;
}

static void row(const char *cause, const char *how, const struct seen *s)
{
	static const char * const names[] = {
		[NOTHING] = "nothing", [MAPPED] = "mapped",
		[RO] = "mapped|read", [ALL] = "mapped|read|write",
		[RO | NOFAULT] = "mapped|read|nofault",
		[ALL | NOFAULT] = "mapped|read|write|nofault",
	};

	printf("# row: %-16s %-35s %5d  %-25s %3d/%-3d %3d/%-3d %3d/%-3d\n",
	       cause, how, s->ranges,
	       !s->one_keeps ? "differs" : s->keeps > 15 || !names[s->keeps] ?
	       "?" : names[s->keeps],
	       s->called[NOTHING], s->kept[NOTHING], s->called[RO],
	       s->kept[RO], s->called[ALL], s->kept[ALL]);
	fflush(stdout);
}

/*
 * The trace says that the range was invalidated for the cause, what is kept,
 * and that just those were called whose needs are not. Where reading is kept it does
 * not fault, but for hints.
 */
#define EXPECT_CAUSE(name, how, want)					\
do {									\
	struct seen __s = read_trace(name);				\
	int __i;						\
									\
	row(name, how, &__s);						\
	EXPECT_GT(__s.ranges, 0)					\
		TH_LOG("no range was invalidated for " name);		\
	EXPECT_EQ(__s.wrong, 0);					\
	if (!truth_only) {						\
		EXPECT_TRUE(__s.one_keeps);				\
		EXPECT_EQ(__s.keeps, (want) | (((want) & 2u) &&		\
					       strcmp(name, "numa_hint") ? NOFAULT : 0)) \
			TH_LOG(name " keeps something else");		\
	}								\
	for (__i = 0; __i < 4; __i++)					\
		EXPECT_GT(__s.called[subs[__i].needs] +			\
			  __s.kept[subs[__i].needs], 0)			\
			TH_LOG("nothing is said of needs %u",		\
			       subs[__i].needs);			\
} while (0)

/* Whether the kernel may read it for us, as a user access would. */
static bool readable(void *at)
{
	int p[2];
	bool ok;

	if (pipe(p))
		return false;
	ok = write(p[1], at, 8) == 8;
	close(p[0]);
	close(p[1]);
	return ok;
}

/* Allocate the pages that were just freed, lest one comes back where it was. */
static void use_up(void)
{
	size_t len = 256 * page;
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(at, len, MADV_NOHUGEPAGE);
	memset(at, 0xee, len);
}

/*
 * Whatever is still addressed is the page that user space sees at @at, by number of
 * frame and by contents, and is readable there for who needs READ.
 */
#define EXPECT_SAME_PAGE(w, writable)					\
do {									\
	static uint64_t __marker = 0x1122334455667700;			\
	bool __readable;						\
	uint64_t __v;							\
	int __i;						\
									\
	if (writable) {							\
		use_up();						\
		put((w)->at, ++__marker);				\
	}								\
	/* Not before: it would map the zero page, and the write is then a COW. */ \
	__readable = readable((w)->at);					\
	for (__i = 0; __i < NSUBS; __i++) {				\
		if (!load(w, __i, &__v))				\
			continue;					\
		if (subs[__i].needs & 2u)				\
			EXPECT_TRUE(__readable);			\
		EXPECT_TRUE(same_frame(w, __i))				\
			TH_LOG("needs %u: another frame", subs[__i].needs); \
		if (__readable)						\
			EXPECT_EQ(__v, get((w)->at))			\
				TH_LOG("needs %u: not the page that is mapped", \
				       subs[__i].needs);		\
	}								\
} while (0)

/* Whose needs are all in @keeps has its address as before. */
#define EXPECT_KEPT(w, keeps)						\
do {									\
	uint64_t __v;							\
	int __i;							\
									\
	for (__i = 0; __i < NSUBS && !truth_only; __i++)		\
		if (subs[__i].needs && !(subs[__i].needs & ~(keeps)))	\
			EXPECT_TRUE(load(w, __i, &__v))			\
				TH_LOG("needs %u: dropped", subs[__i].needs); \
} while (0)

/* Nothing may be addressed any more. */
#define EXPECT_DROPPED(w)						\
do {									\
	uint64_t __v;							\
	int __i;						\
									\
	for (__i = 0; __i < NSUBS; __i++)				\
		EXPECT_FALSE(load(w, __i, &__v))			\
			TH_LOG("needs %u: kept an address",		\
			       subs[__i].needs);			\
} while (0)

/* If the one who needs WRITE still has an address, user space sees its write. */
#define EXPECT_STORE_SEEN(w)						\
do {									\
	if (store(w, 0x5eed))						\
		EXPECT_EQ(get((w)->at), 0x5eed);			\
} while (0)

static void *map(size_t len, int flags, int fd)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Of the file, which is made so long; the first page is there. */
static void *map_file(int fd, size_t len)
{
	void *at = ftruncate(fd, len) ? NULL : map(len, MAP_SHARED, fd);

	if (at)
		memset(at, 1, page);
	return at;
}

static void *map_anon(size_t len)
{
	void *at = map(len, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (at) {
		madvise(at, len, MADV_NOHUGEPAGE);
		memset(at, 1, len);
	}
	return at;
}

/*
 * Aligned, and one huge page if it was faulted in as such. khugepaged leaves it alone, and
 * what it is split into.
 */
static void *map_huge(int advice)
{
	char *at = map(2 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	at = (char *)(((uintptr_t)at + HUGE - 1) & ~(HUGE - 1));
	madvise(at, HUGE, advice);
	memset(at, 1, HUGE);
	madvise(at, HUGE, MADV_NOHUGEPAGE);
	return at;
}

static bool is_huge(void *at)
{
	char line[256];
	unsigned long start, end, kb;
	bool here = false, huge = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (uintptr_t)at >= start && (uintptr_t)at < end;
		else if (here && (sscanf(line, "AnonHugePages: %lu", &kb) == 1 ||
				  sscanf(line, "ShmemPmdMapped: %lu", &kb) == 1) &&
			 kb)
			huge = true;
	}
	if (f)
		fclose(f);
	return huge;
}

/*
 * A child that does as it is told: one byte is a command, one byte back says
 * that it is done.
 */
struct child {
	pid_t pid;
	int to, from;
};

static struct child spawn(void (*body)(int from, int to, void *arg), void *arg)
{
	struct child c = {};
	int down[2], up[2];

	if (pipe(down) || pipe(up))
		exit(1);
	c.pid = fork();
	if (!c.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		body(down[0], up[1], arg);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	c.to = down[1];
	c.from = up[0];
	return c;
}

static void tell(struct child *c)
{
	if (write(c->to, "", 1) != 1)
		exit(1);
}

static uint64_t hear(struct child *c)
{
	uint64_t v = 0;

	if (read(c->from, &v, sizeof(v)) != sizeof(v))
		return -1;
	return v;
}

static void await_word(int from)
{
	char b;

	if (read(from, &b, 1) != 1)
		_exit(1);
}

static void say(int to, uint64_t v)
{
	if (write(to, &v, sizeof(v)) != sizeof(v))
		_exit(1);
}

static void end_child(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->to);
	close(c->from);
}

FIXTURE(cause) {
	struct watch w;
};

FIXTURE_SETUP(cause)
{
	page = sysconf(_SC_PAGESIZE);
	truth_only = getenv("MMU_CAUSES_TRUTH_ONLY");
	self->w.fd = -1;
	if (!has_file(TRACE "trace"))
		ASSERT_EQ(0, mount("tracefs", "/sys/kernel/tracing", "tracefs",
				   0, NULL));
	ASSERT_TRUE(has_file("/dev/test_mmu_notifier"))
		TH_LOG("needs CONFIG_TEST_MMU_NOTIFIER");
	/* A kernel with PREEMPT_RT has neither, nor the tests that need them. */
	if (has_file(THP "enabled"))
		write_file(THP "enabled", "madvise");
	if (has_file(NUMA_BALANCING))
		write_file(NUMA_BALANCING, "0");
}

FIXTURE_TEARDOWN(cause)
{
	if (self->w.fd >= 0)
		close(self->w.fd);
}

/* The unit tests of the filter ran at boot. */
TEST(kunit)
{
	char line[256];
	int ok = 0, bad = 0;
	FILE *f = fopen("/sys/kernel/debug/kunit/mmu_notifier/results", "r");

	ASSERT_NE(f, NULL) TH_LOG("needs CONFIG_MMU_NOTIFIER_KUNIT_TEST");
	while (fgets(line, sizeof(line), f)) {
		ok += !strncmp(line, "    ok ", 7);
		bad += !!strstr(line, "not ok ");
		if (strstr(line, "not ok ") || strstr(line, "EXPECT"))
			TH_LOG("%s", line);
		if (strstr(line, "while the lock is held"))
			printf("# %s", strstr(line, ": ") ? strstr(line, ": ") + 2 : line);
	}
	fclose(f);
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(ok, 11);
}

TEST_F(cause, munmap)
{
	char *at = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(munmap(at, page), 0);
	EXPECT_CAUSE("munmap", "munmap()", NOTHING);
	ASSERT_EQ(mmap(at, page, PROT_READ | PROT_WRITE, MAP_FIXED |
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), at);
	EXPECT_SAME_PAGE(&self->w, true);
	EXPECT_DROPPED(&self->w);
}

TEST_F(cause, mremap)
{
	char *at = map_anon(page), *to = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(mremap(at, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	EXPECT_CAUSE("mremap", "mremap()", NOTHING);
	ASSERT_EQ(mmap(at, page, PROT_READ | PROT_WRITE, MAP_FIXED |
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), at);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, zap)
{
	char *at = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(madvise(at, page, MADV_DONTNEED), 0);
	EXPECT_CAUSE("zap", "MADV_DONTNEED", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, unmap_mapping)
{
	int fd = memfd_create("mmu_causes_test", 0);
	char *at = map_file(fd, page);

	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			    page), 0);
	EXPECT_CAUSE("unmap_mapping", "hole punch of shmem", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, truncate)
{
	int fd = memfd_create("mmu_causes_test", 0);
	char *at = map_file(fd, page);

	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(ftruncate(fd, 0), 0);
	ASSERT_EQ(ftruncate(fd, page), 0);
	EXPECT_CAUSE("unmap_mapping", "truncate of shmem", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, hugetlb_hole)
{
	int fd = memfd_create("mmu_causes_test", MFD_HUGETLB);
	char *at;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	at = map_file(fd, HUGE);
	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			    HUGE), 0);
	EXPECT_CAUSE("unmap_mapping", "hole punch of hugetlb", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

/*
 * A page that is new waits in a batch of the CPU that it was new on, and is paged out
 * only from there.
 */
static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

TEST_F(cause, unmap_folio)
{
	char *at = map_anon(page);
	int tries = 0;

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	while (!read_trace("unmap_folio").ranges && tries++ < 50) {
		run_on(tries % sysconf(_SC_NPROCESSORS_ONLN));
		ASSERT_EQ(madvise(at, page, MADV_PAGEOUT), 0);
		sleep_ms(20);
	}
	EXPECT_CAUSE("unmap_folio", "MADV_PAGEOUT, swap on zram", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

static void ignore(int sig)
{
}

TEST_F(cause, memory_failure)
{
	char *at = map_anon(page);

	/* The kernel tells whose memory it was. */
	signal(SIGBUS, ignore);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(madvise(at, page, MADV_HWPOISON), 0);
	EXPECT_CAUSE("memory_failure", "MADV_HWPOISON", NOTHING);
	ASSERT_EQ(mmap(at, page, PROT_READ | PROT_WRITE, MAP_FIXED |
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), at);
	EXPECT_SAME_PAGE(&self->w, true);
}

static int open_file(const char *name)
{
	const char *dir = getenv("MMU_CAUSES_DIR");
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir ?: "/mnt", name);
	return open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
}

/* What can be read again is unmapped as by reclaim, and nobody gets a signal. */
TEST_F(cause, memory_failure_clean)
{
	int fd = open_file("memory_failure");
	uint64_t v[512] = { 0x600d };
	char *at;
	int i;

	ASSERT_EQ(pwrite(fd, v, page, 0), (ssize_t)page);
	ASSERT_EQ(fsync(fd), 0);
	at = map(page, MAP_SHARED, fd);
	ASSERT_NE(at, NULL);
	ASSERT_EQ(get(at), 0x600d);
	ASSERT_EQ(watch(&self->w, at, page, false), NSUBS);
	ASSERT_EQ(madvise(at, page, MADV_HWPOISON), 0);
	EXPECT_CAUSE("unmap_folio", "MADV_HWPOISON, clean page of a file", NOTHING);
	for (i = 0; i < NSUBS; i++)
		EXPECT_TRUE(same_frame(&self->w, i)) TH_LOG("the poisoned page is kept");
	EXPECT_EQ(get(at), 0x600d) TH_LOG("it was not read again");
	EXPECT_SAME_PAGE(&self->w, true);
	close(fd);
}

TEST_F(cause, migrate)
{
	char *at = map_anon(page);
	int node = 0, now = -1, status = -1;
	void *pages[] = { at };

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(syscall(SYS_move_pages, 0, 1, pages, NULL, &now, 0), 0);
	node = !now;
	ASSERT_EQ(syscall(SYS_move_pages, 0, 1, pages, &node, &status, 0), 0);
	ASSERT_EQ(status, node) TH_LOG("needs two NUMA nodes");
	EXPECT_CAUSE("migrate", "move_pages()", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

static int dmirror(int cmd, void *at, void *buffer)
{
	static int fd = -1;
	struct hmm_dmirror_cmd c = {
		.addr = (uintptr_t)at, .ptr = (uintptr_t)buffer, .npages = 1,
	};

	if (fd < 0)
		fd = open("/dev/hmm_dmirror0", O_RDWR);
	return fd < 0 ? -1 : ioctl(fd, cmd, &c);
}

TEST_F(cause, migrate_device)
{
	char *at = map_anon(page), *buffer = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(dmirror(HMM_DMIRROR_MIGRATE_TO_DEV, at, buffer), 0);
	EXPECT_CAUSE("migrate_device", "to the memory of test_hmm", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, exclusive)
{
	char *at = map_anon(page), *buffer = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(dmirror(HMM_DMIRROR_EXCLUSIVE, at, buffer), 0);
	EXPECT_CAUSE("exclusive", "by test_hmm", NOTHING);
	EXPECT_DROPPED(&self->w);
}

/*
 * There is nothing to address while the device has the page, so the truth is
 * that everybody is told: a device's own mapping has to go.
 */
TEST_F(cause, exclusive_end)
{
	char *at = map_anon(page), *buffer = map_anon(page);
	int i;

	ASSERT_EQ(dmirror(HMM_DMIRROR_EXCLUSIVE, at, buffer), 0);
	ASSERT_GE(watch(&self->w, at, page, true), 0);
	put(at, 2);
	EXPECT_CAUSE("exclusive_end", "access by the CPU", NOTHING);
	for (i = 0; i < NSUBS; i++)
		EXPECT_GT(info(self->w.fd, self->w.id[i]).calls, 0);
}

static void hold_copy(int from, int to, void *arg)
{
	await_word(from);
	say(to, get(arg));
	await_word(from);
}

TEST_F(cause, fork)
{
	uint64_t *at = map_anon(page), was;
	struct child c;

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	was = *at;
	c = spawn(hold_copy, at);
	EXPECT_CAUSE("fork", "fork()", RO);
	EXPECT_KEPT(&self->w, RO);
	/* What a mapping that kept WRITE would do to the child. */
	store(&self->w, 0xbad);
	tell(&c);
	EXPECT_EQ(hear(&c), was) TH_LOG("the child sees a write of its parent");
	EXPECT_SAME_PAGE(&self->w, false);
	end_child(&c);
}

TEST_F(cause, fork_hugetlb)
{
	uint64_t *at, was;
	struct child c;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	at = map(HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	ASSERT_NE(at, NULL);
	*at = 1;
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	was = *at;
	c = spawn(hold_copy, at);
	EXPECT_CAUSE("fork", "fork(), hugetlb", RO);
	EXPECT_KEPT(&self->w, RO);
	store(&self->w, 0xbad);
	tell(&c);
	EXPECT_EQ(hear(&c), was) TH_LOG("the child sees a write of its parent");
	EXPECT_SAME_PAGE(&self->w, false);
	end_child(&c);
}

TEST_F(cause, cow)
{
	uint64_t *at = map_anon(page);
	struct child c = spawn(hold_copy, at);

	ASSERT_EQ(watch(&self->w, at, page, false), NSUBS);
	put(at, 2);
	EXPECT_CAUSE("cow", "write after fork()", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
	end_child(&c);
}

static void watch_and_wait(int from, int to, void *arg)
{
	struct watch *w = arg;
	int i;

	/* In the child the parent's pages are shared; the subscribers are its own. */
	say(to, watch(w, w->at, w->len, false));
	for (i = 0; i < 2; i++) {
		await_word(from);
		say(to, (uint64_t)w->fd);
	}
	await_word(from);
}

/*
 * The owner of the reservation needs a page to copy to, and there is none left:
 * it is taken from the child.
 */
TEST_F(cause, hugetlb_cow)
{
	uint64_t *at;
	struct child c;

	write_file("/proc/sys/vm/nr_hugepages", "1");
	at = map(HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	ASSERT_NE(at, NULL);
	*at = 1;
	self->w.at = at;
	self->w.len = page;
	c = spawn(watch_and_wait, &self->w);
	ASSERT_EQ(hear(&c), NSUBS);
	put(at, 2);
	EXPECT_CAUSE("hugetlb_cow", "write after fork(), pool empty", NOTHING);
	end_child(&c);
}

/*
 * The subscribers of a child, whose file the parent holds on to: so it outlives
 * the child's memory.
 */
static int take_child_fd(struct child *c)
{
	int pidfd = syscall(SYS_pidfd_open, c->pid, 0);
	int fd;

	tell(c);
	fd = syscall(SYS_pidfd_getfd, pidfd, (int)hear(c), 0);
	close(pidfd);
	return fd;
}

static void child_watch(int from, int to, void *arg)
{
	struct watch w = { .at = map_anon(page), .len = page };
	struct test_mn_hold hold = { .ms = 2500 };

	say(to, watch(&w, w.at, w.len, true));
	await_word(from);
	say(to, (uint64_t)w.fd);
	await_word(from);
	say(to, (uintptr_t)w.at);
	if (arg) {
		ioctl(w.fd, TEST_MN_HOLD, &hold);
		await_word(from);
	}
}

TEST_F(cause, exit)
{
	struct child c = spawn(child_watch, NULL);
	int i;

	ASSERT_EQ(hear(&c), NSUBS);
	self->w.fd = take_child_fd(&c);
	ASSERT_GE(self->w.fd, 0);
	for (i = 0; i < NSUBS; i++)
		self->w.id[i] = i;
	tell(&c);
	self->w.at = (void *)hear(&c);
	waitpid(c.pid, NULL, 0);
	EXPECT_CAUSE("exit", "exit()", NOTHING);
	EXPECT_DROPPED(&self->w);
}

TEST_F(cause, oom_reap)
{
	struct child c = spawn(child_watch, self);
	int i;
	int pidfd = syscall(SYS_pidfd_open, c.pid, 0);

	ASSERT_EQ(hear(&c), NSUBS);
	self->w.fd = take_child_fd(&c);
	ASSERT_GE(self->w.fd, 0);
	for (i = 0; i < NSUBS; i++)
		self->w.id[i] = i;
	tell(&c);
	self->w.at = (void *)hear(&c);
	sleep_ms(50);
	ASSERT_EQ(kill(c.pid, SIGKILL), 0);
	ASSERT_EQ(syscall(SYS_process_mrelease, pidfd, 0), 0);
	EXPECT_CAUSE("oom_reap", "process_mrelease()", NOTHING);
	EXPECT_DROPPED(&self->w);
	close(pidfd);
	waitpid(c.pid, NULL, 0);
}

TEST_F(cause, mprotect_none)
{
	char *at = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(mprotect(at, page, PROT_NONE), 0);
	EXPECT_CAUSE("mprotect", "mprotect(PROT_NONE)", MAPPED);
	EXPECT_KEPT(&self->w, MAPPED);
	EXPECT_SAME_PAGE(&self->w, false);
	ASSERT_EQ(mprotect(at, page, PROT_READ | PROT_WRITE), 0);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, mprotect_read)
{
	char *at = map_anon(page);
	uint64_t v;

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(mprotect(at, page, PROT_READ), 0);
	EXPECT_CAUSE("mprotect", "mprotect(PROT_READ)", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_FALSE(load(&self->w, 3, &v)) TH_LOG("needs WRITE, and kept an address");
	EXPECT_SAME_PAGE(&self->w, false);
}

TEST_F(cause, mprotect_shared)
{
	int fd = memfd_create("mmu_causes_test", 0);
	char *at = map_file(fd, page);

	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(mprotect(at, page, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_CAUSE("mprotect", "mprotect(+PROT_EXEC), shared", ALL);
	EXPECT_KEPT(&self->w, ALL);
	EXPECT_SAME_PAGE(&self->w, true);
	EXPECT_STORE_SEEN(&self->w);
}

/* A private mapping: entries may come out read only, and a write then faults. */
TEST_F(cause, mprotect_private)
{
	char *at = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(mprotect(at, page, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_CAUSE("mprotect", "mprotect(+PROT_EXEC), private", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_SAME_PAGE(&self->w, true);
}

/* The key denies what the entries permit, and no later change of it is announced. */
TEST_F(cause, mprotect_key)
{
	int fd = memfd_create("mmu_causes_test", 0);
	char *at = map_file(fd, page);
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);

	if (key < 0)
		SKIP(return, "the processor has no protection keys");
	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(pkey_mprotect(at, page, PROT_READ | PROT_WRITE, key), 0);
	EXPECT_CAUSE("mprotect", "pkey_mprotect(no access), shared", MAPPED);
	EXPECT_KEPT(&self->w, MAPPED);
	EXPECT_SAME_PAGE(&self->w, false);
	ASSERT_EQ(pkey_set(key, 0), 0);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, mprotect_hugetlb)
{
	int fd = memfd_create("mmu_causes_test", MFD_HUGETLB);
	char *at;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	at = map_file(fd, HUGE);
	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(mprotect(at, HUGE, PROT_READ), 0);
	EXPECT_CAUSE("mprotect", "mprotect(PROT_READ), shared hugetlb", NOTHING);
	EXPECT_SAME_PAGE(&self->w, false);
}

/* --- NUMA hints, and those that would change no entry --- */

#define HINTS	16

static unsigned long scan_seq(void)
{
	FILE *f = fopen("/proc/self/sched", "r");
	unsigned long seq = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "numa_scan_seq"))
			sscanf(strchr(line, ':') ?: "", ": %lu", &seq);
	if (f)
		fclose(f);
	return seq;
}

/* Let the whole of our memory be scanned so often, and return whether it was. */
static bool scan(int times)
{
	unsigned long seq = scan_seq() + times;
	time_t end = time(NULL) + 120;
	static uint64_t here;

	write_file("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms", "10");
	write_file("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
		   "10");
	write_file(NUMA_BALANCING, "1");
	while (scan_seq() < seq && time(NULL) < end)
		for (int n = 0; n < 200000; n++)
			put(&here, n);
	write_file(NUMA_BALANCING, "0");
	return scan_seq() >= seq;
}

/* Take memory from the node of this CPU, or from the other one, and stay on the CPU. */
static bool memory_from(bool other)
{
	unsigned int cpu, node = 0;
	unsigned long nodes;
	cpu_set_t here;

	if (syscall(SYS_getcpu, &cpu, &node, NULL))
		return false;
	CPU_ZERO(&here);
	CPU_SET(cpu, &here);
	if (sched_setaffinity(0, sizeof(here), &here) ||
	    syscall(SYS_getcpu, &cpu, &node, NULL))
		return false;
	nodes = 1UL << (other ? !node : node);
	return !syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof(nodes));
}

static bool memory_from_anywhere(void)
{
	return !syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
}

/* A vma of its own, of which no page is there */
static char *own_vma(int flags, int fd)
{
	size_t len = HINTS * page;
	char *at = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	if (at == MAP_FAILED ||
	    mmap(at + page, len, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0) != at + page ||
	    madvise(at + page, len, MADV_NOHUGEPAGE))
		return NULL;
	return at + page;
}

/* Pages of their own vma, on the node of this CPU or on the other one. */
static char *map_on(bool other)
{
	char *at = own_vma(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!at || !memory_from(other))
		return NULL;
	memset(at, 1, HINTS * page);
	return memory_from_anywhere() ? at : NULL;
}

static long minor_faults(void)
{
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	return now.ru_minflt;
}

/* Touch the pages, and return how many faults that took. */
static long touch(const char *at)
{
	long before = minor_faults();

	for (int i = 0; i < HINTS; i++)
		get(at + i * page);
	return minor_faults() - before;
}

static long write_faults(char *at)
{
	long before = minor_faults();

	put(at, 1);
	return minor_faults() - before;
}

/*
 * The scan leaves local pages of a single thread alone: these are on the other node.
 * Nobody touches them, so that none migrates.
 */
TEST_F_TIMEOUT(cause, numa_hint, 300)
{
	char *at = map_on(true);
	int i;

	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, HINTS * page, true), NSUBS);
	EXPECT_TRUE(scan(1));
	EXPECT_CAUSE("numa_hint", "NUMA balancing, two nodes", ALL);
	EXPECT_KEPT(&self->w, ALL);
	for (i = 0; i < NSUBS; i++)
		EXPECT_TRUE(same_frame(&self->w, i));
	EXPECT_TRUE(store(&self->w, 0x5eed));
	EXPECT_GE(touch(at), HINTS) TH_LOG("not every entry got a hint");
	EXPECT_EQ(get(at), 0x5eed);
	EXPECT_SAME_PAGE(&self->w, true);
}

/* Scanned by the kernel, which finds nothing to change, and tells nobody. */
#define EXPECT_NO_HINT(how)						\
do {									\
	struct seen __s;						\
									\
	EXPECT_TRUE(scan(2)) TH_LOG("the kernel does not scan");	\
	__s = read_trace("numa_hint");					\
	printf("# hint: %-35s %d told\n", how, __s.ranges);		\
	EXPECT_EQ(__s.ranges, 0);					\
} while (0)

TEST_F_TIMEOUT(cause, hint_local, 300)
{
	char *at = map_on(false);

	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, HINTS * page, true), NSUBS);
	EXPECT_NO_HINT("local, one thread");
	EXPECT_EQ(touch(at), 0) TH_LOG("not told of a hint");
}

TEST_F_TIMEOUT(cause, hint_again, 300)
{
	char *at = map_on(true);

	ASSERT_NE(at, NULL);
	ASSERT_EQ(watch(&self->w, at, HINTS * page, true), NSUBS);
	ASSERT_TRUE(scan(1));
	EXPECT_GT(read_trace("numa_hint").ranges, 0);
	write_file(TRACE "trace", "\n");
	EXPECT_NO_HINT("without access already");
	EXPECT_GE(touch(at), HINTS) TH_LOG("they were not without access");
}

static void *wait_for_word(void *arg)
{
	await_word(*(int *)arg);
	return NULL;
}

/* A huge page gets one hint. Linux 7.3 gives none to local memory of a single thread. */
TEST_F_TIMEOUT(cause, hint_huge, 300)
{
	char *at = map_huge(MADV_HUGEPAGE);
	pthread_t thread;
	int p[2];

	ASSERT_TRUE(is_huge(at));
	ASSERT_EQ(pipe(p), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, wait_for_word, &p[0]), 0);
	ASSERT_EQ(watch(&self->w, at, HINTS * page, true), NSUBS);
	EXPECT_TRUE(scan(1));
	EXPECT_CAUSE("numa_hint", "NUMA balancing, huge page", ALL);
	EXPECT_KEPT(&self->w, ALL);
	write_file(TRACE "trace", "\n");
	EXPECT_NO_HINT("huge, without access already");
	EXPECT_GT(touch(at), 0) TH_LOG("it was not without access");
	ASSERT_EQ(write(p[1], "", 1), 1);
	pthread_join(thread, NULL);
}

TEST_F_TIMEOUT(cause, hint_pinned, 300)
{
	struct pin_longterm_test pin = {
		.size = HINTS * page, .flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	int fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	char *at = map_on(true);

	ASSERT_NE(at, NULL);
	ASSERT_GE(fd, 0) TH_LOG("needs CONFIG_GUP_TEST");
	pin.addr = (uintptr_t)at;
	ASSERT_EQ(ioctl(fd, PIN_LONGTERM_TEST_START, &pin), 0);
	ASSERT_EQ(watch(&self->w, at, HINTS * page, true), NSUBS);
	EXPECT_NO_HINT("pinned");
	EXPECT_EQ(touch(at), 0) TH_LOG("not told of a hint");
	ASSERT_EQ(ioctl(fd, PIN_LONGTERM_TEST_STOP), 0);
	close(fd);
}

/* Of several threads, local memory gets hints as before. */
TEST_F_TIMEOUT(cause, hint_threads, 300)
{
	char *at = map_on(false);
	pthread_t thread;
	int p[2];

	ASSERT_NE(at, NULL);
	ASSERT_EQ(pipe(p), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, wait_for_word, &p[0]), 0);
	ASSERT_EQ(watch(&self->w, at, HINTS * page, true), NSUBS);
	EXPECT_TRUE(scan(2));
	EXPECT_CAUSE("numa_hint", "local, two threads", ALL);
	ASSERT_EQ(write(p[1], "", 1), 1);
	pthread_join(thread, NULL);
}

/* --- the look before hints: who is told, and nothing else --- */

#define LOOK	"/sys/kernel/debug/numa_hint_look"

static char *hint_other_node(void)
{
	return map_on(true);
}

static char *hint_local(void)
{
	return map_on(false);
}

/* A child has the same pages. */
static char *hint_cow(void)
{
	char *at = map_on(true);

	if (at && !fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return at;
}

static char *hint_pinned(void)
{
	struct pin_longterm_test pin = {
		.size = HINTS * page, .flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	int fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	char *at = map_on(true);

	pin.addr = (uintptr_t)at;
	return at && !ioctl(fd, PIN_LONGTERM_TEST_START, &pin) ? at : NULL;
}

static char *hint_zero(void)
{
	char *at = own_vma(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	for (int i = 0; at && i < HINTS; i++)
		get(at + i * page);
	return at;
}

/* The pages of a file, which are on the other node, and how they are mapped */
static char *hint_file(int fd, int flags, bool write)
{
	char text[4096] = "";
	char *at = NULL;

	if (!memory_from(true))
		return NULL;
	for (int i = 0; i < HINTS; i++)
		if (pwrite(fd, text, page, i * page) != (ssize_t)page)
			return NULL;
	if (!fsync(fd))
		at = own_vma(flags, fd);
	for (int i = 0; at && i < HINTS; i++) {
		if (write)
			put(at + i * page, 1);
		else
			get(at + i * page);
	}
	return memory_from_anywhere() ? at : NULL;
}

static char *hint_shmem(void)
{
	return hint_file(memfd_create("mmu_causes_test", 0), MAP_SHARED, true);
}

static char *hint_clean(void)
{
	return hint_file(open_file("hint_clean"), MAP_PRIVATE, false);
}

static char *hint_dirty(void)
{
	write_file("/proc/sys/vm/dirty_writeback_centisecs", "0");
	return hint_file(open_file("hint_dirty"), MAP_SHARED, true);
}

static char *hint_huge(void)
{
	char *at = map_huge(MADV_HUGEPAGE);

	return is_huge(at) ? at : NULL;
}

static char *hint_huge_zero(void)
{
	char *at = map(2 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	at = (char *)(((uintptr_t)at + HUGE - 1) & ~(HUGE - 1));
	write_file(THP "use_zero_page", "1");
	madvise(at, HUGE, MADV_HUGEPAGE);
	return get(at) ? NULL : at;
}

/* The one that forks is first, lest it shares the others. */
static const struct {
	const char *what;
	char *(*map)(void);
} hint_memory[] = {
	{ "shared by fork()",	hint_cow },
	{ "on the other node",	hint_other_node },
	{ "local",		hint_local },
	{ "pinned",		hint_pinned },
	{ "zero page",		hint_zero },
	{ "shmem",		hint_shmem },
	{ "clean, of a file",	hint_clean },
	{ "dirty, of a file",	hint_dirty },
	{ "huge",		hint_huge },
	{ "huge zero page",	hint_huge_zero },
};

#define HINT_MEMORY	((int)(sizeof(hint_memory) / sizeof(hint_memory[0])))

/* How many ranges were invalidated for hints in this memory */
static int hints_told(char *at)
{
	unsigned long first = (uintptr_t)at, last = first + HINTS * page - 1;
	FILE *f = fopen(TRACE "trace", "r");
	char line[1024];
	int told = 0;

	while (f && fgets(line, sizeof(line), f))
		told += line[0] != '#' && strstr(line, "mmu_notifier_range_start:") &&
			is(value(line, "cause="), "numa_hint") &&
			strtoul(value(line, "start="), NULL, 16) <= last &&
			strtoul(value(line, "end="), NULL, 16) > first;
	if (f)
		fclose(f);
	return told;
}

struct hint_round {
	bool look, threads;
};

/* All the memory in one process, which is scanned twice */
static void hint_round(int from, int to, void *arg)
{
	struct hint_round *round = arg;
	char *at[HINT_MEMORY];
	pthread_t thread;
	int i, fd;

	for (i = 0; i < HINT_MEMORY; i++) {
		at[i] = hint_memory[i].map();
		if (!at[i]) {
			fprintf(stderr, "cannot map: %s\n", hint_memory[i].what);
			_exit(1);
		}
	}
	/* Somebody to tell */
	fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
	if (add(fd, at[1], page, TEST_MN_INTERVAL, NOTHING) < 0 ||
	    (round->threads && pthread_create(&thread, NULL, wait_for_word, &from)))
		_exit(1);
	write_file(LOOK, "%d", round->look);
	trace_only(NULL, -1UL);
	if (!scan(2))
		_exit(1);
	write_file(LOOK, "1");
	for (i = 0; i < HINT_MEMORY; i++)
		say(to, hints_told(at[i]));
	for (i = 0; i < HINT_MEMORY; i++)
		say(to, touch(at[i]));
	for (;;)
		pause();
}

/*
 * With the look, the same entries get hints as without it, and who would be told where
 * none does is not told.
 */
#define EXPECT_SAME_HINTS(several)					\
do {									\
	int __got[2][2][HINT_MEMORY], __look, __i;			\
									\
	for (__look = 0; __look < 2; __look++) {			\
		struct hint_round __round = { __look, several };	\
		struct child __c = spawn(hint_round, &__round);		\
									\
		for (__i = 0; __i < 2 * HINT_MEMORY; __i++)		\
			__got[__look][__i / HINT_MEMORY][__i % HINT_MEMORY] = hear(&__c); \
		end_child(&__c);					\
		ASSERT_GE(__got[__look][0][0], 0) TH_LOG("a round failed"); \
	}								\
	for (__i = 0; __i < HINT_MEMORY; __i++) {			\
		printf("# hint: %-20s %-11s base: %d told, %d faults; look: %d told, %d faults\n", \
		       hint_memory[__i].what, several ? "two threads" : "one thread", \
		       __got[0][0][__i], __got[0][1][__i],		\
		       __got[1][0][__i], __got[1][1][__i]);		\
		EXPECT_GT(__got[0][0][__i], 0);				\
		EXPECT_EQ(__got[0][1][__i], __got[1][1][__i]);		\
		EXPECT_EQ(!__got[1][0][__i], !__got[1][1][__i]);	\
	}								\
	/* Local memory gets hints from the second thread on. */	\
	EXPECT_EQ(!!__got[0][1][2], several);				\
} while (0)

TEST_F_TIMEOUT(cause, hint_same, 300)
{
	EXPECT_SAME_HINTS(false);
}

TEST_F_TIMEOUT(cause, hint_same_threads, 300)
{
	EXPECT_SAME_HINTS(true);
}

static int uffd_open(uint64_t features)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ? -1 : fd;
}

static int uffd_register(int fd, void *at, size_t len, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, len }, .mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg);
}

static int uffd_protect(int fd, void *at, size_t len, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)at, len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
}

TEST_F(cause, uffd_wp)
{
	char *at = map_anon(page);
	int fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(uffd_register(fd, at, page, UFFDIO_REGISTER_MODE_WP), 0);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(uffd_protect(fd, at, page, true), 0);
	EXPECT_CAUSE("uffd_wp", "UFFDIO_WRITEPROTECT", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_SAME_PAGE(&self->w, false);
	/* A write that nobody was told of, where writes are to be told. */
	EXPECT_FALSE(store(&self->w, 0xbad) && (pagemap(at) & PM_UFFD_WP));
	ASSERT_EQ(uffd_protect(fd, at, page, false), 0);
	close(fd);
}

TEST_F(cause, uffd_wp_resolve)
{
	char *at = map_anon(2 * page);
	int fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(uffd_register(fd, at, 2 * page, UFFDIO_REGISTER_MODE_WP), 0);
	/* The watched page is not protected, its neighbour is. */
	ASSERT_EQ(uffd_protect(fd, at + page, page, true), 0);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(uffd_protect(fd, at, 2 * page, false), 0);
	EXPECT_CAUSE("uffd_wp_resolve", "UFFDIO_WRITEPROTECT mode 0", ALL);
	EXPECT_KEPT(&self->w, ALL);
	EXPECT_SAME_PAGE(&self->w, true);
	EXPECT_STORE_SEEN(&self->w);
	close(fd);
}

/*
 * A page that was mapped by a read while writes were not tracked: its entry is writable and
 * clean, and comes out read only.
 */
TEST_F(cause, uffd_wp_resolve_shmem)
{
	int file = memfd_create("mmu_causes_test", 0);
	int fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			   UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	uint64_t one = 1;
	char *at;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(pwrite(file, &one, sizeof(one), 0), (ssize_t)sizeof(one));
	at = map(page, MAP_SHARED, file);
	ASSERT_NE(at, NULL);
	ASSERT_EQ(get(at), 1);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(uffd_register(fd, at, page, UFFDIO_REGISTER_MODE_WP), 0);
	ASSERT_EQ(uffd_protect(fd, at, page, false), 0);
	EXPECT_CAUSE("uffd_wp_resolve", "the same, shared and clean", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_EQ(write_faults(at), 1) TH_LOG("it is writable");
	EXPECT_SAME_PAGE(&self->w, true);
	close(fd);
	close(file);
}

/* Nothing makes an entry of private hugetlb writable again but a write. */
TEST_F(cause, uffd_wp_resolve_hugetlb)
{
	int fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			   UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	char *at;

	ASSERT_GE(fd, 0);
	write_file("/proc/sys/vm/nr_hugepages", "4");
	at = map(HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	ASSERT_NE(at, NULL);
	put(at, 1);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(uffd_register(fd, at, HUGE, UFFDIO_REGISTER_MODE_WP), 0);
	ASSERT_EQ(uffd_protect(fd, at, HUGE, false), 0);
	EXPECT_CAUSE("uffd_wp_resolve", "the same, private hugetlb", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_EQ(write_faults(at), 1) TH_LOG("it is writable");
	EXPECT_SAME_PAGE(&self->w, true);
	close(fd);
}

/* Where nobody reads the descriptor, an access ends the protection by itself. */
static int uffd_open_rwp(void)
{
	return uffd_open(UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC);
}

static int uffd_rwprotect(int fd, void *at, size_t len, bool on)
{
	struct uffdio_rwprotect rwp = {
		.range = { (uintptr_t)at, len },
		.mode = on ? UFFDIO_RWPROTECT_MODE_RWP : 0,
	};

	return ioctl(fd, UFFDIO_RWPROTECT, &rwp);
}

/* Reads are to be told as well. */
TEST_F(cause, uffd_rwp)
{
	char *at = map_anon(page);
	int fd = uffd_open_rwp();

	if (fd < 0)
		SKIP(return, "no read-write protection before Linux 7.3");
	ASSERT_EQ(uffd_register(fd, at, page, UFFDIO_REGISTER_MODE_RWP), 0);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(uffd_rwprotect(fd, at, page, true), 0);
	EXPECT_CAUSE("uffd_wp", "UFFDIO_RWPROTECT", NOTHING);
	EXPECT_DROPPED(&self->w);
	EXPECT_EQ(get(at), 0x0101010101010101);
	close(fd);
}

TEST_F(cause, uffd_rwp_resolve)
{
	char *at = map_anon(2 * page);
	int fd = uffd_open_rwp();

	if (fd < 0)
		SKIP(return, "no read-write protection before Linux 7.3");
	ASSERT_EQ(uffd_register(fd, at, 2 * page, UFFDIO_REGISTER_MODE_RWP), 0);
	/* As in uffd_wp_resolve. */
	ASSERT_EQ(uffd_rwprotect(fd, at + page, page, true), 0);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(uffd_rwprotect(fd, at, 2 * page, false), 0);
	EXPECT_CAUSE("uffd_wp_resolve", "UFFDIO_RWPROTECT mode 0", ALL);
	EXPECT_KEPT(&self->w, ALL);
	EXPECT_SAME_PAGE(&self->w, true);
	EXPECT_STORE_SEEN(&self->w);
	close(fd);
}

TEST_F(cause, uffd_move)
{
	char *src = map_anon(page);
	char *dst = map(page, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = uffd_open(UFFD_FEATURE_MOVE);
	struct uffdio_move m = {
		.dst = (uintptr_t)dst, .src = (uintptr_t)src, .len = page,
	};

	ASSERT_GE(fd, 0);
	ASSERT_EQ(uffd_register(fd, dst, page, UFFDIO_REGISTER_MODE_MISSING), 0);
	ASSERT_EQ(watch(&self->w, src, page, true), NSUBS);
	ASSERT_EQ(ioctl(fd, UFFDIO_MOVE, &m), 0);
	EXPECT_CAUSE("uffd_move", "UFFDIO_MOVE", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
	close(fd);
}

TEST_F(cause, uffd_move_huge)
{
	char *src = map_huge(MADV_HUGEPAGE);
	char *dst = map_huge(MADV_HUGEPAGE);
	int fd = uffd_open(UFFD_FEATURE_MOVE);
	struct uffdio_move m = {
		.dst = (uintptr_t)dst, .src = (uintptr_t)src, .len = HUGE,
	};

	ASSERT_GE(fd, 0);
	ASSERT_TRUE(is_huge(src));
	ASSERT_EQ(madvise(dst, HUGE, MADV_DONTNEED), 0);
	ASSERT_EQ(uffd_register(fd, dst, HUGE, UFFDIO_REGISTER_MODE_MISSING), 0);
	ASSERT_EQ(watch(&self->w, src, page, true), NSUBS);
	ASSERT_EQ(ioctl(fd, UFFDIO_MOVE, &m), 0);
	EXPECT_CAUSE("uffd_move", "UFFDIO_MOVE, huge page", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
	close(fd);
}

TEST_F(cause, pagemap_scan)
{
	char *at = map_anon(page);
	int fd = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	int pm = open("/proc/self/pagemap", O_RDONLY);
	uint64_t region[3];
	struct pm_scan_arg s = {
		.size = sizeof(s), .flags = PM_SCAN_WP_MATCHING,
		.start = (uintptr_t)at, .end = (uintptr_t)at + page,
		.vec = (uintptr_t)region, .vec_len = 1,
		.category_mask = PAGE_IS_WRITTEN, .return_mask = PAGE_IS_WRITTEN,
	};

	ASSERT_GE(fd, 0);
	ASSERT_EQ(uffd_register(fd, at, page, UFFDIO_REGISTER_MODE_WP), 0);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(ioctl(pm, PAGEMAP_SCAN, &s), 1);
	EXPECT_CAUSE("pagemap_scan", "PAGEMAP_SCAN with write protect", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_SAME_PAGE(&self->w, false);
	if (store(&self->w, 0xbad))
		EXPECT_EQ(ioctl(pm, PAGEMAP_SCAN, &s), 1) TH_LOG("a write was missed");
	close(pm);
	close(fd);
}

TEST_F(cause, soft_dirty)
{
	char *at = map_anon(page);

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	write_file("/proc/self/clear_refs", "4");
	EXPECT_CAUSE("soft_dirty", "4 to clear_refs", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_FALSE(pagemap(at) & PM_SOFT_DIRTY);
	if (store(&self->w, 0xbad))
		EXPECT_TRUE(pagemap(at) & PM_SOFT_DIRTY)
			TH_LOG("a write was missed");
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, madv_free)
{
	char *at = map_anon(page);
	bool stored;

	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(madvise(at, page, MADV_FREE), 0);
	EXPECT_CAUSE("madv_free", "MADV_FREE", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_SAME_PAGE(&self->w, false);
	/* A write after MADV_FREE must survive what reclaim does next. */
	stored = store(&self->w, 0x5eed);
	ASSERT_EQ(madvise(at, page, MADV_PAGEOUT), 0);
	if (stored)
		EXPECT_EQ(get(at), 0x5eed);
	EXPECT_SAME_PAGE(&self->w, true);
}

static void ksm_run(const char *cause)
{
	int tries = 0;

	write_file(KSM "sleep_millisecs", "1");
	write_file(KSM "pages_to_scan", "1000");
	write_file(KSM "run", "1");
	while (!read_trace(cause).ranges && tries++ < 200)
		sleep_ms(50);
	sleep_ms(300);
	write_file(KSM "run", "0");
}

TEST_F(cause, ksm)
{
	uint64_t *at = map_anon(2 * page), *other = at + page / 8, was;

	ASSERT_EQ(madvise(at, 2 * page, MADV_MERGEABLE), 0);
	memset(at, 0x5a, 2 * page);
	was = *at;
	ASSERT_EQ(watch(&self->w, at, 2 * page, true), NSUBS);
	ksm_run("ksm_replace");
	EXPECT_CAUSE("ksm_protect", "KSM, a page to compare", RO);
	EXPECT_CAUSE("ksm_replace", "KSM, a page merged", NOTHING);
	/* The page that both share must not be written through an old address. */
	store(&self->w, 0xbad);
	self->w.at = other;
	store(&self->w, 0xbad);
	self->w.at = at;
	EXPECT_EQ(get(at), was);
	EXPECT_EQ(get(other), was);
	EXPECT_SAME_PAGE(&self->w, false);
	self->w.at = other;
	EXPECT_SAME_PAGE(&self->w, false);
	self->w.at = at;
	EXPECT_SAME_PAGE(&self->w, true);
	self->w.at = other;
	EXPECT_SAME_PAGE(&self->w, true);
	write_file(KSM "run", "2");
	write_file(KSM "run", "0");
}

TEST_F(cause, collapse)
{
	char *at = map_huge(MADV_NOHUGEPAGE);

	ASSERT_FALSE(is_huge(at));
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	/* khugepaged may be faster. */
	ASSERT_EQ(madvise(at, HUGE, MADV_HUGEPAGE), 0);
	ASSERT_EQ(madvise(at, HUGE, MADV_COLLAPSE), 0);
	ASSERT_TRUE(is_huge(at));
	EXPECT_CAUSE("collapse", "MADV_COLLAPSE", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, split)
{
	char *at = map_huge(MADV_HUGEPAGE);

	ASSERT_TRUE(is_huge(at));
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	/* Another page of it. */
	ASSERT_EQ(madvise(at + HUGE / 2, page, MADV_DONTNEED), 0);
	ASSERT_FALSE(is_huge(at));
	EXPECT_CAUSE("split", "MADV_DONTNEED in a huge page", ALL);
	EXPECT_KEPT(&self->w, ALL);
	EXPECT_SAME_PAGE(&self->w, true);
	EXPECT_STORE_SEEN(&self->w);
}

/* a mapping of the huge zero page, or NULL */
static char *map_huge_zero(void)
{
	char *at = map(2 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	at = (char *)(((uintptr_t)at + HUGE - 1) & ~(HUGE - 1));
	if (madvise(at, HUGE, MADV_HUGEPAGE))
		return NULL;
	write_file(THP "use_zero_page", "1");
	if (get(at) || (pagemap(at) & PM_FRAME) + 1 != (pagemap(at + page) & PM_FRAME))
		return NULL;
	/* khugepaged leaves alone what it is split into. */
	return madvise(at, HUGE, MADV_NOHUGEPAGE) ? NULL : at;
}

/* Linux 7.3 lets nobody look up the huge zero page. */
static void watch_zero_page(struct __test_metadata *_metadata, struct watch *w, char *at)
{
	int filled = watch(w, at, page, false);

	if (filled)
		ASSERT_EQ(filled, NSUBS);
}

/* Other frames are mapped afterwards. */
TEST_F(cause, split_zero_page)
{
	char *at = map_huge_zero();
	uint64_t frame;

	ASSERT_NE(at, NULL);
	frame = pagemap(at) & PM_FRAME;
	watch_zero_page(_metadata, &self->w, at);
	/* Splits the mapping, and with it the page. */
	ASSERT_EQ(madvise(at + HUGE / 2, page, MADV_DONTFORK), 0);
	EXPECT_NE(frame, pagemap(at) & PM_FRAME);
	EXPECT_CAUSE("split_drop", "part of the huge zero page", NOTHING);
	EXPECT_DROPPED(&self->w);
}

/* A huge page replaces it, or, before Linux 7.3, small ones do. */
TEST_F(cause, write_zero_page)
{
	char *at = map_huge_zero();

	ASSERT_NE(at, NULL);
	watch_zero_page(_metadata, &self->w, at);
	put(at + HUGE / 2, 1);
	if (is_huge(at))
		EXPECT_CAUSE("cow", "write in the huge zero page", NOTHING);
	else
		EXPECT_CAUSE("split_drop", "write in the huge zero page", NOTHING);
	EXPECT_DROPPED(&self->w);
}

TEST_F(cause, split_freeze)
{
	char *at = map_huge(MADV_HUGEPAGE);

	ASSERT_TRUE(is_huge(at));
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	write_file("/sys/kernel/debug/split_huge_pages", "%d,0x%lx,0x%lx\n",
		   getpid(), (unsigned long)at, (unsigned long)at + HUGE);
	ASSERT_FALSE(is_huge(at));
	/* In Linux 7.3, the split is a part of the migration. */
	if (read_trace("split_drop").ranges)
		EXPECT_CAUSE("split_drop", "split of the folio", NOTHING);
	else
		EXPECT_CAUSE("migrate", "split of the folio", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, split_shmem)
{
	char *at = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	write_file(THP "shmem_enabled", "advise");
	at = (char *)(((uintptr_t)at + HUGE - 1) & ~(HUGE - 1));
	at = mmap(at, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED |
		  MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(madvise(at, HUGE, MADV_HUGEPAGE), 0);
	memset(at, 1, HUGE);
	if (!is_huge(at))
		ASSERT_EQ(madvise(at, HUGE, MADV_COLLAPSE), 0);
	ASSERT_TRUE(is_huge(at));
	/* khugepaged would bring it back. */
	ASSERT_EQ(madvise(at, HUGE, MADV_NOHUGEPAGE), 0);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(madvise(at + HUGE / 2, page, MADV_DONTNEED), 0);
	EXPECT_CAUSE("split_drop", "MADV_DONTNEED in huge shmem", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

/*
 * Page tables are shared by those who map the same gigabyte. Cutting a vma
 * inside of it gives up the sharing.
 */
TEST_F(cause, hugetlb_unshare)
{
	size_t giga = 1UL << 30;
	int fd = memfd_create("mmu_causes_test", MFD_HUGETLB);
	char *at;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	ASSERT_EQ(ftruncate(fd, 2 * giga), 0);
	at = mmap(NULL, 3 * giga, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_NORESERVE, -1, 0);
	at = (char *)(((uintptr_t)at + giga - 1) & ~(giga - 1));
	at = mmap(at, 2 * giga, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
	ASSERT_NE(at, MAP_FAILED);
	memset(at, 1, page);
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(munmap(at + giga / 2, HUGE), 0);
	EXPECT_CAUSE("hugetlb_unshare", "munmap() inside a gigabyte", NOTHING);
	EXPECT_SAME_PAGE(&self->w, true);
}

TEST_F(cause, mkclean)
{
	int fd = open_file("mkclean");
	uint64_t *at, v = 0;
	bool stored;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(ftruncate(fd, page), 0);
	at = map(page, MAP_SHARED, fd);
	*at = 1;
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	ASSERT_EQ(msync(at, page, MS_SYNC), 0);
	EXPECT_CAUSE("mkclean", "msync()", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_SAME_PAGE(&self->w, false);
	/* A write after the folio was cleaned must make it to the file. */
	stored = store(&self->w, 0x5eed);
	munmap(at, page);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	write_file("/proc/sys/vm/drop_caches", "1");
	ASSERT_EQ(pread(fd, &v, sizeof(v), 0), (ssize_t)sizeof(v));
	if (stored)
		EXPECT_EQ(v, 0x5eed) TH_LOG("a write was lost");
	close(fd);
}

TEST_F(cause, dirty_track)
{
	int fd = open_file("dirty_track");
	struct test_mn_access a = {};
	struct rusage before, after;
	uint64_t *at, v;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(ftruncate(fd, page), 0);
	at = map(page, MAP_SHARED, fd);
	*at = 1;
	ASSERT_EQ(watch(&self->w, at, page, true), NSUBS);
	a.addr = (uintptr_t)at;
	ASSERT_EQ(ioctl(self->w.fd, TEST_MN_PROTECT, &a), 0);
	EXPECT_CAUSE("dirty_track", "wp_shared_mapping_range()", RO);
	EXPECT_KEPT(&self->w, RO);
	EXPECT_SAME_PAGE(&self->w, false);
	getrusage(RUSAGE_SELF, &before);
	put(at, 2);
	getrusage(RUSAGE_SELF, &after);
	EXPECT_GT(after.ru_minflt, before.ru_minflt);
	/* So a write that does not fault is a write missed. */
	EXPECT_FALSE(load(&self->w, 3, &v));
	close(fd);
}

/* Somewhere in the text, alone in its page. */
__attribute__((noinline, aligned(4096))) void uprobe_target(void)
{
	asm volatile("nop; nop; nop");
}

static unsigned long file_offset(void *at, char *path)
{
	unsigned long start, end, off;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end,
			   &off, path) == 4 &&
		    (uintptr_t)at >= start && (uintptr_t)at < end) {
			fclose(f);
			return (uintptr_t)at - start + off;
		}
	if (f)
		fclose(f);
	return 0;
}

TEST_F(cause, uprobe)
{
	char path[256] = "";
	unsigned long offset = file_offset(uprobe_target, path);
	struct watch set = { .fd = -1 };

	uprobe_target();
	ASSERT_EQ(watch(&set, uprobe_target, page, false), NSUBS);
	write_file(TRACE "uprobe_events", "p:mmu_causes_test/target %s:0x%lx\n",
		   path, offset);
	write_file(TRACE "events/mmu_causes_test/enable", "1");
	/* Since Linux 7.3 this is an ordinary copy. */
	EXPECT_DROPPED(&set);
	close(set.fd);
	ASSERT_EQ(watch(&self->w, uprobe_target, page, false), NSUBS);
	write_file(TRACE "events/mmu_causes_test/enable", "0");
	EXPECT_CAUSE("uprobe", "a breakpoint removed", NOTHING);
	EXPECT_SAME_PAGE(&self->w, false);
	write_file(TRACE "uprobe_events", "\n");
}

/* --- what is kept while the pages are reclaimed and migrated --- */

enum memory { SMALL, HUGE_PAGE, SHMEM, HUGETLB };

FIXTURE(moving) {
	struct watch w;
	char *at;
	size_t len;
	int uffd;
};

FIXTURE_VARIANT(moving) {
	enum memory memory;
	const char *name;
};

FIXTURE_VARIANT_ADD(moving, small) { SMALL, "4K" };
FIXTURE_VARIANT_ADD(moving, thp) { HUGE_PAGE, "THP" };
FIXTURE_VARIANT_ADD(moving, shmem) { SHMEM, "shmem" };
FIXTURE_VARIANT_ADD(moving, hugetlb) { HUGETLB, "hugetlb" };

FIXTURE_SETUP(moving)
{
	page = sysconf(_SC_PAGESIZE);
	truth_only = getenv("MMU_CAUSES_TRUTH_ONLY");
	if (!has_file(TRACE "trace"))
		ASSERT_EQ(0, mount("tracefs", "/sys/kernel/tracing", "tracefs",
				   0, NULL));
	self->len = page;
	switch (variant->memory) {
	case SMALL:
		self->at = map_anon(page);
		break;
	case HUGE_PAGE:
		write_file(THP "enabled", "madvise");
		self->at = map_huge(MADV_HUGEPAGE);
		self->len = HUGE;
		break;
	case SHMEM:
		self->at = map_file(memfd_create("mmu_causes_test", 0), page);
		break;
	case HUGETLB:
		write_file("/proc/sys/vm/nr_hugepages", "8");
		self->at = map(HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
		self->len = HUGE;
		break;
	}
	ASSERT_NE(self->at, NULL);
	put(self->at, 1);
	self->uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	ASSERT_GE(self->uffd, 0);
	ASSERT_EQ(uffd_register(self->uffd, self->at, self->len,
				UFFDIO_REGISTER_MODE_WP), 0);
	ASSERT_GE(watch(&self->w, self->at, page, true), 0);
}

FIXTURE_TEARDOWN(moving)
{
	close(self->w.fd);
	close(self->uffd);
}

/* Somebody else, who reclaims and migrates the memory all the time unless he is to rest */
struct mover {
	char *at;
	size_t len;
	bool reclaim;
	atomic_bool stop, rest, rests;
	atomic_ulong moves;
};

static void *mover(void *arg)
{
	struct mover *m = arg;
	int node = 0, status;
	void *pages[] = { m->at };

	while (!m->stop) {
		m->rests = m->rest;
		if (m->rests) {
			sched_yield();
			continue;
		}
		if (m->reclaim && m->moves % 2)
			madvise(m->at, m->len, MADV_PAGEOUT);
		node = !node;
		syscall(SYS_move_pages, 0, 1, pages, &node, &status, 0);
		m->moves++;
	}
	return NULL;
}

static void let_rest(struct mover *m, bool rest)
{
	m->rest = rest;
	while (m->rests != rest)
		sched_yield();
}

static int change_soft_dirty(struct watch *w, char *at, size_t len, int uffd)
{
	write_file("/proc/self/clear_refs", "4");
	return 0;
}

static int change_rights(struct watch *w, char *at, size_t len, int uffd)
{
	return mprotect(at, len, PROT_READ) || mprotect(at, len, PROT_READ | PROT_WRITE);
}

static int change_wp(struct watch *w, char *at, size_t len, int uffd)
{
	return uffd_protect(uffd, at, len, true) || uffd_protect(uffd, at, len, false);
}

static int change_lazyfree(struct watch *w, char *at, size_t len, int uffd)
{
	return madvise(at, len, MADV_FREE);
}

/* Only what is huge is split. The rest of it is dropped. */
static int change_split(struct watch *w, char *at, size_t len, int uffd)
{
	return madvise(at + HUGE / 2, page, MADV_DONTNEED);
}

static int change_fork(struct watch *w, char *at, size_t len, int uffd)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return child < 0 || waitpid(child, NULL, 0) != child;
}

static const struct {
	const char *what;
	int (*change)(struct watch *w, char *at, size_t len, int uffd);
	unsigned int on;	/* bit set of enum memory */
} changes[] = {
	{ "soft-dirty",		change_soft_dirty, 15 },
	{ "mprotect",		change_rights, 15 },
	{ "uffd_wp, resolve",	change_wp, 15 },
	{ "fork",		change_fork, 15 },
	{ "MADV_FREE",		change_lazyfree, 1 << SMALL | 1 << HUGE_PAGE },
	{ "split",		change_split, 1 << HUGE_PAGE },
};

/*
 * Whoever has an address afterwards was not told of a change, and it must be that of the
 * page that is mapped now: the same frame. Whoever was told has none.
 */
TEST_F_TIMEOUT(moving, kept_or_told, 300)
{
	struct mover m = {
		.at = self->at, .len = self->len, .reclaim = variant->memory != HUGETLB,
		.rest = true,
	};
	uint64_t marker = 0x7700000000, v;
	int i, n, sub, kept, told;
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, mover, &m), 0);
	let_rest(&m, true);
	for (i = 0; i < (int)(sizeof(changes) / sizeof(changes[0])); i++) {
		if (!(changes[i].on & 1 << variant->memory))
			continue;
		for (n = kept = told = 0; n < 200 && (n < 20 || !kept || !told); n++) {
			/* All take the page as it is now. */
			if (variant->memory == HUGE_PAGE && !(n % 4))
				madvise(self->at, HUGE, MADV_COLLAPSE);
			put(self->at, ++marker);
			for (sub = 0; sub < NSUBS; sub++) {
				struct test_mn_access a = {
					.id = self->w.id[sub], .write = true,
				};

				ASSERT_EQ(ioctl(self->w.fd, TEST_MN_FILL, &a), 0);
			}
			/* Each second time at once: nobody may have moved it, and some keep it. */
			let_rest(&m, false);
			if (n % 2)
				sched_yield();
			ASSERT_EQ(changes[i].change(&self->w, self->at, self->len,
						    self->uffd), 0);
			let_rest(&m, true);
			for (sub = 0; sub < NSUBS; sub++) {
				if (!load(&self->w, sub, &v)) {
					told++;
					continue;
				}
				kept++;
				EXPECT_TRUE(same_frame(&self->w, sub))
					TH_LOG("%s, needs %u: another frame",
					       changes[i].what, subs[sub].needs);
				EXPECT_EQ(v, get(self->at));
			}
			if (store(&self->w, ++marker))
				EXPECT_EQ(get(self->at), marker);
		}
		printf("# moving: %-8s %-18s %4d rounds: %4d addresses kept, %4d dropped\n",
		       variant->name, changes[i].what, n, kept, told);
		fflush(stdout);
	}
	EXPECT_GT(m.moves, 0);
	m.stop = true;
	pthread_join(thread, NULL);
}

/* --- what is kept is as if nothing had happened --- */

FIXTURE(keep) {
	int fd;
	char *at;
};

#define PAGES	64
#define MANY	64

FIXTURE_SETUP(keep)
{
	page = sysconf(_SC_PAGESIZE);
	if (!has_file(TRACE "trace"))
		ASSERT_EQ(0, mount("tracefs", "/sys/kernel/tracing", "tracefs",
				   0, NULL));
	self->at = map_anon(PAGES * page);
	self->fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(keep)
{
	close(self->fd);
}

static uint64_t fill(int fd, int id, bool write)
{
	struct test_mn_access a = { .id = id, .write = write };

	return ioctl(fd, TEST_MN_FILL, &a) ? 0 : a.value;
}

static int emit(int fd, void *at, size_t len, uint32_t keeps, uint32_t count)
{
	struct test_mn_emit e = {
		.addr = (uintptr_t)at, .len = len, .keeps = keeps, .count = count,
	};

	return ioctl(fd, TEST_MN_EMIT, &e);
}

/* A subscriber that is new has a sequence one less than that of the mm. */
static uint64_t mm_seq(int fd, void *at)
{
	uint32_t id = add(fd, at, page, TEST_MN_INTERVAL, ALL);
	uint64_t seq = info(fd, id).seq;

	ioctl(fd, TEST_MN_REMOVE, &id);
	return seq + 1;
}

static int trace_lines(const char *event)
{
	char line[1024];
	FILE *f = fopen(TRACE "trace", "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += line[0] != '#' && strstr(line, event);
	if (f)
		fclose(f);
	return n;
}

TEST_F(keep, loop)
{
	int id[MANY], i;
	uint64_t seq;

	for (i = 0; i < MANY; i++) {
		id[i] = add(self->fd, self->at, PAGES * page, TEST_MN_INTERVAL,
			    RO);
		ASSERT_GE(id[i], 0);
		ASSERT_EQ(fill(self->fd, id[i], false), PAGES);
	}
	seq = mm_seq(self->fd, self->at);
	write_file(TRACE "events/mmu_notifier/mmu_interval_wake/enable", "1");
	write_file(TRACE "trace", "\n");
	for (i = 0; i < 100; i++)
		write_file("/proc/self/clear_refs", "4");
	ASSERT_EQ(emit(self->fd, self->at, PAGES * page, RO, 1000), 0);
	EXPECT_EQ(mm_seq(self->fd, self->at), seq);
	EXPECT_EQ(trace_lines("mmu_interval_wake:"), 0);
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(info(self->fd, id[i]).calls, 0);
		EXPECT_EQ(info(self->fd, id[i]).dropped, 0);
	}

	/* And the same where it is not kept, so that the above says something. */
	ASSERT_EQ(emit(self->fd, self->at, PAGES * page, MAPPED, 10), 0);
	EXPECT_EQ(mm_seq(self->fd, self->at), seq + 20);
	EXPECT_EQ(trace_lines("mmu_interval_wake:"), 10);
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(info(self->fd, id[i]).calls, 10);
	write_file(TRACE "events/mmu_notifier/mmu_interval_wake/enable", "0");
}

/* More than are passed under the lock: the sequence moves, and that is all. */
TEST_F_TIMEOUT(keep, many, 120)
{
	enum { SUBS = 10000 };
	uint64_t seq, calls = 0, dropped = 0;
	int i, last;

	for (i = 0; i < SUBS; i++)
		ASSERT_EQ(add(self->fd, self->at + i % PAGES * page, page,
			      TEST_MN_INTERVAL, RO), i);
	ASSERT_EQ(fill(self->fd, SUBS - 1, false), 1);
	seq = mm_seq(self->fd, self->at);
	write_file("/proc/self/clear_refs", "4");
	EXPECT_EQ(mm_seq(self->fd, self->at), seq + 2);
	for (i = 0; i < SUBS; i++) {
		calls += info(self->fd, i).calls;
		dropped += info(self->fd, i).dropped;
	}
	EXPECT_EQ(calls, 0);
	EXPECT_EQ(dropped, 0);

	/* Behind all of them in the tree, and called. */
	last = add(self->fd, self->at + (PAGES - 1) * page, page, TEST_MN_INTERVAL, NOTHING);
	write_file("/proc/self/clear_refs", "4");
	EXPECT_EQ(info(self->fd, last).calls, 1);
	EXPECT_EQ(info(self->fd, SUBS - 1).calls, 0);
}

struct filler {
	int fd, id;
	uint64_t filled;
};

static void *filler(void *arg)
{
	struct filler *f = arg;

	f->filled = fill(f->fd, f->id, false);
	return NULL;
}

/* A fill is under way, and then something happens to the page. */
static uint64_t fill_against(int fd, void *at, uint32_t keeps)
{
	struct filler f = { fd, add(fd, at, page, TEST_MN_INTERVAL, RO), 0 };
	struct test_mn_hold hold = {
		.id = f.id, .point = TEST_MN_HOLD_FILL, .ms = 300,
	};
	pthread_t thread;

	ioctl(fd, TEST_MN_HOLD, &hold);
	pthread_create(&thread, NULL, filler, &f);
	sleep_ms(100);
	emit(fd, at, page, keeps, 1);
	pthread_join(thread, NULL);
	return f.filled;
}

TEST_F(keep, fill_against_kept)
{
	EXPECT_EQ(fill_against(self->fd, self->at, RO), 1);
	EXPECT_EQ(fill_against(self->fd, self->at, ALL), 1);
	EXPECT_EQ(fill_against(self->fd, self->at, MAPPED), 0);
	EXPECT_EQ(fill_against(self->fd, self->at, NOTHING), 0);
}

static void *dontneed(void *at)
{
	madvise(at, page, MADV_DONTNEED);
	return NULL;
}

/*
 * Subscribed in the middle of an invalidation: a fill waits for its end, and so
 * does not take the page that is about to go.
 */
TEST_F(keep, insert_while_invalidated)
{
	struct test_mn_hold hold = { .point = TEST_MN_HOLD_CALLBACK, .ms = 300 };
	struct watch w = { .fd = self->fd, .at = (uint64_t *)self->at };
	uint64_t v = 0;
	pthread_t thread;
	int i;

	hold.id = add(self->fd, self->at, page, TEST_MN_INTERVAL, NOTHING);
	ASSERT_EQ(ioctl(self->fd, TEST_MN_HOLD, &hold), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, dontneed, self->at), 0);
	sleep_ms(100);
	for (i = 0; i < 4; i++) {
		w.id[i] = add(self->fd, self->at, page, TEST_MN_INTERVAL,
			      subs[i].needs);
		fill(self->fd, w.id[i], false);
	}
	pthread_join(thread, NULL);
	put(self->at, 0x77);
	for (i = 0; i < 4; i++)
		if (load(&w, i, &v))
			EXPECT_EQ(v, 0x77);
}

struct churn {
	int fd;
	char *at;
	atomic_bool stop;
	atomic_ulong rounds;
	unsigned int seed;
};

static void *churn_emit(void *arg)
{
	struct churn *c = arg;
	unsigned int seed = c->seed;

	while (!c->stop) {
		char *at = c->at + rand_r(&seed) % PAGES * page;

		switch (rand_r(&seed) % 6) {
		case 0:
			madvise(at, page, MADV_DONTNEED);
			break;
		case 1:
			mprotect(at, page, PROT_READ);
			mprotect(at, page, PROT_READ | PROT_WRITE);
			break;
		case 2:
			write_file("/proc/self/clear_refs", "4");
			break;
		case 3:
			madvise(at, page, MADV_FREE);
			break;
		default:
			emit(c->fd, c->at, PAGES * page, rand_r(&seed) % 8, 8);
		}
		c->rounds++;
	}
	return NULL;
}

/*
 * Subscribers of all kinds come, fill, and go while ranges of all kinds run. One
 * of each needs stays for the whole mm, and in the end has seen an end for each
 * start. The driver warns of an end that had none.
 */
TEST_F_TIMEOUT(keep, churn, 120)
{
	struct churn c[2] = {};
	pthread_t thread[2];
	unsigned int seed = 1, n;
	int i;

	for (i = 0; i < 2; i++) {
		c[i].fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
		c[i].at = self->at;
		c[i].seed = i + 7;
		for (n = 0; n < 8; n++)
			ASSERT_EQ(add(c[i].fd, self->at, PAGES * page,
				      TEST_MN_MM, n), n);
		ASSERT_EQ(pthread_create(&thread[i], NULL, churn_emit, &c[i]), 0);
	}
	for (n = 0; n < 300 || c[0].rounds < 300 || c[1].rounds < 300; n++) {
		size_t first = rand_r(&seed) % PAGES;
		uint32_t id[8];

		close(self->fd);
		self->fd = open("/dev/test_mmu_notifier", O_RDWR | O_CLOEXEC);
		for (i = 0; i < 8; i++) {
			id[i] = add(self->fd, self->at + first * page, page,
				    i == 7 ? TEST_MN_MM : TEST_MN_INTERVAL, i);
			ASSERT_EQ(id[i], i);
			fill(self->fd, id[i], i & 4);
		}
		/* Whoever still has an address. A kernel that poisons pages sees one that is gone. */
		for (i = 0; i < 8; i++) {
			struct test_mn_access a = {
				.addr = (uintptr_t)self->at + first * page, .id = id[i],
			};

			if (!ioctl(self->fd, TEST_MN_LOAD, &a) && i & 4)
				ioctl(self->fd, TEST_MN_STORE, &a);
		}
		for (i = 0; i < 8; i += 2)
			ASSERT_EQ(ioctl(self->fd, TEST_MN_REMOVE, &id[i]), 0);
	}
	for (i = 0; i < 2; i++) {
		c[i].stop = true;
		pthread_join(thread[i], NULL);
	}
	for (i = 0; i < 2; i++) {
		for (n = 0; n < 8; n++) {
			EXPECT_EQ(info(c[i].fd, n).active, 0);
			EXPECT_GT(info(c[i].fd, n).calls, 0);
		}
		close(c[i].fd);
	}
}

TEST_HARNESS_MAIN
