// SPDX-License-Identifier: GPL-2.0-only
/*
 * ringvm: boot a kernel under QEMU, run one command in it, return its status.
 *
 * The verdict rests on the END record of ringinit, which carries this run's
 * nonce and comes after the leak and message scan: a run that dies, hangs,
 * splats or prints nothing has none, or a bad one.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Exit statuses of our own; anything else is the command's. */
enum {
	RV_SPLAT = 121,		/* kernel message, taint or leak */
	RV_DIED = 122,		/* no END record */
	RV_TAP = 123,		/* results are not what was planned */
	RV_HANG = 124,
	RV_SETUP = 125,		/* could not run at all */
};

enum { CON, CTL, OUT, ERR, MON, NCHAN };

struct chan {
	int fd;
	char *buf;
	size_t len, room;
	int sink;		/* also copied there as it comes, or -1 */
};

#define MAX_MODULES	64

static struct config {
	const char *module[MAX_MODULES];
	const char *kernel, *root, *accel, *log, *out, *skips, *plugin;
	const char *state;
	char *cmd, *qemu, *append;
	int nmodules, timeout, cpus, docs;
	const char *mem;
	bool interactive, quiet, icount;
} cfg = {
	.root = "host", .accel = "auto", .timeout = 300,
	.cpus = 2, .mem = "2G", .docs = -1,
};

static bool probing;

static void msg(const char *fmt, ...)
{
	va_list ap;

	fputs("ringvm: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

#define fatal(...) do { msg(__VA_ARGS__); exit(RV_SETUP); } while (0)

/* --- initrd: newc records, as Documentation/driver-api/early-userspace --- */

static void newc(FILE *f, const char *name, int mode, const void *data,
		 size_t size)
{
	static const char pad[4];
	static int ino;

	fprintf(f, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		++ino, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, strlen(name) + 1, 0);
	fwrite(name, strlen(name) + 1, 1, f);
	fwrite(pad, -(110 + strlen(name) + 1) & 3, 1, f);
	fwrite(data, 1, size, f);
	fwrite(pad, -size & 3, 1, f);
}

static void newc_file(FILE *f, const char *name, const char *path)
{
	struct stat st;
	void *data;
	FILE *in;

	in = fopen(path, "r");
	if (!in || fstat(fileno(in), &st))
		fatal("%s: %s; build or install it first", path, strerror(errno));
	data = malloc(st.st_size);
	if (!data || fread(data, 1, st.st_size, in) != (size_t)st.st_size)
		fatal("%s: cannot read", path);
	newc(f, name, S_IFREG | 0755, data, st.st_size);
	free(data);
	fclose(in);
}

static void make_initrd(const char *path, const char *cmd, const char *nonce)
{
	static const char * const applets[] = {
		"sh", "cat", "echo", "sleep", "ls", "mount", "dmesg", "true",
		"false", "kill", "head", "grep",
	};
	char self[4096], init[4200];
	ssize_t n;
	FILE *f;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		fatal("/proc/self/exe: %s", strerror(errno));
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(init, sizeof(init), "%s/ringinit", self);

	f = fopen(path, "w");
	if (!f)
		fatal("%s: %s", path, strerror(errno));
	newc(f, "bin", S_IFDIR | 0755, "", 0);
	newc(f, "ringvm", S_IFDIR | 0755, "", 0);
	newc(f, "dev", S_IFDIR | 0755, "", 0);
	/* init's own messages, before devtmpfs is there */
	newc_file(f, "init", init);
	newc_file(f, "bin/busybox", "/bin/busybox");
	for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "bin/%s", applets[i]);
		newc(f, name, S_IFLNK | 0777, "busybox", 7);
	}
	for (int i = 0; i < cfg.nmodules; i++) {
		char name[32];

		snprintf(name, sizeof(name), "ringvm/module%d", i);
		newc_file(f, name, cfg.module[i]);
	}
	newc(f, "ringvm/cmd", S_IFREG | 0600, cmd, strlen(cmd));
	newc(f, "ringvm/nonce", S_IFREG | 0600, nonce, strlen(nonce));
	newc(f, "TRAILER!!!", 0, "", 0);
	if (fclose(f))
		fatal("%s: %s; is the disk full?", path, strerror(errno));
}

/* --- QEMU --- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * TCG's TSC is the host's, the same for all CPUs, but a guest with nothing to measure it
 * by goes by jiffies. Who traces wants to know what was when: tell it the frequency. Not
 * with a thread per CPU: a kernel that believes in its TSC patches its own code while
 * it boots.
 */
static const char *tsc_args(void)
{
	static char args[64] = "";
#ifdef __x86_64__
	double start = now(), end;
	uint64_t tsc = __builtin_ia32_rdtsc();

	while ((end = now()) < start + 0.05)
		;
	snprintf(args, sizeof(args), " tsc=reliable tsc_early_khz=%.0f",
		 (__builtin_ia32_rdtsc() - tsc) / (end - start) / 1000);
#endif
	return args;
}

/* Whoever is killed takes what he started with him. @parent may be gone already. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(RV_SETUP);
}

static pid_t start_qemu(const char *accel, const char *initrd,
			const char *append, bool host, bool interactive,
			struct chan *ch)
{
	char cpus[64], line[1024], fds[NCHAN][64];
	const char *argv[80];
	int sv[2], peer[NCHAN], n = 0;
	pid_t self = getpid(), pid;

	/* Without ACPI the MP table is all there is, and it lists sockets. */
	snprintf(cpus, sizeof(cpus), "%d,sockets=%d,cores=1,threads=1",
		 cfg.cpus, cfg.cpus);
	/* On a busy host no timer interrupt may come while the kernel looks for one. */
	snprintf(line, sizeof(line),
		 "console=ttyS0 no_timer_check panic=-1 reboot=t quiet loglevel=%d ringvm.root=%s%s%s %s",
		 interactive ? 4 : 7, host ? "host" : "initrd",
		 interactive ? " ringvm.interactive" : "",
		 cfg.icount || !strstr(accel, "single") ? "" :
		 tsc_args(), append ? append : "");
	if (strlen(line) > 1000)
		fatal("--append is too long for the kernel command line");

#define ARG(x) (argv[n++] = (x))
	ARG("qemu-system-x86_64"); ARG("-nodefaults"); ARG("-no-user-config");
	ARG("-no-reboot"); ARG("-display"); ARG("none");
	ARG("-machine"); ARG("q35"); ARG("-accel"); ARG(accel);
	ARG("-cpu"); ARG(!strncmp(accel, "kvm", 3) ? "host" : "max,la57=off");
	ARG("-smp"); ARG(cpus); ARG("-m"); ARG(cfg.mem);
	ARG("-kernel"); ARG(cfg.kernel); ARG("-initrd"); ARG(initrd);
	ARG("-append"); ARG(line);
	if (cfg.icount) {
		ARG("-icount"); ARG("shift=0,sleep=off");
	}
	if (cfg.plugin) {
		ARG("-plugin"); ARG(cfg.plugin);
	}
	if (interactive) {
		ARG("-serial"); ARG("mon:stdio");
	} else {
		static const char * const dev[NCHAN] = {
			[CON] = "isa-serial,chardev=c0",
			[CTL] = "virtserialport,chardev=c1,nr=1",
			[OUT] = "virtserialport,chardev=c2,nr=2",
			[ERR] = "virtserialport,chardev=c3,nr=3",
		};

		ARG("-device"); ARG("virtio-serial-pci");
		for (int i = 0; i < NCHAN; i++) {
			if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
				fatal("socketpair: %s", strerror(errno));
			ch[i].fd = sv[0];
			peer[i] = sv[1];
			fcntl(sv[0], F_SETFD, FD_CLOEXEC);
			fcntl(sv[0], F_SETFL, O_NONBLOCK);
			snprintf(fds[i], sizeof(fds[i]),
				 "socket,id=c%d,fd=%d", i, sv[1]);
			ARG("-chardev"); ARG(fds[i]);
			if (i != MON) {
				ARG("-device"); ARG(dev[i]);
			}
		}
		ARG("-mon"); ARG("chardev=c4,mode=readline");
	}
	/* After the ports: their names have the number of the virtio device. */
	if (host) {
		ARG("-fsdev");
		ARG("local,id=root,path=/,security_model=none,readonly=on,multidevs=remap");
		ARG("-device"); ARG("virtio-9p-pci,fsdev=root,mount_tag=hostroot");
	}
	for (char *arg = cfg.qemu && !probing ? strtok(cfg.qemu, " ") : NULL; arg;
	     arg = strtok(NULL, " ")) {
		if (n > 78)
			fatal("--qemu has too many arguments");
		ARG(arg);
	}
	argv[n] = NULL;
#undef ARG

	pid = fork();
	if (pid < 0)
		fatal("fork: %s", strerror(errno));
	if (!pid) {
		die_with(self);
		if (!interactive)
			dup2(open("/dev/null", O_RDONLY), 0);
		/* A probe that fails is not worth its noise. */
		if (probing)
			dup2(open("/dev/null", O_WRONLY), 2);
		execvp(argv[0], (char **)argv);
		msg("%s: %s; install qemu-system-x86", argv[0], strerror(errno));
		_exit(RV_SETUP);
	}
	if (!interactive)
		for (int i = 0; i < NCHAN; i++)
			close(peer[i]);
	return pid;
}

static void chan_read(struct chan *c)
{
	ssize_t n;

	for (;;) {
		if (c->room < c->len + 65537) {
			c->room = 2 * c->room + 131072;
			c->buf = realloc(c->buf, c->room);
			if (!c->buf)
				fatal("out of memory");
		}
		n = read(c->fd, c->buf + c->len, 65536);
		if (n <= 0)
			break;
		if (c->sink >= 0 && write(c->sink, c->buf + c->len, n) != n)
			fatal("cannot write the output: %s; is the disk full?",
			      strerror(errno));
		c->len += n;
		c->buf[c->len] = 0;
	}
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(c->fd);
		c->fd = -1;
	}
}

/* Reads what comes. False: nothing can come any more. */
static bool pump(struct chan *ch, double until)
{
	while (now() < until) {
		struct pollfd p[NCHAN];
		bool open = false;

		for (int i = 0; i < NCHAN; i++) {
			p[i].fd = ch[i].fd;
			p[i].events = POLLIN;
			open |= i != MON && ch[i].fd >= 0;
		}
		if (!open)
			return false;
		if (poll(p, NCHAN, 200) <= 0)
			continue;
		for (int i = 0; i < NCHAN; i++)
			if (p[i].fd >= 0 && p[i].revents)
				chan_read(&ch[i]);
	}
	return true;
}

/* A break on the serial console, then the key: sysrq. */
static void sysrq(struct chan *ch, char key)
{
	static const char brk[] = "chardev-send-break c0\n";

	if (write(ch[MON].fd, brk, sizeof(brk) - 1) < 0)
		return;
	pump(ch, now() + 0.5);
	if (write(ch[CON].fd, &key, 1) < 0)
		return;
	pump(ch, now() + 2);
}

struct result {
	bool hang, dead, ready, end;
	int qemu_signal;	/* that QEMU died of by itself */
	int status, splats, leaks;
	long taint;
};

#define DRAIN 5		/* seconds for the console after a panic */
#define SILENCE 30	/* seconds without a word after an oops, then no more will come */

struct life {
	double heard, panicked;
	size_t len;		/* of all that was heard */
};

/*
 * The kernel may say that it dies and then not reboot. After a panic there is nothing to
 * wait for. A kernel that said BUG or Oops may live on, and then its test ends and reports
 * it; or it died with a lock held or interrupts off, and then it says nothing more.
 */
static bool is_dead(const struct chan *ch, struct life *life)
{
	const char *console = ch[CON].buf;
	size_t len = 0;

	for (int i = 0; i < NCHAN; i++)
		len += ch[i].len;
	if (len != life->len) {
		life->len = len;
		life->heard = now();
	}
	if (!console)
		return false;
	if (!life->panicked && strstr(console, "Kernel panic - not syncing"))
		life->panicked = now();
	if (life->panicked)
		return now() > life->panicked + DRAIN;
	return now() > life->heard + SILENCE &&
	       (strstr(console, "BUG: ") || strstr(console, "Oops: "));
}

static void boot(const char *accel, const char *cmd, bool host, int timeout,
		 struct chan *ch, struct result *res)
{
	char initrd[] = "/tmp/ringvm.XXXXXX", nonce[33], *end;
	struct life life = { .heard = now() };
	double until = now() + timeout;
	unsigned char rnd[16];
	int fd, qemu;
	pid_t pid;

	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		fatal("getrandom: %s", strerror(errno));
	for (int i = 0; i < 16; i++)
		sprintf(nonce + 2 * i, "%02x", rnd[i]);
	fd = mkstemp(initrd);
	if (fd < 0)
		fatal("%s: %s", initrd, strerror(errno));
	close(fd);
	make_initrd(initrd, cmd, nonce);

	memset(res, 0, sizeof(*res));
	pid = start_qemu(accel, initrd, cfg.append, host, false, ch);
	while (pump(ch, now() + 0.5) && now() < until && !res->dead)
		res->dead = is_dead(ch, &life);
	if (ch[CON].fd >= 0) {
		res->hang = !res->dead;
		if (res->hang && timeout > 20) {
			msg("no end after %d s; asking the kernel for stacks", timeout);
			sysrq(ch, 'l');
			sysrq(ch, 'w');
		}
		kill(pid, SIGKILL);
	}
	waitpid(pid, &qemu, 0);
	if (WIFSIGNALED(qemu) && WTERMSIG(qemu) != SIGKILL)
		res->qemu_signal = WTERMSIG(qemu);
	unlink(initrd);
	for (int i = 0; i < NCHAN; i++)
		if (ch[i].fd >= 0)
			close(ch[i].fd);
	if (!ch[CTL].buf)
		return;
	res->ready = strstr(ch[CTL].buf, "READY\n");
	end = strstr(ch[CTL].buf, "END ");
	if (end && !strncmp(end + 4, nonce, 32) &&
	    sscanf(end + 36, " status=%d splats=%d leaks=%d taint=%ld\n",
		   &res->status, &res->splats, &res->leaks, &res->taint) == 4)
		res->end = true;
}

static void chans_init(struct chan *ch)
{
	memset(ch, 0, NCHAN * sizeof(*ch));
	for (int i = 0; i < NCHAN; i++)
		ch[i].sink = -1;
}

/* Of a file; nothing where there is none. */
static void first_line(const char *path, char *line, size_t size)
{
	FILE *f = path ? fopen(path, "r") : NULL;

	if (!f || !fgets(line, size, f))
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (f)
		fclose(f);
}

/* KVM may be there and still not run a guest: boot one to know. */
static const char *probe_accel(void)
{
	struct chan ch[NCHAN];
	struct result res;
	char id[64], line[128];
	FILE *f;

	if (access("/dev/kvm", R_OK | W_OK)) {
		msg("acceleration: tcg (no /dev/kvm)");
		return "tcg,thread=multi";
	}
	first_line("/proc/sys/kernel/random/boot_id", id, sizeof(id));
	first_line(cfg.state, line, sizeof(line));
	if (id[0] && !strncmp(line, id, strlen(id))) {
		bool kvm = strstr(line, " kvm");

		msg("acceleration: %s (probed since the last boot)", kvm ? "kvm" : "tcg");
		return kvm ? "kvm" : "tcg,thread=multi";
	}
	chans_init(ch);
	probing = true;
	boot("kvm", "true", false, 15, ch, &res);
	probing = false;
	res.end = res.end && !res.status;
	if (res.end)
		msg("acceleration: kvm (booted a guest)");
	else
		msg("acceleration: tcg (/dev/kvm is there but did not boot a guest)");
	f = cfg.state ? fopen(cfg.state, "w") : NULL;
	if (f) {
		fprintf(f, "%s %s\n", id, res.end ? "kvm" : "tcg");
		fclose(f);
	}
	return res.end ? "kvm" : "tcg,thread=multi";
}

/* --- TAP --- */

static bool skip_allowed(const char *line)
{
	char allow[256];
	bool ok = false;
	FILE *f;

	if (!cfg.skips)
		return false;
	f = fopen(cfg.skips, "r");
	if (!f)
		fatal("%s: %s", cfg.skips, strerror(errno));
	while (!ok && fgets(allow, sizeof(allow), f)) {
		allow[strcspn(allow, " \t\n")] = 0;
		ok = allow[0] && allow[0] != '#' && strstr(line, allow);
	}
	fclose(f);
	return ok;
}

/*
 * Check that there are as many TAP documents as planned, each with a plan of
 * its own and as many results as that says, and print the totals.
 */
static int check_tap(char *text)
{
	int docs = 0, plan = -1, seen = 0;
	int passed = 0, failed = 0, skipped = 0, bad = 0;
	char *line, *save;

	for (line = strtok_r(text ? text : "", "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "TAP version", 11)) {
			if (docs && seen != plan) {
				msg("a test program planned %d results and gave %d", plan, seen);
				bad++;
			}
			docs++;
			plan = -1;
			seen = 0;
		} else if (!strncmp(line, "1..", 3)) {
			plan = atoi(line + 3);
		} else if (!strncmp(line, "ok ", 3) && strstr(line, "# SKIP")) {
			seen++;
			skipped++;
			if (!skip_allowed(line)) {
				msg("not allowed to skip: %s", line);
				bad++;
			}
		} else if (!strncmp(line, "ok ", 3)) {
			seen++;
			passed++;
		} else if (!strncmp(line, "not ok ", 7)) {
			seen++;
			failed++;
			msg("%s", line);
		} else if (!strncmp(line, "Bail out!", 9)) {
			msg("%s", line);
			bad++;
		}
	}
	if (docs && seen != plan) {
		msg("a test program planned %d results and gave %d", plan, seen);
		bad++;
	}
	if (docs != cfg.docs) {
		msg("%d test programs were planned and %d reported", cfg.docs, docs);
		bad++;
	}
	fprintf(stderr, "tap: %d passed, %d failed, %d skipped\n", passed,
		failed + bad, skipped);
	return failed || bad || !passed;
}

/* --- command line --- */

static const struct argp_option options[] = {
	{ "kernel", 'k', "IMAGE", 0, "bzImage to boot (required)", 0 },
	{ "root", 'r', "host|initrd", 0, "the host's root, read-only under a "
	  "tmpfs (default), or busybox only", 0 },
	{ "accel", 'A', "auto|kvm|tcg|single|icount", 0, "auto boots a guest to find "
	  "out; single is TCG on one thread, for code that changes under traffic; "
	  "with icount, TCG's clock is the number of instructions", 0 },
	{ "state", 's', "FILE", 0, "where auto keeps what it found", 0 },
	{ "timeout", 't', "SECONDS", 0, "then it is a hang (300)", 0 },
	{ "cpus", 'c', "N", 0, "(2)", 0 },
	{ "memory", 'm', "SIZE", 0, "(2G)", 0 },
	{ "append", 'a', "ARGS", 0, "more kernel command line; may be given again", 0 },
	{ "log", 'l', "FILE", 0, "console log (default: a file in /tmp)", 0 },
	{ "out", 'o', "FILE", 0, "the command's stdout, instead of ours", 0 },
	{ "tap", 'T', "N", 0, "stdout is TAP of N test programs: check it", 0 },
	{ "skips", 'S', "FILE", 0, "names of tests that may skip", 0 },
	{ "module", 'M', "FILE", 0, "a kernel module to load before anything else, for a "
	  "kernel that has its drivers in modules; may be given again", 0 },
	{ "plugin", 'p', "FILE[,ARGS]", 0, "load a TCG plugin", 0 },
	{ "qemu", 'Q', "ARGS", 0, "more arguments of QEMU's, split at blanks", 0 },
	{ "interactive", 'i', NULL, 0, "a shell on this terminal", 0 },
	{ "quiet", 'q', NULL, 0, "no verdict when all is well", 0 },
	{ 0 }
};

static int number(const char *arg, const char *what, struct argp_state *st)
{
	char *end;
	long v = strtol(arg, &end, 10);

	if (*end || end == arg || v < 1 || v > 1000000)
		argp_error(st, "%s: '%s' is not a positive number", what, arg);
	return v;
}

/* What is given in several arguments is one text, with blanks between them. */
static void join(char **to, const char *arg)
{
	char *all;

	if (asprintf(&all, "%s%s%s", *to ? *to : "", *to ? " " : "", arg) < 0)
		fatal("out of memory");
	free(*to);
	*to = all;
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	switch (key) {
	case 'k':
		cfg.kernel = arg;
		break;
	case 'r':
		if (strcmp(arg, "host") && strcmp(arg, "initrd"))
			argp_error(st, "--root is host or initrd, not '%s'", arg);
		cfg.root = arg;
		break;
	case 'A':
		cfg.icount = !strcmp(arg, "icount");
		if (!strcmp(arg, "tcg"))
			arg = "tcg,thread=multi";
		else if (cfg.icount || !strcmp(arg, "single"))
			arg = "tcg,thread=single";
		else if (strcmp(arg, "auto") && strcmp(arg, "kvm"))
			argp_error(st, "--accel is auto, kvm, tcg, single or icount, not '%s'", arg);
		cfg.accel = arg;
		break;
	case 's':
		cfg.state = arg;
		break;
	case 't':
		cfg.timeout = number(arg, "--timeout", st);
		break;
	case 'c':
		cfg.cpus = number(arg, "--cpus", st);
		break;
	case 'm':
		cfg.mem = arg;
		break;
	case 'a':
		join(&cfg.append, arg);
		break;
	case 'l':
		cfg.log = arg;
		break;
	case 'o':
		cfg.out = arg;
		break;
	case 'T':
		cfg.docs = number(arg, "--tap", st);
		break;
	case 'S':
		cfg.skips = arg;
		break;
	case 'M':
		if (cfg.nmodules == MAX_MODULES)
			argp_error(st, "--module was given more than %d times", MAX_MODULES);
		cfg.module[cfg.nmodules++] = arg;
		break;
	case 'p':
		cfg.plugin = arg;
		break;
	case 'Q':
		cfg.qemu = arg;
		break;
	case 'i':
		cfg.interactive = true;
		break;
	case 'q':
		cfg.quiet = true;
		break;
	case ARGP_KEY_ARG:
		join(&cfg.cmd, arg);
		break;
	case ARGP_KEY_END:
		if (!cfg.kernel)
			argp_error(st, "no --kernel; 'make kernel' prints one");
		if (!cfg.cmd && !cfg.interactive)
			argp_error(st, "no command to run");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int verdict(struct chan *ch, const struct result *res)
{
	int ret = res->status;

	if (ch[CTL].buf) {
		char *line, *save, *copy = strdup(ch[CTL].buf);

		for (line = strtok_r(copy, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			if (strcmp(line, "READY") && strncmp(line, "END ", 4))
				msg("%s", line);
		free(copy);
	}
	if (res->hang) {
		msg("FAILED: hang; stacks are in %s", cfg.log);
		ret = RV_HANG;
	} else if (res->dead) {
		msg("FAILED: the kernel died and did not reboot; see %s", cfg.log);
		ret = RV_DIED;
	} else if (!res->ready) {
		msg("FAILED: the guest did not come up; see %s", cfg.log);
		ret = RV_DIED;
	} else if (!res->end) {
		msg("FAILED: the guest died before its END record; see %s", cfg.log);
		ret = RV_DIED;
	} else if (res->splats || res->leaks || res->taint) {
		msg("FAILED: %d kernel splats, %d leaks, taint %ld; see %s",
		    res->splats, res->leaks, res->taint, cfg.log);
		ret = RV_SPLAT;
	} else if (cfg.docs >= 0 && check_tap(ch[OUT].buf)) {
		msg("FAILED: test results; see above, kernel log in %s", cfg.log);
		ret = RV_TAP;
	} else if (res->status) {
		msg("FAILED: the command returned %d", res->status);
	} else if (!cfg.quiet) {
		msg("ok");
	}
	return ret;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "-- COMMAND...",
		"Boot a kernel under QEMU and run COMMAND in it.\v"
		"Exit status: the command's; 121 kernel splat or leak, 122 guest "
		"died, 123 wrong test results, 124 hang, 125 could not run.",
		NULL, NULL, NULL
	};
	char log[] = "/tmp/ringvm-log.XXXXXX";
	struct chan ch[NCHAN];
	struct result res;
	int fd;

	die_with(getppid());
	argp_err_exit_status = RV_SETUP;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (access(cfg.kernel, R_OK))
		fatal("%s: %s; 'make kernel' builds one", cfg.kernel, strerror(errno));
	if (!strcmp(cfg.accel, "auto"))
		cfg.accel = probe_accel();
	if (cfg.interactive) {
		char initrd[] = "/tmp/ringvm.XXXXXX";
		int status;

		fd = mkstemp(initrd);
		if (fd < 0)
			fatal("%s: %s", initrd, strerror(errno));
		make_initrd(initrd, cfg.cmd ? cfg.cmd : "exec sh -i", "");
		waitpid(start_qemu(cfg.accel, initrd, cfg.append,
				   !strcmp(cfg.root, "host"), true, NULL),
			&status, 0);
		unlink(initrd);
		return WIFEXITED(status) ? WEXITSTATUS(status) : RV_DIED;
	}

	chans_init(ch);
	fd = cfg.log ? open(cfg.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) :
		       mkostemp(log, O_CLOEXEC);
	if (!cfg.log)
		cfg.log = log;
	if (fd < 0)
		fatal("%s: %s", cfg.log, strerror(errno));
	ch[CON].sink = fd;
	ch[OUT].sink = 1;
	ch[ERR].sink = 2;
	if (cfg.out) {
		ch[OUT].sink = open(cfg.out,
				    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (ch[OUT].sink < 0)
			fatal("%s: %s", cfg.out, strerror(errno));
	}
	boot(cfg.accel, cfg.cmd, !strcmp(cfg.root, "host"), cfg.timeout, ch, &res);
	if (res.qemu_signal && !res.ready) {
		/* QEMU 7.2 has assertions that a boot on a busy machine may break. */
		msg("QEMU died of signal %d before the guest came up; once more", res.qemu_signal);
		for (int i = 0; i < NCHAN; i++) {
			free(ch[i].buf);
			ch[i] = (struct chan){ .sink = ch[i].sink };
		}
		boot(cfg.accel, cfg.cmd, !strcmp(cfg.root, "host"), cfg.timeout, ch, &res);
	}
	fd = verdict(ch, &res);
	if (!fd && cfg.log == log)
		unlink(log);
	return fd;
}
