#include "report/figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

double icl_report_eta_trie(const icl_report_meter *meter)
{
    const icl_meter *m = &meter->meter;
    return m->tokens_evaluated > 0 ? (double)m->tokens_trie / (double)m->tokens_evaluated : 1;
}

double icl_report_tokens_per_second(const icl_report_meter *meter)
{
    const icl_meter *m = &meter->meter;
    return m->seconds > 0 ? (double)m->tokens_evaluated / m->seconds : 0;
}

double icl_report_eta_machine(const icl_report_meter *meter)
{
    if (!(meter->prefill_tokens_per_second > 0)) return 0;
    return icl_report_tokens_per_second(meter) / meter->prefill_tokens_per_second;
}

void icl_report_group_digits(char out[REPORT_DIGITS], uint64_t count)
{
    char digits[REPORT_DIGITS];
    const int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) out[used++] = ' ';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

const char *icl_report_metric_name(icl_metric metric)
{
    return metric == ICL_METRIC_MACRO_F1 ? "macro-F1" : "accuracy";
}

const char *icl_report_metric_key(icl_metric metric)
{
    return metric == ICL_METRIC_MACRO_F1 ? "macro_f1" : "accuracy";
}

json_t *icl_report_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count_number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *icl_report_interval(const double bounds[2])
{
    json_t *pair = json_array();
    json_array_append_new(pair, icl_report_number(bounds[0]));
    json_array_append_new(pair, icl_report_number(bounds[1]));
    return pair;
}

static void set_figures(json_t *object, const icl_metrics *metrics, bool known)
{
    const struct {
        const char *name;
        double value;
    } figures[] = { { "macro_f1", metrics->macro_f1 },
                    { "ece", metrics->ece },
                    { "brier", metrics->brier },
                    { "log_loss", metrics->log_loss },
                    { "label_bias", metrics->label_bias } };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(object, figures[i].name,
                            known ? icl_report_number(figures[i].value) : json_null());
}

/* The same answers before calibration. */
static json_t *uncalibrated_object(const icl_run_summary *summary)
{
    json_t *object = json_object();
    const icl_metrics *metrics = &summary->uncalibrated;
    json_object_set_new(object, "accuracy",
                        summary->labelled ? icl_report_number(metrics->accuracy) : json_null());
    set_figures(object, metrics, summary->labelled);
    return object;
}

static void set_metrics(json_t *object, const icl_run_summary *summary)
{
    const icl_metrics *metrics = &summary->metrics;
    const bool known = summary->labelled;
    json_object_set_new(object, "accuracy",
                        known ? icl_report_number(metrics->accuracy) : json_null());
    json_object_set_new(object, "accuracy_ci95",
                        known ? icl_report_interval(metrics->accuracy_ci95) : json_null());
    set_figures(object, metrics, known);
    json_object_set_new(object, "majority_accuracy",
                        known ? icl_report_number(metrics->majority_accuracy) : json_null());
    json_object_set_new(object, "uncalibrated", uncalibrated_object(summary));
    const bool beside = known && summary->has_zero_shot;
    json_object_set_new(object, "zero_shot_accuracy",
                        beside ? icl_report_number(summary->zero_shot.accuracy) : json_null());
    json_object_set_new(object, "zero_shot_accuracy_ci95",
                        beside ? icl_report_interval(summary->zero_shot.accuracy_ci95)
                               : json_null());
}

json_t *icl_report_summary_object(const icl_run *run)
{
    const icl_run_summary *summary = icl_run_get_summary(run);
    json_t *object = json_object();
    json_object_set_new(object, "task", json_string(summary->task));
    json_object_set_new(object, "strategy", json_string(summary->strategy));
    json_object_set_new(object, "model", json_string(summary->model));
    json_object_set_new(object, "model_identity", json_string(summary->model_identity));
    json_object_set_new(object, "spec_hash", json_string(summary->spec_hash));
    json_object_set_new(object, "seed", count_number(summary->seed));
    json_object_set_new(object, "n", count_number(summary->query_count));
    json_object_set_new(object, "labels", count_number(summary->label_count));
    json_object_set_new(object, "pool", count_number(summary->pool_count));
    json_object_set_new(object, "shots", count_number(summary->shots));
    json_object_set_new(object, "pool_repeats", count_number(summary->pool_repeats));
    json_object_set_new(object, "pool_relabelled", count_number(summary->pool_relabelled));
    json_object_set_new(object, "queries_undecided", count_number(summary->queries_undecided));
    set_metrics(object, summary);
    json_object_set_new(object, "calibration_fell_back",
                        json_boolean(summary->calibration_fell_back));
    json_object_set_new(object, "joins_merged", count_number(summary->joins_merged));
    json_object_set_new(object, "demonstrations_dropped",
                        count_number(summary->demonstrations_dropped));
    json_object_set_new(object, "queries_with_drops", count_number(summary->queries_with_drops));
    return object;
}

json_t *icl_report_meter_object(const icl_report_meter *meter)
{
    const icl_meter *m = &meter->meter;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = { { "requests", m->requests },
                   { "requests_cached", m->requests_cached },
                   { "tokens_asked", m->tokens_asked },
                   { "tokens_trie", m->tokens_trie },
                   { "tokens_evaluated", m->tokens_evaluated },
                   { "logits_rows", m->logits_rows },
                   { "rows_padding", m->rows_padding },
                   { "visible_cells", m->visible_cells },
                   { "calls", m->calls } };
    const bool measured = meter->prefill_tokens_per_second > 0 && m->tokens_evaluated > 0;
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_object_set_new(object, counts[i].name, count_number(counts[i].value));
    json_object_set_new(object, "seconds", icl_report_number(m->seconds));
    json_object_set_new(object, "tokens_per_second",
                        icl_report_number(icl_report_tokens_per_second(meter)));
    json_object_set_new(object, "eta_trie", icl_report_number(icl_report_eta_trie(meter)));
    json_object_set_new(object, "eta_machine",
                        measured ? icl_report_number(icl_report_eta_machine(meter)) : json_null());
    json_object_set_new(object, "peak_bytes", count_number(m->peak_bytes));
    return object;
}
