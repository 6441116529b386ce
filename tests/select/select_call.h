/* tests/select/select_call.h - runs a selection written as a user types it. */
#ifndef TESTS_SELECT_SELECT_CALL_H
#define TESTS_SELECT_SELECT_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "select/select.h"

static inline icl_status select_status(icl_selection *out, const icl_select_input *input,
                                       const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    icl_status status = icl_call_parse(&call, text, strlen(text));
    if (status == ICL_OK) status = icl_select_find(&method, call.name);
    if (status == ICL_OK) status = icl_options_read(&options, &method->card, &call);
    if (status == ICL_OK) status = icl_select_run(out, method, input, &options);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return status;
}

static inline icl_selection select_well(const icl_select_input *input, const char *text)
{
    icl_selection selection = { 0 };
    if (select_status(&selection, input, text) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
    return selection;
}

#endif
