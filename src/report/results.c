/* The files of a run and the object that --json prints. results.json and samples.jsonl hold no time
 * and nothing of the machine: the same inputs give the same bytes. */
#include <icl/report.h>

#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/run_answers.h"
#include "report/figures.h"
#include "report/folder.h"
#include "report/html_pages.h"
#include "report/outcome.h"

static icl_status out_of_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for the results");
}

/* ---- results.json ---- */

static json_t *class_object(const char *name, const icl_class_metrics *figures,
                            const icl_class_metrics *uncalibrated)
{
    json_t *object = json_object();
    json_object_set_new(object, "label", json_string(name));
    json_object_set_new(object, "gold", json_integer((json_int_t)figures->gold_count));
    json_object_set_new(object, "predicted", json_integer((json_int_t)figures->predicted_count));
    json_object_set_new(object, "correct", json_integer((json_int_t)figures->correct));
    json_object_set_new(object, "precision", icl_report_number(figures->precision));
    json_object_set_new(object, "recall", icl_report_number(figures->recall));
    json_object_set_new(object, "f1", icl_report_number(figures->f1));
    json_object_set_new(object, "bias", icl_report_number(figures->bias));
    json_object_set_new(object, "bias_uncalibrated", icl_report_number(uncalibrated->bias));
    return object;
}

/* Appends the labels' figures to `list`. */
static icl_status add_classes(json_t *list, const icl_run *run)
{
    const icl_label_space *labels = icl_run_labels(run);
    icl_outcome outcome = { 0 };
    const icl_status status = icl_outcome_init(&outcome, run);
    for (size_t label = 0; status == ICL_OK && label < icl_label_space_count(labels); label++)
        json_array_append_new(list, class_object(icl_label_space_name(labels, label),
                                                 &outcome.classes[label],
                                                 &outcome.classes_uncalibrated[label]));
    icl_outcome_deinit(&outcome);
    return status;
}

static icl_status write_results(const icl_run *run, const char *folder)
{
    json_t *object = icl_report_summary_object(run), *classes = json_array();
    icl_status status = ICL_OK;
    if (icl_run_get_summary(run)->labelled) status = add_classes(classes, run);
    json_object_set_new(object, "classes", classes);
    if (status == ICL_OK) status = icl_report_write_object(folder, "results.json", object);
    json_decref(object);
    return status;
}

/* ---- samples.jsonl ---- */

static json_t *by_label(const icl_label_space *labels, const double *values)
{
    json_t *object = json_object();
    for (size_t label = 0; label < icl_label_space_count(labels); label++)
        json_object_set_new(object, icl_label_space_name(labels, label),
                            icl_report_number(values[label]));
    return object;
}

static json_t *cell_object(const icl_score_cell *cell)
{
    json_t *object = json_object();
    json_object_set_new(object, "nats", icl_report_number(cell->nats));
    json_object_set_new(object, "tokens", json_integer((json_int_t)cell->size.tokens));
    json_object_set_new(object, "chars", json_integer((json_int_t)cell->size.chars));
    json_object_set_new(object, "bytes", json_integer((json_int_t)cell->size.bytes));
    return object;
}

/* A block of a part: by label a list with a cell for each of its names. */
static json_t *block_object(const icl_label_space *labels, const icl_score_input *asked,
                            const icl_score_cell *cells)
{
    json_t *object = json_object();
    for (size_t name = 0; name < asked->name_count; name++) {
        const char *label = icl_label_space_name(labels, asked->name_labels[name]);
        if (json_object_get(object, label) == NULL)
            json_object_set_new(object, label, json_array());
        json_array_append_new(json_object_get(object, label), cell_object(&cells[name]));
    }
    return object;
}

/* All that was asked about a query: what score rules are made of. The parts about single
 * demonstrations are lists with a block for each. */
static json_t *parts_object(const icl_run *run, size_t query)
{
    const icl_label_space *labels = icl_run_labels(run);
    const icl_score_input *asked = icl_run_answers(run);
    const icl_score_row *row = &asked->rows[query];
    json_t *object = json_object();
    for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++) {
        if (row->cells[part] == NULL) continue;
        json_t *blocks = json_array();
        for (size_t block = 0; block < icl_score_block_count(row, (icl_score_part)part); block++)
            json_array_append_new(
                blocks, block_object(labels, asked, &row->cells[part][block * asked->name_count]));
        json_object_set(object, icl_score_part_names[part],
                        icl_score_part_is_each((icl_score_part)part) ? blocks
                                                                     : json_array_get(blocks, 0));
        json_decref(blocks);
    }
    return object;
}

static json_t *sample_object(const icl_label_space *labels, const icl_run_sample *sample)
{
    const bool labelled = sample->gold != ICL_LABEL_NONE;
    json_t *object = json_object(), *demonstrations = json_array();
    for (size_t d = 0; d < sample->demonstration_count; d++)
        json_array_append_new(demonstrations, json_string(sample->demonstration_ids[d]));
    json_object_set_new(object, "id", json_string(sample->id));
    json_object_set_new(object, "gold",
                        labelled ? json_string(icl_label_space_name(labels, sample->gold))
                                 : json_null());
    json_object_set_new(object, "predicted",
                        json_string(icl_label_space_name(labels, sample->predicted)));
    json_object_set_new(object, "correct",
                        labelled ? json_boolean(sample->gold == sample->predicted) : json_null());
    json_object_set_new(object, "logprobs", by_label(labels, sample->logprobs_nats));
    json_object_set_new(object, "scores", by_label(labels, sample->scores));
    json_object_set_new(object, "probabilities", by_label(labels, sample->probabilities));
    json_object_set_new(object, "demonstrations", demonstrations);
    json_object_set_new(object, "prompt_hash", json_string(sample->prompt_hash));
    return object;
}

static icl_status append_sample(icl_text *out, const icl_run *run, size_t query)
{
    const icl_run_sample sample = icl_run_sample_at(run, query);
    json_t *object = sample_object(icl_run_labels(run), &sample);
    json_object_set_new(object, "parts", parts_object(run, query));
    char *line = json_dumps(object, REPORT_JSON_FLAGS);
    json_decref(object);
    if (line == NULL) return out_of_memory();
    icl_text_append_string(out, line);
    icl_text_append_char(out, '\n');
    free(line);
    return icl_text_status(out);
}

static icl_status write_samples(const icl_run *run, const char *folder)
{
    icl_text text = { 0 };
    icl_status status = ICL_OK;
    const size_t count = icl_run_get_summary(run)->query_count;
    for (size_t q = 0; q < count && status == ICL_OK; q++) status = append_sample(&text, run, q);
    if (status == ICL_OK) status = icl_report_write_text(folder, "samples.jsonl", &text);
    icl_text_deinit(&text);
    return status;
}

icl_status icl_report_write(const icl_run *run, const icl_report_meter *meter, const char *folder)
{
    /* results.json last: where it stands, the rest is complete. */
    ICL_TRY(write_samples(run, folder));
    json_t *object = icl_report_meter_object(meter);
    icl_status status = icl_report_write_object(folder, "meter.json", object);
    json_decref(object);
    if (status == ICL_OK) status = icl_html_write_run(run, folder);
    return status == ICL_OK ? write_results(run, folder) : status;
}

icl_status icl_report_json(char **out_json, const icl_run *run, const icl_report_meter *meter)
{
    json_t *object = icl_report_summary_object(run);
    json_object_set_new(object, "meter", icl_report_meter_object(meter));
    const icl_status status = icl_report_print_object(out_json, object);
    json_decref(object);
    return status;
}
