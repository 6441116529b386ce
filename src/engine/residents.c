#include "engine/residents.h"

#include <stdlib.h>

#include "base/error.h"

icl_status icl_residents_init(icl_residents *out, size_t sequence_count)
{
    resident_path *paths = calloc(sequence_count, sizeof *paths);
    if (paths == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu sequences", sequence_count);
    *out = (icl_residents){ .paths = paths, .sequence_count = sequence_count };
    return ICL_OK;
}

void icl_residents_deinit(icl_residents *residents)
{
    for (size_t s = 0; s < residents->sequence_count; s++) free(residents->paths[s].tokens);
    free(residents->paths);
    *residents = (icl_residents){ 0 };
}
