#include "score/normalise.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

const char *const icl_normalise_names[] = {
    [ICL_NORMALISE_SUM] = "sum",      [ICL_NORMALISE_TOKENS] = "tokens",
    [ICL_NORMALISE_CHARS] = "chars",  [ICL_NORMALISE_BYTES] = "bytes",
    [ICL_NORMALISE_BYTES + 1] = NULL,
};

icl_answer_size icl_answer_size_of(const char *words, size_t tokens)
{
    const size_t bytes = strlen(words);
    return (
        icl_answer_size){ .tokens = tokens, .chars = icl_utf8_count(words, bytes), .bytes = bytes };
}

static size_t divisor(icl_normalise normalise, const icl_answer_size *size)
{
    switch (normalise) {
    case ICL_NORMALISE_TOKENS:
        return size->tokens;
    case ICL_NORMALISE_CHARS:
        return size->chars;
    case ICL_NORMALISE_BYTES:
        return size->bytes;
    case ICL_NORMALISE_SUM:
        break;
    }
    return 1;
}

double icl_normalise_logprob(double logprob_nats, icl_normalise normalise,
                             const icl_answer_size *size)
{
    const size_t count = divisor(normalise, size);
    assert(count > 0);
    return logprob_nats / (double)count;
}
