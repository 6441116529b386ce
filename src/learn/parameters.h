/* learn/parameters.h - the named weights of a model, with room for gradient and optimizer state.
 *
 *   icl_parameters *parameters = NULL;
 *   icl_status status = icl_parameters_new(&parameters, device);
 *   size_t w = 0;
 *   status = icl_parameters_add(&w, parameters, "blk.0.attn_q.weight", (int64_t[]){ 384, 384 }, 2);
 *   ...
 *   status = icl_parameters_allocate(parameters);
 *   icl_parameters_fill_normal(parameters, w, seed, 0.02);
 *
 * Names and shapes are those of GGUF: shape[0] is the fastest running dimension, so a linear map of
 * `in` to `out` numbers has shape { in, out }. Everything is f32. Weights, gradients and optimizer
 * moments live on the device and outlast the graphs that use them.
 */
#ifndef ICL_LEARN_PARAMETERS_H
#define ICL_LEARN_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "learn/device.h"

struct ggml_tensor;

typedef struct icl_parameters icl_parameters;

typedef struct icl_parameter {
    const char *name; /* owned by the set */
    int64_t shape[4]; /* unused dimensions are 1 */
    size_t rank;      /* 1..4 */
    size_t count;     /* numbers */
    bool frozen;      /* no gradient, no optimizer state */
    bool decay;       /* weight decay applies; default: rank > 1 */
    float rate_scale; /* multiplies the learning rate; default 1 */
    struct ggml_tensor *tensor;
    struct ggml_tensor *gradient;   /* accumulator; NULL when frozen */
    struct ggml_tensor *moments[2]; /* AdamW; NULL when frozen */
} icl_parameter;

icl_status icl_parameters_new(icl_parameters **out, icl_device *device);
void icl_parameters_free(icl_parameters *parameters);

/* Before icl_parameters_allocate. ICL_EINVAL: the name is taken. */
icl_status icl_parameters_add(size_t *out_index, icl_parameters *parameters, const char *name,
                              const int64_t *shape, size_t rank);
/* Before icl_parameters_allocate: a frozen weight has no gradient. */
void icl_parameters_set_frozen(icl_parameters *parameters, size_t index, bool frozen);
void icl_parameters_set_decay(icl_parameters *parameters, size_t index, bool decay);
void icl_parameters_set_rate_scale(icl_parameters *parameters, size_t index, float scale);

/* Makes weights, gradients and moments, all zero. ICL_ENOMEM says how much was wanted. */
icl_status icl_parameters_allocate(icl_parameters *parameters);
/* What allocate takes (or would take): weights, gradients and moments. */
uint64_t icl_parameters_bytes(const icl_parameters *parameters);

icl_device *icl_parameters_device(const icl_parameters *parameters);
size_t icl_parameters_count(const icl_parameters *parameters);
const icl_parameter *icl_parameters_at(const icl_parameters *parameters, size_t index);
/* SIZE_MAX: no such name. */
size_t icl_parameters_find(const icl_parameters *parameters, const char *name);
/* Numbers in all weights, or in those that train. */
uint64_t icl_parameters_number_count(const icl_parameters *parameters, bool trained_only);

/* Copies a weight from or to host memory, [count]. */
void icl_parameters_get(const icl_parameters *parameters, size_t index, float *out);
void icl_parameters_set(icl_parameters *parameters, size_t index, const float *values);
/* Independent draws keyed by seed and the weight's name; normal with this standard deviation. */
icl_status icl_parameters_fill_normal(icl_parameters *parameters, size_t index, uint64_t seed,
                                      double deviation);
icl_status icl_parameters_fill(icl_parameters *parameters, size_t index, float value);
void icl_parameters_zero_gradients(icl_parameters *parameters);

#endif
