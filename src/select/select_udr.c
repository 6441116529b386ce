/* UDR: a retriever trained in rounds to rank candidates as the model does, each round on what the
 * retriever of the round before finds. */
#include <stdlib.h>

#include "base/error.h"
#include "select/contrast.h"
#include "select/listwise.h"
#include "select/ranking_loss.h"

static const double ranking_weight = 4; /* of LambdaMRR beside InfoNCE */

typedef struct ranking {
    const icl_feedback *feedback;
    size_t list_length;
    size_t *ranks; /* [list_length] scratch */
} ranking;

static void draw_list(void *user, size_t *out, size_t item, icl_rng *rng)
{
    const ranking *self = user;
    icl_list_draw(out, self->list_length, self->feedback, item, rng);
}

/* Ranks from 1 within the row's list; equal answers share the better rank. */
static void rank_list(const ranking *self, const icl_lesson_step *step, size_t row)
{
    const double *nats = self->feedback->nats + step->items[row] * self->feedback->width;
    size_t *ranks = self->ranks, rank = 1;
    icl_list_places(ranks, step, self->feedback, row);
    double before = nats[ranks[0]];
    for (size_t i = 0; i < step->list_length; i++) {
        const double now = nats[ranks[i]];
        if (now < before) rank = i + 1;
        ranks[i] = rank;
        before = now;
    }
}

static icl_status loss_udr(void *user, double *out_loss, const icl_lesson_step *step)
{
    ranking *self = user;
    double sum = 0, contrast = 0, loss = 0;
    const double weight = ranking_weight / (double)step->query_count;
    for (size_t q = 0; q < step->query_count; q++) {
        const size_t own = q * step->columns + q * step->list_length;
        rank_list(self, step, q);
        const icl_lambda_loss list = { .count = step->list_length,
                                       .scores = step->scores + own,
                                       .ranks = self->ranks };
        ICL_TRY(icl_loss_lambda(step->gradient + own, &loss, &list, weight));
        sum += weight * loss;
    }
    ICL_TRY(icl_contrast_loss(&contrast, step, self->feedback, 0, 0, 1));
    *out_loss = sum + contrast;
    return ICL_OK;
}

static icl_status train_udr(icl_retriever_trainer *trainer, const icl_fit *fit,
                            const icl_select_input *input, const icl_feedback *feedback,
                            const icl_options *options)
{
    (void)fit, (void)input;
    ranking self = { .feedback = feedback, .list_length = icl_list_length(feedback, options) };
    self.ranks = calloc(self.list_length, sizeof *self.ranks);
    if (self.ranks == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a list of %zu candidates",
                             self.list_length);
    const icl_status status = icl_retriever_train(
        trainer, feedback,
        &(icl_lesson){
            .user = &self, .list_length = self.list_length, .draw = draw_list, .loss = loss_udr });
    free(self.ranks);
    return status;
}

static icl_status fit_udr(icl_fit *fit, const icl_select_input *input, const icl_options *options)
{
    return icl_rounds_fit(fit, input, options, true, train_udr);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,   ICL_FIT_OPTION_FILE,   ICL_FIT_OPTION_TRANSFER,
    ICL_RETRIEVER_OPTIONS, ICL_LIST_OPTIONS("3"),
};

const icl_select_method icl_select_udr = {
    .card = { .name = "udr",
              .summary =
                  "A retriever that learns the model's ranking of candidates in rounds, by 4 "
                  "LambdaMRR + InfoNCE on p(label) among the labels (that from memory). The "
                  "authors' code encodes instruction + input, for demonstrations + label; here "
                  "it is the input, plus a learned offset of the label. Linear maps of frozen "
                  "sentence vectors for one task, where the paper tunes BERT on 30 tasks.",
              .paper =
                  "Li et al. 2023, \"Unified Demonstration Retriever for In-Context Learning\"",
              .cost = "none in a run; icl fit asks rounds * pool * candidates prompts",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = icl_retriever_select,
    .fit = fit_udr,
    .fit_prompts = icl_rounds_prompts,
};
