#include "select/q_network.h"

#include <math.h>
#include <string.h>

#include "math/logspace.h"
#include "math/matrix.h"

/* Of leaky ReLU below 0, and what is added to variances. */
static const double leak = 0.01, variance_floor = 1e-5;

_Static_assert(sizeof(icl_q_weights) == ICL_Q_WEIGHTS * sizeof(double), "weights have no gaps");

/* --- running norm --- */

void icl_running_norm_add(icl_running_norm *norm, const double row[ICL_Q_INPUT])
{
    norm->count += 1.0;
    for (size_t i = 0; i < ICL_Q_INPUT; i++) {
        const double before = row[i] - norm->mean[i];
        norm->mean[i] += before / norm->count;
        norm->square_sum[i] += before * (row[i] - norm->mean[i]);
    }
}

static double deviation(const icl_running_norm *norm, size_t i)
{
    return norm->count < 2.0 ? 1.0 : sqrt(norm->square_sum[i] / norm->count + variance_floor);
}

static void normalise(double row[ICL_Q_INPUT], const icl_running_norm *norm)
{
    if (norm->count < 2.0) return;
    for (size_t i = 0; i < ICL_Q_INPUT; i++) row[i] = (row[i] - norm->mean[i]) / deviation(norm, i);
}

/* State, then the features of an action; the one after the last is stopping. */
static void input_row(double out[ICL_Q_INPUT], const icl_q_network *network,
                      const icl_q_choice *choice, size_t action)
{
    const double *features =
        action < choice->action_count ? choice->actions[action] : network->weights.stop;
    memcpy(out, choice->state, sizeof choice->state);
    memcpy(out + ICL_Q_STATE, features, ICL_Q_ACTION * sizeof *features);
}

void icl_q_network_track(icl_q_network *network, const icl_q_choice *choice)
{
    double row[ICL_Q_INPUT];
    for (size_t a = 0; a <= choice->action_count; a++) {
        input_row(row, network, choice, a);
        icl_running_norm_add(&network->norm, row);
    }
}

/* --- start --- */

static void fill_uniform(double *out, size_t count, double bound, icl_rng *rng)
{
    for (size_t i = 0; i < count; i++) out[i] = bound * (2.0 * icl_rng_unit(rng) - 1.0);
}

static void start_layer(double *matrix, double *bias, size_t inputs, size_t outputs, icl_rng *rng)
{
    const double gain = 2.0 / (1.0 + leak * leak);
    fill_uniform(matrix, inputs * outputs, sqrt(3.0 * gain / (double)inputs), rng);
    fill_uniform(bias, outputs, 1.0 / sqrt((double)inputs), rng);
}

void icl_q_network_start(icl_q_network *out, icl_rng *rng)
{
    *out = (icl_q_network){ 0 };
    icl_q_weights *w = &out->weights;
    start_layer((double *)w->first, w->first_bias, ICL_Q_INPUT, ICL_Q_HIDDEN, rng);
    start_layer((double *)w->second, w->second_bias, ICL_Q_HIDDEN, ICL_Q_HIDDEN, rng);
    start_layer(w->last, &w->last_bias, ICL_Q_HIDDEN, 1, rng);
}

/* --- values --- */

/* 1 / (1 - dropout) or 0; draws nothing without dropout. */
static double keep(double dropout, icl_rng *rng)
{
    if (dropout <= 0.0) return 1.0;
    return icl_rng_unit(rng) < dropout ? 0.0 : 1.0 / (1.0 - dropout);
}

/* The value of one action; where the public code drops units, the input and the first layer. */
static double forward_row(icl_q_pass *pass, const icl_q_network *network,
                          const double row[ICL_Q_INPUT], double dropout, icl_rng *rng)
{
    const icl_q_weights *w = &network->weights;
    for (size_t i = 0; i < ICL_Q_INPUT; i++) {
        const double kept = keep(dropout, rng);
        pass->input[i] = row[i] * kept;
        pass->input_slope[i] = kept / deviation(&network->norm, i);
    }
    for (size_t i = 0; i < ICL_Q_HIDDEN; i++) {
        const double sum =
            w->first_bias[i] + icl_vector_dot_doubles(w->first[i], pass->input, ICL_Q_INPUT);
        pass->first_slope[i] = (sum > 0.0 ? 1.0 : leak) * keep(dropout, rng);
        pass->first[i] = sum * pass->first_slope[i];
    }
    for (size_t i = 0; i < ICL_Q_HIDDEN; i++) {
        const double sum =
            w->second_bias[i] + icl_vector_dot_doubles(w->second[i], pass->first, ICL_Q_HIDDEN);
        pass->second_slope[i] = sum > 0.0 ? 1.0 : leak;
        pass->second[i] = sum * pass->second_slope[i];
    }
    return w->last_bias + icl_vector_dot_doubles(w->last, pass->second, ICL_Q_HIDDEN);
}

void icl_q_forward(double *values, icl_q_pass *passes, const icl_q_network *network,
                   const icl_q_choice *choice, double dropout, icl_rng *rng)
{
    double row[ICL_Q_INPUT];
    for (size_t a = 0; a <= choice->action_count; a++) {
        input_row(row, network, choice, a);
        normalise(row, &network->norm);
        values[a] = forward_row(&passes[a], network, row, dropout, rng);
    }
}

void icl_q_values(double *values, const icl_q_network *network, const icl_q_choice *choice)
{
    double row[ICL_Q_INPUT];
    icl_q_pass pass;
    for (size_t a = 0; a <= choice->action_count; a++) {
        input_row(row, network, choice, a);
        normalise(row, &network->norm);
        values[a] = forward_row(&pass, network, row, 0.0, NULL);
    }
}

size_t icl_q_best(double *values, const icl_q_network *network, const icl_q_choice *choice)
{
    icl_q_values(values, network, choice);
    return icl_argmax(values, choice->action_count + 1);
}

/* --- gradients --- */

static void add_scaled(double *out, const double *values, double factor, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] += factor * values[i];
}

/* Adds the gradient of slope * value of one action; below[7] gets that of its raw inputs. */
static void backward_row(icl_q_weights *gradient, double below[ICL_Q_INPUT], const icl_q_weights *w,
                         const icl_q_pass *pass, double slope)
{
    double first[ICL_Q_HIDDEN] = { 0.0 }, inputs[ICL_Q_INPUT] = { 0.0 };
    gradient->last_bias += slope;
    add_scaled(gradient->last, pass->second, slope, ICL_Q_HIDDEN);
    for (size_t i = 0; i < ICL_Q_HIDDEN; i++) {
        const double s = slope * w->last[i] * pass->second_slope[i];
        gradient->second_bias[i] += s;
        add_scaled(gradient->second[i], pass->first, s, ICL_Q_HIDDEN);
        add_scaled(first, w->second[i], s, ICL_Q_HIDDEN);
    }
    for (size_t i = 0; i < ICL_Q_HIDDEN; i++) {
        const double s = first[i] * pass->first_slope[i];
        gradient->first_bias[i] += s;
        add_scaled(gradient->first[i], pass->input, s, ICL_Q_INPUT);
        add_scaled(inputs, w->first[i], s, ICL_Q_INPUT);
    }
    for (size_t i = 0; i < ICL_Q_INPUT; i++) below[i] = inputs[i] * pass->input_slope[i];
}

void icl_q_backward(icl_q_weights *gradient, const icl_q_network *network, const double *slopes,
                    const icl_q_pass *passes, const icl_q_choice *choice)
{
    double below[ICL_Q_INPUT];
    const size_t stop = choice->action_count;
    for (size_t a = 0; a <= stop; a++)
        backward_row(gradient, below, &network->weights, &passes[a], slopes[a]);
    add_scaled(gradient->stop, below + ICL_Q_STATE, 1.0, ICL_Q_ACTION);
}
