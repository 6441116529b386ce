/* The table for people: at most 80 columns, figures aligned. */
#include <icl/report.h>

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "report/figures.h"

enum { COLUMNS = 80, NAME_COLUMNS = 17 };

static void append_name(icl_text *out, const char *name)
{
    icl_text_printf(out, "%-*s", NAME_COLUMNS, name);
}

/* Words broken before the last column; a long word stands on its own line as it is. */
static void append_wrapped(icl_text *out, const char *name, const char *words)
{
    size_t column = NAME_COLUMNS;
    append_name(out, name);
    while (*words != '\0') {
        const size_t length = strcspn(words, " ");
        if (column > NAME_COLUMNS && column + 1 + length > COLUMNS) {
            icl_text_printf(out, "\n%*s", NAME_COLUMNS, "");
            column = NAME_COLUMNS;
        } else if (column > NAME_COLUMNS) {
            icl_text_append_char(out, ' ');
            column++;
        }
        icl_text_append(out, words, length);
        column += length;
        words += length;
        words += strspn(words, " ");
    }
    icl_text_append_char(out, '\n');
}

static void append_head(icl_text *out, const icl_run_summary *summary)
{
    append_wrapped(out, "task", summary->task);
    append_wrapped(out, "model", summary->model);
    append_wrapped(out, "strategy", summary->strategy);
    append_name(out, "data");
    icl_text_printf(out, "%zu queries, %zu labels, pool of %zu, %zu shot%s, seed %" PRIu64 "\n\n",
                    summary->query_count, summary->label_count, summary->pool_count, summary->shots,
                    summary->shots == 1 ? "" : "s", summary->seed);
}

static void append_share(icl_text *out, const char *name, double value, const double *bounds)
{
    append_name(out, name);
    icl_text_printf(out, "%.3f", value);
    if (bounds != NULL)
        icl_text_printf(out, "   95 %% interval %.3f .. %.3f", bounds[0], bounds[1]);
    icl_text_append_char(out, '\n');
}

static void append_metrics(icl_text *out, const icl_run_summary *summary)
{
    const icl_metrics *metrics = &summary->metrics;
    if (!summary->labelled) {
        append_wrapped(out, "accuracy", "none: the queries carry no labels");
        return;
    }
    append_share(out, "accuracy", metrics->accuracy, metrics->accuracy_ci95);
    append_share(out, "  majority class", metrics->majority_accuracy, metrics->majority_ci95);
    if (summary->has_zero_shot)
        append_share(out, "  zero-shot", summary->zero_shot.accuracy,
                     summary->zero_shot.accuracy_ci95);
    append_share(out, "macro-F1", metrics->macro_f1, NULL);
    if (metrics->has_probabilities) append_share(out, "ECE", metrics->ece, NULL);
}

/* 1234567 as "1 234 567", in a column of its own. */
static void append_count(icl_text *out, const char *name, uint64_t count)
{
    char digits[REPORT_DIGITS];
    icl_report_group_digits(digits, count);
    append_name(out, name);
    icl_text_printf(out, "%13s", digits);
}

static void append_tokens(icl_text *out, const icl_report_meter *report)
{
    const icl_meter *meter = &report->meter;
    append_count(out, "tokens asked", meter->tokens_asked);
    icl_text_printf(out, "   %" PRIu64 " requests", meter->requests);
    if (meter->requests_cached > 0)
        icl_text_printf(out, ", and %" PRIu64 " from the journal", meter->requests_cached);
    icl_text_append_char(out, '\n');
    append_count(out, "  in the trie", meter->tokens_trie);
    if (meter->tokens_trie > 0)
        icl_text_printf(out, "   %.1f times fewer",
                        (double)meter->tokens_asked / (double)meter->tokens_trie);
    icl_text_append_char(out, '\n');
    append_count(out, "  evaluated", meter->tokens_evaluated);
    icl_text_printf(out, "   eta_trie %.3f\n", icl_report_eta_trie(report));
}

static void append_meter(icl_text *out, const icl_report_meter *report)
{
    const icl_meter *meter = &report->meter;
    icl_text_append_char(out, '\n');
    append_tokens(out, report);
    if (meter->tokens_evaluated > 0) {
        append_count(out, "tokens/s", (uint64_t)(icl_report_tokens_per_second(report) + 0.5));
        icl_text_printf(out, "   %.2f s", meter->seconds);
        if (report->prefill_tokens_per_second > 0)
            icl_text_printf(out, ", eta_machine %.2f of plain prefill",
                            icl_report_eta_machine(report));
        icl_text_append_char(out, '\n');
    }
    append_name(out, "memory");
    icl_text_printf(out, "%9.1f MiB   at the peak, weights excluded\n",
                    (double)meter->peak_bytes / (1024.0 * 1024.0));
}

static void append_warnings(icl_text *out, const icl_run_summary *summary)
{
    icl_text text = { 0 };
    if (summary->calibration_fell_back || summary->demonstrations_dropped > 0 ||
        summary->joins_merged > 0)
        icl_text_append_char(out, '\n');
    if (summary->calibration_fell_back)
        append_wrapped(out, "note",
                       "calibration had nothing to work with; scores are uncalibrated");
    if (summary->demonstrations_dropped > 0) {
        icl_text_printf(&text, "%zu demonstrations of %zu queries did not fit the window",
                        summary->demonstrations_dropped, summary->queries_with_drops);
        append_wrapped(out, "note", icl_text_string(&text));
    }
    if (summary->joins_merged > 0) {
        icl_text_clear(&text);
        icl_text_printf(&text, "%zu answers begin inside a token of the prompt",
                        summary->joins_merged);
        append_wrapped(out, "note", icl_text_string(&text));
    }
    out->failed |= text.failed;
    icl_text_deinit(&text);
}

icl_status icl_report_table(char **out_text, const icl_run *run, const icl_report_meter *meter)
{
    icl_text text = { 0 };
    const icl_run_summary *summary = icl_run_get_summary(run);
    append_head(&text, summary);
    append_metrics(&text, summary);
    append_meter(&text, meter);
    append_warnings(&text, summary);
    const icl_status status = icl_text_status(&text);
    if (status == ICL_OK)
        *out_text = icl_text_take(&text, NULL);
    else
        icl_text_deinit(&text);
    return status;
}
