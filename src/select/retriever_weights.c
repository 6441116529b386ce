#include "select/retriever_weights.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static icl_status add_slot(icl_retriever_weights *weights, size_t slot, const char *name,
                           size_t rows)
{
    icl_retriever_slot *made = &weights->slots[slot];
    const size_t columns = weights->retriever.shape.vector_size;
    const int64_t shape[] = { (int64_t)columns, (int64_t)rows };
    ICL_TRY(icl_parameters_add(&made->index, weights->parameters, name, shape, 2));
    icl_parameters_set_decay(weights->parameters, made->index, true);
    made->count = rows * columns;
    made->values = calloc(made->count, sizeof *made->values);
    made->best = calloc(made->count, sizeof *made->best);
    if (made->values != NULL && made->best != NULL) return ICL_OK;
    return icl_error_set(ICL_ENOMEM, "out of memory for a %s of %zu x %zu", name, rows, columns);
}

icl_status icl_retriever_weights_init(icl_retriever_weights *out, const icl_retriever_shape *shape)
{
    /* One thread: a step is small, and other work shall not wait for it. */
    const icl_device_options device = { .name = "cpu", .thread_count = 1 };
    const size_t rows = icl_retriever_map_rows(shape);
    icl_retriever_slot *slots = out->slots;
    out->retriever.shape = *shape;
    for (size_t i = 0; i < ICL_RETRIEVER_SLOTS; i++) slots[i].index = SIZE_MAX;
    ICL_TRY(icl_device_open(&out->device, &device));
    ICL_TRY(icl_parameters_new(&out->parameters, out->device));
    ICL_TRY(add_slot(out, ICL_RETRIEVER_QUERY_MAP, "query_map", rows));
    if (!shape->shared) ICL_TRY(add_slot(out, ICL_RETRIEVER_CONTEXT_MAP, "context_map", rows));
    if (shape->labels) ICL_TRY(add_slot(out, ICL_RETRIEVER_OFFSETS, "offsets", shape->label_count));
    ICL_TRY(icl_parameters_allocate(out->parameters));
    out->retriever.query_map = slots[ICL_RETRIEVER_QUERY_MAP].values;
    out->retriever.context_map = slots[icl_retriever_context_slot(out)].values;
    out->retriever.offsets = slots[ICL_RETRIEVER_OFFSETS].values;
    return ICL_OK;
}

void icl_retriever_weights_deinit(icl_retriever_weights *weights)
{
    for (size_t i = 0; i < ICL_RETRIEVER_SLOTS; i++) {
        free(weights->slots[i].values);
        free(weights->slots[i].best);
    }
    icl_parameters_free(weights->parameters);
    icl_device_close(weights->device);
    *weights = (icl_retriever_weights){ 0 };
}

size_t icl_retriever_context_slot(const icl_retriever_weights *weights)
{
    return weights->retriever.shape.shared ? ICL_RETRIEVER_QUERY_MAP : ICL_RETRIEVER_CONTEXT_MAP;
}

void icl_retriever_weights_read(icl_retriever_weights *weights)
{
    for (size_t i = 0; i < ICL_RETRIEVER_SLOTS; i++) {
        const icl_retriever_slot *slot = &weights->slots[i];
        if (slot->index == SIZE_MAX) continue;
        icl_parameters_get(weights->parameters, slot->index, slot->values);
    }
}

void icl_retriever_weights_keep(icl_retriever_weights *weights)
{
    for (size_t i = 0; i < ICL_RETRIEVER_SLOTS; i++) {
        const icl_retriever_slot *slot = &weights->slots[i];
        if (slot->index == SIZE_MAX) continue;
        memcpy(slot->best, slot->values, slot->count * sizeof *slot->best);
    }
}

void icl_retriever_weights_return(icl_retriever_weights *weights)
{
    for (size_t i = 0; i < ICL_RETRIEVER_SLOTS; i++) {
        const icl_retriever_slot *slot = &weights->slots[i];
        if (slot->index == SIZE_MAX) continue;
        icl_parameters_set(weights->parameters, slot->index, slot->best);
    }
    icl_retriever_weights_read(weights);
}

void icl_retriever_weights_freeze_contexts(icl_retriever_weights *weights)
{
    const icl_retriever_slot *slots = weights->slots;
    assert(!weights->retriever.shape.shared);
    icl_parameters_set_rate_scale(weights->parameters, slots[ICL_RETRIEVER_CONTEXT_MAP].index, 0);
    if (weights->retriever.shape.labels)
        icl_parameters_set_rate_scale(weights->parameters, slots[ICL_RETRIEVER_OFFSETS].index, 0);
}
