/* PDO: of the orders tried on a set, that whose label distribution is nearest to what the labels
 * should be, by KL divergence from the prior. The distribution is that of inputs without content,
 * or the mean over unlabelled pool inputs:
 *
 *   inputs=content-free prior=uniform   FewShot
 *   inputs=pool         prior=uniform   FewShotU
 *   inputs=pool         prior=pool      FewShotUP
 *
 * With the uniform prior the order of highest entropy wins, as in GlobalE but of probabilities, not
 * of predictions. The paper's null input (an empty text, says a review of it; not verified) is here
 * the mean over all content-free inputs, as wherever bias is measured. */
#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"
#include "order/candidate_orders.h"
#include "order/label_distributions.h"
#include "order/probing_set.h"

static const char method_name[] = "pdo";

typedef enum source { SOURCE_CONTENT_FREE, SOURCE_POOL } source;
typedef enum prior { PRIOR_UNIFORM, PRIOR_POOL } prior;

typedef struct trial {
    const icl_order_input *input;
    source source;
    prior prior;
    bool calibrated;
    icl_candidate_orders tried;
    icl_pool_probes pool;
    double *neutral; /* [groups.count][tried.count][label_count]; NULL: not asked for */
    double *means;   /* [tried.count][label_count] */
    double *target;  /* [label_count] */
    double *scores;  /* [tried.count] */
    size_t *chosen;  /* [groups.count] */
} trial;

static icl_status reserve(trial *t)
{
    const size_t orders = t->tried.count, groups = t->tried.groups.count;
    const size_t labels = t->input->label_count;
    t->means = malloc((orders * labels + 1) * sizeof *t->means);
    t->target = malloc((labels + 1) * sizeof *t->target);
    t->scores = malloc(orders * sizeof *t->scores);
    t->chosen = calloc(groups + 1, sizeof *t->chosen);
    const bool neutral = t->source == SOURCE_CONTENT_FREE || t->calibrated;
    if (neutral) t->neutral = malloc((groups * orders * labels + 1) * sizeof *t->neutral);
    if (t->means == NULL || t->target == NULL || t->scores == NULL || t->chosen == NULL ||
        (neutral && t->neutral == NULL))
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", groups * orders);
    return ICL_OK;
}

/* Frequencies in the pool, the query itself left out. */
static void set_target(const trial *t, size_t group)
{
    const icl_order_input *input = t->input;
    const size_t labels = input->label_count, self = t->tried.groups.selves[group];
    double sum = 0;
    for (size_t label = 0; label < labels; label++) t->target[label] = 0;
    for (size_t i = 0; t->prior == PRIOR_POOL && i < input->pool_count; i++) {
        if (i == self || input->pool_labels[i] >= labels) continue;
        t->target[input->pool_labels[i]] += 1;
        sum += 1;
    }
    for (size_t label = 0; label < labels; label++)
        t->target[label] = sum > 0 ? t->target[label] / sum : 1 / (double)labels;
}

/* Means over rows [tried.count][count][label_count]. */
static void average(const trial *t, size_t group, double *rows, size_t count)
{
    const size_t orders = t->tried.count, labels = t->input->label_count;
    for (size_t i = 0; t->calibrated && i < orders * count; i++)
        icl_label_distribution_correct(rows + i * labels,
                                       t->neutral + (group * orders + i / count) * labels, labels);
    for (size_t i = 0; i < orders; i++)
        icl_label_distributions_mean(t->means + i * labels, rows + i * count * labels, count,
                                     labels);
}

/* Sets the means of a group's orders over its pool inputs. */
static icl_status measure(const trial *t, size_t group)
{
    const size_t orders = t->tried.count, labels = t->input->label_count;
    icl_probing_set probes = { 0 };
    ICL_TRY(icl_probing_set_from_pool(&probes, &t->pool, group));
    double *rows = malloc((orders * probes.count * labels + 1) * sizeof *rows);
    icl_status status = ICL_OK;
    if (rows == NULL)
        status =
            icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", orders * probes.count);
    else
        status = icl_probing_set_ask(rows, &probes, &t->tried, group, t->input, method_name);
    if (status == ICL_OK) average(t, group, rows, probes.count);
    free(rows);
    icl_probing_set_deinit(&probes);
    return status;
}

/* Smallest divergence, the first of equals. */
static size_t nearest(const trial *t, const double *means)
{
    const size_t labels = t->input->label_count;
    for (size_t i = 0; i < t->tried.count; i++)
        t->scores[i] = -icl_kl_nats(means + i * labels, t->target, labels);
    return icl_argmax(t->scores, t->tried.count);
}

static icl_status try_orders(trial *t)
{
    const size_t group_cells = t->tried.count * t->input->label_count;
    if (t->tried.count == 1) return ICL_OK; /* nothing to choose */
    if (t->neutral != NULL)
        ICL_TRY(icl_candidate_ask_content_free(t->neutral, &t->tried, t->input, method_name));
    for (size_t g = 0; g < t->tried.groups.count; g++) {
        if (t->source == SOURCE_POOL) ICL_TRY(measure(t, g));
        set_target(t, g);
        t->chosen[g] =
            nearest(t, t->source == SOURCE_POOL ? t->means : t->neutral + g * group_cells);
    }
    return ICL_OK;
}

static icl_status prepare(trial *t, const icl_options *options)
{
    ICL_TRY(icl_candidate_orders_make(&t->tried, t->input, options,
                                      t->prior == PRIOR_POOL ? ICL_GROUP_BY_SET_SELF
                                                             : ICL_GROUP_BY_SET));
    ICL_TRY(icl_pool_probes_draw(&t->pool, t->input, &t->tried.groups,
                                 (size_t)icl_options_int(options, "input_count")));
    if (t->pool.count == 0) t->source = SOURCE_CONTENT_FREE;
    return reserve(t);
}

static icl_status order_pdo(icl_ordering *out, const icl_order_input *input,
                            const icl_options *options)
{
    trial t = { .input = input,
                .source = (source)icl_options_int(options, "inputs"),
                .prior = (prior)icl_options_int(options, "prior"),
                .calibrated = icl_options_bool(options, "calibrated") };
    icl_status status = prepare(&t, options);
    if (status == ICL_OK) status = try_orders(&t);
    if (status == ICL_OK) icl_candidate_orders_choose_for_groups(out, &t.tried, t.chosen);
    free(t.chosen);
    free(t.scores);
    free(t.target);
    free(t.means);
    free(t.neutral);
    icl_pool_probes_deinit(&t.pool);
    icl_candidate_orders_deinit(&t.tried);
    return status;
}

static const char *const sources[] = {
    [SOURCE_CONTENT_FREE] = "content-free", [SOURCE_POOL] = "pool", NULL
};
static const char *const priors[] = { [PRIOR_UNIFORM] = "uniform", [PRIOR_POOL] = "pool", NULL };

static const icl_option options[] = {
    ICL_ORDER_OPTION_ORDERS,
    { .name = "inputs",
      .type = ICL_OPTION_CHOICE,
      .fallback = "pool",
      .choices = sources,
      .help = "whose labels are looked at: content-free inputs (FewShot), or pool inputs outside "
              "the demonstrations (FewShotU, FewShotUP); where there are none, the former" },
    { .name = "prior",
      .type = ICL_OPTION_CHOICE,
      .fallback = "uniform",
      .choices = priors,
      .help = "what they should be: equally frequent, or as frequent as in the pool (FewShotUP)" },
    { .name = "input_count",
      .type = ICL_OPTION_INT,
      .fallback = "64",
      .minimum = 1,
      .maximum = 1e6,
      .help = "pool inputs at most" },
    { .name = "calibrated",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: probabilities of pool inputs are divided by those of content-free inputs "
              "first" },
};

const icl_order_method icl_order_pdo = {
    .card = { .name = method_name,
              .summary = "The order whose predictions have the label distribution there should be.",
              .paper = "Xu et al. 2024, \"In-Context Example Ordering Guided by Label "
                       "Distributions\"",
              .cost = "orders x input_count prompts for each set of demonstrations, all labels "
                      "scored; content-free inputs 3 orders",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_pdo,
};
