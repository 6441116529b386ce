/* Continuations of many prompts side by side, so many that the engine can keep what it has
 * evaluated of them: a token then costs an evaluated token. Where the likeliest token is wanted, a
 * batch scores a guess of each continuation's next tokens, and the model's first choices are taken
 * up to the first that the guess missed: one token at least, and more where a text repeats itself
 * or its prompt, which small models and answers after demonstrations often do. The guess changes
 * the number of batches, not the text. Other tokens come one a batch, see ask_draw.c. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/text.h"
#include "model/interrupt.h"
#include "pipeline/ask_parts.h"

enum {
    GUESS_MAX = 16,
    /* Side by side: enough rows to fill a call; the engine has a sequence for each. More cells
     * would make every call's mask larger than its work. */
    PROMPTS_MAX = 128,
    CELLS_MAX = 1 << 15,
};

typedef struct continuation {
    int32_t *tokens; /* of the prompt, then the generated ones */
    size_t prompt_count, token_count, token_capacity;
    icl_text text; /* generated */
    bool ended;
    int32_t guess[GUESS_MAX];
    size_t guess_count;
    size_t trust;   /* most tokens of the next guess */
    icl_rng rng;    /* a number for each token that is drawn */
    size_t request; /* of the step */
} continuation;

/* Some prompts of a call, small enough for one batch. */
typedef struct generation {
    const icl_ask_source *source;
    const icl_ask_generation *how;
    icl_ask_draw draw;
    continuation *parts;
    size_t count;
} generation;

static icl_status build_prompt(icl_prompt *out, const generation *self, icl_prompter *prompter,
                               const icl_ask_prompt *asked)
{
    icl_text input = { 0 };
    icl_text_append_string(&input, icl_ask_input(self->source, asked));
    if (self->how->cue != NULL) icl_text_append_string(&input, self->how->cue);
    icl_status status = icl_text_status(&input);
    if (status == ICL_OK)
        status = icl_shown_build(out, prompter, self->source,
                                 &(icl_shown){ .items = asked->shown,
                                               .count = asked->shown_count,
                                               .input = icl_text_string(&input),
                                               .name = icl_ask_id(self->source, asked) });
    icl_text_deinit(&input);
    return status;
}

static icl_rng rng_of(const generation *self, size_t place)
{
    char key[24];
    snprintf(key, sizeof key, "%zu", place);
    return icl_rng_new(self->how->seed, self->source->task, key, "generate");
}

/* `place` is the prompt's in its call. */
static icl_status begin(generation *self, icl_prompter *prompter, const icl_ask_prompt *asked,
                        size_t place)
{
    icl_prompt prompt = { 0 };
    ICL_TRY(build_prompt(&prompt, self, prompter, asked));
    continuation *part = &self->parts[self->count++];
    *part = (continuation){ .tokens = prompt.tokens,
                            .prompt_count = prompt.token_count,
                            .token_count = prompt.token_count,
                            .token_capacity = prompt.token_count,
                            .trust = 1,
                            .rng = rng_of(self, place),
                            .ended = self->how->tokens_max == 0 };
    prompt.tokens = NULL; /* moved */
    icl_prompt_deinit(&prompt);
    return ICL_OK;
}

/* Cuts the text at the first place where it ends. */
static void end_at_separator(continuation *part, const char *separator)
{
    char *end = part->text.length > 0 ? memchr(part->text.bytes, 0, part->text.length) : NULL;
    if (separator[0] != '\0' && part->text.length > 0) {
        char *found = strstr(part->text.bytes, separator); /* before a NUL byte, if any */
        if (found != NULL) end = found;
    }
    if (end == NULL) return;
    part->ended = true;
    part->text.length = (size_t)(end - part->text.bytes);
    *end = '\0';
}

static icl_status take_token(const generation *self, continuation *part, int32_t token)
{
    icl_model *model = icl_engine_model(self->source->engine);
    if (token == icl_model_get_info(model)->eos) {
        part->ended = true;
        return ICL_OK;
    }
    char piece[256];
    size_t length;
    ICL_TRY(icl_model_piece(model, piece, sizeof piece, &length, token));
    icl_text_append(&part->text, piece, length);
    ICL_TRY(icl_text_status(&part->text));
    ICL_TRY(icl_array_reserve(&part->tokens, &part->token_capacity, part->token_count + 1));
    part->tokens[part->token_count++] = token;
    part->ended =
        part->token_count - part->prompt_count == self->how->tokens_max ||
        (self->how->last != NULL && strstr(icl_text_string(&part->text), self->how->last) != NULL);
    end_at_separator(part, self->source->prompts.separator);
    return ICL_OK;
}

/* The place after the latest earlier occurrence of the last two tokens, or else of the last one;
 * `count` where there is none. */
static size_t find_earlier(const int32_t *tokens, size_t count)
{
    size_t found = count;
    bool pair = false;
    for (size_t i = 1; i < count; i++) {
        if (tokens[i - 1] != tokens[count - 1]) continue;
        const bool both = i > 1 && tokens[i - 2] == tokens[count - 2];
        if (both || !pair) found = i;
        pair |= both;
    }
    return found;
}

/* What followed then; a repetition shorter than the guess goes on repeating. */
static void make_guess(continuation *part, size_t most)
{
    const size_t count = part->token_count, from = find_earlier(part->tokens, count);
    part->guess_count = from == count ? 1 : most < part->trust ? most : part->trust;
    part->guess[0] = part->tokens[count - 1]; /* where nothing tells */
    for (size_t i = 0; from < count && i < part->guess_count; i++)
        part->guess[i] = from + i < count ? part->tokens[from + i] : part->guess[from + i - count];
}

static icl_ask_tokens written_by(const continuation *part)
{
    return (icl_ask_tokens){ .tokens = part->tokens + part->prompt_count,
                             .count = part->token_count - part->prompt_count };
}

/* Cells that a text of so many tokens may take: wrong guesses are no more than right ones. */
static size_t cells_of(const generation *self, size_t tokens)
{
    return icl_ask_draws(self->how) ? tokens : 2 * tokens;
}

static icl_status ask_token(generation *self, icl_batch *batch, continuation *part)
{
    size_t prefix;
    const size_t left = self->how->tokens_max - written_by(part).count;
    ICL_TRY(icl_batch_add_prefix(batch, part->tokens, part->token_count, &prefix));
    if (icl_ask_draws(self->how)) {
        ICL_TRY(icl_ask_draw_add(&self->draw, batch, prefix, written_by(part), &part->request));
    } else {
        make_guess(part, left);
        ICL_TRY(icl_batch_add_score(batch, prefix, part->guess, part->guess_count, &part->request));
    }
    icl_batch_keep(batch, part->request, cells_of(self, left));
    return ICL_OK;
}

static icl_status ask_next(generation *self, icl_batch *batch)
{
    for (size_t i = 0; i < self->count; i++)
        if (!self->parts[i].ended) ICL_TRY(ask_token(self, batch, &self->parts[i]));
    return icl_engine_run(self->source->engine, batch);
}

/* A first choice counts while the guess was right up to its place. A guess whose last token is
 * right as well earns a longer one; that token was not evaluated. */
static icl_status take_choices(const generation *self, continuation *part, const icl_batch *batch)
{
    size_t count, right = 0;
    const int32_t *choices = icl_batch_first_choices(batch, part->request, &count);
    while (right < count && part->guess[right] == choices[right]) right++;
    for (size_t i = 0; i < count && i <= right && !part->ended; i++)
        ICL_TRY(take_token(self, part, choices[i]));
    part->trust = right < count ? 1 : part->trust < GUESS_MAX ? 2 * part->trust : GUESS_MAX;
    return ICL_OK;
}

static icl_status take_draw(generation *self, continuation *part, const icl_batch *batch)
{
    int32_t token = ICL_ASK_NO_TOKEN;
    ICL_TRY(
        icl_ask_draw_read(&token, &self->draw, &part->rng, batch, part->request, written_by(part)));
    if (token != ICL_ASK_NO_TOKEN) return take_token(self, part, token);
    part->ended = true;
    return ICL_OK;
}

static icl_status take_next(generation *self, const icl_batch *batch)
{
    for (size_t i = 0; i < self->count; i++) {
        continuation *part = &self->parts[i];
        if (part->ended) continue;
        ICL_TRY(icl_ask_draws(self->how) ? take_draw(self, part, batch)
                                         : take_choices(self, part, batch));
    }
    return ICL_OK;
}

/* A batch for every continuation that goes on; *out_done when none does. */
static icl_status step(generation *self, bool *out_done)
{
    icl_batch *batch = NULL;
    *out_done = true;
    for (size_t i = 0; i < self->count; i++) *out_done &= self->parts[i].ended;
    if (*out_done) return ICL_OK;
    icl_model *model = icl_engine_model(self->source->engine);
    ICL_TRY(icl_cancel_check(icl_model_interrupt_flag(model)));
    ICL_TRY(icl_batch_new(&batch));
    icl_status status = ask_next(self, batch);
    if (status == ICL_OK) status = take_next(self, batch);
    icl_batch_free(batch);
    return status;
}

/* Cells that the latest prompt and its text take; what it shares with the one before is there. */
static size_t cells_of_latest(const generation *self)
{
    const continuation *part = &self->parts[self->count - 1];
    size_t shared = 0;
    if (self->count > 1)
        while (shared < part->prompt_count && shared < part[-1].prompt_count &&
               part->tokens[shared] == part[-1].tokens[shared])
            shared++;
    return part->prompt_count - shared + cells_of(self, self->how->tokens_max);
}

/* Begins the prompts from *next on that fit side by side, and continues them to their ends. */
static icl_status generate_some(generation *self, icl_prompter *prompter,
                                const icl_ask_distinct *distinct, const icl_ask_prompt *prompts,
                                size_t *next)
{
    /* The last prompt may go beyond. */
    const size_t room = icl_engine_limits(self->source->engine).cells_max / 4 * 3;
    const size_t cells_max = room < CELLS_MAX ? room : CELLS_MAX;
    size_t row = *next, tokens = 0, cells = 0;
    for (; row < distinct->count && self->count < PROMPTS_MAX && cells <= cells_max &&
           tokens < ICL_ASK_BATCH_TOKENS;
         row++) {
        const size_t place = distinct->firsts[row];
        ICL_TRY(begin(self, prompter, &prompts[place], place));
        cells += cells_of_latest(self);
        tokens += self->parts[self->count - 1].token_count + self->how->tokens_max;
        if (icl_ask_draws_from_all(&self->draw)) /* an answer with memory of its own */
            tokens += self->draw.vocab_count * sizeof(float) / ICL_ASK_TOKEN_BYTES;
    }
    for (bool done = false; !done;) ICL_TRY(step(self, &done));
    *next = row;
    return ICL_OK;
}

/* Moves out the texts, each cut before a character that is not whole. */
static icl_status take_texts(char **out, generation *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const char *text = icl_text_string(&self->parts[i].text);
        out[i] = icl_string_copy(text, icl_utf8_valid_length(text, self->parts[i].text.length));
        if (out[i] == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a text");
    }
    return ICL_OK;
}

static void generation_clear(generation *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->parts[i].tokens);
        icl_text_deinit(&self->parts[i].text);
    }
    self->count = 0;
}

/* out [distinct->count], zeroed; what was written stays on failure. */
static icl_status generate_all(char **out, generation *self, const icl_ask_distinct *distinct,
                               const icl_ask_prompt *prompts)
{
    icl_prompter_options options = self->source->prompts;
    icl_prompter *prompter = NULL;
    options.answer_tokens_max = self->how->tokens_max;
    ICL_TRY(icl_prompter_new(&prompter, icl_engine_model(self->source->engine), &options));
    icl_status status = ICL_OK;
    for (size_t next = 0; next < distinct->count && status == ICL_OK;) {
        const size_t first = next;
        status = generate_some(self, prompter, distinct, prompts, &next);
        if (status == ICL_OK) status = take_texts(out + first, self);
        generation_clear(self);
    }
    icl_prompter_free(prompter);
    return status;
}

/* Copies the texts of distinct prompts to all that equal them. */
static icl_status share_texts(char **out, const icl_ask_distinct *distinct, char *const *texts,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = texts[distinct->same[i]];
        out[i] = icl_string_copy(text, strlen(text));
        if (out[i] != NULL) continue;
        while (i > 0) free(out[--i]);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", count);
    }
    return ICL_OK;
}

/* Drawn texts of equal prompts differ, so these are told apart by their places. */
static icl_status find_distinct(icl_ask_distinct *out, const icl_ask_source *source,
                                const icl_ask_prompt *prompts, size_t count, bool drawn)
{
    if (!drawn) return icl_ask_distinct_find(out, source, prompts, NULL, count);
    size_t *places = malloc((count + 1) * sizeof *places);
    if (places == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", count);
    for (size_t i = 0; i < count; i++) places[i] = i;
    const icl_status status = icl_ask_distinct_find(out, source, prompts, places, count);
    free(places);
    return status;
}

icl_status icl_ask_generate(void *user, char **out, const icl_ask_prompt *prompts, size_t count,
                            const icl_ask_generation *how)
{
    const icl_ask_service *service = user;
    const icl_ask_source *source = &service->source;
    generation self = { .source = source, .how = how };
    icl_ask_distinct distinct = { 0 };
    ICL_TRY(find_distinct(&distinct, source, prompts, count, how->temperature > 0));
    char **texts = calloc(distinct.count + 1, sizeof *texts);
    char **copies = malloc((count + 1) * sizeof *copies);
    self.parts = malloc((distinct.count + 1) * sizeof *self.parts);
    icl_status status = ICL_OK;
    if (texts == NULL || copies == NULL || self.parts == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", count);
    if (status == ICL_OK) status = icl_ask_draw_init(&self.draw, source, how);
    if (status == ICL_OK) status = generate_all(texts, &self, &distinct, prompts);
    if (status == ICL_OK) status = share_texts(copies, &distinct, texts, count);
    if (status == ICL_OK && count > 0) memcpy(out, copies, count * sizeof *out);
    for (size_t i = 0; texts != NULL && i < distinct.count; i++) free(texts[i]);
    icl_ask_draw_deinit(&self.draw);
    free(self.parts);
    free(copies);
    free(texts);
    icl_ask_distinct_deinit(&distinct);
    return status;
}
