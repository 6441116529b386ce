/* select/trainable.h - the language model as weights, for methods whose `fit` follows gradients:
 * its file, and pool items in its tokens. The pipeline serves it (pipeline/trainable.h). */
#ifndef ICL_SELECT_TRAINABLE_H
#define ICL_SELECT_TRAINABLE_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

/* A zero-shot prompt followed by the words of its label. */
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
    /* A pool item as a run shows it; its tokens are valid until the next call. What the prompt
     * policy refuses. */
    icl_status (*tokens)(void *user, icl_labelled_tokens *out, size_t item);
} icl_trainable;

#endif
