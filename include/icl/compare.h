/* icl/compare.h - strategies compared on the same queries under the same seeds: figures with
 * intervals, paired differences, tests that account for asking often.
 *
 *   icl_compare_options options = icl_compare_options_default();
 *   options.tasks = tasks;
 *   options.task_count = 2;
 *   options.strategies_path = "strategies.txt";
 *   icl_compare *compare = NULL;
 *   icl_status status = icl_compare_new(&compare, engine, &options);  // reads, asks nothing
 *   if (status == ICL_OK) status = icl_compare_execute(compare, NULL);
 *   if (status == ICL_OK) status = icl_report_compare_write(compare, &meter, "out/compare");
 *   icl_compare_free(compare);
 */
#ifndef ICL_COMPARE_H
#define ICL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/engine.h>
#include <icl/run.h>
#include <icl/status.h>
#include <icl/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most strategies of a comparison: all their pairs are judged and reported. */
#define ICL_COMPARE_STRATEGIES_MAX 100

/** Every strategy with every other; see icl_compare_options. */
#define ICL_COMPARE_ALL_PAIRS SIZE_MAX

/** What is compared; see icl_compare_options_default(). */
typedef struct icl_compare_options {
    const icl_task *const *tasks; /**< [task_count]; borrowed until icl_compare_free */
    size_t task_count;            /**< at least 1 (asserted) */
    const char *strategies_path;  /**< a strategy a line, {a|b} are alternatives; "#" comments */
    size_t seed_count;            /**< seeds run.seed, run.seed + 1, ... */
    size_t against; /**< compare all others with this strategy, from 0; ICL_COMPARE_ALL_PAIRS */
    /** What all runs have in common; task, strategy, data and zero_shot are not looked at. */
    icl_run_options run;
} icl_compare_options;

/** 3 seeds from 0, all pairs, a run's defaults. */
ICL_API icl_compare_options icl_compare_options_default(void);

/** A comparison: its strategies and data and, once executed, its figures. */
typedef struct icl_compare icl_compare;

/**
 * Reads the strategies and the data of all tasks. Asks the model nothing.
 *
 * @param[out] out  yours: icl_compare_free; untouched on failure
 * @param engine  borrowed until icl_compare_free
 * @return ICL_OK; ICL_EINVAL: fewer than two strategies or more than ICL_COMPARE_STRATEGIES_MAX, no
 *   seed, a baseline that is not there, two tasks of one name, a query without a label (with file
 *   and line); what the file of strategies ("FILE:LINE: ") or the data refuse
 */
ICL_API icl_status icl_compare_new(icl_compare **out, icl_engine *engine,
                                   const icl_compare_options *options);
/** NULL is fine. */
ICL_API void icl_compare_free(icl_compare *compare);

/** Called before each piece of work; what is borrowed during the call. */
typedef struct icl_compare_progress {
    void (*say)(void *user, const char *what); /**< required */
    void *user;                                /**< given to say */
} icl_compare_progress;

/**
 * Runs every strategy on every task under every seed, those of one task and seed as one batch, and
 * judges. Opens an account of the engine. May be called again after ICL_ECANCELLED: answers in the
 * engine's journal are not asked again.
 *
 * @param progress  borrowed during the call; NULL: nothing is said
 * @return ICL_OK; what a run's data, methods, prompts or model refuse, with strategy and task;
 *   ICL_ECANCELLED
 */
ICL_API icl_status icl_compare_execute(icl_compare *compare, const icl_compare_progress *progress);

/** What was compared; pointers borrowed from the comparison. */
typedef struct icl_compare_summary {
    const char *model;          /**< description */
    const char *model_identity; /**< hash of the file */
    size_t task_count, strategy_count, seed_count;
    uint64_t seed;                 /**< the first one */
    size_t against;                /**< or ICL_COMPARE_ALL_PAIRS */
    size_t resample_count;         /**< of the bootstrap */
    const char *const *strategies; /**< [strategy_count] in canonical form */
} icl_compare_summary;

/** One strategy on one task. Means are over seeds; nothing here depends on the machine but the
 *  seconds. */
typedef struct icl_compare_figures {
    size_t shots;            /**< demonstrations per query */
    double value;            /**< mean of the task's metric */
    double ci95[2];          /**< its interval: bootstrap over queries and seeds */
    const double *by_seed;   /**< [seed_count] the metric */
    char (*spec_hashes)[33]; /**< [seed_count] over all that determines a run's predictions */
    double accuracy, macro_f1, ece, brier; /**< means; see icl/metrics.h */
    uint64_t tokens_trie;                  /**< of all its runs, each planned alone */
    /** What its methods asked to choose and order demonstrations; the tokens are those that no
     *  strategy before it had asked for. */
    uint64_t requests_before, tokens_before;
    double seconds_before; /**< that took, of evaluation, with what the journal knew */
} icl_compare_figures;

/** Two strategies on one task. */
typedef struct icl_compare_pair {
    size_t first, second; /**< strategies */
    double difference;    /**< of the task's metric: first less second, mean over seeds */
    double ci95[2];       /**< its interval: paired bootstrap over queries and seeds */
    /** Pairs of query and seed that only one of the two answered right. */
    size_t first_only, second_only;
    /** Exact McNemar test, a query's answers under all seeds taken together; adjusted for all pairs
     *  of the task (Holm). */
    double p, p_holm;
    bool decided; /**< p_holm below 0.05 and an interval without 0 */
} icl_compare_pair;

/** One task; pointers borrowed from the comparison. */
typedef struct icl_compare_task {
    const char *name;
    icl_metric metric; /**< that strategies are compared by */
    size_t query_count, label_count, pool_count;
    double majority_accuracy;           /**< of always answering the pool's most frequent label */
    const icl_compare_figures *figures; /**< [strategy_count] */
    const icl_compare_pair *pairs;      /**< [pair_count], by first, then by second */
    size_t pair_count;
    uint64_t tokens_trie; /**< of all strategies together: questions and runs, each token once */
} icl_compare_task;

/** Borrowed. */
ICL_API const icl_compare_summary *icl_compare_get_summary(const icl_compare *compare);
/** After icl_compare_execute; index below task_count (asserted). */
ICL_API icl_compare_task icl_compare_task_at(const icl_compare *compare, size_t index);

#ifdef __cplusplus
}
#endif
#endif
