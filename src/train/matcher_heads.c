/* The heads that the start "matcher" lays out by hand; start_matcher.c says what they are for. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "train/matcher.h"

icl_status icl_matcher_map_open(icl_matcher_map *out, const icl_matcher *in, size_t block,
                                const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%zu.%s.weight", block, part);
    out->index = icl_parameters_find(in->parameters, name);
    if (out->index == SIZE_MAX)
        return icl_error_set(ICL_EUNSUPPORTED, "start=matcher needs the weight %s", name);
    const icl_parameter *parameter = icl_parameters_at(in->parameters, out->index);
    out->inputs = (size_t)parameter->shape[0];
    out->count = parameter->count;
    out->weights = malloc(out->count * sizeof *out->weights);
    if (out->weights == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu start weights", parameter->count);
    icl_parameters_get(in->parameters, out->index, out->weights);
    return ICL_OK;
}

void icl_matcher_map_close(icl_matcher_map *map, const icl_matcher *in)
{
    if (map->weights != NULL) icl_parameters_set(in->parameters, map->index, map->weights);
    free(map->weights);
}

static float *map_at(icl_matcher_map *map, size_t output, size_t input)
{
    return &map->weights[output * map->inputs + input];
}

/* --- attention heads --- */

typedef struct attention {
    icl_matcher_map q, k, v, output;
} attention;

static icl_status attention_open(attention *out, const icl_matcher *in, size_t block)
{
    *out = (attention){ 0 };
    ICL_TRY(icl_matcher_map_open(&out->q, in, block, "attn_q"));
    ICL_TRY(icl_matcher_map_open(&out->k, in, block, "attn_k"));
    ICL_TRY(icl_matcher_map_open(&out->v, in, block, "attn_v"));
    return icl_matcher_map_open(&out->output, in, block, "attn_output");
}

static void attention_close(attention *heads, const icl_matcher *in)
{
    icl_matcher_map_close(&heads->q, in);
    icl_matcher_map_close(&heads->k, in);
    icl_matcher_map_close(&heads->v, in);
    icl_matcher_map_close(&heads->output, in);
}

static void head_clear(attention *heads, const icl_matcher *in, size_t head)
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
static double pair_angle(const icl_matcher *in, size_t pair)
{
    return pow(in->config->rope_base, -2.0 * (double)pair / (double)in->config->head_width);
}

/* Adds to the score, by the distance d alone, `strength` times the sum over the pairs that turn by
 * slowest..fastest of cos(angle * (d - distance)); it is greatest at `distance`. `scale`: of the
 * stream's numbers behind the norm. */
static void head_look_back(attention *heads, const icl_matcher *in, size_t head, double distance,
                           double slowest, double fastest, double strength, double scale)
{
    const size_t width = in->config->head_width;
    const double amplitude = sqrt(strength * sqrt((double)width)) / scale;
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

/* What the head reads at the tokens it sees is added, times gain, to another icl_matcher_span of
 * the stream; its rows from `row` on carry it. */
static void head_copy(attention *heads, const icl_matcher *in, size_t head, size_t row,
                      icl_matcher_span from, icl_matcher_span to, double scale, double gain)
{
    const size_t first = head * in->config->head_width + row;
    for (size_t i = 0; i < from.width && i < to.width && i < in->config->head_width - row; i++) {
        *map_at(&heads->v, first + i, from.begin + i) = (float)(1.0 / scale);
        *map_at(&heads->output, to.begin + i, first + i) = (float)gain;
    }
}

/* Adds `strength` times the product of query and key over every `step`-th number of a span, from
 * number `first` on; rows [row, row + count) of the head carry it. `scale`: of the stream's numbers
 * behind the norm. */
static void head_compare_numbers(attention *heads, const icl_matcher *in, size_t head, size_t row,
                                 size_t count, icl_matcher_span of, size_t first, size_t step,
                                 double strength, double scale)
{
    const size_t begin = head * in->config->head_width + row;
    const double size = sqrt(strength * sqrt((double)in->config->head_width)) / scale;
    for (size_t i = 0; i < count && first + i * step < of.width; i++) {
        *map_at(&heads->q, begin + i, of.begin + first + i * step) = (float)size;
        *map_at(&heads->k, begin + i, of.begin + first + i * step) = (float)size;
    }
}

/* Takes `strength` from every score. */
static void head_lower(attention *heads, const icl_matcher *in, size_t head, size_t row,
                       double strength, double scale)
{
    const size_t at = head * in->config->head_width + row;
    const double size = sqrt(strength * sqrt((double)in->config->head_width)) / scale;
    *map_at(&heads->q, at, in->at.constant.begin) = (float)size;
    *map_at(&heads->k, at, in->at.constant.begin) = (float)-size;
}

/* Adds `strength` * similarity of the query's span and the key's span, through a random projection
 * to the rows [row, row + count) of the head. */
static void head_compare(attention *heads, icl_matcher *in, size_t head, size_t row, size_t count,
                         icl_matcher_span query, icl_matcher_span key, double strength,
                         double length_squared, double scale)
{
    const size_t first = head * in->config->head_width + row;
    const size_t width = query.width < key.width ? query.width : key.width;
    const double size =
        sqrt(strength * sqrt((double)in->config->head_width) / ((double)count * length_squared)) /
        scale;
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
size_t icl_matcher_first_still_row(const icl_matcher *in)
{
    size_t pair = 0;
    while (pair < in->config->head_width / 2 && pair_angle(in, pair) > 2e-4) pair++;
    return 2 * pair;
}

/* --- block 0: the tokens before --- */

/* Pairs of a head that tell one distance from the next, and those that tell it from distances where
 * the fast ones have come round again, up to 2,000 tokens. */
static const double FASTEST = 1.1, SLOWEST = 0.0015;
/* Behind an empty line these are, for the most part, words of the example before. */
static const double LOOK_UP_DISTANCES[ICL_MATCHER_LOOK_UPS] = { 8.0, 10.0, 12.0, 14.0 };

icl_status icl_matcher_lay_out_first_block(icl_matcher *in)
{
    attention heads;
    const icl_status status = attention_open(&heads, in, 0);
    const icl_matcher_span before[] = { in->at.previous, in->at.before_previous };
    for (size_t i = 0; status == ICL_OK && i < 2; i++) {
        head_clear(&heads, in, i);
        head_look_back(&heads, in, i, (double)(i + 1), SLOWEST, FASTEST, 9.0, in->token_scale);
        head_copy(&heads, in, i, 0, in->at.identity, before[i], in->token_scale, 1.4);
    }
    if (status == ICL_OK) {
        head_copy(&heads, in, 0, before[0].width, in->at.line_end, in->at.line_before,
                  in->token_scale, 1.0);
    }
    const size_t part = in->at.recent.width / ICL_MATCHER_LOOK_UPS;
    for (size_t i = 0; status == ICL_OK && i < ICL_MATCHER_LOOK_UPS; i++) {
        const icl_matcher_span from = { in->at.identity.begin + i * part, part };
        const icl_matcher_span to = { in->at.recent.begin + i * part, part };
        head_clear(&heads, in, 2 + i);
        head_look_back(&heads, in, 2 + i, LOOK_UP_DISTANCES[i], SLOWEST, FASTEST, 9.0,
                       in->token_scale);
        head_copy(&heads, in, 2 + i, 0, from, to, in->token_scale, 1.4);
    }
    attention_close(&heads, in);
    return status;
}

/* --- examples as segments --- */

/* Falls with the distance d by at least 3.9 from d to 1.6 d + 2, for all d of 6..130, as far as
 * 2,000, and by 40 from 0 to 130; found by linear programming over the angles of a head of 64
 * numbers with rope base 1e10, the sum of strengths at most 70 since the norm moves all of them by
 * some percent from token to token. A head of another kind uses its nearest angles. */
static const struct {
    double angle, strength;
} NEARNESS[] = { { 1.0, 0.27 },     { 0.2371, 1.41 },  { 0.1155, 2.84 },
                 { 0.0562, 4.45 },  { 0.0274, 5.06 },  { 0.0133, 14.07 },
                 { 0.0065, 13.41 }, { 0.0032, 10.82 }, { 0.0015, 17.66 } };
/* Above what nearness can take from a line end. */
static const double LINE_END_SCORE = 50.0;

static size_t nearest_pair(const icl_matcher *in, double angle)
{
    size_t best = 0;
    for (size_t pair = 1; pair < in->config->head_width / 2; pair++)
        if (fabs(log(pair_angle(in, pair) / angle)) < fabs(log(pair_angle(in, best) / angle)))
            best = pair;
    return best;
}

static void head_seek_line_end(attention *heads, const icl_matcher *in, size_t head)
{
    const double root = sqrt((double)in->config->head_width);
    const size_t row = head * in->config->head_width + icl_matcher_first_still_row(in);
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

icl_status icl_matcher_lay_out_segments(icl_matcher *in, size_t block)
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

size_t icl_matcher_summary_heads(const icl_matcher *in)
{
    return (in->at.meaning.width + in->config->head_width - 1) / in->config->head_width;
}

/* Summaries of a typical length outweigh the rest of the stream, so that the next norm leaves
 * little of the difference between short texts, whose means are long, and long ones. */
static const double SUMMARY_GAIN = 16.0, SUMMARY_LENGTH_SQUARED = 12.4;

icl_status icl_matcher_lay_out_summaries(icl_matcher *in, size_t block)
{
    const size_t head_width = in->config->head_width, row = icl_matcher_first_still_row(in);
    attention heads;
    const icl_status status = attention_open(&heads, in, block);
    for (size_t part = 0; status == ICL_OK && part < icl_matcher_summary_heads(in); part++) {
        const size_t offset = part * head_width;
        const size_t left = in->at.meaning.width - offset;
        const icl_matcher_span from = { offset, left < head_width ? left : head_width };
        const icl_matcher_span to = { in->at.summary.begin + offset, from.width };
        head_clear(&heads, in, part);
        head_compare_numbers(&heads, in, part, row, in->at.segment.width, in->at.segment, 0, 1,
                             30.0, in->stream_scale);
        head_copy(&heads, in, part, 0, from, to, in->stream_scale, SUMMARY_GAIN);
    }
    attention_close(&heads, in);
    return status;
}

/* --- the matching block --- */

static double scale_behind_summaries(const icl_matcher *in)
{
    return in->stream_scale / sqrt(1.0 + SUMMARY_LENGTH_SQUARED / in->stream_length_squared);
}

/* What the scores of a matching head are made of, for examples alike in every way. The last takes
 * from all tokens what the two before it give to label slots: scores then stand near 0 at those,
 * however long the vector that the norm divides by. */
static const double SLOT_SCORE = 8.0, BEFORE_SLOT_SCORE = 12.0, SIMILARITY_SCORE = 20.0,
                    LOWERED_BY = 20.0;

static void lay_out_matching_head(attention *heads, icl_matcher *in, size_t head, double scale)
{
    const size_t still = icl_matcher_first_still_row(in), induction = in->config->heads - 2;
    const size_t gate =
        head == induction ? (in->config->head_width - still - 1) / 2 : ICL_MATCHER_HEAD_GATE;
    /* The rows that turn least tell label slots from the rest, however far away. */
    const size_t gates = in->config->head_width - 2 * gate, lowered = gates - 1;
    const icl_matcher_layout *at = &in->at;
    head_clear(heads, in, head);
    head_compare(heads, in, head, gates, gate, at->identity, at->previous, SLOT_SCORE, 0.7, scale);
    head_compare(heads, in, head, gates + gate, gate, at->previous, at->before_previous,
                 BEFORE_SLOT_SCORE, 1.0, scale);
    head_lower(heads, in, head, lowered, LOWERED_BY, scale);
    if (head != induction)
        head_compare_numbers(heads, in, head, still, lowered - still, at->summary, head, induction,
                             SIMILARITY_SCORE * (double)induction / SUMMARY_LENGTH_SQUARED, scale);
    head_copy(heads, in, head, 0, at->identity, at->identity, scale, 0.6);
}

icl_status icl_matcher_lay_out_matching(icl_matcher *in, size_t block)
{
    const double scale = scale_behind_summaries(in);
    const size_t last = in->config->heads - 1;
    attention heads;
    const icl_status status = attention_open(&heads, in, block);
    /* The head before the last follows tokens whatever they mean, which carries labels of several
     * tokens. Those before it share the summary's numbers: together they see most of it. */
    for (size_t head = 0; status == ICL_OK && head < last; head++)
        lay_out_matching_head(&heads, in, head, scale);
    if (status == ICL_OK) {
        /* What a token is says little about the next one, and it favours labels by chance. */
        head_clear(&heads, in, last);
        head_look_back(&heads, in, last, 0.0, SLOWEST, FASTEST, 9.0, scale);
        head_copy(&heads, in, last, 0, in->at.identity, in->at.identity, scale, -1.0);
    }
    attention_close(&heads, in);
    return status;
}

/* --- what words say by themselves --- */

/* Of the summary. More of it answers better without demonstrations, and follows labels worse that
 * contradict what their words mean. */
static const double TOPIC_GAIN = 0.7;
/* Where silu(x) is x. */
static const double OPEN_GATE = 10.0;

icl_status icl_matcher_lay_out_topic(const icl_matcher *in, size_t block)
{
    const double scale = scale_behind_summaries(in);
    icl_matcher_map gate = { 0 }, up = { 0 }, down = { 0 };
    icl_status status = icl_matcher_map_open(&gate, in, block, "ffn_gate");
    if (status == ICL_OK) status = icl_matcher_map_open(&up, in, block, "ffn_up");
    if (status == ICL_OK) status = icl_matcher_map_open(&down, in, block, "ffn_down");
    for (size_t i = 0; status == ICL_OK && i < in->at.meaning.width; i++) {
        memset(map_at(&gate, i, 0), 0, gate.inputs * sizeof(float));
        memset(map_at(&up, i, 0), 0, up.inputs * sizeof(float));
        for (size_t row = 0; row < in->config->width; row++) *map_at(&down, row, i) = 0.0f;
        *map_at(&gate, i, in->at.constant.begin) = (float)(OPEN_GATE / scale);
        *map_at(&up, i, in->at.summary.begin + i) = (float)(1.0 / scale);
        *map_at(&down, in->at.meaning.begin + i, i) = (float)(TOPIC_GAIN / OPEN_GATE);
    }
    icl_matcher_map_close(&gate, in);
    icl_matcher_map_close(&up, in);
    icl_matcher_map_close(&down, in);
    return status;
}
