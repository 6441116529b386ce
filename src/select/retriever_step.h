/* select/retriever_step.h - one step of training a retriever: scores of some queries with the
 * contexts that were drawn for them, and the gradient of a loss that only the caller knows.
 *
 *   icl_retriever_step *step = NULL;
 *   status = icl_retriever_step_new(&step, &weights, input, &options);
 *   ... for each query: a list of contexts into icl_retriever_step_put(step, query, item) ...
 *   status = icl_retriever_step_score(&seen, step);
 *   ... d loss / d seen.scores into seen.gradient ...
 *   status = icl_retriever_step_differentiate(step);
 *   icl_retriever_step_free(step);
 */
#ifndef ICL_SELECT_RETRIEVER_STEP_H
#define ICL_SELECT_RETRIEVER_STEP_H

#include "select/retriever_weights.h"

/* What a lesson sees of a step. */
typedef struct icl_lesson_step {
    size_t query_count, list_length;
    const size_t *items;    /* [query_count] pool items */
    const size_t *contexts; /* [columns] pool items; row q drew number q * list_length and on */
    size_t columns;         /* query_count * list_length */
    const double *scores;   /* [query_count][columns] cosine / temperature */
    double *gradient;       /* the same, zero; d loss / d scores goes here */
} icl_lesson_step;

typedef struct icl_retriever_step_options {
    size_t query_count, list_length; /* at least 1 */
    double temperature;
} icl_retriever_step_options;

typedef struct icl_retriever_step icl_retriever_step;

/* Borrows weights and input. ICL_ENOMEM; what the graph says. */
icl_status icl_retriever_step_new(icl_retriever_step **out, const icl_retriever_weights *weights,
                                  const icl_select_input *input,
                                  const icl_retriever_step_options *options);
void icl_retriever_step_free(icl_retriever_step *step);

/* Makes the pool item query number `query`; its contexts [list_length] are to be written to what is
 * returned. */
size_t *icl_retriever_step_put(icl_retriever_step *step, size_t query, size_t item);

/* *out borrows from the step, until its next score. */
icl_status icl_retriever_step_score(icl_lesson_step *out, icl_retriever_step *step);

/* Adds to the parameters' gradients what the lesson wrote. */
icl_status icl_retriever_step_differentiate(icl_retriever_step *step);

#endif
