/* A random order, keyed by the selected sequence itself: queries that were given the same
 * demonstrations show them in the same order and so share a prefix. */
#include <stdio.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "order/order.h"

/* "4,17,3": the selected pool indices. */
static icl_status write_key(icl_text *key, const size_t *indices, size_t k)
{
    icl_text_clear(key);
    for (size_t i = 0; i < k; i++) icl_text_printf(key, "%s%zu", i == 0 ? "" : ",", indices[i]);
    return icl_text_status(key);
}

static icl_status order_random(icl_ordering *out, const icl_order_input *input,
                               const icl_options *options)
{
    const bool per_query = icl_options_bool(options, "per_query");
    char purpose[64];
    snprintf(purpose, sizeof purpose, "order-random/%lld",
             (long long)icl_options_int(options, "draw"));
    icl_text key = { 0 };
    icl_status status = ICL_OK;
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        if (!per_query) status = write_key(&key, &input->indices[q * input->k], input->k);
        if (status != ICL_OK) break;
        icl_rng rng =
            icl_rng_new(input->seed, input->task,
                        per_query ? input->query_ids[q] : icl_text_string(&key), purpose);
        size_t *line = &out->permutations[q * input->k];
        for (size_t i = 0; i < input->k; i++) line[i] = i;
        icl_rng_shuffle(&rng, line, input->k);
        status = icl_cancel_check(input->cancelled);
    }
    icl_text_deinit(&key);
    return status;
}

static const icl_option options[] = {
    { .name = "per_query",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: a new order for each query; false: one for each set of demonstrations" },
    { .name = "draw",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1e6,
      .help = "another number gives another order of the same demonstrations" },
};

const icl_order_method icl_order_random = {
    .card = { .name = "random",
              .summary = "A seeded random order.",
              .paper = "folklore",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_random,
};
