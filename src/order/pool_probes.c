#include "order/pool_probes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "base/rng.h"

static void draw_group(size_t *items, size_t count, const size_t *shuffled, const size_t *set,
                       size_t k, size_t self)
{
    for (size_t i = 0, kept = 0; kept < count; i++) {
        const size_t item = shuffled[i];
        const bool shown = bsearch(&item, set, k, sizeof *set, icl_array_compare_sizes) != NULL;
        if (!shown && item != self) items[kept++] = item;
    }
}

icl_status icl_pool_probes_draw(icl_pool_probes *out, const icl_order_input *input,
                                const icl_order_groups *groups, size_t count)
{
    const size_t pool = input->pool_count, k = groups->k;
    const size_t most = pool > k + 1 ? pool - k - 1 : 0; /* room for a query of the pool */
    icl_pool_probes probes = { .count = count < most ? count : most };
    size_t *shuffled = malloc((pool + 1) * sizeof *shuffled);
    probes.items = malloc((groups->count * probes.count + 1) * sizeof *probes.items);
    if (shuffled == NULL || probes.items == NULL) {
        free(shuffled);
        icl_pool_probes_deinit(&probes);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu items of the pool", pool);
    }
    for (size_t i = 0; i < pool; i++) shuffled[i] = i;
    icl_rng rng = icl_rng_new(input->seed, input->task, "", "order-probes");
    icl_rng_shuffle(&rng, shuffled, pool);
    for (size_t g = 0; g < groups->count; g++)
        draw_group(&probes.items[g * probes.count], probes.count, shuffled, &groups->sets[g * k], k,
                   groups->selves[g]);
    free(shuffled);
    *out = probes;
    return ICL_OK;
}

void icl_pool_probes_deinit(icl_pool_probes *probes)
{
    free(probes->items);
    *probes = (icl_pool_probes){ 0 };
}
