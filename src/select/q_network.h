/* select/q_network.h - the network that tells what showing a candidate next is worth: 7 numbers,
 * two hidden layers of 16, one value; with exact gradients.
 *
 *   const icl_q_choice choice = { .state = { shown, perplexity }, .actions = features,
 *                                 .action_count = n };
 *   icl_q_values(values, &network, &choice);   (values[n] is stopping)
 *
 * Inputs are normalised by running means and variances. Stopping is an action whose five features
 * are learned.
 */
#ifndef ICL_SELECT_Q_NETWORK_H
#define ICL_SELECT_Q_NETWORK_H

#include <stddef.h>

#include "base/rng.h"

enum {
    ICL_Q_STATE = 2,
    ICL_Q_ACTION = 5,
    ICL_Q_INPUT = ICL_Q_STATE + ICL_Q_ACTION,
    ICL_Q_HIDDEN = 16,
    ICL_Q_WEIGHTS = ICL_Q_HIDDEN * (ICL_Q_INPUT + 1) + ICL_Q_HIDDEN * (ICL_Q_HIDDEN + 1) +
                    ICL_Q_HIDDEN + 1 + ICL_Q_ACTION,
};

/* What a decision is made over. */
typedef struct icl_q_choice {
    double state[ICL_Q_STATE];
    const double (*actions)[ICL_Q_ACTION]; /* [action_count] */
    size_t action_count;                   /* without stopping, which is the one after the last */
} icl_q_choice;

typedef union icl_q_weights {
    double all[ICL_Q_WEIGHTS];
    struct {
        double first[ICL_Q_HIDDEN][ICL_Q_INPUT], first_bias[ICL_Q_HIDDEN];
        double second[ICL_Q_HIDDEN][ICL_Q_HIDDEN], second_bias[ICL_Q_HIDDEN];
        double last[ICL_Q_HIDDEN], last_bias;
        double stop[ICL_Q_ACTION];
    };
} icl_q_weights;

/* Mean and variance of rows that arrive one by one (Welford 1962). */
typedef struct icl_running_norm {
    double count;
    double mean[ICL_Q_INPUT];
    double square_sum[ICL_Q_INPUT]; /* of deviations from the mean */
} icl_running_norm;

void icl_running_norm_add(icl_running_norm *norm, const double row[ICL_Q_INPUT]);

typedef struct icl_q_network {
    icl_q_weights weights;
    icl_running_norm norm; /* inputs pass unchanged until it has seen two rows */
} icl_q_network;

/* Kaiming-uniform matrices (He et al. 2015), biases within 1 / sqrt(inputs), stopping 0. */
void icl_q_network_start(icl_q_network *out, icl_rng *rng);
/* Adds the choice's inputs, stopping included, to the running norm. */
void icl_q_network_track(icl_q_network *network, const icl_q_choice *choice);

/* Writes values[action_count + 1]. */
void icl_q_values(double *values, const icl_q_network *network, const icl_q_choice *choice);

/* The action of the highest value, the first among equals; values: scratch, as above. */
size_t icl_q_best(double *values, const icl_q_network *network, const icl_q_choice *choice);

/* What the gradient of an action needs of the forward pass. */
typedef struct icl_q_pass {
    double input[ICL_Q_INPUT], first[ICL_Q_HIDDEN], second[ICL_Q_HIDDEN];
    double input_slope[ICL_Q_INPUT], first_slope[ICL_Q_HIDDEN], second_slope[ICL_Q_HIDDEN];
} icl_q_pass;

/* As icl_q_values, with dropout of inputs and of the first layer; passes[action_count + 1]. */
void icl_q_forward(double *values, icl_q_pass *passes, const icl_q_network *network,
                   const icl_q_choice *choice, double dropout, icl_rng *rng);
/* Adds to *gradient that of sum(slopes * values); slopes[action_count + 1]. */
void icl_q_backward(icl_q_weights *gradient, const icl_q_network *network, const double *slopes,
                    const icl_q_pass *passes, const icl_q_choice *choice);

#endif
