#include "order/order.h"

#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/registry.h"

#define ICL_ORDER_METHOD(name) extern const icl_order_method icl_order_##name;
#include "order/registry.def"
#undef ICL_ORDER_METHOD

static const icl_order_method *const methods[] = {
#define ICL_ORDER_METHOD(name) &icl_order_##name,
#include "order/registry.def"
#undef ICL_ORDER_METHOD
};

static const icl_card *const cards[] = {
#define ICL_ORDER_METHOD(name) &icl_order_##name.card,
#include "order/registry.def"
#undef ICL_ORDER_METHOD
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

const icl_order_method *const *icl_order_methods(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return methods;
}

const icl_card *const *icl_order_cards(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return cards;
}

icl_status icl_order_find(const icl_order_method **out, const char *name)
{
    size_t index = 0;
    ICL_TRY(icl_registry_find(&index, cards, METHOD_COUNT, "order", name));
    *out = methods[index];
    return ICL_OK;
}

static icl_status check_input(const icl_card *card, const icl_order_input *input)
{
    ICL_TRY(icl_cancel_check(input->cancelled));
    if ((card->needs & ICL_NEEDS_LABELS) != 0 && input->pool_labels == NULL)
        return icl_error_set(ICL_EINVAL, "order method \"%s\" needs a labelled pool", card->name);
    if ((card->needs & ICL_NEEDS_GRADIENTS) != 0 && input->trainable == NULL)
        return icl_error_set(ICL_EINVAL,
                             "order method \"%s\" reads the weights of a language model, and "
                             "there is none",
                             card->name);
    return ICL_OK;
}

icl_status icl_order_run(icl_ordering *out, const icl_order_method *method,
                         const icl_order_input *input, const icl_options *options)
{
    ICL_TRY(check_input(&method->card, input));
    icl_ordering ordering = { .query_count = input->query_count, .k = input->k };
    /* One more than needed: calloc(0) may return NULL. */
    ordering.permutations =
        calloc(input->query_count * input->k + 1, sizeof *ordering.permutations);
    icl_status status = ICL_OK;
    if (ordering.permutations == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu orders of k=%zu",
                               input->query_count, input->k);
    else if (input->k > 0 && input->query_count > 0)
        status = method->run(&ordering, input, options);
    if (status != ICL_OK) {
        icl_ordering_deinit(&ordering);
        return status;
    }
    *out = ordering;
    return ICL_OK;
}

void icl_ordering_deinit(icl_ordering *ordering)
{
    free(ordering->permutations);
    *ordering = (icl_ordering){ 0 };
}
