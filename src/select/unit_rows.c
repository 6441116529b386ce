#include "select/unit_rows.h"

#include <stdlib.h>

#include "base/error.h"
#include "math/matrix.h"

icl_status icl_unit_rows_check(const icl_select_input *input)
{
    const size_t row =
        icl_matrix_finite_rows(input->pool_vectors, input->pool_count, input->vector_size);
    if (row == input->pool_count) return ICL_OK;
    return icl_error_set(ICL_EINVAL, "the vector of pool item %zu is not finite", row);
}

icl_status icl_unit_rows(float **out, const icl_select_input *input)
{
    const size_t count = input->pool_count, columns = input->vector_size;
    ICL_TRY(icl_unit_rows_check(input));
    /* One more than needed: malloc(0) may return NULL. */
    float *rows = malloc((count * columns + 1) * sizeof *rows);
    if (rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu sentence vectors", count);
    icl_matrix_normalise_rows(rows, input->pool_vectors, count, columns);
    *out = rows;
    return ICL_OK;
}
