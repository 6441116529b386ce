/* LENS: the candidates that InfoScore keeps, then a beam search for the ordered set under which the
 * model answers development items best; moves look at importance and diversity.
 *
 * Both stages follow the public code where the paper is silent: the search starts from sets that do
 * well by importance and diversity alone and have at most half of their members in common with
 * earlier ones. Accuracies of small development sets tie often; then the mean probability of the
 * gold labels decides. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "template/ask.h"
#include "select/hand.h"
#include "select/infoscore.h"
#include "select/set_beam.h"

enum { START_ITERATIONS = 10, STARTS_PER_BEAM = 10, SHUFFLES = 2 };

typedef struct lens {
    const icl_select_input *input;
    icl_split split;
    icl_infoscore scored;
    icl_set_features features;
    size_t size; /* k, or all candidates left where they are fewer */
    size_t width, iterations;
    icl_rng rng;
} lens;

/* ---- scoring sets ---- */

static icl_status score_by_features(void *context, icl_set_list *list, size_t first)
{
    const lens *l = context;
    for (size_t i = first; i < list->count; i++)
        list->scores[i] = icl_set_score(&l->features, &list->sets[i * list->size], list->size);
    return icl_cancel_check(l->input->cancelled);
}

/* Right answers, and as their fraction half the mean probability of the gold labels. */
static double dev_score(const lens *l, const double *nats)
{
    const size_t label_count = l->input->label_count, dev_count = l->split.dev_count;
    size_t right = 0;
    double gold_sum = 0;
    for (size_t d = 0; d < dev_count; d++, nats += label_count) {
        const size_t gold = l->input->pool_labels[l->split.dev[d]];
        right += icl_argmax(nats, label_count) == gold;
        gold_sum += exp(nats[gold] - icl_logsumexp(nats, label_count));
    }
    return (double)right + 0.5 * gold_sum / (double)dev_count;
}

/* All new sets on all development items, in one call. */
static icl_status score_by_model(void *context, icl_set_list *list, size_t first)
{
    const lens *l = context;
    const size_t size = list->size, dev_count = l->split.dev_count;
    const size_t sets = list->count - first, count = sets * dev_count;
    if (sets == 0) return ICL_OK;
    size_t *shown = malloc(sets * size * sizeof *shown);
    icl_ask_prompt *prompts = malloc(count * sizeof *prompts);
    double *nats = malloc(count * l->input->label_count * sizeof *nats);
    icl_status status = ICL_OK;
    if (shown == NULL || prompts == NULL || nats == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu prompts", count);
        goto cleanup;
    }
    for (size_t i = 0; i < sets * size; i++)
        shown[i] = l->scored.candidates[list->sets[first * size + i]];
    for (size_t i = 0; i < count; i++)
        prompts[i] = (icl_ask_prompt){ .shown = &shown[i / dev_count * size],
                                       .shown_count = size,
                                       .of = ICL_ASK_POOL,
                                       .item = l->split.dev[i % dev_count] };
    status = icl_ask_labels(nats, l->input->asker, "lens", prompts, count);
    for (size_t i = 0; status == ICL_OK && i < sets; i++)
        list->scores[first + i] = dev_score(l, &nats[i * dev_count * l->input->label_count]);
cleanup:
    free(nats);
    free(prompts);
    free(shown);
    return status;
}

/* ---- where the search starts ---- */

/* Appends class-balanced random sets, new or known, to the beam until it holds `count`. */
static icl_status add_random(size_t *beam, size_t *beam_count, size_t count, icl_set_list *list,
                             lens *l)
{
    icl_hand hand = { 0 };
    size_t *set = malloc(l->size * sizeof *set);
    icl_status status =
        icl_hand_init(&hand, NULL, l->features.count, l->features.labels, l->features.label_count);
    if (status == ICL_OK && set == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a set of %zu", l->size);
    while (status == ICL_OK && *beam_count < count) {
        icl_hand_draw(&hand, l->size, &l->rng);
        icl_hand_deal(set, l->size, &hand, SIZE_MAX);
        status = icl_set_list_add(&beam[(*beam_count)++], list, set);
    }
    free(set);
    icl_hand_deinit(&hand);
    return status;
}

/* Adds the set to starts and its members to `used`, unless more than half of them stand there. */
static icl_status add_unlike(icl_set_list *starts, const size_t *set, bool *used, lens *l)
{
    size_t known = 0, index;
    for (size_t i = 0; i < l->size; i++) known += used[set[i]];
    if (known > l->size / 2) return ICL_OK;
    for (size_t i = 0; i < l->size; i++) used[set[i]] = true;
    size_t *shuffled = malloc(l->size * sizeof *shuffled);
    if (shuffled == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a set of %zu", l->size);
    memcpy(shuffled, set, l->size * sizeof *shuffled);
    icl_rng_shuffle(&l->rng, shuffled, l->size);
    const icl_status status = icl_set_list_add(&index, starts, shuffled);
    free(shuffled);
    return status;
}

/* The best sets of `found` that differ enough, in random order of their members. */
static icl_status pick_starts(icl_set_list *starts, const icl_set_list *found, lens *l)
{
    icl_scored *ranked = malloc(found->count * sizeof *ranked);
    bool *used = calloc(l->features.count, sizeof *used);
    icl_status status = ICL_OK;
    if (ranked == NULL || used == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu sets", found->count);
    for (size_t i = 0; status == ICL_OK && i < found->count; i++)
        ranked[i] = (icl_scored){ .score = found->scores[i], .index = i };
    if (status == ICL_OK) icl_topk(ranked, found->count, found->count);
    for (size_t i = 0; status == ICL_OK && i < found->count && starts->count < l->width; i++)
        status = add_unlike(starts, &found->sets[ranked[i].index * l->size], used, l);
    free(used);
    free(ranked);
    return status;
}

static icl_status find_starts(icl_set_list *starts, lens *l)
{
    const size_t count = STARTS_PER_BEAM * l->width;
    const icl_set_beam search = { .width = l->width,
                                  .iterations = START_ITERATIONS,
                                  .swaps = l->width,
                                  .score = score_by_features,
                                  .context = l };
    icl_set_list found = { .size = l->size };
    size_t beam_count = 0, *beam = malloc(count * sizeof *beam);
    icl_status status = ICL_OK;
    if (beam == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory for %zu sets", count);
    if (status == ICL_OK) status = add_random(beam, &beam_count, count, &found, l);
    if (status == ICL_OK) status = score_by_features(l, &found, 0);
    if (status == ICL_OK)
        status = icl_set_beam_run(beam, &beam_count, &found, &l->features, &search, &l->rng);
    if (status == ICL_OK) status = pick_starts(starts, &found, l);
    free(beam);
    icl_set_list_deinit(&found);
    return status;
}

/* ---- the search ---- */

/* best [size]: candidates in the order of showing. */
static icl_status search_sets(size_t *best, lens *l)
{
    const icl_set_beam search = { .width = l->width,
                                  .iterations = l->iterations,
                                  .swaps = l->width,
                                  .shuffles = SHUFFLES,
                                  .ordered = true,
                                  .score = score_by_model,
                                  .context = l };
    icl_set_list list = { .size = l->size };
    size_t beam_count = 0, *beam = malloc(l->width * sizeof *beam);
    icl_status status = ICL_OK;
    if (beam == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory for %zu sets", l->width);
    if (status == ICL_OK) status = find_starts(&list, l);
    if (status != ICL_OK) goto cleanup;
    for (; beam_count < list.count; beam_count++) beam[beam_count] = beam_count;
    status = add_random(beam, &beam_count, l->width, &list, l);
    if (status == ICL_OK) status = score_by_model(l, &list, 0);
    if (status == ICL_OK)
        status = icl_set_beam_run(beam, &beam_count, &list, &l->features, &search, &l->rng);
    if (status != ICL_OK) goto cleanup;
    /* Without a round the beam is not ranked yet. */
    size_t winner = beam[0];
    for (size_t b = 1; b < beam_count; b++)
        if (list.scores[beam[b]] > list.scores[winner]) winner = beam[b];
    memcpy(best, &list.sets[winner * l->size], l->size * sizeof *best);
cleanup:
    free(beam);
    icl_set_list_deinit(&list);
    return status;
}

static icl_status find_and_show(icl_selection *out, lens *l)
{
    size_t *best = malloc(l->size * sizeof *best);
    double *scores = malloc(l->input->pool_count * sizeof *scores);
    icl_status status = ICL_OK;
    if (best == NULL || scores == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", l->input->pool_count);
    if (status == ICL_OK) status = search_sets(best, l);
    if (status == ICL_OK) {
        for (size_t i = 0; i < l->size; i++) best[i] = l->scored.candidates[best[i]];
        icl_infoscore_by_item(scores, l->input->pool_count, &l->scored);
        status = icl_corpus_show(out, l->input, best, l->size, scores);
    }
    free(scores);
    free(best);
    return status;
}

static icl_status select_lens(icl_selection *out, const icl_select_input *input,
                              const icl_options *options)
{
    lens l = { .input = input,
               .width = (size_t)icl_options_int(options, "beam"),
               .iterations = (size_t)icl_options_int(options, "iterations"),
               .rng = icl_rng_new(input->seed, input->task, "", "select-lens") };
    const icl_split_sizes sizes = {
        .candidates_max = (size_t)icl_options_int(options, "candidates"),
        .dev_max = (size_t)icl_options_int(options, "dev"),
    };
    icl_status status = icl_split_draw(&l.split, input, "lens", &sizes);
    if (status == ICL_OK)
        status = icl_infoscore_filter(&l.scored, input, "lens", options, &l.split, out->k);
    if (status == ICL_OK)
        status = icl_set_features_new(&l.features, &l.scored, input,
                                      icl_options_real(options, "lambda"));
    l.size = out->k < l.features.count ? out->k : l.features.count;
    if (status == ICL_OK) status = find_and_show(out, &l);
    icl_set_features_deinit(&l.features);
    icl_infoscore_deinit(&l.scored);
    icl_split_deinit(&l.split);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_INFOSCORE_OPTIONS,
    { .name = "dev",
      .type = ICL_OPTION_INT,
      .fallback = "30",
      .minimum = 1,
      .maximum = 1e5,
      .help = "pool items a set is tried on, at most half of each class; they are no candidates "
              "(Li & Qiu: 100)" },
    { .name = "lambda",
      .type = ICL_OPTION_REAL,
      .fallback = "4",
      .minimum = 0,
      .maximum = 1e6,
      .help = "weight of diversity against importance in the moves (Li & Qiu: 4)" },
    { .name = "beam",
      .type = ICL_OPTION_INT,
      .fallback = "4",
      .minimum = 1,
      .maximum = 64,
      .help = "sets kept, and swaps tried for each of them (Li & Qiu: 8)" },
    { .name = "iterations",
      .type = ICL_OPTION_INT,
      .fallback = "4",
      .minimum = 0,
      .maximum = 1000,
      .help = "rounds of the search; 0 takes the best of the sets it starts from (Li & Qiu: 10)" },
};

const icl_select_method icl_select_lens = {
    .card = { .name = "lens",
              .summary = "The ordered set that does best on development items, by beam search "
                         "over InfoScore's candidates.",
              .paper = "Li & Qiu 2023, \"Finding Support Examples for In-Context Learning\"",
              .cost = ICL_INFOSCORE_COST
              ", then at most beam * (1 + iterations * (beam + 2)) * dev of k, once for all",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_lens,
    .by_lot = true,
};
