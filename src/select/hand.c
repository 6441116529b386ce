#include "select/hand.h"

#include <stdlib.h>

#include "base/error.h"
#include "select/draw.h"

static void group_by_label(icl_hand *hand, const size_t *items, size_t count, const size_t *labels,
                           size_t label_count)
{
    for (size_t i = 0; i < count; i++) hand->firsts[labels[items != NULL ? items[i] : i] + 1]++;
    for (size_t label = 0; label < label_count; label++) {
        hand->firsts[label + 1] += hand->firsts[label];
        hand->cursors[label] = hand->firsts[label];
    }
    for (size_t i = 0; i < count; i++) {
        const size_t item = items != NULL ? items[i] : i;
        hand->members[hand->cursors[labels[item]]++] = item;
    }
}

static size_t label_size(const icl_hand *hand, size_t label)
{
    return hand->firsts[label + 1] - hand->firsts[label];
}

icl_status icl_hand_init(icl_hand *hand, const size_t *items, size_t count, const size_t *labels,
                         size_t label_count)
{
    /* One more than needed: calloc(0) may return NULL. */
    hand->classes = calloc(label_count + 1, sizeof *hand->classes);
    hand->firsts = calloc(label_count + 1, sizeof *hand->firsts);
    hand->members = calloc(count + 1, sizeof *hand->members);
    hand->sequence = calloc(count + 1, sizeof *hand->sequence);
    hand->swaps = calloc(count + 1, sizeof *hand->swaps);
    hand->cursors = calloc(label_count + 1, sizeof *hand->cursors);
    if (hand->classes == NULL || hand->firsts == NULL || hand->members == NULL ||
        hand->sequence == NULL || hand->swaps == NULL || hand->cursors == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a balanced draw from %zu pool items",
                             count);
    group_by_label(hand, items, count, labels, label_count);
    for (size_t label = 0; label < label_count; label++)
        if (label_size(hand, label) > 0) hand->class_count++;
    return ICL_OK;
}

void icl_hand_deinit(icl_hand *hand)
{
    free(hand->cursors);
    free(hand->swaps);
    free(hand->sequence);
    free(hand->members);
    free(hand->firsts);
    free(hand->classes);
    *hand = (icl_hand){ 0 };
}

void icl_hand_draw(icl_hand *hand, size_t k, icl_rng *rng)
{
    /* From ascending order each time, so that a draw does not depend on the one before. */
    size_t count = 0;
    for (size_t label = 0; count < hand->class_count; label++)
        if (label_size(hand, label) > 0) hand->classes[count++] = label;
    icl_rng_shuffle(rng, hand->classes, hand->class_count);
    for (size_t c = 0; c < hand->class_count; c++) {
        const size_t label = hand->classes[c], first = hand->firsts[label];
        const size_t size = label_size(hand, label);
        /* One spare for an item that a deal leaves out. */
        const size_t length = size < k + 1 ? size : k + 1;
        icl_draw(&hand->sequence[first], length, &hand->members[first], size, hand->swaps, rng);
    }
}

void icl_hand_deal(size_t *line, size_t k, icl_hand *hand, size_t except)
{
    for (size_t c = 0; c < hand->class_count; c++)
        hand->cursors[hand->classes[c]] = hand->firsts[hand->classes[c]];
    size_t taken = 0;
    while (taken < k) {
        for (size_t c = 0; c < hand->class_count && taken < k; c++) {
            const size_t label = hand->classes[c], end = hand->firsts[label + 1];
            size_t *cursor = &hand->cursors[label];
            if (*cursor < end && hand->sequence[*cursor] == except) ++*cursor;
            if (*cursor < end) line[taken++] = hand->sequence[(*cursor)++];
        }
    }
}
