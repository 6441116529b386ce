#include "math/assignment.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

/* Costs are negated weights, read so that the side `count` is the smaller one. */
typedef struct problem {
    const double *weights;
    size_t count, other_count, stride, other_stride;
    double *potentials;       /* [count] */
    double *other_potentials; /* [other_count + 1]; the last place stands for "none yet" */
    size_t *partners;         /* [other_count + 1] of the smaller side, or SIZE_MAX */
    double *slacks;           /* [other_count] least reduced cost to the tree */
    size_t *parents;          /* [other_count] where that least cost comes from */
    bool *in_tree;            /* [other_count + 1] */
} problem;

static icl_status problem_init(problem *p)
{
    const size_t other = p->other_count;
    p->potentials = calloc(p->count + 1, sizeof *p->potentials);
    p->other_potentials = calloc(other + 1, sizeof *p->other_potentials);
    p->partners = malloc((other + 1) * sizeof *p->partners);
    p->slacks = malloc((other + 1) * sizeof *p->slacks);
    p->parents = malloc((other + 1) * sizeof *p->parents);
    p->in_tree = malloc((other + 1) * sizeof *p->in_tree);
    if (p->potentials == NULL || p->other_potentials == NULL || p->partners == NULL ||
        p->slacks == NULL || p->parents == NULL || p->in_tree == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for an assignment of %zu to %zu", p->count,
                             other);
    for (size_t j = 0; j <= other; j++) p->partners[j] = SIZE_MAX;
    return ICL_OK;
}

static void problem_deinit(problem *p)
{
    free(p->in_tree);
    free(p->parents);
    free(p->slacks);
    free(p->partners);
    free(p->other_potentials);
    free(p->potentials);
}

static double reduced_cost(const problem *p, size_t i, size_t j)
{
    return -p->weights[i * p->stride + j * p->other_stride] - p->potentials[i] -
           p->other_potentials[j];
}

/* The place outside the tree that is cheapest to reach; slacks learn of the newest member. */
static size_t nearest_outside(problem *p, size_t newest)
{
    const size_t i = p->partners[newest];
    size_t best = p->other_count;
    for (size_t j = 0; j < p->other_count; j++) {
        if (p->in_tree[j]) continue;
        const double cost = reduced_cost(p, i, j);
        if (cost < p->slacks[j]) {
            p->slacks[j] = cost;
            p->parents[j] = newest;
        }
        if (best == p->other_count || p->slacks[j] < p->slacks[best]) best = j;
    }
    return best;
}

static void shift_potentials(problem *p, double delta)
{
    for (size_t j = 0; j <= p->other_count; j++) {
        if (p->in_tree[j]) {
            p->potentials[p->partners[j]] += delta;
            p->other_potentials[j] -= delta;
        } else {
            p->slacks[j] -= delta;
        }
    }
}

/* Grows a tree of tight pairs from i until it reaches a free place, then flips the path to it. */
static void match(problem *p, size_t i)
{
    const size_t root = p->other_count;
    for (size_t j = 0; j <= root; j++) {
        p->slacks[j] = INFINITY;
        p->in_tree[j] = false;
    }
    p->partners[root] = i;
    size_t at = root;
    while (p->partners[at] != SIZE_MAX) {
        p->in_tree[at] = true;
        const size_t next = nearest_outside(p, at);
        shift_potentials(p, p->slacks[next]);
        at = next;
    }
    while (at != root) {
        const size_t parent = p->parents[at];
        p->partners[at] = p->partners[parent];
        at = parent;
    }
}

icl_status icl_assignment(size_t *out, const double *weights, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows * columns; i++)
        if (!isfinite(weights[i]))
            return icl_error_set(ICL_EINVAL, "assignment: the weight of row %zu, column %zu is %g",
                                 i / columns, i % columns, weights[i]);
    const bool by_row = rows <= columns;
    problem p = { .weights = weights,
                  .count = by_row ? rows : columns,
                  .other_count = by_row ? columns : rows,
                  .stride = by_row ? columns : 1,
                  .other_stride = by_row ? 1 : columns };
    const icl_status status = problem_init(&p);
    if (status == ICL_OK) {
        for (size_t i = 0; i < p.count; i++) match(&p, i);
        for (size_t r = 0; r < rows; r++) out[r] = by_row ? SIZE_MAX : p.partners[r];
        for (size_t j = 0; by_row && j < columns; j++)
            if (p.partners[j] != SIZE_MAX) out[p.partners[j]] = j;
    }
    problem_deinit(&p);
    return status;
}
