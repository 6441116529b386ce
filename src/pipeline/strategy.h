/* pipeline/strategy.h - one line that a person can type, resolved through the stages' registries.
 *
 *   select=knn(k=8) order=nearest-last score=direct calibrate=batch
 *
 * Each part may be left out: select=knn(k=8), order=nearest-last, score=direct, calibrate=none.
 */
#ifndef ICL_PIPELINE_STRATEGY_H
#define ICL_PIPELINE_STRATEGY_H

#include <stdbool.h>

#include <icl/run.h>

#include "base/card.h"
#include "order/order.h"
#include "score/calibrate.h"
#include "score/score.h"
#include "select/select.h"

/* The stages of a strategy line, in the order of a run. */
typedef enum icl_stage {
    ICL_STAGE_SELECT,
    ICL_STAGE_ORDER,
    ICL_STAGE_SCORE,
    ICL_STAGE_CALIBRATE,
    ICL_STAGE_COUNT,
} icl_stage;

typedef struct icl_strategy {
    const icl_select_method *select;
    const icl_order_method *order;
    const icl_score_method *score;
    const icl_calibrate_method *calibrate;
    icl_options options[ICL_STAGE_COUNT]; /* of the stage's method */
} icl_strategy;

/* ICL_EPARSE, ICL_ENOTFOUND or ICL_EINVAL: the sentence names part and value. On failure *out is
 * zeroed. */
icl_status icl_strategy_parse(icl_strategy *out, const char *line);
void icl_strategy_deinit(icl_strategy *strategy);

/* "select=knn(k=8,metric=cosine) order=... score=... calibrate=...", every option spelled out. */
void icl_strategy_format(icl_text *out, const icl_strategy *strategy);

/* Whether the strategy fits anything to the labels of the pool, beyond showing them: demonstrations
 * or an order by questions to the model, a trained method, anchors, a calibration on labelled
 * items. No item of its pool is then a fair query for it. */
bool icl_strategy_fits_pool(const icl_strategy *strategy);

/* Cards of a stage, in registry order. */
const icl_card *const *icl_stage_cards(icl_stage stage, size_t *out_count);

#endif
