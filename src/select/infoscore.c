#include "select/infoscore.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/logspace.h"
#include "template/ask.h"

const char *const icl_infoscore_metrics[] = { "paper", "code", NULL };

/* Indexed as icl_infoscore_metrics. */
typedef enum gain_metric { METRIC_PAPER, METRIC_CODE } gain_metric;

typedef struct filter {
    const icl_select_input *input;
    const char *method;
    gain_metric metric;
    size_t probe_count, probes_max;
    size_t *probes;    /* candidates in random order; the first probes_max are asked about */
    double *zero_shot; /* [probes_max] value of a probe without a demonstration */
    size_t survivor_count;
    size_t *survivors; /* pool indices, best first after a round */
    double *gains;     /* [survivor_count][probes_max] */
    double *scores;    /* [survivor_count] */
} filter;

/* What a prompt is worth to its item: higher is better. */
static double value_of(const double *nats, size_t label_count, size_t gold, gain_metric metric)
{
    if (metric == METRIC_PAPER) return exp(nats[gold] - icl_logsumexp(nats, label_count));
    double sum = 0;
    for (size_t label = 0; label < label_count; label++) sum += nats[label];
    return sum < 0 ? -nats[gold] / sum : -1 / (double)label_count;
}

static bool is_probe_itself(const filter *f, size_t survivor, size_t probe)
{
    return f->survivors[survivor] == f->probes[probe];
}

/* Prompts of the new probes: first without a demonstration, then under every survivor but
 * themselves. */
static size_t make_prompts(icl_ask_prompt *prompts, const filter *f, size_t first, size_t end)
{
    size_t count = 0;
    for (size_t j = first; j < end; j++)
        prompts[count++] = (icl_ask_prompt){ .of = ICL_ASK_POOL, .item = f->probes[j] };
    for (size_t i = 0; i < f->survivor_count; i++) {
        for (size_t j = first; j < end; j++) {
            if (is_probe_itself(f, i, j)) continue;
            prompts[count++] = (icl_ask_prompt){ .shown = &f->survivors[i],
                                                 .shown_count = 1,
                                                 .of = ICL_ASK_POOL,
                                                 .item = f->probes[j] };
        }
    }
    return count;
}

static void read_answers(filter *f, const double *nats, size_t first, size_t end)
{
    const size_t label_count = f->input->label_count;
    const size_t *labels = f->input->pool_labels;
    for (size_t j = first; j < end; j++, nats += label_count)
        f->zero_shot[j] = value_of(nats, label_count, labels[f->probes[j]], f->metric);
    for (size_t i = 0; i < f->survivor_count; i++) {
        for (size_t j = first; j < end; j++) {
            double *gain = &f->gains[i * f->probes_max + j];
            *gain = 0;
            if (is_probe_itself(f, i, j)) continue;
            *gain = value_of(nats, label_count, labels[f->probes[j]], f->metric) - f->zero_shot[j];
            nats += label_count;
        }
    }
}

/* Asks about the probes from probe_count to `end`, and scores the survivors on all. */
static icl_status ask_round(filter *f, size_t end)
{
    const size_t room = (f->survivor_count + 1) * (end - f->probe_count);
    icl_ask_prompt *prompts = malloc((room + 1) * sizeof *prompts);
    double *nats = malloc((room * f->input->label_count + 1) * sizeof *nats);
    icl_status status = ICL_OK;
    if (prompts == NULL || nats == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu prompts", room);
    if (status == ICL_OK)
        status = icl_ask_labels(nats, f->input->asker, f->method, prompts,
                                make_prompts(prompts, f, f->probe_count, end));
    if (status == ICL_OK) read_answers(f, nats, f->probe_count, end);
    free(nats);
    free(prompts);
    if (status != ICL_OK) return status;
    f->probe_count = end;
    for (size_t i = 0; i < f->survivor_count; i++) {
        double sum = 0;
        size_t others = 0;
        for (size_t j = 0; j < end; j++) {
            sum += f->gains[i * f->probes_max + j];
            if (!is_probe_itself(f, i, j)) others++;
        }
        f->scores[i] = others > 0 ? sum / (double)others : 0;
    }
    return ICL_OK;
}

/* The best `keep` survivors, class-balanced, stay, ranked by score; of equal ones the lower pool
 * index comes first. */
static icl_status keep_best(filter *f, size_t keep)
{
    const size_t pool_count = f->input->pool_count;
    double *by_item = malloc(pool_count * sizeof *by_item);
    size_t *ranking = malloc(pool_count * sizeof *ranking);
    size_t *row_of = malloc(pool_count * sizeof *row_of);
    double *gains = malloc(keep * f->probes_max * sizeof *gains);
    icl_status status = ICL_OK;
    if (by_item == NULL || ranking == NULL || row_of == NULL || gains == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", f->survivor_count);
        goto cleanup;
    }
    for (size_t i = 0; i < pool_count; i++) by_item[i] = NAN;
    for (size_t i = 0; i < f->survivor_count; i++) {
        by_item[f->survivors[i]] = f->scores[i];
        row_of[f->survivors[i]] = i;
    }
    status = icl_corpus_rank(ranking, by_item, pool_count);
    if (status == ICL_OK)
        status = icl_corpus_balance(ranking, f->survivor_count, keep, f->input->pool_labels,
                                    f->input->label_count);
    if (status != ICL_OK) goto cleanup;
    for (size_t i = 0; i < keep; i++)
        memcpy(&gains[i * f->probes_max], &f->gains[row_of[ranking[i]] * f->probes_max],
               f->probes_max * sizeof *gains);
    memcpy(f->gains, gains, keep * f->probes_max * sizeof *gains);
    for (size_t i = 0; i < keep; i++) {
        f->survivors[i] = ranking[i];
        f->scores[i] = by_item[ranking[i]];
    }
    f->survivor_count = keep;
cleanup:
    free(gains);
    free(row_of);
    free(ranking);
    free(by_item);
    return status;
}

/* Candidates that go into the next round, `keep` when there is none. */
static size_t next_size(size_t count, size_t keep, double p)
{
    const size_t part = (size_t)((double)count / p);
    return part > keep ? part : keep;
}

static size_t next_probes(size_t probes, size_t candidate_count, double p)
{
    const double more = (double)probes * p;
    return more < (double)candidate_count ? (size_t)more : candidate_count;
}

static size_t probes_of_last_round(size_t candidate_count, size_t keep, size_t probes, double p)
{
    for (size_t count = candidate_count; (count = next_size(count, keep, p)) > keep;)
        probes = next_probes(probes, candidate_count, p);
    return probes;
}

/* At least one round, so that everyone who stays is scored. */
static icl_status run_rounds(filter *f, size_t keep, size_t probes, double p)
{
    const size_t candidate_count = f->survivor_count;
    for (;;) {
        ICL_TRY(ask_round(f, probes));
        ICL_TRY(keep_best(f, next_size(f->survivor_count, keep, p)));
        if (f->survivor_count == keep) return ICL_OK;
        probes = next_probes(probes, candidate_count, p);
    }
}

static icl_status filter_init(filter *f, const icl_split *split, size_t probes_max)
{
    const size_t count = split->candidate_count;
    f->survivor_count = count;
    f->probes_max = probes_max;
    f->probes = malloc(count * sizeof *f->probes);
    f->survivors = malloc(count * sizeof *f->survivors);
    f->zero_shot = malloc(probes_max * sizeof *f->zero_shot);
    f->scores = malloc(count * sizeof *f->scores);
    f->gains = calloc(count * probes_max, sizeof *f->gains);
    if (f->probes == NULL || f->survivors == NULL || f->zero_shot == NULL || f->scores == NULL ||
        f->gains == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the scores of %zu candidates", count);
    memcpy(f->probes, split->candidates, count * sizeof *f->probes);
    memcpy(f->survivors, split->candidates, count * sizeof *f->survivors);
    icl_rng rng = icl_rng_new(f->input->seed, f->input->task, "", "select-infoscore");
    icl_rng_shuffle(&rng, f->probes, count);
    return ICL_OK;
}

/* Hands over what was found; the rows of gains close up to the probes that were asked. */
static void hand_over(icl_infoscore *out, filter *f)
{
    for (size_t i = 0; i < f->survivor_count; i++)
        memmove(&f->gains[i * f->probe_count], &f->gains[i * f->probes_max],
                f->probe_count * sizeof *f->gains);
    *out = (icl_infoscore){ .candidate_count = f->survivor_count,
                            .probe_count = f->probe_count,
                            .candidates = f->survivors,
                            .scores = f->scores,
                            .gains = f->gains };
    f->survivors = NULL;
    f->scores = f->gains = NULL;
}

icl_status icl_infoscore_filter(icl_infoscore *out, const icl_select_input *input,
                                const char *method, const icl_options *options,
                                const icl_split *split, size_t k)
{
    filter f = { .input = input,
                 .method = method,
                 .metric = (gain_metric)icl_options_int(options, "metric") };
    size_t keep = (size_t)icl_options_int(options, "m");
    if (keep == 0) keep = split->candidate_count / 10 > 4 * k ? split->candidate_count / 10 : 4 * k;
    if (keep > split->candidate_count) keep = split->candidate_count;
    const double p = icl_options_real(options, "p");
    const size_t wanted = (size_t)icl_options_int(options, "n0");
    const size_t probes = wanted < split->candidate_count ? wanted : split->candidate_count;
    icl_status status =
        filter_init(&f, split, probes_of_last_round(split->candidate_count, keep, probes, p));
    if (status == ICL_OK) status = run_rounds(&f, keep, probes, p);
    if (status == ICL_OK) hand_over(out, &f);
    free(f.gains);
    free(f.scores);
    free(f.zero_shot);
    free(f.survivors);
    free(f.probes);
    return status;
}

void icl_infoscore_by_item(double *scores, size_t pool_count, const icl_infoscore *scored)
{
    for (size_t i = 0; i < pool_count; i++) scores[i] = NAN;
    for (size_t i = 0; i < scored->candidate_count; i++)
        scores[scored->candidates[i]] = scored->scores[i];
}

void icl_infoscore_deinit(icl_infoscore *scored)
{
    free(scored->candidates);
    free(scored->scores);
    free(scored->gains);
    *scored = (icl_infoscore){ 0 };
}
