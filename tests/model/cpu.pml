/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu.pml: processors whose stores reach the others one by one.
 *
 * spin alone is sequentially consistent. Here a store is put on record, and a load may
 * read any store on record that its CPU need not yet take for old. So a store may reach
 * one CPU long before another, stores may arrive in any order, and a load may have been
 * executed early: to read an old value is the same as to have read it long ago. Nothing
 * but coherence, barriers and dependencies limits this.
 *
 * The stores to one location are numbered from 1, and 0 is what it held in the beginning.
 * A set of stores is a bit mask. It has, with a store, all earlier ones to the same
 * location. "A CPU must know a set" means: none of its loads may read what a store in the
 * set has replaced.
 *
 * known[cpu]	what the CPU's next load must know
 * seen[cpu]	what loads of the CPU have seen. The next load need not know it: it may
 *		have been executed before. A barrier between loads changes that.
 * own[cpu]	the CPU's own stores, and what comes with them
 * first[cpu]	what must arrive before the CPU's next store does
 * with[store]	what a CPU that has seen the store must know, once its loads are in order
 * everywhere	what has reached every CPU. Whoever sees a later store has executed that
 *		load later, so this comes with each later store.
 *
 * What barriers do is what Documentation/memory-barriers.txt and tools/memory-model
 * promise, and no more:
 *
 * smp_load_acquire()	the next loads know what came with the store that it read
 * smp_rmb()		the next loads know what earlier loads have seen
 * address dependency	the same, but for the one load that depends
 * smp_wmb()		own stores arrive before the next ones. Those of others that
 *			this CPU has seen do not: it is not cumulative.
 * smp_store_release()	all that this CPU knows or has seen arrives before the store
 * smp_mb()		all that this CPU knows or has seen has reached every CPU, and the
 *			next loads know all that had reached every CPU
 *
 * What is not modelled: a load that is executed after a later store of its own CPU (the
 * shape LB), and stores to one location in another order than they were executed in.
 * The protocol has no use for either: who stores after a load either depends on its
 * value or has an acquire or a full barrier between them, and two CPUs store to one
 * location only one after the other, by a lock or a hand-over.
 *
 * The file that includes this defines CPUS, PLACES (locations) and STORES (the most
 * stores to a location; PLACES * STORES <= 31).
 */

#define SET(x, n)	(((1 << (n)) - 1) << ((x) * STORES))
#define NTH(x, n)	(1 << ((x) * STORES + (n) - 1))
#define CELL(x, n)	((x) * (STORES + 1) + (n))
#define ALL(cpu)	(known[cpu] | seen[cpu] | everywhere)

int known[CPUS], seen[CPUS], own[CPUS], first[CPUS], everywhere;
int with[PLACES * (STORES + 1)];
byte value[PLACES * (STORES + 1)], stores[PLACES], pick;

/* The last store to x. Only for who holds what orders all stores to x. */
#define LATEST(x)	value[CELL(x, stores[x])]

inline store_with(cpu, x, v, before)
{
	d_step {
		assert(stores[x] < STORES);
		value[CELL(x, stores[x] + 1)] = v;
		with[CELL(x, stores[x] + 1)] = SET(x, stores[x] + 1) | first[cpu] | everywhere | before;
		stores[x]++;
		own[cpu] = own[cpu] | with[CELL(x, stores[x])];
		known[cpu] = known[cpu] | SET(x, stores[x])
	}
}

#define store(cpu, x, v)		store_with(cpu, x, v, 0)
#define store_release(cpu, x, v)	store_with(cpu, x, v, ALL(cpu))

/* dep: what the address depends on; this load's store is added to it. */
inline load_dep(cpu, x, v, dep)
{
	atomic {
		do
		:: pick < stores[x] -> pick++
		:: pick == stores[x] || !((known[cpu] | dep) & NTH(x, pick + 1)) -> break
		od;
		v = value[CELL(x, pick)];
		known[cpu] = known[cpu] | SET(x, pick);
		seen[cpu] = seen[cpu] | with[CELL(x, pick)] | dep;
		dep = dep | with[CELL(x, pick)];
		pick = 0
	}
}

/* One who does not care what depends on it */
inline load(cpu, x, v)
{
	atomic {
		load_dep(cpu, x, v, nodep);
		nodep = 0
	}
}
int nodep;

inline load_acquire(cpu, x, v)
{
	atomic {
		load_dep(cpu, x, v, nodep);
		known[cpu] = known[cpu] | nodep;
		nodep = 0
	}
}

inline smp_rmb(cpu)
{
	known[cpu] = known[cpu] | seen[cpu]
}

inline smp_wmb(cpu)
{
	first[cpu] = first[cpu] | own[cpu]
}

inline smp_mb(cpu)
{
	d_step {
		known[cpu] = ALL(cpu);
		everywhere = known[cpu]
	}
}

/* What one run has and another has not */
#define WHEN(on, this)		if :: on -> this :: else fi
#define EITHER(on, this, that)	if :: on -> this :: else -> that fi

/* Handing over: a spinlock, or a flag stored by release and waited for by acquire */
#define GIVE(cpu, passed)	passed = passed | ALL(cpu)
#define TAKE(cpu, passed)	known[cpu] = known[cpu] | passed

bool locked;
int lock_passed;

inline spin_lock(cpu)
{
	atomic {
		!locked -> locked = true;
		TAKE(cpu, lock_passed)
	}
}

inline spin_unlock(cpu)
{
	d_step {
		GIVE(cpu, lock_passed);
		locked = false
	}
}

/*
 * One program serves all runs. CHANGES is a list of words: -this is left out, +that is
 * added. given("-this") is whether a word is among them. all_given() stops the run if there
 * is a word that nobody has asked for.
 */
c_decl {
\#include <stdlib.h>
\#include <string.h>
static const char *changes(void)
{
	return getenv("CHANGES") ? getenv("CHANGES") : "";
}

static int words_given;
static int given(const char *word)
{
	char list[256], want[64];

	snprintf(list, sizeof(list), " %s ", changes());
	snprintf(want, sizeof(want), " %s ", word);
	if (!strstr(list, want))
		return 0;
	words_given++;
	return 1;
}

static void all_given(void)
{
	const char *p;
	int words = 0;

	for (p = changes(); *p; p++)
		words += *p != ' ' && (p[1] == ' ' || !p[1]);
	if (words != words_given) {
		fprintf(stderr, "unknown word in CHANGES='%s'\n", changes());
		exit(2);
	}
}
};
