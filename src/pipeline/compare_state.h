/* pipeline/compare_state.h - the inside of a comparison, shared by the files that run and judge it.
 */
#ifndef ICL_PIPELINE_COMPARE_STATE_H
#define ICL_PIPELINE_COMPARE_STATE_H

#include <icl/compare.h>

#include "pipeline/strategy_list.h"

enum { ICL_COMPARE_RESAMPLES = 10000 };

typedef struct compared_task {
    const icl_task *task;
    icl_task_data data;
    size_t query_count, label_count;
    double majority_accuracy;
    uint32_t *gold;               /* [query_count] */
    uint32_t *predicted;          /* [strategy_count][seed_count][query_count] */
    double *by_seed;              /* [strategy_count][seed_count] the metric */
    char (*spec_hashes)[33];      /* [strategy_count][seed_count] */
    icl_compare_figures *figures; /* [strategy_count] */
    icl_compare_pair *pairs;      /* [pair_count] */
    uint64_t tokens_trie;
} compared_task;

struct icl_compare {
    icl_engine *engine;
    icl_compare_options options;
    icl_strategy_list strategies;
    compared_task *tasks; /* [options.task_count] */
    size_t pair_count;    /* of a task */
    icl_compare_summary summary;
    bool judged;
};

/* compare_runs.c: predictions and cost of all strategies on a task. Begins anew when it is called
 * again. */
icl_status icl_compare_run_task(icl_compare *compare, compared_task *task,
                                const icl_compare_progress *progress);

/* compare_judge.c: figures, intervals and tests from the predictions. */
icl_status icl_compare_judge_task(icl_compare *compare, compared_task *task);

/* Answers of a strategy under one seed, [query_count]. */
uint32_t *icl_compare_answers(const icl_compare *compare, const compared_task *task,
                              size_t strategy, size_t seed);

#endif
