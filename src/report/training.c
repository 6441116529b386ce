#include "report/training.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

typedef icl_status take_line(icl_training_record *record, json_t *line);

static icl_status read_facts(icl_training_record *record, const char *folder)
{
    icl_text path = { 0 };
    json_error_t error;
    icl_text_printf(&path, "%s/report.json", folder);
    icl_status status = icl_text_status(&path);
    if (status == ICL_OK) {
        record->facts = json_load_file(icl_text_string(&path), 0, &error);
        if (record->facts == NULL)
            status = icl_error_set(ICL_EIO, "%s: %s", icl_text_string(&path), error.text);
    }
    icl_text_deinit(&path);
    return status;
}

static icl_status read_stream(icl_training_record *record, FILE *stream, const char *path,
                              take_line *take)
{
    icl_text line = { 0 };
    bool too_long = false;
    icl_status status = ICL_OK;
    for (size_t number = 1; status == ICL_OK && icl_line_read(&line, stream, &too_long); number++) {
        json_t *object = json_loads(icl_text_string(&line), 0, NULL);
        status = object != NULL
                     ? take(record, object)
                     : icl_error_set(ICL_EPARSE, "%s:%zu: not a JSON object", path, number);
        json_decref(object);
        icl_text_clear(&line);
    }
    icl_text_deinit(&line);
    return status;
}

static icl_status read_lines(icl_training_record *record, const char *folder, const char *name,
                             take_line *take)
{
    icl_text path = { 0 };
    icl_text_printf(&path, "%s/%s", folder, name);
    icl_status status = icl_text_status(&path);
    FILE *stream = status == ICL_OK ? fopen(icl_text_string(&path), "r") : NULL;
    if (status == ICL_OK && stream == NULL)
        status = icl_error_set(ICL_EIO, "cannot read \"%s\": %s", icl_text_string(&path),
                               strerror(errno));
    if (status == ICL_OK) status = read_stream(record, stream, icl_text_string(&path), take);
    if (stream != NULL) fclose(stream);
    icl_text_deinit(&path);
    return status;
}

static icl_status take_curve(icl_training_record *record, json_t *line)
{
    const double step = json_number_value(json_object_get(line, "step"));
    const char *name = NULL;
    json_t *loss = NULL;
    record->seconds += json_number_value(json_object_get(line, "seconds"));
    json_object_foreach(json_object_get(line, "sources"), name, loss)
        ICL_TRY(icl_chart_add(&record->losses, name, step, json_number_value(loss)));
    return ICL_OK;
}

static icl_status take_evaluation(icl_training_record *record, json_t *line)
{
    const char *set = json_string_value(json_object_get(line, "set"));
    if (set == NULL) return icl_error_set(ICL_EPARSE, "a line of evaluation.jsonl names no set");
    const double step = json_number_value(json_object_get(line, "step"));
    const double loss = json_number_value(json_object_get(line, "loss"));
    const double accuracy = json_number_value(json_object_get(line, "accuracy"));
    json_array_append(record->evaluations, line);
    ICL_TRY(icl_chart_add(&record->judged, set, step, loss));
    return icl_chart_add(&record->accuracies, set, step, accuracy);
}

icl_status icl_training_record_open(icl_training_record *out, const char *folder)
{
    icl_training_record record = {
        .evaluations = json_array(),
        .losses = { .title = "Training loss by source", .x_label = "step", .y_label = "nats" },
        .judged = { .title = "Loss on evaluation sets", .x_label = "step", .y_label = "nats" },
        .accuracies = { .title = "Accuracy on evaluation sets",
                        .x_label = "step",
                        .y_label = "share correct" },
    };
    icl_status status = read_facts(&record, folder);
    if (status == ICL_OK) status = read_lines(&record, folder, "curve.jsonl", take_curve);
    if (status == ICL_OK) status = read_lines(&record, folder, "evaluation.jsonl", take_evaluation);
    if (status == ICL_OK)
        *out = record;
    else
        icl_training_record_deinit(&record);
    return status;
}

void icl_training_record_deinit(icl_training_record *record)
{
    icl_chart_deinit(&record->accuracies);
    icl_chart_deinit(&record->judged);
    icl_chart_deinit(&record->losses);
    json_decref(record->evaluations);
    json_decref(record->facts);
    *record = (icl_training_record){ 0 };
}

bool icl_training_record_set(const icl_training_record *record, size_t index,
                             const json_t **out_first, const json_t **out_last)
{
    if (index >= record->judged.count) return false;
    *out_first = *out_last = NULL;
    for (size_t i = 0; i < json_array_size(record->evaluations); i++) {
        const json_t *line = json_array_get(record->evaluations, i);
        const char *set = json_string_value(json_object_get(line, "set"));
        if (strcmp(set, record->judged.lines[index].name) != 0) continue;
        if (*out_first == NULL) *out_first = line;
        *out_last = line;
    }
    return *out_first != NULL;
}
