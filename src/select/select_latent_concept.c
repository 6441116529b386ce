/* Latent concept: vectors in front of an input that make its label likely stand for the task; the
 * examples after which these vectors are most likely show the task best. All queries get them.
 *
 * With one concept for the whole pool, P(concept | example) is 1 for every example, so they are
 * ranked by the mean log-probability of the concept's tokens. With a concept for each label it is a
 * softmax over the labels' concepts, as the paper has it over its tasks. Of the paper's two ways
 * the direct one, P(label | concept, input). Its reordering is order=latent-concept. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "learn/concept.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "select/fit.h"
#include "select/token_pool.h"

enum { REPORTED_STEPS = 10 };

enum { CONCEPT_OF_TASK, CONCEPT_OF_LABELS };
static const char *const concept_names[] = {
    [CONCEPT_OF_TASK] = "task", [CONCEPT_OF_LABELS] = "labels", NULL
};

static size_t group_count(const icl_select_input *input, const icl_options *options)
{
    return icl_options_int(options, "concepts") == CONCEPT_OF_TASK ? 1 : input->label_count;
}

static size_t group_of(const icl_select_input *input, size_t groups, size_t item)
{
    return groups == 1 ? 0 : input->pool_labels[item];
}

/* --- fitting --- */

typedef struct training {
    icl_fit *fit;
    const icl_select_input *input;
    const icl_options *options;
    icl_token_pool pool;
    icl_frozen_model frozen;
    icl_concepts *concepts;
    icl_concept_sequence *batch; /* [batch_size] */
    size_t batch_size, steps;
    size_t *order; /* [pool_count] examples of the running pass over the pool */
    size_t drawn;  /* examples drawn so far */
    double loss_first, loss_last;
} training;

static icl_status open_pool(icl_token_pool *out, const icl_select_input *input,
                            const icl_options *options)
{
    return icl_token_pool_init(out, input, (size_t)icl_options_int(options, "length"));
}

static icl_status make_concepts(training *t)
{
    const icl_concepts_shape shape = {
        .concept_tokens = (size_t)icl_options_int(t->options, "tokens"),
        .group_count = group_count(t->input, t->options),
        .batch_size = t->batch_size,
        .tokens_max = t->pool.tokens_max,
        .answer_max = t->pool.answer_max,
    };
    t->batch = calloc(t->batch_size, sizeof *t->batch);
    t->order = calloc(t->pool.count, sizeof *t->order);
    if (t->batch == NULL || t->order == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for batches of %zu examples",
                             t->batch_size);
    return icl_concepts_new(&t->concepts, t->frozen.model, &shape, NULL);
}

/* Passes over the pool, each in an order of its own. */
static void draw_batch(training *t, icl_rng *rng)
{
    const size_t groups = group_count(t->input, t->options);
    for (size_t i = 0; i < t->batch_size; i++, t->drawn++) {
        const size_t at = t->drawn % t->pool.count;
        if (at == 0) {
            for (size_t item = 0; item < t->pool.count; item++) t->order[item] = item;
            icl_rng_shuffle(rng, t->order, t->pool.count);
        }
        const size_t item = t->order[at];
        t->batch[i] =
            (icl_concept_sequence){ t->pool.items[item], group_of(t->input, groups, item) };
    }
}

/* The rate falls in a line to 0, as in the public code. */
static icl_status learn(training *t)
{
    const double rate = icl_options_real(t->options, "rate");
    const size_t reported = t->steps < REPORTED_STEPS ? t->steps : REPORTED_STEPS;
    icl_rng rng = icl_rng_new(t->input->seed, t->input->task, "", "latent-concept");
    icl_adamw_options adam = icl_adamw_options_default();
    adam.clip_norm = 1.0;
    for (size_t step = 0; step < t->steps; step++) {
        double loss = 0.0;
        ICL_TRY(icl_cancel_check(t->input->cancelled));
        icl_fit_say(t->fit, "training steps", step, t->steps);
        draw_batch(t, &rng);
        adam.rate = rate * (double)(t->steps - step) / (double)t->steps;
        ICL_TRY(icl_concepts_learn(&loss, t->concepts, t->batch, &adam));
        if (step < reported) t->loss_first += loss / (double)reported;
        if (step + reported >= t->steps) t->loss_last += loss / (double)reported;
    }
    return ICL_OK;
}

/* nats [groups][pool_count] */
static icl_status score_pool(float *nats, training *t)
{
    const size_t groups = group_count(t->input, t->options), count = t->pool.count;
    for (size_t i = 0; i < count; i++) {
        ICL_TRY(icl_cancel_check(t->input->cancelled));
        icl_fit_say(t->fit, "scores", i, count);
        for (size_t g = 0; g < groups; g++) {
            double mean = 0.0;
            ICL_TRY(icl_concepts_score(&mean, t->concepts, &t->pool.items[i], g));
            nats[g * count + i] = (float)mean;
        }
    }
    return ICL_OK;
}

static icl_status write_results(training *t)
{
    icl_fit_file *file = t->fit->file;
    const size_t groups = group_count(t->input, t->options), count = t->pool.count;
    const size_t rows = groups * (size_t)icl_options_int(t->options, "tokens");
    float *nats = calloc(groups * count, sizeof *nats);
    if (nats == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu scores", count);
    icl_status status = score_pool(nats, t);
    if (status == ICL_OK)
        status = icl_fit_file_add(file, &(icl_fit_array){ "concepts", rows,
                                                          icl_concepts_width(t->concepts),
                                                          icl_concepts_vectors(t->concepts) });
    if (status == ICL_OK)
        status = icl_fit_file_add(file, &(icl_fit_array){ "nats", groups, count, nats });
    free(nats);
    if (status == ICL_OK) status = icl_fit_file_add_measure(file, "loss_first", t->loss_first);
    return status == ICL_OK ? icl_fit_file_add_measure(file, "loss_last", t->loss_last) : status;
}

static icl_status fit_latent_concept(icl_fit *fit, const icl_select_input *input,
                                     const icl_options *options)
{
    training t = { .fit = fit,
                   .input = input,
                   .options = options,
                   .batch_size = (size_t)icl_options_int(options, "batch"),
                   .steps = (size_t)icl_options_int(options, "steps") };
    icl_status status = open_pool(&t.pool, input, options);
    if (status == ICL_OK) status = icl_frozen_model_open(&t.frozen, input->trainable);
    if (status == ICL_OK) status = make_concepts(&t);
    if (status == ICL_OK) status = learn(&t);
    if (status == ICL_OK) status = write_results(&t);
    free(t.order);
    free(t.batch);
    icl_concepts_free(t.concepts);
    icl_frozen_model_close(&t.frozen);
    icl_token_pool_deinit(&t.pool);
    return status;
}

static icl_status fit_prompts_latent_concept(size_t *out, const icl_select_input *input,
                                             const icl_options *options)
{
    (void)input;
    (void)options;
    *out = 0;
    return ICL_OK;
}

/* Examples are padded to the longest. */
static icl_status fit_tokens_latent_concept(uint64_t *out, const icl_select_input *input,
                                            const icl_options *options)
{
    icl_token_pool pool;
    ICL_TRY(open_pool(&pool, input, options));
    const uint64_t trained =
        (uint64_t)icl_options_int(options, "steps") * (uint64_t)icl_options_int(options, "batch");
    const uint64_t scored = (uint64_t)input->pool_count * group_count(input, options);
    const uint64_t each = pool.tokens_max + (uint64_t)icl_options_int(options, "tokens");
    icl_token_pool_deinit(&pool);
    *out = (trained + scored) * each;
    return ICL_OK;
}

/* --- selecting --- */

/* Of one example, whose column of nats [groups][stride] it is. */
static double score_of(const float *nats, size_t groups, size_t stride, size_t own,
                       double temperature, double *scratch)
{
    if (groups == 1) return (double)nats[0];
    for (size_t g = 0; g < groups; g++) scratch[g] = (double)nats[g * stride] / temperature;
    icl_softmax(scratch, scratch, groups);
    return scratch[own];
}

static icl_status rank(icl_scored *out, const float *nats, size_t groups,
                       const icl_select_input *input, const icl_options *options)
{
    const size_t count = input->pool_count;
    const double temperature = icl_options_real(options, "temperature");
    double *scratch = calloc(groups, sizeof *scratch);
    if (scratch == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu scores", count);
    for (size_t i = 0; i < count; i++)
        out[i] = (icl_scored){
            score_of(nats + i, groups, count, group_of(input, groups, i), temperature, scratch), i
        };
    free(scratch);
    icl_topk(out, count, count);
    return ICL_OK;
}

static icl_status read_ranking(icl_scored *out, const icl_select_input *input,
                               const icl_options *options)
{
    icl_fit_file *file = NULL;
    const float *nats = NULL;
    ICL_TRY(icl_fit_open(&file, input, options));
    const icl_fit_array *array = icl_fit_file_array(file, "nats");
    const size_t groups = array != NULL && array->rows > 1 ? input->label_count : 1;
    icl_status status = icl_fit_file_find(&nats, file, "nats", groups, input->pool_count);
    if (status == ICL_OK) status = rank(out, nats, groups, input, options);
    icl_fit_file_free(file);
    return status;
}

/* Marks in `taken` [pool_count], which is by rank, the k best; no label has more than `quota`
 * while others are left. used [label_count]: scratch. */
static void take(bool *taken, const icl_scored *ranking, const icl_select_input *input, size_t k,
                 size_t quota, size_t self, size_t *used)
{
    size_t left = k;
    memset(taken, 0, input->pool_count * sizeof *taken);
    memset(used, 0, input->label_count * sizeof *used);
    for (size_t round = 0; round < 2; round++) {
        for (size_t r = 0; left > 0 && r < input->pool_count; r++) {
            const size_t label = input->pool_labels[ranking[r].index];
            if (taken[r] || ranking[r].index == self) continue;
            if (round == 0 && used[label]++ >= quota) continue;
            taken[r] = true;
            left--;
        }
    }
}

static icl_status fill_lines(icl_selection *out, const icl_scored *ranking,
                             const icl_select_input *input, bool balanced)
{
    const size_t labels = input->label_count;
    const size_t quota = balanced ? (out->k + labels - 1) / labels : out->k;
    bool *taken = calloc(input->pool_count, sizeof *taken);
    size_t *used = calloc(labels, sizeof *used);
    icl_status status = ICL_OK;
    if (taken == NULL || used == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a choice among %zu examples",
                               input->pool_count);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        take(taken, ranking, input, out->k, quota, icl_select_self(input, q), used);
        size_t at = q * out->k;
        for (size_t r = 0; r < input->pool_count; r++) {
            if (!taken[r]) continue;
            out->indices[at] = ranking[r].index;
            out->scores[at++] = ranking[r].score;
        }
        status = icl_cancel_check(input->cancelled);
    }
    free(used);
    free(taken);
    return status;
}

static icl_status select_latent_concept(icl_selection *out, const icl_select_input *input,
                                        const icl_options *options)
{
    icl_scored *ranking = calloc(input->pool_count, sizeof *ranking);
    if (ranking == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory to rank %zu examples", input->pool_count);
    icl_status status = read_ranking(ranking, input, options);
    if (status == ICL_OK)
        status = fill_lines(out, ranking, input, icl_options_bool(options, "balanced"));
    free(ranking);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_FIT_OPTION_FILE,
    { .name = "balanced",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: at most k / labels of each label, rounded up" },
    { .name = "temperature",
      .type = ICL_OPTION_REAL,
      .fallback = "50",
      .minimum = 1e-3,
      .maximum = 1e6,
      .help = "of the softmax over concepts" },
    { .name = "concepts",
      .type = ICL_OPTION_CHOICE,
      .fallback = "task",
      .choices = concept_names,
      .help =
          "fit: task: one for the pool; labels: one for each label, and examples compete by it" },
    { .name = "tokens",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 1,
      .maximum = 1000,
      .help = "fit: tokens of a concept" },
    { .name = "steps",
      .type = ICL_OPTION_INT,
      .fallback = "200",
      .minimum = 1,
      .maximum = 1e7,
      .help = "fit: of training; the public code takes up to 100000" },
    { .name = "batch",
      .type = ICL_OPTION_INT,
      .fallback = "16",
      .minimum = 1,
      .maximum = 10000,
      .help = "fit: examples of a step" },
    { .name = "rate",
      .type = ICL_OPTION_REAL,
      .fallback = "0.01",
      .minimum = 1e-8,
      .maximum = 10,
      .help = "fit: learning rate of AdamW at the first step; it falls to 0" },
    { .name = "length",
      .type = ICL_OPTION_INT,
      .fallback = "256",
      .minimum = 8,
      .maximum = 1e6,
      .help = "fit: longest example in tokens; of longer ones the end is read" },
};

const icl_select_method icl_select_latent_concept = {
    .card = { .name = "latent-concept",
              .summary = "Examples after which learned vectors that stand for the task are likely.",
              .paper = "Wang et al. 2023, \"Large Language Models Are Latent Variable Models: "
                       "Explaining and Finding Good Demonstrations for In-Context Learning\"",
              .cost = "none; fit: trains on steps * batch zero-shot prompts, each like three, and "
                      "reads the pool once for each concept",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING | ICL_NEEDS_GRADIENTS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_latent_concept,
    .fit = fit_latent_concept,
    .fit_prompts = fit_prompts_latent_concept,
    .fit_tokens = fit_tokens_latent_concept,
};
