/* Texts that grow by rounds, as a model's own do: asked about, extended, cut, forked, dropped. What
 * is asked hangs on a seed alone, so the answers may be compared whatever an engine keeps. */
#ifndef ICL_TESTS_ENGINE_WRITER_H
#define ICL_TESTS_ENGINE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <icl/engine.h>

#include "base/hash.h"
#include "base/rng.h"

enum { WRITER_TEXTS = 24, WRITER_TOKENS = 160, WRITER_GUESS = 5 };

typedef struct writer_text {
    int32_t tokens[WRITER_TOKENS], guess[WRITER_GUESS];
    size_t count, guess_count, kind, request;
    bool asked;
} writer_text;

typedef struct writer {
    icl_rng rng;
    writer_text texts[WRITER_TEXTS];
    size_t count, vocab_count;
    bool keeps;  /* as a generation does; else every batch stands alone */
    bool hidden; /* asks for hidden states too */
    icl_hash_state answers;
} writer;

static inline int32_t writer_token(writer *self)
{
    return (int32_t)icl_rng_below(&self->rng, 3) + (int32_t)(self->vocab_count / 2);
}

/* Prompts share a beginning, and some are equal. */
static inline void writer_begin_text(writer *self, writer_text *text, size_t prompt)
{
    const size_t shared = prompt / 2;
    memset(text, 0, sizeof *text);
    for (size_t i = 0; i < shared; i++) text->tokens[text->count++] = (int32_t)(i % 7);
    for (size_t own = icl_rng_below(&self->rng, prompt / 2 + 1) + 1; own > 0; own--)
        text->tokens[text->count++] = writer_token(self);
}

static inline void writer_begin(writer *self, uint64_t seed, size_t count, size_t prompt,
                                size_t vocab_count)
{
    self->rng = icl_rng_new(seed, "writer", NULL, NULL);
    self->count = count;
    self->vocab_count = vocab_count;
    icl_hash_begin(&self->answers);
    for (size_t t = 0; t < count; t++) writer_begin_text(self, &self->texts[t], prompt);
}

static inline icl_status writer_ask_text(writer *self, icl_batch *batch, writer_text *text)
{
    size_t prefix;
    const size_t kind = text->kind = icl_rng_below(&self->rng, self->hidden ? 5 : 4);
    text->guess_count = kind < 2 ? 1 + icl_rng_below(&self->rng, WRITER_GUESS) : 0;
    for (size_t i = 0; i < text->guess_count; i++) text->guess[i] = writer_token(self);
    icl_status status = icl_batch_add_prefix(batch, text->tokens, text->count, &prefix);
    if (status != ICL_OK) return status;
    if (kind < 2)
        status = icl_batch_add_score(batch, prefix, text->guess, text->guess_count, &text->request);
    else if (kind == 2)
        status = icl_batch_add_distribution(batch, prefix, 3, &text->request);
    else if (kind == 3)
        status = icl_batch_add_whole_distribution(batch, prefix, &text->request);
    else
        status = icl_batch_add_hidden(batch, prefix, &text->request);
    text->asked = true;
    return status;
}

static inline void writer_hash_text(writer *self, const icl_batch *batch, const writer_text *text)
{
    size_t count = 0;
    const double *nats = NULL;
    const float *vector = NULL;
    if (text->kind < 2)
        nats = icl_batch_token_logprobs_nats(batch, text->request, &count);
    else if (text->kind == 2)
        icl_batch_top_tokens(batch, text->request, &nats, &count);
    else if (text->kind == 3)
        vector = icl_batch_whole_distribution_nats(batch, text->request, &count);
    else
        vector = icl_batch_hidden(batch, text->request, &count);
    if (nats != NULL) icl_hash_add(&self->answers, nats, count * sizeof *nats);
    if (vector != NULL) icl_hash_add(&self->answers, vector, count * sizeof *vector);
}

/* Adds what a round asks of each text; some rest, some are not kept, and sometimes nothing is. */
static inline icl_status writer_ask(writer *self, icl_batch *batch, size_t tokens_to_come)
{
    const bool none_kept = icl_rng_below(&self->rng, 12) == 0;
    for (size_t t = 0; t < self->count; t++) {
        writer_text *text = &self->texts[t];
        text->asked = false;
        if (icl_rng_below(&self->rng, 8) == 0) continue;
        const icl_status status = writer_ask_text(self, batch, text);
        if (status != ICL_OK) return status;
        const bool kept = icl_rng_below(&self->rng, 10) > 0;
        if (self->keeps && kept && !none_kept) icl_batch_keep(batch, text->request, tokens_to_come);
    }
    return ICL_OK;
}

/* Most texts go on behind a part of the guess; some begin anew, as another, or further up. */
static inline void writer_extend(writer *self, size_t prompt)
{
    for (size_t t = 0; t < self->count; t++) {
        writer_text *text = &self->texts[t];
        const size_t fate = icl_rng_below(&self->rng, 20);
        if (fate == 0 || text->count + WRITER_GUESS + 1 > WRITER_TOKENS)
            writer_begin_text(self, text, prompt);
        else if (fate == 1)
            *text = self->texts[icl_rng_below(&self->rng, self->count)];
        else if (fate == 2 && text->count > 4)
            text->count -= 1 + icl_rng_below(&self->rng, 3);
        size_t right = icl_rng_below(&self->rng, text->guess_count + 1);
        if (text->count + right + 1 > WRITER_TOKENS) right = 0;
        for (size_t i = 0; i < right; i++) text->tokens[text->count++] = text->guess[i];
        if (text->count < WRITER_TOKENS) text->tokens[text->count++] = writer_token(self);
        text->guess_count = 0;
    }
}

/* Reads the answers and goes on. */
static inline void writer_take(writer *self, const icl_batch *batch, size_t prompt)
{
    for (size_t t = 0; t < self->count; t++)
        if (self->texts[t].asked) writer_hash_text(self, batch, &self->texts[t]);
    writer_extend(self, prompt);
}

#endif
