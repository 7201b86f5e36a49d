/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * store.pml: vhost stores into the ring while the ring's page is migrated.
 *
 * A stray store corrupts, so that looking afterwards does not help. The worker takes the
 * lock, loads the address, stores, and gives the lock back. The callback clears the
 * address under the same lock. So a store is either before the callback, and then it is
 * in the page when the page is copied; or the worker finds no address and does the user
 * access, which goes to the new page. No store comes after the reuse of the old page.
 *
 * CHANGES leaves out: -worker-lock, -callback-lock, -mb (the callback's; the lock suffices
 * here). +cover: is nothing ever stored through the address?
 */
#define CPUS	2
#define PLACES	3
#define STORES	4
#include "cpu.pml"

#define WORKER	0
#define MM	1

#define PTR	0
#define PAGE	1	/* and 2: the new one */

#define USED	1	/* what the worker stores */
#define GARBAGE	9
#define NOWHERE	2

bool worker_lock, callback_lock, mb, cover;
byte mapped;
int mapped_passed;

proctype worker()
{
	byte p;
	int dep;

	WHEN(worker_lock, spin_lock(WORKER));
	load_dep(WORKER, PTR, p, dep);
	if
	:: p -> store(WORKER, PAGE + p - 1, USED); assert(!cover)
	:: else
	fi;
	WHEN(worker_lock, spin_unlock(WORKER));
	if
	:: p == 0 ->
		/* user access */
		atomic {
			mapped != NOWHERE;
			TAKE(WORKER, mapped_passed);
			store(WORKER, PAGE + mapped, USED)
		}
	:: else
	fi
}

proctype mm()
{
	byte v;

	WHEN(callback_lock, spin_lock(MM));
	store(MM, PTR, 0);
	WHEN(callback_lock, spin_unlock(MM));
	WHEN(mb, smp_mb(MM));
	/* The shootdown of TLBs: nobody writes by user access any more. */
	atomic { mapped = NOWHERE; TAKE(MM, ALL(WORKER)) }
	load(MM, PAGE, v);
	store(MM, PAGE + 1, v);
	atomic { GIVE(MM, mapped_passed); mapped = 1 }
	store(MM, PAGE, GARBAGE)
}

init {
	atomic {
		c_code {
			now.worker_lock = !given("-worker-lock");
			now.callback_lock = !given("-callback-lock");
			now.mb = !given("-mb");
			now.cover = given("+cover");
			all_given();
		};
		value[CELL(PTR, 0)] = 1;
		run worker(); run mm()
	}
	_nr_pr == 1;
	assert(LATEST(PAGE) == GARBAGE);	/* no stray store */
	assert(LATEST(PAGE + 1) == USED)	/* and none is lost */
}
