#include "select/corpus.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/topk.h"
#include "select/hand.h"

/* ---- the split ---- */

static void *zeroes(size_t count, size_t item_bytes)
{
    return calloc(count + 1, item_bytes); /* calloc(0) may return NULL */
}

static void sort_ascending(size_t *items, size_t count, bool *seen, size_t bound)
{
    for (size_t i = 0; i < count; i++) seen[items[i]] = true;
    size_t written = 0;
    for (size_t item = 0; item < bound; item++) {
        if (seen[item]) items[written++] = item;
        seen[item] = false;
    }
}

/* Takes the pool in balanced order: each item for the development items while its class can spare
 * it, otherwise for the candidates. spare [label_count]: how many a class can give. */
static void share_out(icl_split *split, const icl_select_input *input, const size_t *order,
                      const icl_split_sizes *sizes, size_t *spare)
{
    for (size_t i = 0; i < input->pool_count; i++) spare[input->pool_labels[i]]++;
    for (size_t label = 0; label < input->label_count; label++) spare[label] /= 2;
    for (size_t i = 0; i < input->pool_count; i++) {
        const size_t label = input->pool_labels[order[i]];
        if (split->dev_count < sizes->dev_max && spare[label] > 0) {
            spare[label]--;
            split->dev[split->dev_count++] = order[i];
        } else if (sizes->candidates_max == 0 || split->candidate_count < sizes->candidates_max) {
            split->candidates[split->candidate_count++] = order[i];
        }
    }
}

static icl_status draw_split(icl_split *split, const icl_select_input *input,
                             const icl_split_sizes *sizes, size_t *order)
{
    const size_t count = input->pool_count;
    icl_hand hand = { 0 };
    icl_status status = icl_hand_init(&hand, NULL, count, input->pool_labels, input->label_count);
    size_t *spare = zeroes(input->label_count, sizeof *spare);
    bool *seen = zeroes(count, sizeof *seen);
    if (status == ICL_OK && (spare == NULL || seen == NULL))
        status = icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", count);
    if (status == ICL_OK) {
        icl_rng rng = icl_rng_new(input->seed, input->task, "", "select-split");
        icl_hand_draw(&hand, count, &rng);
        icl_hand_deal(order, count, &hand, SIZE_MAX);
        share_out(split, input, order, sizes, spare);
        sort_ascending(split->candidates, split->candidate_count, seen, count);
        sort_ascending(split->dev, split->dev_count, seen, count);
    }
    free(seen);
    free(spare);
    icl_hand_deinit(&hand);
    return status;
}

icl_status icl_split_draw(icl_split *out, const icl_select_input *input, const char *method,
                          const icl_split_sizes *sizes)
{
    icl_split split = { .candidates = zeroes(input->pool_count, sizeof *split.candidates),
                        .dev = zeroes(input->pool_count, sizeof *split.dev) };
    size_t *order = zeroes(input->pool_count, sizeof *order);
    icl_status status = ICL_OK;
    if (split.candidates == NULL || split.dev == NULL || order == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", input->pool_count);
    if (status == ICL_OK) status = draw_split(&split, input, sizes, order);
    if (status == ICL_OK && sizes->dev_max > 0 && split.dev_count == 0)
        status = icl_error_set(ICL_EINVAL,
                               "select method \"%s\" measures on a part of the pool, but no class "
                               "of this pool of %zu has two items",
                               method, input->pool_count);
    free(order);
    if (status != ICL_OK) {
        icl_split_deinit(&split);
        return status;
    }
    *out = split;
    return ICL_OK;
}

void icl_split_deinit(icl_split *split)
{
    free(split->candidates);
    free(split->dev);
    *split = (icl_split){ 0 };
}

/* ---- from scores to demonstrations ---- */

size_t icl_corpus_measured(const double *scores, size_t count)
{
    size_t measured = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(scores[i])) measured++;
    return measured;
}

icl_status icl_corpus_rank(size_t *ranking, const double *scores, size_t count)
{
    icl_scored *items = zeroes(count, sizeof *items);
    if (items == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", count);
    for (size_t i = 0; i < count; i++)
        items[i] = (icl_scored){ .score = isnan(scores[i]) ? -INFINITY : scores[i], .index = i };
    icl_topk(items, count, count);
    for (size_t i = 0; i < count; i++) ranking[i] = items[i].index;
    free(items);
    return ICL_OK;
}

/* Marks whom the quota takes; returns how many. */
static size_t take_quotas(bool *taken, const size_t *ranking, size_t count, size_t keep,
                          const size_t *labels, size_t *quotas, size_t label_count)
{
    size_t class_count = 0, taken_count = 0;
    for (size_t i = 0; i < count; i++) class_count += quotas[labels[ranking[i]]]++ == 0;
    for (size_t label = 0; label < label_count; label++) quotas[label] = keep / class_count;
    for (size_t i = 0; i < count; i++) {
        size_t *quota = &quotas[labels[ranking[i]]];
        if (*quota == 0) continue;
        --*quota;
        taken[i] = true;
        taken_count++;
    }
    return taken_count;
}

icl_status icl_corpus_balance(size_t *ranking, size_t count, size_t keep, const size_t *labels,
                              size_t label_count)
{
    assert(keep <= count);
    if (count == 0) return ICL_OK;
    bool *taken = calloc(count, sizeof *taken);
    size_t *before = malloc(count * sizeof *before), *quotas = zeroes(label_count, sizeof *quotas);
    icl_status status = ICL_OK;
    if (taken == NULL || before == NULL || quotas == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", count);
        goto cleanup;
    }
    memcpy(before, ranking, count * sizeof *before);
    size_t missing = keep - take_quotas(taken, ranking, count, keep, labels, quotas, label_count);
    for (size_t i = 0; i < count && missing > 0; i++) {
        if (taken[i]) continue;
        taken[i] = true;
        missing--;
    }
    size_t front = 0, back = keep;
    for (size_t i = 0; i < count; i++) ranking[taken[i] ? front++ : back++] = before[i];
cleanup:
    free(quotas);
    free(before);
    free(taken);
    return status;
}

static double lowest_measured(const double *scores, size_t count)
{
    double lowest = INFINITY;
    for (size_t i = 0; i < count; i++)
        if (scores[i] < lowest) lowest = scores[i];
    return isinf(lowest) ? 0 : lowest;
}

void icl_corpus_deal(icl_selection *out, const icl_select_input *input, const size_t *ranking,
                     const double *scores)
{
    const double unmeasured = scores != NULL ? lowest_measured(scores, input->pool_count) - 1 : 0;
    for (size_t q = 0; q < input->query_count; q++) {
        const size_t self = icl_select_self(input, q);
        size_t *line = &out->indices[q * out->k];
        double *line_scores = &out->scores[q * out->k];
        size_t filled = 0;
        for (size_t i = 0; filled < out->k; i++) {
            if (ranking[i] == self) continue;
            line[filled] = ranking[i];
            if (scores != NULL)
                line_scores[filled] = isnan(scores[ranking[i]]) ? unmeasured : scores[ranking[i]];
            filled++;
        }
    }
}

/* Moves the set to the front, its last member first; the rest stays in order. */
static void put_set_first(size_t *ranking, size_t count, const size_t *set, size_t set_size,
                          size_t *rest)
{
    size_t rest_count = 0;
    for (size_t i = 0; i < count; i++) {
        bool member = false;
        for (size_t s = 0; !member && s < set_size; s++) member = set[s] == ranking[i];
        if (!member) rest[rest_count++] = ranking[i];
    }
    for (size_t s = 0; s < set_size; s++) ranking[s] = set[set_size - 1 - s];
    memcpy(ranking + set_size, rest, rest_count * sizeof *rest);
}

icl_status icl_corpus_show(icl_selection *out, const icl_select_input *input, const size_t *set,
                           size_t set_size, const double *scores)
{
    const size_t count = input->pool_count;
    size_t *ranking = zeroes(count, sizeof *ranking), *rest = zeroes(count, sizeof *rest);
    icl_status status = ICL_OK;
    if (ranking == NULL || rest == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", count);
    if (status == ICL_OK) status = icl_corpus_rank(ranking, scores, count);
    if (status == ICL_OK) {
        put_set_first(ranking, count, set, set_size, rest);
        icl_corpus_deal(out, input, ranking, NULL);
    }
    free(rest);
    free(ranking);
    return status;
}

/* Puts the k to be shown at the front of a ranking by score. */
static icl_status arrange(size_t *ranking, size_t k, size_t measured, const icl_select_input *input,
                          const icl_corpus_choice *choice)
{
    const size_t *labels = input->pool_labels, label_count = input->label_count;
    size_t eligible = measured;
    if (choice->draw_from > 0) {
        const size_t wanted = choice->draw_from > k ? choice->draw_from : k;
        if (wanted < eligible) {
            if (choice->balanced)
                ICL_TRY(icl_corpus_balance(ranking, eligible, wanted, labels, label_count));
            eligible = wanted;
        }
        icl_rng rng = icl_rng_new(input->seed, input->task, "", choice->purpose);
        icl_rng_shuffle(&rng, ranking, eligible);
    }
    if (!choice->balanced || k >= eligible) return ICL_OK;
    return icl_corpus_balance(ranking, eligible, k, labels, label_count);
}

icl_status icl_corpus_choose(icl_selection *out, const icl_select_input *input,
                             const double *scores, const icl_corpus_choice *choice)
{
    size_t *ranking = zeroes(input->pool_count, sizeof *ranking);
    if (ranking == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", input->pool_count);
    icl_status status = icl_corpus_rank(ranking, scores, input->pool_count);
    if (status == ICL_OK)
        status =
            arrange(ranking, out->k, icl_corpus_measured(scores, input->pool_count), input, choice);
    if (status == ICL_OK)
        icl_corpus_deal(out, input, ranking, choice->draw_from > 0 ? NULL : scores);
    free(ranking);
    return status;
}
