/* Class-balanced random demonstrations, dealt as select/hand.h says, then shuffled. */
#include "base/cancel.h"
#include "base/rng.h"
#include "select/draw.h"
#include "select/hand.h"
#include "select/select.h"

static icl_status select_balanced(icl_selection *out, const icl_select_input *input,
                                  const icl_options *options)
{
    const bool per_query = icl_options_bool(options, "per_query");
    icl_hand hand = { 0 };
    icl_status status =
        icl_hand_init(&hand, NULL, input->pool_count, input->pool_labels, input->label_count);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        const char *key = per_query ? input->query_ids[q] : "";
        if (q == 0 || per_query) {
            icl_rng rng = icl_rng_new(input->seed, input->task, key, "select-balanced");
            icl_hand_draw(&hand, out->k, &rng);
        }
        size_t *line = &out->indices[q * out->k];
        icl_hand_deal(line, out->k, &hand, icl_select_self(input, q));
        icl_rng places = icl_rng_new(input->seed, input->task, key, "select-balanced-shuffle");
        icl_rng_shuffle(&places, line, out->k);
        status = icl_cancel_check(input->cancelled);
    }
    icl_hand_deinit(&hand);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_DRAW_OPTION_PER_QUERY,
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
    .by_lot = true,
};
