// SPDX-License-Identifier: GPL-2.0-only
/* What the benches and predict share: QMP and options. */
#define _GNU_SOURCE
#include "shared.h"
#include <stdlib.h>

struct json_object *qmp_receive(FILE *qmp, const char *command)
{
	struct json_object *message = NULL, *event;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, qmp) >= 0) {
		message = json_tokener_parse(line);
		if (!message)
			die("QEMU answers %s with what is not JSON: %s", command, line);
		if (!json_object_object_get_ex(message, "event", &event))
			break;
		json_object_put(message);
		message = NULL;
	}
	free(line);
	return message;
}

double arg_number(struct argp_state *state, const char *arg, double least, double most)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !(v >= least && v <= most))
		argp_error(state, "%s is not a number from %g to %g", arg, least, most);
	return v;
}
