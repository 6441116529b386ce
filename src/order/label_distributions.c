#include "order/label_distributions.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"

static const double never_predicted_count = 1e-5, least_probability = 1e-12;

void icl_label_distributions(double *rows, size_t row_count, size_t label_count)
{
    for (size_t r = 0; r < row_count; r++)
        icl_softmax(rows + r * label_count, rows + r * label_count, label_count);
}

void icl_label_distributions_mean(double *out, const double *rows, size_t row_count,
                                  size_t label_count)
{
    assert(row_count > 0);
    for (size_t label = 0; label < label_count; label++) {
        out[label] = 0;
        for (size_t r = 0; r < row_count; r++) out[label] += rows[r * label_count + label];
        out[label] /= (double)row_count;
    }
}

double icl_global_entropy_nats(const double *rows, size_t row_count, size_t label_count,
                               double *histogram)
{
    double sum = 0;
    for (size_t label = 0; label < label_count; label++) histogram[label] = 0;
    for (size_t r = 0; r < row_count; r++)
        histogram[icl_argmax(rows + r * label_count, label_count)] += 1;
    for (size_t label = 0; label < label_count; label++) {
        if (histogram[label] == 0) histogram[label] = never_predicted_count;
        sum += histogram[label];
    }
    for (size_t label = 0; label < label_count; label++) histogram[label] /= sum;
    return icl_entropy_nats(histogram, label_count);
}

double icl_local_entropy_nats(const double *rows, size_t row_count, size_t label_count)
{
    assert(row_count > 0);
    double sum = 0;
    for (size_t r = 0; r < row_count; r++)
        sum += icl_entropy_nats(rows + r * label_count, label_count);
    return sum / (double)row_count;
}

void icl_label_distribution_correct(double *row, const double *bias, size_t label_count)
{
    double sum = 0;
    for (size_t label = 0; label < label_count; label++) {
        row[label] /= fmax(bias[label], least_probability);
        sum += row[label];
    }
    for (size_t label = 0; label < label_count; label++) row[label] /= sum;
}

double icl_kl_nats(const double *p, const double *q, size_t label_count)
{
    double sum = 0;
    for (size_t label = 0; label < label_count; label++)
        if (p[label] > 0) sum += p[label] * log(p[label] / fmax(q[label], least_probability));
    return fmax(sum, 0); /* rounding */
}

double icl_total_variation(const double *p, const double *q, size_t label_count)
{
    double sum = 0;
    for (size_t label = 0; label < label_count; label++) sum += fabs(p[label] - q[label]);
    return sum / 2;
}

icl_status icl_content_free_distributions(double *out, const icl_asker *asker, const char *method,
                                          const icl_ask_prompt *prompts, size_t count)
{
    const size_t labels = asker->label_count, asked = count * ICL_CONTENT_FREE_COUNT;
    icl_ask_prompt *questions = calloc(asked + 1, sizeof *questions);
    double *nats = malloc((asked * labels + 1) * sizeof *nats);
    icl_status status = ICL_OK;
    if (questions == NULL || nats == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", asked);
        goto cleanup;
    }
    for (size_t i = 0; i < asked; i++) {
        const icl_ask_prompt *prompt = &prompts[i / ICL_CONTENT_FREE_COUNT];
        questions[i] = (icl_ask_prompt){ .shown = prompt->shown,
                                         .shown_count = prompt->shown_count,
                                         .of = ICL_ASK_CONTENT_FREE,
                                         .item = i % ICL_CONTENT_FREE_COUNT };
    }
    status = icl_ask_labels(nats, asker, method, questions, asked);
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        double *row = out + i * labels;
        icl_log_mixture(row, nats + i * ICL_CONTENT_FREE_COUNT * labels, ICL_CONTENT_FREE_COUNT,
                        labels);
        for (size_t label = 0; label < labels; label++) row[label] = exp(row[label]);
    }

cleanup:
    free(nats);
    free(questions);
    return status;
}
