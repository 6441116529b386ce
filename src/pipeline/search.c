/* The best strategy for one's own data: from options to rounds to the leaderboard. */
#include <icl/search.h>

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "pipeline/search_state.h"
#include "pipeline/strategy.h"

icl_search_options icl_search_options_default(void)
{
    return (icl_search_options){ .budget_tokens = 1000000, .run = icl_run_options_default() };
}

static icl_status read_line(search_candidate *candidate, const char *line)
{
    icl_strategy strategy;
    ICL_TRY(icl_strategy_parse(&strategy, line));
    candidate->fits_pool = icl_strategy_fits_pool(&strategy);
    icl_strategy_deinit(&strategy);
    ICL_TRY(icl_strategy_brief(&candidate->brief, line));
    candidate->figures = (icl_search_candidate){
        .strategy = line, .brief = candidate->brief, .fate = ICL_SEARCH_REMAINS, .reason = ""
    };
    return ICL_OK;
}

static icl_status make_candidates(icl_search *search)
{
    const size_t count = search->space.count;
    search->candidates = calloc(count, sizeof *search->candidates);
    search->ranking = calloc(count, sizeof *search->ranking);
    if (search->candidates == NULL || search->ranking == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu strategies", count);
    for (size_t c = 0; c < count; c++)
        ICL_TRY(read_line(&search->candidates[c], search->space.lines[c]));
    icl_search_rank(search);
    return ICL_OK;
}

static icl_status draw_queries(icl_search *search)
{
    bool some_fit_pool = false;
    for (size_t c = 0; c < search->space.count; c++)
        some_fit_pool |= search->candidates[c].fits_pool;
    ICL_TRY(icl_search_split(search, some_fit_pool));
    for (size_t c = 0; c < search->space.count; c++) {
        search_candidate *candidate = &search->candidates[c];
        candidate->predicted =
            calloc(search->summary.validation_count, sizeof *candidate->predicted);
        if (candidate->predicted == NULL)
            return icl_error_set(ICL_ENOMEM, "out of memory for %zu strategies",
                                 search->space.count);
    }
    return ICL_OK;
}

static void begin_summary(icl_search *search)
{
    const icl_model_info *model = icl_model_get_info(icl_engine_model(search->engine));
    const icl_task *task = search->options.run.task;
    icl_search_summary *summary = &search->summary;
    summary->task = icl_task_text(task, ICL_TASK_NAME);
    summary->metric = icl_task_metric(task);
    summary->model = model->description;
    summary->model_identity = model->identity;
    summary->seed = search->options.run.seed;
    summary->candidate_count = search->space.count;
    summary->budget_tokens = search->options.budget_tokens;
}

static icl_status prepare(icl_search *search)
{
    const char *path = search->options.space_path;
    ICL_TRY(path != NULL ? icl_strategy_list_open(&search->space, path)
                         : icl_strategy_list_parse(&search->space, icl_search_default_space,
                                                   "the built-in space"));
    ICL_TRY(icl_task_load_train(&search->data, search->options.run.task));
    begin_summary(search);
    ICL_TRY(make_candidates(search));
    return draw_queries(search);
}

icl_status icl_search_new(icl_search **out, icl_engine *engine, const icl_search_options *options)
{
    assert(options->run.task != NULL);
    icl_search *search = calloc(1, sizeof *search);
    if (search == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a search");
    search->engine = engine;
    search->options = *options;
    const icl_status status = prepare(search);
    if (status != ICL_OK) {
        icl_search_free(search);
        return status;
    }
    *out = search;
    return ICL_OK;
}

void icl_search_free(icl_search *search)
{
    if (search == NULL) return;
    for (size_t c = 0; search->candidates != NULL && c < search->space.count; c++) {
        search_candidate *candidate = &search->candidates[c];
        icl_run_free(candidate->run);
        icl_text_deinit(&candidate->reason);
        free(candidate->brief);
        free(candidate->predicted);
        free(candidate->resampled);
    }
    free(search->candidates);
    free(search->ranking);
    free(search->rounds);
    free(search->gold);
    free(search->unseen);
    icl_dataset_close(search->apart.train);
    icl_dataset_close(search->all.test);
    icl_task_data_deinit(&search->data);
    icl_strategy_list_deinit(&search->space);
    free(search);
}

icl_status icl_search_execute(icl_search *search, const icl_search_progress *progress)
{
    assert(search->summary.round_count == 0);
    icl_engine_open_account(search->engine, search->options.budget_tokens);
    for (bool more = true; more;) ICL_TRY(icl_search_run_round(&more, search, progress));
    icl_search_note_unseen(search, search->rounds[search->summary.round_count - 1].query_count);
    ICL_TRY(icl_search_judge_all(search));
    icl_search_rank(search);
    ICL_TRY(icl_search_correct_winner(search));
    search->summary.tokens_spent = icl_engine_spent(search->engine);
    return ICL_OK;
}

const icl_search_summary *icl_search_get_summary(const icl_search *search)
{
    return &search->summary;
}

icl_search_round icl_search_round_at(const icl_search *search, size_t index)
{
    assert(index < search->summary.round_count);
    return search->rounds[index];
}

icl_search_candidate icl_search_candidate_at(const icl_search *search, size_t rank)
{
    assert(rank < search->space.count);
    return search->candidates[search->ranking[rank]].figures;
}
