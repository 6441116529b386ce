/* base/cancel.h - the flag by which a caller stops a long call.
 *
 * An atomic_bool may be set from a signal handler or another thread. Loops look at it often enough
 * to stop within a fraction of a second.
 */
#ifndef ICL_BASE_CANCEL_H
#define ICL_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include <icl/status.h>

/* ICL_ECANCELLED, with its sentence, once the flag is set; NULL is never set. */
icl_status icl_cancel_check(const atomic_bool *cancelled);

#endif
