/* DEmO: of the orders tried on a set, those fairest to the labels of content-free inputs are kept;
 * of these each query gets the one that moves the label distribution farthest from the content-free
 * one. The paper's formulas were not at hand: fairness is the entropy, and what a move is and how
 * many orders are kept are options; with two labels both kinds of move choose the same. */
#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "order/candidate_orders.h"
#include "order/label_distributions.h"

static const char method_name[] = "demo";

/* The values of the option `move`. */
typedef enum movement { MOVE_ALL, MOVE_LABEL } movement;

typedef struct trial {
    const icl_order_input *input;
    movement move;
    icl_candidate_orders tried;
    double *neutral; /* [groups.count][tried.count][label_count] without content */
    size_t kept_count;
    size_t *kept;   /* [groups.count][kept_count] the fairest orders of a group, ascending */
    double *rows;   /* [query_count][kept_count][label_count] */
    double *moves;  /* [kept_count] */
    size_t *chosen; /* [query_count] */
} trial;

static icl_status reserve(trial *t, double share)
{
    const size_t groups = t->tried.groups.count, orders = t->tried.count;
    const size_t queries = t->input->query_count, labels = t->input->label_count;
    const size_t kept = t->kept_count = (size_t)fmax(1, round(share * (double)orders));
    t->neutral = malloc((groups * orders * labels + 1) * sizeof *t->neutral);
    t->kept = malloc((groups * kept + 1) * sizeof *t->kept);
    t->rows = malloc((queries * kept * labels + 1) * sizeof *t->rows);
    t->moves = malloc(kept * sizeof *t->moves);
    t->chosen = calloc(queries + 1, sizeof *t->chosen);
    if (t->neutral == NULL || t->kept == NULL || t->rows == NULL || t->moves == NULL ||
        t->chosen == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", queries * kept);
    return ICL_OK;
}

static icl_status keep_fairest(const trial *t)
{
    const size_t orders = t->tried.count, labels = t->input->label_count;
    icl_scored *ranked = malloc(orders * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", orders);
    for (size_t g = 0; g < t->tried.groups.count; g++) {
        for (size_t i = 0; i < orders; i++) {
            const double *row = t->neutral + (g * orders + i) * labels;
            ranked[i] = (icl_scored){ .score = icl_entropy_nats(row, labels), .index = i };
        }
        icl_topk(ranked, orders, t->kept_count);
        for (size_t i = 0; i < t->kept_count; i++) t->kept[g * t->kept_count + i] = ranked[i].index;
        qsort(t->kept + g * t->kept_count, t->kept_count, sizeof *t->kept, icl_array_compare_sizes);
    }
    free(ranked);
    return ICL_OK;
}

static double moved(movement move, const double *row, const double *neutral, size_t label_count)
{
    if (move == MOVE_ALL) return icl_total_variation(row, neutral, label_count);
    double largest = row[0] - neutral[0];
    for (size_t label = 1; label < label_count; label++)
        largest = fmax(largest, row[label] - neutral[label]);
    return largest;
}

/* The first of equals. */
static size_t most_influential(const trial *t, size_t query)
{
    const size_t kept = t->kept_count, labels = t->input->label_count;
    const size_t group = t->tried.groups.of[query], *orders = t->kept + group * kept;
    for (size_t i = 0; i < kept; i++)
        t->moves[i] = moved(t->move, t->rows + (query * kept + i) * labels,
                            t->neutral + (group * t->tried.count + orders[i]) * labels, labels);
    return orders[icl_argmax(t->moves, kept)];
}

static icl_status try_orders(trial *t, double share)
{
    ICL_TRY(reserve(t, share));
    if (t->tried.count == 1) return ICL_OK; /* nothing to choose */
    ICL_TRY(icl_candidate_ask_content_free(t->neutral, &t->tried, t->input, method_name));
    ICL_TRY(keep_fairest(t));
    if (t->kept_count > 1)
        ICL_TRY(icl_candidate_ask_queries(t->rows, &t->tried, t->kept, t->kept_count, t->input,
                                          method_name));
    for (size_t q = 0; q < t->input->query_count; q++)
        t->chosen[q] = t->kept_count > 1 ? most_influential(t, q) : t->kept[t->tried.groups.of[q]];
    return ICL_OK;
}

static icl_status order_demo(icl_ordering *out, const icl_order_input *input,
                             const icl_options *options)
{
    trial t = { .input = input, .move = (movement)icl_options_int(options, "move") };
    ICL_TRY(icl_candidate_orders_make(&t.tried, input, options, ICL_GROUP_BY_SET));
    const icl_status status = try_orders(&t, icl_options_real(options, "fair"));
    if (status == ICL_OK) icl_candidate_orders_choose(out, &t.tried, t.chosen);
    free(t.chosen);
    free(t.moves);
    free(t.rows);
    free(t.kept);
    free(t.neutral);
    icl_candidate_orders_deinit(&t.tried);
    return status;
}

static const char *const moves[] = { [MOVE_ALL] = "all", [MOVE_LABEL] = "label", NULL };

static const icl_option options[] = {
    ICL_ORDER_OPTION_ORDERS,
    { .name = "fair",
      .type = ICL_OPTION_REAL,
      .fallback = "0.25",
      .minimum = 0,
      .maximum = 1,
      .help = "share of the orders that is kept as fair, at least one order; so 6 of 24; a "
              "choice of this project" },
    { .name = "move",
      .type = ICL_OPTION_CHOICE,
      .fallback = "all",
      .choices = moves,
      .help = "how far the labels move: total variation distance, or the largest rise of one "
              "label; which of them the paper takes was not verified" },
};

const icl_order_method icl_order_demo = {
    .card = { .name = method_name,
              .summary = "Among label-fair orders the one that moves the query's labels most.",
              .paper = "Guo et al. 2024, \"What Makes a Good Order of Examples in In-Context "
                       "Learning\"",
              .cost = "3 orders prompts per set of demonstrations, then fair x orders per query, "
                      "all labels scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_demo,
};
