/* train/recipe.h - what `icl train RECIPE.yaml` reads: strict YAML, every error with its line.
 *
 *   name: icl-tiny
 *   seed: 1
 *   model: { layers: 2, width: 64, heads: 4, feed: none, norm: layer, window: 64 }
 *   tokenizer: { vocabulary: 512, data: [novels] }        or { file: other.gguf }
 *   from: other.gguf                                       further training; lora: { rank: 8, alpha: 16 }
 *   encoder: all-MiniLM-L6-v2.gguf                         for sources that need sentence vectors
 *   start: random                                          a call of the start registry (train/start.h)
 *   labels: { words: [good, bad, ...], held: [...] }
 *   data: { novels: { file: ..., text: text, cut: sentences, words: 4-30, terms: public domain } }
 *   phases:
 *     - name: copying
 *       steps: 600
 *       context: 128
 *       rows: 16                                           tokens of a step = rows * context * micro
 *       micro: 1
 *       rate: { peak: 1e-3, end: 1e-4, shape: cosine, warmup: 50 }
 *       loss: { answers: candidates, meaning: 1.0, meaning_layer: 2, text: 1.0, answer: 1.0 }
 *       mixture: [ { source: "labelled(...)", weight: 1 } ]
 *   evaluate: { every: 100, episodes: 200, sets: [ { name: held, source: "labelled(...)" } ] }
 *   checkpoint: { every: 200 }
 *   output: { type: q8_0, name: ..., license: ... }
 */
#ifndef ICL_TRAIN_RECIPE_H
#define ICL_TRAIN_RECIPE_H

#include "learn/model_file.h"
#include "learn/optimizer.h"
#include "learn/transformer.h"
#include "train/pool.h"

typedef struct icl_recipe_source {
    char *call;
    double weight;
} icl_recipe_source;

typedef struct icl_recipe_phase {
    char *name;
    uint64_t steps;
    size_t context, rows, micro_batches;
    icl_optimizer_options optimizer;
    bool answers_over_all;   /* answers over the whole vocabulary instead of the candidates */
    double answer_weight, text_weight, meaning_weight;
    size_t meaning_layer;    /* the read-out reads the residual stream after this many blocks */
    icl_recipe_source *sources;
    size_t source_count;
} icl_recipe_phase;

typedef struct icl_recipe_set {
    char *name;
    char *call;
} icl_recipe_set;

typedef struct icl_recipe {
    char *path, *name;
    uint64_t seed;
    icl_transformer_config model;
    bool tokenizer_is_file;
    char *tokenizer_file;      /* a GGUF to take it from */
    size_t tokenizer_vocab;
    char **tokenizer_pools;
    size_t tokenizer_pool_count;
    char *from;                /* NULL: from the start call */
    icl_lora_options lora;     /* rank 0: none */
    char *encoder;             /* NULL: none */
    char *start;               /* "random" */
    char **label_words, **held_words;
    size_t label_word_count, held_word_count;
    icl_pool_options *pools;   /* strings owned by the recipe; `path` as written */
    size_t pool_count;
    icl_recipe_phase *phases;
    size_t phase_count;
    icl_recipe_set *sets;
    size_t set_count, evaluate_episodes;
    uint64_t evaluate_every, checkpoint_every;
    icl_model_file_options output;
    char fingerprint[40];      /* hash of what decides the result; device and paths do not */
} icl_recipe;

/* ICL_EPARSE: "recipe.yaml:12:3: ..." ; ICL_EIO. */
icl_status icl_recipe_open(icl_recipe **out, const char *path);
void icl_recipe_close(icl_recipe *recipe);

#endif
