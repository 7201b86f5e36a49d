// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "predict.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SAMPLES 96		/* packets that are looked at */
#define RANGES 64
/* Times over which what it writes is looked at, ms; the second is a multiple of the first. */
#define SHORT 200
#define TIMES 8
#define SAMPLE_PAGES 16384	/* per GiB; the most that QEMU takes */

static FILE *qmp;

static struct json_object *receive(const char *command)
{
	struct json_object *message = qmp_receive(qmp, command);

	if (!message)
		die("QEMU does not answer %s", command);
	return message;
}

/* Arguments as JSON, or NULL. The answer is the caller's to put. */
static struct json_object *ask(const char *command, const char *arguments)
{
	struct json_object *message, *result;
	char line[400];
	int n = snprintf(line, sizeof(line), "{\"execute\": \"%s\"%s%s}\n", command,
			 arguments ? ", \"arguments\": " : "", arguments ? arguments : "");

	if (send(fileno(qmp), line, n, MSG_NOSIGNAL) != n)
		die("cannot ask QEMU: %s", strerror(errno));
	message = receive(command);
	if (!json_object_object_get_ex(message, "return", &result))
		die("QEMU refuses %s: %s", command, json_object_to_json_string(message));
	json_object_get(result);
	json_object_put(message);
	return result;
}

static void open_qmp(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(name) >= sizeof(addr.sun_path))
		die("the name of the socket is too long: %s", name);
	memcpy(addr.sun_path, name, strlen(name));
	if (*name == '@')
		*addr.sun_path = 0;
	else
		length++;
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, length))
		die("cannot connect to the QMP socket %s: %s; start QEMU with -qmp unix:PATH,server=on,wait=off",
		    name, strerror(errno));
	qmp = fdopen(fd, "r");
	json_object_put(receive("its start"));
	json_object_put(ask("qmp_capabilities", NULL));
}

static double number(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_double(value) : NAN;
}

static struct range { double from, size; } ranges[RANGES];
static int count;

/* Where it has RAM, as the processor sees it. */
static double find_memory(void)
{
	struct json_object *tree = ask("human-monitor-command",
				       "{\"command-line\": \"info mtree -f\"}");
	char *text = strdup(json_object_get_string(tree)), *line, *rest = text;
	bool memory = false;
	double sum = 0;

	json_object_put(tree);
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long from, to;

		if (!strncmp(line, "FlatView", 8)) {
			if (count)
				break;
			memory = false;
		}
		memory |= !!strstr(line, "AS \"memory\"");
		if (!memory || !strstr(line, ", ram)") || count == RANGES ||
		    sscanf(line, " %llx-%llx", &from, &to) != 2)
			continue;
		ranges[count++] = (struct range) { from, to - from + 1 };
		sum += to - from + 1;
	}
	free(text);
	if (sum < PAGE)
		die("the guest has no memory that 'info mtree -f' shows");
	return sum;
}

static bool is_zero(const char *page)
{
	return !*page && !memcmp(page, page + 1, PAGE - 1);
}

/* A packet's pages from a place in all of the memory; how many there were. */
static size_t read_packet(double place, const char *path, char *packet)
{
	char arguments[300];
	double size = PACKET_PAGES * PAGE;
	ssize_t got;
	int i = 0, fd;

	while (place >= ranges[i].size)
		place -= ranges[i++].size;
	place = floor(place / PAGE) * PAGE;
	if (size > ranges[i].size - place)
		size = ranges[i].size - place;
	snprintf(arguments, sizeof(arguments), "{\"val\": %.0f, \"size\": %.0f, \"filename\": \"%s\"}",
		 ranges[i].from + place, size, path);
	json_object_put(ask("pmemsave", arguments));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, packet, size);
	if (got < 0)
		die("cannot read %s, which QEMU was to write: %s", path, strerror(errno));
	close(fd);
	unlink(path);
	return got / PAGE;
}

static void take_sample(struct memory *memory, const char *directory, double bytes)
{
	static char packet[PACKET_PAGES * PAGE];
	size_t looked_at = 0, have = 0;
	char mine[200], path[210];

	/* Nobody else reads the guest's memory there, or leads QEMU elsewhere. */
	snprintf(mine, sizeof(mine), "%s/predict-XXXXXX", directory);
	if (!mkdtemp(mine))
		die("cannot make a directory in %s: %s", directory, strerror(errno));
	snprintf(path, sizeof(path), "%s/pages", mine);
	memory->sample = malloc(SAMPLES * sizeof(packet));
	if (!memory->sample)
		die("out of memory");
	srand48(1);
	for (int i = 0; i < SAMPLES; i++) {
		size_t n = read_packet((i + drand48()) * bytes / SAMPLES, path, packet);

		for (size_t k = 0; k < n; k++) {
			looked_at++;
			if (is_zero(packet + k * PAGE))
				continue;
			memcpy(memory->sample + have++ * PAGE, packet + k * PAGE, PAGE);
		}
	}
	rmdir(mine);
	memory->zero = 1 - (double)have / looked_at;
	memory->packets = have / PACKET_PAGES;
}

/* Bytes that are not the same after so many ms. */
static double changed(int ms)
{
	struct json_object *rate;
	char arguments[200];
	double mib;

	snprintf(arguments, sizeof(arguments),
		 "{\"calc-time\": %d, \"calc-time-unit\": \"millisecond\", \"sample-pages\": %d}", ms,
		 SAMPLE_PAGES);
	json_object_put(ask("calc-dirty-rate", arguments));
	for (;;) {
		const char *status;
		struct json_object *value;

		usleep(20000);
		rate = ask("query-dirty-rate", NULL);
		json_object_object_get_ex(rate, "status", &value);
		status = json_object_get_string(value);
		if (!strcmp(status, "measured"))
			break;
		json_object_put(rate);
	}
	mib = number(rate, "dirty-rate");
	json_object_put(rate);
	return mib * (1 << 20) * ms / 1e3;
}

/*
 * Of pages that are written at random, some are written again: of H bytes, H(1 - exp(-R t / H))
 * are not the same after t seconds at R bytes/s. Two times tell both.
 */
static void measure_writes(struct memory *memory)
{
	double first = changed(SHORT), second = changed(SHORT * TIMES);
	double low = 0, high = 1, all = memory->pages * PAGE;

	if (!second)
		return;
	if (!first)
		first = second / TIMES;
	for (int i = 0; i < 60; i++) {
		double x = (low + high) / 2, sum = (1 - pow(x, TIMES)) / (1 - x);

		if (sum < second / first)
			low = x;
		else
			high = x;
	}
	memory->hot = fmin(all, first / (1 - low));
	/* Of all of it: nothing is written twice soon */
	if (memory->hot == all || low < 1e-9)
		memory->written = memory->hot == all ? second / (SHORT * TIMES / 1e3) :
						       first / (SHORT / 1e3);
	else
		memory->written = -memory->hot * log(low) / (SHORT / 1e3);
}

void guest_ask(const char *name, const char *directory, struct memory *memory)
{
	struct json_object *parameters, *value;
	double bytes;

	open_qmp(name);
	bytes = find_memory();
	memory->pages = bytes / PAGE;
	parameters = ask("query-migrate-parameters", NULL);
	memory->limit = number(parameters, "max-bandwidth");
	memory->downtime = number(parameters, "downtime-limit") / 1e3;
	memory->like = json_object_object_get_ex(parameters, "multifd-adaptive", &value);
	json_object_put(parameters);
	take_sample(memory, directory, bytes);
	measure_writes(memory);
	fclose(qmp);
}
