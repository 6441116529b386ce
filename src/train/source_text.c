/* Plain running text. A sequence begins at a random byte of all texts, moved to the start of a
 * word, so every text is met in proportion to its length; where a text ends, another follows behind
 * an end-of-text token. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "train/source.h"

typedef struct text_source {
    const icl_bpe *bpe;
    const icl_pool *pool;
    uint64_t *ends; /* [pool->count] bytes of the texts up to and with this one */
    size_t length;
    icl_tokens tokens;
} text_source;

static void close_text(void *self)
{
    text_source *source = self;
    icl_tokens_deinit(&source->tokens);
    free(source->ends);
    free(source);
}

static icl_status open_text(void **out_self, const icl_source_world *world,
                            const icl_options *options)
{
    const icl_pool *pool = NULL;
    ICL_TRY(icl_source_pool(&pool, world, options));
    const size_t asked = (size_t)icl_options_int(options, "length");
    if (asked > world->context)
        return icl_error_set(ICL_EINVAL, "option length of text: %zu is above the context of %zu",
                             asked, world->context);
    text_source *source = calloc(1, sizeof *source);
    if (source != NULL) source->ends = malloc(pool->count * sizeof *source->ends);
    if (source == NULL || source->ends == NULL) {
        free(source);
        return icl_error_set(ICL_ENOMEM, "out of memory");
    }
    source->bpe = world->bpe;
    source->pool = pool;
    source->length = asked > 0 ? asked : world->context;
    uint64_t bytes = 0;
    for (size_t i = 0; i < pool->count; i++)
        source->ends[i] = bytes += (uint64_t)strlen(pool->texts[i]);
    *out_self = source;
    return ICL_OK;
}

/* The text that holds byte `at` of all texts. */
static size_t text_at(const text_source *source, uint64_t at)
{
    size_t low = 0, high = source->pool->count - 1;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (source->ends[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n';
}

/* Where the word that holds byte `at` begins, with the blank before it, which is part of its token.
 * Scripts without blanks: the character some way before. */
static const char *word_start(const char *text, size_t at)
{
    enum { LOOK_BACK_BYTES = 64 };
    const size_t limit = at > LOOK_BACK_BYTES ? at - LOOK_BACK_BYTES : 0;
    size_t start = at;
    while (start > limit && !is_blank(text[start - 1])) start--;
    while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80) start--;
    return text + (start > 0 && text[start - 1] == ' ' ? start - 1 : start);
}

/* Bytes of a piece that ends before a blank, or the whole text. The tokenizer splits there, so the
 * pieces together have the tokens of the text. */
static size_t piece_bytes(const char *text)
{
    enum { PIECE_BYTES = 2048 };
    const size_t length = strnlen(text, PIECE_BYTES + 1);
    if (length <= PIECE_BYTES) return length;
    size_t end = PIECE_BYTES;
    while (end > 0 &&
           !(is_blank(text[end]) && !is_blank(text[end - 1]) && !is_blank(text[end + 1])))
        end--;
    return end > 0 ? end : strlen(text);
}

static icl_status append_text(text_source *source, const char *text)
{
    while (*text != '\0' && source->tokens.count < source->length) {
        const size_t bytes = piece_bytes(text);
        ICL_TRY(icl_bpe_encode(source->bpe, text, bytes, &source->tokens));
        text += bytes;
    }
    if (*text != '\0') return ICL_OK;
    return icl_tokens_push(&source->tokens, icl_bpe_end_of_text(source->bpe));
}

static icl_status draw_text(void *self, icl_sequence *out, icl_rng *rng)
{
    text_source *source = self;
    const icl_pool *pool = source->pool;
    const uint64_t at = icl_rng_below(rng, source->ends[pool->count - 1]);
    const size_t first = text_at(source, at);
    const uint64_t before = first > 0 ? source->ends[first - 1] : 0;
    source->tokens.count = 0;
    ICL_TRY(append_text(source, word_start(pool->texts[first], (size_t)(at - before))));
    while (source->tokens.count < source->length) {
        const uint64_t byte = icl_rng_below(rng, source->ends[pool->count - 1]);
        ICL_TRY(append_text(source, pool->texts[text_at(source, byte)]));
    }
    return icl_sequence_push_tokens(out, source->tokens.items, source->length, ICL_TARGET_TEXT, 1);
}

static const icl_option options[] = {
    ICL_SOURCE_OPTION_DATA,
    ICL_SOURCE_OPTION_LENGTH,
};

const icl_source_kind icl_source_text = {
    .card = { .name = "text",
              .summary = "Plain running text; every token is predicted.",
              .paper = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .open = open_text,
    .close = close_text,
    .draw = draw_text,
};
