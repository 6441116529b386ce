/* tests/select/picks.h - runs the `pick` of a method written as a user types it. */
#ifndef TESTS_SELECT_PICKS_H
#define TESTS_SELECT_PICKS_H

#include "select/select_call.h"

static inline icl_status pick_status(size_t *out, size_t budget, const icl_select_input *input,
                                     const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    icl_status status = icl_call_parse(&call, text, strlen(text));
    if (status == ICL_OK) status = icl_select_find(&method, call.name);
    if (status == ICL_OK) status = icl_options_read(&options, &method->card, &call);
    if (status == ICL_OK) status = method->pick(out, budget, input, &options);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return status;
}

static inline void pick_well(size_t *out, size_t budget, const icl_select_input *input,
                             const char *text)
{
    if (pick_status(out, budget, input, text) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
}

#endif
