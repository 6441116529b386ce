/* Exact matrix products on the CPU: dst[n][m] = sum over k of w[m][k] * x[n][k].
 *
 * Rows of activations are the lanes of the vectors, and each output is one chain of fused
 * multiply-adds over k in ascending order. So its bits depend on its own row and weights, never on
 * how many rows the call has, and one row takes the same path as a thousand. Weights of other types
 * are widened to f32 a few rows at a time; activations are never rounded.
 *
 * Cost: activations are transposed once into panels of 48 rows; a chunk of weight rows stays in the
 * second-level cache while all panels pass by. The inner loop has 8 x 3 accumulators, 11 loads and
 * 24 multiply-adds a step.
 */
#include "model/exact_kernels.h"

#ifdef ICL_HAVE_GGML_INTERNAL

#include <string.h>

#include "math/lanes.h"

enum {
    VECTORS = 3,                           /* vectors of a panel */
    PANEL_ROWS = ICL_LANES * VECTORS,      /* activation rows of a panel */
    WEIGHTS_AT_ONCE = 8,                   /* weight rows of the inner loop */
    BLOCK_WEIGHTS = ICL_LANES,             /* weight rows whose outputs are transposed together */
    CHUNK_WEIGHTS_MAX = 4 * BLOCK_WEIGHTS, /* weight rows of a unit of work */
};

typedef struct matmul {
    const struct ggml_tensor *weights;
    const char *rows; /* activations */
    size_t row_stride;
    float *out;
    size_t out_stride; /* floats */
    size_t inner, row_count, weight_count;
    size_t chunk;      /* weight rows of a unit */
    icl_lanes *panels; /* [panel][inner][VECTORS] */
} matmul;

static size_t panel_count(const matmul *op)
{
    return (op->row_count + PANEL_ROWS - 1) / PANEL_ROWS;
}

/* Vectors that a panel really uses. */
static size_t vectors_of(const matmul *op, size_t panel)
{
    const size_t left = op->row_count - panel * PANEL_ROWS;
    return left >= PANEL_ROWS ? VECTORS : (left + ICL_LANES - 1) / ICL_LANES;
}

/* One vector's worth of rows into a panel: panel[k][vector] holds x[first + lane][k]. */
static void pack_rows(const matmul *op, icl_lanes *panel, size_t vectors, size_t vector,
                      size_t first)
{
    const size_t left = op->row_count - first, count = left < ICL_LANES ? left : ICL_LANES;
    size_t k = 0;
    for (; k + ICL_LANES <= op->inner; k += ICL_LANES) {
        icl_lanes block[ICL_LANES];
        for (size_t r = 0; r < ICL_LANES; r++)
            if (r < count)
                memcpy(&block[r], op->rows + (first + r) * op->row_stride + k * sizeof(float),
                       sizeof block[r]);
            else
                block[r] = icl_lanes_set(0.0f);
        icl_lanes_transpose(block);
        for (size_t i = 0; i < ICL_LANES; i++) panel[(k + i) * vectors + vector] = block[i];
    }
    for (; k < op->inner; k++) {
        icl_lanes column = icl_lanes_set(0.0f);
        for (size_t r = 0; r < count; r++) {
            float value;
            memcpy(&value, op->rows + (first + r) * op->row_stride + k * sizeof value,
                   sizeof value);
            column[r] = value;
        }
        panel[k * vectors + vector] = column;
    }
}

static icl_lanes *panel_at(const matmul *op, size_t panel)
{
    return op->panels + panel * op->inner * VECTORS;
}

static void pack_panel(const matmul *op, size_t panel)
{
    const size_t vectors = vectors_of(op, panel);
    for (size_t v = 0; v < vectors; v++)
        pack_rows(op, panel_at(op, panel), vectors, v, panel * PANEL_ROWS + v * ICL_LANES);
}

/* out[w][v] = products of `weight_count` weight rows with a panel of `vectors` vectors. */
static inline __attribute__((always_inline)) void
multiply(icl_lanes (*out)[VECTORS], const float *const *weights, const icl_lanes *panel,
         size_t inner, const size_t weight_count, const size_t vectors)
{
    icl_lanes sums[WEIGHTS_AT_ONCE][VECTORS];
    for (size_t w = 0; w < weight_count; w++)
        for (size_t v = 0; v < vectors; v++) sums[w][v] = icl_lanes_set(0.0f);
    for (size_t k = 0; k < inner; k++) {
        icl_lanes rows[VECTORS];
        for (size_t v = 0; v < vectors; v++) rows[v] = panel[k * vectors + v];
        for (size_t w = 0; w < weight_count; w++) {
            const icl_lanes weight = icl_lanes_set(weights[w][k]);
            for (size_t v = 0; v < vectors; v++) sums[w][v] = rows[v] * weight + sums[w][v];
        }
    }
    for (size_t w = 0; w < weight_count; w++)
        for (size_t v = 0; v < vectors; v++) out[w][v] = sums[w][v];
}

/* Up to 16 weight rows with one panel, one copy of the inner loop for each panel width. */
static inline __attribute__((always_inline)) void
multiply_block(icl_lanes (*out)[VECTORS], const float *const *weights, const icl_lanes *panel,
               size_t inner, size_t weight_count, const size_t vectors)
{
    size_t w = 0;
    for (; w + WEIGHTS_AT_ONCE <= weight_count; w += WEIGHTS_AT_ONCE)
        multiply(out + w, weights + w, panel, inner, WEIGHTS_AT_ONCE, vectors);
    for (; w < weight_count; w++) multiply(out + w, weights + w, panel, inner, 1, vectors);
}

static void store_block(const matmul *op, icl_lanes (*products)[VECTORS], size_t weight_first,
                        size_t weight_count, size_t row_first, size_t vectors)
{
    for (size_t v = 0; v < vectors; v++) {
        const size_t first = row_first + v * ICL_LANES, left = op->row_count - first;
        const size_t rows = left < ICL_LANES ? left : ICL_LANES;
        icl_lanes block[ICL_LANES];
        for (size_t w = 0; w < ICL_LANES; w++)
            block[w] = w < weight_count ? products[w][v] : icl_lanes_set(0.0f);
        icl_lanes_transpose(block);
        float *to = op->out + first * op->out_stride + weight_first;
        for (size_t r = 0; r < rows; r++, to += op->out_stride)
            if (weight_count == ICL_LANES)
                memcpy(to, &block[r], sizeof block[r]);
            else
                memcpy(to, &block[r], weight_count * sizeof *to);
    }
}

/* The weight rows of a chunk as f32: where they lie, or widened into `room`. */
static void widen_weights(const float **out, const matmul *op, float *room, size_t first,
                          size_t count)
{
    const struct ggml_tensor *weights = op->weights;
    for (size_t w = 0; w < count; w++) {
        const char *row = (const char *)weights->data + (first + w) * weights->nb[1];
        if (weights->type == GGML_TYPE_F32) {
            out[w] = (const float *)(const void *)row;
            continue;
        }
        float *to = room + w * op->inner;
        ggml_get_type_traits(weights->type)->to_float(row, to, (int64_t)op->inner);
        out[w] = to;
    }
}

static void run_chunk(const matmul *op, float *room, size_t first)
{
    const float *weights[CHUNK_WEIGHTS_MAX];
    const size_t left = op->weight_count - first, count = left < op->chunk ? left : op->chunk;
    widen_weights(weights, op, room, first, count);
    for (size_t p = 0; p < panel_count(op); p++) {
        const icl_lanes *panel = panel_at(op, p);
        const size_t vectors = vectors_of(op, p);
        for (size_t w = 0; w < count; w += BLOCK_WEIGHTS) {
            icl_lanes products[BLOCK_WEIGHTS][VECTORS];
            const size_t some = count - w < BLOCK_WEIGHTS ? count - w : BLOCK_WEIGHTS;
            switch (vectors) {
            case 1:
                multiply_block(products, weights + w, panel, op->inner, some, 1);
                break;
            case 2:
                multiply_block(products, weights + w, panel, op->inner, some, 2);
                break;
            default:
                multiply_block(products, weights + w, panel, op->inner, some, 3);
                break;
            }
            store_block(op, products, first + w, some, p * PANEL_ROWS, vectors);
        }
    }
}

static void run_units(icl_worker_pool *pool, int thread, const void *job)
{
    const matmul *op = job;
    float *room = NULL;
    if (op->weights->type != GGML_TYPE_F32) {
        room = icl_worker_scratch(pool, thread, op->chunk * op->inner * sizeof *room);
        if (room == NULL) icl_worker_fail(pool);
    }
    size_t unit;
    while ((unit = icl_worker_take(pool)) < panel_count(op)) pack_panel(op, unit);
    icl_worker_barrier(pool);
    if (room == NULL && op->weights->type != GGML_TYPE_F32) return;
    while ((unit = icl_worker_take(pool)) * op->chunk < op->weight_count)
        run_chunk(op, room, unit * op->chunk);
}

bool icl_exact_matmul_supports(const struct ggml_tensor *op)
{
    const struct ggml_tensor *weights = op->src[0], *rows = op->src[1];
    return weights->op == GGML_OP_NONE && weights->view_src == NULL &&
           ggml_is_contiguous(weights) && weights->ne[2] == 1 && weights->ne[3] == 1 &&
           (weights->type == GGML_TYPE_F32 ||
            ggml_get_type_traits(weights->type)->to_float != NULL) &&
           rows->type == GGML_TYPE_F32 && rows->nb[0] == sizeof(float) && rows->ne[2] == 1 &&
           rows->ne[3] == 1 && op->type == GGML_TYPE_F32 && op->nb[0] == sizeof(float);
}

bool icl_exact_matmul_run(icl_worker_pool *pool, const struct ggml_tensor *dst)
{
    const struct ggml_tensor *rows = dst->src[1];
    matmul op = { .weights = dst->src[0],
                  .rows = rows->data,
                  .row_stride = rows->nb[1],
                  .out = dst->data,
                  .out_stride = dst->nb[1] / sizeof(float),
                  .inner = (size_t)rows->ne[0],
                  .row_count = (size_t)rows->ne[1],
                  .weight_count = (size_t)dst->src[0]->ne[1] };
    if (op.row_count == 0) return true;
    /* Small products are cut finer, so that every thread gets a share. */
    const size_t shares = 4 * (size_t)icl_worker_pool_size(pool);
    op.chunk = CHUNK_WEIGHTS_MAX;
    while (op.chunk > BLOCK_WEIGHTS && op.weight_count < op.chunk * shares) op.chunk /= 2;
    op.panels =
        icl_worker_shared_scratch(pool, panel_count(&op) * op.inner * VECTORS * sizeof *op.panels);
    return op.panels != NULL && icl_worker_pool_run(pool, run_units, &op);
}

#endif
