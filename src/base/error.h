/* base/error.h - setting the thread's error sentence; library code returns the status it sets. */
#ifndef ICL_BASE_ERROR_H
#define ICL_BASE_ERROR_H

#include <icl/status.h>

/* Stores the sentence and returns `status`, so `return icl_error_set(...)` reads as one step. */
__attribute__((format(printf, 2, 3))) icl_status icl_error_set(icl_status status,
                                                               const char *format, ...);

/* Prepends "prefix: " to the current sentence; returns `status`. */
__attribute__((format(printf, 2, 3))) icl_status icl_error_prefix(icl_status status,
                                                                  const char *format, ...);

/* Return on failure; only while nothing is held. */
#define ICL_TRY(call)                                                                              \
    do {                                                                                           \
        const icl_status icl_try_status_ = (call);                                                 \
        if (icl_try_status_ != ICL_OK) return icl_try_status_;                                     \
    } while (0)

#endif
