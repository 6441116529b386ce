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

static void remember(icl_account *account, icl_hash128 key)
{
    icl_hash128 *place = place_of(account->paid, account->capacity, key);
    account->count += is_free(*place);
    *place = key;
}

/* ---- prices ---- */

static icl_status copy_request(icl_batch *out, const icl_batch *batch, const icl_request *request)
{
    const prefix_span *span = &batch->prefixes[request->prefix];
    size_t prefix, added;
    ICL_TRY(icl_batch_add_prefix(out, batch->tokens + span->first, span->count, &prefix));
    if (request->kind == REQUEST_SCORE)
        ICL_TRY(icl_batch_add_score(out, prefix, batch->tokens + request->first, request->count,
                                    &added));
    else /* whatever else is asked is read from the prefix's last row */
        ICL_TRY(icl_batch_add_distribution(out, prefix, 0, &added));
    if (request->kept) icl_batch_keep(out, added, request->tokens_to_come);
    return ICL_OK;
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

/* What batches ask for that is not paid, as one. */
typedef struct account_bill {
    icl_batch *unpaid;
    icl_trie trie;
    icl_hash128 *paths; /* [node_count] of a node and its ancestors; NULL: nothing is kept */
    uint64_t tokens;
} account_bill;

static void bill_deinit(account_bill *bill)
{
    free(bill->paths);
    icl_trie_deinit(&bill->trie);
    icl_batch_free(bill->unpaid);
}

static icl_status hash_paths(account_bill *bill)
{
    const icl_trie *trie = &bill->trie;
    bill->paths = calloc(trie->node_count, sizeof *bill->paths);
    if (bill->paths == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the account of %zu tokens",
                             trie->node_count);
    for (size_t i = 1; i < trie->node_count; i++) {
        const icl_hash128 *above = &bill->paths[trie->nodes[i].parent];
        const uint64_t step[] = { above->low, above->high, (uint32_t)trie->nodes[i].token };
        bill->paths[i] = icl_hash(step, sizeof step);
    }
    return ICL_OK;
}

/* Tokens of the trie without those that an earlier batch has kept, as icl_holds_choose finds them
 * in a cache that never wants for room. */
static icl_status count_tokens(account_bill *bill, const icl_account *account)
{
    const icl_trie *trie = &bill->trie;
    bool *there = calloc(trie->node_count, sizeof *there);
    if (there == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the account of %zu tokens",
                             trie->node_count);
    there[TRIE_ROOT] = true;
    bill->tokens = trie->node_count - 1;
    for (size_t i = 1; i < trie->node_count; i++) {
        const trie_node *node = &trie->nodes[i];
        there[i] =
            there[node->parent] && node->ask_first == TRIE_NONE && is_paid(account, bill->paths[i]);
        bill->tokens -= there[i];
    }
    free(there);
    return ICL_OK;
}

static icl_status make_bill(account_bill *bill, const icl_account *account,
                            const icl_batch *const *batches, size_t count)
{
    ICL_TRY(icl_batch_new(&bill->unpaid));
    for (size_t b = 0; b < count; b++) ICL_TRY(copy_unpaid(bill->unpaid, account, batches[b]));
    ICL_TRY(icl_trie_build(&bill->trie, bill->unpaid));
    bill->tokens = bill->trie.node_count - 1;
    bool keeps = false;
    for (size_t r = 0; r < bill->unpaid->request_count; r++)
        keeps |= bill->unpaid->requests[r].kept;
    if (!keeps) return ICL_OK;
    ICL_TRY(hash_paths(bill));
    return count_tokens(bill, account);
}

icl_status icl_account_price(uint64_t *out_tokens, const icl_account *account,
                             const icl_batch *const *batches, size_t count)
{
    account_bill bill = { 0 };
    const icl_status status = make_bill(&bill, account, batches, count);
    if (status == ICL_OK) *out_tokens = bill.tokens;
    bill_deinit(&bill);
    return status;
}

/* The paths of kept requests, each node of them. */
static void remember_kept(icl_account *account, const account_bill *bill)
{
    const icl_trie *trie = &bill->trie;
    for (uint32_t i = 1; i < trie->node_count; i++)
        for (uint32_t a = trie->nodes[i].ask_first; a != TRIE_NONE; a = trie->asks[a].next) {
            if (!bill->unpaid->requests[trie->asks[a].request].kept) continue;
            for (uint32_t at = i; at != TRIE_ROOT && !is_paid(account, bill->paths[at]);
                 at = trie->nodes[at].parent)
                remember(account, bill->paths[at]);
        }
}

static icl_status settle(icl_account *account, const icl_batch *batch, const account_bill *bill)
{
    const uint64_t left = account->tokens_max > account->tokens_spent
                              ? account->tokens_max - account->tokens_spent
                              : 0;
    if (bill->tokens > left)
        return icl_error_set(ICL_EBUDGET,
                             "%" PRIu64 " tokens are asked for where %" PRIu64 " are left",
                             bill->tokens, left);
    const size_t paths = bill->paths != NULL ? bill->trie.node_count : 0;
    ICL_TRY(reserve(account, account->count + batch->request_count + paths));
    if (bill->paths != NULL) remember_kept(account, bill);
    for (size_t r = 0; r < batch->request_count && account->remembers; r++)
        remember(account, request_key(batch, &batch->requests[r]));
    account->tokens_spent += bill->tokens;
    return ICL_OK;
}

icl_status icl_account_pay(icl_account *account, const icl_batch *batch)
{
    account_bill bill = { 0 };
    icl_status status = make_bill(&bill, account, &batch, 1);
    if (status == ICL_OK) status = settle(account, batch, &bill);
    bill_deinit(&bill);
    return status;
}

void icl_account_deinit(icl_account *account)
{
    free(account->paid);
    *account = (icl_account){ 0 };
}
