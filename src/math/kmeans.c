#include "math/kmeans.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/matrix.h"

icl_status icl_kmeans_init(icl_kmeans *out, const float *rows, size_t count, size_t columns,
                           size_t k)
{
    assert(k >= 1 && k <= count);
    icl_kmeans kmeans = { .rows = rows, .count = count, .columns = columns, .k = k };
    kmeans.centres = calloc(k * columns + 1, sizeof *kmeans.centres);
    kmeans.labels = calloc(count, sizeof *kmeans.labels);
    if (kmeans.centres == NULL || kmeans.labels == NULL) {
        icl_kmeans_deinit(&kmeans);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu clusters of %zu rows", k, count);
    }
    *out = kmeans;
    return ICL_OK;
}

void icl_kmeans_deinit(icl_kmeans *kmeans)
{
    free(kmeans->centres);
    free(kmeans->labels);
    *kmeans = (icl_kmeans){ 0 };
}

static const float *row_of(const icl_kmeans *kmeans, size_t row)
{
    return kmeans->rows + row * kmeans->columns;
}

static float *centre_of(const icl_kmeans *kmeans, size_t centre)
{
    return kmeans->centres + centre * kmeans->columns;
}

/* ---- the start ---- */

/* A row with a chance in proportion to its weight; any row when all weights are 0. */
static size_t draw_weighted(const double *weights, size_t count, icl_rng *rng)
{
    double total = 0;
    for (size_t i = 0; i < count; i++) total += weights[i];
    if (!(total > 0)) return icl_rng_below(rng, count);
    double left = icl_rng_unit(rng) * total;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(weights[i] > 0)) continue;
        last = i;
        left -= weights[i];
        if (left < 0) break;
    }
    return last;
}

icl_status icl_kmeans_start(icl_kmeans *kmeans, icl_rng *rng, const atomic_bool *cancelled)
{
    double *nearest = malloc(kmeans->count * sizeof *nearest);
    if (nearest == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu rows", kmeans->count);
    for (size_t i = 0; i < kmeans->count; i++) nearest[i] = INFINITY;
    size_t drawn = icl_rng_below(rng, kmeans->count);
    icl_status status = ICL_OK;
    for (size_t centre = 0; status == ICL_OK && centre < kmeans->k; centre++) {
        memcpy(centre_of(kmeans, centre), row_of(kmeans, drawn),
               kmeans->columns * sizeof *kmeans->centres);
        for (size_t i = 0; i < kmeans->count; i++)
            nearest[i] = fmin(nearest[i], icl_vector_distance_squared(row_of(kmeans, i),
                                                                      centre_of(kmeans, centre),
                                                                      kmeans->columns));
        drawn = draw_weighted(nearest, kmeans->count, rng);
        status = icl_cancel_check(cancelled);
    }
    free(nearest);
    return status;
}

/* ---- the rounds ---- */

typedef struct scratch {
    float *dots;   /* [k] of a row and the centres */
    float *halves; /* [k] half the squared length of a centre */
    double *sums;  /* [k][columns] */
    size_t *sizes; /* [k] */
} scratch;

static icl_status scratch_init(scratch *s, const icl_kmeans *kmeans)
{
    s->dots = malloc(kmeans->k * sizeof *s->dots);
    s->halves = malloc(kmeans->k * sizeof *s->halves);
    s->sums = malloc((kmeans->k * kmeans->columns + 1) * sizeof *s->sums);
    s->sizes = malloc(kmeans->k * sizeof *s->sizes);
    if (s->dots == NULL || s->halves == NULL || s->sums == NULL || s->sizes == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu clusters", kmeans->k);
    return ICL_OK;
}

static void scratch_deinit(scratch *s)
{
    free(s->sizes);
    free(s->sums);
    free(s->halves);
    free(s->dots);
}

/* |x - c|^2 = |x|^2 - 2 (x.c - |c|^2 / 2): the nearest centre has the largest difference. Says
 * whether a label changed. */
static icl_status label_rows(bool *out_changed, icl_kmeans *kmeans, scratch *s,
                             const atomic_bool *cancelled)
{
    bool changed = false;
    for (size_t c = 0; c < kmeans->k; c++)
        s->halves[c] = (float)(0.5 * icl_vector_dot(centre_of(kmeans, c), centre_of(kmeans, c),
                                                    kmeans->columns));
    for (size_t i = 0; i < kmeans->count; i++) {
        ICL_TRY(icl_cancel_check(cancelled));
        icl_vector_dots(s->dots, kmeans->centres, kmeans->k, kmeans->columns, row_of(kmeans, i));
        size_t best = 0;
        for (size_t c = 1; c < kmeans->k; c++)
            if (s->dots[c] - s->halves[c] > s->dots[best] - s->halves[best]) best = c;
        changed |= kmeans->labels[i] != best;
        kmeans->labels[i] = best;
    }
    *out_changed = changed;
    return ICL_OK;
}

static double distance_to_own(const icl_kmeans *kmeans, size_t row)
{
    return icl_vector_distance_squared(row_of(kmeans, row), centre_of(kmeans, kmeans->labels[row]),
                                       kmeans->columns);
}

/* A row that is alone stays: moving it would only leave another centre without rows. */
static void fill_empty(icl_kmeans *kmeans, scratch *s)
{
    memset(s->sizes, 0, kmeans->k * sizeof *s->sizes);
    for (size_t i = 0; i < kmeans->count; i++) s->sizes[kmeans->labels[i]]++;
    for (size_t c = 0; c < kmeans->k; c++) {
        if (s->sizes[c] > 0) continue;
        size_t farthest = kmeans->count;
        double distance = -1;
        for (size_t i = 0; i < kmeans->count; i++) {
            if (s->sizes[kmeans->labels[i]] < 2) continue;
            const double own = distance_to_own(kmeans, i);
            if (own > distance) farthest = i;
            distance = fmax(distance, own);
        }
        s->sizes[kmeans->labels[farthest]]--;
        s->sizes[c] = 1;
        kmeans->labels[farthest] = c;
        memcpy(centre_of(kmeans, c), row_of(kmeans, farthest),
               kmeans->columns * sizeof *kmeans->centres);
    }
}

static void move_centres(icl_kmeans *kmeans, scratch *s)
{
    const size_t columns = kmeans->columns;
    for (size_t i = 0; i < kmeans->k * columns; i++) s->sums[i] = 0;
    for (size_t i = 0; i < kmeans->count; i++) {
        double *sum = s->sums + kmeans->labels[i] * columns;
        for (size_t j = 0; j < columns; j++) sum[j] += (double)row_of(kmeans, i)[j];
    }
    for (size_t c = 0; c < kmeans->k; c++)
        for (size_t j = 0; j < columns; j++)
            centre_of(kmeans, c)[j] = (float)(s->sums[c * columns + j] / (double)s->sizes[c]);
}

icl_status icl_kmeans_run(icl_kmeans *kmeans, size_t rounds_max, const atomic_bool *cancelled)
{
    scratch s = { 0 };
    icl_status status = scratch_init(&s, kmeans);
    bool changed = true;
    if (status == ICL_OK) status = label_rows(&changed, kmeans, &s, cancelled);
    changed = true; /* the centres have not moved yet */
    for (size_t round = 0; status == ICL_OK && changed && round < rounds_max; round++) {
        fill_empty(kmeans, &s);
        move_centres(kmeans, &s);
        status = label_rows(&changed, kmeans, &s, cancelled);
    }
    kmeans->inertia = 0;
    for (size_t i = 0; i < kmeans->count; i++) kmeans->inertia += distance_to_own(kmeans, i);
    scratch_deinit(&s);
    return status;
}
