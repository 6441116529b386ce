#include "learn/parameters.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include "base/array.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "base/text.h"

struct icl_parameters {
    icl_device *device;
    icl_parameter *items;
    size_t count, capacity;
    icl_string_map index;
    struct ggml_context *context; /* the tensors; NULL before allocate */
    ggml_backend_buffer_t buffer; /* their numbers */
};

icl_status icl_parameters_new(icl_parameters **out, icl_device *device)
{
    icl_parameters *parameters = calloc(1, sizeof *parameters);
    if (parameters == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for weights");
    parameters->device = device;
    *out = parameters;
    return ICL_OK;
}

void icl_parameters_free(icl_parameters *parameters)
{
    if (parameters == NULL) return;
    ggml_backend_buffer_free(parameters->buffer);
    ggml_free(parameters->context);
    icl_string_map_deinit(&parameters->index);
    for (size_t i = 0; i < parameters->count; i++) free((char *)parameters->items[i].name);
    free(parameters->items);
    free(parameters);
}

static icl_parameter parameter_of(const char *name, const int64_t *shape, size_t rank)
{
    icl_parameter item = { .name = name, .shape = { 1, 1, 1, 1 }, .rank = rank, .count = 1 };
    for (size_t i = 0; i < rank; i++) {
        assert(shape[i] > 0);
        item.shape[i] = shape[i];
        item.count *= (size_t)shape[i];
    }
    item.decay = rank > 1;
    item.rate_scale = 1.0f;
    return item;
}

icl_status icl_parameters_add(size_t *out_index, icl_parameters *parameters, const char *name,
                              const int64_t *shape, size_t rank)
{
    assert(parameters->context == NULL && rank >= 1 && rank <= 4);
    if (strlen(name) >= GGML_MAX_NAME)
        return icl_error_set(ICL_EINVAL, "weight name \"%s\" is longer than %d bytes", name,
                             GGML_MAX_NAME - 1);
    ICL_TRY(icl_array_reserve(&parameters->items, &parameters->capacity, parameters->count + 1));
    char *copy = icl_string_copy(name, strlen(name));
    if (copy == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for weight %s", name);
    size_t index = parameters->count;
    const icl_status status = icl_string_map_add(&parameters->index, copy, &index);
    if (status != ICL_OK || index < parameters->count) {
        free(copy);
        if (status != ICL_OK) return status;
        return icl_error_set(ICL_EINVAL, "weight name \"%s\" is taken", name);
    }
    parameters->items[parameters->count++] = parameter_of(copy, shape, rank);
    *out_index = index;
    return ICL_OK;
}

void icl_parameters_set_frozen(icl_parameters *parameters, size_t index, bool frozen)
{
    assert(parameters->context == NULL && index < parameters->count);
    parameters->items[index].frozen = frozen;
}

void icl_parameters_set_decay(icl_parameters *parameters, size_t index, bool decay)
{
    assert(index < parameters->count);
    parameters->items[index].decay = decay;
}

void icl_parameters_set_rate_scale(icl_parameters *parameters, size_t index, float scale)
{
    assert(index < parameters->count);
    parameters->items[index].rate_scale = scale;
}

static struct ggml_tensor *new_tensor(icl_parameters *parameters, const icl_parameter *item,
                                      const char *suffix)
{
    struct ggml_tensor *tensor =
        ggml_new_tensor(parameters->context, GGML_TYPE_F32, (int)item->rank, item->shape);
    if (suffix == NULL)
        ggml_set_name(tensor, item->name);
    else
        ggml_format_name(tensor, "%.40s %s", item->name, suffix);
    return tensor;
}

icl_status icl_parameters_allocate(icl_parameters *parameters)
{
    assert(parameters->context == NULL && parameters->count > 0);
    const uint64_t bytes = icl_parameters_bytes(parameters);
    ICL_TRY(
        icl_device_check_room(parameters->device, bytes, "weights, gradients and optimizer state"));
    const struct ggml_init_params settings = {
        .mem_size = 4 * parameters->count * ggml_tensor_overhead(),
        .no_alloc = true,
    };
    parameters->context = ggml_init(settings);
    if (parameters->context == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for weights");
    for (size_t i = 0; i < parameters->count; i++) {
        icl_parameter *item = &parameters->items[i];
        item->tensor = new_tensor(parameters, item, NULL);
        if (item->frozen) continue;
        item->gradient = new_tensor(parameters, item, "gradient");
        item->moments[0] = new_tensor(parameters, item, "moment 1");
        item->moments[1] = new_tensor(parameters, item, "moment 2");
    }
    parameters->buffer =
        ggml_backend_alloc_ctx_tensors(parameters->context, icl_device_backend(parameters->device));
    if (parameters->buffer == NULL)
        return icl_error_set(ICL_ENOMEM,
                             "out of memory: weights, gradients and optimizer state want %.1f MB",
                             (double)bytes * 1e-6);
    ggml_backend_buffer_clear(parameters->buffer, 0);
    return ICL_OK;
}

uint64_t icl_parameters_bytes(const icl_parameters *parameters)
{
    /* A trained weight has a gradient and two moments beside it. */
    return (icl_parameters_number_count(parameters, false) +
            3 * icl_parameters_number_count(parameters, true)) *
           sizeof(float);
}

icl_device *icl_parameters_device(const icl_parameters *parameters)
{
    return parameters->device;
}

size_t icl_parameters_count(const icl_parameters *parameters)
{
    return parameters->count;
}

const icl_parameter *icl_parameters_at(const icl_parameters *parameters, size_t index)
{
    assert(index < parameters->count);
    return &parameters->items[index];
}

size_t icl_parameters_find(const icl_parameters *parameters, const char *name)
{
    return icl_string_map_find(&parameters->index, name);
}

uint64_t icl_parameters_number_count(const icl_parameters *parameters, bool trained_only)
{
    uint64_t count = 0;
    for (size_t i = 0; i < parameters->count; i++)
        if (!trained_only || !parameters->items[i].frozen) count += parameters->items[i].count;
    return count;
}

void icl_parameters_get(const icl_parameters *parameters, size_t index, float *out)
{
    const icl_parameter *item = icl_parameters_at(parameters, index);
    ggml_backend_tensor_get(item->tensor, out, 0, item->count * sizeof *out);
}

void icl_parameters_set(icl_parameters *parameters, size_t index, const float *values)
{
    const icl_parameter *item = icl_parameters_at(parameters, index);
    ggml_backend_tensor_set(item->tensor, values, 0, item->count * sizeof *values);
}

icl_status icl_parameters_fill_normal(icl_parameters *parameters, size_t index, uint64_t seed,
                                      double deviation)
{
    const icl_parameter *item = icl_parameters_at(parameters, index);
    float *values = malloc(item->count * sizeof *values);
    if (values == NULL) return icl_error_set(ICL_ENOMEM, "out of memory to fill %s", item->name);
    icl_rng rng = icl_rng_new(seed, "weights", item->name, "start");
    for (size_t i = 0; i < item->count; i++) values[i] = (float)(deviation * icl_rng_normal(&rng));
    icl_parameters_set(parameters, index, values);
    free(values);
    return ICL_OK;
}

icl_status icl_parameters_fill(icl_parameters *parameters, size_t index, float value)
{
    const icl_parameter *item = icl_parameters_at(parameters, index);
    float *values = malloc(item->count * sizeof *values);
    if (values == NULL) return icl_error_set(ICL_ENOMEM, "out of memory to fill %s", item->name);
    for (size_t i = 0; i < item->count; i++) values[i] = value;
    icl_parameters_set(parameters, index, values);
    free(values);
    return ICL_OK;
}

void icl_parameters_zero_gradients(icl_parameters *parameters)
{
    for (size_t i = 0; i < parameters->count; i++) {
        const icl_parameter *item = &parameters->items[i];
        if (!item->frozen)
            ggml_backend_tensor_memset(item->gradient, 0, 0, ggml_nbytes(item->gradient));
    }
}
