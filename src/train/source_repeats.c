/* Random tokens that repeat with a random period: the only way to predict the second round is to
 * look up what followed the same token before, which is what induction heads do. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "train/range.h"
#include "train/source.h"

typedef struct repeats_source {
    int32_t *tokens; /* [token_count] that are drawn from */
    size_t token_count, length;
    icl_range period;
    bool repeat_only;
} repeats_source;

static void close_repeats(void *self)
{
    repeats_source *source = self;
    free(source->tokens);
    free(source);
}

static icl_status check_lengths(repeats_source *source, const icl_source_world *world)
{
    if (source->length > world->context)
        return icl_error_set(ICL_EINVAL,
                             "option length of repeats: %zu is above the context of %zu",
                             source->length, world->context);
    if (source->length == 0) source->length = world->context;
    if (source->period.high >= source->length)
        return icl_error_set(ICL_EINVAL,
                             "option period of repeats: a period of %zu leaves nothing to repeat "
                             "in %zu tokens",
                             source->period.high, source->length);
    return ICL_OK;
}

/* A seeded choice of ordinary tokens, the same for all sequences. */
static icl_status choose_tokens(repeats_source *source, const icl_source_world *world,
                                size_t wanted)
{
    const size_t vocab = icl_bpe_vocab_count(world->bpe);
    size_t *order = malloc(vocab * sizeof *order);
    source->tokens = malloc(vocab * sizeof *source->tokens);
    if (order == NULL || source->tokens == NULL) {
        free(order);
        return icl_error_set(ICL_ENOMEM, "out of memory");
    }
    size_t count = 0;
    for (size_t token = 0; token < vocab; token++)
        if (!icl_bpe_is_special(world->bpe, (int32_t)token)) order[count++] = token;
    icl_rng rng = icl_rng_new(world->seed, "", "", "repeats-vocabulary");
    icl_rng_shuffle(&rng, order, count);
    source->token_count = wanted > 0 && wanted < count ? wanted : count;
    for (size_t i = 0; i < source->token_count; i++) source->tokens[i] = (int32_t)order[i];
    free(order);
    return ICL_OK;
}

static icl_status open_repeats(void **out_self, const icl_source_world *world,
                               const icl_options *options)
{
    repeats_source *source = calloc(1, sizeof *source);
    if (source == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    source->length = (size_t)icl_options_int(options, "length");
    source->repeat_only = icl_options_int(options, "loss") == 1;
    icl_status status = icl_range_read(&source->period, options, "period");
    if (status == ICL_OK) status = check_lengths(source, world);
    if (status == ICL_OK)
        status = choose_tokens(source, world, (size_t)icl_options_int(options, "vocabulary"));
    if (status != ICL_OK) {
        close_repeats(source);
        return status;
    }
    *out_self = source;
    return ICL_OK;
}

static icl_status draw_repeats(void *self, icl_sequence *out, icl_rng *rng)
{
    const repeats_source *source = self;
    const size_t period = icl_range_draw(source->period, rng);
    for (size_t i = 0; i < source->length; i++) {
        const bool repeated = i >= period;
        const int32_t token = repeated ? out->tokens[i - period]
                                       : source->tokens[icl_rng_below(rng, source->token_count)];
        const bool wanted = repeated || !source->repeat_only;
        ICL_TRY(icl_sequence_push(out, token, wanted ? ICL_TARGET_TEXT : ICL_TARGET_NONE, 1));
    }
    return ICL_OK;
}

static const char *const losses[] = { "all", "repeat", NULL };

static const icl_option options[] = {
    { .name = "period",
      .type = ICL_OPTION_TEXT,
      .fallback = "8-32",
      .minimum = 1,
      .maximum = 1 << 20,
      .help = "tokens until the sequence begins again" },
    { .name = "vocabulary",
      .type = ICL_OPTION_INT,
      .fallback = "64",
      .minimum = 0,
      .maximum = 1 << 24,
      .help = "different tokens to draw from; 0: all" },
    ICL_SOURCE_OPTION_LENGTH,
    { .name = "loss",
      .type = ICL_OPTION_CHOICE,
      .fallback = "all",
      .choices = losses,
      .help = "predict all tokens, or those of the repeats only" },
};

const icl_source_kind icl_source_repeats = {
    .card = { .name = "repeats",
              .summary = "Random tokens repeated over and over, for induction heads.",
              .paper = "Olsson et al. 2022, In-context Learning and Induction Heads",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .open = open_repeats,
    .close = close_repeats,
    .draw = draw_repeats,
};
