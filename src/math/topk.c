#include "math/topk.h"

#include <assert.h>

bool icl_scored_before(icl_scored a, icl_scored b)
{
    if (a.score != b.score) return a.score > b.score;
    return a.index < b.index;
}

static void swap(icl_scored *a, icl_scored *b)
{
    const icl_scored held = *a;
    *a = *b;
    *b = held;
}

/* Restores a heap whose top is the worst item, after heap[root] changed. */
static void sift_down(icl_scored *heap, size_t count, size_t root)
{
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && icl_scored_before(heap[child], heap[child + 1])) child++;
        if (!icl_scored_before(heap[root], heap[child])) return;
        swap(&heap[root], &heap[child]);
        root = child;
    }
}

void icl_topk(icl_scored *items, size_t count, size_t k)
{
    assert(k <= count);
    if (k == 0) return;
    for (size_t root = k / 2; root-- > 0;) sift_down(items, k, root);
    for (size_t i = k; i < count; i++) {
        if (!icl_scored_before(items[i], items[0])) continue;
        swap(&items[i], &items[0]);
        sift_down(items, k, 0);
    }
    for (size_t last = k - 1; last > 0; last--) {
        swap(&items[0], &items[last]);
        sift_down(items, last, 0);
    }
}
