#include "base/string_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"

typedef struct icl_string_map_slot slot;

void icl_string_map_deinit(icl_string_map *map)
{
    free(map->slots);
    *map = (icl_string_map){ 0 };
}

/* The slot that holds `key`, or the free one where it belongs. */
static slot *slot_of(const icl_string_map *map, const char *key, uint64_t hash)
{
    for (size_t at = (size_t)hash & (map->capacity - 1);; at = (at + 1) & (map->capacity - 1)) {
        slot *candidate = &map->slots[at];
        if (candidate->key == NULL) return candidate;
        if (candidate->hash == hash && strcmp(candidate->key, key) == 0) return candidate;
    }
}

static icl_status grow(icl_string_map *map)
{
    icl_string_map wider = { .capacity = map->capacity == 0 ? 16 : map->capacity * 2,
                             .count = map->count };
    wider.slots = calloc(wider.capacity, sizeof *wider.slots);
    if (wider.slots == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a table of names");
    for (size_t i = 0; i < map->capacity; i++) {
        const slot *moved = &map->slots[i];
        if (moved->key != NULL) *slot_of(&wider, moved->key, moved->hash) = *moved;
    }
    free(map->slots);
    *map = wider;
    return ICL_OK;
}

size_t icl_string_map_find(const icl_string_map *map, const char *key)
{
    if (map->count == 0) return SIZE_MAX;
    const slot *found = slot_of(map, key, icl_hash(key, strlen(key)).low);
    return found->key == NULL ? SIZE_MAX : found->index;
}

icl_status icl_string_map_add(icl_string_map *map, const char *key, size_t *index)
{
    if (map->count * 2 >= map->capacity) ICL_TRY(grow(map));
    const uint64_t hash = icl_hash(key, strlen(key)).low;
    slot *place = slot_of(map, key, hash);
    if (place->key != NULL) {
        *index = place->index;
        return ICL_OK;
    }
    *place = (slot){ .key = key, .hash = hash, .index = *index };
    map->count++;
    return ICL_OK;
}
