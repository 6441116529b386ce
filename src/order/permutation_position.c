/* Position effects: values of random orders as a sum of what each thing adds at each place, by
 * ridge regression, as datamodels do it for sets; the order of the lowest sum is an assignment of
 * things to places. A value that is such a sum is minimised exactly once the random orders tell its
 * (k - 1)^2 + 1 parts apart. */
#include <stdlib.h>

#include "base/error.h"
#include "math/assignment.h"
#include "math/ridge.h"
#include "order/permutation_engine.h"

/* Little, since values are not drawn: enough to choose among orders that fit them equally well. */
static const double penalty = 1e-3;
enum { ORDERS_MAX = 1500 }; /* the regression takes the cube of them */

/* products [count][count]: places on which two orders agree. */
static void set_products(double *products, const icl_search_round *round, size_t k)
{
    for (size_t i = 0; i < round->count; i++)
        for (size_t j = 0; j < round->count; j++) {
            size_t agree = 0;
            for (size_t place = 0; place < k; place++)
                agree += round->orders[i * k + place] == round->orders[j * k + place];
            products[i * round->count + j] = (double)agree;
        }
}

/* gains [place][thing]: by how much the thing at that place lowers the value. */
static void set_gains(double *gains, const double *duals, const icl_search_round *round, size_t k)
{
    for (size_t i = 0; i < round->count; i++)
        for (size_t place = 0; place < k; place++)
            gains[place * k + round->orders[i * k + place]] -= duals[i];
}

static icl_status propose_assignment(icl_search *search)
{
    const icl_search_round *round = &search->answered;
    const size_t k = search->k, rows = round->count;
    double *products = malloc(rows * rows * sizeof *products),
           *duals = malloc(rows * sizeof *duals);
    double *gains = calloc(k * k, sizeof *gains);
    size_t *order = malloc(k * sizeof *order);
    icl_status status = ICL_OK;
    if (products == NULL || duals == NULL || gains == NULL || order == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for a regression on %zu orders", rows);
        goto cleanup;
    }
    set_products(products, round, k);
    status = icl_ridge_duals(duals, products, round->values, rows, 1, penalty, search->cancelled);
    if (status != ICL_OK) goto cleanup;
    set_gains(gains, duals, round, k);
    status = icl_assignment(order, gains, k, k);
    if (status != ICL_OK) goto cleanup;
    icl_search_open(search, k, search->item_count);
    status = icl_search_propose(search, order);

cleanup:
    free(order);
    free(gains);
    free(duals);
    free(products);
    return status;
}

static icl_status next_position(icl_search *search)
{
    if (search->turn == 0 && icl_search_orders_left(search) > 1)
        return icl_search_propose_random(search, ORDERS_MAX);
    return search->turn == 1 ? propose_assignment(search) : ICL_OK;
}

const icl_engine icl_engine_position = { .next = next_position };
