/* tests/fake_asker.h - a language model for tests of methods: every answer comes from a function
 * that the test gives, and calls and prompts are counted.
 *
 *   static void likes_its_label(void *context, fake_answer *answer, const fake_data *data,
 *                               const icl_ask_prompt *prompt, const icl_ask_generation *how)
 *   {
 *       answer->label_nats[data->pool_labels[prompt->shown[0]]] = 0;
 *   }
 *
 *   fake_asker fake;
 *   fake_asker_serve(&fake, &input, likes_its_label, NULL); // sets input.asker
 *   ... icl_select_run(&selection, method, &input, &options) ...
 *   assert_int_equal(fake.prompts, 12);
 */
#ifndef TESTS_FAKE_ASKER_H
#define TESTS_FAKE_ASKER_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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
#include "template/ask.h"

/* What the model knows of the input of a stage; borrowed from it. */
typedef struct fake_data {
    size_t pool_count, query_count, label_count;
    const char *const *pool_texts;  /* [pool_count] */
    const char *const *query_texts; /* [query_count] */
    const size_t *pool_labels;      /* [pool_count]; NULL: unlabelled */
    const size_t *query_self;       /* [query_count] pool index or SIZE_MAX; NULL: none is there */
    const char *const *query_ids;   /* [query_count] */
    const atomic_bool *cancelled;   /* may be NULL */
} fake_data;

/* What the model says of one prompt. Before the function runs, labels have -1 nats each in one
 * token, texts -1 nat in one token, and the generation is "". */
typedef struct fake_answer {
    double *label_nats; /* [label_count] */
    size_t label_tokens;
    icl_ask_text input, text;
    char generation[256];
    uint64_t draw; /* given: differs between seeds and places in the call; 0 where greedy */
} fake_answer;

/* Has to depend on texts, labels and ids alone: the numbers of queries differ between batches.
 * `how` is NULL but for generation. */
typedef void fake_model(void *context, fake_answer *answer, const fake_data *data,
                        const icl_ask_prompt *prompt, const icl_ask_generation *how);

typedef struct fake_asker {
    icl_asker asker;
    fake_data data;
    fake_model *model;
    void *context;
    size_t calls, prompts; /* asked so far */
    icl_status failure;    /* what calls return from number `fails_from` on; ICL_OK: none fails */
    size_t fails_from;     /* counts from 0 */
} fake_asker;

/* The text that a prompt ends with. */
static inline const char *fake_prompt_text(const fake_data *data, const icl_ask_prompt *prompt)
{
    switch (prompt->of) {
    case ICL_ASK_POOL:
        return data->pool_texts[prompt->item];
    case ICL_ASK_QUERY:
        return data->query_texts[prompt->item];
    case ICL_ASK_CONTENT_FREE:
        return icl_content_free_inputs[prompt->item];
    case ICL_ASK_WRITTEN:
        break;
    }
    return prompt->written;
}

static inline icl_status fake_begin(fake_asker *fake)
{
    const size_t call = fake->calls++;
    ICL_TRY(icl_cancel_check(fake->data.cancelled));
    if (fake->failure != ICL_OK && call >= fake->fails_from)
        return icl_error_set(fake->failure, "the fake model fails in call %zu", call);
    return ICL_OK;
}

static inline void fake_check(const fake_data *data, const icl_ask_prompt *prompt)
{
    if (prompt->of == ICL_ASK_WRITTEN) assert_non_null(prompt->written);
    const size_t counts[] = { [ICL_ASK_POOL] = data->pool_count,
                              [ICL_ASK_QUERY] = data->query_count,
                              [ICL_ASK_CONTENT_FREE] = ICL_CONTENT_FREE_COUNT,
                              [ICL_ASK_WRITTEN] = SIZE_MAX };
    assert_true(prompt->item < counts[prompt->of]);
    for (size_t i = 0; i < prompt->shown_count; i++) {
        assert_true(prompt->shown[i] < data->pool_count);
        assert_true(data->pool_labels != NULL &&
                    data->pool_labels[prompt->shown[i]] < data->label_count);
        if (prompt->of == ICL_ASK_QUERY && data->query_self != NULL) /* demonstrates itself */
            assert_true(prompt->shown[i] != data->query_self[prompt->item]);
    }
}

static inline void fake_ask(fake_asker *fake, fake_answer *answer, double *label_nats,
                            const icl_ask_prompt *prompt, const icl_ask_generation *how,
                            size_t place)
{
    const fake_data *data = &fake->data;
    fake_check(data, prompt);
    *answer = (fake_answer){
        .label_nats = label_nats, .label_tokens = 1, .input = { -1, 1 }, .text = { -1, 1 }
    };
    if (how != NULL && how->temperature > 0) {
        const uint64_t key[] = { how->seed, place };
        answer->draw = icl_hash(key, sizeof key).low | 1;
    }
    for (size_t label = 0; label < data->label_count; label++) label_nats[label] = -1;
    fake->model(fake->context, answer, data, prompt, how);
    fake->prompts++;
}

static inline icl_status fake_labels(void *user, double *out_nats, const icl_ask_prompt *prompts,
                                     size_t count)
{
    fake_asker *fake = user;
    ICL_TRY(fake_begin(fake));
    fake_answer answer;
    for (size_t i = 0; i < count; i++)
        fake_ask(fake, &answer, out_nats + i * fake->data.label_count, &prompts[i], NULL, i);
    return ICL_OK;
}

static inline icl_status fake_answers(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                                      const size_t *labels, size_t count)
{
    fake_asker *fake = user;
    ICL_TRY(fake_begin(fake));
    double *label_nats = calloc(fake->data.label_count + 1, sizeof *label_nats);
    fake_answer answer;
    for (size_t i = 0; i < count; i++) {
        assert_true(labels[i] < fake->data.label_count);
        fake_ask(fake, &answer, label_nats, &prompts[i], NULL, i);
        out[i] = (icl_ask_text){ .nats = label_nats[labels[i]], .tokens = answer.label_tokens };
    }
    free(label_nats);
    return ICL_OK;
}

static inline icl_status fake_texts_of(fake_asker *fake, icl_ask_text *out,
                                       const icl_ask_prompt *prompts, size_t count, bool whole)
{
    ICL_TRY(fake_begin(fake));
    double *label_nats = calloc(fake->data.label_count + 1, sizeof *label_nats);
    fake_answer answer;
    for (size_t i = 0; i < count; i++) {
        fake_ask(fake, &answer, label_nats, &prompts[i], NULL, i);
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
    double *label_nats = calloc(fake->data.label_count + 1, sizeof *label_nats);
    fake_answer answer;
    for (size_t i = 0; i < count; i++) {
        fake_ask(fake, &answer, label_nats, &prompts[i], how, i);
        const size_t length = strlen(answer.generation);
        out[i] = malloc(length + 1);
        memcpy(out[i], answer.generation, length + 1);
    }
    free(label_nats);
    return ICL_OK;
}

/* Answers that hang on every byte and label of the prompt, on how it is to go on, and on nothing
 * else. */
static inline void fake_hashed(void *context, fake_answer *answer, const fake_data *data,
                               const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context;
    icl_hash_state state;
    icl_hash_begin(&state);
    for (size_t i = 0; i < prompt->shown_count; i++) {
        const char *shown = data->pool_texts[prompt->shown[i]];
        icl_hash_add(&state, shown, strlen(shown) + 1);
        icl_hash_add(&state, &data->pool_labels[prompt->shown[i]], sizeof(size_t));
    }
    const char *text = fake_prompt_text(data, prompt);
    icl_hash_add(&state, text, strlen(text) + 1);
    if (how != NULL && how->cue != NULL) icl_hash_add(&state, how->cue, strlen(how->cue));
    if (answer->draw != 0) icl_hash_add(&state, &answer->draw, sizeof answer->draw);
    const uint64_t hash = icl_hash_end(&state).low;
    for (size_t label = 0; label < data->label_count; label++)
        answer->label_nats[label] = -0.1 - (double)(hash >> (label * 7 % 56) & 127) / 16;
    answer->label_tokens = 1 + (size_t)(hash >> 60 & 3);
    answer->input.tokens = 1 + strlen(text) / 4;
    answer->input.nats = -(1 + (double)(hash >> 8 & 255) / 64) * (double)answer->input.tokens;
    answer->text.tokens = answer->input.tokens + 20 * prompt->shown_count;
    answer->text.nats = -(1 + (double)(hash >> 16 & 255) / 64) * (double)answer->text.tokens;
    snprintf(answer->generation, sizeof answer->generation, "%s the %s",
             (hash & 1) != 0 ? "book" : "play", (hash & 2) != 0 ? "jazz" : "weather");
}

/* Fills *fake and returns the asker, which stays valid as long as *fake does. */
static inline const icl_asker *fake_asker_init(fake_asker *fake, fake_data data, fake_model *model,
                                               void *context)
{
    *fake = (fake_asker){ .asker = { .user = fake,
                                     .label_count = data.label_count,
                                     .query_ids = data.query_ids,
                                     .labels = fake_labels,
                                     .answers = fake_answers,
                                     .inputs = fake_inputs,
                                     .texts = fake_texts,
                                     .generate = fake_generate },
                          .data = data,
                          .model = model,
                          .context = context };
    return &fake->asker;
}

/* What the model knows of an icl_select_input or icl_order_input; macros, since stages share no
 * type of input. */
#define fake_data_of(stage_input)                                                                  \
    ((fake_data){ .pool_count = (stage_input)->pool_count,                                         \
                  .query_count = (stage_input)->query_count,                                       \
                  .label_count = (stage_input)->label_count,                                       \
                  .pool_texts = (stage_input)->pool_texts,                                         \
                  .query_texts = (stage_input)->query_texts,                                       \
                  .pool_labels = (stage_input)->pool_labels,                                       \
                  .query_self = (stage_input)->query_self,                                         \
                  .query_ids = (stage_input)->query_ids,                                           \
                  .cancelled = (stage_input)->cancelled })

/* Fills *fake and lets the input ask it. Both stay where they are while the method runs. */
#define fake_asker_serve(fake, stage_input, model_function, context)                               \
    ((void)((stage_input)->asker =                                                                 \
                fake_asker_init((fake), fake_data_of(stage_input), (model_function), (context))))

#endif
