/* tests/order/order_call.h - runs an ordering method as a strategy line writes it. */
#ifndef TESTS_ORDER_ORDER_CALL_H
#define TESTS_ORDER_ORDER_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "order/order.h"

/* Options of a method's call such as "pdo(prior=pool)"; icl_options_deinit. */
static inline icl_options order_options(const icl_order_method **out_method, const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    if (icl_call_parse(&call, text, strlen(text)) != ICL_OK ||
        icl_order_find(out_method, call.name) != ICL_OK ||
        icl_options_read(&options, &(*out_method)->card, &call) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
    icl_call_deinit(&call);
    return options;
}

static inline icl_ordering order_well(const icl_order_input *input, const char *text)
{
    const icl_order_method *method = NULL;
    icl_ordering ordering = { 0 };
    icl_options options = order_options(&method, text);
    if (icl_order_run(&ordering, method, input, &options) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
    icl_options_deinit(&options);
    return ordering;
}

#endif
