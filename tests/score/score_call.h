/* tests/score/score_call.h - scores by a method as a user types it. Include after cmocka.h. */
#ifndef ICL_TESTS_SCORE_CALL_H
#define ICL_TESTS_SCORE_CALL_H

#include <string.h>

#include <icl/status.h>

#include "score/score.h"

/* What the method returns; the call itself has to be right. */
static inline icl_status score_status(double *out, const icl_score_input *input, const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_score_method *method = NULL;
    if (icl_call_parse(&call, text, strlen(text)) != ICL_OK ||
        icl_score_find(&method, call.name) != ICL_OK ||
        icl_options_read(&options, &method->card, &call) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
    const icl_status status = icl_score_run(out, method, input, &options);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return status;
}

static inline void score_well(double *out, const icl_score_input *input, const char *text)
{
    if (score_status(out, input, text) != ICL_OK) fail_msg("%s: %s", text, icl_error_message());
}

#endif
