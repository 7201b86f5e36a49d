// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringcount.so: a QEMU TCG plugin that counts what the guest's kernel executes,
 * per function: instructions, and those that user access and locking cost extra.
 *
 * Guest programs bracket what they want counted with two no-ops:
 *
 *	nopl 0x52430001(%rax,%rax)	begin
 *	nopl 0x52430002(%rax,%rax)	end
 *
 * For each such interval, in order, a line per function goes to the file "out":
 *
 *	INTERVAL FUNCTION INSTRUCTIONS STAC LFENCE LOCKED
 *
 * "map" is System.map. A repeated string instruction counts once for each
 * repetition, as TCG executes it. One virtual CPU only: counters are shared.
 *
 * With "lockers", a file of functions' names, it also counts what is executed while
 * one of them holds a lock that it took by calling _raw_spin_lock(), without the
 * interrupts that come meanwhile. The lock is released where one of them stores a byte
 * to its address. A line for each of them goes to the file "holds":
 *
 *	INTERVAL FUNCTION TIMES LONGEST
 *
 * With "worker", a line for each interval goes to that file, of what the tasks did
 * that run vhost's work, with the interrupts that came meanwhile:
 *
 *	INTERVAL INSTRUCTIONS STAC LFENCE LOCKED
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;

enum { INSNS, STAC, LFENCE, LOCKED, COUNTERS };

struct function {
	uint64_t addr;
	char name[64];
	uint64_t count[COUNTERS];
	uint64_t begin[COUNTERS];
	bool locker;
	uint64_t holds, longest;
};

static struct function *fn;
static size_t nfn;
static FILE *out, *holds, *workers;
static int interval;

/* Instructions of the kernel; the lock that is held, by whom, since when */
static uint64_t executed;
static struct {
	struct function *taker, *by;
	uint64_t lock, since, interrupted;
	unsigned int depth;
} held;
static uint64_t raw_spin_lock;

/* What all functions executed, and that when the task that runs began to */
static uint64_t total[COUNTERS], since[COUNTERS];
static struct task {
	uint64_t addr, count[COUNTERS];
	bool worker;
} *task;
static size_t ntasks;
static bool worked;

static struct function *find(uint64_t addr)
{
	size_t lo = 0, hi = nfn;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (fn[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &fn[lo - 1] : NULL;
}

/* The locked instructions: by prefix, or an exchange with memory. */
static bool locked(const uint8_t *b, size_t n)
{
	size_t i = 0;

	for (; i < n; i++) {
		if (b[i] == 0xf0)
			return true;
		if (b[i] != 0x66 && b[i] != 0x67 && b[i] != 0xf2 &&
		    b[i] != 0xf3 && b[i] != 0x2e && b[i] != 0x36 &&
		    b[i] != 0x3e && b[i] != 0x26 && b[i] != 0x64 &&
		    b[i] != 0x65 && (b[i] & 0xf0) != 0x40)
			break;
	}
	return i + 1 < n && (b[i] & 0xfe) == 0x86 && b[i + 1] >> 6 != 3;
}

static void take(unsigned int cpu, void *data)
{
	(void)cpu;
	held.taker = data;
}

static void taken(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t addr,
		  void *data)
{
	(void)cpu;
	(void)info;
	(void)data;
	if (!held.taker)
		return;
	held.by = held.taker;
	held.taker = NULL;
	held.lock = addr;
	held.since = executed;
	held.depth = 0;
}

static void stored(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t addr,
		   void *data)
{
	(void)cpu;
	(void)data;
	if (!held.by || addr != held.lock || qemu_plugin_mem_size_shift(info))
		return;
	held.by->holds++;
	if (executed - held.since > held.by->longest)
		held.by->longest = executed - held.since;
	held.by = NULL;
}

static void interrupt(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (held.by && !held.depth++)
		held.interrupted = executed;
}

static void interrupt_return(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (held.by && held.depth && !--held.depth)
		held.since += executed - held.interrupted;
}

/* Where its stack pointer is saved tells which task ran until now. */
static void switched(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t addr,
		     void *data)
{
	size_t i;

	(void)cpu;
	(void)info;
	(void)data;
	for (i = 0; i < ntasks && task[i].addr != addr; i++)
		;
	if (i == ntasks) {
		task = realloc(task, ++ntasks * sizeof(*task));
		if (!task)
			abort();
		task[i] = (struct task){ .addr = addr };
	}
	for (int c = 0; c < COUNTERS; c++)
		task[i].count[c] += total[c] - since[c];
	task[i].worker |= worked;
	worked = false;
	memcpy(since, total, sizeof(since));
}

static void works(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	worked = true;
}

static void begin(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	memcpy(since, total, sizeof(since));
	for (size_t i = 0; i < ntasks; i++)
		memset(task[i].count, 0, sizeof(task[i].count));
	for (size_t i = 0; i < nfn; i++) {
		memcpy(fn[i].begin, fn[i].count, sizeof(fn[i].count));
		fn[i].holds = fn[i].longest = 0;
	}
}

static void end(unsigned int cpu, void *data)
{
	uint64_t work[COUNTERS] = { 0 };

	(void)cpu;
	(void)data;
	interval++;
	for (size_t i = 0; i < ntasks; i++)
		for (int c = 0; c < COUNTERS && task[i].worker; c++)
			work[c] += task[i].count[c];
	if (workers) {
		fprintf(workers, "%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			interval, work[INSNS], work[STAC], work[LFENCE], work[LOCKED]);
		fflush(workers);
	}
	for (size_t i = 0; i < nfn; i++) {
		uint64_t *c = fn[i].count, *b = fn[i].begin;

		if (c[INSNS] != b[INSNS])
			fprintf(out, "%d %s %" PRIu64 " %" PRIu64 " %" PRIu64
				" %" PRIu64 "\n", interval, fn[i].name,
				c[INSNS] - b[INSNS], c[STAC] - b[STAC],
				c[LFENCE] - b[LFENCE], c[LOCKED] - b[LOCKED]);
		if (fn[i].holds)
			fprintf(holds, "%d %s %" PRIu64 " %" PRIu64 "\n", interval,
				fn[i].name, fn[i].holds, fn[i].longest);
	}
	fflush(out);
	if (holds)
		fflush(holds);
}

static void add_one(struct qemu_plugin_insn *insn, uint64_t *counter)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn,
						   QEMU_PLUGIN_INLINE_ADD_U64,
						   counter, 1);
}

static void count(struct qemu_plugin_insn *insn, struct function *f, int counter)
{
	add_one(insn, &f->count[counter]);
	if (workers)
		add_one(insn, &total[counter]);
}

static void on_exec(struct qemu_plugin_insn *insn, insn_cb cb, void *data)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, cb, QEMU_PLUGIN_CB_NO_REGS,
					       data);
}

static void on_store(struct qemu_plugin_insn *insn, mem_cb cb)
{
	qemu_plugin_register_vcpu_mem_cb(insn, cb, QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_W, NULL);
}

/* What tells which task runs. */
static void watch_tasks(struct qemu_plugin_insn *insn, struct function *f)
{
	const uint8_t *b = qemu_plugin_insn_data(insn);

	/* mov %rsp, TASK_threadsp(%rdi) */
	if (!strcmp(f->name, "__switch_to_asm") && !memcmp(b, "\x48\x89\xa7", 3))
		on_store(insn, switched);
	else if (qemu_plugin_insn_vaddr(insn) == f->addr &&
		 !strcmp(f->name, "vhost_run_work_list"))
		on_exec(insn, works, NULL);
}

/* What tells for how long a lock is held. */
static void watch(struct qemu_plugin_insn *insn, struct function *f)
{
	const uint8_t *b = qemu_plugin_insn_data(insn);
	size_t len = qemu_plugin_insn_size(insn);
	uint64_t at = qemu_plugin_insn_vaddr(insn);
	int32_t to;

	add_one(insn, &executed);
	if (f->locker && len == 5 && b[0] == 0xe8) {
		memcpy(&to, b + 1, sizeof(to));
		if (at + len + to == raw_spin_lock)
			on_exec(insn, take, f);
	} else if (f->locker || !strcmp(f->name, "_raw_spin_unlock")) {
		on_store(insn, stored);
	} else if (f->addr == raw_spin_lock && locked(b, len)) {
		on_store(insn, taken);
	} else if (at == f->addr && !strncmp(f->name, "asm_", 4)) {
		on_exec(insn, interrupt, NULL);
	} else if (len == 2 && !memcmp(b, "\x48\xcf", 2)) {
		on_exec(insn, interrupt_return, NULL);
	}
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static const uint8_t mark[] = { 0x0f, 0x1f, 0x84, 0x00 };
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *b = qemu_plugin_insn_data(insn);
		size_t len = qemu_plugin_insn_size(insn);
		struct function *f = find(qemu_plugin_insn_vaddr(insn));

		if (f) {
			if (holds)
				watch(insn, f);
			if (workers)
				watch_tasks(insn, f);
			count(insn, f, INSNS);
			if (len == 3 && !memcmp(b, "\x0f\x01\xcb", 3))
				count(insn, f, STAC);
			else if (len == 3 && !memcmp(b, "\x0f\xae\xe8", 3))
				count(insn, f, LFENCE);
			else if (locked(b, len))
				count(insn, f, LOCKED);
		} else if (len == 8 && !memcmp(b, mark, sizeof(mark)) &&
			   !memcmp(b + 6, "CR", 2) && (b[4] == 1 || b[4] == 2)) {
			on_exec(insn, b[4] == 1 ? begin : end, NULL);
		}
	}
}

static bool load(const char *map)
{
	FILE *f = fopen(map, "r");
	struct function x = { 0 };
	char type;

	if (!f)
		return false;
	while (fscanf(f, "%" SCNx64 " %c %63s%*[^\n]", &x.addr, &type,
		      x.name) == 3) {
		/* Without an address, such as a per-CPU offset, it is no code. */
		if (x.addr >> 63 == 0 || !strchr("tTwW", type) ||
		    (nfn && fn[nfn - 1].addr == x.addr))
			continue;
		fn = realloc(fn, (nfn + 1) * sizeof(*fn));
		if (!fn)
			return false;
		if (!strcmp(x.name, "_raw_spin_lock"))
			raw_spin_lock = x.addr;
		fn[nfn++] = x;
	}
	fclose(f);
	return nfn;
}

static bool load_lockers(const char *lockers)
{
	FILE *f = fopen(lockers, "r");
	bool any = false;
	char name[64];

	if (!f)
		return false;
	while (fscanf(f, "%63s", name) == 1)
		for (size_t i = 0; i < nfn; i++)
			if (!strcmp(fn[i].name, name))
				any = fn[i].locker = true;
	fclose(f);
	return any && raw_spin_lock;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info,
			       int argc, char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
			char **argv)
{
	const char *map = NULL, *to = NULL, *lockers = NULL, *holds_to = NULL;
	const char *workers_to = NULL;

	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "map=", 4))
			map = argv[i] + 4;
		else if (!strncmp(argv[i], "out=", 4))
			to = argv[i] + 4;
		else if (!strncmp(argv[i], "lockers=", 8))
			lockers = argv[i] + 8;
		else if (!strncmp(argv[i], "holds=", 6))
			holds_to = argv[i] + 6;
		else if (!strncmp(argv[i], "worker=", 7))
			workers_to = argv[i] + 7;
	}
	if (!map || !to || !lockers != !holds_to) {
		fprintf(stderr, "ringcount: give map=System.map,out=FILE[,lockers=FILE,holds=FILE][,worker=FILE]\n");
		return -1;
	}
	out = fopen(to, "w");
	if (!load(map) || !out) {
		fprintf(stderr, "ringcount: cannot read %s or write %s\n", map, to);
		return -1;
	}
	if (workers_to) {
		workers = fopen(workers_to, "w");
		if (!workers) {
			fprintf(stderr, "ringcount: cannot write %s\n", workers_to);
			return -1;
		}
	}
	if (holds_to) {
		holds = fopen(holds_to, "w");
		if (!load_lockers(lockers) || !holds) {
			fprintf(stderr, "ringcount: %s names no function that is there, or cannot write %s\n",
				lockers, holds_to);
			return -1;
		}
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
