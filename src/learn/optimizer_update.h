/* learn/optimizer_update.h - one AdamW step over all trained weights, where the weights lie. */
#ifndef ICL_LEARN_OPTIMIZER_UPDATE_H
#define ICL_LEARN_OPTIMIZER_UPDATE_H

#include "learn/parameters.h"

/* Of one weight and step, in the order of ggml_opt_step_adamw. */
typedef struct icl_adam_settings {
    float rate, beta1, beta2, epsilon, decay;
    float correction1, correction2; /* 1 / (1 - beta^steps) */
} icl_adam_settings;

typedef struct icl_update icl_update;
struct icl_update {
    /* Sum of the squares of all gradients. */
    icl_status (*square_sum)(icl_update *update, double *out);
    /* Steps along factor * gradient with settings[trained_count] and zeroes the gradients. */
    icl_status (*apply)(icl_update *update, const icl_adam_settings *settings, float factor);
    void (*free)(icl_update *update);
};

/* `trained`[trained_count] are borrowed. In our own kernel, for weights in this process's memory;
 * its bits do not depend on the number of threads. */
icl_status icl_update_new_fused(icl_update **out, icl_parameters *parameters,
                                const icl_parameter *const *trained, size_t trained_count);
/* In ggml's operations, for any device. */
icl_status icl_update_new_composed(icl_update **out, icl_parameters *parameters,
                                   const icl_parameter *const *trained, size_t trained_count);

#endif
