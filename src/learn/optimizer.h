/* learn/optimizer.h - AdamW (Loshchilov and Hutter 2019) over the trained weights of a parameter
 * set: learning-rate schedule, global-norm clipping, gradient accumulation.
 *
 *   for each micro-batch: icl_graph_run(graph);              (gradients add up)
 *   icl_optimizer_step(optimizer, micro_batches, &report);   (divides, clips, steps, zeroes)
 */
#ifndef ICL_LEARN_OPTIMIZER_H
#define ICL_LEARN_OPTIMIZER_H

#include "learn/parameters.h"

typedef enum icl_rate_shape {
    ICL_RATE_CONSTANT,   /* after the warm-up */
    ICL_RATE_LINEAR,     /* down to rate_end at the last step */
    ICL_RATE_COSINE,
    ICL_RATE_TRIANGULAR, /* up until half, then down; warm-up is not used */
    ICL_RATE_NOAM,       /* falls as 1 / sqrt(step) */
} icl_rate_shape;

typedef struct icl_optimizer_options {
    icl_rate_shape shape;
    double rate, rate_end;      /* peak, and at the last step */
    uint64_t warmup_steps, step_count;
    double beta1, beta2, epsilon, weight_decay;
    double clip_norm;           /* 0: none */
} icl_optimizer_options;

/* Cosine from 1e-3 to 1e-4, 100 warm-up steps, betas 0.9 and 0.95, epsilon 1e-8, decay 0.1,
 * clip 1.0. */
icl_optimizer_options icl_optimizer_options_default(void);
/* ICL_EINVAL names the field that is out of range. */
icl_status icl_optimizer_options_check(const icl_optimizer_options *options);
/* Learning rate of step 0, 1, ... The warm-up rises in equal parts from step 0 and is over at step
 * warmup_steps, which has the peak; step_count - 1 has the end. */
double icl_optimizer_rate(const icl_optimizer_options *options, uint64_t step);

typedef struct icl_optimizer icl_optimizer;

typedef struct icl_optimizer_report {
    double rate;
    double gradient_norm; /* before clipping, of the mean over micro-batches */
    bool skipped;         /* the norm is not finite: nothing was changed */
} icl_optimizer_report;

icl_status icl_optimizer_new(icl_optimizer **out, icl_parameters *parameters,
                             const icl_optimizer_options *options);
void icl_optimizer_free(icl_optimizer *optimizer);
/* ICL_EMODEL: the device failed. */
icl_status icl_optimizer_step(icl_optimizer *optimizer, size_t micro_batches,
                              icl_optimizer_report *report);
/* Steps of this schedule taken; for checkpoints. Adam's bias correction counts all steps since the
 * moments were zero. */
uint64_t icl_optimizer_steps(const icl_optimizer *optimizer);
void icl_optimizer_set_steps(icl_optimizer *optimizer, uint64_t schedule_steps, uint64_t adam_steps);
uint64_t icl_optimizer_adam_steps(const icl_optimizer *optimizer);
/* Another schedule from here on (a recipe's next phase); moments stay. The options must pass
 * icl_optimizer_options_check. */
void icl_optimizer_set_options(icl_optimizer *optimizer, const icl_optimizer_options *options);

#endif
