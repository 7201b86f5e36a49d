/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benches and predict share. Who links this has a die() of its own. */
#ifndef SHARED_H
#define SHARED_H

#include <argp.h>
#include <json-c/json.h>
#include <stdio.h>

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* QEMU's answer to a command, without the events before it; NULL when QEMU is gone. */
struct json_object *qmp_receive(FILE *qmp, const char *command);
/* An option's value, or an error of argp. */
double arg_number(struct argp_state *state, const char *arg, double least, double most);

#endif
