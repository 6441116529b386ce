/* base/string_map.h - finds the index of a string among strings that the caller keeps.
 *
 *   icl_string_map map = { 0 };
 *   size_t index = count;
 *   icl_string_map_add(&map, names[count], &index);  // index < count: the name stood there already
 *   icl_string_map_deinit(&map);
 */
#ifndef ICL_BASE_STRING_MAP_H
#define ICL_BASE_STRING_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

/* Open addressing over a power-of-two table, at most half full. Keys are borrowed. */
typedef struct icl_string_map {
    struct icl_string_map_slot {
        const char *key; /* NULL: free */
        uint64_t hash;
        size_t index;
    } * slots;
    size_t capacity, count;
} icl_string_map;

void icl_string_map_deinit(icl_string_map *map);

/* Index stored under `key`, or SIZE_MAX. */
size_t icl_string_map_find(const icl_string_map *map, const char *key);

/* Stores *index under `key`, which must outlive the map; when the key is there already, keeps it
 * and writes its index to *index. ICL_ENOMEM. */
icl_status icl_string_map_add(icl_string_map *map, const char *key, size_t *index);

#endif
