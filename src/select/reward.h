/* select/reward.h - a cross scorer that judges a demonstration with the item's label in sight; what
 * it learned from the model's answers it teaches to a retriever.
 *
 * Its inputs are the vectors of item and demonstration, their product element by element, and
 * whether the labels agree; one hidden layer.
 */
#ifndef ICL_SELECT_REWARD_H
#define ICL_SELECT_REWARD_H

#include "select/feedback.h"

typedef struct icl_reward_settings {
    size_t list_length; /* candidates of a step: the best one and others */
    size_t epochs;
} icl_reward_settings;

/* Trains a scorer to tell each item's best candidate from `list_length` - 1 others, and writes out
 * [pool_count][width], its scores in the order of the feedback's candidates. ICL_ECANCELLED;
 * ICL_ENOMEM. */
icl_status icl_reward_scores(double *out, const icl_fit *fit, const icl_select_input *input,
                             const icl_feedback *feedback, const icl_reward_settings *settings);

#endif
