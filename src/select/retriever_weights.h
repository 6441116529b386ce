/* select/retriever_weights.h - a retriever whose maps are parameters of a graph, and the best state
 * that they were in.
 *
 *   icl_retriever_weights weights = { 0 };
 *   status = icl_retriever_weights_init(&weights, &shape);
 *   ... a graph with weights.parameters is built, an optimizer changes them ...
 *   icl_retriever_weights_read(&weights);
 *   ... weights.retriever maps as they do now ...
 *   icl_retriever_weights_deinit(&weights);
 */
#ifndef ICL_SELECT_RETRIEVER_WEIGHTS_H
#define ICL_SELECT_RETRIEVER_WEIGHTS_H

#include "learn/parameters.h"
#include "select/retriever.h"

enum {
    ICL_RETRIEVER_QUERY_MAP,
    ICL_RETRIEVER_CONTEXT_MAP,
    ICL_RETRIEVER_OFFSETS,
    ICL_RETRIEVER_SLOTS
};

typedef struct icl_retriever_slot {
    size_t index;  /* in the parameters; SIZE_MAX: the shape has no such part */
    size_t count;  /* numbers */
    float *values; /* [count] as the retriever reads them */
    float *best;   /* [count] */
} icl_retriever_slot;

typedef struct icl_retriever_weights {
    icl_device *device;
    icl_parameters *parameters;
    icl_retriever_slot slots[ICL_RETRIEVER_SLOTS];
    icl_retriever retriever; /* borrows from the slots */
} icl_retriever_weights;

/* All zero, on one thread of the CPU. `out` is zeroed, stays where it is, and is yours on failure
 * too. ICL_ENOMEM; what the device says. */
icl_status icl_retriever_weights_init(icl_retriever_weights *out, const icl_retriever_shape *shape);
void icl_retriever_weights_deinit(icl_retriever_weights *weights);

/* The slot of the map that contexts go through: that of queries where it is shared. */
size_t icl_retriever_context_slot(const icl_retriever_weights *weights);

/* Copies the parameters to where the retriever reads them. */
void icl_retriever_weights_read(icl_retriever_weights *weights);
/* Remembers what the retriever reads now. */
void icl_retriever_weights_keep(icl_retriever_weights *weights);
/* Makes the remembered state that of parameters and retriever. */
void icl_retriever_weights_return(icl_retriever_weights *weights);

/* From now on only the map of queries learns. Not for shared maps. */
void icl_retriever_weights_freeze_contexts(icl_retriever_weights *weights);

#endif
