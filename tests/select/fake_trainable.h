/* tests/select/fake_trainable.h - a small model file for tests of methods that follow gradients:
 * the random llama of two layers among the golden files, and texts in tokens that are their bytes.
 *
 *   fake_trainable fake;
 *   fake_trainable_serve(&fake, &input); // sets input.trainable
 */
#ifndef TESTS_SELECT_FAKE_TRAINABLE_H
#define TESTS_SELECT_FAKE_TRAINABLE_H

#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "select/select.h"
#include "select/trainable.h"

enum { FAKE_TEXT_TOKENS = 30 };

typedef struct fake_trainable {
    icl_trainable trainable;
    icl_select_input input;
    int32_t tokens[FAKE_TEXT_TOKENS + 3];
    icl_status failure; /* what asking for tokens returns */
} fake_trainable;

/* BOS, the first bytes of the text, and a word for the label; label 1 has two. */
static inline icl_status fake_tokens(void *user, icl_labelled_tokens *out, size_t item)
{
    fake_trainable *fake = user;
    const char *text = fake->input.pool_texts[item];
    const size_t label = fake->input.pool_labels[item];
    size_t count = 0;
    ICL_TRY(icl_cancel_check(fake->input.cancelled));
    if (fake->failure != ICL_OK) return icl_error_set(fake->failure, "the fake model fails");
    fake->tokens[count++] = 0;
    for (size_t i = 0; text[i] != '\0' && i < FAKE_TEXT_TOKENS; i++)
        fake->tokens[count++] = (unsigned char)text[i];
    const size_t first = count;
    fake->tokens[count++] = 200 + (int32_t)label;
    if (label == 1) fake->tokens[count++] = 250;
    *out = (icl_labelled_tokens){ fake->tokens, count, 1, first };
    return ICL_OK;
}

/* Fills *fake; both stay where they are while the method is fitted. */
static inline void fake_trainable_serve(fake_trainable *fake, icl_select_input *input)
{
    *fake = (fake_trainable){
        .trainable = { .path = ICL_SOURCE_DIR "/tests/golden/foreign_model.gguf",
                       .thread_count = 1,
                       .user = fake,
                       .tokens = fake_tokens },
        .input = *input,
    };
    input->trainable = &fake->trainable;
}

#endif
