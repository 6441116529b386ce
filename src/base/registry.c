#include "base/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/text.h"

/* The sentence for a name that no card carries. */
static icl_status unknown_method(const icl_card *const *cards, size_t count, const char *stage,
                                 const char *name)
{
    char shown[ICL_QUOTE_BYTES];
    icl_quote(shown, name, strlen(name));
    icl_text names = { 0 };
    icl_status status;
    const char **list = calloc(count + 1, sizeof *list);
    if (list == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory");
        goto cleanup;
    }
    for (size_t i = 0; i < count; i++) list[i] = cards[i]->name;
    const size_t nearest = icl_nearest_name(name, list, count);
    if (nearest < count) {
        status = icl_error_set(ICL_ENOTFOUND, "unknown %s method %s; did you mean \"%s\"?", stage,
                               shown, list[nearest]);
        goto cleanup;
    }
    for (size_t i = 0; i < count; i++) icl_text_printf(&names, "%s%s", i == 0 ? "" : ", ", list[i]);
    status = icl_error_set(ICL_ENOTFOUND, "unknown %s method %s; known: %s", stage, shown,
                           icl_text_string(&names));

cleanup:
    icl_text_deinit(&names);
    free(list);
    return status;
}

icl_status icl_registry_find(size_t *out_index, const icl_card *const *cards, size_t count,
                             const char *stage, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cards[i]->name, name) == 0) {
            *out_index = i;
            return ICL_OK;
        }
    }
    return unknown_method(cards, count, stage, name);
}
