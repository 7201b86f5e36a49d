// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb top. A frame is written at once, over the last one, and every line clears
 * what is left of the old: nothing flickers. It has the alternate screen, and gives the
 * terminal back as it was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "vhostctl.h"
#include "watch.h"

#define MAX_ROWS	500
#define WIDE		100	/* columns from which on there is more to see */

/* --- the terminal --- */

static struct termios before;
static bool have_screen;
static atomic_bool resized, stopped;

static void put(const char *s, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, s, n);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			s += done;
			n -= done;
		}
	}
}

static void leave_screen(void)
{
	static const char leave[] = "\033[0m\033[?25h\033[?1049l";

	if (!have_screen)
		return;
	have_screen = false;
	put(leave, sizeof(leave) - 1);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void enter_screen(void)
{
	static const char enter[] = "\033[?1049h\033[?25l\033[2J";
	struct termios t = before;

	/* Keys at once and unseen; signals as ever. */
	t.c_lflag &= ~(ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
	have_screen = true;
	put(enter, sizeof(enter) - 1);
}

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = true;
	else
		stopped = true;
}

static void open_terminal(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !term || !strcmp(term, "dumb"))
		die(EXIT_USAGE, "top wants a terminal; 'vhostctl stat' writes lines instead, and 'vhostctl top --json' one look");
	if (tcgetattr(STDIN_FILENO, &before))
		die(EXIT_USAGE, "the terminal: %s", strerror(errno));
	catch_signals();
	sigaction(SIGWINCH, &sa, NULL);
	sigaction(SIGTSTP, &sa, NULL);
	before_message = leave_screen;
	atexit(leave_screen);
	enter_screen();
}

/* --- a frame --- */

struct frame {
	char *text;
	size_t len, room;
	int rows, columns, row;
};

static void frame_begin(struct frame *f)
{
	struct winsize w;

	f->rows = 24;
	f->columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row && w.ws_col) {
		f->rows = w.ws_row;
		f->columns = w.ws_col;
	}
	f->row = 0;
	f->len = 0;
}

static void frame_add(struct frame *f, const char *s, size_t n)
{
	if (f->len + n > f->room) {
		f->room = 2 * (f->len + n) + 4096;
		f->text = xrealloc(f->text, f->room);
	}
	memcpy(f->text + f->len, s, n);
	f->len += n;
}

static void frame_escape(struct frame *f, const char *s)
{
	frame_add(f, s, strlen(s));
}

/* A line, cut where the screen ends; nothing below the last. */
__attribute__((format(printf, 3, 4)))
static void line(struct frame *f, bool title, const char *fmt, ...)
{
	char buf[512], at[24];
	va_list ap;
	int n;

	if (f->row >= f->rows)
		return;
	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(buf) - 1)
		n = sizeof(buf) - 1;
	if (n > f->columns)
		n = f->columns;
	/* A process may have any name. */
	for (int i = 0; i < n; i++)
		if (buf[i] < ' ' || buf[i] > '~')
			buf[i] = '?';
	snprintf(at, sizeof(at), "\033[%d;1H", ++f->row);
	frame_escape(f, at);
	if (title)
		frame_escape(f, "\033[7m");
	frame_add(f, buf, n);
	for (; title && n < f->columns; n++)
		frame_add(f, " ", 1);
	if (title)
		frame_escape(f, "\033[0m");
	/* At the last column this would clear what was just written. */
	if (n < f->columns)
		frame_escape(f, "\033[K");
}

static void frame_end(struct frame *f)
{
	while (f->row < f->rows)
		line(f, false, "%s", "");
	put(f->text, f->len);
}

/* --- what is shown --- */

struct row {
	const struct device *d;
	const struct queue *q;
	struct rates r;
};

/* A counter's rate, by the name behind the prefix */
struct named {
	char name[48];
	uint64_t n;
};

struct view {
	struct row row[MAX_ROWS];
	unsigned int rows, hidden, devices;
	struct rates total;
	struct named cause[64], reason[64];
	unsigned int causes, reasons;
	bool lock_times;
};

static int by_rate(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->r.used != y->r.used)
		return x->r.used < y->r.used ? 1 : -1;
	if (x->d->n != y->d->n)
		return x->d->n > y->d->n ? 1 : -1;
	return (int)x->q->index - (int)y->q->index;
}

static int by_count(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return (x->n < y->n) - (x->n > y->n);
}

static void add_named(struct named *list, unsigned int *n, const char *name, uint64_t count)
{
	unsigned int i = 0;

	while (i < *n && strcmp(list[i].name, name))
		i++;
	if (i == 64 || !count)
		return;
	if (i == *n) {
		snprintf(list[i].name, sizeof(list[i].name), "%s", name);
		list[i].n = 0;
		(*n)++;
	}
	list[i].n += count;
}

static void add_names(struct view *v, const struct queue *q, const struct queue *was)
{
	static const char fallback[] = "fallback_", invalidate[] = "invalidate_";

	for (unsigned int i = 0; i < q->nc; i++) {
		const char *name = q->c[i].name;
		uint64_t n = q->c[i].v - (was ? queue_counter(was, name) : 0);

		if (!strncmp(name, fallback, sizeof(fallback) - 1))
			add_named(v->reason, &v->reasons, name + sizeof(fallback) - 1, n);
		if (!strncmp(name, invalidate, sizeof(invalidate) - 1))
			add_named(v->cause, &v->causes, name + sizeof(invalidate) - 1, n);
	}
}

static bool lock_times_on(void)
{
	char *text = read_file(sys_path(VHOST_DEBUGFS "/lock_times"));
	bool on = text && (text[0] == '1' || text[0] == 'Y');

	free(text);
	return on;
}

static void view_make(struct view *v, const struct look *is, const struct look *was)
{
	memset(v, 0, sizeof(*v));
	v->devices = is->n;
	v->lock_times = lock_times_on();
	v->total.seconds = is->t - was->t;
	for (unsigned int i = 0; i < is->n; i++)
		for (unsigned int k = 0; k < is->d[i].nq; k++) {
			const struct queue *q = &is->d[i].q[k];
			const struct queue *old = look_queue(was, &is->d[i], q);
			struct row *row = &v->row[v->rows];

			rates_add(&v->total, q, old);
			add_names(v, q, old);
			if (v->rows == MAX_ROWS) {
				v->hidden++;
				continue;
			}
			*row = (struct row){ .d = &is->d[i], .q = q };
			row->r.seconds = v->total.seconds;
			rates_add(&row->r, q, old);
			v->rows++;
		}
	qsort(v->row, v->rows, sizeof(*v->row), by_rate);
	qsort(v->cause, v->causes, sizeof(*v->cause), by_count);
	qsort(v->reason, v->reasons, sizeof(*v->reason), by_count);
}

static const char *share(const struct rates *r, char *buf, size_t size)
{
	double percent = mapped_share(r->mapped, r->fallback);

	if (isnan(percent))
		return "-";
	snprintf(buf, size, "%.2f%%", percent);
	return buf;
}

static const char *waits(const struct view *v, const struct rates *r, char *buf, size_t size)
{
	if (!v->lock_times)
		return "-";
	snprintf(buf, size, "%.0f", r->waits / r->seconds);
	return buf;
}

static void draw_row(struct frame *f, const struct view *v, const struct row *row)
{
	const struct rates *r = &row->r;
	const struct process *owner = &row->d->owner;
	char mapped[16], waited[24], pid[16] = "-";
	double s = r->seconds;

	if (owner->pid)
		snprintf(pid, sizeof(pid), "%d", owner->pid);
	if (f->columns < WIDE)
		line(f, false, "%-13s %-9.9s %2u %-8s %10.0f %8s %8.0f %7.0f %7s", row->d->name,
		     process_name(owner), row->q->index, row->q->accessor, r->used / s,
		     share(r, mapped, sizeof(mapped)), r->fallback / s, r->dropped / s,
		     waits(v, r, waited, sizeof(waited)));
	else
		line(f, false,
		     "%-16s %-16s %7s %2u %-8s %10.0f %8s %10.0f %10.0f %8.0f %8.0f %8.0f %8s",
		     row->d->name, process_name(owner), pid, row->q->index, row->q->accessor,
		     r->used / s, share(r, mapped, sizeof(mapped)), r->fallback / s,
		     r->sections / s, r->fills / s, r->dropped / s, r->rests / s,
		     waits(v, r, waited, sizeof(waited)));
}

/* A name and its rate in a column of @width, or nothing behind the last. */
static void named_text(char *buf, size_t size, int width, const struct view *v,
		       const struct named *list, unsigned int n, unsigned int i)
{
	buf[0] = 0;
	if (i < n)
		snprintf(buf, size, "%-*.*s %11.0f", width - 12, width - 12, list[i].name,
			 list[i].n / v->total.seconds);
}

static void draw_names(struct frame *f, const struct view *v, int rows)
{
	int width = f->columns / 2 - 1;
	char left[64], right[64];

	if (width > 50)
		width = 50;
	/* Below, the right column is cut off. */
	if (width < 20)
		width = 20;
	line(f, true, "%-*s %11s  %-*s %11s", width - 12, "INVALIDATION", "PER SECOND",
	     width - 12, "FALLBACK", "PER SECOND");
	for (int i = 0; i < rows - 1; i++) {
		named_text(left, sizeof(left), width, v, v->cause, v->causes, i);
		named_text(right, sizeof(right), width, v, v->reason, v->reasons, i);
		line(f, false, "%-*s  %s", width, left, right);
	}
}

static void draw(struct frame *f, const struct view *v)
{
	int names = v->causes > v->reasons ? v->causes : v->reasons, room;
	char clock[16], mapped[16];
	time_t t = time(NULL);
	unsigned int shown;

	frame_begin(f);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&t));
	line(f, false, "vhostctl top  %s  devices %u, queues %u  each %.1f s", clock, v->devices,
	     v->total.queues, v->total.seconds);
	line(f, false, "used %.0f/s  mapped %s  fallbacks %.0f/s  fills %.0f/s  drops %.0f/s",
	     v->total.used / v->total.seconds, share(&v->total, mapped, sizeof(mapped)),
	     v->total.fallback / v->total.seconds, v->total.fills / v->total.seconds,
	     v->total.dropped / v->total.seconds);
	line(f, false, "%s", "");
	if (f->columns < WIDE)
		line(f, true, "%-13s %-9s %2s %-8s %10s %8s %8s %7s %7s", "DEVICE", "OWNER", "Q",
		     "ACCESSOR", "USED/S", "MAPPED", "FALLBK/S", "DROPS/S", "WAITS/S");
	else
		line(f, true, "%-16s %-16s %7s %2s %-8s %10s %8s %10s %10s %8s %8s %8s %8s",
		     "DEVICE", "OWNER", "PID", "Q", "ACCESSOR", "USED/S", "MAPPED", "FALLBACK/S",
		     "SECTIONS/S", "FILLS/S", "DROPS/S", "RESTS/S", "WAITS/S");

	/* The names get what they need, up to half of what is left. */
	room = f->rows - f->row - 1;
	names = names + 2 < room / 2 ? names + 2 : room / 2;
	shown = room - names > 0 ? room - names : 0;
	for (unsigned int i = 0; i < v->rows && i < shown; i++)
		draw_row(f, v, &v->row[i]);
	if (!v->rows)
		line(f, false, "no vhost device is open");
	else if (v->rows + v->hidden > shown && shown)
		f->row--, line(f, false, "... and %u more queues", v->rows + v->hidden - shown + 1);
	while (f->row < f->rows - 1 - names)
		line(f, false, "%s", "");
	if (names >= 2) {
		line(f, false, "%s", "");
		draw_names(f, v, names - 1);
	}
	while (f->row < f->rows - 1)
		line(f, false, "%s", "");
	line(f, false, "q quit   l lock times %s", v->lock_times ? "off" : "on");
	frame_end(f);
}

static json_object *view_json(const struct view *v)
{
	json_object *o = rates_json(&v->total), *a = json_object_new_array();

	json_int(o, "devices", v->devices);
	json_flag(o, "lock_times", v->lock_times);
	for (unsigned int i = 0; i < v->rows; i++) {
		json_object *row = rates_json(&v->row[i].r);

		json_str(row, "device", v->row[i].d->name);
		json_object_object_add(row, "owner", process_json(&v->row[i].d->owner));
		json_object_object_add(row, "opener", process_json(&v->row[i].d->opener));
		json_int(row, "queue", v->row[i].q->index);
		json_str(row, "accessor", v->row[i].q->accessor);
		json_object_array_add(a, row);
	}
	json_object_object_add(o, "rows", a);
	a = json_object_new_object();
	for (unsigned int i = 0; i < v->causes; i++)
		json_num(a, v->cause[i].name, v->cause[i].n / v->total.seconds);
	json_object_object_add(o, "invalidations_per_second", a);
	a = json_object_new_object();
	for (unsigned int i = 0; i < v->reasons; i++)
		json_num(a, v->reason[i].name, v->reason[i].n / v->total.seconds);
	json_object_object_add(o, "fallbacks_per_second", a);
	return o;
}

/* --- the verb --- */

struct top_args {
	bool json;
	double interval;
};

static error_t top_parser(int key, char *arg, struct argp_state *st)
{
	struct top_args *a = st->input;

	switch (key) {
	case 'j':
		a->json = true;
		break;
	case 'i':
		a->interval = arg_seconds(st, "--interval", arg);
		break;
	case ARGP_KEY_ARG:
		argp_error(st, "'%s': top shows all; 'vhostctl stat %s' one", arg, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Wait for a key until @until; returns it, or 0. */
static char wait_key(double until)
{
	double left = until - now();
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char key;

	if (left > 0 && poll(&p, 1, left * 1000 + 1) <= 0)
		return 0;
	/* A terminal that went away reads as nothing. */
	if (p.revents & (POLLHUP | POLLERR))
		return 'q';
	return read(STDIN_FILENO, &key, 1) == 1 ? key : 0;
}

static void toggle_lock_times(void)
{
	write_file(sys_path(VHOST_DEBUGFS "/lock_times"), lock_times_on() ? "0" : "1");
}

static void suspend(void)
{
	stopped = false;
	leave_screen();
	raise(SIGSTOP);
	enter_screen();
	resized = true;
}

int cmd_top(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "interval", 'i', "SECONDS", 0, "between looks (1)", 0 },
		OPT_JSON,
		{ 0 }
	};
	static const struct argp argp = {
		options, top_parser, NULL,
		"All queues on the whole screen, the busiest first; what invalidates "
		"mappings and why accesses fall back. q ends it, l switches the counting of "
		"waits for the map lock, which costs time itself. With --json, one "
		"look after one interval.", NULL, NULL, NULL
	};
	static struct view v;
	struct top_args a = { .interval = 1 };
	struct look was = { 0 }, is = { 0 };
	struct frame f = { 0 };
	const int what = READ_STATS | READ_TIMES;
	char key = 0;

	parse_verb(&argp, argc, argv, &a);
	look_take(&was, what);
	if (a.json) {
		nap(a.interval);
		look_take(&is, what);
		view_make(&v, &is, &was);
		json_out(view_json(&v), false);
		look_free(&was);
		look_free(&is);
		return EXIT_OK;
	}
	open_terminal();
	/* Something to see at once. */
	nap(0.1);
	look_take(&is, what);
	while (!interrupted && key != 'q' && key != 'Q') {
		double until;

		view_make(&v, &is, &was);
		until = is.t + a.interval;
		draw(&f, &v);
		do {
			key = wait_key(until);
			if (key == 'l')
				toggle_lock_times();
			if (stopped)
				suspend();
			if (resized || key == 'l') {
				resized = false;
				v.lock_times = lock_times_on();
				draw(&f, &v);
			}
		} while (now() < until && !interrupted && key != 'q' && key != 'Q');
		look_free(&was);
		was = is;
		look_take(&is, what);
	}
	leave_screen();
	look_free(&was);
	look_free(&is);
	free(f.text);
	return EXIT_OK;
}
