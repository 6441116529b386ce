/* Self-adaptive MDL for orders: of the orders tried, that under which the model is surest of the
 * query's own label. Unlike GlobalE and LocalE it wants low entropy, and it decides for each query
 * alone. It rewards overconfidence; `calibrated` first divides by what the same order gives inputs
 * without content. A label counts with its probability, all its tokens together, as in select=mdl.
 */
#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"
#include "order/candidate_orders.h"
#include "order/label_distributions.h"

static const char method_name[] = "mdl";

typedef struct trial {
    const icl_order_input *input;
    icl_candidate_orders tried;
    double *rows;   /* [query_count][tried.count][label_count] */
    double *biases; /* [groups.count][tried.count][label_count]; NULL: not calibrated */
    double *scores; /* [tried.count] */
    size_t *chosen; /* [query_count] */
} trial;

static icl_status reserve(trial *t, bool calibrated)
{
    const size_t queries = t->input->query_count, orders = t->tried.count;
    const size_t labels = t->input->label_count;
    t->rows = malloc((queries * orders * labels + 1) * sizeof *t->rows);
    t->scores = malloc(orders * sizeof *t->scores);
    t->chosen = calloc(queries + 1, sizeof *t->chosen);
    if (calibrated)
        t->biases = malloc((t->tried.groups.count * orders * labels + 1) * sizeof *t->biases);
    if (t->rows == NULL || t->scores == NULL || t->chosen == NULL ||
        (calibrated && t->biases == NULL))
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", queries * orders);
    return ICL_OK;
}

/* Lowest entropy over the labels, the first of equals. */
static size_t surest(const trial *t, size_t query)
{
    const size_t orders = t->tried.count, labels = t->input->label_count;
    const size_t group = t->tried.groups.of[query];
    for (size_t i = 0; i < orders; i++) {
        double *row = t->rows + (query * orders + i) * labels;
        if (t->biases != NULL)
            icl_label_distribution_correct(row, t->biases + (group * orders + i) * labels, labels);
        t->scores[i] = -icl_entropy_nats(row, labels);
    }
    return icl_argmax(t->scores, orders);
}

static icl_status try_orders(trial *t, bool calibrated)
{
    ICL_TRY(reserve(t, calibrated));
    if (t->tried.count == 1) return ICL_OK; /* nothing to choose */
    ICL_TRY(
        icl_candidate_ask_queries(t->rows, &t->tried, NULL, t->tried.count, t->input, method_name));
    if (calibrated)
        ICL_TRY(icl_candidate_ask_content_free(t->biases, &t->tried, t->input, method_name));
    for (size_t q = 0; q < t->input->query_count; q++) t->chosen[q] = surest(t, q);
    return ICL_OK;
}

static icl_status order_mdl(icl_ordering *out, const icl_order_input *input,
                            const icl_options *options)
{
    trial t = { .input = input };
    ICL_TRY(icl_candidate_orders_make(&t.tried, input, options, ICL_GROUP_BY_SET));
    const icl_status status = try_orders(&t, icl_options_bool(options, "calibrated"));
    if (status == ICL_OK) icl_candidate_orders_choose(out, &t.tried, t.chosen);
    free(t.chosen);
    free(t.scores);
    free(t.biases);
    free(t.rows);
    icl_candidate_orders_deinit(&t.tried);
    return status;
}

static const icl_option options[] = {
    ICL_ORDER_OPTION_ORDERS,
    { .name = "calibrated",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: probabilities are divided by those of content-free inputs first, three more "
              "prompts for each order of a set" },
};

const icl_order_method icl_order_mdl = {
    .card = { .name = method_name,
              .summary = "The order under which the model is surest of the query's label.",
              .paper = "Wu et al. 2023, \"Self-Adaptive In-Context Learning: An Information "
                       "Compression Perspective\"",
              .cost = "orders prompts per query, all labels scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_mdl,
};
