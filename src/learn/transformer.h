/* learn/transformer.h - decoder, prefix and encoder transformers to be trained.
 *
 *   icl_transformer_config config = icl_transformer_config_default();
 *   config.vocab_count = 512; config.width = 64; config.layers = 2; ...
 *   icl_transformer *model = NULL;
 *   status = icl_transformer_new(&model, device, &config);     (weights allocated, zero)
 *   status = icl_transformer_start(model, seed);               (N(0, 0.02), Radford et al. 2019)
 *   ...
 *   icl_transformer_io io = { .token_count = 512, .batch = 8 };
 *   icl_transformer_build(model, graph, &io);                  (io.hidden[layers] is normalised)
 *
 * A decoder of RMSNorm, SwiGLU and RoPE without biases is exactly GGUF's "llama" architecture;
 * weights carry its names (token_embd.weight, blk.0.attn_q.weight, ...).
 */
#ifndef ICL_LEARN_TRANSFORMER_H
#define ICL_LEARN_TRANSFORMER_H

#include "learn/graph.h"

typedef enum icl_view { /* who sees whom */
    ICL_VIEW_CAUSAL,    /* decoder */
    ICL_VIEW_PREFIX,    /* the first tokens of a sequence see each other, later ones look back */
    ICL_VIEW_FULL,      /* encoder */
} icl_view;
typedef enum icl_norm { ICL_NORM_RMS, ICL_NORM_LAYER, ICL_NORM_NONE } icl_norm;
typedef enum icl_feed_forward { ICL_FEED_SWIGLU, ICL_FEED_GELU, ICL_FEED_NONE } icl_feed_forward;
typedef enum icl_positions { ICL_POSITIONS_ROPE, ICL_POSITIONS_LEARNED, ICL_POSITIONS_NONE } icl_positions;

enum { ICL_LAYERS_MAX = 128 };

typedef struct icl_transformer_config {
    size_t vocab_count;   /* 0: vectors in, no token table and no output table */
    size_t input_width;   /* with vectors in: linear read-in from this width; 0: they have `width` */
    size_t width, layers, heads;
    size_t kv_heads;      /* 0: heads */
    size_t head_width;    /* 0: width / heads */
    size_t feed_width;    /* hidden units of the feed-forward part */
    size_t window;        /* longest sequence; rows of learned positions */
    icl_view view;
    icl_norm norm;
    icl_feed_forward feed;
    icl_positions positions;
    bool linear_attention;
    bool tied;            /* the output table is the token table */
    bool biases;          /* linear maps have biases (GPT-2) */
    float rope_base, norm_epsilon;
    size_t readout_width; /* linear read-out "readout.weight" of this width; 0: none */
    const char *const *frozen; /* weights whose name contains one of these do not train;
                                  NULL-terminated, read by icl_transformer_new alone; NULL: none */
} icl_transformer_config;

/* Decoder, 4 layers, 256 wide, RMSNorm 1e-5, SwiGLU 4/3 * 2, RoPE 10000, tied, window 1024. */
icl_transformer_config icl_transformer_config_default(void);
/* ICL_EINVAL names the field that is out of range or does not divide. */
icl_status icl_transformer_config_check(const icl_transformer_config *config);
uint64_t icl_transformer_config_parameters(const icl_transformer_config *config);

typedef struct icl_transformer icl_transformer;

icl_status icl_transformer_new(icl_transformer **out, icl_device *device,
                               const icl_transformer_config *config);
void icl_transformer_free(icl_transformer *model);
/* With kv_heads and head_width filled in. */
const icl_transformer_config *icl_transformer_get_config(const icl_transformer *model);
icl_parameters *icl_transformer_parameters(const icl_transformer *model); /* borrowed */
/* Random start: N(0, 0.02), residual outputs scaled by 1/sqrt(2 layers), gains 1, biases 0. */
icl_status icl_transformer_start(icl_transformer *model, uint64_t seed);

/* Low-rank adapters (Hu et al. 2022): freezes every base weight and adds `.lora_a` [in, r] and
 * `.lora_b` [r, out] beside the linear maps whose name contains one of `targets` (NULL: all of
 * attention and feed-forward). icl_transformer_start draws A with standard deviation 1/r and leaves
 * B = 0: the start is the base model exactly. */
typedef struct icl_lora_options {
    size_t rank;
    float alpha;
    const char *const *targets; /* NULL-terminated; read by icl_transformer_new_lora alone */
} icl_lora_options;

/* As icl_transformer_new, plus adapters. */
icl_status icl_transformer_new_lora(icl_transformer **out, icl_device *device,
                                    const icl_transformer_config *config,
                                    const icl_lora_options *lora);
/* W + alpha / r * B A of weight `index` into out[count]; the weight itself when it has none.
 * ICL_ENOMEM. */
icl_status icl_transformer_merged(const icl_transformer *model, size_t index, float *out);
/* NULL: a full model. */
const icl_lora_options *icl_transformer_lora(const icl_transformer *model);

/* What goes in and comes out of one build. Zero means "not asked for". */
typedef struct icl_transformer_io {
    int64_t token_count, batch;  /* token_count = batch * length */
    icl_value *ids;              /* in: int32[token_count]; NULL: made here as input "tokens" */
    icl_value *vectors;          /* in, instead of ids: [width or input_width, token_count] */
    icl_value *positions;        /* in: int32[token_count]; NULL: made here as input "positions" */
    icl_value *first;            /* in: see icl_attention_options; NULL: whole sequences */
    icl_value *bias;             /* in: attention bias of all layers; ICL_VIEW_PREFIX needs it,
                                    see icl_transformer_prefix_bias */
    bool keep_scores;            /* attention probabilities of every layer */
    icl_value *embedded;         /* out: [width, token_count], what enters the first block */
    icl_value *hidden[ICL_LAYERS_MAX + 1]; /* out: residual stream after block i - 1 at [i];
                                               [layers] is after the last norm */
    icl_value *scores[ICL_LAYERS_MAX];     /* out: [length keys, length queries, heads, batch] */
} icl_transformer_io;

void icl_transformer_build(icl_transformer *model, icl_graph *graph, icl_transformer_io *io);
/* The bias of one sequence, [length queries][length keys]: 0 where a query sees a key, -INFINITY
 * where not. The first `prefix` tokens see each other, later ones what is before them. */
void icl_transformer_prefix_bias(float *out, size_t length, size_t prefix);
/* Logits [vocab, n] of final hidden rows [width, n]. */
icl_value *icl_transformer_logits(icl_transformer *model, icl_graph *graph, icl_value *hidden);
/* Logits over some tokens only: ids int32[m] -> [m, n]. */
icl_value *icl_transformer_logits_of(icl_transformer *model, icl_graph *graph, icl_value *hidden,
                                     icl_value *ids);
/* The read-out of rows [width, n]: [readout_width, n]. */
icl_value *icl_transformer_readout(icl_transformer *model, icl_graph *graph, icl_value *hidden);

#endif
