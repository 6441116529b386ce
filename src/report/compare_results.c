/* The files of a comparison and the object that --json prints. compare.json, compare.md and
 * compare.svg hold no time and nothing of the machine: the same inputs give the same bytes. */
#include <stdlib.h>
#include <string.h>

#include <icl/report.h>

#include "base/error.h"
#include "report/compare_parts.h"
#include "report/dot_plot.h"
#include "report/figures.h"
#include "report/folder.h"
#include "report/html_pages.h"
#include "report/strategy_names.h"

uint64_t icl_compare_tokens_apart(const icl_compare *compare, size_t task)
{
    const icl_compare_task judged = icl_compare_task_at(compare, task);
    uint64_t sum = 0;
    for (size_t s = 0; s < icl_compare_get_summary(compare)->strategy_count; s++)
        sum += judged.figures[s].tokens_trie + judged.figures[s].tokens_before;
    return sum;
}

/* ---- compare.json ---- */

static json_t *count_number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *figures_object(const icl_compare_figures *figures, size_t number, size_t seed_count)
{
    const struct {
        const char *name;
        double value;
    } means[] = { { "accuracy", figures->accuracy },
                  { "macro_f1", figures->macro_f1 },
                  { "ece", figures->ece },
                  { "brier", figures->brier } };
    json_t *object = json_object(), *by_seed = json_array(), *hashes = json_array();
    for (size_t seed = 0; seed < seed_count; seed++) {
        json_array_append_new(by_seed, icl_report_number(figures->by_seed[seed]));
        json_array_append_new(hashes, json_string(figures->spec_hashes[seed]));
    }
    json_object_set_new(object, "strategy", count_number(number));
    json_object_set_new(object, "shots", count_number(figures->shots));
    json_object_set_new(object, "value", icl_report_number(figures->value));
    json_object_set_new(object, "ci95", icl_report_interval(figures->ci95));
    json_object_set_new(object, "by_seed", by_seed);
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++)
        json_object_set_new(object, means[i].name, icl_report_number(means[i].value));
    json_object_set_new(object, "tokens_trie", count_number(figures->tokens_trie));
    json_object_set_new(object, "requests_before", count_number(figures->requests_before));
    json_object_set_new(object, "tokens_before", count_number(figures->tokens_before));
    json_object_set_new(object, "spec_hashes", hashes);
    return object;
}

static json_t *pair_object(const icl_compare_pair *pair)
{
    json_t *object = json_object();
    json_object_set_new(object, "first", count_number(pair->first + 1));
    json_object_set_new(object, "second", count_number(pair->second + 1));
    json_object_set_new(object, "difference", icl_report_number(pair->difference));
    json_object_set_new(object, "ci95", icl_report_interval(pair->ci95));
    json_object_set_new(object, "first_only", count_number(pair->first_only));
    json_object_set_new(object, "second_only", count_number(pair->second_only));
    json_object_set_new(object, "p", icl_report_number(pair->p));
    json_object_set_new(object, "p_holm", icl_report_number(pair->p_holm));
    json_object_set_new(object, "decided", json_boolean(pair->decided));
    return object;
}

static json_t *task_object(const icl_compare *compare, size_t index, bool with_seconds)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const icl_compare_task task = icl_compare_task_at(compare, index);
    json_t *object = json_object(), *figures = json_array(), *pairs = json_array();
    for (size_t s = 0; s < summary->strategy_count; s++) {
        json_t *of_one = figures_object(&task.figures[s], s + 1, summary->seed_count);
        if (with_seconds)
            json_object_set_new(of_one, "seconds_before",
                                icl_report_number(task.figures[s].seconds_before));
        json_array_append_new(figures, of_one);
    }
    for (size_t i = 0; i < task.pair_count; i++)
        json_array_append_new(pairs, pair_object(&task.pairs[i]));
    json_object_set_new(object, "task", json_string(task.name));
    json_object_set_new(object, "metric", json_string(icl_report_metric_key(task.metric)));
    json_object_set_new(object, "n", count_number(task.query_count));
    json_object_set_new(object, "labels", count_number(task.label_count));
    json_object_set_new(object, "pool", count_number(task.pool_count));
    json_object_set_new(object, "majority_accuracy", icl_report_number(task.majority_accuracy));
    json_object_set_new(object, "tokens_trie", count_number(task.tokens_trie));
    json_object_set_new(object, "tokens_apart",
                        count_number(icl_compare_tokens_apart(compare, index)));
    json_object_set_new(object, "strategies", figures);
    json_object_set_new(object, "pairs", pairs);
    return object;
}

static json_t *strategies_array(const icl_compare_summary *summary, char *const *names)
{
    json_t *array = json_array();
    for (size_t s = 0; s < summary->strategy_count; s++) {
        json_t *object = json_object();
        json_object_set_new(object, "number", count_number(s + 1));
        json_object_set_new(object, "name", json_string(names[s]));
        json_object_set_new(object, "strategy", json_string(summary->strategies[s]));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *compare_object(const icl_compare *compare, char *const *names, bool with_seconds)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const bool all = summary->against == ICL_COMPARE_ALL_PAIRS;
    json_t *object = json_object(), *seeds = json_array(), *tasks = json_array();
    for (size_t s = 0; s < summary->seed_count; s++)
        json_array_append_new(seeds, count_number(summary->seed + s));
    for (size_t t = 0; t < summary->task_count; t++)
        json_array_append_new(tasks, task_object(compare, t, with_seconds));
    json_object_set_new(object, "model", json_string(summary->model));
    json_object_set_new(object, "model_identity", json_string(summary->model_identity));
    json_object_set_new(object, "seeds", seeds);
    json_object_set_new(object, "resamples", count_number(summary->resample_count));
    json_object_set_new(object, "against", all ? json_null() : count_number(summary->against + 1));
    json_object_set_new(object, "strategies", strategies_array(summary, names));
    json_object_set_new(object, "tasks", tasks);
    return object;
}

/* ---- compare.svg ---- */

static const char *axis_label(icl_metric metric, size_t seed_count)
{
    const bool f1 = metric == ICL_METRIC_MACRO_F1;
    if (seed_count == 1) return f1 ? "macro-F1, 95 % interval" : "accuracy, 95 % interval";
    return f1 ? "macro-F1, mean and 95 % interval; rings are single seeds"
              : "accuracy, mean and 95 % interval; rings are single seeds";
}

static void fill_panel(icl_dot_panel *panel, icl_dot *dots, const icl_compare *compare,
                       size_t index, char *const *labels)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const icl_compare_task task = icl_compare_task_at(compare, index);
    for (size_t s = 0; s < summary->strategy_count; s++) {
        const icl_compare_figures *figures = &task.figures[s];
        dots[s] = (icl_dot){ .name = labels[s],
                             .value = figures->value,
                             .low = figures->ci95[0],
                             .high = figures->ci95[1],
                             .parts = figures->by_seed,
                             .part_count = summary->seed_count > 1 ? summary->seed_count : 0 };
    }
    *panel = (icl_dot_panel){ .x_label = axis_label(task.metric, summary->seed_count),
                              .dots = dots,
                              .count = summary->strategy_count,
                              .mark = task.majority_accuracy };
    if (task.metric == ICL_METRIC_ACCURACY) panel->mark_label = "majority class";
}

static char *panel_title(const icl_compare *compare, size_t index)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const icl_compare_task task = icl_compare_task_at(compare, index);
    icl_text text = { 0 };
    icl_text_printf(&text, "%s: %zu queries, %zu seed%s", task.name, task.query_count,
                    summary->seed_count, summary->seed_count > 1 ? "s" : "");
    return icl_text_take(&text, NULL);
}

/* "3  select=bm25", what the rows of the picture are called. */
static icl_status number_names(char **labels, char *const *names, size_t count)
{
    for (size_t s = 0; s < count; s++) {
        icl_text text = { 0 };
        icl_text_printf(&text, "%zu  %s", s + 1, names[s]);
        ICL_TRY(icl_text_status(&text));
        labels[s] = icl_text_take(&text, NULL);
    }
    return ICL_OK;
}

icl_status icl_compare_draw(icl_text *out, const icl_compare *compare, char *const *names)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    const size_t tasks = summary->task_count, count = summary->strategy_count;
    icl_dot_panel *panels = calloc(tasks, sizeof *panels);
    icl_dot *dots = calloc(tasks * count, sizeof *dots);
    char **labels = calloc(count, sizeof *labels), **titles = calloc(tasks, sizeof *titles);
    icl_status status = ICL_OK;
    if (panels == NULL || dots == NULL || labels == NULL || titles == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a picture");
    if (status == ICL_OK) status = number_names(labels, names, count);
    for (size_t t = 0; t < tasks && status == ICL_OK; t++) {
        fill_panel(&panels[t], dots + t * count, compare, t, labels);
        panels[t].title = titles[t] = panel_title(compare, t);
        if (titles[t] == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory for a picture");
    }
    if (status == ICL_OK) status = icl_dot_plot_svg(out, "Strategies compared", panels, tasks);
    icl_strategy_names_free(titles, tasks);
    icl_strategy_names_free(labels, count);
    free(dots);
    free(panels);
    return status;
}

/* ---- files ---- */

static icl_status write_markdown(const icl_compare *compare, char *const *names, const char *folder)
{
    icl_text text = { 0 };
    icl_compare_append_markdown(&text, compare, names);
    const icl_status status = icl_report_write_text(folder, "compare.md", &text);
    icl_text_deinit(&text);
    return status;
}

static icl_status write_picture(const icl_compare *compare, char *const *names, const char *folder)
{
    icl_text text = { 0 };
    icl_status status = icl_compare_draw(&text, compare, names);
    if (status == ICL_OK) status = icl_report_write_text(folder, "compare.svg", &text);
    icl_text_deinit(&text);
    return status;
}

static icl_status write_object(const char *folder, const char *name, json_t *object_taken)
{
    const icl_status status = icl_report_write_object(folder, name, object_taken);
    json_decref(object_taken);
    return status;
}

icl_status icl_report_compare_write(const icl_compare *compare, const icl_report_meter *meter,
                                    const char *folder)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    char **names = NULL;
    ICL_TRY(icl_strategy_names_new(&names, summary->strategies, summary->strategy_count));
    icl_status status = write_markdown(compare, names, folder);
    if (status == ICL_OK) status = write_picture(compare, names, folder);
    if (status == ICL_OK) status = icl_html_write_compare(compare, names, folder);
    if (status == ICL_OK)
        status = write_object(folder, "meter.json", icl_report_meter_object(meter));
    /* Last: where it stands, the rest is complete. */
    if (status == ICL_OK)
        status = write_object(folder, "compare.json", compare_object(compare, names, false));
    icl_strategy_names_free(names, summary->strategy_count);
    return status;
}

icl_status icl_report_compare_json(char **out_json, const icl_compare *compare,
                                   const icl_report_meter *meter)
{
    const icl_compare_summary *summary = icl_compare_get_summary(compare);
    char **names = NULL;
    ICL_TRY(icl_strategy_names_new(&names, summary->strategies, summary->strategy_count));
    json_t *object = compare_object(compare, names, true);
    json_object_set_new(object, "meter", icl_report_meter_object(meter));
    const icl_status status = icl_report_print_object(out_json, object);
    json_decref(object);
    icl_strategy_names_free(names, summary->strategy_count);
    return status;
}
