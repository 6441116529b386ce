/* Hazards: tries of any shape under limits of any tightness. A plan keeps its promises, or there is
 * none and a sentence says why. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "engine/plan_check.h"

enum { TOKENS_MAX = 24 };

/* Bytes, then zeros for ever. */
typedef struct byte_source {
    const uint8_t *bytes;
    size_t left;
} byte_source;

static size_t take(byte_source *source)
{
    if (source->left == 0) return 0;
    source->left--;
    return *source->bytes++;
}

/* A length in the first byte, then four tokens a byte from an alphabet of four. */
static size_t take_tokens(byte_source *source, int32_t tokens[TOKENS_MAX])
{
    const size_t count = take(source) % (TOKENS_MAX + 1);
    size_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % 4 == 0) bits = take(source);
        tokens[i] = (int32_t)(bits >> 2 * (i % 4) & 3);
    }
    return count;
}

/* A continuation, or without one a question about the prefix itself. */
static icl_status add_question(icl_batch *batch, size_t prefix, byte_source *source)
{
    int32_t tokens[TOKENS_MAX];
    size_t request;
    const size_t count = take_tokens(source, tokens);
    if (count > 0) return icl_batch_add_score(batch, prefix, tokens, count, &request);
    switch (take(source) % 3) {
    case 0:
        return icl_batch_add_distribution(batch, prefix, 1, &request);
    case 1:
        return icl_batch_add_whole_distribution(batch, prefix, &request);
    default:
        return icl_batch_add_hidden(batch, prefix, &request);
    }
}

static icl_status add_group(icl_batch *batch, byte_source *source)
{
    int32_t tokens[TOKENS_MAX];
    size_t count = take_tokens(source, tokens), id;
    if (count == 0) tokens[count++] = 0;
    ICL_TRY(icl_batch_add_prefix(batch, tokens, count, &id));
    for (size_t left = take(source) % 8; left > 0; left--) ICL_TRY(add_question(batch, id, source));
    return ICL_OK;
}

static icl_plan_limits take_limits(byte_source *source)
{
    return (icl_plan_limits){ .cells_max = take(source),
                              .call_tokens_max = take(source) % 32,
                              .sequences_max = take(source) % 20,
                              .window_tokens = take(source) % 64,
                              .row_floor = take(source) % 9 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    byte_source source = { .bytes = data, .left = size < 1024 ? size : 1024 };
    const icl_plan_limits limits = take_limits(&source);
    icl_batch *batch = NULL;
    icl_status status = icl_batch_new(&batch);
    while (status == ICL_OK && source.left > 0) status = add_group(batch, &source);
    assert(status == ICL_OK);

    icl_plan *plan = NULL;
    if (icl_plan_new(&plan, batch, &limits) == ICL_OK) {
        const char *broken = plan_broken_promise(plan, batch);
        if (broken != NULL) fprintf(stderr, "%s\n", broken);
        assert(broken == NULL);
        assert(plan->stats.depth_max <= limits.cells_max);
        assert(limits.window_tokens == 0 || plan->stats.depth_max <= limits.window_tokens);
    } else {
        assert(plan == NULL && icl_error_message()[0] != '\0');
    }
    icl_plan_free(plan);
    icl_batch_free(batch);
    return 0;
}
