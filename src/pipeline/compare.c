#include <icl/compare.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "pipeline/compare_state.h"

icl_compare_options icl_compare_options_default(void)
{
    return (icl_compare_options){ .seed_count = 3,
                                  .against = ICL_COMPARE_ALL_PAIRS,
                                  .run = icl_run_options_default() };
}

/* ---- what is compared ---- */

static icl_status check_seeds(const icl_compare_options *options)
{
    if (options->seed_count == 0)
        return icl_error_set(ICL_EINVAL, "0 seeds; a comparison needs at least one");
    if (options->run.seed > INT64_MAX - options->seed_count)
        return icl_error_set(ICL_EINVAL, "%zu seeds from %llu go beyond 2^63", options->seed_count,
                             (unsigned long long)options->run.seed);
    return ICL_OK;
}

static icl_status check_task_names(const icl_compare_options *options)
{
    char shown[ICL_QUOTE_BYTES];
    for (size_t i = 0; i < options->task_count; i++)
        for (size_t j = 0; j < i; j++) {
            const char *name = icl_task_text(options->tasks[i], ICL_TASK_NAME);
            if (strcmp(name, icl_task_text(options->tasks[j], ICL_TASK_NAME)) == 0)
                return icl_error_set(ICL_EINVAL, "two tasks are called %s",
                                     icl_quote(shown, name, strlen(name)));
        }
    return ICL_OK;
}

static icl_status open_strategies(icl_compare *compare)
{
    const icl_compare_options *options = &compare->options;
    const char *path = options->strategies_path;
    ICL_TRY(icl_strategy_list_open(&compare->strategies, path));
    const size_t count = compare->strategies.count;
    if (count < 2)
        return icl_error_set(ICL_EINVAL, "%s: one strategy; a comparison needs at least two", path);
    if (count > ICL_COMPARE_STRATEGIES_MAX)
        return icl_error_set(ICL_EINVAL, "%s: %zu strategies; at most %d are compared", path, count,
                             ICL_COMPARE_STRATEGIES_MAX);
    const bool all = options->against == ICL_COMPARE_ALL_PAIRS;
    if (!all && options->against >= count)
        return icl_error_set(ICL_EINVAL, "%s: no strategy %zu to compare with; there are %zu", path,
                             options->against + 1, count);
    compare->pair_count = all ? count * (count - 1) / 2 : count - 1;
    return ICL_OK;
}

/* ---- data ---- */

static icl_status make_rows(const icl_compare *compare, compared_task *task)
{
    const size_t strategies = compare->strategies.count;
    const size_t runs = strategies * compare->options.seed_count;
    task->gold = calloc(task->query_count, sizeof *task->gold);
    task->predicted = calloc(runs * task->query_count, sizeof *task->predicted);
    task->by_seed = calloc(runs, sizeof *task->by_seed);
    task->spec_hashes = calloc(runs, sizeof *task->spec_hashes);
    task->figures = calloc(strategies, sizeof *task->figures);
    task->pairs = calloc(compare->pair_count, sizeof *task->pairs);
    if (task->gold == NULL || task->predicted == NULL || task->by_seed == NULL ||
        task->spec_hashes == NULL || task->figures == NULL || task->pairs == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu runs of %zu queries", runs,
                             task->query_count);
    return ICL_OK;
}

static icl_status read_gold(compared_task *task)
{
    const icl_dataset *test = task->data.test;
    for (size_t q = 0; q < task->query_count; q++) {
        const icl_example *example = icl_dataset_at(test, q);
        if (icl_example_label(example) == ICL_LABEL_NONE)
            return icl_error_set(ICL_EINVAL,
                                 "%s:%zu: no label; strategies are compared on labelled queries",
                                 icl_dataset_name(test), icl_example_line(example));
        task->gold[q] = (uint32_t)icl_example_label(example);
    }
    return ICL_OK;
}

static icl_status load_task(const icl_compare *compare, compared_task *task)
{
    const size_t limit = compare->options.run.limit;
    ICL_TRY(icl_task_load(&task->data, task->task));
    task->query_count = icl_dataset_count(task->data.test);
    if (limit > 0 && limit < task->query_count) task->query_count = limit;
    task->label_count = icl_label_space_count(icl_verbalizer_labels(task->data.verbalizer));
    ICL_TRY(make_rows(compare, task));
    return read_gold(task);
}

static icl_status load_tasks(icl_compare *compare)
{
    const icl_compare_options *options = &compare->options;
    compare->tasks = calloc(options->task_count, sizeof *compare->tasks);
    if (compare->tasks == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu tasks", options->task_count);
    for (size_t t = 0; t < options->task_count; t++) {
        compare->tasks[t].task = options->tasks[t];
        ICL_TRY(load_task(compare, &compare->tasks[t]));
    }
    return ICL_OK;
}

/* ---- a comparison ---- */

static void summarise(icl_compare *compare)
{
    const icl_model_info *model = icl_model_get_info(icl_engine_model(compare->engine));
    compare->summary = (icl_compare_summary){
        .model = model->description,
        .model_identity = model->identity,
        .task_count = compare->options.task_count,
        .strategy_count = compare->strategies.count,
        .seed_count = compare->options.seed_count,
        .seed = compare->options.run.seed,
        .against = compare->options.against,
        .resample_count = ICL_COMPARE_RESAMPLES,
        .strategies = (const char *const *)compare->strategies.lines,
    };
}

icl_status icl_compare_new(icl_compare **out, icl_engine *engine,
                           const icl_compare_options *options)
{
    assert(options->task_count > 0);
    icl_compare *compare = calloc(1, sizeof *compare);
    if (compare == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a comparison");
    compare->engine = engine;
    compare->options = *options;
    icl_status status = check_seeds(options);
    if (status == ICL_OK) status = check_task_names(options);
    if (status == ICL_OK) status = open_strategies(compare);
    if (status == ICL_OK) status = load_tasks(compare);
    if (status != ICL_OK) {
        icl_compare_free(compare);
        return status;
    }
    summarise(compare);
    *out = compare;
    return ICL_OK;
}

void icl_compare_free(icl_compare *compare)
{
    if (compare == NULL) return;
    for (size_t t = 0; compare->tasks != NULL && t < compare->options.task_count; t++) {
        compared_task *task = &compare->tasks[t];
        free(task->pairs);
        free(task->figures);
        free(task->spec_hashes);
        free(task->by_seed);
        free(task->predicted);
        free(task->gold);
        icl_task_data_deinit(&task->data);
    }
    free(compare->tasks);
    icl_strategy_list_deinit(&compare->strategies);
    free(compare);
}

icl_status icl_compare_execute(icl_compare *compare, const icl_compare_progress *progress)
{
    compare->judged = false;
    /* Its price is that of an undisturbed comparison, whatever the journal knows. */
    icl_engine_open_account(compare->engine, UINT64_MAX);
    for (size_t t = 0; t < compare->options.task_count; t++) {
        compared_task *task = &compare->tasks[t];
        ICL_TRY(icl_compare_run_task(compare, task, progress));
        if (progress != NULL) progress->say(progress->user, "judging");
        ICL_TRY(icl_compare_judge_task(compare, task));
    }
    compare->judged = true;
    return ICL_OK;
}

uint32_t *icl_compare_answers(const icl_compare *compare, const compared_task *task,
                              size_t strategy, size_t seed)
{
    return task->predicted + (strategy * compare->options.seed_count + seed) * task->query_count;
}

const icl_compare_summary *icl_compare_get_summary(const icl_compare *compare)
{
    return &compare->summary;
}

icl_compare_task icl_compare_task_at(const icl_compare *compare, size_t index)
{
    assert(index < compare->options.task_count && compare->judged);
    const compared_task *task = &compare->tasks[index];
    return (icl_compare_task){ .name = icl_task_text(task->task, ICL_TASK_NAME),
                               .metric = icl_task_metric(task->task),
                               .query_count = task->query_count,
                               .label_count = task->label_count,
                               .pool_count = icl_dataset_count(task->data.train),
                               .majority_accuracy = task->majority_accuracy,
                               .figures = task->figures,
                               .pairs = task->pairs,
                               .pair_count = compare->pair_count,
                               .tokens_trie = task->tokens_trie };
}
