/* Learning-rate schedules and what an optimizer accepts. */
#include <math.h>
#include <stdbool.h>

#include "base/error.h"
#include "learn/optimizer.h"

icl_optimizer_options icl_optimizer_options_default(void)
{
    return (icl_optimizer_options){
        .shape = ICL_RATE_COSINE,
        .rate = 1e-3,
        .rate_end = 1e-4,
        .warmup_steps = 100,
        .step_count = 1000,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .epsilon = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1.0,
    };
}

icl_status icl_optimizer_options_check(const icl_optimizer_options *options)
{
    const struct {
        const char *name;
        double value, min, max; /* the maximum is excluded */
    } fields[] = {
        { "rate", options->rate, 0.0, INFINITY },
        { "rate_end", options->rate_end, 0.0, INFINITY },
        { "beta1", options->beta1, 0.0, 1.0 },
        { "beta2", options->beta2, 0.0, 1.0 },
        { "epsilon", options->epsilon, 0.0, 1.0 },
        { "weight_decay", options->weight_decay, 0.0, INFINITY },
        { "clip_norm", options->clip_norm, 0.0, INFINITY },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!(fields[i].value >= fields[i].min && fields[i].value < fields[i].max))
            return icl_error_set(ICL_EINVAL, "%s must be at least %g and below %g, not %g",
                                 fields[i].name, fields[i].min, fields[i].max, fields[i].value);
    }
    return ICL_OK;
}

/* 0 at the first step after the warm-up, 1 at the last step and later. */
static double progress_of(const icl_optimizer_options *options, uint64_t step, uint64_t warmup)
{
    if (options->step_count <= warmup + 1) return 1.0;
    const double last = (double)(options->step_count - 1 - warmup);
    return fmin((double)(step - warmup) / last, 1.0);
}

double icl_optimizer_rate(const icl_optimizer_options *options, uint64_t step)
{
    const double peak = options->rate, span = options->rate - options->rate_end;
    if (options->shape == ICL_RATE_TRIANGULAR)
        return peak - span * fabs(2.0 * progress_of(options, step, 0) - 1.0);
    const uint64_t warmup = options->warmup_steps;
    if (step < warmup) return peak * (double)(step + 1) / (double)(warmup + 1);
    const double progress = progress_of(options, step, warmup);
    switch (options->shape) {
    case ICL_RATE_LINEAR:
        return peak - span * progress;
    case ICL_RATE_COSINE:
        return options->rate_end + span * 0.5 * (1.0 + cos(3.14159265358979323846 * progress));
    case ICL_RATE_NOAM:
        return peak * sqrt((double)(warmup + 1) / (double)(step + 1));
    case ICL_RATE_CONSTANT:
    case ICL_RATE_TRIANGULAR:
        break;
    }
    return peak;
}
