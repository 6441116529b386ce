/* score/normalise.h - length normalisation of an answer's log-probability.
 *
 * The log-probability and the three counts are kept apart, so any convention can be applied later.
 */
#ifndef ICL_SCORE_NORMALISE_H
#define ICL_SCORE_NORMALISE_H

#include <stddef.h>

typedef enum icl_normalise {
    ICL_NORMALISE_SUM,    /* l, the log-probability of the whole answer; lm-eval's acc */
    ICL_NORMALISE_TOKENS, /* l / tokens of the continuation; MetaICL, vote-k, CEIL */
    ICL_NORMALISE_CHARS,  /* l / code points of the answer's words; lm-eval's acc_norm */
    ICL_NORMALISE_BYTES,  /* l / UTF-8 bytes of the answer's words; lm-eval's acc_bytes */
} icl_normalise;

/* "sum", "tokens", "chars", "bytes", NULL: indexed by icl_normalise. */
extern const char *const icl_normalise_names[];

typedef struct icl_answer_size {
    size_t tokens;       /* scored tokens of the continuation */
    size_t chars, bytes; /* of the words alone, without the space that joins them to the prompt */
} icl_answer_size;

/* Size of an answer whose words (valid UTF-8) take `tokens` tokens. */
icl_answer_size icl_answer_size_of(const char *words, size_t tokens);

/* The count chosen by `normalise` must not be 0. */
double icl_normalise_logprob(double logprob_nats, icl_normalise normalise,
                             const icl_answer_size *size);

#endif
