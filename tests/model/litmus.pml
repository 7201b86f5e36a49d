/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * litmus.pml: does cpu.pml give the known verdicts? LITMUS is a program such as
 *
 *	Wx wmb Wy | Ry=1 rmb Rx=0
 *
 * Each CPU has one access, or two with something between them. An assertion fails if
 * all loads can have the values that are written after them.
 */
#define CPUS	4
#define PLACES	3
#define STORES	2
#include "cpu.pml"

/* What stands between two accesses */
#define NOTHING	0
#define RMB	1
#define WMB	2
#define MB	3
#define ACQ	4	/* the first one is an acquire */
#define REL	5	/* the second one is a release */
#define ACQREL	6
#define DEP	7	/* the second one's address depends on the first one */

bool reads[8];
byte place[8], want[8], between[4], accesses[4], cpus, as_wanted;

c_decl {
\#include <ctype.h>
static void bad_litmus(const char *word)
{
	fprintf(stderr, "bad word in LITMUS: '%s'\n", word);
	exit(2);
}
};

c_code {
static void parse(void)
{
	static const char *const fences[] = { ".", "rmb", "wmb", "mb", "acq", "rel", "acqrel", "dep" };
	char line[256], *word;
	int cpu = 0, i;

	snprintf(line, sizeof(line), "%s", getenv("LITMUS") ? getenv("LITMUS") : "");
	for (word = strtok(line, " "); word; word = strtok(NULL, " ")) {
		if (*word == '|') {
			if (++cpu == 4)
				bad_litmus(word);
			continue;
		}
		i = 2 * cpu + now.accesses[cpu];
		if (isupper(*word) && word[1] >= 'x' && word[1] <= 'z' && now.accesses[cpu] < 2) {
			now.accesses[cpu]++;
			now.reads[i] = *word == 'R';
			now.place[i] = word[1] - 'x';
			now.want[i] = word[2] == '=' ? atoi(word + 3) : 1;
			continue;
		}
		for (i = 0; i < 8 && strcmp(word, fences[i]); i++)
			;
		if (i == 8)
			bad_litmus(word);
		now.between[cpu] = i;
	}
	now.cpus = cpu + 1;
}
};

inline access(i, acquire, release, after)
{
	if
	:: reads[i] && (acquire) -> load_acquire(me, place[i], v)
	:: reads[i] && !(acquire) -> load_dep(me, place[i], v, after)
	:: !reads[i] && (release) -> store_release(me, place[i], want[i]); v = want[i]
	:: !reads[i] && !(release) -> store(me, place[i], want[i]); v = want[i]
	fi
}

proctype cpu(byte me)
{
	byte v;
	int dep, none;

	access(2 * me, between[me] == ACQ || between[me] == ACQREL, false, dep);
	if
	:: v != want[2 * me] -> goto other
	:: else
	fi;
	if
	:: between[me] == RMB -> smp_rmb(me)
	:: between[me] == WMB -> smp_wmb(me)
	:: between[me] == MB -> smp_mb(me)
	:: else
	fi;
	if
	:: accesses[me] == 2 && between[me] == DEP -> access(2 * me + 1, false, false, dep)
	:: accesses[me] == 2 && between[me] != DEP ->
		access(2 * me + 1, false, between[me] == REL || between[me] == ACQREL, none)
	:: else -> goto done
	fi;
	if
	:: v != want[2 * me + 1] -> goto other
	:: else
	fi;
done:
	as_wanted++;
	assert(as_wanted < cpus);
other:
	skip
}

init {
	byte i;

	atomic {
		c_code { parse(); };
		do
		:: i < cpus -> run cpu(i); i++
		:: else -> break
		od
	}
}
