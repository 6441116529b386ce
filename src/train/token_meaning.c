#include "train/token_meaning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "math/adamw.h"
#include "math/matrix.h"
#include "math/spectrum.h"

enum {
    TOKENS_MAX = 160, /* of a text; the encoder reads about as many */
    BATCH_TEXTS = 256,
    AXES_TEXTS = 8192,
};
static const double RATE = 1e-3; /* falls to 0 on a line */

/* The texts that have vectors, as tokens. */
typedef struct lesson {
    const icl_token_meaning_input *input;
    size_t vocab_count, width;
    size_t count, capacity;     /* texts */
    int32_t *tokens;            /* [count][TOKENS_MAX] */
    size_t *lengths;            /* [count] */
    const float **targets;      /* [count], of the pools */
    double *centre;             /* [width] mean of the targets */
    double *weights, *gradient; /* [vocab_count][width] */
} lesson;

static void lesson_deinit(lesson *in)
{
    free(in->tokens);
    free(in->lengths);
    free(in->targets);
    free(in->centre);
    free(in->weights);
    free(in->gradient);
}

static icl_status allocate(lesson *in)
{
    const size_t numbers = in->vocab_count * in->width;
    for (size_t p = 0; p < in->input->pool_count; p++)
        in->capacity += in->input->pools[p]->vector_count;
    if (in->capacity == 0)
        return icl_error_set(ICL_EINVAL,
                             "token meanings are learned from sentence vectors, but no source of "
                             "the recipe needs any");
    in->tokens = malloc(in->capacity * TOKENS_MAX * sizeof *in->tokens);
    in->lengths = malloc(in->capacity * sizeof *in->lengths);
    in->targets = malloc(in->capacity * sizeof *in->targets);
    in->centre = calloc(in->width, sizeof *in->centre);
    in->weights = malloc(numbers * sizeof *in->weights);
    in->gradient = calloc(numbers, sizeof *in->gradient);
    if (in->tokens == NULL || in->lengths == NULL || in->targets == NULL || in->centre == NULL ||
        in->weights == NULL || in->gradient == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the meanings of %zu tokens",
                             in->vocab_count);
    return ICL_OK;
}

/* In prompts a text stands behind a blank. */
static icl_status add_text(lesson *in, icl_tokens *tokens, const char *text, const float *target)
{
    icl_text spaced = { 0 };
    icl_text_printf(&spaced, " %s", text);
    icl_status status = icl_text_status(&spaced);
    tokens->count = 0;
    if (status == ICL_OK)
        status = icl_bpe_encode(in->input->bpe, spaced.bytes, spaced.length, tokens);
    icl_text_deinit(&spaced);
    if (status != ICL_OK || tokens->count == 0) return status;
    const size_t count = tokens->count < TOKENS_MAX ? tokens->count : TOKENS_MAX;
    memcpy(in->tokens + in->count * TOKENS_MAX, tokens->items, count * sizeof *tokens->items);
    in->lengths[in->count] = count;
    in->targets[in->count++] = target;
    for (size_t i = 0; i < in->width; i++) in->centre[i] += (double)target[i];
    return ICL_OK;
}

static icl_status read_texts(lesson *in)
{
    icl_tokens tokens = { 0 };
    icl_status status = ICL_OK;
    for (size_t p = 0; p < in->input->pool_count && status == ICL_OK; p++) {
        const icl_pool *pool = in->input->pools[p];
        for (size_t i = 0; i < pool->vector_count && status == ICL_OK; i++)
            status = add_text(in, &tokens, pool->texts[i], pool->vectors + i * in->width);
        if (status == ICL_OK) status = icl_cancel_check(in->input->cancelled);
    }
    icl_tokens_deinit(&tokens);
    for (size_t i = 0; i < in->width; i++) in->centre[i] /= (double)in->count;
    return status;
}

static void mean_of_tokens(double *out, const lesson *in, size_t text)
{
    const int32_t *tokens = in->tokens + text * TOKENS_MAX;
    memset(out, 0, in->width * sizeof *out);
    for (size_t t = 0; t < in->lengths[text]; t++) {
        const double *row = in->weights + (size_t)tokens[t] * in->width;
        for (size_t i = 0; i < in->width; i++) out[i] += row[i];
    }
    for (size_t i = 0; i < in->width; i++) out[i] /= (double)in->lengths[text];
}

/* Adds the gradient of (1 - cosine) / BATCH_TEXTS; mean and wanted are room for [width]. */
static void add_gradient(lesson *in, size_t text, double *mean, double *wanted)
{
    const int32_t *tokens = in->tokens + text * TOKENS_MAX;
    double squares = 0.0, wanted_squares = 0.0, dot = 0.0;
    mean_of_tokens(mean, in, text);
    for (size_t i = 0; i < in->width; i++) {
        wanted[i] = (double)in->targets[text][i] - in->centre[i];
        squares += mean[i] * mean[i];
        wanted_squares += wanted[i] * wanted[i];
        dot += mean[i] * wanted[i];
    }
    if (squares <= 0.0 || wanted_squares <= 0.0) return; /* no direction */
    const double length = sqrt(squares), cosine = dot / (length * sqrt(wanted_squares));
    const double share = 1.0 / (length * (double)in->lengths[text] * BATCH_TEXTS);
    for (size_t i = 0; i < in->width; i++)
        mean[i] = share * (cosine * mean[i] / length - wanted[i] / sqrt(wanted_squares));
    for (size_t t = 0; t < in->lengths[text]; t++) {
        double *row = in->gradient + (size_t)tokens[t] * in->width;
        for (size_t i = 0; i < in->width; i++) row[i] += mean[i];
    }
}

static void clear_gradient(lesson *in, const size_t *texts)
{
    for (size_t b = 0; b < BATCH_TEXTS; b++)
        for (size_t t = 0; t < in->lengths[texts[b]]; t++)
            memset(in->gradient + (size_t)in->tokens[texts[b] * TOKENS_MAX + t] * in->width, 0,
                   in->width * sizeof *in->gradient);
}

/* The last texts of an epoch that fill no batch wait for the next shuffle. */
static icl_status learn(lesson *in, icl_adamw *adam, size_t *order, double *room)
{
    const size_t batches = in->count / BATCH_TEXTS, steps = batches * in->input->epochs;
    icl_rng rng = icl_rng_new(in->input->seed, "start", "token meaning", "order");
    icl_adamw_options options = icl_adamw_options_default();
    for (size_t step = 0; step < steps; step++) {
        if (step % batches == 0) icl_rng_shuffle(&rng, order, in->count);
        const size_t *texts = order + step % batches * BATCH_TEXTS;
        ICL_TRY(icl_cancel_check(in->input->cancelled));
        for (size_t b = 0; b < BATCH_TEXTS; b++) add_gradient(in, texts[b], room, room + in->width);
        options.rate = RATE * (1.0 - (double)step / (double)steps);
        icl_adamw_step(adam, in->weights, in->gradient, &options);
        clear_gradient(in, texts);
    }
    return ICL_OK;
}

static icl_status fit(lesson *in)
{
    icl_adamw adam = { 0 };
    size_t *order = malloc(in->count * sizeof *order);
    double *room = malloc(2 * in->width * sizeof *room);
    icl_status status = ICL_OK;
    if (order == NULL || room == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", in->count);
    for (size_t i = 0; i < in->count && status == ICL_OK; i++) order[i] = i;
    if (status == ICL_OK) status = icl_adamw_init(&adam, in->vocab_count * in->width);
    if (status == ICL_OK) status = learn(in, &adam, order, room);
    icl_adamw_deinit(&adam);
    free(room);
    free(order);
    return status;
}

/* Evenly over all pools. */
static icl_status find_axes(float *axes, size_t axis_count, const lesson *in)
{
    const size_t count = in->count < AXES_TEXTS ? in->count : AXES_TEXTS;
    float *means = malloc(count * in->width * sizeof *means);
    double *mean = malloc(in->width * sizeof *mean);
    icl_status status = ICL_OK;
    if (means == NULL || mean == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for the means of %zu texts", count);
    for (size_t row = 0; row < count && status == ICL_OK; row++) {
        mean_of_tokens(mean, in, row * in->count / count);
        for (size_t i = 0; i < in->width; i++) means[row * in->width + i] = (float)mean[i];
    }
    if (status == ICL_OK) {
        icl_matrix_centre_columns(means, count, in->width);
        status = icl_principal_axes(axes, axis_count, means, count, in->width);
    }
    free(mean);
    free(means);
    return status;
}

icl_status icl_token_meaning_fit(float *vectors, float *axes, size_t axis_count,
                                 const icl_token_meaning_input *input)
{
    lesson in = { .input = input,
                  .vocab_count = icl_bpe_vocab_count(input->bpe),
                  .width = input->vector_size };
    const size_t numbers = in.vocab_count * in.width;
    icl_status status = allocate(&in);
    if (status == ICL_OK) status = read_texts(&in);
    for (size_t i = 0; i < numbers && status == ICL_OK; i++) in.weights[i] = (double)vectors[i];
    if (status == ICL_OK && input->epochs > 0) status = fit(&in);
    if (status == ICL_OK) status = find_axes(axes, axis_count, &in);
    for (size_t i = 0; i < numbers && status == ICL_OK; i++) vectors[i] = (float)in.weights[i];
    lesson_deinit(&in);
    return status;
}
