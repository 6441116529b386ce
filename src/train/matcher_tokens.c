/* The token table of the start "matcher": meaning, line ends and identities. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "math/matrix.h"
#include "math/spectrum.h"
#include "train/matcher.h"
#include "train/token_meaning.h"

/* A longer one would leave too little of the squared length of a token vector for the rest. */
static const double MEANING_LENGTH_MAX = 1.35;

/* The encoder's vectors of the tokens' texts, centred; a token that is no text has none. */
static icl_status embed_tokens(float *out, const icl_matcher *in)
{
    const icl_bpe *bpe = in->input->bpe;
    const size_t count = icl_bpe_vocab_count(bpe);
    const size_t width = icl_encoder_vector_size(in->input->encoder);
    icl_status status = ICL_OK;
    icl_text bytes = { 0 };
    const char **texts = calloc(count, sizeof *texts);
    size_t *starts = malloc(count * sizeof *starts);
    if (texts == NULL || starts == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for the texts of %zu tokens", count);
        goto cleanup;
    }
    for (size_t token = 0; token < count; token++) {
        size_t length = 0;
        const char *piece = icl_bpe_piece(bpe, (int32_t)token, &length);
        while (length > 1 && *piece == ' ') piece++, length--;
        if (icl_bpe_is_special(bpe, (int32_t)token) ||
            icl_utf8_valid_length(piece, length) < length)
            length = 0;
        starts[token] = bytes.length;
        icl_text_append(&bytes, piece, length);
        icl_text_append(&bytes, "", 1);
    }
    status = icl_text_status(&bytes);
    if (status != ICL_OK) goto cleanup;
    for (size_t token = 0; token < count; token++) texts[token] = bytes.bytes + starts[token];
    status = icl_encoder_embed(in->input->encoder, out, texts, count);
    if (status == ICL_OK) icl_matrix_centre_columns(out, count, width);

cleanup:
    free(starts);
    free(texts);
    icl_text_deinit(&bytes);
    return status;
}

/* Length of the meaning of a token: tokens are in order of how early they were merged, which stands
 * in for their rank, and Zipf's law for their frequency. */
static double meaning_length(const icl_matcher *in, size_t token)
{
    const double count = (double)in->config->vocab_count;
    const double rank = token < 257 ? 1.0 : (double)token - 256.0;
    const double frequency = 1.0 / (rank * log(count));
    return 1e-3 / (1e-3 + frequency);
}

static void set_lengths(float *vectors, const icl_matcher *in, size_t vector_size)
{
    for (size_t token = 0; token < in->config->vocab_count; token++) {
        float *vector = vectors + token * vector_size;
        const double size = sqrt(icl_vector_dot(vector, vector, vector_size));
        const double factor = size > 0.0 ? meaning_length(in, token) / size : 0.0;
        for (size_t i = 0; i < vector_size; i++) vector[i] *= (float)factor;
    }
}

/* From the encoder's vectors of tokens to what the mean over a text has to be made of, and the axes
 * [meaning width] that keep most of it. */
static icl_status find_meanings(float *vectors, float *axes, const icl_matcher *in)
{
    const size_t vector_size = icl_encoder_vector_size(in->input->encoder);
    set_lengths(vectors, in, vector_size);
    if (in->epochs == 0)
        return icl_principal_axes(axes, in->at.meaning.width, vectors, in->config->vocab_count,
                                  vector_size);
    return icl_token_meaning_fit(vectors, axes, in->at.meaning.width,
                                 &(icl_token_meaning_input){ .bpe = in->input->bpe,
                                                             .pools = in->input->pools,
                                                             .pool_count = in->input->pool_count,
                                                             .vector_size = vector_size,
                                                             .epochs = in->epochs,
                                                             .seed = in->input->seed,
                                                             .cancelled = in->input->cancelled });
}

/* How many lines end with the token. The one that begins a prompt sees itself behind it too, so it
 * counts like an empty line. */
static double line_end(const icl_matcher *in, size_t token)
{
    if ((int32_t)token == icl_bpe_end_of_text(in->input->bpe)) return 1.0;
    size_t length = 0, ends = 0;
    const char *piece = icl_bpe_piece(in->input->bpe, (int32_t)token, &length);
    while (ends < length && piece[ends] == '\n') ends++;
    return ends == length ? (double)length : 0.0;
}

static void fill_direction(float *out, size_t count, double length_squared, icl_rng *rng)
{
    double squared = 0.0;
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)icl_rng_normal(rng);
        squared += (double)out[i] * (double)out[i];
    }
    const float scale = (float)sqrt(length_squared / squared);
    for (size_t i = 0; i < count; i++) out[i] *= scale;
}

static void fill_token(float *vector, const float *meaning, icl_matcher *in, size_t token)
{
    const icl_matcher_layout *at = &in->at;
    for (size_t i = 0; i < in->config->width; i++)
        vector[i] = (float)(0.003 * icl_rng_normal(&in->rng));
    const double size = sqrt(icl_vector_dot(meaning, meaning, at->meaning.width));
    const double factor = size > MEANING_LENGTH_MAX ? MEANING_LENGTH_MAX / size : 1.0;
    for (size_t i = 0; i < at->meaning.width; i++) vector[i] += (float)(factor * meaning[i]);
    /* Whatever part of an identity is copied elsewhere has the same length for all tokens. */
    const size_t part = at->recent.width / ICL_MATCHER_LOOK_UPS;
    for (size_t i = 0; i < 2 * ICL_MATCHER_LOOK_UPS; i++)
        fill_direction(vector + at->identity.begin + i * part, part, 0.5 / ICL_MATCHER_LOOK_UPS,
                       &in->rng);
    vector[at->constant.begin] = 1.0f;
    vector[at->line_end.begin] = (float)line_end(in, token);
    vector[at->line_before.begin] = 0.0f;
    const double missing =
        ICL_MATCHER_TOKEN_LENGTH_SQUARED - icl_vector_dot(vector, vector, in->config->width);
    vector[at->filler.begin] += (float)sqrt(fmax(missing, 0.01));
}

/* The read-out begins as the way back from summaries to the encoder's space. */
static icl_status fill_readout(icl_matcher *in, const float *axes, size_t vector_size)
{
    const size_t index = icl_parameters_find(in->parameters, "readout.weight");
    if (index == SIZE_MAX || in->config->readout_width != vector_size) return ICL_OK;
    const size_t width = in->config->width;
    float *weights = calloc(vector_size * width, sizeof *weights);
    if (weights == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a read-out of %zu numbers",
                             vector_size * width);
    for (size_t row = 0; row < vector_size; row++) {
        for (size_t axis = 0; axis < in->at.meaning.width; axis++)
            weights[row * width + in->at.summary.begin + axis] = axes[axis * vector_size + row];
    }
    icl_parameters_set(in->parameters, index, weights);
    free(weights);
    return ICL_OK;
}

icl_status icl_matcher_lay_out_tokens(icl_matcher *in)
{
    const size_t count = in->config->vocab_count, width = in->config->width;
    const size_t vector_size = icl_encoder_vector_size(in->input->encoder);
    const size_t kept = in->at.meaning.width;
    if (vector_size < kept)
        return icl_error_set(ICL_EINVAL,
                             "start=matcher wants %zu principal axes of the encoder's %zu numbers; "
                             "use a smaller width",
                             kept, vector_size);
    const size_t index = icl_parameters_find(in->parameters, "token_embd.weight");
    float *vectors = malloc(count * vector_size * sizeof *vectors);
    float *axes = malloc(kept * vector_size * sizeof *axes);
    float *meanings = malloc(count * kept * sizeof *meanings);
    float *table = malloc(count * width * sizeof *table);
    icl_status status = ICL_OK;
    if (vectors == NULL || axes == NULL || meanings == NULL || table == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for the vectors of %zu tokens", count);
        goto cleanup;
    }
    status = embed_tokens(vectors, in);
    if (status == ICL_OK) status = find_meanings(vectors, axes, in);
    if (status != ICL_OK) goto cleanup;
    icl_matrix_multiply_transposed(meanings, vectors, count, axes, kept, vector_size);
    for (size_t token = 0; token < count; token++)
        fill_token(table + token * width, meanings + token * kept, in, token);
    icl_parameters_set(in->parameters, index, table);
    status = fill_readout(in, axes, vector_size);

cleanup:
    free(table);
    free(meanings);
    free(axes);
    free(vectors);
    return status;
}
