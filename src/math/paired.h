/* math/paired.h - is one method better than another on the same items? Intervals and tests of
 * paired differences, and what to do about asking the question many times.
 *
 *   icl_rng rng = icl_rng_new(seed, "snips", NULL, "compare");
 *   icl_interval interval;
 *   icl_status status = icl_paired_bootstrap95(&interval, differences, seeds, items, 10000, &rng);
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

/* Percentile bootstrap of the mean of differences [seed_count][item_count] of which items and seeds
 * are both samples: each resample draws items and, apart from them, seeds, so an item that is hard
 * under every seed counts as one item. One seed: the paired bootstrap over items. The same rng
 * gives the same interval. All counts at least 1. ICL_ENOMEM. Owen 2007, "The pigeonhole
 * bootstrap". */
icl_status icl_paired_bootstrap95(icl_interval *out, const double *differences, size_t seed_count,
                                  size_t item_count, size_t resample_count, icl_rng *rng);

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
