/* How sure a row's label is: calibrated in the company of the validation rows, over the temperature
 * that was fitted on them. */
#include <stdlib.h>
#include <string.h>

#include "apply/annotate_state.h"
#include "base/error.h"
#include "math/logspace.h"
#include "pipeline/run_state.h"
#include "score/abstain.h"
#include "score/temperature.h"

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory to calibrate rows");
}

/* ---- a row among the validation rows ---- */

/* The input of the strategy's calibration: all validation rows, and one more place behind them. */
typedef struct company {
    icl_calibrate_input input;
    double *nats;   /* [validation rows + 1][label_count] */
    size_t *groups; /* [validation rows + 1] */
    double *content_free_nats, *domain_nats;
    size_t *item_groups; /* of the strategy's own validation items */
} company;

static void company_deinit(company *self)
{
    free(self->nats);
    free(self->groups);
    free(self->content_free_nats);
    free(self->domain_nats);
    free(self->item_groups);
}

/* first, then second; NULL: memory. */
static double *join(const double *first, size_t first_count, const double *second,
                    size_t second_count)
{
    double *joined = malloc((first_count + second_count + 1) * sizeof *joined);
    if (joined == NULL) return NULL;
    memcpy(joined, first, first_count * sizeof *joined);
    memcpy(joined + first_count, second, second_count * sizeof *joined);
    return joined;
}

/* The groups of the rows stand behind those of the validation rows. */
static icl_status join_groups(company *self, const icl_calibrate_input *validation,
                              const icl_calibrate_input *rows)
{
    const size_t of_validation = validation->group_count * validation->label_count;
    const size_t of_rows = rows->group_count * rows->label_count;
    const size_t content_free = rows->content_free_count, domain = rows->domain_count;
    self->content_free_nats = join(validation->content_free_nats, of_validation * content_free,
                                   rows->content_free_nats, of_rows * content_free);
    self->domain_nats =
        join(validation->domain_nats, of_validation * domain, rows->domain_nats, of_rows * domain);
    self->groups = malloc((validation->query_count + 1) * sizeof *self->groups);
    self->item_groups = malloc((rows->validation_count + 1) * sizeof *self->item_groups);
    if (self->content_free_nats == NULL || self->domain_nats == NULL || self->groups == NULL ||
        self->item_groups == NULL)
        return no_memory();
    memcpy(self->groups, validation->groups, validation->query_count * sizeof *self->groups);
    for (size_t i = 0; i < rows->validation_count; i++)
        self->item_groups[i] = validation->group_count + rows->validation_groups[i];
    self->input.group_count = validation->group_count + rows->group_count;
    self->input.groups = self->groups;
    self->input.content_free_nats = self->content_free_nats;
    self->input.domain_nats = self->domain_nats;
    self->input.validation_groups = self->item_groups;
    return ICL_OK;
}

static icl_status company_init(company *out, const icl_calibrate_input *validation,
                               const icl_calibrate_input *rows)
{
    const size_t labels = rows->label_count, count = validation->query_count;
    *out = (company){ .input = *rows };
    out->nats = malloc((count + 1) * labels * sizeof *out->nats);
    if (out->nats == NULL) return no_memory();
    memcpy(out->nats, validation->logprob_nats, count * labels * sizeof *out->nats);
    out->input.query_count = count + 1;
    out->input.logprob_nats = out->nats;
    return rows->groups != NULL ? join_groups(out, validation, rows) : ICL_OK;
}

/* out [label_count]: the calibrated scores of a row. */
static icl_status calibrate_row(double *out, company *self, const icl_calibrate_input *validation,
                                const icl_calibrate_input *rows, size_t row,
                                const icl_strategy *strategy)
{
    const size_t labels = rows->label_count, last = validation->query_count;
    icl_calibration calibration = { 0 };
    memcpy(&self->nats[last * labels], &rows->logprob_nats[row * labels], labels * sizeof *out);
    if (rows->groups != NULL) self->groups[last] = validation->group_count + rows->groups[row];
    ICL_TRY(icl_calibrate_run(&calibration, strategy->calibrate, &self->input,
                              &strategy->options[ICL_STAGE_CALIBRATE]));
    memcpy(out, &calibration.scores[last * labels], labels * sizeof *out);
    icl_calibration_deinit(&calibration);
    return ICL_OK;
}

/* ---- answers ---- */

/* The probabilities of a row's labels; scores [count] turn into them. */
static void cool(double *scores, size_t count, double temperature)
{
    for (size_t y = 0; y < count; y++) scores[y] /= temperature;
    icl_softmax(scores, scores, count);
}

icl_status icl_annotate_answers(icl_annotate_answer *out, const icl_annotator *annotator,
                                const icl_run *run)
{
    const icl_calibrate_input validation = icl_run_calibrate_input(annotator->validation);
    const icl_calibrate_input rows = icl_run_calibrate_input(run);
    const size_t labels = rows.label_count;
    company among = { 0 };
    double *scores = malloc((labels + 1) * sizeof *scores);
    icl_status status = scores == NULL ? no_memory() : company_init(&among, &validation, &rows);
    for (size_t row = 0; status == ICL_OK && row < rows.query_count; row++) {
        status = calibrate_row(scores, &among, &validation, &rows, row, &run->strategy);
        if (status != ICL_OK) break;
        out[row].label = icl_argmax(scores, labels);
        cool(scores, labels, annotator->summary.temperature);
        out[row].confidence = scores[out[row].label];
    }
    company_deinit(&among);
    free(scores);
    return status;
}

/* ---- fitting ---- */

/* What the validation rows say; gold and predicted [count], probabilities [count][label_count]. */
typedef struct validated {
    size_t count, label_count;
    size_t *gold, *predicted;
    double *probabilities;
} validated;

static void validated_deinit(validated *self)
{
    free(self->gold);
    free(self->predicted);
    free(self->probabilities);
}

static icl_status validated_init(validated *out, const icl_run *run)
{
    const size_t count = run->query_count, labels = run->label_count;
    *out = (validated){ .count = count,
                        .label_count = labels,
                        .gold = calloc(count + 1, sizeof *out->gold),
                        .predicted = calloc(count + 1, sizeof *out->predicted),
                        .probabilities = calloc(count * labels + 1, sizeof *out->probabilities) };
    if (out->gold == NULL || out->predicted == NULL || out->probabilities == NULL)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        out->gold[i] = icl_example_label(icl_dataset_at(run->data.test, i));
        out->predicted[i] = run->predicted[i];
    }
    return ICL_OK;
}

static icl_status fit_temperature(icl_annotator *annotator, validated *rows, const icl_run *run)
{
    const size_t labels = rows->label_count;
    icl_annotate_summary *summary = &annotator->summary;
    ICL_TRY(icl_temperature_fit(&summary->temperature, run->calibration.scores, rows->gold,
                                rows->count, labels, 1 / ((double)rows->count + 2)));
    memcpy(rows->probabilities, run->calibration.scores,
           rows->count * labels * sizeof *rows->probabilities);
    for (size_t i = 0; i < rows->count; i++)
        cool(&rows->probabilities[i * labels], labels, summary->temperature);
    summary->uncalibrated_ece = run->summary.metrics.ece;
    return icl_metrics_compute(
        &summary->metrics, &(icl_predictions){ .gold = rows->gold,
                                               .predicted = rows->predicted,
                                               .probabilities = rows->probabilities,
                                               .count = rows->count,
                                               .label_count = labels,
                                               .majority_label = icl_majority_label(
                                                   run->pool_labels, run->pool_count, labels) });
}

static icl_status unreachable(const validated *rows, double precision)
{
    icl_abstention best;
    ICL_TRY(icl_abstention_surest(&best, rows->probabilities, rows->gold, rows->count,
                                  rows->label_count));
    return icl_error_set(ICL_ENOTFOUND,
                         "a precision of %g cannot be promised from %zu validation rows; the most "
                         "is %.3f, for the surest %zu of them, of which %zu are right",
                         precision, rows->count, best.interval.low, best.kept, best.correct);
}

static icl_status fit_threshold(icl_annotator *annotator, const validated *rows)
{
    icl_annotate_summary *summary = &annotator->summary;
    icl_abstention rule = { 0 };
    ICL_TRY(icl_abstention_find(&rule, rows->probabilities, rows->gold, rows->count,
                                rows->label_count, summary->precision));
    if (!rule.found) return unreachable(rows, summary->precision);
    if (summary->precision > 0) summary->threshold = rule.threshold;
    summary->coverage = rule.coverage;
    summary->answered_validating = rule.kept;
    summary->reached = rule.precision;
    summary->reached_ci95[0] = rule.interval.low;
    summary->reached_ci95[1] = rule.interval.high;
    return ICL_OK;
}

icl_status icl_annotate_fit(icl_annotator *annotator)
{
    const icl_run *run = annotator->validation;
    validated rows;
    icl_status status = validated_init(&rows, run);
    if (status == ICL_OK) status = fit_temperature(annotator, &rows, run);
    if (status == ICL_OK) status = fit_threshold(annotator, &rows);
    validated_deinit(&rows);
    return status;
}
