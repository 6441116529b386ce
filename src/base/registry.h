/* base/registry.h - finding a method of a stage by name, with a useful answer to a typing error. */
#ifndef ICL_BASE_REGISTRY_H
#define ICL_BASE_REGISTRY_H

#include <stddef.h>

#include <icl/status.h>

#include "base/card.h"

/* Index of the card called `name`. ICL_ENOTFOUND: the sentence names the stage and the nearest
 * method or, when none is near, all of them. */
icl_status icl_registry_find(size_t *out_index, const icl_card *const *cards, size_t count,
                             const char *stage, const char *name);

#endif
