/* train/token_meaning.h - a vector for every token, such that the mean over the tokens of a text
 * points where a sentence encoder's vector of the text does: the encoder distilled into a table.
 *
 *   ... vectors: where to start, such as the encoder's vectors of the tokens' own texts ...
 *   status = icl_token_meaning_fit(vectors, axes, 156, &input);
 *
 * Minimised is 1 - cosine(mean of the token vectors, the text's vector less the mean of all), by
 * Adam; a bag of words loses what order says, and keeps most of what topics and intents need.
 */
#ifndef ICL_TRAIN_TOKEN_MEANING_H
#define ICL_TRAIN_TOKEN_MEANING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/bpe.h"
#include "train/pool.h"

/* Everything is borrowed. */
typedef struct icl_token_meaning_input {
    const icl_bpe *bpe;
    const icl_pool *const *pools; /* [pool_count] those without vectors are passed over */
    size_t pool_count;
    size_t vector_size; /* of the pools' vectors */
    size_t epochs;      /* 0: the vectors stay as they are */
    uint64_t seed;
    const atomic_bool *cancelled; /* may be NULL */
} icl_token_meaning_input;

/* Moves vectors [vocabulary][vector_size], and writes axes [axis_count][vector_size]: the principal
 * axes of the means of up to 8,192 texts. ICL_EINVAL: no pool has vectors. On failure the axes are
 * unspecified and the vectors as they were. */
icl_status icl_token_meaning_fit(float *vectors, float *axes, size_t axis_count,
                                 const icl_token_meaning_input *input);

#endif
