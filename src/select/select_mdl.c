/* Self-adaptive MDL: of some ordered subsets of the nearest pool items, that under which the model
 * is surest of the query's label. It chooses order too: rank 0 is shown last, so order=nearest-last
 * shows what was asked. A label counts with its probability, all its tokens together; public code
 * takes the mean per token (self-adaptive-ICL), or that of query and label together (OpenICL). */
#include <math.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "template/ask.h"
#include "select/draw.h"
#include "select/nearest.h"

static const char method_name[] = "mdl";

typedef struct trial {
    icl_selection *out;
    const icl_select_input *input;
    size_t window;      /* subsets of a query */
    size_t *shown;      /* [query_count][window][k] in order of showing */
    double *label_nats; /* [query_count][window][label_count] */
    icl_ask_prompt *prompts;
} trial;

static icl_status trial_init(trial *t)
{
    const size_t count = t->input->query_count * t->window;
    t->shown = malloc(count * t->out->k * sizeof *t->shown);
    t->label_nats = malloc((count * t->input->label_count + 1) * sizeof *t->label_nats);
    t->prompts = malloc(count * sizeof *t->prompts);
    if (t->shown == NULL || t->label_nats == NULL || t->prompts == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    return ICL_OK;
}

static void trial_deinit(trial *t)
{
    free(t->prompts);
    free(t->label_nats);
    free(t->shown);
}

/* The k nearest, nearest last; the others at random, order included. */
static void draw_subsets(const trial *t, size_t query, size_t *line, size_t count, size_t *swaps)
{
    const size_t k = t->out->k;
    size_t *shown = t->shown + query * t->window * k;
    for (size_t i = 0; i < k; i++) shown[i] = line[k - 1 - i];
    icl_rng rng =
        icl_rng_new(t->input->seed, t->input->task, t->input->query_ids[query], "select-mdl");
    for (size_t s = 1; s < t->window; s++) icl_draw(shown + s * k, k, line, count, swaps, &rng);
    for (size_t s = 0; s < t->window; s++)
        t->prompts[query * t->window + s] = (icl_ask_prompt){
            .shown = shown + s * k, .shown_count = k, .of = ICL_ASK_QUERY, .item = query
        };
}

static icl_status draw_all(const trial *t, icl_selection *neighbours)
{
    size_t *swaps = malloc(t->out->k * sizeof *swaps);
    if (swaps == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for k=%zu", t->out->k);
    for (size_t q = 0; q < neighbours->query_count; q++)
        draw_subsets(t, q, neighbours->indices + q * neighbours->k,
                     icl_neighbour_count(neighbours, q), swaps);
    free(swaps);
    return icl_cancel_check(t->input->cancelled);
}

/* Lowest entropy over the labels, the first of equals. */
static size_t surest(const trial *t, size_t query)
{
    const size_t labels = t->input->label_count;
    double best_entropy = INFINITY;
    size_t best = 0;
    for (size_t s = 0; s < t->window; s++) {
        double *row = t->label_nats + (query * t->window + s) * labels;
        icl_softmax(row, row, labels);
        const double entropy = icl_entropy_nats(row, labels);
        if (entropy < best_entropy) {
            best_entropy = entropy;
            best = s;
        }
    }
    return best;
}

static icl_status try_subsets(const trial *t)
{
    const size_t k = t->out->k, queries = t->input->query_count;
    if (t->window > 1)
        ICL_TRY(icl_ask_labels(t->label_nats, t->input->asker, method_name, t->prompts,
                               queries * t->window));
    for (size_t q = 0; q < queries; q++) {
        const size_t best = t->window > 1 ? surest(t, q) : 0;
        const size_t *shown = t->shown + (q * t->window + best) * k;
        for (size_t rank = 0; rank < k; rank++) t->out->indices[q * k + rank] = shown[k - 1 - rank];
    }
    return ICL_OK;
}

static icl_status select_mdl(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    trial t = { .out = out, .input = input, .window = (size_t)icl_options_int(options, "window") };
    icl_selection neighbours = { 0 };
    ICL_TRY(
        icl_select_neighbours(&neighbours, input, icl_candidates_limit(input, options, out->k)));
    icl_status status = trial_init(&t);
    if (status == ICL_OK) status = draw_all(&t, &neighbours);
    if (status == ICL_OK) status = try_subsets(&t);
    trial_deinit(&t);
    icl_selection_deinit(&neighbours);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "window",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 1,
      .maximum = 1e4,
      .help = "ordered subsets tried per query, the k nearest among them; 1 is knn" },
    { .name = "candidates",
      .type = ICL_OPTION_INT,
      .fallback = "30",
      .minimum = 0,
      .maximum = 1e6,
      .help = "nearest pool items that subsets are drawn from, at least k; 0: the whole pool" },
};

const icl_select_method icl_select_mdl = {
    .card = { .name = method_name,
              .summary = "The ordered subset of near items under which the label is surest, by the "
                         "label's own probability; OpenICL takes the mean over query and label.",
              .paper = "Wu et al. 2023, \"Self-Adaptive In-Context Learning: An Information "
                       "Compression Perspective\"",
              .cost = "window prompts per query, all labels scored; a sentence vector each",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_mdl,
    .by_lot = true,
};
