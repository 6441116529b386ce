/* Datamodels: for every development item a linear model of its margin (log P of its own label less
 * that of the likeliest other) from which example stands at which position of the prompt. An
 * example is worth the share of positive weights among those it got (the paper), or their mean.
 *
 * The paper fits by SGD with weight decay, which is ridge regression stopped early; here it is
 * solved in closed form, so there is no learning rate and no seed. Its second step, refitting the
 * models for each pattern of labels starting from the common weights, is ridge regression of what
 * the common model leaves over. A weight of an (example, position) that no prompt shows is not
 * counted: the public code counts it as not positive, which punishes rarely drawn examples. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "math/ridge.h"
#include "select/trials.h"

enum { PROMPTS_MAX = 4000 }; /* their products are 128 MB */

/* Weights within rounding of zero, as when no prompt differs from another, are not positive. */
static const double smallest_weight = 1e-9;

/* The weights of an example, over all models. */
typedef struct item_weights {
    size_t count, positive;
    double sum;
} item_weights;

/* Indexed by the option "score". */
typedef enum item_score { SCORE_POSITIVE, SCORE_MEAN } item_score;

typedef struct datamodels {
    const icl_select_input *input;
    icl_trials trials;
    size_t slots;   /* features of an example: one for each position, or one */
    size_t *rows;   /* [prompt_count] prompts, those of a group side by side */
    size_t *firsts; /* [group_count + 1] where a group's rows start */
    size_t group_count;
    double *duals;       /* [dev_count][prompt_count] of the common models */
    double *refits;      /* group g: from firsts[g] * dev_count, [dev_count][its rows] */
    bool *sampled;       /* [pool_count][slots] some prompt shows it */
    double *weights;     /* [pool_count][slots] of the model at hand */
    item_weights *found; /* [pool_count] */
} datamodels;

static size_t slot_of(const datamodels *models, size_t position)
{
    return models->slots > 1 ? position : 0;
}

static size_t feature_of(const datamodels *models, size_t item, size_t position)
{
    return item * models->slots + slot_of(models, position);
}

static const size_t *shown_by(const datamodels *models, size_t prompt)
{
    return &models->trials.shown[prompt * models->trials.shots];
}

static icl_status allocate(datamodels *models)
{
    const size_t prompts = models->trials.prompt_count, dev = models->trials.split.dev_count;
    const size_t features = models->input->pool_count * models->slots;
    models->rows = calloc(prompts, sizeof *models->rows);
    models->firsts = calloc(prompts + 1, sizeof *models->firsts);
    models->duals = calloc(dev * prompts, sizeof *models->duals);
    models->refits = calloc(dev * prompts, sizeof *models->refits);
    models->sampled = calloc(features, sizeof *models->sampled);
    models->weights = calloc(features, sizeof *models->weights);
    models->found = calloc(models->input->pool_count, sizeof *models->found);
    if (models->rows == NULL || models->firsts == NULL || models->duals == NULL ||
        models->refits == NULL || models->sampled == NULL || models->weights == NULL ||
        models->found == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for datamodels of %zu prompts", prompts);
    return ICL_OK;
}

static void release(datamodels *models)
{
    free(models->found);
    free(models->weights);
    free(models->sampled);
    free(models->refits);
    free(models->duals);
    free(models->firsts);
    free(models->rows);
    icl_trials_deinit(&models->trials);
}

/* ---- groups of prompts with the same labels at the same positions ---- */

static bool same_pattern(const datamodels *models, size_t a, size_t b)
{
    const size_t *labels = models->input->pool_labels;
    for (size_t p = 0; p < models->trials.shots; p++)
        if (labels[shown_by(models, a)[p]] != labels[shown_by(models, b)[p]]) return false;
    return true;
}

static void group_prompts(datamodels *models)
{
    const size_t count = models->trials.prompt_count;
    size_t written = 0;
    for (size_t r = 0; r < count; r++) {
        bool known = false;
        for (size_t g = 0; !known && g < models->group_count; g++)
            known = same_pattern(models, r, models->rows[models->firsts[g]]);
        if (known) continue;
        for (size_t s = r; s < count; s++)
            if (same_pattern(models, r, s)) models->rows[written++] = s;
        models->firsts[++models->group_count] = written;
    }
}

/* ---- fitting ---- */

/* Product of two prompts' features: how many they share. */
static double shared_features(const datamodels *models, size_t a, size_t b)
{
    const size_t shots = models->trials.shots;
    const size_t *left = shown_by(models, a), *right = shown_by(models, b);
    size_t shared = 0;
    for (size_t i = 0; i < shots; i++) {
        for (size_t j = 0; j < shots; j++)
            shared += left[i] == right[j] && slot_of(models, i) == slot_of(models, j);
    }
    return (double)shared;
}

/* Ridge regression over the prompts rows [count]; targets and duals [dev_count][count]. */
static icl_status fit(double *duals, const double *targets, const datamodels *models,
                      const size_t *rows, size_t count, double penalty)
{
    double *products = malloc(count * count * sizeof *products);
    if (products == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for datamodels of %zu prompts", count);
    icl_status status = ICL_OK;
    for (size_t r = 0; status == ICL_OK && r < count; r++) {
        for (size_t s = 0; s < count; s++)
            products[r * count + s] = shared_features(models, rows[r], rows[s]);
        status = icl_cancel_check(models->input->cancelled);
    }
    if (status == ICL_OK)
        status = icl_ridge_duals(duals, products, targets, count, models->trials.split.dev_count,
                                 penalty, models->input->cancelled);
    free(products);
    return status;
}

static icl_status fit_common(datamodels *models, double penalty)
{
    const icl_trials *trials = &models->trials;
    const size_t label_count = models->input->label_count, dev_count = trials->split.dev_count;
    for (size_t p = 0; p < trials->prompt_count; p++) {
        for (size_t d = 0; d < dev_count; d++)
            models->duals[d * trials->prompt_count + p] =
                icl_log_margin(&trials->log_probabilities[(p * dev_count + d) * label_count],
                               label_count, models->input->pool_labels[trials->split.dev[d]]);
    }
    size_t *all = malloc(trials->prompt_count * sizeof *all);
    if (all == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu prompts", trials->prompt_count);
    for (size_t p = 0; p < trials->prompt_count; p++) all[p] = p;
    const icl_status status =
        fit(models->duals, models->duals, models, all, trials->prompt_count, penalty);
    free(all);
    return status;
}

/* What a ridge model leaves over of a target is penalty * dual. */
static icl_status refit_groups(datamodels *models, double penalty)
{
    const size_t dev_count = models->trials.split.dev_count;
    for (size_t g = 0; g < models->group_count; g++) {
        const size_t first = models->firsts[g], count = models->firsts[g + 1] - first;
        double *refits = &models->refits[first * dev_count];
        for (size_t d = 0; d < dev_count; d++) {
            const double *duals = &models->duals[d * models->trials.prompt_count];
            for (size_t r = 0; r < count; r++)
                refits[d * count + r] = penalty * duals[models->rows[first + r]];
        }
        ICL_TRY(fit(refits, refits, models, &models->rows[first], count, penalty));
        ICL_TRY(icl_cancel_check(models->input->cancelled));
    }
    return ICL_OK;
}

/* ---- counting positive weights ---- */

static void add_prompt(datamodels *models, size_t prompt, double dual)
{
    const size_t *shown = shown_by(models, prompt);
    for (size_t p = 0; p < models->trials.shots; p++)
        models->weights[feature_of(models, shown[p], p)] += dual;
}

static void count_weight(datamodels *models, size_t item, size_t slot)
{
    const size_t feature = feature_of(models, item, slot);
    if (!models->sampled[feature]) return;
    item_weights *found = &models->found[item];
    found->count++;
    found->sum += models->weights[feature];
    if (models->weights[feature] > smallest_weight) found->positive++;
}

/* Counts the weights of one model where the group's pattern admits the example: at the positions
 * of its label. `pattern` is any prompt of the group, NULL: everything is admitted. */
static void count_weights(datamodels *models, const size_t *pattern)
{
    const icl_split *split = &models->trials.split;
    const size_t *labels = models->input->pool_labels;
    for (size_t c = 0; c < split->candidate_count; c++) {
        const size_t item = split->candidates[c];
        for (size_t slot = 0; slot < models->slots; slot++) {
            bool admitted = pattern == NULL;
            for (size_t p = 0; !admitted && p < models->trials.shots; p++)
                admitted = slot_of(models, p) == slot && labels[pattern[p]] == labels[item];
            if (admitted) count_weight(models, item, slot);
        }
    }
}

static icl_status count_all(datamodels *models, bool by_pattern)
{
    const icl_trials *trials = &models->trials;
    const size_t features = models->input->pool_count * models->slots;
    const size_t dev_count = trials->split.dev_count;
    for (size_t d = 0; d < dev_count; d++) {
        memset(models->weights, 0, features * sizeof *models->weights);
        for (size_t p = 0; p < trials->prompt_count; p++)
            add_prompt(models, p, models->duals[d * trials->prompt_count + p]);
        if (!by_pattern) count_weights(models, NULL);
        for (size_t g = 0; by_pattern && g < models->group_count; g++) {
            const size_t *rows = &models->rows[models->firsts[g]];
            const size_t count = models->firsts[g + 1] - models->firsts[g];
            const double *refits = &models->refits[models->firsts[g] * dev_count + d * count];
            for (size_t r = 0; r < count; r++) add_prompt(models, rows[r], refits[r]);
            count_weights(models, shown_by(models, rows[0]));
            for (size_t r = 0; r < count; r++) add_prompt(models, rows[r], -refits[r]);
        }
        ICL_TRY(icl_cancel_check(models->input->cancelled));
    }
    return ICL_OK;
}

static double item_value(const item_weights *found, item_score score)
{
    if (found->count == 0) return NAN;
    const double sum = score == SCORE_MEAN ? found->sum : (double)found->positive;
    return sum / (double)found->count;
}

static icl_status score_items(double *scores, datamodels *models, const icl_options *options)
{
    const bool by_pattern = icl_options_bool(options, "patterns");
    const double penalty = icl_options_real(options, "ridge");
    const item_score score = (item_score)icl_options_int(options, "score");
    const icl_trials *trials = &models->trials;
    ICL_TRY(allocate(models));
    for (size_t i = 0; i < trials->prompt_count * trials->shots; i++)
        models->sampled[feature_of(models, trials->shown[i], i % trials->shots)] = true;
    ICL_TRY(fit_common(models, penalty));
    if (by_pattern) {
        group_prompts(models);
        ICL_TRY(refit_groups(models, penalty));
    }
    ICL_TRY(count_all(models, by_pattern));
    for (size_t i = 0; i < models->input->pool_count; i++)
        scores[i] = item_value(&models->found[i], score);
    return ICL_OK;
}

static icl_status select_datamodels(icl_selection *out, const icl_select_input *input,
                                    const icl_options *options)
{
    const size_t prompts =
        (size_t)(icl_options_int(options, "subsets") * icl_options_int(options, "orders"));
    if (prompts > PROMPTS_MAX)
        return icl_error_set(ICL_EINVAL,
                             "select method \"datamodels\" solves for at most %d prompts; "
                             "subsets * orders is %zu",
                             PROMPTS_MAX, prompts);
    datamodels models = { .input = input };
    double *scores = calloc(input->pool_count, sizeof *scores);
    icl_status status = ICL_OK;
    if (scores == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count);
    if (status == ICL_OK)
        status = icl_trials_ask(&models.trials, input, "datamodels", options, out->k);
    models.slots = icl_options_bool(options, "positions") ? models.trials.shots : 1;
    if (status == ICL_OK) status = score_items(scores, &models, options);
    if (status == ICL_OK)
        status = icl_corpus_choose(
            out, input, scores,
            &(icl_corpus_choice){ .balanced = true,
                                  .draw_from = (size_t)icl_options_int(options, "draw_from"),
                                  .purpose = "select-datamodels" });
    release(&models);
    free(scores);
    return status;
}

/* Indexed by item_score. */
static const char *const score_names[] = { "positive", "mean", NULL };

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_TRIALS_OPTIONS,
    ICL_CORPUS_OPTION_DRAW_FROM,
    { .name = "score",
      .type = ICL_OPTION_CHOICE,
      .fallback = "positive",
      .choices = score_names,
      .help = "positive: share of positive weights (the paper); mean: their mean, which tells "
              "apart who has nothing but positive ones" },
    { .name = "positions",
      .type = ICL_OPTION_BOOL,
      .fallback = "true",
      .help = "true: a weight for each example at each position (the paper); false: one for each "
              "example" },
    { .name = "patterns",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: models refitted for each pattern of labels (the paper); where few prompts "
              "share a pattern it changes little" },
    { .name = "ridge",
      .type = ICL_OPTION_REAL,
      .fallback = "1",
      .minimum = 1e-6,
      .maximum = 1e6,
      .help = "penalty on squared weights; the bias has none" },
};

const icl_select_method icl_select_datamodels = {
    .card = { .name = "datamodels",
              .summary = "Examples that linear models of random prompts give the most positive "
                         "weights. The models are ridge regressions, solved exactly; the paper "
                         "trains them by SGD.",
              .paper = "Chang & Jia 2023, \"Data Curation Alone Can Stabilize In-context "
                       "Learning\"",
              .cost = ICL_TRIALS_COST " (paper: 25000 subsets, 2 orders)",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_datamodels,
};
