// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM drops of a guest's memory when the host changes its page tables, and what the
 * guest reads and writes meanwhile.
 *
 * The guest goes through its memory: it compares a word of each page with what it should
 * be, and writes one of every eighth page. For each action of the host, count of how many
 * ranges KVM was told, how many pages it dropped, how often it said that memory was
 * reclaimed (an SEV host flushes all caches then), how many pfn caches had to be looked
 * up again, and how many faults the guest has when it goes through its memory next.
 *
 *	-k	fail where KVM does not keep what it could (KVM_MMU_KEEPS)
 *	-n	the memory is that of a nested guest, with nested paging
 *	-m MIB	of memory; default 64
 *	-s N	rounds of everything at once; default 10
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "kvm_util.h"
#include "processor.h"
#include "svm_util.h"
#include "test_util.h"

#define MEM_GPA		(1ULL << 32)
#define MEM_GVA		0xc0000000UL
#define MEM_SLOT	1
#define HUGE		(2UL << 20)
/* The first pages, mapped by one page table, and where that is for the guest */
#define SMALL_GVA	0xd0000000UL
#define TABLE_GVA	0xe0000000UL
#define NR_SMALL	512
/* Of so many pages, the guest writes one. */
#define STEP		8
/* Pages at the end that KVM writes. */
#define XEN_PAGES	2
#define TRACING		"/sys/kernel/tracing/"
#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define BALANCING	"/sys/kernel/debug/sched/numa_balancing/"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* --- The guest --- */

static uint64_t nr_checked;	/* pages */
static uint64_t want, next;	/* generation that is there, and to write; 0: none */
static uint64_t with_holes;	/* pages that the host may drop and fill at any time */
static uint64_t nested_cr3;
static uint64_t watched;	/* address to go on using, until stopped; 0: none */
static uint64_t watch_writes, watch_ends, watch_uses;
static uint64_t table_step;

static uint64_t value(uint64_t page, uint64_t generation)
{
	return page << 20 | (page % STEP ? 0 : generation);
}

static bool is_good(uint64_t page, uint64_t v, uint64_t generation)
{
	return v == value(page, generation) || (with_holes && page % STEP == STEP / 2 && !v);
}

static void watch(void)
{
	uint64_t *at = (uint64_t *)watched;

	while (!READ_ONCE(watch_ends)) {
		uint64_t v = READ_ONCE(*at);

		if (watch_writes)
			WRITE_ONCE(*at, v);
		WRITE_ONCE(watch_uses, watch_uses + 1);
	}
}

/* Give the pages of a page table other rights, and then write what it maps. */
static void change_table(void)
{
	uint64_t *table = (uint64_t *)TABLE_GVA;

	for (uint64_t i = 0; i < NR_SMALL; i++) {
		if (table_step == 2)
			table[i] ^= PTE_NX_MASK;
		else
			WRITE_ONCE(((uint64_t *)(SMALL_GVA + i * PAGE_SIZE))[1], table_step);
	}
	asm volatile("mov %0, %%cr3" : : "r" (get_cr3()) : "memory");
}

static void guest_code(void)
{
	for (;;) {
		if (watched || table_step) {
			if (watched)
				watch();
			else
				change_table();
			GUEST_SYNC(0);
			continue;
		}
		for (uint64_t i = 0; i < nr_checked; i++) {
			uint64_t *at = (uint64_t *)(MEM_GVA + i * PAGE_SIZE);
			uint64_t v = READ_ONCE(*at);

			if (!is_good(i, v, want))
				GUEST_FAIL("page %lu has %lx and not %lx", i, v, value(i, want));
			if (next && i % STEP == 0)
				WRITE_ONCE(*at, value(i, next));
		}
		GUEST_SYNC(next);
	}
}

#define L2_STACK	64

static void nesting_guest_code(struct svm_test_data *svm)
{
	static unsigned long stack[L2_STACK * 16];

	generic_svm_setup(svm, guest_code, &stack[L2_STACK * 16 - 8]);
	svm->vmcb->control.nested_ctl |= SVM_NESTED_CTL_NP_ENABLE;
	svm->vmcb->control.nested_cr3 = nested_cr3;
	run_guest(svm->vmcb, svm->vmcb_gpa);
	GUEST_FAIL("the nested guest ended with %x", svm->vmcb->control.exit_code);
}

/* --- The host --- */

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static uint64_t nr_pages, size;
static char *mem;
static bool strict, nested;
static uint64_t generation = 1;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	TEST_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		    "cannot write '%s' to %s", text, path);
	close(fd);
}

static uint64_t number_in(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	uint64_t v = 0;
	char line[256];

	TEST_ASSERT(f, "cannot open %s", path);
	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(name);

		if (!strncmp(line, name, n) && (!n || line[n] == ' '))
			v = strtoull(line + n + strspn(line + n, " :"), NULL, 0);
	}
	fclose(f);
	return v;
}

/* How often NUMA balancing went through this process's memory */
static uint64_t numa_scans(void)
{
	return number_in("/proc/self/sched", "mm->numa_scan_seq");
}

/* What the host sees is what the guest should see. */
static void check_host(void)
{
	for (uint64_t i = 0; i < nr_checked; i++) {
		uint64_t v = READ_ONCE(*(uint64_t *)(mem + i * PAGE_SIZE));

		TEST_ASSERT(is_good(i, v, generation), "the host sees %lx in page %lu, not %lx",
			    v, i, value(i, generation));
	}
}

/* Once through all of the memory */
static void run_guest_once(bool writes)
{
	struct ucall uc;

	want = generation;
	next = writes ? generation + 1 : 0;
	sync_global_to_guest(vm, want);
	sync_global_to_guest(vm, next);
	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		break;
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("exit %d of the guest", vcpu->run->exit_reason);
	}
	if (writes)
		generation = next;
}

/* What the guest expects */
static void write_values(void)
{
	for (uint64_t i = 0; i < nr_pages; i++)
		*(uint64_t *)(mem + i * PAGE_SIZE) = i < nr_checked ? value(i, generation) : 0;
}

/* New pages with the contents that the guest expects */
static void fill(bool huge)
{
	TEST_ASSERT(!madvise(mem, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), "madvise");
	TEST_ASSERT(!madvise(mem, size, MADV_DONTNEED), "MADV_DONTNEED");
	write_values();
	/* Where there were small pages, there is a page table. */
	TEST_ASSERT(!huge || !madvise(mem, size, MADV_COLLAPSE), "MADV_COLLAPSE");
}

/* --- Counts --- */

struct counts {
	uint64_t told, reclaimed, refreshed, flushed, mapped, faults;
	uint64_t of_host;	/* faults, of this thread, most of them KVM's for the guest */
};

enum { TOLD, RECLAIMED, REFRESHED, NR_COUNTERS };

static int counters[NR_COUNTERS][64];
static int nr_cpus;

static void open_counter(int which, struct perf_event_attr attr, const char *name)
{
	attr.size = sizeof(attr);
	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		counters[which][cpu] = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
		TEST_ASSERT(counters[which][cpu] >= 0, "cannot count %s", name);
	}
}

static void count_event(int which, const char *event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	char path[256];

	snprintf(path, sizeof(path), TRACING "events/%s/id", event);
	attr.config = number_in(path, "");
	TEST_ASSERT(attr.config, "no event %s", event);
	open_counter(which, attr, event);
}

/* By a breakpoint: where a function begins with a static call, no kprobe can be. */
static void count_calls(int which, const char *function)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .bp_type = HW_BREAKPOINT_X, .bp_len = sizeof(long),
	};
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long long at;
	char line[512], name[256];

	TEST_ASSERT(f, "cannot open /proc/kallsyms");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx %*c %255s", &at, name) == 2 && !strcmp(name, function))
			attr.bp_addr = at;
	fclose(f);
	TEST_ASSERT(attr.bp_addr, "no function %s, or this is not root", function);
	open_counter(which, attr, function);
}

static void open_counters(void)
{
	/* It may be there. */
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	nr_cpus = min_t(int, sysconf(_SC_NPROCESSORS_ONLN), ARRAY_SIZE(counters[0]));
	count_event(TOLD, "kvm/kvm_unmap_hva_range");
	count_calls(RECLAIMED, "kvm_arch_guest_memory_reclaimed");
	count_calls(REFRESHED, "kvm_gpc_refresh");
}

static void close_counters(void)
{
	for (int i = 0; i < NR_COUNTERS; i++)
		for (int cpu = 0; cpu < nr_cpus; cpu++)
			close(counters[i][cpu]);
}

static uint64_t counter(int which)
{
	uint64_t sum = 0, v;

	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		TEST_ASSERT(read(counters[which][cpu], &v, sizeof(v)) == sizeof(v), "counter");
		sum += v;
	}
	return sum;
}

static uint64_t vcpu_stat(const char *name)
{
	static struct kvm_stats_header header;
	static struct kvm_stats_desc *descs;
	static int fd;
	uint64_t v;

	if (!fd) {
		fd = vcpu_get_stats_fd(vcpu);
		read_stats_header(fd, &header);
		descs = read_stats_descriptors(fd, &header);
	}
	for (uint32_t i = 0; i < header.num_desc; i++) {
		struct kvm_stats_desc *desc = get_stats_descriptor(descs, i, &header);

		if (strcmp(desc->name, name))
			continue;
		read_stat_data(fd, &header, desc, &v, 1);
		return v;
	}
	TEST_FAIL("KVM has no statistic %s", name);
	return 0;
}

static struct counts count(void)
{
	struct rusage usage;

	TEST_ASSERT(!getrusage(RUSAGE_THREAD, &usage), "getrusage");
	return (struct counts) {
		.told = counter(TOLD),
		.reclaimed = counter(RECLAIMED),
		.refreshed = counter(REFRESHED),
		.flushed = vm_get_stat(vm, "remote_tlb_flush"),
		.mapped = vm_get_stat(vm, "pages_4k") + vm_get_stat(vm, "pages_2m") * 512,
		.faults = vcpu_stat("pf_taken"),
		.of_host = usage.ru_minflt,
	};
}

/* --- A pfn cache: two pages of Xen's, which KVM writes where an event is sent --- */

/* Where the shared page has the bits of events that are pending */
#define XEN_PENDING	2048

static bool has_xen;
static int nr_sent;

static void set_up_xen(void)
{
	uint64_t gfn = MEM_GPA / PAGE_SIZE + nr_checked;
	struct kvm_xen_hvm_config config = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND,
		.msr = 0x40000000,
	};
	struct kvm_xen_hvm_attr long_mode = {
		.type = KVM_XEN_ATTR_TYPE_LONG_MODE, .u.long_mode = 1,
	};
	struct kvm_xen_hvm_attr shared = {
		.type = KVM_XEN_ATTR_TYPE_SHARED_INFO, .u.shared_info.gfn = gfn,
	};
	struct kvm_xen_vcpu_attr info = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, .u.gpa = (gfn + 1) * PAGE_SIZE,
	};

	has_xen = kvm_check_cap(KVM_CAP_XEN_HVM) & KVM_XEN_HVM_CONFIG_EVTCHN_SEND;
	if (!has_xen)
		return;
	vm_ioctl(vm, KVM_XEN_HVM_CONFIG, &config);
	vm_ioctl(vm, KVM_XEN_HVM_SET_ATTR, &long_mode);
	vm_ioctl(vm, KVM_XEN_HVM_SET_ATTR, &shared);
	vcpu_ioctl(vcpu, KVM_XEN_VCPU_SET_ATTR, &info);
}

/* Whether the host sees that event @n is pending */
static bool is_pending(int n)
{
	uint64_t *bits = (uint64_t *)(mem + nr_checked * PAGE_SIZE + XEN_PENDING);

	return READ_ONCE(bits[n / 64]) >> n % 64 & 1;
}

/* Each is another one, so that each is written. */
static void send_event(void)
{
	struct kvm_irq_routing_xen_evtchn event = {
		.port = nr_sent + 1, .vcpu = vcpu->id,
		.priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL,
	};
	int ret;

	if (!has_xen)
		return;
	ret = __vm_ioctl(vm, KVM_XEN_HVM_EVTCHN_SEND, &event);
	TEST_ASSERT(ret >= 0, "KVM_XEN_HVM_EVTCHN_SEND");
	nr_sent++;
	TEST_ASSERT(is_pending(nr_sent), "the event is not in the page that is mapped");
}

/* --- The actions --- */

/* Of each huge page, give one small page another vma: that splits it in place. */
static void split(void)
{
	for (uint64_t at = HUGE / 2; at < size; at += HUGE)
		TEST_ASSERT(!madvise(mem + at, PAGE_SIZE, MADV_DONTDUMP), "MADV_DONTDUMP");
}

static void one_vma(void)
{
	TEST_ASSERT(!madvise(mem, size, MADV_DODUMP), "MADV_DODUMP");
}

static void *wait_for_end(void *arg)
{
	char c;

	/* Of one thread, local memory gets no hints. */
	return read(*(int *)arg, &c, 1) == 1 ? NULL : arg;
}

static void hints(void)
{
	/* The first may have begun. */
	uint64_t last = numa_scans() + 2;
	time_t end = time(NULL) + 240;
	static uint64_t here;
	pthread_t thread;
	int p[2];

	TEST_ASSERT(!pipe(p) && !pthread_create(&thread, NULL, wait_for_end, p), "thread");
	write_text(BALANCING "scan_delay_ms", "10");
	write_text(BALANCING "scan_period_min_ms", "10");
	write_text(BALANCING "scan_size_mb", "1024");
	write_text("/proc/sys/kernel/numa_balancing", "1");
	while (numa_scans() < last && time(NULL) < end)
		for (int n = 0; n < 200000; n++)
			WRITE_ONCE(here, n);
	write_text("/proc/sys/kernel/numa_balancing", "0");
	TEST_ASSERT(numa_scans() >= last, "no hints");
	TEST_ASSERT(write(p[1], "", 1) == 1, "pipe");
	pthread_join(thread, NULL);
	close(p[0]);
	close(p[1]);
}

static void protect(void)
{
	TEST_ASSERT(!mprotect(mem, size, PROT_READ), "mprotect");
}

static void unprotect(void)
{
	TEST_ASSERT(!mprotect(mem, size, PROT_READ | PROT_WRITE), "mprotect");
}

static void clear_soft_dirty(void)
{
	write_text("/proc/self/clear_refs", "4");
}

/* Has page @i become dirty again? */
static void check_page_dirty(uint64_t i, bool wanted)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t v;

	TEST_ASSERT(pread(fd, &v, 8, ((uintptr_t)mem / PAGE_SIZE + i) * 8) == 8, "pagemap");
	close(fd);
	TEST_ASSERT(!!(v & BIT_ULL(55)) == wanted, "page %lu is %sdirty", i, wanted ? "not " : "");
}

/* Just what the guest wrote, and if @event, what KVM wrote for it. */
static void check_soft_dirty(bool event)
{
	for (uint64_t i = 0; i < nr_checked; i++)
		check_page_dirty(i, i % STEP == 0);
	if (event && has_xen)
		check_page_dirty(nr_checked, true);
}

static int uffd;

static void open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register reg = {
		.range = { (uintptr_t)mem, size }, .mode = UFFDIO_REGISTER_MODE_WP,
	};

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	TEST_ASSERT(uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api) &&
		    !ioctl(uffd, UFFDIO_REGISTER, &reg), "userfaultfd");
}

static void write_protect(void *at, size_t len, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)at, len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	TEST_ASSERT(!ioctl(uffd, UFFDIO_WRITEPROTECT, &wp), "UFFDIO_WRITEPROTECT");
}

static void wp(void)
{
	write_protect(mem, size, true);
}

static void resolve(void)
{
	write_protect(mem, size, false);
}

/* Save a page before its first write. */
static uint64_t *saved;
static int stop[2];

static void *save_pages(void *arg)
{
	struct pollfd fds[] = {
		{ .fd = uffd, .events = POLLIN }, { .fd = stop[0], .events = POLLIN },
	};
	struct uffd_msg msg;

	for (;;) {
		TEST_ASSERT(poll(fds, 2, -1) > 0, "poll");
		while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
			char *at = (char *)(msg.arg.pagefault.address & ~(PAGE_SIZE - 1));

			TEST_ASSERT(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP, "not of a write");
			saved[(at - mem) / PAGE_SIZE] = *(uint64_t *)at;
			write_protect(at, PAGE_SIZE, false);
		}
		if (fds[1].revents)
			return NULL;
	}
}

static pthread_t start_saving(void)
{
	pthread_t thread;

	for (uint64_t i = 0; i < nr_pages; i++)
		saved[i] = ~0ULL;
	TEST_ASSERT(!pipe(stop) && !pthread_create(&thread, NULL, save_pages, NULL), "thread");
	return thread;
}

static void stop_saving(pthread_t thread)
{
	TEST_ASSERT(write(stop[1], "", 1) == 1, "pipe");
	pthread_join(thread, NULL);
	close(stop[0]);
	close(stop[1]);
}

/* The snapshot is of the moment of write protection. */
static void check_snapshot(uint64_t then)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < nr_checked; i++) {
		uint64_t v = saved[i];

		if (v == ~0ULL)
			v = *(uint64_t *)(mem + i * PAGE_SIZE);
		else
			n++;
		TEST_ASSERT(v == value(i, then), "the snapshot has %lx in page %lu, not %lx",
			    v, i, value(i, then));
	}
	TEST_ASSERT(n == (nr_checked + STEP - 1) / STEP, "%lu pages were saved", n);
}

/* A child has the memory of the moment of fork(), whatever the guest writes. */
static pid_t child;
static int go[2];

static void fork_child(void)
{
	TEST_ASSERT(!pipe(go), "pipe");
	child = fork();
	TEST_ASSERT(child >= 0, "fork");
	if (!child) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(2);
		for (uint64_t i = 0; i < nr_checked; i++)
			if (*(uint64_t *)(mem + i * PAGE_SIZE) != value(i, generation))
				_exit(1);
		/* The next event is sent after fork(). */
		_exit(has_xen && is_pending(nr_sent + 1) ? 3 : 0);
	}
	close(go[0]);
}

static void end_child(void)
{
	int status;

	close(go[1]);
	TEST_ASSERT(waitpid(child, &status, 0) == child && !status,
		    "the child sees what the guest wrote after fork(): %x", status);
}

static void lazy_free(void)
{
	TEST_ASSERT(!madvise(mem, nr_checked * PAGE_SIZE, MADV_FREE), "MADV_FREE");
}

/*
 * What the guest wrote since is not freed.  What it only read is, unless KVM mapped it
 * again, for then it does so for writing and as dirty.
 */
static void check_not_freed(void)
{
	uint64_t freed = 0;

	TEST_ASSERT(!madvise(mem, nr_checked * PAGE_SIZE, MADV_PAGEOUT), "MADV_PAGEOUT");
	for (uint64_t i = 0; i < nr_checked; i++) {
		uint64_t v = *(uint64_t *)(mem + i * PAGE_SIZE);

		freed += i && !v;
		TEST_ASSERT(v == value(i, generation) || (i % STEP && !v),
			    "page %lu has %lx after it was written and MADV_FREE", i, v);
	}
	ksft_print_msg("of %lu pages, reclaim freed %lu\n", nr_checked, freed);
	TEST_ASSERT(freed || !strict, "reclaim freed nothing");
}

static void drop(void)
{
	TEST_ASSERT(!madvise(mem, size, MADV_DONTNEED), "MADV_DONTNEED");
	write_values();
}

/* --- Rows --- */

#define NO_RANGE	1	/* KVM is not even told */
#define NO_ZAP		2	/* no page is dropped */
#define NO_RECLAIM	4
#define NO_REFRESH	8
#define ZAPS		16	/* pages must be dropped, and faults happen */
#define RECLAIMS	32	/* it must be said that memory was reclaimed */
#define READS		64	/* the guest only reads next */
#define NO_XEN		128	/* the pfn caches cannot be used */
#define ALWAYS		(ZAPS | RECLAIMS)

/* An action, and once through the memory */
static struct counts measure(const char *name, void (*action)(void), unsigned int flags)
{
	struct counts a, b, c;
	bool ok = true;

	if (!(flags & NO_XEN))
		send_event();
	a = count();
	action();
	b = count();
	if (!(flags & NO_XEN))
		send_event();
	b.refreshed = counter(REFRESHED);
	b.faults = vcpu_stat("pf_taken");
	b.of_host = count().of_host;
	run_guest_once(!(flags & READS));
	c = count();
	check_host();
	b.told -= a.told;
	b.reclaimed -= a.reclaimed;
	b.refreshed -= a.refreshed;
	b.flushed -= a.flushed;
	b.mapped = a.mapped > b.mapped ? a.mapped - b.mapped : 0;
	b.faults = c.faults - b.faults;
	b.of_host = c.of_host - b.of_host;
	printf("# row: %-22s %8lu %8lu %8lu %8lu %8lu\n", name, b.told, b.mapped, b.faults,
	       b.reclaimed, b.refreshed);

	if (flags & ZAPS)
		ok &= b.mapped >= nr_pages / 2 && b.faults;
	if (flags & RECLAIMS)
		ok &= b.reclaimed;
	if (strict) {
		if (flags & NO_RANGE)
			ok &= !b.told;
		if (flags & NO_ZAP)
			ok &= !b.mapped;
		if (flags & NO_RECLAIM)
			ok &= !b.reclaimed;
		if (flags & NO_REFRESH)
			ok &= !b.refreshed;
	}
	ksft_test_result(ok, "%s\n", name);
	return b;
}

static void ready(bool huge)
{
	fill(huge);
	run_guest_once(true);
}

static void rows(void)
{
	struct counts b;
	uint64_t then;
	pthread_t thread;

	ready(true);
	measure("dontneed", drop, ALWAYS);

	ready(true);
	measure("split", split, NO_RANGE | NO_ZAP | NO_RECLAIM | NO_REFRESH);
	one_vma();

	ready(true);
	b = measure("hints", hints, ZAPS | NO_RECLAIM | NO_REFRESH);
	TEST_ASSERT(b.of_host >= size / HUGE, "%lu accesses through KVM met a hint", b.of_host);

	ready(false);
	measure("mprotect read-only", protect, NO_ZAP | NO_RECLAIM | READS | NO_XEN);
	measure("mprotect writable", unprotect, NO_ZAP | NO_RECLAIM | NO_XEN);

	ready(false);
	measure("soft-dirty", clear_soft_dirty, NO_ZAP | NO_RECLAIM);
	check_soft_dirty(true);

	ready(false);
	measure("fork", fork_child, NO_ZAP | NO_RECLAIM);
	end_child();

	ready(false);
	measure("madv_free", lazy_free, NO_ZAP | NO_RECLAIM);
	check_not_freed();

	ready(false);
	open_uffd();
	measure("uffd-wp", wp, NO_ZAP | NO_RECLAIM | READS | NO_XEN);
	measure("uffd-wp resolve", resolve, NO_RANGE | NO_ZAP | NO_RECLAIM | NO_XEN);

	ready(false);
	then = generation;
	thread = start_saving();
	measure("background snapshot", wp, NO_ZAP | NO_RECLAIM | NO_XEN);
	stop_saving(thread);
	check_snapshot(then);
	resolve();
}

/* --- While the guest uses a page --- */

static void *run_watch(void *arg)
{
	run_guest_once(false);
	return NULL;
}

static void *use_processor(void *arg)
{
	while (!READ_ONCE(watch_ends))
		asm volatile("pause");
	return NULL;
}

static pthread_t start_on(int cpu, void *(*fn)(void *))
{
	pthread_t thread;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	TEST_ASSERT(!pthread_create(&thread, NULL, fn, NULL) &&
		    !pthread_setaffinity_np(thread, sizeof(cpus), &cpus), "thread");
	return thread;
}

/*
 * Do what takes long while the guest uses a page near the end of its memory: what the
 * host does begins with the other end.  The host has little of its processor, so that the
 * guest gets far between the moment when KVM is told and the change of that page's entry.
 */
static void while_watched(void (*action)(void), bool writes)
{
	pthread_t guest, other;
	cpu_set_t all, cpus;
	uint64_t before;

	watched = MEM_GVA + size - HUGE / 4;
	watch_writes = writes;
	watch_ends = watch_uses = 0;
	sync_global_to_guest(vm, watched);
	sync_global_to_guest(vm, watch_writes);
	sync_global_to_guest(vm, watch_ends);
	sync_global_to_guest(vm, watch_uses);

	TEST_ASSERT(!sched_getaffinity(0, sizeof(all), &all), "affinity");
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "affinity");
	guest = start_on(nr_cpus - 1, run_watch);
	while (!watch_uses) {
		usleep(1000);
		sync_global_from_guest(vm, watch_uses);
	}
	other = start_on(0, use_processor);
	setpriority(PRIO_PROCESS, 0, 10);
	sync_global_from_guest(vm, watch_uses);
	before = watch_uses;
	action();
	sync_global_from_guest(vm, watch_uses);
	setpriority(PRIO_PROCESS, 0, 0);
	ksft_print_msg("the guest used the page %lu times\n", watch_uses - before);

	WRITE_ONCE(watch_ends, 1);
	sync_global_to_guest(vm, watch_ends);
	pthread_join(guest, NULL);
	pthread_join(other, NULL);
	watched = 0;
	sync_global_to_guest(vm, watched);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(all), &all), "affinity");
}

/* All but the second half of the last huge page */
static void drop_most(void)
{
	TEST_ASSERT(!madvise(mem, size - HUGE / 2, MADV_DONTNEED), "MADV_DONTNEED");
}

/*
 * The guest uses the half of a huge page that stays.  The whole of it may be mapped for
 * the guest until the host splits it, and not longer: the other half is then of pages
 * that were freed.
 */
static void part_of_huge(int rounds)
{
	for (int n = 0; n < rounds; n++) {
		fill(false);
		/* One vma, so that KVM is told once. */
		TEST_ASSERT(!madvise(mem, size, MADV_HUGEPAGE) &&
			    !madvise(mem + size - HUGE, HUGE, MADV_COLLAPSE), "madvise");
		run_guest_once(false);
		TEST_ASSERT(vm_get_stat(vm, "pages_2m"), "KVM has no huge page");
		while_watched(drop_most, false);
		generation++;
		write_values();
		run_guest_once(true);
		check_host();
	}
	ksft_test_result(true, "a part of a huge page, in use\n");
}

/* A write between the moment when KVM is told and the change is none after it. */
static void soft_dirty_in_use(int rounds)
{
	for (int n = 0; n < rounds; n++) {
		ready(false);
		while_watched(clear_soft_dirty, true);
		run_guest_once(true);
		check_host();
		check_soft_dirty(false);
	}
	ksft_test_result(true, "soft-dirty of what is in use\n");
}

/* --- A guest that changes its page table --- */

static void step_table(int n)
{
	table_step = n;
	sync_global_to_guest(vm, table_step);
	run_guest_once(false);
	table_step = 0;
	sync_global_to_guest(vm, table_step);
}

/*
 * Without two-dimensional paging, KVM makes new SPTEs of old ones when a guest has changed
 * a page table and flushes TLBs.  They permit no writes which the host does not.
 */
static void changed_table(void)
{
	ready(false);
	step_table(1);
	clear_soft_dirty();
	step_table(2);
	step_table(3);
	for (uint64_t i = 0; i < NR_SMALL; i++)
		check_page_dirty(i, true);
	check_host();
	ksft_test_result(true, "soft-dirty, and the guest changes its page table\n");
}

static void set_up_table(void)
{
	uint64_t *table;

	for (uint64_t i = 0; i < NR_SMALL; i++)
		virt_pg_map(vm, SMALL_GVA + i * PAGE_SIZE, MEM_GPA + i * PAGE_SIZE);
	table = vm_get_page_table_entry(vm, SMALL_GVA);
	virt_pg_map(vm, TABLE_GVA, addr_hva2gpa(vm, table));
}

/* --- All at once --- */

static bool storm_ends;
static uint64_t passes;	/* times through the memory */

static void *run_in_storm(void *arg)
{
	while (!READ_ONCE(storm_ends)) {
		run_guest_once(true);
		check_host();
		WRITE_ONCE(passes, passes + 1);
	}
	return NULL;
}

/*
 * Drop a small page of each huge one, and fill it. KVM is told of the small page, then
 * the huge entry is split, and the page is freed: whoever still has it sees what the next
 * owner writes.
 */
static void make_holes(int round)
{
	for (uint64_t i = (round * STEP + STEP / 2) % 512; i < nr_checked; i += 512) {
		TEST_ASSERT(!madvise(mem + i * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), "madvise");
		*(uint64_t *)(mem + i * PAGE_SIZE) = value(i, 0);
	}
}

static void storm(int rounds)
{
	pthread_t guest, saver;

	ready(true);
	with_holes = 1;
	sync_global_to_guest(vm, with_holes);
	saver = start_saving();
	write_text("/proc/sys/kernel/numa_balancing", "1");
	TEST_ASSERT(!pthread_create(&guest, NULL, run_in_storm, NULL), "thread");
	for (int i = 0; i < rounds; i++) {
		uint64_t before = passes;

		make_holes(i);
		split();
		wp();
		clear_soft_dirty();
		one_vma();
		fork_child();
		close(go[1]);
		waitpid(child, NULL, 0);
		resolve();
		if (madvise(mem, size, MADV_COLLAPSE) && errno != EAGAIN && errno != EBUSY &&
		    errno != EINVAL)
			TEST_FAIL("MADV_COLLAPSE: %s", strerror(errno));
		while (READ_ONCE(passes) == before)
			usleep(1000);
	}
	write_text("/proc/sys/kernel/numa_balancing", "0");
	resolve();
	WRITE_ONCE(storm_ends, true);
	pthread_join(guest, NULL);
	stop_saving(saver);
	with_holes = 0;
	sync_global_to_guest(vm, with_holes);
	run_guest_once(true);
	check_host();
	ksft_test_result(true, "all at once, %d rounds, %lu times through the memory\n", rounds,
			 passes);
}

/* --- Setting up --- */

/*
 * Page tables by which the nested guest's addresses are its guest's: the first GiB, where
 * code, stacks and page tables are, and that of the memory.
 */
static void set_up_nested_paging(void)
{
	static const uint64_t from[] = { 0, MEM_GPA };
	uint64_t *pud, *pmd, flags = PTE_PRESENT_MASK | PTE_WRITABLE_MASK | PTE_USER_MASK;
	vm_paddr_t at;

	nested_cr3 = vm_alloc_page_table(vm);
	at = vm_alloc_page_table(vm);
	*(uint64_t *)addr_gpa2hva(vm, nested_cr3) = at | flags;
	pud = addr_gpa2hva(vm, at);
	for (int i = 0; i < 2; i++) {
		at = vm_alloc_page_table(vm);
		pud[from[i] >> 30] = at | flags;
		pmd = addr_gpa2hva(vm, at);
		for (int j = 0; j < 512; j++)
			pmd[j] = (from[i] + j * HUGE) | flags | PTE_LARGE_MASK;
	}
	sync_global_to_guest(vm, nested_cr3);
}

int main(int argc, char **argv)
{
	int opt, rounds = 10, mib = 64;

	while ((opt = getopt(argc, argv, "knm:s:")) != -1) {
		switch (opt) {
		case 'k':
			strict = true;
			break;
		case 'n':
			nested = true;
			break;
		case 'm':
			mib = atoi_positive("MiB", optarg);
			break;
		case 's':
			rounds = atoi_non_negative("rounds", optarg);
			break;
		default:
			return KSFT_FAIL;
		}
	}
	if (nested)
		TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM) && kvm_cpu_has(X86_FEATURE_NPT));
	size = (uint64_t)mib << 20;
	nr_pages = size / PAGE_SIZE;
	nr_checked = nr_pages - XEN_PAGES;
	saved = calloc(nr_pages, sizeof(*saved));
	TEST_ASSERT(saved, "memory");
	setbuf(stdout, NULL);

	vm = __vm_create_with_one_vcpu(&vcpu, 256, nested ? (void *)nesting_guest_code :
				       (void *)guest_code);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS_THP, MEM_GPA, MEM_SLOT, nr_pages, 0);
	mem = addr_gpa2hva(vm, MEM_GPA);
	virt_map_level(vm, MEM_GVA, MEM_GPA, size, PG_LEVEL_2M);
	set_up_table();
	sync_global_to_guest(vm, nr_checked);
	if (nested) {
		vm_vaddr_t svm_gva;

		vcpu_alloc_svm(vm, &svm_gva);
		vcpu_args_set(vcpu, 1, svm_gva);
		set_up_nested_paging();
	}
	/* It would collapse what we split. */
	write_text(THP "khugepaged/scan_sleep_millisecs", "100000000");
	/* Hints come where they are counted. */
	write_text("/proc/sys/kernel/numa_balancing", "0");
	fill(true);
	set_up_xen();

	ksft_print_header();
	ksft_set_plan(15);
	open_counters();
	printf("# %-27s %8s %8s %8s %8s %8s\n", "action", "ranges", "dropped", "faults",
	       "flushes", "lookups");
	rows();
	part_of_huge(4);
	soft_dirty_in_use(2);
	changed_table();
	storm(rounds);
	close_counters();
	kvm_vm_free(vm);
	ksft_finished();
}
