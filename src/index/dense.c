#include "index/dense.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/matrix.h"

enum {
    QUERY_BLOCK = 1024,
    POOL_BLOCK = 1024,
    FEW_QUERIES = 4, /* so few are faster by dot products */
    CANDIDATES_MIN = 64,
};

/* Between these squared lengths a row may enter the product as it is: nothing over- or underflows.
 */
static const float SQUARE_MIN = 1e-30F, SQUARE_MAX = 1e30F;

/* Pool rows that may still be among the k best of one query, with single-precision scores. */
typedef struct candidates {
    icl_scored *items; /* [capacity] */
    size_t count, capacity;
    double floor; /* a row scored below it cannot be among the k best */
} candidates;

typedef struct search {
    const icl_dense_input *input;
    size_t query_block, pool_block;
    double error;      /* bound on |single-precision score - exact score| */
    int exponent;      /* l2: rows are divided by 2^exponent to have length at most 1 */
    float *query_rows; /* [query_block][columns] prepared for the product */
    float *pool_rows;  /* [pool_block][columns] */
    float *scales;     /* [pool_block] a score is product * scale - offset */
    float *offsets;    /* [pool_block] */
    float *products;   /* [query_block][pool_block] */
    uint32_t *places;  /* [pool_block] rows of the block that may be candidates */
    candidates *found; /* [query_block] */
} search;

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

/* Any order of summation of n products errs by at most n u / (1 - n u) times the product of the
 * lengths (Higham 2002, section 3.1), u = 2^-24; the square root of a squared length by half as
 * much; preparing and scaling add a few u. Of 2 n u that leaves slack. Rows have length 1, or are
 * scaled to it after the product; l2 takes the product of rows of length at most 1 twice. */
static double error_bound(const icl_dense_input *input)
{
    const double unit = (double)(input->columns + 16) * (double)FLT_EPSILON;
    return input->metric == ICL_METRIC_L2 ? 2 * unit : unit;
}

/* The least power of two above the length of every row. */
static int largest_exponent(const icl_dense_input *input)
{
    double largest = 0;
    for (size_t i = 0; i < input->pool_count; i++) {
        const float *row = &input->pool[i * input->columns];
        largest = fmax(largest, icl_vector_dot(row, row, input->columns));
    }
    for (size_t i = 0; i < input->query_count; i++) {
        const float *row = &input->queries[i * input->columns];
        largest = fmax(largest, icl_vector_dot(row, row, input->columns));
    }
    int exponent = 0;
    frexp(sqrt(largest), &exponent);
    return exponent;
}

static void shrink_rows(float *out, const float *in, size_t count, int exponent)
{
    const double factor = ldexp(1, -exponent);
    for (size_t i = 0; i < count; i++) out[i] = (float)((double)in[i] * factor);
}

static void prepare_queries(const search *s, size_t query, size_t queries)
{
    const size_t columns = s->input->columns;
    const float *rows = &s->input->queries[query * columns];
    if (s->input->metric == ICL_METRIC_COSINE)
        icl_matrix_normalise_rows(s->query_rows, rows, queries, columns);
    else
        shrink_rows(s->query_rows, rows, queries * columns, s->exponent);
}

/* Squared lengths to scales; false where a row may not enter the product as it is. */
static bool invert_lengths(float *scales, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(scales[i] >= SQUARE_MIN && scales[i] <= SQUARE_MAX)) return false;
    for (size_t i = 0; i < count; i++) scales[i] = 1 / sqrtf(scales[i]);
    return true;
}

/* The rows of a block, with scales and offsets, as they enter the product. */
typedef struct block {
    const float *rows;
    size_t first, count; /* in the pool */
    size_t done;         /* queries that have their products already */
} block;

static void shrink_block(block *b, const search *s)
{
    shrink_rows(s->pool_rows, b->rows, b->count * s->input->columns, s->exponent);
    icl_vector_squares(s->offsets, s->pool_rows, b->count, s->input->columns);
    for (size_t i = 0; i < b->count; i++) s->scales[i] = 2;
    b->rows = s->pool_rows;
}

/* The products of the block with the queries that have none yet. */
static void multiply(block *b, const search *s, size_t queries)
{
    const size_t columns = s->input->columns;
    if (queries > FEW_QUERIES && b->done < queries)
        icl_matrix_multiply_transposed(s->products, s->query_rows, queries, b->rows, b->count,
                                       columns);
    else
        for (size_t q = b->done; q < queries; q++)
            icl_vector_dots(&s->products[q * b->count], b->rows, b->count, columns,
                            &s->query_rows[q * columns]);
    b->done = queries;
}

/* Reading the pool is what takes time for few queries, so lengths and the first products are taken
 * at once. For many the product comes first: it reads with all threads, and leaves the rows in the
 * cache. Rows that may not enter as they are lose their products again. */
static icl_status measure_block(block *b, const search *s, size_t queries)
{
    const size_t columns = s->input->columns;
    if (queries <= FEW_QUERIES) {
        icl_vector_squares_and_dots(s->scales, s->products, b->rows, b->count, columns,
                                    s->query_rows);
        b->done = 1;
    } else {
        multiply(b, s, queries);
        icl_vector_squares(s->scales, b->rows, b->count, columns);
    }
    if (invert_lengths(s->scales, b->count)) return ICL_OK;
    const size_t finite = icl_matrix_finite_rows(b->rows, b->count, columns);
    if (finite < b->count)
        return icl_error_set(ICL_EINVAL, "the vector of pool item %zu is not finite",
                             b->first + finite);
    icl_matrix_normalise_rows(s->pool_rows, b->rows, b->count, columns);
    for (size_t i = 0; i < b->count; i++) s->scales[i] = 1;
    b->rows = s->pool_rows;
    b->done = 0;
    return ICL_OK;
}

/* The exact score: double, one fixed order. For l2 minus the squared distance, which ranks alike.
 */
static double exact_score(const search *s, size_t query, size_t row)
{
    const size_t columns = s->input->columns;
    const float *a = &s->input->queries[query * columns], *b = &s->input->pool[row * columns];
    if (s->input->metric == ICL_METRIC_L2) return -icl_vector_distance_squared(a, b, columns);
    const double lengths =
        sqrt(icl_vector_dot(a, a, columns)) * sqrt(icl_vector_dot(b, b, columns));
    if (!(lengths > 0)) return 0;
    return fmax(-1, fmin(1, icl_vector_dot(a, b, columns) / lengths));
}

/* The true k-th best is at least (k-th best seen) - error, and a row that reaches it was seen at
 * (true score) - error or more: so nothing below (k-th best seen) - 2 error is needed. */
static void prune(candidates *found, size_t k, double error)
{
    if (found->count <= k) return;
    icl_topk(found->items, found->count, k);
    found->floor = found->items[k - 1].score - 2 * error;
    size_t kept = k;
    for (size_t i = k; i < found->count; i++)
        if (found->items[i].score >= found->floor) found->items[kept++] = found->items[i];
    found->count = kept;
}

static icl_status offer(candidates *found, icl_scored item, const search *s)
{
    if (item.score < found->floor) return ICL_OK;
    if (found->count == found->capacity) {
        prune(found, s->input->k, s->error);
        /* Pruning must free half of the list, or it would be done again too soon. */
        if (2 * found->count >= found->capacity) {
            const size_t capacity =
                found->capacity > 0 ? 2 * found->capacity : s->input->k + CANDIDATES_MIN;
            icl_scored *items = realloc(found->items, capacity * sizeof *items);
            if (items == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
            found->items = items;
            found->capacity = capacity;
        }
    }
    found->items[found->count++] = item;
    return ICL_OK;
}

/* Offers the rows of a block of the pool to the queries of the block starting at `query`. */
static icl_status scan_pool_block(const search *s, size_t query, size_t queries, block *b)
{
    const icl_dense_input *input = s->input;
    if (input->metric == ICL_METRIC_L2)
        shrink_block(b, s);
    else
        ICL_TRY(measure_block(b, s, queries));
    multiply(b, s, queries);
    for (size_t q = 0; q < queries; q++) {
        const size_t excluded = input->exclude != NULL ? input->exclude[query + q] : SIZE_MAX;
        const float *products = &s->products[q * b->count];
        const size_t places = icl_places_above(s->places, products, s->scales, s->offsets, b->count,
                                               (float)s->found[q].floor);
        for (size_t p = 0; p < places; p++) {
            const size_t i = s->places[p], row = b->first + i;
            if (row == excluded) continue;
            const float score = products[i] * s->scales[i] - s->offsets[i];
            ICL_TRY(offer(&s->found[q], (icl_scored){ .score = (double)score, .index = row }, s));
        }
    }
    return ICL_OK;
}

/* Ranks the candidates of one query by their exact scores and writes its line. */
static void rank_candidates(icl_scored *line, const search *s, candidates *found, size_t query)
{
    const size_t k = s->input->k;
    prune(found, k, s->error);
    for (size_t i = 0; i < found->count; i++)
        found->items[i].score = exact_score(s, query, found->items[i].index);
    const size_t filled = at_most(k, found->count);
    icl_topk(found->items, found->count, filled);
    for (size_t i = 0; i < k; i++)
        line[i] = i < filled ? found->items[i] : (icl_scored){ -(double)INFINITY, SIZE_MAX };
    if (s->input->metric == ICL_METRIC_L2) {
        /* 0 - x, not -x: a distance of 0 gives the score 0, not -0. */
        for (size_t i = 0; i < filled; i++) line[i].score = 0 - sqrt(-line[i].score);
    }
}

static icl_status search_query_block(icl_scored *out, const search *s, size_t query, size_t queries)
{
    const icl_dense_input *input = s->input;
    prepare_queries(s, query, queries);
    for (size_t q = 0; q < queries; q++) {
        s->found[q].count = 0;
        s->found[q].floor = -(double)INFINITY;
    }
    for (size_t first = 0; first < input->pool_count; first += s->pool_block) {
        ICL_TRY(icl_cancel_check(input->cancelled));
        block b = { .rows = &input->pool[first * input->columns],
                    .first = first,
                    .count = at_most(s->pool_block, input->pool_count - first) };
        ICL_TRY(scan_pool_block(s, query, queries, &b));
    }
    for (size_t q = 0; q < queries; q++)
        rank_candidates(&out[(query + q) * input->k], s, &s->found[q], query + q);
    return ICL_OK;
}

static icl_status check_finite(const icl_dense_input *input)
{
    const size_t pool_row = icl_matrix_finite_rows(input->pool, input->pool_count, input->columns);
    if (pool_row < input->pool_count)
        return icl_error_set(ICL_EINVAL, "the vector of pool item %zu is not finite", pool_row);
    const size_t query = icl_matrix_finite_rows(input->queries, input->query_count, input->columns);
    if (query < input->query_count)
        return icl_error_set(ICL_EINVAL, "the vector of query %zu is not finite", query);
    return ICL_OK;
}

static icl_status search_init(search *s, const icl_dense_input *input)
{
    s->input = input;
    s->query_block =
        at_most(input->query_block > 0 ? input->query_block : QUERY_BLOCK, input->query_count);
    s->pool_block =
        at_most(input->pool_block > 0 ? input->pool_block : POOL_BLOCK, input->pool_count);
    s->error = error_bound(input);
    s->exponent = input->metric == ICL_METRIC_L2 ? largest_exponent(input) : 0;
    /* One more than needed: malloc(0) may return NULL. */
    s->query_rows = malloc((s->query_block * input->columns + 1) * sizeof *s->query_rows);
    s->pool_rows = malloc((s->pool_block * input->columns + 1) * sizeof *s->pool_rows);
    s->scales = malloc((s->pool_block + 1) * sizeof *s->scales);
    s->offsets = calloc(s->pool_block + 1, sizeof *s->offsets);
    s->places = malloc((s->pool_block + 1) * sizeof *s->places);
    s->products = malloc((s->query_block * s->pool_block + 1) * sizeof *s->products);
    s->found = calloc(s->query_block + 1, sizeof *s->found);
    if (s->query_rows == NULL || s->pool_rows == NULL || s->scales == NULL || s->offsets == NULL ||
        s->places == NULL || s->products == NULL || s->found == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory");
    return ICL_OK;
}

static void search_deinit(search *s)
{
    for (size_t i = 0; s->found != NULL && i < s->query_block; i++) free(s->found[i].items);
    free(s->found);
    free(s->products);
    free(s->places);
    free(s->offsets);
    free(s->scales);
    free(s->pool_rows);
    free(s->query_rows);
}

icl_status icl_dense_search(icl_scored *out, const icl_dense_input *input)
{
    if (input->query_count == 0 || input->k == 0) return ICL_OK;
    const bool queries_finite = icl_matrix_finite_rows(input->queries, input->query_count,
                                                       input->columns) == input->query_count;
    /* Cosines are checked row by row on the way, which spares reading the pool twice. */
    if (input->metric == ICL_METRIC_L2 || !queries_finite) ICL_TRY(check_finite(input));
    search s = { 0 };
    icl_status status = search_init(&s, input);
    for (size_t query = 0; status == ICL_OK && query < input->query_count; query += s.query_block)
        status =
            search_query_block(out, &s, query, at_most(s.query_block, input->query_count - query));
    search_deinit(&s);
    return status;
}
