#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "math/logspace.h"
#include "pipeline/prompting.h"
#include "pipeline/run_answers.h"
#include "pipeline/run_state.h"

icl_run_options icl_run_options_default(void)
{
    return (icl_run_options){ .zero_shot = true };
}

/* ---- building ---- */

static void *rows_of(size_t count, size_t item_bytes)
{
    return calloc(count > 0 ? count : 1, item_bytes);
}

/* The lists of queries have room for the validation items behind them. */
static icl_status make_rows(icl_run *run)
{
    const size_t wanted = run->calibrating.wants.validation_items;
    const size_t asked_max =
        run->query_count + (wanted < run->pool_count ? wanted : run->pool_count);
    run->pool_texts = rows_of(run->pool_count, sizeof *run->pool_texts);
    run->pool_inputs = rows_of(run->pool_count, sizeof *run->pool_inputs);
    run->pool_ids = rows_of(run->pool_count, sizeof *run->pool_ids);
    run->pool_labels = rows_of(run->pool_count, sizeof *run->pool_labels);
    run->query_texts = rows_of(asked_max, sizeof *run->query_texts);
    run->query_inputs = rows_of(asked_max, sizeof *run->query_inputs);
    run->query_ids = rows_of(asked_max, sizeof *run->query_ids);
    run->queries = rows_of(asked_max, sizeof *run->queries);
    if (run->pool_texts == NULL || run->pool_inputs == NULL || run->pool_ids == NULL ||
        run->pool_labels == NULL || run->query_texts == NULL || run->query_inputs == NULL ||
        run->query_ids == NULL || run->queries == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu examples",
                             run->pool_count + asked_max);
    return ICL_OK;
}

static icl_status load_data(icl_run *run)
{
    if (run->options.data != NULL)
        run->data = *run->options.data;
    else
        ICL_TRY(icl_task_load(&run->data, run->options.task));
    run->pool_count = icl_dataset_count(run->data.train);
    run->query_count = icl_dataset_count(run->data.test);
    if (run->options.limit > 0 && run->options.limit < run->query_count)
        run->query_count = run->options.limit;
    run->asked_count = run->query_count;
    run->label_count = icl_label_space_count(icl_verbalizer_labels(run->data.verbalizer));
    ICL_TRY(make_rows(run));
    for (size_t i = 0; i < run->pool_count; i++) {
        const icl_example *example = icl_dataset_at(run->data.train, i);
        run->pool_texts[i] = icl_example_input(example);
        run->pool_ids[i] = icl_example_id(example);
        run->pool_labels[i] = icl_example_label(example);
    }
    run->summary.labelled = true;
    for (size_t q = 0; q < run->query_count; q++) {
        const icl_example *example = icl_dataset_at(run->data.test, q);
        run->query_texts[q] = icl_example_input(example);
        run->query_ids[q] = icl_example_id(example);
        run->summary.labelled &= icl_example_label(example) != ICL_LABEL_NONE;
    }
    return icl_run_draw_validation(run);
}

static icl_status open_prompter(icl_run *run)
{
    const icl_run_options *options = &run->options;
    run->source.prompts =
        icl_prompting_options(options->task, options->boundary, options->overflow, options->chat);
    run->source.prompts.aligner =
        icl_select_aligner(run->strategy.select, &run->strategy.options[ICL_STAGE_SELECT]);
    return icl_prompter_new(&run->prompter, icl_engine_model(run->engine), &run->source.prompts);
}

static void fill_source(icl_run *run)
{
    run->source.engine = run->engine;
    run->source.verbalizer = run->data.verbalizer;
    run->source.pool_labels = run->pool_labels;
    run->source.forms = &run->forms;
    run->source.task = icl_task_text(run->options.task, ICL_TASK_NAME);
    run->source.pool = (icl_ask_items){ .count = run->pool_count,
                                        .inputs = (const char *const *)run->pool_inputs,
                                        .ids = run->pool_ids };
    run->source.queries = (icl_ask_items){ .count = run->asked_count,
                                           .inputs = (const char *const *)run->query_inputs,
                                           .ids = run->query_ids };
}

static icl_status parse_strategy(icl_run *run)
{
    const char *line = run->options.strategy;
    if (line == NULL || line[0] == '\0') line = icl_task_text(run->options.task, ICL_TASK_STRATEGY);
    if (line[0] == '\0') line = ICL_STRATEGY_DEFAULT;
    ICL_TRY(icl_strategy_parse(&run->strategy, line));
    icl_text canonical = { 0 };
    icl_strategy_format(&canonical, &run->strategy);
    ICL_TRY(icl_text_status(&canonical));
    run->strategy_line = icl_text_take(&canonical, NULL);
    return icl_calibrate_wanted(&run->calibrating.wants, run->strategy.calibrate,
                                &run->strategy.options[ICL_STAGE_CALIBRATE]);
}

static void begin_summary(icl_run *run)
{
    const icl_model_info *model = icl_model_get_info(icl_engine_model(run->engine));
    icl_run_summary *summary = &run->summary;
    summary->task = icl_task_text(run->options.task, ICL_TASK_NAME);
    summary->strategy = run->strategy_line;
    summary->model = model->description;
    summary->model_identity = model->identity;
    summary->seed = run->options.seed;
    summary->query_count = run->query_count;
    summary->label_count = run->label_count;
    summary->pool_count = run->pool_count;
    summary->shots = run->selection.k;
}

static icl_status prepare(icl_run *run)
{
    ICL_TRY(parse_strategy(run));
    ICL_TRY(icl_prompting_template(&run->template, run->options.task));
    ICL_TRY(load_data(run));
    ICL_TRY(open_prompter(run));
    ICL_TRY(icl_run_render_inputs(run));
    ICL_TRY(
        icl_template_forms_init(&run->forms, run->template, run->options.task, run->data.train));
    fill_source(run);
    return ICL_OK;
}

static icl_status complete(icl_run *run)
{
    ICL_TRY(icl_run_choose_demonstrations(run));
    ICL_TRY(icl_run_make_requests(run));
    ICL_TRY(icl_run_hash_spec(run));
    begin_summary(run);
    return ICL_OK;
}

icl_status icl_run_prepare(icl_run **out, icl_engine *engine, const icl_run_options *options)
{
    assert(options->task != NULL);
    icl_run *run = calloc(1, sizeof *run);
    if (run == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a run");
    run->engine = engine;
    run->options = *options;
    const icl_status status = prepare(run);
    if (status != ICL_OK) {
        icl_run_free(run);
        return status;
    }
    *out = run;
    return ICL_OK;
}

icl_status icl_run_new(icl_run **out, icl_engine *engine, const icl_run_options *options)
{
    icl_run *run = NULL;
    ICL_TRY(icl_run_prepare(&run, engine, options));
    const icl_status status = complete(run);
    if (status != ICL_OK) {
        icl_run_free(run);
        return status;
    }
    *out = run;
    return ICL_OK;
}

void icl_run_free(icl_run *run)
{
    if (run == NULL) return;
    for (size_t q = 0; run->queries != NULL && q < run->asked_count; q++)
        free(run->queries[q].shown);
    for (size_t q = 0; run->query_inputs != NULL && q < run->query_count; q++)
        free(run->query_inputs[q]);
    for (size_t i = 0; run->pool_inputs != NULL && i < run->pool_count; i++)
        free(run->pool_inputs[i]);
    free(run->queries);
    free(run->pool_inputs);
    free(run->query_inputs);
    free(run->pool_ids);
    free(run->query_ids);
    free(run->pool_texts);
    free(run->query_texts);
    free(run->pool_labels);
    free(run->strategy_line);
    free(run->scores_nats);
    free(run->predicted);
    free(run->shown_ids);
    icl_calibration_deinit(&run->calibration);
    icl_run_calibrating_deinit(&run->calibrating);
    icl_selection_deinit(&run->selection);
    icl_ordering_deinit(&run->ordering);
    icl_scoring_free(run->scoring);
    icl_prompter_free(run->prompter);
    icl_template_forms_deinit(&run->forms);
    icl_jinja_free(run->template);
    if (run->options.data == NULL) icl_task_data_deinit(&run->data);
    icl_strategy_deinit(&run->strategy);
    free(run);
}

icl_batch *icl_run_batch(icl_run *run)
{
    return icl_scoring_batch(run->scoring);
}

const icl_run_summary *icl_run_get_summary(const icl_run *run)
{
    return &run->summary;
}

const icl_label_space *icl_run_labels(const icl_run *run)
{
    return icl_verbalizer_labels(run->data.verbalizer);
}

icl_run_sample icl_run_sample_at(const icl_run *run, size_t query)
{
    assert(query < run->query_count && run->predicted != NULL);
    const run_query *item = &run->queries[query];
    const icl_example *example = icl_dataset_at(run->data.test, query);
    icl_run_sample sample = {
        .id = icl_example_id(example),
        .gold = icl_example_label(example),
        .predicted = run->predicted[query],
        .logprobs_nats = run->scores_nats + query * run->label_count,
        .scores = run->calibration.scores + query * run->label_count,
        .probabilities = run->calibration.probabilities + query * run->label_count,
        .demonstration_count = item->shown_count,
        .demonstration_ids = run->shown_ids + query * run->selection.k,
    };
    memcpy(sample.prompt_hash, icl_scoring_prompt_hash(run->scoring, query),
           sizeof sample.prompt_hash);
    return sample;
}

const icl_score_input *icl_run_answers(const icl_run *run)
{
    return icl_scoring_answers(run->scoring);
}

icl_status icl_run_cost(icl_batch_cost *out, const icl_run *run)
{
    return icl_batch_cost_of(out, icl_scoring_batch(run->scoring));
}

/* ---- executing ---- */

static double *scores_from(const icl_run *run, size_t row)
{
    return run->scores_nats + row * run->label_count;
}

static icl_status score(icl_run *run)
{
    ICL_TRY(icl_scoring_collect(run->scoring));
    const icl_score_input *answers = icl_scoring_answers(run->scoring);
    free(run->scores_nats);
    run->scores_nats = rows_of(answers->row_count * run->label_count, sizeof *run->scores_nats);
    if (run->scores_nats == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu scores",
                             answers->row_count * run->label_count);
    return icl_score_run(run->scores_nats, run->strategy.score, answers,
                         &run->strategy.options[ICL_STAGE_SCORE]);
}

static icl_status measure(icl_metrics *out, const icl_run *run, const icl_calibration *calibration,
                          size_t *predicted)
{
    for (size_t q = 0; q < run->query_count; q++)
        predicted[q] = icl_argmax(calibration->scores + q * run->label_count, run->label_count);
    if (!run->summary.labelled) return ICL_OK;
    size_t *gold = rows_of(run->query_count, sizeof *gold);
    if (gold == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for queries");
    for (size_t q = 0; q < run->query_count; q++)
        gold[q] = icl_example_label(icl_dataset_at(run->data.test, q));
    const icl_predictions predictions = {
        .gold = gold,
        .predicted = predicted,
        .probabilities = calibration->probabilities,
        .count = run->query_count,
        .label_count = run->label_count,
        .majority_label = icl_majority_label(run->pool_labels, run->pool_count, run->label_count),
    };
    const icl_status status = icl_metrics_compute(out, &predictions);
    free(gold);
    return status;
}

/* What scores of [query_count] rows say as they are, without calibration. */
static icl_status measure_plain(icl_metrics *out, icl_run *run, const double *scores)
{
    icl_calibration plain = { 0 };
    size_t *predicted = rows_of(run->query_count, sizeof *predicted);
    if (predicted == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for queries");
    icl_status status = icl_run_leave_uncalibrated(&plain, run, scores);
    if (status == ICL_OK) status = measure(out, run, &plain, predicted);
    icl_calibration_deinit(&plain);
    free(predicted);
    return status;
}

static icl_status measure_all(icl_run *run)
{
    icl_run_summary *summary = &run->summary;
    ICL_TRY(measure(&summary->metrics, run, &run->calibration, run->predicted));
    if (!summary->labelled) return ICL_OK;
    ICL_TRY(measure_plain(&summary->uncalibrated, run, run->scores_nats));
    if (!run->options.zero_shot || run->selection.k == 0) return ICL_OK;
    ICL_TRY(measure_plain(&summary->zero_shot, run, scores_from(run, run->zero_shot_row)));
    summary->has_zero_shot = true;
    return ICL_OK;
}

static icl_status name_demonstrations(icl_run *run)
{
    const size_t k = run->selection.k;
    free(run->shown_ids);
    run->shown_ids = rows_of(run->query_count * k, sizeof *run->shown_ids);
    if (run->shown_ids == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for queries");
    for (size_t q = 0; q < run->query_count; q++)
        for (size_t p = 0; p < run->queries[q].shown_count; p++)
            run->shown_ids[q * k + p] =
                icl_example_id(icl_dataset_at(run->data.train, run->queries[q].shown[p]));
    return ICL_OK;
}

/* What follows from the answers. */
static icl_status conclude(icl_run *run)
{
    ICL_TRY(score(run));
    icl_calibration_deinit(&run->calibration);
    ICL_TRY(icl_run_calibrate(&run->calibration, run));
    run->summary.calibration_fell_back = run->calibration.fell_back;
    if (run->predicted == NULL) run->predicted = rows_of(run->query_count, sizeof *run->predicted);
    if (run->predicted == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for queries");
    ICL_TRY(measure_all(run));
    return name_demonstrations(run);
}

icl_status icl_run_score(icl_run *run)
{
    ICL_TRY(icl_engine_run(run->engine, icl_run_batch(run)));
    return score(run);
}

icl_status icl_run_execute(icl_run *run)
{
    return icl_run_execute_all(&run, 1);
}

icl_status icl_run_execute_all(icl_run *const *runs, size_t count)
{
    icl_batch **batches = rows_of(count, sizeof *batches);
    if (batches == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count; i++) {
        assert(runs[i]->engine == runs[0]->engine);
        batches[i] = icl_run_batch(runs[i]);
    }
    icl_status status = count > 0 ? icl_engine_run_all(runs[0]->engine, batches, count) : ICL_OK;
    for (size_t i = 0; i < count && status == ICL_OK; i++) status = conclude(runs[i]);
    free(batches);
    return status;
}
