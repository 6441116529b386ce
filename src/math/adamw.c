#include "math/adamw.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/matrix.h"

icl_adamw_options icl_adamw_options_default(void)
{
    return (icl_adamw_options){ .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 };
}

icl_status icl_adamw_init(icl_adamw *out, size_t count)
{
    double *moments = calloc(2 * count + 1, sizeof *moments);
    if (moments == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the moments of %zu weights", count);
    *out = (icl_adamw){ .count = count, .means = moments, .squares = moments + count };
    return ICL_OK;
}

void icl_adamw_deinit(icl_adamw *self)
{
    free(self->means);
    *self = (icl_adamw){ 0 };
}

/* What shortens a gradient to the longest that is allowed. */
static double clip_factor(const double *gradient, size_t count, double clip_norm)
{
    if (clip_norm <= 0.0) return 1.0;
    const double norm = sqrt(icl_vector_dot_doubles(gradient, gradient, count));
    return norm > clip_norm ? clip_norm / norm : 1.0;
}

void icl_adamw_step(icl_adamw *self, double *weights, const double *gradient,
                    const icl_adamw_options *options)
{
    const icl_adamw_options o = *options;
    const double factor = clip_factor(gradient, self->count, o.clip_norm);
    self->steps++;
    const double mean_scale = 1.0 / (1.0 - pow(o.beta1, (double)self->steps));
    const double square_scale = 1.0 / (1.0 - pow(o.beta2, (double)self->steps));
    for (size_t i = 0; i < self->count; i++) {
        const double g = gradient[i] * factor;
        self->means[i] = o.beta1 * self->means[i] + (1.0 - o.beta1) * g;
        self->squares[i] = o.beta2 * self->squares[i] + (1.0 - o.beta2) * g * g;
        const double step =
            self->means[i] * mean_scale / (sqrt(self->squares[i] * square_scale) + o.epsilon);
        weights[i] -= o.rate * (step + o.decay * weights[i]);
    }
}
