/* math/paired.h - is one method better than another on the same items? Resamples and tests of
 * paired differences, and what to do about asking the question many times.
 *
 *   icl_rng rng = icl_rng_new(seed, "snips", NULL, "compare");
 *   for (size_t r = 0; r < 10000; r++) {
 *       icl_resample_weights(weights, items, &rng);
 *       differences[r] = ... the weighted metric of one method less that of the other ...
 *   }
 *   icl_interval interval = icl_interval_percentile95(differences, 10000);
 */
#ifndef ICL_MATH_PAIRED_H
#define ICL_MATH_PAIRED_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/rng.h"
#include "math/interval.h"

/* One sample with replacement of `count` things: weights[i] says how often i was drawn. */
void icl_resample_weights(uint32_t *weights, size_t count, icl_rng *rng);

/* Two-sided exact McNemar test: the probability, were both methods equally good, of a split of the
 * items that only one of them answers right at least as uneven as this. 1 when there are none.
 * McNemar 1947, "Note on the sampling error of the difference between correlated proportions". */
double icl_mcnemar_exact(size_t first_only, size_t second_only);

/* The same for items that were answered under several seeds: differences[i] is how often only the
 * first method answered item i right less how often only the second did. Under equal methods the
 * sign of an item's difference is a fair coin; the exact distribution of the sum follows. One seed:
 * McNemar. Seeds that change nothing do not change p, as they would if every answer counted on its
 * own. Memory and work grow with the sum of all |differences|. ICL_ENOMEM. Fisher 1935, "The Design
 * of Experiments", section 21. */
icl_status icl_mcnemar_clustered(double *out_p, const int32_t *differences, size_t count);

/* p values of a family of tests, adjusted so that the chance of any false finding stays at the
 * level that one test has. Order is kept, no value shrinks, none exceeds 1. out and p [count], may
 * alias. ICL_ENOMEM. Holm 1979, "A simple sequentially rejective multiple test procedure". */
icl_status icl_holm(double *out, const double *p, size_t count);

#endif
