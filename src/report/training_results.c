/* The report of a training run: table, Markdown, pictures, JSON. */
#include <icl/report.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "report/figures.h"
#include "report/folder.h"
#include "report/training.h"

static const double mib = 1024.0 * 1024.0;

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* ---- the table ---- */

static void append_facts(icl_text *out, const icl_training_record *record)
{
    const json_t *facts = record->facts;
    const double tokens = number_of(facts, "tokens");
    icl_text_printf(out, "%-16s %s\n", "model", text_of(facts, "name"));
    icl_text_printf(out, "%-16s %.0f, %.0f of them trained\n", "parameters",
                    number_of(facts, "parameters"), number_of(facts, "trained_parameters"));
    const double threads = number_of(facts, "threads");
    icl_text_printf(out, "%-16s %s, %.0f %s\n", "device", text_of(facts, "device"), threads,
                    threads > 1 ? "threads" : "thread");
    icl_text_printf(out, "%-16s %.0f steps, %.0f tokens, seed %.0f\n", "training",
                    number_of(facts, "steps"), tokens, number_of(facts, "seed"));
    icl_text_printf(out, "%-16s %.1f s, %.0f tokens/s\n", "time", record->seconds,
                    record->seconds > 0 ? tokens / record->seconds : 0);
    icl_text_printf(out, "%-16s %.1f MiB weights and optimizer, %.1f MiB activations\n", "memory",
                    number_of(facts, "weight_bytes") / mib,
                    number_of(facts, "activation_bytes") / mib);
}

static void append_set_row(icl_text *out, const json_t *first, const json_t *last)
{
    const json_t *interval = json_object_get(last, "accuracy_ci95");
    icl_text_printf(out, "%-24s %8.3f -> %-8.3f %6.3f -> %.3f  %.3f .. %.3f  %6.0f\n",
                    text_of(last, "set"), number_of(first, "loss"), number_of(last, "loss"),
                    number_of(first, "accuracy"), number_of(last, "accuracy"),
                    json_number_value(json_array_get(interval, 0)),
                    json_number_value(json_array_get(interval, 1)), number_of(last, "n"));
}

static icl_status append_table(icl_text *out, const icl_training_record *record)
{
    const json_t *first = NULL, *last = NULL;
    append_facts(out, record);
    if (record->judged.count > 0)
        icl_text_printf(out, "\n%-24s %-20s %-15s  %-14s  %6s\n", "evaluation set",
                        "    loss, nats", "accuracy", "95 % interval", "n");
    for (size_t i = 0; icl_training_record_set(record, i, &first, &last); i++)
        append_set_row(out, first, last);
    return icl_text_status(out);
}

icl_status icl_report_training_table(char **out_text, const char *folder)
{
    icl_training_record record = { 0 };
    icl_text text = { 0 };
    ICL_TRY(icl_training_record_open(&record, folder));
    icl_status status = append_table(&text, &record);
    if (status == ICL_OK) *out_text = icl_text_take(&text, NULL);
    icl_text_deinit(&text);
    icl_training_record_deinit(&record);
    return status;
}

/* ---- JSON ---- */

icl_status icl_report_training_json(char **out_json, const char *folder)
{
    icl_training_record record = { 0 };
    ICL_TRY(icl_training_record_open(&record, folder));
    json_object_set_new(record.facts, "seconds", icl_report_number(record.seconds));
    json_object_set(record.facts, "evaluations", record.evaluations);
    char *text = json_dumps(record.facts, JSON_REAL_PRECISION(9));
    icl_training_record_deinit(&record);
    if (text == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a report");
    *out_json = text;
    return ICL_OK;
}

/* ---- files ---- */

static icl_status write_chart(const char *folder, const char *name, const icl_chart *chart)
{
    icl_text svg = { 0 };
    icl_status status = icl_chart_svg(&svg, chart);
    if (status == ICL_OK) status = icl_report_write_text(folder, name, &svg);
    icl_text_deinit(&svg);
    return status;
}

static void append_data(icl_text *out, const json_t *facts)
{
    const json_t *pools = json_object_get(facts, "data");
    if (json_array_size(pools) == 0) return;
    icl_text_append_string(out,
                           "\n## Data\n\n| pool | file | texts | terms |\n|---|---|---|---|\n");
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *pool = json_array_get(pools, i);
        icl_text_printf(out, "| %s | %s | %.0f | %s |\n", text_of(pool, "name"),
                        text_of(pool, "file"), number_of(pool, "texts"), text_of(pool, "terms"));
    }
}

static void append_phases(icl_text *out, const json_t *facts)
{
    const json_t *phases = json_object_get(facts, "phases");
    icl_text_append_string(out, "\n## Phases\n\n| phase | steps | tokens of a step | context |\n"
                                "|---|---|---|---|\n");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const json_t *phase = json_array_get(phases, i);
        icl_text_printf(out, "| %s | %.0f | %.0f | %.0f |\n", text_of(phase, "name"),
                        number_of(phase, "steps"), number_of(phase, "tokens_per_step"),
                        number_of(phase, "context"));
    }
}

static icl_status write_markdown(const icl_training_record *record, const char *folder)
{
    icl_text out = { 0 };
    icl_text_printf(&out, "# Training of %s\n\n```\n", text_of(record->facts, "name"));
    append_table(&out, record);
    icl_text_append_string(&out, "```\n\n![losses](curve.svg)\n");
    if (record->judged.count > 0)
        icl_text_append_string(&out, "![losses on evaluation sets](evaluation.svg)\n"
                                     "![accuracy on evaluation sets](accuracy.svg)\n");
    append_phases(&out, record->facts);
    append_data(&out, record->facts);
    icl_status status = icl_text_status(&out);
    if (status == ICL_OK) status = icl_report_write_text(folder, "report.md", &out);
    icl_text_deinit(&out);
    return status;
}

icl_status icl_report_training(const char *folder)
{
    icl_training_record record = { 0 };
    ICL_TRY(icl_training_record_open(&record, folder));
    icl_status status = write_chart(folder, "curve.svg", &record.losses);
    if (status == ICL_OK && record.judged.count > 0)
        status = write_chart(folder, "evaluation.svg", &record.judged);
    if (status == ICL_OK && record.judged.count > 0)
        status = write_chart(folder, "accuracy.svg", &record.accuracies);
    if (status == ICL_OK) status = write_markdown(&record, folder);
    icl_training_record_deinit(&record);
    return status;
}
