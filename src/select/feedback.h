/* select/feedback.h - what the language model says of candidates: for every pool item, taken as a
 * query, how probable each of some other items makes its label.
 *
 *   icl_feedback feedback = { 0 };
 *   status = icl_feedback_ask(&feedback, fit, input, &(icl_feedback_options){ .width = 50 });
 *   ... feedback.nats[item * feedback.width + rank] ...
 *   icl_feedback_deinit(&feedback);
 */
#ifndef ICL_SELECT_FEEDBACK_H
#define ICL_SELECT_FEEDBACK_H

#include "select/retriever.h"

typedef struct icl_feedback {
    size_t pool_count, width;
    size_t *candidates; /* [pool_count][width] pool items, never the item itself; in the order of
                           the model's answers, best first, equal ones by lower item */
    double *nats;       /* [pool_count][width] log P(label of the item | candidate, item) */
} icl_feedback;

typedef struct icl_feedback_options {
    size_t width;                   /* candidates of each item, fewer where the pool is small */
    const icl_retriever *retriever; /* they are its nearest; NULL: BM25 on the inputs */
    bool normalise;                 /* over the labels, so that nats is log p(y) among them */
} icl_feedback_options;

/* Asks pool_count * width prompts of one demonstration. ICL_EINVAL: the answers are all the same,
 * so that there is nothing to learn; what the model says; ICL_ECANCELLED. */
icl_status icl_feedback_ask(icl_feedback *out, const icl_fit *fit, const icl_select_input *input,
                            const icl_feedback_options *options);
void icl_feedback_deinit(icl_feedback *feedback);

/* Candidates that each item will have. */
size_t icl_feedback_width(const icl_select_input *input, size_t wanted);
/* Whether the model prefers some candidates of the item to others. */
bool icl_feedback_tells(const icl_feedback *feedback, size_t item);

#endif
