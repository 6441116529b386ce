#include "select/retriever.h"

#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "index/dense.h"
#include "math/matrix.h"
#include "select/nearest.h"

static const char query_map_name[] = "query_map";
static const char context_map_name[] = "context_map";
static const char offsets_name[] = "label_offsets";

enum { VECTORS_AT_ONCE = 256 }; /* mapped in a fraction of a second */

size_t icl_retriever_map_rows(const icl_retriever_shape *shape)
{
    return shape->diagonal ? 1 : shape->vector_size;
}

/* ---- mapping ---- */

/* out = vector + map vector */
static void map_vector(float *out, const icl_retriever_shape *shape, const float *map,
                       const float *vector)
{
    const size_t size = shape->vector_size;
    if (shape->diagonal)
        for (size_t i = 0; i < size; i++) out[i] = map[i] * vector[i];
    else
        icl_vector_dots(out, map, size, size, vector);
    for (size_t i = 0; i < size; i++) out[i] += vector[i];
}

icl_status icl_retriever_map_queries(float *out, const icl_retriever *retriever,
                                     const float *vectors, size_t count,
                                     const atomic_bool *cancelled)
{
    const size_t size = retriever->shape.vector_size;
    for (size_t i = 0; i < count; i++) {
        if (i % VECTORS_AT_ONCE == 0) ICL_TRY(icl_cancel_check(cancelled));
        map_vector(out + i * size, &retriever->shape, retriever->query_map, vectors + i * size);
    }
    return ICL_OK;
}

icl_status icl_retriever_map_pool(float *out, const icl_retriever *retriever,
                                  const icl_select_input *input)
{
    const size_t size = retriever->shape.vector_size;
    for (size_t i = 0; i < input->pool_count; i++) {
        float *row = out + i * size;
        if (i % VECTORS_AT_ONCE == 0) ICL_TRY(icl_cancel_check(input->cancelled));
        map_vector(row, &retriever->shape, retriever->context_map, input->pool_vectors + i * size);
        if (!retriever->shape.labels) continue;
        const float *offset = retriever->offsets + input->pool_labels[i] * size;
        for (size_t j = 0; j < size; j++) row[j] += offset[j];
    }
    return ICL_OK;
}

icl_status icl_retriever_neighbours(icl_scored *out, const icl_retriever *retriever,
                                    const icl_select_input *input, size_t count)
{
    const size_t items = input->pool_count, numbers = items * input->vector_size;
    float *contexts = malloc(numbers * sizeof *contexts);
    float *queries = malloc(numbers * sizeof *queries);
    size_t *selves = malloc(items * sizeof *selves);
    icl_status status = ICL_OK;
    if (contexts == NULL || queries == NULL || selves == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu mapped vectors", 2 * items);
    for (size_t i = 0; status == ICL_OK && i < items; i++) selves[i] = i;
    if (status == ICL_OK) status = icl_retriever_map_pool(contexts, retriever, input);
    if (status == ICL_OK)
        status = icl_retriever_map_queries(queries, retriever, input->pool_vectors, items,
                                           input->cancelled);
    if (status == ICL_OK)
        status = icl_dense_search(out, &(icl_dense_input){ .pool = contexts,
                                                           .queries = queries,
                                                           .pool_count = items,
                                                           .query_count = items,
                                                           .columns = input->vector_size,
                                                           .exclude = selves,
                                                           .k = count,
                                                           .metric = ICL_METRIC_COSINE,
                                                           .cancelled = input->cancelled });
    free(selves);
    free(queries);
    free(contexts);
    return status;
}

/* ---- in a file ---- */

icl_status icl_retriever_save(icl_fit_file *file, const icl_retriever *retriever)
{
    const icl_retriever_shape *shape = &retriever->shape;
    icl_fit_array array = { .name = query_map_name,
                            .rows = icl_retriever_map_rows(shape),
                            .columns = shape->vector_size,
                            .values = retriever->query_map };
    ICL_TRY(icl_fit_file_add(file, &array));
    array.name = context_map_name;
    array.values = retriever->context_map;
    if (!shape->shared) ICL_TRY(icl_fit_file_add(file, &array));
    if (!shape->labels) return ICL_OK;
    array = (icl_fit_array){ .name = offsets_name,
                             .rows = shape->label_count,
                             .columns = shape->vector_size,
                             .values = retriever->offsets };
    return icl_fit_file_add(file, &array);
}

icl_status icl_retriever_load(icl_retriever *out, const icl_fit_file *file,
                              const icl_select_input *input)
{
    const icl_fit_array *map = icl_fit_file_array(file, query_map_name);
    icl_retriever made = { .shape = { .vector_size = input->vector_size,
                                      .label_count = input->label_count,
                                      .diagonal = map != NULL && map->rows == 1,
                                      .shared = icl_fit_file_array(file, context_map_name) == NULL,
                                      .labels = icl_fit_file_array(file, offsets_name) != NULL } };
    const size_t rows = icl_retriever_map_rows(&made.shape), size = input->vector_size;
    ICL_TRY(icl_fit_file_find(&made.query_map, file, query_map_name, rows, size));
    made.context_map = made.query_map;
    if (!made.shape.shared)
        ICL_TRY(icl_fit_file_find(&made.context_map, file, context_map_name, rows, size));
    if (made.shape.labels)
        ICL_TRY(icl_fit_file_find(&made.offsets, file, offsets_name, input->label_count, size));
    *out = made;
    return ICL_OK;
}

/* ---- choosing with it ---- */

static icl_status map_input(icl_mapped_input *mapped, const icl_select_input *input,
                            const icl_retriever *retriever)
{
    const size_t size = input->vector_size;
    mapped->pool_vectors = malloc(input->pool_count * size * sizeof *mapped->pool_vectors);
    mapped->query_vectors = malloc(input->query_count * size * sizeof *mapped->query_vectors);
    if (mapped->pool_vectors == NULL || mapped->query_vectors == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu mapped vectors",
                             input->pool_count + input->query_count);
    ICL_TRY(icl_retriever_map_pool(mapped->pool_vectors, retriever, input));
    ICL_TRY(icl_retriever_map_queries(mapped->query_vectors, retriever, input->query_vectors,
                                      input->query_count, input->cancelled));
    mapped->input = *input;
    mapped->input.pool_vectors = mapped->pool_vectors;
    mapped->input.query_vectors = mapped->query_vectors;
    return ICL_OK;
}

icl_status icl_mapped_input_open(icl_mapped_input *out, const icl_select_input *input,
                                 const icl_options *options)
{
    icl_fit_file *file = NULL;
    icl_retriever retriever;
    icl_mapped_input mapped = { 0 };
    ICL_TRY(icl_fit_open(&file, input, options));
    icl_status status = icl_retriever_load(&retriever, file, input);
    if (status == ICL_OK) status = map_input(&mapped, input, &retriever);
    icl_fit_file_free(file);
    if (status == ICL_OK)
        *out = mapped;
    else
        icl_mapped_input_close(&mapped);
    return status;
}

void icl_mapped_input_close(icl_mapped_input *mapped)
{
    free(mapped->pool_vectors);
    free(mapped->query_vectors);
    *mapped = (icl_mapped_input){ 0 };
}

icl_status icl_retriever_select(icl_selection *out, const icl_select_input *input,
                                const icl_options *options)
{
    icl_mapped_input mapped = { 0 };
    ICL_TRY(icl_mapped_input_open(&mapped, input, options));
    const icl_status status = icl_select_nearest(out, &mapped.input, ICL_METRIC_COSINE);
    icl_mapped_input_close(&mapped);
    return status;
}
