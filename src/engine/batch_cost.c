#include "engine/batch_cost.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/batch.h"
#include "engine/trie.h"

icl_status icl_batch_cost_of(icl_batch_cost *out, const icl_batch *batch)
{
    icl_batch asked = *batch; /* the same texts with requests of its own, none answered */
    icl_trie trie = { 0 };
    icl_batch_cost cost = { .requests = batch->request_count };
    asked.requests = calloc(batch->request_count + 1, sizeof *asked.requests);
    if (asked.requests == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu requests", batch->request_count);
    for (size_t r = 0; r < batch->request_count; r++) {
        asked.requests[r] = batch->requests[r];
        asked.requests[r].answered = false;
        cost.tokens_asked += icl_request_tokens(batch, &batch->requests[r]);
    }
    const icl_status status = icl_trie_build(&trie, &asked);
    if (status == ICL_OK) {
        cost.tokens_trie = trie.node_count - 1;
        *out = cost;
    }
    icl_trie_deinit(&trie);
    free(asked.requests);
    return status;
}
