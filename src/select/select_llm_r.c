/* LLM-R: the model's answers train a reward model that sees the label, and that teaches the
 * retriever. */
#include <stdlib.h>

#include "base/error.h"
#include "select/contrast.h"
#include "select/listwise.h"
#include "select/ranking_loss.h"
#include "select/reward.h"

static const double contrast_weight = 0.2; /* of InfoNCE beside the distillation */

typedef struct distillation {
    const icl_feedback *feedback;
    const double *rewards; /* [pool_count][width] */
    size_t list_length, *places;
    double *teacher; /* [list_length] scratch, as are the places */
} distillation;

static void draw_list(void *user, size_t *out, size_t item, icl_rng *rng)
{
    const distillation *self = user;
    icl_list_draw(out, self->list_length, self->feedback, item, rng);
}

static icl_status loss_llm_r(void *user, double *out_loss, const icl_lesson_step *step)
{
    distillation *self = user;
    const double weight = 1 / (double)step->query_count;
    double sum = 0, contrast = 0, loss = 0;
    for (size_t q = 0; q < step->query_count; q++) {
        const size_t own = q * step->columns + q * step->list_length;
        const double *rewards = self->rewards + step->items[q] * self->feedback->width;
        icl_list_places(self->places, step, self->feedback, q);
        for (size_t i = 0; i < step->list_length; i++) self->teacher[i] = rewards[self->places[i]];
        const icl_distil list = { .count = step->list_length,
                                  .scores = step->scores + own,
                                  .teacher = self->teacher,
                                  .temperature = 1, /* the scores are divided already */
                                  .teacher_temperature = 1 };
        ICL_TRY(icl_loss_distil(step->gradient + own, &loss, &list, weight));
        sum += weight * loss;
    }
    ICL_TRY(icl_contrast_loss(&contrast, step, self->feedback, 0, 0, contrast_weight));
    *out_loss = sum + contrast_weight * contrast;
    return ICL_OK;
}

static icl_status train_llm_r(icl_retriever_trainer *trainer, const icl_fit *fit,
                              const icl_select_input *input, const icl_feedback *feedback,
                              const icl_options *options)
{
    const size_t length = icl_list_length(feedback, options);
    const icl_reward_settings reward = { .list_length = length,
                                         .epochs = (size_t)icl_options_int(options, "epochs") };
    double *rewards = malloc(feedback->pool_count * feedback->width * sizeof *rewards);
    distillation self = { .feedback = feedback, .rewards = rewards, .list_length = length };
    self.places = calloc(length, sizeof *self.places);
    self.teacher = calloc(length, sizeof *self.teacher);
    icl_status status = rewards == NULL || self.places == NULL || self.teacher == NULL
                            ? icl_error_set(ICL_ENOMEM, "out of memory for %zu rewards",
                                            feedback->pool_count * feedback->width)
                            : icl_reward_scores(rewards, fit, input, feedback, &reward);
    if (status == ICL_OK)
        status = icl_retriever_train(
            trainer, feedback,
            &(icl_lesson){
                .user = &self, .list_length = length, .draw = draw_list, .loss = loss_llm_r });
    free(self.teacher);
    free(self.places);
    free(rewards);
    return status;
}

static icl_status fit_llm_r(icl_fit *fit, const icl_select_input *input, const icl_options *options)
{
    return icl_rounds_fit(fit, input, options, false, train_llm_r);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,   ICL_FIT_OPTION_FILE,   ICL_FIT_OPTION_TRANSFER,
    ICL_RETRIEVER_OPTIONS, ICL_LIST_OPTIONS("2"),
};

const icl_select_method icl_select_llm_r = {
    .card = { .name = "llm-r",
              .summary = "A retriever that learns from a reward model, KL + 0.2 InfoNCE, which "
                         "learned from the language model's answers with the item's label in "
                         "sight. Weight, two rounds and BM25 first as in the authors' scripts; "
                         "those divide cosines by 0.01 (here 0.3) and teach one of the 3 best "
                         "against the 16 worst (here the best of a random list). A network of one "
                         "hidden layer on frozen sentence vectors and linear maps of them, where "
                         "the paper tunes a cross-encoder and a bi-encoder.",
              .paper = "Wang et al. 2024, \"Learning to Retrieve In-Context Examples for Large "
                       "Language Models\"",
              .cost = "none in a run; icl fit asks rounds * pool * candidates prompts",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = icl_retriever_select,
    .fit = fit_llm_r,
    .fit_prompts = icl_rounds_prompts,
};
