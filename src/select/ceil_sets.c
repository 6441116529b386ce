#include "select/ceil_sets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/dpp.h"
#include "math/matrix.h"
#include "template/ask.h"
#include "select/draw.h"
#include "select/ranking_loss.h"

enum { PROMPTS_AT_ONCE = 128 };

double icl_ceil_set_score(const double *cosines, size_t size, double log_det, double lambda)
{
    double score = log_det;
    for (size_t i = 0; i < size; i++) score += (1 + cosines[i]) / (2 * lambda);
    return score;
}

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for sets of demonstrations");
}

/* Adds weight * d loss / d set scores to `slopes`. */
static double loss_of_scores(double *slopes, const double *scores, size_t count, icl_ceil_loss loss,
                             double weight)
{
    static const size_t best[] = { 0 };
    if (loss == ICL_CEIL_MARGIN)
        return icl_loss_rank_margin(slopes, scores, count, 1 / (double)count, weight);
    const icl_infonce input = { .rows = 1, .columns = count, .scores = scores, .positives = best };
    return icl_loss_infonce(slopes, &input, weight);
}

icl_status icl_ceil_sets_loss(double *gradient, double *out_loss, const icl_ceil_sets *sets,
                              size_t item, const double *scores, const icl_ceil_terms *terms,
                              double weight)
{
    const size_t count = sets->set_count, size = sets->size;
    double *set_scores = calloc(2 * count + size, sizeof *set_scores);
    if (set_scores == NULL) return no_memory();
    double *slopes = set_scores + count, *cosines = slopes + count;
    for (size_t s = 0; s < count; s++) {
        for (size_t i = 0; i < size; i++) cosines[i] = terms->temperature * scores[s * size + i];
        set_scores[s] =
            icl_ceil_set_score(cosines, size, sets->log_dets[item * count + s], terms->lambda);
    }
    *out_loss = loss_of_scores(slopes, set_scores, count, terms->loss, weight);
    for (size_t i = 0; i < count * size; i++)
        gradient[i] += slopes[i / size] * terms->temperature / (2 * terms->lambda);
    free(set_scores);
    return ICL_OK;
}

void icl_ceil_sets_deinit(icl_ceil_sets *sets)
{
    free(sets->items);
    free(sets->nats);
    free(sets->log_dets);
    *sets = (icl_ceil_sets){ 0 };
}

/* ---- drawing ---- */

static icl_status draw_sets(icl_ceil_sets *sets, const icl_scored *nearest, size_t width,
                            const icl_select_input *input)
{
    icl_rng rng = icl_rng_new(input->seed, input->task, "", "sets of demonstrations");
    size_t *line = malloc(width * sizeof *line);
    if (line == NULL) return no_memory();
    for (size_t item = 0; item < sets->pool_count; item++) {
        size_t *own = sets->items + item * sets->set_count * sets->size;
        for (size_t i = 0; i < width; i++) line[i] = nearest[item * width + i].index;
        memcpy(own, line, sets->size * sizeof *own);
        for (size_t s = 1; s < sets->set_count; s++)
            icl_draw_in_order(own + s * sets->size, sets->size, line, width, &rng);
    }
    free(line);
    return ICL_OK;
}

/* ---- asking ---- */

/* Answers to sets number first .. first + count - 1 of all. */
static icl_status ask_some(icl_ceil_sets *sets, size_t first, size_t count, const char *method,
                           const icl_select_input *input)
{
    icl_ask_prompt prompts[PROMPTS_AT_ONCE];
    const size_t size = sets->size, labels = input->label_count;
    size_t *shown = malloc(count * size * sizeof *shown);
    double *answers = malloc(count * labels * sizeof *answers);
    icl_status status = shown == NULL || answers == NULL ? no_memory() : ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        for (size_t j = 0; j < size; j++) /* the nearest is shown last */
            shown[i * size + j] = sets->items[(first + i) * size + size - 1 - j];
        prompts[i] = (icl_ask_prompt){ .shown = shown + i * size,
                                       .shown_count = size,
                                       .of = ICL_ASK_POOL,
                                       .item = (first + i) / sets->set_count };
    }
    if (status == ICL_OK) status = icl_ask_labels(answers, input->asker, method, prompts, count);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        sets->nats[first + i] = answers[i * labels + input->pool_labels[prompts[i].item]];
    free(answers);
    free(shown);
    return status;
}

static icl_status ask_all(icl_ceil_sets *sets, const icl_fit *fit, const icl_select_input *input)
{
    const char *method = icl_fit_file_origin(fit->file)->method;
    const size_t count = sets->pool_count * sets->set_count;
    for (size_t first = 0; first < count; first += PROMPTS_AT_ONCE) {
        const size_t left = count - first, some = left < PROMPTS_AT_ONCE ? left : PROMPTS_AT_ONCE;
        icl_fit_say(fit, "prompts of sets asked", first, count);
        ICL_TRY(icl_cancel_check(input->cancelled));
        ICL_TRY(ask_some(sets, first, some, method, input));
    }
    icl_fit_say(fit, "prompts of sets asked", count, count);
    return ICL_OK;
}

/* ---- order and determinants ---- */

static icl_status order_sets(icl_ceil_sets *sets)
{
    const size_t count = sets->set_count, size = sets->size;
    icl_scored *order = malloc(count * sizeof *order);
    size_t *items = malloc(count * size * sizeof *items);
    icl_status status = order == NULL || items == NULL ? no_memory() : ICL_OK;
    for (size_t item = 0; status == ICL_OK && item < sets->pool_count; item++) {
        size_t *own = sets->items + item * count * size;
        double *nats = sets->nats + item * count;
        for (size_t s = 0; s < count; s++) order[s] = (icl_scored){ nats[s], s };
        icl_topk(order, count, count);
        memcpy(items, own, count * size * sizeof *items);
        for (size_t s = 0; s < count; s++) {
            nats[s] = order[s].score;
            memcpy(own + s * size, items + order[s].index * size, size * sizeof *own);
        }
    }
    free(items);
    free(order);
    return status;
}

/* Sets with duplicates have no volume. Their log determinant is that of items that each add the
 * least that a choice by determinants counts as more than none. */
static icl_status measure_sets(icl_ceil_sets *sets, const float *contexts,
                               const icl_select_input *input)
{
    static const double factor_min = 1e-10;
    const size_t count = sets->pool_count * sets->set_count;
    double *ones = malloc(input->pool_count * sizeof *ones);
    icl_status status = ones == NULL ? no_memory() : ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < input->pool_count; i++) ones[i] = 1;
    const icl_dpp_kernel kernel = { .vectors = contexts,
                                    .relevance = ones,
                                    .count = input->pool_count,
                                    .columns = input->vector_size };
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        const size_t *set = sets->items + i * sets->size;
        double log_det = 0;
        status = icl_cancel_check(input->cancelled);
        if (status == ICL_OK) status = icl_dpp_log_det(&log_det, &kernel, set, sets->size);
        sets->log_dets[i] = fmax(log_det, (double)sets->size * log(factor_min));
    }
    free(ones);
    return status;
}

/* ---- all of it ---- */

static icl_status make_sets(icl_ceil_sets *sets, const icl_fit *fit, const icl_select_input *input,
                            const icl_retriever *retriever, size_t width)
{
    const size_t count = input->pool_count;
    float *contexts = malloc(count * input->vector_size * sizeof *contexts);
    icl_scored *nearest = malloc(count * width * sizeof *nearest);
    icl_status status = contexts == NULL || nearest == NULL ? no_memory() : ICL_OK;
    if (status == ICL_OK) status = icl_retriever_map_pool(contexts, retriever, input);
    if (status == ICL_OK) {
        icl_matrix_normalise_rows(contexts, contexts, count, input->vector_size);
        status = icl_retriever_neighbours(nearest, retriever, input, width);
    }
    if (status == ICL_OK) status = draw_sets(sets, nearest, width, input);
    if (status == ICL_OK) status = ask_all(sets, fit, input);
    if (status == ICL_OK) status = order_sets(sets);
    if (status == ICL_OK) status = measure_sets(sets, contexts, input);
    free(nearest);
    free(contexts);
    return status;
}

icl_status icl_ceil_sets_ask(icl_ceil_sets *out, const icl_fit *fit, const icl_select_input *input,
                             const icl_retriever *retriever, const icl_ceil_sets_options *options)
{
    const size_t count = input->pool_count * options->set_count;
    icl_ceil_sets sets = { .pool_count = input->pool_count,
                           .set_count = options->set_count,
                           .size = options->size };
    sets.items = malloc(count * sets.size * sizeof *sets.items);
    sets.nats = malloc(count * sizeof *sets.nats);
    sets.log_dets = malloc(count * sizeof *sets.log_dets);
    const icl_status status = sets.items == NULL || sets.nats == NULL || sets.log_dets == NULL
                                  ? no_memory()
                                  : make_sets(&sets, fit, input, retriever, options->candidates);
    if (status == ICL_OK)
        *out = sets;
    else
        icl_ceil_sets_deinit(&sets);
    return status;
}
