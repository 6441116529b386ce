/* Exact tree attention on the CPU.
 *
 * A tile is 32 query rows of one head. Rows are the lanes of the vectors, cells are visited in
 * ascending order, and every operation is vertical: score, maximum, exponential, sum and weighted
 * values of a row never mix with another row. A cell that a row does not see contributes an exact
 * zero. So the bits of a row depend only on the ordered list of what it sees. The softmax maximum
 * is taken over all cells first: with the usual running maximum, the rescaling steps would depend
 * on where block borders fall.
 *
 * Cells that no row of a tile sees are skipped, so cost follows visible cells, not the whole cache.
 */
#include "model/exact_kernels.h"

#ifdef ICL_HAVE_GGML_INTERNAL

#include <math.h>
#include <string.h>

#include "math/lanes.h"

enum {
    VECTORS = 2, /* vectors of a tile: 32 query rows */
    TILE_ROWS = ICL_LANES * VECTORS,
    CELLS_AT_ONCE = 8, /* 8 cells x 2 vectors = 16 accumulators in registers */
    HEAD_SIZE_MAX = 512,
};

typedef uint16_t half_bits; /* IEEE binary16 */

static const half_bits HALF_MINUS_INFINITY = 0xFC00;

/* One FLASH_ATTN_EXT operation, unpacked. Strides in bytes. */
typedef struct attention {
    const struct ggml_tensor *q, *k, *v, *mask;
    float *out; /* [row_count][head_count][value_size] */
    size_t key_size, value_size;
    size_t row_count, cell_count, head_count, kv_head_count;
    float scale;
} attention;

/* ---- one tile ---- */

typedef struct row_tile {
    const attention *op;
    size_t first_row, row_count;  /* at most TILE_ROWS rows */
    size_t cell_count;            /* cells that some row of the tile sees */
    uint32_t *cells;              /* [cell_count], ascending */
    uint32_t *seen;               /* [cell_count], bit r: row first_row + r sees the cell */
    const float **keys, **values; /* [cell_count] rows of the current kv head, f32 */
    float *converted;             /* [2][cell_count][size] room for f16 -> f32 */
    icl_lanes *queries;           /* [key_size][VECTORS] transposed */
    icl_lanes *scores;            /* [cell_count][VECTORS] */
    icl_lanes *outputs;           /* [value_size][VECTORS] transposed */
} row_tile;

typedef half_bits lanes_half __attribute__((vector_size(ICL_LANES * sizeof(half_bits))));

/* Which rows see each of up to 16 cells: bit r of lane c. The mask holds 0 or minus infinity. */
static icl_lanes_int seen_bits(const row_tile *tile, size_t first_cell, size_t cell_count)
{
    const size_t stride = tile->op->mask->nb[1];
    const char *mask = (const char *)tile->op->mask->data + tile->first_row * stride +
                       first_cell * sizeof(half_bits);
    const lanes_half nothing = (lanes_half){ 0 } + HALF_MINUS_INFINITY;
    icl_lanes_int bits = { 0 };
    for (size_t r = 0; r < tile->row_count; r++) {
        lanes_half halves = nothing;
        if (cell_count == ICL_LANES)
            memcpy(&halves, mask + r * stride, sizeof halves);
        else
            memcpy(&halves, mask + r * stride, cell_count * sizeof(half_bits));
        const icl_lanes_int wide = __builtin_convertvector(halves, icl_lanes_int);
        bits |= (wide != (int32_t)HALF_MINUS_INFINITY) & (int32_t)(1u << r);
    }
    return bits;
}

/* The cells that some row of the tile sees. */
static void tile_collect_cells(row_tile *tile)
{
    tile->cell_count = 0;
    for (size_t first = 0; first < tile->op->cell_count; first += ICL_LANES) {
        const size_t left = tile->op->cell_count - first,
                     count = left < ICL_LANES ? left : ICL_LANES;
        const icl_lanes_int bits = seen_bits(tile, first, count);
        for (size_t c = 0; c < count; c++) {
            if (bits[c] == 0) continue;
            tile->cells[tile->cell_count] = (uint32_t)(first + c);
            tile->seen[tile->cell_count++] = (uint32_t)bits[c];
        }
    }
}

/* Points rows[i] at the f32 row of each cell, converting halves into `room`. */
static void gather_rows(const float **rows, float *room, const struct ggml_tensor *tensor,
                        size_t size, size_t kv_head, const uint32_t *cells, size_t cell_count)
{
    const char *base = (const char *)tensor->data + kv_head * tensor->nb[2];
    for (size_t i = 0; i < cell_count; i++) {
        const char *row = base + cells[i] * tensor->nb[1];
        if (tensor->type == GGML_TYPE_F32) {
            rows[i] = (const float *)row;
            continue;
        }
        float *to = room + i * size;
        ggml_fp16_to_fp32_row((const ggml_fp16_t *)row, to, (int64_t)size);
        rows[i] = to;
    }
}

/* queries[d][lane] = q[row = lane][d]; absent rows are zero. */
static void tile_load_queries(row_tile *tile, size_t head)
{
    const struct ggml_tensor *q = tile->op->q;
    const char *base = (const char *)q->data + head * q->nb[2] + tile->first_row * q->nb[1];
    float *to = (float *)tile->queries;
    memset(to, 0, tile->op->key_size * TILE_ROWS * sizeof(float));
    for (size_t r = 0; r < tile->row_count; r++) {
        const float *from = (const float *)(base + r * q->nb[1]);
        for (size_t d = 0; d < tile->op->key_size; d++) to[d * TILE_ROWS + r] = from[d];
    }
}

/* scores[cell][row] = q[row] . k[cell] for `count` cells from `first`; each sum runs over d in
 * order. */
static inline __attribute__((always_inline)) void score_cells(row_tile *tile, size_t first,
                                                              const size_t count)
{
    icl_lanes sums[CELLS_AT_ONCE][VECTORS];
    for (size_t c = 0; c < count; c++)
        for (size_t v = 0; v < VECTORS; v++) sums[c][v] = icl_lanes_set(0.0f);
    const size_t size = tile->op->key_size;
    const float *const *keys = tile->keys + first;
    for (size_t d = 0; d < size; d++) {
        const icl_lanes q0 = tile->queries[d * VECTORS], q1 = tile->queries[d * VECTORS + 1];
        for (size_t c = 0; c < count; c++) {
            const icl_lanes key = icl_lanes_set(keys[c][d]);
            sums[c][0] = q0 * key + sums[c][0];
            sums[c][1] = q1 * key + sums[c][1];
        }
    }
    for (size_t c = 0; c < count; c++)
        for (size_t v = 0; v < VECTORS; v++) tile->scores[(first + c) * VECTORS + v] = sums[c][v];
}

static void tile_score(row_tile *tile)
{
    size_t cell = 0;
    for (; cell + CELLS_AT_ONCE <= tile->cell_count; cell += CELLS_AT_ONCE)
        score_cells(tile, cell, CELLS_AT_ONCE);
    for (; cell < tile->cell_count; cell++) score_cells(tile, cell, 1);
}

/* All-ones lanes where bit `lane` of `bits` is set. */
static inline icl_lanes_int lanes_from_bits(uint32_t bits)
{
    static const icl_lanes_int lane_bit = { 1 << 0,  1 << 1,  1 << 2,  1 << 3, 1 << 4,  1 << 5,
                                            1 << 6,  1 << 7,  1 << 8,  1 << 9, 1 << 10, 1 << 11,
                                            1 << 12, 1 << 13, 1 << 14, 1 << 15 };
    const icl_lanes_int spread = lane_bit & (int32_t)(bits & 0xFFFF);
    return spread != 0;
}

/* scores become softmax weights before normalisation; returns the sums. */
static void tile_softmax(row_tile *tile, icl_lanes sums[VECTORS])
{
    const icl_lanes scale = icl_lanes_set(tile->op->scale), lowest = icl_lanes_set(-INFINITY);
    icl_lanes maximum[VECTORS];
    for (size_t v = 0; v < VECTORS; v++) maximum[v] = lowest;
    for (size_t i = 0; i < tile->cell_count; i++)
        for (size_t v = 0; v < VECTORS; v++) {
            const icl_lanes_int seen = lanes_from_bits(tile->seen[i] >> (ICL_LANES * v));
            const icl_lanes scaled = tile->scores[i * VECTORS + v] * scale;
            const icl_lanes masked = icl_lanes_choose(seen, scaled, lowest);
            tile->scores[i * VECTORS + v] = masked;
            maximum[v] = icl_lanes_max(maximum[v], masked);
        }
    for (size_t v = 0; v < VECTORS; v++) {
        /* A lane that sees nothing must not compute inf - inf. */
        const icl_lanes_int empty = maximum[v] == lowest;
        maximum[v] = (icl_lanes)((icl_lanes_int)maximum[v] & ~empty);
        sums[v] = icl_lanes_set(0.0f);
    }
    for (size_t i = 0; i < tile->cell_count; i++)
        for (size_t v = 0; v < VECTORS; v++) {
            const icl_lanes weight = icl_lanes_exp(tile->scores[i * VECTORS + v] - maximum[v]);
            tile->scores[i * VECTORS + v] = weight;
            sums[v] += weight;
        }
}

/* outputs[d][row] = sum over cells of weight * v[cell][d] for `count` components from `first`. */
static inline __attribute__((always_inline)) void weigh_components(row_tile *tile, size_t first,
                                                                   const size_t count)
{
    icl_lanes sums[CELLS_AT_ONCE][VECTORS];
    for (size_t c = 0; c < count; c++)
        for (size_t v = 0; v < VECTORS; v++) sums[c][v] = icl_lanes_set(0.0f);
    for (size_t i = 0; i < tile->cell_count; i++) {
        const float *value = tile->values[i] + first;
        const icl_lanes w0 = tile->scores[i * VECTORS], w1 = tile->scores[i * VECTORS + 1];
        for (size_t c = 0; c < count; c++) {
            const icl_lanes component = icl_lanes_set(value[c]);
            sums[c][0] = w0 * component + sums[c][0];
            sums[c][1] = w1 * component + sums[c][1];
        }
    }
    for (size_t c = 0; c < count; c++)
        for (size_t v = 0; v < VECTORS; v++) tile->outputs[(first + c) * VECTORS + v] = sums[c][v];
}

static void tile_store(row_tile *tile, size_t head, const icl_lanes sums[VECTORS])
{
    const attention *op = tile->op;
    const float *from = (const float *)tile->outputs;
    for (size_t r = 0; r < tile->row_count; r++) {
        const float sum = sums[r / ICL_LANES][r % ICL_LANES];
        const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
        float *to = op->out + ((tile->first_row + r) * op->head_count + head) * op->value_size;
        for (size_t d = 0; d < op->value_size; d++) to[d] = from[d * TILE_ROWS + r] * inverse;
    }
}

static void tile_attend(row_tile *tile, size_t head)
{
    icl_lanes sums[VECTORS];
    tile_load_queries(tile, head);
    tile_score(tile);
    tile_softmax(tile, sums);
    size_t d = 0;
    for (; d + CELLS_AT_ONCE <= tile->op->value_size; d += CELLS_AT_ONCE)
        weigh_components(tile, d, CELLS_AT_ONCE);
    for (; d < tile->op->value_size; d++) weigh_components(tile, d, 1);
    tile_store(tile, head, sums);
}

/* ---- scheduling ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Cuts one thread's scratch into the arrays of a tile. */
static bool tile_carve(row_tile *tile, icl_worker_pool *pool, int thread)
{
    const attention *op = tile->op;
    const size_t cells = op->cell_count,
                 size_max = op->key_size > op->value_size ? op->key_size : op->value_size;
    const size_t parts[] = { cells * sizeof(uint32_t),
                             cells * sizeof(uint32_t),
                             cells * sizeof(float *),
                             cells * sizeof(float *),
                             2 * cells * size_max * sizeof(float),
                             op->key_size * VECTORS * sizeof(icl_lanes),
                             cells * VECTORS * sizeof(icl_lanes),
                             op->value_size * VECTORS * sizeof(icl_lanes) };
    enum { PARTS = sizeof parts / sizeof parts[0] };
    size_t total = 0;
    for (size_t i = 0; i < PARTS; i++) total += round_up(parts[i]);
    char *at = icl_worker_scratch(pool, thread, total);
    if (at == NULL) return false;
    char *part[PARTS];
    for (size_t i = 0; i < PARTS; i++) {
        part[i] = at;
        at += round_up(parts[i]);
    }
    tile->cells = (uint32_t *)(void *)part[0];
    tile->seen = (uint32_t *)(void *)part[1];
    tile->keys = (const float **)(void *)part[2];
    tile->values = (const float **)(void *)part[3];
    tile->converted = (float *)(void *)part[4];
    tile->queries = (icl_lanes *)(void *)part[5];
    tile->scores = (icl_lanes *)(void *)part[6];
    tile->outputs = (icl_lanes *)(void *)part[7];
    return true;
}

/* Takes units (tile of rows) x (kv head) until none is left. */
static void run_units(icl_worker_pool *pool, int thread, const void *job)
{
    const attention *op = job;
    row_tile tile = { .op = op };
    if (!tile_carve(&tile, pool, thread)) {
        icl_worker_fail(pool);
        return;
    }
    const size_t tiles = (op->row_count + TILE_ROWS - 1) / TILE_ROWS;
    const size_t group = op->head_count / op->kv_head_count;
    const size_t size_max = op->key_size > op->value_size ? op->key_size : op->value_size;
    size_t collected = SIZE_MAX;
    for (;;) {
        const size_t unit = icl_worker_take(pool);
        if (unit >= tiles * op->kv_head_count) return;
        const size_t index = unit / op->kv_head_count, kv_head = unit % op->kv_head_count;
        tile.first_row = index * TILE_ROWS;
        tile.row_count = op->row_count - tile.first_row;
        if (tile.row_count > TILE_ROWS) tile.row_count = TILE_ROWS;
        if (index != collected) tile_collect_cells(&tile);
        collected = index;
        gather_rows(tile.keys, tile.converted, op->k, op->key_size, kv_head, tile.cells,
                    tile.cell_count);
        gather_rows(tile.values, tile.converted + op->cell_count * size_max, op->v, op->value_size,
                    kv_head, tile.cells, tile.cell_count);
        for (size_t g = 0; g < group; g++) tile_attend(&tile, kv_head * group + g);
    }
}

/* ---- the operation ---- */

/* An f32 cache reaches the operation through a cast to f16. The kernel reads the original, so the
 * cast need not be done. Only for the cache itself: the memory of an intermediate result may have
 * been given away by the time the attention runs. */
bool icl_exact_is_cache_cast(const struct ggml_tensor *tensor)
{
    const struct ggml_tensor *from = tensor->src[0];
    if (tensor->op != GGML_OP_CPY || tensor->type != GGML_TYPE_F16 || from == NULL ||
        from->type != GGML_TYPE_F32 || !ggml_are_same_shape(tensor, from))
        return false;
    const struct ggml_tensor *root = from;
    while (root->view_src != NULL) root = root->view_src;
    return root->op == GGML_OP_NONE;
}

static const struct ggml_tensor *uncast(const struct ggml_tensor *tensor)
{
    return icl_exact_is_cache_cast(tensor) ? tensor->src[0] : tensor;
}

static bool is_readable(const struct ggml_tensor *tensor)
{
    return (tensor->type == GGML_TYPE_F16 || tensor->type == GGML_TYPE_F32) &&
           tensor->nb[0] == ggml_type_size(tensor->type) && tensor->ne[3] == 1;
}

bool icl_exact_attention_supports(const struct ggml_tensor *op)
{
    const struct ggml_tensor *q = op->src[0], *k = op->src[1], *v = op->src[2], *mask = op->src[3];
    float parameters[3]; /* scale, ALiBi bias, soft cap */
    memcpy(parameters, op->op_params, sizeof parameters);
    return mask != NULL && mask->type == GGML_TYPE_F16 && mask->ne[2] == 1 && mask->ne[3] == 1 &&
           op->src[4] == NULL && parameters[1] == 0.0f && parameters[2] == 0.0f &&
           q->type == GGML_TYPE_F32 && q->nb[0] == sizeof(float) && q->ne[3] == 1 &&
           is_readable(k) && is_readable(v) && q->ne[2] % k->ne[2] == 0 && k->ne[2] == v->ne[2] &&
           q->ne[0] <= HEAD_SIZE_MAX && v->ne[0] <= HEAD_SIZE_MAX;
}

bool icl_exact_attention_run(icl_worker_pool *pool, const struct ggml_tensor *dst)
{
    const struct ggml_tensor *q = dst->src[0];
    attention op = { .q = q,
                     .k = uncast(dst->src[1]),
                     .v = uncast(dst->src[2]),
                     .mask = dst->src[3],
                     .out = dst->data };
    op.key_size = (size_t)q->ne[0];
    op.row_count = (size_t)q->ne[1];
    op.head_count = (size_t)q->ne[2];
    op.cell_count = (size_t)op.k->ne[1];
    op.kv_head_count = (size_t)op.k->ne[2];
    op.value_size = (size_t)op.v->ne[0];
    memcpy(&op.scale, dst->op_params, sizeof op.scale);
    return icl_worker_pool_run(pool, run_units, &op);
}

#endif
