#include "annotate_say.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "cli.h"

enum { SENTENCE_BYTES = 200 };

/* ---- words ---- */

static const char *words_of_labelling(char out[SENTENCE_BYTES], const icl_annotate_summary *summary)
{
    const icl_annotate_cost *known = &summary->labelling, *per = &summary->per_1000;
    if (known->rows > 0)
        snprintf(out, SENTENCE_BYTES, "%zu rows, %s%" PRIu64 " requests, %" PRIu64 " tokens",
                 known->rows, summary->is_estimate ? "about " : "", known->requests, known->tokens);
    else
        snprintf(out, SENTENCE_BYTES,
                 "about %" PRIu64 " requests, %" PRIu64 " tokens for every 1,000 rows",
                 per->requests, per->tokens);
    return out;
}

static const char *words_of_threshold(char out[SENTENCE_BYTES], const icl_annotate_summary *summary)
{
    snprintf(out, SENTENCE_BYTES,
             "%.3f of the rows are answered, from confidence %.4f on, and %.3f of these are right, "
             "95 %% interval %.3f .. %.3f",
             summary->coverage, summary->threshold, summary->reached, summary->reached_ci95[0],
             summary->reached_ci95[1]);
    return out;
}

static const char *words_of_validation(char out[SENTENCE_BYTES],
                                       const icl_annotate_summary *summary)
{
    const icl_metrics *metrics = &summary->metrics;
    snprintf(out, SENTENCE_BYTES,
             "%zu rows, accuracy %.3f, 95 %% interval %.3f .. %.3f, calibration error %.3f, %.3f "
             "before temperature %.3g",
             metrics->count, metrics->accuracy, metrics->accuracy_ci95[0],
             metrics->accuracy_ci95[1], metrics->ece, summary->uncalibrated_ece,
             summary->temperature);
    return out;
}

/* ---- standard error ---- */

void annotate_say_cost(const cli_verb *verb, const icl_annotate_summary *summary)
{
    char labelling[SENTENCE_BYTES];
    const icl_annotate_cost *of = &summary->validating;
    cli_complain(verb->name,
                 "validation: %zu rows, %" PRIu64 " requests, %" PRIu64
                 " tokens; then the rows to label: %s",
                 of->rows, of->requests, of->tokens, words_of_labelling(labelling, summary));
}

void annotate_say_promise(const cli_verb *verb, const icl_annotate_summary *summary)
{
    char words[SENTENCE_BYTES];
    cli_complain(verb->name, "validation: %s", words_of_validation(words, summary));
    if (summary->precision > 0)
        cli_complain(verb->name, "to expect: %s", words_of_threshold(words, summary));
}

/* ---- tables ---- */

static void print_head(const icl_annotate_summary *summary)
{
    printf("task            %s, %zu items in the pool, %zu labels\n", summary->task,
           summary->pool_count, summary->label_count);
    printf("model           %s\n", summary->model);
    printf("strategy        %s\n", summary->strategy);
}

void annotate_print_plan(const icl_annotate_summary *summary)
{
    char words[SENTENCE_BYTES];
    const icl_annotate_cost *of = &summary->validating;
    print_head(summary);
    printf("validation      %zu rows, %" PRIu64 " requests, %" PRIu64 " tokens\n", of->rows,
           of->requests, of->tokens);
    printf("labelling       %s\n", words_of_labelling(words, summary));
    if (summary->choosing_cost != NULL)
        printf("besides         questions to choose demonstrations: %s\n", summary->choosing_cost);
}

void annotate_print_outcome(const icl_annotate_summary *summary, const icl_meter *meter)
{
    char words[SENTENCE_BYTES];
    print_head(summary);
    printf("validation      %s\n", words_of_validation(words, summary));
    if (summary->precision > 0) printf("to expect       %s\n", words_of_threshold(words, summary));
    printf("rows            %zu labelled, %zu of them before an interruption", summary->rows,
           summary->done_rows);
    if (summary->abstained > 0 || summary->precision > 0)
        printf("; %zu left to a person", summary->abstained);
    if (summary->too_long > 0)
        printf(", %zu too long for the model's window", summary->too_long);
    printf("\nquestions       %" PRIu64 " and %" PRIu64 " from the journal, %" PRIu64
           " tokens evaluated in %.1f s\n",
           meter->requests, meter->requests_cached, meter->tokens_evaluated, meter->seconds);
}

/* ---- JSON ---- */

static json_t *cost_object(const icl_annotate_cost *cost)
{
    return json_pack("{s:I, s:I, s:I}", "rows", (json_int_t)cost->rows, "requests",
                     (json_int_t)cost->requests, "tokens", (json_int_t)cost->tokens);
}

static json_t *plan_object(const icl_annotate_summary *summary)
{
    return json_pack("{s:o, s:o, s:b, s:o, s:s?}", "validation", cost_object(&summary->validating),
                     "labelling",
                     summary->labelling.rows > 0 ? cost_object(&summary->labelling) : json_null(),
                     "labelling_is_estimate", summary->is_estimate, "per_1000_rows",
                     cost_object(&summary->per_1000), "choosing_cost", summary->choosing_cost);
}

static json_t *validation_object(const icl_annotate_summary *summary)
{
    const icl_metrics *metrics = &summary->metrics;
    return json_pack("{s:I, s:f, s:[f,f], s:f, s:f, s:f}", "rows", (json_int_t)metrics->count,
                     "accuracy", metrics->accuracy, "accuracy_ci95", metrics->accuracy_ci95[0],
                     metrics->accuracy_ci95[1], "temperature", summary->temperature, "ece",
                     metrics->ece, "ece_before_temperature", summary->uncalibrated_ece);
}

static json_t *threshold_object(const icl_annotate_summary *summary)
{
    if (!(summary->precision > 0)) return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:[f,f], s:I}", "precision_wanted", summary->precision,
                     "confidence", summary->threshold, "coverage", summary->coverage, "precision",
                     summary->reached, "precision_ci95", summary->reached_ci95[0],
                     summary->reached_ci95[1], "validation_rows_answered",
                     (json_int_t)summary->answered_validating);
}

static void add_outcome(json_t *object, const icl_annotate_summary *summary, const icl_meter *meter)
{
    json_object_set_new(object, "validation", validation_object(summary));
    json_object_set_new(object, "threshold", threshold_object(summary));
    json_object_set_new(object, "rows", json_integer((json_int_t)summary->rows));
    json_object_set_new(object, "rows_done_before", json_integer((json_int_t)summary->done_rows));
    json_object_set_new(object, "abstained", json_integer((json_int_t)summary->abstained));
    json_object_set_new(object, "too_long", json_integer((json_int_t)summary->too_long));
    json_object_set_new(object, "meter",
                        json_pack("{s:I, s:I, s:I, s:I, s:f}", "requests",
                                  (json_int_t)meter->requests, "requests_cached",
                                  (json_int_t)meter->requests_cached, "tokens_trie",
                                  (json_int_t)meter->tokens_trie, "tokens_evaluated",
                                  (json_int_t)meter->tokens_evaluated, "seconds", meter->seconds));
}

void annotate_print_json(const icl_annotate_summary *summary, const icl_meter *meter)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:o}", "task", summary->task,
                  "strategy", summary->strategy, "model", summary->model, "model_identity",
                  summary->model_identity, "seed", (json_int_t)summary->seed, "spec_hash",
                  summary->spec_hash, "pool", (json_int_t)summary->pool_count, "labels",
                  (json_int_t)summary->label_count, "plan", plan_object(summary));
    if (meter != NULL) add_outcome(object, summary, meter);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}
