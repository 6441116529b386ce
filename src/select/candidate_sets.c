#include "select/candidate_sets.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "select/draw.h"

/* The first probes of `order` that the set does not show. */
static void pick_probes(size_t *out, size_t count, const size_t *order, const size_t *set, size_t k,
                        bool *shown)
{
    for (size_t i = 0; i < k; i++) shown[set[i]] = true;
    size_t taken = 0;
    for (size_t i = 0; taken < count; i++)
        if (!shown[order[i]]) out[taken++] = order[i];
    for (size_t i = 0; i < k; i++) shown[set[i]] = false;
}

static void draw_sets(icl_candidate_sets *out, const icl_select_input *input, const char *purpose,
                      size_t *scratch, bool *shown)
{
    const size_t pool_count = input->pool_count;
    size_t *pool = scratch, *order = pool + pool_count, *swaps = order + pool_count;
    icl_rng rng = icl_rng_new(input->seed, input->task, "", purpose);
    for (size_t i = 0; i < pool_count; i++) pool[i] = order[i] = i;
    icl_rng_shuffle(&rng, order, pool_count);
    for (size_t s = 0; s < out->set_count; s++) {
        size_t *set = out->items + s * out->row;
        icl_draw(set, out->row, pool, pool_count, swaps, &rng);
        pick_probes(out->probes + s * out->probe_count, out->probe_count, order, set, out->k,
                    shown);
    }
}

icl_status icl_candidate_sets_draw(icl_candidate_sets *out, const icl_select_input *input,
                                   const icl_candidate_sets_shape *shape)
{
    const size_t pool_count = input->pool_count, k = shape->k;
    assert(shape->set_count > 0 && k > 0 && k <= pool_count);
    const size_t others = pool_count - k;
    icl_candidate_sets drawn = {
        .set_count = shape->set_count,
        .k = k,
        .row = others > 0 ? k + 1 : k,
        .probe_count = shape->probe_count < others ? shape->probe_count : others,
    };
    drawn.items = malloc(drawn.set_count * drawn.row * sizeof *drawn.items);
    drawn.probes = malloc((drawn.set_count * drawn.probe_count + 1) * sizeof *drawn.probes);
    size_t *scratch = malloc(3 * pool_count * sizeof *scratch);
    bool *shown = calloc(pool_count, sizeof *shown);
    icl_status status = ICL_OK;
    if (drawn.items == NULL || drawn.probes == NULL || scratch == NULL || shown == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu candidate sets of %zu",
                               drawn.set_count, k);
        icl_candidate_sets_deinit(&drawn);
    } else {
        draw_sets(&drawn, input, shape->purpose, scratch, shown);
        *out = drawn;
    }
    free(shown);
    free(scratch);
    return status;
}

void icl_candidate_sets_deinit(icl_candidate_sets *sets)
{
    free(sets->items);
    free(sets->probes);
    *sets = (icl_candidate_sets){ 0 };
}

icl_status icl_candidate_sets_prompts(icl_ask_prompt **out, const icl_candidate_sets *sets)
{
    const size_t count = sets->set_count * sets->probe_count;
    icl_ask_prompt *prompts = malloc((count + 1) * sizeof *prompts);
    if (prompts == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    for (size_t i = 0; i < count; i++)
        prompts[i] = (icl_ask_prompt){ .shown = sets->items + i / sets->probe_count * sets->row,
                                       .shown_count = sets->k,
                                       .of = ICL_ASK_POOL,
                                       .item = sets->probes[i] };
    *out = prompts;
    return ICL_OK;
}

void icl_candidate_sets_choose(icl_selection *out, const icl_select_input *input,
                               const icl_candidate_sets *sets, size_t set)
{
    const size_t k = sets->k, *items = sets->items + set * sets->row;
    assert(out->k == k && set < sets->set_count);
    for (size_t q = 0; q < out->query_count; q++) {
        const size_t self = icl_select_self(input, q);
        for (size_t rank = 0; rank < k; rank++) {
            const size_t item = items[k - 1 - rank];
            out->indices[q * k + rank] = item != self ? item : items[k];
        }
    }
}

icl_status icl_candidate_sets_run(icl_selection *out, const icl_select_input *input,
                                  const icl_options *options, const char *purpose,
                                  icl_candidate_sets_judge *judge)
{
    const icl_candidate_sets_shape shape = {
        .set_count = (size_t)icl_options_int(options, "sets"),
        .k = out->k,
        .probe_count = (size_t)icl_options_int(options, "inputs"),
        .purpose = purpose,
    };
    icl_candidate_sets sets = { 0 };
    size_t best = 0;
    ICL_TRY(icl_cancel_check(input->cancelled));
    ICL_TRY(icl_candidate_sets_draw(&sets, input, &shape));
    icl_status status = ICL_OK;
    if (sets.set_count > 1 && sets.probe_count > 0) status = judge(&best, input, &sets);
    if (status == ICL_OK) icl_candidate_sets_choose(out, input, &sets, best);
    icl_candidate_sets_deinit(&sets);
    return status;
}
