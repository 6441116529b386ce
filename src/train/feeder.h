/* train/feeder.h - the order of the data: sequence number n of a run comes from a source drawn by
 * the mixture's weights from (seed, n), and is that source's sequence n. So a run that goes on at
 * number n sees what an undisturbed one sees. */
#ifndef ICL_TRAIN_FEEDER_H
#define ICL_TRAIN_FEEDER_H

#include "train/recipe.h"
#include "train/source.h"

typedef struct icl_feeder icl_feeder;

/* The sources of a phase, from sequence number `next` on. */
icl_status icl_feeder_new(icl_feeder **out, const icl_recipe_phase *phase,
                          const icl_source_world *world, uint64_t next);
void icl_feeder_free(icl_feeder *feeder);
/* Clears the batch and adds sequences until one does not fit; that one begins the next batch.
 * ICL_EINVAL: a sequence does not fit into an empty batch. */
icl_status icl_feeder_fill(icl_feeder *feeder, icl_train_batch *batch);
/* Number of the next sequence that no batch has had. */
uint64_t icl_feeder_next(const icl_feeder *feeder);

/* Turns targets that a loss has no weight for into none. */
void icl_sequence_keep_targets(icl_sequence *sequence, bool answers, bool texts, bool meanings);

#endif
