#include "learn/kernel_product.h"

#include <cblas.h>

/* Rows of a slab: enough to spread BLAS's packing of the other factor. */
enum { SLAB_ROWS = 256, SMALLEST_SHARED = 128 };

void icl_product(float *out, int64_t out_stride, icl_block a, icl_block b, int64_t rows,
                 int64_t columns, int64_t inner, bool add)
{
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (int)rows, (int)columns, (int)inner, 1.0f,
                a.numbers, (int)a.stride, b.numbers, (int)b.stride, add ? 1.0f : 0.0f, out,
                (int)out_stride);
}

icl_slabs icl_slabs_of(int64_t count)
{
    int64_t pieces = (count + SLAB_ROWS - 1) / SLAB_ROWS;
    if (pieces % 2 != 0 && count >= SMALLEST_SHARED) pieces++; /* two threads get as much */
    const int64_t slab_rows = (count + pieces - 1) / pieces;
    return (icl_slabs){ count, slab_rows, (count + slab_rows - 1) / slab_rows };
}

int64_t icl_slab(icl_slabs slabs, int64_t index, int64_t *first)
{
    *first = index * slabs.slab_rows;
    const int64_t left = slabs.count - *first;
    return left < slabs.slab_rows ? left : slabs.slab_rows;
}
