/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In the place of upstream's timeout.h: how long vsock_test waits for its other side. Ten
 * seconds are too few for a guest inside an emulated VM.
 */
#ifndef VSOCK_TIMEOUT_H
#define VSOCK_TIMEOUT_H

#include <stdbool.h>

enum { TIMEOUT = 300 };	/* seconds */

void sigalrm(int signo);
void timeout_begin(unsigned int seconds);
void timeout_check(const char *operation);
void timeout_end(void);

#endif
