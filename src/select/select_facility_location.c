/* Facility location: items such that every pool item is near to one of them. The sum over the pool
 * of the cosine to the nearest picked item, from -1 while there is none, is monotone and
 * submodular, so the greedy picks reach 1 - 1/e of the best sum.
 *
 * All cosines of the pool are kept when they fit the option `memory_mib`, else they are computed
 * whenever they are needed, block by block, with the same bits. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/matrix.h"
#include "select/greedy.h"
#include "select/subset.h"
#include "select/unit_rows.h"

enum { BLOCK = 256 };

typedef struct facilities {
    const icl_select_input *input;
    float *rows;    /* [pool_count][vector_size] unit length */
    float *cosines; /* [pool_count][pool_count], or NULL where that is too much */
    float *best;    /* [pool_count] cosine to the nearest pick, -1 before the first */
} facilities;

static size_t block_rows(const facilities *f, size_t first)
{
    const size_t left = f->input->pool_count - first;
    return left < BLOCK ? left : BLOCK;
}

/* An item is as near to itself as can be: rounding must not part two items that would gain alike.
 */
static void compute_block(float *out, const facilities *f, size_t item, size_t first)
{
    const size_t columns = f->input->vector_size, rows = block_rows(f, first);
    icl_vector_dots(out, &f->rows[first * columns], rows, columns, &f->rows[item * columns]);
    if (item >= first && item - first < rows && out[item - first] > 0) out[item - first] = 1;
}

/* Cosines of an item with the block of pool items from `first` on; scratch [BLOCK]. */
static const float *block_of(const facilities *f, size_t item, size_t first, float *scratch)
{
    if (f->cosines != NULL) return &f->cosines[item * f->input->pool_count + first];
    compute_block(scratch, f, item, first);
    return scratch;
}

static icl_status measure(void *user, double *out, const size_t *candidates, size_t count)
{
    const facilities *f = user;
    float scratch[BLOCK];
    for (size_t c = 0; c < count; c++) out[c] = 0;
    /* The rows of a block stay in the processor's cache while all candidates meet them. */
    for (size_t first = 0; first < f->input->pool_count; first += BLOCK) {
        const size_t rows = block_rows(f, first);
        for (size_t c = 0; c < count; c++) {
            const float *cosines = block_of(f, candidates[c], first, scratch);
            double gain = 0;
            for (size_t i = 0; i < rows; i++) {
                const double more = (double)cosines[i] - (double)f->best[first + i];
                gain += more > 0 ? more : 0;
            }
            out[c] += gain;
        }
    }
    return ICL_OK;
}

static void add(void *user, size_t candidate)
{
    const facilities *f = user;
    float scratch[BLOCK];
    for (size_t first = 0; first < f->input->pool_count; first += BLOCK) {
        const float *cosines = block_of(f, candidate, first, scratch);
        for (size_t i = 0; i < block_rows(f, first); i++)
            if (cosines[i] > f->best[first + i]) f->best[first + i] = cosines[i];
    }
}

static icl_status keep_cosines(facilities *f, size_t bytes_max)
{
    const size_t pool = f->input->pool_count;
    if (pool > bytes_max / sizeof *f->cosines / pool) return ICL_OK;
    f->cosines = malloc(pool * pool * sizeof *f->cosines);
    if (f->cosines == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the cosines of %zu items", pool);
    for (size_t first = 0; first < pool; first += BLOCK) {
        ICL_TRY(icl_cancel_check(f->input->cancelled));
        for (size_t item = 0; item < pool; item++)
            compute_block(&f->cosines[item * pool + first], f, item, first);
    }
    return ICL_OK;
}

static icl_status facilities_init(facilities *f, const icl_select_input *input,
                                  const icl_options *options)
{
    f->input = input;
    f->best = malloc(input->pool_count * sizeof *f->best);
    if (f->best == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu cosines", input->pool_count);
    for (size_t i = 0; i < input->pool_count; i++) f->best[i] = -1;
    ICL_TRY(icl_unit_rows(&f->rows, input));
    return keep_cosines(f, (size_t)icl_options_int(options, "memory_mib") << 20);
}

static void facilities_deinit(facilities *f)
{
    free(f->cosines);
    free(f->rows);
    free(f->best);
}

static icl_status pick_facility_location(size_t *out, size_t budget, const icl_select_input *input,
                                         const icl_options *options)
{
    facilities f = { 0 };
    icl_status status = facilities_init(&f, input, options);
    if (status == ICL_OK)
        status = icl_greedy_run(out, budget,
                                &(icl_greedy){ .candidate_count = input->pool_count,
                                               .user = &f,
                                               .gains = measure,
                                               .add = add,
                                               .cancelled = input->cancelled });
    facilities_deinit(&f);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
    { .name = "memory_mib",
      .type = ICL_OPTION_INT,
      .fallback = "512",
      .minimum = 0,
      .maximum = 1e6,
      .help = "all cosines are kept where they need no more (512: a pool of 11585); speed alone" },
};

const icl_select_method icl_select_facility_location = {
    .card = { .name = "facility-location",
              .summary = "The nearest of a budget of items to which all others are near.",
              .paper = "Su et al. 2023, \"Selective Annotation Makes Language Models Better "
                       "Few-Shot Learners\" (its baseline)",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .pick = pick_facility_location,
};
