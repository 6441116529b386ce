#include "learn/optimizer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "learn/optimizer_update.h"

struct icl_optimizer {
    icl_optimizer_options options;
    icl_parameters *parameters;
    const icl_parameter **trained;
    icl_adam_settings *settings; /* [trained_count] */
    size_t trained_count;
    icl_update *update;
    uint64_t schedule_steps, adam_steps;
};

static icl_status list_trained(icl_optimizer *optimizer)
{
    const icl_parameters *parameters = optimizer->parameters;
    const size_t count = icl_parameters_count(parameters);
    optimizer->trained = malloc(count * sizeof *optimizer->trained);
    optimizer->settings = malloc(count * sizeof *optimizer->settings);
    if (optimizer->trained == NULL || optimizer->settings == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer of %zu weights", count);
    for (size_t i = 0; i < count; i++) {
        const icl_parameter *item = icl_parameters_at(parameters, i);
        if (!item->frozen) optimizer->trained[optimizer->trained_count++] = item;
    }
    if (optimizer->trained_count == 0)
        return icl_error_set(ICL_EINVAL, "all %zu weights are frozen: nothing to train", count);
    return ICL_OK;
}

icl_status icl_optimizer_new(icl_optimizer **out, icl_parameters *parameters,
                             const icl_optimizer_options *options)
{
    ICL_TRY(icl_optimizer_options_check(options));
    icl_optimizer *optimizer = calloc(1, sizeof *optimizer);
    if (optimizer == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an optimizer");
    optimizer->options = *options;
    optimizer->parameters = parameters;
    icl_status status = list_trained(optimizer);
    if (status == ICL_OK) {
        const bool fused = icl_device_fused(icl_parameters_device(parameters));
        status = (fused ? icl_update_new_fused : icl_update_new_composed)(
            &optimizer->update, parameters, optimizer->trained, optimizer->trained_count);
    }
    if (status == ICL_OK)
        *out = optimizer;
    else
        icl_optimizer_free(optimizer);
    return status;
}

void icl_optimizer_free(icl_optimizer *optimizer)
{
    if (optimizer == NULL) return;
    if (optimizer->update != NULL) optimizer->update->free(optimizer->update);
    free(optimizer->settings);
    free(optimizer->trained);
    free(optimizer);
}

/* Settings of the coming step. */
static void fill_settings(icl_optimizer *optimizer, double rate)
{
    const icl_optimizer_options *options = &optimizer->options;
    /* Moments decay by the rounded betas, so the corrections are made from those. */
    const float beta1 = (float)options->beta1, beta2 = (float)options->beta2;
    const double steps = (double)(optimizer->adam_steps + 1);
    const float correction1 = (float)(1.0 / (1.0 - pow((double)beta1, steps)));
    const float correction2 = (float)(1.0 / (1.0 - pow((double)beta2, steps)));
    for (size_t i = 0; i < optimizer->trained_count; i++) {
        const icl_parameter *item = optimizer->trained[i];
        optimizer->settings[i] = (icl_adam_settings){
            .rate = (float)(rate * (double)item->rate_scale),
            .beta1 = beta1,
            .beta2 = beta2,
            .epsilon = (float)options->epsilon,
            .decay = item->decay ? (float)options->weight_decay : 0.0f,
            .correction1 = correction1,
            .correction2 = correction2,
        };
    }
}

icl_status icl_optimizer_step(icl_optimizer *optimizer, size_t micro_batches,
                              icl_optimizer_report *report)
{
    assert(micro_batches > 0);
    icl_update *update = optimizer->update;
    double square_sum = 0.0;
    ICL_TRY(update->square_sum(update, &square_sum));
    const double norm = sqrt(square_sum) / (double)micro_batches;
    const double rate = icl_optimizer_rate(&optimizer->options, optimizer->schedule_steps);
    *report =
        (icl_optimizer_report){ .rate = rate, .gradient_norm = norm, .skipped = !isfinite(norm) };
    if (report->skipped) {
        icl_parameters_zero_gradients(optimizer->parameters);
        return ICL_OK;
    }
    double factor = 1.0 / (double)micro_batches;
    const double clip = optimizer->options.clip_norm;
    if (clip > 0.0) factor *= fmin(1.0, clip / (norm + 1e-6)); /* as clip_grad_norm_ of PyTorch */
    fill_settings(optimizer, rate);
    ICL_TRY(update->apply(update, optimizer->settings, (float)factor));
    optimizer->schedule_steps++;
    optimizer->adam_steps++;
    return ICL_OK;
}

uint64_t icl_optimizer_steps(const icl_optimizer *optimizer)
{
    return optimizer->schedule_steps;
}

uint64_t icl_optimizer_adam_steps(const icl_optimizer *optimizer)
{
    return optimizer->adam_steps;
}

void icl_optimizer_set_steps(icl_optimizer *optimizer, uint64_t schedule_steps, uint64_t adam_steps)
{
    optimizer->schedule_steps = schedule_steps;
    optimizer->adam_steps = adam_steps;
}

void icl_optimizer_set_options(icl_optimizer *optimizer, const icl_optimizer_options *options)
{
    assert(icl_optimizer_options_check(options) == ICL_OK);
    optimizer->options = *options;
    optimizer->schedule_steps = 0;
}
