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
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What we use of QEMU's plugin interface, version 1. Debian has no header for
 * it; see docs/devel/tcg-plugins.rst of QEMU.
 */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*tb_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_cb)(unsigned int cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_cb cb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    insn_cb cb, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
						int op, void *ptr,
						uint64_t imm);

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;

enum { INSNS, STAC, LFENCE, LOCKED, COUNTERS };

struct function {
	uint64_t addr;
	char name[64];
	uint64_t count[COUNTERS];
	uint64_t begin[COUNTERS];
};

static struct function *fn;
static size_t nfn;
static FILE *out;
static int interval;

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

static void begin(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	for (size_t i = 0; i < nfn; i++)
		memcpy(fn[i].begin, fn[i].count, sizeof(fn[i].count));
}

static void end(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	interval++;
	for (size_t i = 0; i < nfn; i++) {
		uint64_t *c = fn[i].count, *b = fn[i].begin;

		if (c[INSNS] != b[INSNS])
			fprintf(out, "%d %s %" PRIu64 " %" PRIu64 " %" PRIu64
				" %" PRIu64 "\n", interval, fn[i].name,
				c[INSNS] - b[INSNS], c[STAC] - b[STAC],
				c[LFENCE] - b[LFENCE], c[LOCKED] - b[LOCKED]);
	}
	fflush(out);
}

static void count(struct qemu_plugin_insn *insn, uint64_t *counter)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn,
						   QEMU_PLUGIN_INLINE_ADD_U64,
						   counter, 1);
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
			count(insn, &f->count[INSNS]);
			if (len == 3 && !memcmp(b, "\x0f\x01\xcb", 3))
				count(insn, &f->count[STAC]);
			else if (len == 3 && !memcmp(b, "\x0f\xae\xe8", 3))
				count(insn, &f->count[LFENCE]);
			else if (locked(b, len))
				count(insn, &f->count[LOCKED]);
		} else if (len == 8 && !memcmp(b, mark, sizeof(mark)) &&
			   !memcmp(b + 6, "CR", 2) && (b[4] == 1 || b[4] == 2)) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
				b[4] == 1 ? begin : end, QEMU_PLUGIN_CB_NO_REGS,
				NULL);
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
		fn[nfn++] = x;
	}
	fclose(f);
	return nfn;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
			       int argc, char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv)
{
	const char *map = NULL, *to = NULL;

	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "map=", 4))
			map = argv[i] + 4;
		else if (!strncmp(argv[i], "out=", 4))
			to = argv[i] + 4;
	}
	if (!map || !to) {
		fprintf(stderr, "ringcount: give map=System.map,out=FILE\n");
		return -1;
	}
	out = fopen(to, "w");
	if (!load(map) || !out) {
		fprintf(stderr, "ringcount: cannot read %s or write %s\n", map, to);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
