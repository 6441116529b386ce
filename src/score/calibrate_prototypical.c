/* Prototypical calibration: clusters score vectors, one cluster a label, and predicts the label of
 * the cluster in which a query falls, wherever the boundary between the clusters lies.
 *
 *   z    = (log p(y | C, x)) over the labels, p renormalised over them
 *   1. fit a mixture of as many Gaussians as there are labels to the z of an estimate set
 *   2. match clusters with labels so that the sum of the matched mean log-probabilities is largest
 *   3. from several starts keep the fit with the largest sum
 *   score(y) = log(weight * density) at the query's z of the cluster matched with y
 *
 * The published re-implementation keeps the last start, whatever its sum; the paper's best one is
 * meant, and kept here. The probabilities say which cluster a query falls into, which is nearly
 * always certain; temperature(of=prototypical) makes them confidences. The estimate set are the
 * queries of the run or items of the pool; labels are not looked at. With fewer rows than labels
 * nothing can be fitted: fell_back is set.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/assignment.h"
#include "math/mixture.h"
#include "score/calibrate_parts.h"

enum { ROUNDS_MAX = 100 };
#define TOLERANCE 1e-3

/* A fit and what its clusters stand for. */
typedef struct prototypes {
    icl_mixture mixture;
    size_t *labels; /* [k] */
    double weight;  /* sum of the matched means */
} prototypes;

static void prototypes_deinit(prototypes *p)
{
    icl_mixture_deinit(&p->mixture);
    free(p->labels);
    *p = (prototypes){ 0 };
}

/* A cluster of less than one row says nothing of a label: it is matched as if it stood in the
 * middle of all rows. */
static void write_weights(double *out, const icl_mixture *mixture)
{
    const size_t labels = mixture->k, count = mixture->count;
    for (size_t g = 0; g < labels; g++) {
        double *row = &out[g * labels];
        memcpy(row, &mixture->means[g * labels], labels * sizeof *row);
        if (mixture->weights[g] * (double)count >= 1) continue;
        for (size_t y = 0; y < labels; y++) row[y] = 0;
        for (size_t i = 0; i < count * labels; i++)
            row[i % labels] += mixture->rows[i] / (double)count;
    }
}

static icl_status match(prototypes *p)
{
    const size_t labels = p->mixture.k;
    double *weights = malloc(labels * labels * sizeof *weights);
    p->labels = malloc(labels * sizeof *p->labels);
    icl_status status = ICL_OK;
    if (weights == NULL || p->labels == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu clusters", labels);
        goto cleanup;
    }
    write_weights(weights, &p->mixture);
    status = icl_assignment(p->labels, weights, labels, labels);
    p->weight = 0;
    for (size_t g = 0; status == ICL_OK && g < labels; g++)
        p->weight += weights[g * labels + p->labels[g]];

cleanup:
    free(weights);
    return status;
}

static icl_status fit_once(prototypes *out, const double *rows, size_t count,
                           const icl_calibrate_input *input, icl_rng *rng)
{
    const size_t labels = input->label_count;
    ICL_TRY(icl_mixture_init(&out->mixture, rows, count, labels, labels));
    ICL_TRY(icl_mixture_start(&out->mixture, rng, input->cancelled));
    ICL_TRY(icl_mixture_run(&out->mixture, ROUNDS_MAX, TOLERANCE, input->cancelled));
    return match(out);
}

static icl_status fit_best(prototypes *out, const double *rows, size_t count,
                           const icl_calibrate_input *input, size_t starts)
{
    icl_rng rng = icl_rng_new(input->seed, input->task, NULL, "calibrate-prototypical");
    for (size_t start = 0; start < starts; start++) {
        prototypes fresh = { 0 };
        const icl_status status = fit_once(&fresh, rows, count, input, &rng);
        if (status != ICL_OK) {
            prototypes_deinit(&fresh);
            return status;
        }
        if (start > 0 && fresh.weight <= out->weight) {
            prototypes_deinit(&fresh);
            continue;
        }
        prototypes_deinit(out);
        *out = fresh;
    }
    return ICL_OK;
}

/* rows [estimate_count + query_count][label_count]: the estimate set, then the queries. */
static icl_status score_queries(icl_calibration *out, const icl_calibrate_input *input,
                                const double *rows, size_t estimate_count, size_t starts)
{
    const size_t labels = input->label_count;
    prototypes best = { 0 };
    double *joint = malloc(labels * sizeof *joint);
    icl_status status =
        joint == NULL ? icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", labels) : ICL_OK;
    if (status == ICL_OK) status = fit_best(&best, rows, estimate_count, input, starts);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        icl_mixture_log_joint(joint, &best.mixture, &rows[(estimate_count + q) * labels]);
        for (size_t g = 0; g < labels; g++) out->scores[q * labels + best.labels[g]] = joint[g];
    }
    prototypes_deinit(&best);
    free(joint);
    return status;
}

static icl_status calibrate_prototypical(icl_calibration *out, const icl_calibrate_input *input,
                                         const icl_options *options)
{
    const bool from_pool = icl_options_int(options, "validation") > 0;
    const size_t estimate_count = from_pool ? input->validation_count : input->query_count;
    const size_t labels = input->label_count, queries = input->query_count;
    if (estimate_count < labels) {
        memcpy(out->scores, input->logprob_nats, queries * labels * sizeof *out->scores);
        out->fell_back = true;
        return ICL_OK;
    }
    double *rows = malloc((estimate_count + queries) * labels * sizeof *rows);
    if (rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu rows", estimate_count + queries);
    icl_calibrate_finite_rows(rows, from_pool ? input->validation_nats : input->logprob_nats,
                              estimate_count, labels);
    icl_calibrate_finite_rows(&rows[estimate_count * labels], input->logprob_nats, queries, labels);
    const icl_status status =
        score_queries(out, input, rows, estimate_count, (size_t)icl_options_int(options, "starts"));
    free(rows);
    return status;
}

static const icl_option options[] = {
    { .name = "validation",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 100000,
      .help = "pool items to fit the clusters to, 500 or more in the paper; 0: the queries of the "
              "run" },
    { .name = "starts",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 1,
      .maximum = 1000,
      .help = "fits from different starts, of which the best match with the labels is kept" },
};

const icl_calibrate_method icl_calibrate_prototypical = {
    .card = { .name = "prototypical",
              .summary = "Clusters the score vectors into as many Gaussians as there are labels, "
                         "and answers with the cluster's label; probabilities are those of the "
                         "clusters, nearly 0 or 1.",
              .paper = "Han et al. 2023, \"Prototypical Calibration for Few-shot Learning of "
                       "Language Models\"",
              .cost = "none; `validation` queries where pool items are the estimate set",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_prototypical,
};
