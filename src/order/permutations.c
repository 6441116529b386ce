#include "order/permutations.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

size_t icl_factorial(size_t k)
{
    size_t product = 1;
    for (size_t i = 2; i <= k; i++) {
        if (product > SIZE_MAX / i) return SIZE_MAX;
        product *= i;
    }
    return product;
}

void icl_permutation_identity(size_t *out, size_t k)
{
    for (size_t i = 0; i < k; i++) out[i] = i;
}

static void swap(size_t *a, size_t *b)
{
    const size_t kept = *a;
    *a = *b;
    *b = kept;
}

bool icl_permutation_next(size_t *row, size_t k)
{
    size_t pivot = k;
    while (pivot >= 2 && row[pivot - 2] > row[pivot - 1]) pivot--;
    if (pivot < 2) return false;
    pivot -= 2;
    size_t successor = k - 1;
    while (row[successor] < row[pivot]) successor--;
    swap(&row[pivot], &row[successor]);
    for (size_t low = pivot + 1, high = k - 1; low < high; low++, high--)
        swap(&row[low], &row[high]);
    return true;
}

static icl_status reserve(icl_permutations *out, size_t k, size_t count)
{
    *out = (icl_permutations){ .k = k };
    if (count < SIZE_MAX / sizeof *out->rows / (k + 1))
        out->rows = malloc((count * k + 1) * sizeof *out->rows);
    if (out->rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders of k=%zu", count, k);
    return ICL_OK;
}

icl_status icl_permutations_all(icl_permutations *out, size_t k)
{
    const size_t count = icl_factorial(k);
    ICL_TRY(reserve(out, k, count));
    icl_permutation_identity(out->rows, k);
    for (size_t i = 1; i < count; i++) {
        memcpy(&out->rows[i * k], &out->rows[(i - 1) * k], k * sizeof *out->rows);
        icl_permutation_next(&out->rows[i * k], k);
    }
    out->count = count;
    return ICL_OK;
}

/* Keeps `count` rows, every set of so many equally likely, in their order: each row is kept with
 * the chance rows still wanted / rows still there. */
static void thin(icl_permutations *orders, size_t count, icl_rng *rng)
{
    const size_t all = orders->count, k = orders->k;
    size_t kept = 0;
    for (size_t i = 0; kept < count; i++) {
        if (icl_rng_below(rng, all - i) >= count - kept) continue;
        memmove(&orders->rows[kept * k], &orders->rows[i * k], k * sizeof *orders->rows);
        kept++;
    }
    orders->count = count;
}

static int compare_rows(const size_t *left, const size_t *right, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    return 0;
}

static void merge(size_t *out, const size_t *rows, size_t middle, size_t count, size_t k)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < count; i++) {
        const bool from_left =
            left < middle &&
            (right == count || compare_rows(&rows[left * k], &rows[right * k], k) <= 0);
        const size_t taken = from_left ? left++ : right++;
        memcpy(&out[i * k], &rows[taken * k], k * sizeof *out);
    }
}

/* Merge sort, since the length of a row is not known to a comparison of qsort. */
static void sort_rows(size_t *rows, size_t *spare, size_t count, size_t k)
{
    if (count < 2) return;
    const size_t middle = count / 2;
    sort_rows(rows, spare, middle, k);
    sort_rows(&rows[middle * k], spare, count - middle, k);
    merge(spare, rows, middle, count, k);
    memcpy(rows, spare, count * k * sizeof *rows);
}

icl_status icl_permutations_sort(icl_permutations *orders)
{
    size_t *spare = malloc((orders->count * orders->k + 1) * sizeof *spare);
    if (spare == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders of k=%zu", orders->count,
                             orders->k);
    sort_rows(orders->rows, spare, orders->count, orders->k);
    free(spare);
    return ICL_OK;
}

static void drop_repeats(icl_permutations *orders)
{
    const size_t k = orders->k;
    size_t kept = 1;
    for (size_t i = 1; i < orders->count; i++) {
        const size_t *row = &orders->rows[i * k];
        if (compare_rows(row, &orders->rows[(kept - 1) * k], k) != 0)
            memmove(&orders->rows[kept++ * k], row, k * sizeof *row);
    }
    orders->count = kept;
}

/* Draws what lacks, drops what was drawn twice, until nothing lacks; every draw is new with a
 * chance of a half or more. */
static icl_status draw_distinct(icl_permutations *out, size_t k, size_t count, icl_rng *rng)
{
    ICL_TRY(reserve(out, k, count));
    icl_status status = ICL_OK;
    while (status == ICL_OK && out->count < count) {
        for (; out->count < count; out->count++) {
            icl_permutation_identity(&out->rows[out->count * k], k);
            icl_rng_shuffle(rng, &out->rows[out->count * k], k);
        }
        status = icl_permutations_sort(out);
        if (status == ICL_OK) drop_repeats(out);
    }
    if (status != ICL_OK) icl_permutations_deinit(out);
    return status;
}

icl_status icl_permutations_sample(icl_permutations *out, size_t k, size_t count, icl_rng *rng)
{
    const size_t all = icl_factorial(k);
    if (count <= all / 2) return draw_distinct(out, k, count, rng);
    ICL_TRY(icl_permutations_all(out, k));
    if (count < all) thin(out, count, rng);
    return ICL_OK;
}

/* Writes `count` rows that agree before `place`; rows[0] holds a permutation whose part from
 * `place` on is still free. `breadth` things may stand at `place`, count <= breadth!. */
static void grow(size_t *rows, size_t k, size_t place, size_t breadth, size_t count, icl_rng *rng)
{
    if (count == 1) {
        icl_rng_shuffle(rng, rows + place, k - place);
        return;
    }
    size_t children = breadth < count ? breadth : count;
    /* The first `children` things of a shuffled rest may stand here. */
    icl_rng_shuffle(rng, rows + place, k - place);
    size_t *line = rows;
    for (size_t remaining = count; children > 0; children--) {
        const size_t share = remaining / children;
        size_t *next = line + share * k;
        remaining -= share;
        if (children > 1) {
            memcpy(next, line, k * sizeof *next);
            /* What stood here goes to the end, so that it is not chosen again. */
            const size_t used = next[place];
            memmove(&next[place], &next[place + 1], (k - place - 1) * sizeof *next);
            next[k - 1] = used;
        }
        grow(line, k, place + 1, breadth - 1, share, rng);
        line = next;
    }
}

static size_t breadth_for(size_t count)
{
    size_t breadth = 1;
    while (icl_factorial(breadth) < count) breadth++;
    return breadth;
}

icl_status icl_permutations_sample_tree(icl_permutations *out, size_t k, size_t head, size_t count,
                                        icl_rng *rng)
{
    assert(head <= k && count > 0);
    const size_t most = icl_factorial(k - head);
    if (count > most) count = most;
    ICL_TRY(reserve(out, k, count));
    icl_permutation_identity(out->rows, k);
    icl_rng_shuffle(rng, out->rows, k);
    grow(out->rows, k, head, breadth_for(count), count, rng);
    out->count = count;
    const icl_status status = icl_permutations_sort(out);
    if (status != ICL_OK) icl_permutations_deinit(out);
    return status;
}

size_t icl_permutations_segments(const icl_permutations *orders)
{
    size_t segments = 0;
    for (size_t i = 0; i < orders->count; i++) {
        const size_t *row = &orders->rows[i * orders->k];
        size_t shared = 0;
        while (i > 0 && shared < orders->k && row[shared] == (row - orders->k)[shared]) shared++;
        segments += orders->k - shared;
    }
    return segments;
}

void icl_permutations_deinit(icl_permutations *orders)
{
    free(orders->rows);
    *orders = (icl_permutations){ 0 };
}
