/* Start weights that already read labels by meaning, for training to refine.
 *
 * A decoder that starts at random has to find, one after the other, how to see the token before,
 * how to summarise an example, how to compare summaries and how to copy a label; until the last of
 * them works the loss shows little of the first. Here they are laid out by hand:
 *
 *   token vectors   meaning (a table into which the sentence encoder is distilled: the mean over a
 *                   text comes near to the encoder's vector of the text; principal axes) | line end
 *                   | identity (random, nearly orthogonal)
 *
 *   block 0         heads that copy the identities of the two tokens before, and heads that copy
 *                   parts of the identities of tokens 8 to 14 back, as "recent"
 *
 *   block m - 2     a head that looks for the last empty line, or the begin of the prompt, and
 *                   copies what was recent there into "segment": the same for all tokens of an
 *                   example, and another one for every example
 *
 *   block m - 1     heads that average the meaning of the tokens of a segment into "summary"
 *
 *   block m         heads that look for tokens behind the same two tokens as the query stands at
 *                   (its answer slot), prefer those of a similar summary, and copy their identity;
 *                   one that takes the token's own away; and a feed-forward layer that adds the
 *                   summary to the meaning, which favours words near to what the text says
 *
 * Identity and meaning are what the output table reads. Everything else starts at random and small.
 *
 * Where the table starts: smooth inverse frequency, Arora et al. 2017. Previous-token and copying
 * heads: Olsson et al. 2022.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "train/matcher.h"

enum { HEADS_MIN = 6, BLOCKS_BEFORE_MATCHING = 3 };

/* Squared length of the stream behind block 0, about: tokens, both identities, recent. */
static const double STREAM_LENGTH_SQUARED = 7.0;

static icl_matcher_layout layout_of(size_t width)
{
    const size_t sixteenth = width / 16;
    icl_matcher_layout at = { .meaning = { 0, 5 * sixteenth - 4 } };
    at.constant = (icl_matcher_span){ at.meaning.width, 1 };
    at.filler = (icl_matcher_span){ at.meaning.width + 1, 1 };
    at.line_end = (icl_matcher_span){ at.meaning.width + 2, 1 };
    at.line_before = (icl_matcher_span){ at.meaning.width + 3, 1 };
    at.identity = (icl_matcher_span){ 5 * sixteenth, 2 * sixteenth };
    at.summary = (icl_matcher_span){ 7 * sixteenth, 5 * sixteenth };
    at.previous = (icl_matcher_span){ 12 * sixteenth, sixteenth };
    at.before_previous = (icl_matcher_span){ 13 * sixteenth, sixteenth };
    at.recent = (icl_matcher_span){ 14 * sixteenth, sixteenth };
    at.segment = (icl_matcher_span){ 15 * sixteenth, sixteenth };
    return at;
}

/* What blocks add by chance is made small beside what is laid out. */
static icl_status quieten(icl_matcher *in, double noise)
{
    const char *const parts[] = { "attn_output", "ffn_down" };
    for (size_t block = 0; block < in->config->layers; block++) {
        for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
            icl_matcher_map map = { 0 };
            ICL_TRY(icl_matcher_map_open(&map, in, block, parts[part]));
            for (size_t i = 0; i < map.count; i++) map.weights[i] *= (float)noise;
            icl_matcher_map_close(&map, in);
        }
    }
    return ICL_OK;
}

/* The output table reads identities and meanings; the rest of the stream only faintly. */
static icl_status open_output_norm(const icl_matcher *in)
{
    const size_t index = icl_parameters_find(in->parameters, "output_norm.weight");
    float *gains = malloc(in->config->width * sizeof *gains);
    if (gains == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu gains", in->config->width);
    const icl_matcher_span read[] = { in->at.identity, in->at.meaning };
    for (size_t i = 0; i < in->config->width; i++) gains[i] = 0.02f;
    for (size_t span = 0; span < sizeof read / sizeof *read; span++)
        for (size_t i = 0; i < read[span].width; i++) gains[read[span].begin + i] = 0.4f;
    icl_parameters_set(in->parameters, index, gains);
    free(gains);
    return ICL_OK;
}

static icl_status check(const icl_matcher *in, size_t block)
{
    const icl_transformer_config *config = in->config;
    if (in->input->encoder == NULL)
        return icl_error_set(ICL_EINVAL, "start=matcher needs the recipe to name an encoder");
    if (config->vocab_count == 0 || config->norm != ICL_NORM_RMS ||
        config->positions != ICL_POSITIONS_ROPE || config->kv_heads != config->heads ||
        !config->tied)
        return icl_error_set(ICL_EUNSUPPORTED,
                             "start=matcher needs tokens, norm: rms, positions: rope, tied output "
                             "and as many kv_heads as heads");
    if (config->width % (16 * ICL_MATCHER_LOOK_UPS) != 0 ||
        config->heads < icl_matcher_summary_heads(in) || config->heads < HEADS_MIN)
        return icl_error_set(ICL_EINVAL,
                             "start=matcher needs a width that 64 divides and at least %zu heads, "
                             "not width %zu with %zu heads",
                             icl_matcher_summary_heads(in) > HEADS_MIN
                                 ? icl_matcher_summary_heads(in)
                                 : (size_t)HEADS_MIN,
                             config->width, config->heads);
    if (config->feed_width < in->at.meaning.width)
        return icl_error_set(ICL_EINVAL,
                             "start=matcher needs a feed_width of at least %zu, not %zu",
                             in->at.meaning.width, config->feed_width);
    if (config->head_width < icl_matcher_first_still_row(in) + 3 * ICL_MATCHER_HEAD_GATE ||
        config->head_width < icl_matcher_first_still_row(in) + in->at.segment.width)
        return icl_error_set(ICL_EINVAL,
                             "start=matcher needs a rope_base above %g: too few numbers of a head "
                             "stand still",
                             (double)config->rope_base);
    if (block < BLOCKS_BEFORE_MATCHING || block >= config->layers)
        return icl_error_set(
            ICL_EINVAL,
            "start=matcher: block %zu is not in %d..%zu, the blocks counted from 0 "
            "that have %d before them",
            block, BLOCKS_BEFORE_MATCHING, config->layers - 1, BLOCKS_BEFORE_MATCHING);
    return ICL_OK;
}

static icl_status start_matcher(const icl_start_input *input, const icl_options *options)
{
    const icl_transformer_config *config = icl_transformer_get_config(input->model);
    icl_matcher in = {
        .input = input,
        .config = config,
        .parameters = icl_transformer_parameters(input->model),
        .at = layout_of(config->width),
        .rng = icl_rng_new(input->seed, "start", "matcher", "weights"),
        .token_scale = sqrt((double)config->width / ICL_MATCHER_TOKEN_LENGTH_SQUARED),
        .stream_length_squared = STREAM_LENGTH_SQUARED,
        .stream_scale = sqrt((double)config->width / STREAM_LENGTH_SQUARED),
    };
    in.epochs = (size_t)icl_options_int(options, "epochs");
    const size_t block = (size_t)icl_options_int(options, "block");
    ICL_TRY(check(&in, block));
    ICL_TRY(quieten(&in, icl_options_real(options, "noise")));
    ICL_TRY(icl_matcher_lay_out_tokens(&in));
    ICL_TRY(icl_matcher_lay_out_first_block(&in));
    ICL_TRY(icl_matcher_lay_out_segments(&in, block - 2));
    ICL_TRY(icl_matcher_lay_out_summaries(&in, block - 1));
    ICL_TRY(icl_matcher_lay_out_matching(&in, block));
    ICL_TRY(icl_matcher_lay_out_topic(&in, block));
    return open_output_norm(&in);
}

static const icl_option options[] = {
    { .name = "block",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = BLOCKS_BEFORE_MATCHING,
      .maximum = ICL_LAYERS_MAX - 1,
      .help = "the block, counted from 0, that compares examples and copies labels" },
    { .name = "noise",
      .type = ICL_OPTION_REAL,
      .fallback = "0.3",
      .minimum = 0,
      .maximum = 1,
      .help = "factor on what blocks add at random" },
    { .name = "epochs",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = 0,
      .maximum = 100,
      .help = "over the texts with sentence vectors, to learn what tokens mean; 0: as the encoder "
              "reads each token alone" },
};

const icl_start_kind icl_start_matcher = {
    .card = { .name = "matcher",
              .summary = "Token vectors from the sentence encoder; heads that tell examples apart, "
                         "summarise, compare and copy, laid out by hand.",
              .paper = "heads: Olsson et al. 2022, \"In-context Learning and Induction Heads\"; "
                       "frequency: Arora et al. 2017",
              .cost = "none",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = start_matcher,
};
