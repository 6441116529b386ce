/* The loss is convex in 1 / T and so has one valley over log T, where it is sought by golden
 * sections. */
#include "score/temperature.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"

#define TEMPERATURE_MAX 100.0
enum { SECTIONS = 80 };

typedef struct labelled_rows {
    const double *scores; /* [count][label_count] */
    const size_t *labels; /* [count] */
    size_t count, label_count;
    double doubt;
    double *scaled; /* [label_count] */
} labelled_rows;

/* What an item's target distribution gives its scores on average; impossible labels take no part.
 */
static double target_score(const labelled_rows *rows, const double *scores, size_t gold)
{
    double sum = 0;
    size_t others = 0;
    for (size_t y = 0; y < rows->label_count; y++) {
        if (y == gold || !isfinite(scores[y])) continue;
        sum += scores[y];
        others++;
    }
    if (others == 0) return scores[gold];
    return (1 - rows->doubt) * scores[gold] + rows->doubt * sum / (double)others;
}

static double loss_at(const labelled_rows *rows, double log_temperature)
{
    const double factor = exp(-log_temperature);
    double sum = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const double *scores = &rows->scores[i * rows->label_count];
        if (!isfinite(scores[rows->labels[i]])) continue;
        for (size_t y = 0; y < rows->label_count; y++) rows->scaled[y] = factor * scores[y];
        sum += icl_logsumexp(rows->scaled, rows->label_count) -
               factor * target_score(rows, scores, rows->labels[i]);
    }
    return sum;
}

static double find_log_temperature(const labelled_rows *rows)
{
    const double golden = 0.6180339887498949;
    double low = -log(TEMPERATURE_MAX), high = log(TEMPERATURE_MAX);
    double left = high - golden * (high - low), right = low + golden * (high - low);
    double at_left = loss_at(rows, left), at_right = loss_at(rows, right);
    for (int i = 0; i < SECTIONS; i++) {
        if (at_left <= at_right) {
            high = right;
            right = left;
            at_right = at_left;
            left = high - golden * (high - low);
            at_left = loss_at(rows, left);
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + golden * (high - low);
            at_right = loss_at(rows, right);
        }
    }
    return (low + high) / 2;
}

icl_status icl_temperature_fit(double *out, const double *scores, const size_t *gold, size_t count,
                               size_t label_count, double doubt)
{
    double *scaled = malloc(label_count * sizeof *scaled);
    if (scaled == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", label_count);
    *out = exp(find_log_temperature(&(labelled_rows){ .scores = scores,
                                                      .labels = gold,
                                                      .count = count,
                                                      .label_count = label_count,
                                                      .doubt = doubt,
                                                      .scaled = scaled }));
    free(scaled);
    return ICL_OK;
}
