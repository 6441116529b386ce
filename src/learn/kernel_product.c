#include "learn/kernel_product.h"

#include <cblas.h>

#include "math/lanes.h"

/* --- slabs --- */

/* Rows of a slab: enough to spread the packing of the other factor. */
enum { SLAB_ROWS = 256, SMALLEST_SHARED = 128 };

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

#if defined(__AVX512F__)

/* BLAS does not know every CPU with 512-bit vectors (OpenBLAS 0.3.21 takes a Zen 5 for a Haswell
 * and leaves half of its speed), so the products are ours there: a panel of b, 32 columns wide and
 * short enough for the first-level cache, is packed and multiplied with all rows of a (Goto and
 * van de Geijn 2008). */

enum { VECTORS = 2, PANEL_COLUMNS = VECTORS * ICL_LANES, PANEL_INNER = 320, ROWS_AT_ONCE = 12 };

typedef icl_lanes panel_row[VECTORS];

/* Where element [row][k] of a lies. */
typedef struct factor {
    const float *numbers;
    int64_t row_step, inner_step;
} factor;

/* --- packing --- */

static void pack_rows(panel_row *panel, icl_block b, int64_t inner, int64_t columns)
{
    for (int64_t k = 0; k < inner; k++) {
        const float *row = &b.numbers[k * b.stride];
        if (columns == PANEL_COLUMNS) {
            for (int v = 0; v < VECTORS; v++) panel[k][v] = icl_lanes_load(&row[v * ICL_LANES]);
        } else {
            float padded[PANEL_COLUMNS] = { 0 };
            memcpy(padded, row, (size_t)columns * sizeof *row);
            memcpy(panel[k], padded, sizeof padded);
        }
    }
}

/* Sixteen columns of a transposed b, which are rows of its memory. */
static void pack_turned(panel_row *panel, int vector, icl_block b, int64_t inner, int64_t columns)
{
    for (int64_t k = 0; k < inner; k += ICL_LANES) {
        const int64_t count = inner - k < ICL_LANES ? inner - k : ICL_LANES;
        icl_lanes square[ICL_LANES];
        for (int64_t c = 0; c < ICL_LANES; c++) {
            const float *from = &b.numbers[c * b.stride + k];
            if (c >= columns)
                square[c] = icl_lanes_set(0.0f);
            else
                square[c] = count == ICL_LANES ? icl_lanes_load(from)
                                               : icl_lanes_load_some(from, count, 0.0f);
        }
        icl_lanes_transpose(square);
        for (int64_t i = 0; i < count; i++) panel[k + i][vector] = square[i];
    }
}

/* Rows `k_first` and on, columns `first` and on of b. */
static void pack(panel_row *panel, icl_block b, int64_t k_first, int64_t inner, int64_t first,
                 int64_t columns)
{
    if (!b.transposed) {
        b.numbers += k_first * b.stride + first;
        pack_rows(panel, b, inner, columns);
        return;
    }
    for (int v = 0; v < VECTORS; v++) {
        icl_block rows = b;
        const int64_t left = columns - v * ICL_LANES;
        rows.numbers += (first + v * ICL_LANES) * b.stride + k_first;
        pack_turned(panel, v, rows, inner, left);
    }
}

/* --- multiplying --- */

static void store_row(float *out, const icl_lanes *sums, int64_t columns, bool add)
{
    if (columns == PANEL_COLUMNS) {
        for (int v = 0; v < VECTORS; v++, out += ICL_LANES)
            icl_lanes_store(out, add ? icl_lanes_load(out) + sums[v] : sums[v]);
        return;
    }
    float numbers[PANEL_COLUMNS];
    memcpy(numbers, sums, sizeof numbers);
    for (int64_t c = 0; c < columns; c++) out[c] = add ? out[c] + numbers[c] : numbers[c];
}

/* `rows` rows of a with a panel; one copy for each constant. */
ICL_LANES_INLINE void multiply(float *out, int64_t out_stride, factor a, const panel_row *panel,
                               int64_t inner, const int rows, int64_t columns, bool add)
{
    icl_lanes sums[ROWS_AT_ONCE][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) sums[r][v] = icl_lanes_set(0.0f);
    for (int64_t k = 0; k < inner; k++) {
        const float *column = &a.numbers[k * a.inner_step];
        for (int r = 0; r < rows; r++) {
            const icl_lanes number = icl_lanes_set(column[r * a.row_step]);
            for (int v = 0; v < VECTORS; v++) sums[r][v] += number * panel[k][v];
        }
    }
    for (int r = 0; r < rows; r++) store_row(&out[r * out_stride], sums[r], columns, add);
}

static void multiply_rows(float *out, int64_t out_stride, factor a, const panel_row *panel,
                          int64_t inner, int64_t rows, int64_t columns, bool add)
{
    int64_t r = 0;
    for (; r + ROWS_AT_ONCE <= rows; r += ROWS_AT_ONCE) {
        multiply(&out[r * out_stride], out_stride, a, panel, inner, ROWS_AT_ONCE, columns, add);
        a.numbers += ROWS_AT_ONCE * a.row_step;
    }
    for (; r + 4 <= rows; r += 4) {
        multiply(&out[r * out_stride], out_stride, a, panel, inner, 4, columns, add);
        a.numbers += 4 * a.row_step;
    }
    for (; r < rows; r++) {
        multiply(&out[r * out_stride], out_stride, a, panel, inner, 1, columns, add);
        a.numbers += a.row_step;
    }
}

void icl_product(float *out, int64_t out_stride, icl_block a, icl_block b, int64_t rows,
                 int64_t columns, int64_t inner, bool add)
{
    panel_row panel[PANEL_INNER];
    const int64_t parts = (inner + PANEL_INNER - 1) / PANEL_INNER;
    const int64_t part = (inner + parts - 1) / parts;
    const factor whole = { a.numbers, a.transposed ? 1 : a.stride, a.transposed ? a.stride : 1 };
    for (int64_t k = 0; k < inner; k += part) {
        const int64_t count = inner - k < part ? inner - k : part;
        const factor from = { whole.numbers + k * whole.inner_step, whole.row_step,
                              whole.inner_step };
        for (int64_t c = 0; c < columns; c += PANEL_COLUMNS) {
            const int64_t left = columns - c, wide = left < PANEL_COLUMNS ? left : PANEL_COLUMNS;
            pack(panel, b, k, count, c, wide);
            multiply_rows(&out[c], out_stride, from, panel, count, rows, wide, add || k > 0);
        }
    }
}

#else

void icl_product(float *out, int64_t out_stride, icl_block a, icl_block b, int64_t rows,
                 int64_t columns, int64_t inner, bool add)
{
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (int)rows, (int)columns, (int)inner, 1.0f,
                a.numbers, (int)a.stride, b.numbers, (int)b.stride, add ? 1.0f : 0.0f, out,
                (int)out_stride);
}

#endif
