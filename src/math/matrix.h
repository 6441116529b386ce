/* math/matrix.h - row-major float matrices: the products and row operations that the library needs,
 * over BLAS.
 */
#ifndef ICL_MATH_MATRIX_H
#define ICL_MATH_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* out = a b^T for a [a_rows][columns], b [b_rows][columns], out [a_rows][b_rows]; counts < 2^31.
 * The last bits depend on the shape and the thread count: compare such results only with a
 * tolerance. */
void icl_matrix_multiply_transposed(float *out, const float *a, size_t a_rows, const float *b,
                                    size_t b_rows, size_t columns);

/* Dot product summed from the first element to the last in double: the same bits everywhere. */
double icl_vector_dot(const float *a, const float *b, size_t count);
double icl_vector_dot_doubles(const double *a, const double *b, size_t count);

/* out[i] = rows[i] . vector for rows [count][columns], in single precision; the order of summing
 * depends on `columns` alone, so the bits are the same everywhere. */
void icl_vector_dots(float *out, const float *rows, size_t count, size_t columns,
                     const float *vector);

/* out[i] = rows[i] . rows[i] for rows [count][columns], in single precision. */
void icl_vector_squares(float *out, const float *rows, size_t count, size_t columns);

/* The same, and out_dots[i] = rows[i] . vector, while reading the rows once. */
void icl_vector_squares_and_dots(float *out_squares, float *out_dots, const float *rows,
                                 size_t count, size_t columns, const float *vector);

/* Squared Euclidean distance, summed as icl_vector_dot does. */
double icl_vector_distance_squared(const float *a, const float *b, size_t count);

/* Each row of `in` divided by its Euclidean length; a zero row stays zero. May alias. */
void icl_matrix_normalise_rows(float *out, const float *in, size_t rows, size_t columns);

/* out [count][columns]: the rows whose numbers stand in `picked`, in that order. */
void icl_matrix_gather_rows(float *out, const float *rows, const size_t *picked, size_t count,
                            size_t columns);

/* Subtracts from every column its mean. */
void icl_matrix_centre_columns(float *rows, size_t count, size_t columns);

/* Places i where values[i] * scales[i] - offsets[i] >= floor, in single precision and ascending.
 * Writes out [count], returns how many. */
size_t icl_places_above(uint32_t *out, const float *values, const float *scales,
                        const float *offsets, size_t count, float floor);

/* Index of the first row that holds a NaN or an infinity, or `rows`. */
size_t icl_matrix_finite_rows(const float *in, size_t rows, size_t columns);

#endif
