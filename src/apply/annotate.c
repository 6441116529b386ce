/* Holds out validation rows, prices the work and validates. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apply/annotate_state.h"
#include "base/array.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "pipeline/run_state.h"

enum { CHUNK_ROWS = 256, PER = 1000 };

icl_annotate_options icl_annotate_options_default(void)
{
    return (icl_annotate_options){ .chunk_rows = CHUNK_ROWS, .run = icl_run_options_default() };
}

/* ---- the split ---- */

static icl_status wanted_rows(size_t *out, const icl_annotator *annotator)
{
    const size_t all = icl_dataset_count(annotator->data.train),
                 given = annotator->options.validation;
    *out = given;
    if (given >= 2) return ICL_OK;
    if (given == 1)
        return icl_error_set(ICL_EINVAL, "1 validation row is too few to fit confidence on");
    *out = all / 3 < ICL_ANNOTATE_VALIDATION_MAX ? all / 3 : ICL_ANNOTATE_VALIDATION_MAX;
    if (*out >= ICL_ANNOTATE_VALIDATION_MIN) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "%s: %zu examples are too few: confidence is fitted on a third of them, "
                         "and that has to be %d at least",
                         icl_dataset_name(annotator->data.train), all, ICL_ANNOTATE_VALIDATION_MIN);
}

/* Moves `wanted` drawn items to the front of items [count], those of the pool behind them in the
 * file's order. Returns how many could be drawn. */
static size_t draw(size_t *items, size_t *left, const icl_annotator *annotator, size_t wanted)
{
    const icl_dataset *all = annotator->data.train;
    const icl_run_options *options = &annotator->options.run;
    const size_t count = icl_dataset_count(all);
    icl_rng rng = icl_rng_new(options->seed, icl_task_text(options->task, ICL_TASK_NAME), NULL,
                              "annotate-validation");
    for (size_t i = 0; i < count; i++) {
        items[i] = i;
        left[icl_example_label(icl_dataset_at(all, i))]++;
    }
    icl_rng_shuffle(&rng, items, count);
    size_t drawn = 0;
    for (size_t i = 0; i < count && drawn < wanted; i++) {
        const size_t item = items[i], label = icl_example_label(icl_dataset_at(all, item));
        if (left[label] == 1) continue;
        left[label]--;
        items[i] = items[drawn];
        items[drawn++] = item;
    }
    qsort(items + drawn, count - drawn, sizeof *items, icl_array_compare_sizes);
    return drawn;
}

static icl_status split_items(icl_annotator *annotator, size_t *items, size_t *left)
{
    const icl_dataset *all = annotator->data.train;
    const size_t count = icl_dataset_count(all);
    size_t wanted = 0;
    ICL_TRY(wanted_rows(&wanted, annotator));
    const size_t drawn = draw(items, left, annotator, wanted);
    if (drawn < wanted)
        return icl_error_set(ICL_EINVAL,
                             "%s: of %zu examples at most %zu can be validation rows, since one of "
                             "each label stays in the pool; %zu are wanted",
                             icl_dataset_name(all), count, drawn, wanted);
    annotator->summary.validation_count = drawn;
    annotator->summary.pool_count = count - drawn;
    ICL_TRY(icl_dataset_subset(&annotator->split.test, all, items, drawn));
    return icl_dataset_subset(&annotator->split.train, all, items + drawn, count - drawn);
}

static icl_status split(icl_annotator *annotator)
{
    const size_t labels = icl_label_space_count(icl_verbalizer_labels(annotator->data.verbalizer));
    size_t *items = calloc(icl_dataset_count(annotator->data.train), sizeof *items);
    size_t *left = calloc(labels + 1, sizeof *left);
    const icl_status status = items == NULL || left == NULL
                                  ? icl_error_set(ICL_ENOMEM, "out of memory for the examples")
                                  : split_items(annotator, items, left);
    free(left);
    free(items);
    annotator->summary.label_count = labels;
    annotator->split.verbalizer = annotator->chunk.verbalizer = annotator->data.verbalizer;
    annotator->chunk.train = annotator->split.train;
    return status;
}

/* ---- building ---- */

static icl_status check_options(const icl_annotator *annotator)
{
    const double precision = annotator->options.precision;
    const char *field = icl_task_text(annotator->options.run.task, ICL_TASK_LABEL_FIELD);
    if (!(precision >= 0 && precision < 1))
        return icl_error_set(ICL_EINVAL, "a precision of %g is not between 0 and 1", precision);
    if (strcmp(field, "confidence") == 0 || strcmp(field, "abstain") == 0)
        return icl_error_set(ICL_EINVAL,
                             "the label field is named \"%s\", which is written beside the label",
                             field);
    return ICL_OK;
}

/* What the strategy says before any data is read. */
static icl_status check_strategy(icl_annotator *annotator)
{
    const icl_run_options *run = &annotator->options.run;
    const char *line = run->strategy;
    icl_strategy strategy = { 0 };
    if (line == NULL || line[0] == '\0') line = icl_task_text(run->task, ICL_TASK_STRATEGY);
    if (line[0] == '\0') line = ICL_STRATEGY_DEFAULT;
    ICL_TRY(icl_strategy_parse(&strategy, line));
    const icl_card *cards[] = { &strategy.select->card, &strategy.order->card };
    for (size_t i = 0; i < 2 && annotator->summary.choosing_cost == NULL; i++)
        if ((cards[i]->needs & (ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION)) != 0)
            annotator->summary.choosing_cost = cards[i]->cost;
    icl_strategy_deinit(&strategy);
    return ICL_OK;
}

/* Labels are not read, and made ids are the same for a file and a pipe: a row's random draws depend
 * on its line alone. */
static icl_status settle_reading(icl_annotator *annotator)
{
    const icl_task *task = annotator->options.run.task;
    const size_t count = icl_task_input_field_count(task);
    annotator->fields = calloc(count, sizeof *annotator->fields);
    if (annotator->fields == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for fields");
    for (size_t i = 0; i < count; i++) annotator->fields[i] = icl_task_input_field(task, i);
    annotator->reading = (icl_dataset_options){ .input_fields = annotator->fields,
                                                .input_field_count = count,
                                                .id_stem = "row" };
    return ICL_OK;
}

static icl_status build(icl_annotator *annotator)
{
    const icl_model_info *model = icl_model_get_info(icl_engine_model(annotator->engine));
    const icl_task *task = annotator->options.run.task;
    annotator->summary.task = icl_task_text(task, ICL_TASK_NAME);
    annotator->summary.model = model->description;
    annotator->summary.model_identity = model->identity;
    annotator->summary.seed = annotator->options.run.seed;
    annotator->summary.precision = annotator->options.precision;
    ICL_TRY(check_options(annotator));
    ICL_TRY(check_strategy(annotator));
    ICL_TRY(icl_task_load_train(&annotator->data, task));
    ICL_TRY(settle_reading(annotator));
    return split(annotator);
}

icl_status icl_annotator_new(icl_annotator **out, icl_engine *engine,
                             const icl_annotate_options *options)
{
    assert(options->run.task != NULL && options->chunk_rows > 0);
    icl_annotator *annotator = calloc(1, sizeof *annotator);
    if (annotator == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an annotator");
    annotator->engine = engine;
    annotator->options = *options;
    const icl_status status = build(annotator);
    if (status != ICL_OK) {
        icl_annotator_free(annotator);
        return status;
    }
    *out = annotator;
    return ICL_OK;
}

void icl_annotator_free(icl_annotator *annotator)
{
    if (annotator == NULL) return;
    icl_review_close(&annotator->review);
    icl_run_free(annotator->validation);
    icl_dataset_close(annotator->split.test);
    icl_dataset_close(annotator->split.train);
    icl_task_data_deinit(&annotator->data);
    free(annotator->fields);
    free(annotator);
}

const icl_annotate_summary *icl_annotator_get_summary(const icl_annotator *annotator)
{
    return &annotator->summary;
}

/* ---- planning ---- */

static icl_status new_run(icl_run **out, icl_annotator *annotator, const icl_task_data *data)
{
    icl_run_options options = annotator->options.run;
    options.data = data;
    options.limit = 0;
    options.record = NULL;
    options.zero_shot = false;
    return icl_run_new(out, annotator->engine, &options);
}

icl_status icl_annotate_run_new(icl_run **out, icl_annotator *annotator, icl_dataset *rows)
{
    annotator->chunk.test = rows;
    return new_run(out, annotator, &annotator->chunk);
}

static icl_status add_cost(icl_annotate_cost *cost, const icl_annotator *annotator, icl_run *run)
{
    const icl_plan_limits limits = icl_engine_limits(annotator->engine);
    icl_plan *plan = NULL;
    ICL_TRY(icl_plan_new(&plan, icl_run_batch(run), &limits));
    cost->requests += icl_plan_get_stats(plan)->request_count;
    cost->tokens += icl_plan_get_stats(plan)->tokens_trie;
    icl_plan_free(plan);
    return ICL_OK;
}

/* So many rows at the validation rows' rate. */
static icl_annotate_cost estimate(const icl_annotate_summary *summary, size_t rows)
{
    const icl_annotate_cost *of = &summary->validating;
    const double share = (double)rows / (double)of->rows;
    return (icl_annotate_cost){ .rows = rows,
                                .requests = (uint64_t)((double)of->requests * share + 0.5),
                                .tokens = (uint64_t)((double)of->tokens * share + 0.5) };
}

static icl_status plan_part(void *user, icl_dataset *rows)
{
    icl_annotator *annotator = user;
    icl_annotate_cost *cost = &annotator->summary.labelling;
    icl_run *run = NULL;
    icl_status status = ICL_OK;
    if (!annotator->summary.is_estimate) {
        status = icl_annotate_run_new(&run, annotator, rows);
        if (status == ICL_OK) status = add_cost(cost, annotator, run);
        icl_run_free(run);
    }
    if (status == ICL_OK) cost->rows += icl_dataset_count(rows);
    return status;
}

/* It is not asked about. */
static icl_status plan_nothing(void *user, icl_dataset *row)
{
    icl_annotator *annotator = user;
    annotator->summary.labelling.rows += icl_dataset_count(row);
    return ICL_OK;
}

static icl_status plan_rows(icl_annotator *annotator, const icl_annotate_source *source)
{
    icl_annotate_rows rows;
    icl_dataset *chunk = NULL;
    size_t seen = 0;
    icl_status status = icl_annotate_rows_open(&rows, annotator, source);
    while (status == ICL_OK) {
        const bool skipped = seen < source->skip;
        const size_t size = annotator->options.chunk_rows, skip = source->skip - seen;
        status = icl_annotate_rows_next(&chunk, &rows, skipped && skip < size ? skip : size);
        if (status != ICL_OK || chunk == NULL) break;
        seen += icl_dataset_count(chunk);
        if (!skipped) status = icl_annotate_parts(chunk, plan_part, plan_nothing, annotator);
        icl_dataset_close(chunk);
    }
    icl_annotate_rows_close(&rows);
    return status;
}

static void hash_spec(icl_annotator *annotator)
{
    const icl_run_summary *run = icl_run_get_summary(annotator->validation);
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, run->spec_hash, sizeof run->spec_hash);
    icl_hash_add(&state, &annotator->options.precision, sizeof annotator->options.precision);
    icl_hash_hex(annotator->summary.spec_hash, icl_hash_end(&state));
}

icl_status icl_annotator_plan(icl_annotator *annotator, const icl_annotate_source *rows)
{
    icl_annotate_summary *summary = &annotator->summary;
    if (annotator->validation == NULL)
        ICL_TRY(new_run(&annotator->validation, annotator, &annotator->split));
    summary->strategy = icl_run_get_summary(annotator->validation)->strategy;
    hash_spec(annotator);
    summary->validating = (icl_annotate_cost){ .rows = summary->validation_count };
    ICL_TRY(add_cost(&summary->validating, annotator, annotator->validation));
    summary->per_1000 = estimate(summary, PER);
    summary->labelling = (icl_annotate_cost){ 0 };
    summary->is_estimate = summary->choosing_cost != NULL;
    if (rows == NULL) return ICL_OK;
    ICL_TRY(plan_rows(annotator, rows));
    if (summary->is_estimate) summary->labelling = estimate(summary, summary->labelling.rows);
    return ICL_OK;
}

icl_status icl_annotator_validate(icl_annotator *annotator)
{
    assert(annotator->validation != NULL);
    ICL_TRY(icl_run_execute(annotator->validation));
    return icl_annotate_fit(annotator);
}
