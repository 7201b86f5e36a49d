// SPDX-License-Identifier: GPL-2.0-only
/* A guest that runs: the time that a whole migration takes. */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY ((size_t)256 << 20)
#define PATIENCE 120		/* seconds for a migration; then it does not converge */

static void entry(FILE *f, const char *name, unsigned int mode, const char *data, size_t size)
{
	static const char pad[4];

	fprintf(f, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, strlen(name) + 1, 0);
	fwrite(name, strlen(name) + 1, 1, f);
	fwrite(pad, -(110 + strlen(name) + 1) & 3, 1, f);
	fwrite(data, 1, size, f);
	fwrite(pad, -size & 3, 1, f);
}

/* The workload as /init, and nothing else. */
static void make_initrd(const char *init)
{
	FILE *in = fopen(init, "r"), *out = fopen(initrd, "w");
	struct stat st;
	char *data;

	if (!in || fstat(fileno(in), &st))
		die("cannot read %s: %s", init, strerror(errno));
	data = malloc(st.st_size);
	if (!data || !out || fread(data, 1, st.st_size, in) != (size_t)st.st_size)
		die("cannot copy %s to %s", init, initrd);
	entry(out, "init", S_IFREG | 0755, data, st.st_size);
	entry(out, "TRAILER!!!", 0, NULL, 0);
	if (fclose(out))
		die("cannot write %s: %s", initrd, strerror(errno));
	fclose(in);
	free(data);
}

static struct guest *boot(double dirty, int ram)
{
	char line[80];
	const char *const more[] = {
		"pc,memory-backend=ram", "-kernel", opt.kernel, "-initrd", initrd,
		"-append", line, "-chardev", "file,id=console,path=/dev/stdout,append=on",
		"-serial", "chardev:console", NULL
	};
	double start = now();
	struct guest *guest;

	/* What the kernel does not know it gives to init, as its environment. */
	snprintf(line, sizeof(line), "console=ttyS0 quiet panic=1 dirty=%g", dirty);
	guest = guest_start(opt.qemu, ram, MEMORY, more);
	while (!guest_said(guest, "workload: ready")) {
		nap(0.1);
		if (guest_said(guest, "workload: error") || now() - start > 120)
			guest_gone(guest, "the boot of the live guest");
	}
	return guest;
}

static bool ended(struct json_object *info)
{
	struct json_object *value;
	const char *status = "";

	if (json_object_object_get_ex(info, "status", &value))
		status = json_object_get_string(value);
	if (!strcmp(status, "failed"))
		die("the migration failed: %s", json_object_to_json_string(info));
	return !strcmp(status, "completed") || !strcmp(status, "cancelled");
}

/* After it, the guest runs on as before: who migrated was a copy. */
static void run(struct guest *guest, const struct policy *policy, int threads, double limit,
		double dirty, int turn)
{
	struct json_object *result = json_object_new_object(), *info = NULL, *value;
	struct sink *sink = sink_start(path);
	struct usage usage = usage_now(guest);
	double start = now(), cancelled = 0;

	progress("live");
	migrate(guest, policy, NULL, threads, limit, 300);
	do {
		json_object_put(info);
		nap(0.05);
		info = guest_do(guest, "query-migrate", NULL);
		if (!cancelled && now() - start > PATIENCE) {
			cancelled = now();
			json_object_put(guest_do(guest, "migrate_cancel", NULL));
		}
	} while (!ended(info));
	if (!cancelled)
		json_object_put(guest_do(guest, "cont", NULL));

	json_object_object_add(result, "set", json_object_new_string("live"));
	json_object_object_add(result, "policy", json_object_new_string(policy->name));
	add(result, "threads", threads);
	add(result, "limit", limit);
	add(result, "dirty", dirty * 1e6);
	add(result, "turn", turn);
	json_object_object_add(result, "converged", json_object_new_boolean(!cancelled));
	if (json_object_object_get_ex(info, "total-time", &value))
		add(result, "total_s", json_object_get_double(value) / 1e3);
	if (json_object_object_get_ex(info, "downtime", &value))
		add(result, "downtime_s", json_object_get_double(value) / 1e3);
	add(result, "pages", field(info, "ram", "normal") + field(info, "compression", "pages"));
	add(result, "bytes", sink_bytes(sink));
	add(result, "rounds", field(info, "ram", "dirty-sync-count"));
	usage_add(result, guest, &usage);
	emit(result);
	json_object_put(result);
	json_object_put(info);
	sink_stop(sink);
	nap(0.5);
}

void live(double dirty)
{
	int ram = pages_create(MEMORY);
	struct guest *guest;

	make_initrd(opt.init);
	guest = boot(dirty, ram);
	for (int t = 0; t < opt.threads.count; t++)
		for (int l = 0; l < opt.live.count; l++)
			for (int turn = 1; turn <= opt.turns; turn++)
				for (int p = ON; p <= ADAPTIVE; p++)
					if (opt.use[p])
						run(guest, policies + p, opt.threads.at[t],
						    opt.live.at[l] * 1e6, dirty, turn);
	guest_stop(guest);
	close(ram);
}
