/* calibrate_call.h - calibrations called by the text that a user types. Include after cmocka.h. */
#ifndef ICL_TESTS_CALIBRATE_CALL_H
#define ICL_TESTS_CALIBRATE_CALL_H

#include <math.h>
#include <string.h>

#include <icl/status.h>

#include "score/calibrate.h"

static inline icl_status calibrate_status(icl_calibration *out, const icl_calibrate_input *input,
                                          const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_calibrate_method *method = NULL;
    icl_status status = icl_call_parse(&call, text, strlen(text));
    if (status == ICL_OK) status = icl_calibrate_find(&method, call.name);
    if (status == ICL_OK) status = icl_options_read(&options, &method->card, &call);
    if (status == ICL_OK) status = icl_calibrate_run(out, method, input, &options);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return status;
}

static inline icl_calibration calibrate(const icl_calibrate_input *input, const char *text)
{
    icl_calibration calibration = { 0 };
    if (calibrate_status(&calibration, input, text) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
    return calibration;
}

static inline void assert_all_near(const double *actual, const double *expected, size_t count,
                                   double tolerance)
{
    for (size_t i = 0; i < count; i++) {
        if (actual[i] == expected[i] || fabs(actual[i] - expected[i]) <= tolerance) continue;
        fail_msg("entry %zu: %.17g is not %.17g", i, actual[i], expected[i]);
    }
}

static inline void to_logs(double *out, const double *probabilities, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = log(probabilities[i]);
}

#endif
