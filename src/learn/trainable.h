/* learn/trainable.h - the language model as weights, for methods that a run's engine cannot serve:
 * its file, and pool items in its tokens. The pipeline serves it (pipeline/trainable.h).
 *
 *   icl_frozen_model frozen = { 0 };
 *   ICL_TRY(icl_frozen_model_open(&frozen, input->trainable));
 *   icl_labelled_tokens example;
 *   status = trainable->tokens(trainable->user, &example, NULL, 0, item);
 *   icl_frozen_model_close(&frozen);
 */
#ifndef ICL_LEARN_TRAINABLE_H
#define ICL_LEARN_TRAINABLE_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "learn/transformer.h"

/* A prompt followed by the words of its label. */
typedef struct icl_labelled_tokens {
    const int32_t *tokens; /* [token_count] */
    size_t token_count;
    size_t lead_count;   /* BOS, which is no text: 0 or 1 */
    size_t answer_first; /* the label's words: answer_first .. token_count - 1 */
} icl_labelled_tokens;

typedef struct icl_trainable {
    const char *path; /* of the model's file */
    size_t thread_count;
    void *user;
    /* A pool item as a run shows it after the demonstrations shown[shown_count], pool indices in
     * order of showing; NULL and 0: zero-shot. Its tokens are valid until the next call. What the
     * prompt policy refuses. */
    icl_status (*tokens)(void *user, icl_labelled_tokens *out, const size_t *shown,
                         size_t shown_count, size_t item);
} icl_trainable;

typedef struct icl_frozen_model {
    icl_device *device;
    icl_transformer *model;
} icl_frozen_model;

/* The model of the file on the CPU, in float32; no weight of it trains. *out, which is zeroed, is
 * yours on failure too. As icl_device_open, icl_transformer_new, icl_model_file_read. */
icl_status icl_frozen_model_open(icl_frozen_model *out, const icl_trainable *trainable);
void icl_frozen_model_close(icl_frozen_model *frozen);

#endif
