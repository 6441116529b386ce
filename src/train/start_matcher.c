/* Start weights that already read labels by meaning, for training to refine.
 *
 * A decoder that starts at random has to find, one after the other, how to see the token before,
 * how to summarise an example, how to compare summaries and how to copy a label; until the last of
 * them works the loss shows little of the first. Here they are laid out by hand:
 *
 *   token vectors   meaning (the sentence encoder's vector of the token's text, principal axes,
 *                   frequent tokens shorter) | line end | identity (random, nearly orthogonal)
 *
 *   block 0         heads that copy the identities of the two tokens before, and heads that copy
 *                   parts of the identities of tokens 8 to 14 back, as "recent"
 *
 *   block m - 2     a head that looks for the last empty line, or the begin of the prompt, and
 *                   copies what was recent there into "segment": the same for all tokens of an
 *                   example, and another one for every example
 *
 *   block m - 1     heads that average the meaning of the tokens of a segment into "summary"
 *
 *   block m         heads that look for tokens behind the same two tokens as the query stands at
 *                   (its answer slot), prefer those of a similar summary, and copy their identity
 *
 * Identity is what the output table reads. Everything else starts at random and small.
 *
 * Smooth inverse frequency: Arora et al. 2017. Previous-token and copying heads: Olsson et al. 2022.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/matrix.h"
#include "math/spectrum.h"
#include "train/start.h"

/* Where a token's vector, and the stream between blocks, keep what; [begin, begin + width). */
typedef struct span {
    size_t begin, width;
} span;

typedef struct layout {
    span meaning, constant, filler, line_end, line_before, identity, summary, previous,
        before_previous, recent, segment;
} layout;

enum { HEAD_GATE = 10, HEADS_MIN = 6, LOOK_UPS = 4, BLOCKS_BEFORE_MATCHING = 3 };

/* Squared length of every token vector, so that the first norm divides all by the same. */
static const double TOKEN_LENGTH_SQUARED = 4.0;
/* Squared length of the stream behind block 0, about: tokens, both identities, recent. */
static const double STREAM_LENGTH_SQUARED = 7.0;
typedef struct matcher {
    const icl_start_input *input;
    const icl_transformer_config *config;
    icl_parameters *parameters;
    layout at;
    icl_rng rng;
    double token_scale, stream_scale; /* a number of the stream, after the norm */
} matcher;

static layout layout_of(size_t width)
{
    const size_t sixteenth = width / 16;
    layout at = { .meaning = { 0, 5 * sixteenth - 4 } };
    at.constant = (span){ at.meaning.width, 1 };
    at.filler = (span){ at.meaning.width + 1, 1 };
    at.line_end = (span){ at.meaning.width + 2, 1 };
    at.line_before = (span){ at.meaning.width + 3, 1 };
    at.identity = (span){ 5 * sixteenth, 2 * sixteenth };
    at.summary = (span){ 7 * sixteenth, 5 * sixteenth };
    at.previous = (span){ 12 * sixteenth, sixteenth };
    at.before_previous = (span){ 13 * sixteenth, sixteenth };
    at.recent = (span){ 14 * sixteenth, sixteenth };
    at.segment = (span){ 15 * sixteenth, sixteenth };
    return at;
}

/* --- one linear map on the host --- */

typedef struct linear_map {
    size_t index;
    size_t inputs;
    float *weights; /* [outputs][inputs] */
} linear_map;

static icl_status map_open(linear_map *out, const matcher *in, size_t block, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%zu.%s.weight", block, part);
    out->index = icl_parameters_find(in->parameters, name);
    if (out->index == SIZE_MAX)
        return icl_error_set(ICL_EUNSUPPORTED, "start=matcher needs the weight %s", name);
    const icl_parameter *parameter = icl_parameters_at(in->parameters, out->index);
    out->inputs = (size_t)parameter->shape[0];
    out->weights = malloc(parameter->count * sizeof *out->weights);
    if (out->weights == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu start weights", parameter->count);
    icl_parameters_get(in->parameters, out->index, out->weights);
    return ICL_OK;
}

static void map_close(linear_map *map, const matcher *in)
{
    if (map->weights != NULL) icl_parameters_set(in->parameters, map->index, map->weights);
    free(map->weights);
}

static float *map_at(linear_map *map, size_t output, size_t input)
{
    return &map->weights[output * map->inputs + input];
}

/* --- attention heads --- */

typedef struct attention {
    linear_map q, k, v, output;
} attention;

static icl_status attention_open(attention *out, const matcher *in, size_t block)
{
    *out = (attention){ 0 };
    ICL_TRY(map_open(&out->q, in, block, "attn_q"));
    ICL_TRY(map_open(&out->k, in, block, "attn_k"));
    ICL_TRY(map_open(&out->v, in, block, "attn_v"));
    return map_open(&out->output, in, block, "attn_output");
}

static void attention_close(attention *heads, const matcher *in)
{
    map_close(&heads->q, in);
    map_close(&heads->k, in);
    map_close(&heads->v, in);
    map_close(&heads->output, in);
}

static void head_clear(attention *heads, const matcher *in, size_t head)
{
    const size_t width = in->config->head_width, first = head * width;
    for (size_t i = 0; i < width; i++) {
        memset(map_at(&heads->q, first + i, 0), 0, heads->q.inputs * sizeof(float));
        memset(map_at(&heads->k, first + i, 0), 0, heads->k.inputs * sizeof(float));
        memset(map_at(&heads->v, first + i, 0), 0, heads->v.inputs * sizeof(float));
        for (size_t row = 0; row < in->config->width; row++)
            *map_at(&heads->output, row, first + i) = 0.0f;
    }
}

/* Radians that a pair of a head turns by from one position to the next. */
static double pair_angle(const matcher *in, size_t pair)
{
    return pow(in->config->rope_base, -2.0 * (double)pair / (double)in->config->head_width);
}

/* Adds to the score, by the distance d alone, `strength` times the sum over the pairs that turn by
 * slowest..fastest of cos(angle * (d - distance)); it is greatest at `distance`. */
static void head_look_back(attention *heads, const matcher *in, size_t head, double distance,
                           double slowest, double fastest, double strength)
{
    const size_t width = in->config->head_width;
    const double amplitude = sqrt(strength * sqrt((double)width)) / in->token_scale;
    for (size_t pair = 0; pair < width / 2; pair++) {
        const double angle = pair_angle(in, pair);
        if (angle < slowest || angle > fastest) continue;
        const size_t even = head * width + 2 * pair;
        *map_at(&heads->k, even, in->at.constant.begin) = (float)amplitude;
        *map_at(&heads->q, even, in->at.constant.begin) =
            (float)(amplitude * cos(angle * distance));
        *map_at(&heads->q, even + 1, in->at.constant.begin) =
            (float)(-amplitude * sin(angle * distance));
    }
}

/* What the head reads at the tokens it sees is added, times gain, to another span of the stream;
 * its rows from `row` on carry it. */
static void head_copy(attention *heads, const matcher *in, size_t head, size_t row, span from,
                      span to, double scale, double gain)
{
    const size_t first = head * in->config->head_width + row;
    for (size_t i = 0; i < from.width && i < to.width && i < in->config->head_width - row; i++) {
        *map_at(&heads->v, first + i, from.begin + i) = (float)(1.0 / scale);
        *map_at(&heads->output, to.begin + i, first + i) = (float)gain;
    }
}

/* Adds `strength` times the product of query and key over every `step`-th number of a span, from
 * number `first` on; rows [row, row + count) of the head carry it. */
static void head_compare_numbers(attention *heads, const matcher *in, size_t head, size_t row,
                                 size_t count, span of, size_t first, size_t step, double strength)
{
    const size_t begin = head * in->config->head_width + row;
    const double size = sqrt(strength * sqrt((double)in->config->head_width)) / in->stream_scale;
    for (size_t i = 0; i < count && first + i * step < of.width; i++) {
        *map_at(&heads->q, begin + i, of.begin + first + i * step) = (float)size;
        *map_at(&heads->k, begin + i, of.begin + first + i * step) = (float)size;
    }
}

/* Adds `strength` * similarity of the query's span and the key's span, through a random projection
 * to the rows [row, row + count) of the head. */
static void head_compare(attention *heads, matcher *in, size_t head, size_t row, size_t count,
                         span query, span key, double strength, double length_squared)
{
    const size_t first = head * in->config->head_width + row;
    const size_t width = query.width < key.width ? query.width : key.width;
    const double size =
        sqrt(strength * sqrt((double)in->config->head_width) / ((double)count * length_squared)) /
        in->stream_scale;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < width; j++) {
            const float weight = (float)(size * icl_rng_normal(&in->rng));
            *map_at(&heads->q, first + i, query.begin + j) = weight;
            *map_at(&heads->k, first + i, key.begin + j) = weight;
        }
    }
}

/* First row of a head from which on rotation is below a fifth of a radian over a thousand tokens.
 */
static size_t first_still_row(const matcher *in)
{
    size_t pair = 0;
    while (pair < in->config->head_width / 2 && pair_angle(in, pair) > 2e-4) pair++;
    return 2 * pair;
}

/* --- block 0: the tokens before --- */

/* Behind an empty line these are, for the most part, words of the example before. */
static const double LOOK_UP_DISTANCES[LOOK_UPS] = { 8.0, 10.0, 12.0, 14.0 };

static icl_status lay_out_first_block(matcher *in)
{
    attention heads;
    const icl_status status = attention_open(&heads, in, 0);
    const span before[] = { in->at.previous, in->at.before_previous };
    for (size_t i = 0; status == ICL_OK && i < 2; i++) {
        head_clear(&heads, in, i);
        head_look_back(&heads, in, i, (double)(i + 1), 0.09, 1.1, 9.0);
        head_copy(&heads, in, i, 0, in->at.identity, before[i], in->token_scale, 1.4);
    }
    if (status == ICL_OK) {
        head_copy(&heads, in, 0, before[0].width, in->at.line_end, in->at.line_before,
                  in->token_scale, 1.0);
    }
    const size_t part = in->at.recent.width / LOOK_UPS;
    for (size_t i = 0; status == ICL_OK && i < LOOK_UPS; i++) {
        const span from = { in->at.identity.begin + i * part, part };
        const span to = { in->at.recent.begin + i * part, part };
        head_clear(&heads, in, 2 + i);
        head_look_back(&heads, in, 2 + i, LOOK_UP_DISTANCES[i], 0.09, 1.1, 9.0);
        head_copy(&heads, in, 2 + i, 0, from, to, in->token_scale, 1.4);
    }
    attention_close(&heads, in);
    return status;
}

/* --- examples as segments --- */

/* Falls with the distance d by at least 3.9 from d to 1.6 d + 2, for all d of 6..130, as far as
 * 1,000, and by 40 from 0 to 130; found by linear programming over the angles of a head of 64
 * numbers with rope base 1e10, the sum of strengths at most 60 since the norm moves all of them by
 * some percent from token to token. A head of another kind uses its nearest angles. */
static const struct {
    double angle, strength;
} NEARNESS[] = { { 1.0, 0.27 },    { 0.2371, 1.43 },  { 0.1155, 2.88 },  { 0.0562, 4.52 },
                 { 0.0274, 5.12 }, { 0.0133, 14.43 }, { 0.0065, 12.31 }, { 0.0032, 19.03 } };
/* Above what nearness can take from a line end. */
static const double LINE_END_SCORE = 50.0;

static size_t nearest_pair(const matcher *in, double angle)
{
    size_t best = 0;
    for (size_t pair = 1; pair < in->config->head_width / 2; pair++)
        if (fabs(log(pair_angle(in, pair) / angle)) < fabs(log(pair_angle(in, best) / angle)))
            best = pair;
    return best;
}

static void head_seek_line_end(attention *heads, const matcher *in, size_t head)
{
    const double root = sqrt((double)in->config->head_width);
    const size_t row = head * in->config->head_width + first_still_row(in);
    for (size_t i = 0; i < sizeof NEARNESS / sizeof *NEARNESS; i++) {
        const size_t even = head * in->config->head_width + 2 * nearest_pair(in, NEARNESS[i].angle);
        const float size = (float)(sqrt(NEARNESS[i].strength * root) / in->stream_scale);
        *map_at(&heads->q, even, in->at.constant.begin) = size;
        *map_at(&heads->k, even, in->at.constant.begin) = size;
    }
    const float size = (float)(sqrt(LINE_END_SCORE * root) / in->stream_scale);
    *map_at(&heads->q, row, in->at.constant.begin) = size;
    *map_at(&heads->k, row, in->at.line_end.begin) = size;
    *map_at(&heads->k, row, in->at.line_before.begin) = size;
}

static icl_status lay_out_segments(matcher *in, size_t block)
{
    attention heads;
    const icl_status status = attention_open(&heads, in, block);
    if (status == ICL_OK) {
        head_clear(&heads, in, 0);
        head_seek_line_end(&heads, in, 0);
        head_copy(&heads, in, 0, 0, in->at.recent, in->at.segment, in->stream_scale, 1.0);
    }
    attention_close(&heads, in);
    return status;
}

static size_t summary_heads(const matcher *in)
{
    return (in->at.meaning.width + in->config->head_width - 1) / in->config->head_width;
}

static icl_status lay_out_summaries(matcher *in, size_t block)
{
    const size_t head_width = in->config->head_width, row = first_still_row(in);
    attention heads;
    const icl_status status = attention_open(&heads, in, block);
    for (size_t part = 0; status == ICL_OK && part < summary_heads(in); part++) {
        const size_t offset = part * head_width;
        const size_t left = in->at.meaning.width - offset;
        const span from = { offset, left < head_width ? left : head_width };
        const span to = { in->at.summary.begin + offset, from.width };
        head_clear(&heads, in, part);
        head_compare_numbers(&heads, in, part, row, in->at.segment.width, in->at.segment, 0, 1,
                             30.0);
        head_copy(&heads, in, part, 0, from, to, in->stream_scale, 8.0);
    }
    attention_close(&heads, in);
    return status;
}

/* --- the matching block --- */

static icl_status lay_out_matching(matcher *in, size_t block)
{
    const size_t still = first_still_row(in);
    attention heads;
    const icl_status status = attention_open(&heads, in, block);
    /* The last head is left to chance; the one before follows tokens whatever they mean, which
     * carries labels of several tokens. The others share the summary's numbers: together they see
     * nearly all of it. */
    const size_t induction = in->config->heads - 2;
    for (size_t head = 0; status == ICL_OK && head <= induction; head++) {
        const size_t gate = head == induction ? (in->config->head_width - still) / 2 : HEAD_GATE;
        head_clear(&heads, in, head);
        /* The rows that turn least tell label slots from the rest, however far away. */
        const size_t gates = in->config->head_width - 2 * gate;
        head_compare(&heads, in, head, gates, gate, in->at.identity, in->at.previous, 8.0, 0.7);
        head_compare(&heads, in, head, gates + gate, gate, in->at.previous, in->at.before_previous,
                     12.0, 1.0);
        if (head != induction)
            head_compare_numbers(&heads, in, head, still, gates - still, in->at.summary, head,
                                 induction, 6.0 * (double)induction);
        head_copy(&heads, in, head, 0, in->at.identity, in->at.identity, in->stream_scale, 0.6);
    }
    attention_close(&heads, in);
    return status;
}

/* --- token vectors --- */

/* The encoder's vectors of the tokens' texts, centred; a token that is no text has none. */
static icl_status embed_tokens(float *out, const matcher *in)
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
static double meaning_length(const matcher *in, size_t token)
{
    const double count = (double)in->config->vocab_count;
    const double rank = token < 257 ? 1.0 : (double)token - 256.0;
    const double frequency = 1.0 / (rank * log(count));
    return 1e-3 / (1e-3 + frequency);
}

/* How many lines end with the token. The one that begins a prompt sees itself behind it too, so it
 * counts like an empty line. */
static double line_end(const matcher *in, size_t token)
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

static void fill_token(float *vector, const float *meaning, matcher *in, size_t token)
{
    const layout *at = &in->at;
    for (size_t i = 0; i < in->config->width; i++)
        vector[i] = (float)(0.003 * icl_rng_normal(&in->rng));
    const double size = sqrt(icl_vector_dot(meaning, meaning, at->meaning.width));
    const double length = size > 0.0 ? meaning_length(in, token) / size : 0.0;
    for (size_t i = 0; i < at->meaning.width; i++) vector[i] += (float)(length * meaning[i]);
    /* Whatever part of an identity is copied elsewhere has the same length for all tokens. */
    const size_t part = at->recent.width / LOOK_UPS;
    for (size_t i = 0; i < 2 * LOOK_UPS; i++)
        fill_direction(vector + at->identity.begin + i * part, part, 0.5 / LOOK_UPS, &in->rng);
    vector[at->constant.begin] = 1.0f;
    vector[at->line_end.begin] = (float)line_end(in, token);
    vector[at->line_before.begin] = 0.0f;
    const double missing = TOKEN_LENGTH_SQUARED - icl_vector_dot(vector, vector, in->config->width);
    vector[at->filler.begin] += (float)sqrt(fmax(missing, 0.01));
}

/* The read-out begins as the way back from summaries to the encoder's space. */
static icl_status fill_readout(matcher *in, const float *axes, size_t vector_size)
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

static icl_status lay_out_tokens(matcher *in)
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
    if (status == ICL_OK) status = icl_principal_axes(axes, kept, vectors, count, vector_size);
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

/* --- the rest --- */

/* What blocks add by chance is made small beside what is laid out. */
static icl_status quieten(matcher *in, double noise)
{
    const char *const parts[] = { "attn_output", "ffn_down" };
    for (size_t block = 0; block < in->config->layers; block++) {
        for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
            linear_map map = { 0 };
            ICL_TRY(map_open(&map, in, block, parts[part]));
            const size_t count = icl_parameters_at(in->parameters, map.index)->count;
            for (size_t i = 0; i < count; i++) map.weights[i] *= (float)noise;
            map_close(&map, in);
        }
    }
    return ICL_OK;
}

/* The output table reads identities; the rest of the stream only faintly. */
static icl_status open_output_norm(const matcher *in)
{
    const size_t index = icl_parameters_find(in->parameters, "output_norm.weight");
    float *gains = malloc(in->config->width * sizeof *gains);
    if (gains == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu gains", in->config->width);
    const span identity = in->at.identity;
    for (size_t i = 0; i < in->config->width; i++)
        gains[i] = i - identity.begin < identity.width ? 0.4f : 0.02f;
    icl_parameters_set(in->parameters, index, gains);
    free(gains);
    return ICL_OK;
}

static icl_status check(const matcher *in, size_t block)
{
    const icl_transformer_config *config = in->config;
    if (in->input->encoder == NULL)
        return icl_error_set(ICL_EINVAL, "start=matcher needs the recipe to name an encoder");
    if (config->vocab_count == 0 || config->norm != ICL_NORM_RMS ||
        config->positions != ICL_POSITIONS_ROPE || config->kv_heads != config->heads ||
        !config->tied)
        return icl_error_set(ICL_EUNSUPPORTED,
                             "start=matcher needs tokens, norm: rms, positions: rope, tied output "
                             "and as many kv_heads as heads");
    if (config->width % (16 * LOOK_UPS) != 0 || config->heads < summary_heads(in) ||
        config->heads < HEADS_MIN)
        return icl_error_set(ICL_EINVAL,
                             "start=matcher needs a width that 64 divides and at least %zu heads, "
                             "not width %zu with %zu heads",
                             summary_heads(in) > HEADS_MIN ? summary_heads(in) : (size_t)HEADS_MIN,
                             config->width, config->heads);
    if (config->head_width < first_still_row(in) + 3 * HEAD_GATE ||
        config->head_width < first_still_row(in) + in->at.segment.width)
        return icl_error_set(ICL_EINVAL,
                             "start=matcher needs a rope_base above %g: too few numbers of a head "
                             "stand still",
                             (double)config->rope_base);
    if (block < BLOCKS_BEFORE_MATCHING || block >= config->layers)
        return icl_error_set(
            ICL_EINVAL,
            "start=matcher: block %zu is not in %d..%zu, the blocks counted from 0 "
            "that have %d before them",
            block, BLOCKS_BEFORE_MATCHING, config->layers - 1, BLOCKS_BEFORE_MATCHING);
    return ICL_OK;
}

static icl_status start_matcher(const icl_start_input *input, const icl_options *options)
{
    const icl_transformer_config *config = icl_transformer_get_config(input->model);
    matcher in = {
        .input = input,
        .config = config,
        .parameters = icl_transformer_parameters(input->model),
        .at = layout_of(config->width),
        .rng = icl_rng_new(input->seed, "start", "matcher", "weights"),
        .token_scale = sqrt((double)config->width / TOKEN_LENGTH_SQUARED),
        .stream_scale = sqrt((double)config->width / STREAM_LENGTH_SQUARED),
    };
    const size_t block = (size_t)icl_options_int(options, "block");
    ICL_TRY(check(&in, block));
    ICL_TRY(quieten(&in, icl_options_real(options, "noise")));
    ICL_TRY(lay_out_tokens(&in));
    ICL_TRY(lay_out_first_block(&in));
    ICL_TRY(lay_out_segments(&in, block - 2));
    ICL_TRY(lay_out_summaries(&in, block - 1));
    ICL_TRY(lay_out_matching(&in, block));
    return open_output_norm(&in);
}

static const icl_option options[] = {
    { .name = "block",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = BLOCKS_BEFORE_MATCHING,
      .maximum = ICL_LAYERS_MAX - 1,
      .help = "the block, counted from 0, that compares examples and copies labels" },
    { .name = "noise",
      .type = ICL_OPTION_REAL,
      .fallback = "0.3",
      .minimum = 0,
      .maximum = 1,
      .help = "factor on what blocks add at random" },
};

const icl_start_kind icl_start_matcher = {
    .card = { .name = "matcher",
              .summary = "Token vectors from the sentence encoder; heads that tell examples apart, "
                         "summarise, compare and copy, laid out by hand.",
              .paper = "heads: Olsson et al. 2022, \"In-context Learning and Induction Heads\"; "
                       "frequency: Arora et al. 2017",
              .cost = "none",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = start_matcher,
};
