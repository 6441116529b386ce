/* tests/fake_trainable.h - a small model file for tests of methods that need the model's weights:
 * the random llama of two layers among the golden files, and texts in tokens that are their bytes.
 *
 *   fake_trainable fake;
 *   fake_trainable_serve(&fake, &input); // sets input.trainable
 */
#ifndef TESTS_FAKE_TRAINABLE_H
#define TESTS_FAKE_TRAINABLE_H

#include <assert.h>
#include <stdatomic.h>

#include "base/cancel.h"
#include "base/error.h"
#include "learn/trainable.h"

enum { FAKE_TEXT_TOKENS = 30, FAKE_SHOWN_MAX = 30 };

typedef struct fake_trainable {
    icl_trainable trainable;
    const char *const *pool_texts; /* borrowed from the input, as what follows */
    const size_t *pool_labels;
    const atomic_bool *cancelled;
    int32_t tokens[1 + (FAKE_SHOWN_MAX + 1) * (FAKE_TEXT_TOKENS + 2)];
    size_t token_count;
    icl_status failure; /* what asking for tokens returns */
} fake_trainable;

/* The first bytes of the text, and a word for the label; label 1 has two. Returns where the label
 * begins. */
static inline size_t fake_append(fake_trainable *fake, size_t item)
{
    const char *text = fake->pool_texts[item];
    for (size_t i = 0; text[i] != '\0' && i < FAKE_TEXT_TOKENS; i++)
        fake->tokens[fake->token_count++] = (unsigned char)text[i];
    const size_t first = fake->token_count;
    fake->tokens[fake->token_count++] = 200 + (int32_t)fake->pool_labels[item];
    if (fake->pool_labels[item] == 1) fake->tokens[fake->token_count++] = 250;
    return first;
}

/* BOS, then the items one after another. */
static inline icl_status fake_tokens(void *user, icl_labelled_tokens *out, const size_t *shown,
                                     size_t shown_count, size_t item)
{
    fake_trainable *fake = user;
    ICL_TRY(icl_cancel_check(fake->cancelled));
    if (fake->failure != ICL_OK) return icl_error_set(fake->failure, "the fake model fails");
    assert(shown_count <= FAKE_SHOWN_MAX);
    fake->token_count = 0;
    fake->tokens[fake->token_count++] = 0;
    for (size_t i = 0; i < shown_count; i++) fake_append(fake, shown[i]);
    const size_t first = fake_append(fake, item);
    *out = (icl_labelled_tokens){ fake->tokens, fake->token_count, 1, first };
    return ICL_OK;
}

/* Fills *fake; both stay where they are while the method runs. A macro, since stages share no type
 * of input. */
#define fake_trainable_serve(fake, stage_input)                                                    \
    (*(fake) = (fake_trainable){ .trainable = { .path = ICL_SOURCE_DIR                             \
                                                "/tests/golden/foreign_model.gguf",                \
                                                .thread_count = 1,                                 \
                                                .user = (fake),                                    \
                                                .tokens = fake_tokens },                           \
                                 .pool_texts = (stage_input)->pool_texts,                          \
                                 .pool_labels = (stage_input)->pool_labels,                        \
                                 .cancelled = (stage_input)->cancelled },                          \
     (void)((stage_input)->trainable = &(fake)->trainable))

#endif
