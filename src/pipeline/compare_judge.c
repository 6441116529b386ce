/* Figures, intervals and tests from the predictions of a comparison. All strategies are judged on
 * the same resamples, so that their differences are paired. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/paired.h"
#include "model/interrupt.h"
#include "pipeline/compare_state.h"
#include "pipeline/weighted_metric.h"

static const double significance = 0.05;

typedef struct judge {
    const icl_compare *compare;
    compared_task *task;
    uint32_t *query_weights; /* [query_count] how often this resample drew the query */
    uint32_t *seed_weights;  /* [seed_count] */
    icl_weighted_metric metric;
    double *resampled;    /* [strategy_count][ICL_COMPARE_RESAMPLES] the metric */
    double *scratch;      /* [ICL_COMPARE_RESAMPLES] */
    int32_t *differences; /* [query_count] */
    double *p;            /* [pair_count] */
} judge;

static icl_status judge_init(judge *out, const icl_compare *compare, compared_task *task)
{
    const size_t strategies = compare->strategies.count;
    *out = (judge){ .compare = compare, .task = task };
    out->query_weights = calloc(task->query_count, sizeof *out->query_weights);
    out->seed_weights = calloc(compare->options.seed_count, sizeof *out->seed_weights);
    out->resampled = calloc(strategies * ICL_COMPARE_RESAMPLES, sizeof *out->resampled);
    out->scratch = calloc(ICL_COMPARE_RESAMPLES, sizeof *out->scratch);
    out->differences = calloc(task->query_count, sizeof *out->differences);
    out->p = calloc(compare->pair_count, sizeof *out->p);
    if (out->query_weights == NULL || out->seed_weights == NULL || out->resampled == NULL ||
        out->scratch == NULL || out->differences == NULL || out->p == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory to judge %zu strategies", strategies);
    return icl_weighted_metric_init(&out->metric, icl_task_metric(task->task), task->gold,
                                    task->query_count, task->label_count);
}

static void judge_deinit(judge *self)
{
    free(self->p);
    free(self->differences);
    free(self->scratch);
    free(self->resampled);
    icl_weighted_metric_deinit(&self->metric);
    free(self->seed_weights);
    free(self->query_weights);
}

/* ---- the metric of a resample ---- */

static double resampled_value(const judge *self, size_t strategy)
{
    const size_t seeds = self->compare->options.seed_count;
    double sum = 0.0;
    for (size_t seed = 0; seed < seeds; seed++) {
        if (self->seed_weights[seed] == 0) continue;
        const uint32_t *answers = icl_compare_answers(self->compare, self->task, strategy, seed);
        sum += self->seed_weights[seed] *
               icl_weighted_metric_of(&self->metric, answers, self->query_weights);
    }
    return sum / (double)seeds;
}

static icl_status resample(judge *self)
{
    const icl_compare *compare = self->compare;
    const atomic_bool *cancelled = icl_model_interrupt_flag(icl_engine_model(compare->engine));
    icl_rng rng = icl_rng_new(compare->options.run.seed,
                              icl_task_text(self->task->task, ICL_TASK_NAME), NULL, "compare");
    for (size_t r = 0; r < ICL_COMPARE_RESAMPLES; r++) {
        ICL_TRY(icl_cancel_check(cancelled));
        icl_resample_weights(self->query_weights, self->task->query_count, &rng);
        icl_resample_weights(self->seed_weights, compare->options.seed_count, &rng);
        for (size_t s = 0; s < compare->strategies.count; s++)
            self->resampled[s * ICL_COMPARE_RESAMPLES + r] = resampled_value(self, s);
    }
    return ICL_OK;
}

/* ---- figures ---- */

static void set_interval(double ci95[2], icl_interval interval)
{
    ci95[0] = interval.low;
    ci95[1] = interval.high;
}

static void judge_strategy(judge *self, size_t strategy)
{
    const size_t seeds = self->compare->options.seed_count;
    icl_compare_figures *figures = &self->task->figures[strategy];
    const double *resampled = self->resampled + strategy * ICL_COMPARE_RESAMPLES;
    figures->by_seed = self->task->by_seed + strategy * seeds;
    figures->spec_hashes = self->task->spec_hashes + strategy * seeds;
    for (size_t seed = 0; seed < seeds; seed++)
        figures->value += figures->by_seed[seed] / (double)seeds;
    memcpy(self->scratch, resampled, ICL_COMPARE_RESAMPLES * sizeof *self->scratch);
    set_interval(figures->ci95, icl_interval_percentile95(self->scratch, ICL_COMPARE_RESAMPLES));
}

static void count_discordant(judge *self, icl_compare_pair *pair)
{
    const compared_task *task = self->task;
    memset(self->differences, 0, task->query_count * sizeof *self->differences);
    for (size_t seed = 0; seed < self->compare->options.seed_count; seed++) {
        const uint32_t *first = icl_compare_answers(self->compare, task, pair->first, seed);
        const uint32_t *second = icl_compare_answers(self->compare, task, pair->second, seed);
        for (size_t q = 0; q < task->query_count; q++) {
            const int32_t lead =
                (int32_t)(first[q] == task->gold[q]) - (int32_t)(second[q] == task->gold[q]);
            self->differences[q] += lead;
            pair->first_only += lead > 0;
            pair->second_only += lead < 0;
        }
    }
}

static icl_status judge_pair(judge *self, icl_compare_pair *pair)
{
    const compared_task *task = self->task;
    const double *first = self->resampled + pair->first * ICL_COMPARE_RESAMPLES;
    const double *second = self->resampled + pair->second * ICL_COMPARE_RESAMPLES;
    for (size_t r = 0; r < ICL_COMPARE_RESAMPLES; r++) self->scratch[r] = first[r] - second[r];
    pair->difference = task->figures[pair->first].value - task->figures[pair->second].value;
    set_interval(pair->ci95, icl_interval_percentile95(self->scratch, ICL_COMPARE_RESAMPLES));
    count_discordant(self, pair);
    return icl_mcnemar_clustered(&pair->p, self->differences, task->query_count);
}

static void name_pairs(const icl_compare *compare, icl_compare_pair *pairs)
{
    const size_t against = compare->options.against;
    size_t count = 0;
    for (size_t i = 0; i < compare->strategies.count; i++)
        for (size_t j = 0; j < compare->strategies.count; j++)
            if (against == ICL_COMPARE_ALL_PAIRS ? i < j : j == against && i != j)
                pairs[count++] = (icl_compare_pair){ .first = i, .second = j };
}

static icl_status judge_pairs(judge *self)
{
    icl_compare_pair *pairs = self->task->pairs;
    const size_t count = self->compare->pair_count;
    name_pairs(self->compare, pairs);
    for (size_t i = 0; i < count; i++) {
        ICL_TRY(judge_pair(self, &pairs[i]));
        self->p[i] = pairs[i].p;
    }
    ICL_TRY(icl_holm(self->p, self->p, count));
    for (size_t i = 0; i < count; i++) {
        pairs[i].p_holm = self->p[i];
        pairs[i].decided =
            self->p[i] < significance && (pairs[i].ci95[0] > 0 || pairs[i].ci95[1] < 0);
    }
    return ICL_OK;
}

icl_status icl_compare_judge_task(icl_compare *compare, compared_task *task)
{
    judge self;
    icl_status status = judge_init(&self, compare, task);
    if (status == ICL_OK) status = resample(&self);
    for (size_t s = 0; s < compare->strategies.count && status == ICL_OK; s++)
        judge_strategy(&self, s);
    if (status == ICL_OK) status = judge_pairs(&self);
    judge_deinit(&self);
    return status;
}
