/* Low-rank adapters (Hu et al. 2022): y = W x + alpha / r * B (A x), where A and B train. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "learn/transformer_parts.h"

enum { LORA_RANK_MAX = 4096, NAME_BYTES = 64 };

static const char *const default_targets[] = { "attn_", "ffn_", NULL };

static const char *const *targets_of(const icl_lora_options *lora)
{
    return lora->targets == NULL ? default_targets : lora->targets;
}

icl_status icl_lora_check(const icl_lora_options *lora)
{
    if (lora->rank < 1 || lora->rank > LORA_RANK_MAX)
        return icl_error_set(ICL_EINVAL, "the rank of adapters must be in 1..%d, not %zu",
                             LORA_RANK_MAX, lora->rank);
    if (!(lora->alpha > 0.0f && isfinite(lora->alpha)))
        return icl_error_set(ICL_EINVAL, "alpha of adapters must be above 0, not %g",
                             (double)lora->alpha);
    return ICL_OK;
}

icl_status icl_lora_declare(icl_linear_map *map, icl_parameters *parameters, const char *weight,
                            const icl_lora_options *lora)
{
    if (!icl_name_contains(weight, targets_of(lora))) return ICL_OK;
    const icl_parameter base = *icl_parameters_at(parameters, map->weight); /* adding moves it */
    const int64_t rank = (int64_t)lora->rank;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s.lora_a", weight);
    ICL_TRY(
        icl_parameters_add(&map->lora_a, parameters, name, (int64_t[]){ base.shape[0], rank }, 2));
    snprintf(name, sizeof name, "%s.lora_b", weight);
    return icl_parameters_add(&map->lora_b, parameters, name, (int64_t[]){ rank, base.shape[1] },
                              2);
}

static bool adapts(const icl_parameters *parameters, const char *target)
{
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const char *name = icl_parameters_at(parameters, i)->name;
        if (strstr(name, ".lora_a") != NULL && strstr(name, target) != NULL) return true;
    }
    return false;
}

icl_status icl_lora_check_targets(const icl_parameters *parameters, const icl_lora_options *lora)
{
    for (const char *const *target = targets_of(lora); *target != NULL; target++) {
        if (lora->targets != NULL && !adapts(parameters, *target))
            return icl_error_set(ICL_EINVAL, "no linear map of the model has \"%s\" in its name",
                                 *target);
    }
    return ICL_OK;
}

/* w[out][in] += scale * b[out][r] a[r][in], summed in double. */
static void add_product(float *w, const float *b, const float *a, size_t out, size_t rank,
                        size_t in, double scale)
{
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (size_t k = 0; k < rank; k++)
                sum += (double)b[o * rank + k] * (double)a[k * in + i];
            w[o * in + i] = (float)((double)w[o * in + i] + scale * sum);
        }
    }
}

icl_status icl_transformer_merged(const icl_transformer *model, size_t index, float *out)
{
    const icl_parameters *parameters = model->parameters;
    const icl_parameter *weight = icl_parameters_at(parameters, index);
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s.lora_a", weight->name);
    const size_t a_index = icl_parameters_find(parameters, name);
    snprintf(name, sizeof name, "%s.lora_b", weight->name);
    const size_t b_index = icl_parameters_find(parameters, name);
    if (a_index == ICL_NO_WEIGHT || b_index == ICL_NO_WEIGHT) {
        icl_parameters_get(parameters, index, out);
        return ICL_OK;
    }
    const size_t a_count = icl_parameters_at(parameters, a_index)->count;
    const size_t b_count = icl_parameters_at(parameters, b_index)->count;
    float *a = malloc((a_count + b_count) * sizeof *a);
    if (a == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the adapter of \"%s\"", weight->name);
    float *b = a + a_count;
    icl_parameters_get(parameters, a_index, a);
    icl_parameters_get(parameters, b_index, b);
    icl_parameters_get(parameters, index, out);
    add_product(out, b, a, (size_t)weight->shape[1], model->lora.rank, (size_t)weight->shape[0],
                (double)model->lora.alpha / (double)model->lora.rank);
    free(a);
    return ICL_OK;
}

const icl_lora_options *icl_transformer_lora(const icl_transformer *model)
{
    return model->lora.rank == 0 ? NULL : &model->lora;
}
