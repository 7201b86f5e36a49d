// SPDX-License-Identifier: GPL-2.0-only
/* Open addressing, at most half full. */
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "vhostctl.h"

void table_init(struct table *t, size_t size)
{
	*t = (struct table){ .room = 64, .size = size };
	t->slot = xcalloc(t->room, sizeof(*t->slot));
}

static uint64_t **find(uint64_t **slot, unsigned int room, uint64_t key)
{
	unsigned int i = (key * 0x9e3779b97f4a7c15ULL) >> 32;

	for (i &= room - 1; slot[i] && *slot[i] != key; i = (i + 1) & (room - 1))
		;
	return &slot[i];
}

static void grow(struct table *t)
{
	unsigned int room = 2 * t->room;
	uint64_t **slot = xcalloc(room, sizeof(*slot));

	for (unsigned int i = 0; i < t->room; i++)
		if (t->slot[i])
			*find(slot, room, *t->slot[i]) = t->slot[i];
	free(t->slot);
	t->slot = slot;
	t->room = room;
}

void *table_find(struct table *t, uint64_t key, bool make)
{
	uint64_t **s = find(t->slot, t->room, key);

	if (!*s && make) {
		if (2 * ++t->used > t->room) {
			grow(t);
			s = find(t->slot, t->room, key);
		}
		*s = xcalloc(1, sizeof(uint64_t) + t->size);
		**s = key;
	}
	return *s ? *s + 1 : NULL;
}

void *table_next(const struct table *t, unsigned int *at)
{
	while (*at < t->room) {
		uint64_t *s = t->slot[(*at)++];

		if (s)
			return s + 1;
	}
	return NULL;
}

void table_clear(struct table *t)
{
	for (unsigned int i = 0; i < t->room; i++)
		free(t->slot[i]);
	memset(t->slot, 0, t->room * sizeof(*t->slot));
	t->used = 0;
}

void table_free(struct table *t)
{
	table_clear(t);
	free(t->slot);
}
