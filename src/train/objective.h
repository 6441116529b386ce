/* train/objective.h - the computation of one phase: tokens to hidden states, from there to logits
 * of the answers, of the text and to the read-out, and their losses. Its shape is fixed; batches of
 * that shape are run through it.
 *
 *   icl_objective *objective = NULL;
 *   icl_status status = icl_objective_new(&objective, model, &options);
 *   icl_losses losses;
 *   status = icl_objective_run(objective, batch, &losses);   (gradients are added up)
 */
#ifndef ICL_TRAIN_OBJECTIVE_H
#define ICL_TRAIN_OBJECTIVE_H

#include "learn/transformer.h"
#include "train/recipe.h"
#include "train/source.h"

typedef struct icl_objective icl_objective;

typedef struct icl_objective_options {
    icl_batch_limits limits;
    bool backward;
    icl_answers_over answers_over;
    double answer_weight, text_weight, meaning_weight; /* 0: no such part in the computation */
    size_t meaning_layer;
} icl_objective_options;

/* Those of a phase, for training. */
icl_objective_options icl_objective_options_of(const icl_recipe_phase *phase);

/* Means by weight over a batch; NAN where the batch has nothing of the kind. */
typedef struct icl_losses {
    double total;   /* what is differentiated */
    double answer;  /* nats */
    double text;    /* nats */
    double meaning; /* 1 - cosine */
} icl_losses;

/* ICL_ENOMEM. */
icl_status icl_objective_new(icl_objective **out, icl_transformer *model,
                             const icl_objective_options *options);
void icl_objective_free(icl_objective *objective);
uint64_t icl_objective_bytes(const icl_objective *objective);
double icl_objective_flops(const icl_objective *objective); /* of a run */

/* The batch has the objective's limits. ICL_EMODEL: the back end failed. */
icl_status icl_objective_run(icl_objective *objective, const icl_train_batch *batch,
                             icl_losses *out);

/* Logits of the batch that ran, read back: a row for each answer, over the candidates (or the
 * vocabulary), or for each text token, over the vocabulary. Borrowed until the next call. */
const float *icl_objective_answer_logits(size_t *out_width, icl_objective *objective);
const float *icl_objective_text_logits(size_t *out_width, icl_objective *objective);
/* The column of an answer in them. */
size_t icl_objective_answer_column(const icl_objective *objective, const icl_train_batch *batch,
                                   size_t answer);

#endif
