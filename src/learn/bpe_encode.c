#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "learn/bpe_model.h"
#include "learn/bpe_split.h"

/* A word while neighbours in it are merged: a list over the places of its bytes. */
typedef struct word_chain {
    struct chain_link {
        int32_t token;         /* -1: has gone into the one before it */
        size_t previous, next; /* SIZE_MAX: none */
    } * links;
    size_t capacity;
    icl_heap queue; /* by rank, then place; the value is the pair that stood there */
} word_chain;

static void chain_deinit(word_chain *chain)
{
    free(chain->links);
    icl_heap_deinit(&chain->queue);
}

static icl_pair pair_at(const word_chain *chain, size_t at)
{
    const size_t next = chain->links[at].next;
    return (icl_pair){ chain->links[at].token, next == SIZE_MAX ? -1 : chain->links[next].token };
}

static icl_status queue_pair(const icl_bpe *bpe, word_chain *chain, size_t at)
{
    const icl_pair pair = pair_at(chain, at);
    const uint32_t rank = icl_pair_table_find(&bpe->ranks, pair);
    if (rank == UINT32_MAX) return ICL_OK;
    return icl_heap_push(&chain->queue, (icl_heap_entry){ rank, at, icl_pair_key(pair) });
}

static icl_status fill_chain(const icl_bpe *bpe, word_chain *chain, const char *word, size_t length)
{
    ICL_TRY(icl_array_reserve(&chain->links, &chain->capacity, length));
    for (size_t i = 0; i < length; i++)
        chain->links[i] = (struct chain_link){ .token = bpe->byte_ids[(unsigned char)word[i]],
                                               .previous = i == 0 ? SIZE_MAX : i - 1,
                                               .next = i + 1 == length ? SIZE_MAX : i + 1 };
    chain->queue.count = 0;
    for (size_t i = 0; i < length; i++) ICL_TRY(queue_pair(bpe, chain, i));
    return ICL_OK;
}

/* The link at `at` swallows the one after it. */
static icl_status merge_at(const icl_bpe *bpe, word_chain *chain, size_t at, int32_t merged)
{
    struct chain_link *left = &chain->links[at], *right = &chain->links[left->next];
    left->token = merged;
    left->next = right->next;
    right->token = -1;
    if (left->next != SIZE_MAX) chain->links[left->next].previous = at;
    if (left->previous != SIZE_MAX) ICL_TRY(queue_pair(bpe, chain, left->previous));
    return queue_pair(bpe, chain, at);
}

/* Always merges the pair of the lowest rank, the leftmost of equals. */
static icl_status encode_word(const icl_bpe *bpe, word_chain *chain, const char *word,
                              size_t length, icl_tokens *out)
{
    ICL_TRY(fill_chain(bpe, chain, word, length));
    while (chain->queue.count > 0) {
        const icl_heap_entry entry = icl_heap_pop(&chain->queue);
        const bool stands = icl_pair_key(pair_at(chain, entry.second)) == entry.value;
        if (stands) ICL_TRY(merge_at(bpe, chain, entry.second, bpe->merged[entry.first]));
    }
    for (size_t at = length > 0 ? 0 : SIZE_MAX; at != SIZE_MAX; at = chain->links[at].next)
        ICL_TRY(icl_tokens_push(out, chain->links[at].token));
    return ICL_OK;
}

icl_status icl_bpe_encode_word(const icl_bpe *bpe, const char *word, size_t length, icl_tokens *out)
{
    word_chain chain = { 0 };
    const icl_status status = encode_word(bpe, &chain, word, length, out);
    chain_deinit(&chain);
    return status;
}

icl_status icl_bpe_encode(const icl_bpe *bpe, const char *text, size_t length, icl_tokens *out)
{
    ICL_TRY(icl_bpe_check_text(text, length));
    const size_t count_before = out->count;
    word_chain chain = { 0 };
    icl_status status = ICL_OK;
    for (size_t at = 0, end; status == ICL_OK && at < length; at = end) {
        end = icl_bpe_word_end(text, length, at);
        const size_t whole = icl_word_table_find(&bpe->whole, text + at, end - at);
        status = whole != SIZE_MAX ? icl_tokens_push(out, bpe->whole_ids[whole])
                                   : encode_word(bpe, &chain, text + at, end - at, out);
    }
    if (status != ICL_OK) out->count = count_before;
    chain_deinit(&chain);
    return status;
}
