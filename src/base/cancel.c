#include "base/cancel.h"

#include <stddef.h>

#include "base/error.h"

icl_status icl_cancel_check(const atomic_bool *cancelled)
{
    if (cancelled == NULL || !atomic_load_explicit(cancelled, memory_order_relaxed)) return ICL_OK;
    return icl_error_set(ICL_ECANCELLED, "stopped on request");
}
