// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int guest_nice;

struct guest {
	pid_t pid;
	FILE *qmp;
	int log;		/* what QEMU said on its stderr */
};

static void exec_qemu(const char *qemu, int ram, size_t size, const char *const *more, int qmp,
		      int log, pid_t parent)
{
	char memory[160], monitor[64];
	const char *argv[40] = {
		qemu, "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
		"-object", memory, "-chardev", monitor, "-mon", "chardev=qmp,mode=control",
		"-machine"
	};
	size_t n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || (guest_nice && nice(guest_nice) < 0))
		_exit(1);
	while (argv[n])
		n++;
	while (*more && n < sizeof(argv) / sizeof(*argv) - 1)
		argv[n++] = *more++;
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	/* Copies, which stay open in QEMU. */
	snprintf(memory, sizeof(memory),
		 "memory-backend-file,id=ram,share=on,mem-path=/proc/self/fd/%d,size=%zu",
		 dup(ram), size);
	snprintf(monitor, sizeof(monitor), "socket,id=qmp,fd=%d", dup(qmp));
	execvp(qemu, (char **)argv);
	fprintf(stderr, "cannot run %s: %s\n", qemu, strerror(errno));
	_exit(1);
}

void guest_gone(struct guest *guest, const char *command)
{
	char said[1000] = "";
	ssize_t n = pread(guest->log, said, sizeof(said) - 1, 0);

	guest_stop(guest);
	die("QEMU went away or is stuck at %s%s%s", command, n > 0 ? "; it said: " : "",
	    n > 0 ? said : "");
}

static struct json_object *receive(struct guest *guest, const char *command)
{
	struct json_object *message = qmp_receive(guest->qmp, command);

	if (!message)
		guest_gone(guest, command);
	return message;
}

struct json_object *guest_try(struct guest *guest, const char *command, struct json_object *args,
			      char **error)
{
	struct json_object *message = json_object_new_object(), *result;
	const char *text;

	json_object_object_add(message, "execute", json_object_new_string(command));
	if (args)
		json_object_object_add(message, "arguments", args);
	text = json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN);
	if (send(fileno(guest->qmp), text, strlen(text), MSG_NOSIGNAL) < 0)
		guest_gone(guest, command);
	json_object_put(message);

	message = receive(guest, command);
	if (json_object_object_get_ex(message, "return", &result)) {
		json_object_get(result);
	} else {
		*error = strdup("no reason given");
		if (json_object_object_get_ex(message, "error", &result) &&
		    json_object_object_get_ex(result, "desc", &result)) {
			free(*error);
			*error = strdup(json_object_get_string(result));
		}
		result = NULL;
	}
	json_object_put(message);
	return result;
}

struct json_object *guest_do(struct guest *guest, const char *command, struct json_object *args)
{
	char *error;
	struct json_object *result = guest_try(guest, command, args, &error);

	if (!result)
		die("QEMU refuses %s: %s", command, error);
	return result;
}

struct guest *guest_start(const char *qemu, int ram, size_t size, const char *const *more)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	const struct timeval patience = { .tv_sec = 20 };
	pid_t parent = getpid();
	int pair[2];

	guest->log = memfd_create("migbench-log", MFD_CLOEXEC);
	if (guest->log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("cannot make QEMU's monitor: %s", strerror(errno));
	guest->pid = fork();
	if (guest->pid < 0)
		die("cannot fork: %s", strerror(errno));
	if (!guest->pid)
		exec_qemu(qemu, ram, size, more, pair[1], guest->log, parent);
	close(pair[1]);
	guest->qmp = fdopen(pair[0], "r");
	json_object_put(receive(guest, "its start"));
	json_object_put(guest_do(guest, "qmp_capabilities", NULL));
	return guest;
}

bool guest_said(struct guest *guest, const char *text)
{
	static char said[1 << 16];
	ssize_t n = pread(guest->log, said, sizeof(said) - 1, 0);

	said[n > 0 ? n : 0] = 0;
	return strstr(said, text);
}

double guest_cpu(struct guest *guest)
{
	struct timespec ts;
	clockid_t clock;

	errno = clock_getcpuclockid(guest->pid, &clock);
	if (errno || clock_gettime(clock, &ts))
		die("cannot read QEMU's processor time: %s", strerror(errno));
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

void guest_stop(struct guest *guest)
{
	kill(guest->pid, SIGKILL);
	waitpid(guest->pid, NULL, 0);
	fclose(guest->qmp);
	close(guest->log);
	free(guest);
}
