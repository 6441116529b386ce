/* Vector scaling: a slope and an offset for each label, fitted on labelled items; every calibration
 * that shifts log-probabilities is a special case.
 *
 *   score(y) = slope(y) * log p(y) + offset(y), p renormalised over the labels
 *
 * The slopes and offsets minimise
 *   sum over items of -log softmax(score)(gold) + ridge / 2 * (|slope - 1|^2 + |offset|^2),
 * which is strictly convex; little data leaves the scores nearly as they are. Newton's method. Guo
 * et al. 2017 fit without the ridge; Gundem et al. 2025 (supervised calibration) fit the same map
 * to the demonstrations themselves.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/cholesky.h"
#include "math/logspace.h"
#include "score/calibrate_parts.h"

enum { ROUNDS_MAX = 100 };

typedef struct fit {
    const icl_calibrate_input *input;
    size_t labels;
    double ridge;
    double *rows;       /* [validation_count][labels] */
    double *parameters; /* [2][labels] slopes, then offsets */
    double *gradient;   /* [2][labels], then the step */
    double *candidate;  /* [2][labels] */
    double *hessian;    /* [2 labels][2 labels] */
    double *scores;     /* [labels] */
} fit;

static icl_status fit_init(fit *f)
{
    const size_t n = 2 * f->labels, items = f->input->validation_count;
    f->rows = malloc(items * f->labels * sizeof *f->rows);
    f->parameters = malloc(n * sizeof *f->parameters);
    f->gradient = malloc(n * sizeof *f->gradient);
    f->candidate = malloc(n * sizeof *f->candidate);
    f->hessian = malloc(n * n * sizeof *f->hessian);
    f->scores = malloc(f->labels * sizeof *f->scores);
    if (f->rows == NULL || f->parameters == NULL || f->gradient == NULL || f->candidate == NULL ||
        f->hessian == NULL || f->scores == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", f->labels);
    icl_calibrate_finite_rows(f->rows, f->input->validation_nats, items, f->labels);
    for (size_t i = 0; i < n; i++) f->parameters[i] = i < f->labels ? 1 : 0;
    return ICL_OK;
}

static void fit_deinit(fit *f)
{
    free(f->scores);
    free(f->hessian);
    free(f->candidate);
    free(f->gradient);
    free(f->parameters);
    free(f->rows);
}

static void map_row(double *out, const double *parameters, const double *row, size_t labels)
{
    for (size_t y = 0; y < labels; y++) out[y] = parameters[y] * row[y] + parameters[labels + y];
}

static double loss_at(fit *f, const double *parameters)
{
    double sum = 0;
    for (size_t y = 0; y < f->labels; y++) {
        const double slope = parameters[y] - 1, offset = parameters[f->labels + y];
        sum += f->ridge / 2 * (slope * slope + offset * offset);
    }
    for (size_t i = 0; i < f->input->validation_count; i++) {
        map_row(f->scores, parameters, &f->rows[i * f->labels], f->labels);
        sum += icl_logsumexp(f->scores, f->labels) - f->scores[f->input->validation_labels[i]];
    }
    return sum;
}

/* Adds one item, whose scores have become probabilities, to gradient and lower triangle. */
static void add_item(fit *f, const double *row, size_t gold)
{
    const size_t labels = f->labels, n = 2 * labels;
    for (size_t y = 0; y < labels; y++) {
        const double error = f->scores[y] - (y == gold ? 1 : 0);
        f->gradient[y] += error * row[y];
        f->gradient[labels + y] += error;
        for (size_t z = 0; z < labels; z++) {
            const double curvature = f->scores[y] * ((y == z ? 1 : 0) - f->scores[z]);
            f->hessian[y * n + z] += curvature * row[y] * row[z];
            f->hessian[(labels + y) * n + z] += curvature * row[z];
            f->hessian[(labels + y) * n + labels + z] += curvature;
        }
    }
}

static void differentiate(fit *f)
{
    const size_t n = 2 * f->labels;
    memset(f->hessian, 0, n * n * sizeof *f->hessian);
    for (size_t i = 0; i < n; i++) {
        f->gradient[i] = f->ridge * (f->parameters[i] - (i < f->labels ? 1 : 0));
        f->hessian[i * n + i] = f->ridge;
    }
    for (size_t i = 0; i < f->input->validation_count; i++) {
        const double *row = &f->rows[i * f->labels];
        map_row(f->scores, f->parameters, row, f->labels);
        icl_softmax(f->scores, f->scores, f->labels);
        add_item(f, row, f->input->validation_labels[i]);
    }
}

/* Halves the Newton step until it lowers the loss; false when no step does. */
static bool step_down(fit *f)
{
    const size_t n = 2 * f->labels;
    const double before = loss_at(f, f->parameters);
    for (double share = 1; share > 1e-6; share /= 2) {
        for (size_t i = 0; i < n; i++) f->candidate[i] = f->parameters[i] - share * f->gradient[i];
        if (!(loss_at(f, f->candidate) < before)) continue;
        memcpy(f->parameters, f->candidate, n * sizeof *f->parameters);
        return true;
    }
    return false;
}

static icl_status minimise(fit *f)
{
    const size_t n = 2 * f->labels;
    bool lower = true;
    for (int round = 0; lower && round < ROUNDS_MAX; round++) {
        size_t good = 0;
        differentiate(f);
        ICL_TRY(icl_cholesky(&good, f->hessian, n, f->input->cancelled));
        if (good < n)
            return icl_error_set(ICL_EINVAL, "calibrate method \"linear\": cannot be fitted to "
                                             "these scores; raise ridge");
        icl_cholesky_solve(f->gradient, f->hessian, n);
        lower = step_down(f);
    }
    return ICL_OK;
}

/* Without an item of its own a label would only be pushed down. */
static icl_status check_all_seen(const icl_calibrate_input *input)
{
    for (size_t y = 0; y < input->label_count; y++) {
        size_t seen = 0;
        for (size_t i = 0; i < input->validation_count; i++)
            seen += input->validation_labels[i] == y;
        if (seen > 0) continue;
        icl_text name = { 0 };
        const icl_status status = icl_error_set(
            ICL_EINVAL,
            "calibrate method \"linear\": none of %zu validation items has %s; raise validation=, "
            "or merge labels",
            input->validation_count, icl_calibrate_label_name(&name, input, y));
        icl_text_deinit(&name);
        return status;
    }
    return ICL_OK;
}

static icl_status calibrate_linear(icl_calibration *out, const icl_calibrate_input *input,
                                   const icl_options *options)
{
    ICL_TRY(check_all_seen(input));
    const size_t labels = input->label_count;
    fit f = { .input = input, .labels = labels, .ridge = icl_options_real(options, "ridge") };
    icl_status status = fit_init(&f);
    if (status == ICL_OK) status = minimise(&f);
    if (status == ICL_OK)
        icl_calibrate_finite_rows(out->scores, input->logprob_nats, input->query_count, labels);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++)
        map_row(&out->scores[q * labels], f.parameters, &out->scores[q * labels], labels);
    fit_deinit(&f);
    return status;
}

static const icl_option options[] = {
    { .name = "validation",
      .type = ICL_OPTION_INT,
      .fallback = "100",
      .minimum = 1,
      .maximum = 100000,
      .help =
          "labelled pool items that slopes and offsets are fitted on; every label must be among "
          "them" },
    { .name = "ridge",
      .type = ICL_OPTION_REAL,
      .fallback = "1",
      .minimum = 0.000001,
      .maximum = 1000000,
      .help = "pull towards slope 1 and offset 0" },
};

const icl_calibrate_method icl_calibrate_linear = {
    .card = { .name = "linear",
              .summary = "A slope and an offset for each label's log-probability, fitted on "
                         "labelled items of the pool (vector scaling).",
              .paper = "Guo et al. 2017, \"On Calibration of Modern Neural Networks\"",
              .cost = "`validation` queries",
              .needs = ICL_NEEDS_VALIDATION,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_linear,
};
