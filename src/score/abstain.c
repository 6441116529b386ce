#include "score/abstain.h"

#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"

typedef struct answered {
    double confidence;
    bool right;
} answered;

static int by_falling_confidence(const void *a, const void *b)
{
    const double x = ((const answered *)a)->confidence, y = ((const answered *)b)->confidence;
    return (x < y) - (x > y);
}

static icl_status check(const double *probabilities, const size_t *gold, size_t count,
                        size_t label_count, double precision)
{
    if (!(precision >= 0 && precision <= 1))
        return icl_error_set(ICL_EINVAL, "a precision of %g is not in 0..1", precision);
    for (size_t i = 0; i < count; i++) {
        if (gold[i] >= label_count)
            return icl_error_set(ICL_EINVAL, "item %zu has label %zu of %zu", i, gold[i],
                                 label_count);
        for (size_t y = 0; y < label_count; y++) {
            const double p = probabilities[i * label_count + y];
            if (!(p >= 0 && p <= 1 + 1e-6))
                return icl_error_set(ICL_EINVAL, "item %zu: the probability of label %zu is %g", i,
                                     y, p);
        }
    }
    return ICL_OK;
}

/* What one rule is preferred to another by. */
typedef bool better_rule(const icl_abstention *rule, const icl_abstention *than, double precision);

static bool answers_more(const icl_abstention *rule, const icl_abstention *than, double precision)
{
    (void)than; /* a later one answers more */
    return rule->interval.low >= precision;
}

static bool is_surer(const icl_abstention *rule, const icl_abstention *than, double precision)
{
    (void)precision;
    return !than->found || rule->interval.low >= than->interval.low;
}

/* items [count] with falling confidence. */
static icl_abstention best_rule(const answered *items, size_t count, better_rule *is_better,
                                double precision)
{
    icl_abstention best = { 0 };
    size_t correct = 0;
    for (size_t i = 0; i < count; i++) {
        correct += items[i].right;
        if (i + 1 < count && items[i + 1].confidence == items[i].confidence) continue;
        const size_t kept = i + 1;
        const icl_abstention rule = { .found = true,
                                      .threshold = items[i].confidence,
                                      .kept = kept,
                                      .correct = correct,
                                      .coverage = (double)kept / (double)count,
                                      .precision = (double)correct / (double)kept,
                                      .interval = icl_interval_wilson95(correct, kept) };
        if (is_better(&rule, &best, precision)) best = rule;
    }
    return best;
}

static icl_status find(icl_abstention *out, const double *probabilities, const size_t *gold,
                       size_t count, size_t label_count, better_rule *is_better, double precision)
{
    ICL_TRY(check(probabilities, gold, count, label_count, precision));
    answered *items = malloc((count + 1) * sizeof *items);
    if (items == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu items", count);
    for (size_t i = 0; i < count; i++) {
        const double *row = &probabilities[i * label_count];
        const size_t answer = icl_argmax(row, label_count);
        items[i] = (answered){ .confidence = row[answer], .right = answer == gold[i] };
    }
    qsort(items, count, sizeof *items, by_falling_confidence);
    *out = best_rule(items, count, is_better, precision);
    free(items);
    return ICL_OK;
}

icl_status icl_abstention_find(icl_abstention *out, const double *probabilities, const size_t *gold,
                               size_t count, size_t label_count, double precision)
{
    return find(out, probabilities, gold, count, label_count, answers_more, precision);
}

icl_status icl_abstention_surest(icl_abstention *out, const double *probabilities,
                                 const size_t *gold, size_t count, size_t label_count)
{
    return find(out, probabilities, gold, count, label_count, is_surer, 0);
}
