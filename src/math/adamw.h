/* math/adamw.h - AdamW (Loshchilov and Hutter 2019) over one vector of numbers, for models that are
 * too small for a graph; learn/optimizer.h is the one for graphs.
 *
 *   icl_adamw adam = { 0 };
 *   status = icl_adamw_init(&adam, weight_count);
 *   ... icl_adamw_step(&adam, weights, gradient, &options) ...
 *   icl_adamw_deinit(&adam);
 */
#ifndef ICL_MATH_ADAMW_H
#define ICL_MATH_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

typedef struct icl_adamw_options {
    double rate, beta1, beta2, epsilon;
    double decay;     /* of the weights, times the rate */
    double clip_norm; /* longest gradient; 0: any */
} icl_adamw_options;

/* Rate 1e-3, betas 0.9 and 0.999, epsilon 1e-8, no decay, no clipping. */
icl_adamw_options icl_adamw_options_default(void);

typedef struct icl_adamw {
    size_t count;
    uint64_t steps;
    double *means, *squares; /* [count] running moments of the gradient */
} icl_adamw;

/* ICL_ENOMEM leaves *out as it was. */
icl_status icl_adamw_init(icl_adamw *out, size_t count);
void icl_adamw_deinit(icl_adamw *self);

/* One step of weights[count] against gradient[count]. */
void icl_adamw_step(icl_adamw *self, double *weights, const double *gradient,
                    const icl_adamw_options *options);

#endif
