#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };

static _Thread_local char message[MESSAGE_BYTES];

const char *icl_error_message(void)
{
    return message;
}

const char *icl_status_name(icl_status status)
{
    switch (status) {
    case ICL_OK:
        return "ok";
    case ICL_EINVAL:
        return "invalid argument";
    case ICL_EPARSE:
        return "malformed input";
    case ICL_EIO:
        return "input/output error";
    case ICL_ENOMEM:
        return "out of memory";
    case ICL_EMODEL:
        return "model error";
    case ICL_ECONTEXT:
        return "prompt exceeds the window";
    case ICL_EUNSUPPORTED:
        return "unsupported by this backend";
    case ICL_ENOTFOUND:
        return "not found";
    case ICL_EBUSY:
        return "in use";
    case ICL_ECANCELLED:
        return "cancelled";
    case ICL_EBUDGET:
        return "over budget";
    }
    return "unknown status";
}

icl_status icl_error_set(icl_status status, const char *format, ...)
{
    /* An argument may point into `message` itself, so format elsewhere first. */
    char fresh[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fresh, sizeof fresh, format, arguments);
    va_end(arguments);
    memcpy(message, fresh, sizeof message);
    return status;
}

icl_status icl_error_prefix(icl_status status, const char *format, ...)
{
    char prefix[MESSAGE_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return icl_error_set(status, "%s: %s", prefix, message);
}
