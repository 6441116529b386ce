#include "score/calibrate_parts.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"

/* A label that no row gives any probability gets the smallest normal number instead of 0: dividing
 * by it stays finite. */
static void log_bias(double *out, const double *rows, size_t row_count, size_t label_count)
{
    icl_log_mixture(out, rows, row_count, label_count);
    for (size_t label = 0; label < label_count; label++)
        out[label] = fmax(out[label], log(DBL_MIN));
}

icl_status icl_calibrate_divide(icl_calibration *out, const icl_calibrate_input *input,
                                const double *rows, size_t rows_per_group)
{
    const size_t labels = input->label_count;
    double *biases = malloc(input->group_count * labels * sizeof *biases);
    if (biases == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu calibrations", input->group_count);
    for (size_t g = 0; g < input->group_count; g++)
        log_bias(&biases[g * labels], &rows[g * rows_per_group * labels], rows_per_group, labels);
    for (size_t q = 0; q < input->query_count; q++) {
        const double *bias = &biases[(input->groups != NULL ? input->groups[q] : 0) * labels];
        double *scores = &out->scores[q * labels];
        icl_log_softmax(scores, &input->logprob_nats[q * labels], labels);
        for (size_t label = 0; label < labels; label++) scores[label] -= bias[label];
    }
    free(biases);
    return icl_cancel_check(input->cancelled);
}

void icl_calibrate_finite_rows(double *out, const double *nats, size_t row_count,
                               size_t label_count)
{
    for (size_t at = 0; at < row_count * label_count; at += label_count) {
        icl_log_softmax(&out[at], &nats[at], label_count);
        for (size_t label = 0; label < label_count; label++)
            out[at + label] = fmax(out[at + label], log(DBL_EPSILON));
    }
}

const char *icl_calibrate_label_name(icl_text *text, const icl_calibrate_input *input, size_t label)
{
    if (input->label_names != NULL)
        icl_text_printf(text, "label \"%s\"", input->label_names[label]);
    else
        icl_text_printf(text, "label %zu", label);
    return icl_text_string(text);
}

icl_calibrate_input icl_calibrate_validation_as_queries(const icl_calibrate_input *input)
{
    icl_calibrate_input rows = *input;
    rows.query_count = input->validation_count;
    rows.logprob_nats = input->validation_nats;
    rows.groups = input->validation_groups;
    return rows;
}

/* ---- a calibration of a calibration ---- */

static icl_status read_call(icl_calibrate_call *out, const char *text)
{
    icl_call call = { 0 };
    icl_calibrate_call fresh = { 0 };
    ICL_TRY(icl_call_parse(&call, text, strlen(text)));
    icl_status status = icl_calibrate_find(&fresh.method, call.name);
    if (status == ICL_OK) status = icl_options_read(&fresh.options, &fresh.method->card, &call);
    icl_call_deinit(&call);
    if (status == ICL_OK) *out = fresh;
    return status;
}

icl_status icl_calibrate_call_init(icl_calibrate_call *out, const icl_options *options)
{
    const icl_status status = read_call(out, icl_options_text(options, "of"));
    return status == ICL_OK ? ICL_OK
                            : icl_error_prefix(status, "option of of %s", options->card->name);
}

void icl_calibrate_call_deinit(icl_calibrate_call *call)
{
    icl_options_deinit(&call->options);
    *call = (icl_calibrate_call){ 0 };
}

icl_status icl_calibrate_run_inner(icl_calibration *out, const icl_calibrate_input *input,
                                   const icl_options *options)
{
    icl_calibrate_call call = { 0 };
    ICL_TRY(icl_calibrate_call_init(&call, options));
    const icl_status status = icl_calibrate_run(out, call.method, input, &call.options);
    icl_calibrate_call_deinit(&call);
    return status;
}
