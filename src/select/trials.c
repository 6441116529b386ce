#include "select/trials.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "template/ask.h"
#include "select/hand.h"

/* Each subset, and each of its orders, has its own key: more subsets leave the first ones as they
 * are. */
static icl_status draw_prompts(icl_trials *trials, const icl_select_input *input, size_t orders)
{
    const size_t shots = trials->shots;
    icl_hand hand = { 0 };
    icl_status status =
        icl_hand_init(&hand, trials->split.candidates, trials->split.candidate_count,
                      input->pool_labels, input->label_count);
    for (size_t p = 0; status == ICL_OK && p < trials->prompt_count; p++) {
        char subset_key[32], order_key[64];
        snprintf(subset_key, sizeof subset_key, "%zu", p / orders);
        snprintf(order_key, sizeof order_key, "%zu/%zu", p / orders, p % orders);
        icl_rng rng = icl_rng_new(input->seed, input->task, subset_key, "select-trials");
        icl_hand_draw(&hand, shots, &rng);
        icl_hand_deal(&trials->shown[p * shots], shots, &hand, SIZE_MAX);
        icl_rng places = icl_rng_new(input->seed, input->task, order_key, "select-trials-order");
        icl_rng_shuffle(&places, &trials->shown[p * shots], shots);
        status = icl_cancel_check(input->cancelled);
    }
    icl_hand_deinit(&hand);
    return status;
}

static icl_status ask_all(icl_trials *trials, const icl_select_input *input, const char *method)
{
    const size_t dev_count = trials->split.dev_count, count = trials->prompt_count * dev_count;
    icl_ask_prompt *prompts = malloc(count * sizeof *prompts);
    if (prompts == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu prompts", count);
    for (size_t i = 0; i < count; i++)
        prompts[i] = (icl_ask_prompt){ .shown = &trials->shown[i / dev_count * trials->shots],
                                       .shown_count = trials->shots,
                                       .of = ICL_ASK_POOL,
                                       .item = trials->split.dev[i % dev_count] };
    double *nats = trials->log_probabilities;
    const icl_status status = icl_ask_labels(nats, input->asker, method, prompts, count);
    for (size_t i = 0; status == ICL_OK && i < count; i++, nats += input->label_count)
        icl_log_softmax(nats, nats, input->label_count);
    free(prompts);
    return status;
}

icl_status icl_trials_ask(icl_trials *out, const icl_select_input *input, const char *method,
                          const icl_options *options, size_t k)
{
    const size_t orders = (size_t)icl_options_int(options, "orders");
    icl_trials trials = { .prompt_count = (size_t)icl_options_int(options, "subsets") * orders };
    const icl_split_sizes sizes = {
        .candidates_max = (size_t)icl_options_int(options, "candidates"),
        .dev_max = (size_t)icl_options_int(options, "dev"),
    };
    icl_status status = icl_split_draw(&trials.split, input, method, &sizes);
    if (status != ICL_OK) return status;
    trials.shots = k < trials.split.candidate_count ? k : trials.split.candidate_count;
    trials.shown = calloc(trials.prompt_count * trials.shots, sizeof *trials.shown);
    trials.log_probabilities =
        calloc(trials.prompt_count * trials.split.dev_count * input->label_count,
               sizeof *trials.log_probabilities);
    if (trials.shown == NULL || trials.log_probabilities == NULL)
        status =
            icl_error_set(ICL_ENOMEM, "out of memory for %zu random prompts", trials.prompt_count);
    if (status == ICL_OK) status = draw_prompts(&trials, input, orders);
    if (status == ICL_OK) status = ask_all(&trials, input, method);
    if (status != ICL_OK) {
        icl_trials_deinit(&trials);
        return status;
    }
    *out = trials;
    return ICL_OK;
}

void icl_trials_deinit(icl_trials *trials)
{
    icl_split_deinit(&trials->split);
    free(trials->shown);
    free(trials->log_probabilities);
    *trials = (icl_trials){ 0 };
}

void icl_trials_accuracies(double *accuracies, const icl_trials *trials,
                           const icl_select_input *input)
{
    const size_t dev_count = trials->split.dev_count;
    const double *nats = trials->log_probabilities;
    for (size_t p = 0; p < trials->prompt_count; p++) {
        size_t right = 0;
        for (size_t d = 0; d < dev_count; d++, nats += input->label_count)
            right +=
                icl_argmax(nats, input->label_count) == input->pool_labels[trials->split.dev[d]];
        accuracies[p] = (double)right / (double)dev_count;
    }
}

void icl_trials_showings(icl_showings *showings, size_t pool_count, const icl_trials *trials,
                         const double *values)
{
    memset(showings, 0, pool_count * sizeof *showings);
    for (size_t i = 0; i < trials->prompt_count * trials->shots; i++) {
        icl_showings *item = &showings[trials->shown[i]];
        item->count++;
        item->sum += values[i / trials->shots];
    }
}

icl_status icl_trials_run(icl_selection *out, const icl_select_input *input,
                          const icl_options *options, icl_trials_score *score,
                          const icl_corpus_choice *choice)
{
    const size_t pool_count = input->pool_count;
    icl_trials trials = { 0 };
    ICL_TRY(icl_trials_ask(&trials, input, options->card->name, options, out->k));
    icl_showings *showings = calloc(pool_count, sizeof *showings);
    double *scores = calloc(pool_count, sizeof *scores);
    double *accuracies = calloc(trials.prompt_count, sizeof *accuracies);
    icl_status status = ICL_OK;
    if (showings == NULL || scores == NULL || accuracies == NULL)
        status =
            icl_error_set(ICL_ENOMEM, "out of memory for scores of %zu pool items", pool_count);
    if (status == ICL_OK) {
        icl_trials_accuracies(accuracies, &trials, input);
        icl_trials_showings(showings, pool_count, &trials, accuracies);
        score(scores, pool_count, showings, accuracies, trials.prompt_count);
        status = icl_corpus_choose(out, input, scores, choice);
    }
    free(accuracies);
    free(scores);
    free(showings);
    icl_trials_deinit(&trials);
    return status;
}
