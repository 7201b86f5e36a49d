/* SPDX-License-Identifier: GPL-2.0-only */
/* vhost's devices, queues and counters, as debugfs shows them. */
#ifndef DEVICES_H
#define DEVICES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct counter - a line of a queue's stats
 * @name: as the kernel says
 * @v: value; counters only grow
 */
struct counter {
	char name[48];
	uint64_t v;
};

/* A ring of a queue and what is mapped of it */
struct ring_map {
	char ring[16];
	char kind[16];
	char addr[24];
	uint64_t len, pages, mapped;
};

/* A histogram: times of less than @less_than ns */
struct times {
	uint64_t less_than[64], count[64];
	unsigned int n;
};

/* A virtqueue. @mode is what vhost does now; @worker a thread id, or 0. */
struct queue {
	unsigned int index;
	char accessor[16];
	char mode[16];
	int worker;
	struct counter *c;
	unsigned int nc;
	struct ring_map map[4];
	unsigned int nmap;
	struct times hold, wait;
};

/**
 * struct process - one that opened or owned a device, as it was then
 * @pid: its number in the initial PID namespace, 0 for nobody
 * @comm: its name, empty if nobody knows
 */
struct process {
	int pid;
	char comm[40];
};

/**
 * struct device - an open vhost device
 * @name: "<pid>-<n>", the same in debugfs and traces; the pid is its opener's
 * @owner: in whose memory its rings are
 * @opener: who opened it, another process where the file was handed over
 * @accessor: of all its queues, empty where they differ
 */
struct device {
	char name[40];
	unsigned int n;
	struct process owner, opener;
	char accessor[16];
	struct queue *q;
	unsigned int nq;
};

/* How much to read */
enum { READ_STATS = 1, READ_MAP = 2, READ_TIMES = 4 };

/* Where vhost's files are in debugfs. */
#define VHOST_DEBUGFS	"/sys/kernel/debug/vhost"
#define VHOST_DEFAULT	"/sys/module/vhost/parameters/accessor"
/* Where an accessor is set that cannot be set there */
#define VHOST_SET	"/sys/module/vhost_ringmap/parameters/device_accessor"

/* Read one; -ENOENT if there is none, or it went while it was read. */
int device_read(struct device *d, const char *name, int what);
void device_free(struct device *d);

/*
 * Set the accessor of a device, or of queue @queue of it unless that is -1. Goes by vhost's
 * parameter where lockdown does not let anybody write to debugfs. 0 or a negative errno:
 * -EINVAL for what is no accessor, -ENOENT if there is no such device or queue.
 */
int device_set_accessor(const char *name, int queue, const char *accessor);

/*
 * Read all, by number. Those that go meanwhile are left out. Returns how many, or
 * exits when it cannot look.
 */
unsigned int devices_read(struct device **devices, int what);
void devices_free(struct device *d, unsigned int n);

/* DEV or DEV/Q into its parts, @queue -1 for all; false if it is neither. */
bool device_parse(const char *arg, char *name, size_t size, int *queue);

/* Have the kernel say in all traces whose the devices are. */
void devices_say_owners(void);

/* A name that is one word, of printable characters, in one of a few static buffers */
const char *process_name(const struct process *p);

/* "owner NAME (PID), opened by NAME (PID)", the latter if it is another; as above */
const char *processes_text(const struct process *owner, const struct process *opener);

/* An object, or null for nobody */
json_object *process_json(const struct process *p);

/* A counter, or the sum over a device's queues; 0 if there is no such. */
uint64_t queue_counter(const struct queue *q, const char *name);
uint64_t device_counter(const struct device *d, const char *name);

/* Share of ring accesses that went through a mapping, percent; NAN if none. */
double mapped_share(uint64_t mapped, uint64_t fallback);

/* The word in brackets of an accessor file, empty if there is none. */
void accessor_word(const char *text, char *word, size_t size);

/* Say why debugfs cannot be read, and what to do; exits. */
void cannot_look(int err) __attribute__((noreturn));

#endif /* DEVICES_H */
