/* Descending relevance, the mirror image of nearest-last. A prompt that is too long should drop the
 * least relevant demonstrations, which here stand next to the query: --overflow drop-near. */
#include "order/by_score.h"

static icl_status order_nearest_first(icl_ordering *out, const icl_order_input *input,
                                      const icl_options *options)
{
    (void)options;
    return icl_order_by_score(out, input, input->scores, ICL_HIGHEST_FIRST);
}

const icl_order_method icl_order_nearest_first = {
    .card = { .name = "nearest-first",
              .summary = "The least relevant demonstration next to the query; long prompts want "
                         "--overflow drop-near.",
              .paper = "Liu et al. 2022, \"What Makes Good In-Context Examples for GPT-3?\"",
              .cost = "none" },
    .run = order_nearest_first,
};
