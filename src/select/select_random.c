/* Random demonstrations: the first k of a seeded random order of the pool. Fixed for all queries,
 * or drawn anew for each. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "select/draw.h"
#include "select/select.h"

typedef struct random_draw {
    size_t *pool;     /* [pool_count] 0, 1, 2, ... */
    size_t *sequence; /* [sequence_length] */
    size_t *swaps;    /* [sequence_length] */
    size_t sequence_length;
} random_draw;

static icl_status draw_init(random_draw *draw, size_t pool_count, size_t k)
{
    /* One spare: a query that stands in the pool skips itself and takes the next. */
    draw->sequence_length = k < pool_count ? k + 1 : k;
    draw->pool = malloc(pool_count * sizeof *draw->pool);
    draw->sequence = malloc(draw->sequence_length * sizeof *draw->sequence);
    draw->swaps = malloc(draw->sequence_length * sizeof *draw->swaps);
    if (draw->pool == NULL || draw->sequence == NULL || draw->swaps == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a draw from %zu pool items",
                             pool_count);
    for (size_t i = 0; i < pool_count; i++) draw->pool[i] = i;
    return ICL_OK;
}

static void draw_deinit(random_draw *draw)
{
    free(draw->swaps);
    free(draw->sequence);
    free(draw->pool);
}

static icl_status select_random(icl_selection *out, const icl_select_input *input,
                                const icl_options *options)
{
    const bool per_query = icl_options_bool(options, "per_query");
    random_draw draw = { 0 };
    icl_status status = draw_init(&draw, input->pool_count, out->k);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        if (q == 0 || per_query) {
            const char *key = per_query ? input->query_ids[q] : "";
            icl_rng rng = icl_rng_new(input->seed, input->task, key, "select-random");
            icl_draw(draw.sequence, draw.sequence_length, draw.pool, input->pool_count, draw.swaps,
                     &rng);
        }
        const size_t self = icl_select_self(input, q);
        size_t taken = 0;
        for (size_t i = 0; taken < out->k; i++) {
            if (draw.sequence[i] != self) out->indices[q * out->k + taken++] = draw.sequence[i];
        }
        status = icl_cancel_check(input->cancelled);
    }
    draw_deinit(&draw);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_DRAW_OPTION_PER_QUERY,
};

const icl_select_method icl_select_random = {
    .card = { .name = "random",
              .summary = "Demonstrations drawn at random from the pool.",
              .paper = "Brown et al. 2020, \"Language Models are Few-Shot Learners\"",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_random,
    .by_lot = true,
};
