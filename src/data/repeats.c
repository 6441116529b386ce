#include "data/repeats.h"

#include <icl/dataset.h>

#include "base/string_map.h"

icl_status icl_repeats_count(icl_repeats *out, const char *const *texts, const size_t *labels,
                             size_t count)
{
    icl_repeats repeats = { 0 };
    icl_string_map map = { 0 };
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        size_t first = i;
        status = icl_string_map_add(&map, texts[i], &first);
        if (first == i) continue;
        repeats.count++;
        repeats.relabelled += labels[i] != ICL_LABEL_NONE && labels[first] != ICL_LABEL_NONE &&
                              labels[i] != labels[first];
    }
    icl_string_map_deinit(&map);
    if (status == ICL_OK) *out = repeats;
    return status;
}
