/* learn/kernel_product.h - products of matrices inside one thread, over BLAS.
 */
#ifndef ICL_LEARN_KERNEL_PRODUCT_H
#define ICL_LEARN_KERNEL_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

/* A row-major matrix whose rows lie `stride` numbers apart. */
typedef struct icl_block {
    const float *numbers;
    int64_t stride;
    bool transposed; /* stands for its transpose */
} icl_block;

/* out[rows][columns] = a b, or += ; a is [rows][inner], b [inner][columns] as they stand for. The
 * same shape gives the same bits. */
void icl_product(float *out, int64_t out_stride, icl_block a, icl_block b, int64_t rows,
                 int64_t columns, int64_t inner, bool add);

/* How `count` rows are cut into slabs: always the same, whoever works on them. */
typedef struct icl_slabs {
    int64_t count, slab_rows, slab_count;
} icl_slabs;
icl_slabs icl_slabs_of(int64_t count);
/* Rows of slab `index`: from *first on, the number returned. */
int64_t icl_slab(icl_slabs slabs, int64_t index, int64_t *first);

#endif
