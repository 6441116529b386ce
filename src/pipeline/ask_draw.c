/* The next token of a continuation from what the model thinks of it: without the tokens that would
 * repeat a run, among the likeliest others, drawn from softmax(log P / temperature). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"
#include "math/logspace.h"
#include "pipeline/ask_parts.h"

/* What may come next; likeliest first unless it is the whole vocabulary. */
typedef struct candidates {
    const int32_t *tokens; /* [count]; NULL: token i is i */
    double *nats;          /* [count] */
    size_t count;
} candidates;

/* ---- words of the template and of the labels ---- */

static int compare_tokens(const void *left, const void *right)
{
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static bool is_of_form(const icl_ask_draw *draw, int32_t token)
{
    return draw->form_count > 0 && bsearch(&token, draw->form_tokens, draw->form_count,
                                           sizeof token, compare_tokens) != NULL;
}

/* The template around its fields, then every label's words as an answer has them. */
static icl_status write_form(icl_text *out, const icl_ask_source *source)
{
    const icl_label_space *labels = icl_verbalizer_labels(source->verbalizer);
    for (size_t i = 0; i < source->forms->frame_count; i++)
        icl_text_append_string(out, source->forms->frame[i]);
    for (size_t label = 0; label < icl_label_space_count(labels); label++) {
        icl_text_append_string(out, source->prompts.answer_prefix);
        icl_text_append_string(out, icl_verbalizer_word(source->verbalizer, label, 0));
    }
    return icl_text_status(out);
}

static icl_status find_form_tokens(icl_ask_draw *out, const icl_ask_source *source)
{
    icl_model *model = icl_engine_model(source->engine);
    icl_text text = { 0 };
    icl_status status = write_form(&text, source);
    const size_t capacity = text.length + 1; /* a token has a byte or more */
    if (status == ICL_OK) out->form_tokens = malloc(capacity * sizeof *out->form_tokens);
    if (status == ICL_OK && out->form_tokens == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for the tokens of a template");
    if (status == ICL_OK)
        status = icl_model_tokenize(model, out->form_tokens, capacity, &out->form_count,
                                    icl_text_string(&text), text.length, false);
    if (status == ICL_OK)
        qsort(out->form_tokens, out->form_count, sizeof *out->form_tokens, compare_tokens);
    icl_text_deinit(&text);
    return status;
}

icl_status icl_ask_draw_init(icl_ask_draw *out, const icl_ask_source *source,
                             const icl_ask_generation *how)
{
    icl_ask_draw made = { .how = how,
                          .vocab_count =
                              icl_model_get_info(icl_engine_model(source->engine))->vocab_count };
    icl_status status = ICL_OK;
    if (how->keeps_form && how->temperature > 0) status = find_form_tokens(&made, source);
    if (status == ICL_OK)
        *out = made;
    else
        icl_ask_draw_deinit(&made);
    return status;
}

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

static void forbid_repeats(candidates *from, icl_ask_tokens text, const icl_ask_draw *draw)
{
    const size_t no_repeat = draw->how->no_repeat;
    for (size_t place = no_repeat - 1; no_repeat > 0 && place < text.count; place++)
        if (forbids(text, place, no_repeat) && !is_of_form(draw, text.tokens[place]))
            forbid(from, text.tokens[place]);
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
    forbid_repeats(&from, text, draw);
    if (temperature > 0 && !icl_ask_draws_from_all(draw)) keep_likeliest(&from, draw->how->top_k);
    size_t place = icl_argmax(from.nats, from.count);
    if (from.nats[place] == -INFINITY) {
        *out = ICL_ASK_NO_TOKEN;
        return ICL_OK;
    }
    const int32_t likeliest = from.tokens != NULL ? from.tokens[place] : (int32_t)place;
    if (temperature > 0 && !is_of_form(draw, likeliest))
        place = draw_place(&from, place, temperature, icl_rng_unit(rng));
    *out = from.tokens != NULL ? from.tokens[place] : (int32_t)place;
    return ICL_OK;
}

void icl_ask_draw_deinit(icl_ask_draw *draw)
{
    free(draw->nats);
    free(draw->form_tokens);
    *draw = (icl_ask_draw){ 0 };
}
