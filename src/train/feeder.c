#include "train/feeder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/rng.h"

struct icl_feeder {
    const icl_recipe_phase *phase;
    icl_source **sources; /* [phase->source_count] */
    uint64_t seed, next;
    double weight_sum;
    icl_sequence pending; /* number `next`, when has_pending */
    size_t pending_source;
    bool has_pending;
};

icl_status icl_feeder_new(icl_feeder **out, const icl_recipe_phase *phase,
                          const icl_source_world *world, uint64_t next)
{
    icl_feeder *feeder = calloc(1, sizeof *feeder);
    if (feeder == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    feeder->phase = phase;
    feeder->seed = world->seed;
    feeder->next = next;
    feeder->sources = calloc(phase->source_count, sizeof *feeder->sources);
    icl_status status =
        feeder->sources == NULL ? icl_error_set(ICL_ENOMEM, "out of memory") : ICL_OK;
    icl_source_world narrowed = *world;
    narrowed.context = phase->limits.context;
    for (size_t i = 0; status == ICL_OK && i < phase->source_count; i++) {
        feeder->weight_sum += phase->sources[i].weight;
        status = icl_source_open(&feeder->sources[i], phase->sources[i].call, &narrowed);
    }
    if (status == ICL_OK)
        *out = feeder;
    else
        icl_feeder_free(feeder);
    return status;
}

void icl_feeder_free(icl_feeder *feeder)
{
    if (feeder == NULL) return;
    icl_sequence_deinit(&feeder->pending);
    for (size_t i = 0; feeder->sources != NULL && i < feeder->phase->source_count; i++)
        icl_source_close(feeder->sources[i]);
    free(feeder->sources);
    free(feeder);
}

uint64_t icl_feeder_next(const icl_feeder *feeder)
{
    return feeder->next;
}

/* Which source makes sequence `number`. */
static size_t choose_source(const icl_feeder *feeder, uint64_t number)
{
    char key[24];
    snprintf(key, sizeof key, "%" PRIu64, number);
    icl_rng rng = icl_rng_new(feeder->seed, "", key, "mixture");
    double left = icl_rng_unit(&rng) * feeder->weight_sum;
    size_t chosen = 0;
    for (size_t i = 0; i < feeder->phase->source_count; i++) {
        const double weight = feeder->phase->sources[i].weight;
        if (weight <= 0) continue;
        chosen = i;
        if (left < weight) break;
        left -= weight;
    }
    return chosen;
}

void icl_sequence_keep_targets(icl_sequence *sequence, bool answers, bool texts, bool meanings)
{
    for (size_t i = 0; i < sequence->count; i++) {
        const uint8_t target = sequence->targets[i];
        if ((target == ICL_TARGET_ANSWER && !answers) || (target == ICL_TARGET_TEXT && !texts))
            sequence->targets[i] = ICL_TARGET_NONE;
    }
    if (!answers) sequence->candidate_count = 0;
    if (!meanings) sequence->meaning_count = 0;
}

static icl_status draw(icl_feeder *feeder)
{
    const icl_recipe_phase *phase = feeder->phase;
    feeder->pending_source = choose_source(feeder, feeder->next);
    ICL_TRY(
        icl_source_draw(feeder->sources[feeder->pending_source], &feeder->pending, feeder->next));
    icl_sequence_keep_targets(&feeder->pending, phase->answer_weight > 0, phase->text_weight > 0,
                              phase->meaning_weight > 0);
    feeder->has_pending = true;
    return ICL_OK;
}

static icl_status does_not_fit(const icl_feeder *feeder)
{
    const icl_sequence *sequence = &feeder->pending;
    size_t answers = 0, texts = 0;
    for (size_t i = 0; i < sequence->count; i++) {
        answers += sequence->targets[i] == ICL_TARGET_ANSWER;
        texts += sequence->targets[i] == ICL_TARGET_TEXT;
    }
    return icl_error_set(ICL_EINVAL,
                         "phase \"%s\": a sequence of %s has %zu answers, %zu text tokens, %zu "
                         "meanings and %zu candidates, and the `room` of a batch is %zu, %zu, %zu "
                         "and %zu",
                         feeder->phase->name,
                         icl_source_name(feeder->sources[feeder->pending_source]), answers, texts,
                         sequence->meaning_count, sequence->candidate_count,
                         feeder->phase->limits.answers_max, feeder->phase->limits.texts_max,
                         feeder->phase->limits.meanings_max, feeder->phase->limits.candidates_max);
}

icl_status icl_feeder_fill(icl_feeder *feeder, icl_train_batch *batch)
{
    icl_train_batch_clear(batch);
    for (;;) {
        if (!feeder->has_pending) ICL_TRY(draw(feeder));
        if (!icl_train_batch_add(batch, &feeder->pending, (uint32_t)feeder->pending_source)) break;
        feeder->has_pending = false;
        feeder->next++;
    }
    return batch->sequence_count > 0 ? ICL_OK : does_not_fit(feeder);
}
