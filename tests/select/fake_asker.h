/* tests/select/fake_asker.h - a language model for tests of selection methods: every answer comes
 * from a function that the test gives, and calls and prompts are counted.
 *
 *   static void likes_its_label(void *context, fake_answer *answer, const icl_select_input *input,
 *                               const icl_ask_prompt *prompt, const char *cue)
 *   {
 *       answer->label_nats[input->pool_labels[prompt->shown[0]]] = 0;
 *   }
 *
 *   fake_asker fake;
 *   fake_asker_serve(&fake, &input, likes_its_label, NULL); // sets input.asker
 *   ... icl_select_run(&selection, method, &input, &options) ...
 *   assert_int_equal(fake.prompts, 12);
 */
#ifndef TESTS_SELECT_FAKE_ASKER_H
#define TESTS_SELECT_FAKE_ASKER_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/hash.h"
#include "select/select.h"
#include "template/ask.h"

/* What the model says of one prompt. Before the function runs, labels have -1 nats each, texts -1
 * nat in one token, and the generation is "". */
typedef struct fake_answer {
    double *label_nats; /* [label_count] */
    icl_ask_text input, text;
    char generation[64];
} fake_answer;

/* Has to depend on texts, labels and ids alone: the numbers of queries differ between batches.
 * `cue` is NULL but for generation. */
typedef void fake_model(void *context, fake_answer *answer, const icl_select_input *input,
                        const icl_ask_prompt *prompt, const char *cue);

typedef struct fake_asker {
    icl_asker asker;
    icl_select_input input;
    fake_model *model;
    void *context;
    size_t calls, prompts; /* asked so far */
    icl_status failure;    /* what calls return from number `fails_from` on; ICL_OK: none fails */
    size_t fails_from;     /* counts from 0 */
} fake_asker;

/* The text that a prompt ends with. */
static inline const char *fake_prompt_text(const icl_select_input *input,
                                           const icl_ask_prompt *prompt)
{
    return prompt->of == ICL_ASK_POOL ? input->pool_texts[prompt->item]
                                      : input->query_texts[prompt->item];
}

static inline icl_status fake_begin(fake_asker *fake)
{
    const size_t call = fake->calls++;
    ICL_TRY(icl_cancel_check(fake->input.cancelled));
    if (fake->failure != ICL_OK && call >= fake->fails_from)
        return icl_error_set(fake->failure, "the fake model fails in call %zu", call);
    return ICL_OK;
}

static inline void fake_ask(fake_asker *fake, fake_answer *answer, double *label_nats,
                            const icl_ask_prompt *prompt, const char *cue)
{
    const icl_select_input *input = &fake->input;
    const bool of_pool = prompt->of == ICL_ASK_POOL;
    assert_true(prompt->item < (of_pool ? input->pool_count : input->query_count));
    for (size_t i = 0; i < prompt->shown_count; i++) {
        assert_true(prompt->shown[i] < input->pool_count);
        assert_true(input->pool_labels != NULL &&
                    input->pool_labels[prompt->shown[i]] < input->label_count);
        if (!of_pool) /* a query never demonstrates itself */
            assert_true(prompt->shown[i] != icl_select_self(input, prompt->item));
    }
    *answer = (fake_answer){ .label_nats = label_nats, .input = { -1, 1 }, .text = { -1, 1 } };
    for (size_t label = 0; label < input->label_count; label++) label_nats[label] = -1;
    fake->model(fake->context, answer, input, prompt, cue);
    fake->prompts++;
}

static inline icl_status fake_labels(void *user, double *out_nats, const icl_ask_prompt *prompts,
                                     size_t count)
{
    fake_asker *fake = user;
    ICL_TRY(fake_begin(fake));
    fake_answer answer;
    for (size_t i = 0; i < count; i++)
        fake_ask(fake, &answer, out_nats + i * fake->input.label_count, &prompts[i], NULL);
    return ICL_OK;
}

static inline icl_status fake_texts_of(fake_asker *fake, icl_ask_text *out,
                                       const icl_ask_prompt *prompts, size_t count, bool whole)
{
    ICL_TRY(fake_begin(fake));
    double *label_nats = calloc(fake->input.label_count + 1, sizeof *label_nats);
    fake_answer answer;
    for (size_t i = 0; i < count; i++) {
        fake_ask(fake, &answer, label_nats, &prompts[i], NULL);
        out[i] = whole ? answer.text : answer.input;
    }
    free(label_nats);
    return ICL_OK;
}

static inline icl_status fake_inputs(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                                     size_t count)
{
    return fake_texts_of(user, out, prompts, count, false);
}

static inline icl_status fake_texts(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                                    size_t count)
{
    return fake_texts_of(user, out, prompts, count, true);
}

static inline icl_status fake_generate(void *user, char **out, const icl_ask_prompt *prompts,
                                       size_t count, const icl_ask_generation *how)
{
    fake_asker *fake = user;
    ICL_TRY(fake_begin(fake));
    double *label_nats = calloc(fake->input.label_count + 1, sizeof *label_nats);
    fake_answer answer;
    for (size_t i = 0; i < count; i++) {
        fake_ask(fake, &answer, label_nats, &prompts[i], how->cue);
        const size_t length = strlen(answer.generation);
        out[i] = malloc(length + 1);
        memcpy(out[i], answer.generation, length + 1);
    }
    free(label_nats);
    return ICL_OK;
}

/* Answers that hang on every byte and label of the prompt and on nothing else. */
static inline void fake_hashed(void *context, fake_answer *answer, const icl_select_input *input,
                               const icl_ask_prompt *prompt, const char *cue)
{
    (void)context;
    icl_hash_state state;
    icl_hash_begin(&state);
    for (size_t i = 0; i < prompt->shown_count; i++) {
        const char *shown = input->pool_texts[prompt->shown[i]];
        icl_hash_add(&state, shown, strlen(shown) + 1);
        icl_hash_add(&state, &input->pool_labels[prompt->shown[i]], sizeof(size_t));
    }
    const char *text = fake_prompt_text(input, prompt);
    icl_hash_add(&state, text, strlen(text) + 1);
    if (cue != NULL) icl_hash_add(&state, cue, strlen(cue));
    const uint64_t hash = icl_hash_end(&state).low;
    for (size_t label = 0; label < input->label_count; label++)
        answer->label_nats[label] = -0.1 - (double)(hash >> (label * 7 % 56) & 127) / 16;
    answer->input.tokens = 1 + strlen(text) / 4;
    answer->input.nats = -(1 + (double)(hash >> 8 & 255) / 64) * (double)answer->input.tokens;
    answer->text.tokens = answer->input.tokens + 20 * prompt->shown_count;
    answer->text.nats = -(1 + (double)(hash >> 16 & 255) / 64) * (double)answer->text.tokens;
    snprintf(answer->generation, sizeof answer->generation, "%s the %s",
             (hash & 1) != 0 ? "book" : "play", (hash & 2) != 0 ? "jazz" : "weather");
}

/* Fills *fake and lets `input` ask it. Both stay where they are while the method runs. */
static inline void fake_asker_serve(fake_asker *fake, icl_select_input *input, fake_model *model,
                                    void *context)
{
    *fake = (fake_asker){ .asker = { .user = fake,
                                     .label_count = input->label_count,
                                     .query_ids = input->query_ids,
                                     .labels = fake_labels,
                                     .inputs = fake_inputs,
                                     .texts = fake_texts,
                                     .generate = fake_generate },
                          .input = *input,
                          .model = model,
                          .context = context };
    input->asker = &fake->asker;
}

#endif
