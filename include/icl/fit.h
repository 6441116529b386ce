/* icl/fit.h - fits a selection method that learns to a task's pool and a model's answers; the file
 * is what "select=epr(file=...)" uses.
 *
 *   icl_run_options options = icl_run_options_default();
 *   options.task = task;
 *   options.strategy = "select=epr(candidates=50)";
 *   icl_fitting *fitting = NULL;
 *   icl_status status = icl_fitting_new(&fitting, engine, &options);      // asks nothing
 *   if (status == ICL_OK) status = icl_fitting_execute(fitting, NULL);    // the model is asked
 * here if (status == ICL_OK) status = icl_fitting_save(fitting, "task.fit");
 *   icl_fitting_free(fitting);
 */
#ifndef ICL_FIT_H
#define ICL_FIT_H

#include <stddef.h>
#include <stdint.h>

#include <icl/engine.h>
#include <icl/run.h>
#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A method, the pool it learns from and, once executed, what it learned. */
typedef struct icl_fitting icl_fitting;

/**
 * Reads strategy and data. Of the strategy only the selection counts; of the data the pool, and the
 * labels, which have to be those that a run sees.
 *
 * @param[out] out  yours: icl_fitting_free; untouched on failure
 * @param engine  borrowed until icl_fitting_free
 * @return ICL_OK; ICL_EINVAL: the method does not learn; what strategy, data or template refuse
 */
ICL_API icl_status icl_fitting_new(icl_fitting **out, icl_engine *engine,
                                   const icl_run_options *options);
/** NULL is fine. */
ICL_API void icl_fitting_free(icl_fitting *fitting);

/** What will be done; pointers borrowed from the fitting. */
typedef struct icl_fitting_summary {
    const char *task, *model;
    const char *method; /**< in canonical form, every option spelled out */
    const char *cost;   /**< of the method, in words */
    size_t pool_count, label_count;
    size_t prompts;  /**< the most that will be asked, each about every label */
    uint64_t tokens; /**< that a method which follows gradients reads; 0: it follows none */
} icl_fitting_summary;

/** Borrowed. */
ICL_API const icl_fitting_summary *icl_fitting_get_summary(const icl_fitting *fitting);

/** Called now and then during icl_fitting_execute; total 0: there is nothing to count. */
typedef struct icl_fitting_progress {
    void (*say)(void *user, const char *what, uint64_t done, uint64_t total); /**< required */
    void *user;                                                               /**< given to say */
} icl_fitting_progress;

/**
 * Asks and learns. Answers are in the engine's journal as they come, so that a fitting that was
 * stopped asks only the rest when it is executed again.
 * @param progress  borrowed during the call; NULL: nothing is said
 * @return ICL_OK; ICL_EINVAL: the pool teaches nothing; ICL_ECANCELLED; what encoder or model say
 */
ICL_API icl_status icl_fitting_execute(icl_fitting *fitting, const icl_fitting_progress *progress);

/** A number that the method left for the reader. */
typedef struct icl_fitting_measure {
    const char *name; /**< such as "dev_mrr" */
    double value;     /**< finite */
} icl_fitting_measure;

/** How many measures there are; 0 before icl_fitting_execute. */
ICL_API size_t icl_fitting_measure_count(const icl_fitting *fitting);
/** index below the count; the name is borrowed. */
ICL_API icl_fitting_measure icl_fitting_measure_at(const icl_fitting *fitting, size_t index);

/**
 * Writes the file, beside its place and then renamed; after icl_fitting_execute.
 * @return ICL_OK; ICL_EIO; ICL_ENOMEM
 */
ICL_API icl_status icl_fitting_save(const icl_fitting *fitting, const char *path);

#ifdef __cplusplus
}
#endif
#endif
