/* CEIL: EPR's retriever goes on learning which sets of demonstrations serve an item, scored by
 * their determinant; a query gets the set that this favours. */
#include <stdlib.h>

#include "base/error.h"
#include "math/matrix.h"
#include "select/ceil_sets.h"
#include "select/contrast.h"
#include "select/nearest.h"

/* ---- learning from sets ---- */

typedef struct set_lesson {
    const icl_ceil_sets *sets;
    icl_ceil_terms terms;
    size_t vector_size;
    double *cosines; /* [size] scratch */
} set_lesson;

/* All sets of the item, best answer first. */
static void draw_sets(void *user, size_t *out, size_t item, icl_rng *rng)
{
    const icl_ceil_sets *sets = ((const set_lesson *)user)->sets;
    const size_t length = sets->set_count * sets->size;
    (void)rng;
    for (size_t i = 0; i < length; i++) out[i] = sets->items[item * length + i];
}

static icl_status loss_sets(void *user, double *out_loss, const icl_lesson_step *step)
{
    const set_lesson *self = user;
    const double weight = 1 / (double)step->query_count;
    double sum = 0, loss = 0;
    for (size_t q = 0; q < step->query_count; q++) {
        const size_t own = q * step->columns + q * step->list_length;
        ICL_TRY(icl_ceil_sets_loss(step->gradient + own, &loss, self->sets, step->items[q],
                                   step->scores + own, &self->terms, weight));
        sum += weight * loss;
    }
    *out_loss = sum;
    return ICL_OK;
}

static icl_dev_measure judge_sets(void *user, const float *query, const float *contexts,
                                  size_t item)
{
    set_lesson *self = user;
    const icl_ceil_sets *sets = self->sets;
    const size_t count = sets->set_count, size = sets->size;
    double score = 0, highest = 0, best_answer = 0;
    size_t first = 0, place = 1;
    for (size_t s = 0; s < count; s++) {
        const size_t *members = sets->items + (item * count + s) * size;
        for (size_t i = 0; i < size; i++)
            self->cosines[i] =
                icl_vector_dot(query, contexts + members[i] * self->vector_size, self->vector_size);
        score = icl_ceil_set_score(self->cosines, size, sets->log_dets[item * count + s],
                                   self->terms.lambda);
        if (s == 0) best_answer = highest = score;
        place += score > best_answer;
        if (score <= highest) continue;
        highest = score;
        first = s;
    }
    return (icl_dev_measure){ .nats = sets->nats[item * count + first], .mrr = 1 / (double)place };
}

static icl_status learn_sets(icl_retriever_trainer *trainer, const icl_feedback *feedback,
                             const icl_ceil_sets *sets, const icl_select_input *input,
                             const icl_options *options)
{
    set_lesson self = { .sets = sets,
                        .terms = { .temperature = icl_options_real(options, "temperature"),
                                   .lambda = icl_options_real(options, "lambda"),
                                   .loss = (icl_ceil_loss)icl_options_int(options, "loss") },
                        .vector_size = input->vector_size };
    self.cosines = calloc(sets->size, sizeof *self.cosines);
    if (self.cosines == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for sets of %zu demonstrations",
                             sets->size);
    const icl_status status =
        icl_retriever_train(trainer, feedback,
                            &(icl_lesson){ .user = &self,
                                           .list_length = sets->set_count * sets->size,
                                           .draw = draw_sets,
                                           .loss = loss_sets,
                                           .judge = judge_sets });
    free(self.cosines);
    return status;
}

/* ---- fitting ---- */

static icl_ceil_sets_options sets_of(const icl_select_input *input, const icl_options *options)
{
    return (icl_ceil_sets_options){
        .set_count = (size_t)icl_options_int(options, "sets"),
        .size = (size_t)icl_options_int(options, "size"),
        .candidates = icl_feedback_width(input, (size_t)icl_options_int(options, "candidates")),
    };
}

static icl_status check_sets(const icl_select_input *input, const icl_options *options)
{
    const icl_ceil_sets_options wanted = sets_of(input, options);
    if (icl_options_bool(options, "shared"))
        return icl_error_set(ICL_EINVAL, "select=ceil: shared=true leaves nothing to learn from "
                                         "sets, where demonstrations keep their map");
    if (wanted.size <= wanted.candidates) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "select=ceil: sets of size=%zu need as many candidates, and each of the "
                         "%zu pool items has %zu",
                         wanted.size, input->pool_count, wanted.candidates);
}

static icl_status fit_sets(icl_retriever_trainer *trainer, const icl_feedback *feedback,
                           const icl_fit *fit, const icl_select_input *input,
                           const icl_options *options)
{
    const icl_ceil_sets_options wanted = sets_of(input, options);
    icl_ceil_sets sets = { 0 };
    ICL_TRY(icl_ceil_sets_ask(&sets, fit, input, icl_retriever_trainer_result(trainer), &wanted));
    icl_retriever_trainer_freeze_contexts(trainer);
    const icl_status status = learn_sets(trainer, feedback, &sets, input, options);
    icl_ceil_sets_deinit(&sets);
    return status;
}

static icl_status fit_ceil(icl_fit *fit, const icl_select_input *input, const icl_options *options)
{
    const icl_retriever_settings settings = icl_retriever_settings_of(input, options);
    icl_feedback feedback = { 0 };
    icl_retriever_trainer *trainer = NULL;
    ICL_TRY(check_sets(input, options));
    ICL_TRY(icl_retriever_trainer_new(&trainer, fit, input, &settings));
    icl_status status = icl_contrast_fit(&feedback, trainer, fit, input, options);
    if (status == ICL_OK) status = fit_sets(trainer, &feedback, fit, input, options);
    if (status == ICL_OK)
        status = icl_retriever_save(fit->file, icl_retriever_trainer_result(trainer));
    icl_feedback_deinit(&feedback);
    icl_retriever_trainer_free(trainer);
    return status;
}

static icl_status prompts_ceil(size_t *out, const icl_select_input *input,
                               const icl_options *options)
{
    ICL_TRY(check_sets(input, options));
    ICL_TRY(icl_contrast_prompts(out, input, options));
    *out += input->pool_count * sets_of(input, options).set_count;
    return ICL_OK;
}

/* ---- choosing ---- */

static icl_status select_ceil(icl_selection *out, const icl_select_input *input,
                              const icl_options *options)
{
    icl_mapped_input mapped = { 0 };
    ICL_TRY(icl_mapped_input_open(&mapped, input, options));
    const icl_status status = icl_select_among_nearest(out, &mapped.input, icl_choose_dpp, options);
    icl_mapped_input_close(&mapped);
    return status;
}

/* Indexed by icl_ceil_loss. */
static const char *const losses[] = { "margin", "infonce", NULL };

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_FIT_OPTION_FILE,
    ICL_FIT_OPTION_TRANSFER,
    ICL_RETRIEVER_OPTIONS,
    ICL_CONTRAST_OPTIONS,
    { .name = "lambda",
      .type = ICL_OPTION_REAL,
      .fallback = "0.1",
      .minimum = 0.001,
      .maximum = 1e6,
      .help = "how much diversity counts against nearness to the query, also in a run" },
    { .name = "sets",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 2,
      .maximum = 1e4,
      .help = "fit: sets of demonstrations that the model judges for each item" },
    { .name = "size",
      .type = ICL_OPTION_INT,
      .fallback = "8",
      .minimum = 1,
      .maximum = 1000,
      .help = "fit: demonstrations in a set" },
    { .name = "loss",
      .type = ICL_OPTION_CHOICE,
      .fallback = "margin",
      .choices = losses,
      .help = "fit: margins between sets by rank, or the best set against the others" },
};

const icl_select_method icl_select_ceil = {
    .card = { .name = "ceil",
              .summary = "EPR's retriever trained on, demonstrations fixed, until the determinants "
                         "of sets rank them as the model does; a run takes the set of the largest "
                         "one, greedily. Here margins are 1 / sets a rank (the paper's 0.02 is for "
                         "50), with 10 sets of 8 for its 50 of 16, on linear maps of frozen "
                         "sentence vectors for its BERT encoders.",
              .paper = "Ye et al. 2023, \"Compositional Exemplars for In-context Learning\"",
              .cost = "none in a run; icl fit asks pool * (candidates + sets) prompts",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_ceil,
    .fit = fit_ceil,
    .fit_prompts = prompts_ceil,
};
