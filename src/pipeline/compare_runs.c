/* The runs of a comparison: all strategies of one task and seed are one batch, since their prompts
 * share a lot; what each would have cost alone is planned beside it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/compare_state.h"

/* ---- cost ---- */

static icl_status add_planned(uint64_t *tokens_trie, const icl_engine *engine,
                              const icl_batch *batch)
{
    const icl_plan_limits limits = icl_engine_limits(engine);
    icl_plan *plan = NULL;
    ICL_TRY(icl_plan_new(&plan, batch, &limits));
    *tokens_trie += icl_plan_get_stats(plan)->tokens_trie;
    icl_plan_free(plan);
    return ICL_OK;
}

/* Of all runs as one batch, less what was paid for already. */
static icl_status add_price(uint64_t *tokens_trie, const icl_engine *engine, icl_run *const *runs,
                            size_t count)
{
    const icl_batch **batches = calloc(count, sizeof *batches);
    uint64_t tokens = 0;
    if (batches == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count; i++) batches[i] = icl_run_batch(runs[i]);
    const icl_status status = icl_engine_price(&tokens, engine, batches, count);
    *tokens_trie += tokens;
    free(batches);
    return status;
}

/* ---- runs ---- */

/* What has been asked so far. */
typedef struct questions {
    uint64_t requests, tokens;
    double seconds;
} questions;

static questions questions_of(const icl_engine *engine)
{
    const icl_meter meter = icl_engine_get_meter(engine);
    return (questions){ .requests = meter.requests + meter.requests_cached,
                        .tokens = icl_engine_spent(engine),
                        .seconds = meter.seconds };
}

static void note_questions(compared_task *task, icl_compare_figures *figures, questions before,
                           questions after)
{
    figures->requests_before += after.requests - before.requests;
    figures->tokens_before += after.tokens - before.tokens;
    figures->seconds_before += after.seconds - before.seconds;
    task->tokens_trie += after.tokens - before.tokens;
}

static icl_status make_run(icl_run **out, icl_compare *compare, compared_task *task,
                           size_t strategy, size_t seed)
{
    icl_compare_figures *figures = &task->figures[strategy];
    const char *line = compare->strategies.lines[strategy];
    const questions before = questions_of(compare->engine);
    icl_run_options options = compare->options.run;
    options.task = task->task;
    options.data = &task->data;
    options.strategy = line;
    options.seed += seed;
    options.zero_shot = false;
    const icl_status status = icl_run_new(out, compare->engine, &options);
    if (status == ICL_ECANCELLED) return status;
    if (status != ICL_OK)
        return icl_error_prefix(status, "strategy %zu, %s: %s", strategy + 1,
                                icl_task_text(task->task, ICL_TASK_NAME), line);
    note_questions(task, figures, before, questions_of(compare->engine));
    figures->shots = icl_run_get_summary(*out)->shots;
    return add_planned(&figures->tokens_trie, compare->engine, icl_run_batch(*out));
}

static void note_results(const icl_compare *compare, compared_task *task, const icl_run *run,
                         size_t strategy, size_t seed)
{
    const size_t seeds = compare->options.seed_count;
    const icl_run_summary *summary = icl_run_get_summary(run);
    const icl_metrics *metrics = &summary->metrics;
    icl_compare_figures *figures = &task->figures[strategy];
    uint32_t *answers = icl_compare_answers(compare, task, strategy, seed);
    for (size_t q = 0; q < task->query_count; q++)
        answers[q] = (uint32_t)icl_run_sample_at(run, q).predicted;
    memcpy(task->spec_hashes[strategy * seeds + seed], summary->spec_hash,
           sizeof summary->spec_hash);
    task->by_seed[strategy * seeds + seed] =
        icl_task_metric(task->task) == ICL_METRIC_MACRO_F1 ? metrics->macro_f1 : metrics->accuracy;
    figures->accuracy += metrics->accuracy / (double)seeds;
    figures->macro_f1 += metrics->macro_f1 / (double)seeds;
    figures->ece += metrics->ece / (double)seeds;
    figures->brier += metrics->brier / (double)seeds;
    task->majority_accuracy = metrics->majority_accuracy;
}

static void say(const icl_compare *compare, const compared_task *task, size_t strategy, size_t seed,
                const icl_compare_progress *progress)
{
    char line[160];
    if (progress == NULL) return;
    snprintf(line, sizeof line, "%.60s, seed %" PRIu64 ": prompts of strategy %zu of %zu",
             icl_task_text(task->task, ICL_TASK_NAME), compare->options.run.seed + seed,
             strategy + 1, compare->strategies.count);
    progress->say(progress->user, line);
}

static icl_status run_seed(icl_compare *compare, compared_task *task, size_t seed,
                           const icl_compare_progress *progress)
{
    const size_t count = compare->strategies.count;
    icl_run **runs = calloc(count, sizeof *runs);
    icl_status status =
        runs == NULL ? icl_error_set(ICL_ENOMEM, "out of memory for %zu runs", count) : ICL_OK;
    for (size_t s = 0; s < count && status == ICL_OK; s++) {
        say(compare, task, s, seed, progress);
        status = make_run(&runs[s], compare, task, s, seed);
    }
    if (status == ICL_OK) status = add_price(&task->tokens_trie, compare->engine, runs, count);
    if (status == ICL_OK) status = icl_run_execute_all(runs, count);
    for (size_t s = 0; s < count && status == ICL_OK; s++)
        note_results(compare, task, runs[s], s, seed);
    for (size_t s = 0; runs != NULL && s < count; s++) icl_run_free(runs[s]);
    free(runs);
    return status;
}

icl_status icl_compare_run_task(icl_compare *compare, compared_task *task,
                                const icl_compare_progress *progress)
{
    for (size_t s = 0; s < compare->strategies.count; s++)
        task->figures[s] = (icl_compare_figures){ .shots = 0 };
    task->tokens_trie = 0;
    for (size_t seed = 0; seed < compare->options.seed_count; seed++)
        ICL_TRY(run_seed(compare, task, seed, progress));
    return ICL_OK;
}
