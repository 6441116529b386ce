/* train/source.h - makers of training sequences. A source is one file source_<name>.c and one line
 * in registry.def; a recipe mixes sources:
 *
 *   mixture:
 *     - { source: "labelled(data=intents, classes=2-8, shots=4-16)", weight: 0.3 }
 *     - { source: "directions(data=novels, classes=2-4)", weight: 0.5 }
 *     - { source: "text(data=novels)", weight: 0.2 }
 *
 * Sequence number `index` of a source depends on (seed, source call, index) alone.
 */
#ifndef ICL_TRAIN_SOURCE_H
#define ICL_TRAIN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/card.h"
#include "base/rng.h"
#include "learn/bpe.h"
#include "train/pool.h"

/* What the loss wants of a token. */
typedef enum icl_target {
    ICL_TARGET_NONE,
    ICL_TARGET_ANSWER, /* cross-entropy among the candidate tokens of the batch (or all tokens) */
    ICL_TARGET_TEXT,   /* cross-entropy over the whole vocabulary */
} icl_target;

/* The read-out at `position` shall equal a sentence vector. */
typedef struct icl_meaning {
    size_t position;
    const float *vector; /* borrowed from a pool, [vector_size] */
} icl_meaning;

typedef struct icl_sequence {
    int32_t *tokens;  /* [count] */
    uint8_t *targets; /* [count] icl_target of predicting tokens[i] from those before; [0] NONE */
    float *weights;   /* [count] */
    size_t count, capacity;
    icl_meaning *meanings;
    size_t meaning_count, meaning_capacity;
    int32_t *candidates; /* what an answer may be, without repeats: first the first token of each
                            class's label, in order of the classes, then their further tokens */
    size_t candidate_count, candidate_capacity;
    size_t class_count;   /* of the candidates, so many are first tokens of a label */
    /* The query, for evaluation: its answer token stands at `answer`; SIZE_MAX: there is none. */
    size_t answer;
} icl_sequence;

void icl_sequence_clear(icl_sequence *sequence); /* keeps memory */
void icl_sequence_deinit(icl_sequence *sequence);
icl_status icl_sequence_push(icl_sequence *sequence, int32_t token, icl_target target,
                             float weight);
icl_status icl_sequence_push_tokens(icl_sequence *sequence, const int32_t *tokens, size_t count,
                                    icl_target target, float weight);
icl_status icl_sequence_add_meaning(icl_sequence *sequence, size_t position, const float *vector);
icl_status icl_sequence_add_candidate(icl_sequence *sequence, int32_t token);

/* Everything a source may look at. */
typedef struct icl_source_world {
    const icl_bpe *bpe;
    icl_pool *const *pools;
    size_t pool_count;
    const char *const *label_words; /* [label_word_count] of the recipe, trained on */
    size_t label_word_count;
    const char *const *held_words; /* kept apart for evaluation; may be empty */
    size_t held_word_count;
    size_t context; /* longest sequence */
    uint64_t seed;
} icl_source_world;

/* An opened source: `self` is what open made. */
typedef struct icl_source_kind {
    icl_card card;
    /* Whether a call with these options needs sentence vectors of its pool; NULL: never. */
    bool (*needs_vectors)(const icl_options *options);
    icl_status (*open)(void **out_self, const icl_source_world *world, const icl_options *options);
    void (*close)(void *self);
    /* Fills a cleared sequence of at most world->context tokens. */
    icl_status (*draw)(void *self, icl_sequence *out, icl_rng *rng);
} icl_source_kind;

typedef struct icl_source icl_source;

/* `call` as in a recipe: "labelled(data=intents, classes=2-8)". ICL_ENOTFOUND, ICL_EINVAL. */
icl_status icl_source_open(icl_source **out, const char *call, const icl_source_world *world);
void icl_source_close(icl_source *source);
/* Which pool a call names (yours; NULL: none) and whether it needs that pool's vectors, before
 * pools are loaded. */
icl_status icl_source_inspect(char **out_pool_name, bool *out_needs_vectors, const char *call);
icl_status icl_source_draw(icl_source *source, icl_sequence *out, uint64_t index);
const char *icl_source_name(const icl_source *source); /* canonical call */

/* All kinds, and their cards in the same order; static. */
const icl_source_kind *const *icl_source_kinds(size_t *out_count);
const icl_card *const *icl_source_cards(size_t *out_count);

/* Of sources whose sequences have a length that is asked for. */
#define ICL_SOURCE_OPTION_LENGTH                                                                   \
    {                                                                                              \
        .name = "length", .type = ICL_OPTION_INT, .fallback = "0", .minimum = 0,                   \
        .maximum = 1 << 20, .help = "tokens of a sequence; 0: the context of the phase"            \
    }

/* For kinds: the pool that the option `data` names. ICL_EINVAL, ICL_ENOTFOUND. */
icl_status icl_source_pool(const icl_pool **out, const icl_source_world *world,
                           const icl_options *options);
/* The option itself. */
#define ICL_SOURCE_OPTION_DATA                                                                     \
    {                                                                                              \
        .name = "data", .type = ICL_OPTION_TEXT, .fallback = "", .help = "name of a pool"          \
    }

/* --- packing --- */

/* Sequences side by side in rows of `context` tokens. Arrays have rows * context entries unless
 * said otherwise; what is not filled has weight 0, position 0 and sees only itself. */
typedef struct icl_batch_limits {
    size_t rows, context;
    size_t answers_max, texts_max, meanings_max, candidates_max; /* lists below */
} icl_batch_limits;

typedef struct icl_train_batch {
    icl_batch_limits limits;
    int32_t *tokens, *positions, *first;
    size_t *row_counts; /* [rows] tokens that stand in a row */
    /* Predictions: hidden row (row * context + position of the token before), target token (for
     * answers: index into candidates), weight. Filled up with weight 0. */
    int32_t *answer_rows, *answer_targets; /* [answers_max] */
    float *answer_weights;
    uint32_t *answer_sources;          /* [answers_max] which source of the mixture */
    int32_t *text_rows, *text_targets; /* [texts_max] */
    float *text_weights;
    uint32_t *text_sources;
    int32_t *meaning_rows;  /* [meanings_max] */
    float *meaning_targets; /* [meanings_max][vector_size] */
    float *meaning_weights;
    int32_t *candidates; /* [candidates_max], filled up with repeats of the first,
                            which a loss must leave out */
    size_t answer_count, text_count, meaning_count, candidate_count, token_count;
    size_t vector_size;
    uint64_t sequence_count;
} icl_train_batch;

icl_status icl_train_batch_new(icl_train_batch **out, const icl_batch_limits *limits,
                               size_t vector_size);
void icl_train_batch_free(icl_train_batch *batch);
void icl_train_batch_clear(icl_train_batch *batch);
/* True: it was added; false: it does not fit any more (rows or a list are full). A sequence is at
 * most `context` long (asserted). */
bool icl_train_batch_add(icl_train_batch *batch, const icl_sequence *sequence, uint32_t source);

#endif
