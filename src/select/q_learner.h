/* select/q_learner.h - Q-learning from remembered transitions: the value of an action is its reward
 * plus the best value after it, and actions that nobody tried are held down (conservative
 * Q-learning, Kumar et al. 2020).
 *
 *   icl_q_learner *learner = NULL;
 *   icl_status status = icl_q_learner_new(&learner, &options);
 *   for (...) status = icl_q_learner_update(learner, replay, replay_count);
 *   icl_q_values(values, icl_q_learner_network(learner), &choice);
 *   icl_q_learner_free(learner);
 */
#ifndef ICL_SELECT_Q_LEARNER_H
#define ICL_SELECT_Q_LEARNER_H

#include <stdbool.h>
#include <stdint.h>

#include <icl/status.h>

#include "select/q_network.h"

typedef struct icl_q_transition {
    const icl_q_choice *choice;
    size_t action; /* choice->action_count: stopping */
    double reward;
    const icl_q_choice *next; /* NULL: the episode ends */
} icl_q_transition;

typedef struct icl_q_options {
    size_t batch_size;     /* transitions of an update */
    size_t actions_max;    /* largest action_count of a choice */
    uint64_t target_every; /* updates between copies to the target network */
    double rate, decay, clip_norm;
    double conservative; /* weight of log sum exp Q - Q */
    double dropout;
    uint64_t seed;
    const char *task; /* key of randomness */
} icl_q_options;

/* What Zhang et al. 2022 trained with; actions_max and the key are the caller's. */
icl_q_options icl_q_options_default(void);

typedef struct icl_q_loss {
    double temporal;     /* mean |Q - target| */
    double conservative; /* mean log sum exp Q - Q, at least 0 */
} icl_q_loss;

typedef struct icl_q_learner icl_q_learner;

icl_status icl_q_learner_new(icl_q_learner **out, const icl_q_options *options);
void icl_q_learner_free(icl_q_learner *learner);
icl_q_network *icl_q_learner_network(icl_q_learner *learner); /* borrowed */

/* One step on `batch_size` different transitions, drawn from those given. Nothing changes where
 * there are fewer, or fewer than two of those drawn go on: *out_changed, which may be NULL, says
 * so. ICL_ENOMEM. */
icl_status icl_q_learner_update(bool *out_changed, icl_q_learner *learner,
                                const icl_q_transition *replay, size_t count);

/* Reward, and unless the episode ends the best value of the next choice by `target`; values:
 * scratch for that choice. */
double icl_q_target(const icl_q_network *target, const icl_q_transition *transition,
                    double *values);
/* Mean loss of some transitions against targets[count], and its gradient. */
icl_q_loss icl_q_learner_loss(icl_q_weights *gradient, icl_q_learner *learner,
                              const icl_q_transition *const *batch, const double *targets,
                              size_t count, double dropout);

#endif
