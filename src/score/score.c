#include "score/score.h"

#include "base/error.h"
#include "base/registry.h"

static const icl_score_method *const methods[] = {
#define ICL_SCORE_METHOD(name) &icl_score_##name,
#include "score/registry.def"
#undef ICL_SCORE_METHOD
};

static const icl_card *const cards[] = {
#define ICL_SCORE_METHOD(name) &icl_score_##name.card,
#include "score/registry.def"
#undef ICL_SCORE_METHOD
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

const icl_score_method *const *icl_score_methods(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return methods;
}

const icl_card *const *icl_score_cards(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return cards;
}

icl_status icl_score_find(const icl_score_method **out, const char *name)
{
    size_t index = 0;
    ICL_TRY(icl_registry_find(&index, cards, METHOD_COUNT, "score", name));
    *out = methods[index];
    return ICL_OK;
}

icl_normalise icl_score_normalise(const icl_options *options)
{
    return (icl_normalise)icl_options_int(options, "normalise");
}
