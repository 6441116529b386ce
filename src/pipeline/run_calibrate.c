/* What a calibration needs beside the queries' scores, as rows of the same batch: validation items
 * with demonstrations of their own, and content-free inputs and random texts under each group's
 * demonstrations. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "model/interrupt.h"
#include "pipeline/domain_texts.h"
#include "pipeline/prompting.h"
#include "pipeline/run_state.h"

void icl_run_calibrating_deinit(run_calibrating *calibrating)
{
    free(calibrating->items);
    free(calibrating->labels);
    free(calibrating->groups);
    free(calibrating->group_rows);
    free(calibrating->label_counts);
    free(calibrating->label_names);
    *calibrating = (run_calibrating){ 0 };
}

static icl_status at_calibration(icl_status status, const icl_run *run)
{
    return icl_error_prefix(status, "calibrate=%s", run->strategy.calibrate->card.name);
}

/* ---- validation items ---- */

static icl_status draw_items(icl_run *run, size_t *labelled)
{
    run_calibrating *calibrating = &run->calibrating;
    size_t count = 0;
    for (size_t i = 0; i < run->pool_count; i++)
        if (run->pool_labels[i] != ICL_LABEL_NONE) labelled[count++] = i;
    if (count == 0)
        return at_calibration(icl_error_set(ICL_EINVAL,
                                            "needs labelled items, and none of the pool's %zu "
                                            "items has a label",
                                            run->pool_count),
                              run);
    icl_rng rng = icl_rng_new(run->options.seed, icl_task_text(run->options.task, ICL_TASK_NAME),
                              NULL, "validation");
    icl_rng_shuffle(&rng, labelled, count);
    calibrating->item_count =
        count < calibrating->wants.validation_items ? count : calibrating->wants.validation_items;
    return ICL_OK;
}

icl_status icl_run_draw_validation(icl_run *run)
{
    run_calibrating *calibrating = &run->calibrating;
    if (calibrating->wants.validation_items == 0) return ICL_OK;
    calibrating->items = malloc((run->pool_count + 1) * sizeof *calibrating->items);
    calibrating->labels = malloc((run->pool_count + 1) * sizeof *calibrating->labels);
    if (calibrating->items == NULL || calibrating->labels == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu items", run->pool_count);
    ICL_TRY(draw_items(run, calibrating->items));
    for (size_t v = 0; v < calibrating->item_count; v++) {
        const size_t item = calibrating->items[v];
        calibrating->labels[v] = run->pool_labels[item];
        run->query_texts[run->query_count + v] = run->pool_texts[item];
        run->query_ids[run->query_count + v] = run->pool_ids[item];
    }
    run->asked_count += calibrating->item_count;
    return ICL_OK;
}

/* ---- groups ---- */

/* Numbers the distinct demonstration lists of the first row_count rows. */
static icl_status number_groups(run_calibrating *calibrating, const icl_run *run, size_t row_count)
{
    char(*keys)[33] = malloc((row_count + 1) * sizeof *keys);
    icl_string_map map = { 0 };
    icl_status status = keys == NULL ? icl_error_set(ICL_ENOMEM, "out of memory") : ICL_OK;
    for (size_t row = 0; row < row_count && status == ICL_OK; row++) {
        const run_query *item = &run->queries[row];
        size_t group = calibrating->group_count;
        icl_hash_hex(keys[row], icl_hash(item->shown, item->shown_count * sizeof *item->shown));
        status = icl_string_map_add(&map, keys[row], &group);
        if (status != ICL_OK) break;
        if (group == calibrating->group_count)
            calibrating->group_rows[calibrating->group_count++] = row;
        calibrating->groups[row] = group;
    }
    icl_string_map_deinit(&map);
    free(keys);
    return status;
}

static icl_status make_groups(icl_run *run)
{
    run_calibrating *calibrating = &run->calibrating;
    calibrating->groups = calloc(run->asked_count + 1, sizeof *calibrating->groups);
    calibrating->group_rows = calloc(run->asked_count + 1, sizeof *calibrating->group_rows);
    if (calibrating->groups == NULL || calibrating->group_rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", run->asked_count);
    const bool of_items = calibrating->wants.validation_groups;
    return number_groups(calibrating, run, of_items ? run->asked_count : run->query_count);
}

/* ---- rows of a group ---- */

/* The example whose other fields a group's texts have. */
static const icl_dataset *example_of(const icl_run *run, size_t row, size_t *out_index)
{
    const bool is_item = row >= run->query_count;
    *out_index = is_item ? run->calibrating.items[row - run->query_count] : row;
    return is_item ? run->data.train : run->data.test;
}

static icl_status add_text(icl_run *run, size_t group_row, char *text_taken, const char *name)
{
    size_t row;
    const icl_status status =
        icl_scoring_add(run->scoring,
                        &(icl_shown){ .items = run->queries[group_row].shown,
                                      .count = run->queries[group_row].shown_count,
                                      .input = text_taken,
                                      .name = name },
                        &row);
    free(text_taken);
    return status;
}

static icl_status add_content_free(icl_run *run, size_t group, size_t input)
{
    const size_t group_row = run->calibrating.group_rows[group];
    size_t index;
    const icl_dataset *examples = example_of(run, group_row, &index);
    char *text = NULL;
    ICL_TRY(icl_prompting_render_content_free(&text, run->template, run->options.task, examples,
                                              index, input));
    return add_text(run, group_row, text, "content-free input");
}

static icl_status add_domain_texts(icl_run *run, const icl_domain_texts *texts, size_t group)
{
    const size_t group_row = run->calibrating.group_rows[group];
    size_t index;
    const icl_dataset *examples = example_of(run, group_row, &index);
    for (size_t t = 0; t < texts->count; t++) {
        char *text = NULL;
        ICL_TRY(icl_prompting_render_values(&text, run->template, run->options.task, examples,
                                            index, icl_domain_text(texts, t)));
        ICL_TRY(add_text(run, group_row, text, "random text"));
    }
    return ICL_OK;
}

static icl_status add_all_domain_texts(icl_run *run)
{
    const run_calibrating *calibrating = &run->calibrating;
    icl_domain_texts texts = { 0 };
    icl_status status = icl_domain_texts_init(&texts, run->data.train, run->options.task,
                                              calibrating->wants.domain_texts,
                                              calibrating->wants.domain_words, run->options.seed);
    for (size_t g = 0; status == ICL_OK && g < calibrating->group_count; g++)
        status = add_domain_texts(run, &texts, g);
    icl_domain_texts_deinit(&texts);
    return status;
}

static icl_status add_rows(icl_run *run)
{
    run_calibrating *calibrating = &run->calibrating;
    const bool content_free = calibrating->wants.content_free;
    calibrating->domain_row = calibrating->content_free_row;
    if (!content_free && calibrating->wants.domain_texts == 0) return ICL_OK;
    ICL_TRY(make_groups(run));
    for (size_t g = 0; content_free && g < calibrating->group_count; g++)
        for (size_t i = 0; i < ICL_CONTENT_FREE_COUNT; i++) ICL_TRY(add_content_free(run, g, i));
    if (content_free) calibrating->domain_row += calibrating->group_count * ICL_CONTENT_FREE_COUNT;
    return calibrating->wants.domain_texts > 0 ? add_all_domain_texts(run) : ICL_OK;
}

static icl_status count_labels(icl_run *run)
{
    run_calibrating *calibrating = &run->calibrating;
    const icl_label_space *labels = icl_verbalizer_labels(run->data.verbalizer);
    calibrating->label_counts = calloc(run->label_count + 1, sizeof *calibrating->label_counts);
    calibrating->label_names = calloc(run->label_count + 1, sizeof *calibrating->label_names);
    if (calibrating->label_counts == NULL || calibrating->label_names == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", run->label_count);
    for (size_t y = 0; y < run->label_count; y++)
        calibrating->label_names[y] = icl_label_space_name(labels, y);
    for (size_t i = 0; i < run->pool_count; i++)
        if (run->pool_labels[i] < run->label_count)
            calibrating->label_counts[run->pool_labels[i]]++;
    return ICL_OK;
}

icl_status icl_run_add_calibration_rows(icl_run *run)
{
    ICL_TRY(count_labels(run));
    const icl_status status = add_rows(run);
    return status == ICL_OK ? ICL_OK : at_calibration(status, run);
}

/* ---- calibrating ---- */

icl_calibrate_input icl_run_calibrate_input(const icl_run *run)
{
    const run_calibrating *calibrating = &run->calibrating;
    const size_t labels = run->label_count;
    const size_t *groups = calibrating->groups;
    return (icl_calibrate_input){
        .query_count = run->query_count,
        .label_count = labels,
        .logprob_nats = run->scores_nats,
        .group_count = groups != NULL ? calibrating->group_count : 1,
        .groups = groups,
        .content_free_count = calibrating->wants.content_free ? ICL_CONTENT_FREE_COUNT : 0,
        .content_free_nats = &run->scores_nats[calibrating->content_free_row * labels],
        .domain_count = calibrating->wants.domain_texts,
        .domain_nats = &run->scores_nats[calibrating->domain_row * labels],
        .validation_count = calibrating->item_count,
        .validation_nats = &run->scores_nats[run->query_count * labels],
        .validation_labels = calibrating->labels,
        .validation_groups = groups != NULL ? groups + run->query_count : NULL,
        .label_counts = calibrating->label_counts,
        .label_names = calibrating->label_names,
        .task = icl_task_text(run->options.task, ICL_TASK_NAME),
        .seed = run->options.seed,
        .cancelled = icl_model_interrupt_flag(icl_engine_model(run->engine)),
    };
}

icl_status icl_run_calibrate(icl_calibration *out, const icl_run *run)
{
    const icl_calibrate_input input = icl_run_calibrate_input(run);
    return icl_calibrate_run(out, run->strategy.calibrate, &input,
                             &run->strategy.options[ICL_STAGE_CALIBRATE]);
}

icl_status icl_run_leave_uncalibrated(icl_calibration *out, const icl_run *run,
                                      const double *scores)
{
    const icl_calibrate_method *none = NULL;
    icl_options options = { 0 };
    const icl_calibrate_input input = { .query_count = run->query_count,
                                        .label_count = run->label_count,
                                        .logprob_nats = scores,
                                        .group_count = 1 };
    icl_status status = icl_calibrate_find(&none, "none");
    if (status == ICL_OK) status = icl_options_read(&options, &none->card, &(icl_call){ 0 });
    if (status == ICL_OK) status = icl_calibrate_run(out, none, &input, &options);
    icl_options_deinit(&options);
    return status;
}
