/* base/rng.h - counter-based randomness: the numbers of a draw depend on its key, never on when
 * it happens. Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3").
 *
 *   icl_rng rng = icl_rng_new(seed, "snips", "test-17", "select");
 *   size_t index = icl_rng_below(&rng, pool_count);
 */
#ifndef ICL_BASE_RNG_H
#define ICL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct icl_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    unsigned used; /* words of `block` already given out; 4 = empty */
} icl_rng;

/* Strings may be NULL (the same as ""). */
icl_rng icl_rng_new(uint64_t seed, const char *task, const char *document_id, const char *purpose);
uint32_t icl_rng_u32(icl_rng *rng);
size_t icl_rng_below(icl_rng *rng, size_t bound); /* uniform in 0..bound-1, unbiased; bound > 0 */
double icl_rng_unit(icl_rng *rng);                /* uniform in [0, 1), 53 bits */
double icl_rng_normal(icl_rng *rng);              /* standard normal, Box-Muller */
void icl_rng_shuffle(icl_rng *rng, size_t *items, size_t count); /* Fisher-Yates */

/* The bare block function, for tests against published vectors. */
void icl_philox4x32_10(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

#endif
