/* T-fair: demonstrations by how evenly each alone has content-free inputs labelled. The fairest is
 * taken first and the next ones are inserted at a side of those taken; the authors' code, of the
 * greedy variant, inserts in front. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "order/groups.h"
#include "order/label_distributions.h"

static const char method_name[] = "t-fair";

typedef enum insertion { SIDE_FRONT, SIDE_BACK } insertion;

/* rows [groups->count][k][label_count]: distributions after each demonstration alone. */
static icl_status ask_single(double *rows, const icl_order_groups *groups,
                             const icl_order_input *input)
{
    const size_t count = groups->count * groups->k;
    icl_ask_prompt *prompts = malloc((count + 1) * sizeof *prompts);
    if (prompts == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    for (size_t i = 0; i < count; i++)
        prompts[i] = (icl_ask_prompt){ .shown = &groups->sets[i], .shown_count = 1 };
    const icl_status status =
        icl_content_free_distributions(rows, input->asker, method_name, prompts, count);
    free(prompts);
    return status;
}

static void rank(size_t *order, const double *rows, size_t k, size_t label_count, insertion side,
                 icl_scored *ranked)
{
    for (size_t i = 0; i < k; i++)
        ranked[i] = (icl_scored){ .score = icl_entropy_nats(rows + i * label_count, label_count),
                                  .index = i };
    icl_topk(ranked, k, k);
    for (size_t i = 0; i < k; i++) order[i] = ranked[side == SIDE_FRONT ? k - 1 - i : i].index;
}

static icl_status order_t_fair(icl_ordering *out, const icl_order_input *input,
                               const icl_options *options)
{
    const size_t k = input->k, labels = input->label_count;
    if (k == 1) return icl_cancel_check(input->cancelled); /* nothing to arrange */
    const insertion side = (insertion)icl_options_int(options, "insert");
    icl_order_groups groups = { 0 };
    ICL_TRY(icl_order_groups_make(&groups, input, ICL_GROUP_BY_SET));
    double *rows = malloc((groups.count * k * labels + 1) * sizeof *rows);
    size_t *orders = malloc(groups.count * k * sizeof *orders);
    icl_scored *ranked = malloc(k * sizeof *ranked);
    icl_status status = ICL_OK;
    if (rows == NULL || orders == NULL || ranked == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", groups.count * k);
    else
        status = ask_single(rows, &groups, input);
    for (size_t g = 0; status == ICL_OK && g < groups.count; g++)
        rank(orders + g * k, rows + g * k * labels, k, labels, side, ranked);
    if (status == ICL_OK) icl_order_groups_write(out, &groups, orders);
    free(ranked);
    free(orders);
    free(rows);
    icl_order_groups_deinit(&groups);
    return status;
}

static const char *const sides[] = { [SIDE_FRONT] = "front", [SIDE_BACK] = "back", NULL };

static const icl_option options[] = {
    { .name = "insert",
      .type = ICL_OPTION_CHOICE,
      .fallback = "front",
      .choices = sides,
      .help = "side of the fairer ones where a demonstration stands; front: the fairest is next to "
              "the query" },
};

const icl_order_method icl_order_t_fair = {
    .card = { .name = method_name,
              .summary = "Demonstrations by how evenly each alone labels content-free inputs.",
              .paper = "Ma et al. 2023, \"Fairness-guided Few-shot Prompting for Large Language "
                       "Models\"",
              .cost = "3 one-demonstration prompts for each demonstration, all labels scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_t_fair,
};
