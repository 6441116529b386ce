/* engine/account.h - what an engine's batches take together, and a bound on it.
 *
 * A batch costs the distinct (prefix, token) pairs of those requests that the account has not seen
 * before. What a journal remembers from an earlier process is not free of charge: a resumed piece
 * of work pays what an undisturbed one pays, so that it takes the same decisions. For the same
 * reason what a batch keeps (icl_batch_keep) is free for all later batches that keep something,
 * whether the cache of this machine has had room for it or not.
 */
#ifndef ICL_ENGINE_ACCOUNT_H
#define ICL_ENGINE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <icl/engine.h>

#include "base/hash.h"

/* Zeroed: closed. */
typedef struct icl_account {
    bool open;
    bool remembers; /* a request that was paid for is free from then on; kept paths always are */
    uint64_t tokens_max, tokens_spent;
    icl_hash128 *paid; /* [capacity] requests and kept paths; open addressing, at most half full,
                          zero: free */
    size_t capacity, count;
} icl_account;

/* Tokens that the batches would cost as one. ICL_ENOMEM; ICL_EINVAL: a trie beyond 2^31 nodes. */
icl_status icl_account_price(uint64_t *out_tokens, const icl_account *account,
                             const icl_batch *const *batches, size_t count);

/* Pays for a batch. ICL_EBUDGET: it would exceed the bound, and nothing is paid; as
 * icl_account_price. */
icl_status icl_account_pay(icl_account *account, const icl_batch *batch);

void icl_account_deinit(icl_account *account);

#endif
