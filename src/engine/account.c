#include "engine/account.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "engine/trie.h"

static icl_hash128 request_key(const icl_batch *batch, const icl_request *request)
{
    const prefix_span *span = &batch->prefixes[request->prefix];
    const uint64_t shape[] = { (uint64_t)request->kind, span->count, request->count,
                               request->top_n };
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, shape, sizeof shape);
    icl_hash_add(&state, batch->tokens + span->first, span->count * sizeof(int32_t));
    icl_hash_add(&state, batch->tokens + request->first, request->count * sizeof(int32_t));
    return icl_hash_end(&state);
}

/* ---- the requests that were paid for ---- */

static bool is_free(icl_hash128 key)
{
    return key.low == 0 && key.high == 0;
}

/* The place of the key, or the free one where it belongs; capacity above 0. */
static icl_hash128 *place_of(icl_hash128 *paid, size_t capacity, icl_hash128 key)
{
    for (size_t at = (size_t)key.low & (capacity - 1);; at = (at + 1) & (capacity - 1))
        if (is_free(paid[at]) || (paid[at].low == key.low && paid[at].high == key.high))
            return &paid[at];
}

static bool is_paid(const icl_account *account, icl_hash128 key)
{
    return account->count > 0 && !is_free(*place_of(account->paid, account->capacity, key));
}

static icl_status reserve(icl_account *account, size_t needed)
{
    size_t capacity = account->capacity > 0 ? account->capacity : 1024;
    while (capacity / 2 < needed) capacity *= 2;
    if (capacity == account->capacity) return ICL_OK;
    icl_hash128 *wider = calloc(capacity, sizeof *wider);
    if (wider == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the account of %zu requests", needed);
    for (size_t i = 0; i < account->capacity; i++)
        if (!is_free(account->paid[i]))
            *place_of(wider, capacity, account->paid[i]) = account->paid[i];
    free(account->paid);
    account->paid = wider;
    account->capacity = capacity;
    return ICL_OK;
}

static void remember(icl_account *account, const icl_batch *batch)
{
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_hash128 key = request_key(batch, &batch->requests[r]);
        icl_hash128 *place = place_of(account->paid, account->capacity, key);
        account->count += is_free(*place);
        *place = key;
    }
}

/* ---- prices ---- */

static icl_status copy_request(icl_batch *out, const icl_batch *batch, const icl_request *request)
{
    const prefix_span *span = &batch->prefixes[request->prefix];
    size_t prefix, added;
    ICL_TRY(icl_batch_add_prefix(out, batch->tokens + span->first, span->count, &prefix));
    if (request->kind == REQUEST_SCORE)
        return icl_batch_add_score(out, prefix, batch->tokens + request->first, request->count,
                                   &added);
    /* Whatever else is asked is read from the prefix's last row. */
    return icl_batch_add_distribution(out, prefix, 0, &added);
}

static icl_status copy_unpaid(icl_batch *out, const icl_account *account, const icl_batch *batch)
{
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_request *request = &batch->requests[r];
        if (!request->answered && !is_paid(account, request_key(batch, request)))
            ICL_TRY(copy_request(out, batch, request));
    }
    return ICL_OK;
}

icl_status icl_account_price(uint64_t *out_tokens, const icl_account *account,
                             const icl_batch *const *batches, size_t count)
{
    icl_batch *unpaid = NULL;
    icl_trie trie = { 0 };
    icl_status status = icl_batch_new(&unpaid);
    for (size_t b = 0; b < count && status == ICL_OK; b++)
        status = copy_unpaid(unpaid, account, batches[b]);
    if (status == ICL_OK) status = icl_trie_build(&trie, unpaid);
    if (status == ICL_OK) *out_tokens = trie.node_count - 1;
    icl_trie_deinit(&trie);
    icl_batch_free(unpaid);
    return status;
}

icl_status icl_account_pay(icl_account *account, const icl_batch *batch)
{
    uint64_t tokens;
    ICL_TRY(icl_account_price(&tokens, account, &batch, 1));
    const uint64_t left = account->tokens_max > account->tokens_spent
                              ? account->tokens_max - account->tokens_spent
                              : 0;
    if (tokens > left)
        return icl_error_set(ICL_EBUDGET,
                             "%" PRIu64 " tokens are asked for where %" PRIu64 " are left", tokens,
                             left);
    if (account->remembers) {
        ICL_TRY(reserve(account, account->count + batch->request_count));
        remember(account, batch);
    }
    account->tokens_spent += tokens;
    return ICL_OK;
}

void icl_account_deinit(icl_account *account)
{
    free(account->paid);
    *account = (icl_account){ 0 };
}
