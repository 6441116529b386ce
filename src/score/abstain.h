/* score/abstain.h - when to answer and when to leave it to a person: a threshold on confidence,
 * found on labelled items, above which answers are as precise as wanted.
 *
 *   icl_abstention rule = { 0 };
 *   ICL_TRY(icl_abstention_find(&rule, probabilities, gold, count, label_count, 0.95));
 *   if (rule.found) ... answer where a row's largest probability is at least rule.threshold ...
 */
#ifndef ICL_SCORE_ABSTAIN_H
#define ICL_SCORE_ABSTAIN_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "math/interval.h"

typedef struct icl_abstention {
    bool found;            /* false: no threshold reaches the precision; the rest is 0 */
    double threshold;      /* answer from this confidence on */
    size_t kept, correct;  /* items with at least that confidence; of these answered right */
    double coverage;       /* kept / count */
    double precision;      /* correct / kept */
    icl_interval interval; /* Wilson, 95 %, of the precision */
} icl_abstention;

/* The smallest confidence of an item from which on the lower end of the precision's interval is at
 * least `precision`: the rule that answers most. An item's confidence is its largest probability,
 * its answer the first label that has it; equally confident items are kept together. probabilities
 * [count][label_count], gold [count], each below label_count; 0 <= precision <= 1.
 *
 * The interval is that of one threshold fixed beforehand; the best of many is a little too good,
 * the more so the fewer items. ICL_EINVAL: a probability is not in 0..1, a gold label or the
 * precision out of range; ICL_ENOMEM. On failure *out is untouched. */
icl_status icl_abstention_find(icl_abstention *out, const double *probabilities, const size_t *gold,
                               size_t count, size_t label_count, double precision);

/* The rule whose interval has the highest lower end, of equals that which answers most: the best
 * that can be promised. count > 0; otherwise as icl_abstention_find; `found` is set. */
icl_status icl_abstention_surest(icl_abstention *out, const double *probabilities,
                                 const size_t *gold, size_t count, size_t label_count);

#endif
