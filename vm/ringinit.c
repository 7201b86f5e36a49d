// SPDX-License-Identifier: GPL-2.0-only
/*
 * init of the VMs that ringvm boots: sets up the root, runs one command, looks
 * for leaks and splats, and only then reports, with the run's nonce.
 *
 * The report goes to the first virtio port, the command's stdout to the second
 * and its stderr to the third.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/module.h>

#define NEWROOT "/newroot"

static int ctl = -1;

static void say(const char *fmt, ...)
{
	char buf[1200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(buf) - 1)
		n = sizeof(buf) - 1;
	if (ctl < 0 || write(ctl, buf, n) != n)
		fprintf(stderr, "ringinit: %s", buf);
}

static void finish(void)
{
	sync();
	/* Let the host drain the ports before the machine goes. */
	if (ctl >= 0)
		fsync(ctl);
	usleep(100000);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void die(const char *what)
{
	say("ERROR %s: %s\n", what, strerror(errno));
	finish();
}

static void mnt(const char *src, const char *dst, const char *type,
		unsigned long flags, const char *data)
{
	mkdir(dst, 0755);
	if (mount(src, dst, type, flags, data))
		die(dst);
}

static void kernel_mounts(const char *root)
{
	static const struct { const char *type, *dst; } m[] = {
		{ "devtmpfs", "/dev" }, { "proc", "/proc" },
		{ "sysfs", "/sys" }, { "debugfs", "/sys/kernel/debug" },
		{ "devpts", "/dev/pts" }, { "tmpfs", "/dev/shm" },
		{ "tmpfs", "/tmp" }, { "tmpfs", "/run" },
	};
	char dst[64];

	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		snprintf(dst, sizeof(dst), "%s%s", root, m[i].dst);
		mnt(m[i].type, dst, m[i].type, 0, NULL);
	}
}

static char *slurp(const char *path)
{
	static char none[1];
	size_t size = 0, room = 0;
	char *buf = NULL;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return none;
	do {
		if (room < size + 4097) {
			room = 2 * room + 8192;
			buf = realloc(buf, room);
			if (!buf)
				die("memory");
		}
		n = read(fd, buf + size, 4096);
		if (n > 0)
			size += n;
	} while (n > 0);
	buf[size] = 0;
	close(fd);
	return buf;
}

/* The modules in the initrd, in their order. Returns how many there are. */
static int load_modules(void)
{
	char path[32];
	int fd, n;

	for (n = 0;; n++) {
		snprintf(path, sizeof(path), "/ringvm/module%d", n);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return n;
		/* As it is, or packed. */
		if (syscall(SYS_finit_module, fd, "", 0) &&
		    syscall(SYS_finit_module, fd, "", MODULE_INIT_COMPRESSED_FILE) &&
		    errno != EEXIST)
			die(path);
		close(fd);
	}
}

static void host_root(void)
{
	mnt("hostroot", "/lower", "9p", MS_RDONLY,
	    "trans=virtio,version=9p2000.L,cache=loose,msize=262144");
	mnt("tmpfs", "/upper", "tmpfs", 0, NULL);
	mkdir("/upper/data", 0755);
	mkdir("/upper/work", 0755);
	mnt("overlay", NEWROOT, "overlay", 0,
	    "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work");
	kernel_mounts(NEWROOT);
	if (chroot(NEWROOT) || chdir("/"))
		die("chroot");
}

/* Kernel messages that mean that something is wrong. */
static int scan_dmesg(void)
{
	static const char * const bad[] = {
		"WARNING:", "BUG:", "Oops", "KASAN", "UBSAN",
		"kmemleak:", "INFO: rcu", "INFO: task", "INFO: possible",
		"INFO: trying", "Kernel panic", "general protection",
		"Call Trace:", "suspicious RCU", "soft lockup", "refcount_t",
		"scheduling while atomic", "unable to handle",
	};
	char rec[8192], *text;
	int fd, found = 0;
	ssize_t n;

	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		die("/dev/kmsg");
	for (;;) {
		n = read(fd, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		rec[n] = 0;
		text = strchr(rec, ';');
		/* What user space wrote to the log is not the kernel's word. */
		if (!text || strtoul(rec, NULL, 10) >= 8)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		if (!strncmp(text, "kmemleak: Kernel memory leak detector", 37) ||
		    !strncmp(text, "kmemleak: Automatic memory", 26))
			continue;
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			if (!strstr(text, bad[i]))
				continue;
			say("SPLAT %s\n", text);
			found++;
			break;
		}
	}
	close(fd);
	return found;
}

static int scan_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char *report, *p;
	int fd, found = 0;

	if (access(path, W_OK))
		return 0;
	/* Objects younger than five seconds are not reported. */
	for (int i = 0; i < 2; i++) {
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "scan", 4) != 4)
			return 0;
		close(fd);
		if (!i)
			sleep(6);
	}
	report = slurp(path);
	for (p = report; (p = strstr(p, "unreferenced object")); p++)
		found++;
	if (found)
		say("LEAK %.1000s\n", report);
	return found;
}

static int run(char *cmd, bool interactive)
{
	int status = 0;
	pid_t pid, got;

	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		setsid();
		if (interactive) {
			int fd = open("/dev/ttyS0", O_RDWR);

			ioctl(fd, TIOCSCTTY, 0);
			dup2(fd, 0); dup2(fd, 1); dup2(fd, 2);
		} else {
			dup2(open("/dev/null", O_RDONLY), 0);
			dup2(open("/dev/vport0p2", O_WRONLY), 1);
			dup2(open("/dev/vport0p3", O_WRONLY), 2);
		}
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		setenv("HOME", "/tmp", 1);
		setenv("TERM", "vt100", 1);
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(127);
	}
	do {
		got = wait(&status);
	} while (got != pid && (got > 0 || errno == EINTR));
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		;
	return status;
}

int main(void)
{
	bool host = false, interactive = false;
	char *cmdline, *cmd, *nonce;
	int status, splats, leaks, modules;
	long taint, harmless = 1L << 18;

	kernel_mounts("");
	cmdline = slurp("/proc/cmdline");
	host = strstr(cmdline, "ringvm.root=host");
	interactive = strstr(cmdline, "ringvm.interactive");
	cmd = slurp("/ringvm/cmd");
	nonce = slurp("/ringvm/nonce");
	modules = load_modules();
	if (!interactive) {
		for (int i = 0; i < 100 && ctl < 0; i++) {
			ctl = open("/dev/vport0p1", O_WRONLY | O_CLOEXEC);
			if (ctl < 0)
				usleep(50000);
		}
		if (ctl < 0)
			die("/dev/vport0p1");
	}
	if (host)
		host_root();
	say("READY\n");
	status = run(cmd, interactive);
	leaks = scan_leaks();
	splats = scan_dmesg();
	/*
	 * KUnit tests that ran at boot taint (TAINT_TEST), and so do modules that are not
	 * the kernel's own (OOT, UNSIGNED), which a kernel with modules is booted for.
	 */
	if (modules)
		harmless |= 1L << 12 | 1L << 13;
	taint = strtol(slurp("/proc/sys/kernel/tainted"), NULL, 10) & ~harmless;
	say("END %s status=%d splats=%d leaks=%d taint=%ld\n", nonce,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	    splats, leaks, taint);
	finish();
}
