/* select/token_pool.h - the labelled pool in tokens, for methods that follow gradients. */
#ifndef ICL_SELECT_TOKEN_POOL_H
#define ICL_SELECT_TOKEN_POOL_H

#include "select/select.h"
#include "learn/trainable.h"

typedef struct icl_token_pool {
    icl_labelled_tokens *items; /* [count] */
    int32_t **tokens;           /* [count] what they borrow */
    size_t count;
    size_t tokens_max, answer_max; /* of the longest example, of the longest label */
} icl_token_pool;

/* Asks input->trainable for every item; of those longer than `length` the end is kept, and BOS.
 * *out is yours. What the trainable says; ICL_ECANCELLED; ICL_ENOMEM. */
icl_status icl_token_pool_init(icl_token_pool *out, const icl_select_input *input, size_t length);
void icl_token_pool_deinit(icl_token_pool *pool);

#endif
