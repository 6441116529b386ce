#include "select/draw.h"

#include <assert.h>

static void swap(size_t *items, size_t a, size_t b)
{
    const size_t held = items[a];
    items[a] = items[b];
    items[b] = held;
}

void icl_draw(size_t *out, size_t length, size_t *items, size_t count, size_t *swaps, icl_rng *rng)
{
    assert(length <= count);
    for (size_t i = 0; i < length; i++) {
        swaps[i] = i + icl_rng_below(rng, count - i);
        swap(items, i, swaps[i]);
        out[i] = items[i];
    }
    for (size_t i = length; i-- > 0;) swap(items, i, swaps[i]);
}

void icl_draw_in_order(size_t *out, size_t length, const size_t *items, size_t count, icl_rng *rng)
{
    assert(length <= count);
    size_t taken = 0;
    /* Knuth's algorithm S: each item is taken with the share of what is still wanted. */
    for (size_t i = 0; taken < length; i++)
        if (icl_rng_below(rng, count - i) < length - taken) out[taken++] = items[i];
}
