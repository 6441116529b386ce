/* Facility location: items such that every pool item is near to one of them. The sum over the pool
 * of the cosine to the nearest picked item, from -1 while there is none, is monotone and submodular,
 * so the greedy picks reach 1 - 1/e of the best sum. No matrix of all cosines is kept: a block of
 * rows is held in the processor's cache while it meets all candidates that are measured. */
#include <stdlib.h>

#include "base/error.h"
#include "math/matrix.h"
#include "select/greedy.h"
#include "select/subset.h"
#include "select/unit_rows.h"

enum { BLOCK = 256 };

typedef struct facilities {
    const icl_select_input *input;
    float *rows; /* [pool_count][vector_size] unit length */
    float *best; /* [pool_count] cosine to the nearest pick, -1 before the first */
} facilities;

static const float *row_of(const facilities *f, size_t item)
{
    return &f->rows[item * f->input->vector_size];
}

static icl_status measure(void *user, double *out, const size_t *candidates, size_t count)
{
    const facilities *f = user;
    const size_t pool = f->input->pool_count, columns = f->input->vector_size;
    float cosines[BLOCK];
    for (size_t c = 0; c < count; c++) out[c] = 0;
    for (size_t first = 0; first < pool; first += BLOCK) {
        const size_t rows = pool - first < BLOCK ? pool - first : BLOCK;
        for (size_t c = 0; c < count; c++) {
            icl_vector_dots(cosines, row_of(f, first), rows, columns, row_of(f, candidates[c]));
            double gain = 0;
            for (size_t i = 0; i < rows; i++) {
                const float more = cosines[i] - f->best[first + i];
                gain += more > 0 ? (double)more : 0;
            }
            out[c] += gain;
        }
    }
    return ICL_OK;
}

static void add(void *user, size_t candidate)
{
    const facilities *f = user;
    const size_t pool = f->input->pool_count, columns = f->input->vector_size;
    float cosines[BLOCK];
    for (size_t first = 0; first < pool; first += BLOCK) {
        const size_t rows = pool - first < BLOCK ? pool - first : BLOCK;
        icl_vector_dots(cosines, row_of(f, first), rows, columns, row_of(f, candidate));
        for (size_t i = 0; i < rows; i++)
            if (cosines[i] > f->best[first + i]) f->best[first + i] = cosines[i];
    }
}

static icl_status pick_facility_location(size_t *out, size_t budget, const icl_select_input *input,
                                         const icl_options *options)
{
    (void)options;
    facilities f = { .input = input, .best = malloc(input->pool_count * sizeof *f.best) };
    icl_status status = ICL_OK;
    if (f.best == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu cosines", input->pool_count);
    for (size_t i = 0; status == ICL_OK && i < input->pool_count; i++) f.best[i] = -1;
    if (status == ICL_OK) status = icl_unit_rows(&f.rows, input);
    if (status == ICL_OK)
        status = icl_greedy_run(out, budget, &(icl_greedy){ .candidate_count = input->pool_count,
                                                            .user = &f,
                                                            .gains = measure,
                                                            .add = add,
                                                            .cancelled = input->cancelled });
    free(f.rows);
    free(f.best);
    return status;
}

static icl_status select_facility_location(icl_selection *out, const icl_select_input *input,
                                           const icl_options *options)
{
    return icl_subset_run(out, input, options, pick_facility_location);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
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
    .run = select_facility_location,
    .pick = pick_facility_location,
};
