#include "index/dense.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/matrix.h"

enum { QUERY_BLOCK = 128, POOL_BLOCK = 1024, CANDIDATES_MIN = 64 };

/* Pool rows that may still be among the k best of one query, with single-precision scores. */
typedef struct candidates {
    icl_scored *items; /* [capacity] */
    size_t count, capacity;
    double floor; /* a row scored below it cannot be among the k best */
} candidates;

typedef struct search {
    const icl_dense_input *input;
    size_t query_block, pool_block;
    double error;         /* bound on |single-precision score - exact score| */
    int exponent;         /* l2: rows are divided by 2^exponent to have length at most 1 */
    float *query_rows;    /* [query_block][columns] prepared for the product */
    float *pool_rows;     /* [pool_block][columns] */
    double *pool_offsets; /* [pool_block] l2: squared length of a prepared row */
    float *products;      /* [query_block][pool_block] */
    candidates *found;    /* [query_block] */
} search;

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

/* Any order of summation of n products errs by at most n u / (1 - n u) times the product of the
 * lengths (Higham 2002, section 3.1), u = 2^-24; preparing the rows adds a few u. Twice that, for
 * slack. Both metrics use rows of length at most 1; l2 takes the product twice. */
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

static void prepare_rows(float *out, const float *in, size_t rows, const search *s)
{
    const size_t columns = s->input->columns;
    if (s->input->metric == ICL_METRIC_COSINE) {
        icl_matrix_normalise_rows(out, in, rows, columns);
        return;
    }
    for (size_t i = 0; i < rows * columns; i++) out[i] = (float)ldexp((double)in[i], -s->exponent);
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

/* Offers the pool rows [first, first + rows) to the queries of the block starting at `query`. */
static icl_status scan_pool_block(const search *s, size_t query, size_t queries, size_t first,
                                  size_t rows)
{
    const icl_dense_input *input = s->input;
    prepare_rows(s->pool_rows, &input->pool[first * input->columns], rows, s);
    for (size_t i = 0; i < rows; i++) {
        const float *row = &s->pool_rows[i * input->columns];
        s->pool_offsets[i] = icl_vector_dot(row, row, input->columns);
    }
    icl_matrix_multiply_transposed(s->products, s->query_rows, queries, s->pool_rows, rows,
                                   input->columns);
    for (size_t q = 0; q < queries; q++) {
        const size_t excluded = input->exclude != NULL ? input->exclude[query + q] : SIZE_MAX;
        for (size_t i = 0; i < rows; i++) {
            if (first + i == excluded) continue;
            double score = (double)s->products[q * rows + i];
            if (input->metric == ICL_METRIC_L2) score = 2 * score - s->pool_offsets[i];
            ICL_TRY(offer(&s->found[q], (icl_scored){ .score = score, .index = first + i }, s));
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
    prepare_rows(s->query_rows, &input->queries[query * input->columns], queries, s);
    for (size_t q = 0; q < queries; q++) {
        s->found[q].count = 0;
        s->found[q].floor = -(double)INFINITY;
    }
    for (size_t first = 0; first < input->pool_count; first += s->pool_block) {
        ICL_TRY(icl_cancel_check(input->cancelled));
        const size_t rows = at_most(s->pool_block, input->pool_count - first);
        ICL_TRY(scan_pool_block(s, query, queries, first, rows));
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
    s->pool_offsets = malloc((s->pool_block + 1) * sizeof *s->pool_offsets);
    s->products = malloc((s->query_block * s->pool_block + 1) * sizeof *s->products);
    s->found = calloc(s->query_block + 1, sizeof *s->found);
    if (s->query_rows == NULL || s->pool_rows == NULL || s->pool_offsets == NULL ||
        s->products == NULL || s->found == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory");
    return ICL_OK;
}

static void search_deinit(search *s)
{
    for (size_t i = 0; s->found != NULL && i < s->query_block; i++) free(s->found[i].items);
    free(s->found);
    free(s->products);
    free(s->pool_offsets);
    free(s->pool_rows);
    free(s->query_rows);
}

icl_status icl_dense_search(icl_scored *out, const icl_dense_input *input)
{
    if (input->query_count == 0 || input->k == 0) return ICL_OK;
    ICL_TRY(check_finite(input));
    search s = { 0 };
    icl_status status = search_init(&s, input);
    for (size_t query = 0; status == ICL_OK && query < input->query_count; query += s.query_block)
        status =
            search_query_block(out, &s, query, at_most(s.query_block, input->query_count - query));
    search_deinit(&s);
    return status;
}
