#include "learn/kernel_attention.h"

#include <string.h>

#include "learn/kernel_product.h"
#include "learn/kernel_rows.h"

enum { TILE = 128 };

/* Some queries of a head, and the keys that any of them sees. */
typedef struct tile {
    int64_t query_first, query_count, key_first, key_count;
} tile;

size_t icl_attention_scratch(const icl_attention_shape *shape)
{
    const int64_t rows = shape->length < TILE ? shape->length : TILE;
    return 2 * (size_t)(rows * shape->length);
}

static int64_t first_key(const icl_attention_sequence *sequence, int64_t query)
{
    return sequence->first != NULL ? sequence->first[query] : 0;
}

static int64_t end_key(const icl_attention_shape *shape, int64_t query)
{
    return shape->causal ? query + 1 : shape->length;
}

static tile tile_at(const icl_attention_shape *shape, const icl_attention_sequence *sequence,
                    int64_t query_first)
{
    tile t = { .query_first = query_first, .query_count = shape->length - query_first };
    if (t.query_count > TILE) t.query_count = TILE;
    t.key_first = first_key(sequence, query_first);
    for (int64_t q = 1; q < t.query_count; q++) {
        const int64_t first = first_key(sequence, query_first + q);
        if (first < t.key_first) t.key_first = first;
    }
    t.key_count = end_key(shape, query_first + t.query_count - 1) - t.key_first;
    return t;
}

/* Visible keys of a query, relative to the tile's first key. */
static int64_t visible(const icl_attention_shape *shape, const icl_attention_sequence *sequence,
                       const tile *t, int64_t query, int64_t *first)
{
    *first = first_key(sequence, query) - t->key_first;
    const int64_t count = end_key(shape, query) - t->key_first - *first;
    return count > 0 ? count : 0;
}

static void clear_hidden(float *row, int64_t first, int64_t count, int64_t row_count)
{
    memset(row, 0, (size_t)first * sizeof *row);
    memset(&row[first + count], 0, (size_t)(row_count - first - count) * sizeof *row);
}

static const float *bias_row(const icl_attention_shape *shape,
                             const icl_attention_sequence *sequence, const tile *t, int64_t query,
                             int64_t first)
{
    if (sequence->bias == NULL) return NULL;
    return &sequence->bias[query * shape->length + t->key_first + first];
}

/* Rows `first` and on of one head. */
static icl_block head_rows(const float *rows, int64_t heads, int64_t head, int64_t width,
                           int64_t first, bool transposed)
{
    return (icl_block){ &rows[(first * heads + head) * width], heads * width, transposed };
}

static void tile_scores(float *scores, const icl_attention_shape *shape,
                        const icl_attention_sequence *sequence, const tile *t, int64_t head)
{
    const int64_t kv_head = head / (shape->heads / shape->kv_heads), width = shape->width;
    icl_product(scores, t->key_count,
                head_rows(sequence->q, shape->heads, head, width, t->query_first, false),
                head_rows(sequence->k, shape->kv_heads, kv_head, width, t->key_first, true),
                t->query_count, t->key_count, width, false);
}

/* --- forward --- */

static void tile_softmax(float *scores, const icl_attention_shape *shape,
                         const icl_attention_sequence *sequence, const tile *t, float *log_sums)
{
    for (int64_t i = 0; i < t->query_count; i++) {
        const int64_t query = t->query_first + i;
        float *row = &scores[i * t->key_count];
        int64_t first = 0;
        const int64_t count = visible(shape, sequence, t, query, &first);
        log_sums[query] = icl_row_softmax(&row[first], bias_row(shape, sequence, t, query, first),
                                          shape->scale, count);
        clear_hidden(row, first, count, t->key_count);
    }
}

void icl_attention_head(const icl_attention_shape *shape, const icl_attention_sequence *sequence,
                        int64_t head, float *scratch)
{
    const int64_t kv_head = head / (shape->heads / shape->kv_heads), width = shape->width;
    const int64_t stride = shape->heads * width;
    for (int64_t query = 0; query < shape->length; query += TILE) {
        const tile t = tile_at(shape, sequence, query);
        tile_scores(scratch, shape, sequence, &t, head);
        tile_softmax(scratch, shape, sequence, &t, &sequence->log_sums[head * shape->length]);
        icl_product(&sequence->out[query * stride + head * width], stride,
                    (icl_block){ scratch, t.key_count, false },
                    head_rows(sequence->v, shape->kv_heads, kv_head, width, t.key_first, false),
                    t.query_count, width, t.key_count, false);
    }
}

/* --- backward --- */

static void clear_head(float *rows, const icl_attention_shape *shape, int64_t kv_head)
{
    const int64_t stride = shape->kv_heads * shape->width;
    for (int64_t t = 0; t < shape->length; t++)
        memset(&rows[t * stride + kv_head * shape->width], 0, (size_t)shape->width * sizeof *rows);
}

static void tile_softmax_again(float *weights, const icl_attention_shape *shape,
                               const icl_attention_sequence *sequence, const tile *t, int64_t head)
{
    for (int64_t i = 0; i < t->query_count; i++) {
        const int64_t query = t->query_first + i;
        float *row = &weights[i * t->key_count];
        int64_t first = 0;
        const int64_t count = visible(shape, sequence, t, query, &first);
        icl_row_softmax_again(&row[first], bias_row(shape, sequence, t, query, first), shape->scale,
                              sequence->log_sums[head * shape->length + query], count);
        clear_hidden(row, first, count, t->key_count);
    }
}

/* Gradients of weights become those of scores. */
static void tile_softmax_gradient(float *gradients, const float *weights,
                                  const icl_attention_shape *shape,
                                  const icl_attention_sequence *sequence, const float *dout,
                                  const tile *t, int64_t head)
{
    const int64_t stride = shape->heads * shape->width;
    for (int64_t i = 0; i < t->query_count; i++) {
        const int64_t at = (t->query_first + i) * stride + head * shape->width;
        const float delta = icl_row_dot(&dout[at], &sequence->out[at], shape->width);
        icl_row_softmax_gradient(&gradients[i * t->key_count], &weights[i * t->key_count], delta,
                                 shape->scale, t->key_count);
    }
}

static void tile_gradient(const icl_attention_shape *shape, const icl_attention_sequence *sequence,
                          const icl_attention_gradients *gradients, const tile *t, int64_t head,
                          float *scratch)
{
    const int64_t heads = shape->heads, kv_heads = shape->kv_heads, width = shape->width;
    const int64_t kv_head = head / (heads / kv_heads), kv_stride = kv_heads * width;
    float *weights = scratch, *slopes = scratch + t->query_count * t->key_count;
    const icl_block weights_turned = { weights, t->key_count, true };
    const icl_block slopes_turned = { slopes, t->key_count, true };
    const int64_t kv_at = t->key_first * kv_stride + kv_head * width;

    tile_scores(weights, shape, sequence, t, head);
    tile_softmax_again(weights, shape, sequence, t, head);
    icl_product(slopes, t->key_count,
                head_rows(gradients->dout, heads, head, width, t->query_first, false),
                head_rows(sequence->v, kv_heads, kv_head, width, t->key_first, true),
                t->query_count, t->key_count, width, false);
    icl_product(&gradients->dv[kv_at], kv_stride, weights_turned,
                head_rows(gradients->dout, heads, head, width, t->query_first, false), t->key_count,
                width, t->query_count, true);
    tile_softmax_gradient(slopes, weights, shape, sequence, gradients->dout, t, head);
    icl_product(&gradients->dq[(t->query_first * heads + head) * width], heads * width,
                (icl_block){ slopes, t->key_count, false },
                head_rows(sequence->k, kv_heads, kv_head, width, t->key_first, false),
                t->query_count, width, t->key_count, false);
    icl_product(&gradients->dk[kv_at], kv_stride, slopes_turned,
                head_rows(sequence->q, heads, head, width, t->query_first, false), t->key_count,
                width, t->query_count, true);
}

void icl_attention_group_gradient(const icl_attention_shape *shape,
                                  const icl_attention_sequence *sequence,
                                  const icl_attention_gradients *gradients, int64_t kv_head,
                                  float *scratch)
{
    const int64_t group = shape->heads / shape->kv_heads;
    clear_head(gradients->dk, shape, kv_head);
    clear_head(gradients->dv, shape, kv_head);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head++) {
        for (int64_t query = 0; query < shape->length; query += TILE) {
            const tile t = tile_at(shape, sequence, query);
            tile_gradient(shape, sequence, gradients, &t, head, scratch);
        }
    }
}
