#include "select/token_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"

/* The lead and as much of the end as fits. */
static icl_status copy(icl_token_pool *pool, size_t item, const icl_labelled_tokens *from,
                       size_t length)
{
    const size_t cut = from->token_count > length ? from->token_count - length : 0;
    const size_t count = from->token_count - cut, lead = from->lead_count;
    int32_t *tokens = malloc(count * sizeof *tokens);
    if (tokens == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for an example of %zu tokens", count);
    memcpy(tokens, from->tokens, lead * sizeof *tokens);
    memcpy(tokens + lead, from->tokens + lead + cut, (count - lead) * sizeof *tokens);
    const size_t first = from->answer_first > lead + cut ? from->answer_first - cut : lead;
    pool->tokens[item] = tokens;
    pool->items[item] = (icl_labelled_tokens){ tokens, count, lead, first };
    if (count > pool->tokens_max) pool->tokens_max = count;
    if (count - first > pool->answer_max) pool->answer_max = count - first;
    return ICL_OK;
}

icl_status icl_token_pool_init(icl_token_pool *out, const icl_select_input *input, size_t length)
{
    assert(length > 2);
    const icl_trainable *trainable = input->trainable;
    icl_token_pool pool = { .count = input->pool_count };
    icl_status status = ICL_OK;
    pool.items = calloc(pool.count + 1, sizeof *pool.items);
    pool.tokens = calloc(pool.count + 1, sizeof *pool.tokens);
    if (pool.items == NULL || pool.tokens == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu examples", pool.count);
    for (size_t i = 0; status == ICL_OK && i < pool.count; i++) {
        icl_labelled_tokens made = { 0 };
        status = icl_cancel_check(input->cancelled);
        if (status == ICL_OK) status = trainable->tokens(trainable->user, &made, NULL, 0, i);
        if (status == ICL_OK) status = copy(&pool, i, &made, length);
    }
    if (status == ICL_OK)
        *out = pool;
    else
        icl_token_pool_deinit(&pool);
    return status;
}

void icl_token_pool_deinit(icl_token_pool *pool)
{
    for (size_t i = 0; pool->tokens != NULL && i < pool->count; i++) free(pool->tokens[i]);
    free(pool->tokens);
    free(pool->items);
    *pool = (icl_token_pool){ 0 };
}
