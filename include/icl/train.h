/* icl/train.h - training in-context learners from a recipe.
 *
 *   icl_train_options options = icl_train_options_default();
 *   options.data_folder = "data";
 *   options.out_folder = "icl-train/my-learner";
 *   icl_training *training = NULL;
 *   icl_status status = icl_training_open(&training, "recipes/my-learner.yaml", &options);
 *   icl_training_get_plan(training)->...          (what it will cost)
 *   status = icl_training_run(training);
 *   icl_training_close(training);
 */
#ifndef ICL_TRAIN_H
#define ICL_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A training run. */
typedef struct icl_training icl_training;

/** What a run is doing; see icl_train_options.report. */
typedef struct icl_train_progress {
    const char *stage;      /**< "reading", "vectors", "tokenizer", "training", "evaluating", "writing" */
    uint64_t step, steps;   /**< of the whole run */
    const char *phase;      /**< name of the recipe's phase, or "" */
    double loss_nats;       /**< smoothed answer loss, NAN before any */
    const double *source_losses;       /**< [source_count] smoothed, NAN where unseen */
    const char *const *source_names;   /**< [source_count] of the phase */
    size_t source_count;
    double tokens_per_second, seconds_left;
    size_t done, total;     /**< of the other stages */
} icl_train_progress;

/** See icl_train_options_default(). */
typedef struct icl_train_options {
    const char *data_folder;    /**< where the recipe's files are; NULL: beside the recipe */
    const char *encoder_path;   /**< NULL: as the recipe names it, where models lie */
    const char *out_folder;     /**< of checkpoints, curves and the model; NULL: icl-train/NAME */
    const char *device;         /**< "cpu", "cuda" or NULL: the best */
    int thread_count;           /**< 0: free cores */
    bool resume;                /**< go on from the folder's checkpoint */
    /** Called now and then; may be NULL. */
    void (*report)(void *user, const icl_train_progress *progress);
    void *user;
} icl_train_options;

/** No resuming, free cores, everything else NULL. */
ICL_API icl_train_options icl_train_options_default(void);

/** What a run will take, before it starts. */
typedef struct icl_train_plan {
    const char *name, *device;
    uint64_t parameters, trained_parameters;
    uint64_t steps, tokens;       /**< of the whole run */
    double flops;                 /**< of the whole run */
    uint64_t weight_bytes;        /**< weights, gradients, moments */
    uint64_t activation_bytes;    /**< the largest phase */
    uint64_t data_bytes;          /**< texts and vectors, estimated before they are read */
    uint64_t total_bytes;
    double flops_per_second;      /**< measured by a short product of the model's width */
    double seconds;               /**< estimated from a micro-batch of each phase */
    size_t phase_count;
} icl_train_plan;

/** A phase of the plan. */
typedef struct icl_train_phase_plan {
    const char *name;
    uint64_t steps, tokens_per_step;
    size_t context, rows;
    double flops_per_step;
    double seconds_per_step; /**< measured, or guessed where that would take long */
    uint64_t activation_bytes;
} icl_train_phase_plan;

/**
 * Reads the recipe, checks it and plans; loads no data.
 * @param[out] out  yours: icl_training_close
 * @return ICL_OK; ICL_EPARSE: a recipe error with its line; ICL_ENOMEM: the plan does not fit the
 *         device, with both numbers; ICL_EUNSUPPORTED: no such device; ICL_EIO
 */
ICL_API icl_status icl_training_open(icl_training **out, const char *recipe_path,
                                     const icl_train_options *options);
/** NULL is fine. */
ICL_API void icl_training_close(icl_training *training);
/** Borrowed. */
ICL_API const icl_train_plan *icl_training_get_plan(const icl_training *training);
/** Borrowed. */
ICL_API const icl_train_phase_plan *icl_training_get_phase(const icl_training *training,
                                                           size_t phase);
/** Whether the run's folder holds a checkpoint to go on from. */
ICL_API bool icl_training_has_checkpoint(const icl_training *training);
/** The run's folder. Borrowed. */
ICL_API const char *icl_training_folder(const icl_training *training);
/**
 * Trains to the end, or goes on. Writes checkpoint.gguf, curve.jsonl, evaluation.jsonl, report.json
 * and NAME.gguf to the folder; icl_report_training makes report.md and the pictures of them.
 * @return ICL_OK; ICL_ECANCELLED after a checkpoint; ICL_EMODEL: the loss is not finite - the
 *         sentence names the step and the last good checkpoint stays; ICL_EINVAL: the checkpoint
 *         is of another recipe or shape, or the folder holds an earlier run and `resume` is not
 *         set; ICL_EBUSY: another process trains in the folder
 */
ICL_API icl_status icl_training_run(icl_training *training);
/** Stops a running training soon, from any thread or a signal handler: it writes a checkpoint and
 *  returns ICL_ECANCELLED. Sticky. */
ICL_API void icl_training_cancel(icl_training *training);
/** Path of the written model, or NULL before the end. Borrowed. */
ICL_API const char *icl_training_model_path(const icl_training *training);

#ifdef __cplusplus
}
#endif
#endif
