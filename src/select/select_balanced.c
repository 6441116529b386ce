/* Class-balanced random demonstrations. Classes in random order are dealt one demonstration each,
 * round after round: every class gets k / classes, the remainder goes to the first, that is random,
 * classes, and where a class has run out the others share what is missing. Then the hand is
 * shuffled. Classes without pool items take no part. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "select/draw.h"
#include "select/select.h"

typedef struct hand {
    size_t class_count;
    size_t *classes;  /* [class_count] labels that occur in the pool, in dealing order */
    size_t *firsts;   /* [label_count + 1] where a label's members start */
    size_t *members;  /* [pool_count] pool indices by label */
    size_t *sequence; /* [pool_count] each label's members in drawn order, as far as needed */
    size_t *swaps;    /* [pool_count] scratch of a draw */
    size_t *cursors;  /* [label_count] next of a label's sequence to deal */
} hand;

static void group_by_label(hand *h, const icl_select_input *input)
{
    for (size_t i = 0; i < input->pool_count; i++) h->firsts[input->pool_labels[i] + 1]++;
    for (size_t label = 0; label < input->label_count; label++) {
        if (h->firsts[label + 1] > 0) h->classes[h->class_count++] = label;
        h->firsts[label + 1] += h->firsts[label];
        h->cursors[label] = h->firsts[label];
    }
    for (size_t i = 0; i < input->pool_count; i++)
        h->members[h->cursors[input->pool_labels[i]]++] = i;
}

static icl_status hand_init(hand *h, const icl_select_input *input)
{
    h->classes = calloc(input->label_count, sizeof *h->classes);
    h->firsts = calloc(input->label_count + 1, sizeof *h->firsts);
    h->members = calloc(input->pool_count, sizeof *h->members);
    h->sequence = calloc(input->pool_count, sizeof *h->sequence);
    h->swaps = calloc(input->pool_count, sizeof *h->swaps);
    h->cursors = calloc(input->label_count, sizeof *h->cursors);
    if (h->classes == NULL || h->firsts == NULL || h->members == NULL || h->sequence == NULL ||
        h->swaps == NULL || h->cursors == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a balanced draw from %zu pool items",
                             input->pool_count);
    group_by_label(h, input);
    return ICL_OK;
}

static void hand_deinit(hand *h)
{
    free(h->cursors);
    free(h->swaps);
    free(h->sequence);
    free(h->members);
    free(h->firsts);
    free(h->classes);
}

static size_t label_size(const hand *h, size_t label)
{
    return h->firsts[label + 1] - h->firsts[label];
}

/* The order of the classes and, within each, of as many members as one query can take. */
static void draw_hand(hand *h, size_t k, icl_rng *rng)
{
    /* From ascending order each time, so that a draw does not depend on the one before. */
    size_t count = 0;
    for (size_t label = 0; count < h->class_count; label++)
        if (label_size(h, label) > 0) h->classes[count++] = label;
    icl_rng_shuffle(rng, h->classes, h->class_count);
    for (size_t c = 0; c < h->class_count; c++) {
        const size_t label = h->classes[c], first = h->firsts[label], size = label_size(h, label);
        /* One spare for a query that stands in the pool itself. */
        const size_t length = size < k + 1 ? size : k + 1;
        icl_draw(&h->sequence[first], length, &h->members[first], size, h->swaps, rng);
    }
}

/* Deals k demonstrations to one query; the caller made sure that there are enough. */
static void deal(size_t *line, size_t k, hand *h, size_t self)
{
    for (size_t c = 0; c < h->class_count; c++)
        h->cursors[h->classes[c]] = h->firsts[h->classes[c]];
    size_t taken = 0;
    while (taken < k) {
        for (size_t c = 0; c < h->class_count && taken < k; c++) {
            const size_t label = h->classes[c], end = h->firsts[label + 1];
            size_t *cursor = &h->cursors[label];
            if (*cursor < end && h->sequence[*cursor] == self) ++*cursor;
            if (*cursor < end) line[taken++] = h->sequence[(*cursor)++];
        }
    }
}

static icl_status select_balanced(icl_selection *out, const icl_select_input *input,
                                  const icl_options *options)
{
    const bool per_query = icl_options_bool(options, "per_query");
    hand h = { 0 };
    icl_status status = hand_init(&h, input);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        const char *key = per_query ? input->query_ids[q] : "";
        if (q == 0 || per_query) {
            icl_rng rng = icl_rng_new(input->seed, input->task, key, "select-balanced");
            draw_hand(&h, out->k, &rng);
        }
        size_t *line = &out->indices[q * out->k];
        deal(line, out->k, &h, icl_select_self(input, q));
        icl_rng places = icl_rng_new(input->seed, input->task, key, "select-balanced-shuffle");
        icl_rng_shuffle(&places, line, out->k);
        status = icl_cancel_check(input->cancelled);
    }
    hand_deinit(&h);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "per_query",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: a new draw for each query; false: the same demonstrations for all" },
};

const icl_select_method icl_select_balanced = {
    .card = { .name = "balanced",
              .summary = "Random demonstrations, the same number of each class.",
              .paper = "folklore",
              .cost = "none",
              .needs = ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_balanced,
};
