/* math/logits.h - reading a row of logits: its normaliser and its first choice, in one pass each.
 */
#ifndef ICL_MATH_LOGITS_H
#define ICL_MATH_LOGITS_H

#include <stddef.h>
#include <stdint.h>

typedef struct icl_logits_summary {
    double log_sum; /* log of the sum of exponentials, nats; NaN when a logit is NaN */
    int32_t best;   /* index of the first maximum */
} icl_logits_summary;

/* log P(token) = logits[token] - log_sum. Exponentials are float (relative error 2e-7), sums
 * double, in an order fixed by `count` alone. */
icl_logits_summary icl_logits_summarise(const float *logits, size_t count);

/* Entropy of softmax(logits), nats. */
double icl_logits_entropy_nats(const float *logits, size_t count, double log_sum);

#endif
