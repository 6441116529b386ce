#include "math/paired.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- bootstrap ---- */

void icl_resample_weights(uint32_t *weights, size_t count, icl_rng *rng)
{
    memset(weights, 0, count * sizeof *weights);
    for (size_t i = 0; i < count; i++) weights[icl_rng_below(rng, count)]++;
}

/* ---- McNemar ---- */

double icl_mcnemar_exact(size_t first_only, size_t second_only)
{
    const size_t fewer = first_only < second_only ? first_only : second_only;
    const size_t n = first_only + second_only;
    if (first_only == second_only) return 1.0;
    double log_term = -(double)n * log(2.0), tail = 0.0;
    for (size_t k = 0; k <= fewer; k++) {
        tail += exp(log_term);
        log_term += log((double)(n - k)) - log((double)(k + 1));
    }
    return fmin(2.0 * tail, 1.0);
}

/* What the items say together. */
typedef struct discordance {
    size_t first_only, second_only; /* items */
    size_t first_sum, second_sum;   /* of |differences| */
    size_t largest;                 /* |difference| */
} discordance;

static discordance discordance_of(const int32_t *differences, size_t count)
{
    discordance found = { 0 };
    for (size_t i = 0; i < count; i++) {
        const size_t size = (size_t)llabs((long long)differences[i]);
        found.first_only += differences[i] > 0;
        found.second_only += differences[i] < 0;
        *(differences[i] > 0 ? &found.first_sum : &found.second_sum) += size;
        if (size > found.largest) found.largest = size;
    }
    return found;
}

/* mass[u] becomes the probability that the items whose coin says so have |differences| of sum u. */
static void flip_signs(double *mass, const int32_t *differences, size_t count)
{
    size_t reached = 0;
    mass[0] = 1.0;
    for (size_t i = 0; i < count; i++) {
        const size_t size = (size_t)llabs((long long)differences[i]);
        if (size == 0) continue;
        reached += size;
        for (size_t u = reached + 1; u-- > 0;)
            mass[u] = 0.5 * (mass[u] + (u >= size ? mass[u - size] : 0.0));
    }
}

icl_status icl_mcnemar_clustered(double *out_p, const int32_t *differences, size_t count)
{
    const discordance found = discordance_of(differences, count);
    const size_t sum = found.first_sum + found.second_sum;
    const size_t fewer = found.first_sum < found.second_sum ? found.first_sum : found.second_sum;
    if (found.first_sum == found.second_sum) {
        *out_p = 1.0;
        return ICL_OK;
    }
    if (sum == found.largest * (found.first_only + found.second_only)) {
        *out_p = icl_mcnemar_exact(found.first_only, found.second_only);
        return ICL_OK;
    }
    double *mass = calloc(sum + 1, sizeof *mass);
    if (mass == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a test of %zu items", count);
    flip_signs(mass, differences, count);
    double tail = 0.0;
    for (size_t u = 0; u <= fewer; u++) tail += mass[u];
    *out_p = fmin(2.0 * tail, 1.0);
    free(mass);
    return ICL_OK;
}

/* ---- Holm ---- */

typedef struct ranked_p {
    double p;
    size_t index;
} ranked_p;

static int compare_ranked(const void *left, const void *right)
{
    const ranked_p *a = left, *b = right;
    if (a->p != b->p) return a->p < b->p ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

icl_status icl_holm(double *out, const double *p, size_t count)
{
    if (count == 0) return ICL_OK;
    ranked_p *ranked = malloc(count * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu tests", count);
    for (size_t i = 0; i < count; i++) ranked[i] = (ranked_p){ .p = p[i], .index = i };
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    double highest = 0.0;
    for (size_t rank = 0; rank < count; rank++) {
        highest = fmax(highest, fmin(1.0, (double)(count - rank) * ranked[rank].p));
        out[ranked[rank].index] = highest;
    }
    free(ranked);
    return ICL_OK;
}
