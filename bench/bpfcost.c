// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpfcost: what a user read costs the kernel of this machine above a kernel read, without a
 * kernel of ours. A BPF program reads 16 bytes again and again, once by each helper, and the
 * kernel runs it by BPF_PROG_TEST_RUN. Needs root. The lines are as opcost's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS	31
#define TRIES	30		/* of which the least disturbed counts */
#define READS	1000		/* of a run */

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV(d, s)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(f)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)

static char user[64] __attribute__((aligned(64)));

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* A program that returns how many ns READS reads took, or 0 if the last one failed */
static int load(int helper)
{
	uint64_t from = (uintptr_t)user;
	struct bpf_insn insns[] = {
		CALL(BPF_FUNC_ktime_get_ns),
		MOV(BPF_REG_7, BPF_REG_0),
		MOV_IMM(BPF_REG_8, 0),
		/* The kernel reads from its stack, below what it reads to. */
		MOV(BPF_REG_3, BPF_REG_10),
		ADD_IMM(BPF_REG_3, -64),
		MOV(BPF_REG_1, BPF_REG_10),
		ADD_IMM(BPF_REG_1, -16),
		MOV_IMM(BPF_REG_2, 16),
		CALL(helper),
		MOV(BPF_REG_9, BPF_REG_0),
		ADD_IMM(BPF_REG_8, 1),
		INSN(BPF_JMP | BPF_JLT | BPF_K, BPF_REG_8, 0, -9, READS),
		CALL(BPF_FUNC_ktime_get_ns),
		INSN(BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_0, BPF_REG_7, 0, 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_9, 0, 1, 0),
		MOV_IMM(BPF_REG_0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = { 0 };

	if (helper == BPF_FUNC_probe_read_user) {
		insns[3] = INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_3, 0, 0, (int)from);
		insns[4] = INSN(0, 0, 0, 0, (int)(from >> 32));
	}
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = sizeof(insns) / sizeof(*insns);
	attr.license = (uintptr_t)"GPL";
	return bpf(BPF_PROG_LOAD, &attr);
}

/* ns of a read, the least of several runs; negative if it cannot be run */
static double cost(int prog)
{
	double min = -1;

	for (int i = 0; i < TRIES; i++) {
		union bpf_attr attr = { 0 };

		attr.test.prog_fd = prog;
		if (bpf(BPF_PROG_TEST_RUN, &attr))
			return -1;
		if (!attr.test.retval) {
			errno = EFAULT;
			return -1;
		}
		if (min < 0 || attr.test.retval < min)
			min = attr.test.retval;
	}
	return min / READS;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

int main(void)
{
	static const struct { const char *name; int helper; } kinds[] = {
		{ "kernel_read", BPF_FUNC_probe_read_kernel },
		{ "user_read", BPF_FUNC_probe_read_user },
	};
	double ns[2][ROUNDS];
	int prog[2];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one)) {
		fprintf(stderr, "bpfcost: cannot stay on one processor: %s\n", strerror(errno));
		return 1;
	}
	/* It must be there: the helper does not fault it in. */
	memset(user, 1, sizeof(user));
	for (int k = 0; k < 2; k++) {
		prog[k] = load(kinds[k].helper);
		if (prog[k] < 0) {
			fprintf(stderr, "bpfcost: cannot load a BPF program: %s; run it as root, on a kernel with BPF\n",
				strerror(errno));
			return 1;
		}
	}
	/* By turns, so that what disturbs a round disturbs both. */
	for (int r = 0; r < ROUNDS; r++)
		for (int k = 0; k < 2; k++) {
			ns[k][r] = cost(prog[k]);
			if (ns[k][r] < 0) {
				fprintf(stderr, "bpfcost: cannot run a BPF program: %s; the kernel needs BPF_PROG_TEST_RUN\n",
					strerror(errno));
				return 1;
			}
		}
	for (int k = 0; k < 2; k++) {
		qsort(ns[k], ROUNDS, sizeof(double), by_value);
		printf("%s\t%.2f\t%.2f\t%.2f\tns\n", kinds[k].name, ns[k][0],
		       ns[k][ROUNDS / 2], ns[k][ROUNDS - 1]);
	}
	return 0;
}
