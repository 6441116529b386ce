/* engine/batch.h - requests and their answers, as the engine's own files see them. */
#ifndef ICL_ENGINE_BATCH_H
#define ICL_ENGINE_BATCH_H

#include <icl/engine.h>

typedef enum request_kind {
    REQUEST_SCORE,
    REQUEST_DISTRIBUTION,
    REQUEST_WHOLE_DISTRIBUTION,
    REQUEST_HIDDEN,
} request_kind;

typedef struct prefix_span {
    size_t first, count; /* in icl_batch.tokens */
} prefix_span;

typedef struct icl_request {
    request_kind kind;
    size_t prefix;
    size_t first, count; /* continuation in icl_batch.tokens; count 0 for other kinds */
    size_t top_n;
    size_t
        answer_first; /* score: token log-probabilities in icl_batch.values, `count` of them;
                         distribution: top_n log-probabilities, top tokens in icl_batch.choices */
    float *vector;    /* whole distribution, hidden state: malloc'd when it is answered */
    size_t vector_size;
    double entropy_nats;
    size_t tokens_to_come; /* where it is kept */
    bool kept;
    bool greedy;
    bool answered;
} icl_request;

struct icl_batch {
    int32_t *tokens;
    size_t token_count, token_capacity;
    prefix_span *prefixes;
    size_t prefix_count, prefix_capacity;
    icl_request *requests;
    size_t request_count, request_capacity;
    double *values; /* answers, parallel to choices */
    int32_t *choices;
    size_t value_count, value_capacity;
};

/* Tokens to evaluate for one request alone; a continuation's last one is only read off. */
uint64_t icl_request_tokens(const icl_batch *batch, const icl_request *request);

/* Adds the requests of `batch` that are not answered, in their order. */
icl_status icl_batch_append(icl_batch *out, const icl_batch *batch);

/* Moves the answers of appended requests back to `batch`: those from *next on, which goes on behind
 * them. What is not answered stays so. */
void icl_batch_take_answers(icl_batch *batch, icl_batch *appended, size_t *next);

#endif
