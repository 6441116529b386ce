/* order/order.h - the stage that arranges the chosen demonstrations of every query.
 *
 *   icl_ordering ordering = { 0 };
 *   status = icl_order_run(&ordering, method, &input, &options);
 *   ... the demonstration shown at place p is
 *       input.indices[query * k + ordering.permutations[query * k + p]];
 *       the one at place k - 1 stands nearest to the query ...
 *   icl_ordering_deinit(&ordering);
 *
 * A method is one file order_<name>.c and one line in registry.def ("-" is "_" there). The laws
 * every method keeps are tests/conformance/test_order_conformance.c.
 */
#ifndef ICL_ORDER_ORDER_H
#define ICL_ORDER_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/dataset.h>
#include <icl/status.h>

#include "base/card.h"

struct icl_asker;
struct icl_trainable;

/* Everything is borrowed. `indices` and `scores` are a selection's, see select/select.h. */
typedef struct icl_order_input {
    size_t query_count, k;
    const size_t *indices; /* [query_count][k] pool indices, most relevant first */
    const double *scores;  /* [query_count][k] higher = more relevant */
    size_t pool_count, label_count;
    const char *const *pool_texts;  /* [pool_count] the inputs as the data has them */
    const char *const *query_texts; /* [query_count] */
    const size_t *pool_labels;      /* [pool_count], each < label_count; NULL: unlabelled */
    const icl_dataset *pool_rows;   /* [pool_count] for methods that read other fields of them */
    const char *const *query_ids;   /* [query_count] keys of randomness */
    const char *task;               /* key of randomness */
    uint64_t seed;
    const size_t *query_self; /* [query_count] pool index of the query itself, or SIZE_MAX; NULL:
                                 none is in the pool */
    const atomic_bool *cancelled;          /* may be NULL */
    const struct icl_asker *asker;         /* template/ask.h; NULL unless the card needs
                                              ICL_NEEDS_LOGPROBS or ICL_NEEDS_GENERATION */
    const struct icl_trainable *trainable; /* learn/trainable.h; NULL unless the card needs
                                              ICL_NEEDS_GRADIENTS */
    const char *model_identity;            /* of the language model, as fitted files have it */
} icl_order_input;

typedef struct icl_ordering {
    size_t query_count, k;
    size_t *permutations; /* [query_count][k] ranks in the selection, in the order of showing; the
                             last stands nearest to the query */
} icl_ordering;

typedef struct icl_order_method {
    icl_card card;
    /* Fills the zeroed buffer of `out`; called only through icl_order_run, out->k > 0. */
    icl_status (*run)(icl_ordering *out, const icl_order_input *input, const icl_options *options);
} icl_order_method;

/* All registered methods, and their cards in the same order; static. */
const icl_order_method *const *icl_order_methods(size_t *out_count);
const icl_card *const *icl_order_cards(size_t *out_count);

/* ICL_ENOTFOUND offers the nearest name. */
icl_status icl_order_find(const icl_order_method **out, const char *name);

/* Runs one method. ICL_EINVAL: it needs labels or weights that the input lacks. On failure `out` is
 * untouched. */
icl_status icl_order_run(icl_ordering *out, const icl_order_method *method,
                         const icl_order_input *input, const icl_options *options);

void icl_ordering_deinit(icl_ordering *ordering);

#endif
