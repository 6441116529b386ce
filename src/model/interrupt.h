/* model/interrupt.h - the flag that icl_model_interrupt sets, for long work around the model, such
 * as encoding a pool. */
#ifndef ICL_MODEL_INTERRUPT_H
#define ICL_MODEL_INTERRUPT_H

#include <stdatomic.h>

#include <icl/model.h>

const atomic_bool *icl_model_interrupt_flag(const icl_model *model); /* belongs to the model */

#endif
