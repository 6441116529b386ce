#include "math/matrix.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include <cblas.h>

#include "math/lanes.h"

void icl_matrix_multiply_transposed(float *out, const float *a, size_t a_rows, const float *b,
                                    size_t b_rows, size_t columns)
{
    assert(a_rows < INT_MAX && b_rows < INT_MAX && columns < INT_MAX);
    if (a_rows == 0 || b_rows == 0) return;
    const int m = (int)a_rows, n = (int)b_rows, k = (int)columns;
    /* BLAS wants strides of at least 1 even where there is nothing to add up. */
    const int stride = k > 0 ? k : 1;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0F, a, stride, b, stride, 0.0F,
                out, n);
}

double icl_vector_dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

double icl_vector_dot_doubles(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static float dot_single(const float *a, const float *b, size_t count)
{
    icl_lanes sums = { 0 };
    size_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES) {
        icl_lanes some_a, some_b;
        memcpy(&some_a, a + i, sizeof some_a);
        memcpy(&some_b, b + i, sizeof some_b);
        sums += some_a * some_b;
    }
    float sum = 0;
    for (size_t lane = 0; lane < ICL_LANES; lane++) sum += sums[lane];
    for (; i < count; i++) sum += a[i] * b[i];
    return sum;
}

void icl_vector_dots(float *out, const float *rows, size_t count, size_t columns,
                     const float *vector)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_single(rows + row * columns, vector, columns);
}

/* By halves: from the first lane to the last each addition would wait for the one before. */
static float lane_sum(icl_lanes lanes)
{
    for (size_t half = ICL_LANES / 2; half > 0; half /= 2)
        for (size_t lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
    return lanes[0];
}

void icl_vector_squares(float *out, const float *rows, size_t count, size_t columns)
{
    for (size_t row = 0; row < count; row++, rows += columns) {
        icl_lanes squares = { 0 };
        size_t i = 0;
        for (; i + ICL_LANES <= columns; i += ICL_LANES) {
            const icl_lanes some = icl_lanes_load(rows + i);
            squares += some * some;
        }
        out[row] = lane_sum(squares);
        for (; i < columns; i++) out[row] += rows[i] * rows[i];
    }
}

void icl_vector_squares_and_dots(float *out_squares, float *out_dots, const float *rows,
                                 size_t count, size_t columns, const float *vector)
{
    for (size_t row = 0; row < count; row++, rows += columns) {
        icl_lanes squares = { 0 }, products = { 0 };
        size_t i = 0;
        for (; i + ICL_LANES <= columns; i += ICL_LANES) {
            const icl_lanes some = icl_lanes_load(rows + i);
            squares += some * some;
            products += some * icl_lanes_load(vector + i);
        }
        out_squares[row] = lane_sum(squares);
        out_dots[row] = lane_sum(products);
        for (; i < columns; i++) {
            out_squares[row] += rows[i] * rows[i];
            out_dots[row] += rows[i] * vector[i];
        }
    }
}

double icl_vector_distance_squared(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum;
}

void icl_matrix_normalise_rows(float *out, const float *in, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        const float *from = &in[row * columns];
        float *to = &out[row * columns];
        const double length = sqrt(icl_vector_dot(from, from, columns));
        for (size_t i = 0; i < columns; i++)
            to[i] = length > 0 ? (float)((double)from[i] / length) : 0.0F;
    }
}

/* Whether any of `count` * ICL_LANES values reaches the floor; one that does is rare. */
static bool any_above(const float *values, const float *scales, const float *offsets, size_t count,
                      float floor)
{
    icl_lanes_int found = { 0 };
    for (size_t i = 0; i < count * ICL_LANES; i += ICL_LANES) {
        const icl_lanes value =
            icl_lanes_load(values + i) * icl_lanes_load(scales + i) - icl_lanes_load(offsets + i);
        found |= value >= icl_lanes_set(floor);
    }
    int32_t any = 0;
    for (size_t lane = 0; lane < ICL_LANES; lane++) any |= found[lane];
    return any != 0;
}

size_t icl_places_above(uint32_t *out, const float *values, const float *scales,
                        const float *offsets, size_t count, float floor)
{
    enum { CHUNK = 8 * ICL_LANES };
    size_t found = 0;
    for (size_t first = 0; first < count; first += CHUNK) {
        const size_t end = first + CHUNK < count ? first + CHUNK : count;
        if (end - first == CHUNK &&
            !any_above(values + first, scales + first, offsets + first, CHUNK / ICL_LANES, floor))
            continue;
        for (size_t i = first; i < end; i++) {
            out[found] = (uint32_t)i;
            found += values[i] * scales[i] - offsets[i] >= floor;
        }
    }
    return found;
}

size_t icl_matrix_finite_rows(const float *in, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < columns; i++)
            if (!isfinite(in[row * columns + i])) return row;
    }
    return rows;
}

void icl_matrix_gather_rows(float *out, const float *rows, const size_t *picked, size_t count,
                            size_t columns)
{
    for (size_t i = 0; i < count; i++)
        memcpy(&out[i * columns], &rows[picked[i] * columns], columns * sizeof *out);
}

void icl_matrix_centre_columns(float *rows, size_t count, size_t columns)
{
    for (size_t column = 0; column < columns; column++) {
        double sum = 0.0;
        for (size_t row = 0; row < count; row++) sum += (double)rows[row * columns + column];
        const float mean = count > 0 ? (float)(sum / (double)count) : 0.0f;
        for (size_t row = 0; row < count; row++) rows[row * columns + column] -= mean;
    }
}
