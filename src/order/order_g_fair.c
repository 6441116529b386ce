/* G-fair: one demonstration after the other is added to the prompt, always the one that leaves the
 * labels of content-free inputs most even. The authors' code inserts in front and stops where the
 * entropy falls, leaving the others out; a stage that arranges leaves none out, so here the search
 * goes on with the least fall. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "order/groups.h"
#include "order/label_distributions.h"

static const char method_name[] = "g-fair";

typedef enum insertion { SIDE_FRONT, SIDE_BACK, SIDE_EITHER } insertion;

typedef struct search {
    const icl_order_input *input;
    icl_order_groups groups;
    insertion side;
    size_t k, placed;        /* demonstrations, and those that have a place */
    size_t *orders;          /* [groups.count][k] which items stand in front: the first `placed` */
    size_t *trials;          /* [groups.count][trial count][placed + 1] places in the set */
    size_t *shown;           /* the same as pool indices */
    icl_ask_prompt *prompts; /* [groups.count][trial count] */
    double *rows;            /* [groups.count][trial count][label_count] */
} search;

static size_t side_count(const search *s)
{
    return s->side == SIDE_EITHER && s->placed > 0 ? 2 : 1;
}

/* Trials of a group in the step at hand. */
static size_t trial_count(const search *s)
{
    return (s->k - s->placed) * side_count(s);
}

static icl_status reserve(search *s)
{
    const size_t k = s->k, trials = s->groups.count * 2 * k;
    s->orders = malloc((s->groups.count * k + 1) * sizeof *s->orders);
    s->trials = malloc((trials * k + 1) * sizeof *s->trials);
    s->shown = malloc((trials * k + 1) * sizeof *s->shown);
    s->prompts = malloc((trials + 1) * sizeof *s->prompts);
    s->rows = malloc((trials * s->input->label_count + 1) * sizeof *s->rows);
    if (s->orders == NULL || s->trials == NULL || s->shown == NULL || s->prompts == NULL ||
        s->rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", trials);
    return ICL_OK;
}

static bool is_placed(const search *s, const size_t *order, size_t item)
{
    for (size_t i = 0; i < s->placed; i++)
        if (order[i] == item) return true;
    return false;
}

/* All ways to add a demonstration to a group's prompt. */
static void list_trials(search *s, size_t group)
{
    const size_t length = s->placed + 1, sides = side_count(s);
    const size_t *order = s->orders + group * s->k, *set = s->groups.sets + group * s->k;
    size_t number = group * trial_count(s);
    for (size_t item = 0; item < s->k; item++) {
        if (is_placed(s, order, item)) continue;
        for (size_t i = 0; i < sides; i++, number++) {
            const bool front = sides == 2 ? i == 0 : s->side != SIDE_BACK;
            size_t *trial = s->trials + number * length, *shown = s->shown + number * length;
            memcpy(trial + (front ? 1 : 0), order, s->placed * sizeof *trial);
            trial[front ? 0 : s->placed] = item;
            for (size_t place = 0; place < length; place++) shown[place] = set[trial[place]];
            s->prompts[number] = (icl_ask_prompt){ .shown = shown, .shown_count = length };
        }
    }
}

/* The trial of the highest entropy, the first of equals. */
static void take_fairest(search *s, size_t group)
{
    const size_t trials = trial_count(s), labels = s->input->label_count, length = s->placed + 1;
    size_t best = group * trials;
    double highest = -1;
    for (size_t i = group * trials; trials > 1 && i < (group + 1) * trials; i++) {
        const double entropy = icl_entropy_nats(s->rows + i * labels, labels);
        if (entropy > highest) best = i;
        if (entropy > highest) highest = entropy;
    }
    memcpy(s->orders + group * s->k, s->trials + best * length, length * sizeof *s->orders);
}

/* One more demonstration for every group; the last one of a side goes without asking. */
static icl_status step(search *s)
{
    for (size_t g = 0; g < s->groups.count; g++) list_trials(s, g);
    if (trial_count(s) > 1)
        ICL_TRY(icl_content_free_distributions(s->rows, s->input->asker, method_name, s->prompts,
                                               s->groups.count * trial_count(s)));
    for (size_t g = 0; g < s->groups.count; g++) take_fairest(s, g);
    s->placed++;
    return icl_cancel_check(s->input->cancelled);
}

static icl_status order_g_fair(icl_ordering *out, const icl_order_input *input,
                               const icl_options *options)
{
    search s = { .input = input,
                 .side = (insertion)icl_options_int(options, "insert"),
                 .k = input->k };
    ICL_TRY(icl_order_groups_make(&s.groups, input, ICL_GROUP_BY_SET));
    icl_status status = reserve(&s);
    while (status == ICL_OK && s.placed < s.k) status = step(&s);
    if (status == ICL_OK) icl_order_groups_write(out, &s.groups, s.orders);
    free(s.rows);
    free(s.prompts);
    free(s.shown);
    free(s.trials);
    free(s.orders);
    icl_order_groups_deinit(&s.groups);
    return status;
}

static const char *const sides[] = {
    [SIDE_FRONT] = "front", [SIDE_BACK] = "back", [SIDE_EITHER] = "either", NULL
};

static const icl_option options[] = {
    { .name = "insert",
      .type = ICL_OPTION_CHOICE,
      .fallback = "front",
      .choices = sides,
      .help = "side of those that stand where the next one is tried; either: both, for twice the "
              "questions" },
};

const icl_order_method icl_order_g_fair = {
    .card = { .name = method_name,
              .summary = "Greedily so that content-free inputs are labelled as evenly as can be.",
              .paper = "Ma et al. 2023, \"Fairness-guided Few-shot Prompting for Large Language "
                       "Models\"",
              .cost =
                  "about 3 k^2 / 2 prompts for each set of k demonstrations, all labels scored; "
                  "twice that with insert=either",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_g_fair,
};
