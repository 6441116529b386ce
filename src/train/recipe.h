/* train/recipe.h - what `icl train RECIPE.yaml` reads: strict YAML, every error with its place.
 *
 *   name: icl-tiny
 *   seed: 1
 *   model: { layers: 2, width: 64, heads: 4, feed: none, norm: layer, window: 64 }
 *   tokenizer: { vocabulary: 512, data: [novels], encoder_words: true }  or { file: other.gguf }
 *   from: other.gguf                         further training instead of `model`
 *   lora: { rank: 8, alpha: 16, targets: [attn_q, attn_v] }
 *   freeze: [token_embd]                     weights whose name contains one of these
 *   rates: { token_embd: 0.1 }               factors on the learning rate, likewise
 *   encoder: all-MiniLM-L6-v2.gguf           for sources that need sentence vectors
 *   start: random                            a call of the start registry (train/start.h)
 *   labels: { words: [good, bad, ...], held: [...] }
 *   data:
 *     novels: { file: ..., text: text, cut: sentences, words: 4-30, terms: public domain }
 *   phases:
 *     - name: copying
 *       steps: 600
 *       context: 128
 *       rows: 16                             tokens of a step = rows * context * micro
 *       micro: 1
 *       rate: { peak: 1e-3, end: 1e-4, shape: cosine, warmup: 50 }
 *       adam: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1, clip: 1 }
 *       loss: { over: candidates, answer: 1, text: 1, meaning: 1, meaning_layer: 2 }
 *       room: { answers: 256, texts: 2048, meanings: 64, candidates: 128 }
 *       mixture: [ { source: "labelled(...)", weight: 1 } ]
 *   evaluate:
 *     { every: 100, episodes: 200, context: 512, sets: [ { name: held, source: "..." } ] }
 *   checkpoint: { every: 200 }
 *   log: { every: 10 }
 *   output: { type: q8_0|f16|f32|none, also: f32, license: ..., description: ... }
 *
 * The model is written to NAME.gguf. `room` is how many predictions one micro-batch has room for;
 * what is left out of `loss` has no weight and costs nothing.
 */
#ifndef ICL_TRAIN_RECIPE_H
#define ICL_TRAIN_RECIPE_H

#include "learn/model_file.h"
#include "learn/optimizer.h"
#include "learn/transformer.h"
#include "train/source.h"

typedef struct icl_recipe_source {
    char *call;
    double weight;
} icl_recipe_source;

/* Among what an answer is a choice. */
typedef enum icl_answers_over { ICL_OVER_CANDIDATES, ICL_OVER_VOCABULARY } icl_answers_over;

/* A factor on the learning rate of weights whose name contains `part`. */
typedef struct icl_recipe_rate {
    char *part;
    double factor;
} icl_recipe_rate;

typedef struct icl_recipe_phase {
    char *name;
    uint64_t steps;
    size_t micro_batches;
    icl_batch_limits limits; /* rows, context, and `room` for predictions of one micro-batch */
    icl_optimizer_options optimizer;
    icl_answers_over answers_over;
    double answer_weight, text_weight, meaning_weight;
    size_t meaning_layer; /* the read-out reads the residual stream after this many blocks */
    icl_recipe_source *sources;
    size_t source_count;
} icl_recipe_phase;

typedef struct icl_recipe_set {
    char *name;
    char *call;
} icl_recipe_set;

/* A pool as the recipe describes it: icl_pool_options whose texts are owned here. */
typedef struct icl_recipe_pool {
    char *name, *file, *text_field, *label_field, *where_field, *where_value, *terms;
    icl_cut cut;
    size_t words_min, words_max, items_max, vectors_max;
} icl_recipe_pool;

/* Names, ended by NULL. */
typedef struct icl_recipe_names {
    char **items;
    size_t count, capacity;
} icl_recipe_names;

typedef struct icl_recipe {
    char *path, *name;
    uint64_t seed;
    icl_transformer_config model; /* vocab_count is the tokenizer's, set when that is known */
    bool model_stated;
    char *tokenizer_file; /* a GGUF to take it from; NULL: trained */
    size_t tokenizer_vocab;
    icl_recipe_names tokenizer_pools; /* none: all */
    bool tokenizer_encoder_words;     /* the words of the encoder's vocabulary count too */
    char *from;                       /* NULL: from the start call */
    icl_lora_options lora;            /* rank 0: none */
    icl_recipe_names lora_targets, frozen;
    icl_recipe_rate *rates; /* all that fit a weight multiply */
    size_t rate_count, rate_capacity;
    char *encoder; /* NULL: none */
    char *start;   /* "random" */
    icl_recipe_names label_words, held_words;
    icl_recipe_pool *pools;
    size_t pool_count;
    icl_recipe_phase *phases;
    size_t phase_count;
    icl_recipe_set *sets;
    size_t set_count, evaluate_episodes, evaluate_context; /* context: the longest of the phases */
    uint64_t evaluate_every, checkpoint_every, log_every;  /* steps; 0: only at the end */
    icl_weight_type output_type;
    bool writes_model, output_also_f32;
    char *license, *description;
    char fingerprint[40]; /* hash of what decides the weights; device, folders and output do not */
} icl_recipe;

/* ICL_EPARSE: "recipe.yaml:12:3: ..." ; ICL_EIO. */
icl_status icl_recipe_open(icl_recipe **out, const char *path);
icl_status icl_recipe_parse(icl_recipe **out, const char *bytes, size_t length, const char *path);
void icl_recipe_close(icl_recipe *recipe);

/* Whether a model of this shape can run every phase; `from` brings a shape that the recipe alone does
 * not know. ICL_EINVAL names phase and value. */
icl_status icl_recipe_check_shape(const icl_recipe *recipe, const icl_transformer_config *shape);

#endif
