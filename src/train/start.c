#include "train/start.h"

#include <string.h>

#include "base/error.h"
#include "base/registry.h"

#define ICL_START(name) extern const icl_start_kind icl_start_##name;
#include "train/starts.def"
#undef ICL_START

static const icl_start_kind *const kinds[] = {
#define ICL_START(name) &icl_start_##name,
#include "train/starts.def"
#undef ICL_START
};

static const icl_card *const cards[] = {
#define ICL_START(name) &icl_start_##name.card,
#include "train/starts.def"
#undef ICL_START
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

const icl_card *const *icl_start_cards(size_t *out_count)
{
    *out_count = KIND_COUNT;
    return cards;
}

/* Options are the caller's to deinit. */
static icl_status read_call(const icl_start_kind **out, icl_options *out_options, const char *text)
{
    icl_call call = { 0 };
    size_t index = 0;
    ICL_TRY(icl_call_parse(&call, text, strlen(text)));
    icl_status status = icl_registry_find(&index, cards, KIND_COUNT, "start", call.name);
    if (status == ICL_OK) status = icl_options_read(out_options, cards[index], &call);
    if (status == ICL_OK) *out = kinds[index];
    icl_call_deinit(&call);
    return status;
}

icl_status icl_start_check(const char *call)
{
    const icl_start_kind *kind = NULL;
    icl_options options = { 0 };
    ICL_TRY(read_call(&kind, &options, call));
    icl_options_deinit(&options);
    return ICL_OK;
}

icl_status icl_start_run(const char *call, const icl_start_input *input)
{
    const icl_start_kind *kind = NULL;
    icl_options options = { 0 };
    ICL_TRY(read_call(&kind, &options, call));
    icl_status status = icl_transformer_start(input->model, input->seed);
    if (status == ICL_OK) status = kind->run(input, &options);
    icl_options_deinit(&options);
    return status;
}
