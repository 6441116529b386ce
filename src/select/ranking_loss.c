#include "select/ranking_loss.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"
#include "math/topk.h"

/* ---- InfoNCE ---- */

/* log sum exp of a row's columns that are not masked. */
static double row_normaliser(const double *scores, const bool *masked, size_t columns)
{
    double greatest = -INFINITY, sum = 0;
    for (size_t j = 0; j < columns; j++)
        if ((masked == NULL || !masked[j]) && scores[j] > greatest) greatest = scores[j];
    for (size_t j = 0; j < columns; j++)
        if (masked == NULL || !masked[j]) sum += exp(scores[j] - greatest);
    return greatest + log(sum);
}

double icl_loss_infonce(double *gradient, const icl_infonce *input, double weight)
{
    const double share = weight / (double)input->rows;
    double loss = 0;
    for (size_t b = 0; b < input->rows; b++) {
        const double *scores = input->scores + b * input->columns;
        const bool *masked = input->masked != NULL ? input->masked + b * input->columns : NULL;
        double *row = gradient + b * input->columns;
        const size_t positive = input->positives[b];
        assert(masked == NULL || !masked[positive]);
        const double normaliser = row_normaliser(scores, masked, input->columns);
        loss += normaliser - scores[positive];
        for (size_t j = 0; j < input->columns; j++)
            if (masked == NULL || !masked[j]) row[j] += share * exp(scores[j] - normaliser);
        row[positive] -= share;
    }
    return loss / (double)input->rows;
}

/* ---- margins by rank ---- */

typedef struct score_range {
    size_t lowest, highest;
    double width;
} score_range;

static score_range range_of(const double *scores, size_t count)
{
    score_range range = { 0 };
    for (size_t i = 1; i < count; i++) {
        if (scores[i] < scores[range.lowest]) range.lowest = i;
        if (scores[i] > scores[range.highest]) range.highest = i;
    }
    range.width = scores[range.highest] - scores[range.lowest];
    return range;
}

/* Of a score that is scaled; its ends move with the scores that they are. */
static void add_scaled(double *gradient, const double *scores, const score_range *range, size_t i,
                       double amount)
{
    const double scaled = (scores[i] - scores[range->lowest]) / range->width;
    gradient[i] += amount / range->width;
    gradient[range->lowest] += amount * (scaled - 1) / range->width;
    gradient[range->highest] -= amount * scaled / range->width;
}

double icl_loss_rank_margin(double *gradient, const double *scores, size_t count, double margin,
                            double weight)
{
    const score_range range = range_of(scores, count);
    double loss = 0;
    for (size_t gap = 1; gap < count; gap++) {
        const double pairs = (double)(count - gap), wanted = (double)gap * margin;
        for (size_t i = 0; i + gap < count; i++) {
            const double fall = range.width > 0 ? (scores[i] - scores[i + gap]) / range.width : 0;
            if (fall >= wanted) continue;
            loss += (wanted - fall) / pairs;
            if (range.width <= 0) continue;
            add_scaled(gradient, scores, &range, i, -weight / pairs);
            add_scaled(gradient, scores, &range, i + gap, weight / pairs);
        }
    }
    return loss;
}

/* ---- lambda losses ---- */

static icl_status positions_of(size_t **out, const double *scores, size_t count)
{
    icl_scored *order = malloc(count * sizeof *order);
    size_t *positions = malloc(count * sizeof *positions);
    if (order == NULL || positions == NULL) {
        free(order);
        free(positions);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu scores", count);
    }
    for (size_t i = 0; i < count; i++) order[i] = (icl_scored){ scores[i], i };
    icl_topk(order, count, count);
    for (size_t p = 0; p < count; p++) positions[order[p].index] = p + 1;
    free(order);
    *out = positions;
    return ICL_OK;
}

static double discount(size_t position)
{
    return 1 / log2(1 + (double)position);
}

/* Discounted gain of the best order. */
static double ideal_gain(const icl_lambda_loss *input)
{
    double gain = 0;
    for (size_t i = 0; i < input->count; i++) {
        size_t before = 0; /* how many the best order puts in front */
        for (size_t j = 0; j < input->count; j++)
            before +=
                input->ranks[j] < input->ranks[i] || (input->ranks[j] == input->ranks[i] && j < i);
        gain += discount(before + 1) / (double)input->ranks[i];
    }
    return gain;
}

static double swap_change(const icl_lambda_loss *input, const size_t *positions, size_t a, size_t b)
{
    if (input->metric == ICL_LAMBDA_MRR)
        return fabs(1 / (double)positions[a] - 1 / (double)positions[b]);
    const double gains = 1 / (double)input->ranks[a] - 1 / (double)input->ranks[b];
    return fabs(gains * (discount(positions[a]) - discount(positions[b])));
}

icl_status icl_loss_lambda(double *gradient, double *out_loss, const icl_lambda_loss *input,
                           double weight)
{
    static const double difference_max = 50;
    size_t *positions = NULL, pairs = 0;
    ICL_TRY(positions_of(&positions, input->scores, input->count));
    const double scale = input->metric == ICL_LAMBDA_MRR ? 1 : 1 / ideal_gain(input);
    double loss = 0;
    for (size_t a = 0; a < input->count; a++)
        for (size_t b = 0; b < input->count; b++) pairs += input->ranks[a] < input->ranks[b];
    for (size_t a = 0; a < input->count; a++) {
        for (size_t b = 0; b < input->count; b++) {
            if (input->ranks[a] >= input->ranks[b]) continue;
            const double lead = input->scores[a] - input->scores[b];
            const double clamped = fmax(-difference_max, fmin(difference_max, lead));
            const double change = scale * swap_change(input, positions, a, b) / (double)pairs;
            loss += change * log1p(exp(-clamped));
            if (clamped != lead) continue;
            const double slope = weight * change / (1 + exp(clamped));
            gradient[a] -= slope;
            gradient[b] += slope;
        }
    }
    free(positions);
    *out_loss = loss;
    return ICL_OK;
}

/* ---- distillation ---- */

icl_status icl_loss_distil(double *gradient, double *out_loss, const icl_distil *input,
                           double weight)
{
    const size_t count = input->count;
    double *student = calloc(2 * count, sizeof *student);
    if (student == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu scores", count);
    double *teacher = student + count, loss = 0;
    for (size_t i = 0; i < count; i++) {
        student[i] = input->scores[i] / input->temperature;
        teacher[i] = input->teacher[i] / input->teacher_temperature;
    }
    icl_log_softmax(student, student, count);
    icl_log_softmax(teacher, teacher, count);
    for (size_t i = 0; i < count; i++) {
        const double wanted = exp(teacher[i]);
        loss += wanted * (teacher[i] - student[i]);
        gradient[i] += weight * (exp(student[i]) - wanted) / input->temperature;
    }
    free(student);
    *out_loss = loss;
    return ICL_OK;
}
