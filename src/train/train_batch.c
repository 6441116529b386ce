#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "train/source.h"

static size_t position_count(const icl_train_batch *batch)
{
    return batch->limits.rows * batch->limits.context;
}

static bool allocate(icl_train_batch *batch)
{
    const icl_batch_limits *limits = &batch->limits;
    const size_t positions = position_count(batch);
    /* One more than needed: calloc(0) may return NULL. */
#define NEW(field, count) ((batch->field = calloc((count) + 1, sizeof *batch->field)) != NULL)
    return NEW(tokens, positions) && NEW(positions, positions) && NEW(first, positions) &&
           NEW(row_counts, limits->rows) && NEW(answer_rows, limits->answers_max) &&
           NEW(answer_targets, limits->answers_max) && NEW(answer_weights, limits->answers_max) &&
           NEW(answer_sources, limits->answers_max) && NEW(text_rows, limits->texts_max) &&
           NEW(text_targets, limits->texts_max) && NEW(text_weights, limits->texts_max) &&
           NEW(text_sources, limits->texts_max) && NEW(meaning_rows, limits->meanings_max) &&
           NEW(meaning_targets, limits->meanings_max * batch->vector_size) &&
           NEW(meaning_weights, limits->meanings_max) && NEW(candidates, limits->candidates_max);
#undef NEW
}

icl_status icl_train_batch_new(icl_train_batch **out, const icl_batch_limits *limits,
                               size_t vector_size)
{
    icl_train_batch *batch = calloc(1, sizeof *batch);
    if (batch != NULL) {
        batch->limits = *limits;
        batch->vector_size = vector_size;
    }
    if (batch == NULL || !allocate(batch)) {
        icl_train_batch_free(batch);
        return icl_error_set(ICL_ENOMEM, "out of memory for a batch of %zu x %zu tokens",
                             limits->rows, limits->context);
    }
    icl_train_batch_clear(batch);
    *out = batch;
    return ICL_OK;
}

void icl_train_batch_free(icl_train_batch *batch)
{
    if (batch == NULL) return;
    free(batch->candidates);
    free(batch->meaning_weights);
    free(batch->meaning_targets);
    free(batch->meaning_rows);
    free(batch->text_sources);
    free(batch->text_weights);
    free(batch->text_targets);
    free(batch->text_rows);
    free(batch->answer_sources);
    free(batch->answer_weights);
    free(batch->answer_targets);
    free(batch->answer_rows);
    free(batch->row_counts);
    free(batch->first);
    free(batch->positions);
    free(batch->tokens);
    free(batch);
}

void icl_train_batch_clear(icl_train_batch *batch)
{
    const icl_batch_limits *limits = &batch->limits;
    const size_t positions = position_count(batch);
    memset(batch->tokens, 0, positions * sizeof *batch->tokens);
    memset(batch->positions, 0, positions * sizeof *batch->positions);
    for (size_t i = 0; i < positions; i++) batch->first[i] = (int32_t)(i % limits->context);
    memset(batch->row_counts, 0, limits->rows * sizeof *batch->row_counts);
    memset(batch->answer_rows, 0, limits->answers_max * sizeof *batch->answer_rows);
    memset(batch->answer_targets, 0, limits->answers_max * sizeof *batch->answer_targets);
    memset(batch->answer_weights, 0, limits->answers_max * sizeof *batch->answer_weights);
    memset(batch->answer_sources, 0, limits->answers_max * sizeof *batch->answer_sources);
    memset(batch->text_rows, 0, limits->texts_max * sizeof *batch->text_rows);
    memset(batch->text_targets, 0, limits->texts_max * sizeof *batch->text_targets);
    memset(batch->text_weights, 0, limits->texts_max * sizeof *batch->text_weights);
    memset(batch->text_sources, 0, limits->texts_max * sizeof *batch->text_sources);
    memset(batch->meaning_rows, 0, limits->meanings_max * sizeof *batch->meaning_rows);
    memset(batch->meaning_targets, 0,
           limits->meanings_max * batch->vector_size * sizeof *batch->meaning_targets);
    memset(batch->meaning_weights, 0, limits->meanings_max * sizeof *batch->meaning_weights);
    memset(batch->candidates, 0, limits->candidates_max * sizeof *batch->candidates);
    batch->answer_count = batch->text_count = batch->meaning_count = 0;
    batch->candidate_count = batch->token_count = 0;
    batch->sequence_count = 0;
}

/* --- adding --- */

/* What a sequence takes of the lists. */
typedef struct demand {
    size_t answers, texts, candidates;
} demand;

/* Index of a token among the candidates, or their count. */
static size_t candidate_index(const icl_train_batch *batch, int32_t token)
{
    size_t i = 0;
    while (i < batch->candidate_count && batch->candidates[i] != token) i++;
    return i;
}

static demand demand_of(const icl_train_batch *batch, const icl_sequence *sequence)
{
    demand wants = { 0 };
    for (size_t i = 0; i < sequence->count; i++) {
        wants.answers += sequence->targets[i] == ICL_TARGET_ANSWER;
        wants.texts += sequence->targets[i] == ICL_TARGET_TEXT;
    }
    for (size_t i = 0; i < sequence->candidate_count; i++)
        wants.candidates +=
            candidate_index(batch, sequence->candidates[i]) == batch->candidate_count;
    return wants;
}

static bool lists_have_room(const icl_train_batch *batch, const icl_sequence *sequence)
{
    const icl_batch_limits *limits = &batch->limits;
    const demand wants = demand_of(batch, sequence);
    return batch->answer_count + wants.answers <= limits->answers_max &&
           batch->text_count + wants.texts <= limits->texts_max &&
           batch->meaning_count + sequence->meaning_count <= limits->meanings_max &&
           batch->candidate_count + wants.candidates <= limits->candidates_max;
}

/* The first row with room, or the number of rows. */
static size_t find_row(const icl_train_batch *batch, size_t count)
{
    size_t row = 0;
    while (row < batch->limits.rows && batch->row_counts[row] + count > batch->limits.context)
        row++;
    return row;
}

static void add_candidates(icl_train_batch *batch, const icl_sequence *sequence)
{
    for (size_t i = 0; i < sequence->candidate_count; i++) {
        const int32_t token = sequence->candidates[i];
        if (candidate_index(batch, token) == batch->candidate_count)
            batch->candidates[batch->candidate_count++] = token;
    }
    for (size_t i = batch->candidate_count; i < batch->limits.candidates_max; i++)
        batch->candidates[i] = batch->candidates[0];
}

static void add_target(icl_train_batch *batch, const icl_sequence *sequence, size_t i, size_t start,
                       uint32_t source)
{
    const int32_t before = (int32_t)(start + i) - 1;
    if (sequence->targets[i] == ICL_TARGET_ANSWER) {
        const size_t candidate = candidate_index(batch, sequence->tokens[i]);
        const size_t at = batch->answer_count++;
        assert(candidate < batch->candidate_count);
        batch->answer_rows[at] = before;
        batch->answer_targets[at] = (int32_t)candidate;
        batch->answer_weights[at] = sequence->weights[i];
        batch->answer_sources[at] = source;
    } else if (sequence->targets[i] == ICL_TARGET_TEXT) {
        const size_t at = batch->text_count++;
        batch->text_rows[at] = before;
        batch->text_targets[at] = sequence->tokens[i];
        batch->text_weights[at] = sequence->weights[i];
        batch->text_sources[at] = source;
    }
}

static void add_meanings(icl_train_batch *batch, const icl_sequence *sequence, size_t start)
{
    for (size_t i = 0; i < sequence->meaning_count; i++) {
        const size_t at = batch->meaning_count++;
        batch->meaning_rows[at] = (int32_t)(start + sequence->meanings[i].position);
        memcpy(batch->meaning_targets + at * batch->vector_size, sequence->meanings[i].vector,
               batch->vector_size * sizeof *batch->meaning_targets);
        batch->meaning_weights[at] = 1;
    }
}

bool icl_train_batch_add(icl_train_batch *batch, const icl_sequence *sequence, uint32_t source)
{
    assert(sequence->count > 0 && sequence->count <= batch->limits.context);
    const size_t row = find_row(batch, sequence->count);
    if (row == batch->limits.rows || !lists_have_room(batch, sequence)) return false;
    const size_t column = batch->row_counts[row], start = row * batch->limits.context + column;
    add_candidates(batch, sequence);
    for (size_t i = 0; i < sequence->count; i++) {
        batch->tokens[start + i] = sequence->tokens[i];
        batch->positions[start + i] = (int32_t)i;
        batch->first[start + i] = (int32_t)column;
        add_target(batch, sequence, i, start, source);
    }
    add_meanings(batch, sequence, start);
    batch->row_counts[row] += sequence->count;
    batch->token_count += sequence->count;
    batch->sequence_count++;
    return true;
}
