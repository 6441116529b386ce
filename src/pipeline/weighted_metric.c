#include "pipeline/weighted_metric.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

icl_status icl_weighted_metric_init(icl_weighted_metric *out, icl_metric metric,
                                    const uint32_t *gold, size_t count, size_t label_count)
{
    *out = (icl_weighted_metric){
        .metric = metric, .gold = gold, .count = count, .label_count = label_count
    };
    out->label_counts = calloc(3 * label_count, sizeof *out->label_counts);
    if (out->label_counts == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", label_count);
    return ICL_OK;
}

void icl_weighted_metric_deinit(icl_weighted_metric *self)
{
    free(self->label_counts);
    *self = (icl_weighted_metric){ 0 };
}

static double accuracy_of(const icl_weighted_metric *self, const uint32_t *predicted,
                          const uint32_t *weights)
{
    uint64_t correct = 0, all = 0;
    for (size_t q = 0; q < self->count; q++) {
        correct += predicted[q] == self->gold[q] ? weights[q] : 0;
        all += weights[q];
    }
    return (double)correct / (double)all;
}

/* The mean over labels that stand in gold or predicted. */
static double macro_f1_of(const icl_weighted_metric *self, const uint32_t *predicted,
                          const uint32_t *weights)
{
    const size_t labels = self->label_count;
    uint64_t *gold = self->label_counts, *guessed = gold + labels, *both = guessed + labels;
    memset(gold, 0, 3 * labels * sizeof *gold);
    for (size_t q = 0; q < self->count; q++) {
        gold[self->gold[q]] += weights[q];
        guessed[predicted[q]] += weights[q];
        if (predicted[q] == self->gold[q]) both[predicted[q]] += weights[q];
    }
    double sum = 0;
    size_t present = 0;
    for (size_t y = 0; y < labels; y++) {
        if (gold[y] + guessed[y] == 0) continue;
        sum += 2 * (double)both[y] / (double)(gold[y] + guessed[y]);
        present++;
    }
    return sum / (double)present;
}

double icl_weighted_metric_of(const icl_weighted_metric *self, const uint32_t *predicted,
                              const uint32_t *weights)
{
    return self->metric == ICL_METRIC_MACRO_F1 ? macro_f1_of(self, predicted, weights)
                                               : accuracy_of(self, predicted, weights);
}
