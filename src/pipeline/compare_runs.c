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

/* The requests of a run once more, so that those of several can be planned together. What is asked
 * of a distribution makes no difference to a plan's tokens. */
static icl_status copy_requests(icl_batch *to, const icl_batch *from)
{
    const size_t first = icl_batch_prefix_count(to);
    size_t added = 0, count = 0;
    for (size_t p = 0; p < icl_batch_prefix_count(from); p++) {
        const int32_t *tokens = icl_batch_prefix(from, p, &count);
        ICL_TRY(icl_batch_add_prefix(to, tokens, count, &added));
    }
    for (size_t r = 0; r < icl_batch_count(from); r++) {
        const size_t prefix = first + icl_batch_request_prefix(from, r);
        const int32_t *continuation = icl_batch_continuation(from, r, &count);
        ICL_TRY(count > 0 ? icl_batch_add_score(to, prefix, continuation, count, &added)
                          : icl_batch_add_distribution(to, prefix, 1, &added));
    }
    return ICL_OK;
}

static icl_status add_planned_together(uint64_t *tokens_trie, const icl_engine *engine,
                                       icl_run *const *runs, size_t count)
{
    icl_batch *all = NULL;
    ICL_TRY(icl_batch_new(&all));
    icl_status status = ICL_OK;
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        status = copy_requests(all, icl_run_batch(runs[i]));
    if (status == ICL_OK) status = add_planned(tokens_trie, engine, all);
    icl_batch_free(all);
    return status;
}

/* ---- runs ---- */

/* What the methods of a strategy asked before there were prompts. */
static void note_questions(icl_compare_figures *figures, const icl_meter *before,
                           const icl_meter *after)
{
    figures->requests_before += after->requests - before->requests;
    figures->requests_before += after->requests_cached - before->requests_cached;
    figures->seconds_before += after->seconds - before->seconds;
}

static icl_status make_run(icl_run **out, icl_compare *compare, compared_task *task,
                           size_t strategy, size_t seed)
{
    icl_compare_figures *figures = &task->figures[strategy];
    const char *line = compare->strategies.lines[strategy];
    const icl_meter before = icl_engine_get_meter(compare->engine);
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
    const icl_meter after = icl_engine_get_meter(compare->engine);
    note_questions(figures, &before, &after);
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
    if (status == ICL_OK)
        status = add_planned_together(&task->tokens_trie, compare->engine, runs, count);
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
