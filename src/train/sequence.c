#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "train/source.h"

void icl_sequence_clear(icl_sequence *sequence)
{
    sequence->count = 0;
    sequence->meaning_count = 0;
    sequence->candidate_count = sequence->class_count = 0;
    sequence->answer = SIZE_MAX;
}

void icl_sequence_deinit(icl_sequence *sequence)
{
    free(sequence->candidates);
    free(sequence->meanings);
    free(sequence->weights);
    free(sequence->targets);
    free(sequence->tokens);
    *sequence = (icl_sequence){ .answer = SIZE_MAX };
}

/* Room for `extra` more tokens in the three arrays, which share one capacity. */
static icl_status reserve(icl_sequence *sequence, size_t extra)
{
    const size_t needed = sequence->count + extra;
    if (needed <= sequence->capacity) return ICL_OK;
    size_t tokens = sequence->capacity, targets = sequence->capacity, weights = sequence->capacity;
    ICL_TRY(icl_array_reserve(&sequence->tokens, &tokens, needed));
    ICL_TRY(icl_array_reserve(&sequence->targets, &targets, needed));
    ICL_TRY(icl_array_reserve(&sequence->weights, &weights, needed));
    assert(tokens == targets && targets == weights);
    sequence->capacity = tokens;
    return ICL_OK;
}

icl_status icl_sequence_push(icl_sequence *sequence, int32_t token, icl_target target, float weight)
{
    return icl_sequence_push_tokens(sequence, &token, 1, target, weight);
}

icl_status icl_sequence_push_tokens(icl_sequence *sequence, const int32_t *tokens, size_t count,
                                    icl_target target, float weight)
{
    ICL_TRY(reserve(sequence, count));
    for (size_t i = 0; i < count; i++) {
        const size_t at = sequence->count++;
        const bool is_target = target != ICL_TARGET_NONE && at > 0; /* nothing predicts the first */
        sequence->tokens[at] = tokens[i];
        sequence->targets[at] = (uint8_t)(is_target ? target : ICL_TARGET_NONE);
        sequence->weights[at] = is_target ? weight : 0;
    }
    return ICL_OK;
}

icl_status icl_sequence_add_meaning(icl_sequence *sequence, size_t position, const float *vector)
{
    ICL_TRY(icl_array_reserve(&sequence->meanings, &sequence->meaning_capacity,
                              sequence->meaning_count + 1));
    sequence->meanings[sequence->meaning_count++] =
        (icl_meaning){ .position = position, .vector = vector };
    return ICL_OK;
}

icl_status icl_sequence_add_candidate(icl_sequence *sequence, int32_t token)
{
    for (size_t i = 0; i < sequence->candidate_count; i++)
        if (sequence->candidates[i] == token) return ICL_OK;
    ICL_TRY(icl_array_reserve(&sequence->candidates, &sequence->candidate_capacity,
                              sequence->candidate_count + 1));
    sequence->candidates[sequence->candidate_count++] = token;
    return ICL_OK;
}
