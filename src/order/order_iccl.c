/* A curriculum: easy demonstrations first, the hardest next to the query. How hard one is depends
 * on it alone, so sets have one order whatever the query, except by similarity, where the farthest
 * from the query counts as easiest and the order is nearest-last. Of equally hard ones the lower
 * pool index counts as easier. The paper's version for each query first makes sure that every
 * label is shown; that is the selection's part: select=balanced.
 *
 * For its self-curriculum the public code has a chat model sort all k, and a person reads the
 * answer. Here the model rates each demonstration alone: so any model will do, and a rating hangs
 * on nothing else. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/topk.h"
#include "order/by_score.h"
#include "order/difficulty.h"
#include "order/groups.h"

static const char method_name[] = "iccl";

enum { BY_LABEL_PERPLEXITY, BY_PERPLEXITY, BY_LENGTH, BY_SIMILARITY, BY_RATING, BY_FIELD };
static const char *const difficulty_names[] = { [BY_LABEL_PERPLEXITY] = "ppl-label",
                                                [BY_PERPLEXITY] = "ppl-all",
                                                [BY_LENGTH] = "length",
                                                [BY_SIMILARITY] = "similarity",
                                                [BY_RATING] = "rated",
                                                [BY_FIELD] = "field",
                                                NULL };

/* The different demonstrations of all sets, and how hard they are. */
typedef struct course {
    const icl_order_input *input;
    icl_order_groups groups;
    size_t count;
    size_t *items;      /* [count] pool indices, ascending */
    size_t *place;      /* [pool_count] of an item in `items`, plus 1; 0: not shown */
    double *difficulty; /* [count] */
} course;

static icl_status collect(course *c)
{
    const size_t pool = c->input->pool_count, shown = c->groups.count * c->groups.k;
    c->place = calloc(pool + 1, sizeof *c->place);
    c->items = malloc((pool + 1) * sizeof *c->items);
    c->difficulty = malloc((pool + 1) * sizeof *c->difficulty);
    if (c->place == NULL || c->items == NULL || c->difficulty == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu items of the pool", pool);
    for (size_t i = 0; i < shown; i++) c->place[c->groups.sets[i]] = 1;
    for (size_t item = 0; item < pool; item++) {
        if (c->place[item] == 0) continue;
        c->items[c->count] = item;
        c->place[item] = ++c->count;
    }
    return ICL_OK;
}

static icl_status measure(course *c, const icl_options *options)
{
    switch (icl_options_int(options, "difficulty")) {
    case BY_LENGTH:
        icl_difficulty_by_length(c->difficulty, c->input, c->items, c->count);
        return ICL_OK;
    case BY_FIELD:
        return icl_difficulty_by_field(c->difficulty, c->input, icl_options_text(options, "field"),
                                       c->items, c->count);
    case BY_RATING:
        return icl_difficulty_by_rating(c->difficulty, c->input, method_name, c->items, c->count);
    case BY_PERPLEXITY:
        return icl_difficulty_by_perplexity(c->difficulty, c->input, method_name, true, c->items,
                                            c->count);
    default:
        return icl_difficulty_by_perplexity(c->difficulty, c->input, method_name, false, c->items,
                                            c->count);
    }
}

/* Hardest last, or first. */
static icl_status arrange(icl_ordering *out, const course *c, bool reversed)
{
    const size_t k = c->groups.k;
    icl_scored *ranked = malloc((k + 1) * sizeof *ranked);
    size_t *orders = malloc((c->groups.count * k + 1) * sizeof *orders);
    icl_status status = ICL_OK;
    if (ranked == NULL || orders == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", c->groups.count);
    for (size_t g = 0; status == ICL_OK && g < c->groups.count; g++) {
        for (size_t i = 0; i < k; i++) {
            const size_t at = c->place[c->groups.sets[g * k + i]] - 1;
            ranked[i] = (icl_scored){ .score = -c->difficulty[at], .index = i };
        }
        icl_topk(ranked, k, k);
        for (size_t i = 0; i < k; i++) orders[g * k + (reversed ? k - 1 - i : i)] = ranked[i].index;
        status = icl_cancel_check(c->input->cancelled);
    }
    if (status == ICL_OK) icl_order_groups_write(out, &c->groups, orders);
    free(orders);
    free(ranked);
    return status;
}

static icl_status order_by_difficulty(icl_ordering *out, course *c, const icl_options *options)
{
    ICL_TRY(icl_order_groups_make(&c->groups, c->input, ICL_GROUP_BY_SET));
    ICL_TRY(collect(c));
    ICL_TRY(measure(c, options));
    return arrange(out, c, icl_options_bool(options, "reversed"));
}

static icl_status order_iccl(icl_ordering *out, const icl_order_input *input,
                             const icl_options *options)
{
    if (icl_options_int(options, "difficulty") == BY_SIMILARITY)
        return icl_order_by_score(out, input, input->scores,
                                  icl_options_bool(options, "reversed") ? ICL_HIGHEST_FIRST
                                                                        : ICL_HIGHEST_LAST);
    course c = { .input = input };
    const icl_status status = order_by_difficulty(out, &c, options);
    free(c.difficulty);
    free(c.items);
    free(c.place);
    icl_order_groups_deinit(&c.groups);
    return status;
}

static const icl_option options[] = {
    { .name = "difficulty",
      .type = ICL_OPTION_CHOICE,
      .fallback = "ppl-label",
      .choices = difficulty_names,
      .help = "how hard a demonstration is: perplexity of its label's words after its input "
              "alone, or of input and label; characters of its input; its relevance for the query; "
              "the model's own rating of 1 to 5; an expert's, a number in a field of the data" },
    { .name = "field",
      .type = ICL_OPTION_TEXT,
      .fallback = "difficulty",
      .help = "of the pool's rows, higher is harder; for difficulty=field" },
    { .name = "reversed",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: the hardest first, the easiest next to the query" },
};

const icl_order_method icl_order_iccl = {
    .card = { .name = method_name,
              .summary = "A curriculum: from easy demonstrations to hard ones.",
              .paper = "Liu et al. 2024, \"Let's Learn Step by Step: Enhancing In-Context Learning "
                       "Ability with Curriculum Learning\"",
              .cost = "a zero-shot prompt for each demonstration that is shown to any query, two "
                      "by ppl-all; by rated one that shows it, five times; none by length, "
                      "similarity and field",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_iccl,
};
