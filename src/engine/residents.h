/* engine/residents.h - what a cache still holds of earlier batches: paths that these asked to keep,
 * each in a sequence of its own.
 *
 * Cells are taken in ascending order and never given back one by one, so a path that is dropped or
 * cut leaves cells taken until everything is let go.
 */
#ifndef ICL_ENGINE_RESIDENTS_H
#define ICL_ENGINE_RESIDENTS_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

typedef struct resident_path {
    int32_t *tokens; /* [count]; count 0: nothing is held */
    size_t count;
} resident_path;

/* Zeroed: an empty cache. */
typedef struct icl_residents {
    resident_path *paths;  /* [sequence_count] by sequence; 0, the trunk, holds nothing */
    size_t sequence_count; /* sequences of the cache */
    size_t cells;          /* taken, by dropped paths too */
} icl_residents;

icl_status icl_residents_init(icl_residents *out, size_t sequence_count);
void icl_residents_deinit(icl_residents *residents); /* leaves it empty */

#endif
