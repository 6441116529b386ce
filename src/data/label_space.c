#include "data/label_space.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/string_map.h"
#include "base/text.h"

struct icl_label_space {
    char **names; /* [count] */
    size_t count, capacity;
    icl_string_map indices;
};

static icl_status reserve_one(icl_label_space *labels)
{
    if (labels->count < labels->capacity) return ICL_OK;
    const size_t capacity = labels->capacity == 0 ? 8 : labels->capacity * 2;
    char **grown = realloc(labels->names, capacity * sizeof *grown);
    if (grown == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the label space");
    labels->names = grown;
    labels->capacity = capacity;
    return ICL_OK;
}

icl_status icl_label_space_add(icl_label_space *labels, const char *name, size_t *out_index)
{
    const size_t known = icl_label_space_find(labels, name);
    if (known != ICL_LABEL_NONE) {
        *out_index = known;
        return ICL_OK;
    }
    ICL_TRY(reserve_one(labels));
    char *copy = icl_string_copy(name, strlen(name));
    if (copy == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the label space");
    size_t index = labels->count;
    const icl_status status = icl_string_map_add(&labels->indices, copy, &index);
    if (status != ICL_OK) {
        free(copy);
        return status;
    }
    labels->names[labels->count++] = copy;
    *out_index = index;
    return ICL_OK;
}

icl_status icl_label_space_new(icl_label_space **out, const char *const *names, size_t count)
{
    icl_label_space *labels = calloc(1, sizeof *labels);
    if (labels == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the label space");
    icl_status status = ICL_OK;
    for (size_t i = 0; i < count && status == ICL_OK; i++) {
        size_t index = 0;
        char shown[ICL_QUOTE_BYTES];
        if (names[i][0] == '\0')
            status = icl_error_set(ICL_EINVAL, "label %zu has an empty name", i + 1);
        else
            status = icl_label_space_add(labels, names[i], &index);
        if (status == ICL_OK && index != i)
            status = icl_error_set(ICL_EINVAL, "label %s stands twice in the label space",
                                   icl_quote(shown, names[i], strlen(names[i])));
    }
    if (status == ICL_OK)
        *out = labels;
    else
        icl_label_space_free(labels);
    return status;
}

icl_status icl_label_space_copy(icl_label_space **out, const icl_label_space *labels)
{
    return icl_label_space_new(out, (const char *const *)labels->names, labels->count);
}

void icl_label_space_free(icl_label_space *labels)
{
    if (labels == NULL) return;
    for (size_t i = 0; i < labels->count; i++) free(labels->names[i]);
    free(labels->names);
    icl_string_map_deinit(&labels->indices);
    free(labels);
}

size_t icl_label_space_count(const icl_label_space *labels)
{
    return labels->count;
}

const char *icl_label_space_name(const icl_label_space *labels, size_t index)
{
    assert(index < labels->count);
    return labels->names[index];
}

size_t icl_label_space_find(const icl_label_space *labels, const char *name)
{
    return icl_string_map_find(&labels->indices, name);
}

const char *icl_label_space_nearest(const icl_label_space *labels, const char *name)
{
    const size_t nearest =
        icl_nearest_name(name, (const char *const *)labels->names, labels->count);
    return nearest < labels->count ? labels->names[nearest] : NULL;
}
