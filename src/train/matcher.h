/* train/matcher.h - the inside of the start "matcher", which start_matcher.c tells as a whole:
 * where vectors keep what, the token table (matcher_tokens.c) and the heads of each block
 * (matcher_heads.c). */
#ifndef ICL_TRAIN_MATCHER_H
#define ICL_TRAIN_MATCHER_H

#include "base/rng.h"
#include "train/start.h"

/* Where a token's vector, and the stream between blocks, keep what; [begin, begin + width). */
typedef struct icl_matcher_span {
    size_t begin, width;
} icl_matcher_span;

typedef struct icl_matcher_layout {
    icl_matcher_span meaning, constant, filler, line_end, line_before, identity, summary, previous,
        before_previous, recent, segment;
} icl_matcher_layout;

enum { ICL_MATCHER_LOOK_UPS = 4 };

/* Squared length of every token vector, so that the first norm divides all by the same. */
#define ICL_MATCHER_TOKEN_LENGTH_SQUARED 4.0

typedef struct icl_matcher {
    const icl_start_input *input;
    const icl_transformer_config *config;
    icl_parameters *parameters;
    icl_matcher_layout at;
    icl_rng rng;
    double token_scale, stream_scale; /* a number of the stream, after the norm */
    double stream_length_squared;     /* behind block 0, about */
    size_t epochs;                    /* of learning what tokens mean */
} icl_matcher;

/* --- matcher_tokens.c --- */

/* The token table; and the read-out, which begins as the way back from summaries to the encoder's
 * space. */
icl_status icl_matcher_lay_out_tokens(icl_matcher *in);

/* --- matcher_heads.c --- */

/* One linear map on the host. */
typedef struct icl_matcher_map {
    size_t index;
    size_t inputs, count;
    float *weights; /* [outputs][inputs] */
} icl_matcher_map;

icl_status icl_matcher_map_open(icl_matcher_map *out, const icl_matcher *in, size_t block,
                                const char *part);
void icl_matcher_map_close(icl_matcher_map *map, const icl_matcher *in);

icl_status icl_matcher_lay_out_first_block(icl_matcher *in);
icl_status icl_matcher_lay_out_segments(icl_matcher *in, size_t block);
icl_status icl_matcher_lay_out_summaries(icl_matcher *in, size_t block);
icl_status icl_matcher_lay_out_matching(icl_matcher *in, size_t block);
icl_status icl_matcher_lay_out_topic(const icl_matcher *in, size_t block);

/* First row of a head from which on rotation is below a fifth of a radian over a thousand tokens.
 */
size_t icl_matcher_first_still_row(const icl_matcher *in);
size_t icl_matcher_summary_heads(const icl_matcher *in);
/* Rows of a matching head that keep a gate. */
enum { ICL_MATCHER_HEAD_GATE = 10 };

#endif
