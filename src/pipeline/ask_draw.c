/* The next token of a continuation from what the model thinks of it: without the tokens that would
 * repeat a run, among the likeliest others, drawn from softmax(log P / temperature). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "math/logspace.h"
#include "pipeline/ask_parts.h"

/* What may come next; likeliest first unless it is the whole vocabulary. */
typedef struct candidates {
    const int32_t *tokens; /* [count]; NULL: token i is i */
    double *nats;          /* [count] */
    size_t count;
} candidates;

/* ---- runs that would be repeated ---- */

/* The text's last tokens, one fewer than a run, also stand before `place`: the token there must not
 * follow again. */
static bool forbids(icl_ask_tokens text, size_t place, size_t no_repeat)
{
    const size_t length = no_repeat - 1;
    return memcmp(text.tokens + place - length, text.tokens + text.count - length,
                  length * sizeof *text.tokens) == 0;
}

static size_t forbidden_count(icl_ask_tokens text, size_t no_repeat)
{
    size_t count = 0;
    for (size_t place = no_repeat - 1; no_repeat > 0 && place < text.count; place++)
        count += forbids(text, place, no_repeat);
    return count;
}

static void forbid(candidates *from, int32_t token)
{
    if (from->tokens == NULL) from->nats[token] = -INFINITY;
    for (size_t i = 0; from->tokens != NULL && i < from->count; i++)
        if (from->tokens[i] == token) from->nats[i] = -INFINITY;
}

static void forbid_repeats(candidates *from, icl_ask_tokens text, size_t no_repeat)
{
    for (size_t place = no_repeat - 1; no_repeat > 0 && place < text.count; place++)
        if (forbids(text, place, no_repeat)) forbid(from, text.tokens[place]);
}

/* ---- requests ---- */

bool icl_ask_draws(const icl_ask_generation *how)
{
    return how->temperature > 0 || how->no_repeat > 0;
}

bool icl_ask_draws_from_all(const icl_ask_draw *draw)
{
    return draw->how->temperature > 0 &&
           (draw->how->top_k == 0 || draw->how->top_k >= draw->vocab_count);
}

/* So many of the likeliest that top_k are left when all that is forbidden is among them. */
icl_status icl_ask_draw_add(const icl_ask_draw *draw, icl_batch *batch, size_t prefix,
                            icl_ask_tokens text, size_t *out_request)
{
    if (icl_ask_draws_from_all(draw))
        return icl_batch_add_whole_distribution(batch, prefix, out_request);
    const size_t wanted = draw->how->temperature > 0 ? draw->how->top_k : 1;
    const size_t top_n = wanted + forbidden_count(text, draw->how->no_repeat);
    return icl_batch_add_distribution(
        batch, prefix, top_n < draw->vocab_count ? top_n : draw->vocab_count, out_request);
}

/* ---- answers ---- */

static icl_status read_candidates(candidates *out, icl_ask_draw *draw, const icl_batch *batch,
                                  size_t request)
{
    const double *likeliest = NULL;
    const float *all = NULL;
    candidates from = { 0 };
    if (icl_ask_draws_from_all(draw))
        all = icl_batch_whole_distribution_nats(batch, request, &from.count);
    else
        from.tokens = icl_batch_top_tokens(batch, request, &likeliest, &from.count);
    ICL_TRY(icl_array_reserve(&draw->nats, &draw->nats_capacity, from.count));
    from.nats = draw->nats;
    for (size_t i = 0; i < from.count; i++)
        from.nats[i] = all != NULL ? (double)all[i] : likeliest[i];
    *out = from;
    return ICL_OK;
}

static void keep_likeliest(candidates *from, size_t top_k)
{
    size_t kept = 0;
    for (size_t i = 0; i < from->count; i++)
        if (from->nats[i] != -INFINITY && kept++ >= top_k) from->nats[i] = -INFINITY;
}

/* Where the running sum of softmax(nats / temperature) passes `share`. */
static size_t draw_place(candidates *from, size_t best, double temperature, double share)
{
    const double most = from->nats[best]; /* off before the division, which may overflow */
    size_t place = best;
    for (size_t i = 0; i < from->count; i++) from->nats[i] = (from->nats[i] - most) / temperature;
    icl_softmax(from->nats, from->nats, from->count);
    for (size_t i = 0; i < from->count && share >= 0; i++) {
        if (from->nats[i] > 0) place = i;
        share -= from->nats[i];
    }
    return place;
}

icl_status icl_ask_draw_read(int32_t *out, icl_ask_draw *draw, icl_rng *rng, const icl_batch *batch,
                             size_t request, icl_ask_tokens text)
{
    const double temperature = draw->how->temperature;
    candidates from;
    ICL_TRY(read_candidates(&from, draw, batch, request));
    forbid_repeats(&from, text, draw->how->no_repeat);
    if (temperature > 0 && !icl_ask_draws_from_all(draw)) keep_likeliest(&from, draw->how->top_k);
    size_t place = icl_argmax(from.nats, from.count);
    if (from.nats[place] == -INFINITY) {
        *out = ICL_ASK_NO_TOKEN;
        return ICL_OK;
    }
    if (temperature > 0) place = draw_place(&from, place, temperature, icl_rng_unit(rng));
    *out = from.tokens != NULL ? from.tokens[place] : (int32_t)place;
    return ICL_OK;
}

void icl_ask_draw_deinit(icl_ask_draw *draw)
{
    free(draw->nats);
    draw->nats = NULL;
}
