/* SPDX-License-Identifier: GPL-2.0-only */
/* A hash table from numbers, of queues for example, to structures. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct table - structures by number
 * @slot: those of a power of two of slots, @room, that are in use; the number is before
 *	each
 * @used: how many
 * @size: of the caller's structure
 */
struct table {
	uint64_t **slot;
	unsigned int room, used;
	size_t size;
};

void table_init(struct table *t, size_t size);

/* The structure of @key; if there is none, a new one that is all 0, or NULL. */
void *table_find(struct table *t, uint64_t key, bool make);

/* All structures, one by one, from *@at 0; NULL behind the last. */
void *table_next(const struct table *t, unsigned int *at);

void table_clear(struct table *t);
void table_free(struct table *t);

static inline uint64_t queue_key(uint32_t dev, uint16_t vq)
{
	return (uint64_t)dev << 16 | vq;
}

#endif /* TABLE_H */
