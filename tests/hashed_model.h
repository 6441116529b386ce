/* tests/hashed_model.h - a table model whose logits depend on every token of the context, so that
 * an answer is right only after exactly the right tokens. */
#ifndef TESTS_HASHED_MODEL_H
#define TESTS_HASHED_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/rng.h"

enum { VOCAB_COUNT = 257, STATE_SIZE = 4 };

/* Logits in -4..4; `user` counts the evaluations, a size_t, or is NULL. */
static inline void hashed_logits(void *user, float *out, const int32_t *context, size_t count)
{
    size_t *evaluations = user;
    if (evaluations != NULL) (*evaluations)++;
    const icl_hash128 hash = icl_hash(context, count * sizeof *context);
    icl_rng rng = icl_rng_new(hash.low, NULL, NULL, NULL);
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = (float)(icl_rng_unit(&rng) * 8 - 4);
}

static inline void hashed_state(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    const icl_hash128 hash = icl_hash(context, count * sizeof *context);
    for (size_t d = 0; d < STATE_SIZE; d++) out[d] = (float)(hash.high >> 8 * d & 0xFF);
}

#endif
