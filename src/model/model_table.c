/* The exact test double: keeps each sequence's tokens, checks that the engine drives the cache by
 * its rules, and asks the caller's function for the logits of a whole context. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <icl/sys/model.h>

#include "base/error.h"

enum { BYTE_COUNT = 256, BOS = 256, VOCAB_COUNT = 257 };

typedef struct sequence {
    int32_t *tokens; /* [limits.cells] */
    size_t count;
} sequence;

typedef struct table_model {
    icl_table table;
    icl_decode_limits limits;
    sequence *sequences; /* [limits.sequences] */
    float *rows;         /* [limits.call_tokens][VOCAB_COUNT] */
    float *states;       /* [limits.call_tokens][table.hidden_size] */
    size_t cells_used;   /* taken by held sequences, ever, by the trunk and by the wave */
    size_t cells_held;   /* those of held sequences */
    size_t leaf_count;   /* sequences of the wave under way that are not held */
    size_t trunk_shared; /* first tokens of the trunk, in cells of a held sequence */
    atomic_bool interrupted;
} table_model;

static void release_cache(table_model *self)
{
    if (self->sequences != NULL)
        for (size_t i = 0; i < self->limits.sequences; i++) free(self->sequences[i].tokens);
    free(self->sequences);
    free(self->rows);
    free(self->states);
    self->sequences = NULL;
    self->rows = self->states = NULL;
}

static void table_close(void *self)
{
    release_cache(self);
    free(self);
}

static icl_status table_tokenize(void *self, int32_t *out_tokens, size_t capacity,
                                 size_t *out_count, const char *text, size_t length,
                                 bool parse_special)
{
    (void)self;
    (void)parse_special;
    *out_count = length;
    if (length > capacity)
        return icl_error_set(ICL_EINVAL, "%zu tokens do not fit in %zu", length, capacity);
    for (size_t i = 0; i < length; i++) out_tokens[i] = (unsigned char)text[i];
    return ICL_OK;
}

static icl_status table_piece(void *self, char *out, size_t capacity, size_t *out_length,
                              int32_t token)
{
    (void)self;
    const char *spelling = "<s>";
    const char byte = (char)token;
    *out_length = token == BOS ? strlen(spelling) : 1;
    if (*out_length > capacity)
        return icl_error_set(ICL_EINVAL, "%zu bytes do not fit in %zu", *out_length, capacity);
    memcpy(out, token == BOS ? spelling : &byte, *out_length);
    return ICL_OK;
}

static icl_status table_prepare(void *opaque, const icl_decode_limits *limits)
{
    table_model *self = opaque;
    release_cache(self);
    self->limits = *limits;
    self->cells_used = self->cells_held = self->leaf_count = self->trunk_shared = 0;
    self->sequences = calloc(limits->sequences, sizeof *self->sequences);
    self->rows = malloc(limits->call_tokens * VOCAB_COUNT * sizeof *self->rows);
    self->states = malloc((limits->call_tokens * self->table.hidden_size + 1) * sizeof(float));
    if (self->sequences == NULL || self->rows == NULL || self->states == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the table model's cache");
    for (size_t i = 0; i < limits->sequences; i++) {
        self->sequences[i].tokens = malloc(limits->cells * sizeof(int32_t));
        if (self->sequences[i].tokens == NULL)
            return icl_error_set(ICL_ENOMEM, "out of memory for the table model's cache");
    }
    return ICL_OK;
}

static void copy_sequence(table_model *self, int32_t to, int32_t from, size_t tokens)
{
    assert((size_t)to < self->limits.sequences && (size_t)from < self->limits.sequences);
    assert(tokens <= self->sequences[from].count);
    self->sequences[to].count = tokens;
    if (to != from && tokens > 0)
        memcpy(self->sequences[to].tokens, self->sequences[from].tokens, tokens * sizeof(int32_t));
}

static void drop_leaves(table_model *self)
{
    for (size_t i = 1; i <= self->leaf_count; i++) self->sequences[i].count = 0;
    self->leaf_count = 0;
}

static void begin_held_wave(table_model *self, const icl_decode_call *call)
{
    assert(call->keep_tokens == 0);
    drop_leaves(self);
    self->sequences[0].count = 0;
    self->cells_used = self->cells_held;
    for (size_t i = 0; i < call->edit_count; i++)
        copy_sequence(self, call->edits[i].to, call->edits[i].from, call->edits[i].tokens);
}

static void begin_wave(table_model *self, const icl_decode_call *call)
{
    assert(call->leaf_count < self->limits.sequences && call->edit_count == 0);
    drop_leaves(self);
    copy_sequence(self, 0, call->trunk_from, call->keep_tokens);
    if (call->trunk_from != 0) self->trunk_shared = call->keep_tokens;
    if (self->trunk_shared > call->keep_tokens) self->trunk_shared = call->keep_tokens;
    self->cells_used = self->cells_held + call->keep_tokens - self->trunk_shared;
    self->leaf_count = call->leaf_count;
    for (size_t i = 1; i <= call->leaf_count; i++) {
        assert(self->sequences[i].count == 0); /* nobody holds it */
        copy_sequence(self, (int32_t)i, 0, call->keep_tokens);
    }
}

static void extend(sequence *to, const icl_decode_token *token)
{
    assert((size_t)token->position == to->count); /* positions are continuous */
    to->tokens[to->count++] = token->token;
}

/* Rows that are read, and no others, are computed. */
static void compute_row(table_model *self, const icl_decode_call *call, size_t index)
{
    const icl_table *table = &self->table;
    const icl_decode_token *token = &call->tokens[index];
    const sequence *seen_by =
        &self->sequences[token->trunk ? 0 : icl_decode_sequence(call, token->leaf_first)];
    if (token->row)
        table->logits(table->user, self->rows + index * VOCAB_COUNT, seen_by->tokens,
                      seen_by->count);
    assert(!token->hidden || (token->row && self->limits.hidden && table->hidden != NULL));
    if (token->hidden)
        table->hidden(table->user, self->states + index * table->hidden_size, seen_by->tokens,
                      seen_by->count);
}

static icl_status table_decode(void *opaque, const icl_decode_call *call)
{
    table_model *self = opaque;
    assert(call->token_count <= self->limits.call_tokens);
    if (atomic_load(&self->interrupted)) return icl_error_set(ICL_ECANCELLED, "interrupted");
    const bool held = call->leaf_sequences != NULL;
    if (call->begins_wave && held) begin_held_wave(self, call);
    if (call->begins_wave && !held) begin_wave(self, call);
    self->cells_used += call->token_count;
    if (held) self->cells_held = self->cells_used;
    assert(self->cells_used <= self->limits.cells);
    for (size_t i = 0; i < call->token_count; i++) {
        const icl_decode_token *token = &call->tokens[i];
        assert(token->trunk || token->leaf_first <= token->leaf_last);
        if (token->trunk) extend(&self->sequences[0], token);
        for (int32_t s = token->leaf_first; s <= token->leaf_last; s++)
            extend(&self->sequences[icl_decode_sequence(call, s)], token);
        compute_row(self, call, i);
    }
    return ICL_OK;
}

static const float *table_row(void *opaque, size_t token_index)
{
    const table_model *self = opaque;
    return self->rows + token_index * VOCAB_COUNT;
}

static const float *table_hidden(void *opaque, size_t token_index)
{
    const table_model *self = opaque;
    return self->states + token_index * self->table.hidden_size;
}

static uint64_t table_working_bytes(const void *opaque)
{
    const table_model *self = opaque;
    const icl_decode_limits *limits = &self->limits;
    return (uint64_t)limits->sequences *
               (sizeof *self->sequences + limits->cells * sizeof(int32_t)) +
           (uint64_t)limits->call_tokens * (VOCAB_COUNT + self->table.hidden_size) * sizeof(float);
}

static void table_interrupt(void *opaque, bool on)
{
    table_model *self = opaque;
    atomic_store(&self->interrupted, on);
}

static const icl_model_backend table_backend = { .name = "table",
                                                 .close = table_close,
                                                 .tokenize = table_tokenize,
                                                 .piece = table_piece,
                                                 .prepare = table_prepare,
                                                 .decode = table_decode,
                                                 .logits = table_row,
                                                 .hidden = table_hidden,
                                                 .interrupt = table_interrupt,
                                                 .working_bytes = table_working_bytes };

icl_status icl_model_open_table_of(icl_model **out, const icl_table *table)
{
    table_model *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory while opening a model");
    self->table = *table;
    const icl_model_info info = { .path = "",
                                  .description = "hand-written table",
                                  .identity = "table",
                                  .build = "table",
                                  .vocab_count = VOCAB_COUNT,
                                  .window_tokens = table->window_tokens,
                                  .embedding_size = table->hidden_size,
                                  .bos = BOS,
                                  .eos = -1,
                                  .bytes_per_cell = sizeof(int32_t),
                                  .call_tokens_max = 64,
                                  .row_floor = 1,
                                  .hidden_states = table->hidden != NULL,
                                  .exact = true,
                                  .thread_count = 1 };
    return icl_model_new(out, &table_backend, self, &info);
}

icl_status icl_model_open_table(icl_model **out, icl_table_logits logits, void *user,
                                size_t window_tokens)
{
    return icl_model_open_table_of(
        out, &(icl_table){ .logits = logits, .user = user, .window_tokens = window_tokens });
}
